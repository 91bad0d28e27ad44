/* SPDX-License-Identifier: Apache-2.0
 *
 * exif.c - the one EXIF field that pictures need: how the camera was held. A TIFF header, then
 * image file directory 0 (TIFF 6.0, section 2). Reads within [bytes, bytes + count) whatever
 * they hold; nothing is followed but the one offset to the directory. */
#include "image/codec.h"

#include <string.h>

#define TAG_ORIENTATION 0x0112
#define TYPE_SHORT 3
#define ENTRY_BYTES 12

static uint32_t read_number(const uint8_t *bytes, int width, bool big_endian) {
  uint32_t value = 0;
  for (int i = 0; i < width; i++)
    value |= (uint32_t)bytes[i] << 8 * (big_endian ? width - 1 - i : i);
  return value;
}

int msk_exif_orientation(const uint8_t *bytes, size_t count) {
  if (count < 8) return 1;
  bool big_endian = memcmp(bytes, "MM\0*", 4) == 0;
  if (!big_endian && memcmp(bytes, "II*\0", 4) != 0) return 1;
  size_t directory = read_number(bytes + 4, 4, big_endian);
  if (directory > count - 2) return 1;
  size_t entries = read_number(bytes + directory, 2, big_endian),
         room = (count - directory - 2) / ENTRY_BYTES;
  const uint8_t *entry = bytes + directory + 2;
  for (size_t i = 0; i < entries && i < room; i++, entry += ENTRY_BYTES) {
    if (read_number(entry, 2, big_endian) != TAG_ORIENTATION) continue;
    bool one_short = read_number(entry + 2, 2, big_endian) == TYPE_SHORT &&
                     read_number(entry + 4, 4, big_endian) == 1;
    uint32_t value = read_number(entry + 8, 2, big_endian);
    return one_short && value >= 1 && value <= 8 ? (int)value : 1;
  }
  return 1;
}
