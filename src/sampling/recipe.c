/* SPDX-License-Identifier: Apache-2.0
 *
 * recipe.c - see recipe.h: the rows, how a model's defaults overlay them, and the public
 * functions on recipes. */
#include "sampling/recipe.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "sampling/recipe_field.h"

typedef struct setting {
  const char *key, *value;
} setting;

#define JOBS 3
#define MAX_SETTINGS 12

/* A row: what it settles for each job, over `base`. A list ends at the first NULL key. */
typedef struct row {
  const char *name, *description;
  setting jobs[JOBS][MAX_SETTINGS];
} row;

/* What every mended row starts from. The tail's choice temperature is MaskGIT's 4.5 (1 - r) at
 * the tail's first mask rate, 0.35. */
static const setting base[JOBS][MAX_SETTINGS] = {
    [MSK_JOB_DRAW] = {{"steps", "24"},
                      {"schedule", "uniform"},
                      {"lambda_structure", "0.9"},
                      {"min_mask_rate", "0.35"},
                      {"max_mask_rate", "0.95"},
                      {"token_temperature", "0.9"},
                      {"choice_temperature", "1"},
                      {"guidance", "0.6"},
                      {"distance", "symmetric-kl"},
                      {"tail", "6"}},
    [MSK_JOB_GENERATE] = {{"steps", "16"}, {"schedule", "cosine"}, {"choice_temperature", "4.5"}},
    [MSK_JOB_EDIT] = {{"steps", "12"}, {"schedule", "cosine"}, {"choice_temperature", "4.5"}},
};

#define OFFICIAL 0
#define BALANCED 1

static const row rows[] = {
    [OFFICIAL] = {"official",
                  "the authors' code to the token, its defects included",
                  {[MSK_JOB_DRAW] = {{"steps", "16"},
                                     {"schedule", "uniform"},
                                     {"lambda_structure", "0.9"},
                                     {"min_mask_rate", "0.35"},
                                     {"max_mask_rate", "0.95"},
                                     {"guidance", "0.6"},
                                     {"distance", "cross-entropy"}},
                   [MSK_JOB_GENERATE] = {{"steps", "16"},
                                         {"schedule", "cosine"},
                                         {"choice_temperature", "4.5"}},
                   [MSK_JOB_EDIT] = {{"steps", "12"},
                                     {"schedule", "cosine"},
                                     {"choice_temperature", "4.5"},
                                     {"start_step", "2"}}}},
    [BALANCED] = {"balanced", "the default: a good picture in moderate time", {{{NULL, NULL}}}},
    {"fast",
     "balanced with about a third of the steps",
     {[MSK_JOB_DRAW] = {{"steps", "8"}, {"tail", "3"}},
      [MSK_JOB_GENERATE] = {{"steps", "8"}},
      [MSK_JOB_EDIT] = {{"steps", "6"}}}},
    {"thorough",
     "balanced with more than twice the steps",
     {[MSK_JOB_DRAW] = {{"steps", "64"}, {"tail", "12"}},
      [MSK_JOB_GENERATE] = {{"steps", "32"}},
      [MSK_JOB_EDIT] = {{"steps", "24"}}}},
    /* No token of the drawing is ever seen, so that structure has proposals to choose from only
     * where they differ: hence the full temperature, and the steps to settle them. */
    {"attention",
     "draw: the shape comes from attention alone, the drawing's tokens stay hidden; slower",
     {[MSK_JOB_DRAW] = {{"steps", "36"},
                        {"token_temperature", "1"},
                        {"guidance", "4"},
                        {"visible_sketch", "0"},
                        {"sketch_share", "0"},
                        {"sketch_steps", "0"},
                        {"placeholder", "mask"}}}},
    /* What the first steps fix decides on colours: they are drawn warm, with hardly any guidance,
     * which amplifies small habits, and keep few tokens at a time. */
    {"varied",
     "draw: balanced with seeds that differ more in colour and backdrop",
     {[MSK_JOB_DRAW] = {{"schedule", "pow2"},
                        {"max_mask_rate", "1"},
                        {"token_temperature", "0.4"},
                        {"start_temperature", "1"},
                        {"start_temperature_steps", "6"},
                        {"guidance_schedule", "power-cosine"}}}},
};
#define ROWS ((int)(sizeof rows / sizeof *rows))

static const char *const job_names[JOBS] = {"draw", "generate", "edit"};
/* the authors' choice for their 24 layers */
static const int published_layers[] = {1, 3, 16, 20, 21, 22};
#define PUBLISHED_DEPTH 24

