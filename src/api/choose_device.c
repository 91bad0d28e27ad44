/* SPDX-License-Identifier: Apache-2.0
 * choose_device.c - see choose_device.h. */
#include "api/choose_device.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"

enum { ROUNDS = 3 }; /* timed, after one that is not: the first pays for what is new */

bool msk_device_is_asked_for(const char *device) {
  return device != NULL && strcmp(device, "cpu") != 0;
}

bool msk_device_is_auto(const char *device) {
  return device != NULL && strcmp(device, "auto") == 0;
}

/* ---- which is faster ---- */

/* A product of zeros. */
struct trial {
  msk_stream stream;
  msk_linear *linear;
  msk_rows x, y;
  char *memory; /* the host's, or NULL */
  size_t bytes;
};

static void lay_out(struct trial *trial, const msk_product_size *size, char *base) {
  float *x = (float *)(void *)base, *y = x + size->rows * size->in;
  trial->x = msk_rows_at(x, size->rows, size->in);
  trial->y = msk_rows_at(y, size->rows, size->out);
}

static msk_status take_memory(struct trial *trial, const msk_allocator *allocator,
                              msk_error *error) {
  const msk_device *device = trial->stream.device;
  if (msk_device_is_apart(device))
    return msk_workspace_create(&trial->stream.workspace, device, trial->bytes, error);
  trial->memory = msk_allocate_zeroed(allocator, trial->bytes, 1);
  return trial->memory != NULL ? MSK_OK
                               : msk_fail(error, MSK_ERROR_MEMORY, "no memory to try a device");
}

static void multiply(struct trial *trial) {
  msk_op_linear(&trial->stream, "trial", trial->linear, trial->x, MSK_ACT_NONE, (msk_rows){0},
                trial->y);
}

/* *seconds: the shortest of the rounds. */
static msk_status time_rounds(struct trial *trial, double *seconds, msk_error *error) {
  msk_status status = MSK_OK;
  for (int round = 0; round <= ROUNDS && status == MSK_OK; round++) {
    double started = msk_clock();
    multiply(trial);
    status = msk_stream_read(&trial->stream, NULL, 0, NULL, error);
    double took = msk_clock() - started;
    if (round == 1 || (round > 1 && took < *seconds)) *seconds = took;
  }
  return status;
}

static msk_status time_device(double *seconds, const msk_device *device, msk_pool *pool,
                              const msk_product_size *size, const float *weights,
                              const msk_allocator *allocator, msk_error *error) {
  struct trial trial = {.stream = {.device = device, .pool = pool, .measuring = true}};
  const msk_linear_part part = {.weight = weights, .out = size->out, .dtype = MSK_DTYPE_F32};
  msk_status status =
      msk_linear_create(&trial.linear, device, MSK_PRECISION_FP32, size->in, &part, 1, pool, error);
  if (status != MSK_OK) return status;
  lay_out(&trial, size, MSK_NOWHERE);
  multiply(&trial);
  size_t arrays = size->rows * (size->in + size->out) * sizeof(float);
  arrays = (arrays + MSK_ALIGNMENT - 1) & ~((size_t)MSK_ALIGNMENT - 1);
  trial.bytes = arrays + trial.stream.scratch_bytes;
  status = take_memory(&trial, allocator, error);
  if (status == MSK_OK) {
    char *base = trial.memory != NULL ? trial.memory : msk_workspace_base(trial.stream.workspace);
    lay_out(&trial, size, base);
    trial.stream.measuring = false;
    trial.stream.scratch = base + arrays;
    status = time_rounds(&trial, seconds, error);
  }
  msk_workspace_destroy(trial.stream.workspace, device);
  msk_free(allocator, trial.memory);
  msk_linear_destroy(trial.linear);
  return status;
}

/* *faster: whether the GPU is, beside a CPU of the wish's kernels and threads. */
static msk_status compare(bool *faster, const msk_device *gpu, const msk_device_wish *wish,
                          const msk_product_size *size, msk_error *error) {
  int threads = wish->threads > 0 ? wish->threads : msk_default_threads();
  double there = 0, here = 0;
  msk_device *cpu = NULL;
  msk_pool *pool = NULL;
  float *weights = msk_allocate_zeroed(wish->allocator, size->in * size->out, sizeof *weights);
  msk_status status =
      weights != NULL ? MSK_OK : msk_fail(error, MSK_ERROR_MEMORY, "no memory to try a device");
  if (status == MSK_OK)
    status = msk_device_create(&cpu, wish->isa, MSK_PRECISION_FP32, wish->allocator, error);
  if (status == MSK_OK && threads > 1)
    status = msk_pool_create(&pool, threads, wish->allocator, error);
  if (status == MSK_OK)
    status = time_device(&here, cpu, pool, size, weights, wish->allocator, error);
  if (status == MSK_OK)
    status = time_device(&there, gpu, NULL, size, weights, wish->allocator, error);
  *faster = there < here;
  msk_pool_destroy(pool);
  msk_device_destroy(cpu);
  msk_free(wish->allocator, weights);
  return status;
}

/* ---- the choice ---- */

static msk_status open_gpu(msk_device **gpu, const msk_device_wish *wish, msk_precision precision,
                           msk_error *error) {
  return msk_device_create_gpu(gpu, wish->device, wish->device_cache, precision, wish->allocator,
                               error);
}

/* The GPU, if it is faster; NULL, with a line, where there is none or it is not. */
static msk_status try_gpu(msk_device **gpu, const msk_device_wish *wish,
                          const msk_product_size *size, char line[600], msk_error *error) {
  msk_device *found = NULL;
  bool faster = false;
  msk_status status = open_gpu(&found, wish, MSK_PRECISION_FP32, error);
  if (status == MSK_OK) status = compare(&faster, found, wish, size, error);
  if (status == MSK_OK && faster) {
    *gpu = found;
    return MSK_OK;
  }
  if (status == MSK_ERROR_DEVICE)
    snprintf(line, 600, "%s; the CPU goes on", error->message);
  else if (status == MSK_OK)
    snprintf(line, 600, "the device %s would not be faster than the CPU, which goes on",
             msk_device_name(found));
  msk_device_destroy(found);
  return status == MSK_ERROR_DEVICE ? MSK_OK : status;
}

msk_status msk_choose_device(msk_device **gpu, const msk_device_wish *wish, msk_precision precision,
                             const msk_product_size *size, char line[600], msk_error *error) {
  msk_error ignored;
  if (!msk_device_is_asked_for(wish->device)) return MSK_OK;
  if (!msk_device_is_auto(wish->device)) return open_gpu(gpu, wish, precision, error);
  return try_gpu(gpu, wish, size, line, error == NULL ? &ignored : error);
}
