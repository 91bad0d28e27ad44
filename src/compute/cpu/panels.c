/* SPDX-License-Identifier: Apache-2.0
 *
 * panels.c - panels made of rows in memory while a network computes: of what changes from pass to
 * pass, as attention's keys and values and the weights in training do. Of floats, or of pairs of
 * bf16 (kernels.h). */
#include <string.h>

#include "compute/cpu/cpu.h"

/* ---- rows become columns ---- */

/* `count` rows of `width` floats as rows of pairs; returns what lies behind those. */
static float *join_rows(const msk_kernels *kernels, size_t count, size_t width, const float *rows,
                        float *panel) {
  for (size_t k = 0; k < count; k += 2, panel += width)
    kernels->join_pairs(width, rows + k * width, k + 1 < count ? rows + (k + 1) * width : NULL,
                        panel);
  return panel;
}

/* A pair may be of two blocks: their columns are brought together a few at a time. */
static void pack_pairs_across(const msk_kernels *kernels, const msk_rows *blocks, size_t count,
                              size_t first, size_t width, float factor, float *panel) {
  enum { TOGETHER = 32 };
  float rows[TOGETHER * MSK_WIDEST_PANEL];
  size_t filled = 0;
  assert(width <= MSK_WIDEST_PANEL);
  for (size_t i = 0; i < count; i++) {
    const msk_rows *block = &blocks[i];
    for (size_t k = 0, here; k < block->columns; k += here) {
      here = msk_smaller(TOGETHER - filled, block->columns - k);
      kernels->transpose_rows(msk_smaller(width, block->rows - first), width, here,
                              block->at + first * block->stride + k, block->stride, factor,
                              rows + filled * width);
      filled += here;
      if (filled < TOGETHER) continue;
      panel = join_rows(kernels, filled, width, rows, panel);
      filled = 0;
    }
  }
  join_rows(kernels, filled, width, rows, panel);
}

void msk_pack_across(const msk_kernels *kernels, bool pairs, const msk_rows *blocks, size_t count,
                     size_t first, size_t width, float factor, float *panel) {
  if (pairs) {
    pack_pairs_across(kernels, blocks, count, first, width, factor, panel);
    return;
  }
  for (size_t i = 0; i < count; i++) {
    const msk_rows *block = &blocks[i];
    kernels->transpose_rows(msk_smaller(width, block->rows - first), width, block->columns,
                            block->at + first * block->stride, block->stride, factor, panel);
    panel += block->columns * width;
  }
}

/* ---- columns stay columns ---- */

void msk_pack_along(const msk_kernels *kernels, bool pairs, msk_rows x, size_t first, size_t width,
                    float *panel) {
  size_t run = msk_smaller(width, x.columns - first);
  for (size_t n = 0; n < x.rows; n += pairs ? 2 : 1, panel += width) {
    const float *row = x.at + n * x.stride + first;
    if (pairs) {
      kernels->join_pairs(run, row, n + 1 < x.rows ? row + x.stride : NULL, panel);
    } else {
      /* a copy without a call: rows are short */
      for (size_t j = 0; j < run; j++) panel[j] = row[j];
    }
    for (size_t j = run; j < width; j++) panel[j] = 0.0f;
  }
}

void msk_narrow_rows(const msk_kernels *kernels, msk_rows x, float *pairs, size_t stride) {
  for (size_t i = 0; i < x.rows; i++)
    kernels->narrow_pairs(x.columns, x.at + i * x.stride, pairs + i * stride);
}

void msk_join_rows(const msk_kernels *kernels, msk_rows x, float *pairs, size_t stride) {
  for (size_t i = 0; i < x.rows; i += 2, pairs += stride) {
    const float *row = x.at + i * x.stride;
    kernels->join_pairs(x.columns, row, i + 1 < x.rows ? row + x.stride : NULL, pairs);
  }
}
