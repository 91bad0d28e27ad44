/* SPDX-License-Identifier: Apache-2.0
 *
 * drawing.h - an order at the command line: draw, generate and edit fill it in from options,
 * replay from a PNG's text; drawing_run() makes and writes the pictures. */
#ifndef CLI_DRAWING_H
#define CLI_DRAWING_H

#include "app/order.h"
#include "app/output.h"
#include "all_options.h"

typedef struct drawing {
  const cli_options *options;
  msk_model *model;
  order order;
  /* replay: the text for the new PNG, as the old one has it; else NULL */
  const char *verbatim;
  char output[MAX_PATH_BYTES];
} drawing;

/* Makes the pictures (app/run.h), each written when it is finished. */
msk_status drawing_run(drawing *d, msk_error *error);
void drawing_free(drawing *d);
#endif
