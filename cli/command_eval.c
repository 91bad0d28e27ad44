/* SPDX-License-Identifier: Apache-2.0
 * command_eval.c - eval: a grid of settings, drawings and seeds, from a SPEC to a report. */
#include "commands.h"
#include "all_options.h"
#include "shared_options.h"

typedef struct eval_options {
  const char *output, *judge, *clip;
  bool quiet;
  model_choice model;
} eval_options;

static msk_status action(const cli_line *line, msk_error *error) {
  const eval_options *own = line->options;
  cli_options options = {.line = line,
                         .inputs = line->inputs,
                         .input_count = line->input_count,
                         .output = own->output,
                         .judge = own->judge,
                         .clip = own->clip,
                         .quiet = own->quiet};
  cli_take_model(&options, &own->model);
  return action_eval(&options, error);
}

static const cli_option rows[] = {
    {"output", 'o', "FOLDER", CLI_A_FOLDER(eval_options, output),
     .help = "where the results go, and where a stopped evaluation goes on",
     .otherwise = "the SPEC's name with -results, in the working directory"},
    CLI_JUDGE_ROW(eval_options, judge),
    CLI_CLIP_ROW(eval_options, clip),
    CLI_QUIET(eval_options),
    CLI_TABLE(eval_options, model, model_table),
    {.type = CLI_END},
};
static const cli_table table = {NULL, rows};

const cli_usage eval_usage = {.arguments = "SPEC.json [-o FOLDER]",
                              .least_inputs = 1,
                              .most_inputs = 1,
                              .options = &table,
                              .bytes = sizeof(eval_options),
                              .action = action};
