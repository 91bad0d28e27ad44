/* SPDX-License-Identifier: Apache-2.0
 * picture_store.c - see picture_store.h. A record: codes, photo, drawings. */
#include "train/picture_store.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

struct msk_pictures {
  msk_pictures_shape shape;
  msk_records *records;
};

static size_t code_bytes(const msk_pictures_shape *shape) { return 4 * shape->cells; }
static size_t plane_bytes(const msk_pictures_shape *shape) { return shape->side * shape->side; }

/* Codes become indices into the codebook, and a right checksum does not say who wrote them. */
static msk_status check_codes(const msk_pictures *pictures, const char *path, msk_error *error) {
  const msk_pictures_shape *shape = &pictures->shape;
  for (size_t i = 0; i < msk_pictures_count(pictures); i++) {
    msk_picture_record record = msk_pictures_at(pictures, i);
    for (size_t c = 0; c < 2 * shape->cells; c++) {
      if (record.codes[c] >= shape->codes)
        return msk_fail(error, MSK_ERROR_FILE,
                        "%s: record %zu has the code %d, expected one below %zu: remove the file, "
                        "and it is made again",
                        path, i, record.codes[c], shape->codes);
    }
  }
  return MSK_OK;
}

bool msk_picture_is_blank(const uint8_t *drawing, size_t pixels) {
  size_t i = 0;
  while (i < pixels && drawing[i] == 255) i++;
  return i == pixels;
}

msk_status msk_pictures_open(msk_pictures **pictures, const char *path,
                             const msk_pictures_shape *shape, msk_error *error) {
  msk_records_shape records = {
      .what = "pictures",
      .bytes = code_bytes(shape) + (3 + shape->drawings) * plane_bytes(shape),
      .records = shape->records};
  snprintf(records.header, sizeof records.header,
           "masksketch pictures 1\nside %zu drawings %zu cells %zu\n%s\n", shape->side,
           shape->drawings, shape->cells, shape->fingerprint);
  msk_pictures *made = msk_allocate_zeroed(NULL, 1, sizeof *made);
  if (made == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory for the pictures' file");
  made->shape = *shape;
  msk_status status = msk_records_open(&made->records, path, &records, error);
  if (status == MSK_OK) status = check_codes(made, path, error);
  if (status != MSK_OK) {
    msk_pictures_close(made);
    return status;
  }
  *pictures = made;
  return MSK_OK;
}

void msk_pictures_close(msk_pictures *pictures) {
  if (pictures == NULL) return;
  msk_records_close(pictures->records);
  msk_free(NULL, pictures);
}

const msk_pictures_shape *msk_pictures_get_shape(const msk_pictures *pictures) {
  return &pictures->shape;
}

size_t msk_pictures_count(const msk_pictures *pictures) {
  return msk_records_count(pictures->records);
}

msk_picture_record msk_pictures_at(const msk_pictures *pictures, size_t index) {
  const uint8_t *record = msk_records_at(pictures->records, index),
                *photo = record + code_bytes(&pictures->shape);
  return (msk_picture_record){.codes = (const uint16_t *)(const void *)record,
                              .photo = photo,
                              .drawings = photo + 3 * plane_bytes(&pictures->shape)};
}

msk_status msk_pictures_append(msk_pictures *pictures, const msk_picture_record *record,
                               msk_error *error) {
  const msk_pictures_shape *shape = &pictures->shape;
  uint8_t *to = msk_records_room(pictures->records);
  if (shape->cells > 0) memcpy(to, record->codes, code_bytes(shape));
  to += code_bytes(shape);
  memcpy(to, record->photo, 3 * plane_bytes(shape));
  memcpy(to + 3 * plane_bytes(shape), record->drawings, shape->drawings * plane_bytes(shape));
  return msk_records_append(pictures->records, error);
}

void msk_pictures_share(msk_pictures *pictures, const msk_train_ranks *ranks, size_t count) {
  msk_records_share(pictures->records, ranks, count);
}
