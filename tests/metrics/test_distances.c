/* SPDX-License-Identifier: Apache-2.0
 *
 * test_distances.c - eigenvalues, Frechet and kernel distance. Truth: closed forms (diagonal and
 * turned normal distributions, two dimensions, sums by hand), an independent way to the same
 * number (the root of a product by Denman and Beavers' iteration, no eigenvalues in it), and
 * what defines an unbiased estimate. */
#include <math.h>

#include "masksketch_tools.h"
#include "metrics/eigen.h"
#include "support.h"

enum { MOST = 24 };

static double random_normal(uint64_t *state) {
  double sum = -6;
  for (int i = 0; i < 12; i++) sum += (double)test_uniform(state, 0, 1);
  return sum;
}

/* Rows of an orthogonal matrix: a product of reflections. */
static void random_turn(double *turn, size_t n, uint64_t *state) {
  for (size_t i = 0; i < n * n; i++) turn[i] = i % (n + 1) == 0;
  for (int k = 0; k < 3; k++) {
    double mirror[MOST], square = 0;
    for (size_t i = 0; i < n; i++) {
      mirror[i] = random_normal(state);
      square += mirror[i] * mirror[i];
    }
    for (size_t row = 0; row < n; row++) {
      double along = 0;
      for (size_t i = 0; i < n; i++) along += turn[row * n + i] * mirror[i];
      for (size_t i = 0; i < n; i++) turn[row * n + i] -= 2 * along / square * mirror[i];
    }
  }
}

static int descending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? 1 : x > y ? -1 : 0;
}

/* ---- eigenvalues ---- */

static void decompose_known(const double *wanted, size_t n, double tolerance, uint64_t *state) {
  double turn[MOST * MOST], matrix[MOST * MOST] = {0}, copy[MOST * MOST], values[MOST],
                                          sorted[MOST];
  random_turn(turn, n, state);
  for (size_t k = 0; k < n; k++) {
    for (size_t i = 0; i < n; i++) {
      for (size_t j = 0; j < n; j++)
        matrix[i * n + j] += wanted[k] * (turn[k * n + i] * turn[k * n + j]);
    }
  }
  memcpy(copy, matrix, sizeof copy);
  assert_true(msk_eigen(matrix, n, values));
  /* the matrix times a row is its eigenvalue times the row, and rows are at right angles */
  for (size_t k = 0; k < n; k++) {
    for (size_t i = 0; i < n; i++) {
      double image = 0;
      for (size_t j = 0; j < n; j++) image += copy[i * n + j] * matrix[k * n + j];
      assert_true(fabs(image - values[k] * matrix[k * n + i]) <= tolerance * wanted[0] * wanted[0]);
    }
    for (size_t l = 0; l <= k; l++) {
      double product = 0;
      for (size_t i = 0; i < n; i++) product += matrix[k * n + i] * matrix[l * n + i];
      assert_true(fabs(product - (k == l ? values[k] * values[k] : 0)) <=
                  tolerance * wanted[0] * wanted[0]);
    }
  }
  memcpy(sorted, values, sizeof sorted);
  qsort(sorted, n, sizeof *sorted, descending);
  for (size_t k = 0; k < n; k++) assert_true(fabs(sorted[k] - wanted[k]) <= tolerance * wanted[0]);
}

