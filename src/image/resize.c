/* SPDX-License-Identifier: Apache-2.0
 *
 * resize.c - see resize.h. The arithmetic is Pillow's (src/libImaging/Resample.c), re-made from
 * its description in tests/golden/image/MANIFEST.md: weights in double, normalised, then 22-bit
 * fixed point; each pass rounds and clips to 8 bits; a pass that changes nothing is left out.
 * The order of every floating-point operation below is part of the result. */
#include "image/resize.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

#define PRECISION_BITS (32 - 8 - 2)
/* samples of a row that the vertical pass sums at a time: the sums stay in the first-level cache */
#define ROW_BLOCK 512

/* The taps of one axis: output i is the sum over k < count[i] of weight[i * capacity + k] *
 * input[first[i] + k]. */
typedef struct axis_taps {
  int capacity;
  int32_t *first, *count, *weight;
} axis_taps;

static double bicubic(double x) {
  const double a = -0.5;
  x = fabs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

static double sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= 3.14159265358979323846;
  return sin(x) / x;
}

static double filter_value(msk_filter filter, double x) {
  switch (filter) {
    case MSK_FILTER_LANCZOS: return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0;
    case MSK_FILTER_BOX: return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
    case MSK_FILTER_BICUBIC: break;
  }
  return bicubic(x);
}

static double filter_support(msk_filter filter, int in, int out) {
  double support = filter == MSK_FILTER_LANCZOS ? 3.0 : 2.0;
  if (filter == MSK_FILTER_BOX) support = 0.5;
  double scale = (double)in / out;
  return support * (scale < 1.0 ? 1.0 : scale);
}

static void place_taps(axis_taps *taps, msk_arena *arena, msk_filter filter, int in, int out) {
  taps->capacity = (int)ceil(filter_support(filter, in, out)) * 2 + 1;
  taps->first = msk_arena_take(arena, (size_t)out, sizeof *taps->first);
  taps->count = msk_arena_take(arena, (size_t)out, sizeof *taps->count);
  size_t weights;
  if (!msk_multiply((size_t)out, (size_t)taps->capacity, &weights))
    arena->overflow = true;
  else
    taps->weight = msk_arena_take(arena, weights, sizeof *taps->weight);
}

static double raw_weight(msk_filter filter, int tap, int low, double centre, double inverse) {
  return filter_value(filter, (tap + low - centre + 0.5) * inverse);
}

static void fill_taps(const axis_taps *taps, msk_filter filter, int in, int out) {
  double scale = (double)in / out, filter_scale = scale < 1.0 ? 1.0 : scale;
  double support = filter_support(filter, in, out), inverse = 1.0 / filter_scale;
  for (int i = 0; i < out; i++) {
    double centre = (i + 0.5) * scale, sum = 0.0;
    int low = (int)(centre - support + 0.5), high = (int)(centre + support + 0.5);
    if (low < 0) low = 0;
    if (high > in) high = in;
    for (int k = 0; k < high - low; k++) sum += raw_weight(filter, k, low, centre, inverse);
    for (int k = 0; k < high - low; k++) {
      double weight = raw_weight(filter, k, low, centre, inverse);
      if (sum != 0.0) weight /= sum;
      /* fixed point, halves away from zero, as Pillow has it */
      weight *= 1 << PRECISION_BITS;
      taps->weight[(size_t)i * (size_t)taps->capacity + (size_t)k] =
          weight < 0 ? (int)(weight - 0.5) : (int)(weight + 0.5);
    }
    taps->first[i] = low;
    taps->count[i] = high - low;
  }
}

/* Rounding is by the 2^21 that the sum starts from; the shift floors. */
static inline uint8_t clip(int32_t sum) {
  sum >>= PRECISION_BITS;
  if (sum < 0) return 0;
  return sum > 255 ? 255 : (uint8_t)sum;
}

