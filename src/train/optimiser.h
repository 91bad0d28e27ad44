/* SPDX-License-Identifier: Apache-2.0
 *
 * optimiser.h - one update of a parameter block from its gradients, each tensor by its rule: Muon
 * (momentum made orthogonal; Jordan et al. 2024), AdamW, or not at all, after the gradient's norm
 * was cut; then the moving average follows. Owns the moments and the
 * average. Sums run in a fixed order, whatever the thread count. */
#ifndef MSK_TRAIN_OPTIMISER_H
#define MSK_TRAIN_OPTIMISER_H

#include "compute/backward.h"
#include "train/params.h"

/* ---- AdamW ---- */

/* `step` counts from 1. decay: that of this tensor, before it is multiplied with the rate. */
typedef struct msk_adam {
  float rate, decay, beta_2;
  long step;
} msk_adam;
/* gradient is multiplied by `factor` first. */
void msk_adam_update(const msk_adam *adam, size_t count, const float *gradient, float factor,
                     float *first, float *second, float *values);

/* ---- Muon ---- */

/* Room for matrices of rows x columns, rows <= columns. */
typedef struct msk_orthogonal {
  size_t rows, columns;
  float *x, *next;        /* rows x columns */
  float *square, *fourth; /* rows x rows */
  float *panels;
} msk_orthogonal;
/* x becomes the nearest matrix with orthonormal rows, about, in five Newton-Schulz rounds. While
 * the stream is measuring: notes the scratch memory that it takes. */
void msk_orthogonalise(msk_stream *stream, msk_orthogonal *room);

/* ---- the whole block ---- */

typedef struct msk_optimiser {
  const msk_params *params;
  msk_stream stream;
  float *first, *second, *average; /* blocks; of Muon's tensors `first` is the momentum */
  float *room;                     /* Muon's */
  size_t room_floats;
} msk_optimiser;

typedef struct msk_rates {
  float adam, muon, average;
  float decay, beta_2; /* AdamW's, of tensors that decay; of the squares */
  long step;           /* this update's number, from 1 */
} msk_rates;

msk_status msk_optimiser_create(msk_optimiser **optimiser, const msk_params *params,
                                const msk_device *device, msk_pool *pool, msk_error *error);
/* Bytes that it takes. */
size_t msk_optimiser_bytes(const msk_params *params, const msk_device *device, msk_pool *pool);
void msk_optimiser_destroy(msk_optimiser *optimiser);
/* Cuts the gradients' norm at 1, updates the block and the average. Returns the norm as it was. */
double msk_optimiser_step(msk_optimiser *optimiser, const msk_rates *rates, const float *gradients,
                          float *block);

#endif
