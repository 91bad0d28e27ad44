/* SPDX-License-Identifier: Apache-2.0
 *
 * backend.h - the operations in which every network here is written. The only place that knows
 * the device.
 *
 *   msk_device   immutable: kernel table of one instruction set, precision; belongs to a model,
 *                shared by its sessions
 *   msk_stream   a session's way to the device: thread pool and scratch memory; one user at a
 *                time
 *   msk_linear, msk_conv, msk_codebook   weights packed for the device, immutable
 *
 * Device memory is float* that network code passes around and never dereferences. Layout:
 * channels last, C order; [B,N,D] rows are contiguous unless a stride (in floats) is given. Sums
 * run over the contracted index in one fixed order, whatever the thread count, batch size or
 * row: an output depends only on its own inputs. NaN and infinity follow IEEE rules (no
 * fast-math).
 *
 * Measuring: while stream->measuring, operations compute nothing, may be given NULL buffers, and
 * only note the scratch memory they would need; a network's forward function runs once that way
 * with a measuring arena, and then for real with the same sizes. Nothing is allocated after
 * that. Sizes that contradict each other are programming errors (assert); foreign data never
 * reaches this layer unchecked. */
#ifndef MSK_COMPUTE_BACKEND_H
#define MSK_COMPUTE_BACKEND_H

#include <stdbool.h>

#include "base/memory.h"
#include "base/pool.h"
#include "masksketch.h"

typedef struct msk_device msk_device;
typedef struct msk_linear msk_linear;
typedef struct msk_conv msk_conv;
typedef struct msk_codebook msk_codebook;

/* isa NULL: environment variable MASKSKETCH_ISA if set, else the best that the machine has and
 * whose kernels pass a check of a millisecond against the reference; those that fail it are
 * named in msk_device_warning (NULL: none). A named set that fails it: MSK_ERROR_UNSUPPORTED.
 * Unknown or unavailable: MSK_ERROR_ARGUMENT naming the available ones. */
msk_status msk_device_create(msk_device **device, const char *isa, msk_precision precision,
                             const msk_allocator *allocator, msk_error *error);
void msk_device_destroy(msk_device *device);
const char *msk_device_isa(const msk_device *device);
const char *msk_device_warning(const msk_device *device);
msk_precision msk_device_precision(const msk_device *device);
/* Linear layers may be given as codes of -127 to 127: the precision is int8, and products of
 * such codes are exact on this set. */
bool msk_device_takes_codes(const msk_device *device);
const msk_allocator *msk_device_allocator(const msk_device *device);

typedef struct msk_meter msk_meter; /* meter.h */

typedef struct msk_stream {
  const msk_device *device;
  msk_pool *pool;   /* NULL: the caller's thread alone */
  msk_meter *meter; /* NULL: nobody listens */
  bool measuring;
  size_t scratch_bytes; /* measuring: grows to what is needed; running: what there is */
  void *scratch;
} msk_stream;

/* ---- weights ---- */

/* y = x W + b. W is given as column blocks (q, k, v side by side, say): each in x out row-major,
 * or out x in when `transposed`. Values are finite floats; or, not transposed, binary16 numbers;
 * or, for a device that msk_device_takes_codes(), codes. */
typedef struct msk_linear_part {
  const void *weight;
  const float *bias; /* out floats, or NULL: zeros */
  size_t out;
  bool transposed;
  msk_dtype dtype;     /* F32, F16 in this machine's byte order, I8 */
  const float *scales; /* of I8: a scale for each column */
} msk_linear_part;
/* INT8: weights of 8 bits with a scale for each column, inputs of 8 bits with scale and zero
 * point for each row, sums exact (docs/precision.md). In this layer an input row with a NaN or
 * infinity gives a row of NaN. */
msk_status msk_linear_create(msk_linear **linear, const msk_device *device, msk_precision precision,
                             size_t in, const msk_linear_part *parts, size_t part_count,
                             msk_pool *pool, msk_error *error);
