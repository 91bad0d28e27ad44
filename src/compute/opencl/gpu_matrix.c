/* SPDX-License-Identifier: Apache-2.0
 *
 * gpu_matrix.c - matrices of weights on a device of OpenCL: packed on this side into the panels of
 * kernels/product.cl and brought there once (gpu.h). */
#include <string.h>

#include "base/error.h"
#include "compute/opencl/gpu.h"
#include "compute/stream.h"
#include "tensor/weight_file.h"

static size_t panel_floats(size_t depth, size_t columns) {
  return depth * msk_round_up(columns, MSK_PANEL);
}

/* Column `column` of the whole layer, behind those of the parts before. */
static void pack_value(float *packed, size_t depth, size_t column, size_t k, float value) {
  packed[column / MSK_PANEL * MSK_PANEL * depth + k * MSK_PANEL + column % MSK_PANEL] = value;
}

/* `row` has room for depth or out floats, whichever are more. */
static void pack_part(float *packed, size_t depth, const msk_linear_part *part, size_t first,
                      float *row) {
  const msk_tensor tensor = {.dtype = part->dtype, .data = part->weight};
  size_t rows = part->transposed ? part->out : depth,
         columns = part->transposed ? depth : part->out;
  for (size_t i = 0; i < rows; i++) {
    msk_tensor_to_f32(&tensor, i * columns, columns, row);
    for (size_t j = 0; j < columns; j++) {
      if (part->transposed) {
        pack_value(packed, depth, first + i, j, row[j]);
      } else {
        pack_value(packed, depth, first + j, i, row[j]);
      }
    }
  }
}

/* bias: and the zeros behind it, `bias_floats` together. */
static void pack(const msk_gpu_matrix *matrix, const msk_linear_part *parts, size_t part_count,
                 float *packed, float *bias, size_t bias_floats, float *row) {
  memset(packed, 0, panel_floats(matrix->depth, matrix->columns) * sizeof *packed);
  memset(bias, 0, bias_floats * sizeof *bias);
  for (size_t i = 0, first = 0; i < part_count; first += parts[i].out, i++) {
    pack_part(packed, matrix->depth, &parts[i], first, row);
    if (parts[i].bias != NULL) memcpy(bias + first, parts[i].bias, parts[i].out * sizeof *bias);
  }
}

/* packed: panels, bias with its zeros and a row, one behind the other. */
static msk_status bring(msk_gpu_matrix *matrix, const msk_gpu *gpu, const msk_linear_part *parts,
                        size_t part_count, float *packed, size_t bias_floats, msk_error *error) {
  size_t panels = panel_floats(matrix->depth, matrix->columns);
  float *bias = packed + panels;
  pack(matrix, parts, part_count, packed, bias, bias_floats, bias + bias_floats);
  msk_status status = msk_gpu_upload(gpu, packed, panels * sizeof(float), &matrix->panels, error);
  return status == MSK_OK
             ? msk_gpu_upload(gpu, bias, bias_floats * sizeof(float), &matrix->bias, error)
             : status;
}

/* Room for what is packed at once: false where there are not so many floats. */
static bool count_floats(const msk_gpu_matrix *matrix, size_t bias_floats, size_t *floats) {
  size_t row = matrix->depth > matrix->columns ? matrix->depth : matrix->columns, panels;
  return msk_add(matrix->columns, MSK_PANEL, &panels) &&
         msk_multiply(matrix->depth, panels, &panels) && msk_add(bias_floats, row, floats) &&
         msk_add(*floats, panels, floats);
}

msk_status msk_gpu_matrix_create(msk_gpu_matrix *matrix, const msk_device *device, size_t depth,
                                 const msk_linear_part *parts, size_t part_count, size_t zeros,
                                 msk_error *error) {
  msk_gpu_matrix made = {.depth = depth};
  size_t floats = 0, bias_floats = 0;
  bool fits = true;
  for (size_t i = 0; i < part_count; i++)
    fits = fits && msk_add(made.columns, parts[i].out, &made.columns);
  if (!fits || !msk_add(made.columns, zeros, &bias_floats) ||
      !count_floats(&made, bias_floats, &floats))
    return msk_fail(error, MSK_ERROR_MEMORY, "a layer is too wide for its device");
  float *packed = msk_device_take(device, floats, sizeof *packed);
  if (packed == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory to bring a layer to its device");
  msk_device_hold_apart(device, (panel_floats(depth, made.columns) + bias_floats) * sizeof *packed);
  msk_status status = msk_device_measures(device) ? MSK_OK
                                                  : bring(&made, msk_gpu_of(device), parts,
                                                          part_count, packed, bias_floats, error);
  msk_device_give(device, packed, floats, sizeof *packed);
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
