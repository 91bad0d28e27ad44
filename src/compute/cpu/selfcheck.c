/* SPDX-License-Identifier: Apache-2.0
 *
 * selfcheck.c - a kernel set against the reference at start: each operation once, on a shape
 * that has full and partial vectors and tiles, in about a millisecond. A compiler, an emulator
 * or a hypervisor that gets an instruction wrong is found here, not in a picture. The thorough
 * comparison is tests/compute. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "compute/backward.h"
#include "compute/cpu/cpu.h"

enum {
  ROWS = 35,
  DEPTH = 84,
  COLUMNS = 41,
  SIDE = 6,
  CHANNELS = 36,
  TOKENS = 37,
  HEADS = 2,
  HEAD_DIM = 20
};
enum {
  HIDDEN = HEADS * HEAD_DIM,
  LARGEST = 9 * CHANNELS * CHANNELS,
  RESULTS = 2 * SIDE * SIDE * CHANNELS + TOKENS * HIDDEN,
  SCRATCH_BYTES = 1 << 20
};

/* Everything that an operation is given, and room for what two sets make of it. */
typedef struct trial {
  float x[3 * TOKENS * HIDDEN], weight[LARGEST], bias[128], target[HEADS * TOKENS * TOKENS],
      log_target[HEADS * TOKENS * TOKENS];
  float results[2][RESULTS];
  _Alignas(MSK_ALIGNMENT) char scratch[SCRATCH_BYTES];
} trial;

/* Runs an operation on a device into `y`, which was zero; returns false where memory is missing. */
typedef bool check_run(const msk_device *device, msk_stream *stream, const trial *b, float *y);

static float next_value(unsigned *state) {
  *state = *state * 1664525 + 1013904223;
  return (float)(*state >> 8) / 8388608.0f - 1.0f;
}

static void fill(trial *b) {
  unsigned state = 1;
  for (size_t i = 0; i < sizeof b->x / sizeof(float); i++) b->x[i] = next_value(&state);
  /* Weights that binary16 holds exactly: linear layers keep them so. */
  for (size_t i = 0; i < sizeof b->weight / sizeof(float); i++)
    b->weight[i] = rintf(next_value(&state) * 512.0f) / 512.0f;
  for (size_t i = 0; i < sizeof b->bias / sizeof(float); i++) b->bias[i] = next_value(&state);
  for (size_t i = 0; i < sizeof b->target / sizeof(float); i++) {
    b->target[i] = 1.0f / TOKENS;
    b->log_target[i] = logf(1.0f / TOKENS);
  }
}

static bool run_layers(const msk_device *device, msk_stream *stream, const trial *b, float *y,
                       msk_precision precision) {
  msk_linear *linear = NULL;
  const msk_linear_part part = {.weight = b->weight, .bias = b->bias, .out = COLUMNS};
  if (msk_linear_create(&linear, device, precision, DEPTH, &part, 1, NULL, NULL) != MSK_OK)
    return false;
  msk_rows x = msk_rows_at(b->x, ROWS, DEPTH), to = msk_rows_at(y, ROWS, COLUMNS),
           residual = msk_rows_at(b->x, ROWS, COLUMNS);
  for (int activation = MSK_ACT_NONE; activation <= MSK_ACT_QUICK_GELU; activation++) {
    msk_op_linear(stream, "linear", linear, x, (msk_activation)activation, residual, to);
    residual = to; /* each activation adds to what the ones before have left */
  }
  msk_linear_destroy(linear);
  return true;
}

static bool run_linear(const msk_device *device, msk_stream *stream, const trial *b, float *y) {
  return run_layers(device, stream, b, y, MSK_PRECISION_FP32);
}

static bool run_int8(const msk_device *device, msk_stream *stream, const trial *b, float *y) {
  return run_layers(device, stream, b, y, MSK_PRECISION_INT8);
}

/* Training's products of bf16 numbers: a layer, and the gradient of one with fewer columns. */
static bool run_pairs(const msk_device *device, msk_stream *stream, const trial *b, float *y) {
  enum { FEW = 20 };
  msk_device narrow = *device;
  narrow.bf16 = true;
  float *panels =
      msk_allocate(device->allocator, msk_panels_floats(&narrow, DEPTH, COLUMNS), sizeof *panels);
  msk_rows x = msk_rows_at(b->x, ROWS, DEPTH), w = msk_rows_at(b->weight, DEPTH, COLUMNS);
  if (panels == NULL) return false;
  stream->device = &narrow;
  msk_op_pack(stream, &w, 1, false, panels);
  msk_op_dense(stream, "bf16", panels, b->bias, x, MSK_ACT_NONE, MSK_NO_ROWS,
               msk_rows_at(y, ROWS, COLUMNS));
  msk_op_dense_backward(stream, "bf16", x, msk_rows_at(b->weight, ROWS, FEW),
                        msk_rows_at(y + ROWS * COLUMNS, DEPTH, FEW), NULL);
  stream->device = device;
  msk_free(device->allocator, panels);
  return true;
}

