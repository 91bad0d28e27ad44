/* SPDX-License-Identifier: Apache-2.0
 *
 * text.h - a text that grows. What cannot be added because memory is refused, or because the
 * text would pass MAX_BUILT_BYTES, is left out, and `failed` tells: asked for once, at the end. */
#ifndef CLI_EVAL_TEXT_H
#define CLI_EVAL_TEXT_H

#include <stdbool.h>
#include <stddef.h>

enum { MAX_BUILT_BYTES = 256 << 20 };

typedef struct eval_text {
  char *bytes; /* terminated; NULL while empty; free() */
  size_t used, capacity;
  bool failed;
} eval_text;

void eval_text_add(eval_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void eval_text_raw(eval_text *text, const char *bytes, size_t count);
/* For HTML and SVG: & < > " ' become references. */
void eval_text_html(eval_text *text, const char *foreign);
/* A field of a CSV (RFC 4180). */
void eval_text_csv(eval_text *text, const char *foreign);
#endif
