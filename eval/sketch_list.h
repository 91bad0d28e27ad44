/* SPDX-License-Identifier: Apache-2.0
 *
 * sketch_list.h - the drawings of a SPEC as rows of texts, some hundred bytes each, so that there
 * can be a million of them; and the two places outside a SPEC where they are listed, a folder of
 * folders and a CSV. What the texts mean is the SPEC's to judge (spec.h). */
#ifndef EVAL_SKETCH_LIST_H
#define EVAL_SKETCH_LIST_H

#include <jansson.h>

#include "masksketch.h"

enum { MAX_LISTED_SKETCHES = 1000000, MAX_LIST_BYTES = 512 << 20, MAX_LIST_COLUMNS = 32 };

typedef struct sketch_list {
  char **rows; /* each: its fields' texts one behind the other, "" where there is none */
  int count, room;
} sketch_list;

/* A row from the texts of an object: those under `names` (ended by NULL), in their order. */
msk_status sketch_list_add(sketch_list *list, const json_t *object, const char *const *names,
                           msk_error *error);
void sketch_list_free(sketch_list *list);
/* Field `field` of a row, NULL where it has none. */
const char *sketch_list_field(const sketch_list *list, size_t row, int field);

/* What is told of each drawing: an object of texts, to be checked and added; `line` is the CSV's,
 * or 0. The object is released afterwards. */
typedef msk_status sketch_list_take(void *user, json_t *object, int line, msk_error *error);
/* FOLDER/CLASS/PICTURE (PNG, JPEG, WebP): {"file": "CLASS/PICTURE", "class": "CLASS"}, in the order
 * of the names' bytes. */
msk_status sketch_list_read_folder(const char *path, sketch_list_take *take, void *user,
                                   msk_error *error);
/* RFC 4180; its first line names the columns, an empty field is one that is missing. */
msk_status sketch_list_read_csv(const char *path, sketch_list_take *take, void *user,
                                msk_error *error);
#endif
