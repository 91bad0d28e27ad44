/* SPDX-License-Identifier: Apache-2.0
 *
 * select.c - see select.h. */
#include "sampling/select.h"

#include <math.h>
#include <stdbool.h>

static int halved(int alive, int finish) {
  return (alive + 1) / 2 > finish ? (alive + 1) / 2 : finish;
}

int msk_select_alive(int candidates, int finish, double from, int taken, int steps) {
  if (finish <= 0 || finish >= candidates || taken < 1) return candidates;
  double whole = 0, done = 0; /* a stage lasts as 1 / alive */
  for (int alive = candidates; alive > finish;) {
    alive = halved(alive, finish);
    whole += 1.0 / alive;
  }
  int alive = candidates;
  while (alive > finish && taken + 1e-9 >= steps * (from + (1 - from) * done / whole)) {
    alive = halved(alive, finish);
    done += 1.0 / alive;
  }
  return alive;
}

/* Adds weight * (x - mean) / deviation; equal values add nothing, one that is no number the
 * least that there is. */
static void add_deviations(const float *x, int stride, int count, double weight, double *values) {
  double sum = 0, squares = 0, least = 0;
  int finite = 0;
  for (int i = 0; i < count; i++) {
    if (!isfinite(x[i * stride])) continue;
    sum += (double)x[i * stride];
    squares += (double)x[i * stride] * (double)x[i * stride];
    finite++;
  }
  const double mean = finite > 0 ? sum / finite : 0,
               variance = finite > 0 ? squares / finite - mean * mean : 0;
  /* a variance that is rounding alone would make differences out of noise */
  const double deviation = variance > 1e-12 * (1 + mean * mean) ? sqrt(variance) : INFINITY;
  for (int i = 0; i < count; i++) {
    if (isfinite(x[i * stride])) least = fmin(least, ((double)x[i * stride] - mean) / deviation);
  }
  for (int i = 0; i < count; i++)
    values[i] +=
        weight * (isfinite(x[i * stride]) ? ((double)x[i * stride] - mean) / deviation : least - 1);
}

void msk_select_best(const msk_standing *standings, int count, double confidence_weight, int keep,
                     double *values, int *kept) {
  enum { STRIDE = sizeof *standings / sizeof(float) };
  for (int i = 0; i < count; i++) values[i] = 0;
  if (count == 0) return;
  add_deviations(&standings->structure, STRIDE, count, 1, values);
  add_deviations(&standings->confidence, STRIDE, count, confidence_weight, values);
  int used = 0;
  for (int i = 0; i < count; i++) {
    int better = 0;
    for (int j = 0; j < count; j++)
      /* among equals the earlier wins, so that exactly `keep` are kept, always the same */
      better += values[j] > values[i] || (j < i && values[j] == values[i]);
    if (better < keep) kept[used++] = i;
  }
}
