/* SPDX-License-Identifier: Apache-2.0
 *
 * distances.c - how far apart two sets of pictures are, from their features: the Frechet
 * distance of two normal distributions (Heusel et al. 2017, arXiv 1706.08500) and the kernel
 * distance (Binkowski et al. 2018, arXiv 1801.01401). All sums in float64, in a fixed order. */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "masksketch_tools.h"
#include "metrics/eigen.h"

enum { MAX_DIMENSIONS = 2048, MAX_FEATURES = 1000000, MAX_KERNEL_PART = 5000 };

static msk_status check(const msk_features *a, const msk_features *b, const double *distance,
                        msk_error *error) {
  if (a == NULL || b == NULL || distance == NULL || a->values == NULL || b->values == NULL) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "no features, or no place for their distance was given");
  }
  if (a->dimensions != b->dimensions || a->dimensions < 1 || a->dimensions > MAX_DIMENSIONS) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "features of %d and of %d numbers, expected the same in both sets, 1 to %d",
                    a->dimensions, b->dimensions, MAX_DIMENSIONS);
  }
  const msk_features *sets[] = {a, b};
  for (int k = 0; k < 2; k++) {
    if (sets[k]->count < 2 || sets[k]->count > MAX_FEATURES) {
      return msk_fail(error, MSK_ERROR_ARGUMENT,
                      "a set of %d pictures, expected 2 to %d: a distance needs their spread",
                      sets[k]->count, MAX_FEATURES);
    }
    size_t values = (size_t)sets[k]->count * (size_t)sets[k]->dimensions;
    for (size_t i = 0; i < values; i++) {
      if (!isfinite(sets[k]->values[i])) {
        return msk_fail(error, MSK_ERROR_ARGUMENT,
                        "the features of picture %zu are not finite: is it damaged?",
                        i / (size_t)sets[k]->dimensions);
      }
    }
  }
  return MSK_OK;
}

/* ---- Frechet ---- */

static void find_mean(double *mean, const msk_features *set) {
  size_t d = (size_t)set->dimensions;
  memset(mean, 0, d * sizeof *mean);
  for (int k = 0; k < set->count; k++) {
    for (size_t i = 0; i < d; i++) mean[i] += (double)set->values[(size_t)k * d + i];
  }
  for (size_t i = 0; i < d; i++) mean[i] /= set->count;
}

/* d x d, with the unbiased divisor count - 1, as numpy.cov has it. `row`: d numbers of scratch.
 * Returns the trace. */
static double find_covariance(double *covariance, const double *mean, double *row,
                              const msk_features *set) {
  size_t d = (size_t)set->dimensions;
  double trace = 0;
  memset(covariance, 0, d * d * sizeof *covariance);
  for (int k = 0; k < set->count; k++) {
    for (size_t i = 0; i < d; i++) row[i] = (double)set->values[(size_t)k * d + i] - mean[i];
    for (size_t i = 0; i < d; i++) {
      for (size_t j = 0; j <= i; j++) covariance[i * d + j] += row[i] * row[j];
    }
  }
  for (size_t i = 0; i < d; i++) {
    for (size_t j = 0; j <= i; j++) covariance[j * d + i] = covariance[i * d + j] /= set->count - 1;
    trace += covariance[i * d + i];
  }
  return trace;
}

/* Trace of the root of A B. With A = L L', A B has the eigenvalues of L' B L, which is
 * symmetric: L's columns are A's eigenvectors times the roots of their eigenvalues. `a` is
 * spoilt; `work`: d x d + 2 d. */
static bool root_trace(double *trace, double *a, const double *b, size_t d, double *work) {
  double *matrix = work, *values = work + d * d, *row = values + d;
  if (!msk_eigen(a, d, values)) return false;
  size_t rank = 0;
  for (size_t i = 0; i < d; i++) {
    if (values[i] <= 0) continue;
    for (size_t k = 0; k < d; k++) a[rank * d + k] = a[i * d + k] / sqrt(values[i]);
    rank++;
  }
  for (size_t i = 0; i < rank; i++) {
    for (size_t k = 0; k < d; k++) row[k] = msk_dot(a + i * d, b + k * d, d);
    for (size_t j = 0; j < rank; j++) matrix[i * rank + j] = msk_dot(row, a + j * d, d);
  }
  for (size_t i = 0; i < rank; i++) { /* symmetric but for rounding */
    for (size_t j = 0; j < i; j++)
      matrix[i * rank + j] = matrix[j * rank + i] =
          (matrix[i * rank + j] + matrix[j * rank + i]) / 2;
  }
  if (!msk_eigen(matrix, rank, values)) return false;
  *trace = 0;
  for (size_t i = 0; i < rank; i++) *trace += sqrt(values[i]);
  return true;
}

