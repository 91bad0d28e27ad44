/* SPDX-License-Identifier: Apache-2.0
 *
 * gpu_linear.c - linear layers on a device of OpenCL, and starting the products that they and
 * attention are made of (kernels/product.cl). */
#include <assert.h>

#include "base/error.h"
#include "compute/meter.h"
#include "compute/opencl/gpu.h"
#include "compute/stream.h"

/* ---- creation ---- */

msk_status msk_gpu_linear_create(msk_linear **linear, const msk_device *device,
                                 msk_precision precision, size_t in, const msk_linear_part *parts,
                                 size_t part_count, msk_pool *pool, msk_error *error) {
  msk_gpu_layer *made = NULL;
  (void)pool;
  assert(in > 0);
  msk_status status = msk_gpu_layer_create(&made, (msk_conv_head){.device = device}, precision, in,
                                           parts, part_count, 0, error);
  if (status == MSK_OK) *linear = (msk_linear *)(void *)made;
  return status;
}

void msk_gpu_linear_destroy(msk_linear *linear) {
  msk_gpu_layer_destroy((msk_gpu_layer *)(void *)linear);
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

void msk_gpu_multiply_rows(msk_workspace *workspace, const msk_gpu_matrix *matrix, msk_rows x,
                           msk_activation activation, msk_rows residual, msk_rows y) {
  msk_gpu_multiply(workspace, &(msk_gpu_product){.x = x.at,
                                                 .y = y.at,
                                                 .residual = residual.at,
                                                 .matrix = matrix,
                                                 .outer = 1,
                                                 .inner = 1,
                                                 .rows = x.rows,
                                                 .depth = matrix->depth,
                                                 .columns = y.columns,
                                                 .x_stride = x.stride,
                                                 .y_stride = y.stride,
                                                 .residual_stride = residual.stride,
                                                 .activation = activation});
}

/* ---- in int8 (kernels/int8.cl) ---- */

/* Four numbers of 8 bits are a word, or for a processor four floats. */
static size_t coded_bytes(const msk_gpu *gpu, const msk_gpu_matrix *matrix, size_t rows) {
  return msk_scratch_floats(rows * msk_ceiling(matrix->depth, 4) * (gpu->shape->tiled ? 1 : 4));
}

static size_t int8_bytes(const msk_gpu *gpu, const msk_gpu_matrix *matrix, size_t rows) {
  return coded_bytes(gpu, matrix, rows) + msk_scratch_floats(2 * rows);
}

static void quantise(msk_workspace *workspace, msk_rows x, const float *codes, const float *marks) {
  const size_t group = workspace->gpu->group;
  msk_launch launch = msk_launch_begin(workspace, MSK_QUANTISE);
  msk_launch_at(&launch, x.at);
  msk_launch_uint(&launch, x.stride);
  msk_launch_uint(&launch, x.columns);
  msk_launch_at(&launch, codes);
  msk_launch_at(&launch, marks);
  msk_launch_int(&launch, !workspace->shape->tiled);
  msk_launch_run(&launch, (const size_t[]){group * x.rows, 1, 1}, (const size_t[]){group, 1, 1});
}

static void multiply_int8(msk_workspace *workspace, char *scratch, const msk_gpu_matrix *matrix,
                          msk_rows x, msk_activation activation, msk_rows residual, msk_rows y) {
  const float *codes = (const float *)(const void *)scratch,
              *marks = (const float *)(const void *)(scratch +
                                                     coded_bytes(workspace->gpu, matrix, x.rows));
  quantise(workspace, x, codes, marks);
  msk_launch launch = msk_launch_begin(workspace, MSK_INT8_PRODUCT);
  msk_launch_at(&launch, codes);
  msk_launch_at(&launch, marks);
  msk_launch_buffer(&launch, matrix->panels);
  msk_launch_buffer(&launch, matrix->bias);
  msk_launch_uint(&launch, matrix->columns);
  msk_launch_at(&launch, residual.at);
  msk_launch_uint(&launch, residual.stride);
  msk_launch_at(&launch, y.at);
  msk_launch_uint(&launch, y.stride);
  msk_launch_uint(&launch, y.rows);
  msk_launch_uint(&launch, msk_ceiling(matrix->depth, 4));
  msk_launch_uint(&launch, y.columns);
  msk_launch_int(&launch, MSK_HAS_BIAS | (residual.at != NULL ? MSK_HAS_RESIDUAL : 0));
  msk_launch_int(&launch, (int)activation);
  msk_gpu_run_tiles(&launch, y.rows, y.columns, 1);
}

/* ---- the layer ---- */

void msk_gpu_linear(msk_stream *stream, const char *name, const msk_linear *linear, msk_rows x,
                    msk_activation activation, msk_rows residual, msk_rows y) {
  const msk_gpu_matrix *matrix = &((const msk_gpu_layer *)(const void *)linear)->matrix;
  assert(x.columns == matrix->depth && y.columns <= matrix->columns && y.rows == x.rows);
  assert(residual.at == NULL || (residual.rows == y.rows && residual.columns == y.columns));
  if (x.rows == 0 ||
      msk_stream_measure(stream,
                         matrix->int8 ? int8_bytes(msk_gpu_of(stream->device), matrix, x.rows) : 0))
    return;
  assert(x.at != y.at);
  if (matrix->int8) {
    multiply_int8(stream->workspace, stream->scratch, matrix, x, activation, residual, y);
  } else {
    msk_gpu_multiply_rows(stream->workspace, matrix, x, activation, residual, y);
  }
  msk_gpu_note(stream, name, 2.0 * (double)x.rows * (double)matrix->depth * (double)y.columns);
}
