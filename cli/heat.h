/* SPDX-License-Identifier: Apache-2.0
 *
 * heat.h - values of a square of tokens, painted over a picture in colours from yellow (little)
 * to red (much); tiles and frames for it. */
#ifndef CLI_HEAT_H
#define CLI_HEAT_H

#include "masksketch.h"

/* A white canvas. */
msk_status heat_canvas(msk_image *canvas, int width, int height, msk_error *error);
/* Puts `image`, scaled to tile x tile, on the canvas. grey: without colour and pale, as a ground
 * for heat. */
msk_status heat_picture(msk_image *canvas, int left, int top, int tile, const msk_image *image,
                        int grey, msk_error *error);
/* Blends heat of cells x cells values over a tile: nothing at `low` or below, most at `high`. */
void heat_values(msk_image *canvas, int left, int top, int tile, const float *values, int cells,
                 float low, float high);
/* A frame of 2 pixels around cell (x, y) of a tile. */
void heat_frame_cell(msk_image *canvas, int left, int top, int tile, int cells, int x, int y);
#endif
