/* SPDX-License-Identifier: Apache-2.0
 *
 * drawing.h - an order at the command line: draw, generate and edit fill it in from options,
 * replay from a PNG's text; drawing_run() makes and writes the pictures. */
#ifndef CLI_DRAWING_H
#define CLI_DRAWING_H

#include "app/order.h"
#include "app/output.h"
#include "candidates.h"

/* Where results go, and what is said meanwhile. */
typedef struct result_options {
  const char *output, *tokens_out, *trace;
  int quality;
  bool no_metadata, preview, json, quiet;
} result_options;
extern const cli_table result_table;

typedef struct drawing {
  const cli_line *line;
  const result_options *results;
  const model_choice *machine;
  const char *film, *sheet;            /* NULL: none */
  const candidate_options *candidates; /* NULL: of a command without */
  msk_model *model;
  order order;
  /* replay: the text for the new PNG, as the old one has it; else NULL */
  const char *verbatim;
  char output[MAX_PATH_BYTES];
} drawing;

/* --output, or else `name`, which gets a number where it is taken. */
msk_status drawing_choose_output(drawing *d, const char *name, msk_error *error);
/* Makes the pictures (app/run.h), each written when it is finished. */
msk_status drawing_run(drawing *d, msk_error *error);
void drawing_free(drawing *d);
#endif
