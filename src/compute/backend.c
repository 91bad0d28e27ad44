/* SPDX-License-Identifier: Apache-2.0
 *
 * backend.c - passes what backend.h declares on to the kind of device that is asked
 * (operations.h). */
#include "compute/backend.h"

#include <assert.h>

#include "compute/operations.h"
#include "compute/stream.h"

static const msk_operations *operations_of(const msk_device *device) {
  return msk_device_get_head(device)->operations;
}

#define MSK_OPERATION(name, parameters, arguments) \
  void msk_op_##name parameters { operations_of(stream->device)->name arguments; }
#include "compute/operations.inc"
#undef MSK_OPERATION

/* A layer of any kind begins with its device. */
static const msk_operations *operations_of_layer(const void *layer) {
  return operations_of(*(const msk_device *const *)layer);
}

msk_status msk_linear_create(msk_linear **linear, const msk_device *device, msk_precision precision,
                             size_t in, const msk_linear_part *parts, size_t part_count,
                             msk_pool *pool, msk_error *error) {
  return operations_of(device)->linear_create(linear, device, precision, in, parts, part_count,
                                              pool, error);
}

void msk_linear_destroy(msk_linear *linear) {
  if (linear != NULL) operations_of_layer(linear)->linear_destroy(linear);
}

msk_status msk_conv_create(msk_conv **conv, const msk_device *device, const void *weight,
                           msk_dtype dtype, const float *bias, size_t kernel, size_t stride,
                           size_t in, size_t out, msk_pool *pool, msk_error *error) {
  assert(dtype == MSK_DTYPE_F32 || dtype == MSK_DTYPE_F16);
  assert(kernel >= 1 && kernel <= 4 && (stride == 1 || stride == 2) && in > 0 && out > 0);
  return operations_of(device)->conv_create(conv, device, weight, dtype, bias, kernel, stride, in,
                                            out, pool, error);
}

void msk_conv_destroy(msk_conv *conv) {
  if (conv != NULL) operations_of_layer(conv)->conv_destroy(conv);
}

bool msk_conv_int8_pays(const msk_device *device, size_t kernel, size_t stride, size_t upsample,
                        size_t in, size_t out) {
  const msk_operations *operations = operations_of(device);
  return operations->conv_int8_pays != NULL &&
         operations->conv_int8_pays(device, kernel, stride, upsample, in, out);
}

bool msk_conv_int16_pays(const msk_device *device, size_t kernel, size_t stride, size_t in,
                         size_t out) {
  const msk_operations *operations = operations_of(device);
  return operations->conv_int16_pays != NULL &&
         operations->conv_int16_pays(device, kernel, stride, in, out);
}

bool msk_conv_takes_norm(const msk_conv *conv) { return msk_conv_get_head(conv)->int8; }

msk_precision msk_conv_precision(const msk_conv *conv) {
  const msk_conv_head *head = msk_conv_get_head(conv);
  return head->int8 || head->int16 ? MSK_PRECISION_INT8 : MSK_PRECISION_FP32;
}

msk_map msk_conv_output(const msk_conv *conv, msk_map x, size_t upsample, float *at) {
  const msk_conv_head *head = msk_conv_get_head(conv);
  return (msk_map){at, x.batch, msk_ceiling(x.height * upsample, head->stride),
                   msk_ceiling(x.width * upsample, head->stride), head->out};
}

msk_status msk_codebook_create(msk_codebook **codebook, const msk_device *device,
                               const float *vectors, size_t codes, size_t dim, msk_error *error) {
  return operations_of(device)->codebook_create(codebook, device, vectors, codes, dim, error);
}

void msk_codebook_destroy(msk_codebook *codebook) {
  if (codebook != NULL) operations_of_layer(codebook)->codebook_destroy(codebook);
}

bool msk_device_is_apart(const msk_device *device) { return operations_of(device)->read != NULL; }

const char *msk_device_name(const msk_device *device) {
  const msk_device_head *head = msk_device_get_head(device);
  return head->operations->name == NULL ? "cpu" : head->operations->name(head->gpu);
}

msk_status msk_device_place(const msk_device *device, const float *values, size_t count,
                            msk_error *error) {
  return msk_device_is_apart(device) ? operations_of(device)->place(device, values, count, error)
                                     : MSK_OK;
}

void msk_device_displace(const msk_device *device, const float *values, size_t count) {
  if (msk_device_is_apart(device)) operations_of(device)->displace(device, values, count);
}

msk_status msk_workspace_create(msk_workspace **workspace, const msk_device *device, size_t bytes,
                                msk_error *error) {
  assert(msk_device_is_apart(device));
  return operations_of(device)->workspace_create(workspace, device, bytes, error);
}

void msk_workspace_destroy(msk_workspace *workspace, const msk_device *device) {
  if (workspace != NULL) operations_of(device)->workspace_destroy(workspace);
}

void msk_stream_write(msk_stream *stream, const float *from, size_t count, float *to) {
  assert(msk_device_is_apart(stream->device));
  if (!stream->measuring) operations_of(stream->device)->write(stream, from, count, to);
}

msk_status msk_stream_read(const msk_stream *stream, const float *from, size_t count, float *to,
                           msk_error *error) {
  assert(!stream->measuring);
  if (msk_device_is_apart(stream->device))
    return operations_of(stream->device)->read(stream, from, count, to, error);
  assert(from == to);
  return MSK_OK;
}
