/* SPDX-License-Identifier: Apache-2.0
 * bytes.c - see bytes.h. */
#include "base/bytes.h"

bool msk_read_span(msk_reader *reader, size_t count, const uint8_t **bytes) {
  if (count > reader->left) return false;
  *bytes = reader->at;
  reader->at += count;
  reader->left -= count;
  return true;
}

bool msk_read_little(msk_reader *reader, size_t width, uint64_t *value) {
  const uint8_t *bytes;
  if (!msk_read_span(reader, width, &bytes)) return false;
  *value = 0;
  for (size_t i = 0; i < width; i++) *value |= (uint64_t)bytes[i] << 8 * i;
  return true;
}

bool msk_read_big(msk_reader *reader, size_t width, uint64_t *value) {
  const uint8_t *bytes;
  if (!msk_read_span(reader, width, &bytes)) return false;
  *value = 0;
  for (size_t i = 0; i < width; i++) *value = *value << 8 | bytes[i];
  return true;
}

uint64_t msk_little_u64(const uint8_t *bytes) {
  msk_reader reader = {bytes, 8};
  uint64_t value = 0;
  msk_read_little(&reader, 8, &value);
  return value;
}

/* Length of the well-formed sequence that starts at `bytes`, or 0. Ranges of the second byte:
 * table 3-7 of the Unicode standard. */
static size_t sequence_length(const uint8_t *bytes, size_t left) {
  uint8_t lead = bytes[0];
  if (lead < 0x80) return 1;
  size_t length = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  if (length == 0 || length > left) return 0;
  uint8_t low = lead == 0xE0   ? 0xA0
                : lead == 0xF0 ? 0x90
                               : 0x80,
          high = lead == 0xED   ? 0x9F
                 : lead == 0xF4 ? 0x8F
                                : 0xBF;
  if (bytes[1] < low || bytes[1] > high) return 0;
  for (size_t i = 2; i < length; i++) {
    if ((bytes[i] & 0xC0) != 0x80) return 0;
  }
  return length;
}

bool msk_utf8_valid(const uint8_t *bytes, size_t byte_count) {
  while (byte_count > 0) {
    size_t length = sequence_length(bytes, byte_count);
    if (length == 0) return false;
    bytes += length;
    byte_count -= length;
  }
  return true;
}