static void resize_row(const axis_taps *taps, int channels, const uint8_t *in, uint8_t *out,
                       int out_width) {
  for (int x = 0; x < out_width; x++) {
    const int32_t *weight = taps->weight + (size_t)x * (size_t)taps->capacity;
    const uint8_t *from = in + (size_t)taps->first[x] * (size_t)channels;
    int32_t sum[3] = {1 << (PRECISION_BITS - 1), 1 << (PRECISION_BITS - 1),
                      1 << (PRECISION_BITS - 1)};
    if (channels == 3) {
      for (int k = 0; k < taps->count[x]; k++, from += 3) {
        sum[0] += from[0] * weight[k];
        sum[1] += from[1] * weight[k];
        sum[2] += from[2] * weight[k];
      }
    } else {
      for (int k = 0; k < taps->count[x]; k++) sum[0] += from[k] * weight[k];
    }
    for (int c = 0; c < channels; c++) *out++ = clip(sum[c]);
  }
}

/* One output row from the rows of `in`, each `samples` bytes. */
static void resize_column_row(const axis_taps *taps, int y, const uint8_t *in, uint8_t *out,
                              size_t samples) {
  const int32_t *weight = taps->weight + (size_t)y * (size_t)taps->capacity;
  for (size_t start = 0; start < samples; start += ROW_BLOCK) {
    size_t count = samples - start < ROW_BLOCK ? samples - start : ROW_BLOCK;
    int32_t sum[ROW_BLOCK];
    for (size_t i = 0; i < count; i++) sum[i] = 1 << (PRECISION_BITS - 1);
    for (int k = 0; k < taps->count[y]; k++) {
      const uint8_t *from = in + (size_t)(taps->first[y] + k) * samples + start;
      for (size_t i = 0; i < count; i++) sum[i] += from[i] * weight[k];
    }
    for (size_t i = 0; i < count; i++) out[start + i] = clip(sum[i]);
  }
}

/* What msk_resize() works with; laid out by place_work(), measuring or placing. */
typedef struct resize_work {
  bool across, down; /* the passes that there are */
  axis_taps horizontal, vertical;
  uint8_t *between; /* in_height rows of out_width pixels, where both passes are done */
} resize_work;

static void place_work(resize_work *work, msk_arena *arena, msk_filter filter, int channels,
                       int in_width, int in_height, int out_width, int out_height) {
  memset(work, 0, sizeof *work);
  work->across = in_width != out_width;
  work->down = in_height != out_height;
  if (work->across) place_taps(&work->horizontal, arena, filter, in_width, out_width);
  if (work->down) place_taps(&work->vertical, arena, filter, in_height, out_height);
  if (work->across && work->down)
    work->between = msk_arena_take(arena, (size_t)in_height, (size_t)out_width * (size_t)channels);
}

size_t msk_resize_scratch(msk_filter filter, int channels, int in_width, int in_height,
                          int out_width, int out_height) {
  resize_work work;
  msk_arena arena = {0};
  place_work(&work, &arena, filter, channels, in_width, in_height, out_width, out_height);
  return arena.overflow ? SIZE_MAX : arena.peak;
}

void msk_resize(msk_filter filter, int channels, const msk_pixels *in, const msk_pixels *out,
                void *scratch) {
  resize_work work;
  msk_arena arena = {.base = scratch, .capacity = SIZE_MAX};
  size_t in_row = (size_t)in->width * (size_t)channels,
         out_row = (size_t)out->width * (size_t)channels;
  place_work(&work, &arena, filter, channels, in->width, in->height, out->width, out->height);
  if (!work.across && !work.down) {
    memcpy(out->data, in->data, in_row * (size_t)in->height);
    return;
  }
  const uint8_t *rows = in->data;
  if (work.across) {
    uint8_t *to = work.down ? work.between : out->data;
    fill_taps(&work.horizontal, filter, in->width, out->width);
    for (int y = 0; y < in->height; y++) {
      resize_row(&work.horizontal, channels, in->data + (size_t)y * in_row,
                 to + (size_t)y * out_row, out->width);
    }
    rows = to;
  }
  if (work.down) {
    fill_taps(&work.vertical, filter, in->height, out->height);
    for (int y = 0; y < out->height; y++)
      resize_column_row(&work.vertical, y, rows, out->data + (size_t)y * out_row, out_row);
  }
}
