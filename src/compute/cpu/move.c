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

void msk_op_average_pool(msk_stream *stream, const float *x, size_t batch, size_t height,
                         size_t width, size_t channels, float *y) {
  if (stream->measuring) return;
  struct grid grid = {.x = x, .y = y, .height = height, .width = width, .channels = channels};
  msk_pool_run(stream->pool, batch * msk_ceiling(height, 2), pool_task, &grid);
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

void msk_op_space_to_depth(msk_stream *stream, const float *x, size_t batch, size_t height,
                           size_t width, size_t channels, size_t r, float *y) {
  assert(r > 0 && height % r == 0 && width % r == 0);
  if (stream->measuring) return;
  struct grid grid = {
      .x = x, .y = y, .height = height, .width = width, .channels = channels, .r = r};
  msk_pool_run(stream->pool, batch * (height / r), to_depth_task, &grid);
}

void msk_op_depth_to_space(msk_stream *stream, const float *x, size_t batch, size_t height,
                           size_t width, size_t channels, size_t r, float *y) {
  assert(r > 0 && height % r == 0 && width % r == 0);
  if (stream->measuring) return;
  struct grid grid = {
      .x = x, .y = y, .height = height, .width = width, .channels = channels, .r = r};
  msk_pool_run(stream->pool, batch * (height / r), to_space_task, &grid);
}

void msk_op_embed(msk_stream *stream, const int32_t *ids, const float *words,
                  const float *positions, size_t vocabulary, size_t batch, size_t tokens,
                  size_t dim, float *y) {
  if (stream->measuring) return;
  for (size_t i = 0; i < batch * tokens; i++) {
    size_t id = ids[i] == MSK_MASK_TOKEN ? vocabulary - 1 : (size_t)ids[i];
    assert(id < vocabulary);
    const float *word = words + id * dim, *position = positions + i % tokens * dim;
    for (size_t d = 0; d < dim; d++) y[i * dim + d] = word[d] + position[d];
  }
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

void msk_op_relu(msk_stream *stream, const float *x, size_t count, float *y) {
  if (stream->measuring) return;
  struct piece piece = {.x = x, .y = y, .count = count};
  msk_pool_run(stream->pool, msk_ceiling(count, PIECE), relu_task, &piece);
}

void msk_op_copy(msk_stream *stream, const float *x, size_t count, float *y) {
  if (stream->measuring) return;
  struct piece piece = {.x = x, .y = y, .count = count};
  msk_pool_run(stream->pool, msk_ceiling(count, PIECE), copy_task, &piece);
}

void msk_op_add(msk_stream *stream, const float *x, size_t count, float *y) {
  if (stream->measuring) return;
  struct piece piece = {.x = x, .y = y, .count = count};
  msk_pool_run(stream->pool, msk_ceiling(count, PIECE), add_task, &piece);
}

void msk_op_head_sum(msk_stream *stream, const float *score, size_t batch, size_t heads,
                     size_t tokens, float weight, bool accumulate, float *y) {
  if (stream->measuring) return;
  for (size_t i = 0; i < batch * tokens; i++) {
    const float *first = score + i / tokens * heads * tokens + i % tokens;
    float sum = 0;
    for (size_t h = 0; h < heads; h++) sum += first[h * tokens];
    y[i] = (accumulate ? y[i] : 0.0f) + weight * sum;
  }
}
