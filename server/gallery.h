/* SPDX-License-Identifier: Apache-2.0
 *
 * gallery.h - `--gallery DIR`: every finished picture as a file, written whole or not at all.
 * What a killed server left behind under a temporary name is removed at the next start, which a
 * lock on the folder makes safe. */
#ifndef SERVER_GALLERY_H
#define SERVER_GALLERY_H

#include "jobs.h"

/* Locks the folder and tidies it; *folder is the descriptor that holds the lock. */
msk_status gallery_open(const char *path, int *folder, msk_error *error);
msk_status gallery_write(const server *s, const job *j, const job_image *image, msk_error *error);
#endif
