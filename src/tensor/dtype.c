/* SPDX-License-Identifier: Apache-2.0
 *
 * dtype.c - element types: sizes, names, and conversions to and from float32. Narrowing rounds
 * to nearest, ties to even, keeps subnormals, signs of zero and infinities; a NaN stays a NaN.
 * All that rounds is in integers, so that no instruction set or rounding mode decides. */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "tensor/weight_file.h"

static const struct {
  const char *name;
  size_t bytes;
} dtypes[] = {
    [MSK_DTYPE_F32] = {"F32", 4}, [MSK_DTYPE_F16] = {"F16", 2}, [MSK_DTYPE_BF16] = {"BF16", 2},
    [MSK_DTYPE_I8] = {"I8", 1},   [MSK_DTYPE_I32] = {"I32", 4}, [MSK_DTYPE_I64] = {"I64", 8},
    [MSK_DTYPE_U8] = {"U8", 1},   [MSK_DTYPE_U32] = {"U32", 4}, [MSK_DTYPE_BOOL] = {"BOOL", 1},
    [MSK_DTYPE_F64] = {"F64", 8}};

enum { DTYPE_COUNT = sizeof dtypes / sizeof *dtypes };
_Static_assert(DTYPE_COUNT == MSK_DTYPE_F64 + 1, "every type has its name and size");

size_t msk_dtype_bytes(msk_dtype dtype) {
  return (unsigned)dtype < DTYPE_COUNT ? dtypes[dtype].bytes : 0;
}

const char *msk_dtype_name(int dtype) {
  return (unsigned)dtype < DTYPE_COUNT ? dtypes[dtype].name : NULL;
}

bool msk_dtype_is_float(msk_dtype dtype) {
  return dtype == MSK_DTYPE_F32 || dtype == MSK_DTYPE_F16 || dtype == MSK_DTYPE_BF16 ||
         dtype == MSK_DTYPE_F64;
}

static float float_of_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static uint16_t little_u16(const uint8_t *bytes) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  uint16_t value; /* one load, which loops can widen */
  memcpy(&value, bytes, sizeof value);
  return value;
#else
  return (uint16_t)(bytes[0] | bytes[1] << 8);
#endif
}

/* Shifted into a float's place, a half is that float times 2^-112, subnormals too; infinities
 * and NaN get their exponent back. No branches: loops over it become vector code. */
static float f16_to_f32(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000) << 16, magnitude = (uint32_t)(half & 0x7FFF) << 13,
           bits;
  float value = float_of_bits(magnitude) * 0x1p112f;
  memcpy(&bits, &value, sizeof bits);
  bits |= magnitude >= 0x0F800000 ? 0x7F800000 : 0;
  return float_of_bits(sign | bits);
}

/* bits with its `drop` lowest bits rounded off, nearest, ties to even; 1 <= drop <= 31. */
static uint32_t round_off(uint32_t bits, unsigned drop) {
  uint32_t half = (uint32_t)1 << (drop - 1), odd = bits >> drop & 1;
  return (bits + half - 1 + odd) >> drop;
}

static uint16_t f32_to_f16(uint32_t bits) {
  uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
  uint32_t magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000) return (uint16_t)(sign | 0x7E00 | (magnitude >> 13 & 0x3FF));
  /* 65520 and above round to infinity */
  if (magnitude >= 0x477FF000) return (uint16_t)(sign | 0x7C00);
  if (magnitude >= 0x38800000) return (uint16_t)(sign | round_off(magnitude - (112u << 23), 13));
  /* at most half of the smallest subnormal: to zero, the tie too */
  if (magnitude <= 0x33000000) return sign;
  unsigned exponent = magnitude >> 23;
  return (uint16_t)(sign | round_off((magnitude & 0x7FFFFF) | 0x800000, 126 - exponent));
}

static uint16_t f32_to_bf16(uint32_t bits) {
  if ((bits & 0x7FFFFFFF) > 0x7F800000) return (uint16_t)(bits >> 16 | 0x40);
  uint32_t odd = bits >> 16 & 1;
  return (uint16_t)((bits + 0x7FFF + odd) >> 16);
}