static const row *find_row(const char *name, size_t length) {
  for (int i = 0; i < ROWS; i++) {
    if (strlen(rows[i].name) == length && memcmp(rows[i].name, name, length) == 0) return &rows[i];
  }
  return NULL;
}

static msk_status apply(msk_recipe *recipe, const setting *list, msk_error *error) {
  for (int i = 0; i < MAX_SETTINGS && list[i].key != NULL; i++) {
    msk_status status =
        msk_recipe_field_set(msk_recipe_field_find(list[i].key), recipe, list[i].value, error);
    if (status != MSK_OK) return status;
  }
  return MSK_OK;
}

/* ---- a model's defaults ---- */

typedef struct scope {
  const row *recipe; /* NULL: every one */
  int job;           /* -1: every one */
  const msk_recipe_field *field;
} scope;

static msk_status bad_default(const msk_default_pair *pair, const char *why, msk_error *error) {
  return msk_fail(error, MSK_ERROR_FILE, "the model's default '%.60s' = '%.60s' is wrong: %s",
                  pair->key, pair->value, why);
}

/* [RECIPE.][JOB.]KEY */
static msk_status read_scope(scope *out, const msk_default_pair *pair, msk_error *error) {
  scope found = {NULL, -1, NULL};
  const char *cursor = pair->key;
  for (const char *dot; (dot = strchr(cursor, '.')) != NULL; cursor = dot + 1) {
    size_t length = (size_t)(dot - cursor);
    const row *recipe = find_row(cursor, length);
    int job = 0;
    while (job < JOBS &&
           !(strlen(job_names[job]) == length && memcmp(job_names[job], cursor, length) == 0))
      job++;
    if (recipe != NULL && found.recipe == NULL && found.job < 0) {
      found.recipe = recipe;
    } else if (job < JOBS && found.job < 0) {
      found.job = job;
    } else {
      return bad_default(pair, "expected [RECIPE.][JOB.]KEY", error);
    }
  }
  found.field = msk_recipe_field_find(cursor);
  if (found.field == NULL) return bad_default(pair, "no recipe has this key", error);
  if (found.recipe == &rows[OFFICIAL])
    return bad_default(pair, "the values of official are the authors'", error);
  if (found.job >= 0 && !msk_recipe_field_acts(found.field, (msk_job)found.job, false))
    return bad_default(pair, "no effect in this job", error);
  *out = found;
  return MSK_OK;
}

/* Applies the pairs for this row and job: those that name the recipe, or those that do not. */
static msk_status apply_pairs(msk_recipe *recipe, const msk_model_defaults *defaults,
                              const row *chosen, msk_job job, bool named, msk_error *error) {
  for (size_t i = 0; i < defaults->pair_count; i++) {
    const msk_default_pair *pair = &defaults->pairs[i];
    scope where = {NULL, -1, NULL};
    msk_error reason = {MSK_OK, ""};
    msk_status status = read_scope(&where, pair, error);
    if (status != MSK_OK) return status;
    bool here = (where.recipe == NULL || where.recipe == chosen) &&
                (where.recipe != NULL) == named && (where.job < 0 || where.job == (int)job);
    if (!here || !msk_recipe_field_acts(where.field, job, false)) continue;
    if (msk_recipe_field_set(where.field, recipe, pair->value, &reason) != MSK_OK)
      return bad_default(pair, reason.message, error);
  }
  return MSK_OK;
}

static msk_status set_layers(msk_recipe *recipe, const msk_model_defaults *defaults,
                             int model_layers, msk_error *error) {
  int depth = model_layers > 0 ? model_layers : PUBLISHED_DEPTH;
  if (defaults != NULL && defaults->structure_layer_count > 0) {
    if (defaults->structure_layer_count > MSK_MAX_LAYERS) {
      return msk_fail(error, MSK_ERROR_FILE,
                      "the model declares %d structure layers, expected at most %d",
                      defaults->structure_layer_count, MSK_MAX_LAYERS);
    }
    recipe->layer_count = defaults->structure_layer_count;
    memcpy(recipe->layers, defaults->structure_layers, sizeof recipe->layers);
  } else if (depth == PUBLISHED_DEPTH) {
    recipe->layer_count = (int)(sizeof published_layers / sizeof *published_layers);
    memcpy(recipe->layers, published_layers, sizeof published_layers);
  } else {
    recipe->layer_count = depth < MSK_MAX_LAYERS ? depth : MSK_MAX_LAYERS;
    for (int i = 0; i < recipe->layer_count; i++) recipe->layers[i] = i;
  }
  return MSK_OK;
}

