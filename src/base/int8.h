/* SPDX-License-Identifier: Apache-2.0
 *
 * int8.h - weights in 8 bits: a column's values are its scale times whole numbers from -limit to
 * limit. The arithmetic stands here alone, for those who store them and those who make them when
 * a model is opened, so that both get the same bits. No branches or calls: loops become vector
 * code. What is stored lies as the values did, in rows of `columns`. */
#ifndef MSK_BASE_INT8_H
#define MSK_BASE_INT8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"

enum { MSK_INT8_LIMIT = 127 }; /* of what is stored */
/* So many products with numbers from 0 to 255 at most are added: 255 * 127 * 65536 < 2^31. */
enum { MSK_INT8_DEEPEST = 65536 };
msk_status msk_int8_check_depth(size_t depth, msk_error *error);

/* The scale of a column whose largest magnitude is `largest`; *inverse: what its values are
 * multiplied by. Both 0 where all is 0, as good as; of a column with an infinity the scale is
 * infinite. */
static inline float msk_int8_scale(float largest, float limit, float *inverse) {
  *inverse = largest < 1e-30f ? 0 : limit / largest;
  return largest < 1e-30f ? 0 : largest / limit;
}

/* value * inverse to the nearest whole number, ties to even, for results below 2^22: one whose
 * last bit is worth 1 is added and taken away. */
static inline int32_t msk_int8_round(float value, float inverse) {
  float shifted = value * inverse + 0x1.8p23f;
  int32_t bits;
  memcpy(&bits, &shifted, sizeof bits);
  return bits - 0x4B400000;
}

/* Each column's scale, and what its values are multiplied by. `count`: values, whole rows. */
void msk_int8_scales(const float *values, size_t count, size_t columns, float *scales,
                     float *inverses);
void msk_int8_make(const float *values, size_t count, size_t columns, const float *inverses,
                   int8_t *quantised);
/* Elements [first, first + count) back to values, at the same places. */
void msk_int8_values(const int8_t *quantised, const float *scales, size_t columns, size_t first,
                     size_t count, float *values);
/* Weights from -127 to 127; scales from 0 up, whose product with any of them is finite. */
bool msk_int8_valid(const int8_t *quantised, size_t count);
bool msk_int8_scales_valid(const float *scales, size_t count);

#endif
