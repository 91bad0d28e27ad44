/* SPDX-License-Identifier: Apache-2.0
 *
 * clip_parts.h - the inside of a msk_clip_towers, shared by what loads them (clip_load.c) and what
 * runs them (clip.c). */
#ifndef MSK_MODEL_CLIP_PARTS_H
#define MSK_MODEL_CLIP_PARTS_H

#include "model/clip.h"

struct layer {
  msk_linear *qkv, *out, *up, *down;
  msk_norm attention_norm, mlp_norm;
};

/* One tower: what both have. */
struct tower {
  const msk_clip_tower *config;
  const char *name; /* of its stages */
  float *positions; /* [tokens, hidden] */
  struct layer *layers;
  msk_norm last_norm; /* of the one row that is kept */
  msk_linear *projection;
  bool causal;
};

struct msk_clip_towers {
  msk_clip_config config;
  const msk_device *device;
  float *kept; /* norms, embeddings */
  size_t kept_floats;
  float *words, *class_embedding, logit_scale;
  msk_norm first_norm; /* vision */
  msk_linear *patches;
  struct tower text, vision;
};

#endif
