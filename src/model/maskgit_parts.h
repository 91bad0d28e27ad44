/* SPDX-License-Identifier: Apache-2.0
 *
 * maskgit_parts.h - the inside of a msk_maskgit, shared by what loads it (maskgit_load.c) and what
 * runs it (maskgit.c). */
#ifndef MSK_MODEL_MASKGIT_PARTS_H
#define MSK_MODEL_MASKGIT_PARTS_H

#include "model/maskgit.h"

struct layer {
  msk_linear *qkv, *out, *up, *down;
  msk_norm attention_norm, output_norm;
};

struct msk_maskgit {
  msk_maskgit_config config;
  const msk_device *device;
  float *kept; /* norms, embeddings */
  size_t kept_floats;
  msk_rows words, positions;
  msk_norm embedding_norm, head_norm;
  struct layer *layers;
  msk_linear *dense, *head;
};

#endif
