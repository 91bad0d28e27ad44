/* SPDX-License-Identifier: Apache-2.0
 * test_dtype.c - conversions between element types, against closed forms in double precision. */
#include <math.h>

#include "support.h"
#include "tensor/weight_file.h"

static float one_to_f32(msk_dtype dtype, uint64_t bits) {
  uint8_t bytes[8];
  for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(bits >> 8 * i);
  msk_tensor tensor = {
      .dtype = dtype, .rank = 0, .elements = 1, .bytes = msk_dtype_bytes(dtype), .data = bytes};
  float value;
  msk_tensor_to_f32(&tensor, 0, 1, &value);
  return value;
}

static uint16_t narrow(float value, msk_dtype dtype) {
  uint16_t bits;
  msk_f32_to_dtype(&value, 1, dtype, &bits);
  return bits;
}

static double exact_half(unsigned bits) {
  int exponent = (int)(bits >> 10 & 31), mantissa = (int)(bits & 1023);
  double value = exponent == 31 ? (mantissa ? (double)NAN : (double)INFINITY)
                 : exponent     ? ldexp(1024 + mantissa, exponent - 25)
                                : ldexp(mantissa, -24);
  return bits >> 15 ? -value : value;
}

/* All 65536 halves widen exactly and narrow back to themselves (a NaN stays one). */
static void every_half(void **state) {
  (void)state;
  for (unsigned bits = 0; bits < 65536; bits++) {
    float wide = one_to_f32(MSK_DTYPE_F16, bits);
    double exact = exact_half(bits);
    uint16_t back = narrow(wide, MSK_DTYPE_F16);
    if (isnan(exact)) {
      assert_true(isnan(wide) && (back & 0x7C00) == 0x7C00 && (back & 0x3FF) != 0);
    } else {
      assert_true((double)wide == exact && !signbit(wide) == !signbit(exact));
      assert_int_equal(back, bits);
    }
  }
}

static void every_bfloat(void **state) {
  (void)state;
  for (unsigned bits = 0; bits < 65536; bits++) {
    float wide = one_to_f32(MSK_DTYPE_BF16, bits), expected;
    uint32_t word = bits << 16;
    memcpy(&expected, &word, 4);
    assert_memory_equal(&wide, &expected, 4);
    uint16_t back = narrow(wide, MSK_DTYPE_BF16);
    if (isnan(wide)) {
      assert_true((back & 0x7F80) == 0x7F80 && (back & 0x7F) != 0);
    } else {
      assert_int_equal(back, bits);
    }
  }
}

/* Between two neighbours the nearer wins, the even one in the middle; exhaustively over all
 * neighbours, at seven places between them. */
static void halves_round_to_nearest_even(void **state) {
  (void)state;
  for (unsigned bits = 0; bits < 0x7BFF; bits++) {
    double low = exact_half(bits), high = exact_half(bits + 1), middle = (low + high) / 2;
    uint16_t even = (uint16_t)(bits & 1 ? bits + 1 : bits);
    assert_int_equal(narrow((float)middle, MSK_DTYPE_F16), even);
    assert_int_equal(narrow(nextafterf((float)middle, 0), MSK_DTYPE_F16), bits);
    assert_int_equal(narrow(nextafterf((float)middle, INFINITY), MSK_DTYPE_F16), bits + 1);
    assert_int_equal(narrow(-(float)middle, MSK_DTYPE_F16), even | 0x8000);
  }
  assert_int_equal(narrow(65504, MSK_DTYPE_F16), 0x7BFF);
  assert_int_equal(narrow(65519.996f, MSK_DTYPE_F16), 0x7BFF);
  assert_int_equal(narrow(65520, MSK_DTYPE_F16), 0x7C00);
  assert_int_equal(narrow(-3e38f, MSK_DTYPE_F16), 0xFC00);
  assert_int_equal(narrow(1e-40f, MSK_DTYPE_F16), 0);
}

static void bfloats_round_to_nearest_even(void **state) {
  (void)state;
  for (uint32_t bits = 0; bits < 0x7F7F; bits++) {
    uint32_t middle = bits << 16 | 0x8000, below = middle - 1, above = middle + 1;
    float value;
    memcpy(&value, &middle, 4);
    assert_int_equal(narrow(value, MSK_DTYPE_BF16), bits + (bits & 1));
    memcpy(&value, &below, 4);
    assert_int_equal(narrow(value, MSK_DTYPE_BF16), bits);
    memcpy(&value, &above, 4);
    assert_int_equal(narrow(value, MSK_DTYPE_BF16), bits + 1);
  }
  uint32_t tiny_nan = 0x7F800001; /* its payload lies in the bits that are cut off */
  float value;
  memcpy(&value, &tiny_nan, 4);
  assert_int_equal(narrow(value, MSK_DTYPE_BF16) & 0x7FFF, 0x7FC0);
}

static void doubles_and_parts(void **state) {
  (void)state;
  double value = 1.0000000596046448; /* halfway between 1 and the next float: to even */
  uint64_t bits;
  memcpy(&bits, &value, 8);
  assert_true(one_to_f32(MSK_DTYPE_F64, bits) == 1.0f);
  uint8_t data[1 + 16]; /* at an odd address */
  float values[4] = {1, 2, 3, 4}, out[2];
  memcpy(data + 1, values, 16);
  msk_tensor tensor = {.dtype = MSK_DTYPE_F32,
                       .rank = 1,
                       .shape = {4},
                       .elements = 4,
                       .bytes = 16,
                       .data = data + 1};
  msk_tensor_to_f32(&tensor, 1, 2, out);
  assert_true(out[0] == 2 && out[1] == 3);
}

static void finite_or_refused(void **state) {
  (void)state;
  enum { COUNT = 3000 };
  float values[COUNT] = {0};
  msk_tensor tensor = {.name = "some.kernel",
                       .dtype = MSK_DTYPE_F32,
                       .rank = 1,
                       .shape = {COUNT},
                       .elements = COUNT,
                       .bytes = sizeof values,
                       .data = (uint8_t *)values};
  msk_error error;
  assert_int_equal(msk_tensor_check_finite(&tensor, "f", &error), MSK_OK);
  static const float bad[] = {NAN, INFINITY, -INFINITY};
  static const size_t places[] = {0, 1023, 1024, COUNT - 1};
  for (size_t i = 0; i < 12; i++) {
    values[places[i % 4]] = bad[i / 4];
    assert_int_equal(msk_tensor_check_finite(&tensor, "f", &error), MSK_ERROR_FILE);
    assert_non_null(strstr(error.message, "some.kernel"));
    values[places[i % 4]] = 0;
  }
  tensor.dtype = MSK_DTYPE_I32;
  assert_int_equal(msk_tensor_check_finite(&tensor, "f", &error), MSK_ERROR_FILE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_half),
      cmocka_unit_test(every_bfloat),
      cmocka_unit_test(halves_round_to_nearest_even),
      cmocka_unit_test(bfloats_round_to_nearest_even),
      cmocka_unit_test(doubles_and_parts),
      cmocka_unit_test(finite_or_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
