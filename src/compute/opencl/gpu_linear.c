/* SPDX-License-Identifier: Apache-2.0
 *
 * gpu_linear.c - linear layers on a device of OpenCL: their weights are packed on this side into
 * the panels of kernels/product.cl and brought there once. */
#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "compute/meter.h"
#include "compute/opencl/gpu.h"
#include "compute/stream.h"
#include "tensor/weight_file.h"

enum { WIDE_ROWS = 6, TILE = 64, TILE_GROUP = 16 }; /* of kernels/product.cl */
enum { HAS_BIAS = 1, HAS_RESIDUAL = 2 };

struct gpu_linear {
  const msk_device *device; /* first: backend.c looks for it */
  size_t in, out;
  msk_cl_memory weights, bias;
};

/* ---- creation ---- */

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

static void pack(const struct gpu_linear *linear, const msk_linear_part *parts, size_t part_count,
                 float *packed, float *bias, float *row) {
  memset(packed, 0, panel_floats(linear->in, linear->out) * sizeof *packed);
  memset(bias, 0, linear->out * sizeof *bias);
  for (size_t i = 0, first = 0; i < part_count; first += parts[i].out, i++) {
    pack_part(packed, linear->in, &parts[i], first, row);
    if (parts[i].bias != NULL) memcpy(bias + first, parts[i].bias, parts[i].out * sizeof *bias);
  }
}

/* packed: panels, bias and a row, one behind the other. */
static msk_status bring(struct gpu_linear *linear, const msk_linear_part *parts, size_t part_count,
                        float *packed, msk_error *error) {
  const msk_gpu *gpu = msk_gpu_of(linear->device);
  size_t panels = panel_floats(linear->in, linear->out);
  float *bias = packed + panels;
  pack(linear, parts, part_count, packed, bias, bias + linear->out);
  msk_status status = msk_gpu_upload(gpu, packed, panels * sizeof(float), &linear->weights, error);
  return status == MSK_OK
             ? msk_gpu_upload(gpu, bias, linear->out * sizeof(float), &linear->bias, error)
             : status;
}

