/* SPDX-License-Identifier: Apache-2.0
 *
 * backward_rows.c - operations of training that go row by row: GELU, layer norm, embedding,
 * cross-entropy, and choosing rows. Sums over rows run over chunks of a fixed size, which are
 * added in order. */
#include <string.h>

#include "compute/backward.h"
#include "compute/cpu/cpu.h"

enum { ROWS_A_TASK = 16, CHUNK_ROWS = 128, SLICE = 16, PIECE = 32768 };

struct rows_job {
  const msk_kernels *kernels;
  msk_rows x, dy, y, dx;
  const msk_norm *norm;
  const size_t *index;
  float *partial; /* [chunks][2 * dim] */
};

static void gelu_task(void *user, size_t index, int worker) {
  const struct rows_job *job = user;
  size_t last = msk_smaller((index + 1) * ROWS_A_TASK, job->x.rows), dim = job->x.columns;
  (void)worker;
  for (size_t i = index * ROWS_A_TASK; i < last; i++) {
    const float *x = job->x.at + i * job->x.stride;
    float *y = job->y.at + i * job->y.stride;
    if (job->dx.at == NULL) {
      job->kernels->finish_row(dim, x, NULL, NULL, MSK_ACT_GELU_TANH, y);
    } else {
      /* y too: the forward pass keeps x alone, and the tanh is there anyway. */
      job->kernels->gelu_backward_row(dim, x, job->dy.at + i * job->dy.stride, y,
                                      job->dx.at + i * job->dx.stride);
    }
  }
}

void msk_op_gelu_backward(msk_stream *stream, msk_rows x, msk_rows dy, msk_rows y, msk_rows dx) {
  if (stream->measuring) return;
  struct rows_job job = {.kernels = &stream->device->kernels, .x = x, .dy = dy, .y = y, .dx = dx};
  msk_pool_run(stream->pool, msk_ceiling(x.rows, ROWS_A_TASK), gelu_task, &job);
  msk_meter_note(stream, "gelu", 0);
}

void msk_op_gelu(msk_stream *stream, msk_rows x, msk_rows y) {
  msk_op_gelu_backward(stream, x, MSK_NO_ROWS, y, MSK_NO_ROWS);
}

/* ---- layer norm ---- */

static void norm_task(void *user, size_t index, int worker) {
  const struct rows_job *job = user;
  size_t last = msk_smaller((index + 1) * CHUNK_ROWS, job->x.rows), dim = job->x.columns;
  float *dgamma = job->partial + index * 2 * dim, *dbeta = dgamma + dim;
  (void)worker;
  memset(dgamma, 0, 2 * dim * sizeof *dgamma);
  for (size_t i = index * CHUNK_ROWS; i < last; i++) {
    size_t at = i * dim;
    job->kernels->layer_norm_backward_row(dim, job->x.at + at, job->norm->gamma, job->norm->epsilon,
                                          job->dy.at + at, job->dx.at + at, dgamma, dbeta);
  }
}

/* sums[j] += the sum over the chunks of partial[chunk][j]. */
static void add_chunks(const float *partial, size_t chunks, size_t stride, size_t count,
                       float *sums) {
  for (size_t j = 0; j < count; j++) {
    double sum = 0;
    for (size_t i = 0; i < chunks; i++) sum += partial[i * stride + j];
    sums[j] += (float)sum;
  }
}

void msk_op_layer_norm_backward(msk_stream *stream, msk_rows x, const msk_norm *norm, msk_rows dy,
                                float *dgamma, float *dbeta, msk_rows dx) {
  size_t chunks = msk_ceiling(x.rows, CHUNK_ROWS), dim = x.columns;
  if (msk_stream_measure(stream, msk_scratch_floats(chunks * 2 * dim))) return;
  struct rows_job job = {.kernels = &stream->device->kernels,
                         .x = x,
                         .dy = dy,
                         .dx = dx,
                         .norm = norm,
                         .partial = stream->scratch};
  msk_pool_run(stream->pool, chunks, norm_task, &job);
  add_chunks(job.partial, chunks, 2 * dim, dim, dgamma);
  add_chunks(job.partial + dim, chunks, 2 * dim, dim, dbeta);
  msk_meter_note(stream, "layer norm, backward", 0);
}

/* ---- column sums ---- */

static void sums_task(void *user, size_t index, int worker) {
  const struct rows_job *job = user;
  size_t first = index * CHUNK_ROWS, dim = job->x.columns;
  (void)worker;
  job->kernels->channel_sums(msk_smaller(CHUNK_ROWS, job->x.rows - first), dim,
                             job->x.at + first * dim, job->partial + index * dim);
}

void msk_op_column_sums(msk_stream *stream, msk_rows x, float *sums) {
  size_t chunks = msk_ceiling(x.rows, CHUNK_ROWS);
  if (msk_stream_measure(stream, msk_scratch_floats(chunks * x.columns))) return;
  struct rows_job job = {.kernels = &stream->device->kernels, .x = x, .partial = stream->scratch};
  msk_pool_run(stream->pool, chunks, sums_task, &job);
  add_chunks(job.partial, chunks, x.columns, x.columns, sums);
  msk_meter_note(stream, "column sums", 0);
}

/* ---- rows that are chosen ---- */

