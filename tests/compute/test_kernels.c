/* SPDX-License-Identifier: Apache-2.0
 *
 * test_kernels.c - every kernel of kernels.inc on every instruction set: against the reference
 * set, at sizes around the vector and the tile, between guards, in place, on special values.
 * kernels.inc makes the list, so that a kernel without a test does not compile. */
#include "emulated.h"
#include "naive.h"

#include "compute/cpu/cpu.h"

static const size_t lengths[] = {1,  2,  3,  7,  8,  9,  15,  16,  17, 31,
                                 32, 33, 47, 63, 64, 65, 127, 257, 768};
enum { LENGTHS = sizeof lengths / sizeof *lengths };

static msk_kernels reference;

/* Values that kernels must not treat alike by accident. */
static float special(size_t i) {
  static const float values[] = {0,        -0.0f,   INFINITY, -INFINITY, NAN,   FLT_MAX,
                                 -FLT_MAX, FLT_MIN, 1e-42f,   -1e-42f,   1,     -1,
                                 88.9f,    -88.9f,  104,      -104,      1e10f, -1e10f};
  return values[i % (sizeof values / sizeof *values)];
}

static bool same_kind(float a, float b) {
  return isnan(a) ? isnan(b) : isinf(a) ? a == b : isfinite(b) || isinf(b);
}

/* ---- gemm_panel ---- */

static void gemm_case(const msk_kernels *k, size_t rows, size_t width, size_t depth, bool add) {
  size_t a_stride = depth + 3, c_stride = width + 5;
  float *a = random_new(rows * a_stride, 1, 1), *b = random_new(depth * width, 2, 1),
        *c = random_new(rows * c_stride, 3, 1);
  float *before = random_new(rows * c_stride, 3, 1);
  assert_true((uintptr_t)b % 64 == 0);
  if (!add) {
    for (size_t i = 0; i < rows * c_stride; i++) c[i] = NAN;
  }
  k->gemm_panel(rows, width, depth, a, a_stride, b, c, c_stride, add, b);
  guarded_check(c, rows * c_stride);
  for (size_t i = 0; i < rows * c_stride; i++) {
    size_t row = i / c_stride, column = i % c_stride;
    if (column >= width) { /* between rows: untouched */
      assert_true(add ? c[i] == before[i] : isnan(c[i]));
      continue;
    }
    double value = 0, size = 0;
    for (size_t d = 0; d < depth; d++) {
      double product = (double)a[row * a_stride + d] * b[d * width + column];
      value += product;
      size += fabs(product);
    }
    if (add) value += before[i], size += fabs(before[i]);
    check_value(c[i], value, ((double)depth + 1) * UNIT * size + FLT_MIN, "gemm", i);
  }
  guarded_free(a), guarded_free(b), guarded_free(c), guarded_free(before);
}

/* The same element, bit for bit, wherever in a tile or panel it is computed. */
static void gemm_position(const msk_kernels *k) {
  enum { DEPTH = 77, ROWS = 29 };
  float *row = random_new(DEPTH, 1, 1), *a = guarded_new(ROWS * DEPTH),
        *b = guarded_new(DEPTH * 64), *c = guarded_new(ROWS * 64);
  for (size_t i = 0; i < ROWS * DEPTH; i++) a[i] = row[i % DEPTH];
  float first = 0;
  for (size_t width = k->lanes; width <= k->panel; width += k->lanes) {
    for (size_t i = 0; i < DEPTH * width; i++) b[i] = row[i / width] * 0.7f;
    for (size_t rows = 1; rows <= ROWS; rows++) {
      k->gemm_panel(rows, width, DEPTH, a, DEPTH, b, c, 64, false, b);
      if (rows == 1 && width == k->lanes) first = c[0];
      for (size_t i = 0; i < rows * width; i++) assert_true(c[i / width * 64 + i % width] == first);
    }
  }
  guarded_free(row), guarded_free(a), guarded_free(b), guarded_free(c);
}

static void test_gemm_panel(const msk_kernels *k) {
  static const size_t depths[] = {1, 2, 17, 256, 300};
  for (size_t rows = 1; rows <= 2 * k->tile_rows + 1; rows++) {
    for (size_t width = k->lanes; width <= k->panel; width += k->lanes) {
      for (size_t d = 0; d < 5; d++) gemm_case(k, rows, width, depths[d], (rows + d) % 2);
    }
  }
  gemm_position(k);
}

/* ---- rows ---- */

