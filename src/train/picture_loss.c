/* SPDX-License-Identifier: Apache-2.0
 * picture_loss.c - see picture_loss.h. A picture is a task; their losses are added in order. */
#include "train/picture_loss.h"

#include <math.h>
#include <string.h>

enum { LEVELS = 4, MOST_BATCH = 256 };

struct job {
  const msk_picture_weights *weights;
  msk_picture_shape shape;
  const float *x, *y;
  float *dy, *room;
  size_t room_floats; /* of a picture */
  double *losses;
};

static float sign(float x) { return (float)((x > 0) - (x < 0)); }

static size_t values_of(msk_picture_shape shape) { return shape.height * shape.width * 3; }

static bool is_halved(size_t height, size_t width) {
  return height % 2 == 0 && width % 2 == 0 && height > 0 && width > 0;
}

/* d; of each level: what is left, and its slope. */
static size_t picture_floats(msk_picture_shape shape) {
  size_t values = values_of(shape), floats = values, height = shape.height, width = shape.width;
  for (int i = 0; i < LEVELS && is_halved(height, width); i++)
    height /= 2, width /= 2, floats += 2 * height * width * 3;
  return floats;
}

size_t msk_picture_loss_floats(msk_picture_shape shape) {
  return shape.batch * picture_floats(shape);
}

/* ---- pixel by pixel ---- */

static double add_values(const struct job *job, const float *d, float *slope) {
  size_t count = values_of(job->shape);
  double all = (double)(count * job->shape.batch), sums[2] = {0};
  float absolute = (float)(job->weights->absolute / all),
        square = (float)(2 * job->weights->square / all);
  for (size_t i = 0; i < count; i++) {
    sums[0] += fabsf(d[i]);
    sums[1] += (double)d[i] * d[i];
    slope[i] = absolute * sign(d[i]) + square * d[i];
  }
  return (job->weights->absolute * sums[0] + job->weights->square * sums[1]) / all;
}

static double add_chroma(const struct job *job, const float *d, float *slope) {
  size_t pixels = job->shape.height * job->shape.width;
  double all = (double)(2 * pixels * job->shape.batch), sum = 0;
  float share = (float)(job->weights->chroma / all);
  for (size_t i = 0; i < pixels; i++, d += 3, slope += 3) {
    float red = d[0] - d[1], blue = d[2] - 0.5f * (d[0] + d[1]);
    float by_red = share * sign(red), by_blue = share * sign(blue);
    sum += fabsf(red) + fabsf(blue);
    slope[0] += by_red - 0.5f * by_blue;
    slope[1] -= by_red + 0.5f * by_blue;
    slope[2] += by_blue;
  }
  return job->weights->chroma * sum / all;
}

/* Of `count` pairs of values, `step` apart; all: pairs of the batch. */
static double add_pairs(float weight, size_t count, size_t step, double all, const float *d,
                        float *slope) {
  float share = (float)(weight / all);
  double sum = 0;
  for (size_t i = 0; i < count; i++) {
    float difference = d[i + step] - d[i], by = share * sign(difference);
    sum += fabsf(difference);
    slope[i + step] += by;
    slope[i] -= by;
  }
  return weight * sum / all;
}

static double add_gradients(const struct job *job, const float *d, float *slope) {
  size_t height = job->shape.height, row = job->shape.width * 3;
  double across = (double)(job->shape.batch * height * (row - 3)), sum = 0,
         down = (double)(job->shape.batch * (height - 1) * row);
  for (size_t y = 0; row > 3 && y < height; y++)
    sum += add_pairs(job->weights->gradient, row - 3, 3, across, d + y * row, slope + y * row);
  if (height > 1) sum += add_pairs(job->weights->gradient, (height - 1) * row, row, down, d, slope);
  return sum;
}

/* ---- the Laplacian pyramid ---- */

/* Bilinear enlargement by two: what place `at` of the large side reads of the small one, 3/4 of
 * `near` and 1/4 of `far`. */
struct taps {
  size_t near, far;
};
static struct taps taps_at(size_t at, size_t small) {
  size_t near = at / 2;
  if (at % 2 == 0) return (struct taps){near, near > 0 ? near - 1 : 0};
  return (struct taps){near, near + 1 < small ? near + 1 : near};
}

