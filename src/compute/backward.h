/* SPDX-License-Identifier: Apache-2.0
 *
 * backward.h - what training needs beside backend.h: linear layers whose weights change from step
 * to step, and the operations that turn the forward ones round. Same rules: device memory, channels
 * last, measuring, sums in one fixed order whatever the thread count. Gradients of weights are
 * added to what is there, gradients of activations replace it, unless said otherwise. */
#ifndef MSK_COMPUTE_BACKWARD_H
#define MSK_COMPUTE_BACKWARD_H

#include "compute/backend.h"

/* ---- linear layers whose weights change ---- */

/* Floats of a packed matrix of depth x columns. */
size_t msk_panels_floats(const msk_device *device, size_t depth, size_t columns);
/* A matrix of rows x columns, row-major. */
typedef struct msk_weight_block {
  const float *weight;
  size_t rows, columns;
} msk_weight_block;
/* Blocks of equal rows side by side, packed for x W: depth rows, columns those of all blocks; or,
 * transposed, for dy W': depth the columns of all blocks, columns their rows. panels: 64-byte
 * aligned, msk_panels_floats() of them. */
void msk_op_pack(msk_stream *stream, const msk_weight_block *blocks, size_t count, bool transposed,
                 float *panels);

/* y[r] = act(x[r] W + bias) + residual[r], W as msk_op_pack() left it. bias, residual: or NULL. y
 * may equal residual, not x. Strides in floats (0: dense). */
typedef struct msk_dense_args {
  const float *panels, *bias;
  size_t depth, columns;
  const float *x, *residual;
  float *y;
  size_t rows, x_stride, y_stride, residual_stride;
  msk_activation activation;
} msk_dense_args;
void msk_op_dense(msk_stream *stream, const msk_dense_args *args);

/* dw (depth x columns) += x' dy, db += sum of dy's rows. db: or NULL. */
typedef struct msk_dense_backward_args {
  const float *x, *dy;
  size_t rows, depth, columns, x_stride, dy_stride;
  float *dw, *db;
} msk_dense_backward_args;
void msk_op_dense_backward(msk_stream *stream, const msk_dense_backward_args *args);

/* ---- rows ---- */

/* y = gelu(x) in its tanh form. x: rows of `dim` floats, all of the same stride (0: dense). */
void msk_op_gelu(msk_stream *stream, const float *x, size_t rows, size_t dim, size_t stride,
                 float *y);
/* y = gelu(x), dx = dy * gelu'(x); dx may equal dy. */
void msk_op_gelu_backward(msk_stream *stream, const float *x, const float *dy, size_t rows,
                          size_t dim, size_t stride, float *y, float *dx);
/* dx may equal dy. */
void msk_op_layer_norm_backward(msk_stream *stream, const float *x, const float *gamma,
                                float epsilon, const float *dy, size_t rows, size_t dim, float *dx,
                                float *dgamma, float *dbeta);
void msk_op_zero(msk_stream *stream, size_t count, float *y);
/* sums[j] += sum of column j. */
void msk_op_column_sums(msk_stream *stream, const float *x, size_t rows, size_t dim, float *sums);
/* y[i] = x[index[i]]; y[index[i]] = x[i]. index: host memory, ascending. */
void msk_op_gather_rows(msk_stream *stream, const float *x, const size_t *index, size_t rows,
                        size_t dim, float *y);
void msk_op_scatter_rows(msk_stream *stream, const float *x, const size_t *index, size_t rows,
                         size_t dim, float *y);
/* Gradients of msk_op_embed(). */
void msk_op_embed_backward(msk_stream *stream, const int32_t *ids, const float *dy,
                           size_t vocabulary, size_t batch, size_t tokens, size_t dim,
                           float *dwords, float *dpositions);
/* losses[r] = cross-entropy of row r of the logits with its target, of which `smoothing` is spread
 * over all columns. The logits become weight * the gradient by them. targets: host memory. */
void msk_op_cross_entropy(msk_stream *stream, float *logits, const int32_t *targets, size_t rows,
                          size_t columns, float smoothing, float weight, float *losses);

/* ---- attention ---- */

/* Of msk_op_attention() without mask and read-outs: from dout to dq, dk, dv. q, k, v and their
 * gradients: rows of `stride` and `gradient_stride` floats; dout: of heads * head_dim. The
 * attention is computed again. */
typedef struct msk_attention_backward_args {
  const float *q, *k, *v, *dout;
  size_t stride, gradient_stride;
  size_t batch, tokens, heads, head_dim;
  float scale;
  float *dq, *dk, *dv;
} msk_attention_backward_args;
void msk_op_attention_backward(msk_stream *stream, const msk_attention_backward_args *args);

/* Distances of the attention rows of `pairs` sequences to those of as many others, which lie
 * behind them in q and k: values[pair, head, token], SYMMETRIC_KL or CROSS_ENTROPY (negative half
 * of backend.h's sum). With dq not NULL instead: dq, dk (rows of gradient_stride) of all 2 * pairs
 * sequences += weight[pair, token] * the gradients of the values of every head. */
typedef struct msk_attention_distance_args {
  const float *q, *k;
  size_t stride, gradient_stride;
  size_t pairs, tokens, heads, head_dim;
  float scale;
  msk_distance distance;
  float *values;
  const float *weight;
  float *dq, *dk;
} msk_attention_distance_args;
void msk_op_attention_distance(msk_stream *stream, const msk_attention_distance_args *args);

#endif
