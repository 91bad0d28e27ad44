/* SPDX-License-Identifier: Apache-2.0
 * ink.h - where the ink of a prepared sketch lies. */
#ifndef MSK_IMAGE_INK_H
#define MSK_IMAGE_INK_H

#include <stdbool.h>

#include "masksketch.h"

typedef struct msk_ink_box {
  int left, top, width, height;
} msk_ink_box;

/* The box around all ink of a sketch that is dark on light, without specks (groups whose bounding
 * square has less than 0.1 % of the picture); width 0 where nothing else is drawn. Errors:
 * MSK_ERROR_MEMORY. */
msk_status msk_ink_find(msk_ink_box *box, const msk_image *sketch, const msk_allocator *allocator,
                        msk_error *error);

#endif
