/* SPDX-License-Identifier: Apache-2.0
 *
 * backward_attention.c - attention turned round, and the distances of attention rows with their
 * gradients. Attention is computed again rather than kept: N x N of all heads would be more to
 * read than to compute. A task is a head (of a sequence, or of a pair of sequences); it walks
 * blocks of query rows, so that what is N x N stays in the second cache, and sums the gradients of
 * keys and values over the blocks in order. */
#include <math.h>
#include <string.h>

#include "compute/backward.h"
#include "compute/cpu/cpu.h"

enum { TILES_A_BLOCK = 11, PAD = 16 };

/* A head's sizes, and of its packed and summed parts in floats. */
struct shape {
  const msk_kernels *kernels;
  bool pairs; /* of bf16 */
  size_t tokens, heads, head_dim, stride;
  float scale;
  size_t block, row_stride, out_stride; /* query rows of a block; floats of their rows */
  size_t across, along, logits, outputs,
      block_out,   /* packed d x N, N x d; block x N; N x d; block x d */
      pair_floats; /* a block's queries or logits as pairs */
};

static struct shape make_shape(const msk_stream *stream, const msk_attention_shape *shape,
                               msk_rows q, bool pairs) {
  const msk_kernels *kernels = &stream->device->kernels;
  assert(shape->batch > 0 && q.rows % shape->batch == 0 && q.columns % shape->heads == 0);
  size_t tokens = q.rows / shape->batch, head_dim = q.columns / shape->heads;
  struct shape s = {.kernels = kernels,
                    .pairs = pairs,
                    .tokens = tokens,
                    .heads = shape->heads,
                    .head_dim = head_dim,
                    .stride = q.stride,
                    .scale = shape->scale};
  s.block = msk_smaller(TILES_A_BLOCK * kernels->tile_rows, tokens);
  s.row_stride = msk_round_up(tokens, kernels->panel) + PAD;
  s.out_stride = msk_round_up(head_dim, kernels->panel) + PAD;
  s.across = msk_round_up(head_dim * msk_round_up(tokens, kernels->lanes), PAD);
  s.along = msk_round_up(tokens * msk_round_up(head_dim, kernels->lanes), PAD);
  s.logits = msk_round_up(s.block * s.row_stride, PAD);
  s.outputs = msk_round_up(tokens * s.out_stride, PAD);
  s.block_out = msk_round_up(s.block * s.out_stride, PAD);
  s.pair_floats = msk_round_up(s.block * (s.row_stride > head_dim ? s.row_stride : head_dim), PAD);
  return s;
}

static size_t panel_width(const struct shape *s, size_t columns, size_t first) {
  return columns - first <= s->kernels->lanes ? s->kernels->lanes : s->kernels->panel;
}

/* Floats, or pairs of bf16, of so many numbers. */
static size_t contracted(const struct shape *s, size_t count) {
  return s->pairs ? msk_ceiling(count, 2) : count;
}

/* `rows` rows of a head. */
static msk_rows head_rows(const struct shape *s, const float *at, size_t stride, size_t rows) {
  return (msk_rows){(float *)(uintptr_t)at, rows, s->head_dim, stride};
}

/* All rows of x (tokens x head_dim) as columns, times factor. */
static void pack_across(const struct shape *s, const float *x, float factor, float *packed) {
  const msk_rows all = head_rows(s, x, s->stride, s->tokens);
  for (size_t first = 0; first < s->tokens; first += s->kernels->panel)
    msk_pack_across(s->kernels, s->pairs, &all, 1, first, panel_width(s, s->tokens, first), factor,
                    packed + first * contracted(s, s->head_dim));
}

/* `rows` rows of x as they are. */
static void pack_along(const struct shape *s, const float *x, size_t stride, size_t rows,
                       float *packed) {
  for (size_t first = 0; first < s->head_dim; first += s->kernels->panel)
    msk_pack_along(s->kernels, s->pairs, head_rows(s, x, stride, rows), first,
                   panel_width(s, s->head_dim, first), packed + first * contracted(s, rows));
}

static msk_panel_kernel *panel_kernel(const struct shape *s) {
  return s->pairs ? s->kernels->pairs_panel : s->kernels->gemm_panel;
}

/* to[rows, N] = x[rows, d] times what was packed across. pairs: room for x as such. */
static void times_across(const struct shape *s, const float *x, size_t stride, size_t rows,
                         const float *packed, float *pairs, float *to) {
  size_t depth = contracted(s, s->head_dim);
  if (s->pairs) {
    msk_narrow_rows(s->kernels, head_rows(s, x, stride, rows), pairs, depth);
    x = pairs, stride = depth;
  }
  for (size_t first = 0; first < s->tokens; first += s->kernels->panel) {
    const float *panel = packed + first * depth;
    size_t width = panel_width(s, s->tokens, first);
    panel_kernel(s)(rows, width, depth, x, stride, panel, to + first, s->row_stride, false,
                    panel + width * depth);
  }
}

