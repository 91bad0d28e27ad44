/* SPDX-License-Identifier: Apache-2.0
 *
 * filters.h - what a window of pixels becomes: Pillow's Gaussian blur, greatest and least values,
 * and the area mean. Scratch memory is the caller's. */
#ifndef MSK_IMAGE_FILTERS_H
#define MSK_IMAGE_FILTERS_H

#include "masksketch.h"

/* ---- Pillow's GaussianBlur of 8-bit grey pictures, bit for bit: three extended box blurs along
 * rows, then three along columns ---- */

/* Bytes of scratch that msk_gaussian_blur() needs. */
size_t msk_blur_scratch(int width, int height);
/* Blurs width x height bytes in place. `radius` is the standard deviation in pixels, 0 (a copy)
 * to 10000. */
void msk_gaussian_blur(uint8_t *pixels, int width, int height, float radius, void *scratch);

/* ---- Greatest and least value in a square window around each pixel of a grey picture, at a
 * cost that does not depend on the window ---- */

/* Bytes of scratch that the functions below need. */
size_t msk_morphology_scratch(int width, int height, int radius);
/* In place; the window has 2 * radius + 1 pixels a side, of which those outside the picture do
 * not count. radius >= 0. Closing (greatest, then least) removes what is dark and thinner than
 * the window; opening what is light and thinner. */
void msk_close_dark(uint8_t *pixels, int width, int height, int radius, void *scratch);
void msk_open_light(uint8_t *pixels, int width, int height, int radius, void *scratch);
void msk_least_around(uint8_t *pixels, int width, int height, int radius, void *scratch);

/* ---- The area mean: what the judge sees. A pixel of the result is the mean of the picture over
 * that pixel's rectangle, partly covered pixels counted by their part; so shrinking by a whole
 * number is the plain mean, and enlarging is by blocks with mixed borders. Rows and columns are
 * scaled apart from each other (a picture that is not square is stretched). training/judge.py
 * defines it once more ---- */

/* in: height x width x 3 bytes -> out: size x size x 3 floats in 0..255. `row`: width x 3
 * doubles of scratch. Sums run in float64. */
void msk_area_mean(const uint8_t *in, size_t width, size_t height, size_t size, double *row,
                   float *out);

#endif