void msk_linear_destroy(msk_linear *linear);
size_t msk_linear_in(const msk_linear *linear);
size_t msk_linear_out(const msk_linear *linear);
size_t msk_linear_bytes(const msk_linear *linear);
/* What it would have of a layer with these sizes. halves: every weight is a binary16 number. */
size_t msk_linear_plan(const msk_device *device, msk_precision precision, size_t in, size_t out,
                       bool halves);

/* SAME convolution, weight kernel x kernel x in x out (HWIO), stride 1 or 2 (XLA's SAME: padding
 * split with the larger half behind). kernel 1..4. dtype F32 or F16. */
msk_status msk_conv_create(msk_conv **conv, const msk_device *device, const void *weight,
                           msk_dtype dtype, const float *bias, size_t kernel, size_t stride,
                           size_t in, size_t out, msk_pool *pool, msk_error *error);
/* 3 x 3, stride 1, in 8 bits, as linear layers are but with a scale and zero point for each row
 * of x's pixels; for this upsampling alone. in: a multiple of 4. A row of pixels with a NaN or
 * infinity makes the rows of y that see it NaN. */
msk_status msk_conv_create_int8(msk_conv **conv, const msk_device *device, const void *weight,
                                msk_dtype dtype, const float *bias, size_t upsample, size_t in,
                                size_t out, msk_pool *pool, msk_error *error);
/* Whether it can be, and is faster than float32 on this device. */
bool msk_conv_int8_pays(const msk_device *device, size_t kernel, size_t stride, size_t upsample,
                        size_t in, size_t out);
msk_precision msk_conv_precision(const msk_conv *conv);
void msk_conv_destroy(msk_conv *conv);
size_t msk_conv_bytes(const msk_conv *conv);
size_t msk_conv_plan(const msk_device *device, size_t kernel, size_t stride, size_t in, size_t out,
                     bool halves);
/* meanwhile: bytes that its creation takes beside them. */
size_t msk_conv_int8_plan(const msk_device *device, size_t upsample, size_t in, size_t out,
                          size_t *meanwhile);
void msk_conv_sizes(const msk_conv *conv, size_t *kernel, size_t *in, size_t *out);

/* codes x dim vectors and their halved squared norms. */
msk_status msk_codebook_create(msk_codebook **codebook, const msk_device *device,
                               const float *vectors, size_t codes, size_t dim, msk_error *error);
void msk_codebook_destroy(msk_codebook *codebook);

/* ---- operations ---- */

typedef enum msk_activation {
  MSK_ACT_NONE = 0,
  MSK_ACT_GELU_TANH,
  MSK_ACT_GELU_ERF,
  MSK_ACT_QUICK_GELU
} msk_activation;

/* y[r, 0..columns) = act(x[r] W + b) (+ residual[r]); columns 0: all. y may equal residual, not
 * x. Strides in floats (0: dense). */
typedef struct msk_linear_args {
  const msk_linear *linear;
  const float *x;
  float *y;
  const float *residual;
  size_t rows, x_stride, y_stride, residual_stride, columns;
  msk_activation activation;
} msk_linear_args;
void msk_op_linear(msk_stream *stream, const msk_linear_args *args);

/* y = LN(x) * gamma + beta over the last dimension; x = y allowed. */
void msk_op_layer_norm(msk_stream *stream, const float *x, const float *gamma, const float *beta,
                       float epsilon, size_t rows, size_t dim, float *y);

/* Softmax attention, batch x heads at once, without storing N x N unless asked to. q, k, v: rows
 * of `stride` floats, head h at column h * head_dim. Structure read-out, per (batch, head,
 * token): `score` = likeness of row i's attention P to the target's row T (T shared by the
 * batch):
 *   CROSS_ENTROPY  sum_j T log P + P log T
 *   SYMMETRIC_KL   -sum_j (T - P)(log T - log P)
 *   JENSEN_SHANNON -(KL(T|M) + KL(P|M)) / 2, M = (T + P) / 2, in nats
 * computed from log-softmax: finite for finite logits. */
