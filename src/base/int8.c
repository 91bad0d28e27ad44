/* SPDX-License-Identifier: Apache-2.0
 * int8.c - see int8.h. */
#include "base/int8.h"

#include <math.h>

msk_status msk_int8_check_depth(size_t depth, msk_error *error) {
  return depth <= MSK_INT8_DEEPEST
             ? MSK_OK
             : msk_fail(error, MSK_ERROR_UNSUPPORTED,
                        "a linear layer adds %zu products, expected at most %d in int8: use fp32",
                        depth, MSK_INT8_DEEPEST);
}

void msk_int8_scales(const float *values, size_t count, size_t columns, float *scales,
                     float *inverses) {
  for (size_t c = 0; c < columns; c++) scales[c] = 0;
  for (size_t i = 0; i < count; i += columns) {
    for (size_t c = 0; c < columns; c++) scales[c] = fmaxf(scales[c], fabsf(values[i + c]));
  }
  for (size_t c = 0; c < columns; c++)
    scales[c] = msk_int8_scale(scales[c], MSK_INT8_LIMIT, &inverses[c]);
}

void msk_int8_make(const float *values, size_t count, size_t columns, const float *inverses,
                   int8_t *quantised) {
  for (size_t i = 0; i < count; i += columns) {
    for (size_t c = 0; c < columns; c++)
      quantised[i + c] = (int8_t)msk_int8_round(values[i + c], inverses[c]);
  }
}

void msk_int8_values(const int8_t *quantised, const float *scales, size_t columns, size_t first,
                     size_t count, float *values) {
  for (size_t i = first, last = first + count; i < last;) {
    size_t column = i % columns, run = columns - column < last - i ? columns - column : last - i;
    for (size_t c = 0; c < run; c++) values[i + c] = (float)quantised[i + c] * scales[column + c];
    i += run;
  }
}

bool msk_int8_valid(const int8_t *quantised, size_t count) {
  uint8_t found = 0;
  for (size_t i = 0; i < count; i++) found |= (uint8_t)(quantised[i] < -MSK_INT8_LIMIT);
  return found == 0;
}

bool msk_int8_scales_valid(const float *scales, size_t count) {
  bool good = true;
  for (size_t i = 0; i < count; i++)
    good = good && scales[i] >= 0 && isfinite(scales[i] * (float)MSK_INT8_LIMIT);
  return good;
}
