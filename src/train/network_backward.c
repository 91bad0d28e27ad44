/* SPDX-License-Identifier: Apache-2.0
 *
 * network_backward.c - the backward half of network.c: each function turns one of its functions
 * round. The gradient by activations walks down in net->slope; gradients of parameters are added to
 * the caller's block. What was cheap to compute is computed again: the GELU of the hidden layer,
 * the norms' statistics, attention. */
#include <math.h>

#include "train/network_parts.h"

/* ---- a network that trains what is added to it ---- */

msk_layer_params layer_gradients(const msk_network *net, float *gradients, size_t layer) {
  if (net->low.layout == NULL) return msk_params_layer(net->params, gradients, layer);
  float *scale = net->low.unwanted, *shift = scale + net->hidden;
  return (msk_layer_params){.attention_scale = scale,
                            .attention_shift = shift,
                            .output_scale = scale,
                            .output_shift = shift};
}

msk_outer_params outer_gradients(const msk_network *net, float *gradients) {
  if (net->low.layout == NULL) return msk_params_outer(net->params, gradients);
  float *scale = net->low.unwanted, *shift = scale + net->hidden;
  return (msk_outer_params){.words = net->low.words,
                            .positions = net->low.positions,
                            .scale = scale,
                            .shift = shift,
                            .head_scale = scale,
                            .head_shift = shift};
}

/* y = x m or x m', of a small m. */
static msk_rows times(msk_network *net, msk_rows x, msk_rows m, bool transposed) {
  msk_rows y = msk_rows_at(net->low.between, x.rows, transposed ? m.rows : m.columns);
  msk_op_pack(&net->stream, &m, 1, transposed, net->low.panels);
  msk_op_dense(&net->stream, "adapter, backward", net->low.panels, NULL, x, MSK_ACT_NONE,
               MSK_NO_ROWS, y);
  return y;
}

/* With y = x (W + a b): da = x' (dy b'), db = (x a)' dy. Two thin products each, where the dense
 * gradient of W would take a third of a step's time and a matrix as large as W. */
void backward_low(msk_network *net, size_t layer, msk_low_kind kind, msk_rows x, msk_rows dy,
                  float *gradients) {
  const msk_low_rank *low = net->low.layout;
  if (!msk_low_rank_has(low, layer)) return;
  msk_low_pair pair = msk_low_rank_pair(low, layer, kind);
  msk_rows a = msk_rows_at(net->low.added + pair.a, pair.in, low->rank),
           b = msk_rows_at(net->low.added + pair.b, low->rank, pair.out);
  msk_op_dense_backward(&net->stream, "adapter, weights", x, times(net, dy, b, true),
                        msk_rows_at(gradients + pair.a, pair.in, low->rank), NULL);
  msk_op_dense_backward(&net->stream, "adapter, weights", times(net, x, a, false), dy,
                        msk_rows_at(gradients + pair.b, low->rank, pair.out), NULL);
}

/* ---- turning round ---- */

/* The layer of W from x to y: W's and the bias's gradients. */
static void add_dense(msk_network *net, const char *name, msk_rows x, msk_rows dy, float *dw,
                      float *db) {
  msk_op_dense_backward(&net->stream, name, x, dy, msk_rows_at(dw, x.columns, dy.columns), db);
}

/* The same of a layer's matrix, or of what is added to it. */
static void add_matrix(msk_network *net, size_t layer, msk_low_kind kind, const char *name,
                       msk_rows x, msk_rows dy, float *dw, float *db, float *gradients) {
  if (net->low.layout != NULL) {
    backward_low(net, layer, kind, x, dy, gradients);
  } else {
    add_dense(net, name, x, dy, dw, db);
  }
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
                   add = outer_gradients(net, gradients);
  size_t rows = net->chosen_count;
  msk_rows logits = msk_rows_at(net->logits, rows, net->codes),
           slope = narrow(net, net->slope, rows), across = narrow(net, net->slope_across, rows);
  /* Beside an adapter the head stays as it is: the gradient goes through it, and no more. In
   * net->logits the loss has left the gradient by them. */
  bool frozen = net->low.layout != NULL;
  if (!frozen) {
    add_dense(net, "head, weights", logits, narrow(net, net->head_normed, rows), add.words, NULL);
    msk_op_column_sums(&net->stream, logits, add.columns_bias);
  }
  turn_dense(net, "head, backward", &net->words, logits, MSK_NO_ROWS, across);
  turn_norm(net, net->head_gelu, outer.head_scale, rows, across.at, add.head_scale, add.head_shift);
  msk_op_gelu_backward(&net->stream, narrow(net, net->head, rows), across,
                       narrow(net, net->gelu, rows), across);
  if (!frozen)
    add_dense(net, "head dense, weights", narrow(net, net->last_x, rows), across, add.dense,
              add.dense_bias);
  turn_dense(net, "head dense, backward", &net->dense, across, MSK_NO_ROWS, slope);
}

