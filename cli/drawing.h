/* SPDX-License-Identifier: Apache-2.0
 *
 * drawing.h - an order at the command line: draw, generate and edit fill it in from options,
 * replay from a PNG's text; drawing_run() makes and writes the pictures. A folder of drawings is
 * one order after the other (draw_folder.h), by one session. */
#ifndef CLI_DRAWING_H
#define CLI_DRAWING_H

#include "app/output.h"
#include "app/progress.h"
#include "app/run.h"
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
  /* of a command with several orders: pictures of all of them, and those made before this one; all
   * 0: this order is the command */
  int all, before;
  bool goes_on; /* the command was stopped: a part of an order's pictures may be there */
  /* drawing_run()'s, for all orders */
  order_run run;
  progress progress;
  bool warned; /* of what the results say is wrong */
} drawing;

/* --output, or else `name`, which gets a number where it is taken. */
msk_status drawing_choose_output(drawing *d, const char *name, msk_error *error);
/* Makes the pictures (app/run.h), each written when it is finished. */
msk_status drawing_run(drawing *d, msk_error *error);
void drawing_free(drawing *d);
#endif
