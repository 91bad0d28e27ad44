/* SPDX-License-Identifier: Apache-2.0
 *
 * product.cl - rows times a matrix, from which linear layers and attention are made. The matrix
 * lies in panels of PANEL columns: panel p is depth x PANEL numbers, missing columns zero; floats,
 * or (HAS_FP16) binary16 numbers, of which each is the float that it is. An
 * element is one chain of multiply-adds with the contracted index ascending, so that it depends
 * neither on the tile that it falls in, whatever its size, nor on the other rows.
 *
 *   y[z][i][j] = activation(sum over k of x[z][i][k] * w[z][k][j] + bias[j]) + residual[i][j]
 *
 * z counts outer x inner matrices side by side (pictures x heads). Offsets and strides in floats.
 * x, w, residual and y may lie in one buffer.
 *
 * The loops are written once, as macros: conv.cl and int8.cl have them, too. */

/* One rounding where the device can (FUSED), else two, and never as the compiler likes: that could
 * differ from tile to tile. */
#pragma OPENCL FP_CONTRACT OFF
#ifdef FUSED
#define MULTIPLY_ADD(a, b, sum) fma(a, b, sum)
#else
#define MULTIPLY_ADD(a, b, sum) ((sum) + (a) * (b))
#endif

enum { HAS_BIAS = 1, HAS_RESIDUAL = 2, HAS_FP16 = 4 };
enum { NONE, GELU_TANH, GELU_ERF, QUICK_GELU };

float activate(float x, int activation) {
  switch (activation) {
    case GELU_TANH: return 0.5f * x * (1.0f + tanh(0.7978845608f * (x + 0.044715f * (x * x * x))));
    case GELU_ERF: return 0.5f * x * (1.0f + erf(x * 0.7071067812f));
    case QUICK_GELU: return x / (1.0f + exp(-1.702f * x));
    default: return x;
  }
}

#define PRODUCT_ARGUMENTS                                                                       \
  const global float *x, ulong x_at, uint x_stride, ulong x_outer, ulong x_inner,               \
      const global float *w, ulong w_at, ulong w_each, const global float *bias,                \
      const global float *residual, ulong residual_at, uint residual_stride, global float *y,   \
      ulong y_at, uint y_stride, ulong y_outer, ulong y_inner, uint inner, uint rows,           \
      uint depth, uint columns, int has, int activation
/* The z-th of all. */
#define FIND_MATRICES                                       \
  const uint z = get_global_id(2);                          \
  x += x_at + z / inner * x_outer + z % inner * x_inner;    \
  w += w_at + z * w_each;                                   \
  residual += residual_at;                                  \
  y += y_at + z / inner * y_outer + z % inner * y_inner

#define FINISH(sum, i, j)                                                              \
  {                                                                                    \
    float value = activate((has & HAS_BIAS) ? (sum) + bias[j] : (sum), activation);    \
    if (has & HAS_RESIDUAL) value += residual[(ulong)(i) * residual_stride + (j)];     \
    y[(ulong)(i) * y_stride + (j)] = value;                                            \
  }
/* What a sum is worth: its value, but in int8.cl. */
#define AS_IT_IS(sum, i, j) (sum)
#define ALL_AS_THEY_ARE(sums, i) (sums)

#ifndef TILE
/* For processors: one work item has WIDE_ROWS rows of a panel in vector registers. They are written
 * out: not every compiler of OpenCL unrolls a loop over an array, and one in memory is several
 * times as slow. Global size: blocks of rows, panels, matrices; local size 1. */
#define ROWS_4(step) step(0) step(1) step(2) step(3)
#define ROWS_6(step) ROWS_4(step) step(4) step(5)
#define ROWS_8(step) ROWS_6(step) step(6) step(7)
#define ROWS_12(step) ROWS_8(step) step(8) step(9) step(10) step(11)
#define JOINED(a, b) a##b
#define JOIN(a, b) JOINED(a, b)
#define EACH_ROW JOIN(ROWS_, WIDE_ROWS)
#define BEGIN_BLOCK                                                                      \
  const uint first = get_global_id(0) * WIDE_ROWS, column = get_global_id(1) * PANEL,     \
             count = min(rows - first, (uint)WIDE_ROWS),                                  \
             wanted = min(columns - column, (uint)PANEL)
/* Rows behind the last are computed as it is, and not written. */
#define ROW_OR_LAST(r) min(first + r, rows - 1)
#define BEGIN_ROW(r) float16 sum##r = 0.0f;
#define ADD_ROW(r) sum##r = MULTIPLY_ADD((float16)(row##r[k]), b, sum##r);
#define STORE_ROW(r) vstore16(sum##r, r, sums);
/* A whole panel without an activation at once, element by element as FINISH has it. */
#define FINISH_BLOCK(VALUE, VALUES)                                                        \
  for (uint r = 0; r < count; r++) {                                                       \
    const uint i = first + r;                                                              \
    if (wanted == PANEL && activation == NONE) {                                           \
      float16 value = VALUES(vload16(r, sums), i);                                         \
      if (has & HAS_BIAS) value += vload16(0, bias + column);                              \
      if (has & HAS_RESIDUAL)                                                              \
        value += vload16(0, residual + (ulong)i * residual_stride + column);               \
      vstore16(value, 0, y + (ulong)i * y_stride + column);                                \
    } else {                                                                               \
      for (uint j = column; j < column + wanted; j++)                                      \
        FINISH(VALUE(sums[r * PANEL + j - column], i, j), i, j);                           \
    }                                                                                      \
  }
