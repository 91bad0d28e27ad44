/* SPDX-License-Identifier: Apache-2.0
 * file.h - read-only mapping of a regular file. (msk_file_read/msk_file_write of the public header are implemented beside it.) */
#ifndef MSK_BASE_FILE_H
#define MSK_BASE_FILE_H

#include "masksketch.h"

typedef struct msk_mapping {
  const uint8_t *bytes; /* NULL for an empty file */
  size_t byte_count;
} msk_mapping;

/* Errors: MSK_ERROR_FILE for a missing, unreadable or irregular file. */
msk_status msk_map_file(msk_mapping *mapping, const char *path, msk_error *error);
void msk_unmap_file(msk_mapping *mapping);
#endif
