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
 * Device memory is what network code passes around as views (a shape beside each address) and
 * never dereferences. Layout: channels last, C order. Sums run over the contracted index in one
 * fixed order, whatever the thread count, batch size or row: an output depends only on its own
 * inputs. NaN and infinity follow IEEE rules (no fast-math).
 *
 * An operation is msk_op_NAME(stream, what it reads, where it writes). It returns nothing, takes
 * its scratch memory from the stream and tells the stream's meter what it did and how long that
 * took, so that a network's forward (and backward) function is one line an operation, and
 * nothing else.
 *
 * Measuring: while stream->measuring, operations touch no memory but the arguments themselves;
 * they only note the scratch that they would need. A network's function runs once that way, with
 * a measuring arena that hands out addresses at which nothing lies, and then for real with the
 * same sizes: the very same code. Nothing is allocated after that. Sizes that contradict each
 * other are programming errors (assert); foreign data never reaches this layer unchecked. */
#ifndef MSK_COMPUTE_BACKEND_H
#define MSK_COMPUTE_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/pool.h"
#include "masksketch_tools.h"

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
/* A GPU by OpenCL: "gpu" for the first one, "auto", or a name or number (opencl/choice.h), checked
 * against the reference. cache: the folder in which its compiled kernels are kept, made where it is
 * missing; NULL: none. What is done beside it is done by the CPU. What it computes depends on the
 * device and its driver, and on nothing else. MSK_ERROR_DEVICE: there is none, its driver fails, or
 * it computes wrong results. */
msk_status msk_device_create_gpu(msk_device **device, const char *name, const char *cache,
                                 msk_precision precision, const msk_allocator *allocator,
                                 msk_error *error);
/* "cpu", or who drives it and its name. */
const char *msk_device_name(const msk_device *device);
const char *msk_device_isa(const msk_device *device);
const char *msk_device_warning(const msk_device *device);
msk_precision msk_device_precision(const msk_device *device);
/* Linear layers may be given in int8, -127 to 127: the precision is int8, and sums of such products
 * are exact on this set, as they are on a GPU. */
bool msk_device_takes_int8(const msk_device *device);
const msk_allocator *msk_device_allocator(const msk_device *device);

/* A device that measures: what is created on it looks at no weight and has no arrays (their
 * addresses are MSK_NOWHERE), but counts into `tally` the bytes that it would have: held now, and
 * the most that ever were. It is destroyed as anything else. NULL: the device creates. */
typedef struct msk_tally {
  size_t held, most;
  size_t apart; /* in a memory that is the device's own */
} msk_tally;
void msk_device_measure(msk_device *device, msk_tally *tally);
bool msk_device_measures(const msk_device *device);
/* Objects, zeroed, there in either case; and arrays, which are not when measuring. NULL when
 * refused. They are given back with the sizes that they were taken with; NULL is ignored. */
void *msk_device_make(const msk_device *device, size_t count, size_t bytes);
void msk_device_unmake(const msk_device *device, void *object, size_t count, size_t bytes);
void *msk_device_take(const msk_device *device, size_t count, size_t bytes);
void msk_device_give(const msk_device *device, void *memory, size_t count, size_t bytes);
/* Memory that others hold for a creation: pages of a mapped file. */
void msk_device_hold(const msk_device *device, size_t bytes);
void msk_device_drop(const msk_device *device, size_t bytes);
void msk_device_hold_apart(const msk_device *device, size_t bytes);

typedef struct msk_meter msk_meter; /* meter.h */

/* ---- memory ---- */

/* The memory of a device may be apart from the host's: a GPU's. Addresses in views are places in
 * it then, at which nothing lies on this side, and so are a stream's scratch and its arena's
 * base: both lie in a workspace. Results have to be read. */
bool msk_device_is_apart(const msk_device *device);
/* A copy of values (norms, embeddings) that lie on this side and stay there: operations may be
 * given addresses among them. Nothing to do where the memory is one. */
msk_status msk_device_place(const msk_device *device, const float *values, size_t count,
                            msk_error *error);
void msk_device_displace(const msk_device *device, const float *values, size_t count);
/* A stream's memory on a device that is apart, and its way there. */
typedef struct msk_workspace msk_workspace;
msk_status msk_workspace_create(msk_workspace **workspace, const msk_device *device, size_t bytes,
                                msk_error *error);
void msk_workspace_destroy(msk_workspace *workspace, const msk_device *device);
char *msk_workspace_base(const msk_workspace *workspace);

typedef struct msk_stream {
  const msk_device *device;
  msk_workspace *workspace; /* of a device that is apart, else NULL */
  msk_pool *pool;           /* NULL: the caller's thread alone */
  msk_meter *meter;         /* NULL: nobody listens */
  bool measuring;
  int threads; /* measuring: workers to find room for, where there is no pool yet; 0: one */
  size_t scratch_bytes; /* measuring: grows to what is needed; running: what there is */
  void *scratch;
} msk_stream;

