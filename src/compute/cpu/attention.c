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
  msk_attention_job a;
  bool pairs;                      /* of bf16 */
  size_t key_depth, value_depth;   /* of floats, or of pairs */
  size_t key_floats, value_floats; /* packed, of one head */
  size_t rows, blocks, row_stride; /* rows of a task; tasks of a head; floats of a row of logits */
  size_t logit_floats, out_floats, out_stride, query_floats, worker_bytes;
  float *keys, *values; /* of all heads */
  char *scratch;
};

static size_t packed_floats(const msk_kernels *kernels, size_t depth, size_t columns) {
  return depth * msk_round_up(columns, kernels->lanes);
}

/* Sizes of the work, and its place in scratch memory. */
static void plan(struct job *job, const msk_stream *stream) {
  const msk_kernels *kernels = job->a.kernels;
  size_t heads = job->a.shape->batch * job->a.shape->heads;
  job->pairs = stream->device->bf16;
  job->key_depth = msk_contracted(stream->device, job->a.head_dim);
  job->value_depth = msk_contracted(stream->device, job->a.tokens);
  job->key_floats = msk_round_up(packed_floats(kernels, job->key_depth, job->a.tokens), 16);
  job->value_floats =
      job->a.out.at == NULL
          ? 0
          : msk_round_up(packed_floats(kernels, job->value_depth, job->a.head_dim), 16);
  job->rows = TILES_A_TASK * kernels->tile_rows;
  job->blocks = msk_ceiling(job->a.queries, job->rows);
  /* one line more than a power of two, which would put all rows into the same sets of the cache */
  job->row_stride = msk_round_up(job->a.tokens, kernels->panel) + 16;
  job->out_stride = msk_round_up(job->a.head_dim, kernels->panel) + 16;
  job->logit_floats = job->rows * job->row_stride;
  job->out_floats = job->rows * job->out_stride;
  job->query_floats = job->pairs ? job->rows * job->key_depth : 0;
  job->worker_bytes =
      msk_scratch_floats(job->logit_floats + job->row_stride + job->out_floats + job->query_floats);
  job->keys = (float *)msk_stream_scratch(stream);
  job->values = job->keys + heads * job->key_floats;
  job->scratch = (char *)(job->values + heads * job->value_floats);
}

/* Transposed: panel row d holds element d of each key, times the logits' scale. */
static void pack_keys(const struct job *job, const float *k, float *packed) {
  const msk_rows keys = {(float *)(uintptr_t)k, job->a.tokens, job->a.head_dim, job->a.k.stride};
  for (size_t first = 0, p = 0; first < job->a.tokens; first += job->a.kernels->panel, p++) {
    size_t width = msk_panel_width(job->a.kernels, job->a.tokens, p);
    msk_pack_across(job->a.kernels, job->pairs, &keys, 1, first, width, job->a.shape->scale,
                    packed + first * job->key_depth);
  }
}

static void pack_values(const struct job *job, const float *v, float *packed) {
  const msk_rows values = {(float *)(uintptr_t)v, job->a.tokens, job->a.head_dim, job->a.v.stride};
  for (size_t first = 0, p = 0; first < job->a.head_dim; first += job->a.kernels->panel, p++) {
    size_t width = msk_panel_width(job->a.kernels, job->a.head_dim, p);
    msk_pack_along(job->a.kernels, job->pairs, values, first, width,
                   packed + first * job->value_depth);
  }
}

static void pack_head(void *user, size_t index, int worker) {
  const struct job *job = user;
  (void)worker;
  size_t first = index / job->a.shape->heads * job->a.tokens,
         column = index % job->a.shape->heads * job->a.head_dim;
  pack_keys(job, job->a.k.at + first * job->a.k.stride + column,
            job->keys + index * job->key_floats);
  if (job->a.out.at != NULL)
    pack_values(job, job->a.v.at + first * job->a.v.stride + column,
                job->values + index * job->value_floats);
}

/* logits[i][j] = scale * q_i . k_j; -inf behind the row in a causal pass. */
static void compute_logits(const struct job *job, size_t head, size_t row, size_t rows,
                           float *narrowed, float *logits) {
  const msk_kernels *kernels = job->a.kernels;
  const float *q = job->a.q.at +
                   (head / job->a.shape->heads * job->a.queries + row) * job->a.q.stride +
                   head % job->a.shape->heads * job->a.head_dim;
  msk_panel_kernel *multiply = job->pairs ? kernels->pairs_panel : kernels->gemm_panel;
  const float *keys = job->keys + head * job->key_floats;
  size_t stride = job->a.q.stride;
  if (job->pairs) {
    stride = job->key_depth;
    msk_narrow_rows(kernels,
                    (msk_rows){(float *)(uintptr_t)q, rows, job->a.head_dim, job->a.q.stride},
                    narrowed, stride);
    q = narrowed;
  }
  for (size_t first = 0, p = 0; first < job->a.tokens; first += kernels->panel, p++) {
    size_t width = msk_panel_width(kernels, job->a.tokens, p);
    const float *panel = keys + first * job->key_depth;
    multiply(rows, width, job->key_depth, q, stride, panel, logits + first, job->row_stride, false,
             panel + width * job->key_depth);
  }
  for (size_t i = 0; job->a.shape->causal && i < rows; i++) {
    for (size_t j = row + i + 1; j < job->a.tokens; j++)
      logits[i * job->row_stride + j] = -INFINITY;
  }
}

