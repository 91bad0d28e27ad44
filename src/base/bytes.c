/* SPDX-License-Identifier: Apache-2.0
 * bytes.c - see bytes.h. */
#include "base/bytes.h"

#include <utf8proc.h>

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

bool msk_utf8_valid(const uint8_t *bytes, size_t byte_count) {
  while (byte_count > 0) {
    int32_t character;
    utf8proc_ssize_t length = utf8proc_iterate(bytes, (utf8proc_ssize_t)byte_count, &character);
    if (length <= 0) return false;
    bytes += length;
    byte_count -= (size_t)length;
  }
  return true;
}