static void test_finish_row(const msk_kernels *k) {
  for (size_t i = 0; i < LENGTHS * 16; i++) {
    size_t n = lengths[i / 16];
    msk_activation activation = (msk_activation)(i % 4);
    float *c = random_new(n, 1, 6), *bias = random_new(n, 2, 1), *residual = random_new(n, 3, 1),
          *y = guarded_new(n), *expected = guarded_new(n);
    const float *b = i & 4 ? bias : NULL, *r = i & 8 ? residual : NULL;
    k->finish_row(n, c, b, r, activation, y);
    guarded_check(y, n);
    for (size_t j = 0; j < n; j++) {
      double x = (double)c[j] + (b ? (double)bias[j] : 0), value = naive_activation(x, activation);
      check_value(y[j], value + (r ? (double)residual[j] : 0),
                  UNIT * (14 * fabs(value) + 3 * fabs(x) + 3), "finish", j);
    }
    memcpy(expected, y, n * sizeof(float));
    if (r != NULL)
      k->finish_row(n, c, b, residual, activation, residual),
          assert_memory_equal(residual, expected, n * sizeof(float));
    k->finish_row(n, c, b, i & 8 ? NULL : r, activation, c); /* in place */
    if (r == NULL) assert_memory_equal(c, expected, n * sizeof(float));
    guarded_free(c), guarded_free(bias), guarded_free(residual), guarded_free(y),
        guarded_free(expected);
  }
  for (int activation = 0; activation < 4; activation++) {
    float x[36], y[36], expected[36];
    for (size_t i = 0; i < 36; i++) x[i] = special(i);
    k->finish_row(36, x, NULL, NULL, (msk_activation)activation, y);
    reference.finish_row(36, x, NULL, NULL, (msk_activation)activation, expected);
    for (size_t i = 0; i < 36; i++) assert_true(same_kind(expected[i], y[i]));
  }
}

/* ---- 8 bits ---- */

/* Integers are compared one by one with the plain sum; buffers end at pages that may not be
 * touched. */
static void int8_case(const msk_kernels *k, size_t rows, size_t width, size_t depth, bool add,
                      bool extreme) {
  size_t a_stride = depth + 4, c_stride = width + 5, a_bytes = (rows - 1) * a_stride + depth,
         b_bytes = (depth * width + 63) / 64 * 64;
  size_t c_bytes = ((rows - 1) * c_stride + width) * sizeof(int32_t);
  uint8_t *a = paged_new(a_bytes);
  int8_t *b = paged_new(b_bytes);
  int32_t *c = paged_new(c_bytes), *before = paged_new(c_bytes);
  uint64_t seed = rows * 1000 + depth;
  bool is_signed = k->activation_offset != 0;
  for (size_t i = 0; i < a_bytes; i++)
    a[i] = (uint8_t)(extreme ? (is_signed ? 127 : 255) : test_random(&seed) >> 56);
  for (size_t i = 0; i < b_bytes; i++) {
    int value = (int)(test_random(&seed) >> 40) % (2 * k->weight_limit + 1) - k->weight_limit;
    b[i] = (int8_t)(extreme ? (rows % 2 ? k->weight_limit : -k->weight_limit) : value);
  }
  for (size_t i = 0; i < c_bytes / sizeof(int32_t); i++)
    before[i] = c[i] = (int32_t)(test_random(&seed) >> 44);
  k->int8_panel(rows, width, depth, a, a_stride, b, c, c_stride, add, b);
  if (k->end_products != NULL) k->end_products();
  for (size_t i = 0; i < c_bytes / sizeof(int32_t); i++) {
    size_t row = i / c_stride, column = i % c_stride;
    int32_t sum = add ? before[i] : 0;
    for (size_t d = 0; column < width && d < depth; d++) {
      int activation = is_signed ? (int8_t)a[row * a_stride + d] : a[row * a_stride + d];
      sum += activation * b[d / 4 * width * 4 + column * 4 + d % 4];
    }
    assert_int_equal(c[i], column < width ? sum : before[i]);
  }
  paged_free(a, a_bytes), paged_free(b, b_bytes), paged_free(c, c_bytes),
      paged_free(before, c_bytes);
}

static void test_int8_panel(const msk_kernels *k) {
  /* around every set's tile: 6 and 12 rows, 16 and 32, as many as a block of products has */
  static const size_t rows[] = {31, 32, 33, 47, 48, 49, 63, 64, 65, 97};
  static const size_t depths[] = {4, 8, 20, 60, 64, 68, 124, 256, 1024};
  for (size_t r = 1; r <= 2 * k->tile_rows + 11; r++) {
    size_t count = r <= 2 * k->tile_rows + 1 ? r : rows[r - 2 * k->tile_rows - 2];
    for (size_t width = k->lanes; width <= k->panel; width += k->lanes) {
      for (size_t d = 0; d < 9; d++) int8_case(k, count, width, depths[d], (r + d) % 2, r % 3 == 0);
    }
  }
}

/* Codes and scales are the reference's, bit for bit, and each code stands for its value within
 * half a step, one at the row's ends. */
static void quantise_case(const msk_kernels *k, const float *x, size_t n) {
  uint8_t *q = paged_new(n), expected[1024];
  msk_quantised row = {-1, -1}, expected_row = {-1, -1};
  k->quantise_row(n, x, q, &row);
  reference.quantise_row(n, x, expected, &expected_row);
  assert_memory_equal(&row.scale, &expected_row.scale, sizeof row.scale);
  /* those rows have no codes */
  int offset = isnan(row.scale) || row.scale == 0 ? 0 : k->activation_offset;
  assert_int_equal(row.zero + offset, expected_row.zero);
  for (size_t j = 0; j < n; j++) {
    int code = offset != 0 ? (int8_t)q[j] + offset : q[j];
    assert_int_equal(code, expected[j]);
    if (isnan(row.scale)) continue;
    check_value((double)row.scale * (code - expected_row.zero), x[j],
                (1 + 512 * UNIT) * (double)row.scale + 1e-30, "code", j);
  }
  paged_free(q, n);
}

