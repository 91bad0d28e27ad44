/* SPDX-License-Identifier: Apache-2.0
 *
 * test_selfcheck.c - the check of kernels at start: right sets pass, on every machine; a fault
 * in any kernel, put in through the internal hook, is found, the set left out with a warning and
 * the next best taken; a set asked for by name is refused instead. */
#include "naive.h"

#include "compute/cpu/cpu.h"

static const char *best_set(void) {
  int count = 0;
  while (msk_isa_name(count + 1) != NULL) count++;
  return msk_isa_name(count);
}

static void test_right_sets_pass(void **state) {
  (void)state;
  for (int i = 0; msk_isa_name(i) != NULL; i++) {
    msk_device *device = device_new(msk_isa_name(i));
    const char *wrong = "?";
    assert_null(msk_device_warning(device));
    assert_int_equal(msk_selfcheck(device, &wrong, NULL), MSK_OK);
    if (wrong != NULL) fail_msg("%s: %s", msk_isa_name(i), wrong);
    msk_device_destroy(device);
  }
}

/* ---- faults: the kernel of the set, and then one result changed a little ---- */

static msk_kernels good; /* of the set that the fault is in */
static int faulty;       /* which kernel */

static float off(float x) { return x * 1.001f + 0.001f; }

static void bad_gemm(size_t rows, size_t width, size_t depth, const float *a, size_t a_stride,
                     const float *b, float *c, size_t c_stride, bool add, const float *next) {
  good.gemm_panel(rows, width, depth, a, a_stride, b, c, c_stride, add, next);
  c[width - 1] = off(c[width - 1]);
}
static void bad_finish(size_t count, const float *c, const float *bias, const float *residual,
                       msk_activation activation, float *y) {
  good.finish_row(count, c, bias, residual, activation, y);
  if (activation == MSK_ACT_QUICK_GELU) y[count - 1] = off(y[count - 1]);
}
static void bad_int8(size_t rows, size_t width, size_t depth, const uint8_t *a, size_t a_stride,
                     const int8_t *b, int32_t *c, size_t c_stride, bool add, const int8_t *next) {
  good.int8_panel(rows, width, depth, a, a_stride, b, c, c_stride, add, next);
  c[0] += 16; /* of some ten thousands */
}
static void bad_quantise(size_t count, const float *x, uint8_t *q, msk_quantised *row) {
  good.quantise_row(count, x, q, row);
  q[count - 1] ^= 8;
}
static void bad_columns(size_t depth, size_t count, size_t width, const float *x, size_t x_stride,
                        float limit, int8_t *panel, int32_t *sums, float *scales) {
  good.quantise_panel(depth, count, width, x, x_stride, limit, panel, sums, scales);
  scales[0] = off(scales[0]);
}
static float bad_softmax_int8(size_t count, const float *s, float *e, uint8_t *q, float *maximum) {
  float sum = good.softmax_int8_row(count, s, e, q, maximum);
  q[count - 1] ^= 32;
  return sum;
}
static void bad_finish_int8(size_t count, const int32_t *c, msk_quantised row,
                            const int32_t *column_sums, const float *column_scales,
                            const float *bias, const float *residual, msk_activation activation,
                            float *y) {
  good.finish_int8_row(count, c, row, column_sums, column_scales, bias, residual, activation, y);
  y[0] = off(y[0]);
}
static void bad_finish_taps(size_t count, size_t taps, const int32_t *c, size_t plane,
                            const msk_quantised *rows, const int32_t *column_sums,
                            size_t sums_plane, const float *column_scales, const float *bias,
                            const float *residual, float *y) {
  good.finish_int8_taps(count, taps, c, plane, rows, column_sums, sums_plane, column_scales, bias,
                        residual, y);
  y[count - 1] = off(y[count - 1]);
}
static void bad_scale(size_t count, const float *x, float factor, float *y) {
  good.scale_row(count, x, factor, y);
  y[count - 1] = off(y[count - 1]);
}
static void bad_transpose(size_t rows, size_t width, size_t count, const float *x, size_t x_stride,
                          float factor, float *y) {
  good.transpose_rows(rows, width, count, x, x_stride, factor, y);
  y[0] = off(y[0]) + 1;
}
static void bad_layer_norm(size_t count, const float *x, const float *gamma, const float *beta,
                           float epsilon, float *y) {
  good.layer_norm_row(count, x, gamma, beta, epsilon, y);
  y[count - 1] = off(y[count - 1]);
}
static void bad_sums(size_t pixels, size_t channels, const float *x, float *sums) {
  good.channel_sums(pixels, channels, x, sums);
  sums[0] = off(sums[0]) + 1;
}
static void bad_squares(size_t pixels, size_t channels, const float *x, const float *mean,
                        float *squares) {
  good.channel_squares(pixels, channels, x, mean, squares);
  squares[0] = 1.1f * squares[0];
}
static void bad_normalise(size_t pixels, size_t channels, const float *x, const float *mean,
                          const float *scale, const float *shift, bool swish, float *y) {
  good.normalise_pixels(pixels, channels, x, mean, scale, shift, swish, y);
  y[0] = off(y[0]);
}
static float bad_softmax(size_t count, const float *s, float *e, float *maximum) {
  return off(good.softmax_row(count, s, e, maximum));
}
static float bad_score(msk_distance distance, size_t count, const float *s, const float *e,
                       float maximum, float sum, const float *target, const float *log_target) {
  return off(good.score_row(distance, count, s, e, maximum, sum, target, log_target));
}
static void bad_filters(size_t count, const float *g, size_t tap_stride, float *u, size_t plane) {
  good.winograd_filters(count, g, tap_stride, u, plane);
  u[7 * plane] = off(u[7 * plane]) + 0.1f;
}
static void bad_winograd(size_t channels, const float *const pixels[36], float *v, size_t plane) {
  good.winograd_input(channels, pixels, v, plane);
  v[35 * plane] = off(v[35 * plane]) + 0.1f;
}
static void bad_output(size_t channels, const float *m, size_t plane, const float *bias,
                       const float *const residual[16], float scale, float *const y[16]) {
  good.winograd_output(channels, m, plane, bias, residual, scale, y);
  y[15][0] = off(y[15][0]) + 0.1f;
}
static void bad_narrow(size_t out, size_t taps, size_t channels, const float *const *pixels,
                       const float *weight, float *sums) {
  good.narrow_pixels(out, taps, channels, pixels, weight, sums);
  sums[0] = off(sums[0]) + 0.1f;
}

