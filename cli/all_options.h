/* SPDX-License-Identifier: Apache-2.0
 *
 * all_options.h - what drawing.c and candidates.c are told, each command filling in its part. -1 and NULL mean "not given". */
#ifndef CLI_ALL_OPTIONS_H
#define CLI_ALL_OPTIONS_H

#include "app/model_path.h"
#include "options.h"
#include "shared_options.h"

typedef recipe_setting cli_setting;

typedef struct cli_options {
  const cli_line *line;
  char **inputs; /* positional arguments, in order */
  int input_count;
  const char *output, *model, *isa, *recipe, *class_text, *lambda_map, *mask, *box, *extend,
      *tokens_out, *trace, *sheet;
  const char *text, *clip;
  double weight_text, weight_sketch, weight_structure, weight_confidence, drop_from;
  uint64_t seed;
  int candidates, finish;
  const char *film;
  int count, first_item, threads, quality;
  /* index into the option's choices */
  int precision, decode_precision, rng, fit, invert;
  int keep;
  bool json, quiet, no_metadata, preview, photo_of_paper, memory;
  cli_setting settings[MAX_SETTINGS];
  int setting_count;
} cli_options;

static inline msk_status cli_check_output(const char *path, const cli_options *options,
                                          msk_error *error) {
  return cli_output_check(options->line, path, 1, error);
}

static inline model_choice cli_model_choice(const cli_options *options) {
  return (model_choice){.name = options->model,
                        .isa = options->isa,
                        .precision = options->precision,
                        .decode_precision = options->decode_precision,
                        .threads = options->threads,
                        .tell_memory = options->memory};
}

static inline void cli_take_model(cli_options *options, const model_choice *model) {
  options->model = model->name;
  options->isa = model->isa;
  options->precision = model->precision;
  options->decode_precision = model->decode_precision;
  options->threads = model->threads;
  options->memory = model->tell_memory;
}

#endif
