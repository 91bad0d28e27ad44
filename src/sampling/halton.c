/* SPDX-License-Identifier: Apache-2.0
 *
 * halton.c - see halton.h. */
#include "sampling/halton.h"

/* index in base `base`, its digits mirrored at the point: in [0, 1). As a fraction of whole
 * numbers, so that cells are exact. */
static int mirrored_cell(uint32_t index, uint32_t base, int side) {
  uint64_t numerator = 0, denominator = 1;
  for (; index > 0; index /= base) {
    numerator = numerator * base + index % base;
    denominator *= base;
  }
  return (int)(numerator * (uint64_t)side / denominator);
}

void msk_order_halton(int32_t *rank, int side) {
  const int count = side * side;
  /* far more points than cover every cell of any grid in use; the rest comes in rows */
  const uint32_t most = 64u * (uint32_t)count;
  int placed = 0;
  for (int i = 0; i < count; i++) rank[i] = -1;
  for (uint32_t index = 1; placed < count && index <= most; index++) {
    int cell = mirrored_cell(index, 2, side) * side + mirrored_cell(index, 3, side);
    if (rank[cell] < 0) rank[cell] = placed++;
  }
  for (int i = 0; i < count; i++) {
    if (rank[i] < 0) rank[i] = placed++;
  }
}

int msk_order_side(int count) {
  int side = 0;
  while ((side + 1) * (side + 1) <= count) side++;
  return side * side == count ? side : 0;
}
