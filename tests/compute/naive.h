/* SPDX-License-Identifier: Apache-2.0
 *
 * naive.h - what the compute tests share: the operations written once more, in float64, from
 * their definitions; guarded buffers; and a way to run an operation with exactly the scratch
 * memory that it asked for. Header only; test code. */
#ifndef MSK_TEST_COMPUTE_NAIVE_H
#define MSK_TEST_COMPUTE_NAIVE_H

#include <float.h>
#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

#include "compute/backward.h"
#include "compute/cpu/cpu.h"
#include "support.h"
#include "tensor/weight_file.h"

#define UNIT (FLT_EPSILON / 2) /* unit roundoff of float32 */

/* ---- guarded buffers ---- */

enum { GUARD = 64 }; /* floats on either side, a pattern that no result has */
static const float GUARD_VALUE = -1.2345678e30f;

/* `count` floats, NaN, between guards. */
static inline float *guarded_new(size_t count) {
  float *memory = aligned_alloc(64, ((count + 2 * GUARD) * sizeof(float) + 63) / 64 * 64);
  assert_non_null(memory);
  for (size_t i = 0; i < GUARD; i++) memory[i] = memory[GUARD + count + i] = GUARD_VALUE;
  for (size_t i = 0; i < count; i++) memory[GUARD + i] = NAN;
  return memory + GUARD;
}

static inline void guarded_check(const float *buffer, size_t count) {
  for (size_t i = 0; i < GUARD; i++) {
    assert_true(buffer[(ptrdiff_t)i - GUARD] == GUARD_VALUE);
    assert_true(buffer[count + i] == GUARD_VALUE);
  }
}

static inline void guarded_free(float *buffer) { free(buffer - GUARD); }

static inline float *random_new(size_t count, uint64_t seed, float scale) {
  float *values = guarded_new(count);
  for (size_t i = 0; i < count; i++)
    values[i] = scale * (test_uniform(&seed, -1, 1) + test_uniform(&seed, -1, 1));
  return values;
}

/* `bytes` that end at a page which may not be touched: reading or writing one too many is a
 * crash. */
static inline void *paged_new(size_t bytes) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (bytes + page - 1) / page * page;
  char *memory =
      mmap(NULL, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(memory != MAP_FAILED);
  memset(memory, 0xFF, whole); /* NaN */
  assert_int_equal(mprotect(memory + whole, page, PROT_NONE), 0);
  return memory + whole - bytes;
}

static inline void paged_free(void *memory, size_t bytes) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (bytes + page - 1) / page * page;
  munmap((char *)memory + bytes - whole, whole + page);
}

/* |found - expected| <= tolerance, element by element; NaN equals NaN, infinities equal
 * themselves. */
static inline void check_value(double found, double expected, double tolerance, const char *what,
                               size_t i) {
  if (isnan(expected)   ? isnan(found)
      : isinf(expected) ? found == expected
                        : fabs(found - expected) <= tolerance)
    return;
  fail_msg("%s[%zu]: %.9g, expected %.9g within %.3g", what, i, found, expected, tolerance);
}

/* ---- running ---- */

typedef void operation(msk_stream *stream, const void *arguments);

static inline msk_device *device_new(const char *isa) {
  msk_device *device;
  msk_error error;
  assert_int_equal(msk_device_create(&device, isa, MSK_PRECISION_FP32, NULL, &error), MSK_OK);
  return device;
}

/* Makes a layer of these weights, and destroys it. */
typedef msk_status make_layer(const msk_device *device, const float *weight, msk_error *error);
/* One allocation of a device and of such a layer fails after the other: that is an error of memory,
 * and nothing is left. Returns the first number of one that is not asked for. */
static inline long fail_allocations(msk_precision precision, make_layer *make,
                                    const float *weight) {
  for (long k = 1;; k++) {
    counting_allocator counting;
    counting_allocator_init(&counting);
    counting.fail_at = k;
    msk_error error;
    msk_device *device = NULL;
    msk_status status = msk_device_create(&device, NULL, precision, &counting.allocator, &error);
    if (status == MSK_OK) status = make(device, weight, &error);
    msk_device_destroy(device);
    assert_int_equal(counting.live, 0);
    if (status == MSK_OK) return k;
    assert_int_equal(status, MSK_ERROR_MEMORY);
  }
}

/* On every instruction set that this machine has. */
static inline void for_each_isa(void (*test)(const msk_device *device)) {
  int count = 0;
  for (; msk_isa_name(count) != NULL; count++) {
    msk_device *device = device_new(msk_isa_name(count));
    assert_string_equal(msk_device_isa(device), msk_isa_name(count));
    test(device);
    msk_device_destroy(device);
  }
  assert_true(count > 0);
}

