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
#include "compute/meter.h"
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
  size_t d = net->hidden;
  kept->x = take_rows(arena, rows, d);
  kept->qkv = take_rows(arena, rows, 3 * d);
  kept->attended = take_rows(arena, rows, d);
  kept->first = take_rows(arena, rows, d);
  kept->middle = take_rows(arena, rows, d);
  kept->hidden = take_rows(arena, rows, net->wide);
  kept->second = take_rows(arena, rows, d);
}

static void lay_panels(msk_network *net, msk_arena *arena, struct kept *kept) {
  const msk_device *device = net->stream.device;
  size_t d = net->hidden;
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

static void lay_low(msk_network *net, msk_arena *arena, size_t rows) {
  const msk_device *device = net->stream.device;
  struct low_parts *low = &net->low;
  size_t d = net->hidden, wide = net->intermediate, rank = low->layout->rank,
         a = msk_panels_floats(device, d > wide ? d : wide, rank),
         b = msk_panels_floats(device, rank, d > wide ? d : wide);
  low->merged = msk_arena_take(arena, d * (wide > 3 * d ? wide : 3 * d), sizeof *low->merged);
  low->panels = msk_arena_take(arena, a > b ? a : b, sizeof *low->panels);
  low->between = take_rows(arena, rows, rank);
  low->unwanted = take_rows(arena, 2, d);
  low->words = take_rows(arena, net->vocabulary, d);
  low->positions = take_rows(arena, net->tokens, d);
}

static void lay(msk_network *net, msk_arena *arena) {
  size_t rows = net->batch * net->tokens;
  bool is_low = net->low.layout != NULL;
  lay_shared(net, arena, rows);
  if (is_low) lay_low(net, arena, rows);
  for (size_t i = 0; i < net->layers; i++) {
    if (!is_low || i == 0) {
      lay_panels(net, arena, &net->kept[i]);
    } else {
      net->kept[i] = net->kept[0]; /* its panels; the rest is laid now */
    }
    lay_layer(net, arena, rows, &net->kept[i]);
  }
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

/* Everything but memory for what is laid out; its size is in net->bytes. False: no memory. */
static bool measure(msk_network *net, const msk_low_rank *low) {
  msk_arena arena = {0};
  net->low.layout = low;
  net->kept = msk_allocate_zeroed(net->params->allocator, net->layers, sizeof *net->kept);
  if (net->kept == NULL) return false;
  lay(net, &arena);
  measure_scratch(net);
  net->bytes = arena.peak + net->stream.scratch_bytes;
  return !arena.overflow;
}

static bool take_memory(msk_network *net) {
  size_t scratch = net->stream.scratch_bytes;
  msk_arena arena = {.capacity = net->bytes - scratch};
  arena.base = net->memory = msk_allocate_zeroed(net->params->allocator, arena.capacity, 1);
  net->stream.scratch = msk_allocate(net->params->allocator, scratch, 1);
  if (net->memory == NULL || net->stream.scratch == NULL) return false;
  lay(net, &arena);
  return true;
}

static msk_status create(msk_network **network, const msk_params *params, const msk_low_rank *low,
                         const msk_device *device, msk_pool *pool, size_t codes, size_t batch,
                         msk_error *error) {
  msk_network *net = msk_allocate_zeroed(params->allocator, 1, sizeof *net);
  if (net == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory for training");
  *net = describe(params, device, pool, codes, batch);
  if (!measure(net, low) || !take_memory(net)) {
    size_t bytes = net->bytes;
    msk_network_destroy(net);
    return msk_fail(error, MSK_ERROR_MEMORY,
                    "no memory for a training step: batches of %zu need %zu MB", batch,
                    bytes >> 20);
  }
  *network = net;
  return MSK_OK;
}

size_t msk_network_bytes(const msk_params *params, const msk_low_rank *low,
                         const msk_device *device, msk_pool *pool, size_t codes, size_t batch) {
  msk_network net = describe(params, device, pool, codes, batch);
  bool measured = measure(&net, low);
  msk_free(params->allocator, net.kept);
  return measured ? net.bytes : 0;
}

msk_status msk_network_create(msk_network **network, const msk_params *params,
                              const msk_device *device, msk_pool *pool, size_t codes, size_t batch,
                              msk_error *error) {
  return create(network, params, NULL, device, pool, codes, batch, error);
}

msk_status msk_network_create_low(msk_network **network, const msk_low_rank *low,
                                  const msk_device *device, msk_pool *pool, size_t codes,
                                  size_t batch, msk_error *error) {
  return create(network, low->params, low, device, pool, codes, batch, error);
}

void msk_network_listen(msk_network *network, msk_meter *meter) { network->stream.meter = meter; }

void msk_network_destroy(msk_network *network) {
  if (network == NULL) return;
  const msk_allocator *allocator = network->params->allocator;
  msk_free(allocator, network->stream.scratch);
  msk_free(allocator, network->memory);
  msk_free(allocator, network->kept);
  msk_free(allocator, network);
}

/* ---- the forward pass ---- */

static void apply_norm(msk_network *net, const float *x, const float *scale, const float *shift,
                       size_t rows, float *y) {
  const msk_norm norm = {.gamma = scale, .beta = shift, .epsilon = LAYER_NORM_EPSILON};
  msk_op_layer_norm(&net->stream, narrow(net, x, rows), &norm, narrow(net, y, rows));
}

static void apply_dense(msk_network *net, const char *name, const struct panels *panels,
                        const float *bias, msk_rows x, msk_rows residual, msk_rows y) {
  msk_op_dense(&net->stream, name, panels->forward, bias, x, MSK_ACT_NONE, residual, y);
}

static void embed(msk_network *net, const int32_t *tokens) {
  msk_outer_params outer = msk_params_outer(net->params, net->block);
  msk_op_embed(&net->stream, tokens, NULL, narrow(net, outer.words, net->vocabulary),
               narrow(net, outer.positions, net->tokens), narrow(net, net->embedded, net->rows));
  apply_norm(net, net->embedded, outer.scale, outer.shift, net->rows, net->kept[0].x);
}

static void project_qkv(msk_network *net, size_t index) {
  const struct kept *kept = &net->kept[index];
  msk_layer_params layer = msk_params_layer(net->params, net->block, index);
  size_t d = net->hidden;
  const float *biases[] = {layer.query_bias, layer.key_bias, layer.value_bias};
  for (size_t i = 0; i < 3; i++)
    msk_op_copy(&net->stream, narrow(net, biases[i], 1), narrow(net, net->qkv_bias + i * d, 1));
  apply_dense(net, "q k v", &kept->qkv_panels, net->qkv_bias, narrow(net, kept->x, net->rows),
              MSK_NO_ROWS, msk_rows_at(kept->qkv, net->rows, 3 * d));
}

static void attend(msk_network *net, size_t index) {
  const msk_attention_shape shape = attention_shape(net);
  struct qkv of = split_qkv(net, net->kept[index].qkv);
  msk_op_attention(&net->stream, &shape, of.q, of.k, of.v, NULL,
                   narrow(net, net->kept[index].attended, net->rows));
}

static void forward_layer(msk_network *net, size_t index) {
  const struct kept *kept = &net->kept[index];
  msk_layer_params layer = msk_params_layer(net->params, net->block, index);
  size_t rows = rows_behind(net, index);
  pack_layer(net, index, false);
  msk_rows x = narrow(net, kept->x, net->rows), attended = narrow(net, kept->attended, net->rows);
  project_qkv(net, index);
  attend(net, index);
  /* Attention needs all rows, as keys and values; what follows looks at each row alone. */
  if (rows != net->rows) {
    msk_rows all = x, all_attended = attended;
    x = narrow(net, net->chosen_x, rows), attended = narrow(net, net->chosen_attended, rows);
    msk_op_gather_rows(&net->stream, all, net->chosen, x);
    msk_op_gather_rows(&net->stream, all_attended, net->chosen, attended);
  }
  apply_dense(net, "attention output", &kept->out, layer.out_bias, attended, x,
              narrow(net, kept->first, rows));
  apply_norm(net, kept->first, layer.attention_scale, layer.attention_shift, rows, kept->middle);
  msk_rows middle = narrow(net, kept->middle, rows), gelu = wide(net, net->gelu, rows);
  apply_dense(net, "mlp up", &kept->up, layer.up_bias, middle, MSK_NO_ROWS,
              wide(net, kept->hidden, rows));
  msk_op_gelu(&net->stream, wide(net, kept->hidden, rows), gelu);
  apply_dense(net, "mlp down", &kept->down, layer.down_bias, gelu, middle,
              narrow(net, kept->second, rows));
  float *y = index + 1 == net->layers ? net->last_x : net->kept[index + 1].x;
  apply_norm(net, kept->second, layer.output_scale, layer.output_shift, rows, y);
}

static void forward_head(msk_network *net) {
  msk_outer_params outer = msk_params_outer(net->params, net->block);
  size_t rows = net->chosen_count;
  msk_rows head = narrow(net, net->head, rows);
  apply_dense(net, "head dense", &net->dense, outer.dense_bias, narrow(net, net->last_x, rows),
              MSK_NO_ROWS, head);
  msk_op_gelu(&net->stream, head, narrow(net, net->head_gelu, rows));
  apply_norm(net, net->head_gelu, outer.head_scale, outer.head_shift, rows, net->head_normed);
  apply_dense(net, "head", &net->words, outer.columns_bias, narrow(net, net->head_normed, rows),
              MSK_NO_ROWS, msk_rows_at(net->logits, rows, net->codes));
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

/* The sum of the rows' cross-entropies with their targets. */
static double plain_losses(const msk_network *net) {
  double losses = 0;
  for (size_t i = 0; i < net->chosen_count; i++) {
    const float *row = net->logits + i * net->codes;
    double sum = 0, largest = row[0];
    for (size_t j = 1; j < net->codes; j++) largest = row[j] > largest ? row[j] : largest;
    for (size_t j = 0; j < net->codes; j++) sum += exp(row[j] - largest);
    losses += log(sum) + largest - row[net->targets[i]];
  }
  return losses;
}

/* The mean of the smoothed losses, and the plain one: the smoothed loss of a row is (1 - s) of the
 * plain one and s times the mean over all columns, which log-softmax's gradient does not hold; so
 * plain losses are computed on their own where there is smoothing. */
static msk_masked_loss take_losses(msk_network *net, float smoothing, size_t all) {
  size_t rows = net->chosen_count;
  msk_masked_loss loss = {0};
  if (all == 0) all = rows;
  /* First, for the operation puts the gradient in the logits' place. */
  if (smoothing != 0) loss.plain = plain_losses(net);
  msk_op_cross_entropy(&net->stream, net->targets, smoothing, 1.0f / (float)all, net->losses,
                       msk_rows_at(net->logits, rows, net->codes));
  for (size_t i = 0; i < rows; i++) loss.smoothed += net->losses[i];
  loss.smoothed /= (double)all;
  loss.plain = smoothing == 0 ? loss.smoothed : loss.plain / (double)all;
  return loss;
}

msk_masked_loss msk_network_masked(msk_network *net, const msk_masked_batch *batch,
                                   float *gradients) {
  msk_meter_begin(&net->stream, "train");
  net->rows = batch->batch * net->tokens;
  choose_rows(net, batch);
  embed(net, batch->shown);
  for (size_t i = 0; i < net->layers; i++) forward_layer(net, i);
  forward_head(net);
  msk_masked_loss loss = take_losses(net, batch->smoothing, batch->all_masked);
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

static void measure_distance(msk_network *net, size_t index, msk_distance distance) {
  const msk_attention_shape shape = attention_shape(net);
  struct qkv of = split_qkv(net, net->kept[index].qkv);
  msk_op_attention_distance(&net->stream, &shape, distance, of.q, of.k, net->scores);
}

void msk_network_distances(msk_network *net, const msk_pair_batch *batch, float *values) {
  net->rows = 2 * batch->pairs * net->tokens;
  net->chosen_count = 0;
  embed(net, batch->tokens);
  for (size_t i = 0; i < last_of(batch); i++) forward_layer(net, i);
  project_qkv(net, last_of(batch));
  for (size_t i = 0; i < batch->layer_count; i++) {
    measure_distance(net, (size_t)batch->layers[i], batch->distance);
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
  net->block = (float *)(void *)MSK_NOWHERE;
  net->low.added = net->block;
  /* Of a pair, which takes as much as many do: a batch may be odd. */
  net->rows = 2 * net->tokens;
  if (net->low.layout == NULL) measure_distance(net, 0, MSK_DISTANCE_SYMMETRIC_KL);
  net->rows = net->chosen_count = net->batch * net->tokens;
  forward_layer(net, net->layers - 1);
  forward_head(net);
  backward_head(net, net->block);
  backward_layer(net, net->layers - 1, net->block, NULL);
  backward_embedding(net, net->targets, net->block);
  net->stream.measuring = false;
}
