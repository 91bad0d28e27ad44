/* SPDX-License-Identifier: Apache-2.0
 *
 * recipe.h - named rows of sampling settings, and the one table of their fields: it drives
 * parsing, printing, ranges, help, and which jobs a key has an effect in. Owns nothing; knows no
 * model file: a model's own wishes come as a msk_model_defaults, which src/api fills in from its
 * metadata. msk_recipe_name/description/set/get/key of the public header are implemented here,
 * msk_recipe_find() in src/api on top of msk_recipe_from_defaults(). */
#ifndef MSK_SAMPLING_RECIPE_H
#define MSK_SAMPLING_RECIPE_H

#include "masksketch.h"

/* One setting that a model brings along: `key` is [RECIPE.][JOB.]KEY with RECIPE a recipe's
 * name, JOB draw, generate or edit, and KEY as msk_recipe_set() takes it. Without JOB it holds
 * for every job in which the key has an effect; without RECIPE for every recipe but `official`
 * that does not itself settle the key (`fast` settles steps, say). "official.*" is refused:
 * those values are the authors'. */
typedef struct msk_default_pair {
  const char *key, *value;
} msk_default_pair;

/* What a model declares about its own use. A model that declares nothing: {.null_class = -1,
 * .start_from_sketch = -1}. */
typedef struct msk_model_defaults {
  int structure_layers[MSK_MAX_LAYERS], structure_layer_count; /* count 0: not declared */
  /* trained "no class" label, or -1: guidance then uses it unless the recipe is `official` */
  int null_class;
  /* 1 or 0: decoding starts with some sketch tokens visible, or fully masked; -1: not declared */
  int start_from_sketch;
  const msk_default_pair *pairs;
  size_t pair_count;
} msk_model_defaults;

/* The recipe `name` for a job: the table's row overlaid with `defaults` (NULL: nothing
 * declared). `official` takes the structure layers alone. model_layers: the transformer's depth;
 * 0: unknown, the official model's is taken. Layers that nobody declares are the published six
 * for 24 layers, else all. Errors: MSK_ERROR_ARGUMENT for an unknown name (the names are
 * listed), MSK_ERROR_FILE for a bad default (it is named). */
msk_status msk_recipe_from_defaults(msk_recipe *recipe, const msk_model_defaults *defaults,
                                    int model_layers, msk_job job, const char *name,
                                    msk_error *error);

/* Checks every field against the table, and fields against each other (start_step < steps,
 * min_mask_rate <= max_mask_rate but under official, layers ascending and below model_layers
 * where that is > 0). For recipes whose fields were set directly. */
msk_status msk_recipe_check(const msk_recipe *recipe, msk_job job, int model_layers,
                            msk_error *error);

#endif
