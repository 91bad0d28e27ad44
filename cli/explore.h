/* SPDX-License-Identifier: Apache-2.0
 *
 * explore.h - a picture of what chosen tokens of a sketch attend to in each layer, and beside it
 * what the photo's tokens at the same places attend to. */
#ifndef CLI_EXPLORE_H
#define CLI_EXPLORE_H

#include "masksketch.h"

enum { MAX_POINTS = 16 };

/* Attention of one picture, or of a sketch and a photo. */
typedef struct attention_maps {
  msk_model_info info;
  int layers[MSK_MAX_LAYERS], layer_count, pictures;
  msk_image image[2]; /* of the model's size */
  float *maps[2];     /* layer_count x heads x tokens x tokens */
} attention_maps;

typedef struct cell {
  int x, y;
} cell;

/* Paints a row for each cell of the model's latent grid. The canvas is the caller's to free. */
msk_status explore_paint(msk_image *canvas, const attention_maps *maps, const cell *cells,
                         int count, msk_error *error);
#endif
