/* SPDX-License-Identifier: Apache-2.0
 * command_distance.c - distance: how far apart two folders of pictures are. */
#include "commands.h"
#include "all_options.h"
#include "shared_options.h"

typedef struct distance_options {
  const char *judge, *clip;
  int features;
  bool json, quiet;
  machine_options machine;
} distance_options;

static msk_status action(const cli_line *line, msk_error *error) {
  const distance_options *own = line->options;
  const cli_options options = {.line = line,
                               .inputs = line->inputs,
                               .input_count = line->input_count,
                               .judge = own->judge,
                               .clip = own->clip,
                               .features = own->features,
                               .json = own->json,
                               .quiet = own->quiet,
                               .isa = own->machine.isa,
                               .threads = own->machine.threads};
  return action_distance(&options, error);
}

static const cli_option rows[] = {
    {"features", 0, "OF", CLI_A_CHOICE(distance_options, features, "judge clip"),
     .initial = "judge",
     .help = "what stands for a picture, the judge's features or CLIP's embeddings"},
    CLI_JUDGE_ROW(distance_options, judge),
    CLI_CLIP_ROW(distance_options, clip),
    CLI_JSON(distance_options, "one JSON object"),
    CLI_QUIET(distance_options),
    CLI_TABLE(distance_options, machine, machine_table),
    {.type = CLI_END},
};
static const cli_table table = {NULL, rows};

const cli_usage distance_usage = {.arguments = "FOLDER FOLDER [--features judge|clip]",
                                  .least_inputs = 2,
                                  .most_inputs = 2,
                                  .options = &table,
                                  .bytes = sizeof(distance_options),
                                  .action = action};