static void bad_widen(size_t count, const uint16_t *x, float *y) {
  good.widen_fp16(count, x, y);
  y[count - 1] = off(y[count - 1]) + 0.1f;
}

static void bad_pairs(size_t rows, size_t width, size_t depth, const float *a, size_t a_stride,
                      const float *b, float *c, size_t c_stride, bool add, const float *next) {
  good.pairs_panel(rows, width, depth, a, a_stride, b, c, c_stride, add, next);
  c[width - 1] = off(c[width - 1]);
}
static void bad_pair_columns(size_t rows, size_t width, size_t depth, const float *a, size_t a_step,
                             const float *b, float *c, size_t c_stride, bool add) {
  good.pairs_columns(rows, width, depth, a, a_step, b, c, c_stride, add);
  c[0] = off(c[0]);
}
/* The wrong one of two as near: a last bit of a half. */
static void flip(float *pair, uint32_t bit) {
  uint32_t bits;
  memcpy(&bits, pair, sizeof bits);
  bits ^= bit;
  memcpy(pair, &bits, sizeof bits);
}
static void bad_narrowing(size_t count, const float *x, float *y) {
  good.narrow_pairs(count, x, y);
  flip(y, 1);
}
static void bad_joining(size_t count, const float *low, const float *high, float *y) {
  good.join_pairs(count, low, high, y);
  flip(y, 0x10000);
}

static void bad_int16(size_t rows, size_t width, size_t depth, const float *a, size_t a_stride,
                      const float *b, float *c, size_t c_stride, bool add, const float *next) {
  good.int16_panel(rows, width, depth, a, a_stride, b, c, c_stride, add, next);
  c[0] += 1000;
}
static float bad_int16_rows(size_t rows, size_t count, const float *x, size_t x_stride, float *y,
                            size_t y_stride) {
  float scale = good.quantise_int16_rows(rows, count, x, x_stride, y, y_stride);
  flip(y, 0x2000);
  return scale;
}
static void bad_int16_panel(size_t depth, size_t width, const float *x, float *panel) {
  good.quantise_int16_panel(depth, width, x, panel);
  flip(panel + width, 0x2000);
}