static void eigenvalues(void **state) {
  (void)state;
  uint64_t random = 5;
  static const double plain[] = {9, 5, 2, 1, 0.5}, equal[] = {3, 3, 3, 3},
                      lost[] = {7, 7, 1, 0, 0, 0}, spread[] = {1e6, 1, 1e-6},
                      huge[] = {1e200, 1e199}, small[] = {1e-200, 1e-201};
  decompose_known(plain, 5, 1e-14, &random);
  decompose_known(equal, 4, 1e-14, &random);
  decompose_known(lost, 6, 1e-14, &random);
  decompose_known(spread, 3, 1e-14, &random);
  double one[] = {4}, none[4] = {0}, values[2];
  assert_true(msk_eigen(one, 1, values));
  assert_true(values[0] == 4);
  assert_true(msk_eigen(none, 2, values));
  assert_true(values[0] == 0 && values[1] == 0);
  double two[] = {2, 1, 1, 2}; /* 3 along (1,1), 1 along (1,-1) */
  assert_true(msk_eigen(two, 2, values));
  assert_true(fabs(values[0] + values[1] - 4) < 1e-14 && fabs(values[0] * values[1] - 3) < 1e-14);
  const double *far[] = {huge, small};
  for (int k = 0; k < 2; k++) {
    double matrix[] = {far[k][0], 0, 0, far[k][1]};
    assert_true(msk_eigen(matrix, 2, values));
    assert_true(fabs(values[0] / far[k][0] - 1) < 1e-14 && fabs(values[1] / far[k][1] - 1) < 1e-14);
  }
}

/* ---- Frechet ---- */

static double frechet(const msk_features *a, const msk_features *b) {
  double distance = -1;
  msk_error error = {0};
  if (msk_features_frechet(a, b, &distance, NULL, &error) != MSK_OK) fail_msg("%s", error.message);
  return distance;
}

/* 2 d points on the axes around a mean: their covariance is diagonal, the i-th variance 2
 * reach[i]^2 / (2 d - 1). Then turned. */
static msk_features cross(float *values, const double *mean, const double *reach,
                          const double *turn, size_t d) {
  for (size_t k = 0; k < 2 * d; k++) {
    for (size_t i = 0; i < d; i++) {
      double at = 0;
      for (size_t j = 0; j < d; j++)
        at += (mean[j] + (k / 2 == j ? (k % 2 == 0 ? reach[j] : -reach[j]) : 0)) * turn[j * d + i];
      values[k * d + i] = (float)at;
    }
  }
  return (msk_features){values, (int)(2 * d), (int)d};
}

static void diagonal(void **state) {
  (void)state;
  enum { D = 5 };
  static const double a_mean[D] = {1, 2, 3, 4, 5}, b_mean[D] = {1, 0, 3, 4.5, 5},
                      a_reach[D] = {1, 2, 3, 0.5, 0}, b_reach[D] = {2, 2, 1, 1, 0};
  double wanted = 0, turn[D * D];
  uint64_t random = 11;
  for (size_t i = 0; i < D; i++) {
    double mean = a_mean[i] - b_mean[i],
           deviation = (a_reach[i] - b_reach[i]) * sqrt(2.0 / (2 * D - 1));
    wanted += mean * mean + deviation * deviation;
  }
  float a_values[2 * D * D], b_values[2 * D * D];
  for (int k = 0; k < 4; k++) { /* a turn of the whole space changes nothing */
    random_turn(turn, D, &random);
    if (k == 0) {
      for (size_t i = 0; i < D * D; i++) turn[i] = i % (D + 1) == 0;
    }
    msk_features a = cross(a_values, a_mean, a_reach, turn, D),
                 b = cross(b_values, b_mean, b_reach, turn, D);
    double tolerance = k == 0 ? 1e-12 : 1e-5; /* turned: the points are rounded to float */
    assert_true(fabs(frechet(&a, &b) - wanted) < tolerance);
    assert_true(fabs(frechet(&b, &a) - wanted) < tolerance);
    assert_true(frechet(&a, &a) < 1e-12);
  }
}

static void random_set(float *values, int count, int d, double spread, double shift,
                       uint64_t *state) {
  for (int k = 0; k < count; k++) {
    double common = random_normal(state);
    for (int i = 0; i < d; i++)
      values[k * d + i] = (float)(shift + common + spread * random_normal(state) * (i + 1) / d);
  }
}

/* Mean and covariance, the plain way. */
static void moments(const msk_features *set, double *mean, double *covariance) {
  int d = set->dimensions;
  for (int i = 0; i < d; i++) {
    mean[i] = 0;
    for (int k = 0; k < set->count; k++) mean[i] += (double)set->values[k * d + i] / set->count;
  }
  for (int i = 0; i < d; i++) {
    for (int j = 0; j < d; j++) {
      covariance[i * d + j] = 0;
      for (int k = 0; k < set->count; k++)
        covariance[i * d + j] += ((double)set->values[k * d + i] - mean[i]) *
                                 ((double)set->values[k * d + j] - mean[j]) / (set->count - 1);
    }
  }
}

