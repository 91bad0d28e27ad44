/* SPDX-License-Identifier: Apache-2.0
 * gpu_conv.c - convolutions on a device of OpenCL (kernels/conv.cl). */
#include <assert.h>

#include "base/error.h"
#include "compute/meter.h"
#include "compute/opencl/gpu.h"
#include "compute/stream.h"

struct gpu_conv {
  msk_conv_head head; /* first: backend.c looks for it */
  msk_gpu_matrix matrix;
};

msk_status msk_gpu_conv_create(msk_conv **conv, const msk_device *device, const void *weight,
                               msk_dtype dtype, const float *bias, size_t kernel, size_t stride,
                               size_t in, size_t out, msk_pool *pool, msk_error *error) {
  (void)pool;
  const msk_linear_part part = {.weight = weight, .bias = bias, .out = out, .dtype = dtype};
  struct gpu_conv *made = msk_device_make(device, 1, sizeof *made);
  if (made == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory for a convolution");
  made->head = (msk_conv_head){device, kernel, stride, in, out, false};
  msk_status status =
      msk_gpu_matrix_create(&made->matrix, device, kernel * kernel * in, &part, 1, in, error);
  if (status == MSK_OK) {
    *conv = (msk_conv *)(void *)made;
  } else {
    msk_device_unmake(device, made, 1, sizeof *made);
  }
  return status;
}

void msk_gpu_conv_destroy(msk_conv *conv) {
  struct gpu_conv *own = (struct gpu_conv *)(void *)conv;
  msk_gpu_matrix_destroy(&own->matrix, own->head.device);
  msk_device_unmake(own->head.device, own, 1, sizeof *own);
}

/* Rows that lie as a product wants them. */
static void run_product(msk_workspace *workspace, const msk_gpu_matrix *matrix, msk_map x,
                        msk_map residual, msk_map y) {
  msk_gpu_multiply(workspace, &(msk_gpu_product){.x = x.at,
                                                 .y = y.at,
                                                 .residual = residual.at,
                                                 .matrix = matrix,
                                                 .outer = 1,
                                                 .inner = 1,
                                                 .rows = y.batch * y.height * y.width,
                                                 .depth = matrix->depth,
                                                 .columns = y.channels,
                                                 .x_stride = x.channels,
                                                 .y_stride = y.channels,
                                                 .residual_stride = y.channels});
}

static void run_gathered(msk_workspace *workspace, const struct gpu_conv *conv, msk_map x,
                         size_t upsample, msk_map residual, msk_map y) {
  const msk_conv_head *head = &conv->head;
  size_t rows = y.batch * y.height * y.width;
  msk_launch launch = msk_launch_begin(workspace, MSK_CONV);
  msk_launch_at(&launch, x.at);
  msk_launch_uint(&launch, x.height);
  msk_launch_uint(&launch, x.width);
  msk_launch_uint(&launch, x.channels);
  msk_launch_uint(&launch, upsample);
  msk_launch_uint(&launch, head->kernel);
  msk_launch_uint(&launch, head->stride);
  msk_launch_uint(&launch, msk_conv_padding(head, x.height * upsample, y.height));
  msk_launch_uint(&launch, msk_conv_padding(head, x.width * upsample, y.width));
  msk_launch_uint(&launch, y.height);
  msk_launch_uint(&launch, y.width);
  msk_launch_buffer(&launch, conv->matrix.panels);
  msk_launch_buffer(&launch, conv->matrix.bias);
  msk_launch_at(&launch, residual.at);
  msk_launch_at(&launch, y.at);
  msk_launch_uint(&launch, rows);
  msk_launch_uint(&launch, y.channels);
  msk_launch_int(&launch, MSK_HAS_BIAS | (residual.at != NULL ? MSK_HAS_RESIDUAL : 0) |
                              (conv->matrix.fp16 ? MSK_HAS_FP16 : 0));
  msk_gpu_run_tiles(&launch, rows, y.channels, 1);
}

void msk_gpu_conv(msk_stream *stream, const msk_conv *conv, msk_map x, size_t upsample,
                  const msk_norm *norm, msk_map residual, msk_map y) {
  const struct gpu_conv *own = (const struct gpu_conv *)(const void *)conv;
  assert(msk_conv_fits(conv, x, upsample, residual, y) && norm == NULL);
  if (stream->measuring || y.batch == 0) return;
  assert(x.at != y.at);
  if (own->head.kernel == 1 && own->head.stride == 1 && upsample == 1) {
    run_product(stream->workspace, &own->matrix, x, residual, y);
  } else {
    run_gathered(stream->workspace, own, x, upsample, residual, y);
  }
  msk_gpu_finish(stream);
  msk_meter_conv(stream, &own->head, false, y);
}