static void halve(size_t height, size_t width, const float *from, float *to) {
  for (size_t i = 0; i < height / 2 * (width / 2) * 3; i++) {
    size_t c = i % 3, x = i / 3 % (width / 2), y = i / 3 / (width / 2);
    const float *at = from + (2 * y * width + 2 * x) * 3 + c, *below = at + width * 3;
    to[i] = 0.25f * ((at[0] + at[3]) + (below[0] + below[3]));
  }
}

/* The band is the level less its half, enlarged: 2 |band| in all; slopes are added to both. */
static double add_band(size_t height, size_t width, float share, const float *level,
                       const float *low, float *slope, float *low_slope) {
  double sum = 0;
  for (size_t y = 0; y < height; y++) {
    struct taps down = taps_at(y, height / 2);
    for (size_t x = 0; x < width; x++) {
      struct taps across = taps_at(x, width / 2);
      const size_t at[] = {
          down.near * (width / 2) + across.near, down.near * (width / 2) + across.far,
          down.far * (width / 2) + across.near, down.far * (width / 2) + across.far};
      for (size_t c = 0; c < 3; c++) {
        static const float weights[] = {0.5625f, 0.1875f, 0.1875f, 0.0625f};
        size_t here = (y * width + x) * 3 + c;
        float band = level[here];
        for (size_t i = 0; i < 4; i++) band -= weights[i] * low[at[i] * 3 + c];
        float by = share * sign(band);
        sum += fabsf(band);
        slope[here] += by;
        for (size_t i = 0; i < 4; i++) low_slope[at[i] * 3 + c] -= weights[i] * by;
      }
    }
  }
  return sum;
}

/* One level and all below; room: of picture_floats() without d. */
static double add_bands(const struct job *job, int level, size_t height, size_t width,
                        const float *d, float *slope, float *room) {
  if (level == LEVELS || !is_halved(height, width)) return 0;
  size_t count = height / 2 * (width / 2) * 3;
  float *low = room, *low_slope = room + count, weight = job->weights->bands;
  double all = (double)(job->shape.batch * count), left = 0;
  float share = (float)(0.5 * weight / all);
  halve(height, width, d, low);
  for (size_t i = 0; i < count; i++) {
    left += fabsf(low[i]);
    low_slope[i] = share * sign(low[i]);
  }
  double band = add_band(height, width, (float)(0.5 * weight / all), d, low, slope, low_slope);
  double below = add_bands(job, level + 1, height / 2, width / 2, low, low_slope, room + 2 * count);
  for (size_t i = 0; i < height * width * 3; i++) {
    size_t c = i % 3, x = i / 3 % width, y = i / 3 / width;
    slope[i] += 0.25f * low_slope[(y / 2 * (width / 2) + x / 2) * 3 + c];
  }
  return 0.5 * weight * (band + left) / all + below;
}

static void picture_task(void *user, size_t index, int worker) {
  const struct job *job = user;
  size_t values = values_of(job->shape), at = index * values;
  float *d = job->room + index * job->room_floats, *slope = job->dy + at;
  (void)worker;
  for (size_t i = 0; i < values; i++) d[i] = job->y[at + i] - job->x[at + i];
  double loss = add_values(job, d, slope);
  if (job->weights->chroma > 0) loss += add_chroma(job, d, slope);
  if (job->weights->gradient > 0) loss += add_gradients(job, d, slope);
  if (job->weights->bands > 0)
    loss += add_bands(job, 0, job->shape.height, job->shape.width, d, slope, d + values);
  job->losses[index] = loss;
}

double msk_picture_loss(msk_pool *pool, const msk_picture_weights *weights, msk_picture_shape shape,
                        const float *x, const float *y, float *dy, float *room) {
  double losses[MOST_BATCH], sum = 0;
  for (size_t first = 0; first < shape.batch; first += MOST_BATCH) {
    size_t count = shape.batch - first < MOST_BATCH ? shape.batch - first : MOST_BATCH;
    size_t at = first * values_of(shape);
    struct job job = {.weights = weights,
                      .shape = shape,
                      .x = x + at,
                      .y = y + at,
                      .dy = dy + at,
                      .room = room,
                      .room_floats = picture_floats(shape),
                      .losses = losses};
    msk_pool_run(pool, count, picture_task, &job);
    for (size_t i = 0; i < count; i++) sum += losses[i];
  }
  return sum;
}