/* Copies `count` floats of the host to a place of a device whose memory is apart. */
void msk_stream_write(msk_stream *stream, const float *from, size_t count, float *to);
/* Waits for what was asked of the stream and brings `count` floats to the host's memory; where
 * the memory is one, `to` is `from`. Operations tell nothing, and on a device that is apart they
 * may fail: what failed first is told here, and nothing is brought then. The stream is of no use
 * after that. */
msk_status msk_stream_read(const msk_stream *stream, const float *from, size_t count, float *to,
                           msk_error *error);

/* ---- weights ---- */

/* y = x W + b. W is given as column blocks (q, k, v side by side, say): each in x out row-major,
 * or out x in when `transposed`. Values are finite floats; or, not transposed, binary16 numbers;
 * or, for a device that msk_device_takes_int8(), int8. */
typedef struct msk_linear_part {
  const void *weight;
  const float *bias; /* out floats, or NULL: zeros */
  size_t out;
  bool transposed;
  msk_dtype dtype;     /* F32, F16 in this machine's byte order, I8 */
  bool narrow;         /* of F32: its values are known to be binary16 numbers, for who measures */
  const float *scales; /* of I8: a scale for each column */
} msk_linear_part;
/* INT8: weights of 8 bits with a scale for each column, inputs of 8 bits with scale and zero
 * point for each row, sums exact (docs/precision.md). In this layer an input row with a NaN or
 * infinity gives a row of NaN. */
msk_status msk_linear_create(msk_linear **linear, const msk_device *device, msk_precision precision,
                             size_t in, const msk_linear_part *parts, size_t part_count,
                             msk_pool *pool, msk_error *error);
void msk_linear_destroy(msk_linear *linear);

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
/* 3 x 3, stride 1, by Winograd's method with products of 16 bits: tiles of 6 x 6 pixels of x, four
 * apart, have a scale each; a NaN or infinity in one makes its 4 x 4 pixels of y NaN. */
msk_status msk_conv_create_int16(msk_conv **conv, const msk_device *device, const void *weight,
                                 msk_dtype dtype, const float *bias, size_t in, size_t out,
                                 msk_pool *pool, msk_error *error);
/* Whether it can be, and is faster than float32 on this device. */
bool msk_conv_int16_pays(const msk_device *device, size_t kernel, size_t stride, size_t in,
                         size_t out);
/* int8: in whole numbers, of 8 or 16 bits. */
msk_precision msk_conv_precision(const msk_conv *conv);
/* Whether msk_op_conv() normalises its input on the way. */
bool msk_conv_takes_norm(const msk_conv *conv);
void msk_conv_destroy(msk_conv *conv);

/* codes x dim vectors and their halved squared norms. */
msk_status msk_codebook_create(msk_codebook **codebook, const msk_device *device,
                               const float *vectors, size_t codes, size_t dim, msk_error *error);
void msk_codebook_destroy(msk_codebook *codebook);

/* ---- views ---- */

/* [rows, columns], a row `stride` floats behind the one before. at NULL: there are none. */
typedef struct msk_rows {
  float *at;
  size_t rows, columns, stride;
} msk_rows;

/* [batch, height, width, channels], dense. at NULL: there is none. */
typedef struct msk_map {
  float *at;
  size_t batch, height, width, channels;
} msk_map;

#define MSK_NO_ROWS ((msk_rows){0})
#define MSK_NO_MAP ((msk_map){0})

/* Operations write to the views that they name last, y or out, and to no other: what is only
 * read may be const. */
static inline msk_rows msk_rows_at(const float *at, size_t rows, size_t columns) {
  return (msk_rows){(float *)(uintptr_t)at, rows, columns, columns};
}
/* Columns [first, first + count) of every row. */
static inline msk_rows msk_rows_columns(msk_rows whole, size_t first, size_t count) {
  return (msk_rows){whole.at + first, whole.rows, count, whole.stride};
}
/* Rows [first, first + count). */
static inline msk_rows msk_rows_part(msk_rows whole, size_t first, size_t count) {
  return (msk_rows){whole.at + first * whole.stride, count, whole.columns, whole.stride};
}
static inline msk_map msk_map_at(const float *at, size_t batch, size_t height, size_t width,
                                 size_t channels) {
  return (msk_map){(float *)(uintptr_t)at, batch, height, width, channels};
}
/* A row a pixel. */
static inline msk_rows msk_map_rows(msk_map map) {
  return msk_rows_at(map.at, map.batch * map.height * map.width, map.channels);
}
static inline msk_rows msk_take_rows(msk_arena *arena, size_t rows, size_t columns) {
  size_t count = 0;
  if (!msk_multiply(rows, columns, &count)) arena->overflow = true;
  return msk_rows_at(msk_arena_take(arena, count, sizeof(float)), rows, columns);
}

/* ---- operations ---- */

typedef enum msk_activation {
  MSK_ACT_NONE = 0,
  MSK_ACT_GELU_TANH,
  MSK_ACT_GELU_ERF,
  MSK_ACT_QUICK_GELU
} msk_activation;

/* y = act(x W + b) (+ residual): all columns of the layer, or its first ones, as many as y has.
 * y may be residual, not x. name: what the meter calls it. */
void msk_op_linear(msk_stream *stream, const char *name, const msk_linear *linear, msk_rows x,
                   msk_activation activation, msk_rows residual, msk_rows y);

