/* SPDX-License-Identifier: Apache-2.0
 *
 * clip_text.c - see clip_text.h. Steps and their order: ftfy.fix_text (each repair until nothing
 * changes), html.unescape twice, strip, runs of white space to one space, str.lower(). */
#include "model/clip_text.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "model/html.h"
#include "model/unicode.h"

enum { GROWTH = 3 }; /* one character becomes at most three: the ligature ffi */

/* ---- ftfy's repairs of single characters ---- */

typedef struct expansion {
  uint32_t character;
  const char *ascii; /* or */
  uint32_t characters[2];
} expansion;

static const expansion expansions[] = {
    {0x132, "IJ", {0}},          {0x133, "ij", {0}},          {0x149, NULL, {'\'', 'n'}},
    {0x1C4, NULL, {'D', 0x17D}}, {0x1C5, NULL, {'D', 0x17E}}, {0x1C6, NULL, {'d', 0x17E}},
    {0x1C7, "LJ", {0}},          {0x1C8, "Lj", {0}},          {0x1C9, "lj", {0}},
    {0x1CA, "NJ", {0}},          {0x1CB, "Nj", {0}},          {0x1CC, "nj", {0}},
    {0x1F1, "DZ", {0}},          {0x1F2, "Dz", {0}},          {0x1F3, "dz", {0}},
    {0xFB00, "ff", {0}},         {0xFB01, "fi", {0}},         {0xFB02, "fl", {0}},
    {0xFB03, "ffi", {0}},        {0xFB04, "ffl", {0}},        {0xFB05, NULL, {0x17F, 't'}},
    {0xFB06, "st", {0}}};

/* Control characters 0x80 to 0x9F are read as Windows-1252; the five without a meaning there
 * stay. */
static uint32_t control_as_windows(uint32_t c) {
  uint32_t reference[] = {'&', '#', '1', '0' + c / 10 % 10, '0' + c % 10, ';'};
  if (c < 0x80 || c > 0x9F) return c;
  return msk_html_unescape(reference, 6, true) == 1 ? reference[0] : c;
}

static bool is_dropped(uint32_t c) {
  return c <= 0x08 || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F ||
         (c >= 0x206A && c <= 0x206F) || c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFC);
}

static uint32_t straight_quote(uint32_t c) {
  if (c == 0x2BC || (c >= 0x2018 && c <= 0x201B)) return '\'';
  return c >= 0x201C && c <= 0x201F ? '"' : c;
}

/* Length of a terminal's escape sequence, ESC [ digits and semicolons, letter; 0: none. */
static size_t escape_length(const uint32_t *text, size_t count) {
  if (count < 3 || text[0] != 0x1B || text[1] != '[') return 0;
  size_t end = 2;
  while (end < count && ((text[end] >= '0' && text[end] <= '9') || text[end] == ';')) end++;
  bool letter = end < count && ((text[end] | 0x20) >= 'a' && (text[end] | 0x20) <= 'z');
  return letter ? end + 1 : 0;
}

/* One character's repair; returns how many characters were written. */
static size_t repair(uint32_t c, uint32_t *out) {
  c = control_as_windows(c);
  for (size_t i = 0; c >= 0x132 && i < sizeof expansions / sizeof *expansions; i++) {
    if (expansions[i].character != c) continue;
    const char *ascii = expansions[i].ascii;
    size_t length = ascii == NULL ? 2 : strlen(ascii);
    for (size_t k = 0; k < length; k++)
      out[k] = ascii == NULL ? expansions[i].characters[k] : (uint32_t)ascii[k];
    return length;
  }
  c = straight_quote(msk_ordinary_width(c));
  if (c == '\r' || c == 0x2028 || c == 0x2029) c = '\n';
  if (is_dropped(c)) return 0;
  *out = c;
  return 1;
}

/* `text` is read from its end part, so that growing never overtakes it: the caller's buffer is
 * GROWTH times as long. */
