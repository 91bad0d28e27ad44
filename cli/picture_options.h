/* SPDX-License-Identifier: Apache-2.0
 *
 * picture_options.h - what the commands that make pictures share: tables of options, and the way
 * from them to an order (drawing.h). */
#ifndef CLI_PICTURE_OPTIONS_H
#define CLI_PICTURE_OPTIONS_H

#include "commands.h"
#include "drawing.h"
#include "shared_options.h"

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

/* clang-format off: rows that read as rows */
#define CLI_FIT_ROW(s)                                                              \
  {                                                                                 \
    "fit", 0, "HOW", CLI_A_NAME(s, fit, msk_fit_name),                              \
        .initial = "stretch", .help = "how the picture comes to the model's square" \
  }
#define CLI_FILM_ROW(s)                                                                           \
  {                                                                                               \
    "film", 0, "FILE", CLI_AN_OUTPUT(s, film),                                                    \
        .help =                                                                                   \
            "also write a picture of every step: what is drawn, and the structure score of each " \
            "token"                                                                               \
  }
/* clang-format on */

/* What a command adds on the way from its options to an order. */
typedef struct picture_job {
  msk_job job;
  /* Judges what can be judged without the model; NULL: there is nothing more. */
  msk_status (*check)(const cli_line *line, const void *options, msk_error *error);
  /* Takes what it was given into the order; `source` is the picture that was read, at its own
   * size. NULL: nothing. */
  msk_status (*fill)(order *o, const void *options, msk_image *source, msk_error *error);
} picture_job;

/* Makes and writes them. `d`: line, film, candidates; `own`: the command's options. */
msk_status pictures_make(drawing *d, const picture_options *options, const picture_job *job,
                         const void *own, msk_error *error);

/* Its pieces, for several orders of one command. Judges what can be judged without the model, and
 * sets what the options say of `d`. */
msk_status pictures_judge(drawing *d, const picture_options *options, const picture_job *job,
                          const void *own, msk_error *error);
/* Reads the file that an order is drawn from, at its own size. */
msk_status pictures_read(msk_image *source, const picture_options *options, const picture_job *job,
                         const char *path, msk_error *error);
/* d->order, of what was read, which is released. */
msk_status pictures_fill(drawing *d, const picture_options *options, const picture_job *job,
                         const void *own, int class_id, msk_image *source, msk_error *error);
/* Frees; an error gets the name of the option that it came by. Returns `status`. */
msk_status pictures_end(drawing *d, msk_status status, msk_error *error);
/* A mask or map that lies on the order's picture. */
msk_status pictures_load_map(msk_image *out, const char *path, const order *o, msk_fit fit,
                             msk_error *error);
#endif
