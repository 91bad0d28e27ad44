/* SPDX-License-Identifier: Apache-2.0
 * command_eval.c - eval: a grid of settings, drawings and seeds, from a SPEC to a report. */
#include "commands.h"
#include "eval/eval.h"
#include "shared_options.h"

static msk_status action(const cli_line *line, msk_error *error) {
  eval_order asked = *(const eval_order *)line->options;
  asked.spec = line->inputs[0];
  msk_status status = cli_exclude(line, "shard", "merge", error);
  return status == MSK_OK ? eval_run(&asked, error) : status;
}

static const cli_option rows[] = {
    {"output", 'o', "FOLDER", CLI_A_FOLDER(eval_order, folder),
     .help = "where the results go, and where a stopped evaluation goes on",
     .otherwise = "the SPEC's name with -results, in the working directory"},
    {"shard", 0, "I/N", CLI_A_TEXT(eval_order, shard),
     .help = "make the I-th of N shares of the pictures, I from 1; with all shares made, --merge",
     .otherwise = "what the variables of Slurm and Open MPI say, else everything"},
    {"merge",
     .help = "make nothing, and report what all shards have made; pictures that are "
             "missing or there twice are refused",
     CLI_A_FLAG(eval_order, merge)},
    CLI_JUDGE_ROW(eval_order, judge),
    CLI_CLIP_ROW(eval_order, clip),
    CLI_ADAPTER_ROW(eval_order, model.adapters),
    CLI_QUIET(eval_order),
    CLI_TABLE(eval_order, model, model_table),
    {.type = CLI_END},
};

const cli_usage eval_usage = {"SPEC.json [-o FOLDER]", 1, 1, rows, sizeof(eval_order),
                              .action = action};
