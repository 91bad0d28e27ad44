/* SPDX-License-Identifier: Apache-2.0
 *
 * recipe_field.h - the table of a recipe's fields: one row a key, from which parsing, printing,
 * ranges, help and effect follow. Immutable data. */
#ifndef MSK_SAMPLING_RECIPE_FIELD_H
#define MSK_SAMPLING_RECIPE_FIELD_H

#include <stdbool.h>

#include "masksketch.h"

typedef struct msk_recipe_field msk_recipe_field;

/* NULL past the end, or where no field has that key. */
const msk_recipe_field *msk_recipe_field_at(int index);
const msk_recipe_field *msk_recipe_field_find(const char *key);
const char *msk_recipe_field_key(const msk_recipe_field *field);
const char *msk_recipe_field_help(const msk_recipe_field *field);
/* Whether the field changes anything in a job, under `official` or under the mended rules. */
bool msk_recipe_field_acts(const msk_recipe_field *field, msk_job job, bool official);
/* Parses and stores a value; the recipe is untouched on failure. */
msk_status msk_recipe_field_set(const msk_recipe_field *field, msk_recipe *recipe,
                                const char *value, msk_error *error);
msk_status msk_recipe_field_get(const msk_recipe_field *field, const msk_recipe *recipe, char *text,
                                size_t text_bytes, msk_error *error);
/* Whether the value in the recipe is within its range. */
msk_status msk_recipe_field_check(const msk_recipe_field *field, const msk_recipe *recipe,
                                  msk_error *error);

#endif
