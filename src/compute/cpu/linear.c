/* SPDX-License-Identifier: Apache-2.0
 *
 * linear.c - linear layers and the codebook: packing of weights into panels, and the operations
 * on them. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "compute/cpu/cpu.h"

/* ---- creation ---- */

static void copy_bias(float *bias, const msk_linear_part *parts, size_t part_count) {
  for (size_t i = 0; i < part_count; i++) {
    if (parts[i].bias != NULL) {
      memcpy(bias, parts[i].bias, parts[i].out * sizeof(float));
    } else {
      memset(bias, 0, parts[i].out * sizeof(float));
    }
    bias += parts[i].out;
  }
}

static msk_status fill(msk_linear *linear, msk_precision precision, const msk_linear_part *parts,
                       size_t part_count, msk_pool *pool, msk_error *error) {
  const msk_device *device = linear->device;
  size_t in = linear->in, out = linear->out;
  linear->bias = msk_device_take(device, out, sizeof(float));
  if (linear->bias == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory for the bias of a linear layer");
  if (!msk_device_measures(device)) copy_bias(linear->bias, parts, part_count);
  return precision == MSK_PRECISION_INT8
             ? msk_quantised_create(&linear->quantised, device, in, parts, part_count, out, pool,
                                    error)
             : msk_matrix_pack(&linear->matrix, device, in, parts, part_count, out, pool, error);
}

msk_status msk_cpu_linear_create(msk_linear **linear, const msk_device *device,
                                 msk_precision precision, size_t in, const msk_linear_part *parts,
                                 size_t part_count, msk_pool *pool, msk_error *error) {
  size_t out = 0;
  for (size_t i = 0; i < part_count; i++) {
    if (!msk_add(out, parts[i].out, &out))
      return msk_fail(error, MSK_ERROR_MEMORY, "a linear layer is too wide");
  }
  assert(in > 0 && out > 0);
  msk_linear *created = msk_device_make(device, 1, sizeof *created);
  if (created == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory for a linear layer");
  *created = (msk_linear){.device = device, .in = in, .out = out};
  msk_status status = fill(created, precision, parts, part_count, pool, error);
  if (status == MSK_OK) {
    *linear = created;
  } else {
    msk_cpu_linear_destroy(created);
  }
  return status;
}

void msk_cpu_linear_destroy(msk_linear *linear) {
  if (linear == NULL) return;
  const msk_device *device = linear->device;
  msk_matrix_destroy(&linear->matrix, device);
  msk_quantised_destroy(&linear->quantised, device);
  msk_device_give(device, linear->bias, linear->out, sizeof *linear->bias);
  msk_device_unmake(device, linear, 1, sizeof *linear);
}

/* ---- the layer ---- */

void msk_cpu_linear(msk_stream *stream, const char *name, const msk_linear *linear, msk_rows x,
                    msk_activation activation, msk_rows residual, msk_rows y) {
  assert(x.columns == linear->in && y.columns <= linear->out && y.rows == x.rows);
  assert(residual.at == NULL || (residual.rows == y.rows && residual.columns == y.columns));
  assert(x.at != y.at || x.rows == 0 || stream->measuring);
  if (linear->quantised.panels != NULL) {
    msk_quantised_run(stream, &linear->quantised, linear->bias, x, activation, residual, y);
  } else {
    msk_multiply_rows(stream, &linear->matrix, linear->bias, x, activation, residual, y);
  }
  msk_meter_note(stream, name, 2.0 * (double)x.rows * (double)linear->in * (double)y.columns);
}

/* ---- the codebook ---- */

struct msk_codebook {
  const msk_device *device;
  size_t codes, dim;
  float *vectors;
  msk_linear *products; /* x . c - |c|^2 / 2: largest where the distance is least */
  float largest;        /* largest |c| */
};

static double squared_norm(const float *x, size_t dim) {
  double sum = 0;
  for (size_t i = 0; i < dim; i++) sum += (double)x[i] * x[i];
  return sum;
}

/* Copies the vectors; norms: minus half of each one's squared norm. */
static void copy_vectors(msk_codebook *codebook, const float *vectors, float *norms) {
  size_t dim = codebook->dim;
  memcpy(codebook->vectors, vectors, codebook->codes * dim * sizeof(float));
  for (size_t i = 0; i < codebook->codes; i++) {
    double square = squared_norm(vectors + i * dim, dim);
    norms[i] = (float)(-0.5 * square);
    codebook->largest = fmaxf(codebook->largest, (float)sqrt(square));
  }
}

msk_status msk_cpu_codebook_create(msk_codebook **codebook, const msk_device *device,
                                   const float *vectors, size_t codes, size_t dim,
                                   msk_error *error) {
  msk_codebook *created = msk_device_make(device, 1, sizeof *created);
  if (created == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory for the codebook");
  *created = (msk_codebook){.device = device, .codes = codes, .dim = dim};
  float *norms = msk_device_take(device, codes, sizeof *norms);
  created->vectors = msk_device_take(device, codes, dim * sizeof(float));
  msk_status status = MSK_OK;
  if (created->vectors == NULL || norms == NULL) {
    status = msk_fail(error, MSK_ERROR_MEMORY, "no memory for a codebook of %zu x %zu", codes, dim);
  } else {
    if (!msk_device_measures(device)) copy_vectors(created, vectors, norms);
    msk_linear_part part = {.weight = vectors, .bias = norms, .out = codes, .transposed = true};
    status = msk_cpu_linear_create(&created->products, device, MSK_PRECISION_FP32, dim, &part, 1,
                                   NULL, error);
  }
  msk_device_give(device, norms, codes, sizeof *norms);
  if (status == MSK_OK) {
    *codebook = created;
  } else {
    msk_cpu_codebook_destroy(created);
  }
  return status;
}

void msk_cpu_codebook_destroy(msk_codebook *codebook) {
  const msk_device *device = codebook->device;
  msk_cpu_linear_destroy(codebook->products);
  msk_device_give(device, codebook->vectors, codebook->codes, codebook->dim * sizeof(float));
  msk_device_unmake(device, codebook, 1, sizeof *codebook);
}

/* The squared distance in float64, which decides among codes that float32 cannot tell apart. */
static double squared_distance(const float *x, const float *c, size_t dim) {
  double sum = 0;
  for (size_t i = 0; i < dim; i++) sum += ((double)x[i] - c[i]) * ((double)x[i] - c[i]);
  return sum;
}

struct search {
  const msk_codebook *codebook;
  const float *x, *likeness; /* likeness[r, c] = x[r] . c - |c|^2 / 2 */
  int32_t *codes;
};

/* Float32 finds the candidates: all codes within its rounding error of the best; float64
 * decides, first on a tie. So the code does not depend on the instruction set. A row with NaN in
 * it gets the first code. */
static void search_row(void *user, size_t index, int worker) {
  const struct search *search = user;
  const msk_codebook *codebook = search->codebook;
  (void)worker;
  const float *x = search->x + index * codebook->dim,
              *likeness = search->likeness + index * codebook->codes;
  float best = -INFINITY;
  for (size_t c = 0; c < codebook->codes; c++) best = likeness[c] > best ? likeness[c] : best;
  float size = (float)sqrt(squared_norm(x, codebook->dim)) + codebook->largest;
  float margin = 2 * FLT_EPSILON * (float)(codebook->dim + 2) * codebook->largest * size;
  double nearest = INFINITY;
  int32_t code = 0;
  for (size_t c = 0; c < codebook->codes; c++) {
    /* written so that NaN, which compares with nothing, finds no candidate */
    if (!(likeness[c] >= best - margin)) continue;
    double distance = squared_distance(x, codebook->vectors + c * codebook->dim, codebook->dim);
    if (distance < nearest) {
      nearest = distance;
      code = (int32_t)c;
    }
  }
  search->codes[index] = code;
}

static void find_likeness(msk_stream *stream, const msk_codebook *codebook, msk_rows x,
                          msk_rows likeness) {
  const msk_linear *products = codebook->products;
  msk_multiply_rows(stream, &products->matrix, products->bias, x, MSK_ACT_NONE, MSK_NO_ROWS,
                    likeness);
}

enum { SEARCH_ROWS = 256 }; /* rows whose likeness is in memory at once */

void msk_cpu_nearest_code(msk_stream *stream, const msk_codebook *codebook, msk_rows x,
                          int32_t *codes) {
  size_t chunk = msk_smaller(x.rows, SEARCH_ROWS), columns = codebook->codes,
         own = msk_scratch_floats(chunk * columns);
  assert(x.columns == codebook->dim && x.stride == x.columns);
  if (x.rows == 0) return;
  msk_stream inner = {.device = stream->device, .pool = stream->pool, .threads = stream->threads};
  /* the product works in the scratch behind the likenesses; both needs are one */
  if (stream->measuring) {
    inner.measuring = true;
    find_likeness(&inner, codebook, msk_rows_part(x, 0, chunk),
                  (msk_rows){.rows = chunk, .columns = columns, .stride = columns});
    msk_stream_measure(stream, own + inner.scratch_bytes);
    return;
  }
  assert(own <= stream->scratch_bytes);
  inner.scratch = (char *)stream->scratch + own;
  inner.scratch_bytes = stream->scratch_bytes - own;
  for (size_t first = 0; first < x.rows; first += chunk) {
    msk_rows part = msk_rows_part(x, first, msk_smaller(chunk, x.rows - first)),
             likeness = msk_rows_at(stream->scratch, part.rows, columns);
    find_likeness(&inner, codebook, part, likeness);
    struct search search = {
        .codebook = codebook, .x = part.at, .likeness = likeness.at, .codes = codes + first};
    msk_pool_run(stream->pool, part.rows, search_row, &search);
  }
  msk_meter_note(stream, "nearest code",
                 2.0 * (double)x.rows * (double)columns * (double)x.columns);
}

void msk_cpu_lookup_code(msk_stream *stream, const msk_codebook *codebook, const int32_t *codes,
                         msk_rows y) {
  assert(y.columns == codebook->dim);
  if (stream->measuring) return;
  for (size_t i = 0; i < y.rows; i++) {
    assert(codes[i] >= 0 && (size_t)codes[i] < codebook->codes);
    memcpy(y.at + i * y.stride, codebook->vectors + (size_t)codes[i] * codebook->dim,
           codebook->dim * sizeof(float));
  }
  msk_meter_note(stream, "code look-up", 0);
}
