/* SPDX-License-Identifier: Apache-2.0
 *
 * html.c - see html.h. A reference is at least one character longer than what it stands for, so
 * that replacing works in place. */
#include "model/html.h"

#include <string.h>

enum { MAX_NAME = 32 };

static bool is_digit(uint32_t c, bool hexadecimal) {
  return (c >= '0' && c <= '9') ||
         (hexadecimal && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')));
}

/* Windows-1252 where a reference names one of the control characters 0x80 to 0x9F; 0: the
 * character itself. */
static const uint16_t windows[32] = {
    0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017D, 0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};

/* Characters that a number stands for: 0 or 1 of them. */
static size_t number_characters(uint32_t number, uint32_t *out) {
  bool control = (number >= 1 && number <= 8) || number == 0x0B ||
                 (number >= 0x0E && number <= 0x1F) || number == 0x7F;
  bool none =
      (number >= 0xFDD0 && number <= 0xFDEF) || (number <= 0x10FFFF && (number & 0xFFFE) == 0xFFFE);
  if (control || none) return 0;
  if (number == 0 || (number >= 0xD800 && number <= 0xDFFF) || number > 0x10FFFF) number = 0xFFFD;
  if (number >= 0x80 && number <= 0x9F && windows[number - 0x80] != 0)
    number = windows[number - 0x80];
  *out = number;
  return 1;
}

/* "&#8364;" or "&#x20AC": what it takes, and what it stands for. taken 0: no reference. */
static size_t take_number(const uint32_t *text, size_t count, bool strict, size_t *taken,
                          uint32_t *out) {
  bool hexadecimal = count > 2 && (text[2] == 'x' || text[2] == 'X');
  size_t first = hexadecimal ? 3 : 2, end = first;
  uint32_t number = 0;
  for (; end < count && is_digit(text[end], hexadecimal); end++) {
    uint32_t digit = text[end] <= '9' ? text[end] - '0' : (text[end] | 0x20) - 'a' + 10;
    /* past the last character it stays past it */
    number = number > 0x10FFFF ? number : number * (hexadecimal ? 16 : 10) + digit;
  }
  bool closed = end < count && text[end] == ';';
  *taken = end == first || (strict && !closed) ? 0 : end + closed;
  return *taken == 0 ? 0 : number_characters(number, out);
}

static const msk_html_entity *find(const char *name) {
  size_t low = 0, high = msk_html_entity_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = strcmp(name, msk_html_entities[middle].name);
    if (order == 0) return &msk_html_entities[middle];
    if (order < 0) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return NULL;
}

/* "&amp;", "&amp", or "&notit" (the longest beginning that counts without its semicolon). */
static size_t take_name(const uint32_t *text, size_t count, bool strict, size_t *taken,
                        uint32_t *out) {
  char name[MAX_NAME + 1];
  size_t length = 0;
  while (length < MAX_NAME && length + 1 < count && text[length + 1] > 0x20 &&
         text[length + 1] < 0x7F && strchr("<&#;", (int)text[length + 1]) == NULL) {
    name[length] = (char)text[length + 1];
    length++;
  }
  bool closed = length + 1 < count && text[length + 1] == ';';
  *taken = 0;
  for (size_t cut = length; cut >= 2; cut--) {
    bool whole = cut == length && closed;
    if (strict && !whole) return 0;
    name[cut] = 0;
    const msk_html_entity *entity = find(name);
    if (entity == NULL || (!whole && !entity->bare)) continue;
    *taken = 1 + cut + whole;
    memcpy(out, entity->characters, sizeof entity->characters);
    return entity->characters[1] == 0 ? 1 : 2;
  }
  return 0;
}

size_t msk_html_unescape(uint32_t *text, size_t count, bool strict) {
  size_t used = 0;
  for (size_t at = 0; at < count;) {
    uint32_t out[2];
    size_t taken = 0, made = 0;
    if (text[at] == '&' && at + 1 < count) {
      made = (text[at + 1] == '#' ? take_number : take_name)(text + at, count - at, strict, &taken,
                                                             out);
    }
    if (taken == 0) {
      text[used++] = text[at++];
    } else {
      memcpy(text + used, out, made * sizeof *out);
      used += made;
      at += taken;
    }
  }
  return used;
}
