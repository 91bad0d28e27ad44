/* SPDX-License-Identifier: Apache-2.0
 *
 * test_int8.c - linear layers in 8 bits, on every instruction set, against the definition
 * (docs/precision.md) written once more: quantised codes, sums in 64-bit integers, the end in
 * float64. And what follows from it: the distance from the exact layer is bounded by the two
 * quantisations' steps; the bits do not depend on threads, batch, neighbours, nor on the
 * instruction set where weights have the same bits. */
#include "emulated.h"
#include "naive.h"

#include "base/int8.h"
#include "compute/cpu/cpu.h"

struct int8_case {
  size_t rows, in, out, columns, x_pad, y_pad;
  msk_activation activation;
  bool residual, in_place, transposed;
};

static msk_device *int8_device(const char *isa) {
  msk_device *device = tested_device(isa, MSK_PRECISION_INT8);
  assert_int_equal(msk_device_precision(device), MSK_PRECISION_INT8);
  return device;
}

/* y = x W + b: by 8-bit codes, and exactly; `bound` is what the quantisations may make between
 * them. */
struct naive_int8 {
  double value, exact, size, bound;
};

static struct naive_int8 naive_int8_at(const struct int8_case *c, int limit, const float *x,
                                       const struct codes *codes, const float *weight, float bias,
                                       size_t j) {
  struct naive_int8 found = {.exact = bias};
  float largest = 0;
  size_t first = c->transposed ? j * c->in : j, step = c->transposed ? 1 : c->out;
  for (size_t k = 0; k < c->in; k++) largest = fmaxf(largest, fabsf(weight[first + k * step]));
  float inverse = (float)limit / largest, scale = largest / (float)limit;
  long sum = 0;
  for (size_t k = 0; k < c->in; k++) {
    float w = weight[first + k * step];
    sum += (codes->q[k] - codes->zero) * lrintf(w * inverse);
    found.exact += (double)x[k] * w;
    found.bound += codes->scale * fabs((double)w) +
                   0.5 * scale * codes->scale * (double)labs(codes->q[k] - codes->zero);
  }
  found.value = (double)sum * codes->scale * scale + bias;
  found.size = fabs((double)sum) * codes->scale * scale + fabs((double)bias);
  found.bound += 8 * UNIT * found.size;
  return found;
}

static void check_case(const msk_device *device, const struct int8_case *c, size_t columns,
                       const float *x, const float *weight, const float *bias,
                       const float *residual, const float *y) {
  static struct codes codes;
  for (size_t r = 0; r < c->rows; r++) {
    naive_codes(x + r * (c->in + c->x_pad), c->in, &codes);
    for (size_t j = 0; j < columns; j++) {
      struct naive_int8 n = naive_int8_at(c, device->kernels.weight_limit,
                                          x + r * (c->in + c->x_pad), &codes, weight, bias[j], j);
      double old = c->residual ? residual[r * (columns + c->y_pad) + j] : 0,
             value = naive_activation(n.value, c->activation);
      double tolerance = 6 * UNIT * n.size * 1.2 + UNIT * (14 * fabs(value) + fabs(old) + 3);
      check_value(y[r * (columns + c->y_pad) + j], value + old, tolerance, "int8", r * columns + j);
      assert_true(fabs(n.value - n.exact) <= n.bound);
    }
    for (size_t j = 0; j < c->y_pad && r + 1 < c->rows && !c->in_place; j++)
      assert_true(isnan(y[r * (columns + c->y_pad) + columns + j]));
  }
}

static msk_linear *layer_new(const msk_device *device, const struct int8_case *c,
                             const float *weight, const float *bias) {
  msk_linear *linear;
  msk_linear_part part = {
      .weight = weight, .bias = bias, .out = c->out, .transposed = c->transposed};
  assert_int_equal(
      msk_linear_create(&linear, device, MSK_PRECISION_INT8, c->in, &part, 1, NULL, NULL), MSK_OK);
  assert_int_equal(linear->in, c->in);
  assert_int_equal(linear->out, c->out);
  assert_non_null(linear->quantised.panels);
  return linear;
}

