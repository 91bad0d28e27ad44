/* SPDX-License-Identifier: Apache-2.0
 * commands.h - every command: what it takes and does stands in command_NAME.c. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "options.h"

extern const cli_usage draw_usage, generate_usage, edit_usage, replay_usage, convert_usage,
    info_usage, classes_usage, teach_usage, train_usage, tokenize_usage, detokenize_usage,
    attention_usage, sheet_usage, score_usage, bench_usage, eval_usage, distance_usage, serve_usage,
    completions_usage, help_usage, krita_usage, pull_usage, npz_usage;
#endif
