/* SPDX-License-Identifier: Apache-2.0
 *
 * attention.c - softmax attention with the structure score. First every (picture, head) packs
 * its keys and values into panels; then a task is a block of query rows of one head: logits,
 * softmax, score, maps and weighted values of those rows, so that N x N is never stored unless
 * the caller gives room for maps. With all keys of a row at hand, no online rescaling is needed
 * (unlike FlashAttention, whose tiling this is). */
#include <math.h>
#include <string.h>

#include "compute/cpu/cpu.h"

/* keys summed in one chain: 257 need no second, short one */
enum { TILES_A_TASK = 11, LONGEST_BLOCK = 384 };

struct job {
  const msk_attention_args *args;
  const msk_kernels *kernels;
  size_t key_floats, value_floats; /* packed, of one head */
  size_t rows, blocks, row_stride; /* rows of a task; tasks of a head; floats of a row of logits */
  size_t logit_floats, out_floats, out_stride, worker_bytes;
  float *keys, *values; /* of all heads */
  char *scratch;
};

static size_t packed_floats(const msk_kernels *kernels, size_t depth, size_t columns) {
  return depth * msk_round_up(columns, kernels->lanes);
}

static struct job plan(const msk_stream *stream, const msk_attention_args *args) {
  const msk_kernels *kernels = &stream->device->kernels;
  struct job job = {.args = args, .kernels = kernels};
  size_t heads = args->batch * args->heads;
  job.key_floats = msk_round_up(packed_floats(kernels, args->head_dim, args->tokens), 16);
  job.value_floats = args->out == NULL && !stream->measuring
                         ? 0
                         : msk_round_up(packed_floats(kernels, args->tokens, args->head_dim), 16);
  job.rows = TILES_A_TASK * kernels->tile_rows;
  job.blocks = msk_ceiling(args->tokens, job.rows);
  job.row_stride = msk_round_up(args->tokens, kernels->panel) + 16;
  job.out_stride = msk_round_up(args->head_dim, kernels->panel) + 16;
  job.logit_floats = job.rows * job.row_stride;
  job.out_floats = job.rows * job.out_stride;
  job.worker_bytes = msk_scratch_floats(job.logit_floats + job.row_stride + job.out_floats);
  job.keys = stream->scratch;
  job.values = job.keys == NULL ? NULL : job.keys + heads * job.key_floats;
  job.scratch = job.keys == NULL ? NULL : (char *)(job.values + heads * job.value_floats);
  return job;
}

/* Transposed: panel row d holds element d of each key, times the logits' scale. */
static void pack_keys(const struct job *job, const float *k, float *packed) {
  const msk_attention_args *args = job->args;
  for (size_t first = 0, p = 0; first < args->tokens; first += job->kernels->panel, p++) {
    size_t width = msk_panel_width(job->kernels, args->tokens, p);
    job->kernels->transpose_rows(msk_smaller(width, args->tokens - first), width, args->head_dim,
                                 k + first * args->stride, args->stride, args->scale,
                                 packed + first * args->head_dim);
  }
}

static void pack_values(const struct job *job, const float *v, float *packed) {
  const msk_attention_args *args = job->args;
  for (size_t first = 0, p = 0; first < args->head_dim; first += job->kernels->panel, p++) {
    size_t width = msk_panel_width(job->kernels, args->head_dim, p),
           run = msk_smaller(width, args->head_dim - first);
    float *panel = packed + first * args->tokens;
    for (size_t n = 0; n < args->tokens; n++, panel += width) {
      const float *value = v + n * args->stride + first;
      for (size_t j = 0; j < run; j++) panel[j] = value[j];
      for (size_t j = run; j < width; j++) panel[j] = 0.0f;
    }
  }
}

static void pack_head(void *user, size_t index, int worker) {
  const struct job *job = user;
  const msk_attention_args *args = job->args;
  (void)worker;
  size_t offset =
      index / args->heads * args->tokens * args->stride + index % args->heads * args->head_dim;
  pack_keys(job, args->k + offset, job->keys + index * job->key_floats);
  if (args->out != NULL)
    pack_values(job, args->v + offset, job->values + index * job->value_floats);
}

