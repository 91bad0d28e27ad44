/* SPDX-License-Identifier: Apache-2.0
 *
 * parts.h - what the commands that run the networks one by one share: a model with a session,
 * layers, sequences. */
#ifndef CLI_PARTS_H
#define CLI_PARTS_H

#include "options.h"

typedef struct bench {
  msk_model *model;
  msk_model_info info;
  msk_session *session;
} bench;

/* The picture at `path` at its size, or brought to the model's square. */
msk_status parts_load(msk_image *image, const char *path, const cli_options *options,
                      const bench *b, bool square, msk_error *error);
/* --layers, or those of the recipe. */
msk_status parts_layers(int layers[MSK_MAX_LAYERS], int *count, const cli_options *options,
                        const bench *b, msk_error *error);
/* The sequence of a picture of the model's size: class token, then its tokens. `sequence` has
 * info.tokens. */
msk_status parts_sequence(bench *b, const cli_options *options, const msk_image *image,
                          int32_t *sequence, msk_error *error);
/* attention with --at: what tokens of the sketch attend to, and the same tokens of a photo
 * (explore.c). */
msk_status explore_attention(bench *b, const cli_options *options, const int *layers,
                             int layer_count, msk_error *error);
#endif
