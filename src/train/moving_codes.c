/* SPDX-License-Identifier: Apache-2.0
 * moving_codes.c - see moving_codes.h. */
#include "train/moving_codes.h"

#include <math.h>
#include <string.h>

#define KEPT 0.97f  /* of the averages, at each step */
#define FEWEST 0.03 /* of the mean number of rows: fewer, and a code begins anew */
#define LEAST_COUNT 1e-6f

enum { ROUNDS = 4 };

static size_t floats_of(const msk_moving_codes *moving) {
  return moving->shape.codes * moving->shape.dim;
}

/* counts and sums += share of what the rows chose. */
static void add_rows(const msk_moving_codes *moving, size_t rows, const float *z,
                     const int32_t *chosen, float share) {
  size_t dim = moving->shape.dim;
  for (size_t r = 0; r < rows; r++) {
    size_t code = (size_t)chosen[r];
    moving->counts[code] += share;
    for (size_t i = 0; i < dim; i++) moving->sums[code * dim + i] += share * z[r * dim + i];
  }
}

static void put_on_sphere(const msk_moving_codes *moving, size_t code) {
  size_t dim = moving->shape.dim;
  const float *sum = moving->sums + code * dim;
  float count = fmaxf(moving->counts[code], LEAST_COUNT), *to = moving->codebook + code * dim;
  double square = 0;
  for (size_t i = 0; i < dim; i++) square += (double)(sum[i] / count) * (sum[i] / count);
  float factor = moving->radius / fmaxf((float)sqrt(square), 1e-12f);
  for (size_t i = 0; i < dim; i++) to[i] = sum[i] / count * factor;
}

/* The codebook from counts and sums. Codes that begin anew: a count of one, and the row as sum. */
static size_t move(const msk_moving_codes *moving, size_t rows, const float *z,
                   msk_random *random) {
  size_t dim = moving->shape.dim, revived = 0;
  double mean = 0;
  for (size_t c = 0; c < moving->shape.codes; c++)
    mean += moving->counts[c] / (double)moving->shape.codes;
  for (size_t c = 0; c < moving->shape.codes; c++) {
    put_on_sphere(moving, c);
    if (moving->counts[c] >= FEWEST * mean) continue;
    const float *row = z + msk_random_below(random, rows) * dim;
    memcpy(moving->codebook + c * dim, row, dim * sizeof *row);
    memcpy(moving->sums + c * dim, row, dim * sizeof *row);
    moving->counts[c] = 1;
    revived++;
  }
  return revived;
}

void msk_moving_codes_begin(const msk_moving_codes *moving, msk_pool *pool, size_t rows,
                            const float *z, int32_t *chosen, msk_random *random) {
  size_t dim = moving->shape.dim, codes = moving->shape.codes;
  for (size_t c = 0; c < codes; c++)
    memcpy(moving->codebook + c * dim, z + msk_random_below(random, rows) * dim,
           dim * sizeof(float));
  for (int round = 0; round < ROUNDS; round++) {
    msk_quantise(pool, moving->shape, moving->codebook, rows, z, chosen);
    memset(moving->counts, 0, codes * sizeof(float));
    memset(moving->sums, 0, floats_of(moving) * sizeof(float));
    add_rows(moving, rows, z, chosen, 1);
    move(moving, rows, z, random);
  }
  for (size_t c = 0; c < codes; c++) moving->counts[c] = 1;
  memcpy(moving->sums, moving->codebook, floats_of(moving) * sizeof(float));
}

size_t msk_moving_codes_follow(const msk_moving_codes *moving, size_t rows, const float *z,
                               const int32_t *chosen, msk_random *random) {
  float share = (1 - KEPT) * (float)moving->shape.codes / (float)rows;
  for (size_t c = 0; c < moving->shape.codes; c++) moving->counts[c] *= KEPT;
  for (size_t i = 0; i < floats_of(moving); i++) moving->sums[i] *= KEPT;
  add_rows(moving, rows, z, chosen, share);
  return move(moving, rows, z, random);
}
