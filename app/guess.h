/* SPDX-License-Identifier: Apache-2.0
 * guess.h - which of a model's classes a drawing shows, as a CLIP sees it. Belongs to one thread
 * at a time. */
#ifndef APP_GUESS_H
#define APP_GUESS_H

#include <jansson.h>

#include "app/likeness.h"

typedef struct guess {
  int class_id;
  double score; /* cosine of the drawing and "a sketch of a {class}" */
  double share; /* what CLIP gives it among the model's classes; all together 1 */
} guess;

typedef struct class_guesser {
  clip_likeness *clip; /* not owned */
  int count;           /* of the model's classes, those that are not hidden */
  int *ids;
  float *texts; /* [count][clip->info.dimensions] */
} class_guesser;

/* Embeds the classes' names, which takes the longer the more they are. clip: open, and stays so as
 * long as the guesser. guesser_close() is due in any case. */
msk_status guesser_open(class_guesser *g, clip_likeness *clip, const msk_model *model,
                        msk_error *error);
void guesser_close(class_guesser *g);
/* All g->count classes, the likeliest first. drawing: prepared, as draw takes it. */
msk_status guesser_look(const class_guesser *g, const msk_image *drawing, guess *guesses,
                        msk_error *error);
/* A list of objects, as every face shows what was guessed: id, name, score, share. */
json_t *guesses_list(const class_guesser *g, const msk_model *model, const guess *guesses);
#endif
