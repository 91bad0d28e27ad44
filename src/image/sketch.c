/* SPDX-License-Identifier: Apache-2.0
 *
 * sketch.c - finding the paper of a sketch and whether it is light on dark; see sketch.h.
 * Integers throughout. */
#include "image/sketch.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "image/filters.h"
#include "image/paper.h"

#define MID_GREY 128
#define LINE_WINDOW 32 /* a line is thinner than 2 / LINE_WINDOW of the longer side */

static bool on_border(int x, int y, int width, int height) {
  return x == 0 || y == 0 || x == width - 1 || y == height - 1;
}

void msk_sketch_paper(uint8_t paper[3], const msk_image *sketch) {
  uint32_t histogram[3][256] = {{0}};
  uint64_t total = 0;
  for (int y = 0; y < sketch->height; y++) {
    int step = y == 0 || y == sketch->height - 1 || sketch->width == 1 ? 1 : sketch->width - 1;
    for (int x = 0; x < sketch->width; x += step, total++) {
      const uint8_t *pixel = sketch->pixels + 3 * ((size_t)y * (size_t)sketch->width + (size_t)x);
      for (int c = 0; c < 3; c++) histogram[c][pixel[c]]++;
    }
  }
  for (int c = 0; c < 3; c++) paper[c] = msk_histogram_median(histogram[c], total);
}

static void fill_brightness(uint8_t *grey, const msk_image *sketch) {
  size_t pixels = (size_t)sketch->width * (size_t)sketch->height;
  const uint8_t *from = sketch->pixels;
  for (size_t i = 0; i < pixels; i++, from += 3)
    grey[i] = (uint8_t)((299u * from[0] + 587u * from[1] + 114u * from[2] + 500) / 1000);
}

static bool ground_is_dark(const uint8_t *grey, int width, int height) {
  uint32_t all[256] = {0}, border[256] = {0};
  uint64_t border_total = 0;
  for (int y = 0; y < height; y++) {
    for (int x = 0; x < width; x++) {
      uint8_t value = grey[(size_t)y * (size_t)width + (size_t)x];
      all[value]++;
      if (!on_border(x, y, width, height)) continue;
      border[value]++;
      border_total++;
    }
  }
  uint64_t total = (uint64_t)width * (uint64_t)height;
  /* both: a light sheet may have a dark frame, and a dark drawing may fill its light sheet */
  return msk_histogram_median(all, total) < MID_GREY &&
         msk_histogram_median(border, border_total) < MID_GREY;
}

/* The structures thinner than a window: their contrasts summed, without those up to `least`. */
typedef struct structures {
  uint64_t light, dark;
} structures;

typedef struct look {
  int width, height;
  size_t pixels;
  uint8_t *grey, *light, *dark; /* brightness; contrast of thin light and dark structures */
  void *scratch;
} look;

static void find_structures(const look *l, int radius) {
  memcpy(l->light, l->grey, l->pixels);
  memcpy(l->dark, l->grey, l->pixels);
  msk_open_light(l->light, l->width, l->height, radius, l->scratch);
  msk_close_dark(l->dark, l->width, l->height, radius, l->scratch);
  for (size_t i = 0; i < l->pixels; i++) {
    l->light[i] = (uint8_t)(l->grey[i] - l->light[i]);
    l->dark[i] = (uint8_t)(l->dark[i] - l->grey[i]);
  }
}

static structures weigh_structures(const look *l, int least) {
  structures found = {0};
  for (size_t i = 0; i < l->pixels; i++) {
    if (l->light[i] > least) found.light += l->light[i];
    if (l->dark[i] > least) found.dark += l->dark[i];
  }
  return found;
}

/* Lines are thinner than the gaps between them: as the window shrinks, it loses the lines last.
 * The kind of structure that keeps half of its weight in a smaller window is the lines; the
 * heavier one if that is the same window. */
static bool light_structures_win(const look *l, int largest_radius) {
  int strongest = 0;
  find_structures(l, largest_radius);
  for (size_t i = 0; i < l->pixels; i++) {
    if (l->light[i] > strongest) strongest = l->light[i];
    if (l->dark[i] > strongest) strongest = l->dark[i];
  }
  structures all = weigh_structures(l, strongest / 3);
  if (all.light == 0 || all.dark == 0) return all.light >= all.dark;
  for (int radius = largest_radius / 2; radius >= 1; radius /= 2) {
    find_structures(l, radius);
    structures left = weigh_structures(l, strongest / 3);
    bool light_stays = 2 * left.light >= all.light, dark_stays = 2 * left.dark >= all.dark;
    if (light_stays != dark_stays) return light_stays;
    if (!light_stays) break;
  }
  return all.light >= all.dark;
}

msk_status msk_sketch_is_light_on_dark(bool *light_on_dark, const msk_image *sketch,
                                       const msk_allocator *allocator, msk_error *error) {
  int width = sketch->width, height = sketch->height, longer = width > height ? width : height;
  int radius = longer / LINE_WINDOW > 1 ? longer / LINE_WINDOW : 1;
  look l = {.width = width, .height = height, .pixels = (size_t)width * (size_t)height};
  l.grey = msk_allocate(allocator, l.pixels * 3 + msk_morphology_scratch(width, height, radius), 1);
  if (l.grey == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory for looking at a sketch of %d x %d pixels",
                    width, height);
  l.light = l.grey + l.pixels;
  l.dark = l.light + l.pixels;
  l.scratch = l.dark + l.pixels;
  fill_brightness(l.grey, sketch);
  bool answer = ground_is_dark(l.grey, width, height) && light_structures_win(&l, radius);
  msk_free(allocator, l.grey);
  *light_on_dark = answer;
  return MSK_OK;
}
