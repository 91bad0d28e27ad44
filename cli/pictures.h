/* SPDX-License-Identifier: Apache-2.0
 *
 * pictures.h - what the commands that make pictures share: tables of options, and the way from
 * them to an order (drawing.h). */
#ifndef CLI_PICTURES_H
#define CLI_PICTURES_H

#include "commands.h"
#include "all_options.h"
#include "shared_options.h"

/* Where results go, and what is said meanwhile. */
typedef struct result_options {
  const char *output, *tokens_out, *trace;
  int quality;
  bool no_metadata, preview, json, quiet;
} result_options;
extern const cli_table result_table;

/* Of draw, generate and edit. */
typedef struct picture_options {
  const char *class_text, *sheet;
  uint64_t seed;
  int count, first_item, rng;
  recipe_options recipe;
  result_options results;
  model_choice model;
} picture_options;
extern const cli_table picture_table;

#define CLI_FIT_ROW(s)                                                              \
  {                                                                                 \
    "fit", 0, "HOW", CLI_A_CHOICE(s, fit, "stretch pad crop"),                      \
        .initial = "stretch", .help = "how the picture comes to the model's square" \
  }
#define CLI_FILM_ROW(s)                                                                           \
  {                                                                                               \
    "film", 0, "FILE", CLI_AN_OUTPUT(s, film),                                                    \
        .help =                                                                                   \
            "also write a picture of every step: what is drawn, and the structure score of each " \
            "token"                                                                               \
  }

/* What all commands fill in of an order's options. */
cli_options pictures_results(const cli_line *line, const result_options *results,
                             const model_choice *model);
cli_options pictures_begin(const cli_line *line, const picture_options *options);
msk_status pictures_make(const cli_options *options, msk_job job, msk_error *error);
#endif
