/* SPDX-License-Identifier: Apache-2.0
 *
 * likeness.h - a CLIP with one text and one sketch in mind, and how well pictures fit them.
 * Belongs to one thread at a time. */
#ifndef APP_LIKENESS_H
#define APP_LIKENESS_H

#include "app/model_path.h"

enum { MAX_TEXT_BYTES = 8192 };
#define LIKENESS_TEXT "a photo of a {class}" /* what is asked where nothing else is */

typedef struct clip_likeness {
  msk_clip *clip; /* NULL: not opened */
  msk_clip_info info;
  float *text, *sketch, *picture; /* embeddings, each info.dimensions; one block, at `text` */
  const char *told;               /* the clip's warning that was told last */
} clip_likeness;

/* choice, model: as in model_path_open_clip(). On failure nothing is left open. Warnings, as where
 * the CPU goes on for a GPU, go to standard error. */
msk_status likeness_open(clip_likeness *l, const char *folder, const model_choice *choice,
                         const msk_model *model, msk_error *error);
void likeness_close(clip_likeness *l);

/* `tokens`, if not NULL: how many the text takes; more than info.text_tokens are cut off. */
msk_status likeness_set_text(clip_likeness *l, const char *text, int *tokens, msk_error *error);
msk_status likeness_set_sketch(clip_likeness *l, const msk_image *sketch, msk_error *error);
/* A text's embedding elsewhere, a picture's to l->picture. */
msk_status likeness_embed_text(clip_likeness *l, const char *text, float *embedding, int *tokens,
                               msk_error *error);
msk_status likeness_embed(clip_likeness *l, const msk_image *picture, msk_error *error);
/* Cosines of a picture with text and sketch; that of one that was not set is 0. */
msk_status likeness_look(clip_likeness *l, const msk_image *picture, double *text, double *sketch,
                         msk_error *error);

/* `text` (NULL: LIKENESS_TEXT) with the name for every {class}. */
msk_status likeness_fill_text(char out[MAX_TEXT_BYTES + 1], const char *text, const char *name,
                              msk_error *error);
/* The same with a class's name up to its first comma: the first synonym. NULL: a thing. */
msk_status likeness_class_text(char out[MAX_TEXT_BYTES + 1], const char *text, const char *name,
                               msk_error *error);
#endif
