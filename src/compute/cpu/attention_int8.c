/* SPDX-License-Identifier: Apache-2.0
 *
 * attention_int8.c - attention whose two products are of 8-bit numbers, sums exact in int32. A
 * query is quantised as a layer's row is; keys and a head's columns of values as a layer's columns
 * are; a row's weights, from 0 to 1, to steps of 1 / 255. Between the products stands the softmax
 * of attention.c, in float32, and what is read out is read there. */
#include "base/int8.h"
#include "compute/cpu/cpu.h"

/* TILES_A_TASK: few, so that all that a task touches lies in the nearest cache. PAD: bytes, so
 * that rows do not fall into the same sets of it. */
enum { TILES_A_TASK = 2, MOST_ROWS = 64, PAD = 64 };

struct job {
  msk_attention_job a;
  size_t rows, blocks; /* rows of a task; tasks of a head */
  size_t head_bytes;   /* of packed keys and values */
  size_t query_stride, weight_stride, sum_stride, row_floats;
  size_t worker_bytes;
  char *heads, *scratch;
};

/* A worker's memory. */
struct room {
  float *logits, *weights; /* of a row; before, keys on their way into a panel */
  int32_t *sums;           /* of products, [rows, sum_stride] */
  uint8_t *queries, *weight_codes;
};

bool msk_attention_int8_pays(const msk_attention_job *attention) {
  return attention->shape->precision == MSK_PRECISION_INT8 && !attention->shape->causal &&
         attention->kernels->int8_rate >= 4 && attention->tokens <= MSK_INT8_DEEPEST &&
         attention->head_dim <= MSK_INT8_DEEPEST;
}

/* ---- the plan ---- */

static size_t line(size_t bytes) { return msk_round_up(bytes, MSK_ALIGNMENT); }

/* Places a matrix at `at`; returns the bytes that it takes. */
static size_t place_matrix(const msk_kernels *kernels, char *at, size_t depth, size_t columns,
                           msk_quantised_matrix *matrix) {
  size_t wide = msk_round_up(columns, kernels->lanes), panels = line(msk_round_up(depth, 4) * wide),
         floats = msk_scratch_floats(wide);
  *matrix = (msk_quantised_matrix){depth, columns, (int8_t *)at, (int32_t *)(at + panels),
                                   (float *)(at + panels + floats)};
  return panels + 2 * floats;
}

/* Returns the bytes of a head. */
static size_t place_head(const struct job *job, size_t head, msk_quantised_matrix *keys,
                         msk_quantised_matrix *values) {
  const msk_attention_job *a = &job->a;
  char *at = job->heads + head * job->head_bytes;
  size_t bytes = place_matrix(a->kernels, at, a->head_dim, a->tokens, keys);
  if (a->out.at == NULL) return bytes;
  return bytes + place_matrix(a->kernels, at + bytes, a->tokens, a->head_dim, values);
}

static void plan(struct job *job, const msk_stream *stream) {
  const msk_attention_job *a = &job->a;
  const msk_kernels *kernels = a->kernels;
  msk_quantised_matrix keys, values;
  job->rows = TILES_A_TASK * kernels->tile_rows;
  job->blocks = msk_ceiling(a->queries, job->rows);
  job->query_stride = msk_round_up(a->head_dim, PAD);
  job->weight_stride = msk_round_up(a->tokens, PAD) + PAD;
  job->sum_stride =
      msk_round_up(a->tokens > a->head_dim ? a->tokens : a->head_dim, kernels->panel) + 16;
  job->row_floats = job->sum_stride > a->head_dim * kernels->panel ? job->sum_stride
                                                                   : a->head_dim * kernels->panel;
  job->worker_bytes = 2 * msk_scratch_floats(job->row_floats) +
                      msk_scratch_floats(job->rows * job->sum_stride) +
                      job->rows * (job->query_stride + job->weight_stride);
  job->heads = msk_stream_scratch(stream);
  job->head_bytes = place_head(job, 0, &keys, &values);
  job->scratch = job->heads + a->shape->batch * a->shape->heads * job->head_bytes;
}

static struct room find_room(const struct job *job, int worker) {
  char *at = job->scratch + (size_t)worker * job->worker_bytes;
  struct room room = {.logits = (float *)at};
  room.weights = (float *)(at += msk_scratch_floats(job->row_floats));
  room.sums = (int32_t *)(at += msk_scratch_floats(job->row_floats));
  room.queries = (uint8_t *)(at += msk_scratch_floats(job->rows * job->sum_stride));
  room.weight_codes = room.queries + job->rows * job->query_stride;
  return room;
}

/* ---- packing ---- */

static void pack_keys(const msk_attention_job *a, msk_rows k, float *columns,
                      const msk_quantised_matrix *keys) {
  const msk_kernels *kernels = a->kernels;
  size_t depth = msk_round_up(keys->depth, 4);
  for (size_t first = 0, p = 0; first < k.rows; first += kernels->panel, p++) {
    size_t width = msk_panel_width(kernels, k.rows, p);
    msk_pack_across(kernels, false, &k, 1, first, width, a->shape->scale, columns);
    kernels->quantise_panel(k.columns, msk_smaller(width, k.rows - first), width, columns, width,
                            (float)kernels->weight_limit, keys->panels + first * depth,
                            keys->sums + first, keys->scales + first);
  }
}

