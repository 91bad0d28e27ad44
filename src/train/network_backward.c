/* SPDX-License-Identifier: Apache-2.0
 *
 * network_backward.c - the backward half of network.c: each function turns one of its functions
 * round. The gradient by activations walks down in net->slope; gradients of parameters are added to
 * the caller's block. What was cheap to compute is computed again: the GELU of the hidden layer,
 * the norms' statistics, attention. */
#include <math.h>

#include "train/network_parts.h"

/* dw += x' dy, db += sum of dy, of a layer from `in` to `out`. */
static void add_dense(msk_network *net, const float *x, size_t x_stride, const float *dy,
                      size_t dy_stride, size_t rows, size_t in, size_t out, float *dw, float *db) {
  msk_op_dense_backward(&net->stream, &(msk_dense_backward_args){.x = x,
                                                                 .dy = dy,
                                                                 .rows = rows,
                                                                 .depth = in,
                                                                 .columns = out,
                                                                 .x_stride = x_stride,
                                                                 .dy_stride = dy_stride,
                                                                 .dw = dw,
                                                                 .db = db});
}

void backward_head(msk_network *net, float *gradients) {
  msk_outer_params outer = msk_params_outer(net->params, net->block),
                   add = msk_params_outer(net->params, gradients);
  size_t d = net->hidden, rows = net->chosen_count;
  float *slope = net->slope;
  add_dense(net, net->logits, 0, net->head_normed, 0, rows, net->codes, d, add.words, NULL);
  msk_op_column_sums(&net->stream, net->logits, rows, net->codes, add.columns_bias);
  apply_dense(net, net->words.backward, net->codes, d, NULL, net->logits, 0, NULL, slope, 0, rows);
  msk_op_layer_norm_backward(&net->stream, net->head_gelu, outer.head_scale, LAYER_NORM_EPSILON,
                             slope, rows, d, slope, add.head_scale, add.head_shift);
  msk_op_gelu_backward(&net->stream, net->head, slope, rows, d, 0, net->gelu, slope);
  add_dense(net, net->last_x, 0, slope, 0, rows, d, d, add.dense, add.dense_bias);
  apply_dense(net, net->dense.backward, d, d, NULL, slope, 0, NULL, net->slope_across, 0, rows);
  msk_op_copy(&net->stream, msk_rows_at(net->slope_across, rows, d), msk_rows_at(slope, rows, d));
}

/* From net->slope to net->slope_across: the gradient by the sum before the first norm. */
static void backward_mlp(msk_network *net, size_t index, float *gradients) {
  const struct kept *kept = &net->kept[index];
  msk_layer_params layer = msk_params_layer(net->params, net->block, index),
                   add = msk_params_layer(net->params, gradients, index);
  size_t d = net->hidden, wide = net->wide, inner = net->intermediate,
         rows = rows_behind(net, index);
  float *slope = net->slope, *across = net->slope_across;
  msk_op_layer_norm_backward(&net->stream, kept->second, layer.output_scale, LAYER_NORM_EPSILON,
                             slope, rows, d, slope, add.output_scale, add.output_shift);
  apply_dense(net, kept->down.backward, d, inner, NULL, slope, 0, NULL, net->wide_slope, wide,
              rows);
  msk_op_gelu_backward(&net->stream, kept->hidden, net->wide_slope, rows, inner, wide, net->gelu,
                       net->wide_slope);
  add_dense(net, net->gelu, wide, slope, 0, rows, inner, d, add.down, add.down_bias);
  add_dense(net, kept->middle, 0, net->wide_slope, wide, rows, d, inner, add.up, add.up_bias);
  apply_dense(net, kept->up.backward, inner, d, NULL, net->wide_slope, wide, slope, across, 0,
              rows);
  msk_op_layer_norm_backward(&net->stream, kept->first, layer.attention_scale, LAYER_NORM_EPSILON,
                             across, rows, d, across, add.attention_scale, add.attention_shift);
}

/* x's gradient from that of q, k, v, beside the residual's; and that of their weights. The keys'
 * bias has none: softmax does not see what is added to all of a row's logits. Its sum would be
 * rounding errors, which an optimiser that divides by their size takes for a direction. */
