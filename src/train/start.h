/* SPDX-License-Identifier: Apache-2.0
 *
 * start.h - the weights that training begins with: random, with a spread that keeps activations of
 * order one; words from the codebook, so that like codes begin alike; positions from smooth
 * functions of row and column. Worth 0.8 nats after 4,000 sequences. */
#ifndef MSK_TRAIN_START_H
#define MSK_TRAIN_START_H

#include "train/params.h"
#include "train/random.h"

/* codebook: codes x dim. */
msk_status msk_params_start(const msk_params *params, const float *codebook, size_t codes,
                            size_t dim, uint64_t seed, float *block, msk_error *error);

/* A transformer's vocabulary (codes, labels, mask) and that of a file. */
typedef struct msk_start_vocabulary {
  size_t codes, file_codes;
  bool same_codes; /* or they mean others, */
  /* codes x file_codes: how often each stands where each of the file's does, so that it begins as
   * the mean of those; what never did, and all of them where this is NULL, stay as the block has
   * them */
  const float *together;
  size_t labels, file_labels;
  const int *of; /* labels: which of the file's each is, or -1: none. NULL: each is itself */
} msk_start_vocabulary;

/* From the transformer of a model file, whose tensors' names begin with `prefix`. It may have fewer
 * units in its MLPs: those behind them begin with random inputs (of `seed`) and outputs of zero, so
 * that the network computes what it did. And it may have another vocabulary, if that is not NULL: a
 * label that it does not know begins as the mean of all of its own. Of other sizes, or not finite:
 * MSK_ERROR_FILE, and the block's values are then of no use. */
msk_status msk_params_start_from(const msk_params *params, const msk_weight_file *file,
                                 const char *prefix, const msk_start_vocabulary *vocabulary,
                                 uint64_t seed, float *block, msk_error *error);

/* Likewise from a tokenizer, all but the tensor `except` (NULL: all). Its decoder may have
 * fewer residual blocks a level, file_blocks for `blocks`: those behind them keep what the block
 * of parameters has for them, but end in zeros, so that the network computes what it did. */
msk_status msk_params_start_from_tokenizer(const msk_params *params, size_t blocks,
                                           const msk_weight_file *file, const char *prefix,
                                           size_t file_blocks, const char *except, float *block,
                                           msk_error *error);

#endif
