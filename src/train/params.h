/* SPDX-License-Identifier: Apache-2.0
 *
 * params.h - the transformer's parameters as one flat block of floats, in the order and under the
 * names of its weight table (maskgit.h), each tensor at a cache line's begin. Gradients, moments
 * and averages are blocks of the same layout. The layout is immutable after its creation. */
#ifndef MSK_TRAIN_PARAMS_H
#define MSK_TRAIN_PARAMS_H

#include "model/maskgit.h"

typedef struct msk_param {
  msk_tensor tensor; /* name, shape, elements; no data */
  size_t offset;     /* in floats */
} msk_param;

typedef struct msk_params {
  msk_maskgit_config config;
  const msk_allocator *allocator;
  msk_param *list; /* `count` of them; the names are the layout's own */
  size_t count, floats;
} msk_params;

msk_status msk_params_create(msk_params **params, const msk_maskgit_config *config,
                             const msk_allocator *allocator, msk_error *error);
void msk_params_destroy(msk_params *params);

/* Fills a block from the tensors of a file, whose names begin with `prefix`. Checked: every tensor
 * is there, and finite. */
msk_status msk_params_read(const msk_params *params, const msk_weight_file *file,
                           const char *prefix, float *block, msk_error *error);

/* Where the tensors lie in a block. Matrices are in x out, row-major. */
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
