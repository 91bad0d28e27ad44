/* SPDX-License-Identifier: Apache-2.0
 *
 * gpu_rows.c - embedding, layer norm and attention on a device of OpenCL (kernels/rows.cl).
 * Attention packs keys and values into panels; then it takes as many heads at once as MOST_FLOATS
 * logits are for, and each is a product, softmax with its read-outs, and a product. */
#include <assert.h>

#include "compute/meter.h"
#include "compute/opencl/gpu.h"
#include "compute/stream.h"

enum { CAUSAL = 1, MAPS = 2, LOG_MAPS = 4, SCORE = 8, PLACED = 16 }; /* of kernels/rows.cl */
enum { MOST_FLOATS = 16 << 20 };

void msk_gpu_embed(msk_stream *stream, const int32_t *ids, const int32_t *places, msk_rows words,
                   msk_rows positions, msk_rows y) {
  assert(words.columns == y.columns && positions.columns == y.columns);
  if (y.rows == 0 || msk_stream_measure(stream, msk_scratch_floats(2 * y.rows))) return;
  int32_t *scratch = stream->scratch;
  msk_gpu_write(stream->workspace, ids, y.rows * sizeof *ids, (float *)scratch);
  if (places != NULL)
    msk_gpu_write(stream->workspace, places, y.rows * sizeof *places, (float *)scratch + y.rows);
  msk_launch launch = msk_launch_begin(stream->workspace, MSK_EMBED);
  msk_launch_at(&launch, (float *)scratch);
  msk_launch_int(&launch, places != NULL);
  msk_launch_at(&launch, words.at);
  msk_launch_uint(&launch, words.stride);
  msk_launch_uint(&launch, words.rows);
  msk_launch_at(&launch, positions.at);
  msk_launch_uint(&launch, positions.stride);
  msk_launch_uint(&launch, positions.rows);
  msk_launch_at(&launch, y.at);
  msk_launch_uint(&launch, y.stride);
  msk_launch_run(&launch, (const size_t[]){y.columns, y.rows, 1}, NULL);
  msk_gpu_note(stream, "embedding", 0);
}

void msk_gpu_scatter(msk_stream *stream, const int32_t *places, msk_rows x, msk_rows y) {
  assert(x.columns == y.columns);
  if (x.rows == 0 || msk_stream_measure(stream, msk_scratch_floats(x.rows))) return;
  msk_gpu_write(stream->workspace, places, x.rows * sizeof *places, stream->scratch);
  msk_launch launch = msk_launch_begin(stream->workspace, MSK_SCATTER);
  msk_launch_at(&launch, stream->scratch);
  msk_launch_at(&launch, x.at);
  msk_launch_uint(&launch, x.stride);
  msk_launch_at(&launch, y.at);
  msk_launch_uint(&launch, y.stride);
  msk_launch_run(&launch, (const size_t[]){x.columns, x.rows, 1}, NULL);
  msk_gpu_note(stream, "scatter", 0);
}

void msk_gpu_layer_norm(msk_stream *stream, msk_rows x, const msk_norm *norm, msk_rows y) {
  assert(y.rows == x.rows && y.columns == x.columns);
  if (stream->measuring || x.rows == 0) return;
  size_t group = stream->workspace->gpu->group;
  msk_launch launch = msk_launch_begin(stream->workspace, MSK_LAYER_NORM);
  msk_launch_at(&launch, x.at);
  msk_launch_uint(&launch, x.stride);
  msk_launch_at(&launch, norm->gamma);
  msk_launch_at(&launch, norm->beta);
  msk_launch_float(&launch, norm->epsilon);
  msk_launch_at(&launch, y.at);
  msk_launch_uint(&launch, y.stride);
  msk_launch_uint(&launch, x.columns);
  msk_launch_run(&launch, (const size_t[]){group * x.rows, 1, 1}, (const size_t[]){group, 1, 1});
  msk_gpu_note(stream, "layer norm", 0);
}