/* The same with products of bf16 numbers. */
static inline void for_each_isa_in_bf16(void (*test)(const msk_device *device)) {
  for (int i = 0; msk_isa_name(i) != NULL; i++) {
    msk_device *device = device_new(msk_isa_name(i));
    assert_false(msk_device_uses_bf16(device));
    msk_device_use_bf16(device);
    test(device);
    msk_device_destroy(device);
  }
}

/* Measures as a session does, without workers; then runs with exactly that scratch, NaN inside and
 * guards behind. */
static inline void run_operation(const msk_device *device, int threads, operation *function,
                                 const void *arguments) {
  msk_stream stream = {.device = device, .measuring = true, .threads = threads};
  function(&stream, arguments);
  if (threads > 1) assert_int_equal(msk_pool_create(&stream.pool, threads, NULL, NULL), MSK_OK);
  size_t floats = (stream.scratch_bytes + 3) / 4;
  float *scratch = guarded_new(floats);
  stream.measuring = false;
  stream.scratch = scratch;
  function(&stream, arguments);
  guarded_check(scratch, floats);
  guarded_free(scratch);
  msk_pool_destroy(stream.pool);
}

/* What an operation is asked, as the tests put it; strides in floats (0: dense). */
typedef struct linear_args {
  const msk_linear *linear;
  const float *x;
  float *y;
  const float *residual;
  size_t rows, x_stride, y_stride, residual_stride, columns;
  msk_activation activation;
} linear_args;

static inline msk_rows strided_rows(const float *at, size_t rows, size_t columns, size_t stride) {
  msk_rows view = msk_rows_at(at, rows, columns);
  if (stride != 0) view.stride = stride;
  return view;
}

static inline void do_linear(msk_stream *stream, const void *arguments) {
  const linear_args *a = arguments;
  size_t columns = a->columns == 0 ? a->linear->out : a->columns;
  msk_op_linear(stream, "linear", a->linear,
                strided_rows(a->x, a->rows, a->linear->in, a->x_stride), a->activation,
                strided_rows(a->residual, a->rows, columns, a->residual_stride),
                strided_rows(a->y, a->rows, columns, a->y_stride));
}

/* conv: of this shape, once it is there. in_place: the residual is where y will be. */
struct conv_case {
  const msk_conv *conv;
  size_t kernel, stride, upsample, in, out, height, width, batch;
  bool bias, residual, in_place;
};

/* The i-th of many, every other one 3 x 3; sizes around those of vectors and tiles. */
static inline struct conv_case conv_case_random(size_t i, uint64_t *seed) {
  static const size_t sides[] = {1, 2, 3, 4, 5, 7, 8, 9, 13, 16},
                      channels[] = {1, 2, 3, 4, 8, 12, 15, 16, 17, 24, 32, 33, 40, 64, 65};
  const uint64_t pick = test_random(seed);
  struct conv_case c = {.kernel = i % 2 ? 3 : 1 + pick % 4,
                        .stride = i % 2 ? 1 + (i % 8 == 7) : 1 + (pick >> 8) % 2,
                        .in = channels[(pick >> 10) % 15],
                        .out = channels[(pick >> 15) % 15],
                        .height = sides[(pick >> 20) % 10],
                        .width = sides[(pick >> 25) % 10],
                        .batch = 1 + (pick >> 30) % 2,
                        .bias = pick >> 31 & 1,
                        .residual = pick >> 32 & 1,
                        .in_place = pick >> 34 & 1};
  c.upsample = c.stride == 1 ? 1 + (pick >> 33) % 2 : 1;
  return c;
}

typedef struct conv_args {
  const msk_conv *conv;
  const float *x;
  float *y;
  const float *residual;
  size_t batch, height, width, upsample;
  const msk_norm *norm;
} conv_args;

static inline void do_conv(msk_stream *stream, const void *arguments) {
  const conv_args *a = arguments;
  msk_map x = msk_map_at(a->x, a->batch, a->height, a->width, a->conv->head.in),
          y = msk_conv_output(a->conv, x, a->upsample, a->y), residual = y;
  residual.at = (float *)(uintptr_t)a->residual;
  msk_op_conv(stream, a->conv, x, a->upsample, a->norm, residual, y);
}

typedef struct attention_args {
  const float *q, *k, *v;
  size_t stride, out_stride, batch, tokens, heads, head_dim;
  float scale;
  bool causal;
  float *out, *maps, *log_maps;
  const float *target, *log_target;
  msk_distance distance;
  float *score;
  size_t queries; /* of each sequence; 0: as many as tokens */
  const int32_t *places;
  msk_precision precision;
} attention_args;

