/* SPDX-License-Identifier: Apache-2.0
 * class_list.h - the class names that a conversion puts into the run-time file. Owns nothing. */
#ifndef MSK_API_CLASS_LIST_H
#define MSK_API_CLASS_LIST_H

#include "masksketch.h"

typedef struct msk_class_source {
  const char *path;      /* text file, one name a line, UTF-8; NULL: none given */
  const char *kept;      /* JSON array of a run-time file that is converted again; NULL: none */
  const char *kept_path; /* that file, for messages */
} msk_class_source;

/* A JSON array of `count` names: of the text file, else those kept, else ImageNet's if there are
 * 1000, else the numbers. *json is allocated. */
msk_status msk_class_list_json(char **json, const msk_class_source *source, size_t count,
                               const msk_allocator *allocator, msk_error *error);
#endif