/* Of layer norms, over a row; of group norms, over the pixels and a group's channels. */
typedef struct msk_norm {
  const float *gamma, *beta; /* [columns or channels] */
  float epsilon;
  size_t groups; /* group norm */
} msk_norm;

/* y = LN(x) * gamma + beta over each row; y may be x. */
void msk_op_layer_norm(msk_stream *stream, msk_rows x, const msk_norm *norm, msk_rows y);

/* Softmax attention, batch x heads at once, without storing N x N unless asked to. q and out:
 * [batch * queries, heads * head_dim], k and v: [batch * tokens, heads * head_dim], a head's
 * columns side by side; as many queries as tokens if causal. v and out may be absent together: only
 * what is read out is computed then. */
typedef struct msk_attention_shape {
  size_t batch, heads;
  float scale; /* of q . k */
  bool causal;
  /* INT8, where it is faster: both products of 8-bit numbers, sums exact (docs/precision.md): a
   * query or key with a NaN or infinity makes all NaN that looks at it, a value its column. */
  msk_precision precision;
} msk_attention_shape;
/* What is read out of it, per (batch, head, query); NULL: not. `score`: likeness of row i's
 * attention P to the target's row T (T shared by the batch), which is row i too, or places[i]:
 *   CROSS_ENTROPY  sum_j T log P + P log T
 *   SYMMETRIC_KL   -sum_j (T - P)(log T - log P)
 *   JENSEN_SHANNON -(KL(T|M) + KL(P|M)) / 2, M = (T + P) / 2, in nats
 * computed from log-softmax: finite for finite logits. */
typedef struct msk_read_out {
  float *maps, *log_maps;           /* [batch, heads, queries, tokens] */
  const float *target, *log_target; /* [heads, tokens, tokens] */
  msk_distance distance;
  float *score;          /* [batch, heads, queries] */
  const int32_t *places; /* [queries], host memory; NULL: as many queries as tokens */
} msk_read_out;
/* reads may be NULL */
void msk_op_attention(msk_stream *stream, const msk_attention_shape *shape, msk_rows q, msk_rows k,
                      msk_rows v, const msk_read_out *reads, msk_rows out);
/* y[b, n] (+)= weight * sum over heads of score[b, h, n] */
void msk_op_head_sum(msk_stream *stream, const float *score, size_t heads, float weight,
                     bool accumulate, msk_rows y);

/* y = conv(nearest-upsampled x) (+ residual); upsample 1 or 2. y may be residual, not x. In 8
 * bits `norm` may say that x is group-normalised, x * sigmoid(x), on its way; else NULL. */
void msk_op_conv(msk_stream *stream, const msk_conv *conv, msk_map x, size_t upsample,
                 const msk_norm *norm, msk_map residual, msk_map y);
/* The map that it makes of x, to lie at `at`. */
msk_map msk_conv_output(const msk_conv *conv, msk_map x, size_t upsample, float *at);

/* Group normalisation over (pixels, channels of a group) of each picture, then x * sigmoid(x) if
 * swish; y may be x. */
void msk_op_group_norm(msk_stream *stream, msk_map x, const msk_norm *norm, bool swish, msk_map y);
/* 2x2 average, stride 2; a cell cut by the border averages what exists. y: ceil(h/2) x
 * ceil(w/2). */
void msk_op_average_pool(msk_stream *stream, msk_map x, msk_map y);
/* r x r pixels -> channels: out channel (dy * r + dx) * channels + c; and back. The larger side
 * is r times the smaller. */
void msk_op_space_to_depth(msk_stream *stream, msk_map x, msk_map y);
void msk_op_depth_to_space(msk_stream *stream, msk_map x, msk_map y);
/* y = bytes / 255, host memory */
void msk_op_pixels(msk_stream *stream, const uint8_t *bytes, msk_map y);
/* y[i] = words[ids[i]] + positions[places[i]], or without places positions[i % positions.rows];
 * MSK_MASK_TOKEN is the last word. ids and places are host memory. */
void msk_op_embed(msk_stream *stream, const int32_t *ids, const int32_t *places, msk_rows words,
                  msk_rows positions, msk_rows y);
/* y[places[i]] = x[i], each place once; places are host memory. The other rows of y stay. */
void msk_op_scatter(msk_stream *stream, const int32_t *places, msk_rows x, msk_rows y);
/* Nearest code in squared Euclidean distance, first on a tie; codes [x.rows] are host memory. */
void msk_op_nearest_code(msk_stream *stream, const msk_codebook *codebook, msk_rows x,
                         int32_t *codes);
/* y[r] = codebook row codes[r] */
void msk_op_lookup_code(msk_stream *stream, const msk_codebook *codebook, const int32_t *codes,
                        msk_rows y);
/* Of dense views. y = x, 0 where x < 0 (NaN stays), y may be x; y = x; y += x. */
void msk_op_relu(msk_stream *stream, msk_rows x, msk_rows y);
void msk_op_copy(msk_stream *stream, msk_rows x, msk_rows y);
void msk_op_add(msk_stream *stream, msk_rows x, msk_rows y);

#endif