static msk_status fill(struct gpu_linear *linear, const msk_linear_part *parts, size_t part_count,
                       msk_error *error) {
  const msk_device *device = linear->device;
  size_t panels = panel_floats(linear->in, linear->out),
         floats = panels + linear->out + (linear->in > linear->out ? linear->in : linear->out);
  float *packed = msk_device_take(device, floats, sizeof *packed);
  msk_device_hold_apart(device, (panels + linear->out) * sizeof *packed);
  if (packed == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory to bring a linear layer to its device");
  msk_status status =
      msk_device_measures(device) ? MSK_OK : bring(linear, parts, part_count, packed, error);
  msk_device_give(device, packed, floats, sizeof *packed);
  return status;
}

msk_status msk_gpu_linear_create(msk_linear **linear, const msk_device *device,
                                 msk_precision precision, size_t in, const msk_linear_part *parts,
                                 size_t part_count, msk_pool *pool, msk_error *error) {
  (void)pool;
  assert(in > 0 && precision == MSK_PRECISION_FP32); /* no other is taken */
  size_t out = 0, floats;
  for (size_t i = 0; i < part_count; i++) {
    if (!msk_add(out, parts[i].out, &out)) out = SIZE_MAX / 2;
  }
  if (out > SIZE_MAX / 2 - MSK_PANEL || !msk_multiply(in, out + MSK_PANEL, &floats))
    return msk_fail(error, MSK_ERROR_MEMORY, "a linear layer is too wide");
  struct gpu_linear *made = msk_device_make(device, 1, sizeof *made);
  if (made == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory for a linear layer");
  *made = (struct gpu_linear){.device = device, .in = in, .out = out};
  msk_status status = fill(made, parts, part_count, error);
  if (status == MSK_OK) {
    *linear = (msk_linear *)(void *)made;
  } else {
    msk_gpu_linear_destroy((msk_linear *)(void *)made);
  }
  return status;
}

void msk_gpu_linear_destroy(msk_linear *linear) {
  struct gpu_linear *own = (struct gpu_linear *)(void *)linear;
  const msk_cl *cl = &msk_gpu_of(own->device)->cl;
  if (own->weights != NULL) cl->ReleaseMemObject(own->weights);
  if (own->bias != NULL) cl->ReleaseMemObject(own->bias);
  msk_device_unmake(own->device, own, 1, sizeof *own);
}

/* ---- the product ---- */

static void start_product(msk_launch *launch, msk_gpu_kernel kernel,
                          const msk_gpu_product *product) {
  size_t z = product->outer * product->inner, lines = TILE / TILE_GROUP;
  if (kernel == MSK_PRODUCT_WIDE) {
    const size_t global[] = {msk_ceiling(product->rows, WIDE_ROWS),
                             msk_ceiling(product->columns, MSK_PANEL), z};
    /* one vector is a work item's whole width: items side by side would be slower */
    msk_launch_run(launch, global, (const size_t[]){1, 1, 1});
    return;
  }
  const size_t global[] = {msk_round_up(product->columns, TILE) / lines,
                           msk_round_up(product->rows, TILE) / lines, z};
  msk_launch_run(launch, global, (const size_t[]){TILE_GROUP, TILE_GROUP, 1});
}

void msk_gpu_multiply(msk_workspace *workspace, const msk_gpu_product *product) {
  const msk_gpu_kernel kernel = workspace->gpu->product;
  msk_launch launch = msk_launch_begin(workspace, kernel);
  msk_launch_at(&launch, product->x);
  msk_launch_uint(&launch, product->x_stride);
  msk_launch_ulong(&launch, product->x_outer);
  msk_launch_ulong(&launch, product->x_inner);
  if (product->weights != NULL) {
    msk_launch_buffer(&launch, product->weights);
    msk_launch_ulong(&launch, 0);
  } else {
    msk_launch_at(&launch, product->panels);
  }
  msk_launch_ulong(&launch, product->panels_each);
  msk_launch_buffer(&launch, product->bias != NULL ? product->bias : workspace->buffer);
  msk_launch_at(&launch, product->residual);
  msk_launch_uint(&launch, product->residual_stride);
  msk_launch_at(&launch, product->y);
  msk_launch_uint(&launch, product->y_stride);
  msk_launch_ulong(&launch, product->y_outer);
  msk_launch_ulong(&launch, product->y_inner);
  msk_launch_uint(&launch, product->inner);
  msk_launch_uint(&launch, product->rows);
  msk_launch_uint(&launch, product->depth);
  msk_launch_uint(&launch, product->columns);
  msk_launch_int(&launch, (product->bias != NULL ? HAS_BIAS : 0) |
                              (product->residual != NULL ? HAS_RESIDUAL : 0));
  msk_launch_int(&launch, (int)product->activation);
  start_product(&launch, kernel, product);
}

void msk_gpu_linear(msk_stream *stream, const char *name, const msk_linear *linear, msk_rows x,
                    msk_activation activation, msk_rows residual, msk_rows y) {
  const struct gpu_linear *own = (const struct gpu_linear *)(const void *)linear;
  assert(x.columns == own->in && y.columns <= own->out && y.rows == x.rows);
  assert(residual.at == NULL || (residual.rows == y.rows && residual.columns == y.columns));
  if (stream->measuring || x.rows == 0) return;
  assert(x.at != y.at);
  msk_gpu_multiply(stream->workspace, &(msk_gpu_product){.x = x.at,
                                                         .y = y.at,
                                                         .residual = residual.at,
                                                         .weights = own->weights,
                                                         .bias = own->bias,
                                                         .outer = 1,
                                                         .inner = 1,
                                                         .rows = x.rows,
                                                         .depth = own->in,
                                                         .columns = y.columns,
                                                         .x_stride = x.stride,
                                                         .y_stride = y.stride,
                                                         .residual_stride = residual.stride,
                                                         .activation = activation});
  msk_gpu_note(stream, name, 2.0 * (double)x.rows * (double)own->in * (double)y.columns);
}
