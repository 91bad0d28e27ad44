/* SPDX-License-Identifier: Apache-2.0
 *
 * gpu_fail.c - what is said when a device fails (gpu.h). */
#include "base/error.h"
#include "compute/opencl/gpu.h"

msk_status msk_gpu_fail(const msk_gpu *gpu, const char *what, int32_t code, msk_error *error) {
  bool memory = code == MSK_CL_MEM_OBJECT_ALLOCATION_FAILURE || code == MSK_CL_OUT_OF_HOST_MEMORY ||
                code == MSK_CL_INVALID_BUFFER_SIZE;
  return msk_fail(error, MSK_ERROR_DEVICE,
                  "the device %s failed in %s (%s, %d): use the device cpu%s", gpu->name, what,
                  msk_cl_error_name(code), (int)code,
                  memory ? ", or ask for fewer pictures at once" : "");
}
