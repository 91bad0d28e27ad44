/* SPDX-License-Identifier: Apache-2.0
 *
 * clip_picture.h - CLIP's preprocessing of pictures: the shorter side to n by Pillow's
 * antialiased bicubic, the centre n x n, normalised. */
#ifndef MSK_MODEL_CLIP_PICTURE_H
#define MSK_MODEL_CLIP_PICTURE_H

#include "masksketch.h"

/* The resized and cut picture: n x n x 3 bytes to `out`. MSK_ERROR_ARGUMENT for one so long that
 * resizing it would pass MSK_MAX_PIXELS. */
msk_status msk_clip_cut(uint8_t *out, const msk_image *image, size_t n,
                        const msk_allocator *allocator, msk_error *error);
/* (byte / 255 - mean) / deviation of its channel. */
void msk_clip_normalise(float *out, const uint8_t *bytes, size_t pixels);
#endif
