/* SPDX-License-Identifier: Apache-2.0
 *
 * photo_of_paper.c - msk_sketch_clean_photo(): from a photographed drawing to lines on white. The steps, all but the light smoothing in integers:
 *   1. Each channel is smoothed lightly. The light on the paper is its morphological closing: dark structures thinner than the window vanish, the
 *      edges of larger shadows stay where they are (a blur would smear them into lines). What is much darker than the closing over a far larger
 *      window is no shadow but ink: filled areas stay dark.
 *   2. Darkness = 1 - channel / light, in 1/1023; the largest of the three channels, so that pencils of every colour count.
 *   3. Most pixels are paper: the median and spread of the darkness tell what grain and noise amount to, and the rest what the ink does.
 *   4. A connected group of dark pixels stays if it is somewhere dark enough and not a speck (hysteresis as in J. Canny, 1986).
 *   5. Between paper and ink the darkness is stretched over white to black. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "image/blur.h"
#include "image/morphology.h"
#include "image/sketch.h"

#define DARKEST 1023
#define REFERENCE_SIDE 1024    /* sizes below are for pictures with this longer side */
#define SMOOTHING 1.0f         /* standard deviation in pixels */
#define SPECK_PIXELS 24        /* smaller groups are specks */
#define LINE_WINDOW 40         /* a line is thinner than 2 / LINE_WINDOW of the longer side; so is the window of the light */
#define FILL_WINDOW 6          /* the same for filled areas */
#define DEEPEST_SHADOW 40      /* percent of the light around: what is darker is ink */
#define LEAST_CONTRAST 80      /* of ink over paper, in 1/1023: less is no drawing */

typedef struct cleaning {
  int width, height, longer;
  size_t pixels;
  uint8_t *channel, *light, *far_light;
  uint16_t *darkness;
  uint32_t *stack;
  uint8_t *state;  /* of each pixel: 0 not seen, 1 seen, 2 to stay */
  void *scratch;
} cleaning;

static int near_radius(const cleaning *c) { return c->longer / LINE_WINDOW > 2 ? c->longer / LINE_WINDOW : 2; }

static int far_radius(const cleaning *c) { return c->longer / FILL_WINDOW + 2; }

static void place(cleaning *c, msk_arena *arena) {
  const size_t scratch[3] = {msk_blur_scratch(c->width, c->height), msk_morphology_scratch(c->width, c->height, near_radius(c)),
                             msk_morphology_scratch(c->width, c->height, far_radius(c))};
  size_t largest = 0;
  for (int i = 0; i < 3; i++) largest = scratch[i] > largest ? scratch[i] : largest;
  c->channel = msk_arena_take(arena, c->pixels, 1);
  c->light = msk_arena_take(arena, c->pixels, 1);
  c->far_light = msk_arena_take(arena, c->pixels, 1);
  c->state = msk_arena_take(arena, c->pixels, 1);
  c->darkness = msk_arena_take(arena, c->pixels, sizeof *c->darkness);
  c->stack = msk_arena_take(arena, c->pixels, sizeof *c->stack);
  c->scratch = msk_arena_take(arena, largest, 1);
}

static void find_light(cleaning *c) {
  msk_gaussian_blur(c->channel, c->width, c->height, SMOOTHING * (float)c->longer / REFERENCE_SIDE, c->scratch);
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
  for (int channel = 0; channel < 3; channel++) {
    for (size_t i = 0; i < c->pixels; i++) c->channel[i] = sketch->pixels[3 * i + (size_t)channel];
    find_light(c);
    for (size_t i = 0; i < c->pixels; i++) {
      if (c->channel[i] >= c->light[i]) continue;
      unsigned darkness = DARKEST * (unsigned)(c->light[i] - c->channel[i]) / c->light[i];
      if (darkness > c->darkness[i]) c->darkness[i] = (uint16_t)darkness;
    }
  }
}

