/* SPDX-License-Identifier: Apache-2.0
 * command_eval.c - eval: a grid of settings, drawings and seeds, from a SPEC to a report. */
#include "commands.h"
#include "eval/eval.h"
#include "shared_options.h"

static msk_status action(const cli_line *line, msk_error *error) {
  eval_order asked = *(const eval_order *)line->options;
  asked.spec = line->inputs[0];
  return eval_run(&asked, error);
}

static const cli_option rows[] = {
    {"output", 'o', "FOLDER", CLI_A_FOLDER(eval_order, folder),
     .help = "where the results go, and where a stopped evaluation goes on",
     .otherwise = "the SPEC's name with -results, in the working directory"},
    CLI_JUDGE_ROW(eval_order, judge),
    CLI_CLIP_ROW(eval_order, clip),
    CLI_ADAPTER_ROW(eval_order, model.adapters),
    CLI_QUIET(eval_order),
    CLI_TABLE(eval_order, model, model_table),
    {.type = CLI_END},
};

const cli_usage eval_usage = {"SPEC.json [-o FOLDER]", 1, 1, rows, sizeof(eval_order),
                              .action = action};
