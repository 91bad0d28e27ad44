/* SPDX-License-Identifier: Apache-2.0
 *
 * clip.h - CLIP's two towers in Hugging Face's layout (pre-LN transformers; docs/clip.md):
 * pictures and texts to vectors of one space. Sizes are config.json's, and every tensor is held
 * against them. Immutable after loading. */
#ifndef MSK_MODEL_CLIP_H
#define MSK_MODEL_CLIP_H

#include "compute/backend.h"
#include "model/vqgan.h"

typedef struct msk_clip_tower {
  size_t layers, hidden, heads, intermediate;
  msk_activation activation;
  float epsilon;
} msk_clip_tower;

typedef struct msk_clip_config {
  msk_clip_tower text, vision;
  size_t positions, vocabulary; /* text */
  size_t image_size, patch;     /* vision */
  size_t projection;
  int32_t end_token; /* as config.json has it; 2: the largest id ends a text (OpenAI's files) */
} msk_clip_config;

/* config.json, what it leaves out being Hugging Face's default. Foreign: at most 64 KiB, every
 * size within bounds. */
msk_status msk_clip_config_parse(msk_clip_config *config, const void *bytes, size_t byte_count,
                                 const char *path, msk_error *error);

/* Of a picture: its patches, and the class token before them. */
static inline size_t msk_clip_vision_tokens(const msk_clip_config *config) {
  size_t side = config->image_size / config->patch;
  return 1 + side * side;
}

typedef struct msk_clip_towers msk_clip_towers;
msk_status msk_clip_towers_load(msk_clip_towers **towers, const msk_device *device,
                                const msk_weight_file *file, const msk_clip_config *config,
                                msk_pool *pool, msk_error *error);
void msk_clip_towers_destroy(msk_clip_towers *towers);
float msk_clip_towers_logit_scale(const msk_clip_towers *towers); /* before exp() */

/* Vectors before normalisation; temporaries come from the arena and go back. observer may be
 * NULL: it sees "vision/patches", "vision/embeddings", "vision/pre_layrnorm", "vision/layerL",
 * "vision/pooled", "text/embeddings", "text/layerL", "text/pooled". pixels: [batch, image_size,
 * image_size, 3] normalised. ids: [batch, tokens], tokens <= positions, host memory,
 * 0..vocabulary-1, each row with an end token; what stands behind it has no effect. */
void msk_clip_embed_pixels(const msk_clip_towers *towers, msk_stream *stream, msk_arena *arena,
                           const float *pixels, size_t batch, float *vectors,
                           const msk_observer *observer);
void msk_clip_embed_ids(const msk_clip_towers *towers, msk_stream *stream, msk_arena *arena,
                        const int32_t *ids, size_t batch, size_t tokens, float *vectors,
                        const msk_observer *observer);
#endif