static void run_case(const msk_device *device, const struct int8_case *c) {
  size_t columns = c->columns == 0 ? c->out : c->columns, x_stride = c->in + c->x_pad,
         y_stride = columns + c->y_pad;
  float *x = random_new(c->rows * x_stride, 1, 1), *weight = random_new(c->in * c->out, 2, 1),
        *bias = random_new(c->out, 3, 1);
  float *residual = random_new(c->rows * y_stride, 4, 1), *y = guarded_new(c->rows * y_stride);
  if (c->in_place) memcpy(y, residual, c->rows * y_stride * sizeof(float));
  msk_linear *linear = layer_new(device, c, weight, bias);
  linear_args args = {.linear = linear,
                      .x = x,
                      .y = y,
                      .residual = c->in_place   ? y
                                  : c->residual ? residual
                                                : NULL,
                      .rows = c->rows,
                      .x_stride = c->x_pad ? x_stride : 0,
                      .y_stride = c->y_pad ? y_stride : 0,
                      .residual_stride = c->y_pad ? y_stride : 0,
                      .columns = c->columns,
                      .activation = c->activation};
  run_operation(device, 1 + (int)(c->rows % 3), do_linear, &args);
  guarded_check(y, c->rows * y_stride);
  check_case(device, c, columns, x, weight, bias, residual, y);
  msk_linear_destroy(linear);
  guarded_free(x), guarded_free(weight), guarded_free(bias), guarded_free(residual),
      guarded_free(y);
}

static void layers_on(const msk_device *device) {
  static const size_t rows[] = {1, 2, 3, 5, 6, 7, 11, 12, 13, 17, 97},
                      columns[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 49, 65, 131};
  static const size_t depths[] = {1, 2, 3, 5, 16, 47, 256, 257, 521, 1024};
  uint64_t seed = 12;
  for (size_t i = 0; i < 90; i++) {
    uint64_t pick = test_random(&seed);
    struct int8_case c = {.rows = rows[i % 11],
                          .in = depths[pick % 10],
                          .out = columns[pick / 16 % 15],
                          .activation = (msk_activation)(i % 4),
                          .residual = pick >> 20 & 1,
                          .transposed = pick >> 21 & 1};
    c.in_place = c.residual && (pick >> 23 & 1);
    if (pick >> 24 & 1) c.x_pad = 3, c.y_pad = 5;
    if (pick >> 25 & 1) c.columns = (c.out + 1) / 2;
    run_case(device, &c);
  }
}

static void for_each_set(void (*test)(const msk_device *device)) {
  int sets = 0;
  for (; tested_set(sets) != NULL; sets++) {
    msk_device *device = int8_device(tested_set(sets));
    test(device);
    msk_device_destroy(device);
  }
  assert_true(sets > 0);
}

static void test_layers(void **state) {
  (void)state;
  for_each_set(layers_on);
}

/* several blocks of rows, columns and contracted elements */
enum { ROWS = 101, IN = 1500, OUT = 150 };

static void run_whole(const msk_device *device, int threads, const float *x, const float *weight,
                      size_t rows, float *y) {
  struct int8_case c = {.in = IN, .out = OUT};
  float bias[OUT] = {0};
  msk_linear *linear = layer_new(device, &c, weight, bias);
  run_operation(device, threads, do_linear,
                &(linear_args){.linear = linear, .x = x, .y = y, .rows = rows});
  msk_linear_destroy(linear);
}

/* Any number of threads, rows alone or together, and any set with weights of as many bits: the
 * same bytes. */
