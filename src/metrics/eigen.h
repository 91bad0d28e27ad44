/* SPDX-License-Identifier: Apache-2.0
 *
 * eigen.h - eigenvalues and eigenvectors of a symmetric matrix without negative eigenvalues (a
 * covariance), in float64. */
#ifndef MSK_METRICS_EIGEN_H
#define MSK_METRICS_EIGEN_H

#include <stdbool.h>
#include <stddef.h>

/* Sum of a[i] * b[i], always in the same order. */
double msk_dot(const double *a, const double *b, size_t count);

/* In: matrix, n x n, symmetric, positive semi-definite, finite. Out: values[n], in no order,
 * exact zeros where an eigenvalue is lost in rounding; row i of the matrix becomes values[i]
 * times the i-th eigenvector, or zeros. False if it did not converge. */
bool msk_eigen(double *matrix, size_t n, double *values);
#endif
