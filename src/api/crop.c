/* SPDX-License-Identifier: Apache-2.0
 * crop.c - see crop.h. */
#include "api/crop.h"

#include <math.h>
#include <string.h>

msk_crop msk_crop_middle(void) { return (msk_crop){1, 0.5, 0.5, false}; }

msk_crop msk_crop_choose(msk_random *random, double least) {
  msk_crop crop = {.side = least + (1 - least) * msk_random_unit(random)};
  crop.left = msk_random_unit(random);
  crop.top = msk_random_unit(random);
  crop.mirrored = msk_random_unit(random) < 0.5;
  return crop;
}

msk_status msk_crop_cut(const msk_image *whole, const msk_crop *crop, msk_image *square,
                        msk_error *error) {
  int shorter = whole->width < whole->height ? whole->width : whole->height,
      side = (int)ceil(crop->side * shorter),
      left = (int)lround(crop->left * (whole->width - side)),
      top = (int)lround(crop->top * (whole->height - side));
  msk_status status = msk_image_create(square, side, side, NULL, error);
  for (int y = 0; status == MSK_OK && y < side; y++) {
    const uint8_t *from = whole->pixels + 3 * ((size_t)(top + y) * (size_t)whole->width + left);
    uint8_t *to = square->pixels + 3 * (size_t)y * (size_t)side;
    for (int x = 0; x < side; x++)
      memcpy(to + 3 * x, from + 3 * (crop->mirrored ? side - 1 - x : x), 3);
  }
  return status;
}