static void test_quantise_row(const msk_kernels *k) {
  static const float shifts[] = {0, 3, -3, 1000, -0.01f}, scales[] = {1, 1e-20f, 1e20f, 0, 1e-38f};
  for (size_t i = 0; i < LENGTHS * 5; i++) {
    size_t n = lengths[i / 5];
    float *x = random_new(n, i + 1, scales[i / 5 % 5]), *end = paged_new(n * sizeof(float));
    for (size_t j = 0; j < n; j++) end[j] = x[j] + shifts[i % 5];
    quantise_case(k, end, n);
    end[n / 2] = i % 3 == 0 ? NAN : i % 3 == 1 ? INFINITY : -INFINITY;
    quantise_case(k, end, n);
    /* no float holds the range */
    for (size_t j = 0; j < n; j++) end[j] = j % 2 ? FLT_MAX : -FLT_MAX;
    quantise_case(k, end, n);
    guarded_free(x), paged_free(end, n * sizeof(float));
  }
}

/* Numbers, sums and scales by the definition, exactly; x's last row ends at a page that may not be
 * touched. */
static void quantise_panel_case(const msk_kernels *k, size_t depth, size_t count, size_t width,
                                size_t i) {
  size_t stride = count + i % 3, bytes = ((depth - 1) * stride + count) * sizeof(float),
         groups = (depth + 3) / 4;
  float *x = paged_new(bytes), *noise = random_new(depth * stride, i, 1), scales[MSK_WIDEST_PANEL];
  int8_t *panel = aligned_alloc(64, groups * 4 * MSK_WIDEST_PANEL);
  int32_t sums[MSK_WIDEST_PANEL];
  const float limit = (float)k->weight_limit, odd[] = {NAN, INFINITY, -INFINITY};
  memcpy(x, noise, bytes);
  for (size_t d = 0; d < depth; d++) x[d * stride + count / 2] *= i % 4 == 0 ? 0.0f : 1e-5f;
  bool broken = i % 2 == 1;
  if (broken) x[(i / 2 % depth) * stride] = odd[i / 2 % 3];
  k->quantise_panel(depth, count, width, x, stride, limit, panel, sums, scales);
  for (size_t j = 0; j < width; j++) {
    float largest = 0;
    int32_t sum = 0;
    for (size_t d = 0; j < count && d < depth; d++)
      largest = fmaxf(largest, fabsf(x[d * stride + j]));
    bool none = largest < 1e-30f || (broken && j == 0);
    for (size_t d = 0; d < 4 * groups; d++) {
      long q = none || d >= depth ? 0 : lrintf(x[d * stride + j] * (limit / largest));
      assert_int_equal(panel[d / 4 * width * 4 + j * 4 + d % 4], q);
      sum += (int32_t)q;
    }
    assert_int_equal(sums[j], sum);
    if (broken && j == 0) {
      assert_true(isnan(scales[j]));
    } else {
      assert_true(scales[j] == (none ? 0 : largest / limit));
    }
  }
  paged_free(x, bytes), guarded_free(noise), free(panel);
}

static void test_quantise_panel(const msk_kernels *k) {
  static const size_t depths[] = {1, 2, 3, 4, 5, 48, 257};
  for (size_t width = k->lanes; width <= k->panel; width += k->lanes) {
    for (size_t count = 1; count <= width; count++) {
      for (size_t i = 0; i < 7; i++) quantise_panel_case(k, depths[i], count, width, i * 5 + count);
    }
  }
}

static void finish_int8_case(const msk_kernels *k, size_t n, msk_activation activation,
                             bool with_residual) {
  int32_t *c = paged_new(n * 4), *sums = paged_new(n * 4);
  float *scales = random_new(n, 1, 1e-3f), *bias = random_new(n, 2, 1),
        *residual = random_new(n, 3, 1), *y = guarded_new(n);
  float *expected = guarded_new(n);
  msk_quantised row = {0.03f, 117 - k->activation_offset};
  uint64_t seed = n;
  for (size_t j = 0; j < n; j++) {
    sums[j] = (int32_t)(test_random(&seed) >> 45) - (1 << 18);
    c[j] = row.zero * sums[j] + (int32_t)(test_random(&seed) >> 43) - (1 << 20);
  }
  k->finish_int8_row(n, c, row, sums, scales, bias, with_residual ? residual : NULL, activation, y);
  reference.finish_int8_row(n, c, row, sums, scales, bias, with_residual ? residual : NULL,
                            activation, expected);
  guarded_check(y, n);
  for (size_t j = 0; j < n; j++) {
    double product = (double)(c[j] - row.zero * sums[j]) * ((double)row.scale * scales[j]),
           x = product + bias[j];
    double value = naive_activation(x, activation), old = with_residual ? residual[j] : 0;
    check_value(y[j], value + old,
                UNIT * (14 * fabs(value) + 4 * fabs(product) + 3 * fabs(x) + fabs(old) + 3),
                "finish int8", j);
    if (activation == MSK_ACT_NONE) assert_true(y[j] == expected[j]);
  }
  if (with_residual) {
    /* in place */
    k->finish_int8_row(n, c, row, sums, scales, bias, residual, activation, residual);
    assert_memory_equal(residual, y, n * sizeof(float));
  }
  paged_free(c, n * 4), paged_free(sums, n * 4);
  guarded_free(scales), guarded_free(bias), guarded_free(residual), guarded_free(y),
      guarded_free(expected);
}

