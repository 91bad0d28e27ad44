/* SPDX-License-Identifier: Apache-2.0
 *
 * help.h - what the tables of options say to people: help on standard output, in groups and 80
 * columns, and the option sections of docs/commands.md and docs/masksketch.1. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "options.h"

typedef enum help_format { HELP_MARKDOWN, HELP_MAN } help_format;

enum { HELP_BYTES = 512 };

/* Help of a command, or of the program where command is NULL. */
void help_print(const cli_command *command);
/* The options of all commands; what several share once. */
void help_print_page(help_format format);
/* What a row does, with bounds and initial value. */
void help_describe(char text[HELP_BYTES], const cli_option *option);
#endif
