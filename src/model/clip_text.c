/* SPDX-License-Identifier: Apache-2.0
 * clip_text.c - see clip_text.h. */
#include "model/clip_text.h"

#include <string.h>
#include <utf8proc.h>

#include "base/error.h"
#include "base/memory.h"

bool msk_is_letter(int32_t character) {
  utf8proc_category_t category = utf8proc_category(character);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool msk_is_number(int32_t character) {
  utf8proc_category_t category = utf8proc_category(character);
  return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
}

bool msk_is_space(int32_t character) {
  utf8proc_category_t category = utf8proc_category(character);
  return character == '\t' || character == '\n' || character == '\r' ||
         (category >= UTF8PROC_CATEGORY_ZS && category <= UTF8PROC_CATEGORY_ZP);
}

/* Control characters and the byte order mark stand for nothing; the joiners inside an emoji are
 * not among them. */
static bool is_dropped(int32_t character) {
  return utf8proc_category(character) == UTF8PROC_CATEGORY_CC || character == 0xFEFF;
}

static size_t single_spaces(int32_t *text, size_t count) {
  size_t used = 0;
  for (size_t i = 0; i < count; i++) {
    if (msk_is_space(text[i])) {
      if (used > 0 && text[used - 1] != ' ') text[used++] = ' ';
    } else if (!is_dropped(text[i])) {
      text[used++] = text[i];
    }
  }
  return used > 0 && text[used - 1] == ' ' ? used - 1 : used;
}

static bool is_mark(int32_t c) {
  return (c >= 0x300 && c <= 0x36F) || c == '\'' || c == '.' || c == ':' || c == 0xAD || c == 0xB7;
}

/* Capital sigma at the end of a word has a small form of its own: a letter before it and none
 * after it, marks aside. */
static bool is_final(const int32_t *text, size_t count, size_t at) {
  size_t before = at, after = at + 1;
  while (before > 0 && is_mark(text[before - 1])) before--;
  while (after < count && is_mark(text[after])) after++;
  return before > 0 && msk_is_letter(text[before - 1]) &&
         !(after < count && msk_is_letter(text[after]));
}

/* `to` has room for twice as many: the dotted capital I becomes a letter and a mark. */
static size_t lower_all(const int32_t *from, size_t count, int32_t *to) {
  size_t used = 0;
  for (size_t i = 0; i < count; i++) {
    if (from[i] == 0x130) {
      to[used++] = 'i';
      to[used++] = 0x307;
    } else {
      to[used++] = from[i] == 0x3A3 && is_final(from, count, i) ? 0x3C2 : utf8proc_tolower(from[i]);
    }
  }
  return used;
}

/* NFC: everything is decomposed, then composed in place. `room` is what decomposing needs. */
static size_t compose(int32_t *characters, size_t room, const char *text, size_t bytes) {
  const utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
  utf8proc_ssize_t count = utf8proc_decompose((const uint8_t *)text, (utf8proc_ssize_t)bytes,
                                              characters, (utf8proc_ssize_t)room, options);
  return (size_t)utf8proc_normalize_utf32(characters, count, options);
}

msk_status msk_clip_clean(int32_t **characters, size_t *count, const char *text,
                          const msk_allocator *allocator, msk_error *error) {
  size_t bytes = strlen(text);
  if (bytes > MSK_CLIP_MAX_TEXT) {
    return msk_fail(error, MSK_ERROR_ARGUMENT, "a text of %zu bytes, expected at most %d", bytes,
                    MSK_CLIP_MAX_TEXT);
  }
  utf8proc_ssize_t room = utf8proc_decompose((const uint8_t *)text, (utf8proc_ssize_t)bytes, NULL,
                                             0, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  if (room < 0) return msk_fail(error, MSK_ERROR_ARGUMENT, "a text that is no well-formed UTF-8");
  /* the lower-case text in front, the text as it was behind it */
  int32_t *made = msk_allocate(allocator, 3 * (size_t)room + 1, sizeof *made);
  if (made == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "not enough memory for a text");
  int32_t *upper = made + 2 * (size_t)room;
  size_t length = compose(upper, (size_t)room, text, bytes);
  *count = lower_all(upper, single_spaces(upper, length), made);
  *characters = made;
  return MSK_OK;
}