void msk_gpu_head_sum(msk_stream *stream, const float *score, size_t heads, float weight,
                      bool accumulate, msk_rows y) {
  if (stream->measuring || y.rows == 0) return;
  msk_launch launch = msk_launch_begin(stream->workspace, MSK_HEAD_SUM);
  msk_launch_at(&launch, score);
  msk_launch_uint(&launch, heads);
  msk_launch_float(&launch, weight);
  msk_launch_int(&launch, accumulate);
  msk_launch_at(&launch, y.at);
  msk_launch_uint(&launch, y.stride);
  msk_launch_run(&launch, (const size_t[]){y.columns, y.rows, 1}, NULL);
  msk_gpu_note(stream, "sum over heads", 0);
}

/* ---- attention ---- */

struct attention {
  msk_workspace *workspace;
  const msk_attention_shape *shape;
  const msk_read_out *reads;
  msk_rows q, k, v, out;
  size_t queries, tokens, head_dim;                            /* of a sequence; tokens: keys */
  size_t key_floats, value_floats, logit_floats, logit_stride; /* of one head */
  size_t together; /* heads whose logits are there at once; whole pictures, if more than one's */
  float *keys, *values, *logits, *places;
};

/* Sizes, and the places in scratch memory; its bytes. */
static size_t plan(struct attention *a, char *scratch) {
  size_t heads = a->shape->batch * a->shape->heads;
  a->key_floats = a->head_dim * msk_round_up(a->tokens, MSK_PANEL);
  a->value_floats = a->out.at == NULL ? 0 : a->tokens * msk_round_up(a->head_dim, MSK_PANEL);
  a->logit_stride = msk_round_up(a->tokens, MSK_PANEL);
  a->logit_floats = a->queries * a->logit_stride;
  /* of one picture at a time, or of some: a product's heads are `inner` and pictures `outer` */
  size_t pictures = MOST_FLOATS / (a->logit_floats * a->shape->heads);
  a->together = pictures < 1 ? 1 : msk_smaller(pictures, a->shape->batch) * a->shape->heads;
  size_t keys = msk_scratch_floats(heads * a->key_floats),
         values = msk_scratch_floats(heads * a->value_floats),
         logits = msk_scratch_floats(a->together * a->logit_floats);
  a->keys = (float *)scratch;
  a->values = (float *)(scratch + keys);
  a->logits = (float *)(scratch + keys + values);
  a->places = (float *)(scratch + keys + values + logits);
  return keys + values + logits + msk_scratch_floats(a->queries);
}

/* Keys are packed transposed, times the logits' scale. */
static void pack_heads(const struct attention *a, msk_rows x, bool keys) {
  size_t depth = keys ? a->head_dim : a->tokens, columns = keys ? a->tokens : a->head_dim;
  msk_launch launch = msk_launch_begin(a->workspace, MSK_PACK_PANELS);
  msk_launch_at(&launch, x.at);
  msk_launch_uint(&launch, x.stride);
  msk_launch_ulong(&launch, a->tokens * x.stride);
  msk_launch_ulong(&launch, a->head_dim);
  msk_launch_uint(&launch, a->shape->heads);
  msk_launch_uint(&launch, depth);
  msk_launch_uint(&launch, columns);
  msk_launch_int(&launch, keys);
  msk_launch_float(&launch, keys ? a->shape->scale : 1.0f);
  msk_launch_at(&launch, keys ? a->keys : a->values);
  msk_launch_ulong(&launch, keys ? a->key_floats : a->value_floats);
  msk_launch_run(
      &launch,
      (const size_t[]){depth, msk_ceiling(columns, MSK_PANEL), a->shape->batch * a->shape->heads},
      NULL);
}

/* The first float of head `head`, of all pictures' heads, in queries or results. */
static const float *head_at(const struct attention *a, msk_rows rows, size_t head) {
  return rows.at + head / a->shape->heads * a->queries * rows.stride +
         head % a->shape->heads * a->head_dim;
}

/* Heads [head, head + count): of one picture, or of whole ones. */
static void find_logits(const struct attention *a, size_t head, size_t count) {
  size_t inner = msk_smaller(count, a->shape->heads);
  msk_gpu_multiply(a->workspace, &(msk_gpu_product){.x = head_at(a, a->q, head),
                                                    .y = a->logits,
                                                    .panels = a->keys + head * a->key_floats,
                                                    .outer = count / inner,
                                                    .inner = inner,
                                                    .rows = a->queries,
                                                    .depth = a->head_dim,
                                                    .columns = a->tokens,
                                                    .x_stride = a->q.stride,
                                                    .x_outer = a->queries * a->q.stride,
                                                    .x_inner = a->head_dim,
                                                    .y_stride = a->logit_stride,
                                                    .y_outer = inner * a->logit_floats,
                                                    .y_inner = a->logit_floats,
                                                    .panels_each = a->key_floats});
}

