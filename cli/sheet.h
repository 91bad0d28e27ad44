/* SPDX-License-Identifier: Apache-2.0
 *
 * sheet.h - contact sheets: `--sheet` (what was given, then the pictures, each with a label),
 * and the command `sheet`, which joins pictures. */
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
void sheet_free(sheet *s); /* NULL is ignored */
#endif
