/* SPDX-License-Identifier: Apache-2.0
 *
 * drawing.h - one order of pictures, whichever command it comes from: draw, generate and edit
 * fill it in from the command line, replay from a PNG's text; drawing_run() makes and writes the
 * pictures. */
#ifndef CLI_DRAWING_H
#define CLI_DRAWING_H

#include <stdbool.h>

#include "app/output.h"
#include "all_options.h"

typedef struct drawing {
  const cli_options *options;
  msk_model *model;
  msk_model_info info;
  /* first_item and count of the whole order; its pointers lead to the fields below */
  msk_request request;
  /* prepared: image_size x image_size; empty for generate, and where only the tokens are known */
  msk_image picture;
  msk_image mask, lambda_map;
  int32_t *sketch_tokens; /* draw: tokens - 1 of them, malloc'ed; NULL until known */
  /* replay: the text for the new PNG, as the old one has it; else NULL */
  const char *verbatim;
  double scales[MSK_MAX_CANDIDATES]; /* guidance scales of candidates */
  int kept;                          /* replay of a batch: the one item wanted; else -1 */
  char output[MAX_PATH_BYTES];
} drawing;

/* Makes the pictures one after the other (official: together), each written when it is finished. */
msk_status drawing_run(drawing *d, msk_error *error);
void drawing_free(drawing *d);
/* True if the items of the order run as one batch, as the authors' code does. */
static inline bool drawing_is_batch(const drawing *d) { return d->request.recipe.official != 0; }
#endif
