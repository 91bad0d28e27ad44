/* SPDX-License-Identifier: Apache-2.0
 *
 * moving_codes.h - a codebook that follows the rows that choose its codes: each code is the mean of
 * moving averages of their number and their sum, brought to a sphere; one that nearly nobody
 * chooses begins anew on one of the rows. All sums run in the rows' order. */
#ifndef MSK_TRAIN_MOVING_CODES_H
#define MSK_TRAIN_MOVING_CODES_H

#include "train/quantiser.h"

typedef struct msk_moving_codes {
  msk_codebook_shape shape;
  float *codebook, *counts, *sums; /* [codes, dim], [codes], [codes, dim] */
  float radius;
} msk_moving_codes;

/* A few rounds of k-means over rows on the sphere; chosen: [rows], room. */
void msk_moving_codes_begin(const msk_moving_codes *moving, msk_pool *pool, size_t rows,
                            const float *z, int32_t *chosen, msk_random *random);
/* A step's rows and the codes that they chose. Returns how many began anew. */
size_t msk_moving_codes_follow(const msk_moving_codes *moving, size_t rows, const float *z,
                               const int32_t *chosen, msk_random *random);

#endif
