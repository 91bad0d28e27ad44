/* SPDX-License-Identifier: Apache-2.0
 *
 * autoencoder.h - the tokenizer's two halves in training: each runs forward, keeping what its
 * backward pass needs, and backward from a gradient by what it put out. What lies between them
 * (quantiser.h) and the loss of pictures (picture_loss.h) are the caller's, and so are parameters
 * and gradients (params.h). Belongs to one thread, as its stream does.
 *
 * Latents: [batch, height / patch, width / patch, dim]; pictures: [batch, height, width, 3]; sides
 * are multiples of the patch. What a pass returns stays until the next pass of the same half. */
#ifndef MSK_TRAIN_AUTOENCODER_H
#define MSK_TRAIN_AUTOENCODER_H

#include "train/params.h"

typedef struct msk_autoencoder msk_autoencoder;

typedef struct msk_picture_shape {
  size_t batch, height, width;
} msk_picture_shape;

/* shapes: all that will be asked for. decoder_alone: no room for the encoder is made. pool may be
 * NULL. */
msk_status msk_autoencoder_create(msk_autoencoder **net, const msk_params *params,
                                  const msk_vqgan_config *config, const msk_device *device,
                                  msk_pool *pool, const msk_picture_shape *shapes, size_t count,
                                  bool decoder_alone, msk_error *error);
void msk_autoencoder_destroy(msk_autoencoder *net);
/* Bytes that it takes; 0: no memory to find out. */
size_t msk_autoencoder_bytes(const msk_params *params, const msk_vqgan_config *config,
                             const msk_device *device, msk_pool *pool,
                             const msk_picture_shape *shapes, size_t count, bool decoder_alone);

/* The weights have changed: to be called before the passes below. The block is kept by address. */
void msk_autoencoder_set(msk_autoencoder *net, float *block);

/* pictures -> latents */
const float *msk_autoencoder_encode(msk_autoencoder *net, msk_picture_shape shape,
                                    const float *pictures);
/* latents -> pictures, unclamped */
const float *msk_autoencoder_decode(msk_autoencoder *net, msk_picture_shape shape,
                                    const float *latents);
/* After it, from the gradient by the pictures: adds to the gradients of the decoder's weights, and
 * returns that by the latents; NULL unless `further`. */
const float *msk_autoencoder_decode_backward(msk_autoencoder *net, const float *dpictures,
                                             bool further, float *gradients);
/* The same of the encoder, from the gradient by its latents. */
void msk_autoencoder_encode_backward(msk_autoencoder *net, const float *dlatents, float *gradients);
/* Multiplications and additions of one pass of a half, forward; backward takes twice as many. */
double msk_autoencoder_flop(const msk_autoencoder *net, msk_picture_shape shape, bool decoder);

#endif