/* The darkness that `percent` of the pixels above `from` do not exceed; -1 where no pixel is. */
static int percentile(const uint32_t histogram[DARKEST + 1], int from, unsigned percent) {
  uint64_t total = 0, below = 0;
  for (int value = from; value <= DARKEST; value++) total += histogram[value];
  if (total == 0) return -1;
  int value = from;
  while ((below += histogram[value]) * 100 < total * percent) value++;
  return value;
}

/* Darkness up to *paper is paper, from *ink on it is ink. */
static void find_levels(const cleaning *c, int *paper, int *ink) {
  uint32_t histogram[DARKEST + 1] = {0};
  for (size_t i = 0; i < c->pixels; i++) histogram[c->darkness[i]]++;
  int median = percentile(histogram, 0, 50), spread = median - percentile(histogram, 0, 16);
  int white = median + 3 * spread;
  *paper = white < 24 ? 24 : white > 400 ? 400 : white;
  int drawn = percentile(histogram, *paper + spread + 1, 75);
  *ink = drawn < *paper + LEAST_CONTRAST ? *paper + LEAST_CONTRAST : drawn;
}

/* Collects the group of pixels darker than `paper` around `start` on the stack; returns how many, and their greatest darkness. */
static size_t collect_group(cleaning *c, size_t start, int paper, int *greatest) {
  size_t count = 1;
  c->stack[0] = (uint32_t)start;
  c->state[start] = 1;
  *greatest = 0;
  for (size_t done = 0; done < count; done++) {
    int x = (int)(c->stack[done] % (uint32_t)c->width), y = (int)(c->stack[done] / (uint32_t)c->width);
    if (c->darkness[c->stack[done]] > *greatest) *greatest = c->darkness[c->stack[done]];
    for (int ny = y > 0 ? y - 1 : 0; ny <= y + 1 && ny < c->height; ny++) {
      for (int nx = x > 0 ? x - 1 : 0; nx <= x + 1 && nx < c->width; nx++) {
        size_t next = (size_t)ny * (size_t)c->width + (size_t)nx;
        if (c->state[next] != 0 || c->darkness[next] <= paper) continue;
        c->state[next] = 1;
        c->stack[count++] = (uint32_t)next;
      }
    }
  }
  return count;
}

static void choose_groups(cleaning *c, int paper, int ink) {
  size_t least = (size_t)SPECK_PIXELS * (size_t)c->longer * (size_t)c->longer / ((size_t)REFERENCE_SIDE * REFERENCE_SIDE) + 1;
  memset(c->state, 0, c->pixels);
  for (size_t i = 0; i < c->pixels; i++) {
    int greatest;
    if (c->state[i] != 0 || c->darkness[i] <= paper) continue;
    size_t count = collect_group(c, i, paper, &greatest);
    if (count < least || greatest < paper + (ink - paper) / 2) continue;
    for (size_t k = 0; k < count; k++) c->state[c->stack[k]] = 2;
  }
}

msk_status msk_sketch_clean_photo(msk_image *sketch, const msk_allocator *allocator, msk_error *error) {
  cleaning c = {.width = sketch->width, .height = sketch->height, .longer = sketch->width > sketch->height ? sketch->width : sketch->height};
  c.pixels = (size_t)c.width * (size_t)c.height;
  msk_arena arena = {0};
  place(&c, &arena);
  void *memory = arena.overflow ? NULL : msk_allocate(allocator, arena.peak, 1);
  if (memory == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory for cleaning a photo of %d x %d pixels", c.width, c.height);
  arena = (msk_arena){.base = memory, .capacity = arena.peak};
  place(&c, &arena);
  int paper, ink;
  find_darkness(&c, sketch);
  find_levels(&c, &paper, &ink);
  choose_groups(&c, paper, ink);
  for (size_t i = 0; i < c.pixels; i++) {
    int over = c.state[i] != 2 ? 0 : c.darkness[i] - paper < ink - paper ? c.darkness[i] - paper : ink - paper;
    memset(sketch->pixels + 3 * i, 255 - 255 * over / (ink - paper), 3);
  }
  msk_free(allocator, memory);
  return MSK_OK;
}
