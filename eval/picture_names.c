/* SPDX-License-Identifier: Apache-2.0
 * picture_names.c - see picture_names.h. */
#include "eval/picture_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "app/report.h"
#include "masksketch_tools.h"

static int is_named(const struct dirent *entry) { return entry->d_name[0] != '.'; }

static int is_picture(const struct dirent *entry) {
  return is_named(entry) && msk_format_of_path(entry->d_name) != MSK_FORMAT_AUTO;
}

static int by_name(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

msk_status picture_names_read(picture_names *names, const char *folder, bool pictures_only,
                              msk_error *error) {
  *names = (picture_names){0};
  int count = scandir(folder, &names->entries, pictures_only ? is_picture : is_named, by_name);
  if (count < 0)
    return app_fail(error, MSK_ERROR_FILE, "cannot read the folder %s: %s", folder,
                    strerror(errno));
  names->count = count;
  return MSK_OK;
}

void picture_names_free(picture_names *names) {
  for (int i = 0; i < names->count; i++) free(names->entries[i]);
  free(names->entries);
  *names = (picture_names){0};
}
