/* SPDX-License-Identifier: Apache-2.0
 *
 * sketches.h - the drawings of a SPEC: how each is prepared, and what is looked at of it, a view of
 * 256 x 256 pixels and the shape that it shows: what its lines enclose, up to the middle of the
 * lines. Of the drawings looked at, some stay in memory; those at a model's size are read again
 * when they are needed. So memory does not grow with the drawings. */
#ifndef EVAL_SKETCHES_H
#define EVAL_SKETCHES_H

#include "eval/spec.h"

enum { VIEW_SIDE = 256, KEPT_SKETCHES = 512 };

typedef struct eval_sketch {
  int index;      /* in the SPEC; -1: an empty place */
  msk_image view; /* VIEW_SIDE x VIEW_SIDE */
  uint8_t *shape; /* of the view: VIEW_SIDE x VIEW_SIDE, 1 inside */
} eval_sketch;

typedef struct eval_sketches {
  const eval_spec *spec;
  int count;
  eval_sketch kept[KEPT_SKETCHES]; /* each has one place, that of its index by the remainder */
} eval_sketches;

/* Looks at all of them, where all can be kept; the first that cannot be read is named. */
msk_status eval_sketches_open(eval_sketches *sketches, const eval_spec *spec, msk_error *error);
void eval_sketches_free(eval_sketches *sketches);
/* Drawing `index`, read again if it was not kept; valid until another is asked for. */
msk_status eval_sketches_look(const eval_sketch **sketch, eval_sketches *sketches, int index,
                              msk_error *error);
/* Drawing `index` prepared for a model; `official`: as the authors' code reads it. */
msk_status eval_sketches_prepare(msk_image *out, const eval_spec *spec, int index, int side,
                                 bool official, msk_error *error);

/* ---- shapes ---- */

/* Shape of a prepared drawing (dark lines on light, width x height), 1 inside, one byte a pixel,
 * rows from top to bottom, to free(). Gaps in the lines are closed: up to 1/40 of the side, or,
 * where the lines then enclose hardly more than themselves, up to 1/16. */
msk_status shape_of_drawing(uint8_t **shape, const msk_image *drawing, msk_error *error);
/* Shape given as a picture: white is inside. */
msk_status shape_of_mask(uint8_t **shape, const msk_image *mask, msk_error *error);
/* Share of the pixels in both shapes among those in either; 1 where both are empty. `inside`:
 * what the judge sees, probabilities of side x side pixels; the shape is looked at in the same
 * places. */
double shape_overlap(const uint8_t *shape, int width, int height, const float *inside, int side);
#endif