static msk_status fill_mended(msk_recipe *recipe, const msk_model_defaults *defaults,
                              const row *chosen, msk_job job, msk_error *error) {
  msk_status status = apply(recipe, base[job], error);
  if (status == MSK_OK && defaults != NULL) {
    if (defaults->null_class >= 0) recipe->unconditional = MSK_UNCONDITIONAL_NULL;
    if (defaults->start_from_sketch >= 0) recipe->visible_sketch = defaults->start_from_sketch != 0;
    status = apply_pairs(recipe, defaults, chosen, job, false, error);
  }
  if (status == MSK_OK) status = apply(recipe, chosen->jobs[job], error);
  if (status == MSK_OK && defaults != NULL)
    status = apply_pairs(recipe, defaults, chosen, job, true, error);
  return status;
}

static msk_status unknown_recipe(const char *name, msk_error *error) {
  char names[256] = "";
  size_t used = 0;
  for (int i = 0; i < ROWS && used < sizeof names; i++)
    used +=
        (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", rows[i].name);
  return msk_fail(error, MSK_ERROR_ARGUMENT, "the recipe is '%.60s', expected one of %s", name,
                  names);
}

msk_status msk_recipe_from_defaults(msk_recipe *recipe, const msk_model_defaults *defaults,
                                    int model_layers, msk_job job, const char *name,
                                    msk_error *error) {
  if (recipe == NULL || name == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "the recipe or its name is missing");
  if ((int)job < 0 || (int)job >= JOBS)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "the job is %d, expected 0..%d", (int)job, JOBS - 1);
  const row *chosen = find_row(name, strlen(name));
  if (chosen == NULL) return unknown_recipe(name, error);
  msk_recipe filled = {.size = sizeof filled,
                       .official = chosen == &rows[OFFICIAL],
                       .schedule_power = 1,
                       .max_mask_rate = 1,
                       .token_temperature = 1,
                       .unconditional_every = 1,
                       .structure_every = 1,
                       .visible_sketch = 1};
  snprintf(filled.name, sizeof filled.name, "%s", chosen->name);
  msk_status status = set_layers(&filled, defaults, model_layers, error);
  if (status == MSK_OK) {
    status = filled.official ? apply(&filled, chosen->jobs[job], error)
                             : fill_mended(&filled, defaults, chosen, job, error);
  }
  if (status == MSK_OK) status = msk_recipe_check(&filled, job, model_layers, error);
  if (status == MSK_OK) *recipe = filled;
  return status;
}

/* ---- checks ---- */

/* A field that `official` cannot change holds what the authors' code does. */
static msk_status check_official(const msk_recipe *recipe, msk_job job, msk_error *error) {
  bool plain = recipe->token_temperature == 1 && recipe->start_temperature == 0 &&
               recipe->unconditional == MSK_UNCONDITIONAL_RANDOM && recipe->visible_sketch == 1 &&
               recipe->sketch_share == 0 && recipe->sketch_steps == 0 &&
               recipe->placeholder == MSK_PLACEHOLDER_MASK && recipe->tail == 0;
  plain = plain && recipe->guidance_schedule == MSK_GUIDANCE_CONSTANT &&
          recipe->guidance_skip == 0 && recipe->unconditional_every == 1 &&
          recipe->structure_every == 1 && recipe->order == MSK_ORDER_CONFIDENCE &&
          recipe->remask == MSK_REMASK_ANY;
  bool distance = job != MSK_JOB_DRAW || recipe->distance == MSK_DISTANCE_CROSS_ENTROPY;
  bool choice = job == MSK_JOB_DRAW ? recipe->choice_temperature == 0 && recipe->start_step == 0
                                    : recipe->guidance == 0;
  if (plain && distance && choice) return MSK_OK;
  return msk_fail(
      error, MSK_ERROR_ARGUMENT,
      "the recipe official was changed where the authors' code cannot be: take another recipe");
}

