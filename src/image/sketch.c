/* SPDX-License-Identifier: Apache-2.0
 *
 * sketch.c - finding the paper of a sketch and whether it is light on dark; see sketch.h. Integers throughout. */
#include "image/sketch.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "image/morphology.h"

#define MID_GREY 128
#define LINE_WINDOW 32   /* a line is thinner than 2 / LINE_WINDOW of the longer side */
#define GAP_FACTOR 2     /* light structures win up to this many times their weight: the gaps between light lines look like dark lines */

static uint8_t histogram_median(const uint32_t histogram[256], uint64_t total) {
  uint64_t below = 0;
  int value = 0;
  while (value < 255 && (below += histogram[value]) * 2 <= total) value++;
  return (uint8_t)value;
}

static bool on_border(int x, int y, int width, int height) { return x == 0 || y == 0 || x == width - 1 || y == height - 1; }

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
  for (int c = 0; c < 3; c++) paper[c] = histogram_median(histogram[c], total);
}

static void fill_brightness(uint8_t *grey, const msk_image *sketch) {
  size_t pixels = (size_t)sketch->width * (size_t)sketch->height;
  const uint8_t *from = sketch->pixels;
  for (size_t i = 0; i < pixels; i++, from += 3) grey[i] = (uint8_t)((299u * from[0] + 587u * from[1] + 114u * from[2] + 500) / 1000);
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
  return histogram_median(all, total) < MID_GREY && histogram_median(border, border_total) < MID_GREY;
}

/* Thin structures' contrasts: a third of the strongest is taken for noise. */
static bool light_structures_win(const uint8_t *grey, const uint8_t *opened, const uint8_t *closed, size_t pixels) {
  uint8_t strongest = 0;
  for (size_t i = 0; i < pixels; i++) {
    uint8_t light = (uint8_t)(grey[i] - opened[i]), dark = (uint8_t)(closed[i] - grey[i]);
    if (light > strongest) strongest = light;
    if (dark > strongest) strongest = dark;
  }
  uint64_t light_sum = 0, dark_sum = 0;
  for (size_t i = 0; i < pixels; i++) {
    uint8_t light = (uint8_t)(grey[i] - opened[i]), dark = (uint8_t)(closed[i] - grey[i]);
    if (light > strongest / 3) light_sum += light;
    if (dark > strongest / 3) dark_sum += dark;
  }
  return GAP_FACTOR * light_sum >= dark_sum;
}

msk_status msk_sketch_is_light_on_dark(bool *light_on_dark, const msk_image *sketch, const msk_allocator *allocator, msk_error *error) {
  int width = sketch->width, height = sketch->height, longer = width > height ? width : height;
  int radius = longer / LINE_WINDOW > 1 ? longer / LINE_WINDOW : 1;
  size_t pixels = (size_t)width * (size_t)height;
  uint8_t *grey = msk_allocate(allocator, pixels * 3 + msk_morphology_scratch(width, height, radius), 1);
  if (grey == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory for looking at a sketch of %d x %d pixels", width, height);
  uint8_t *opened = grey + pixels, *closed = opened + pixels, *scratch = closed + pixels;
  fill_brightness(grey, sketch);
  bool answer = ground_is_dark(grey, width, height);
  if (answer) {
    memcpy(opened, grey, pixels);
    memcpy(closed, grey, pixels);
    msk_open_light(opened, width, height, radius, scratch);
    msk_close_dark(closed, width, height, radius, scratch);
    answer = light_structures_win(grey, opened, closed, pixels);
  }
  msk_free(allocator, grey);
  *light_on_dark = answer;
  return MSK_OK;
}
