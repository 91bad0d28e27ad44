/* SPDX-License-Identifier: Apache-2.0
 * command_npz.c - npz: the pictures of a folder in one array, as published evaluators read them. */
#include <string.h>

#include "app/output.h"
#include "commands.h"
#include "eval/npz.h"

static msk_status action(const cli_line *line, msk_error *error) {
  npz_order asked = *(const npz_order *)line->options;
  const size_t length = strlen(asked.output);
  asked.folder = line->inputs[0];
  if (length < 5 || strcmp(asked.output + length - 4, ".npz") != 0)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "the output %s names no .npz, expected a name that ends so", asked.output);
  msk_status status = cli_output_check(line, "output", asked.output, 1, error);
  return status == MSK_OK ? npz_write(&asked, error) : status;
}

static const cli_option rows[] = {
    {"output", 'o', "FILE.npz", CLI_AN_OUTPUT(npz_order, output), .needed = "the name of the array",
     .help = "where the array goes"},
    {"size", 0, "N", CLI_AN_INT(npz_order, size, 1, 4096),
     .help = "pixels a side: the centre of each picture, brought to that size",
     .otherwise = "as they are, and all have to be alike"},
    CLI_FORCE,
    CLI_QUIET(npz_order),
    {.type = CLI_END},
};

const cli_usage npz_usage = {"FOLDER -o FILE.npz", 1, 1, rows, sizeof(npz_order), .action = action};