msk_status msk_features_frechet(const msk_features *a, const msk_features *b, double *distance,
                                const msk_allocator *allocator, msk_error *error) {
  msk_status status = check(a, b, distance, error);
  if (status != MSK_OK) return status;
  size_t d = (size_t)a->dimensions;
  double *memory = msk_allocate(allocator, 3 * d * d + 5 * d, sizeof *memory);
  if (memory == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "not enough memory for covariances of %zu x %zu", d,
                    d);
  double *a_covariance = memory, *b_covariance = memory + d * d, *work = memory + 2 * d * d;
  double *a_mean = work + d * d + 2 * d, *b_mean = a_mean + d, *row = b_mean + d;
  /* the smaller set has the lower rank */
  const msk_features *small = a->count <= b->count ? a : b, *large = small == a ? b : a;
  find_mean(a_mean, small);
  find_mean(b_mean, large);
  double traces = find_covariance(a_covariance, a_mean, row, small), root = 0, apart = 0;
  traces += find_covariance(b_covariance, b_mean, row, large);
  for (size_t i = 0; i < d; i++) apart += (a_mean[i] - b_mean[i]) * (a_mean[i] - b_mean[i]);
  bool converged = root_trace(&root, a_covariance, b_covariance, d, work);
  msk_free(allocator, memory);
  if (!converged)
    return msk_fail(
        error, MSK_ERROR_ARGUMENT,
        "the features' covariance has no eigenvalues that can be found: are they huge?");
  *distance = fmax(0, apart + traces - 2 * root);
  return MSK_OK;
}

/* ---- Kernel ---- */

static double dot_floats(const float *a, const float *b, size_t count) {
  double sums[8] = {0}, sum = 0;
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (size_t k = 0; k < 8; k++) sums[k] += (double)a[i + k] * (double)b[i + k];
  }
  for (; i < count; i++) sum += (double)a[i] * (double)b[i];
  for (size_t k = 0; k < 8; k++) sum += sums[k];
  return sum;
}

/* Mean of the kernel (x.y / d + 1)^3 over all pairs of the two sets; of one set with itself,
 * over pairs of two different pictures. */
static double mean_kernel(const msk_features *a, const msk_features *b) {
  size_t d = (size_t)a->dimensions;
  double sum = 0;
  for (int i = 0; i < a->count; i++) {
    double row = 0;
    /* within a set each pair once, for the kernel is symmetric */
    for (int j = a == b ? i + 1 : 0; j < b->count; j++) {
      double base =
          dot_floats(a->values + (size_t)i * d, b->values + (size_t)j * d, d) / (double)d + 1;
      row += base * base * base;
    }
    sum += row;
  }
  double pairs = a == b ? 0.5 * a->count * (a->count - 1.0) : (double)a->count * b->count;
  return sum / pairs;
}

/* All pairs of large sets would take hours. So each is cut into equal parts, and parts are held
 * against parts: within a set each against itself, between two sets in turn. The mean stays
 * unbiased, and time grows with the count. */
static int part_count(const msk_features *set) {
  return (set->count + MAX_KERNEL_PART - 1) / MAX_KERNEL_PART;
}

static msk_features part_of(const msk_features *set, int index) {
  const size_t parts = (size_t)part_count(set), count = (size_t)set->count,
               part = (size_t)index % parts;
  const size_t from = count * part / parts, to = count * (part + 1) / parts;
  return (msk_features){set->values + from * (size_t)set->dimensions, (int)(to - from),
                        set->dimensions};
}

static double mean_of_parts(const msk_features *a, const msk_features *b) {
  const int parts = part_count(a) > part_count(b) ? part_count(a) : part_count(b);
  double sum = 0;
  for (int i = 0; i < parts; i++) {
    const msk_features of_a = part_of(a, i), of_b = part_of(b, i);
    sum += mean_kernel(&of_a, a == b ? &of_a : &of_b);
  }
  return sum / parts;
}

msk_status msk_features_kernel(const msk_features *a, const msk_features *b, double *distance,
                               msk_error *error) {
  msk_status status = check(a, b, distance, error);
  if (status != MSK_OK) return status;
  const msk_features other = *b; /* one set held against itself is still two sets */
  *distance = mean_of_parts(a, a) + mean_of_parts(&other, &other) - 2 * mean_of_parts(a, &other);
  return MSK_OK;
}
