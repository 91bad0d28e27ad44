/* SPDX-License-Identifier: Apache-2.0
 *
 * slopes.h - an operation's loss, its slopes by central differences in float64, and what the
 * operation says of them. Header only; test code. */
#ifndef MSK_TEST_TRAIN_SLOPES_H
#define MSK_TEST_TRAIN_SLOPES_H

#include "../compute/naive.h"

enum { MAX_TERMS = 6, SAMPLES = 60 };

/* A loss of arrays; `terms` are what the operation's inputs hold, in float64. */
typedef struct problem {
  double (*loss)(const struct problem *problem);
  double *terms[MAX_TERMS];
  size_t counts[MAX_TERMS], sizes[8];
  const double *weights; /* of the outputs: the loss is their sum with them */
  const void *other;
} problem;

static inline double *doubles(const float *from, size_t count) {
  double *to = malloc(count * sizeof *to);
  for (size_t i = 0; i < count; i++) to[i] = from[i];
  return to;
}

/* Some elements of the gradient by a term, against central differences; `before`: what it was added
 * to. Tolerance: of the largest slope looked at. */
static inline void check_slopes(problem *p, size_t term, const float *found, const float *before,
                                double tolerance, const char *what) {
  double expected[SAMPLES], largest = 0;
  size_t places[SAMPLES], count = p->counts[term], samples = count < SAMPLES ? count : SAMPLES;
  uint64_t seed = term + 1;
  for (size_t i = 0; i < samples; i++) {
    places[i] = count <= SAMPLES ? i : test_random(&seed) % count;
    double *at = &p->terms[term][places[i]], middle = *at, step = 1e-5;
    *at = middle + step;
    double up = p->loss(p);
    *at = middle - step;
    expected[i] = (up - p->loss(p)) / (2 * step);
    *at = middle;
    largest = fmax(largest, fabs(expected[i]));
  }
  for (size_t i = 0; i < samples; i++) {
    double base = before == NULL ? 0 : (double)before[places[i]];
    check_value(found[places[i]], base + expected[i],
                tolerance * largest + 1e-6 + UNIT * fabs(base), what, places[i]);
  }
}

#endif
