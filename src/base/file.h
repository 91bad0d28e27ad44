/* SPDX-License-Identifier: Apache-2.0
 *
 * file.h - read-only mapping of a regular file, and writing a file whole or not at all.
 * (msk_file_read/msk_file_write of the public header are implemented beside it.) A mapped file
 * must not be shortened while it is in use: the kernel would end the process. */
#ifndef MSK_BASE_FILE_H
#define MSK_BASE_FILE_H

#include <limits.h>
#include <stdbool.h>

#include "masksketch.h"

typedef struct msk_mapping {
  const uint8_t *bytes; /* NULL for an empty file */
  size_t byte_count;
} msk_mapping;

/* Errors: MSK_ERROR_FILE for a missing, unreadable or irregular file. */
msk_status msk_map_file(msk_mapping *mapping, const char *path, msk_error *error);
void msk_unmap_file(msk_mapping *mapping);
/* Bytes that lie inside the mapping are not needed for now: they no longer count as this
 * process's memory, and are read again if they are. */
void msk_mapping_forget(const msk_mapping *mapping, const void *from, size_t byte_count);

/* A file on its way: begin; write any number of times; then either commit (fsync, rename onto
 * `path`, fsync of the folder) or discard. Every function that fails has already discarded. A
 * symbolic link at `path` is followed; devices and pipes are written directly, as there is
 * nothing to rename. Errors: MSK_ERROR_OUTPUT. */
typedef struct msk_file_writer {
  int descriptor, folder; /* -1: none */
  bool direct;
  char path[PATH_MAX];                               /* as the caller named it: for messages */
  char final_name[NAME_MAX + 1], temporary_name[64]; /* inside `folder` */
} msk_file_writer;
msk_status msk_file_writer_begin(msk_file_writer *writer, const char *path, msk_error *error);
msk_status msk_file_writer_write(msk_file_writer *writer, const void *bytes, size_t byte_count,
                                 msk_error *error);
msk_status msk_file_writer_commit(msk_file_writer *writer, msk_error *error);
void msk_file_writer_discard(msk_file_writer *writer); /* harmless after a failure or a commit */
#endif
