/* SPDX-License-Identifier: Apache-2.0
 *
 * film.h - `--film FILE`: one picture that shows every step of a draw: the completed picture,
 * and under it the structure score of each token (red: unlike the sketch) with the tokens that
 * are masked again in white. Fed by the trace. */
#ifndef CLI_FILM_H
#define CLI_FILM_H

#include "masksketch.h"

typedef struct film film;

/* For a run of at most `steps` steps with `info`'s model. */
msk_status film_create(film **out, const msk_model_info *info, int steps, msk_error *error);
/* Takes one array, of whose items `item` is shown: for msk_callbacks.on_trace. */
void film_take(film *f, const char *name, int step, int item, const msk_array *array);
/* Decodes the steps with `session`, writes the film, and forgets them, so that the next picture
 * can follow. */
msk_status film_write(film *f, msk_session *session, const char *path, int quality,
                      msk_error *error);
void film_free(film *f); /* NULL is ignored */
#endif
