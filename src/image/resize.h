/* SPDX-License-Identifier: Apache-2.0
 *
 * resize.h - Pillow's antialiased resampling of 8-bit pictures, bit for bit (Pillow 9.5 to 12.3:
 * horizontal pass first), for interleaved channels. Works in memory that the caller brings, so
 * that a session can resize without allocating. */
#ifndef MSK_IMAGE_RESIZE_H
#define MSK_IMAGE_RESIZE_H

#include "masksketch.h"

typedef enum msk_filter { MSK_FILTER_BICUBIC = 0, MSK_FILTER_LANCZOS, MSK_FILTER_BOX } msk_filter;

/* Pixels, rows from top to bottom, `channels` (1 or 3) bytes a pixel, no gaps. width and height
 * >= 1. */
typedef struct msk_pixels {
  uint8_t *data;
  int width, height;
} msk_pixels;

/* Bytes of scratch that msk_resize() needs for these sizes; 0 where it needs none, SIZE_MAX
 * where the size overflows. */
size_t msk_resize_scratch(msk_filter filter, int channels, int in_width, int in_height,
                          int out_width, int out_height);
/* Fills out->data from `in`; they must not overlap. `scratch`: 64-byte aligned,
 * msk_resize_scratch() bytes. */
void msk_resize(msk_filter filter, int channels, const msk_pixels *in, const msk_pixels *out,
                void *scratch);

#endif
