/* SPDX-License-Identifier: Apache-2.0
 *
 * morphology.h - greatest and least value in a square window around each pixel of a grey
 * picture, at a cost that does not depend on the window. */
#ifndef MSK_IMAGE_MORPHOLOGY_H
#define MSK_IMAGE_MORPHOLOGY_H

#include "masksketch.h"

/* Bytes of scratch that the functions below need. */
size_t msk_morphology_scratch(int width, int height, int radius);
/* In place; the window has 2 * radius + 1 pixels a side, of which those outside the picture do
 * not count. radius >= 0. Closing (greatest, then least) removes what is dark and thinner than
 * the window; opening what is light and thinner. */
void msk_close_dark(uint8_t *pixels, int width, int height, int radius, void *scratch);
void msk_open_light(uint8_t *pixels, int width, int height, int radius, void *scratch);

#endif
