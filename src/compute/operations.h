/* SPDX-License-Identifier: Apache-2.0
 *
 * operations.h - how a kind of device takes part in backend.h: a table of its operations. A
 * device is the CPU's with its own table, or the same with another table and what that needs
 * attached to it: what is done on this side (reading weights, say) needs kernels in any case. */
#ifndef MSK_COMPUTE_OPERATIONS_H
#define MSK_COMPUTE_OPERATIONS_H

#include "compute/backend.h"

typedef struct msk_gpu msk_gpu; /* opencl/gpu.h */

typedef struct msk_operations {
#define MSK_OPERATION(name, parameters, arguments) void(*name) parameters;
#include "compute/operations.inc"
#undef MSK_OPERATION
  msk_status (*linear_create)(msk_linear **linear, const msk_device *device,
                              msk_precision precision, size_t in, const msk_linear_part *parts,
                              size_t part_count, msk_pool *pool, msk_error *error);
  void (*linear_destroy)(msk_linear *linear);
  /* of devices with memory of their own; else NULL */
  msk_status (*place)(const msk_device *device, const float *values, size_t count,
                      msk_error *error);
  void (*displace)(const msk_device *device, const float *values, size_t count);
  msk_status (*workspace_create)(msk_workspace **workspace, const msk_device *device, size_t bytes,
                                 msk_error *error);
  void (*workspace_destroy)(msk_workspace *workspace);
  msk_status (*read)(const msk_stream *stream, const float *from, size_t count, float *to,
                     msk_error *error);
  const char *(*name)(const msk_gpu *gpu);
  void (*close)(msk_gpu *gpu);
} msk_operations;

/* The first member of every msk_device. */
typedef struct msk_device_head {
  const msk_operations *operations;
  msk_gpu *gpu; /* what is attached, or NULL */
} msk_device_head;
static inline msk_device_head *msk_device_get_head(const msk_device *device) {
  return (msk_device_head *)(uintptr_t)device;
}
/* The device owns what is attached from here on. */
static inline void msk_device_attach(msk_device *device, const msk_operations *operations,
                                     msk_gpu *gpu) {
  *msk_device_get_head(device) = (msk_device_head){operations, gpu};
}

#endif
