/* SPDX-License-Identifier: Apache-2.0
 * network_parts.h - the inside of a msk_network, shared by its forward and its backward half. */
#ifndef MSK_TRAIN_NETWORK_PARTS_H
#define MSK_TRAIN_NETWORK_PARTS_H

#include "compute/backward.h"
#include "train/network.h"

#define LAYER_NORM_EPSILON 1e-12f

/* Packed weights of one linear layer: for x W, and for dy W'. */
struct panels {
  float *forward, *backward;
};

/* What a layer keeps; rows x the floats named. */
struct kept {
  float *x, *qkv;                   /* D, 3 D */
  float *attended, *first, *middle; /* D: attention's output, x + it projected, its norm */
  float *hidden, *second;           /* wide: before GELU; D: middle + MLP */
  struct panels qkv_panels, out, up, down;
};

struct msk_network {
  const msk_params *params;
  msk_stream stream;
  void *memory;
  size_t bytes;                      /* of it and of the scratch memory */
  size_t hidden, intermediate, wide; /* wide: floats of a row of the hidden layer */
  size_t heads, tokens, layers, vocabulary, codes, batch;
  float *block; /* the parameters */
  struct kept *kept;
  struct panels dense, words;
  float *embedded, *last_x; /* before its norm; the last layer's output */
  /* of the last layer's chosen rows: x, and attention's output */
  float *chosen_x, *chosen_attended;
  float *head, *head_gelu, *head_normed, *logits, *losses, *scores, *weights;
  float *gelu, *slope, *slope_across, *qkv_slope, *wide_slope; /* of the backward pass */
  float *qkv_bias;
  size_t *chosen;
  int32_t *targets;
  size_t rows, chosen_count; /* of the pass at hand; 0 chosen: all rows */
};

/* Rows of a layer's second half, and where its first half left them. */
static inline size_t rows_behind(const msk_network *net, size_t layer) {
  return net->chosen_count > 0 && layer + 1 == net->layers ? net->chosen_count : net->rows;
}

/* y = x W + bias (+ residual); strides 0: dense. */
void apply_dense(msk_network *net, const float *panels, size_t depth, size_t columns,
                 const float *bias, const float *x, size_t x_stride, const float *residual,
                 float *y, size_t y_stride, size_t rows);

void apply_distance(msk_network *net, size_t index, size_t pairs, msk_distance distance,
                    const float *weights);

void backward_head(msk_network *net, float *gradients);
/* From the gradient by a layer's output, in net->slope, to that by its input, there too. */
void backward_layer(msk_network *net, size_t layer, float *gradients,
                    const msk_pair_batch *distances);
/* The same from nothing but the distances of this layer's attention. */
void backward_keys(msk_network *net, size_t layer, float *gradients,
                   const msk_pair_batch *distances);
void backward_embedding(msk_network *net, const int32_t *tokens, float *gradients);

#endif
