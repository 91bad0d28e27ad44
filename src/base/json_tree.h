/* SPDX-License-Identifier: Apache-2.0
 *
 * json_tree.h - foreign JSON as a tree of jansson's, bounded before it grows: a tree takes some
 * hundred bytes for each "{}". jansson's own parser is used for nothing foreign: it knows no
 * bounds, and frees a block twice when memory is refused in the middle. */
#ifndef MSK_BASE_JSON_TREE_H
#define MSK_BASE_JSON_TREE_H

#include <jansson.h>
#include <stdbool.h>

#include "masksketch.h"

/* deep and long enough for every form that is read here */
enum {
  MSK_JSON_DEPTH = 32,
  MSK_JSON_KEY_BYTES = 256,
  MSK_JSON_FEW = 20000,
  MSK_JSON_MANY = 1 << 20
};

/* An object or a list of at most `most` values, keys included. No key twice; a byte order mark
 * is passed over; a whole number of more than 64 bits (seeds have one bit more than json_int_t)
 * is a text. `name` begins the messages: "NAME is no JSON ...". *root is the caller's.
 * MSK_ERROR_FILE: broken, or too much; MSK_ERROR_MEMORY. */
msk_status msk_json_load(json_t **root, const char *name, const void *text, size_t byte_count,
                         size_t most, msk_error *error);

/* The value's text, to msk_free(); NULL without memory. json_dumps() of jansson leaves out what
 * it has no memory for, and tells nobody. */
char *msk_json_text(const json_t *value, size_t flags, const msk_allocator *allocator);

/* A number, text, flag or list of whole numbers from 0 as the text that msk_recipe_set() takes,
 * numbers with a point whatever the locale. False where it is none of these, or too long. */
bool msk_json_setting(const json_t *value, char *text, size_t bytes);
#endif