static void test_finish_int8_row(const msk_kernels *k) {
  for (size_t i = 0; i < LENGTHS * 8; i++)
    finish_int8_case(k, lengths[i / 8], (msk_activation)(i % 4), i & 4);
}

static void finish_taps_case(const msk_kernels *k, size_t n, size_t taps, bool with_residual) {
  size_t plane = n + 3, sums_plane = n + 1, c_count = (taps - 1) * plane + n,
         sum_count = (taps - 1) * sums_plane + n;
  int32_t *c = paged_new(c_count * 4), *sums = paged_new(sum_count * 4);
  float *scales = random_new(n, 1, 1e-3f), *bias = random_new(n, 2, 1),
        *residual = random_new(n, 3, 1), *y = guarded_new(n);
  float *expected = guarded_new(n);
  msk_quantised rows[3] = {
      {0.03f, 117 - k->activation_offset}, {0.01f, 3 - k->activation_offset}, {0, 0}};
  uint64_t seed = n;
  for (size_t j = 0; j < c_count; j++) c[j] = (int32_t)(test_random(&seed) >> 43) - (1 << 20);
  for (size_t j = 0; j < sum_count; j++) sums[j] = (int32_t)(test_random(&seed) >> 49) - (1 << 14);
  k->finish_int8_taps(n, taps, c, plane, rows, sums, sums_plane, scales, bias,
                      with_residual ? residual : NULL, y);
  reference.finish_int8_taps(n, taps, c, plane, rows, sums, sums_plane, scales, bias,
                             with_residual ? residual : NULL, expected);
  guarded_check(y, n);
  for (size_t j = 0; j < n; j++) {
    double sum = 0, size = 0, end = (double)bias[j] + (with_residual ? (double)residual[j] : 0);
    for (size_t t = 0; t < taps; t++) {
      double product = (double)(c[t * plane + j] - rows[t].zero * sums[t * sums_plane + j]) *
                       rows[t].scale * scales[j];
      sum += product, size += fabs(product);
    }
    check_value(y[j], sum + end, UNIT * (6 * size + 3 * fabs(end) + 3), "finish taps", j);
    assert_true(y[j] == expected[j]);
  }
  if (with_residual) {
    /* in place */
    k->finish_int8_taps(n, taps, c, plane, rows, sums, sums_plane, scales, bias, residual,
                        residual);
    assert_memory_equal(residual, y, n * sizeof(float));
  }
  paged_free(c, c_count * 4), paged_free(sums, sum_count * 4);
  guarded_free(scales), guarded_free(bias), guarded_free(residual), guarded_free(y),
      guarded_free(expected);
}

static void test_finish_int8_taps(const msk_kernels *k) {
  for (size_t i = 0; i < LENGTHS * 6; i++) finish_taps_case(k, lengths[i / 6], 1 + i % 3, i & 1);
}

/* ---- 16 bits ---- */

static int16_t int16_of(const float *pairs, size_t i) {
  int16_t value;
  memcpy(&value, (const char *)pairs + i * sizeof value, sizeof value);
  return value;
}

static void set_int16(float *pairs, size_t i, int value) {
  int16_t stored = (int16_t)value;
  memcpy((char *)pairs + i * sizeof stored, &stored, sizeof stored);
}

/* The plain sum, in float32 by one factor, exactly. extreme: the largest sums that the scales allow
 * a column. */
static void int16_case(const msk_kernels *k, size_t rows, size_t width, size_t depth, bool add,
                       bool extreme) {
  size_t a_stride = depth + 3, c_stride = width + 5;
  float *a = guarded_new(rows * a_stride), *b = random_new((1 + depth) * width, 2, 1),
        *c = random_new(rows * c_stride, 3, 1), *before = random_new(rows * c_stride, 3, 1);
  uint64_t seed = rows * 1000 + depth;
  int most = extreme ? 131070 / (int)(2 * depth) : 600;
  if (most > 32767) most = 32767;
  for (size_t i = 0; i < 2 * rows * a_stride; i++) {
    int value = (int)(test_random(&seed) >> 40) % (MSK_INT16_LIMIT + 1);
    set_int16(a, i, extreme ? -MSK_INT16_LIMIT : value);
  }
  for (size_t i = 2 * width; i < 2 * (1 + depth) * width; i++) {
    int value = (int)(test_random(&seed) >> 40) % (most + 1) - most / 2;
    set_int16(b, i, extreme ? most : value);
  }
  k->int16_panel(rows, width, depth, a, a_stride, b, c, c_stride, add, b);
  guarded_check(c, rows * c_stride);
  for (size_t i = 0; i < rows * c_stride; i++) {
    size_t row = i / c_stride, column = i % c_stride;
    int64_t sum = 0;
    for (size_t d = 0; column < width && d < 2 * depth; d++)
      sum += int16_of(a + row * a_stride, d) *
             int16_of(b, 2 * width + d / 2 * width * 2 + column * 2 + d % 2);
    assert_true(sum == (int32_t)sum);
    float value = column < width ? (float)sum * b[column] : 0;
    assert_true(c[i] == (column >= width ? before[i] : add ? before[i] + value : value));
  }
  guarded_free(a), guarded_free(b), guarded_free(c), guarded_free(before);
}

