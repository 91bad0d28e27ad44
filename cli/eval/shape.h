/* SPDX-License-Identifier: Apache-2.0
 *
 * shape.h - the shape that a line drawing shows: what its lines enclose, up to the middle of the
 * lines. */
#ifndef CLI_EVAL_SHAPE_H
#define CLI_EVAL_SHAPE_H

#include "masksketch.h"

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
