/* SPDX-License-Identifier: Apache-2.0
 * gpu_codes.c - the codebook on a device of OpenCL (kernels/codes.cl). */
#include <assert.h>
#include <float.h>
#include <math.h>

#include "base/error.h"
#include "compute/opencl/gpu.h"
#include "compute/stream.h"

enum { SEARCH_ROWS = 1024 }; /* whose likenesses are in memory at once */

struct gpu_codebook {
  const msk_device *device; /* first: backend.c looks for it */
  msk_gpu_matrix products;  /* x . c - |c|^2 / 2: largest where the distance is least */
  msk_cl_memory vectors;
  float largest; /* largest |c| */
};

/* ---- creation ---- */

/* norms: minus half of each vector's squared norm. */
static void find_norms(struct gpu_codebook *codebook, const float *vectors, size_t codes,
                       size_t dim, float *norms) {
  for (size_t i = 0; i < codes; i++) {
    double square = 0;
    for (size_t d = 0; d < dim; d++) square += (double)vectors[i * dim + d] * vectors[i * dim + d];
    norms[i] = (float)(-0.5 * square);
    codebook->largest = fmaxf(codebook->largest, (float)sqrt(square));
  }
}

static msk_status fill(struct gpu_codebook *codebook, const float *vectors, size_t codes,
                       size_t dim, float *norms, msk_error *error) {
  const msk_device *device = codebook->device;
  const msk_linear_part part = {.weight = vectors, .bias = norms, .out = codes, .transposed = true};
  bool measures = msk_device_measures(device);
  if (!measures) find_norms(codebook, vectors, codes, dim, norms);
  msk_status status = msk_gpu_matrix_create(&codebook->products, device, MSK_PRECISION_FP32, dim,
                                            &part, 1, 0, error);
  msk_device_hold_apart(device, codes * dim * sizeof *vectors);
  return status != MSK_OK || measures
             ? status
             : msk_gpu_upload(msk_gpu_of(device), vectors, codes * dim * sizeof *vectors,
                              &codebook->vectors, error);
}

msk_status msk_gpu_codebook_create(msk_codebook **codebook, const msk_device *device,
                                   const float *vectors, size_t codes, size_t dim,
                                   msk_error *error) {
  struct gpu_codebook *made = msk_device_make(device, 1, sizeof *made);
  float *norms = msk_device_take(device, codes, sizeof *norms);
  msk_status status = MSK_OK;
  if (made != NULL) made->device = device;
  if (made == NULL || norms == NULL) {
    status = msk_fail(error, MSK_ERROR_MEMORY, "no memory for a codebook of %zu x %zu", codes, dim);
  } else {
    status = fill(made, vectors, codes, dim, norms, error);
  }
  msk_device_give(device, norms, codes, sizeof *norms);
  if (status == MSK_OK) {
    *codebook = (msk_codebook *)(void *)made;
  } else if (made != NULL) {
    msk_gpu_codebook_destroy((msk_codebook *)(void *)made);
  }
  return status;
}

void msk_gpu_codebook_destroy(msk_codebook *codebook) {
  struct gpu_codebook *own = (struct gpu_codebook *)(void *)codebook;
  const msk_device *device = own->device;
  msk_gpu_matrix_destroy(&own->products, device);
  if (own->vectors != NULL) msk_gpu_of(device)->cl.ReleaseMemObject(own->vectors);
  msk_device_unmake(device, own, 1, sizeof *own);
}

/* ---- searching ---- */

static void find_likeness(msk_workspace *workspace, const msk_gpu_matrix *products, msk_rows x,
                          float *likeness) {
  msk_gpu_multiply(workspace, &(msk_gpu_product){.x = x.at,
                                                 .y = likeness,
                                                 .matrix = products,
                                                 .outer = 1,
                                                 .inner = 1,
                                                 .rows = x.rows,
                                                 .depth = products->depth,
                                                 .columns = products->columns,
                                                 .x_stride = x.stride,
                                                 .y_stride = products->columns});
}

static void search(msk_workspace *workspace, const struct gpu_codebook *codebook, msk_rows x,
                   const float *likeness, const float *codes) {
  size_t group = workspace->gpu->group, dim = codebook->products.depth;
  msk_launch launch = msk_launch_begin(workspace, MSK_NEAREST_CODE);
  msk_launch_at(&launch, x.at);
  msk_launch_at(&launch, likeness);
  msk_launch_buffer(&launch, codebook->vectors);
  msk_launch_uint(&launch, dim);
  msk_launch_uint(&launch, codebook->products.columns);
  msk_launch_float(&launch, codebook->largest);
  /* twice what two likenesses can be wrong by together */
  msk_launch_float(&launch, 2 * FLT_EPSILON * (float)(dim + 2));
  msk_launch_at(&launch, codes);
  msk_launch_run(&launch, (const size_t[]){group * x.rows, 1, 1}, (const size_t[]){group, 1, 1});
}

void msk_gpu_nearest_code(msk_stream *stream, const msk_codebook *codebook, msk_rows x,
                          int32_t *codes) {
  const struct gpu_codebook *own = (const struct gpu_codebook *)(const void *)codebook;
  const msk_gpu_matrix *products = &own->products;
  size_t chunk = msk_smaller(x.rows, SEARCH_ROWS),
         likeness_bytes = msk_scratch_floats(chunk * products->columns);
  assert(x.columns == products->depth && x.stride == x.columns);
  if (x.rows == 0 || msk_stream_measure(stream, likeness_bytes + msk_scratch_floats(x.rows)))
    return;
  msk_workspace *workspace = stream->workspace;
  float *likeness = stream->scratch, *found = likeness + likeness_bytes / sizeof(float);
  for (size_t first = 0; first < x.rows; first += chunk) {
    msk_rows part = msk_rows_part(x, first, msk_smaller(chunk, x.rows - first));
    find_likeness(workspace, products, part, likeness);
    search(workspace, own, part, likeness, found + first);
  }
  msk_gpu_bring(workspace, found, x.rows * sizeof *codes, codes);
  msk_gpu_note(stream, "nearest code",
               2.0 * (double)x.rows * (double)products->columns * (double)x.columns);
}

void msk_gpu_lookup_code(msk_stream *stream, const msk_codebook *codebook, const int32_t *codes,
                         msk_rows y) {
  const struct gpu_codebook *own = (const struct gpu_codebook *)(const void *)codebook;
  assert(y.columns == own->products.depth);
  if (y.rows == 0 || msk_stream_measure(stream, msk_scratch_floats(y.rows))) return;
  msk_gpu_write(stream->workspace, codes, y.rows * sizeof *codes, stream->scratch);
  msk_launch launch = msk_launch_begin(stream->workspace, MSK_LOOKUP_CODE);
  msk_launch_at(&launch, stream->scratch);
  msk_launch_buffer(&launch, own->vectors);
  msk_launch_at(&launch, y.at);
  msk_launch_uint(&launch, y.stride);
  msk_launch_run(&launch, (const size_t[]){y.columns, y.rows, 1}, NULL);
  msk_gpu_note(stream, "code look-up", 0);
}
