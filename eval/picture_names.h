/* SPDX-License-Identifier: Apache-2.0
 *
 * picture_names.h - what lies directly in a folder, by name: all of it, or its pictures (PNG, JPEG,
 * WebP); names that begin with a dot are passed over. In the order of their bytes, whatever the
 * locale, so that the same folder gives the same everywhere. */
#ifndef EVAL_PICTURE_NAMES_H
#define EVAL_PICTURE_NAMES_H

#include <dirent.h>
#include <stdbool.h>

#include "masksketch.h"

typedef struct picture_names {
  struct dirent **entries; /* d_name of each */
  int count;
} picture_names;

msk_status picture_names_read(picture_names *names, const char *folder, bool pictures_only,
                              msk_error *error);
void picture_names_free(picture_names *names);
#endif