/* Row i of x to row `to` of y. */
static void copy_row(const struct rows_job *job, size_t from, size_t to) {
  memcpy(job->y.at + to * job->y.columns, job->x.at + from * job->x.columns,
         job->x.columns * sizeof(float));
}

static void gather_task(void *user, size_t index, int worker) {
  const struct rows_job *job = user;
  size_t last = msk_smaller((index + 1) * ROWS_A_TASK, job->y.rows);
  (void)worker;
  for (size_t i = index * ROWS_A_TASK; i < last; i++) copy_row(job, job->index[i], i);
}

static void scatter_task(void *user, size_t index, int worker) {
  const struct rows_job *job = user;
  size_t last = msk_smaller((index + 1) * ROWS_A_TASK, job->x.rows);
  (void)worker;
  for (size_t i = index * ROWS_A_TASK; i < last; i++) copy_row(job, i, job->index[i]);
}

static void zero_task(void *user, size_t index, int worker) {
  const struct rows_job *job = user;
  size_t count = job->y.rows * job->y.columns, first = index * PIECE;
  (void)worker;
  memset(job->y.at + first, 0, msk_smaller(PIECE, count - first) * sizeof(float));
}

void msk_op_zero(msk_stream *stream, msk_rows y) {
  if (stream->measuring) return;
  struct rows_job job = {.y = y};
  msk_pool_run(stream->pool, msk_ceiling(y.rows * y.columns, PIECE), zero_task, &job);
  msk_meter_note(stream, "zero", 0);
}

static void choose_rows(msk_stream *stream, msk_task *task, size_t rows, msk_rows x,
                        const size_t *index, msk_rows y) {
  if (stream->measuring) return;
  struct rows_job job = {.x = x, .y = y, .index = index};
  msk_pool_run(stream->pool, msk_ceiling(rows, ROWS_A_TASK), task, &job);
  msk_meter_note(stream, "chosen rows", 0);
}

void msk_op_gather_rows(msk_stream *stream, msk_rows x, const size_t *index, msk_rows y) {
  choose_rows(stream, gather_task, y.rows, x, index, y);
}

void msk_op_scatter_rows(msk_stream *stream, msk_rows x, const size_t *index, msk_rows y) {
  choose_rows(stream, scatter_task, x.rows, x, index, y);
}

/* ---- embedding ---- */

struct embed_job {
  const int32_t *ids;
  const float *dy;
  size_t vocabulary, rows, tokens, dim;
  float *dwords, *dpositions;
};

/* A slice of the columns of all rows, in order: many rows add to the same word. */
static void embed_task(void *user, size_t index, int worker) {
  const struct embed_job *job = user;
  size_t first = index * SLICE, last = msk_smaller(first + SLICE, job->dim);
  (void)worker;
  for (size_t i = 0; i < job->rows; i++) {
    /* the mask token is -1, for which the authors' code reads the last row */
    size_t id = job->ids[i] == MSK_MASK_TOKEN ? job->vocabulary - 1 : (size_t)job->ids[i];
    assert(id < job->vocabulary);
    const float *dy = job->dy + i * job->dim;
    float *word = job->dwords + id * job->dim,
          *position = job->dpositions + i % job->tokens * job->dim;
    for (size_t d = first; d < last; d++) {
      word[d] += dy[d];
      position[d] += dy[d];
    }
  }
}

void msk_op_embed_backward(msk_stream *stream, const int32_t *ids, msk_rows dy, msk_rows dwords,
                           msk_rows dpositions) {
  if (stream->measuring) return;
  struct embed_job job = {.ids = ids,
                          .dy = dy.at,
                          .vocabulary = dwords.rows,
                          .rows = dy.rows,
                          .tokens = dpositions.rows,
                          .dim = dy.columns,
                          .dwords = dwords.at,
                          .dpositions = dpositions.at};
  msk_pool_run(stream->pool, msk_ceiling(dy.columns, SLICE), embed_task, &job);
  msk_meter_note(stream, "embedding, backward", 0);
}

/* ---- cross-entropy ---- */

struct entropy_job {
  const msk_kernels *kernels;
  msk_rows logits;
  float *losses, smoothing, weight;
  const int32_t *targets;
};

static void entropy_task(void *user, size_t index, int worker) {
  const struct entropy_job *job = user;
  size_t last = msk_smaller((index + 1) * ROWS_A_TASK, job->logits.rows);
  (void)worker;
  for (size_t i = index * ROWS_A_TASK; i < last; i++) {
    float *row = job->logits.at + i * job->logits.stride;
    assert(job->targets[i] >= 0 && (size_t)job->targets[i] < job->logits.columns);
    job->losses[i] = job->kernels->cross_entropy_row(
        job->logits.columns, row, (size_t)job->targets[i], job->smoothing, job->weight, row);
  }
}

void msk_op_cross_entropy(msk_stream *stream, const int32_t *targets, float smoothing, float weight,
                          float *losses, msk_rows logits) {
  if (stream->measuring) return;
  struct entropy_job job = {.kernels = &stream->device->kernels,
                            .logits = logits,
                            .losses = losses,
                            .smoothing = smoothing,
                            .weight = weight,
                            .targets = targets};
  msk_pool_run(stream->pool, msk_ceiling(logits.rows, ROWS_A_TASK), entropy_task, &job);
  msk_meter_note(stream, "cross-entropy", 0);
}
