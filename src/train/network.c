/* SPDX-License-Identifier: Apache-2.0
 *
 * network.c - the forward half: memory, packed weights, and the passes, which read like those of
 * model/maskgit.c but keep what the backward half (network_backward.c) needs. Behind the last
 * layer's attention only the masked rows go on: no other is looked at. */
#include "train/network.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "train/network_parts.h"

enum { WIDE_PAD = 16 }; /* or all rows of the hidden layer would share the sets of a cache */

/* ---- memory ---- */

static void take_panels(msk_arena *arena, const msk_device *device, size_t in, size_t out,
                        struct panels *panels) {
  panels->forward =
      msk_arena_take(arena, msk_panels_floats(device, in, out), sizeof *panels->forward);
  panels->backward =
      msk_arena_take(arena, msk_panels_floats(device, out, in), sizeof *panels->backward);
}

static float *take_rows(msk_arena *arena, size_t rows, size_t dim) {
  return msk_arena_take(arena, rows * dim, sizeof(float));
}

static void lay_layer(msk_network *net, msk_arena *arena, size_t rows, struct kept *kept) {
  const msk_device *device = net->stream.device;
  size_t d = net->hidden;
  kept->x = take_rows(arena, rows, d);
  kept->qkv = take_rows(arena, rows, 3 * d);
  kept->attended = take_rows(arena, rows, d);
  kept->first = take_rows(arena, rows, d);
  kept->middle = take_rows(arena, rows, d);
  kept->hidden = take_rows(arena, rows, net->wide);
  kept->second = take_rows(arena, rows, d);
  take_panels(arena, device, d, 3 * d, &kept->qkv_panels);
  take_panels(arena, device, d, d, &kept->out);
  take_panels(arena, device, d, net->intermediate, &kept->up);
  take_panels(arena, device, net->intermediate, d, &kept->down);
}

static void lay_shared(msk_network *net, msk_arena *arena, size_t rows) {
  size_t d = net->hidden;
  float **of_hidden[] = {&net->embedded,        &net->last_x, &net->chosen_x,
                         &net->chosen_attended, &net->head,   &net->head_gelu,
                         &net->head_normed,     &net->slope,  &net->slope_across};
  for (size_t i = 0; i < sizeof of_hidden / sizeof *of_hidden; i++)
    *of_hidden[i] = take_rows(arena, rows, d);
  net->logits = take_rows(arena, rows, net->codes);
  net->losses = take_rows(arena, rows, 1);
  net->scores = take_rows(arena, rows, net->heads);
  net->weights = take_rows(arena, rows, 1);
  net->gelu = take_rows(arena, rows, net->wide);
  net->wide_slope = take_rows(arena, rows, net->wide);
  net->qkv_slope = take_rows(arena, rows, 3 * d);
  net->qkv_bias = take_rows(arena, 3, d);
  net->chosen = msk_arena_take(arena, rows, sizeof *net->chosen);
  net->targets = msk_arena_take(arena, rows, sizeof *net->targets);
  take_panels(arena, net->stream.device, d, d, &net->dense);
  take_panels(arena, net->stream.device, d, net->codes, &net->words);
}

static void lay(msk_network *net, msk_arena *arena) {
  size_t rows = net->batch * net->tokens;
  net->kept = msk_arena_take(arena, net->layers, sizeof *net->kept);
  lay_shared(net, arena, rows);
  for (size_t i = 0; i < net->layers; i++)
    lay_layer(net, arena, rows, arena->base == NULL ? &(struct kept){0} : &net->kept[i]);
}

static msk_network describe(const msk_params *params, const msk_device *device, msk_pool *pool,
                            size_t codes, size_t batch) {
  const msk_maskgit_config *config = &params->config;
  return (msk_network){.params = params,
                       .stream = {.device = device, .pool = pool},
                       .hidden = config->hidden,
                       .intermediate = config->intermediate,
                       .wide = config->intermediate + WIDE_PAD,
                       .heads = config->heads,
                       .tokens = config->positions,
                       .layers = config->layers,
                       .vocabulary = config->vocabulary,
                       .codes = codes,
                       .batch = batch};
}

static void measure_scratch(msk_network *net);

