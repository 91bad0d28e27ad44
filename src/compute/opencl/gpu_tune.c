/* SPDX-License-Identifier: Apache-2.0
 *
 * gpu_tune.c - the fastest shape of products (gpu_shapes.c): timed once on a device that has a
 * folder for its kernels, and kept there. */
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "compute/opencl/gpu.h"
#include "compute/stream.h"

/* Seconds that each is tried for, after a round that is not timed; times that it is at most. */
static const double trial_seconds = 0.1;
enum { MOST_ROUNDS = 20 };
/* What is multiplied: of a size at which the cut matters little. */
enum { ROWS = 252, SIDE = 512 };
/* Another than the first has to be so much faster: what a machine does beside it is no reason. */
static const double worth = 0.97;

struct trial {
  msk_stream stream;
  msk_linear *linear;
};

/* x and y; zeros, which no processor takes longer for than for others. */
static void multiply(struct trial *trial) {
  float *x = (float *)(void *)msk_workspace_base(trial->stream.workspace);
  msk_op_linear(&trial->stream, "trial", trial->linear, msk_rows_at(x, ROWS, SIDE), MSK_ACT_NONE,
                MSK_NO_ROWS, msk_rows_at(x + ROWS * SIDE, ROWS, SIDE));
}

/* *seconds: of the fastest round. */
static msk_status time_rounds(struct trial *trial, double *seconds, msk_error *error) {
  double begun = msk_clock(), ended = begun;
  msk_status status = MSK_OK;
  for (int round = 0; status == MSK_OK && round <= MOST_ROUNDS; round++) {
    double started = msk_clock();
    multiply(trial);
    status = msk_stream_read(&trial->stream, NULL, 0, NULL, error);
    ended = msk_clock();
    if (round == 0) begun = ended; /* a driver may have compiled it just now */
    if (round == 1 || (round > 1 && ended - started < *seconds)) *seconds = ended - started;
    if (round > 0 && ended - begun > trial_seconds) break;
  }
  return status;
}

static msk_status time_shape(struct trial *trial, const float *zeros, double *seconds,
                             msk_error *error) {
  const msk_device *device = trial->stream.device;
  msk_status status = msk_workspace_create(&trial->stream.workspace, device,
                                           2 * ROWS * SIDE * sizeof *zeros, error);
  if (status != MSK_OK) return status;
  msk_gpu_write(trial->stream.workspace, zeros, ROWS * SIDE * sizeof *zeros,
                (const float *)(const void *)msk_workspace_base(trial->stream.workspace));
  status = time_rounds(trial, seconds, error);
  msk_workspace_destroy(trial->stream.workspace, device);
  return status;
}

/* The fastest of those that work: one that a driver refuses is none. */
static msk_status find_fastest(msk_gpu *gpu, struct trial *trial, const float *zeros,
                               const msk_gpu_shape **fastest, msk_error *error) {
  const msk_gpu_shape *usual = gpu->shape;
  double least = 0, seconds = 0;
  msk_status status = time_shape(trial, zeros, &least, error);
  *fastest = usual;
  least *= worth;
  const msk_gpu_shape *shape;
  for (size_t i = 0; status == MSK_OK && (shape = msk_gpu_shape_at(i)) != NULL; i++) {
    if (shape == usual || shape->tiled != usual->tiled || !msk_gpu_shape_fits(&gpu->facts, shape) ||
        msk_gpu_take_shape(gpu, shape, NULL, NULL) != MSK_OK ||
        time_shape(trial, zeros, &seconds, NULL) != MSK_OK || seconds >= least)
      continue;
    least = seconds;
    *fastest = shape;
  }
  return status;
}

msk_status msk_gpu_tune(const msk_device *device, const char *cache, msk_error *error) {
  msk_gpu *gpu = msk_gpu_of(device);
  struct trial trial = {.stream = {.device = device}};
  const msk_gpu_shape *fastest = NULL;
  if (cache == NULL || gpu->tuned) return MSK_OK;
  float *zeros = msk_allocate_zeroed(gpu->allocator, SIDE * SIDE, sizeof *zeros);
  if (zeros == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory to try a device");
  const msk_linear_part part = {.weight = zeros, .out = SIDE, .dtype = MSK_DTYPE_F32};
  msk_status status =
      msk_linear_create(&trial.linear, device, MSK_PRECISION_FP32, SIDE, &part, 1, NULL, error);
  if (status == MSK_OK) status = find_fastest(gpu, &trial, zeros, &fastest, error);
  if (status == MSK_OK) status = msk_gpu_take_shape(gpu, fastest, cache, error);
  if (status == MSK_OK) msk_gpu_keep_shape(gpu, cache);
  msk_linear_destroy(trial.linear);
  msk_free(gpu->allocator, zeros);
  return status;
}
