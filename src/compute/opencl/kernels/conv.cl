/* SPDX-License-Identifier: Apache-2.0
 *
 * conv.cl - SAME convolutions, channels last: the products of product.cl whose rows are pixels of
 * y. What a row is multiplied with is gathered on the way: contracted index (ky, kx, channel),
 * padding and nearest upsampling are addressing. Behind the bias of `columns` numbers lie `in`
 * zeros, which are what padding reads. */
#define CONV_ARGUMENTS                                                                            \
  const global float *x, ulong x_at, uint height, uint width, uint in, uint upsample, uint taps,  \
      uint stride, uint top, uint left, uint out_height, uint out_width, const global float *w,   \
      const global float *bias, const global float *residual, ulong residual_at, global float *y, \
      ulong y_at, uint rows, uint columns, int has
#define BEGIN_CONV         \
  x += x_at;               \
  residual += residual_at; \
  y += y_at;               \
  const uint activation = NONE, residual_stride = columns, y_stride = columns

/* Where pixel `pixel` of all y reads at tap (ky, kx). */
const global float *find_pixel(const global float *x, const global float *zeros, uint height,
                               uint width, uint in, uint upsample, uint stride, uint top, uint left,
                               uint out_height, uint out_width, uint pixel, uint ky, uint kx) {
  const uint line = pixel / out_width, picture = line / out_height,
             py = (line - picture * out_height) * stride + ky - top,
             px = (pixel - line * out_width) * stride + kx - left;
  /* what lies before the picture is a large number */
  if (py >= height * upsample || px >= width * upsample) return zeros;
  return x + (((ulong)picture * height + py / upsample) * width + px / upsample) * in;
}
#define FIND_PIXEL(i, tap)                                                                  \
  find_pixel(x, bias + columns, height, width, in, upsample, stride, top, left, out_height, \
             out_width, i, (tap) / taps, (tap) % taps)

#ifndef TILE
/* Global size: blocks of WIDE_ROWS pixels, panels; local size 1. */
#define FIND_CONV_ROW(r) const global float *row##r = FIND_PIXEL(ROW_OR_LAST(r), tap);

kernel void conv(CONV_ARGUMENTS) {
  BEGIN_CONV;
  WIDE_PRODUCT(taps *taps, in, FIND_CONV_ROW);
}
#else
/* Global size: columns, pixels, each in whole tiles over TILE_ITEM. */
#define CONV_ROW_AT(i) FIND_PIXEL(i, (k + lane) / in)[(k + lane) % in]

kernel IN_TILES void conv(CONV_ARGUMENTS) {
  BEGIN_CONV;
  TILED_PRODUCT(float, float, taps *taps *in, CONV_ROW_AT, FLOAT_AT, MULTIPLY_ADD, AS_IT_IS);
}
#endif
