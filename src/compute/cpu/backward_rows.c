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
  const float *x, *dy, *gamma;
  float *y, *dx;
  size_t rows, dim, stride;
  float epsilon;
  const size_t *index;
  float *partial; /* [chunks][2 * dim] */
};

static void gelu_task(void *user, size_t index, int worker) {
  const struct rows_job *job = user;
  size_t last = msk_smaller((index + 1) * ROWS_A_TASK, job->rows);
  (void)worker;
  for (size_t i = index * ROWS_A_TASK; i < last; i++) {
    size_t at = i * job->stride;
    if (job->dx == NULL) {
      job->kernels->finish_row(job->dim, job->x + at, NULL, NULL, MSK_ACT_GELU_TANH, job->y + at);
    } else {
      job->kernels->gelu_backward_row(job->dim, job->x + at, job->dy + at, job->y + at,
                                      job->dx + at);
    }
  }
}

void msk_op_gelu_backward(msk_stream *stream, const float *x, const float *dy, size_t rows,
                          size_t dim, size_t stride, float *y, float *dx) {
  if (stream->measuring) return;
  struct rows_job job = {.kernels = &stream->device->kernels,
                         .x = x,
                         .dy = dy,
                         .y = y,
                         .dx = dx,
                         .rows = rows,
                         .dim = dim,
                         .stride = stride == 0 ? dim : stride};
  msk_pool_run(stream->pool, msk_ceiling(rows, ROWS_A_TASK), gelu_task, &job);
}

void msk_op_gelu(msk_stream *stream, const float *x, size_t rows, size_t dim, size_t stride,
                 float *y) {
  msk_op_gelu_backward(stream, x, NULL, rows, dim, stride, y, NULL);
}

/* ---- layer norm ---- */

static void norm_task(void *user, size_t index, int worker) {
  const struct rows_job *job = user;
  size_t last = msk_smaller((index + 1) * CHUNK_ROWS, job->rows);
  float *dgamma = job->partial + index * 2 * job->dim, *dbeta = dgamma + job->dim;
  (void)worker;
  memset(dgamma, 0, 2 * job->dim * sizeof *dgamma);
  for (size_t i = index * CHUNK_ROWS; i < last; i++) {
    size_t at = i * job->dim;
    job->kernels->layer_norm_backward_row(job->dim, job->x + at, job->gamma, job->epsilon,
                                          job->dy + at, job->dx + at, dgamma, dbeta);
  }
}

void msk_op_layer_norm_backward(msk_stream *stream, const float *x, const float *gamma,
                                float epsilon, const float *dy, size_t rows, size_t dim, float *dx,
                                float *dgamma, float *dbeta) {
  size_t chunks = msk_ceiling(rows, CHUNK_ROWS);
  if (msk_stream_measure(stream, msk_scratch_floats(chunks * 2 * dim))) return;
  struct rows_job job = {.kernels = &stream->device->kernels,
                         .x = x,
                         .dy = dy,
                         .gamma = gamma,
                         .dx = dx,
                         .rows = rows,
                         .dim = dim,
                         .epsilon = epsilon,
                         .partial = stream->scratch};
  msk_pool_run(stream->pool, chunks, norm_task, &job);
  for (size_t j = 0; j < dim; j++) {
    double gamma_sum = 0, beta_sum = 0;
    for (size_t i = 0; i < chunks; i++) {
      gamma_sum += job.partial[i * 2 * dim + j];
      beta_sum += job.partial[i * 2 * dim + dim + j];
    }
    dgamma[j] += (float)gamma_sum;
    dbeta[j] += (float)beta_sum;
  }
}

/* ---- column sums ---- */

static void sums_task(void *user, size_t index, int worker) {
  const struct rows_job *job = user;
  size_t first = index * CHUNK_ROWS;
  (void)worker;
  job->kernels->channel_sums(msk_smaller(CHUNK_ROWS, job->rows - first), job->dim,
                             job->x + first * job->dim, job->partial + index * job->dim);
}

void msk_op_column_sums(msk_stream *stream, const float *x, size_t rows, size_t dim, float *sums) {
  size_t chunks = msk_ceiling(rows, CHUNK_ROWS);
  if (msk_stream_measure(stream, msk_scratch_floats(chunks * dim))) return;
  struct rows_job job = {.kernels = &stream->device->kernels,
                         .x = x,
                         .rows = rows,
                         .dim = dim,
                         .partial = stream->scratch};
  msk_pool_run(stream->pool, chunks, sums_task, &job);
  for (size_t j = 0; j < dim; j++) {
    double sum = 0;
    for (size_t i = 0; i < chunks; i++) sum += job.partial[i * dim + j];
    sums[j] += (float)sum;
  }
}

