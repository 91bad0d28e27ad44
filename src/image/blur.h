/* SPDX-License-Identifier: Apache-2.0
 *
 * blur.h - Pillow's GaussianBlur of 8-bit grey pictures, bit for bit: three extended box blurs
 * along rows, then three along columns. Works in memory that the caller brings. */
#ifndef MSK_IMAGE_BLUR_H
#define MSK_IMAGE_BLUR_H

#include "masksketch.h"

/* Bytes of scratch that msk_gaussian_blur() needs. */
size_t msk_blur_scratch(int width, int height);
/* Blurs width x height bytes in place. `radius` is the standard deviation in pixels, 0 (a copy)
 * to 10000. */
void msk_gaussian_blur(uint8_t *pixels, int width, int height, float radius, void *scratch);

#endif
