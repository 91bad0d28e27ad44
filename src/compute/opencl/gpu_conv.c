/* SPDX-License-Identifier: Apache-2.0
 * gpu_conv.c - convolutions on a device of OpenCL (kernels/conv.cl). */
#include <assert.h>

#include "base/error.h"
#include "compute/meter.h"
#include "compute/opencl/gpu.h"
#include "compute/stream.h"

msk_status msk_gpu_conv_create(msk_conv **conv, const msk_device *device, const void *weight,
                               msk_dtype dtype, const float *bias, size_t kernel, size_t stride,
                               size_t in, size_t out, msk_pool *pool, msk_error *error) {
  const msk_linear_part part = {.weight = weight, .bias = bias, .out = out, .dtype = dtype};
  const msk_conv_head head = {
      .device = device, .kernel = kernel, .stride = stride, .in = in, .out = out};
  msk_gpu_layer *made = NULL;
  (void)pool;
  msk_status status = msk_gpu_layer_create(&made, head, MSK_PRECISION_FP32, kernel * kernel * in,
                                           &part, 1, in, error);
  if (status == MSK_OK) *conv = (msk_conv *)(void *)made;
  return status;
}

void msk_gpu_conv_destroy(msk_conv *conv) { msk_gpu_layer_destroy((msk_gpu_layer *)(void *)conv); }

static void run_gathered(msk_workspace *workspace, const msk_gpu_layer *conv, msk_map x,
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
  const msk_gpu_layer *own = (const msk_gpu_layer *)(const void *)conv;
  assert(msk_conv_fits(conv, x, upsample, residual, y) && norm == NULL);
  const bool tiled = msk_gpu_winograd_serves(&own->head, y);
  if (y.batch == 0 || (stream->measuring && !tiled)) return;
  assert(stream->measuring || x.at != y.at);
  if (tiled) {
    msk_gpu_winograd(stream, own, x, upsample, residual, y);
    if (stream->measuring) return;
  } else if (own->head.kernel == 1 && own->head.stride == 1 && upsample == 1) {
    msk_gpu_multiply_rows(stream->workspace, &own->matrix, msk_map_rows(x), MSK_ACT_NONE,
                          residual.at == NULL ? MSK_NO_ROWS : msk_map_rows(residual),
                          msk_map_rows(y));
  } else {
    run_gathered(stream->workspace, own, x, upsample, residual, y);
  }
  msk_gpu_finish(stream);
  msk_meter_conv(stream, &own->head, false, y);
}
