/* SPDX-License-Identifier: Apache-2.0
 *
 * network.h - the transformer in training: losses of a batch and their gradients. Owns what the
 * forward pass keeps for the backward one (x, q k v, attention's output, both sums before the
 * norms, the hidden layer before its GELU: no N x N) and the packed weights; parameters and
 * gradients are the caller's blocks (params.h). Belongs to one thread, as its stream does.
 *
 * Lengths: N = positions, the class's included; a batch is batch x N ids, class first. */
#ifndef MSK_TRAIN_NETWORK_H
#define MSK_TRAIN_NETWORK_H

#include "train/low_rank.h"

typedef struct msk_network msk_network;

/* codes: columns of the logits that are trained; batch: sequences at most. pool may be NULL. */
msk_status msk_network_create(msk_network **network, const msk_params *params,
                              const msk_device *device, msk_pool *pool, size_t codes, size_t batch,
                              msk_error *error);
void msk_network_destroy(msk_network *network);
/* Bytes that a network takes, one that trains what is added to it where low is not NULL; 0: no
 * memory to find out. */
size_t msk_network_bytes(const msk_params *params, const msk_low_rank *low,
                         const msk_device *device, msk_pool *pool, size_t codes, size_t batch);
/* Operations are noted there from now on; NULL: nobody listens. */
void msk_network_listen(msk_network *network, msk_meter *meter);

/* A network that trains nothing but what is added to it: msk_network_masked() takes gradients of
 * low's layout. Its panels are those of one layer, packed again for each, forward and backward, so
 * that it takes as little memory as training can. */
msk_status msk_network_create_low(msk_network **network, const msk_low_rank *low,
                                  const msk_device *device, msk_pool *pool, size_t codes,
                                  size_t batch, msk_error *error);

/* The weights have changed: to be called before the passes below. The block is kept by address. */
void msk_network_set(msk_network *network, float *block);
/* Of a network made for it: what is added to the block, kept by address too. The class's row is
 * copied into the block. */
void msk_network_set_low(msk_network *network, float *block, const float *added);

/* Mean cross-entropy over the masked positions, with and without label smoothing. */
typedef struct msk_masked_batch {
  size_t batch;
  const int32_t *shown, *target; /* [batch, N]; MSK_MASK_TOKEN where masked, in `shown` */
  const bool *mask;              /* [batch, N]; at least one position */
  size_t all_masked;             /* positions that the means are over; 0: those of this batch */
  float smoothing;
} msk_masked_batch;
typedef struct msk_masked_loss {
  double smoothed, plain;
} msk_masked_loss;
/* gradients: a block that is added to, or NULL. */
msk_masked_loss msk_network_masked(msk_network *network, const msk_masked_batch *batch,
                                   float *gradients);

/* Distances of the attention rows of `pairs` sequences (`tokens`) to those of as many that follow
 * them, averaged over heads and layers: values[pairs, N], host memory. */
typedef struct msk_pair_batch {
  size_t pairs;
  const int32_t *tokens; /* [2 * pairs, N] */
  const int *layers;     /* ascending */
  size_t layer_count;
  msk_distance distance; /* SYMMETRIC_KL or CROSS_ENTROPY */
} msk_pair_batch;
void msk_network_distances(msk_network *network, const msk_pair_batch *batch, float *values);
/* After it, with the same batch: adds the gradient of sum(weights * values). */
void msk_network_distances_backward(msk_network *network, const msk_pair_batch *batch,
                                    const float *weights, float *gradients);

#endif