void msk_tensor_to_f32(const msk_tensor *tensor, size_t first, size_t count, float *values) {
  const uint8_t *from = tensor->data + first * msk_dtype_bytes(tensor->dtype);
  switch (tensor->dtype) {
    case MSK_DTYPE_F32:
      if (count > 0) memcpy(values, from, count * sizeof *values);
      return;
    case MSK_DTYPE_F16:
      for (size_t i = 0; i < count; i++) values[i] = f16_to_f32(little_u16(from + 2 * i));
      return;
    case MSK_DTYPE_BF16:
      for (size_t i = 0; i < count; i++)
        values[i] = float_of_bits((uint32_t)little_u16(from + 2 * i) << 16);
      return;
    case MSK_DTYPE_F64:
      for (size_t i = 0; i < count; i++) {
        double value;
        memcpy(&value, from + 8 * i, sizeof value);
        values[i] = (float)value;
      }
      return;
    default: /* not a float type: the caller asked for what the header excludes */
      for (size_t i = 0; i < count; i++) values[i] = NAN;
      return;
  }
}

void msk_f32_to_dtype(const float *values, size_t count, msk_dtype dtype, void *out) {
  if (dtype == MSK_DTYPE_F32) {
    if (count > 0) memcpy(out, values, count * sizeof *values);
    return;
  }
  uint8_t *to = out;
  for (size_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, &values[i], sizeof bits);
    uint16_t narrow = dtype == MSK_DTYPE_F16 ? f32_to_f16(bits) : f32_to_bf16(bits);
    to[2 * i] = (uint8_t)(narrow & 255);
    to[2 * i + 1] = (uint8_t)(narrow >> 8);
  }
}

bool msk_narrow_fp16(const float *from, size_t count, uint16_t *to) {
  uint32_t lost = 0;
  for (size_t i = 0; i < count; i++) {
    /* Scaled by 2^-112 a number has binary16's exponent, and drops behind its mantissa what
     * binary16 has no room for; widening tells whether that was anything. */
    float small = from[i] * 0x1p-112f;
    uint32_t bits, narrow;
    memcpy(&bits, &from[i], sizeof bits);
    memcpy(&narrow, &small, sizeof narrow);
    uint32_t half = (narrow >> 13 & 0x7FFF) | (bits >> 16 & 0x8000), wide_bits = (half & 0x7FFF)
                                                                                 << 13;
    float wide;
    memcpy(&wide, &wide_bits, sizeof wide);
    wide *= 0x1p112f;
    memcpy(&wide_bits, &wide, sizeof wide_bits);
    lost |= (wide_bits ^ bits) << 1; /* the sign is kept by itself */
    lost |= (half & 0x7C00) == 0x7C00;
    to[i] = (uint16_t)half;
  }
  return lost == 0;
}

msk_status msk_tensor_check_finite(const msk_tensor *tensor, const char *path, msk_error *error) {
  enum { BLOCK = 1024 };
  float values[BLOCK];
  if (!msk_dtype_is_float(tensor->dtype)) {
    return msk_fail(error, MSK_ERROR_FILE,
                    "tensor %s of %s has type %s, expected F32, F16, BF16 or F64", tensor->name,
                    path, msk_dtype_name((int)tensor->dtype));
  }
  /* in blocks on the stack: a tensor can have gigabytes, of any float type */
  for (size_t first = 0; first < tensor->elements; first += BLOCK) {
    size_t count = tensor->elements - first < BLOCK ? tensor->elements - first : BLOCK;
    msk_tensor_to_f32(tensor, first, count, values);
    for (size_t i = 0; i < count; i++) {
      if (!isfinite(values[i])) {
        return msk_fail(error, MSK_ERROR_FILE,
                        "tensor %s of %s holds %s at element %zu, expected finite numbers: is the "
                        "file damaged?",
                        tensor->name, path, isnan(values[i]) ? "NaN" : "an infinity", first + i);
      }
    }
  }
  return MSK_OK;
}
