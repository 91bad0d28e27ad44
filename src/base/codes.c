/* SPDX-License-Identifier: Apache-2.0
 * codes.c - see codes.h. */
#include "base/codes.h"

#include <math.h>

void msk_codes_scales(const float *values, size_t count, size_t columns, float *scales,
                      float *inverses) {
  for (size_t c = 0; c < columns; c++) scales[c] = 0;
  for (size_t i = 0; i < count; i += columns) {
    for (size_t c = 0; c < columns; c++) scales[c] = fmaxf(scales[c], fabsf(values[i + c]));
  }
  for (size_t c = 0; c < columns; c++)
    scales[c] = msk_code_scale(scales[c], MSK_CODE_LIMIT, &inverses[c]);
}

void msk_codes_make(const float *values, size_t count, size_t columns, const float *inverses,
                    int8_t *codes) {
  for (size_t i = 0; i < count; i += columns) {
    for (size_t c = 0; c < columns; c++)
      codes[i + c] = (int8_t)msk_code(values[i + c], inverses[c]);
  }
}

void msk_codes_values(const int8_t *codes, const float *scales, size_t columns, size_t first,
                      size_t count, float *values) {
  for (size_t i = first, last = first + count; i < last;) {
    size_t column = i % columns, run = columns - column < last - i ? columns - column : last - i;
    for (size_t c = 0; c < run; c++) values[i + c] = (float)codes[i + c] * scales[column + c];
    i += run;
  }
}

bool msk_codes_valid(const int8_t *codes, size_t count) {
  uint8_t found = 0;
  for (size_t i = 0; i < count; i++) found |= (uint8_t)(codes[i] < -MSK_CODE_LIMIT);
  return found == 0;
}

bool msk_scales_valid(const float *scales, size_t count) {
  bool good = true;
  for (size_t i = 0; i < count; i++)
    good = good && scales[i] >= 0 && isfinite(scales[i] * (float)MSK_CODE_LIMIT);
  return good;
}