static void test_same_bits(void **state) {
  (void)state;
  float *x = random_new(ROWS * IN, 1, 3), *weight = random_new(IN * OUT, 2, 1),
        *first[2] = {NULL, NULL};
  for (int set = 0; tested_set(set) != NULL; set++) {
    msk_device *device = int8_device(tested_set(set));
    float *y = guarded_new(ROWS * OUT), *again = guarded_new(ROWS * OUT);
    run_whole(device, 1, x, weight, ROWS, y);
    for (int threads = 2; threads <= 5; threads++) {
      run_whole(device, threads, x, weight, ROWS, again);
      assert_memory_equal(again, y, ROWS * OUT * sizeof(float));
    }
    for (size_t r = 0; r < ROWS; r += 20) {
      run_whole(device, 1, x + r * IN, weight, 1, again);
      assert_memory_equal(again, y + r * OUT, OUT * sizeof(float));
    }
    int kind = device->kernels.weight_limit == 127;
    if (first[kind] == NULL) {
      first[kind] = guarded_new(ROWS * OUT);
      memcpy(first[kind], y, ROWS * OUT * sizeof(float));
    }
    assert_memory_equal(first[kind], y, ROWS * OUT * sizeof(float));
    guarded_free(y), guarded_free(again);
    msk_device_destroy(device);
  }
  guarded_free(x), guarded_free(weight);
  for (int kind = 0; kind < 2; kind++) {
    if (first[kind] != NULL) guarded_free(first[kind]);
  }
}

/* Rows of zeros, of NaN and of infinity; columns of zeros. */
static void special_on(const msk_device *device) {
  enum { N = 40 };
  float *x = random_new(4 * N, 1, 1), *weight = random_new(N * N, 2, 1),
        *bias = random_new(N, 3, 1), *y = guarded_new(4 * N);
  for (size_t k = 0; k < N; k++) x[k] = 0, weight[k * N + 5] = 0;
  x[N + 7] = NAN, x[2 * N + 39] = INFINITY;
  struct int8_case c = {.in = N, .out = N};
  msk_linear *linear = layer_new(device, &c, weight, bias);
  run_operation(device, 2, do_linear, &(linear_args){.linear = linear, .x = x, .y = y, .rows = 4});
  for (size_t j = 0; j < N; j++) {
    assert_true(y[j] == bias[j]);
    assert_true(isnan(y[N + j]) && isnan(y[2 * N + j]) && isfinite(y[3 * N + j]));
  }
  assert_true(y[3 * N + 5] == bias[5]);
  msk_linear_destroy(linear);
  guarded_free(x), guarded_free(weight), guarded_free(bias), guarded_free(y);
}

static void test_special(void **state) {
  (void)state;
  for_each_set(special_on);
}

/* Codes made beforehand, and binary16 numbers, in parts beside floats: the same bits as from the
 * floats. */
