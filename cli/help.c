/* SPDX-License-Identifier: Apache-2.0
 * help.c - see help.h. */
#include "help.h"
#include "masksketch_tools.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/progress.h"

enum { INDENT = 26, NARROW = 60, NARROW_INDENT = 6 };

/* ---- Texts ---- */

void help_describe(char text[HELP_BYTES], const cli_option *option) {
  size_t used = (size_t)snprintf(text, HELP_BYTES, "%s", option->help);
  if (option->type == CLI_INT || option->type == CLI_REAL)
    used += (size_t)snprintf(text + used, HELP_BYTES - used, ", %d to %d", option->minimum,
                             option->maximum);
  const char *word;
  for (int i = 0, length = 0, next = 0;
       option->type == CLI_CHOICE && (word = cli_word(option, i, &length)) != NULL; i++) {
    const char *separator = cli_word(option, i + 1, &next) != NULL ? ", " : " or ";
    used += (size_t)snprintf(text + used, HELP_BYTES - used, "%s%.*s", i == 0 ? ": " : separator,
                             length, word);
  }
  const char *otherwise = option->initial != NULL ? option->initial : option->otherwise;
  if (otherwise != NULL) snprintf(text + used, HELP_BYTES - used, " (default: %s)", otherwise);
}

/* Words of a text from the column `at` on; lines after the first begin at `indent`. */
static void print_wrapped(const char *text, int at, int indent) {
  bool first = true;
  const int columns = progress_columns(STDOUT_FILENO);
  while (*text != 0) {
    const int length = (int)strcspn(text, " ");
    if (!first && at + 1 + length > columns) {
      printf("\n%*s", indent, "");
      at = indent;
      first = true;
    }
    printf("%s%.*s", first ? "" : " ", length, text);
    at += length + !first;
    first = false;
    text += length + (text[length] == ' ');
  }
  putchar('\n');
}

/* `left`, then the text in a column of its own, or below it where there is no room beside. */
static void print_pair(const char *left, const char *text) {
  if (progress_columns(STDOUT_FILENO) < NARROW) {
    printf("  %s\n%*s", left, NARROW_INDENT, "");
    print_wrapped(text, NARROW_INDENT, NARROW_INDENT);
    return;
  }
  printf("  %-*s", INDENT - 2, left);
  if (strlen(left) > INDENT - 3) printf("\n%*s", INDENT, "");
  print_wrapped(text, INDENT, INDENT);
}

/* ---- Help ---- */

static void print_option(const cli_option *option) {
  char left[64], text[HELP_BYTES];
  const char letter[] = {'-', option->letter, ',', ' ', 0};
  snprintf(left, sizeof left, "%s--%s%s%s", option->letter != 0 ? letter : "    ", option->name,
           option->argument == NULL ? "" : " ", option->argument == NULL ? "" : option->argument);
  help_describe(text, option);
  print_pair(left, text);
}

static void print_recipes(msk_job job) {
  const char *help = NULL;
  printf("\nRecipes (--recipe):\n");
  for (int i = 0; msk_recipe_name(i) != NULL; i++)
    print_pair(msk_recipe_name(i), msk_recipe_description(i));
  printf("\nKeys of a recipe (--set KEY=VALUE):\n");
  for (int i = 0; msk_recipe_key(i, job, &help) != NULL; i++)
    print_pair(msk_recipe_key(i, job, &help), help);
}

static void print_command(const cli_command *command) {
  cli_row rows[CLI_MAX_ROWS];
  const int count = cli_flatten(rows, command);
  char line[256];
  snprintf(line, sizeof line, "masksketch %s: %s", command->name, command->summary);
  print_wrapped(line, 0, 0);
  putchar('\n');
  snprintf(line, sizeof line, "Usage: masksketch %s %s", command->name, command->usage->arguments);
  print_wrapped(line, 0, 8);
  for (int i = 0; i < count; i++) {
    const char *title = rows[i].title == NULL ? "Options" : rows[i].title;
    if (i == 0 || rows[i].title != rows[i - 1].title) printf("\n%s:\n", title);
    print_option(rows[i].option);
  }
  if (command->usage->with_recipes) print_recipes(command->usage->job);
}

