/* SPDX-License-Identifier: Apache-2.0
 * unicode.c - see unicode.h. */
#include "model/unicode.h"

static bool in_ranges(const msk_unicode_range *ranges, size_t count, uint32_t character) {
  size_t low = 0, high = count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (character > ranges[middle].last) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < count && character >= ranges[low].first;
}

bool msk_is_letter(uint32_t character) {
  return in_ranges(msk_unicode_letters, msk_unicode_letter_count, character);
}

bool msk_is_number(uint32_t character) {
  return in_ranges(msk_unicode_numbers, msk_unicode_number_count, character);
}

bool msk_is_space(uint32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

uint32_t msk_lower(uint32_t character) {
  size_t low = 0, high = msk_unicode_lower_count;
  /* the first run that does not end before the character; runs overlap at most as neighbours of
   * step 2 */
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (character > msk_unicode_lowers[middle].last) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == msk_unicode_lower_count) return character;
  const msk_unicode_lower *run = &msk_unicode_lowers[low];
  if (character < run->first || (character - run->first) % run->step != 0) return character;
  return (uint32_t)((int32_t)character + run->delta);
}

uint32_t msk_ordinary_width(uint32_t character) {
  if (character == 0x3000) return 0x20;
  if (character >= 0xFF01 && character <= 0xFF5E) return character - 0xFEE0;
  return character >= 0xFF5F && character <= 0xFFEE ? msk_unicode_widths[character - 0xFF5F]
                                                    : character;
}

uint32_t msk_utf8_next(const uint8_t **bytes) {
  const uint8_t *at = *bytes;
  size_t length = at[0] < 0x80 ? 1 : at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4;
  uint32_t character = length == 1 ? at[0] : at[0] & (0x7Fu >> length);
  for (size_t i = 1; i < length; i++) character = character << 6 | (at[i] & 0x3Fu);
  *bytes = at + length;
  return character;
}

size_t msk_utf8_write(uint32_t character, uint8_t *bytes) {
  size_t length = character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
  static const uint8_t leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
  for (size_t i = length; i-- > 1;) {
    bytes[i] = (uint8_t)(0x80 | (character & 0x3F));
    character >>= 6;
  }
  bytes[0] = (uint8_t)(leads[length] | character);
  return length;
}
