/* SPDX-License-Identifier: Apache-2.0
 *
 * move.c - operations that move or add more than they compute: pooling, space to depth and back,
 * embedding, ReLU, copies and sums. They wait for memory, so plain C is as fast as anything. */
#include <string.h>

#include "compute/cpu/cpu.h"

enum { PIECE = 32768 }; /* floats of a copying task */

struct grid {
  const float *x;
  float *y;
  size_t height, width, channels, r;
};

/* One output row: (picture, output row). */
static void pool_task(void *user, size_t index, int worker) {
  const struct grid *g = user;
  (void)worker;
  size_t out_height = msk_ceiling(g->height, 2), out_width = msk_ceiling(g->width, 2),
         oy = index % out_height;
  const float *top = g->x + (index / out_height * g->height + 2 * oy) * g->width * g->channels;
  const float *bottom = 2 * oy + 1 < g->height ? top + g->width * g->channels : NULL;
  float *y = g->y + index * out_width * g->channels;
  for (size_t ox = 0; ox < out_width; ox++, y += g->channels) {
    size_t left = 2 * ox * g->channels, right = left + (2 * ox + 1 < g->width ? g->channels : 0);
    /* At an odd border the mean is of the cells that exist, not of zeros beside them. */
    bool wide = right != left;
    float share = 1.0f / (float)((wide ? 2 : 1) * (bottom != NULL ? 2 : 1));
    for (size_t c = 0; c < g->channels; c++) {
      float sum = top[left + c];
      if (wide) sum += top[right + c];
      if (bottom != NULL) sum += bottom[left + c];
      if (bottom != NULL && wide) sum += bottom[right + c];
      y[c] = sum * share;
    }
  }
}

void msk_cpu_average_pool(msk_stream *stream, msk_map x, msk_map y) {
  assert(y.batch == x.batch && y.height == msk_ceiling(x.height, 2) &&
         y.width == msk_ceiling(x.width, 2) && y.channels == x.channels);
  if (stream->measuring) return;
  struct grid grid = {
      .x = x.at, .y = y.at, .height = x.height, .width = x.width, .channels = x.channels};
  msk_pool_run(stream->pool, y.batch * y.height, pool_task, &grid);
  msk_meter_note(stream, "pool", 0);
}

/* One row of cells: (picture, cell row). A cell's row of pixels is r * channels floats that lie
 * together on both sides. */
static void to_depth_task(void *user, size_t index, int worker) {
  const struct grid *g = user;
  (void)worker;
  size_t run = g->r * g->channels, cells = g->width / g->r;
  for (size_t dy = 0; dy < g->r; dy++) {
    const float *x = g->x + (index * g->r + dy) * g->width * g->channels;
    float *y = g->y + (index * cells * g->r + dy) * run;
    for (size_t i = 0; i < cells; i++) memcpy(y + i * g->r * run, x + i * run, run * sizeof(float));
  }
}

static void to_space_task(void *user, size_t index, int worker) {
  const struct grid *g = user;
  (void)worker;
  size_t run = g->r * g->channels, cells = g->width / g->r;
  for (size_t dy = 0; dy < g->r; dy++) {
    const float *x = g->x + (index * cells * g->r + dy) * run;
    float *y = g->y + (index * g->r + dy) * g->width * g->channels;
    for (size_t i = 0; i < cells; i++) memcpy(y + i * run, x + i * g->r * run, run * sizeof(float));
  }
}

/* The grid of `space` cut into the cells of `depth`. */
static struct grid cut_grid(msk_map space, msk_map depth, const float *x, float *y) {
  size_t r = space.height / depth.height;
  assert(r * depth.height == space.height && r * depth.width == space.width &&
         depth.batch == space.batch && depth.channels == r * r * space.channels);
  return (struct grid){.x = x,
                       .y = y,
                       .height = space.height,
                       .width = space.width,
                       .channels = space.channels,
                       .r = r};
}

void msk_cpu_space_to_depth(msk_stream *stream, msk_map x, msk_map y) {
  struct grid grid = cut_grid(x, y, x.at, y.at);
  if (stream->measuring) return;
  msk_pool_run(stream->pool, y.batch * y.height, to_depth_task, &grid);
  msk_meter_note(stream, "pixels to channels", 0);
}

void msk_cpu_depth_to_space(msk_stream *stream, msk_map x, msk_map y) {
  struct grid grid = cut_grid(y, x, x.at, y.at);
  if (stream->measuring) return;
  msk_pool_run(stream->pool, x.batch * x.height, to_space_task, &grid);
  msk_meter_note(stream, "channels to pixels", 0);
}

