/* SPDX-License-Identifier: Apache-2.0
 *
 * clip_picture.c - see clip_picture.h. As torchvision does it: the longer side is n * long /
 * short without its fraction, and the cut begins at (side - n) / 2, a half rounded to the even
 * number. */
#include "model/clip_picture.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "image/resize.h"

static size_t cut_offset(size_t side, size_t n) {
  size_t half = (side - n) / 2;
  return (side - n) % 2 == 0 ? half : half + half % 2;
}

msk_status msk_clip_cut(uint8_t *out, const msk_image *image, size_t n,
                        const msk_allocator *allocator, msk_error *error) {
  size_t width = (size_t)image->width, height = (size_t)image->height,
         shorter = width < height ? width : height;
  size_t new_width = n * width / shorter, new_height = n * height / shorter;
  if (new_width > MSK_MAX_PIXELS / new_height) {
    return msk_fail(
        error, MSK_ERROR_ARGUMENT,
        "a picture of %zu x %zu pixels is too long for CLIP: its shorter side is brought to %zu",
        width, height, n);
  }
  const msk_pixels from = {image->pixels, image->width, image->height};
  msk_pixels to = {.width = (int)new_width, .height = (int)new_height};
  size_t scratch_bytes =
      msk_resize_scratch(MSK_FILTER_BICUBIC, 3, from.width, from.height, to.width, to.height);
  void *scratch = scratch_bytes == SIZE_MAX ? NULL : msk_allocate(allocator, scratch_bytes, 1);
  to.data = msk_allocate(allocator, new_width * new_height, 3);
  msk_status status = MSK_OK;
  if (scratch == NULL || to.data == NULL) {
    status = msk_fail(error, MSK_ERROR_MEMORY, "not enough memory to resize a picture");
  } else {
    msk_resize(MSK_FILTER_BICUBIC, 3, &from, &to, scratch);
    size_t left = cut_offset(new_width, n), top = cut_offset(new_height, n);
    for (size_t y = 0; y < n; y++)
      memcpy(out + y * n * 3, to.data + ((top + y) * new_width + left) * 3, n * 3);
  }
  msk_free(allocator, scratch);
  msk_free(allocator, to.data);
  return status;
}

void msk_clip_normalise(float *out, const uint8_t *bytes, size_t pixels) {
  static const float mean[3] = {0.48145466f, 0.4578275f, 0.40821073f},
                     deviation[3] = {0.26862954f, 0.26130258f, 0.27577711f};
  for (size_t i = 0; i < pixels * 3; i++)
    out[i] = ((float)bytes[i] / 255.0f - mean[i % 3]) / deviation[i % 3];
}
