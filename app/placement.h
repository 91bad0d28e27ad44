/* SPDX-License-Identifier: Apache-2.0
 *
 * placement.h - maps and boxes that lie on a picture go to the model's square together with it.
 * Shared by the command line and the server. */
#ifndef APP_PLACEMENT_H
#define APP_PLACEMENT_H

#include "masksketch.h"

/* A map or mask goes where its picture goes: scaled only if it is larger than the square of
 * `side` pixels, or cut or padded with the picture. Takes over what is in *map; *out is the
 * caller's. */
msk_status area_fit_map(msk_image *out, msk_image *map, int side, msk_fit fit, msk_error *error);
/* A box (top, left, height, width) in pixels of the photo -> the box in pixels of the square,
 * grown to whole pixels. `what` stands in messages. */
msk_status area_place_box(msk_box *box, const int numbers[4], const char *what,
                          const msk_image *photo, int side, msk_fit fit, msk_error *error);
#endif