void msk_cpu_pixels(msk_stream *stream, const uint8_t *bytes, msk_map y) {
  if (stream->measuring) return;
  size_t count = y.batch * y.height * y.width * y.channels;
  for (size_t i = 0; i < count; i++) y.at[i] = (float)bytes[i] / 255.0f;
  msk_meter_note(stream, "pixels to floats", 0);
}

void msk_cpu_embed(msk_stream *stream, const int32_t *ids, const int32_t *places, msk_rows words,
                   msk_rows positions, msk_rows y) {
  assert(words.columns == y.columns && positions.columns == y.columns);
  if (stream->measuring) return;
  for (size_t i = 0; i < y.rows; i++) {
    size_t id = ids[i] == MSK_MASK_TOKEN ? words.rows - 1 : (size_t)ids[i],
           place = places == NULL ? i % positions.rows : (size_t)places[i];
    assert(id < words.rows && place < positions.rows);
    const float *word = words.at + id * words.stride,
                *position = positions.at + place * positions.stride;
    float *row = y.at + i * y.stride;
    for (size_t d = 0; d < y.columns; d++) row[d] = word[d] + position[d];
  }
  msk_meter_note(stream, "embedding", 0);
}

void msk_cpu_scatter(msk_stream *stream, const int32_t *places, msk_rows x, msk_rows y) {
  assert(x.columns == y.columns);
  if (stream->measuring) return;
  for (size_t i = 0; i < x.rows; i++) {
    assert((size_t)places[i] < y.rows);
    memcpy(y.at + (size_t)places[i] * y.stride, x.at + i * x.stride, x.columns * sizeof(float));
  }
  msk_meter_note(stream, "scatter", 0);
}

struct piece {
  const float *x;
  float *y;
  size_t count;
};

static void copy_task(void *user, size_t index, int worker) {
  const struct piece *piece = user;
  (void)worker;
  size_t first = index * PIECE;
  memcpy(piece->y + first, piece->x + first,
         msk_smaller(PIECE, piece->count - first) * sizeof(float));
}

static void add_task(void *user, size_t index, int worker) {
  const struct piece *piece = user;
  (void)worker;
  size_t last = msk_smaller((index + 1) * PIECE, piece->count);
  for (size_t i = index * PIECE; i < last; i++) piece->y[i] += piece->x[i];
}

static void relu_task(void *user, size_t index, int worker) {
  const struct piece *piece = user;
  (void)worker;
  size_t last = msk_smaller((index + 1) * PIECE, piece->count);
  for (size_t i = index * PIECE; i < last; i++) piece->y[i] = piece->x[i] < 0 ? 0 : piece->x[i];
}

static void run_pieces(msk_stream *stream, const char *name, msk_rows x, msk_rows y,
                       msk_task *task) {
  assert(x.rows == y.rows && x.columns == y.columns);
  assert(x.rows <= 1 || (x.stride == x.columns && y.stride == y.columns));
  if (stream->measuring) return;
  struct piece piece = {.x = x.at, .y = y.at, .count = x.rows * x.columns};
  msk_pool_run(stream->pool, msk_ceiling(piece.count, PIECE), task, &piece);
  msk_meter_note(stream, name, 0);
}

void msk_cpu_relu(msk_stream *stream, msk_rows x, msk_rows y) {
  run_pieces(stream, "relu", x, y, relu_task);
}

void msk_cpu_copy(msk_stream *stream, msk_rows x, msk_rows y) {
  run_pieces(stream, "copy", x, y, copy_task);
}

void msk_cpu_add(msk_stream *stream, msk_rows x, msk_rows y) {
  run_pieces(stream, "add", x, y, add_task);
}

void msk_cpu_head_sum(msk_stream *stream, const float *score, size_t heads, float weight,
                      bool accumulate, msk_rows y) {
  if (stream->measuring) return;
  for (size_t b = 0; b < y.rows; b++) {
    for (size_t n = 0; n < y.columns; n++) {
      const float *first = score + b * heads * y.columns + n;
      float *to = y.at + b * y.stride + n, sum = 0;
      for (size_t h = 0; h < heads; h++) sum += first[h * y.columns];
      *to = (accumulate ? *to : 0.0f) + weight * sum;
    }
  }
  msk_meter_note(stream, "sum over heads", 0);
}
