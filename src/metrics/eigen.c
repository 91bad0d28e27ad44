/* SPDX-License-Identifier: Apache-2.0
 *
 * eigen.c - Jacobi's method on one side (Hestenes 1958): pairs of rows are rotated until all
 * rows are at right angles. A symmetric matrix without negative eigenvalues has singular values
 * equal to its eigenvalues, so the rows' lengths are those, and their directions the
 * eigenvectors. Rotating rows alone keeps memory accesses contiguous, which the method on both
 * sides does not. */
#include "metrics/eigen.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { MAX_SWEEPS = 60 };

double msk_dot(const double *a, const double *b, size_t count) {
  double sums[8] = {0};
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (size_t k = 0; k < 8; k++) sums[k] += a[i + k] * b[i + k];
  }
  double rest = 0;
  for (; i < count; i++) rest += a[i] * b[i];
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7])) +
         rest;
}

/* Turns two rows so that their product, `together`, becomes 0; squares are the rows' squared
 * lengths. */
static void rotate(double *p, double *q, size_t n, double p_square, double q_square,
                   double together) {
  double zeta = (q_square - p_square) / (2 * together);
  double tangent = (zeta >= 0 ? 1 : -1) / (fabs(zeta) + hypot(1, zeta));
  double cosine = 1 / hypot(1, tangent), sine = cosine * tangent;
  for (size_t i = 0; i < n; i++) {
    double old = p[i];
    p[i] = cosine * old - sine * q[i];
    q[i] = sine * old + cosine * q[i];
  }
}

/* One pass over all pairs; returns whether anything had to be turned. `squares`: squared lengths
 * of the rows, kept up to date. */
static bool sweep(double *matrix, size_t n, double *squares, double negligible) {
  bool turned = false;
  for (size_t p = 0; p + 1 < n; p++) {
    for (size_t q = p + 1; q < n; q++) {
      if (squares[p] <= negligible || squares[q] <= negligible) continue;
      double *first = matrix + p * n, *second = matrix + q * n;
      double together = msk_dot(first, second, n);
      /* orthogonal, as far as rounding can tell */
      if (fabs(together) <= (double)n * DBL_EPSILON * sqrt(squares[p]) * sqrt(squares[q])) continue;
      rotate(first, second, n, squares[p], squares[q], together);
      squares[p] = msk_dot(first, first, n);
      squares[q] = msk_dot(second, second, n);
      turned = true;
    }
  }
  return turned;
}

bool msk_eigen(double *matrix, size_t n, double *values) {
  double largest = 0, scale = 0;
  for (size_t i = 0; i < n * n; i++) scale = fmax(scale, fabs(matrix[i]));
  if (scale == 0) { /* also keeps the squares below from overflow and underflow */
    memset(values, 0, n * sizeof *values);
    return true;
  }
  for (size_t i = 0; i < n * n; i++) matrix[i] /= scale;
  for (size_t i = 0; i < n; i++) {
    values[i] = msk_dot(matrix + i * n, matrix + i * n, n);
    largest += values[i];
  }
  double lost = (double)n * DBL_EPSILON, negligible = largest * lost * lost;
  bool turned = true;
  for (int i = 0; i < MAX_SWEEPS && turned; i++) turned = sweep(matrix, n, values, negligible);
  for (size_t i = 0; i < n; i++) {
    bool kept = values[i] > negligible;
    values[i] = kept ? sqrt(values[i]) * scale : 0;
    for (size_t k = 0; k < n; k++) matrix[i * n + k] = kept ? matrix[i * n + k] * scale : 0;
  }
  return !turned;
}