void help_print(const cli_command *command) {
  const char *group = "";
  if (command != NULL) {
    print_command(command);
    return;
  }
  char line[100];
  snprintf(line, sizeof line, "masksketch %s: a sketch and a class in, a photo out", msk_version());
  print_wrapped(line, 0, 0);
  printf("\nUsage: masksketch COMMAND ...\n");
  for (const cli_command *c = cli_commands; c->name != NULL; c++) {
    if (strcmp(c->group, group) != 0) printf("\n%s:\n", c->group);
    group = c->group;
    printf("  %-12s ", c->name);
    print_wrapped(c->summary, 15, 15);
  }
  putchar('\n');
  print_wrapped(
      "masksketch help COMMAND tells more about each; masksketch --version prints the "
      "version.",
      0, 0);
}

/* ---- Pages ---- */

/* `|` would end a table's cell. */
static void print_markdown(const char *text) {
  for (; *text != 0; text++) printf(*text == '|' ? "\\|" : "%c", *text);
}

/* A hyphen that can be typed, and no line that begins with a dot. */
static void print_roff(const char *text) {
  if (*text == '.' || *text == '\'') printf("\\&");
  for (; *text != 0; text++) printf(*text == '-' || *text == '\\' ? "\\%c" : "%c", *text);
}

static void print_page_option(help_format format, const cli_option *option) {
  char text[HELP_BYTES];
  help_describe(text, option);
  const char *argument = option->argument == NULL ? "" : option->argument,
             *space = option->argument == NULL ? "" : " ";
  if (format == HELP_MARKDOWN) {
    printf("| ");
    if (option->letter != 0) printf("`-%c`, ", option->letter);
    printf("`--%s%s", option->name, space);
    print_markdown(argument);
    printf("` | ");
    print_markdown(text);
    printf(" |\n");
  } else {
    printf(".TP\n\\fB");
    if (option->letter != 0) printf("\\-%c\\fR, \\fB", option->letter);
    printf("\\-\\-");
    print_roff(option->name);
    printf("\\fR%s\\fI%s\\fR\n", space, argument);
    print_roff(text);
    putchar('\n');
  }
}

static bool has_table(const cli_command *command, const char *title) {
  cli_row rows[CLI_MAX_ROWS];
  const int count = cli_flatten(rows, command);
  for (int i = 0; i < count; i++) {
    if (rows[i].title == title) return true;
  }
  return false;
}

/* The heading of a command's own options, or of a table with the commands that share it. */
static void print_page_title(help_format format, const cli_command *command, const char *title) {
  const char *separator = "Of ", *quote = format == HELP_MARKDOWN ? "`" : "";
  printf(format == HELP_MARKDOWN ? "\n### %s%s%s\n\n" : ".SS %s%s%s\n", title == NULL ? quote : "",
         title == NULL ? command->name : title, title == NULL ? quote : "");
  for (const cli_command *c = cli_commands; title != NULL && c->name != NULL; c++) {
    if (!has_table(c, title)) continue;
    printf("%s%s%s%s", separator, quote, c->name, quote);
    separator = ", ";
  }
  if (title != NULL) printf(format == HELP_MARKDOWN ? ".\n\n" : ".\n");
  if (format == HELP_MARKDOWN) printf("| option | |\n|---|---|\n");
}

void help_print_page(help_format format) {
  for (const cli_command *c = cli_commands; c->name != NULL; c++) {
    cli_row rows[CLI_MAX_ROWS];
    const int count = cli_flatten(rows, c);
    for (int i = 0; i < count; i++) {
      const cli_command *first = cli_commands;
      const char *title = rows[i].title;
      while (title != NULL && !has_table(first, title)) first++;
      if (title != NULL && first != c) continue;
      if (i == 0 || rows[i - 1].title != title) print_page_title(format, c, title);
      print_page_option(format, rows[i].option);
    }
  }
}
