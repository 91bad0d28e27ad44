/* SPDX-License-Identifier: Apache-2.0
 *
 * options.h - options as tables. Each command has its own table in its own file: a row says what
 * an option is called, of what type and within which bounds its value is, what it is without
 * being given, and what it does. The rows drive parsing, the help, the pages' tables and the
 * completions (help.h, completions.h). Values go to a structure of the command's own; a table
 * that several commands share is included, with a structure of its own as a field of theirs. A
 * value out of range is refused here, with the range named; what only the library can judge
 * (recipe keys, class names) is kept as text. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "app/report.h"
#include "masksketch.h"

enum { CLI_MAX_ROWS = 96 }; /* of a command */

typedef enum cli_type {
  CLI_END, /* closes a table */
  CLI_INCLUDE,
  CLI_MARK,   /* no value and no field: cli_given() tells */
  CLI_FLAG,   /* bool */
  CLI_TEXT,   /* const char *, as are the next three */
  CLI_INPUT,  /* a file that is read: no output may be the same */
  CLI_OUTPUT, /* a file that is written */
  CLI_FOLDER,
  CLI_INT,    /* int within minimum..maximum */
  CLI_REAL,   /* double within minimum..maximum, which is not negative */
  CLI_SEED,   /* uint64_t */
  CLI_CHOICE, /* int: number of the word in `word`, or in `detail` */
  CLI_CALL    /* what `take` makes of it */
} cli_type;

typedef struct cli_option cli_option;
typedef msk_status cli_take(void *field, const cli_option *row, const char *value,
                            msk_error *error);

struct cli_option {
  const char *name;     /* "seed" */
  char letter;          /* its short form, or 0 */
  const char *argument; /* what stands for the value in texts; NULL of a flag */
  cli_type type;
  size_t offset; /* of the field in the structure */
  int minimum, maximum;
  const char *detail; /* a choice's words, with spaces between; else take's own */
  cli_take *take;
  const char *(*word)(int index);  /* words that completions offer; NULL past the end */
  const struct cli_table *include; /* whose structure lies at `offset` */
  /* The value where the option is not given, as one would write it. Without: NULL, false, 0, and
   * -1 of a choice. */
  const char *initial;
  const char *bare;      /* a choice that may be given without a value: what it is then */
  const char *otherwise; /* what happens instead where there is no initial value: for texts */
  const char *needed;    /* the option has to be given: what is expected */
  const char *help;
};

/* Rows that help and pages show under one title; NULL: under that of the table around it. */
typedef struct cli_table {
  const char *title;
  const cli_option *rows;
} cli_table;

/* clang-format off: rows that read as rows */

/* Types of rows. `s` is the structure and `f` its field, of which the type is checked. */
#define CLI_AT(s, f, c) .offset = offsetof(s, f) + 0 * sizeof(&((s *)0)->f == (c *)0)
#define CLI_A_FLAG(s, f) .type = CLI_FLAG, CLI_AT(s, f, bool)
#define CLI_A_TEXT(s, f) .type = CLI_TEXT, CLI_AT(s, f, const char *)
#define CLI_AN_INPUT(s, f) .type = CLI_INPUT, CLI_AT(s, f, const char *)
#define CLI_AN_OUTPUT(s, f) .type = CLI_OUTPUT, CLI_AT(s, f, const char *)
#define CLI_A_FOLDER(s, f) .type = CLI_FOLDER, CLI_AT(s, f, const char *)
#define CLI_AN_INT(s, f, least, most) \
  .type = CLI_INT, CLI_AT(s, f, int), .minimum = least, .maximum = most
#define CLI_A_REAL(s, f, least, most) \
  .type = CLI_REAL, CLI_AT(s, f, double), .minimum = least, .maximum = most
