/* SPDX-License-Identifier: Apache-2.0
 *
 * pack.c - weights into panels (gemm.c says how those lie), for linear layers and direct
 * convolutions alike. Weights come as float32 or binary16. They are kept in binary16, half the
 * memory, if that loses nothing: binary16 is copied as it is; float32 is narrowed, and if a
 * number turns up that binary16 cannot hold, packed again as it is. A task is a panel: its own
 * memory, written from front to back. */
#include <stdatomic.h>
#include <string.h>

#include "base/error.h"
#include "compute/cpu/cpu.h"
#include "tensor/weight_file.h"

/* ROWS_A_LOOK: packed rows before somebody asks whether it was in vain */
enum { ROWS_A_LOOK = 64 };

const float *msk_part_row(const msk_kernels *kernels, const msk_linear_part *part, size_t depth,
                          size_t k, size_t column, size_t run, float *room) {
  size_t at = k * part->out + column;
  if (part->dtype == MSK_DTYPE_F16) {
    kernels->widen_fp16(run, (const uint16_t *)part->weight + at, room);
    return room;
  }
  const float *weight = part->weight;
  if (!part->transposed) return weight + at;
  for (size_t c = 0; c < run; c++) room[c] = weight[(column + c) * depth + k];
  return room;
}

struct packing {
  const msk_kernels *kernels;
  const msk_linear_part *parts;
  size_t part_count;
  msk_matrix *matrix;
  _Atomic bool lossy;
};

/* Whole cache lines, mostly, without a call. */
static void copy_row(void *to, const void *from, size_t bytes) {
  if (bytes == 64) {
    memcpy(to, from, 64);
  } else if (bytes == 128) {
    memcpy(to, from, 128);
  } else {
    memcpy(to, from, bytes);
  }
}

/* `run` columns of a part, rows [k, last), into a panel at `to`. False: binary16 has no room for
 * one of them. */
static bool pack_floats(const struct packing *packing, const msk_linear_part *part, size_t column,
                        size_t run, size_t k, size_t last, void *to, size_t width) {
  float room[MSK_WIDEST_PANEL], *panel = to;
  uint16_t *fp16 = to;
  bool good = true, narrow = packing->matrix->fp16 != NULL;
  for (; k < last; k++) {
    const float *row =
        msk_part_row(packing->kernels, part, packing->matrix->depth, k, column, run, room);
    if (narrow) {
      good &= msk_narrow_fp16(row, run, fp16 + k * width);
    } else {
      copy_row(panel + k * width, row, run * sizeof *row);
    }
  }
  return good;
}

static bool pack_run(const struct packing *packing, const msk_linear_part *part, size_t column,
                     size_t run, size_t k, size_t last, void *to, size_t width) {
  if (part->dtype != MSK_DTYPE_F16 || packing->matrix->fp16 == NULL)
    return pack_floats(packing, part, column, run, k, last, to, width);
  const uint16_t *weight = part->weight;
  uint16_t *fp16 = to;
  for (; k < last; k++)
    copy_row(fp16 + k * width, weight + k * part->out + column, run * sizeof *weight);
  return true;
}

/* Rows [k, last) of a panel: its columns from the parts that they lie in, those behind the last
 * column zero. */
static bool pack_rows(const struct packing *packing, size_t first, size_t width, size_t k,
                      size_t last) {
  const msk_matrix *matrix = packing->matrix;
  size_t end = msk_smaller(first + width, matrix->columns), start = 0,
         element = matrix->fp16 != NULL ? sizeof(uint16_t) : sizeof(float);
  char *panel = matrix->fp16 != NULL ? (char *)(matrix->fp16 + first * matrix->depth)
                                     : (char *)(matrix->panels + first * matrix->depth);
  bool good = true;
  for (size_t i = 0; i < packing->part_count; i++) {
    const msk_linear_part *part = &packing->parts[i];
    size_t from = first > start ? first : start, to = msk_smaller(end, start + part->out);
    if (from < to)
      good &= pack_run(packing, part, from - start, to - from, k, last,
                       panel + (from - first) * element, width);
    start += part->out;
  }
  for (; end < first + width && k < last; k++)
    memset(panel + (k * width + end - first) * element, 0, (first + width - end) * element);
  return good;
}

static void pack_panel(void *user, size_t p, int worker) {
  struct packing *packing = user;
  const msk_matrix *matrix = packing->matrix;
  (void)worker;
  size_t width = msk_panel_width(packing->kernels, matrix->columns, p),
         first = p * packing->kernels->panel;
  assert(width <= MSK_WIDEST_PANEL);
  for (size_t k = 0; k < matrix->depth && !packing->lossy; k += ROWS_A_LOOK) {
    if (!pack_rows(packing, first, width, k, msk_smaller(k + ROWS_A_LOOK, matrix->depth)))
      packing->lossy = true;
  }
}

/* What a device that measures, and looks at no value, expects: binary16 is what is stored so. */
static bool is_stored_wide(const msk_linear_part *parts, size_t part_count) {
  for (size_t i = 0; i < part_count; i++) {
    if (parts[i].dtype != MSK_DTYPE_F16 && !parts[i].narrow) return true;
  }
  return false;
}

msk_status msk_matrix_pack(msk_matrix *matrix, const msk_device *device, size_t depth,
                           const msk_linear_part *parts, size_t part_count, size_t columns,
                           msk_pool *pool, msk_error *error) {
  struct packing packing = {
      .kernels = &device->kernels, .parts = parts, .part_count = part_count, .matrix = matrix};
  size_t floats = 0, panels = msk_panel_count(&device->kernels, columns);
  *matrix = (msk_matrix){.depth = depth, .columns = columns};
  bool known = msk_matrix_floats(&device->kernels, depth, columns, &floats);
  if (known) matrix->fp16 = msk_device_take(device, floats, sizeof *matrix->fp16);
  if (matrix->fp16 != NULL) msk_creation_run(device, pool, panels, pack_panel, &packing);
  if (packing.lossy || (msk_device_measures(device) && is_stored_wide(parts, part_count))) {
    msk_matrix_destroy(matrix, device);
    packing.lossy = false;
    matrix->panels = msk_device_take(device, floats, sizeof *matrix->panels);
    if (matrix->panels != NULL) msk_creation_run(device, pool, panels, pack_panel, &packing);
  }
  if (matrix->fp16 != NULL || matrix->panels != NULL) return MSK_OK;
  return msk_fail(error, MSK_ERROR_MEMORY, "no memory for the packed weights of a %zu x %zu matrix",
                  depth, columns);
}

void msk_matrix_destroy(msk_matrix *matrix, const msk_device *device) {
  size_t floats = 0;
  msk_matrix_floats(&device->kernels, matrix->depth, matrix->columns, &floats);
  msk_device_give(device, matrix->panels, floats, sizeof *matrix->panels);
  msk_device_give(device, matrix->fp16, floats, sizeof *matrix->fp16);
  matrix->panels = NULL;
  matrix->fp16 = NULL;
}
