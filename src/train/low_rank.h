/* SPDX-License-Identifier: Apache-2.0
 *
 * low_rank.h - what a taught class adds to a transformer (model/adapter.h), in training: where the
 * class's row and each matrix's a and b lie in one flat block of floats. Gradients and moments are
 * blocks of the same layout. A matrix W stands for W + a b; a begins at random, b at zero, so that
 * training begins with the model as it was. */
#ifndef MSK_TRAIN_LOW_RANK_H
#define MSK_TRAIN_LOW_RANK_H

#include <stdbool.h>

#include "train/params.h"

typedef enum msk_low_kind {
  MSK_LOW_QUERY,
  MSK_LOW_KEY,
  MSK_LOW_VALUE,
  MSK_LOW_OUT,
  MSK_LOW_UP,
  MSK_LOW_DOWN,
  MSK_LOW_KINDS
} msk_low_kind;

typedef struct msk_low_rank {
  const msk_params *params;
  size_t rank, first_layer; /* layers before it are left alone */
  size_t class_row;         /* of the words: the class's */
  size_t layer_floats, floats;
} msk_low_rank;

/* One matrix's: a [in, rank] and b [rank, out], as offsets into the block. */
typedef struct msk_low_pair {
  size_t in, out, a, b;
} msk_low_pair;

msk_low_rank msk_low_rank_make(const msk_params *params, size_t rank, size_t first_layer,
                               size_t class_row);
bool msk_low_rank_has(const msk_low_rank *low, size_t layer);
msk_low_pair msk_low_rank_pair(const msk_low_rank *low, size_t layer, msk_low_kind kind);
/* The tensor's name in the transformer. */
void msk_low_rank_name(size_t layer, msk_low_kind kind, char name[MSK_WEIGHT_NAME]);
/* The class's row, [hidden], comes first. */
void msk_low_rank_start(const msk_low_rank *low, const float *class_row, uint64_t seed,
                        float *block);

#endif
