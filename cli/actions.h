/* SPDX-License-Identifier: Apache-2.0
 * actions.h - what each command does. Commands that make pictures share one path: drawing.h. */
#ifndef CLI_ACTIONS_H
#define CLI_ACTIONS_H

#include "options.h"

cli_action action_draw, action_generate, action_edit;            /* draw.c */
cli_action action_replay;                                        /* replay.c */
cli_action action_convert, action_classes;                       /* model_commands.c */
cli_action action_info;                                          /* info.c */
cli_action action_tokenize, action_detokenize, action_attention; /* parts.c */
cli_action action_sheet;                                         /* sheet.c */
cli_action action_score;                                         /* score.c */
cli_action action_bench;                                         /* bench.c */
cli_action action_eval, action_distance;                         /* experiments.c */
#endif
