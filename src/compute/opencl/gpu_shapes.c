/* SPDX-License-Identifier: Apache-2.0
 *
 * gpu_shapes.c - the shapes in which a device may compute products and convolutions
 * (kernels/product.cl), and the fastest of them: timed once on a device that has a folder for its
 * kernels, and kept there beside them. Results do not depend on it: an element is one chain of
 * multiply-adds in every shape. */
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "compute/opencl/gpu.h"
#include "compute/stream.h"

/* Of each kind the one that is taken unmeasured comes first. */
static const msk_gpu_shape shapes[] = {
    {"wide 6", false, 6},   {"wide 4", false, 4},   {"wide 8", false, 8},    {"wide 12", false, 12},
    {"tiled 64", true, 64}, {"tiled 32", true, 32}, {"tiled 128", true, 128}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* Seconds that each is tried for, after a round that is not timed; times that it is at most. */
static const double trial_seconds = 0.1;
enum { MOST_ROUNDS = 20 };
/* What is multiplied: of a size at which the cut matters little. */
enum { ROWS = 252, SIDE = 512 };
/* Another than the first has to be so much faster: what a machine does beside it is no reason. */
static const double worth = 0.97;

const msk_gpu_shape *msk_gpu_shape_at(size_t index) {
  return index < SHAPES ? &shapes[index] : NULL;
}

bool msk_gpu_shape_fits(const msk_gpu_facts *facts, const msk_gpu_shape *shape) {
  size_t local = MSK_TILE_GROUP * (2 * shape->size + 1) * sizeof(float);
  return !shape->tiled ||
         (facts->largest_group >= MSK_TILE_GROUP * MSK_TILE_GROUP && facts->local_memory >= local);
}

/* Tiles are for GPUs: a processor's local memory is memory like any other. */
static bool is_candidate(const msk_gpu_facts *facts, const msk_gpu_shape *shape, bool tiled) {
  return shape->tiled == tiled && msk_gpu_shape_fits(facts, shape);
}

static const msk_gpu_shape *usual_shape(const msk_gpu_facts *facts) {
  for (size_t i = 0; i < SHAPES; i++) {
    if (is_candidate(facts, &shapes[i], facts->gpu)) return &shapes[i];
  }
  return &shapes[0];
}

/* ---- kept ---- */

#define KEPT "shape of products"

/* NULL: nothing is, or nothing that fits. */
static const msk_gpu_shape *kept_shape(const msk_gpu *gpu, const char *cache) {
  char name[16];
  if (cache == NULL || !msk_gpu_recall(gpu, msk_product_text, KEPT, cache, name, sizeof name))
    return NULL;
  for (size_t i = 0; i < SHAPES; i++) {
    if (strcmp(shapes[i].name, name) == 0 && msk_gpu_shape_fits(&gpu->facts, &shapes[i]))
      return &shapes[i];
  }
  return NULL;
}

msk_status msk_gpu_take_usual_shape(msk_gpu *gpu, const char *cache, msk_error *error) {
  const msk_gpu_shape *shape = kept_shape(gpu, cache);
  gpu->tuned = shape != NULL;
  return msk_gpu_take_shape(gpu, shape != NULL ? shape : usual_shape(&gpu->facts), cache, error);
}

/* ---- timed ---- */

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
  for (size_t i = 0; status == MSK_OK && i < SHAPES; i++) {
    if (&shapes[i] == usual || !is_candidate(&gpu->facts, &shapes[i], usual->tiled)) continue;
    if (msk_gpu_take_shape(gpu, &shapes[i], NULL, NULL) != MSK_OK ||
        time_shape(trial, zeros, &seconds, NULL) != MSK_OK || seconds >= least)
      continue;
    least = seconds;
    *fastest = &shapes[i];
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
  if (status == MSK_OK)
    msk_gpu_keep(gpu, msk_product_text, KEPT, cache, fastest->name, strlen(fastest->name) + 1);
  msk_linear_destroy(trial.linear);
  msk_free(gpu->allocator, zeros);
  return status;
}
