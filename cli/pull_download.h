/* SPDX-License-Identifier: Apache-2.0
 *
 * pull_download.h - one file over https: into PATH.part, which a later call takes up where it
 * ended, and to PATH when its size and hash are right. A kill at any time leaves what can be
 * resumed; a wrong byte never gets the final name. */
#ifndef CLI_PULL_DOWNLOAD_H
#define CLI_PULL_DOWNLOAD_H

#include "pull_manifest.h"

typedef struct download_options {
  int patience; /* seconds without a byte before a try ends */
  int tries;    /* in a row that brought nothing, before it gives up */
  bool quiet;
} download_options;

/* `file->hash` NULL: any contents are taken; *hash is theirs in any case. MSK_ERROR_FILE: the
 * server's answer is wrong or does not come; MSK_ERROR_OUTPUT; MSK_ERROR_CANCELLED. */
msk_status download(char hash[HASH_BYTES], const char *path, const pull_file *file,
                    const download_options *options, msk_error *error);
#endif
