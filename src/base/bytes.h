/* SPDX-License-Identifier: Apache-2.0
 *
 * bytes.h - a bounded reader over foreign bytes. Nothing is read past the end: a read that does
 * not fit returns false and moves nothing. Integers are composed byte by byte, so that neither
 * alignment nor the machine's byte order matters. */
#ifndef MSK_BASE_BYTES_H
#define MSK_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct msk_reader {
  const uint8_t *at;
  size_t left;
} msk_reader;

/* The next `count` bytes in place. */
bool msk_read_span(msk_reader *reader, size_t count, const uint8_t **bytes);
/* Unsigned integers of `width` bytes (1, 2, 4, 8). */
bool msk_read_little(msk_reader *reader, size_t width, uint64_t *value);
bool msk_read_big(msk_reader *reader, size_t width, uint64_t *value);
uint64_t msk_little_u64(const uint8_t *bytes);

/* Well-formed UTF-8: no overlong forms, no surrogates, nothing past U+10FFFF. */
bool msk_utf8_valid(const uint8_t *bytes, size_t byte_count);
#endif
