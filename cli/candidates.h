/* SPDX-License-Identifier: Apache-2.0
 *
 * candidates.h - what the command line says of candidates (app/rank.h), and how they are told. */
#ifndef CLI_CANDIDATES_H
#define CLI_CANDIDATES_H

#include <jansson.h>

#include "app/model_path.h"
#include "app/rank.h"
#include "shared_options.h"

typedef struct candidate_options {
  const char *text, *clip;
  const char *scales; /* "1,2,4": by candidates_take_scales() */
  int candidates, keep, finish;
  double drop_from, weight_structure, weight_text, weight_sketch, weight_confidence;
} candidate_options;
extern const cli_table candidate_table;

/* Takes lists of scales, which --guidance may be given, out of the recipe's settings: returns the
 * last, or NULL. */
const char *candidates_take_scales(setting_list *settings);
/* Judges the options of candidates before any work. */
msk_status candidates_check(const cli_line *line, const candidate_options *options,
                            msk_error *error);
/* Fills in what the order says of candidates. */
msk_status candidates_fill(order *o, const candidate_options *options, msk_error *error);
/* How many candidates are drawn to the end. */
int candidates_finished(const order *o);
/* How they are ranked. Opens the CLIP that is named, or else the one that comes along; there
 * being none (wishes->clip stays NULL) is no error, but said. likeness_close() it. */
msk_status candidates_wishes(rank_wishes *wishes, clip_likeness *clip, const cli_line *line,
                             const candidate_options *options, const model_choice *machine,
                             const msk_model *model, msk_error *error);

/* " structure -1.2345, text 0.2345, ..." of a contender, for people. */
void candidates_describe(char *text, size_t bytes, const contender *c);
/* The scores as a JSON object. */
json_t *candidates_scores(const contender *c);
/* Print the JSON objects of those that were not written: a finished one; all that were dropped. */
msk_status candidates_print(const order *o, const contender *c, msk_error *error);
msk_status candidates_print_dropped(const order *o, const msk_result *result, msk_error *error);
#endif
