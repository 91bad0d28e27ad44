/* SPDX-License-Identifier: Apache-2.0
 *
 * crop.h - squares of pictures that training looks at. A crop is told in shares of a picture's
 * sides, so that a drawing of any size is cut as its photo is. */
#ifndef MSK_API_CROP_H
#define MSK_API_CROP_H

#include <stdbool.h>

#include "masksketch.h"
#include "train/random.h"

typedef struct msk_crop {
  double side, left, top; /* of the shorter side; of what is left of each side */
  bool mirrored;
} msk_crop;

/* The whole of a picture's middle. */
msk_crop msk_crop_middle(void);
/* At random, from `least` of the shorter side on; half of them mirrored. */
msk_crop msk_crop_choose(msk_random *random, double least);
/* `square` is the caller's. */
msk_status msk_crop_cut(const msk_image *whole, const msk_crop *crop, msk_image *square,
                        msk_error *error);

#endif
