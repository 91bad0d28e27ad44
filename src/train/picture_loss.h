/* SPDX-License-Identifier: Apache-2.0
 *
 * picture_loss.h - how far pictures y are from pictures x, d = y - x, and the gradient by y. Means
 * are over all that there is of each. */
#ifndef MSK_TRAIN_PICTURE_LOSS_H
#define MSK_TRAIN_PICTURE_LOSS_H

#include "base/pool.h"
#include "train/autoencoder.h"

typedef struct msk_picture_weights {
  float absolute, square; /* mean |d|, mean d^2 */
  /* mean |d| of neighbours' differences, across and down; of red - green and of blue - the others'
   * mean: small saturated parts lose their colour without it */
  float gradient, chroma;
  /* the Laplacian pyramid of d, up to four levels while sides are even: 2 mean |band| + mean |what
   * is left| / 2 of each level */
  float bands;
} msk_picture_weights;

/* Floats of room that it takes. */
size_t msk_picture_loss_floats(msk_picture_shape shape);
/* x, y, dy: [batch, height, width, 3]; dy is replaced. pool may be NULL. */
double msk_picture_loss(msk_pool *pool, const msk_picture_weights *weights, msk_picture_shape shape,
                        const float *x, const float *y, float *dy, float *room);

#endif