/* From net->slope to net->slope_across: the gradient by the sum before the first norm. */
static void backward_mlp(msk_network *net, size_t index, float *gradients) {
  const struct kept *kept = &net->kept[index];
  msk_layer_params layer = msk_params_layer(net->params, net->block, index),
                   add = layer_gradients(net, gradients, index);
  size_t rows = rows_behind(net, index);
  msk_rows slope = narrow(net, net->slope, rows), across = narrow(net, net->slope_across, rows),
           gelu = wide(net, net->gelu, rows), inner = wide(net, net->wide_slope, rows);
  turn_norm(net, kept->second, layer.output_scale, rows, slope.at, add.output_scale,
            add.output_shift);
  turn_dense(net, "mlp down, backward", &kept->down, slope, MSK_NO_ROWS, inner);
  msk_op_gelu_backward(&net->stream, wide(net, kept->hidden, rows), inner, gelu, inner);
  add_matrix(net, index, MSK_LOW_DOWN, "mlp down, weights", gelu, slope, add.down, add.down_bias,
             gradients);
  add_matrix(net, index, MSK_LOW_UP, "mlp up, weights", narrow(net, kept->middle, rows), inner,
             add.up, add.up_bias, gradients);
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
  msk_layer_params add = layer_gradients(net, gradients, index);
  msk_rows x = narrow(net, kept->x, net->rows);
  struct qkv of = split_qkv(net, net->qkv_slope);
  add_matrix(net, index, MSK_LOW_QUERY, "q, weights", x, of.q, add.query, add.query_bias,
             gradients);
  add_matrix(net, index, MSK_LOW_KEY, "k, weights", x, of.k, add.key, NULL, gradients);
  if (values)
    add_matrix(net, index, MSK_LOW_VALUE, "v, weights", x, of.v, add.value, add.value_bias,
               gradients);
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
  msk_layer_params add = layer_gradients(net, gradients, index);
  size_t rows = rows_behind(net, index);
  bool chosen = rows != net->rows;
  pack_layer(net, index, true);
  backward_mlp(net, index, gradients);
  msk_rows dout = narrow(net, net->slope, rows), residual = narrow(net, net->slope_across, rows);
  add_matrix(net, index, MSK_LOW_OUT, "attention output, weights",
             narrow(net, chosen ? net->chosen_attended : kept->attended, rows), residual, add.out,
             add.out_bias, gradients);
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

/* Of the words the class's row is wanted. */
static void add_class_row(msk_network *net, float *gradients) {
  const float *row = net->low.words + net->low.layout->class_row * net->hidden;
  for (size_t d = 0; !net->stream.measuring && d < net->hidden; d++) gradients[d] += row[d];
}

void backward_embedding(msk_network *net, const int32_t *tokens, float *gradients) {
  bool frozen = net->low.layout != NULL;
  if (frozen) msk_op_zero(&net->stream, narrow(net, net->low.words, net->vocabulary));
  msk_outer_params outer = msk_params_outer(net->params, net->block),
                   add = outer_gradients(net, gradients);
  turn_norm(net, net->embedded, outer.scale, net->rows, net->slope, add.scale, add.shift);
  msk_op_embed_backward(&net->stream, tokens, narrow(net, net->slope, net->rows),
                        narrow(net, add.words, net->vocabulary),
                        narrow(net, add.positions, net->tokens));
  if (frozen) add_class_row(net, gradients);
}