/* to[rows, d] = x[rows, N] times what was packed along. x may become pairs, in place. */
static void times_along(const struct shape *s, float *x, size_t rows, const float *packed,
                        float *to) {
  size_t depth = contracted(s, s->tokens);
  if (s->pairs)
    msk_narrow_rows(s->kernels, (msk_rows){x, rows, s->tokens, s->row_stride}, x, s->row_stride);
  for (size_t first = 0; first < s->head_dim; first += s->kernels->panel) {
    const float *panel = packed + first * depth;
    size_t width = panel_width(s, s->head_dim, first);
    panel_kernel(s)(rows, width, depth, x, s->row_stride, panel, to + first, s->out_stride, false,
                    panel + width * depth);
  }
}

/* to[N, d] (+)= x[rows, N]' times `rows` rows packed along. pairs: room for x as such. */
static void transposed_times(const struct shape *s, const float *x, size_t rows,
                             const float *packed, float *pairs, float *to, bool add) {
  size_t depth = contracted(s, rows);
  msk_columns_kernel *multiply = s->pairs ? s->kernels->pairs_columns : s->kernels->gemm_columns;
  if (s->pairs) {
    msk_join_rows(s->kernels, (msk_rows){(float *)(uintptr_t)x, rows, s->tokens, s->row_stride},
                  pairs, s->row_stride);
    x = pairs;
  }
  for (size_t first = 0; first < s->head_dim; first += s->kernels->panel)
    multiply(s->tokens, panel_width(s, s->head_dim, first), depth, x, s->row_stride,
             packed + first * depth, to + first, s->out_stride, add);
}

static void put_rows(const struct shape *s, const float *from, size_t rows, float *to,
                     size_t stride, bool add) {
  for (size_t i = 0; i < rows; i++) {
    const float *row = from + i * s->out_stride;
    for (size_t j = 0; j < s->head_dim; j++)
      to[i * stride + j] = add ? to[i * stride + j] + row[j] : row[j];
  }
}

/* ---- attention ---- */

struct backward_args {
  const float *q, *k, *v, *dout;
  size_t gradient_stride, out_stride;
  float *dq, *dk, *dv;
};

struct backward_job {
  const struct backward_args *args;
  struct shape shape;
  size_t worker_floats;
  float *scratch;
};

/* A worker's memory. */
struct room {
  float *keys_across, *values_across, *keys_along, *queries, *out_gradients, *dk, *dv, *logits,
      *slopes, *dq, *pairs;
};

static size_t lay_room(const struct shape *s, float *base, struct room *room) {
  size_t used = 0;
  float **parts[] = {&room->keys_across, &room->values_across, &room->keys_along,
                     &room->queries,     &room->out_gradients, &room->dk,
                     &room->dv,          &room->logits,        &room->slopes,
                     &room->dq,          &room->pairs};
  const size_t floats[] = {s->across,
                           s->across,
                           s->along,
                           s->along,
                           s->along,
                           s->outputs,
                           s->outputs,
                           s->logits,
                           s->logits,
                           s->block_out,
                           s->pairs ? s->pair_floats : 0};
  for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) {
    *parts[i] = base == NULL ? NULL : base + used;
    used += floats[i];
  }
  return used;
}

/* Query rows [row, row + rows) of a head whose first row lies `at` floats behind the first. */
static void backward_block(const struct backward_job *job, const struct room *room, size_t at,
                           size_t gradient_at, const float *dout, size_t row, size_t rows) {
  const struct backward_args *args = job->args;
  const struct shape *s = &job->shape;
  size_t out_stride = args->out_stride;
  const float *q = args->q + at + row * s->stride;
  dout += row * out_stride;
  times_across(s, q, s->stride, rows, room->keys_across, room->pairs, room->logits);
  times_across(s, dout, out_stride, rows, room->values_across, room->pairs, room->slopes);
  for (size_t i = 0; i < rows; i++) {
    float maximum, *e = room->logits + i * s->row_stride, *slope = room->slopes + i * s->row_stride;
    float sum = s->kernels->softmax_row(s->tokens, e, e, &maximum);
    s->kernels->softmax_backward_row(s->tokens, e, 1.0f / sum, slope, s->scale, slope);
  }
  pack_along(s, q, s->stride, rows, room->queries);
  pack_along(s, dout, out_stride, rows, room->out_gradients);
  transposed_times(s, room->logits, rows, room->out_gradients, room->pairs, room->dv, row > 0);
  transposed_times(s, room->slopes, rows, room->queries, room->pairs, room->dk, row > 0);
  times_along(s, room->slopes, rows, room->keys_along, room->dq);
  put_rows(s, room->dq, rows, args->dq + gradient_at + row * args->gradient_stride,
           args->gradient_stride, false);
}

