/* SPDX-License-Identifier: Apache-2.0
 *
 * area.c - see area.h. Rows first: the pixels under an output row are added up column by column,
 * then along the row. */
#include "image/area.h"

#include <string.h>

/* Source cells under output cell i, in units of 1/size of a source cell: cell j covers j * size
 * .. (j + 1) * size, the output cell i * side .. (i + 1) * side. All whole numbers, so the parts
 * are exact. */
static size_t first_cell(size_t i, size_t side, size_t size) { return i * side / size; }
static size_t end_cell(size_t i, size_t side, size_t size) {
  return ((i + 1) * side + size - 1) / size;
}

static double overlap(size_t i, size_t j, size_t side, size_t size) {
  size_t from = i * side > j * size ? i * side : j * size;
  size_t to = (i + 1) * side < (j + 1) * size ? (i + 1) * side : (j + 1) * size;
  return (double)(to - from);
}

void msk_area_mean(const uint8_t *in, size_t width, size_t height, size_t size, double *row,
                   float *out) {
  double whole = (double)width * (double)height;
  for (size_t y = 0; y < size; y++) {
    memset(row, 0, width * 3 * sizeof *row);
    for (size_t j = first_cell(y, height, size); j < end_cell(y, height, size); j++) {
      double part = overlap(y, j, height, size);
      for (size_t k = 0; k < width * 3; k++) row[k] += part * in[j * width * 3 + k];
    }
    for (size_t x = 0; x < size; x++, out += 3) {
      double sum[3] = {0, 0, 0};
      for (size_t j = first_cell(x, width, size); j < end_cell(x, width, size); j++) {
        double part = overlap(x, j, width, size);
        for (size_t c = 0; c < 3; c++) sum[c] += part * row[j * 3 + c];
      }
      for (size_t c = 0; c < 3; c++) out[c] = (float)(sum[c] / whole);
    }
  }
}
