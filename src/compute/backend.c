/* SPDX-License-Identifier: Apache-2.0
 *
 * backend.c - passes what backend.h declares on to the kind of device that is asked
 * (operations.h). */
#include "compute/backend.h"

#include <assert.h>

#include "compute/operations.h"

static const msk_operations *operations_of(const msk_device *device) {
  return msk_device_get_head(device)->operations;
}

#define MSK_OPERATION(name, parameters, arguments) \
  void msk_op_##name parameters { operations_of(stream->device)->name arguments; }
#include "compute/operations.inc"
#undef MSK_OPERATION

msk_status msk_linear_create(msk_linear **linear, const msk_device *device, msk_precision precision,
                             size_t in, const msk_linear_part *parts, size_t part_count,
                             msk_pool *pool, msk_error *error) {
  return operations_of(device)->linear_create(linear, device, precision, in, parts, part_count,
                                              pool, error);
}

void msk_linear_destroy(msk_linear *linear) {
  if (linear == NULL) return;
  /* a layer of any kind begins with its device */
  const msk_device *device = *(const msk_device *const *)(const void *)linear;
  operations_of(device)->linear_destroy(linear);
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

msk_status msk_stream_read(const msk_stream *stream, const float *from, size_t count, float *to,
                           msk_error *error) {
  assert(!stream->measuring);
  if (msk_device_is_apart(stream->device))
    return operations_of(stream->device)->read(stream, from, count, to, error);
  assert(from == to);
  return MSK_OK;
}
