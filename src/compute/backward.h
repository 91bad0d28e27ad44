/* SPDX-License-Identifier: Apache-2.0
 *
 * backward.h - what training needs beside backend.h: linear layers whose weights change from step
 * to step, and the operations that turn the forward ones round. Same rules: views, measuring, sums
 * in one fixed order whatever the thread count. Gradients of weights are added to what is there,
 * gradients of activations replace it, unless said otherwise. */
#ifndef MSK_COMPUTE_BACKWARD_H
#define MSK_COMPUTE_BACKWARD_H

#include "compute/backend.h"

/* ---- bf16 ---- */

/* Whether this device multiplies bf16 numbers faster than floats. */
bool msk_device_bf16_pays(const msk_device *device);
/* From now on the products of linear layers whose weights change and of attention are of bf16
 * numbers: what goes into them is rounded to the nearest, sums are float32's. All else stays
 * float32: weights, gradients, and the attention distances. What was packed before is of no use
 * after it. */
void msk_device_use_bf16(msk_device *device);
bool msk_device_uses_bf16(const msk_device *device);

/* ---- linear layers whose weights change ---- */

/* Floats of a packed matrix of depth x columns. */
size_t msk_panels_floats(const msk_device *device, size_t depth, size_t columns);
/* Matrices of equal rows side by side, packed for x W: depth their rows; or, transposed, for
 * dy W': depth the columns of all of them. panels: 64-byte aligned, msk_panels_floats(). */
void msk_op_pack(msk_stream *stream, const msk_rows *matrices, size_t count, bool transposed,
                 float *panels);
/* y = act(x W + bias) + residual, W as msk_op_pack() left it. bias: or NULL. y may be residual, not
 * x. name: what the meter calls it. */
void msk_op_dense(msk_stream *stream, const char *name, const float *panels, const float *bias,
                  msk_rows x, msk_activation activation, msk_rows residual, msk_rows y);
/* dw += x' dy, db += sum of dy's rows. dw: dense; db: or NULL. */
void msk_op_dense_backward(msk_stream *stream, const char *name, msk_rows x, msk_rows dy,
                           msk_rows dw, float *db);

/* ---- convolutions whose weights change ---- */

/* SAME convolution as msk_conv_create() has it, of the x that was upsampled (1 or 2) before; weight
 * kernel x kernel x in x out, dense. kernel: odd, or 4 with stride 2. */
typedef struct msk_filters {
  size_t kernel, stride, upsample, in, out;
} msk_filters;
/* Floats of their packed form, for the forward pass or, turned, for the gradient by x. */
size_t msk_filters_floats(const msk_device *device, const msk_filters *filters, bool turned);
/* panels: 64-byte aligned. */
void msk_op_pack_filters(msk_stream *stream, const msk_filters *filters, const float *weight,
                         bool turned, float *panels);
/* y = conv(x) + bias + residual; bias: or NULL; y may be residual, not x. */
void msk_op_filters(msk_stream *stream, const msk_filters *filters, const float *panels,
                    const float *bias, msk_map x, msk_map residual, msk_map y);
/* dx = the gradient by what x was upsampled to, + residual. panels: turned. dx may be residual, not
 * dy. */
void msk_op_filters_backward(msk_stream *stream, const msk_filters *filters, const float *panels,
                             msk_map dy, msk_map residual, msk_map dx);
/* dw += , db += ; db: or NULL. */
void msk_op_filters_weights(msk_stream *stream, const msk_filters *filters, msk_map x, msk_map dy,
                            float *dw, float *db);

/* ---- maps ---- */

/* Of msk_op_group_norm(), whose x this is; dgamma and dbeta are added to. dx may be dy. */
void msk_op_group_norm_backward(msk_stream *stream, msk_map x, const msk_norm *norm, bool swish,
                                msk_map dy, float *dgamma, float *dbeta, msk_map dx);
/* Of msk_op_average_pool(), and of nearest upsampling by 2: sums of 2 x 2. */
void msk_op_average_pool_backward(msk_stream *stream, msk_map dy, msk_map dx);
void msk_op_upsample_backward(msk_stream *stream, msk_map dy, msk_map dx);

/* ---- rows ---- */

/* y = gelu(x) in its tanh form. */
void msk_op_gelu(msk_stream *stream, msk_rows x, msk_rows y);
/* y = gelu(x), dx = dy * gelu'(x); dx may be dy. */
void msk_op_gelu_backward(msk_stream *stream, msk_rows x, msk_rows dy, msk_rows y, msk_rows dx);
/* Dense views; dx may be dy. */
void msk_op_layer_norm_backward(msk_stream *stream, msk_rows x, const msk_norm *norm, msk_rows dy,
                                float *dgamma, float *dbeta, msk_rows dx);
/* sums[j] += sum of column j. x: dense. */
void msk_op_column_sums(msk_stream *stream, msk_rows x, float *sums);
/* Of dense views. y = 0; y[i] = x[index[i]]; y[index[i]] = x[i]. index: host memory, no row
 * twice. */
void msk_op_zero(msk_stream *stream, msk_rows y);
void msk_op_gather_rows(msk_stream *stream, msk_rows x, const size_t *index, msk_rows y);
void msk_op_scatter_rows(msk_stream *stream, msk_rows x, const size_t *index, msk_rows y);
/* Gradients of msk_op_embed(). Dense views. */
void msk_op_embed_backward(msk_stream *stream, const int32_t *ids, msk_rows dy, msk_rows dwords,
                           msk_rows dpositions);
/* losses[r] = cross-entropy of row r of the logits with its target, of which `smoothing` is spread
 * over all columns. The logits become weight * the gradient by them. targets: host memory. */
void msk_op_cross_entropy(msk_stream *stream, const int32_t *targets, float smoothing, float weight,
                          float *losses, msk_rows logits);

/* ---- attention ---- */

/* From dout to dq, dk, dv of msk_op_attention() without mask and read-outs. The attention is
 * computed again. q, k, v have one stride, and so have dq, dk, dv. */
void msk_op_attention_backward(msk_stream *stream, const msk_attention_shape *shape, msk_rows q,
                               msk_rows k, msk_rows v, msk_rows dout, msk_rows dq, msk_rows dk,
                               msk_rows dv);
/* Distances of the attention rows of the first half of the batch's sequences to those of the second
 * half: values[batch / 2, heads, tokens]. SYMMETRIC_KL: sum of (a - b)(log a - log b),
 * CROSS_ENTROPY: -(sum of a log b + sum of b log a) / 2. */
void msk_op_attention_distance(msk_stream *stream, const msk_attention_shape *shape,
                               msk_distance distance, msk_rows q, msk_rows k, float *values);
/* dq, dk += weights[batch / 2, tokens] * the gradients of the values of every head. */
void msk_op_attention_distance_backward(msk_stream *stream, const msk_attention_shape *shape,
                                        msk_distance distance, msk_rows q, msk_rows k,
                                        const float *weights, msk_rows dq, msk_rows dk);

#endif
