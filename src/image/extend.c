/* SPDX-License-Identifier: Apache-2.0
 *
 * extend.c - msk_image_extend(): a wider frame around a photo, and which pixels of the model's
 * square are new by it. */
#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "masksketch_tools.h"

static int clamp(int value, int most) {
  if (value < 0) return 0;
  return value > most ? most : value;
}

static bool is_outside(int at, int before, int length) {
  return at < before || at - before >= length;
}

static void put_photo(msk_image *wide, const msk_image *photo, const msk_margins *margins) {
  for (int y = 0; y < wide->height; y++) {
    const int row = clamp(y - margins->top, photo->height - 1);
    const uint8_t *from = photo->pixels + 3 * (size_t)row * (size_t)photo->width;
    uint8_t *to = wide->pixels + 3 * (size_t)y * (size_t)wide->width;
    for (int x = 0; x < wide->width; x++)
      memcpy(to + 3 * x, from + 3 * clamp(x - margins->left, photo->width - 1), 3);
  }
}

/* Of the pixels in the middle of a cell one decides, so that the mask stays black and white. */
static void put_mask(msk_image *mask, const msk_image *wide, const msk_image *photo,
                     const msk_margins *margins, msk_fit fit) {
  const int side = mask->width, shorter = wide->width < wide->height ? wide->width : wide->height;
  const int across = fit == MSK_FIT_CROP ? shorter : wide->width,
            down = fit == MSK_FIT_CROP ? shorter : wide->height;
  for (int y = 0; y < side; y++) {
    const int64_t row = (wide->height - down) / 2 + (2 * (int64_t)y + 1) * down / (2 * side);
    for (int x = 0; x < side; x++) {
      const int64_t column =
          (wide->width - across) / 2 + (2 * (int64_t)x + 1) * across / (2 * side);
      const bool added = is_outside((int)row, margins->top, photo->height) ||
                         is_outside((int)column, margins->left, photo->width);
      memset(mask->pixels + 3 * ((size_t)y * (size_t)side + (size_t)x), added ? 255 : 0, 3);
    }
  }
}

static msk_status check(const msk_image *photo, const msk_margins *m, msk_fit fit,
                        msk_error *error) {
  if (photo == NULL || photo->pixels == NULL || m == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "there is no photo to extend, or nothing by which");
  if (fit != MSK_FIT_STRETCH && fit != MSK_FIT_CROP)
    return msk_refuse(error, "fit", "fit was given %s, expected stretch or crop",
                      msk_fit_name((int)fit) == NULL ? "?" : msk_fit_name((int)fit));
  const int64_t width = (int64_t)photo->width + m->left + m->right,
                height = (int64_t)photo->height + m->top + m->bottom;
  const bool none = (m->top | m->left | m->bottom | m->right) == 0;
  if (none || m->top < 0 || m->left < 0 || m->bottom < 0 || m->right < 0 ||
      width > (int64_t)MSK_MAX_PIXELS / height)
    return msk_refuse(error, "margins",
                      "margins of %d, %d, %d, %d pixels around %d x %d, expected numbers from 0, "
                      "not all 0, and %zu megapixels in all at most: top, left, bottom, right",
                      m->top, m->left, m->bottom, m->right, photo->width, photo->height,
                      MSK_MAX_PIXELS / 1000000);
  return MSK_OK;
}

msk_status msk_image_extend(msk_image *out, msk_image *mask, const msk_image *photo,
                            const msk_margins *margins, int side, msk_fit fit,
                            const msk_allocator *allocator, msk_error *error) {
  msk_image wide, frame;
  msk_status status =
      out == NULL || mask == NULL
          ? msk_fail(error, MSK_ERROR_ARGUMENT, "no place for photo and mask was given")
          : check(photo, margins, fit, error);
  if (status == MSK_OK)
    status = msk_image_create(&wide, photo->width + margins->left + margins->right,
                              photo->height + margins->top + margins->bottom, allocator, error);
  if (status != MSK_OK) return status;
  status = msk_image_create(&frame, side, side, allocator, error);
  if (status != MSK_OK) {
    msk_image_free(&wide);
    return status;
  }
  put_photo(&wide, photo, margins);
  put_mask(&frame, &wide, photo, margins, fit);
  *out = wide;
  *mask = frame;
  return MSK_OK;
}
