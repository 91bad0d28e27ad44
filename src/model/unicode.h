/* SPDX-License-Identifier: Apache-2.0
 *
 * unicode.h - what a text tokenizer must know of characters: letters, numbers, white space,
 * lower case, and the compatibility forms of the block "Halfwidth and Fullwidth Forms". Unicode
 * 14. A character is its code point; 0..0x10FFFF. */
#ifndef MSK_MODEL_UNICODE_H
#define MSK_MODEL_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct msk_unicode_range {
  uint32_t first, last;
} msk_unicode_range;

/* Characters first, first + step, ..., last become themselves + delta. */
typedef struct msk_unicode_lower {
  uint32_t first, last, step;
  int32_t delta;
} msk_unicode_lower;

extern const msk_unicode_range msk_unicode_letters[], msk_unicode_numbers[];
extern const msk_unicode_lower msk_unicode_lowers[];
extern const uint16_t msk_unicode_widths[]; /* of U+FF5F to U+FFEE */
extern const size_t msk_unicode_letter_count, msk_unicode_number_count, msk_unicode_lower_count;

bool msk_is_letter(uint32_t character); /* category L */
bool msk_is_number(uint32_t character); /* category N */
bool msk_is_space(uint32_t character);  /* white space as Python's str.isspace() has it */
/* Where one character stands for it (U+0130 alone becomes two). */
uint32_t msk_lower(uint32_t character);
/* The ordinary form of a halfwidth or fullwidth character; every other stays. */
uint32_t msk_ordinary_width(uint32_t character);

/* Reads one character of well-formed UTF-8 and moves on. */
uint32_t msk_utf8_next(const uint8_t **bytes);
/* Writes 1 to 4 bytes; returns how many. */
size_t msk_utf8_write(uint32_t character, uint8_t *bytes);
#endif