static bool run_conv_to(const msk_device *device, msk_stream *stream, const trial *b, float *y,
                        size_t out) {
  msk_conv *conv = NULL;
  if (msk_conv_create(&conv, device, b->weight, MSK_DTYPE_F32, b->bias, 3, 1, CHANNELS, out, NULL,
                      NULL) != MSK_OK)
    return false;
  msk_map x = msk_map_at(b->x, 1, SIDE, SIDE, CHANNELS);
  msk_op_conv(stream, conv, x, 1, NULL, MSK_NO_MAP, msk_conv_output(conv, x, 1, y));
  msk_conv_destroy(conv);
  return true;
}

static bool run_conv(const msk_device *device, msk_stream *stream, const trial *b, float *y) {
  return run_conv_to(device, stream, b, y, CHANNELS) &&
         run_conv_to(device, stream, b, y + SIDE * SIDE * CHANNELS, 3);
}

/* A picture, and one a quarter of it that is enlarged. */
static bool run_conv_int8(const msk_device *device, msk_stream *stream, const trial *b, float *y) {
  for (size_t upsample = 1; upsample <= 2; upsample++) {
    msk_conv *conv = NULL;
    if (msk_conv_create_int8(&conv, device, b->weight, MSK_DTYPE_F32, b->bias, upsample, CHANNELS,
                             CHANNELS, NULL, NULL) != MSK_OK)
      return false;
    msk_map x = msk_map_at(b->x, 1, SIDE / upsample, SIDE / upsample, CHANNELS),
            to = msk_map_at(y + (upsample - 1) * SIDE * SIDE * CHANNELS, 1, SIDE, SIDE, CHANNELS);
    msk_op_conv(stream, conv, x, upsample, NULL, MSK_NO_MAP, to);
    msk_conv_destroy(conv);
  }
  return true;
}

/* By Winograd's method with products of 16 bits, also where that is no faster; the reference, which
 * has no such, in float32. */
static bool run_conv_int16(const msk_device *device, msk_stream *stream, const trial *b, float *y) {
  msk_conv *conv = NULL;
  bool tiled = device->kernels.winograd_input != NULL;
  msk_status status = tiled ? msk_conv_create_int16(&conv, device, b->weight, MSK_DTYPE_F32,
                                                    b->bias, CHANNELS, CHANNELS, NULL, NULL)
                            : msk_conv_create(&conv, device, b->weight, MSK_DTYPE_F32, b->bias, 3,
                                              1, CHANNELS, CHANNELS, NULL, NULL);
  if (status != MSK_OK) return false;
  msk_map x = msk_map_at(b->x, 1, SIDE, SIDE, CHANNELS);
  msk_op_conv(stream, conv, x, 1, NULL, MSK_NO_MAP, msk_conv_output(conv, x, 1, y));
  msk_conv_destroy(conv);
  return true;
}

static void attend(msk_stream *stream, const trial *b, float *y, msk_precision precision) {
  float scores[HEADS * TOKENS] = {0};
  const msk_attention_shape shape = {
      .batch = 1, .heads = HEADS, .scale = 1.0f, .precision = precision};
  msk_rows qkv = msk_rows_at(b->x, TOKENS, 3 * HIDDEN), q = msk_rows_columns(qkv, 0, HIDDEN),
           k = msk_rows_columns(qkv, HIDDEN, HIDDEN), v = msk_rows_columns(qkv, 2 * HIDDEN, HIDDEN);
  for (int distance = MSK_DISTANCE_CROSS_ENTROPY; distance <= MSK_DISTANCE_JENSEN_SHANNON;
       distance++) {
    const msk_read_out reads = {.target = b->target,
                                .log_target = b->log_target,
                                .distance = (msk_distance)distance,
                                .score = scores};
    msk_op_attention(stream, &shape, q, k, v, &reads, msk_rows_at(y, TOKENS, HIDDEN));
    for (size_t i = 0; i < HEADS * TOKENS && !stream->measuring; i++)
      y[TOKENS * HIDDEN + i] += scores[i];
  }
}