static void multiply(double *out, const double *a, const double *b, int d) {
  for (int i = 0; i < d; i++) {
    for (int j = 0; j < d; j++) {
      out[i * d + j] = 0;
      for (int k = 0; k < d; k++) out[i * d + j] += a[i * d + k] * b[k * d + j];
    }
  }
}

static void invert(double *out, const double *in, int d) {
  double work[MOST * MOST];
  memcpy(work, in, (size_t)(d * d) * sizeof *work);
  for (int i = 0; i < d * d; i++) out[i] = i % (d + 1) == 0;
  for (int column = 0; column < d; column++) {
    int pivot = column;
    for (int row = column; row < d; row++)
      pivot = fabs(work[row * d + column]) > fabs(work[pivot * d + column]) ? row : pivot;
    for (int j = 0; j < d; j++) {
      double w = work[column * d + j], o = out[column * d + j];
      work[column * d + j] = work[pivot * d + j];
      work[pivot * d + j] = w;
      out[column * d + j] = out[pivot * d + j];
      out[pivot * d + j] = o;
    }
    double scale = work[column * d + column];
    for (int j = 0; j < d; j++) {
      work[column * d + j] /= scale;
      out[column * d + j] /= scale;
    }
    for (int row = 0; row < d; row++) {
      double factor = row == column ? 0 : work[row * d + column];
      for (int j = 0; j < d; j++) {
        work[row * d + j] -= factor * work[column * d + j];
        out[row * d + j] -= factor * out[column * d + j];
      }
    }
  }
}

/* Denman and Beavers: Y -> root of M, Z -> its inverse. */
static double independent_frechet(const msk_features *a, const msk_features *b) {
  int d = a->dimensions;
  double a_mean[MOST], b_mean[MOST], ca[MOST * MOST], cb[MOST * MOST], y[MOST * MOST],
      z[MOST * MOST], yi[MOST * MOST], zi[MOST * MOST];
  moments(a, a_mean, ca);
  moments(b, b_mean, cb);
  multiply(y, ca, cb, d);
  for (int i = 0; i < d * d; i++) z[i] = i % (d + 1) == 0;
  for (int step = 0; step < 60; step++) {
    invert(yi, y, d);
    invert(zi, z, d);
    for (int i = 0; i < d * d; i++) {
      y[i] = (y[i] + zi[i]) / 2;
      z[i] = (z[i] + yi[i]) / 2;
    }
  }
  double distance = 0;
  for (int i = 0; i < d; i++)
    distance += (a_mean[i] - b_mean[i]) * (a_mean[i] - b_mean[i]) + ca[i * d + i] + cb[i * d + i] -
                2 * y[i * d + i];
  return distance;
}

static void independent(void **state) {
  (void)state;
  uint64_t random = 77;
  static const int sizes[] = {1, 2, 3, 8, 9, 17, MOST};
  for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
    float a_values[60 * MOST], b_values[50 * MOST];
    int d = sizes[k];
    random_set(a_values, 60, d, 1, 0, &random);
    random_set(b_values, 50, d, 2, 0.3, &random);
    msk_features a = {a_values, 60, d}, b = {b_values, 50, d};
    double wanted = independent_frechet(&a, &b), got = frechet(&a, &b);
    assert_true(fabs(got - wanted) < 1e-9 * (1 + wanted));
    assert_true(fabs(frechet(&b, &a) - wanted) < 1e-9 * (1 + wanted));
  }
  /* two dimensions: trace of the root of M is the root of (trace M + 2 root of its determinant) */
  float a_values[40], b_values[40];
  random_set(a_values, 20, 2, 1, 0, &random);
  random_set(b_values, 20, 2, 3, 1, &random);
  msk_features a = {a_values, 20, 2}, b = {b_values, 20, 2};
  double am[2], bm[2], ca[4], cb[4], m[4];
  moments(&a, am, ca);
  moments(&b, bm, cb);
  multiply(m, ca, cb, 2);
  double wanted = (am[0] - bm[0]) * (am[0] - bm[0]) + (am[1] - bm[1]) * (am[1] - bm[1]) + ca[0] +
                  ca[3] + cb[0] + cb[3] -
                  2 * sqrt(m[0] + m[3] + 2 * sqrt(m[0] * m[3] - m[1] * m[2]));
  assert_true(fabs(frechet(&a, &b) - wanted) < 1e-12 * wanted);
}

