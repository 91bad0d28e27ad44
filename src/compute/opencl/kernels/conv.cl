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
#define FIND_PIXEL(i, ky, kx)                                                                \
  find_pixel(x, bias + columns, height, width, in, upsample, stride, top, left, out_height, \
             out_width, i, ky, kx)

#ifndef TILE
/* Global size: blocks of WIDE_ROWS pixels, panels; local size 1. */
#define BEGIN_PIXEL(r) float16 sum##r = 0.0f;
#define FIND_ROW(r) const global float *row##r = FIND_PIXEL(min(first + r, rows - 1), ky, kx);

kernel void conv(CONV_ARGUMENTS) {
  BEGIN_CONV;
  const uint first = get_global_id(0) * WIDE_ROWS, column = get_global_id(1) * PANEL,
             count = min(rows - first, (uint)WIDE_ROWS),
             wanted = min(columns - column, (uint)PANEL);
  BEGIN_PANEL((ulong)column * taps * taps * in);
  float sums[WIDE_ROWS * PANEL];
  EACH_ROW(BEGIN_PIXEL)
  for (uint ky = 0; ky < taps; ky++) {
    for (uint kx = 0; kx < taps; kx++) {
      EACH_ROW(FIND_ROW)
      for (uint k = 0; k < in; k++) {
        const float16 b = LOAD_PANEL((ulong)(ky * taps + kx) * in + k);
        EACH_ROW(ADD_ROW)
      }
    }
  }
  EACH_ROW(STORE_ROW)
  for (uint r = 0; r < count; r++)
    for (uint j = 0; j < wanted; j++) FINISH(sums[r * PANEL + j], first + r, column + j);
}
#else
/* Global size: columns, pixels, each in whole tiles over TILE_ITEM. */
kernel __attribute__((reqd_work_group_size(TILE_GROUP, TILE_GROUP, 1))) void conv(
    CONV_ARGUMENTS) {
  BEGIN_CONV;
  local float a[TILE_DEPTH][TILE + 1], b[TILE_DEPTH][TILE];
  const uint lane = get_local_id(0), line = get_local_id(1), column = get_group_id(0) * TILE,
             first = get_group_id(1) * TILE, depth = taps * taps * in;
  float sums[TILE_ITEM][TILE_ITEM];
  CLEAR_TILE(sums);
  for (uint k = 0; k < depth; k += TILE_DEPTH) {
    const uint tap = (k + lane) / in, channel = k + lane - tap * in, ky = tap / taps,
               kx = tap - ky * taps;
    for (uint t = 0; t < TILE_ITEM; t++) {
      const uint i = first + line + t * TILE_GROUP;
      a[lane][line + t * TILE_GROUP] =
          i < rows && k + lane < depth ? FIND_PIXEL(i, ky, kx)[channel] : 0.0f;
    }
    LOAD_PANELS(b);
    barrier(CLK_LOCAL_MEM_FENCE);
    MULTIPLY_TILE(sums, a, b);
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  FINISH_TILE(sums);
}
#endif
