/* SPDX-License-Identifier: Apache-2.0
 *
 * network_backward.c - the backward half of network.c: each function turns one of its functions
 * round. The gradient by activations walks down in net->slope; gradients of parameters are added to
 * the caller's block. What was cheap to compute is computed again: the GELU of the hidden layer,
 * the norms' statistics, attention. */
#include <math.h>

#include "train/network_parts.h"

/* The layer of W from x to y: W's and the bias's gradients. */
static void add_dense(msk_network *net, const char *name, msk_rows x, msk_rows dy, float *dw,
                      float *db) {
  msk_op_dense_backward(&net->stream, name, x, dy, msk_rows_at(dw, x.columns, dy.columns), db);
}

/* And x's, beside a residual's. */
static void turn_dense(msk_network *net, const char *name, const struct panels *panels, msk_rows dy,
                       msk_rows residual, msk_rows dx) {
  msk_op_dense(&net->stream, name, panels->backward, NULL, dy, MSK_ACT_NONE, residual, dx);
}

/* In place. */
static void turn_norm(msk_network *net, const float *x, const float *scale, size_t rows,
                      float *slope, float *add_scale, float *add_shift) {
  const msk_norm norm = {.gamma = scale, .epsilon = LAYER_NORM_EPSILON};
  msk_rows both = narrow(net, slope, rows);
  msk_op_layer_norm_backward(&net->stream, narrow(net, x, rows), &norm, both, add_scale, add_shift,
                             both);
}

void backward_head(msk_network *net, float *gradients) {
  msk_outer_params outer = msk_params_outer(net->params, net->block),
                   add = msk_params_outer(net->params, gradients);
  size_t rows = net->chosen_count;
  msk_rows logits = msk_rows_at(net->logits, rows, net->codes),
           slope = narrow(net, net->slope, rows), across = narrow(net, net->slope_across, rows);
  add_dense(net, "head, weights", logits, narrow(net, net->head_normed, rows), add.words, NULL);
  msk_op_column_sums(&net->stream, logits, add.columns_bias);
  turn_dense(net, "head, backward", &net->words, logits, MSK_NO_ROWS, across);
  turn_norm(net, net->head_gelu, outer.head_scale, rows, across.at, add.head_scale, add.head_shift);
  msk_op_gelu_backward(&net->stream, narrow(net, net->head, rows), across,
                       narrow(net, net->gelu, rows), across);
  add_dense(net, "head dense, weights", narrow(net, net->last_x, rows), across, add.dense,
            add.dense_bias);
  turn_dense(net, "head dense, backward", &net->dense, across, MSK_NO_ROWS, slope);
}

/* From net->slope to net->slope_across: the gradient by the sum before the first norm. */
static void backward_mlp(msk_network *net, size_t index, float *gradients) {
  const struct kept *kept = &net->kept[index];
  msk_layer_params layer = msk_params_layer(net->params, net->block, index),
                   add = msk_params_layer(net->params, gradients, index);
  size_t rows = rows_behind(net, index);
  msk_rows slope = narrow(net, net->slope, rows), across = narrow(net, net->slope_across, rows),
           gelu = wide(net, net->gelu, rows), inner = wide(net, net->wide_slope, rows);
  turn_norm(net, kept->second, layer.output_scale, rows, slope.at, add.output_scale,
            add.output_shift);
  turn_dense(net, "mlp down, backward", &kept->down, slope, MSK_NO_ROWS, inner);
  msk_op_gelu_backward(&net->stream, wide(net, kept->hidden, rows), inner, gelu, inner);
  add_dense(net, "mlp down, weights", gelu, slope, add.down, add.down_bias);
  add_dense(net, "mlp up, weights", narrow(net, kept->middle, rows), inner, add.up, add.up_bias);
  turn_dense(net, "mlp up, backward", &kept->up, inner, slope, across);
  turn_norm(net, kept->first, layer.attention_scale, rows, across.at, add.attention_scale,
            add.attention_shift);
}

/* x's gradient from that of q, k, v, beside the residual's; and that of their weights. The keys'
 * bias has none: softmax does not see what is added to all of a row's logits. Its sum would be
 * rounding errors, which an optimiser that divides by their size takes for a direction. */
