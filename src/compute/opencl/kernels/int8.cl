/* SPDX-License-Identifier: Apache-2.0
 *
 * int8.cl - rows times a matrix in 8 bits (docs/precision.md): sums are exact in int32, so that
 * they are the CPU's. Rows of x come quantised (rows.cl), four contracted numbers side by side,
 * `fours` of such a row; `marks` has scale and zero point of each. A panel is fours x PANEL x 4
 * int8 numbers; behind the bias of `stride` numbers lie the columns' scales, and the sums of their
 * weights. */
#define INT8_ARGUMENTS                                                                           \
  const global uint *x, ulong x_at, const global int *marks, ulong marks_at,                      \
      const global uint *w, const global float *bias, uint stride, const global float *residual,  \
      ulong residual_at, uint residual_stride, global float *y, ulong y_at, uint y_stride,        \
      uint rows, uint fours, uint columns, int has, int activation
#define BEGIN_INT8                                        \
  marks += marks_at;                                      \
  residual += residual_at;                                \
  y += y_at;                                              \
  const global float *scales = bias + stride;             \
  const global int *weight_sums = (const global int *)(bias + 2 * stride)
#define INT8_VALUES(sums, i)                                                         \
  (convert_float16((sums) - marks[2 * (i) + 1] * vload16(0, weight_sums + column)) * \
   (as_float(marks[2 * (i)]) * vload16(0, scales + column)))
#define INT8_VALUE(sum, i, j) \
  ((float)((sum) - marks[2 * (i) + 1] * weight_sums[j]) * (as_float(marks[2 * (i)]) * scales[j]))

#ifndef TILE
/* For processors, whose vectors multiply and add floats twice as fast as whole numbers, x is of
 * floats: sums of EXACT fours of products are whole numbers below 2^24, exact in them, and these
 * are added in int32. Global size: blocks of WIDE_ROWS rows, panels; local size 1. */
enum { EXACT = 128 }; /* 4 * 128 * 255 * 127 < 2^24 */
#define BEGIN_TOTAL(r) \
  int16 total##r = 0;  \
  const global float4 *row##r = (const global float4 *)(x + x_at) + (ulong)ROW_OR_LAST(r) * fours;
#define ADD_FOUR(r)                                        \
  sum##r = MULTIPLY_ADD((float16)row##r[k].x, b0, sum##r); \
  sum##r = MULTIPLY_ADD((float16)row##r[k].y, b1, sum##r); \
  sum##r = MULTIPLY_ADD((float16)row##r[k].z, b2, sum##r); \
  sum##r = MULTIPLY_ADD((float16)row##r[k].w, b3, sum##r);
#define ADD_TOTAL(r) total##r += convert_int16(sum##r);
#define STORE_TOTAL(r) vstore16(total##r, r, sums);

kernel void int8_product(INT8_ARGUMENTS) {
  BEGIN_INT8;
  BEGIN_BLOCK;
  const global int16 *panel = (const global int16 *)(w + (ulong)column * fours);
  int sums[WIDE_ROWS * PANEL];
  EACH_ROW(BEGIN_TOTAL)
  for (uint run = 0; run < fours; run += EXACT) {
    const uint end = min(run + EXACT, fours);
    EACH_ROW(BEGIN_ROW)
    for (uint k = run; k < end; k++) {
      const int16 b = panel[k];
      const float16 b0 = convert_float16(b << 24 >> 24), b1 = convert_float16(b << 16 >> 24),
                    b2 = convert_float16(b << 8 >> 24), b3 = convert_float16(b >> 24);
      EACH_ROW(ADD_FOUR)
    }
    EACH_ROW(ADD_TOTAL)
  }
  EACH_ROW(STORE_TOTAL)
  FINISH_BLOCK(INT8_VALUE, INT8_VALUES);
}
#else
/* For GPUs x is of bytes, four in a word. Global size: columns, rows, each in whole tiles over
 * TILE_ITEM. */
#ifdef DOT
#pragma OPENCL EXTENSION cl_khr_integer_dot_product : enable
#define ADD_DOT(a, b, sum) ((sum) + dot_4x8packed_us_int(a, b))
#else
int multiply_fours(uint a, uint b) {
  const int4 products = convert_int4(as_uchar4(a)) * convert_int4(as_char4(b));
  return products.x + products.y + products.z + products.w;
}
#define ADD_DOT(a, b, sum) ((sum) + multiply_fours(a, b))
#endif
#define WORDS_AT(i) x[x_at + (ulong)(i) * fours + k + lane]
#define WORD_AT(at) w[at]

kernel IN_TILES void int8_product(INT8_ARGUMENTS) {
  BEGIN_INT8;
  TILED_PRODUCT(uint, int, fours, WORDS_AT, WORD_AT, ADD_DOT, INT8_VALUE);
}
#endif