static void weigh_values(const struct attention *a, size_t head, size_t count) {
  size_t inner = msk_smaller(count, a->shape->heads);
  msk_gpu_multiply(a->workspace, &(msk_gpu_product){.x = a->logits,
                                                    .y = head_at(a, a->out, head),
                                                    .panels = a->values + head * a->value_floats,
                                                    .outer = count / inner,
                                                    .inner = inner,
                                                    .rows = a->queries,
                                                    .depth = a->tokens,
                                                    .columns = a->head_dim,
                                                    .x_stride = a->logit_stride,
                                                    .x_outer = inner * a->logit_floats,
                                                    .x_inner = a->logit_floats,
                                                    .y_stride = a->out.stride,
                                                    .y_outer = a->queries * a->out.stride,
                                                    .y_inner = a->head_dim,
                                                    .panels_each = a->value_floats});
}

static void find_softmax(const struct attention *a, size_t head, size_t count) {
  const msk_read_out *reads = a->reads;
  size_t group = a->workspace->gpu->group;
  msk_launch launch = msk_launch_begin(a->workspace, MSK_SOFTMAX_ROWS);
  msk_launch_at(&launch, a->logits);
  msk_launch_uint(&launch, a->logit_stride);
  msk_launch_uint(&launch, a->tokens);
  msk_launch_uint(&launch, a->shape->heads);
  msk_launch_uint(&launch, head);
  msk_launch_int(&launch, (a->shape->causal ? CAUSAL : 0) | (reads->maps != NULL ? MAPS : 0) |
                              (reads->log_maps != NULL ? LOG_MAPS : 0) |
                              (reads->score != NULL ? SCORE : 0) |
                              (reads->places != NULL ? PLACED : 0));
  msk_launch_int(&launch, (int)reads->distance);
  msk_launch_at(&launch, reads->maps);
  msk_launch_at(&launch, reads->log_maps);
  msk_launch_at(&launch, reads->target);
  msk_launch_at(&launch, reads->log_target);
  msk_launch_at(&launch, reads->score);
  msk_launch_at(&launch, reads->places != NULL ? a->places : NULL);
  msk_launch_run(&launch, (const size_t[]){group * a->queries, count, 1},
                 (const size_t[]){group, 1, 1});
}

void msk_gpu_attention(msk_stream *stream, const msk_attention_shape *shape, msk_rows q, msk_rows k,
                       msk_rows v, const msk_read_out *reads, msk_rows out) {
  static const msk_read_out nothing = {0};
  if (q.rows == 0) return;
  assert(q.columns % shape->heads == 0 && k.columns == q.columns && q.rows % shape->batch == 0 &&
         k.rows % shape->batch == 0);
  struct attention a = {.workspace = stream->workspace,
                        .shape = shape,
                        .reads = reads == NULL ? &nothing : reads,
                        .q = q,
                        .k = k,
                        .v = v,
                        .out = out,
                        .queries = q.rows / shape->batch,
                        .tokens = k.rows / shape->batch,
                        .head_dim = q.columns / shape->heads};
  if (msk_stream_measure(stream, plan(&a, msk_stream_scratch(stream)))) return;
  size_t heads = shape->batch * shape->heads;
  if (a.reads->places != NULL)
    msk_gpu_write(a.workspace, a.reads->places, a.queries * sizeof *a.reads->places, a.places);
  pack_heads(&a, k, true);
  if (out.at != NULL) pack_heads(&a, v, false);
  for (size_t head = 0; head < heads; head += a.together) {
    size_t count = msk_smaller(a.together, heads - head);
    find_logits(&a, head, count);
    find_softmax(&a, head, count);
    if (out.at != NULL) weigh_values(&a, head, count);
  }
  msk_gpu_note(stream, msk_meter_attention(a.reads), msk_attention_flop(a.q, a.tokens, a.out));
}
