/* SPDX-License-Identifier: Apache-2.0
 *
 * image.c - pictures as the public header has them: telling the format of bytes and paths,
 * turning, float to 8 bits. The formats themselves are behind codec.h. */
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/memory.h"
#include "image/codec.h"
#include "masksketch_tools.h"

static bool starts_with(const msk_source *source, size_t offset, const char *magic) {
  size_t length = strlen(magic);
  return source->count >= offset + length && memcmp(source->bytes + offset, magic, length) == 0;
}

static msk_format format_of_bytes(const msk_source *source) {
  if (starts_with(source, 0, "\x89PNG\r\n\x1a\n")) return MSK_FORMAT_PNG;
  if (starts_with(source, 0, "\xff\xd8")) return MSK_FORMAT_JPEG;
  if (starts_with(source, 0, "RIFF") && starts_with(source, 8, "WEBP")) return MSK_FORMAT_WEBP;
  return MSK_FORMAT_AUTO;
}

/* Where pixel (x, y) of the stored picture stands in the upright one: EXIF 2.32, section 4.6.5,
 * tag 0x0112. */
static size_t upright_index(int orientation, int x, int y, int width, int height) {
  int column = x, row = y, columns = orientation >= 5 ? height : width;
  switch (orientation) {
    case 2: column = width - 1 - x; break;
    case 3:
      column = width - 1 - x;
      row = height - 1 - y;
      break;
    case 4: row = height - 1 - y; break;
    case 5:
      column = y;
      row = x;
      break;
    case 6:
      column = height - 1 - y;
      row = x;
      break;
    case 7:
      column = height - 1 - y;
      row = width - 1 - x;
      break;
    case 8:
      column = y;
      row = width - 1 - x;
      break;
    default: break;
  }
  return (size_t)row * (size_t)columns + (size_t)column;
}

static msk_status turn_upright(msk_image *image, int orientation, msk_error *error) {
  msk_image upright;
  bool swapped = orientation >= 5;
  msk_status status =
      msk_image_allocate(&upright, swapped ? image->height : image->width,
                         swapped ? image->width : image->height, image->allocator, error);
  if (status != MSK_OK) return status;
  const uint8_t *from = image->pixels;
  for (int y = 0; y < image->height; y++) {
    for (int x = 0; x < image->width; x++, from += 3) {
      memcpy(upright.pixels + 3 * upright_index(orientation, x, y, image->width, image->height),
             from, 3);
    }
  }
  upright.warning = image->warning;
  msk_image_free(image);
  *image = upright;
  return MSK_OK;
}

static msk_status decode_format(msk_image *image, int *orientation, const msk_source *source) {
  switch (format_of_bytes(source)) {
    case MSK_FORMAT_PNG: return msk_png_decode(image, orientation, source);
    case MSK_FORMAT_JPEG: return msk_jpeg_decode(image, orientation, source);
    case MSK_FORMAT_WEBP: return msk_webp_decode(image, orientation, source);
    case MSK_FORMAT_AUTO: break;
  }
  return msk_foreign_refuse(source);
}

/* White ink on nothing: what can be seen is light, and there is more to see through than to see.
 * A sticker with dark outlines is none. */
static bool is_light_ink(const msk_alpha_look *look) {
  uint64_t ink = (look->light + look->dark) / 255;
  return look->light > 20 * look->dark && look->transparent > ink;
}

msk_status msk_image_decode(msk_image *image, const void *bytes, size_t byte_count, msk_alpha alpha,
                            const char *name, const msk_allocator *allocator, msk_error *error) {
  msk_alpha_look look = {0};
  msk_source source = {.bytes = bytes,
                       .count = byte_count,
                       .alpha = alpha,
                       .ground = 255,
                       .look = alpha == MSK_ALPHA_SKETCH ? &look : NULL,
                       .name = name != NULL ? name : "picture",
                       .allocator = allocator,
                       .error = error};
  if (image == NULL || (bytes == NULL && byte_count != 0) || alpha < MSK_ALPHA_WHITE ||
      alpha > MSK_ALPHA_SKETCH) {
    return msk_fail(
        error, MSK_ERROR_ARGUMENT,
        "%s: decoding needs a picture to fill, bytes, and one of MSK_ALPHA_WHITE, _DROP, _ONLY and "
        "_SKETCH",
        source.name);
  }
  if (byte_count > MSK_MAX_FILE_BYTES) {
    return msk_fail(error, MSK_ERROR_FILE,
                    "%s: the file has %zu bytes, at most %zu megabytes are read", source.name,
                    byte_count, MSK_MAX_FILE_BYTES / 1000000);
  }
  msk_image decoded;
  int orientation = 1;
  msk_status status = decode_format(&decoded, &orientation, &source);
  /* whether the ink is light is known after all pixels alone: such a picture is read twice */
  if (status == MSK_OK && is_light_ink(&look)) {
    source.ground = 0;
    msk_image_free(&decoded);
    status = decode_format(&decoded, &orientation, &source);
  }
  if (status != MSK_OK) return status;
  /* the authors' code does not look at EXIF */
  if (orientation != 1 && alpha != MSK_ALPHA_DROP)
    status = turn_upright(&decoded, orientation, error);
  if (status != MSK_OK)
    msk_image_free(&decoded);
  else
    *image = decoded;
  return status;
}

msk_status msk_image_load(msk_image *image, const char *path, msk_alpha alpha,
                          const msk_allocator *allocator, msk_error *error) {
  void *bytes;
  size_t count;
  if (path == NULL) return msk_fail(error, MSK_ERROR_ARGUMENT, "no path of a picture was given");
  msk_status status = msk_file_read(path, MSK_MAX_FILE_BYTES, &bytes, &count, allocator, error);
  if (status != MSK_OK) return status;
  status = msk_image_decode(image, bytes, count, alpha, path, allocator, error);
  msk_free(allocator, bytes);
  return status;
}

msk_format msk_format_of_path(const char *path) {
  static const struct {
    const char *suffix;
    msk_format format;
  } suffixes[] = {{".png", MSK_FORMAT_PNG},
                  {".jpg", MSK_FORMAT_JPEG},
                  {".jpeg", MSK_FORMAT_JPEG},
                  {".webp", MSK_FORMAT_WEBP}};
  size_t length = path != NULL ? strlen(path) : 0;
  for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
    size_t suffix_length = strlen(suffixes[i].suffix);
    if (length > suffix_length &&
        strcasecmp(path + length - suffix_length, suffixes[i].suffix) == 0)
      return suffixes[i].format;
  }
  return MSK_FORMAT_AUTO;
}

/* In double, so that the product is exact and the rounding is the only one. NaN becomes 0. */
static uint8_t byte_of_float(float value) {
  if (!(value > 0.0f)) return 0;
  return value >= 1.0f ? 255 : (uint8_t)((double)value * 255.0 + 0.5);
}

msk_status msk_image_from_float(msk_image *image, const float *pixels, int width, int height,
                                const msk_allocator *allocator, msk_error *error) {
  msk_image made;
  if (image == NULL || pixels == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "turning floats into a picture needs both");
  msk_status status = msk_image_allocate(&made, width, height, allocator, error);
  if (status != MSK_OK) return status;
  size_t samples = (size_t)width * (size_t)height * 3;
  for (size_t i = 0; i < samples; i++) made.pixels[i] = byte_of_float(pixels[i]);
  *image = made;
  return MSK_OK;
}