static void test_int16_panel(const msk_kernels *k) {
  static const size_t depths[] = {1, 2, 17, 63, 64};
  for (size_t rows = 1; rows <= 2 * k->tile_rows + 1; rows++) {
    for (size_t width = k->lanes; width <= k->panel; width += k->lanes) {
      for (size_t d = 0; d < 5; d++)
        int16_case(k, rows, width, depths[d], (rows + d) % 2, rows % 3 == 0);
    }
  }
}

/* The reference's numbers and scale, bit for bit; each stands for its value within half a step. */
static void quantise_rows_case(const msk_kernels *k, size_t rows, size_t count, const float *x) {
  size_t stride = (count + 1) / 2 + 2, x_stride = count + 3;
  float *y = random_new(rows * stride, 1, 1), *expected = random_new(rows * stride, 1, 1);
  float scale = k->quantise_int16_rows(rows, count, x, x_stride, y, stride),
        same = reference.quantise_int16_rows(rows, count, x, x_stride, expected, stride);
  assert_memory_equal(&scale, &same, sizeof scale);
  guarded_check(y, rows * stride);
  assert_memory_equal(y, expected, rows * stride * sizeof *y);
  for (size_t i = 0; i < rows * count && !isnan(scale); i++) {
    float value = x[i / count * x_stride + i % count];
    int code = int16_of(y + i / count * stride, i % count);
    assert_in_range(code + MSK_INT16_LIMIT, 0, 2 * MSK_INT16_LIMIT);
    check_value((double)scale * code, value, 0.502 * (double)scale + 1e-30, "number", i);
  }
  guarded_free(y), guarded_free(expected);
}

static void test_quantise_int16_rows(const msk_kernels *k) {
  static const float scales[] = {1, 1e-20f, 1e20f, 0, 1e-38f};
  for (size_t i = 0; i < LENGTHS * 5; i++) {
    size_t count = lengths[i / 5], rows = 1 + i % 5;
    float *x = random_new(rows * (count + 3), i + 1, scales[i % 5]);
    quantise_rows_case(k, rows, count, x);
    x[(rows - 1) * (count + 3) + count / 2] =
        i % 3 == 0 ? NAN : (i % 3 == 1 ? INFINITY : -INFINITY);
    quantise_rows_case(k, rows, count, x);
    guarded_free(x);
  }
}

/* The reference's numbers and factors, bit for bit; the sizes of a column's numbers add up to no
 * more than sums in int32 allow. */
static void test_quantise_int16_panel(const msk_kernels *k) {
  for (size_t i = 0; i < 120; i++) {
    size_t depth = 1 + i * 37 % MSK_INT16_DEEPEST, pairs = (depth + 1) / 2;
    size_t width = i % 2 ? k->panel : k->lanes;
    float *x = random_new(depth * width, i, 1), *panel = guarded_new((1 + pairs) * width),
          *expected = guarded_new((1 + pairs) * width);
    for (size_t d = 0; d < depth; d++) x[d * width] = 0, x[d * width + 1] *= 1e30f;
    if (i % 4 == 0)
      x[width - 1] = 50; /* alone of its size: the numbers' limit counts, not their sum */
    if (i % 5 == 0) x[(depth - 1) * width + 2] = i % 3 ? NAN : -INFINITY;
    k->quantise_int16_panel(depth, width, x, panel);
    reference.quantise_int16_panel(depth, width, x, expected);
    guarded_check(panel, (1 + pairs) * width);
    assert_memory_equal(panel + width, expected + width, pairs * width * sizeof *panel);
    for (size_t j = 0; j < width; j++) {
      int64_t sum = 0;
      assert_true(same_kind(panel[j], expected[j]) && (isnan(panel[j]) || panel[j] == expected[j]));
      assert_int_equal(isnan(panel[j]), i % 5 == 0 && j == 2);
      for (size_t d = 0; d < 2 * pairs; d++) {
        int code = int16_of(panel + width, d / 2 * width * 2 + j * 2 + d % 2);
        sum += abs(code);
        if (!isnan(panel[j]))
          check_value((double)panel[j] * code, d < depth ? x[d * width + j] : 0,
                      0.51 * (double)panel[j] + 1e-30, "weight", d);
      }
      assert_true(sum * MSK_INT16_LIMIT <= INT32_MAX);
    }
    guarded_free(x), guarded_free(panel), guarded_free(expected);
  }
}

