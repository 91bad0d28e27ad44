/* SPDX-License-Identifier: Apache-2.0
 *
 * codec.c - what the picture formats share: making and freeing a picture, refusals, rows of
 * RGBA, and the growing bytes that encoders write to. */
#include "image/codec.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"

msk_status msk_image_allocate(msk_image *image, int width, int height,
                              const msk_allocator *allocator, msk_error *error) {
  size_t pixels;
  if (image == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "no place for the picture was given");
  if (width < 1 || height < 1 || !msk_multiply((size_t)width, (size_t)height, &pixels) ||
      pixels > MSK_MAX_PIXELS) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "a picture of %d x %d pixels was asked for; sides are at least 1, the area at "
                    "most %zu megapixels",
                    width, height, MSK_MAX_PIXELS / 1000000);
  }
  uint8_t *memory = msk_allocate(allocator, pixels, 3);
  if (memory == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory for a picture of %d x %d pixels", width,
                    height);
  *image = (msk_image){.width = width, .height = height, .pixels = memory, .allocator = allocator};
  return MSK_OK;
}

msk_status msk_image_create(msk_image *image, int width, int height, const msk_allocator *allocator,
                            msk_error *error) {
  msk_status status = msk_image_allocate(image, width, height, allocator, error);
  if (status == MSK_OK) memset(image->pixels, 255, (size_t)width * (size_t)height * 3);
  return status;
}

void msk_image_free(msk_image *image) {
  if (image == NULL) return;
  msk_free(image->allocator, image->pixels);
  *image = (msk_image){0};
}

msk_status msk_source_check_size(const msk_source *source, const char *kind, uint64_t width,
                                 uint64_t height) {
  if (width == 0 || height == 0) return msk_source_damaged(source, kind, "a side is 0 pixels");
  if (width > MSK_MAX_SIDE || height > MSK_MAX_SIDE || height > MSK_MAX_PIXELS / width) {
    return msk_fail(source->error, MSK_ERROR_FILE,
                    "%s: %s of %llu x %llu pixels, at most %zu megapixels and %d pixels a side are "
                    "read; scale it down first",
                    source->name, kind, (unsigned long long)width, (unsigned long long)height,
                    MSK_MAX_PIXELS / 1000000, MSK_MAX_SIDE);
  }
  return MSK_OK;
}

msk_status msk_source_damaged(const msk_source *source, const char *kind, const char *reason) {
  return msk_fail(source->error, MSK_ERROR_FILE, "%s: damaged %s: %s", source->name, kind, reason);
}

msk_status msk_source_no_memory(const msk_source *source, const char *kind) {
  return msk_fail(source->error, MSK_ERROR_MEMORY, "%s: no memory for reading this %s",
                  source->name, kind);
}

static void look_at(msk_alpha_look *look, const uint8_t *rgba, size_t pixels) {
  for (size_t i = 0; i < pixels; i++, rgba += 4) {
    unsigned grey = (299u * rgba[0] + 587u * rgba[1] + 114u * rgba[2]) / 1000;
    look->transparent += rgba[3] < 128;
    if (grey >= 160)
      look->light += rgba[3];
    else
      look->dark += rgba[3];
  }
}

void msk_rgba_row(uint8_t *rgb, const uint8_t *rgba, size_t pixels, const msk_source *source) {
  if (source->look != NULL) look_at(source->look, rgba, pixels);
  for (size_t i = 0; i < pixels; i++, rgba += 4, rgb += 3) {
    if (source->alpha == MSK_ALPHA_ONLY) {
      memset(rgb, rgba[3], 3);
      continue;
    }
    unsigned a = source->alpha == MSK_ALPHA_DROP ? 255 : rgba[3];
    for (int c = 0; c < 3; c++)
      rgb[c] = (uint8_t)((rgba[c] * a + source->ground * (255u - a) + 127) / 255);
  }
}

void msk_opaque_picture(msk_image *image, msk_alpha alpha) {
  if (alpha == MSK_ALPHA_ONLY)
    memset(image->pixels, 255, (size_t)image->width * (size_t)image->height * 3);
}

void msk_bytes_free(msk_bytes *bytes) {
  msk_free(bytes->allocator, bytes->data);
  bytes->data = NULL;
  bytes->count = bytes->capacity = 0;
}

bool msk_bytes_reserve(msk_bytes *bytes, size_t more) {
  size_t needed;
  /* what has failed once stays so: a part in the middle must not be missing */
  if (bytes->failed) return false;
  if (msk_add(bytes->count, more, &needed) && needed <= bytes->capacity) return true;
  size_t capacity = bytes->capacity < 4096 ? 4096 : bytes->capacity;
  while (capacity < needed && capacity <= SIZE_MAX / 2) capacity *= 2;
  uint8_t *data = capacity < needed ? NULL : msk_allocate(bytes->allocator, capacity, 1);
  if (data == NULL) {
    msk_bytes_free(bytes);
    bytes->failed = true;
    return false;
  }
  if (bytes->count > 0) memcpy(data, bytes->data, bytes->count);
  msk_free(bytes->allocator, bytes->data);
  bytes->data = data;
  bytes->capacity = capacity;
  return true;
}

bool msk_bytes_append(msk_bytes *bytes, const void *data, size_t count) {
  if (!msk_bytes_reserve(bytes, count)) return false;
  if (count > 0) memcpy(bytes->data + bytes->count, data, count);
  bytes->count += count;
  return true;
}
