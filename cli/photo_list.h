/* SPDX-License-Identifier: Apache-2.0
 *
 * photo_list.h - the pictures that a network is taught or trained from, by name: single ones, a
 * folder of them, or a folder of folders, one a class. A picture's drawing is NAME.sketch.png
 * beside it, or drawings/NAME.png. Lists are in order of names, so that the same folder gives the
 * same. */
#ifndef CLI_PHOTO_LIST_H
#define CLI_PHOTO_LIST_H

#include "masksketch_tools.h"

enum { MOST_PHOTOS = 1000000 };

typedef struct photo_list {
  char **photos, **drawings; /* drawings: NULL where there is none */
  int *classes;              /* of each photo */
  char **names;              /* of the classes */
  int count, drawn, room, class_count;
} photo_list;

/* A picture, or those of a folder, of the last class. */
msk_status photo_list_add(photo_list *list, const char *path, msk_error *error);
/* The folders in a folder, each a class with its pictures; other files and names that begin with a
 * dot are passed over. */
msk_status photo_list_add_classes(photo_list *list, const char *folder, msk_error *error);
void photo_list_free(photo_list *list);

#endif