static void test_scale_row(const msk_kernels *k) {
  for (size_t i = 0; i < LENGTHS; i++) {
    float *x = random_new(lengths[i], 1, 1), *y = guarded_new(lengths[i]);
    x[0] = special(i);
    k->scale_row(lengths[i], x, 0.37f, y);
    for (size_t j = 0; j < lengths[i]; j++) assert_true(y[j] == x[j] * 0.37f || isnan(x[j]));
    guarded_check(y, lengths[i]);
    guarded_free(x), guarded_free(y);
  }
}

static void test_transpose_rows(const msk_kernels *k) {
  for (size_t width = k->lanes; width <= k->panel; width += k->lanes) {
    for (size_t i = 0; i < LENGTHS; i++) {
      size_t count = lengths[i], rows = 1 + (i * 5 + 3) % width, stride = count + i % 3;
      size_t bytes = ((rows - 1) * stride + count) * sizeof(float);
      float *x = paged_new(bytes), *noise = random_new(rows * stride, 1, 1),
            *y = guarded_new(count * width);
      memcpy(x, noise, bytes);
      x[0] = special(i);
      k->transpose_rows(rows, width, count, x, stride, 0.37f, y);
      for (size_t d = 0; d < count; d++) {
        for (size_t r = 0; r < width; r++) {
          float expected = r < rows ? x[r * stride + d] * 0.37f : 0.0f;
          assert_true(y[d * width + r] == expected || (isnan(expected) && isnan(y[d * width + r])));
        }
      }
      guarded_check(y, count * width);
      paged_free(x, bytes), guarded_free(noise), guarded_free(y);
    }
  }
}

static void test_layer_norm_row(const msk_kernels *k) {
  for (size_t i = 0; i < LENGTHS; i++) {
    size_t n = lengths[i];
    float *x = random_new(n, 1, 1), *gamma = random_new(n, 2, 1), *beta = random_new(n, 3, 1),
          *y = guarded_new(n), *expected = guarded_new(n);
    /* a mean far from zero cancels: each difference is wrong by an ulp of 50 */
    for (size_t j = 0; j < n; j++) x[j] += 50;
    k->layer_norm_row(n, x, gamma, beta, 1e-6f, y);
    reference.layer_norm_row(n, x, gamma, beta, 1e-6f, expected);
    guarded_check(y, n);
    for (size_t j = 0; n > 2 && j < n; j++)
      check_value(y[j], expected[j], 64 * 4 * UNIT * fabs((double)gamma[j]) * 4 + 8 * UNIT,
                  "layer norm", j);
    k->layer_norm_row(n, x, gamma, beta, 1e-6f, x);
    assert_memory_equal(x, y, n * sizeof(float));
    x[n - 1] = NAN;
    k->layer_norm_row(n, x, gamma, beta, 1e-6f, y);
    for (size_t j = 0; j < n; j++) assert_true(isnan(y[j]));
    guarded_free(x), guarded_free(gamma), guarded_free(beta), guarded_free(y),
        guarded_free(expected);
  }
}

/* ---- channels ---- */

static void channel_case(const msk_kernels *k, size_t pixels, size_t channels) {
  float *x = random_new(pixels * channels, 1, 1), *mean = random_new(channels, 2, 1),
        *sums = guarded_new(channels), *squares = guarded_new(channels);
  float *scale = random_new(channels, 3, 1), *shift = random_new(channels, 4, 1),
        *y = guarded_new(pixels * channels);
  k->channel_sums(pixels, channels, x, sums);
  k->channel_squares(pixels, channels, x, mean, squares);
  guarded_check(sums, channels), guarded_check(squares, channels);
  for (size_t c = 0; c < channels; c++) {
    double sum = 0, size = 0, square = 0;
    for (size_t i = 0; i < pixels; i++) {
      double value = x[i * channels + c];
      sum += value;
      size += fabs(value);
      square += (value - mean[c]) * (value - mean[c]);
    }
    check_value(sums[c], sum, (double)pixels * UNIT * size, "sum", c);
    check_value(squares[c], square, ((double)pixels + 4) * UNIT * square * 2 + FLT_MIN, "square",
                c);
  }
  for (int swish = 0; swish < 2; swish++) {
    k->normalise_pixels(pixels, channels, x, mean, scale, shift, swish, y);
    guarded_check(y, pixels * channels);
    for (size_t i = 0; i < pixels * channels; i++) {
      size_t c = i % channels;
      double product = ((double)x[i] - mean[c]) * scale[c], value = product + shift[c];
      double slack = UNIT * (3 * fabs(product) + 2 * fabs(value));
      check_value(y[i], swish ? value / (1 + exp(-value)) : value,
                  1.2 * slack + (swish ? 8 * UNIT * fabs(value) : 0), "normalise", i);
    }
  }
  k->normalise_pixels(pixels, channels, x, mean, scale, shift, true, x);
  assert_memory_equal(x, y, pixels * channels * sizeof(float));
  guarded_free(x), guarded_free(mean), guarded_free(sums), guarded_free(squares),
      guarded_free(scale), guarded_free(shift), guarded_free(y);
}

