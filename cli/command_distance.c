/* SPDX-License-Identifier: Apache-2.0
 * command_distance.c - distance: how far apart two sets of pictures are, by their features. */
#include "commands.h"
#include "eval/eval.h"
#include "shared_options.h"

static msk_status action(const cli_line *line, msk_error *error) {
  eval_comparison comparison = *(const eval_comparison *)line->options;
  comparison.folders[0] = line->inputs[0];
  comparison.folders[1] = line->inputs[1];
  static const char *const of_networks[] = {"features", "judge", "clip",
                                            "threads",  "isa",   "device"};
  const bool given = eval_is_array(line->inputs[0]) && eval_is_array(line->inputs[1]);
  for (size_t i = 0; given && i < sizeof of_networks / sizeof *of_networks; i++) {
    if (cli_given(line, of_networks[i]))
      return app_fail(error, MSK_ERROR_ARGUMENT,
                      "--%s has no effect on two arrays of features: leave it out", of_networks[i]);
  }
  return eval_compare(&comparison, error);
}

static const cli_option rows[] = {
    {"features", 0, "OF", CLI_A_CHOICE(eval_comparison, kind, "judge clip"), .initial = "judge",
     .help = "what stands for a picture, the judge's features or CLIP's embeddings"},
    CLI_JUDGE_ROW(eval_comparison, judge),
    CLI_CLIP_ROW(eval_comparison, clip),
    CLI_JSON(eval_comparison, "one JSON object"),
    CLI_QUIET(eval_comparison),
    CLI_MACHINE_ROWS(eval_comparison, how.),
    CLI_DEVICE_ROW(eval_comparison, how.device, CLI_DEVICE_OTHERWISE),
    {.type = CLI_END},
};

const cli_usage distance_usage = {
    "A B [--features judge|clip]", 2, 2, rows, sizeof(eval_comparison), .action = action};