static void backward_qkv(msk_network *net, size_t index, bool values, msk_rows residual,
                         float *gradients) {
  const struct kept *kept = &net->kept[index];
  msk_layer_params add = msk_params_layer(net->params, gradients, index);
  msk_rows x = narrow(net, kept->x, net->rows);
  struct qkv of = split_qkv(net, net->qkv_slope);
  add_dense(net, "q, weights", x, of.q, add.query, add.query_bias);
  add_dense(net, "k, weights", x, of.k, add.key, NULL);
  if (values) add_dense(net, "v, weights", x, of.v, add.value, add.value_bias);
  turn_dense(net, "q k v, backward", &kept->qkv_panels,
             msk_rows_at(net->qkv_slope, net->rows, 3 * net->hidden), residual,
             narrow(net, net->slope, net->rows));
}

static bool reads_layer(const msk_pair_batch *batch, size_t layer) {
  for (size_t i = 0; batch != NULL && i < batch->layer_count; i++) {
    if ((size_t)batch->layers[i] == layer) return true;
  }
  return false;
}

static void add_distance(msk_network *net, size_t index, msk_distance distance) {
  const msk_attention_shape shape = attention_shape(net);
  struct qkv of = split_qkv(net, net->kept[index].qkv), to = split_qkv(net, net->qkv_slope);
  msk_op_attention_distance_backward(&net->stream, &shape, distance, of.q, of.k, net->weights, to.q,
                                     to.k);
}

static void backward_attention(msk_network *net, size_t index, const float *dout) {
  const msk_attention_shape shape = attention_shape(net);
  struct qkv of = split_qkv(net, net->kept[index].qkv), to = split_qkv(net, net->qkv_slope);
  msk_op_attention_backward(&net->stream, &shape, of.q, of.k, of.v, narrow(net, dout, net->rows),
                            to.q, to.k, to.v);
}

/* Chosen rows back to their places, the others zero; `room` has room for all. */
static msk_rows spread(msk_network *net, msk_rows x, float *room) {
  msk_rows all = narrow(net, room, net->rows);
  msk_op_zero(&net->stream, all);
  msk_op_scatter_rows(&net->stream, x, net->chosen, all);
  return all;
}

void backward_layer(msk_network *net, size_t index, float *gradients,
                    const msk_pair_batch *distances) {
  const struct kept *kept = &net->kept[index];
  msk_layer_params add = msk_params_layer(net->params, gradients, index);
  size_t rows = rows_behind(net, index);
  bool chosen = rows != net->rows;
  backward_mlp(net, index, gradients);
  msk_rows dout = narrow(net, net->slope, rows), residual = narrow(net, net->slope_across, rows);
  add_dense(net, "attention output, weights",
            narrow(net, chosen ? net->chosen_attended : kept->attended, rows), residual, add.out,
            add.out_bias);
  turn_dense(net, "attention output, backward", &kept->out, residual, MSK_NO_ROWS, dout);
  if (chosen) {
    dout = spread(net, dout, net->gelu);
    residual = spread(net, residual, net->wide_slope);
  }
  backward_attention(net, index, dout.at);
  if (reads_layer(distances, index)) add_distance(net, index, distances->distance);
  backward_qkv(net, index, true, residual, gradients);
}

void backward_keys(msk_network *net, size_t index, float *gradients,
                   const msk_pair_batch *distances) {
  msk_op_zero(&net->stream, msk_rows_at(net->qkv_slope, net->rows, 3 * net->hidden));
  add_distance(net, index, distances->distance);
  backward_qkv(net, index, false, MSK_NO_ROWS, gradients);
}

void backward_embedding(msk_network *net, const int32_t *tokens, float *gradients) {
  msk_outer_params outer = msk_params_outer(net->params, net->block),
                   add = msk_params_outer(net->params, gradients);
  turn_norm(net, net->embedded, outer.scale, net->rows, net->slope, add.scale, add.shift);
  msk_op_embed_backward(&net->stream, tokens, narrow(net, net->slope, net->rows),
                        narrow(net, add.words, net->vocabulary),
                        narrow(net, add.positions, net->tokens));
}
