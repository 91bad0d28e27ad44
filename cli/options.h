/* SPDX-License-Identifier: Apache-2.0
 *
 * options.h - the commands and the one table of their options. The table drives parsing,
 * `--help`, and the messages about mistakes; the tests hold the man page and docs/commands.md
 * against what `--help` prints. A value that is out of range is refused here, with the range
 * named; what only the library can judge (recipe keys, class names) is kept as text. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>

#include "app/model_path.h"
#include "app/report.h"
#include "masksketch.h"

enum { MAX_SETTINGS = 64, MAX_POINTS = 16, MAX_COUNT = 1000, MAX_THREADS = 256 };

/* A recipe field given by --set or by a short-hand of it; `key` is not terminated. */
typedef struct cli_setting {
  const char *option; /* that it came by: "set", "lambda" */
  const char *key;
  int key_length;
  const char *value;
} cli_setting;

/* What the command line says. Texts point into argv; NULL and -1 mean "not given". */
typedef struct cli_options {
  const struct cli_command *command;
  char **inputs; /* positional arguments, in order */
  int input_count;
  const char *output, *model, *isa, *recipe, *class_text, *lambda_map, *mask, *box, *extend,
      *tokens_out, *trace, *sheet, *latents, *layers;
  const char *tokenizer, *transformer, *classes, *defaults, *name;
  const char *text, *sketch, *clip, *judge;
  const char *listen, *www, *gallery, *api_key, *api_key_file, *allow_host, *allow_origin;
  const char *bench_size, *against;
  double weight_text, weight_sketch, seconds;
  double weight_structure, weight_confidence, drop_from;
  uint64_t seed;
  int candidates, finish;
  const char *film, *at[MAX_POINTS];
  int at_count;
  int count, first_item, threads, quality, columns, rounds;
  /* index into the option's choices */
  int precision, decode_precision, rng, fit, invert, dtype, features;
  int port, workers, queue, connections, keep, request_time, body_limit, open_page, insecure;
  int json, quiet, no_metadata, preview, photo_of_paper, tensors, memory, kernels, int8, help,
      version;
  cli_setting settings[MAX_SETTINGS];
  int setting_count;
} cli_options;

typedef msk_status cli_action(const cli_options *options, msk_error *error);

typedef struct cli_command {
  const char *name, *arguments, *summary;
  int least_inputs, most_inputs;
  cli_action *action;
  int job; /* a msk_job whose recipe keys the help lists, or -1 */
} cli_command;

extern const cli_command cli_commands[];
extern const int cli_command_count;

/* Reads the command line (argv is reordered: positional arguments move to the front).
 * MSK_ERROR_ARGUMENT with what is valid. With --help or --version nothing else is demanded. */
msk_status cli_options_parse(cli_options *options, int argc, char **argv, msk_error *error);
/* Help of a command, or of the program where command is NULL, on standard output. */
void cli_options_help(const cli_command *command);

/* "0,3,5" -> numbers; `what` stands in messages. Each number lies in minimum..maximum. */
msk_status cli_parse_list(const char *text, const char *what, int minimum, int maximum,
                          int *numbers, int limit, int *count, msk_error *error);

/* Refuses an output that is one of the command's inputs, or that cannot be written (output.h):
 * before the work, not after. */
msk_status cli_check_output(const char *path, const cli_options *options, msk_error *error);
/* What the options say of the model. */
model_choice cli_model_choice(const cli_options *options);
#endif
