/* SPDX-License-Identifier: Apache-2.0
 * gpu.c - opening a device of OpenCL, and bringing weights there (gpu.h). */
#include "compute/opencl/gpu.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

/* Work items that share a row: a GPU's run in step; a processor's are a loop: few are better. */
enum { GPU_GROUP = 64, CPU_GROUP = 16 };
/* A GPU's items lie side by side; a processor's are vectors. */
enum { GPU_LANES = 4, CPU_LANES = 16 };

msk_status msk_gpu_upload(const msk_gpu *gpu, const void *bytes, size_t count,
                          msk_cl_memory *buffer, msk_error *error) {
  int32_t code = MSK_CL_SUCCESS;
  msk_cl_memory made =
      gpu->cl.CreateBuffer(gpu->context, MSK_CL_MEM_READ_WRITE, count, NULL, &code);
  if (made == NULL || code != MSK_CL_SUCCESS)
    return msk_gpu_fail(gpu, "taking memory", code, error);
  if (bytes != NULL)
    code =
        gpu->cl.EnqueueWriteBuffer(gpu->queue, made, MSK_CL_TRUE, 0, count, bytes, 0, NULL, NULL);
  if (code != MSK_CL_SUCCESS) {
    gpu->cl.ReleaseMemObject(made);
    return msk_gpu_fail(gpu, "bringing weights there", code, error);
  }
  *buffer = made;
  return MSK_OK;
}

/* Context and queue. */
static msk_status connect(msk_gpu *gpu, msk_error *error) {
  const intptr_t properties[] = {MSK_CL_CONTEXT_PLATFORM, (intptr_t)gpu->facts.platform_id, 0};
  int32_t code = MSK_CL_SUCCESS;
  gpu->context = gpu->cl.CreateContext(properties, 1, &gpu->facts.id, NULL, NULL, &code);
  if (gpu->context == NULL || code != MSK_CL_SUCCESS)
    return msk_gpu_fail(gpu, "making a context", code, error);
  gpu->queue = gpu->cl.CreateCommandQueue(gpu->context, gpu->facts.id, 0, &code);
  if (gpu->queue == NULL || code != MSK_CL_SUCCESS)
    return msk_gpu_fail(gpu, "making a queue", code, error);
  return MSK_OK;
}

static void choose_groups(msk_gpu *gpu) {
  const msk_gpu_facts *facts = &gpu->facts;
  gpu->lanes = facts->gpu ? GPU_LANES : CPU_LANES;
  gpu->cell = facts->gpu ? 1 : CPU_LANES; /* more would not stay in an item's registers */
  gpu->group = facts->gpu ? GPU_GROUP : CPU_GROUP;
  while (gpu->group > facts->largest_group) gpu->group /= 2;
}

/* No option lets the compiler trade exactness away. */
static msk_status build_program(msk_gpu *gpu, const char *cache, msk_error *error) {
  char options[96];
  snprintf(options, sizeof options, "-cl-std=CL1.2 -DPANEL=%d -DGROUP=%zu -DLANES=%zu -DCELL=%zu",
           MSK_PANEL, gpu->group, gpu->lanes, gpu->cell);
  return msk_gpu_build(gpu, &gpu->program, msk_kernel_text, options, cache, &gpu->from_cache,
                       error);
}

msk_status msk_gpu_open(msk_gpu **gpu, const msk_cl *cl, const msk_gpu_facts *facts,
                        const char *cache, const msk_allocator *allocator, msk_error *error) {
  msk_gpu *made = msk_allocate_zeroed(allocator, 1, sizeof *made);
  if (made == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory for a device");
  made->cl = *cl;
  made->facts = *facts;
  made->allocator = allocator;
  snprintf(made->name, sizeof made->name, "%s: %s", facts->platform, facts->name);
  choose_groups(made);
  msk_status status = connect(made, error);
  if (status == MSK_OK) status = build_program(made, cache, error);
  if (status == MSK_OK) status = msk_gpu_take_usual_shape(made, cache, error);
  if (status == MSK_OK) {
    *gpu = made;
  } else {
    msk_gpu_close(made);
  }
  return status;
}

void msk_gpu_close(msk_gpu *gpu) {
  if (gpu == NULL) return;
  for (size_t i = 0; i < gpu->placed_count; i++) gpu->cl.ReleaseMemObject(gpu->placed[i].buffer);
  if (gpu->products != NULL) gpu->cl.ReleaseProgram(gpu->products);
  if (gpu->program != NULL) gpu->cl.ReleaseProgram(gpu->program);
  if (gpu->queue != NULL) gpu->cl.ReleaseCommandQueue(gpu->queue);
  if (gpu->context != NULL) gpu->cl.ReleaseContext(gpu->context);
  msk_free(gpu->allocator, gpu);
}