typedef struct msk_attention_args {
  const float *q, *k, *v; /* v NULL with out NULL: score or maps only */
  size_t stride, out_stride;
  size_t batch, tokens, heads, head_dim;
  float scale;
  bool causal;
  float *out;                       /* [batch*tokens, heads*head_dim] */
  float *maps, *log_maps;           /* [batch, heads, tokens, tokens] or NULL */
  const float *target, *log_target; /* [heads, tokens, tokens] or NULL */
  msk_distance distance;
  float *score; /* [batch, heads, tokens] or NULL */
} msk_attention_args;
void msk_op_attention(msk_stream *stream, const msk_attention_args *args);

/* Group normalisation over (pixels, channels of a group) of each picture, then x * sigmoid(x). */
typedef struct msk_norm {
  const float *gamma, *beta;
  float epsilon;
  size_t groups;
} msk_norm;

/* y[b, h * up, w * up, out] = conv(nearest-upsampled x) (+ residual, y's shape); upsample 1 or
 * 2. y may equal residual, not x. In 8 bits `norm` may say that x is normalised on its way. */
typedef struct msk_conv_args {
  const msk_conv *conv;
  const float *x;
  float *y;
  const float *residual;
  size_t batch, height, width; /* of x */
  size_t upsample;
  const msk_norm *norm; /* or NULL */
} msk_conv_args;
void msk_op_conv(msk_stream *stream, const msk_conv_args *args);
/* Output sides of a convolution. */
void msk_conv_output(const msk_conv *conv, size_t height, size_t width, size_t upsample,
                     size_t *out_height, size_t *out_width);

/* Group normalisation over (pixels, channels of a group) of each picture, then x * sigmoid(x) if
 * swish; y = x allowed. */
void msk_op_group_norm(msk_stream *stream, const float *x, const float *gamma, const float *beta,
                       float epsilon, size_t groups, bool swish, size_t batch, size_t pixels,
                       size_t channels, float *y);
/* 2x2 average, stride 2; a cell cut by the border averages what exists. y: ceil(h/2) x
 * ceil(w/2). */
void msk_op_average_pool(msk_stream *stream, const float *x, size_t batch, size_t height,
                         size_t width, size_t channels, float *y);
/* r x r pixels -> channels: out channel (dy * r + dx) * channels + c; and back. height, width of
 * the larger side, multiples of r. */
void msk_op_space_to_depth(msk_stream *stream, const float *x, size_t batch, size_t height,
                           size_t width, size_t channels, size_t r, float *y);
void msk_op_depth_to_space(msk_stream *stream, const float *x, size_t batch, size_t height,
                           size_t width, size_t channels, size_t r, float *y);
/* y[b, n] = words[id] + positions[n]; MSK_MASK_TOKEN is the last of `vocabulary` rows. ids are
 * host memory. */
void msk_op_embed(msk_stream *stream, const int32_t *ids, const float *words,
                  const float *positions, size_t vocabulary, size_t batch, size_t tokens,
                  size_t dim, float *y);
/* Nearest code in squared Euclidean distance, first on a tie; codes are host memory. */
void msk_op_nearest_code(msk_stream *stream, const msk_codebook *codebook, const float *x,
                         size_t rows, int32_t *codes);
/* y[r] = codebook row codes[r] */
void msk_op_lookup_code(msk_stream *stream, const msk_codebook *codebook, const int32_t *codes,
                        size_t rows, float *y);
/* y = x, 0 where x < 0 (NaN stays); y = x allowed. */
void msk_op_relu(msk_stream *stream, const float *x, size_t count, float *y);
/* y = x; y += x; y[b, n] (+)= weight * sum over heads of score[b, h, n] */
void msk_op_copy(msk_stream *stream, const float *x, size_t count, float *y);
void msk_op_add(msk_stream *stream, const float *x, size_t count, float *y);
void msk_op_head_sum(msk_stream *stream, const float *score, size_t batch, size_t heads,
                     size_t tokens, float weight, bool accumulate, float *y);

#endif
