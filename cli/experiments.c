/* SPDX-License-Identifier: Apache-2.0
 * experiments.c - eval and distance: what the command line says, as the experiments take it. */
#include "actions.h"
#include "eval/eval.h"

msk_status action_eval(const cli_options *options, msk_error *error) {
  const eval_order order = {.spec = options->inputs[0],
                            .folder = options->output,
                            .judge = options->judge,
                            .clip = options->clip,
                            .model = cli_model_choice(options),
                            .quiet = options->quiet != 0};
  return eval_run(&order, error);
}

msk_status action_distance(const cli_options *options, msk_error *error) {
  const eval_comparison comparison = {
      .folders = {options->inputs[0], options->inputs[1]},
      .judge = options->judge,
      .clip = options->clip,
      .kind = options->features == FEATURES_CLIP ? FEATURES_CLIP : FEATURES_JUDGE,
      .how = cli_model_choice(options),
      .json = options->json != 0,
      .quiet = options->quiet != 0};
  return eval_compare(&comparison, error);
}
