/* SPDX-License-Identifier: Apache-2.0
 *
 * gpu_shapes.c - the shapes in which a device may compute products and convolutions
 * (kernels/product.cl), and which of them it does: the one that was found to be the fastest
 * (gpu_tune.c) and is kept beside the kernels, or the usual one. Results do not depend on it: an
 * element is one chain of multiply-adds in every shape. */
#include <stdio.h>
#include <string.h>

#include "compute/opencl/gpu.h"

/* Of each kind the one that is taken unmeasured comes first. */
static const msk_gpu_shape shapes[] = {
    {"wide 6", false, 6},   {"wide 4", false, 4},   {"wide 8", false, 8},    {"wide 12", false, 12},
    {"tiled 64", true, 64}, {"tiled 32", true, 32}, {"tiled 128", true, 128}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

const msk_gpu_shape *msk_gpu_shape_at(size_t index) {
  return index < SHAPES ? &shapes[index] : NULL;
}

bool msk_gpu_shape_fits(const msk_gpu_facts *facts, const msk_gpu_shape *shape) {
  size_t local = MSK_TILE_GROUP * (2 * shape->size + 1) * sizeof(float);
  return !shape->tiled ||
         (facts->largest_group >= MSK_TILE_GROUP * MSK_TILE_GROUP && facts->local_memory >= local);
}

/* Tiles are for GPUs: a processor's local memory is memory like any other. */
static const msk_gpu_shape *usual_shape(const msk_gpu_facts *facts) {
  for (size_t i = 0; i < SHAPES; i++) {
    if (shapes[i].tiled == facts->gpu && msk_gpu_shape_fits(facts, &shapes[i])) return &shapes[i];
  }
  return &shapes[0];
}

/* ---- kept ---- */

static const char kept_name[] = "shape of products";

/* NULL: nothing is, or nothing that fits. */
static const msk_gpu_shape *kept_shape(const msk_gpu *gpu, const char *cache) {
  char name[16];
  if (cache == NULL || !msk_gpu_recall(gpu, msk_product_text, kept_name, cache, name, sizeof name))
    return NULL;
  for (size_t i = 0; i < SHAPES; i++) {
    if (strcmp(shapes[i].name, name) == 0 && msk_gpu_shape_fits(&gpu->facts, &shapes[i]))
      return &shapes[i];
  }
  return NULL;
}

void msk_gpu_keep_shape(const msk_gpu *gpu, const char *cache) {
  msk_gpu_keep(gpu, msk_product_text, kept_name, cache, gpu->shape->name,
               strlen(gpu->shape->name) + 1);
}

static msk_status build_products(const msk_gpu *gpu, msk_cl_program *program,
                                 const msk_gpu_shape *shape, const char *cache, bool *kept,
                                 msk_error *error) {
  char options[96];
  snprintf(options, sizeof options, "-cl-std=CL1.2 -DPANEL=%d -DTILE_GROUP=%d -D%s=%zu%s%s",
           MSK_PANEL, MSK_TILE_GROUP, shape->tiled ? "TILE" : "WIDE_ROWS", shape->size,
           gpu->facts.fused ? " -DFUSED" : "", gpu->facts.dot ? " -DDOT" : "");
  return msk_gpu_build(gpu, program, msk_product_text, options, cache, kept, error);
}

msk_status msk_gpu_take_shape(msk_gpu *gpu, const msk_gpu_shape *shape, const char *cache,
                              msk_error *error) {
  msk_cl_program made = NULL;
  bool kept = false;
  msk_status status = build_products(gpu, &made, shape, cache, &kept, error);
  if (status == MSK_ERROR_DEVICE && gpu->facts.dot) {
    /* a driver that lists the extension and compiles none of it: products are the same without */
    gpu->facts.dot = false;
    status = build_products(gpu, &made, shape, cache, &kept, error);
  }
  if (status != MSK_OK) return status;
  if (gpu->products != NULL) gpu->cl.ReleaseProgram(gpu->products);
  gpu->products = made;
  gpu->shape = shape;
  gpu->from_cache = gpu->from_cache && kept;
  return MSK_OK;
}

msk_status msk_gpu_take_usual_shape(msk_gpu *gpu, const char *cache, msk_error *error) {
  const msk_gpu_shape *shape = kept_shape(gpu, cache);
  gpu->tuned = shape != NULL;
  return msk_gpu_take_shape(gpu, shape != NULL ? shape : usual_shape(&gpu->facts), cache, error);
}