#define LOAD_PANEL(k) ((has & HAS_FP16) ? vload_half16(k, fp16_panel) : vload16(k, panel))
/* The contracted numbers come in `taps` runs of `depth`: FIND_ROW(r) says where row##r begins. */
#define WIDE_PRODUCT(taps, depth, FIND_ROW)                                    \
  BEGIN_BLOCK;                                                                 \
  const ulong panel_at = (ulong)column * (taps) * (depth);                     \
  const global float *panel = w + panel_at;                                    \
  const global half *fp16_panel = (const global half *)w + panel_at;           \
  float sums[WIDE_ROWS * PANEL];                                               \
  EACH_ROW(BEGIN_ROW)                                                          \
  for (uint tap = 0; tap < (taps); tap++) {                                    \
    EACH_ROW(FIND_ROW)                                                         \
    for (uint k = 0; k < (depth); k++) {                                       \
      const float16 b = LOAD_PANEL((ulong)tap * (depth) + k);                  \
      EACH_ROW(ADD_ROW)                                                        \
    }                                                                          \
  }                                                                            \
  EACH_ROW(STORE_ROW)                                                          \
  FINISH_BLOCK(AS_IT_IS, ALL_AS_THEY_ARE)

#define FIND_PRODUCT_ROW(r) const global float *row##r = x + (ulong)ROW_OR_LAST(r) * x_stride;

kernel void product(PRODUCT_ARGUMENTS) {
  FIND_MATRICES;
  WIDE_PRODUCT(1, depth, FIND_PRODUCT_ROW);
}

#else
/* For GPUs: a work group has TILE x TILE results, brings TILE_DEPTH of the contracted elements to
 * local memory at a time, and each of its TILE_GROUP x TILE_GROUP items has every TILE_GROUP-th row
 * and column of them. Global size: columns, rows, each in whole tiles over TILE_ITEM; matrices. */
#define TILE_ITEM (TILE / TILE_GROUP)
#define TILE_DEPTH TILE_GROUP
#define IN_TILES __attribute__((reqd_work_group_size(TILE_GROUP, TILE_GROUP, 1)))

/* Elements are `element`s and sums `number`s; ROW_AT(i) is element k + lane of row i, PANEL_AT(at)
 * the at-th of all panels, ADD(a, b, sum) the sum with their product. a has one more than a power
 * of two: items that read below each other find different banks. */
#define TILED_PRODUCT(element, number, depth, ROW_AT, PANEL_AT, ADD, VALUE)                    \
  local element a[TILE_DEPTH][TILE + 1], b[TILE_DEPTH][TILE];                                  \
  const uint lane = get_local_id(0), line = get_local_id(1), column = get_group_id(0) * TILE,  \
             first = get_group_id(1) * TILE;                                                   \
  number sums[TILE_ITEM][TILE_ITEM];                                                           \
  for (uint r = 0; r < TILE_ITEM; r++)                                                         \
    for (uint c = 0; c < TILE_ITEM; c++) sums[r][c] = 0;                                       \
  for (uint k = 0; k < (depth); k += TILE_DEPTH) {                                             \
    for (uint t = 0; t < TILE_ITEM; t++) {                                                     \
      const uint i = first + line + t * TILE_GROUP, j = column + t * PANEL;                    \
      const ulong at = (ulong)j * (depth) + (ulong)(k + line) * PANEL + lane;                  \
      a[lane][line + t * TILE_GROUP] = i < rows && k + lane < (depth) ? ROW_AT(i) : 0;         \
      b[line][lane + t * PANEL] = j < columns && k + line < (depth) ? PANEL_AT(at) : 0;        \
    }                                                                                          \
    barrier(CLK_LOCAL_MEM_FENCE);                                                              \
    for (uint d = 0; d < TILE_DEPTH; d++)                                                      \
      for (uint r = 0; r < TILE_ITEM; r++)                                                     \
        for (uint c = 0; c < TILE_ITEM; c++)                                                   \
          sums[r][c] = ADD(a[d][line + r * TILE_GROUP], b[d][lane + c * TILE_GROUP], sums[r][c]); \
    barrier(CLK_LOCAL_MEM_FENCE);                                                              \
  }                                                                                            \
  for (uint r = 0; r < TILE_ITEM; r++) {                                                       \
    for (uint c = 0; c < TILE_ITEM; c++) {                                                     \
      const uint i = first + line + r * TILE_GROUP, j = column + lane + c * TILE_GROUP;        \
      if (i < rows && j < columns) FINISH(VALUE(sums[r][c], i, j), i, j);                      \
    }                                                                                          \
  }
#define FLOAT_AT(at) ((has & HAS_FP16) ? vload_half(at, (const global half *)w) : w[at])
#define PRODUCT_ROW_AT(i) x[(ulong)(i) * x_stride + k + lane]

kernel IN_TILES void product(PRODUCT_ARGUMENTS) {
  FIND_MATRICES;
  TILED_PRODUCT(float, float, depth, PRODUCT_ROW_AT, FLOAT_AT, MULTIPLY_ADD, AS_IT_IS);
}
#endif
