/* SPDX-License-Identifier: Apache-2.0
 *
 * pen.h - drawings made of strokes: reads the stroke files of training/sketches (SVG paths on a
 * 256 x 256 sheet: M L C Q Z, absolute), draws them as different people would, and says which
 * shape a drawing encloses. The same strokes and hand give the same bytes. */
#ifndef MSK_QUALITY_PEN_H
#define MSK_QUALITY_PEN_H

#include <stdbool.h>

#include "masksketch.h"

enum {
  PEN_SHEET = 256,
  PEN_MAX_POINTS = 8192,
  PEN_MAX_LINES = 128,
  PEN_SHAPE = PEN_SHEET * PEN_SHEET
};

/* Points of all lines, one after the other; line k is points starts[k] .. starts[k + 1] - 1. */
typedef struct pen_strokes {
  float x[PEN_MAX_POINTS], y[PEN_MAX_POINTS];
  int starts[PEN_MAX_LINES + 1], line_count;
} pen_strokes;

/* Text of a stroke file -> strokes; false where it is none (`text` ends with 0). */
bool pen_parse(pen_strokes *strokes, const char *text);
/* Turned by `degrees` about the sheet's centre, `scale` times as large, then moved by (dx, dy). */
void pen_move(pen_strokes *strokes, double degrees, double scale, double dx, double dy);
/* Free curves over the sheet that mean nothing. */
void pen_scribble(pen_strokes *strokes, uint64_t seed);

typedef enum pen_hand {
  PEN_PLAIN,  /* 4 of 256 wide, slight wobble */
  PEN_THIN,   /* 2 wide */
  PEN_THICK,  /* 9 wide */
  PEN_BROKEN, /* a pencil: grey, a third of every line missing */
  PEN_FILLED, /* plain, and what the drawing encloses is grey */
  PEN_PHOTO   /* a photographed sheet: uneven light, a shadow, grain, colour of paper */
} pen_hand;

/* Draws on image->width x image->width pixels (the picture is there already, square). */
void pen_draw(const pen_strokes *strokes, pen_hand hand, uint64_t seed, const msk_image *image);

/* The drawn shape: points of the 256 x 256 sheet that cannot be reached from its border without
 * crossing a line (plain pen, gaps up to about 6 wide closed by dilating and eroding), lines
 * included. shape: PEN_SHAPE bytes, 0 or 1. */
void pen_shape(const pen_strokes *strokes, uint8_t *shape);

#endif
