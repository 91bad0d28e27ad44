/* SPDX-License-Identifier: Apache-2.0
 *
 * exif.c - the one thing that pictures need of EXIF and XMP: how the camera was held. EXIF is a
 * TIFF header, then image file directory 0 (TIFF 6.0, section 2); nothing is followed but the one
 * offset to the directory. XMP is searched, not parsed: every writer has tiff:Orientation as an
 * attribute or as an element. What decides, and which types count, is as in Pillow's
 * exif_transpose. Reads within the bytes whatever they hold. */
#include "image/codec.h"

#include <string.h>

#define TAG_ORIENTATION 0x0112
#define ENTRY_BYTES 12

enum { TYPE_SHORT = 3, TYPE_LONG = 4, TYPE_SIGNED_SHORT = 8, TYPE_SIGNED_LONG = 9 };

static uint32_t read_number(const uint8_t *bytes, int width, bool big_endian) {
  uint32_t value = 0;
  for (int i = 0; i < width; i++)
    value |= (uint32_t)bytes[i] << 8 * (big_endian ? width - 1 - i : i);
  return value;
}

/* A directory entry's first value; 0 where it is no whole number that stands in the entry. */
static uint32_t entry_value(const uint8_t *entry, bool big_endian) {
  uint32_t type = read_number(entry + 2, 2, big_endian),
           values = read_number(entry + 4, 4, big_endian);
  bool is_short = type == TYPE_SHORT || type == TYPE_SIGNED_SHORT,
       is_long = type == TYPE_LONG || type == TYPE_SIGNED_LONG;
  if (is_short && (values == 1 || values == 2)) return read_number(entry + 8, 2, big_endian);
  return is_long && values == 1 ? read_number(entry + 8, 4, big_endian) : 0;
}

static int valid(uint32_t orientation) {
  return orientation >= 1 && orientation <= 8 ? (int)orientation : 1;
}

/* 0: it does not tell. */
static int exif_orientation(const uint8_t *bytes, size_t count) {
  /* a PNG's eXIf has no such head, JPEG and WebP mostly do */
  if (count >= 6 && memcmp(bytes, "Exif\0\0", 6) == 0) {
    bytes += 6;
    count -= 6;
  }
  if (count < 8) return 0;
  bool big_endian = memcmp(bytes, "MM\0*", 4) == 0;
  if (!big_endian && memcmp(bytes, "II*\0", 4) != 0) return 0;
  size_t directory = read_number(bytes + 4, 4, big_endian);
  if (directory > count - 2) return 0;
  size_t entries = read_number(bytes + directory, 2, big_endian),
         room = (count - directory - 2) / ENTRY_BYTES;
  const uint8_t *entry = bytes + directory + 2;
  /* the file says how many there are; how many it holds is counted */
  for (size_t i = 0; i < entries && i < room; i++, entry += ENTRY_BYTES) {
    if (read_number(entry, 2, big_endian) == TAG_ORIENTATION)
      return valid(entry_value(entry, big_endian));
  }
  return 0;
}

/* The digit behind tiff:Orientation=" or tiff:Orientation>, the first that there is. */
static int xmp_orientation(const uint8_t *bytes, size_t count) {
  static const char key[] = "tiff:Orientation";
  if (count == 0) return 1; /* then bytes may be NULL, to which nothing may be added */
  const uint8_t *end = bytes + count, *at = bytes;
  while ((at = memmem(at, (size_t)(end - at), key, sizeof key - 1)) != NULL) {
    at += sizeof key - 1;
    size_t sign = 0;
    if (end - at >= 3 && at[0] == '=' && (at[1] == '"' || at[1] == '\'')) sign = 2;
    if (end - at >= 2 && at[0] == '>') sign = 1;
    if (sign > 0 && at[sign] >= '0' && at[sign] <= '9') return valid((uint32_t)(at[sign] - '0'));
  }
  return 1;
}

int msk_camera_orientation(const msk_camera *camera) {
  int told = exif_orientation(camera->exif, camera->exif_count);
  return told != 0 ? told : xmp_orientation(camera->xmp, camera->xmp_count);
}