#define CLI_A_SEED(s, f) .type = CLI_SEED, CLI_AT(s, f, uint64_t)
#define CLI_A_CHOICE(s, f, words) .type = CLI_CHOICE, CLI_AT(s, f, int), .detail = words
#define CLI_A_NAME(s, f, name) .type = CLI_CHOICE, CLI_AT(s, f, int), .word = name
#define CLI_A_CALL(s, f, call) .type = CLI_CALL, .offset = offsetof(s, f), .take = call

/* Rows that many commands have; CLI_TABLE stands for all rows of a table. */
#define CLI_TABLE(s, f, table) \
  { .type = CLI_INCLUDE, .offset = offsetof(s, f), .include = &table }
#define CLI_QUIET(s) \
  { "quiet", 'q', .help = "no progress and no report on standard error", CLI_A_FLAG(s, quiet) }
#define CLI_JSON(s, what) \
  { "json", .help = what " on standard output", CLI_A_FLAG(s, json) }
#define CLI_FORCE \
  { "force", 'f', .type = CLI_MARK, .help = "replace files that are there already" }
#define CLI_QUALITY(s)                                                                           \
  {                                                                                              \
    "quality", 0, "N", CLI_AN_INT(s, quality, 1, 100), .help = "of JPEG and WebP",               \
                                                       .otherwise = "92 for JPEG, lossless WebP" \
  }

/* clang-format on */

/* A row of a command's table, its levels taken away. */
typedef struct cli_row {
  const cli_option *option;
  const char *title;
  size_t offset; /* in the command's structure */
  bool given;
} cli_row;

/* A command line that was read. Texts point into argv. */
typedef struct cli_line {
  const struct cli_command *command;
  const void *options; /* the command's structure */
  char **inputs;       /* positional arguments, in order */
  int input_count;
  cli_row rows[CLI_MAX_ROWS];
  int row_count;
} cli_line;

typedef msk_status cli_action(const cli_line *line, msk_error *error);

/* What a command takes and does: stands in its file. */
typedef struct cli_usage {
  const char *arguments; /* "SKETCH --class CLASS [-o OUT]" */
  int least_inputs, most_inputs;
  const cli_option *options; /* its rows, or NULL */
  size_t bytes;              /* of its structure */
  cli_action *action;
  bool with_recipes; /* the help lists recipes, and their keys in `job` */
  msk_job job;
} cli_usage;

typedef struct cli_command {
  const char *group, *name, *summary;
  const cli_usage *usage;
} cli_command;

extern const cli_command cli_commands[]; /* main.c; ends with an empty one */

/* The command of that name; else MSK_ERROR_ARGUMENT with the nearest. */
msk_status cli_find_command(const cli_command **command, const char *name, msk_error *error);
/* All rows of a command, --help and --version at the end; returns how many. */
int cli_flatten(cli_row rows[CLI_MAX_ROWS], const cli_command *command);

/* Reads what follows the command's name into `options`, which is the command's structure. argv
 * is reordered: positional arguments move to the front. Standard input and output have one user
 * each. MSK_ERROR_ARGUMENT with what is valid. */
msk_status cli_parse(cli_line *line, void *options, const cli_command *command, int argc,
                     char **argv, msk_error *error);

/* A word that the value can be, of `*length` bytes; NULL past the last. */
const char *cli_word(const cli_option *option, int index, int *length);
/* True if the option was given, and so is more than its initial value. */
bool cli_given(const cli_line *line, const char *name);
/* Refuses the line where both were given. */
msk_status cli_exclude(const cli_line *line, const char *name, const char *other, msk_error *error);

/* Refuses the output of the option `name`, or its `count` numbered files: one that the command also
 * reads or writes twice, that is there already (unless --force was given), or that cannot be
 * written (output.h): before the work, not after. `path` NULL: not given. */
msk_status cli_output_check(const cli_line *line, const char *name, const char *path, int count,
                            msk_error *error);

/* "0,3,5" -> numbers; `what` stands in messages. Each number lies in minimum..maximum. */
msk_status cli_parse_list(const char *text, const char *what, int minimum, int maximum,
                          int *numbers, int limit, int *count, msk_error *error);

#endif