/* ---- rows that are chosen ---- */

static void gather_task(void *user, size_t index, int worker) {
  const struct rows_job *job = user;
  size_t last = msk_smaller((index + 1) * ROWS_A_TASK, job->rows);
  (void)worker;
  for (size_t i = index * ROWS_A_TASK; i < last; i++)
    memcpy(job->y + i * job->dim, job->x + job->index[i] * job->dim, job->dim * sizeof(float));
}

static void zero_task(void *user, size_t index, int worker) {
  const struct rows_job *job = user;
  (void)worker;
  memset(job->y + index * job->dim, 0,
         msk_smaller(job->dim, job->rows - index * job->dim) * sizeof(float));
}

void msk_op_zero(msk_stream *stream, size_t count, float *y) {
  if (stream->measuring) return;
  struct rows_job job = {.y = y, .rows = count, .dim = PIECE};
  msk_pool_run(stream->pool, msk_ceiling(count, PIECE), zero_task, &job);
}

static void scatter_task(void *user, size_t index, int worker) {
  const struct rows_job *job = user;
  size_t last = msk_smaller((index + 1) * ROWS_A_TASK, job->rows);
  (void)worker;
  for (size_t i = index * ROWS_A_TASK; i < last; i++)
    memcpy(job->y + job->index[i] * job->dim, job->x + i * job->dim, job->dim * sizeof(float));
}

static void choose_rows(msk_stream *stream, msk_task *task, const float *x, const size_t *index,
                        size_t rows, size_t dim, float *y) {
  if (stream->measuring) return;
  struct rows_job job = {.x = x, .y = y, .index = index, .rows = rows, .dim = dim};
  msk_pool_run(stream->pool, msk_ceiling(rows, ROWS_A_TASK), task, &job);
}

void msk_op_gather_rows(msk_stream *stream, const float *x, const size_t *index, size_t rows,
                        size_t dim, float *y) {
  choose_rows(stream, gather_task, x, index, rows, dim, y);
}

void msk_op_scatter_rows(msk_stream *stream, const float *x, const size_t *index, size_t rows,
                         size_t dim, float *y) {
  choose_rows(stream, scatter_task, x, index, rows, dim, y);
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

void msk_op_embed_backward(msk_stream *stream, const int32_t *ids, const float *dy,
                           size_t vocabulary, size_t batch, size_t tokens, size_t dim,
                           float *dwords, float *dpositions) {
  if (stream->measuring) return;
  struct embed_job job = {.ids = ids,
                          .dy = dy,
                          .vocabulary = vocabulary,
                          .rows = batch * tokens,
                          .tokens = tokens,
                          .dim = dim,
                          .dwords = dwords,
                          .dpositions = dpositions};
  msk_pool_run(stream->pool, msk_ceiling(dim, SLICE), embed_task, &job);
}

/* ---- cross-entropy ---- */

struct entropy_job {
  const msk_kernels *kernels;
  float *logits, *losses, smoothing, weight;
  const int32_t *targets;
  size_t rows, columns;
};

static void entropy_task(void *user, size_t index, int worker) {
  const struct entropy_job *job = user;
  size_t last = msk_smaller((index + 1) * ROWS_A_TASK, job->rows);
  (void)worker;
  for (size_t i = index * ROWS_A_TASK; i < last; i++) {
    float *row = job->logits + i * job->columns;
    assert(job->targets[i] >= 0 && (size_t)job->targets[i] < job->columns);
    job->losses[i] = job->kernels->cross_entropy_row(job->columns, row, (size_t)job->targets[i],
                                                     job->smoothing, job->weight, row);
  }
}

void msk_op_cross_entropy(msk_stream *stream, float *logits, const int32_t *targets, size_t rows,
                          size_t columns, float smoothing, float weight, float *losses) {
  if (stream->measuring) return;
  struct entropy_job job = {.kernels = &stream->device->kernels,
                            .logits = logits,
                            .losses = losses,
                            .smoothing = smoothing,
                            .weight = weight,
                            .targets = targets,
                            .rows = rows,
                            .columns = columns};
  msk_pool_run(stream->pool, msk_ceiling(rows, ROWS_A_TASK), entropy_task, &job);
}