static void stored_on(const msk_device *device) {
  enum {
    N = 5,
    FLOATS = 21,
    CODES = 38,
    HALVES = 11,
    COLUMNS = FLOATS + CODES + HALVES,
    DEPTH = 83
  };
  static int8_t codes[DEPTH * CODES];
  static uint16_t fp16[DEPTH * HALVES];
  static float widened[DEPTH * HALVES];
  float scales[CODES], inverses[CODES];
  float *x = random_new(N * DEPTH, 1, 1), *floats = random_new(DEPTH * FLOATS, 2, 1),
        *coded = random_new(DEPTH * CODES, 3, 1);
  float *numbers = random_new(DEPTH * HALVES, 4, 1), *y = guarded_new(N * COLUMNS),
        *again = guarded_new(N * COLUMNS);
  for (size_t k = 0; k < DEPTH; k++) coded[k * CODES + 3] = 0;
  msk_int8_scales(coded, DEPTH * CODES, CODES, scales, inverses);
  msk_int8_make(coded, DEPTH * CODES, CODES, inverses, codes);
  msk_narrow_fp16(numbers, DEPTH * HALVES, fp16);
  device->kernels.widen_fp16(DEPTH * HALVES, fp16, widened);
  const msk_linear_part from_floats[] = {{.weight = floats, .out = FLOATS},
                                         {.weight = coded, .out = CODES},
                                         {.weight = widened, .out = HALVES}};
  const msk_linear_part stored[] = {
      {.weight = floats, .out = FLOATS},
      {.weight = codes, .out = CODES, .dtype = MSK_DTYPE_I8, .scales = scales},
      {.weight = fp16, .out = HALVES, .dtype = MSK_DTYPE_F16}};
  const msk_linear_part *const parts[] = {from_floats, stored};
  for (int i = 0; i < 2 && msk_device_takes_int8(device); i++) {
    msk_linear *linear;
    assert_int_equal(
        msk_linear_create(&linear, device, MSK_PRECISION_INT8, DEPTH, parts[i], 3, NULL, NULL),
        MSK_OK);
    run_operation(device, 1, do_linear,
                  &(linear_args){.linear = linear, .x = x, .y = i == 0 ? y : again, .rows = N});
    msk_linear_destroy(linear);
  }
  assert_int_equal(msk_device_takes_int8(device), device->kernels.weight_limit == 127);
  if (msk_device_takes_int8(device)) assert_memory_equal(y, again, N * COLUMNS * sizeof *y);
  guarded_free(x), guarded_free(floats), guarded_free(coded), guarded_free(numbers),
      guarded_free(y), guarded_free(again);
}

static void test_stored(void **state) {
  (void)state;
  for_each_set(stored_on);
}

/* Rounding by adding is rounding to nearest, ties to even; a column without weights has the
 * scale 0. */
static void test_code_arithmetic(void **state) {
  (void)state;
  uint64_t seed = 3;
  for (int i = -254; i <= 254; i++)
    assert_int_equal(msk_int8_round((float)i * 0.5f, 1), lrintf((float)i * 0.5f));
  for (int i = 0; i < 100000; i++) {
    float value = test_uniform(&seed, -127, 127), inverse = test_uniform(&seed, 0, 1);
    assert_int_equal(msk_int8_round(value, inverse), lrintf(value * inverse));
  }
  float inverse = 1;
  assert_true(msk_int8_scale(0, 127, &inverse) == 0 && inverse == 0);
  assert_true(msk_int8_scale(1e-31f, 127, &inverse) == 0 && inverse == 0);
  assert_true(msk_int8_scale(254, 127, &inverse) == 2 && inverse == 0.5f);
  assert_true(isinf(msk_int8_scale(INFINITY, 127, &inverse)) && inverse == 0);
}

static msk_status make_linear(const msk_device *device, const float *weight, msk_error *error) {
  msk_linear *linear = NULL;
  const msk_linear_part part = {.weight = weight, .out = 1};
  msk_status status =
      msk_linear_create(&linear, device, MSK_PRECISION_INT8, 50, &part, 1, NULL, error);
  msk_linear_destroy(linear);
  return status;
}

/* Sums that int32 could not hold are refused; every allocation may fail. */
static void test_refusals(void **state) {
  (void)state;
  msk_error error;
  msk_device *device = int8_device("ref");
  float *weight = calloc(70000, sizeof *weight);
  msk_linear *linear = NULL;
  msk_linear_part part = {.weight = weight, .out = 1};
  assert_int_equal(
      msk_linear_create(&linear, device, MSK_PRECISION_INT8, 70000, &part, 1, NULL, &error),
      MSK_ERROR_UNSUPPORTED);
  assert_non_null(strstr(error.message, "fp32"));
  msk_device_destroy(device);
  assert_true(fail_allocations(MSK_PRECISION_INT8, make_linear, weight) > 5);
  free(weight);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_layers),          cmocka_unit_test(test_same_bits),
      cmocka_unit_test(test_special),         cmocka_unit_test(test_stored),
      cmocka_unit_test(test_code_arithmetic), cmocka_unit_test(test_refusals)};
  return cmocka_run_group_tests_name("compute int8", tests, NULL, NULL);
}