static void pack_values(const msk_kernels *kernels, msk_rows v,
                        const msk_quantised_matrix *values) {
  size_t depth = msk_round_up(values->depth, 4);
  for (size_t first = 0, p = 0; first < v.columns; first += kernels->panel, p++) {
    size_t width = msk_panel_width(kernels, v.columns, p);
    kernels->quantise_panel(v.rows, msk_smaller(width, v.columns - first), width, v.at + first,
                            v.stride, (float)kernels->weight_limit, values->panels + first * depth,
                            values->sums + first, values->scales + first);
  }
}

static void pack_head(void *user, size_t head, int worker) {
  const struct job *job = user;
  const msk_attention_job *a = &job->a;
  msk_quantised_matrix keys, values;
  place_head(job, head, &keys, &values);
  size_t first = head / a->shape->heads * a->tokens, column = head % a->shape->heads * a->head_dim;
  pack_keys(a, msk_rows_part(msk_rows_columns(a->k, column, a->head_dim), first, a->tokens),
            find_room(job, worker).logits, &keys);
  if (a->out.at != NULL)
    pack_values(a->kernels,
                msk_rows_part(msk_rows_columns(a->v, column, a->head_dim), first, a->tokens),
                &values);
}

/* ---- a task ---- */

/* sums[i][j] = row i of the codes times column j of the matrix. */
static void multiply(const struct job *job, size_t rows, const uint8_t *codes, size_t stride,
                     const msk_quantised_matrix *matrix, int32_t *sums) {
  const msk_kernels *kernels = job->a.kernels;
  size_t depth = msk_round_up(matrix->depth, 4);
  for (size_t first = 0, p = 0; first < matrix->columns; first += kernels->panel, p++) {
    size_t width = msk_panel_width(kernels, matrix->columns, p);
    const int8_t *panel = matrix->panels + first * depth;
    kernels->int8_panel(rows, width, depth, codes, stride, panel, sums + first, job->sum_stride,
                        false, panel + width * depth);
  }
}

/* Four are multiplied at once: the last group is filled up, with what meets weights of 0. */
static void fill_group(uint8_t *codes, size_t count) {
  for (size_t i = count; i % 4 != 0; i++) codes[i] = 0;
}

/* Row i's logits become weights, as codes; how they were quantised, over their sum. */
static msk_quantised weigh(const struct job *job, const struct room *room, size_t head, size_t row,
                           size_t i, msk_quantised query, const msk_quantised_matrix *keys) {
  const msk_attention_job *a = &job->a;
  float maximum;
  a->kernels->finish_int8_row(a->tokens, room->sums + i * job->sum_stride, query, keys->sums,
                              keys->scales, NULL, NULL, MSK_ACT_NONE, room->logits);
  uint8_t *codes = room->weight_codes + i * job->weight_stride;
  float *weights = msk_reads_out(a) ? room->weights : NULL,
        sum = a->kernels->softmax_int8_row(a->tokens, room->logits, weights, codes, &maximum);
  if (weights != NULL) msk_read_out_row(a, head, row + i, room->logits, weights, maximum, sum);
  fill_group(codes, a->tokens);
  return (msk_quantised){(1 / 255.0f) / sum, -a->kernels->activation_offset};
}

/* The queries of the task that most likely follows: a head's columns are short pieces of long
 * rows, which no processor fetches by itself. */
static void fetch_next(const struct job *job, const float *q) {
  for (size_t i = 0; i < job->rows; i++, q += job->a.q.stride) {
    for (size_t x = 0; x < job->a.head_dim; x += MSK_ALIGNMENT / sizeof(float))
      __builtin_prefetch(q + x);
  }
}

static void run_task(void *user, size_t index, int worker) {
  const struct job *job = user;
  const msk_attention_job *a = &job->a;
  size_t head = index / job->blocks, row = index % job->blocks * job->rows,
         rows = msk_smaller(job->rows, a->queries - row),
         first = head / a->shape->heads * a->queries + row,
         column = head % a->shape->heads * a->head_dim;
  const struct room room = find_room(job, worker);
  msk_quantised_matrix keys, values;
  msk_quantised quantised[MOST_ROWS];
  assert(job->rows <= MOST_ROWS);
  place_head(job, head, &keys, &values);
  const float *q = a->q.at + first * a->q.stride + column;
  for (size_t i = 0; i < rows; i++, q += a->q.stride) {
    uint8_t *codes = room.queries + i * job->query_stride;
    a->kernels->quantise_row(a->head_dim, q, codes, &quantised[i]);
    fill_group(codes, a->head_dim);
  }
  fetch_next(job, q);
  multiply(job, rows, room.queries, job->query_stride, &keys, room.sums);
  for (size_t i = 0; i < rows; i++)
    quantised[i] = weigh(job, &room, head, row, i, quantised[i], &keys);
  if (a->out.at != NULL) {
    multiply(job, rows, room.weight_codes, job->weight_stride, &values, room.sums);
    for (size_t i = 0; i < rows; i++)
      a->kernels->finish_int8_row(a->head_dim, room.sums + i * job->sum_stride, quantised[i],
                                  values.sums, values.scales, NULL, NULL, MSK_ACT_NONE,
                                  a->out.at + (first + i) * a->out.stride + column);
  }
  if (a->kernels->end_products != NULL) a->kernels->end_products();
}

void msk_attention_int8_run(msk_stream *stream, const msk_attention_job *attention) {
  struct job job = {.a = *attention};
  size_t heads = attention->shape->batch * attention->shape->heads;
  plan(&job, stream);
  if (msk_stream_measure(stream,
                         heads * job.head_bytes + job.worker_bytes * msk_stream_workers(stream)))
    return;
  msk_pool_run(stream->pool, heads, pack_head, &job);
  msk_pool_run(stream->pool, heads * job.blocks, run_task, &job);
}
