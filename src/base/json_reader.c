/* SPDX-License-Identifier: Apache-2.0
 * json_reader.c - see json_reader.h. */
#include "base/json_reader.h"

#include <string.h>
#include <utf8proc.h>

#include "base/memory.h"

void msk_json_skip_space(msk_reader *r) {
  while (r->left > 0 && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
    r->at++, r->left--;
}

bool msk_json_take(msk_reader *r, char expected) {
  msk_json_skip_space(r);
  if (r->left == 0 || *r->at != (uint8_t)expected) return false;
  r->at++, r->left--;
  return true;
}

/* Four hexadecimal digits. */
static bool take_unit(msk_reader *r, int32_t *unit) {
  static const char digits[] = "0123456789abcdef";
  const uint8_t *bytes;
  if (!msk_read_span(r, 4, &bytes)) return false;
  *unit = 0;
  for (int i = 0; i < 4; i++) {
    uint8_t c = bytes[i] >= 'A' && bytes[i] <= 'F' ? bytes[i] | 0x20 : bytes[i];
    const char *digit = c == 0 ? NULL : strchr(digits, c);
    if (digit == NULL) return false;
    *unit = *unit << 4 | (int32_t)(digit - digits);
  }
  return true;
}

/* What stands behind \u; characters past U+FFFF are two such units, a surrogate pair. */
static bool take_unicode(msk_reader *r, int32_t *point) {
  const uint8_t *prefix;
  int32_t low;
  if (!take_unit(r, point)) return false;
  if (*point < 0xD800 || *point > 0xDFFF) return *point != 0;
  if (*point > 0xDBFF || !msk_read_span(r, 2, &prefix) || memcmp(prefix, "\\u", 2) != 0 ||
      !take_unit(r, &low) || low < 0xDC00 || low > 0xDFFF)
    return false;
  *point = 0x10000 + ((*point - 0xD800) << 10) + (low - 0xDC00);
  return true;
}

/* One byte or escape of a string's inside, as UTF-8 in `out` (4 bytes). */
static bool take_character(msk_reader *r, uint8_t *out, size_t *length) {
  static const char escapes[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
  const uint8_t *c;
  *length = 1;
  if (!msk_read_span(r, 1, &c) || *c < 0x20) return false;
  out[0] = *c;
  if (*c != '\\') return true;
  if (!msk_read_span(r, 1, &c)) return false;
  /* strchr would find the NUL that ends the list */
  const char *found = *c == 0 ? NULL : strchr(escapes, *c);
  if (found != NULL) {
    out[0] = (uint8_t)meanings[found - escapes];
    return true;
  }
  int32_t point;
  if (*c != 'u' || !take_unicode(r, &point)) return false;
  *length = (size_t)utf8proc_encode_char(point, out);
  return true;
}

bool msk_json_take_string(msk_reader *r, msk_span *inside) {
  if (!msk_json_take(r, '"')) return false;
  inside->bytes = r->at;
  while (r->left > 0 && *r->at != '"') {
    uint8_t character[4];
    size_t length;
    if (!take_character(r, character, &length)) return false;
  }
  if (r->left == 0) return false;
  inside->length = (size_t)(r->at - inside->bytes);
  r->at++, r->left--;
  return true;
}

bool msk_json_take_number(msk_reader *r, size_t *number) {
  msk_json_skip_space(r);
  size_t value = 0, digits = 0;
  bool zero = r->left > 0 && *r->at == '0';
  while (r->left > 0 && *r->at >= '0' && *r->at <= '9') {
    if (!msk_multiply(value, 10, &value) || !msk_add(value, (size_t)(*r->at - '0'), &value))
      return false;
    r->at++, r->left--, digits++;
  }
  *number = value;
  return digits == 1 || (digits > 1 && !zero);
}

bool msk_span_is(msk_span span, const char *text) {
  return span.length == strlen(text) && memcmp(span.bytes, text, span.length) == 0;
}

size_t msk_span_text(msk_span span, char *text) {
  msk_reader r = {span.bytes, span.length};
  size_t used = 0, length;
  uint8_t character[4];
  while (r.left > 0 && take_character(&r, character, &length)) {
    memcpy(text + used, character, length);
    used += length;
  }
  return used;
}
