/* SPDX-License-Identifier: Apache-2.0
 *
 * candidates.h - several candidates for one picture: what the command line asks for, and which
 * of the finished ones are the best. A candidate's terms are its structure score and, where a
 * CLIP is at hand, its likeness to the class as a text and to the sketch; the score is their
 * weighted sum, each as its distance from the candidates' mean in standard deviations. */
#ifndef CLI_CANDIDATES_H
#define CLI_CANDIDATES_H

#include <jansson.h>

#include "drawing.h"

typedef struct contender {
  int result, item, steps;
  double guidance;
  bool with_clip;
  double structure, confidence, text, sketch, score;
} contender;

/* Judges the options of candidates before any work. */
msk_status candidates_check(const cli_options *options, const msk_recipe *recipe, msk_error *error);
/* Whether a --guidance value is a list for candidates, and no recipe setting. */
bool candidates_take_setting(const cli_options *options, const cli_setting *setting);
/* Fills in what the request says of candidates; the scales lie in d->scales. */
msk_status candidates_fill(drawing *d, msk_error *error);
/* How many candidates are drawn to the end. */
int candidates_finished(const drawing *d);
/* Opens the CLIP that is named, or else the one that comes along; there being none (*clip stays
 * NULL) is no error, but said. */
msk_status candidates_open_clip(msk_clip **clip, const drawing *d, msk_error *error);
/* The finished candidates of a result, best first; *contenders is malloc'ed, result->count of
 * them. clip: NULL where there is none. */
msk_status candidates_judge(const drawing *d, msk_clip *clip, const msk_result *result,
                            contender **contenders, msk_error *error);
/* " structure -1.2345, text 0.2345, ..." of a contender, for people. */
void candidates_describe(char *text, size_t bytes, const contender *c);
/* The scores as a JSON object. */
json_t *candidates_scores(const contender *c);
/* Prints the JSON objects of those that were not written: finished ones from rank `kept` on,
 * then those that were dropped. */
msk_status candidates_print_rest(const drawing *d, const msk_result *result,
                                 const contender *contenders, int kept, msk_error *error);
#endif
