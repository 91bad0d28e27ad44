/* SPDX-License-Identifier: Apache-2.0
 *
 * opencl_support.h - what the tests of src/compute/opencl share: a device of the system's OpenCL,
 * of whatever kind, and calls that fail on order. Header only; test code. */
#ifndef MSK_TEST_COMPUTE_OPENCL_SUPPORT_H
#define MSK_TEST_COMPUTE_OPENCL_SUPPORT_H

#include "compute/opencl/gpu.h"
#include "naive.h"

enum { SKIPPED = 77 }; /* what meson takes as "not here" */

/* The library and its first device; ends the program as skipped where there is none. */
static inline void opencl_first(msk_cl *cl, msk_gpu_facts *facts) {
  msk_gpu_facts found[MSK_MAX_GPUS];
  msk_error error;
  size_t count = 0;
  if (msk_cl_open(cl, &error) != MSK_OK || msk_gpu_list(cl, found, &count, &error) != MSK_OK ||
      count == 0) {
    printf("skipped: no device of OpenCL here\n");
    exit(SKIPPED);
  }
  *facts = found[0];
}

static inline msk_device *opencl_device(const msk_cl *cl, const msk_gpu_facts *facts) {
  msk_gpu *gpu = NULL;
  msk_device *device = NULL;
  msk_error error;
  if (msk_gpu_open(&gpu, cl, facts, NULL, NULL, &error) != MSK_OK) fail_msg("%s", error.message);
  assert_int_equal(msk_gpu_device_create(&device, gpu, MSK_PRECISION_INT8, NULL, &error), MSK_OK);
  return device;
}
#endif
