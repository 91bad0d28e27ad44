/* SPDX-License-Identifier: Apache-2.0
 *
 * area.h - the area mean: what the judge sees. A pixel of the result is the mean of the picture
 * over that pixel's rectangle, partly covered pixels counted by their part; so shrinking by a
 * whole number is the plain mean, and enlarging is by blocks with mixed borders. Rows and
 * columns are scaled apart from each other (a picture that is not square is stretched).
 * training/judge.py defines it once more. */
#ifndef MSK_IMAGE_AREA_H
#define MSK_IMAGE_AREA_H

#include "masksketch.h"

/* in: height x width x 3 bytes -> out: size x size x 3 floats in 0..255. `row`: width x 3
 * doubles of scratch. Sums run in float64. */
void msk_area_mean(const uint8_t *in, size_t width, size_t height, size_t size, double *row,
                   float *out);

#endif