static inline void do_attention(msk_stream *stream, const void *arguments) {
  const attention_args *a = arguments;
  size_t rows = a->batch * a->tokens, width = a->heads * a->head_dim,
         queries = a->queries == 0 ? rows : a->batch * a->queries;
  const msk_attention_shape shape = {a->batch, a->heads, a->scale, a->causal, a->precision};
  const msk_read_out reads = {a->maps,     a->log_maps, a->target, a->log_target,
                              a->distance, a->score,    a->places};
  msk_op_attention(stream, &shape, strided_rows(a->q, queries, width, a->stride),
                   strided_rows(a->k, rows, width, a->stride),
                   strided_rows(a->v, rows, width, a->stride), &reads,
                   strided_rows(a->out, queries, width, a->out_stride));
}

/* ---- float64 definitions ---- */

static inline double naive_activation(double x, msk_activation activation) {
  switch (activation) {
    case MSK_ACT_NONE: return x;
    case MSK_ACT_GELU_TANH:
      return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
    case MSK_ACT_GELU_ERF: return 0.5 * x * (1 + erf(x / sqrt(2)));
    case MSK_ACT_QUICK_GELU: return x / (1 + exp(-1.702 * x));
  }
  return NAN;
}

/* A row in 8 bits, by the definition (docs/precision.md). */
struct codes {
  double scale;
  long zero, q[1024];
};

static inline void naive_codes(const float *x, size_t n, struct codes *codes) {
  float low = 0, high = 0;
  for (size_t k = 0; k < n; k++) low = fminf(low, x[k]), high = fmaxf(high, x[k]);
  float range = high - low, inverse = 255.0f / range;
  codes->scale = range / 255.0f;
  codes->zero = lrintf(-low * inverse);
  for (size_t k = 0; k < n; k++) {
    long q = lrintf(x[k] * inverse) + codes->zero;
    codes->q[k] = q < 0 ? 0 : q > 255 ? 255 : q;
  }
}

/* A sum of products and the sum of their sizes, from which its rounding error is bounded. */
typedef struct naive_sum {
  double value, size;
} naive_sum;

/* Output (oy, ox, o) of a SAME convolution by XLA's definition: pad, dilate nothing, slide. x is
 * the (explicitly upsampled) picture. */
typedef struct naive_conv {
  const float *x, *weight;
  size_t height, width, in, out, kernel, stride;
} naive_conv;

static inline naive_sum naive_conv_at(const naive_conv *conv, size_t oy, size_t ox, size_t o) {
  long side[2] = {(long)conv->height, (long)conv->width}, low[2];
  for (int axis = 0; axis < 2; axis++) {
    long stride = (long)conv->stride, outputs = (side[axis] + stride - 1) / stride;
    long padding = (outputs - 1) * stride + (long)conv->kernel - side[axis];
    low[axis] = padding > 0 ? padding / 2 : 0; /* the larger half is behind */
  }
  naive_sum sum = {0, 0};
  for (size_t ky = 0; ky < conv->kernel; ky++) {
    for (size_t kx = 0; kx < conv->kernel; kx++) {
      long y = (long)(oy * conv->stride + ky) - low[0], x = (long)(ox * conv->stride + kx) - low[1];
      if (y < 0 || x < 0 || y >= side[0] || x >= side[1]) continue;
      const float *pixel = conv->x + ((size_t)y * conv->width + (size_t)x) * conv->in;
      for (size_t c = 0; c < conv->in; c++) {
        double product = (double)pixel[c] *
                         conv->weight[((ky * conv->kernel + kx) * conv->in + c) * conv->out + o];
        sum.value += product;
        sum.size += fabs(product);
      }
    }
  }
  return sum;
}

static inline float *naive_upsample(const float *x, size_t height, size_t width, size_t channels) {
  float *y = guarded_new(4 * height * width * channels);
  for (size_t i = 0; i < 4 * height * width; i++) {
    const float *from = x + (i / (2 * width) / 2 * width + i % (2 * width) / 2) * channels;
    memcpy(y + i * channels, from, channels * sizeof(float));
  }
  return y;
}

static inline double naive_likeness(msk_distance distance, double t, double p, double lt,
                                    double lp) {
  double middle = log((t + p) / 2);
  if (distance == MSK_DISTANCE_CROSS_ENTROPY) return t * lp + p * lt;
  if (distance == MSK_DISTANCE_SYMMETRIC_KL) return -(t - p) * (lt - lp);
  return -(t * (lt - middle) + p * (lp - middle)) / 2;
}
#endif
