/* SPDX-License-Identifier: Apache-2.0
 *
 * sheet.h - contact sheets: what was given, then the pictures, each with a label. */
#ifndef CLI_SHEET_H
#define CLI_SHEET_H

#include "masksketch.h"

typedef struct sheet sheet;

/* A sheet of `count` square tiles of `side` pixels, at most eight in a row. */
msk_status sheet_create(sheet **out, int side, int count, msk_error *error);
/* The next tile; the image is copied. A tile more than `count` is refused. */
msk_status sheet_add(sheet *s, const msk_image *image, const char *label, msk_error *error);
/* Writes the rows and columns that have been filled. */
msk_status sheet_write(const sheet *s, const char *path, msk_error *error);
/* Puts an image on a canvas; what reaches past the canvas is left out. */
void sheet_paste(msk_image *canvas, const msk_image *image, int left, int top);
void sheet_free(sheet *s); /* NULL is ignored */
#endif
