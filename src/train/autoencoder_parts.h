/* SPDX-License-Identifier: Apache-2.0
 * autoencoder_parts.h - the inside of a msk_autoencoder, shared by its forward and its backward
 * half. */
#ifndef MSK_TRAIN_AUTOENCODER_PARTS_H
#define MSK_TRAIN_AUTOENCODER_PARTS_H

#include "compute/backward.h"
#include "model/vqgan_parts.h"
#include "train/autoencoder.h"

#define GROUP_NORM_EPSILON 1e-6f

/* A convolution: where its weights lie in a block (from its begin; NONE: no bias), and packed. */
struct folded {
  msk_filters filters;
  size_t weight, bias;
  float *forward, *backward; /* panels */
};

/* A stage: its weights, and what its last forward pass kept. */
struct layer {
  struct folded conv[3]; /* of a block: first, second, shortcut; kernel 0: there is none */
  size_t gamma[2], beta[2];
  msk_map x, normal[2], middle, branch; /* what it read; in a block: normalised, between, before
                                           the shortcut */
};
#define NO_PLACE SIZE_MAX

/* The encoder or the decoder: stages [first, end). */
struct half {
  size_t first, end;
  msk_picture_shape shape; /* of the pass at hand */
  msk_map output;          /* of the last stage */
};

struct msk_autoencoder {
  const msk_params *params;
  msk_vqgan_config config;
  struct plan plan;
  msk_stream stream;
  void *memory;
  size_t bytes;        /* of it and of the scratch memory */
  size_t pixel_floats; /* of the largest batch of pictures */
  msk_arena arena;
  size_t mark; /* behind what all passes share */
  struct layer layers[MAX_STAGES];
  struct half encoder, decoder;
  float *block;
  float *pixels[2];    /* what goes in, behind the stem; what comes out */
  float *slopes[3];    /* of the largest map each */
  size_t slope_floats; /* of that map */
};

static inline bool has_conv(const struct folded *conv) { return conv->filters.kernel > 0; }

static inline msk_norm norm_of(const msk_autoencoder *net, const struct layer *layer,
                               size_t which) {
  return (msk_norm){.gamma = net->block + layer->gamma[which],
                    .beta = net->block + layer->beta[which],
                    .epsilon = GROUP_NORM_EPSILON,
                    .groups = net->config.groups};
}

/* A map like another, elsewhere. */
static inline msk_map map_like(msk_map map, float *at) {
  map.at = at;
  return map;
}
static inline msk_map folded_output(const struct folded *conv, msk_map x, float *at) {
  const msk_filters *f = &conv->filters;
  return msk_map_at(at, x.batch, (x.height * f->upsample + f->stride - 1) / f->stride,
                    (x.width * f->upsample + f->stride - 1) / f->stride, f->out);
}

/* From the gradient by the half's output, in slopes[0] as a map like `dy`, down to that by its
 * input; returns where that lies. further: it is wanted. */
msk_map backward_half(msk_autoencoder *net, const struct half *half, msk_map dy, bool further,
                      float *gradients);

#endif