static void backward_qkv(msk_network *net, size_t index, size_t parts, const float *residual,
                         float *gradients) {
  const struct kept *kept = &net->kept[index];
  msk_layer_params add = msk_params_layer(net->params, gradients, index);
  size_t d = net->hidden;
  float *weights[] = {add.query, add.key, add.value},
        *biases[] = {add.query_bias, NULL, add.value_bias};
  for (size_t i = 0; i < parts; i++)
    add_dense(net, kept->x, 0, net->qkv_slope + i * d, 3 * d, net->rows, d, d, weights[i],
              biases[i]);
  apply_dense(net, kept->qkv_panels.backward, 3 * d, d, NULL, net->qkv_slope, 0, residual,
              net->slope, 0, net->rows);
}

static bool reads_layer(const msk_pair_batch *batch, size_t layer) {
  for (size_t i = 0; batch != NULL && i < batch->layer_count; i++) {
    if ((size_t)batch->layers[i] == layer) return true;
  }
  return false;
}

static void backward_attention(msk_network *net, size_t index, const float *dout) {
  size_t d = net->hidden, head_dim = d / net->heads;
  const float *qkv = net->kept[index].qkv;
  msk_op_attention_backward(&net->stream,
                            &(msk_attention_backward_args){.q = qkv,
                                                           .k = qkv + d,
                                                           .v = qkv + 2 * d,
                                                           .dout = dout,
                                                           .stride = 3 * d,
                                                           .gradient_stride = 3 * d,
                                                           .batch = net->rows / net->tokens,
                                                           .tokens = net->tokens,
                                                           .heads = net->heads,
                                                           .head_dim = head_dim,
                                                           .scale = 1.0f / sqrtf((float)head_dim),
                                                           .dq = net->qkv_slope,
                                                           .dk = net->qkv_slope + d,
                                                           .dv = net->qkv_slope + 2 * d});
}

/* Chosen rows back to their places, the others zero; `room` has room for all. */
static float *spread(msk_network *net, const float *x, float *room) {
  msk_op_zero(&net->stream, net->rows * net->hidden, room);
  msk_op_scatter_rows(&net->stream, x, net->chosen, net->chosen_count, net->hidden, room);
  return room;
}

void backward_layer(msk_network *net, size_t index, float *gradients,
                    const msk_pair_batch *distances) {
  const struct kept *kept = &net->kept[index];
  msk_layer_params add = msk_params_layer(net->params, gradients, index);
  size_t d = net->hidden, rows = rows_behind(net, index);
  bool chosen = rows != net->rows;
  backward_mlp(net, index, gradients);
  float *dout = net->slope, *residual = net->slope_across;
  add_dense(net, chosen ? net->chosen_attended : kept->attended, 0, residual, 0, rows, d, d,
            add.out, add.out_bias);
  apply_dense(net, kept->out.backward, d, d, NULL, residual, 0, NULL, dout, 0, rows);
  if (chosen) {
    dout = spread(net, dout, net->gelu);
    residual = spread(net, residual, net->wide_slope);
  }
  backward_attention(net, index, dout);
  if (reads_layer(distances, index))
    apply_distance(net, index, distances->pairs, distances->distance, net->weights);
  backward_qkv(net, index, 3, residual, gradients);
}

void backward_keys(msk_network *net, size_t index, float *gradients,
                   const msk_pair_batch *distances) {
  msk_op_zero(&net->stream, net->rows * 3 * net->hidden, net->qkv_slope);
  apply_distance(net, index, distances->pairs, distances->distance, net->weights);
  backward_qkv(net, index, 2, NULL, gradients);
}

void backward_embedding(msk_network *net, const int32_t *tokens, float *gradients) {
  msk_outer_params outer = msk_params_outer(net->params, net->block),
                   add = msk_params_outer(net->params, gradients);
  msk_op_layer_norm_backward(&net->stream, net->embedded, outer.scale, LAYER_NORM_EPSILON,
                             net->slope, net->rows, net->hidden, net->slope, add.scale, add.shift);
  msk_op_embed_backward(&net->stream, tokens, net->slope, net->vocabulary, net->rows / net->tokens,
                        net->tokens, net->hidden, add.words, add.positions);
}
