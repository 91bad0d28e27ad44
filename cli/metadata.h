/* SPDX-License-Identifier: Apache-2.0
 *
 * metadata.h - the request inside a PNG: JSON in the text chunk "masksketch" (docs/commands.md
 * lists its fields). All that the picture depends on is in it, the sketch as its tokens (a few
 * kilobytes), photo, mask and lambda map as lossless WebP, so that `replay` needs the PNG and
 * the model alone. What is read back is foreign, and checked field by field. */
#ifndef CLI_METADATA_H
#define CLI_METADATA_H

#include "drawing.h"

/* The library reads a text of at most 1 MiB back. */
enum { MAX_METADATA_BYTES = (1 << 20) - 1 };

/* Text for item `item` of the order, to free(). */
msk_status metadata_write(char **text, const drawing *d, int item, msk_error *error);
/* The text of a PNG file, to msk_free(NULL, ...). MSK_ERROR_FILE if there is none. */
msk_status metadata_load(char **text, const char *path, msk_error *error);
/* The kernel set that the picture was made with, if this machine has it; NULL if not or if the
 * text does not tell. */
const char *metadata_isa(const char *text);
/* The arithmetic that the picture was made with, by `key` (precision, decode_precision); fp32
 * where the text does not tell. */
msk_precision metadata_precision(const char *text, const char *key);
/* Fills in request, pictures and kept item of `d`, whose model is open and is held against the
 * text. Pictures of at most the model's size are taken; their memory is the allocator's (NULL:
 * the C heap). */
msk_status metadata_read(drawing *d, const char *text, const char *path,
                         const msk_allocator *allocator, msk_error *error);
#endif