static void test_channel_sums(const msk_kernels *k) {
  for (size_t i = 0; i < LENGTHS; i++) channel_case(k, 1 + i * 5 % 13, lengths[i]);
}

static void test_channel_squares(const msk_kernels *k) { channel_case(k, 128, 40); }

/* Swish far out: x at one end, 0 at the other, never NaN for finite input. */
static void test_normalise_pixels(const msk_kernels *k) {
  float x[6] = {1000, -1000, 89, -89, 1e38f, -1e38f}, y[6], zero[6] = {0},
        one[6] = {1, 1, 1, 1, 1, 1};
  k->normalise_pixels(1, 6, x, zero, one, zero, true, y);
  for (size_t i = 0; i < 6; i++) assert_true(i % 2 ? fabsf(y[i]) < 1e-36f : y[i] == x[i]);
  float special_x[36], found[36], expected[36], zeros[36] = {0}, ones[36];
  for (size_t i = 0; i < 36; i++) special_x[i] = special(i), ones[i] = 1;
  for (int swish = 0; swish < 2; swish++) {
    k->normalise_pixels(1, 36, special_x, zeros, ones, zeros, swish, found);
    reference.normalise_pixels(1, 36, special_x, zeros, ones, zeros, swish, expected);
    for (size_t i = 0; i < 36; i++) assert_true(same_kind(expected[i], found[i]));
  }
}

/* ---- softmax and scores ---- */

/* The exponential, seen through a row whose maximum is 0: at most 2 ulp, zero once e^x is below
 * the smallest normal number. */
static void softmax_accuracy(const msk_kernels *k) {
  enum { N = 4096 };
  float *s = guarded_new(N), *e = guarded_new(N), maximum;
  for (size_t block = 0; block < 22; block++) {
    for (size_t i = 0; i < N; i++) s[i] = -4.0f * (float)block - 4.0f * (float)i / N;
    s[0] = 0;
    k->softmax_row(N, s, e, &maximum);
    assert_true(maximum == 0 && e[0] == 1);
    for (size_t i = 1; i < N; i++) {
      double exact = exp((double)s[i]);
      check_value(e[i], exact, exact < 1.3e-38 ? exact : 4 * UNIT * exact, "exp", i);
    }
  }
  guarded_free(s), guarded_free(e);
}

static void test_softmax_row(const msk_kernels *k) {
  softmax_accuracy(k);
  for (size_t i = 0; i < LENGTHS; i++) {
    size_t n = lengths[i];
    float *s = random_new(n, 1, 5), *e = guarded_new(n), maximum, largest = -INFINITY;
    double sum = 0;
    for (size_t j = 0; j < n; j++) largest = fmaxf(largest, s[j]);
    for (size_t j = 0; j < n; j++) sum += exp((double)s[j] - largest);
    float total = k->softmax_row(n, s, e, &maximum);
    guarded_check(e, n);
    assert_true(maximum == largest);
    check_value(total, sum, ((double)n + 4) * UNIT * sum, "softmax sum", i);
    for (size_t j = 0; j < n; j++)
      check_value(e[j], exp((double)s[j] - largest), 4 * UNIT, "softmax", j);
    k->softmax_row(n, s, s, &maximum);
    assert_memory_equal(s, e, n * sizeof(float));
    for (size_t j = 0; j < n; j++) s[j] = -INFINITY; /* nothing to attend to: NaN, as 0 / 0 */
    assert_true(isnan(k->softmax_row(n, s, e, &maximum)));
    s[n - 1] = -3;
    assert_true(k->softmax_row(n, s, e, &maximum) == 1 && maximum == -3 && e[n - 1] == 1);
    for (size_t j = 0; j + 1 < n; j++) assert_true(e[j] == 0);
    for (size_t j = 0; j < n; j++) { /* a NaN or +inf anywhere is found */
      memset(s, 0, n * sizeof(float));
      s[j] = j % 2 ? INFINITY : NAN;
      assert_true(isnan(k->softmax_row(n, s, e, &maximum)));
    }
    guarded_free(s), guarded_free(e);
  }
}

/* The same to the bit, and each weight's code by the definition, with the weights or without. */
static void test_softmax_int8_row(const msk_kernels *k) {
  for (size_t i = 0; i < LENGTHS; i++) {
    size_t n = lengths[i];
    float *s = random_new(n, 1, 5), *e = guarded_new(n), *found = guarded_new(n), maximum, largest;
    uint8_t *q = paged_new(n), *again = paged_new(n);
    float sum = k->softmax_row(n, s, e, &maximum);
    assert_true(k->softmax_int8_row(n, s, found, q, &largest) == sum && largest == maximum);
    assert_memory_equal(found, e, n * sizeof(float));
    for (size_t j = 0; j < n; j++) {
      int code = k->activation_offset != 0 ? (int8_t)q[j] + k->activation_offset : q[j];
      assert_int_equal(code, lrintf(e[j] * 255.0f));
    }
    assert_true(k->softmax_int8_row(n, s, NULL, again, &largest) == sum);
    assert_memory_equal(again, q, n);
    s[n / 2] = NAN;
    assert_true(isnan(k->softmax_int8_row(n, s, NULL, q, &largest)));
    guarded_check(found, n);
    guarded_free(s), guarded_free(e), guarded_free(found), paged_free(q, n), paged_free(again, n);
  }
}