/* Fewer pictures than dimensions: the covariances have no full rank. The same set, moved, is as
 * far away as it was moved. */
static void few_pictures(void **state) {
  (void)state;
  enum { COUNT = 7 };
  float values[COUNT * MOST], moved[COUNT * MOST];
  uint64_t random = 3;
  random_set(values, COUNT, MOST, 1, 0, &random);
  for (int i = 0; i < COUNT * MOST; i++) moved[i] = values[i] + (i % MOST == 4 ? 3.0f : 0.0f);
  msk_features a = {values, COUNT, MOST}, b = {moved, COUNT, MOST}, part = {values, 3, MOST};
  assert_true(frechet(&a, &a) < 1e-6);
  assert_true(fabs(frechet(&a, &b) - 9) < 1e-5);
  assert_true(fabs(frechet(&a, &part) - frechet(&part, &a)) < 1e-9);
}

/* ---- kernel ---- */

static double kernel(const msk_features *a, const msk_features *b) {
  double distance = -1;
  msk_error error = {0};
  if (msk_features_kernel(a, b, &distance, &error) != MSK_OK) fail_msg("%s", error.message);
  return distance;
}

static void kernel_by_hand(void **state) {
  (void)state;
  static const float a_values[] = {0, 1}, b_values[] = {2, 3}, c_values[] = {1, 1, 1, 0},
                     d_values[] = {0, 2, 2, 2};
  msk_features a = {a_values, 2, 1}, b = {b_values, 2, 1}, c = {c_values, 2, 2},
               d = {d_values, 2, 2};
  assert_true(fabs(kernel(&a, &b) - (1 + 343 - 2 * (1 + 1 + 27 + 64) / 4.0)) < 1e-12);
  /* products over 2, plus 1, cubed: within c 1.5, within d 3; between them 2, 3, 1, 2 */
  assert_true(fabs(kernel(&c, &d) - (3.375 + 27 - 2 * (8 + 27 + 1 + 8) / 4.0)) < 1e-12);
}

/* Unbiased: the mean over all sets that lack one picture is the figure of the whole set. A set
 * against itself comes out below 0. */
static void kernel_unbiased(void **state) {
  (void)state;
  enum { COUNT = 9, D = 11 };
  float a_values[COUNT * D], b_values[COUNT * D], less[COUNT * D];
  uint64_t random = 21;
  random_set(a_values, COUNT, D, 1, 0, &random);
  random_set(b_values, COUNT, D, 1, 0.5, &random);
  msk_features a = {a_values, COUNT, D}, b = {b_values, COUNT, D}, part = {less, COUNT - 1, D};
  double mean = 0;
  for (int k = 0; k < COUNT; k++) {
    memcpy(less, a_values, sizeof less);
    memmove(less + k * D, less + (k + 1) * D, (size_t)((COUNT - 1 - k) * D) * sizeof *less);
    mean += kernel(&part, &b) / COUNT;
  }
  assert_true(fabs(mean - kernel(&a, &b)) < 1e-9 * fabs(mean));
  assert_true(fabs(kernel(&a, &b) - kernel(&b, &a)) < 1e-12 * fabs(mean));
  assert_true(kernel(&a, &a) < 0);
}

/* ---- mistakes ---- */

