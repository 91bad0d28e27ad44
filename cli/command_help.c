/* SPDX-License-Identifier: Apache-2.0
 *
 * command_help.c - help [COMMAND]: the same as COMMAND --help; and the option sections of the
 * pages, which `./run pages` puts into docs/. */
#include "commands.h"
#include "help.h"

typedef struct help_options {
  int page; /* a help_format, or -1: for people */
} help_options;

static msk_status action(const cli_line *line, msk_error *error) {
  const help_options *options = line->options;
  const cli_command *command = NULL;
  msk_status status =
      line->input_count > 0 ? cli_find_command(&command, line->inputs[0], error) : MSK_OK;
  if (status != MSK_OK) return status;
  if (options->page >= 0 && command != NULL)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--page tells of all commands: leave %s or --page out", command->name);
  if (options->page >= 0) {
    help_print_page((help_format)options->page);
  } else {
    help_print(command);
  }
  return MSK_OK;
}

static const cli_option rows[] = {
    {"page", 0, "FORMAT", CLI_A_CHOICE(help_options, page, "markdown man"),
     .help = "the options of all commands as docs/commands.md and the man page have them"},
    {.type = CLI_END},
};

const cli_usage help_usage = {"[COMMAND]", 0, 1, rows, sizeof(help_options), .action = action};
