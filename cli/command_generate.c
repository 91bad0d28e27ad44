/* SPDX-License-Identifier: Apache-2.0
 * command_generate.c - generate: a photo of a class, without a sketch. */
#include "picture_options.h"

static msk_status action(const cli_line *line, msk_error *error) {
  const picture_job job = {.job = MSK_JOB_GENERATE};
  drawing d = {.line = line};
  return pictures_make(&d, line->options, &job, NULL, error);
}

static const cli_option rows[] = {
    {.type = CLI_INCLUDE, .include = &picture_table},
    {.type = CLI_END},
};

const cli_usage generate_usage = {"--class CLASS [-o OUT]",
                                  0,
                                  0,
                                  rows,
                                  sizeof(picture_options),
                                  .action = action,
                                  .with_recipes = true,
                                  .job = MSK_JOB_GENERATE};