static size_t repair_all(uint32_t *text, size_t count, size_t capacity) {
  uint32_t *from = text + capacity - count;
  size_t used = 0;
  memmove(from, text, count * sizeof *text);
  for (size_t i = 0; i < count;) {
    size_t escape = escape_length(from + i, count - i);
    if (escape == 0) used += repair(from[i], text + used);
    i += escape == 0 ? 1 : escape;
  }
  return used;
}

static bool contains(const uint32_t *text, size_t count, uint32_t character) {
  for (size_t i = 0; i < count; i++) {
    if (text[i] == character) return true;
  }
  return false;
}

/* A round unescapes, then repairs; only another reference can make another round necessary, and
 * each removes characters. */
static size_t fix(uint32_t *text, size_t count, size_t capacity) {
  for (size_t before = SIZE_MAX; count != before;) {
    before = count;
    if (!contains(text, count, '<')) count = msk_html_unescape(text, count, true);
    bool unescaped = count != before;
    count = repair_all(text, count, capacity);
    if (!unescaped) break;
  }
  return count;
}

/* ---- white space and case ---- */

static size_t single_spaces(uint32_t *text, size_t count) {
  size_t used = 0;
  for (size_t i = 0; i < count; i++) {
    if (!msk_is_space(text[i])) {
      text[used++] = text[i];
    } else if (used > 0 && text[used - 1] != ' ') {
      text[used++] = ' ';
    }
  }
  return used > 0 && text[used - 1] == ' ' ? used - 1 : used;
}

static bool is_mark(uint32_t c) {
  return (c >= 0x300 && c <= 0x36F) || c == '\'' || c == '.' || c == ':' || c == 0xAD || c == 0xB7;
}

/* Capital sigma at the end of a word, as str.lower() has it: a letter before it and none after
 * it, marks aside. */
static bool is_final(const uint32_t *text, size_t count, size_t at) {
  size_t before = at, after = at + 1;
  while (before > 0 && is_mark(text[before - 1])) before--;
  while (after < count && is_mark(text[after])) after++;
  return before > 0 && msk_is_letter(text[before - 1]) &&
         !(after < count && msk_is_letter(text[after]));
}

static size_t lower_all(uint32_t *text, size_t count, size_t capacity) {
  uint32_t *from = text + capacity - count;
  size_t used = 0;
  memmove(from, text, count * sizeof *text);
  for (size_t i = 0; i < count; i++) {
    if (from[i] == 0x130) {
      text[used++] = 'i';
      text[used++] = 0x307;
    } else {
      text[used++] = from[i] == 0x3A3 && is_final(from, count, i) ? 0x3C2 : msk_lower(from[i]);
    }
  }
  return used;
}

msk_status msk_clip_clean(uint32_t **characters, size_t *count, const char *text,
                          const msk_allocator *allocator, msk_error *error) {
  size_t bytes = strlen(text), length = 0, capacity = GROWTH * bytes + 1;
  if (bytes > MSK_CLIP_MAX_TEXT) {
    return msk_fail(error, MSK_ERROR_ARGUMENT, "a text of %zu bytes, expected at most %d", bytes,
                    MSK_CLIP_MAX_TEXT);
  }
  if (!msk_utf8_valid((const uint8_t *)text, bytes))
    return msk_fail(error, MSK_ERROR_ARGUMENT, "a text that is no well-formed UTF-8");
  uint32_t *made = msk_allocate(allocator, capacity, sizeof *made);
  if (made == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "not enough memory for a text");
  for (const uint8_t *at = (const uint8_t *)text, *end = at + bytes; at < end;)
    made[length++] = msk_utf8_next(&at);
  length = fix(made, length, capacity);
  for (int i = 0; i < 2; i++) length = msk_html_unescape(made, length, false);
  length = single_spaces(made, length);
  *count = lower_all(made, length, capacity);
  *characters = made;
  return MSK_OK;
}
