/* SPDX-License-Identifier: Apache-2.0
 *
 * gpu_device.c - a device of OpenCL as a msk_device: the CPU's, with the table of operations that
 * run there (backend.h). */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "compute/opencl/gpu.h"

/* ---- arrays on both sides ---- */

static msk_status place(const msk_device *device, const float *values, size_t count,
                        msk_error *error) {
  msk_gpu *gpu = msk_gpu_of(device);
  msk_device_hold_apart(device, count * sizeof *values);
  if (msk_device_measures(device) || count == 0) return MSK_OK;
  if (gpu->placed_count == MSK_MAX_PLACED)
    return msk_fail(error, MSK_ERROR_DEVICE, "more than %d arrays for one device", MSK_MAX_PLACED);
  msk_placed placed = {.base = (const char *)values, .bytes = count * sizeof *values};
  msk_status status = msk_gpu_upload(gpu, values, placed.bytes, &placed.buffer, error);
  if (status == MSK_OK) gpu->placed[gpu->placed_count++] = placed;
  return status;
}

static void displace(const msk_device *device, const float *values, size_t count) {
  msk_gpu *gpu = msk_gpu_of(device);
  (void)count;
  for (size_t i = 0; i < gpu->placed_count; i++) {
    if (gpu->placed[i].base != (const char *)values) continue;
    gpu->cl.ReleaseMemObject(gpu->placed[i].buffer);
    gpu->placed[i] = gpu->placed[--gpu->placed_count];
    return;
  }
}

/* ---- the device ---- */

static void write_floats(const msk_stream *stream, const float *from, size_t count, float *to) {
  msk_gpu_write(stream->workspace, from, count * sizeof *from, to);
}

static const char *name_of(const msk_gpu *gpu) { return gpu->name; }

static const msk_operations gpu_operations = {
#define MSK_OPERATION(name, parameters, arguments) .name = msk_gpu_##name,
#include "compute/operations.inc"
#undef MSK_OPERATION
    .linear_create = msk_gpu_linear_create,
    .linear_destroy = msk_gpu_linear_destroy,
    .conv_create = msk_gpu_conv_create,
    .conv_destroy = msk_gpu_conv_destroy,
    .codebook_create = msk_gpu_codebook_create,
    .codebook_destroy = msk_gpu_codebook_destroy,
    .place = place,
    .displace = displace,
    .workspace_create = msk_gpu_workspace_create,
    .workspace_destroy = msk_gpu_workspace_destroy,
    .write = write_floats,
    .read = msk_gpu_read,
    .name = name_of,
    .close = msk_gpu_close,
};

msk_status msk_gpu_device_create(msk_device **device, msk_gpu *gpu, msk_precision precision,
                                 const msk_allocator *allocator, msk_error *error) {
  msk_device *made = NULL;
  msk_status status = msk_device_create(&made, NULL, precision, allocator, error);
  if (status != MSK_OK) return status;
  msk_device_attach(made, &gpu_operations, gpu);
  *device = made;
  return MSK_OK;
}

msk_status msk_device_create_gpu(msk_device **device, const char *name, const char *cache,
                                 msk_precision precision, const msk_allocator *allocator,
                                 msk_error *error) {
  msk_cl cl;
  msk_gpu_facts facts;
  msk_gpu *gpu = NULL;
  msk_device *made = NULL;
  const char *wrong = NULL;
  msk_status status = msk_cl_open(&cl, error);
  if (status == MSK_OK) status = msk_gpu_find(&cl, name, &facts, error);
  if (status == MSK_OK) status = msk_gpu_open(&gpu, &cl, &facts, cache, allocator, error);
  if (status != MSK_OK) return status;
  status = msk_gpu_device_create(&made, gpu, precision, allocator, error);
  if (status != MSK_OK) {
    msk_gpu_close(gpu);
    return status;
  }
  status = msk_gpu_tune(made, cache, error);
  if (status == MSK_OK) status = msk_gpu_selfcheck(made, &wrong, error);
  if (status == MSK_OK && wrong != NULL)
    status = msk_fail(error, MSK_ERROR_DEVICE,
                      "the device %s computes wrong results (%s): use the device cpu, or another "
                      "driver",
                      gpu->name, wrong);
  if (status == MSK_OK) {
    *device = made;
  } else {
    msk_device_destroy(made);
  }
  return status;
}

/* ---- the list ---- */

msk_status msk_device_list(msk_device_info **devices, int *count, const msk_allocator *allocator,
                           msk_error *error) {
  msk_cl cl;
  msk_gpu_facts facts[MSK_MAX_GPUS];
  size_t found = 0;
  if (devices == NULL || count == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "no place for the list of devices");
  msk_status status = msk_cl_open(&cl, error);
  if (status == MSK_OK) status = msk_gpu_list(&cl, facts, &found, error);
  if (status != MSK_OK) return status;
  msk_device_info *list = msk_allocate_zeroed(allocator, found + 1, sizeof *list);
  if (list == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory for the list of devices");
  for (size_t i = 0; i < found; i++) {
    list[i].is_gpu = facts[i].gpu;
    list[i].memory = (size_t)facts[i].memory;
    memcpy(list[i].name, facts[i].name, sizeof list[i].name);
    memcpy(list[i].platform, facts[i].platform, sizeof list[i].platform);
    memcpy(list[i].driver, facts[i].driver, sizeof list[i].driver);
  }
  *devices = list;
  *count = (int)found;
  return MSK_OK;
}
