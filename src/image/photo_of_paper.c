/* SPDX-License-Identifier: Apache-2.0
 *
 * photo_of_paper.c - msk_sketch_clean_photo(): from a photographed drawing to lines on white.
 * The steps, all but the light smoothing in integers:
 *   1. Each channel is smoothed lightly. The light on the paper is its morphological closing:
 *      dark structures thinner than the window vanish, the edges of larger shadows stay where
 *      they are (a blur would smear them into lines). What is much darker than the closing over
 *      a far larger window is no shadow but ink: filled areas stay dark.
 *   2. Darkness = 1 - channel / light, in 1/1023; the largest of the three channels, so that
 *      pencils of every colour count.
 *   3. Most pixels are paper: the median and spread of the darkness tell, for each amount of
 *      light, what grain and noise amount to, and the rest what the ink does.
 *   4. A connected group of dark pixels stays if it is somewhere dark enough and not a speck
 *      (hysteresis as in J. Canny, 1986).
 *   5. Between paper and ink the darkness is stretched over white to black. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "image/filters.h"
#include "image/pixel_group.h"
#include "image/sketch.h"

#define DARKEST 1023
#define REFERENCE_SIDE 1024 /* sizes below are for pictures with this longer side */
#define SMOOTHING 1.0f      /* standard deviation in pixels */
#define SPECK_PIXELS 24     /* smaller groups are specks */
/* a line is thinner than 2 / LINE_WINDOW of the longer side; so is the window of the light */
#define LINE_WINDOW 40
#define FILL_WINDOW 6     /* the same for filled areas */
#define DEEPEST_SHADOW 40 /* percent of the light around: what is darker is ink */
#define LEAST_PAPER 24    /* in 1/1023: this much darkness is paper whatever its grain */
#define LEAST_CONTRAST 80 /* of ink over paper, in 1/1023: less is no drawing */
#define LIGHT_BINS 16
#define BIN_WIDTH (256 / LIGHT_BINS)

typedef struct cleaning {
  int width, height, longer;
  size_t pixels;
  uint8_t *channel, *light, *far_light;
  uint16_t *darkness;
  uint32_t *stack;
  uint8_t *dimmest; /* the light in the channel that has least */
  uint8_t *state;   /* of each pixel: 1 once it has been seen */
  void *scratch;
} cleaning;

static int near_radius(const cleaning *c) {
  return c->longer / LINE_WINDOW > 2 ? c->longer / LINE_WINDOW : 2;
}

static int far_radius(const cleaning *c) { return c->longer / FILL_WINDOW + 2; }

static void place(cleaning *c, msk_arena *arena) {
  const size_t scratch[3] = {msk_blur_scratch(c->width, c->height),
                             msk_morphology_scratch(c->width, c->height, near_radius(c)),
                             msk_morphology_scratch(c->width, c->height, far_radius(c))};
  size_t largest = 0;
  for (int i = 0; i < 3; i++) largest = scratch[i] > largest ? scratch[i] : largest;
  c->channel = msk_arena_take(arena, c->pixels, 1);
  c->light = msk_arena_take(arena, c->pixels, 1);
  c->far_light = msk_arena_take(arena, c->pixels, 1);
  c->dimmest = msk_arena_take(arena, c->pixels, 1);
  c->state = msk_arena_take(arena, c->pixels, 1);
  c->darkness = msk_arena_take(arena, c->pixels, sizeof *c->darkness);
  c->stack = msk_arena_take(arena, c->pixels, sizeof *c->stack);
  c->scratch = msk_arena_take(arena, largest, 1);
}

static void find_light(cleaning *c) {
  msk_gaussian_blur(c->channel, c->width, c->height, SMOOTHING * (float)c->longer / REFERENCE_SIDE,
                    c->scratch);
  memcpy(c->light, c->channel, c->pixels);
  memcpy(c->far_light, c->channel, c->pixels);
  msk_close_dark(c->light, c->width, c->height, near_radius(c), c->scratch);
  msk_close_dark(c->far_light, c->width, c->height, far_radius(c), c->scratch);
  for (size_t i = 0; i < c->pixels; i++) {
    unsigned least = c->far_light[i] * DEEPEST_SHADOW / 100u;
    if (c->light[i] < least) c->light[i] = (uint8_t)least;
  }
}

static void find_darkness(cleaning *c, const msk_image *sketch) {
  memset(c->darkness, 0, c->pixels * sizeof *c->darkness);
  memset(c->dimmest, 255, c->pixels);
  for (int channel = 0; channel < 3; channel++) {
    for (size_t i = 0; i < c->pixels; i++) c->channel[i] = sketch->pixels[3 * i + (size_t)channel];
    find_light(c);
    for (size_t i = 0; i < c->pixels; i++) {
      if (c->light[i] < c->dimmest[i]) c->dimmest[i] = c->light[i];
      if (c->channel[i] >= c->light[i]) continue;
      unsigned darkness = DARKEST * (unsigned)(c->light[i] - c->channel[i]) / c->light[i];
      if (darkness > c->darkness[i]) c->darkness[i] = (uint16_t)darkness;
    }
  }
}

/* The darkness that `percent` of the pixels do not exceed; 0 where there are none. */
static int percentile(const uint32_t histogram[DARKEST + 1], unsigned percent) {
  uint64_t total = 0, below = 0;
  for (int value = 0; value <= DARKEST; value++) total += histogram[value];
  int value = 0;
  while (value < DARKEST && (below += histogram[value]) * 100 < total * percent) value++;
  return total == 0 ? 0 : value;
}

