/* SPDX-License-Identifier: Apache-2.0
 *
 * convert_tensors.h - the tensors of a run-time file, made from two imported networks: which
 * there are, of which type, and their bytes. Each is made twice, once for the hash and once for
 * the file, so that memory for the largest is enough. */
#ifndef MSK_API_CONVERT_TENSORS_H
#define MSK_API_CONVERT_TENSORS_H

#include "api/import.h"
#include "masksketch_tools.h"
#include "model/maskgit.h"

typedef struct msk_outputs {
  const msk_import *imports; /* tokenizer, transformer */
  const msk_maskgit_config *transformer;
  const msk_convert_options *options;
  msk_error *error;
  /* Made here: */
  msk_tensor *tensors; /* in file order; their data point to their origins */
  size_t count;
  struct msk_origin *origins;
  char (*names)[MSK_WEIGHT_NAME];
  float *values, *scratch;  /* the largest tensor */
  float *scales, *inverses; /* of the widest one in codes */
  size_t widest;
} msk_outputs;

msk_status msk_outputs_list(msk_outputs *outputs);
/* SHA-256 over all bytes in file order. Refuses what is not finite, before or after narrowing,
 * and codes out of range. */
msk_status msk_outputs_hash(msk_outputs *outputs, char text[65]);
/* A msk_tensor_fill. */
msk_status msk_outputs_fill(void *outputs, size_t index, void *out, msk_error *error);
void msk_outputs_free(msk_outputs *outputs);
#endif