static void mistakes(void **state) {
  (void)state;
  float values[8] = {1, 2, 3, 4, 5, 6, 7, 8}, bad[4] = {1, 2, NAN, 4};
  msk_features good = {values, 4, 2}, one = {values, 1, 2}, other = {values, 2, 4},
               wide = {values, 2, 4000}, nan = {bad, 2, 2}, missing = {NULL, 2, 2};
  const msk_features *wrong[] = {&one, &other, &wide, &nan, &missing, NULL};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    double distance = 42;
    msk_error error = {0};
    assert_int_equal(msk_features_frechet(&good, wrong[i], &distance, NULL, &error),
                     MSK_ERROR_ARGUMENT);
    assert_int_equal(msk_features_kernel(wrong[i], &good, &distance, &error), MSK_ERROR_ARGUMENT);
    assert_true(error.message[0] != 0);
    assert_true(distance == 42);
  }
  counting_allocator counting;
  counting_allocator_init(&counting);
  counting.fail_at = 1;
  double distance = 42;
  assert_int_equal(msk_features_frechet(&good, &good, &distance, &counting.allocator, NULL),
                   MSK_ERROR_MEMORY);
  assert_true(distance == 42);
  counting_allocator_init(&counting);
  assert_int_equal(msk_features_frechet(&good, &good, &distance, &counting.allocator, NULL),
                   MSK_OK);
  assert_int_equal(counting.live, 0);
}

/* Sets larger than a part: with one dimension the kernel (x y + 1)^3 is a sum of products of
 * powers, so that the mean over the pairs of a part follows from its sums of powers. */
static double pairs_by_powers(const float *a, int a_count, const float *b, int b_count) {
  static const double factors[] = {3, 3, 1};
  double mean = 1;
  for (int power = 1; power <= 3; power++) {
    double of_a = 0, of_b = 0, squares = 0, pairs = (double)a_count * b_count;
    for (int i = 0; i < a_count; i++) {
      of_a += pow((double)a[i], power);
      squares += pow((double)a[i], 2 * power);
    }
    for (int i = 0; i < b_count; i++) of_b += pow((double)b[i], power);
    mean += factors[power - 1] *
            (a == b ? (of_a * of_a - squares) / (pairs - a_count) : of_a * of_b / pairs);
  }
  return mean;
}

static void large_sets(void **state) {
  (void)state;
  enum { A = 10001, B = 5200 }; /* three parts and two */
  static const int a_cuts[] = {0, A / 3, 2 * A / 3, A}, b_cuts[] = {0, B / 2, B};
  static float values[A + B];
  uint64_t random = 12;
  for (int i = 0; i < A + B; i++) values[i] = (float)random_normal(&random) + (i < A ? 0 : 0.5f);
  const msk_features a = {values, A, 1}, b = {values + A, B, 1};
  double wanted = 0, distance = 0;
  for (int i = 0; i < 3; i++) {
    const float *of_a = values + a_cuts[i], *of_b = values + A + b_cuts[i % 2];
    const int a_count = a_cuts[i + 1] - a_cuts[i], b_count = b_cuts[i % 2 + 1] - b_cuts[i % 2];
    wanted += pairs_by_powers(of_a, a_count, of_a, a_count) / 3;
    if (i < 2) wanted += pairs_by_powers(of_b, b_count, of_b, b_count) / 2;
    wanted -= 2 * pairs_by_powers(of_a, a_count, of_b, b_count) / 3;
  }
  assert_int_equal(msk_features_kernel(&a, &b, &distance, NULL), MSK_OK);
  assert_true(distance > 0 && fabs(distance - wanted) < 1e-9 * (1 + fabs(wanted)));
  assert_int_equal(msk_features_kernel(&b, &a, &distance, NULL), MSK_OK);
  assert_true(fabs(distance - wanted) < 1e-9 * (1 + fabs(wanted)));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(large_sets),      cmocka_unit_test(eigenvalues),
      cmocka_unit_test(diagonal),        cmocka_unit_test(independent),
      cmocka_unit_test(few_pictures),    cmocka_unit_test(kernel_by_hand),
      cmocka_unit_test(kernel_unbiased), cmocka_unit_test(mistakes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