static void test_score_row(const msk_kernels *k) {
  for (size_t i = 0; i < LENGTHS * 3; i++) {
    size_t n = lengths[i / 3];
    msk_distance distance = (msk_distance)(i % 3);
    float *s = random_new(n, 1, 8), *lt = random_new(n, 2, 8), *t = guarded_new(n),
          *e = guarded_new(n), maximum, t_maximum;
    float t_sum = k->softmax_row(n, lt, t, &t_maximum), sum = k->softmax_row(n, s, e, &maximum);
    double score = 0, size = 0;
    for (size_t j = 0; j < n; j++) {
      lt[j] = lt[j] - t_maximum - logf(t_sum);
      t[j] /= t_sum;
      double p = (double)e[j] / sum, lp = ((double)s[j] - maximum) - log((double)sum);
      score += naive_likeness(distance, t[j], p, lt[j], lp);
      size += (t[j] + p) * (1 + fabs(lp) + fabs((double)lt[j]));
    }
    float found = k->score_row(distance, n, s, e, maximum, sum, t, lt);
    check_value(found, score, (12 + (double)n / 4) * UNIT * size, "score", i);
    if (n > 1) { /* finite for finite logits, however far apart */
      s[0] = 3000, lt[0] = -3000, t[0] = 0;
      sum = k->softmax_row(n, s, e, &maximum);
      assert_true(isfinite(k->score_row(distance, n, s, e, maximum, sum, t, lt)));
    }
    guarded_free(s), guarded_free(lt), guarded_free(t), guarded_free(e);
  }
  /* A row against itself: no divergence. */
  float s[9] = {1, 2, 3, -4, 5, 0, 7, 1, -30}, e[9], maximum,
        sum = k->softmax_row(9, s, e, &maximum), p[9], lp[9];
  for (size_t j = 0; j < 9; j++) p[j] = e[j] / sum, lp[j] = s[j] - maximum - logf(sum);
  assert_true(fabsf(k->score_row(MSK_DISTANCE_SYMMETRIC_KL, 9, s, e, maximum, sum, p, lp)) < 1e-6f);
  assert_true(fabsf(k->score_row(MSK_DISTANCE_JENSEN_SHANNON, 9, s, e, maximum, sum, p, lp)) <
              1e-6f);
}

/* Every binary16 number, by its definition in IEEE 754; counts around the vector, between
 * guards. */
static void test_widen_fp16(const msk_kernels *k) {
  enum { ALL = 65536 };
  uint16_t *x = malloc(ALL * sizeof *x);
  float *y = guarded_new(ALL);
  for (size_t i = 0; i < ALL; i++) x[i] = (uint16_t)i;
  k->widen_fp16(ALL, x, y);
  guarded_check(y, ALL);
  for (size_t i = 0; i < ALL; i++) {
    int exponent = (int)(i >> 10 & 31);
    double mantissa = (double)(i & 1023) / 1024, sign = i & 0x8000 ? -1 : 1;
    double exact = exponent == 31  ? (mantissa == 0 ? INFINITY : NAN)
                   : exponent == 0 ? ldexp(mantissa, -14)
                                   : ldexp(1 + mantissa, exponent - 15);
    assert_true(isnan(exact) ? isnan(y[i])
                             : (double)y[i] == sign * exact && (signbit(y[i]) != 0) == (sign < 0));
  }
  for (size_t i = 0; i < LENGTHS; i++) {
    float *part = guarded_new(lengths[i]);
    k->widen_fp16(lengths[i], x + 1001, part);
    guarded_check(part, lengths[i]);
    assert_memory_equal(part, y + 1001, lengths[i] * sizeof(float));
    guarded_free(part);
  }
  guarded_free(y);
  free(x);
}

/* ---- all of them ---- */

#define MSK_KERNEL(result, name, arguments) {#name, test_##name},
static const struct {
  const char *name;
  void (*test)(const msk_kernels *kernels);
} kernel_tests[] = {
#include "compute/cpu/kernels.inc"
};
#undef MSK_KERNEL

static void test_all_kernels(void **state) {
  (void)state;
  msk_kernels_ref(&reference);
  int sets = 0;
  for (; tested_set(sets) != NULL; sets++) {
    msk_device *device = tested_device(tested_set(sets), MSK_PRECISION_FP32);
    for (size_t i = 0; i < sizeof kernel_tests / sizeof *kernel_tests; i++) {
      print_message("%s %s\n", tested_set(sets), kernel_tests[i].name);
      kernel_tests[i].test(&device->kernels);
    }
    msk_device_destroy(device);
  }
  assert_true(sets > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_kernels)};
  return cmocka_run_group_tests_name("compute kernels", tests, NULL, NULL);
}