/* logits[i][j] = scale * q_i . k_j; -inf behind the row in a causal pass. */
static void compute_logits(const struct job *job, size_t head, size_t row, size_t rows,
                           float *logits) {
  const msk_attention_args *args = job->args;
  const msk_kernels *kernels = job->kernels;
  const float *q = args->q + (head / args->heads * args->tokens + row) * args->stride +
                   head % args->heads * args->head_dim;
  const float *keys = job->keys + head * job->key_floats;
  for (size_t first = 0, p = 0; first < args->tokens; first += kernels->panel, p++) {
    size_t width = msk_panel_width(kernels, args->tokens, p);
    const float *panel = keys + first * args->head_dim;
    kernels->gemm_panel(rows, width, args->head_dim, q, args->stride, panel, logits + first,
                        job->row_stride, false, panel + width * args->head_dim);
  }
  for (size_t i = 0; args->causal && i < rows; i++) {
    for (size_t j = row + i + 1; j < args->tokens; j++) logits[i * job->row_stride + j] = -INFINITY;
  }
}

/* The read-outs of one row: e = exp(s - maximum), sum over e. `at` is (head * tokens + row). */
static void read_out(const struct job *job, size_t head, size_t row, const float *s, const float *e,
                     float maximum, float sum) {
  const msk_attention_args *args = job->args;
  size_t tokens = args->tokens, at = head * tokens + row;
  if (args->maps != NULL) job->kernels->scale_row(tokens, e, 1.0f / sum, args->maps + at * tokens);
  if (args->log_maps != NULL) {
    float log_sum = logf(sum);
    for (size_t j = 0; j < tokens; j++)
      args->log_maps[at * tokens + j] = (s[j] - maximum) - log_sum;
  }
  if (args->score != NULL) {
    size_t target = (head % args->heads * tokens + row) * tokens;
    args->score[at] = job->kernels->score_row(args->distance, tokens, s, e, maximum, sum,
                                              args->target + target, args->log_target + target);
  }
}

static void weigh_values(const struct job *job, size_t head, size_t row, size_t rows,
                         const float *e, const float *sums, float *out) {
  const msk_attention_args *args = job->args;
  const msk_kernels *kernels = job->kernels;
  const float *values = job->values + head * job->value_floats;
  for (size_t first = 0, p = 0; first < args->head_dim; first += kernels->panel, p++) {
    size_t width = msk_panel_width(kernels, args->head_dim, p);
    size_t block = args->tokens <= LONGEST_BLOCK ? args->tokens : kernels->block;
    for (size_t k = 0; k < args->tokens; k += block) {
      const float *panel = values + first * args->tokens + k * width;
      kernels->gemm_panel(rows, width, msk_smaller(block, args->tokens - k), e + k, job->row_stride,
                          panel, out + first, job->out_stride, k > 0, panel + block * width);
    }
  }
  size_t stride = args->out_stride == 0 ? args->heads * args->head_dim : args->out_stride;
  float *y = args->out + (head / args->heads * args->tokens + row) * stride +
             head % args->heads * args->head_dim;
  for (size_t i = 0; i < rows; i++)
    kernels->scale_row(args->head_dim, out + i * job->out_stride, 1.0f / sums[i], y + i * stride);
}

static void run_task(void *user, size_t index, int worker) {
  const struct job *job = user;
  const msk_attention_args *args = job->args;
  size_t head = index / job->blocks, row = index % job->blocks * job->rows,
         rows = msk_smaller(job->rows, args->tokens - row);
  float *logits = (float *)(job->scratch + (size_t)worker * job->worker_bytes),
        *row_weights = logits + job->logit_floats, *out = row_weights + job->row_stride;
  bool reads = args->score != NULL || args->maps != NULL || args->log_maps != NULL;
  float sums[256];
  assert(job->rows <= sizeof sums / sizeof *sums);
  compute_logits(job, head, row, rows, logits);
  for (size_t i = 0; i < rows; i++) {
    /* The weights replace their logits, at once or, where the read-outs want both, after them. */
    float maximum, *s = logits + i * job->row_stride, *weights = reads ? row_weights : s;
    sums[i] = job->kernels->softmax_row(args->tokens, s, weights, &maximum);
    if (!reads) continue;
    read_out(job, head, row + i, s, weights, maximum, sums[i]);
    memcpy(s, weights, args->tokens * sizeof(float));
  }
  if (args->out != NULL) weigh_values(job, head, row, rows, logits, sums, out);
}

void msk_op_attention(msk_stream *stream, const msk_attention_args *args) {
  if (args->batch * args->tokens * args->heads == 0) return;
  struct job job = plan(stream, args);
  size_t heads = args->batch * args->heads;
  size_t packed = msk_scratch_floats(heads * (job.key_floats + job.value_floats));
  if (msk_stream_measure(stream, packed + job.worker_bytes * msk_stream_workers(stream))) return;
  assert(args->score == NULL ||
         (args->target != NULL && args->log_target != NULL && !args->causal));
  assert(args->out == NULL || args->v != NULL);
  msk_pool_run(stream->pool, heads, pack_head, &job);
  msk_pool_run(stream->pool, heads * job.blocks, run_task, &job);
}
