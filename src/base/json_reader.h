/* SPDX-License-Identifier: Apache-2.0
 *
 * json_reader.h - the pieces of JSON from which readers of one fixed, flat form are made (headers
 * of safetensors, CLIP's vocabulary): no recursion and no tree in memory, as a general tree takes
 * a hundred bytes for each "{}" of a hostile file. The bytes are foreign, but known to be
 * well-formed UTF-8. What is refused leaves the reader where the fault is. */
#ifndef MSK_BASE_JSON_READER_H
#define MSK_BASE_JSON_READER_H

#include "base/bytes.h"

/* The inside of a string as it stands in the file, escapes checked but still in it. */
typedef struct msk_span {
  const uint8_t *bytes;
  size_t length;
} msk_span;

void msk_json_skip_space(msk_reader *reader);
/* `expected` (a brace, a comma), with the space before it. */
bool msk_json_take(msk_reader *reader, char expected);
/* \u0000 is refused: texts are C strings. */
bool msk_json_take_string(msk_reader *reader, msk_span *inside);
/* A whole number as JSON has it: digits, no leading zero, no more than a size_t holds. */
bool msk_json_take_number(msk_reader *reader, size_t *number);

bool msk_span_is(msk_span span, const char *text);
/* A span's text without its escapes, never longer than the span; returns its length. No NUL. */
size_t msk_span_text(msk_span span, char *text);

#endif
