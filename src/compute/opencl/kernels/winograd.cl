/* SPDX-License-Identifier: Apache-2.0
 *
 * winograd.cl - 3 x 3 convolutions of stride 1 by Winograd's F(4x4, 3x3), with the points of
 * cpu/winograd.c, which says why these. A tile is 4 x 4 pixels of y, and what it reads 6 x 6 of x.
 * Filters and pixels are transformed into 36 matrices each, product.cl multiplies them, and 36
 * products make a tile. CELL channels are one work item's. */
#if CELL == LANES
typedef lanes cell;
#define load_cell load_lanes
#define store_cell store_lanes
#define LOAD_HALF(at, w) JOIN(vload_half, CELL)((at) / CELL, w)
#else
typedef float cell;
#define load_cell(at, left) (*(at))
#define store_cell(value, at, left) (*(at) = (value))
#define LOAD_HALF(at, w) vload_half(at, w)
#endif

/* An array is in registers only where all its indices are known. */
#define UNROLL _Pragma("unroll")

/* Points 0, +-A, +-B, infinity. */
#define A 0.625f
#define B 1.5f

/* Each in place, elements `step` apart. */
void transform_filter(const cell g0, const cell g1, const cell g2, cell *u, uint step) {
  const float scale_a = 1.0f / (2.0f * A * A * (A * A - B * B)),
              scale_b = 1.0f / (2.0f * B * B * (B * B - A * A));
  const cell even_a = scale_a * g0 + scale_a * A * A * g2, odd_a = scale_a * A * g1,
             even_b = scale_b * g0 + scale_b * B * B * g2, odd_b = scale_b * B * g1;
  u[0] = g0 * (1.0f / (A * A * B * B));
  u[step] = even_a + odd_a;
  u[2 * step] = even_a - odd_a;
  u[3 * step] = even_b + odd_b;
  u[4 * step] = even_b - odd_b;
  u[5 * step] = g2;
}

void transform_input(cell *d, uint step) {
  const cell d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step],
             d5 = d[5 * step];
  const cell even_a = d4 - B * B * d2, odd_a = A * (d3 - B * B * d1), even_b = d4 - A * A * d2,
             odd_b = B * (d3 - A * A * d1);
  d[0] = A * A * B * B * d0 - (A * A + B * B) * d2 + d4;
  d[step] = even_a + odd_a;
  d[2 * step] = even_a - odd_a;
  d[3 * step] = even_b + odd_b;
  d[4 * step] = even_b - odd_b;
  d[5 * step] = A * A * B * B * d1 - (A * A + B * B) * d3 + d5;
}

void transform_output(cell *m, uint step) {
  const cell even_a = m[step] + m[2 * step], odd_a = A * (m[step] - m[2 * step]),
             even_b = m[3 * step] + m[4 * step], odd_b = B * (m[3 * step] - m[4 * step]);
  m[0] = m[0] + even_a + even_b;
  m[step] = odd_a + odd_b;
  m[2 * step] = A * A * even_a + B * B * even_b;
  m[3 * step] = A * A * odd_a + B * B * odd_b + m[5 * step];
}

/* Panels of a 3 x 3 convolution -> 36 matrices in panels, `each` floats apart. Global size: PANEL
 * over CELL, channels, panels. */
kernel void winograd_filters(const global float *w, int fp16, global float *u, ulong u_at,
                             ulong each) {
  const uint lane = get_global_id(0) * CELL, c = get_global_id(1), in = get_global_size(1);
  cell g[9], half_way[18], line[6];
  UNROLL for (uint tap = 0; tap < 9; tap++) {
    const ulong at = (((ulong)get_global_id(2) * 9 + tap) * in + c) * PANEL + lane;
    g[tap] = fp16 ? LOAD_HALF(at, (const global half *)w) : load_cell(w + at, CELL);
  }
  UNROLL for (uint x = 0; x < 3; x++) transform_filter(g[x], g[3 + x], g[6 + x], half_way + x, 3);
  u += u_at + ((ulong)get_global_id(2) * in + c) * PANEL + lane;
  UNROLL for (uint row = 0; row < 6; row++) {
    transform_filter(half_way[3 * row], half_way[3 * row + 1], half_way[3 * row + 2], line, 1);
    UNROLL for (uint i = 0; i < 6; i++) store_cell(line[i], u + (6 * row + i) * each, CELL);
  }
}

/* Tiles from `first` on -> 36 matrices of a row a tile, `each` floats apart. tile_lines,
 * tile_columns: of a picture. Global size: channels over CELL, tiles. */
kernel void winograd_input(const global float *x, ulong x_at, uint height, uint width,
                           uint channels, uint upsample, uint tile_lines, uint tile_columns,
                           uint first, global float *v, ulong v_at, ulong each) {
  const uint channel = get_global_id(0) * CELL, left = channels - channel,
             tile = first + get_global_id(1), line = tile / tile_columns,
             picture = line / tile_lines, top = (line - picture * tile_lines) * 4 - 1,
             start = (tile - line * tile_columns) * 4 - 1;
  const uint halved = upsample - 1; /* by shifting: to divide takes many times as long */
  cell d[36];
  UNROLL for (uint i = 0; i < 36; i++) {
    /* what lies before the picture is a large number */
    const uint py = top + i / 6, px = start + i % 6;
    d[i] = 0.0f;
    if (py < height * upsample && px < width * upsample)
      d[i] = load_cell(x + x_at + channel +
                           (((ulong)picture * height + (py >> halved)) * width + (px >> halved)) *
                               channels,
                       left);
  }
  UNROLL for (uint column = 0; column < 6; column++) transform_input(d + column, 6);
  v += v_at + (ulong)get_global_id(1) * channels + channel;
  UNROLL for (uint row = 0; row < 6; row++) {
    transform_input(d + 6 * row, 1);
    UNROLL for (uint i = 0; i < 6; i++) store_cell(d[6 * row + i], v + (6 * row + i) * each, left);
  }
}

/* 36 products, as the inputs lie -> pixels of y, which is height x width. residual may be y.
 * Global size: columns over CELL, tiles. */
kernel void winograd_output(const global float *m, ulong m_at, ulong each, uint tile_lines,
                            uint tile_columns, uint first, const global float *bias,
                            int has_residual, const global float *residual, ulong residual_at,
                            global float *y, ulong y_at, uint height, uint width, uint columns) {
  const uint channel = get_global_id(0) * CELL, left = columns - channel,
             tile = first + get_global_id(1), line = tile / tile_columns,
             picture = line / tile_lines, top = (line - picture * tile_lines) * 4,
             start = (tile - line * tile_columns) * 4;
  cell d[36];
  m += m_at + (ulong)get_global_id(1) * columns + channel;
  UNROLL for (uint i = 0; i < 36; i++) d[i] = load_cell(m + i * each, left);
  UNROLL for (uint column = 0; column < 6; column++) transform_output(d + column, 6);
  UNROLL for (uint row = 0; row < 4; row++) {
    transform_output(d + 6 * row, 1);
    UNROLL for (uint i = 0; i < 4; i++) {
      const uint py = top + row, px = start + i;
      if (py >= height || px >= width) continue;
      const ulong at = (((ulong)picture * height + py) * width + px) * columns + channel;
      cell value = d[6 * row + i] + load_cell(bias + channel, left);
      if (has_residual) value += load_cell(residual + residual_at + at, left);
      store_cell(value, y + y_at + at, left);
    }
  }
}
