/* SPDX-License-Identifier: Apache-2.0
 * workspace.c - a session's memory and queue on a device of OpenCL, and starting kernels there
 * (gpu.h). */
#include <assert.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/memory.h"
#include "compute/meter.h"
#include "compute/opencl/gpu.h"

static const char *const kernel_names[] = {
    "product",          "conv",           "int8_product", "embed",        "scatter",
    "layer_norm",       "quantise",       "pack_panels",  "softmax_rows", "head_sum",
    "norm_chunks",      "norm_groups",    "norm_apply",   "average_pool", "fold_pixels",
    "bytes_to_numbers", "elementwise",    "nearest_code", "lookup_code",  "winograd_filters",
    "winograd_input",   "winograd_output"};
_Static_assert(sizeof kernel_names / sizeof *kernel_names == MSK_GPU_KERNELS,
               "a name for each of msk_gpu_kernel");

/* ---- making ---- */

static msk_status make_kernels(msk_workspace *workspace, msk_error *error) {
  const msk_gpu *gpu = workspace->gpu;
  for (int i = 0; i < MSK_GPU_KERNELS; i++) {
    int32_t code = MSK_CL_SUCCESS;
    workspace->kernels[i] =
        gpu->cl.CreateKernel(i < MSK_EMBED ? gpu->products : gpu->program, kernel_names[i], &code);
    if (workspace->kernels[i] == NULL || code != MSK_CL_SUCCESS)
      return msk_gpu_fail(gpu, kernel_names[i], code, error);
  }
  return MSK_OK;
}

