/* SPDX-License-Identifier: Apache-2.0
 * text.c - see text.h. */
#include "eval/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool make_room(eval_text *text, size_t count) {
  if (text->failed || count > MAX_BUILT_BYTES - text->used) {
    text->failed = true;
    return false;
  }
  if (text->used + count + 1 <= text->capacity) return true;
  size_t larger = text->capacity == 0 ? 1 << 14 : text->capacity;
  while (larger < text->used + count + 1) larger *= 2;
  char *bytes = realloc(text->bytes, larger);
  if (bytes == NULL) {
    text->failed = true;
    return false;
  }
  text->bytes = bytes;
  text->capacity = larger;
  return true;
}

void eval_text_raw(eval_text *text, const char *bytes, size_t count) {
  if (!make_room(text, count)) return;
  memcpy(text->bytes + text->used, bytes, count);
  text->used += count;
  text->bytes[text->used] = 0;
}

void eval_text_add(eval_text *text, const char *format, ...) {
  char buffer[2048];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(buffer, sizeof buffer, format, arguments);
  va_end(arguments);
  if (length < 0 || length >= (int)sizeof buffer) {
    text->failed = true;
  } else {
    eval_text_raw(text, buffer, (size_t)length);
  }
}

void eval_text_html(eval_text *text, const char *foreign) {
  for (const char *c = foreign; *c != 0; c++) {
    switch (*c) {
      case '&': eval_text_raw(text, "&amp;", 5); break;
      case '<': eval_text_raw(text, "&lt;", 4); break;
      case '>': eval_text_raw(text, "&gt;", 4); break;
      case '"': eval_text_raw(text, "&quot;", 6); break;
      case '\'': eval_text_raw(text, "&#39;", 5); break;
      default: eval_text_raw(text, c, 1);
    }
  }
}

void eval_text_csv(eval_text *text, const char *foreign) {
  if (strpbrk(foreign, ",\"\r\n") == NULL) {
    eval_text_raw(text, foreign, strlen(foreign));
    return;
  }
  eval_text_raw(text, "\"", 1);
  for (const char *c = foreign; *c != 0; c++)
    eval_text_raw(text, *c == '"' ? "\"\"" : c, *c == '"' ? 2 : 1);
  eval_text_raw(text, "\"", 1);
}