static void backward_task(void *user, size_t index, int worker) {
  const struct backward_job *job = user;
  const struct backward_args *args = job->args;
  const struct shape *s = &job->shape;
  struct room room;
  lay_room(s, job->scratch + (size_t)worker * job->worker_floats, &room);
  size_t first = index / s->heads * s->tokens, column = index % s->heads * s->head_dim,
         at = first * s->stride + column, gradient_at = first * args->gradient_stride + column;
  const float *dout = args->dout + first * args->out_stride + column;
  pack_across(s, args->k + at, s->scale, room.keys_across);
  pack_across(s, args->v + at, 1.0f, room.values_across);
  pack_along(s, args->k + at, s->stride, s->tokens, room.keys_along);
  for (size_t row = 0; row < s->tokens; row += s->block)
    backward_block(job, &room, at, gradient_at, dout, row, msk_smaller(s->block, s->tokens - row));
  put_rows(s, room.dk, s->tokens, args->dk + gradient_at, args->gradient_stride, false);
  put_rows(s, room.dv, s->tokens, args->dv + gradient_at, args->gradient_stride, false);
}

void msk_op_attention_backward(msk_stream *stream, const msk_attention_shape *shape, msk_rows q,
                               msk_rows k, msk_rows v, msk_rows dout, msk_rows dq, msk_rows dk,
                               msk_rows dv) {
  const struct backward_args args = {.q = q.at,
                                     .k = k.at,
                                     .v = v.at,
                                     .dout = dout.at,
                                     .gradient_stride = dq.stride,
                                     .out_stride = dout.stride,
                                     .dq = dq.at,
                                     .dk = dk.at,
                                     .dv = dv.at};
  assert(!shape->causal && k.stride == q.stride && v.stride == q.stride);
  assert(dk.stride == dq.stride && dv.stride == dq.stride);
  struct backward_job job = {.args = &args,
                             .shape = make_shape(stream, shape, q, stream->device->bf16)};
  job.worker_floats = lay_room(&job.shape, NULL, &(struct room){0});
  if (msk_stream_measure(stream,
                         msk_scratch_floats(job.worker_floats * msk_stream_workers(stream))))
    return;
  job.scratch = stream->scratch;
  msk_pool_run(stream->pool, shape->batch * shape->heads, backward_task, &job);
  /* What is computed again is no work of the plain algorithm. */
  msk_meter_note(stream, "attention, backward",
                 8.0 * (double)q.rows * (double)job.shape.tokens * (double)q.columns);
}

/* ---- distances ---- */

struct distance_args {
  const float *q, *k, *weight;
  size_t pairs, gradient_stride;
  msk_distance distance;
  float *values, *dq, *dk; /* the first, or the others */
};

struct distance_job {
  const struct distance_args *args;
  struct shape shape;
  size_t worker_floats;
  float *scratch;
};

/* Of one of the two sequences. */
struct side {
  float *keys_across, *keys_along, *queries, *dk, *logits, *shares, *dq;
};

static size_t lay_sides(const struct shape *s, float *base, struct side sides[2]) {
  const size_t floats[] = {s->across, s->along,  s->along,    s->outputs,
                           s->logits, s->logits, s->block_out};
  size_t used = 0;
  for (size_t i = 0; i < 2; i++) {
    float **parts[] = {&sides[i].keys_across, &sides[i].keys_along, &sides[i].queries, &sides[i].dk,
                       &sides[i].logits,      &sides[i].shares,     &sides[i].dq};
    for (size_t j = 0; j < sizeof floats / sizeof *floats; j++) {
      *parts[j] = base == NULL ? NULL : base + used;
      used += floats[j];
    }
  }
  return used;
}

/* shares = softmax(logits), logits become its logarithm. */
static void log_softmax(const struct shape *s, float *logits, float *shares) {
  float maximum, sum = s->kernels->softmax_row(s->tokens, logits, shares, &maximum);
  float log_sum = logf(sum);
  s->kernels->scale_row(s->tokens, shares, 1.0f / sum, shares);
  for (size_t j = 0; j < s->tokens; j++) logits[j] = (logits[j] - maximum) - log_sum;
}

/* Where a pair's side begins: side 1 lies behind all of side 0. */
static size_t side_at(const struct distance_job *job, size_t index, size_t side, size_t stride) {
  const struct shape *s = &job->shape;
  return (side * job->args->pairs + index / s->heads) * s->tokens * stride +
         index % s->heads * s->head_dim;
}

