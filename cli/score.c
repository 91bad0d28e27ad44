/* SPDX-License-Identifier: Apache-2.0
 * score.c - see score.h. */
#include "score.h"

#include <string.h>

static const char class_mark[] = "{class}";

msk_status score_fill_text(char *out, const char *text, const char *name, msk_error *error) {
  size_t used = 0;
  while (*text != 0) {
    bool mark = strncmp(text, class_mark, strlen(class_mark)) == 0;
    size_t length = mark ? strlen(name) : 1;
    if (used + length > MAX_TEXT_BYTES)
      return app_fail(error, MSK_ERROR_ARGUMENT,
                      "--text is longer than the %d bytes that are taken", MAX_TEXT_BYTES);
    memcpy(out + used, mark ? name : text, length);
    used += length;
    text += mark ? strlen(class_mark) : 1;
  }
  out[used] = 0;
  return MSK_OK;
}