static msk_status fill_workspace(msk_workspace *workspace, msk_error *error) {
  const msk_gpu *gpu = workspace->gpu;
  int32_t code = MSK_CL_SUCCESS;
  void *addresses =
      mmap(NULL, workspace->bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (addresses == MAP_FAILED)
    return msk_fail(error, MSK_ERROR_MEMORY, "no addresses for %zu bytes of a device's memory",
                    workspace->bytes);
  workspace->base = addresses;
  workspace->queue = gpu->cl.CreateCommandQueue(gpu->context, gpu->facts.id, 0, &code);
  if (workspace->queue == NULL || code != MSK_CL_SUCCESS)
    return msk_gpu_fail(gpu, "making a queue", code, error);
  msk_status status = msk_gpu_upload(gpu, NULL, workspace->bytes, &workspace->buffer, error);
  return status == MSK_OK ? make_kernels(workspace, error) : status;
}

msk_status msk_gpu_workspace_create(msk_workspace **workspace, const msk_device *device,
                                    size_t bytes, msk_error *error) {
  msk_gpu *gpu = msk_gpu_of(device);
  msk_workspace *made = msk_allocate_zeroed(gpu->allocator, 1, sizeof *made);
  if (made == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory for a workspace");
  made->gpu = gpu;
  made->shape = gpu->shape;
  made->bytes = bytes == 0 ? MSK_ALIGNMENT : bytes;
  msk_status status = fill_workspace(made, error);
  if (status == MSK_OK) {
    *workspace = made;
  } else {
    msk_gpu_workspace_destroy(made);
  }
  return status;
}

void msk_gpu_workspace_destroy(msk_workspace *workspace) {
  const msk_cl *cl = &workspace->gpu->cl;
  if (workspace->queue != NULL) cl->Finish(workspace->queue);
  for (int i = 0; i < MSK_GPU_KERNELS; i++) {
    if (workspace->kernels[i] != NULL) cl->ReleaseKernel(workspace->kernels[i]);
  }
  if (workspace->buffer != NULL) cl->ReleaseMemObject(workspace->buffer);
  if (workspace->queue != NULL) cl->ReleaseCommandQueue(workspace->queue);
  if (workspace->base != NULL) munmap(workspace->base, workspace->bytes);
  msk_free(workspace->gpu->allocator, workspace);
}

char *msk_workspace_base(const msk_workspace *workspace) { return workspace->base; }

/* ---- failures, reading, writing ---- */

static void note_failure(msk_workspace *workspace, const char *what, int32_t code) {
  if (code == MSK_CL_SUCCESS || workspace->failure != MSK_CL_SUCCESS) return;
  workspace->failure = code;
  workspace->what = what;
}

static size_t offset_of(const msk_workspace *workspace, const float *at, size_t bytes) {
  const char *place = (const char *)at;
  assert(place >= workspace->base && (size_t)(place - workspace->base) + bytes <= workspace->bytes);
  return (size_t)(place - workspace->base);
}

void msk_gpu_write(msk_workspace *workspace, const void *from, size_t bytes, const float *to) {
  if (workspace->failure != MSK_CL_SUCCESS) return;
  note_failure(workspace, "bringing numbers there",
               workspace->gpu->cl.EnqueueWriteBuffer(workspace->queue, workspace->buffer,
                                                     MSK_CL_TRUE, offset_of(workspace, to, bytes),
                                                     bytes, from, 0, NULL, NULL));
}

void msk_gpu_bring(msk_workspace *workspace, const float *from, size_t bytes, void *to) {
  if (workspace->failure != MSK_CL_SUCCESS) return;
  note_failure(workspace, "computing",
               workspace->gpu->cl.EnqueueReadBuffer(workspace->queue, workspace->buffer,
                                                    MSK_CL_TRUE, offset_of(workspace, from, bytes),
                                                    bytes, to, 0, NULL, NULL));
}

msk_status msk_gpu_read(const msk_stream *stream, const float *from, size_t count, float *to,
                        msk_error *error) {
  msk_workspace *workspace = stream->workspace;
  /* to read nothing is an error to the driver */
  if (count == 0 && workspace->failure == MSK_CL_SUCCESS)
    note_failure(workspace, "computing", workspace->gpu->cl.Finish(workspace->queue));
  if (count > 0) msk_gpu_bring(workspace, from, count * sizeof(float), to);
  return workspace->failure == MSK_CL_SUCCESS
             ? MSK_OK
             : msk_gpu_fail(workspace->gpu, workspace->what, workspace->failure, error);
}

void msk_gpu_finish(const msk_stream *stream) {
  msk_workspace *workspace = stream->workspace;
  if (msk_meter_listens(stream) && workspace->failure == MSK_CL_SUCCESS)
    note_failure(workspace, "computing", workspace->gpu->cl.Finish(workspace->queue));
}

void msk_gpu_note(const msk_stream *stream, const char *name, double flop) {
  msk_gpu_finish(stream);
  msk_meter_note(stream, name, flop);
}

/* ---- starting kernels ---- */

msk_launch msk_launch_begin(msk_workspace *workspace, msk_gpu_kernel kernel) {
  return (msk_launch){.workspace = workspace, .kernel = kernel};
}

static void put(msk_launch *launch, const void *value, size_t bytes) {
  msk_workspace *workspace = launch->workspace;
  if (workspace->failure != MSK_CL_SUCCESS) return;
  note_failure(workspace, kernel_names[launch->kernel],
               workspace->gpu->cl.SetKernelArg(workspace->kernels[launch->kernel], launch->next++,
                                               bytes, value));
}

void msk_launch_buffer(msk_launch *launch, msk_cl_memory buffer) {
  put(launch, &buffer, sizeof buffer);
}

void msk_launch_ulong(msk_launch *launch, size_t value) {
  const uint64_t number = value;
  put(launch, &number, sizeof number);
}

void msk_launch_uint(msk_launch *launch, size_t value) {
  const uint32_t number = (uint32_t)value;
  assert(number == value);
  put(launch, &number, sizeof number);
}

void msk_launch_int(msk_launch *launch, int value) {
  const int32_t number = value;
  put(launch, &number, sizeof number);
}

void msk_launch_float(msk_launch *launch, float value) { put(launch, &value, sizeof value); }

void msk_launch_at(msk_launch *launch, const float *at) {
  const msk_workspace *workspace = launch->workspace;
  const msk_gpu *gpu = workspace->gpu;
  const char *place = at == NULL ? workspace->base : (const char *)at, *base = workspace->base;
  msk_cl_memory buffer = workspace->buffer;
  for (size_t i = 0; i < gpu->placed_count; i++) {
    const msk_placed *placed = &gpu->placed[i];
    if (place < placed->base || place >= placed->base + placed->bytes) continue;
    buffer = placed->buffer;
    base = placed->base;
  }
  assert(buffer != workspace->buffer ||
         (place >= base && (size_t)(place - base) < workspace->bytes));
  msk_launch_buffer(launch, buffer);
  msk_launch_ulong(launch, (size_t)(place - base) / sizeof(float));
}

void msk_launch_run(msk_launch *launch, const size_t global[3], const size_t local[3]) {
  msk_workspace *workspace = launch->workspace;
  if (workspace->failure != MSK_CL_SUCCESS || global[0] * global[1] * global[2] == 0) return;
  note_failure(
      workspace, kernel_names[launch->kernel],
      workspace->gpu->cl.EnqueueNDRangeKernel(workspace->queue, workspace->kernels[launch->kernel],
                                              3, NULL, global, local, 0, NULL, NULL));
}
