/* SPDX-License-Identifier: Apache-2.0
 *
 * records.h - a file of what a run has rendered, which only grows: a header that says what it was
 * made of and with, then records of one size, each with a checksum. One thread appends; any others
 * read records below the count. When the file is opened again all checksums are looked at: from a
 * damaged or half written record on it is cut off. */
#ifndef MSK_TRAIN_RECORDS_H
#define MSK_TRAIN_RECORDS_H

#include "train/together.h"

enum { MSK_RECORDS_HEADER = 256 };

typedef struct msk_records msk_records;

typedef struct msk_records_shape {
  char header[MSK_RECORDS_HEADER]; /* a text, zeros behind it */
  const char *what;                /* is in it, for messages */
  size_t bytes;                    /* of a record's contents */
  size_t records;                  /* that there will be, at most */
} msk_records_shape;

/* Opens or makes the file, for this run alone; path NULL: in memory, for a rank that is given its
 * records by another. MSK_ERROR_FILE if its header is another, or it is in
 * use by another run. */
msk_status msk_records_open(msk_records **records, const char *path, const msk_records_shape *shape,
                            msk_error *error);
void msk_records_close(msk_records *records);
/* Records that can be read; grows while another thread appends. */
size_t msk_records_count(const msk_records *records);
/* Contents, 8-byte aligned. */
const uint8_t *msk_records_at(const msk_records *records, size_t index);
/* Where the one thread that appends puts the next record's contents; then it appends them. */
uint8_t *msk_records_room(msk_records *records);
msk_status msk_records_append(msk_records *records, msk_error *error);
/* The first `count` records, which rank 0 has, come to all ranks; each of them once. */
void msk_records_share(msk_records *records, const msk_train_ranks *ranks, size_t count);

#endif