static bool run_attention(const msk_device *device, msk_stream *stream, const trial *b, float *y) {
  (void)device;
  attend(stream, b, y, MSK_PRECISION_FP32);
  return true;
}

/* In 8 bits also where that is no faster. */
static bool run_attention_int8(const msk_device *device, msk_stream *stream, const trial *b,
                               float *y) {
  msk_device eager = *device;
  eager.kernels.int8_rate = 4;
  stream->device = &eager;
  attend(stream, b, y, MSK_PRECISION_INT8);
  stream->device = device;
  return true;
}

static bool run_norms(const msk_device *device, msk_stream *stream, const trial *b, float *y) {
  (void)device;
  const msk_norm norm = {b->weight, b->bias, 1e-6f, 4};
  msk_op_layer_norm(stream, msk_rows_at(b->x, ROWS, CHANNELS + 1), &norm,
                    msk_rows_at(y, ROWS, CHANNELS + 1));
  msk_op_group_norm(stream, msk_map_at(b->x, 1, SIDE, SIDE, CHANNELS), &norm, true,
                    msk_map_at(y + ROWS * (CHANNELS + 1), 1, SIDE, SIDE, CHANNELS));
  return true;
}

/* What values of size at most 1 may differ by: summands of the longest chain, twice, times the
 * largest partial sum. */
static const struct {
  const char *name;
  check_run *run;
  float tolerance;
} checks[] = {
    {"linear", run_linear, 2 * (DEPTH + 20) * (FLT_EPSILON / 2) * (DEPTH + 4)},
    {"int8", run_int8, 2 * 20 * (FLT_EPSILON / 2) * (DEPTH + 4)},
    {"bf16", run_pairs, 2 * (DEPTH + 20) * (FLT_EPSILON / 2) * (DEPTH + 4)},
    {"convolution", run_conv,
     /* Winograd's factor, at a typical sum */
     2 * 16 * (9 * CHANNELS + 20) * (FLT_EPSILON / 2) * 9 * CHANNELS / 10},
    {"int8 convolution", run_conv_int8, 2 * 20 * (FLT_EPSILON / 2) * 9 * CHANNELS / 4},
    /* five times what numbers of 14 bits were seen to be off by */
    {"int16 convolution", run_conv_int16, 0.1f},
    {"attention", run_attention, 2 * (HEAD_DIM + TOKENS + 20) * (FLT_EPSILON / 2) * HEAD_DIM * 4},
    /* weights that lie between two codes may fall either way */
    {"int8 attention", run_attention_int8, 2 / 255.0f},
    {"normalisation", run_norms, 2 * (SIDE * SIDE + 40) * (FLT_EPSILON / 2) * 8},
};

static bool run_twice(check_run *run, const msk_device *device, trial *b, float *y) {
  msk_stream stream = {.device = device, .measuring = true};
  memset(y, 0, RESULTS * sizeof(float));
  if (!run(device, &stream, b, y)) return false;
  assert(stream.scratch_bytes <= SCRATCH_BYTES);
  stream.measuring = false;
  stream.scratch = b->scratch;
  return run(device, &stream, b, y);
}

static bool alike(const trial *b, float tolerance) {
  for (size_t i = 0; i < RESULTS; i++) {
    if (!(fabsf(b->results[0][i] - b->results[1][i]) <= tolerance)) return false;
  }
  return true;
}

msk_status msk_selfcheck(const msk_device *device, const char **wrong, msk_error *error) {
  msk_device reference = *device;
  trial *b = msk_allocate(device->allocator, 1, sizeof *b);
  bool complete = b != NULL;
  msk_kernels_ref(&reference.kernels);
  /* weights are quantised up to the limit: only with the same one are the bytes the same */
  reference.kernels.weight_limit = device->kernels.weight_limit;
  *wrong = NULL;
  if (complete) fill(b);
  for (size_t i = 0; complete && *wrong == NULL && i < sizeof checks / sizeof *checks; i++) {
    complete = run_twice(checks[i].run, &reference, b, b->results[0]) &&
               run_twice(checks[i].run, device, b, b->results[1]);
    if (complete && !alike(b, checks[i].tolerance)) *wrong = checks[i].name;
  }
  msk_free(device->allocator, b);
  return complete ? MSK_OK
                  : msk_fail(error, MSK_ERROR_MEMORY, "not enough memory to check the kernels");
}
