/* SPDX-License-Identifier: Apache-2.0
 *
 * dots.c - msk_dots_remove(): dots that are printed on paper: groups of a few dark pixels, in most
 * parts of the sheet, evenly. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "image/paper.h"
#include "image/pixel_group.h"

enum { MOST_DOTS = 4096 }; /* more is grain */

int msk_compare_doubles(const void *left, const void *right) {
  const double *a = left, *b = right;
  return (*a > *b) - (*a < *b);
}

typedef struct dots {
  msk_image *image;
  const uint8_t *darkest;
  uint8_t *marks;
  uint32_t *stack;
  int reach;
  int least; /* contrast in 1/255 of the paper */
  bool erase;
  int count;
  struct {
    int x, y, side;
  } found[MOST_DOTS];
  bool seen_in[MSK_GROUND_CELLS * MSK_GROUND_CELLS];
} dots;

/* Where the four pixels stand that are beside a dot at (x, y); at the picture's edge, the one
 * outside is the one on the other side. */
static void find_neighbours(const dots *d, int x, int y, size_t at[4]) {
  const msk_image *image = d->image;
  int far = 2 * d->reach, left = x < far ? x + far : x - far, top = y < far ? y + far : y - far,
      right = x + far >= image->width ? x - far : x + far,
      bottom = y + far >= image->height ? y - far : y + far;
  size_t width = (size_t)image->width;
  at[0] = (size_t)y * width + (size_t)left;
  at[1] = (size_t)y * width + (size_t)right;
  at[2] = (size_t)top * width + (size_t)x;
  at[3] = (size_t)bottom * width + (size_t)x;
}

/* Darker than the paper on all four sides: no part of a stroke, but for its ends. */
static bool is_dark(const dots *d, int x, int y) {
  size_t at[4];
  find_neighbours(d, x, y, at);
  int paper = 255, value = d->darkest[(size_t)y * (size_t)d->image->width + (size_t)x];
  for (int i = 0; i < 4; i++) paper = d->darkest[at[i]] < paper ? d->darkest[at[i]] : paper;
  return msk_paper_relative(paper - value, paper) >= d->least;
}

/* The mean of the paper on all four sides. */
static void paint_over(const dots *d, uint32_t pixel) {
  msk_image *image = d->image;
  size_t at[4];
  find_neighbours(d, (int)(pixel % (uint32_t)image->width), (int)(pixel / (uint32_t)image->width),
                  at);
  for (int c = 0; c < 3; c++) {
    int sum = 2;
    for (int i = 0; i < 4; i++) sum += image->pixels[3 * at[i] + (size_t)c];
    image->pixels[3 * (size_t)pixel + (size_t)c] = (uint8_t)(sum / 4);
  }
}

static bool take_dark(void *user, int x, int y) {
  dots *d = user;
  uint8_t *mark = &d->marks[(size_t)y * (size_t)d->image->width + (size_t)x];
  if (*mark || !is_dark(d, x, y)) return false;
  *mark = 1;
  return true;
}

/* Counts the dots, or erases them. */
static void visit_dots(dots *d) {
  msk_image *image = d->image;
  memset(d->marks, 0, (size_t)image->width * (size_t)image->height);
  for (int y = 0; y < image->height; y++) {
    for (int x = 0; x < image->width; x++) {
      msk_pixel_group group =
          msk_collect_group(image->width, image->height, x, y, d->stack, take_dark, d);
      int side = msk_group_side(&group);
      /* what is larger than the reach is a stroke or a letter */
      if (group.pixels == 0 || side > 2 * d->reach + 1) continue;
      if (d->count < MOST_DOTS && !d->erase) {
        d->found[d->count].x = x;
        d->found[d->count].y = y;
        d->found[d->count].side = side;
      }
      d->count++;
      d->seen_in[msk_ground_cell(image, x, y)] = true;
      for (size_t i = 0; d->erase && i < group.pixels; i++) paint_over(d, d->stack[i]);
    }
  }
}

/* Whether most dots have their nearest neighbour at one distance, and well apart: letters stand
 * close together. */
static bool dots_are_even(const dots *d) {
  double distances[MOST_DOTS], sorted[MOST_DOTS];
  int even = 0, side = 0;
  for (int i = 0; i < d->count; i++) {
    int64_t nearest = INT64_MAX; /* squared */
    side = d->found[i].side > side ? d->found[i].side : side;
    for (int k = 0; k < d->count; k++) {
      int64_t dx = d->found[i].x - d->found[k].x, dy = d->found[i].y - d->found[k].y,
              far = dx * dx + dy * dy;
      if (k != i && far < nearest) nearest = far;
    }
    distances[i] = sorted[i] = sqrt((double)nearest);
  }
  qsort(sorted, (size_t)d->count, sizeof *sorted, msk_compare_doubles);
  double middle = sorted[d->count / 2];
  for (int i = 0; i < d->count; i++) even += fabs(distances[i] - middle) < 0.15 * middle + 1;
  return even * 100 >= d->count * 70 && middle >= 2 * side;
}

bool msk_dots_remove(msk_image *image, const uint8_t *darkest, uint8_t *marks, uint32_t *stack,
                     int reach, int least) {
  dots d = {.image = image,
            .darkest = darkest,
            .marks = marks,
            .stack = stack,
            .reach = reach,
            .least = least};
  int cells = 0;
  visit_dots(&d);
  for (int i = 0; i < MSK_GROUND_CELLS * MSK_GROUND_CELLS; i++) cells += d.seen_in[i];
  if (cells * 100 < MSK_GROUND_CELLS * MSK_GROUND_CELLS * 35 || d.count > MOST_DOTS ||
      !dots_are_even(&d))
    return false;
  d.erase = true;
  visit_dots(&d);
  return true;
}
