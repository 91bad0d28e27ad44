/* SPDX-License-Identifier: Apache-2.0
 *
 * candidates.h - what the command line says of candidates (app/rank.h), and how they are told. */
#ifndef CLI_CANDIDATES_H
#define CLI_CANDIDATES_H

#include <jansson.h>

#include "app/rank.h"
#include "all_options.h"

/* Judges the options of candidates before any work. */
msk_status candidates_check(const cli_options *options, const msk_recipe *recipe, msk_error *error);
/* Whether a --guidance value is a list for candidates, and no recipe setting. */
bool candidates_take_setting(const cli_options *options, const cli_setting *setting);
/* Fills in what the order says of candidates. */
msk_status candidates_fill(order *o, const cli_options *options, msk_error *error);
/* How many candidates are drawn to the end. */
int candidates_finished(const order *o);
/* How they are ranked. Opens the CLIP that is named, or else the one that comes along; there
 * being none (wishes->clip stays NULL) is no error, but said. likeness_close() it. */
msk_status candidates_wishes(rank_wishes *wishes, likeness *clip, const cli_options *options,
                             msk_error *error);

/* " structure -1.2345, text 0.2345, ..." of a contender, for people. */
void candidates_describe(char *text, size_t bytes, const contender *c);
/* The scores as a JSON object. */
json_t *candidates_scores(const contender *c);
/* Print the JSON objects of those that were not written: a finished one; all that were dropped. */
msk_status candidates_print(const order *o, const contender *c, msk_error *error);
msk_status candidates_print_dropped(const order *o, const msk_result *result, msk_error *error);
#endif
