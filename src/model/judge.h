/* SPDX-License-Identifier: Apache-2.0
 *
 * judge.h - the judge: a network apart from the generator (strided convolutions with skips, no
 * group norm, no attention) that says what a picture shows, where the object lies, which parts
 * are broken, and gives features for a Frechet distance. Trained by training/judge.py, which
 * folds its batch norms into weights. Level l halves the picture: 3 x 3 convolution with stride 2
 * (SAME), 3 x 3 convolution, ReLU behind both. Features: the deepest level's mean over pixels. On
 * the way up, rise l = ReLU(conv(upsampled level l + 1) + conv(level l)), the sum being what a
 * convolution over both laid side by side is. Silhouette: 3 x 3 convolution of rise 0 to 2 x 2
 * sub-pixels. Damage: 1 x 1 convolution of rise MSK_JUDGE_DAMAGE_RISE, a number for each of its
 * cells. Immutable after loading. */
#ifndef MSK_MODEL_JUDGE_H
#define MSK_MODEL_JUDGE_H

#include "compute/backend.h"
#include "model/weights.h"

enum {
  MSK_JUDGE_MAX_LEVELS = 8,
  MSK_JUDGE_MAX_SIZE = 1024,
  MSK_JUDGE_DAMAGE_RISE = 2,
  MSK_JUDGE_CELL = 1 << (MSK_JUDGE_DAMAGE_RISE + 1) /* pixels a side of a cell of it */
};

typedef struct msk_judge_config {
  size_t size; /* pixels a side; a multiple of 2^levels, the deepest level a power of two */
  size_t levels;
  size_t channels[MSK_JUDGE_MAX_LEVELS];
  size_t classes;
} msk_judge_config;

typedef struct msk_judge_network msk_judge_network;

/* Sizes are read from the tensors and from the metadata entry "size". */
msk_status msk_judge_read_config(msk_judge_config *config, const msk_weight_file *file,
                                 msk_error *error);
msk_status msk_judge_network_load(msk_judge_network **network, const msk_device *device,
                                  const msk_weight_file *file, msk_pool *pool, msk_error *error);
void msk_judge_network_destroy(msk_judge_network *network);
const msk_judge_config *msk_judge_network_config(const msk_judge_network *network);

/* pixels [size, size, 3] in [-1, 1] -> logits [classes], silhouette logits [size, size], damage
 * logits [size / MSK_JUDGE_CELL, as many], features [channels of the deepest level]. Temporaries
 * come from the arena and go back. */
void msk_judge_network_run(const msk_judge_network *network, msk_stream *stream, msk_arena *arena,
                           const float *pixels, float *logits, float *silhouette, float *damage,
                           float *features);
#endif
