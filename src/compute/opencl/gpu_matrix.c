/* SPDX-License-Identifier: Apache-2.0
 *
 * gpu_matrix.c - matrices of weights on a device of OpenCL: packed on this side into the panels of
 * kernels/product.cl and brought there once (gpu.h), in binary16 if that loses nothing, as the CPU
 * keeps them. */
#include <string.h>

#include "base/error.h"
#include "compute/opencl/gpu.h"
#include "compute/stream.h"
#include "tensor/weight_file.h"

static size_t panel_numbers(const msk_gpu_matrix *matrix) {
  return matrix->depth * msk_round_up(matrix->columns, MSK_PANEL);
}

static size_t panel_bytes(const msk_gpu_matrix *matrix) {
  return panel_numbers(matrix) * (matrix->fp16 ? sizeof(uint16_t) : sizeof(float));
}

/* Parts, and room on this side: panels, bias with the zeros behind it, a row in either type. */
struct packing {
  msk_gpu_matrix *matrix;
  const msk_linear_part *parts;
  size_t part_count, bias_floats;
  void *panels;
  float *bias, *row;
  uint16_t *fp16_row;
};

/* Rows as they are given; their length. */
static size_t part_rows(const struct packing *packing, const msk_linear_part *part,
                        size_t *columns) {
  *columns = part->transposed ? packing->matrix->depth : part->out;
  return part->transposed ? part->out : packing->matrix->depth;
}

/* Row `i` of a part, to the row in floats, or to that in binary16: false where that loses some. */
static bool read_row(const struct packing *packing, const msk_linear_part *part, size_t i,
                     size_t columns, bool fp16) {
  const msk_tensor tensor = {.dtype = part->dtype, .data = part->weight};
  if (fp16 && part->dtype == MSK_DTYPE_F16) {
    memcpy(packing->fp16_row, (const uint16_t *)part->weight + i * columns,
           columns * sizeof(uint16_t));
    return true;
  }
  msk_tensor_to_f32(&tensor, i * columns, columns, packing->row);
  return !fp16 || msk_narrow_fp16(packing->row, columns, packing->fp16_row);
}

/* Whether all are binary16 numbers. Where nothing may be read: whether that is known. */
static bool is_fp16(const struct packing *packing, bool measures) {
  bool all = true;
  for (size_t p = 0; p < packing->part_count && all; p++) {
    const msk_linear_part *part = &packing->parts[p];
    size_t columns, rows = part_rows(packing, part, &columns);
    if (part->dtype == MSK_DTYPE_F16) continue;
    if (measures) all = part->narrow;
    for (size_t i = 0; i < rows && all && !measures; i++)
      all = read_row(packing, part, i, columns, true);
  }
  return all;
}

/* Columns of the whole begin with those of the parts before. */
static void pack_part(const struct packing *packing, const msk_linear_part *part, size_t first) {
  const bool fp16 = packing->matrix->fp16;
  size_t depth = packing->matrix->depth, columns, rows = part_rows(packing, part, &columns);
  for (size_t i = 0; i < rows; i++) {
    read_row(packing, part, i, columns, fp16);
    for (size_t j = 0; j < columns; j++) {
      size_t column = first + (part->transposed ? i : j), k = part->transposed ? j : i,
             at = column / MSK_PANEL * MSK_PANEL * depth + k * MSK_PANEL + column % MSK_PANEL;
      if (fp16) {
        ((uint16_t *)packing->panels)[at] = packing->fp16_row[j];
      } else {
        ((float *)packing->panels)[at] = packing->row[j];
      }
    }
  }
}

static void pack(const struct packing *packing) {
  memset(packing->panels, 0, panel_bytes(packing->matrix));
  memset(packing->bias, 0, packing->bias_floats * sizeof(float));
  for (size_t i = 0, first = 0; i < packing->part_count; first += packing->parts[i].out, i++) {
    const msk_linear_part *part = &packing->parts[i];
    pack_part(packing, part, first);
    if (part->bias != NULL) memcpy(packing->bias + first, part->bias, part->out * sizeof(float));
  }
}

static msk_status bring(const struct packing *packing, const msk_device *device, msk_error *error) {
  msk_gpu_matrix *matrix = packing->matrix;
  const msk_gpu *gpu = msk_gpu_of(device);
  bool measures = msk_device_measures(device);
  matrix->fp16 = is_fp16(packing, measures);
  msk_device_hold_apart(device, panel_bytes(matrix) + packing->bias_floats * sizeof(float));
  if (measures) return MSK_OK;
  pack(packing);
  msk_status status =
      msk_gpu_upload(gpu, packing->panels, panel_bytes(matrix), &matrix->panels, error);
  return status == MSK_OK ? msk_gpu_upload(gpu, packing->bias, packing->bias_floats * sizeof(float),
                                           &matrix->bias, error)
                          : status;
}

/* Room for what is packed at once: false where there are not so many floats. */
static bool count_floats(const msk_gpu_matrix *matrix, size_t bias_floats, size_t row,
                         size_t *floats) {
  size_t panels;
  return msk_add(matrix->columns, MSK_PANEL, &panels) &&
         msk_multiply(matrix->depth, panels, &panels) && msk_add(bias_floats, row, floats) &&
         msk_add(*floats, row, floats) && msk_add(*floats, panels, floats);
}

msk_status msk_gpu_matrix_create(msk_gpu_matrix *matrix, const msk_device *device, size_t depth,
                                 const msk_linear_part *parts, size_t part_count, size_t zeros,
                                 msk_error *error) {
  msk_gpu_matrix made = {.depth = depth};
  size_t floats = 0, bias_floats = 0;
  bool fits = true;
  for (size_t i = 0; i < part_count; i++)
    fits = fits && msk_add(made.columns, parts[i].out, &made.columns);
  size_t row = depth > made.columns ? depth : made.columns;
  if (!fits || !msk_add(made.columns, zeros, &bias_floats) ||
      !count_floats(&made, bias_floats, row, &floats))
    return msk_fail(error, MSK_ERROR_MEMORY, "a layer is too wide for its device");
  float *room = msk_device_take(device, floats, sizeof *room);
  if (room == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory to bring a layer to its device");
  float *bias = room + panel_numbers(&made), *rows = bias + bias_floats;
  const struct packing packing = {.matrix = &made,
                                  .parts = parts,
                                  .part_count = part_count,
                                  .bias_floats = bias_floats,
                                  .panels = room,
                                  .bias = bias,
                                  .row = rows,
                                  .fp16_row = (uint16_t *)(void *)(rows + row)};
  msk_status status = bring(&packing, device, error);
  msk_device_give(device, room, floats, sizeof *room);
  if (status == MSK_OK) {
    *matrix = made;
  } else {
    msk_gpu_matrix_destroy(&made, device);
  }
  return status;
}

void msk_gpu_matrix_destroy(msk_gpu_matrix *matrix, const msk_device *device) {
  const msk_cl *cl = &msk_gpu_of(device)->cl;
  if (matrix->panels != NULL) cl->ReleaseMemObject(matrix->panels);
  if (matrix->bias != NULL) cl->ReleaseMemObject(matrix->bias);
}
