/* SPDX-License-Identifier: Apache-2.0
 *
 * gpu_matrix.c - matrices of weights on a device of OpenCL: packed on this side into the panels of
 * kernels/product.cl and brought there once (gpu.h), in binary16 if that loses nothing, as the CPU
 * keeps them; or into those of kernels/int8.cl, quantised as the CPU does. */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/int8.h"
#include "compute/opencl/gpu.h"
#include "compute/stream.h"
#include "tensor/weight_file.h"

enum { FOUR = 4 };

static size_t panel_bytes(const msk_gpu_matrix *matrix) {
  const size_t columns = msk_round_up(matrix->columns, MSK_PANEL);
  if (matrix->int8) return msk_round_up(matrix->depth, FOUR) * columns;
  return matrix->depth * columns * (matrix->fp16 ? sizeof(uint16_t) : sizeof(float));
}

/* Parts, and room on this side: panels, bias with the zeros behind it, a row in either type. */
struct packing {
  msk_gpu_matrix *matrix;
  const msk_linear_part *parts;
  size_t part_count, bias_floats;
  void *panels;
  float *bias, *row;
  uint16_t *fp16_row;
  float *inverses; /* int8: of the columns' scales; where the other row would be */
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

/* ---- int8 ---- */

static float *scales_of(const struct packing *packing) {
  return packing->bias + packing->matrix->columns;
}

static int32_t *sums_of(const struct packing *packing) {
  return (int32_t *)(void *)(packing->bias + 2 * packing->matrix->columns);
}

/* Of a part that is not of 8 bits already: scales[c] and inverses[c] of its columns. */
static void find_scales(const struct packing *packing, const msk_linear_part *part, float *scales,
                        float *inverses) {
  size_t columns, rows = part_rows(packing, part, &columns);
  for (size_t i = 0; i < rows; i++) {
    read_row(packing, part, i, columns, false);
    for (size_t j = 0; j < columns; j++) {
      float *largest = &scales[part->transposed ? i : j];
      *largest = fmaxf(*largest, fabsf(packing->row[j]));
    }
  }
  for (size_t c = 0; c < part->out; c++)
    scales[c] = msk_int8_scale(scales[c], MSK_INT8_LIMIT, &inverses[c]);
}

static void pack_int8_part(const struct packing *packing, const msk_linear_part *part,
                           size_t first) {
  const bool given = part->dtype == MSK_DTYPE_I8;
  uint32_t *words = packing->panels;
  size_t fours = msk_ceiling(packing->matrix->depth, FOUR), columns,
         rows = part_rows(packing, part, &columns);
  float *scales = scales_of(packing) + first, *inverses = packing->inverses + first;
  int32_t *sums = sums_of(packing) + first;
  if (given) memcpy(scales, part->scales, part->out * sizeof *scales);
  if (!given) find_scales(packing, part, scales, inverses);
  for (size_t i = 0; i < rows; i++) {
    if (!given) read_row(packing, part, i, columns, false);
    for (size_t j = 0; j < columns; j++) {
      const size_t own = part->transposed ? i : j, k = part->transposed ? j : i,
                   column = first + own;
      const int8_t number = given ? ((const int8_t *)part->weight)[i * columns + j]
                                  : (int8_t)msk_int8_round(packing->row[j], inverses[own]);
      words[(column / MSK_PANEL * fours + k / FOUR) * MSK_PANEL + column % MSK_PANEL] |=
          (uint32_t)(uint8_t)number << k % FOUR * 8;
      sums[own] += number;
    }
  }
}

/* ---- floats ---- */

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
    if (packing->matrix->int8) {
      pack_int8_part(packing, part, first);
    } else {
      pack_part(packing, part, first);
    }
    if (part->bias != NULL) memcpy(packing->bias + first, part->bias, part->out * sizeof(float));
  }
}

static msk_status bring(const struct packing *packing, const msk_device *device, msk_error *error) {
  msk_gpu_matrix *matrix = packing->matrix;
  const msk_gpu *gpu = msk_gpu_of(device);
  bool measures = msk_device_measures(device);
  matrix->fp16 = !matrix->int8 && is_fp16(packing, measures);
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

/* What lies behind the bias. */
static bool add_columns(const msk_gpu_matrix *matrix, size_t zeros, size_t *floats) {
  size_t facts = zeros;
  return (!matrix->int8 || msk_multiply(2, matrix->columns, &facts)) &&
         msk_add(matrix->columns, facts, floats);
}

msk_status msk_gpu_matrix_create(msk_gpu_matrix *matrix, const msk_device *device,
                                 msk_precision precision, size_t depth,
                                 const msk_linear_part *parts, size_t part_count, size_t zeros,
                                 msk_error *error) {
  msk_gpu_matrix made = {.depth = depth, .int8 = precision == MSK_PRECISION_INT8};
  size_t floats = 0, bias_floats = 0;
  bool fits = true;
  for (size_t i = 0; i < part_count; i++)
    fits = fits && msk_add(made.columns, parts[i].out, &made.columns);
  if (made.int8) {
    msk_status status = msk_int8_check_depth(depth, error);
    if (status != MSK_OK) return status;
  }
  size_t row = depth > made.columns ? depth : made.columns;
  if (!fits || !add_columns(&made, zeros, &bias_floats) ||
      !count_floats(&made, bias_floats, row, &floats))
    return msk_fail(error, MSK_ERROR_MEMORY, "a layer is too wide for its device");
  float *room = msk_device_take(device, floats, sizeof *room);
  if (room == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory to bring a layer to its device");
  float *bias = room + panel_bytes(&made) / sizeof(float), *rows = bias + bias_floats;
  const struct packing packing = {.matrix = &made,
                                  .parts = parts,
                                  .part_count = part_count,
                                  .bias_floats = bias_floats,
                                  .panels = room,
                                  .bias = bias,
                                  .row = rows,
                                  .fp16_row = (uint16_t *)(void *)(rows + row),
                                  .inverses = rows + row};
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

/* ---- layers ---- */

msk_status msk_gpu_layer_create(msk_gpu_layer **layer, msk_conv_head head, msk_precision precision,
                                size_t depth, const msk_linear_part *parts, size_t part_count,
                                size_t zeros, msk_error *error) {
  msk_gpu_layer *made = msk_device_make(head.device, 1, sizeof *made);
  if (made == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory for a layer of its device");
  made->head = head;
  msk_status status = msk_gpu_matrix_create(&made->matrix, head.device, precision, depth, parts,
                                            part_count, zeros, error);
  if (status == MSK_OK) {
    *layer = made;
  } else {
    msk_device_unmake(head.device, made, 1, sizeof *made);
  }
  return status;
}

void msk_gpu_layer_destroy(msk_gpu_layer *layer) {
  const msk_device *device = layer->head.device;
  msk_gpu_matrix_destroy(&layer->matrix, device);
  msk_device_unmake(device, layer, 1, sizeof *layer);
}
