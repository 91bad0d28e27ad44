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
  msk_status (*conv_create)(msk_conv **conv, const msk_device *device, const void *weight,
                            msk_dtype dtype, const float *bias, size_t kernel, size_t stride,
                            size_t in, size_t out, msk_pool *pool, msk_error *error);
  void (*conv_destroy)(msk_conv *conv);
  bool (*conv_int8_pays)(const msk_device *device, size_t kernel, size_t stride, size_t upsample,
                         size_t in, size_t out); /* or NULL: never */
  bool (*conv_int16_pays)(const msk_device *device, size_t kernel, size_t stride, size_t in,
                          size_t out); /* or NULL: never */
  msk_status (*codebook_create)(msk_codebook **codebook, const msk_device *device,
                                const float *vectors, size_t codes, size_t dim, msk_error *error);
  void (*codebook_destroy)(msk_codebook *codebook);
  /* of devices with memory of their own; else NULL */
  msk_status (*place)(const msk_device *device, const float *values, size_t count,
                      msk_error *error);
  void (*displace)(const msk_device *device, const float *values, size_t count);
  msk_status (*workspace_create)(msk_workspace **workspace, const msk_device *device, size_t bytes,
                                 msk_error *error);
  void (*workspace_destroy)(msk_workspace *workspace);
  void (*write)(const msk_stream *stream, const float *from, size_t count, float *to);
  msk_status (*read)(const msk_stream *stream, const float *from, size_t count, float *to,
                     msk_error *error);
  const char *(*name)(const msk_gpu *gpu);
  void (*close)(msk_gpu *gpu);
} msk_operations;

static inline bool msk_map_is_like(msk_map a, msk_map b) {
  return a.batch == b.batch && a.height == b.height && a.width == b.width &&
         a.channels == b.channels;
}

/* The first member of every msk_conv; every msk_linear and msk_codebook begins with its device. */
typedef struct msk_conv_head {
  const msk_device *device;
  size_t kernel, stride, in, out;
  bool int8, int16; /* in whole numbers of so many bits */
} msk_conv_head;
static inline const msk_conv_head *msk_conv_get_head(const msk_conv *conv) {
  return (const msk_conv_head *)(const void *)conv;
}
/* XLA's SAME: as much padding as gives ceil(side / stride) outputs, the larger half behind; this is
 * the half before. */
static inline size_t msk_conv_padding(const msk_conv_head *conv, size_t side, size_t out_side) {
  size_t covered = (out_side - 1) * conv->stride + conv->kernel;
  return covered > side ? (covered - side) / 2 : 0;
}

/* Whether the maps of an msk_op_conv() belong together. */
static inline bool msk_conv_fits(const msk_conv *conv, msk_map x, size_t upsample, msk_map residual,
                                 msk_map y) {
  const msk_map wanted = msk_conv_output(conv, x, upsample, NULL);
  return (upsample == 1 || upsample == 2) && x.height > 0 && x.width > 0 &&
         x.channels == msk_conv_get_head(conv)->in && msk_map_is_like(y, wanted) &&
         (residual.at == NULL || msk_map_is_like(residual, wanted));
}

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
