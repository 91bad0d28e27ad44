/* SPDX-License-Identifier: Apache-2.0
 *
 * preview.h - the picture as it comes, in the terminal (standard error): kitty's graphics
 * protocol or sixel where the terminal says that it has them, else half-block characters in true
 * colour. Sized to the terminal; drawn anew in the same place. */
#ifndef CLI_PREVIEW_H
#define CLI_PREVIEW_H

#include "masksketch.h"

typedef enum preview_kind {
  PREVIEW_NONE = 0,
  PREVIEW_BLOCKS,
  PREVIEW_SIXEL,
  PREVIEW_KITTY
} preview_kind;

typedef struct preview {
  preview_kind kind;
  int columns, rows;             /* cells that the picture takes */
  int pixel_width, pixel_height; /* pixels that are sent */
  int drawn;                     /* the picture stands above the cursor */
} preview;

/* What the terminal can show; PREVIEW_NONE off a terminal. May ask the terminal, where standard
 * input is one too and has nothing waiting.
 */
preview_kind preview_detect(void);
/* Chooses a size for pictures of image_size x image_size. */
void preview_start(preview *p, preview_kind kind, int image_size);
/* Draws float pixels (image_size x image_size x 3, unclamped). Failures are silent: a preview is
 * no result. */
void preview_draw(preview *p, const float *pixels, int image_size);
#endif
