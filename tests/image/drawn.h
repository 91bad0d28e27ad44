/* SPDX-License-Identifier: Apache-2.0
 *
 * drawn.h - drawings whose lines are known, and what paper and camera make of them. Test code
 * only. */
#ifndef IMAGE_DRAWN_H
#define IMAGE_DRAWN_H

#include <stdbool.h>

#include "support.h"

enum { SIDE = 256 };

msk_prepare_options options(msk_fit fit, msk_invert invert, msk_photo photo);
msk_image blank(int width, int height, uint8_t value);
/* Prepared at this size; must not fail. */
msk_image prepared(const msk_image *in, int width, int height, msk_prepare_options o);
uint8_t *pixel(const msk_image *image, int x, int y);
bool same(const msk_image *a, const msk_image *b);

/* A house in the unit square: how much of the pixel is ink, 0..1, for lines of `thickness` (of
 * the side). */
double ink(double x, double y, double thickness, double side);
/* The house in grey. */
msk_image drawing(int width, int height, double thickness, double paper, double pen);

/* What a camera makes of it: warm light falling off to a corner, the shadow of a hand (soft
 * edge) or of a ruler (sharper), grain. */
typedef struct camera {
  double fall_off, shadow, edge, grain;
} camera;
void photograph(msk_image *image, camera c, uint64_t seed);

/* Lines found (darker than mid-grey) against lines drawn: intersection over union. `background`:
 * darkest pixel more than `margin` pixels off any line. */
double overlap(const msk_image *out, double thickness, double margin, int *background);
#endif
