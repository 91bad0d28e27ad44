/* SPDX-License-Identifier: Apache-2.0
 *
 * quantiser.h - between the tokenizer's halves: the nearest codes, the losses that hold latents and
 * codes together (the authors' VQVAE), and the moving-average codebook. The decoder's gradient goes
 * straight through: by a code it is that by the latent. Distances, softmax and their sums are
 * float64: at a temperature of 0.01 a rounding of float32 would move probabilities by a tenth. */
#ifndef MSK_TRAIN_QUANTISER_H
#define MSK_TRAIN_QUANTISER_H

#include "base/memory.h"
#include "base/pool.h"
#include "train/random.h"

typedef struct msk_codebook_shape {
  size_t codes, dim;
} msk_codebook_shape;

/* Nearest code of each row, first on a tie. z: rows x dim. */
void msk_quantise(msk_pool *pool, msk_codebook_shape shape, const float *codebook, size_t rows,
                  const float *z, int32_t *codes);

typedef struct msk_quantiser_weights {
  float commitment; /* mean (z - code)^2, by z */
  float codebook;   /* the same, by the code */
  /* mean over rows of the entropy of softmax(-|z - c|^2 / temperature) less the entropy of the
   * rows' mean, by both */
  float entropy, temperature;
} msk_quantiser_weights;
typedef struct msk_quantiser_losses {
  double commitment, codebook, entropy; /* weighted */
} msk_quantiser_losses;
/* Doubles of room that it takes. */
size_t msk_quantiser_room(msk_codebook_shape shape, size_t rows);
/* dz is added to; dcodebook too, or NULL where only z learns. codes: as msk_quantise() found them.
 */
msk_quantiser_losses msk_quantiser_loss(msk_pool *pool, const msk_quantiser_weights *weights,
                                        msk_codebook_shape shape, const float *codebook,
                                        size_t rows, const float *z, const int32_t *codes,
                                        double *room, float *dz, float *dcodebook);

#endif