static void distance_block(const struct distance_job *job, struct side sides[2], size_t index,
                           size_t row, size_t rows) {
  const struct distance_args *args = job->args;
  const struct shape *s = &job->shape;
  bool turns = args->dq != NULL;
  for (size_t i = 0; i < 2; i++) {
    const float *q = args->q + side_at(job, index, i, s->stride) + row * s->stride;
    times_across(s, q, s->stride, rows, sides[i].keys_across, NULL, sides[i].logits);
    for (size_t r = 0; r < rows; r++)
      log_softmax(s, sides[i].logits + r * s->row_stride, sides[i].shares + r * s->row_stride);
    if (turns) pack_along(s, q, s->stride, rows, sides[i].queries);
  }
  for (size_t r = 0; r < rows; r++) {
    float *a = sides[0].logits + r * s->row_stride, *b = sides[1].logits + r * s->row_stride;
    float weight = turns ? s->scale * args->weight[index / s->heads * s->tokens + row + r] : 0.0f;
    float value = s->kernels->distance_row(
        args->distance, s->tokens, sides[0].shares + r * s->row_stride,
        sides[1].shares + r * s->row_stride, a, b, weight, turns ? a : NULL, turns ? b : NULL);
    if (!turns) args->values[index * s->tokens + row + r] = value;
  }
  for (size_t i = 0; turns && i < 2; i++) {
    size_t to = side_at(job, index, i, args->gradient_stride) + row * args->gradient_stride;
    transposed_times(s, sides[i].logits, rows, sides[i].queries, NULL, sides[i].dk, row > 0);
    times_along(s, sides[i].logits, rows, sides[i].keys_along, sides[i].dq);
    put_rows(s, sides[i].dq, rows, args->dq + to, args->gradient_stride, true);
  }
}

static void distance_task(void *user, size_t index, int worker) {
  const struct distance_job *job = user;
  const struct distance_args *args = job->args;
  const struct shape *s = &job->shape;
  struct side sides[2];
  lay_sides(s, job->scratch + (size_t)worker * job->worker_floats, sides);
  for (size_t i = 0; i < 2; i++) {
    const float *k = args->k + side_at(job, index, i, s->stride);
    pack_across(s, k, s->scale, sides[i].keys_across);
    if (args->dq != NULL) pack_along(s, k, s->stride, s->tokens, sides[i].keys_along);
  }
  for (size_t row = 0; row < s->tokens; row += s->block)
    distance_block(job, sides, index, row, msk_smaller(s->block, s->tokens - row));
  /* Every block of queries has added to the keys' gradients: only now they are whole. */
  for (size_t i = 0; args->dq != NULL && i < 2; i++)
    put_rows(s, sides[i].dk, s->tokens, args->dk + side_at(job, index, i, args->gradient_stride),
             args->gradient_stride, true);
}

static void run_distance(msk_stream *stream, const msk_attention_shape *shape, msk_rows q,
                         const struct distance_args *args) {
  struct distance_job job = {.args = args, .shape = make_shape(stream, shape, q, false)};
  job.worker_floats = lay_sides(&job.shape, NULL, (struct side[2]){{0}});
  assert(args->distance != MSK_DISTANCE_JENSEN_SHANNON && shape->batch % 2 == 0);
  if (msk_stream_measure(stream,
                         msk_scratch_floats(job.worker_floats * msk_stream_workers(stream))))
    return;
  job.scratch = stream->scratch;
  msk_pool_run(stream->pool, args->pairs * shape->heads, distance_task, &job);
  double pairs = (double)q.rows * (double)job.shape.tokens * (double)q.columns;
  msk_meter_note(stream, "attention distance", (args->dq == NULL ? 2.0 : 4.0) * pairs);
}

void msk_op_attention_distance(msk_stream *stream, const msk_attention_shape *shape,
                               msk_distance distance, msk_rows q, msk_rows k, float *values) {
  assert(k.stride == q.stride);
  run_distance(
      stream, shape, q,
      &(struct distance_args){
          .q = q.at, .k = k.at, .pairs = shape->batch / 2, .distance = distance, .values = values});
}

void msk_op_attention_distance_backward(msk_stream *stream, const msk_attention_shape *shape,
                                        msk_distance distance, msk_rows q, msk_rows k,
                                        const float *weights, msk_rows dq, msk_rows dk) {
  assert(k.stride == q.stride && dk.stride == dq.stride);
  run_distance(stream, shape, q,
               &(struct distance_args){.q = q.at,
                                       .k = k.at,
                                       .weight = weights,
                                       .pairs = shape->batch / 2,
                                       .gradient_stride = dq.stride,
                                       .distance = distance,
                                       .dq = dq.at,
                                       .dk = dk.at});
}