static void weigh_values(const struct job *job, size_t head, size_t row, size_t rows,
                         const float *e, const float *sums, float *out) {
  const msk_kernels *kernels = job->a.kernels;
  const float *values = job->values + head * job->value_floats;
  msk_panel_kernel *multiply = job->pairs ? kernels->pairs_panel : kernels->gemm_panel;
  for (size_t first = 0, p = 0; first < job->a.head_dim; first += kernels->panel, p++) {
    size_t width = msk_panel_width(kernels, job->a.head_dim, p);
    size_t depth = job->value_depth, block = depth <= LONGEST_BLOCK ? depth : kernels->block;
    for (size_t k = 0; k < depth; k += block) {
      const float *panel = values + first * depth + k * width;
      multiply(rows, width, msk_smaller(block, depth - k), e + k, job->row_stride, panel,
               out + first, job->out_stride, k > 0, panel + block * width);
    }
  }
  float *y = job->a.out.at +
             (head / job->a.shape->heads * job->a.queries + row) * job->a.out.stride +
             head % job->a.shape->heads * job->a.head_dim;
  for (size_t i = 0; i < rows; i++)
    kernels->scale_row(job->a.head_dim, out + i * job->out_stride, 1.0f / sums[i],
                       y + i * job->a.out.stride);
}

static void run_task(void *user, size_t index, int worker) {
  const struct job *job = user;
  size_t head = index / job->blocks, row = index % job->blocks * job->rows,
         rows = msk_smaller(job->rows, job->a.queries - row);
  float *logits = (float *)(job->scratch + (size_t)worker * job->worker_bytes),
        *row_weights = logits + job->logit_floats, *out = row_weights + job->row_stride,
        *narrowed = out + job->out_floats;
  bool reads = msk_reads_out(&job->a);
  float sums[256];
  assert(job->rows <= sizeof sums / sizeof *sums);
  compute_logits(job, head, row, rows, narrowed, logits);
  for (size_t i = 0; i < rows; i++) {
    /* The weights replace their logits, at once or, where the read-outs want both, after them. */
    float maximum, *s = logits + i * job->row_stride, *weights = reads ? row_weights : s;
    sums[i] = job->a.kernels->softmax_row(job->a.tokens, s, weights, &maximum);
    if (reads) msk_read_out_row(&job->a, head, row + i, s, weights, maximum, sums[i]);
    if (job->pairs) {
      job->a.kernels->narrow_pairs(job->a.tokens, weights, s);
    } else if (reads) {
      memcpy(s, weights, job->a.tokens * sizeof(float));
    }
  }
  if (job->a.out.at != NULL) weigh_values(job, head, row, rows, logits, sums, out);
}

static void run_floats(msk_stream *stream, const msk_attention_job *attention) {
  struct job job = {.a = *attention};
  size_t heads = attention->shape->batch * attention->shape->heads;
  plan(&job, stream);
  size_t packed = msk_scratch_floats(heads * (job.key_floats + job.value_floats));
  /* a stream that measures runs no kernel: the places are not there yet */
  if (msk_stream_measure(stream, packed + job.worker_bytes * msk_stream_workers(stream))) return;
  msk_pool_run(stream->pool, heads, pack_head, &job);
  msk_pool_run(stream->pool, heads * job.blocks, run_task, &job);
}

void msk_cpu_attention(msk_stream *stream, const msk_attention_shape *shape, msk_rows q, msk_rows k,
                       msk_rows v, const msk_read_out *reads, msk_rows out) {
  static const msk_read_out nothing = {0};
  assert(shape->heads > 0 && q.columns % shape->heads == 0 && k.columns == q.columns);
  if (q.rows == 0) return;
  assert(shape->batch > 0 && q.rows % shape->batch == 0 && k.rows % shape->batch == 0);
  assert(out.at == NULL || (v.at != NULL && v.rows == k.rows && out.rows == q.rows &&
                            v.columns == q.columns && out.columns == q.columns));
  const msk_attention_job attention = {.kernels = &stream->device->kernels,
                                       .shape = shape,
                                       .reads = reads == NULL ? &nothing : reads,
                                       .q = q,
                                       .k = k,
                                       .v = v,
                                       .out = out,
                                       .queries = q.rows / shape->batch,
                                       .tokens = k.rows / shape->batch,
                                       .head_dim = q.columns / shape->heads};
  assert(attention.reads->score == NULL || (attention.reads->target != NULL &&
                                            attention.reads->log_target != NULL && !shape->causal));
  assert(attention.queries == attention.tokens ||
         (!shape->causal && (attention.reads->score == NULL || attention.reads->places != NULL)));
  if (msk_attention_int8_pays(&attention)) {
    msk_attention_int8_run(stream, &attention);
  } else {
    run_floats(stream, &attention);
  }
  if (!stream->measuring)
    msk_meter_note(stream, msk_meter_attention(attention.reads),
                   msk_attention_flop(q, attention.tokens, out));
}
