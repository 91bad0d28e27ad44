/* SPDX-License-Identifier: Apache-2.0
 *
 * encode.c - msk_image_encode(): checks the request, chooses the encoder. */
#include "base/error.h"
#include "image/codec.h"

#define DEFAULT_JPEG_QUALITY 92

static msk_status check_request(const msk_image *image, msk_format format, int quality,
                                const msk_text *texts, size_t text_count, msk_error *error) {
  if (image == NULL || image->pixels == NULL || image->width < 1 || image->height < 1) {
    return msk_fail(error, MSK_ERROR_ARGUMENT, "there is no picture to encode");
  }
  if (format != MSK_FORMAT_PNG && format != MSK_FORMAT_JPEG && format != MSK_FORMAT_WEBP) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "picture format %d is unknown, expected PNG, JPEG or WebP", (int)format);
  }
  if (quality < 0 || quality > 100)
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "picture quality %d, expected 1 to 100, or 0 for the default", quality);
  if (text_count > 0 && texts == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "%zu texts were announced, none given", text_count);
  return MSK_OK;
}

msk_status msk_image_encode(const msk_image *image, msk_format format, int quality,
                            const msk_text *texts, size_t text_count, void **bytes,
                            size_t *byte_count, const msk_allocator *allocator, msk_error *error) {
  msk_status status = check_request(image, format, quality, texts, text_count, error);
  if (status != MSK_OK) return status;
  if (bytes == NULL || byte_count == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "encoding a picture needs a place for the bytes and their number");
  msk_bytes file = {.allocator = allocator};
  if (format == MSK_FORMAT_PNG)
    status = msk_png_encode(&file, image, texts, text_count, error);
  else if (format == MSK_FORMAT_JPEG)
    status = msk_jpeg_encode(&file, image, quality != 0 ? quality : DEFAULT_JPEG_QUALITY, error);
  else
    status = msk_webp_encode(&file, image, quality, error);
  if (status != MSK_OK) {
    msk_bytes_free(&file);
    return status;
  }
  *bytes = file.data;
  *byte_count = file.count;
  return MSK_OK;
}
