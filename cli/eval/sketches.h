/* SPDX-License-Identifier: Apache-2.0
 *
 * sketches.h - the drawings of a SPEC: how each is prepared, and what stays in memory of it, a
 * view of 256 x 256 pixels. Drawings at a model's size are read again when they are needed, so
 * that memory does not grow with the files. */
#ifndef CLI_EVAL_SKETCHES_H
#define CLI_EVAL_SKETCHES_H

#include "eval/spec.h"

enum { VIEW_SIDE = 256 };

typedef struct eval_sketches {
  const eval_spec *spec;
  int count;
  msk_image *views; /* VIEW_SIDE x VIEW_SIDE each */
  uint8_t **shapes; /* of the views: VIEW_SIDE x VIEW_SIDE, 1 inside */
} eval_sketches;

/* Reads all of them; the first that cannot be read is named. */
msk_status eval_sketches_open(eval_sketches *sketches, const eval_spec *spec, msk_error *error);
void eval_sketches_free(eval_sketches *sketches);
/* Drawing `index` prepared for a model; `official`: as the authors' code reads it. */
msk_status eval_sketches_prepare(msk_image *out, const eval_spec *spec, int index, int side,
                                 bool official, msk_error *error);
#endif
