/* SPDX-License-Identifier: Apache-2.0
 *
 * gpu_linear.c - linear layers on a device of OpenCL, and starting the products that they and
 * attention are made of (kernels/product.cl). */
#include <assert.h>

#include "base/error.h"
#include "compute/meter.h"
#include "compute/opencl/gpu.h"
#include "compute/stream.h"

struct gpu_linear {
  const msk_device *device; /* first: backend.c looks for it */
  msk_gpu_matrix matrix;
};

/* ---- creation ---- */

msk_status msk_gpu_linear_create(msk_linear **linear, const msk_device *device,
                                 msk_precision precision, size_t in, const msk_linear_part *parts,
                                 size_t part_count, msk_pool *pool, msk_error *error) {
  (void)pool;
  assert(in > 0 && precision == MSK_PRECISION_FP32); /* no other is taken */
  struct gpu_linear *made = msk_device_make(device, 1, sizeof *made);
  if (made == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory for a linear layer");
  made->device = device;
  msk_status status = msk_gpu_matrix_create(&made->matrix, device, in, parts, part_count, 0, error);
  if (status == MSK_OK) {
    *linear = (msk_linear *)(void *)made;
  } else {
    msk_device_unmake(device, made, 1, sizeof *made);
  }
  return status;
}

void msk_gpu_linear_destroy(msk_linear *linear) {
  struct gpu_linear *own = (struct gpu_linear *)(void *)linear;
  msk_gpu_matrix_destroy(&own->matrix, own->device);
  msk_device_unmake(own->device, own, 1, sizeof *own);
}

/* ---- the product ---- */

void msk_gpu_run_tiles(msk_launch *launch, size_t rows, size_t columns, size_t matrices) {
  const msk_gpu_shape *shape = launch->workspace->shape;
  size_t lines = shape->size / MSK_TILE_GROUP;
  if (!shape->tiled) {
    const size_t global[] = {msk_ceiling(rows, shape->size), msk_ceiling(columns, MSK_PANEL),
                             matrices};
    /* one vector is a work item's whole width: items side by side would be slower */
    msk_launch_run(launch, global, (const size_t[]){1, 1, 1});
    return;
  }
  const size_t global[] = {msk_round_up(columns, shape->size) / lines,
                           msk_round_up(rows, shape->size) / lines, matrices};
  msk_launch_run(launch, global, (const size_t[]){MSK_TILE_GROUP, MSK_TILE_GROUP, 1});
}

void msk_gpu_multiply(msk_workspace *workspace, const msk_gpu_product *product) {
  msk_launch launch = msk_launch_begin(workspace, MSK_PRODUCT);
  msk_launch_at(&launch, product->x);
  msk_launch_uint(&launch, product->x_stride);
  msk_launch_ulong(&launch, product->x_outer);
  msk_launch_ulong(&launch, product->x_inner);
  if (product->matrix != NULL) {
    msk_launch_buffer(&launch, product->matrix->panels);
    msk_launch_ulong(&launch, 0);
  } else {
    msk_launch_at(&launch, product->panels);
  }
  msk_launch_ulong(&launch, product->panels_each);
  msk_launch_buffer(&launch, product->matrix != NULL ? product->matrix->bias : workspace->buffer);
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
  int has = product->residual != NULL ? MSK_HAS_RESIDUAL : 0;
  if (product->matrix != NULL) has |= MSK_HAS_BIAS | (product->matrix->fp16 ? MSK_HAS_FP16 : 0);
  msk_launch_int(&launch, has);
  msk_launch_int(&launch, (int)product->activation);
  msk_gpu_run_tiles(&launch, product->rows, product->columns, product->outer * product->inner);
}

void msk_gpu_linear(msk_stream *stream, const char *name, const msk_linear *linear, msk_rows x,
                    msk_activation activation, msk_rows residual, msk_rows y) {
  const struct gpu_linear *own = (const struct gpu_linear *)(const void *)linear;
  assert(x.columns == own->matrix.depth && y.columns <= own->matrix.columns && y.rows == x.rows);
  assert(residual.at == NULL || (residual.rows == y.rows && residual.columns == y.columns));
  if (stream->measuring || x.rows == 0) return;
  assert(x.at != y.at);
  msk_gpu_multiply(stream->workspace, &(msk_gpu_product){.x = x.at,
                                                         .y = y.at,
                                                         .residual = residual.at,
                                                         .matrix = &own->matrix,
                                                         .outer = 1,
                                                         .inner = 1,
                                                         .rows = x.rows,
                                                         .depth = own->matrix.depth,
                                                         .columns = y.columns,
                                                         .x_stride = x.stride,
                                                         .y_stride = y.stride,
                                                         .residual_stride = residual.stride,
                                                         .activation = activation});
  msk_gpu_note(stream, name, 2.0 * (double)x.rows * (double)own->matrix.depth * (double)y.columns);
}