/* Darkness up to `paper` is paper, from `ink` on it is ink; by how much light there is, for in
 * the dark the grain is coarser. */
typedef struct levels {
  int paper[LIGHT_BINS], spread[LIGHT_BINS], ink[LIGHT_BINS];
} levels;

static void find_paper(const cleaning *c, levels *l) {
  uint32_t histogram[LIGHT_BINS][DARKEST + 1] = {{0}};
  size_t count[LIGHT_BINS] = {0};
  int most = 0;
  for (size_t i = 0; i < c->pixels; i++) {
    histogram[c->dimmest[i] / BIN_WIDTH][c->darkness[i]]++;
    count[c->dimmest[i] / BIN_WIDTH]++;
  }
  for (int bin = 0; bin < LIGHT_BINS; bin++) {
    int median = percentile(histogram[bin], 50);
    l->spread[bin] = median - percentile(histogram[bin], 16);
    int white = median + 3 * l->spread[bin];
    l->paper[bin] = white < LEAST_PAPER ? LEAST_PAPER : white;
    if (count[bin] > count[most]) most = bin;
  }
  for (int bin = 0; bin < LIGHT_BINS; bin++) {
    /* too few pixels to tell, or mostly ink */
    if (count[bin] >= c->pixels / 200 && l->paper[bin] <= 3 * l->paper[most]) continue;
    l->paper[bin] = l->paper[most];
    l->spread[bin] = l->spread[most];
  }
}

static void find_ink(const cleaning *c, levels *l) {
  uint32_t histogram[DARKEST + 1] = {0};
  for (size_t i = 0; i < c->pixels; i++) {
    int bin = c->dimmest[i] / BIN_WIDTH;
    if (c->darkness[i] > l->paper[bin] + l->spread[bin]) histogram[c->darkness[i]]++;
  }
  int drawn = percentile(histogram, 75);
  for (int bin = 0; bin < LIGHT_BINS; bin++) {
    int contrast = 4 * l->spread[bin] > LEAST_CONTRAST ? 4 * l->spread[bin] : LEAST_CONTRAST;
    l->ink[bin] = drawn < l->paper[bin] + contrast ? l->paper[bin] + contrast : drawn;
  }
}

/* The channel becomes what is wanted, 0: paper; 1..255: towards ink. */
static void find_strength(cleaning *c) {
  levels l;
  find_paper(c, &l);
  find_ink(c, &l);
  for (size_t i = 0; i < c->pixels; i++) {
    int bin = c->dimmest[i] / BIN_WIDTH, over = c->darkness[i] - l.paper[bin],
        range = l.ink[bin] - l.paper[bin];
    c->channel[i] = over <= 0 ? 0 : 255;
    if (over > 0 && over < range) c->channel[i] = (uint8_t)(1 + 254 * over / range);
  }
}

static bool take_dark(void *user, int x, int y) {
  cleaning *c = user;
  size_t at = (size_t)y * (size_t)c->width + (size_t)x;
  if (c->state[at] != 0 || c->channel[at] == 0) return false;
  c->state[at] = 1;
  return true;
}

/* Turns groups that are too small or nowhere dark enough into paper. */
static void drop_specks(cleaning *c) {
  size_t least = (size_t)SPECK_PIXELS * (size_t)c->longer * (size_t)c->longer /
                     ((size_t)REFERENCE_SIDE * REFERENCE_SIDE) +
                 1;
  uint8_t *strength = c->channel;
  memset(c->state, 0, c->pixels);
  for (size_t i = 0; i < c->pixels; i++) {
    if (c->state[i] != 0 || strength[i] == 0) continue;
    int x = (int)(i % (size_t)c->width), y = (int)(i / (size_t)c->width), greatest = 0;
    msk_pixel_group group = msk_collect_group(c->width, c->height, x, y, c->stack, take_dark, c);
    for (size_t k = 0; k < group.pixels; k++)
      if (strength[c->stack[k]] > greatest) greatest = strength[c->stack[k]];
    if (group.pixels >= least && greatest >= 128) continue;
    for (size_t k = 0; k < group.pixels; k++) strength[c->stack[k]] = 0;
  }
}

msk_status msk_sketch_clean_photo(msk_image *sketch, const msk_allocator *allocator,
                                  msk_error *error) {
  cleaning c = {.width = sketch->width,
                .height = sketch->height,
                .longer = sketch->width > sketch->height ? sketch->width : sketch->height};
  c.pixels = (size_t)c.width * (size_t)c.height;
  msk_arena arena = {0};
  place(&c, &arena);
  void *memory = arena.overflow ? NULL : msk_allocate(allocator, arena.peak, 1);
  if (memory == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory for cleaning a photo of %d x %d pixels",
                    c.width, c.height);
  arena = (msk_arena){.base = memory, .capacity = arena.peak};
  place(&c, &arena);
  find_darkness(&c, sketch);
  find_strength(&c);
  drop_specks(&c);
  for (size_t i = 0; i < c.pixels; i++) memset(sketch->pixels + 3 * i, 255 - c.channel[i], 3);
  msk_free(allocator, memory);
  return MSK_OK;
}
