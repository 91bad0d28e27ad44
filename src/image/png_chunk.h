/* SPDX-License-Identifier: Apache-2.0
 *
 * png_chunk.h - walking over the chunks of a PNG, for what is read without libpng; and the
 * character set of its keys. */
#ifndef MSK_IMAGE_PNG_CHUNK_H
#define MSK_IMAGE_PNG_CHUNK_H

#include <stdbool.h>

#include "masksketch.h"

#define MSK_PNG_TEXT_LIMIT ((size_t)1 << 20) /* bytes of a text's value, read or written */
#define MSK_PNG_KEY_LIMIT 79

typedef struct msk_png_chunk {
  const uint8_t *type, *data; /* `type` and `data` are followed by the checksum over both */
  size_t length;
  size_t next; /* where the next chunk begins; 0: at the first */
} msk_png_chunk;

/* Steps to the next whole chunk after the signature (which the caller has checked); false at the
 * end, or where the file is cut off. Start with a zeroed chunk. */
bool msk_png_next_chunk(const uint8_t *bytes, size_t count, msk_png_chunk *chunk);
/* Whether its checksum is right. */
bool msk_png_chunk_holds(const msk_png_chunk *chunk);

/* Whether `text` is UTF-8 (no overlong forms, no surrogates); *latin1 tells whether it is made
 * of printable Latin-1 and line feeds alone. */
bool msk_utf8_check(const char *text, size_t length, bool *latin1);
/* Latin-1 text from UTF-8 of which msk_utf8_check() said so; writes at most `length` bytes and
 * returns how many. */
size_t msk_utf8_to_latin1(char *latin1, const char *text, size_t length);
/* MSK_ERROR_ARGUMENT unless `key` is a valid PNG keyword; `latin1` receives it, with a NUL. */
msk_status msk_png_key(char latin1[MSK_PNG_KEY_LIMIT + 1], const char *key, msk_error *error);

#endif