msk_status msk_recipe_check(const msk_recipe *recipe, msk_job job, int model_layers,
                            msk_error *error) {
  if (recipe->size != sizeof *recipe)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "the recipe's size is %zu, expected %zu",
                    recipe->size, sizeof *recipe);
  for (int i = 0; msk_recipe_field_at(i) != NULL; i++) {
    msk_status status = msk_recipe_field_check(msk_recipe_field_at(i), recipe, error);
    if (status != MSK_OK) return status;
  }
  if (recipe->start_step >= recipe->steps) {
    return msk_fail(error, MSK_ERROR_ARGUMENT, "start_step is %d, expected 0..%d (steps - 1)",
                    recipe->start_step, recipe->steps - 1);
  }
  if ((recipe->start_temperature > 0) != (recipe->start_temperature_steps > 0)) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "start_temperature is %g and start_temperature_steps %d, expected both above 0 "
                    "(a fall) or neither",
                    recipe->start_temperature, recipe->start_temperature_steps);
  }
  /* the authors' code takes a rising rate */
  if (!recipe->official && recipe->min_mask_rate > recipe->max_mask_rate) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "min_mask_rate is %g, expected at most max_mask_rate, %g",
                    recipe->min_mask_rate, recipe->max_mask_rate);
  }
  /* steps of draw that end with masks */
  const int letting_go = recipe->steps - (recipe->tail == 0);
  if (job == MSK_JOB_DRAW && recipe->sketch_steps > letting_go) {
    return msk_fail(
        error, MSK_ERROR_ARGUMENT, "sketch_steps is %d, expected 0..%d: %d steps with %s",
        recipe->sketch_steps, letting_go, recipe->steps,
        recipe->tail == 0 ? "no tail mask tokens again after all but the last" : "a tail");
  }
  if (job == MSK_JOB_DRAW && recipe->layer_count == 0)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "layers is empty, expected at least one layer");
  if (model_layers > 0 && recipe->layer_count > 0 &&
      recipe->layers[recipe->layer_count - 1] >= model_layers) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "layers names layer %d, expected 0..%d: the model has %d",
                    recipe->layers[recipe->layer_count - 1], model_layers - 1, model_layers);
  }
  return recipe->official ? check_official(recipe, job, error) : MSK_OK;
}

/* ---- the public functions ---- */

const char *msk_recipe_name(int index) {
  return index >= 0 && index < ROWS ? rows[index].name : NULL;
}
const char *msk_recipe_description(int index) {
  return index >= 0 && index < ROWS ? rows[index].description : NULL;
}

const char *msk_recipe_key(int index, msk_job job, const char **help) {
  const msk_recipe_field *field;
  for (int i = 0; index >= 0 && (field = msk_recipe_field_at(i)) != NULL; i++) {
    if (!msk_recipe_field_acts(field, job, false) || index-- > 0) continue;
    if (help != NULL) *help = msk_recipe_field_help(field);
    return msk_recipe_field_key(field);
  }
  return NULL;
}

/* Refuses a key, naming those that have an effect in the job under these rules. */
static msk_status refuse_key(const char *key, const char *why, msk_job job, bool official,
                             msk_error *error) {
  char keys[448] = "";
  size_t used = 0;
  const msk_recipe_field *field;
  for (int i = 0; (field = msk_recipe_field_at(i)) != NULL && used < sizeof keys; i++) {
    if (!msk_recipe_field_acts(field, job, official)) continue;
    used += (size_t)snprintf(keys + used, sizeof keys - used, "%s%s", used ? " " : "",
                             msk_recipe_field_key(field));
  }
  return msk_fail(error, MSK_ERROR_ARGUMENT, "the recipe key '%.40s' %s, expected one of: %s", key,
                  why, keys);
}

static msk_status find_field(const msk_recipe_field **field, const msk_recipe *recipe,
                             const char *key, msk_job job, msk_error *error) {
  if (recipe == NULL || key == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "the recipe or the key is missing");
  if (recipe->size != sizeof *recipe)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "the recipe's size is %zu, expected %zu",
                    recipe->size, sizeof *recipe);
  *field = msk_recipe_field_find(key);
  return *field != NULL ? MSK_OK : refuse_key(key, "is unknown", job, recipe->official != 0, error);
}

msk_status msk_recipe_set(msk_recipe *recipe, msk_job job, const char *key, const char *value,
                          msk_error *error) {
  const msk_recipe_field *field;
  if ((int)job < 0 || (int)job >= JOBS)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "the job is %d, expected 0..%d", (int)job, JOBS - 1);
  msk_status status = find_field(&field, recipe, key, job, error);
  if (status != MSK_OK) return status;
  if (!msk_recipe_field_acts(field, job, recipe->official != 0)) {
    char why[96];
    snprintf(why, sizeof why, "has no effect in %s%s", job_names[job],
             recipe->official ? " under the recipe official" : "");
    return refuse_key(key, why, job, recipe->official != 0, error);
  }
  if (value == NULL) return msk_fail(error, MSK_ERROR_ARGUMENT, "the value of %s is missing", key);
  return msk_recipe_field_set(field, recipe, value, error);
}

msk_status msk_recipe_get(const msk_recipe *recipe, const char *key, char *text, size_t text_bytes,
                          msk_error *error) {
  const msk_recipe_field *field;
  msk_status status = find_field(&field, recipe, key, MSK_JOB_DRAW, error);
  if (status != MSK_OK) return status;
  return msk_recipe_field_get(field, recipe, text, text_bytes, error);
}
