/* SPDX-License-Identifier: Apache-2.0
 *
 * font.h - a bitmap font of 5 x 7 dots in cells of 6 x 9, for the labels of contact sheets.
 * ASCII; of other letters the accent is left out.
 */
#ifndef CLI_FONT_H
#define CLI_FONT_H

#include "masksketch.h"

enum { FONT_WIDTH = 6, FONT_HEIGHT = 9 };

/* Writes UTF-8 text in black, each dot `scale` pixels wide; what does not fit into `width`
 * pixels is cut off. */
void font_draw(msk_image *image, int left, int top, int width, int scale, const char *text);
#endif
