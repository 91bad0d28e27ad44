/* SPDX-License-Identifier: Apache-2.0
 *
 * picture_store.h - the pictures that a tokenizer trains on, as records (records.h): an object's
 * photo, drawings of it, and the codes of the photo and of its mirror image. */
#ifndef MSK_TRAIN_PICTURE_STORE_H
#define MSK_TRAIN_PICTURE_STORE_H

#include <stdbool.h>

#include "train/records.h"

typedef struct msk_pictures msk_pictures;

typedef struct msk_pictures_shape {
  size_t side;     /* pixels */
  size_t drawings; /* of each object */
  size_t cells;    /* codes of a picture; 0: they are not kept */
  size_t codes;    /* what codes are below, 1 << 16 at most */
  size_t records;  /* that there will be, at most */
  char fingerprint[65];
} msk_pictures_shape;

typedef struct msk_picture_record {
  const uint8_t *photo, *drawings; /* [side, side, 3], [drawings, side, side] */
  const uint16_t *codes;           /* [2, cells], the mirrored ones behind */
} msk_picture_record;

/* A drawing without a line is none. */
bool msk_picture_is_blank(const uint8_t *drawing, size_t pixels);

/* As those of tokens. */
msk_status msk_pictures_open(msk_pictures **pictures, const char *path,
                             const msk_pictures_shape *shape, msk_error *error);
void msk_pictures_close(msk_pictures *pictures);
const msk_pictures_shape *msk_pictures_get_shape(const msk_pictures *pictures);
size_t msk_pictures_count(const msk_pictures *pictures);
msk_picture_record msk_pictures_at(const msk_pictures *pictures, size_t index);
msk_status msk_pictures_append(msk_pictures *pictures, const msk_picture_record *record,
                               msk_error *error);
void msk_pictures_share(msk_pictures *pictures, const msk_train_ranks *ranks, size_t count);

#endif
