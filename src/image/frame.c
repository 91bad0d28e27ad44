/* SPDX-License-Identifier: Apache-2.0
 *
 * frame.c - msk_frame_remove(): a line or a band along all four borders, as windows, scans and
 * printed forms have it. It is of one colour, narrow, and what begins behind it is the sheet. Left
 * there it is taken for the paper, or drawn. */
#include <stdlib.h>
#include <string.h>

#include "image/paper.h"

enum {
  LEAST_SIDE = 48,  /* smaller pictures have no room for a frame */
  MOST_WIDTH = 12,  /* a frame takes less than one part in so many of the shorter side */
  NEAR = 48,        /* levels that one colour may differ by */
  WHOLE = 95,       /* percent of each side that are of the frame's colour: lines may touch it */
  CLEAR = 70,       /* percent of each side that are not, behind its edge */
  EDGE = 256,       /* an edge is as wide as the shorter side / EDGE, and two pixels */
  LEAST_GROUND = 50 /* percent of the sheet that are as what begins behind the frame */
};

typedef struct ring {
  const msk_image *sketch;
  int inset;
} ring;

/* Pixel `at` of the ring's side: top, bottom, left, right. */
static const uint8_t *ring_pixel(ring r, int side, int at) {
  int width = r.sketch->width, height = r.sketch->height;
  int x = side < 2 ? r.inset + at : r.inset, y = side < 2 ? r.inset : r.inset + at;
  if (side == 1) y = height - 1 - r.inset;
  if (side == 3) x = width - 1 - r.inset;
  return r.sketch->pixels + 3 * ((size_t)y * (size_t)width + (size_t)x);
}

static int ring_length(ring r, int side) {
  return (side < 2 ? r.sketch->width : r.sketch->height) - 2 * r.inset;
}

static bool is_near(const uint8_t a[3], const uint8_t b[3]) {
  return abs(a[0] - b[0]) <= NEAR && abs(a[1] - b[1]) <= NEAR && abs(a[2] - b[2]) <= NEAR;
}

static void ring_colour(uint8_t colour[3], ring r) {
  uint32_t histogram[3][256] = {{0}}, total = 0;
  for (int side = 0; side < 4; side++) {
    for (int i = 0; i < ring_length(r, side); i++, total++) {
      for (int c = 0; c < 3; c++) histogram[c][ring_pixel(r, side, i)[c]]++;
    }
  }
  for (int c = 0; c < 3; c++) colour[c] = msk_histogram_median(histogram[c], total);
}

/* The least part of a side, in percent, that is near the colour, or is not. */
static int least_part(ring r, const uint8_t colour[3], bool near) {
  int least = 100;
  for (int side = 0; side < 4; side++) {
    int count = 0, length = ring_length(r, side);
    for (int i = 0; i < length; i++) count += is_near(ring_pixel(r, side, i), colour) == near;
    if (100 * count / length < least) least = 100 * count / length;
  }
  return least;
}

/* Percent of what lies within the ring that are near its colour. */
static int ground_part(ring r, const uint8_t colour[3]) {
  size_t near = 0, total = 0;
  for (ring inner = r; ring_length(inner, 0) > 0 && ring_length(inner, 2) > 0; inner.inset++) {
    for (int side = 0; side < 4; side++) {
      for (int i = 0; i < ring_length(inner, side); i++, total++)
        near += is_near(ring_pixel(inner, side, i), colour);
    }
  }
  return (int)(100 * near / total);
}

static int clamp(int value, int least, int most) {
  if (value < least) return least;
  return value > most ? most : value;
}

/* What lies within goes on to the border. */
static void paint_over(msk_image *sketch, int inset) {
  size_t width = (size_t)sketch->width;
  for (int y = 0; y < sketch->height; y++) {
    int from_y = clamp(y, inset, sketch->height - 1 - inset);
    for (int x = 0; x < sketch->width; x++) {
      int from_x = clamp(x, inset, sketch->width - 1 - inset);
      if (from_x == x && from_y == y) continue;
      memcpy(sketch->pixels + 3 * ((size_t)y * width + (size_t)x),
             sketch->pixels + 3 * ((size_t)from_y * width + (size_t)from_x), 3);
    }
  }
}

bool msk_frame_remove(msk_image *sketch) {
  int shorter = sketch->width < sketch->height ? sketch->width : sketch->height;
  int most = shorter / MOST_WIDTH, edge = shorter / EDGE > 2 ? shorter / EDGE : 2;
  uint8_t colour[3], paper[3];
  ring r = {.sketch = sketch};
  if (shorter < LEAST_SIDE) return false;
  ring_colour(colour, r);
  while (r.inset <= most && least_part(r, colour, true) >= WHOLE) r.inset++;
  if (r.inset == 0 || r.inset > most) return false;
  r.inset += edge;
  ring_colour(paper, r);
  if (least_part(r, colour, false) < CLEAR || ground_part(r, paper) < LEAST_GROUND) return false;
  paint_over(sketch, r.inset);
  return true;
}
