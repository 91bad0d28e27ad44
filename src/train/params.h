/* SPDX-License-Identifier: Apache-2.0
 *
 * params.h - a network's parameters as one flat block of floats, in the order and under the names
 * of its weight table (maskgit.h, vqgan.h), each tensor at a cache line's begin. Gradients, moments
 * and averages are blocks of the same layout. The layout is immutable after its creation. */
#ifndef MSK_TRAIN_PARAMS_H
#define MSK_TRAIN_PARAMS_H

#include "model/maskgit.h"
#include "model/vqgan.h"

/* What changes a tensor: nothing, AdamW, AdamW with decay, Muon. */
typedef enum msk_param_rule {
  MSK_RULE_FIXED,
  MSK_RULE_ADAM,
  MSK_RULE_ADAM_DECAY,
  MSK_RULE_MUON
} msk_param_rule;

typedef struct msk_param {
  msk_tensor tensor; /* name, shape, elements; no data */
  size_t offset;     /* in floats */
  msk_param_rule rule;
  size_t in, out; /* of Muon's: the tensor as a matrix */
} msk_param;

typedef struct msk_params {
  msk_maskgit_config config; /* a transformer's */
  const msk_allocator *allocator;
  msk_param *list; /* `count` of them; the names are the layout's own */
  size_t count, floats;
} msk_params;

msk_status msk_params_create(msk_params **params, const msk_maskgit_config *config,
                             const msk_allocator *allocator, msk_error *error);
/* A tokenizer's. The codebook is fixed, and where the decoder is trained alone the encoder is.
 * muon: it has the kernels, but for those at a half's ends. */
msk_status msk_params_create_tokenizer(msk_params **params, const msk_vqgan_config *config,
                                       bool decoder_alone, bool muon,
                                       const msk_allocator *allocator, msk_error *error);
void msk_params_destroy(msk_params *params);

/* Fills a parameter's part of a block from the tensor `name` of a file. Checked: it is there, of
 * its size, and finite. */
msk_status msk_param_read(const msk_param *param, const msk_weight_file *file, const char *name,
                          float *block, msk_error *error);
/* Fills a block so from the tensors of a file whose names begin with `prefix`. */
msk_status msk_params_read(const msk_params *params, const msk_weight_file *file,
                           const char *prefix, float *block, msk_error *error);

/* Where the tensor of this name lies in a block; NULL: there is none. */
float *msk_params_find(const msk_params *params, float *block, const char *name);

/* Where a transformer's tensors lie in a block, in the order of its weight table. Matrices are in x
 * out, row-major. */
typedef struct msk_layer_params {
  float *query, *query_bias, *key, *key_bias, *value, *value_bias, *out, *out_bias;
  float *attention_scale, *attention_shift, *up, *up_bias, *down, *down_bias;
  float *output_scale, *output_shift;
} msk_layer_params;
typedef struct msk_outer_params {
  float *words, *positions, *scale, *shift; /* embedding and its norm */
  float *dense, *dense_bias, *head_scale, *head_shift, *columns_bias;
} msk_outer_params;
msk_layer_params msk_params_layer(const msk_params *params, float *block, size_t layer);
msk_outer_params msk_params_outer(const msk_params *params, float *block);

#endif
