/* SPDX-License-Identifier: Apache-2.0
 * run.h - an evaluation at work: everything that making and reporting its pictures shares. */
#ifndef CLI_EVAL_RUN_H
#define CLI_EVAL_RUN_H

#include "eval/grid.h"
#include "eval/results.h"
#include "eval/scorer.h"

typedef struct evaluation {
  const cli_options *options;
  eval_spec spec;
  eval_grid grid;
  eval_sketches sketches;
  eval_eyes eyes;
  eval_scorer scorer;
  eval_results results;
  char **class_names; /* of each sketch, as the first model calls it */
  json_t *models;     /* of each model: name, hash, isa, precision */
} evaluation;

/* Opens model `index` of the SPEC (or the one that --model names). */
msk_status evaluation_open_model(msk_model **model, const evaluation *e, int index,
                                 msk_error *error);
/* Makes every picture that is not there yet. */
msk_status evaluation_make_pictures(evaluation *e, msk_error *error);
#endif