msk_status msk_network_create(msk_network **network, const msk_params *params,
                              const msk_device *device, msk_pool *pool, size_t codes, size_t batch,
                              msk_error *error) {
  msk_network *net = msk_allocate_zeroed(params->allocator, 1, sizeof *net);
  if (net == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory for training");
  *net = describe(params, device, pool, codes, batch);
  msk_arena arena = {0};
  lay(net, &arena);
  net->bytes = arena.peak;
  net->memory = arena.overflow ? NULL : msk_allocate_zeroed(params->allocator, net->bytes, 1);
  if (net->memory != NULL) {
    arena = (msk_arena){.base = net->memory, .capacity = net->bytes};
    lay(net, &arena);
    measure_scratch(net);
    net->stream.scratch = msk_allocate(params->allocator, net->stream.scratch_bytes, 1);
    net->bytes += net->stream.scratch_bytes;
  }
  if (net->stream.scratch == NULL) {
    size_t bytes = net->bytes;
    msk_network_destroy(net);
    return msk_fail(error, MSK_ERROR_MEMORY,
                    "no memory for a training step: batches of %zu need %zu MB", batch,
                    bytes >> 20);
  }
  *network = net;
  return MSK_OK;
}

size_t msk_network_bytes(const msk_network *network) { return network->bytes; }

void msk_network_destroy(msk_network *network) {
  if (network == NULL) return;
  const msk_allocator *allocator = network->params->allocator;
  msk_free(allocator, network->stream.scratch);
  msk_free(allocator, network->memory);
  msk_free(allocator, network);
}

/* ---- weights ---- */

static void pack(msk_network *net, const msk_weight_block *blocks, size_t count,
                 const struct panels *panels) {
  msk_op_pack(&net->stream, blocks, count, false, panels->forward);
  msk_op_pack(&net->stream, blocks, count, true, panels->backward);
}

static void pack_one(msk_network *net, const float *weight, size_t in, size_t out,
                     const struct panels *panels) {
  pack(net, &(msk_weight_block){weight, in, out}, 1, panels);
}

void msk_network_set(msk_network *net, float *block) {
  size_t d = net->hidden;
  net->block = block;
  for (size_t i = 0; i < net->layers; i++) {
    msk_layer_params layer = msk_params_layer(net->params, block, i);
    const struct kept *kept = &net->kept[i];
    const msk_weight_block qkv[] = {{layer.query, d, d}, {layer.key, d, d}, {layer.value, d, d}};
    pack(net, qkv, 3, &kept->qkv_panels);
    pack_one(net, layer.out, d, d, &kept->out);
    pack_one(net, layer.up, d, net->intermediate, &kept->up);
    pack_one(net, layer.down, net->intermediate, d, &kept->down);
  }
  msk_outer_params outer = msk_params_outer(net->params, block);
  pack_one(net, outer.dense, d, d, &net->dense);
  /* The head multiplies by the words' transpose: forward and backward change places. */
  const msk_weight_block words = {outer.words, net->codes, d};
  msk_op_pack(&net->stream, &words, 1, true, net->words.forward);
  msk_op_pack(&net->stream, &words, 1, false, net->words.backward);
}

/* ---- the forward pass ---- */

void apply_dense(msk_network *net, const float *panels, size_t depth, size_t columns,
                 const float *bias, const float *x, size_t x_stride, const float *residual,
                 float *y, size_t y_stride, size_t rows) {
  msk_op_dense(&net->stream, &(msk_dense_args){.panels = panels,
                                               .bias = bias,
                                               .depth = depth,
                                               .columns = columns,
                                               .x = x,
                                               .residual = residual,
                                               .y = y,
                                               .rows = rows,
                                               .x_stride = x_stride,
                                               .y_stride = y_stride});
}

static void apply_norm(msk_network *net, const float *x, const float *scale, const float *shift,
                       size_t rows, float *y) {
  const msk_norm norm = {.gamma = scale, .beta = shift, .epsilon = LAYER_NORM_EPSILON};
  msk_op_layer_norm(&net->stream, msk_rows_at(x, rows, net->hidden), &norm,
                    msk_rows_at(y, rows, net->hidden));
}

static void embed(msk_network *net, const int32_t *tokens) {
  msk_outer_params outer = msk_params_outer(net->params, net->block);
  size_t d = net->hidden;
  msk_op_embed(&net->stream, tokens, msk_rows_at(outer.words, net->vocabulary, d),
               msk_rows_at(outer.positions, net->tokens, d),
               msk_rows_at(net->embedded, net->rows, d));
  apply_norm(net, net->embedded, outer.scale, outer.shift, net->rows, net->kept[0].x);
}

static void project_qkv(msk_network *net, size_t index) {
  const struct kept *kept = &net->kept[index];
  msk_layer_params layer = msk_params_layer(net->params, net->block, index);
  size_t d = net->hidden;
  const float *biases[] = {layer.query_bias, layer.key_bias, layer.value_bias};
  for (size_t i = 0; i < 3; i++)
    msk_op_copy(&net->stream, msk_rows_at(biases[i], 1, d),
                msk_rows_at(net->qkv_bias + i * d, 1, d));
  apply_dense(net, kept->qkv_panels.forward, d, 3 * d, net->qkv_bias, kept->x, 0, NULL, kept->qkv,
              0, net->rows);
}

static void attend(msk_network *net, const struct kept *kept) {
  size_t d = net->hidden;
  const msk_attention_shape shape = {.batch = net->rows / net->tokens,
                                     .heads = net->heads,
                                     .scale = 1.0f / sqrtf((float)(d / net->heads))};
  const msk_rows qkv = msk_rows_at(kept->qkv, net->rows, 3 * d);
  msk_op_attention(&net->stream, &shape, msk_rows_columns(qkv, 0, d), msk_rows_columns(qkv, d, d),
                   msk_rows_columns(qkv, 2 * d, d), NULL,
                   msk_rows_at(kept->attended, net->rows, d));
}

static void forward_layer(msk_network *net, size_t index) {
  const struct kept *kept = &net->kept[index];
  msk_layer_params layer = msk_params_layer(net->params, net->block, index);
  size_t d = net->hidden, rows = rows_behind(net, index);
  const float *x = kept->x, *attended = kept->attended;
  project_qkv(net, index);
  attend(net, kept);
  if (rows != net->rows) {
    msk_op_gather_rows(&net->stream, x, net->chosen, rows, d, net->chosen_x);
    msk_op_gather_rows(&net->stream, attended, net->chosen, rows, d, net->chosen_attended);
    x = net->chosen_x, attended = net->chosen_attended;
  }
  apply_dense(net, kept->out.forward, d, d, layer.out_bias, attended, 0, x, kept->first, 0, rows);
  apply_norm(net, kept->first, layer.attention_scale, layer.attention_shift, rows, kept->middle);
  apply_dense(net, kept->up.forward, d, net->intermediate, layer.up_bias, kept->middle, 0, NULL,
              kept->hidden, net->wide, rows);
  msk_op_gelu(&net->stream, kept->hidden, rows, net->intermediate, net->wide, net->gelu);
  apply_dense(net, kept->down.forward, net->intermediate, d, layer.down_bias, net->gelu, net->wide,
              kept->middle, kept->second, 0, rows);
  float *y = index + 1 == net->layers ? net->last_x : net->kept[index + 1].x;
  apply_norm(net, kept->second, layer.output_scale, layer.output_shift, rows, y);
}

static void forward_head(msk_network *net) {
  msk_outer_params outer = msk_params_outer(net->params, net->block);
  size_t d = net->hidden, rows = net->chosen_count;
  apply_dense(net, net->dense.forward, d, d, outer.dense_bias, net->last_x, 0, NULL, net->head, 0,
              rows);
  msk_op_gelu(&net->stream, net->head, rows, d, 0, net->head_gelu);
  apply_norm(net, net->head_gelu, outer.head_scale, outer.head_shift, rows, net->head_normed);
  apply_dense(net, net->words.forward, d, net->codes, outer.columns_bias, net->head_normed, 0, NULL,
              net->logits, 0, rows);
}

/* ---- losses ---- */

static void choose_rows(msk_network *net, const msk_masked_batch *batch) {
  net->chosen_count = 0;
  for (size_t i = 0; i < net->rows; i++) {
    if (!batch->mask[i]) continue;
    net->chosen[net->chosen_count] = i;
    net->targets[net->chosen_count++] = batch->target[i];
  }
  assert(net->chosen_count > 0);
}

/* The mean of the smoothed losses, and the plain one: the smoothed loss of a row is (1 - s) of the
 * plain one and s times the mean over all columns, which log-softmax's gradient does not hold; so
 * plain losses are computed on their own where there is smoothing. */
static msk_masked_loss take_losses(msk_network *net, float smoothing) {
  size_t rows = net->chosen_count;
  msk_masked_loss loss = {0};
  for (size_t i = 0; i < rows; i++) {
    const float *row = net->logits + i * net->codes;
    if (smoothing == 0) break;
    double sum = 0, largest = row[0];
    for (size_t j = 1; j < net->codes; j++) largest = row[j] > largest ? row[j] : largest;
    for (size_t j = 0; j < net->codes; j++) sum += exp(row[j] - largest);
    loss.plain += log(sum) + largest - row[net->targets[i]];
  }
  msk_op_cross_entropy(&net->stream, net->logits, net->targets, rows, net->codes, smoothing,
                       1.0f / (float)rows, net->losses);
  for (size_t i = 0; i < rows; i++) loss.smoothed += net->losses[i];
  loss.smoothed /= (double)rows;
  loss.plain = smoothing == 0 ? loss.smoothed : loss.plain / (double)rows;
  return loss;
}

msk_masked_loss msk_network_masked(msk_network *net, const msk_masked_batch *batch,
                                   float *gradients) {
  net->rows = batch->batch * net->tokens;
  choose_rows(net, batch);
  embed(net, batch->shown);
  for (size_t i = 0; i < net->layers; i++) forward_layer(net, i);
  forward_head(net);
  msk_masked_loss loss = take_losses(net, batch->smoothing);
  if (gradients == NULL) return loss;
  backward_head(net, gradients);
  for (size_t i = net->layers; i-- > 0;) backward_layer(net, i, gradients, NULL);
  backward_embedding(net, batch->shown, gradients);
  return loss;
}

/* ---- distances ---- */

static size_t last_of(const msk_pair_batch *batch) {
  return (size_t)batch->layers[batch->layer_count - 1];
}

/* With weights the gradients, else values in net->scores. */
void apply_distance(msk_network *net, size_t index, size_t pairs, msk_distance distance,
                    const float *weights) {
  size_t d = net->hidden, head_dim = d / net->heads;
  const float *qkv = net->kept[index].qkv;
  msk_attention_distance_args args = {.q = qkv,
                                      .k = qkv + d,
                                      .stride = 3 * d,
                                      .gradient_stride = 3 * d,
                                      .pairs = pairs,
                                      .tokens = net->tokens,
                                      .heads = net->heads,
                                      .head_dim = head_dim,
                                      .scale = 1.0f / sqrtf((float)head_dim),
                                      .distance = distance,
                                      .values = net->scores,
                                      .weight = weights};
  if (weights != NULL) args.dq = net->qkv_slope, args.dk = net->qkv_slope + d;
  msk_op_attention_distance(&net->stream, &args);
}

void msk_network_distances(msk_network *net, const msk_pair_batch *batch, float *values) {
  net->rows = 2 * batch->pairs * net->tokens;
  net->chosen_count = 0;
  embed(net, batch->tokens);
  for (size_t i = 0; i < last_of(batch); i++) forward_layer(net, i);
  project_qkv(net, last_of(batch));
  for (size_t i = 0; i < batch->layer_count; i++) {
    apply_distance(net, (size_t)batch->layers[i], batch->pairs, batch->distance, NULL);
    msk_op_head_sum(&net->stream, net->scores, net->heads,
                    1.0f / (float)(net->heads * batch->layer_count), i > 0,
                    msk_rows_at(values, batch->pairs, net->tokens));
  }
}

void msk_network_distances_backward(msk_network *net, const msk_pair_batch *batch,
                                    const float *weights, float *gradients) {
  float share = 1.0f / (float)(net->heads * batch->layer_count);
  for (size_t i = 0; i < batch->pairs * net->tokens; i++) net->weights[i] = share * weights[i];
  backward_keys(net, last_of(batch), gradients, batch);
  for (size_t i = last_of(batch); i-- > 0;) backward_layer(net, i, gradients, batch);
  backward_embedding(net, batch->tokens, gradients);
}

/* ---- scratch ---- */

/* The passes at their largest, computing nothing. */
static void measure_scratch(msk_network *net) {
  net->stream.measuring = true;
  net->rows = net->chosen_count = net->batch * net->tokens;
  net->block = net->memory;
  forward_layer(net, 0);
  forward_head(net);
  apply_distance(net, 0, net->batch / 2, MSK_DISTANCE_SYMMETRIC_KL, NULL);
  backward_head(net, net->block);
  backward_layer(net, 0, net->block, NULL);
  backward_embedding(net, net->targets, net->block);
  net->stream.measuring = false;
}
