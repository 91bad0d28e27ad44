/* SPDX-License-Identifier: Apache-2.0
 * network_parts.h - the inside of a msk_network, shared by its forward and its backward half. */
#ifndef MSK_TRAIN_NETWORK_PARTS_H
#define MSK_TRAIN_NETWORK_PARTS_H

#include <math.h>

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

/* Of a network that trains what is added to it. */
struct low_parts {
  const msk_low_rank *layout; /* NULL: the network trains its own parameters */
  const float *added;
  float *merged;           /* W + a b, of as much as is packed at once */
  float *panels, *between; /* of a or b; rows x rank */
  float *unwanted;         /* two rows for gradients of what is frozen */
  float *words, *positions;
};

struct msk_network {
  const msk_params *params;
  struct low_parts low;
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

/* Views of `rows` rows: of the hidden size, and of the hidden layer of the MLP. */
static inline msk_rows narrow(const msk_network *net, const float *at, size_t rows) {
  return msk_rows_at(at, rows, net->hidden);
}
static inline msk_rows wide(const msk_network *net, const float *at, size_t rows) {
  return msk_rows_columns(msk_rows_at(at, rows, net->wide), 0, net->intermediate);
}

struct qkv {
  msk_rows q, k, v;
};
static inline struct qkv split_qkv(const msk_network *net, const float *at) {
  size_t d = net->hidden;
  msk_rows whole = msk_rows_at(at, net->rows, 3 * d);
  return (struct qkv){msk_rows_columns(whole, 0, d), msk_rows_columns(whole, d, d),
                      msk_rows_columns(whole, 2 * d, d)};
}

static inline msk_attention_shape attention_shape(const msk_network *net) {
  return (msk_attention_shape){.batch = net->rows / net->tokens,
                               .heads = net->heads,
                               .scale = 1.0f / sqrtf((float)(net->hidden / net->heads))};
}

/* Where the gradients of a layer's own parameters go, and of the others': in a network that trains
 * what is added to it, where nobody looks, but for those of the words. */
msk_layer_params layer_gradients(const msk_network *net, float *gradients, size_t layer);
msk_outer_params outer_gradients(const msk_network *net, float *gradients);
/* Packs a layer's weights with what is added to them, for a pass forward or backward; nothing where
 * they are packed already. */
void pack_layer(msk_network *net, size_t layer, bool backward);
/* The gradients of a and b from the layer's x and the gradient by its output. */
void backward_low(msk_network *net, size_t layer, msk_low_kind kind, msk_rows x, msk_rows dy,
                  float *gradients);

void backward_head(msk_network *net, float *gradients);
/* From the gradient by a layer's output, in net->slope, to that by its input, there too. */
void backward_layer(msk_network *net, size_t layer, float *gradients,
                    const msk_pair_batch *distances);
/* The same from nothing but the distances of this layer's attention. */
void backward_keys(msk_network *net, size_t layer, float *gradients,
                   const msk_pair_batch *distances);
void backward_embedding(msk_network *net, const int32_t *tokens, float *gradients);

#endif