enum { FAULTS = 28 };

static void break_kernel(void *user, msk_kernels *kernels) {
  if (user != NULL && strcmp(user, kernels->isa) != 0) return;
  good = *kernels;
  switch (faulty) {
    case 0: kernels->gemm_panel = bad_gemm; break;
    case 1: kernels->finish_row = bad_finish; break;
    case 2: kernels->int8_panel = bad_int8; break;
    case 3: kernels->quantise_row = bad_quantise; break;
    case 4: kernels->finish_int8_row = bad_finish_int8; break;
    case 5: kernels->scale_row = bad_scale; break;
    case 6: kernels->layer_norm_row = bad_layer_norm; break;
    case 7: kernels->channel_sums = bad_sums; break;
    case 8: kernels->channel_squares = bad_squares; break;
    case 9: kernels->normalise_pixels = bad_normalise; break;
    case 10: kernels->softmax_row = bad_softmax; break;
    case 11: kernels->score_row = bad_score; break;
    case 12: kernels->winograd_input = bad_winograd; break;
    case 14: kernels->widen_fp16 = bad_widen; break;
    case 13: kernels->winograd_output = bad_output; break;
    case 16: kernels->winograd_filters = bad_filters; break;
    case 15: kernels->finish_int8_taps = bad_finish_taps; break;
    case 17: kernels->transpose_rows = bad_transpose; break;
    case 19: kernels->pairs_panel = bad_pairs; break;
    case 20: kernels->pairs_columns = bad_pair_columns; break;
    case 21: kernels->narrow_pairs = bad_narrowing; break;
    case 22: kernels->join_pairs = bad_joining; break;
    case 23: kernels->quantise_panel = bad_columns; break;
    case 24: kernels->softmax_int8_row = bad_softmax_int8; break;
    case 25: kernels->int16_panel = bad_int16; break;
    case 26: kernels->quantise_int16_rows = bad_int16_rows; break;
    case 27: kernels->quantise_int16_panel = bad_int16_panel; break;
    default: kernels->narrow_pixels = bad_narrow; break;
  }
}

static void test_faults_are_found(void **state) {
  (void)state;
  char name[32];
  snprintf(name, sizeof name, "%s", best_set());
  if (strcmp(name, "ref") == 0) skip();
  for (faulty = 0; faulty < FAULTS; faulty++) {
    msk_device *device = NULL;
    msk_error error;
    msk_device_hook hook = {break_kernel, name};
    assert_int_equal(msk_device_create_with(&device, NULL, MSK_PRECISION_FP32, NULL, &hook, &error),
                     MSK_OK);
    if (strcmp(msk_device_isa(device), name) == 0) fail_msg("fault %d was not found", faulty);
    assert_non_null(strstr(msk_device_warning(device), name));
    msk_device_destroy(device);
    device = NULL;
    assert_int_equal(msk_device_create_with(&device, name, MSK_PRECISION_FP32, NULL, &hook, &error),
                     MSK_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, name));
    assert_null(device);
  }
}

/* All vector sets broken: the reference remains, and the warning names each. */
static void test_reference_remains(void **state) {
  (void)state;
  msk_device *device = NULL;
  msk_error error;
  msk_device_hook hook = {break_kernel, NULL};
  faulty = 0;
  assert_int_equal(msk_device_create_with(&device, NULL, MSK_PRECISION_FP32, NULL, &hook, &error),
                   MSK_OK);
  assert_string_equal(msk_device_isa(device), "ref");
  for (int i = 1; i < 3 && msk_isa_name(i) != NULL; i++)
    assert_non_null(strstr(msk_device_warning(device), msk_isa_name(i)));
  msk_device_destroy(device);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_right_sets_pass),
                                     cmocka_unit_test(test_faults_are_found),
                                     cmocka_unit_test(test_reference_remains)};
  return cmocka_run_group_tests_name("compute self-check", tests, NULL, NULL);
}
