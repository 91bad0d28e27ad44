/* SPDX-License-Identifier: Apache-2.0
 * spec.c - see spec.h. */
#include "eval/spec.h"

#include <stdlib.h>
#include <string.h>

#include "app/input.h"
#include "eval/spec_check.h"

enum { MAX_KEY_NAMES = 64, DEFAULT_TILE = 128 };

static const char *const top_keys[] = {"title",    "text",  "models",    "recipes", "settings",
                                       "sketches", "seeds", "reference", "scores",  "plots",
                                       "sheets",   "tile",  NULL};

static msk_status no_memory(const spec_checker *check) {
  return app_fail(check->error, MSK_ERROR_MEMORY, "out of memory for the SPEC");
}

/* ---- settings ---- */

/* Each value must be one that a recipe of the SPEC takes; what only the model can judge is
 * judged later. */
static msk_status try_value(const spec_checker *check, const eval_spec *spec, const char *key,
                            const char *value) {
  for (size_t i = 0; i < json_array_size(spec->recipes); i++) {
    const char *name = eval_spec_text(spec->recipes, i);
    msk_recipe recipe;
    msk_error reason = {MSK_OK, ""};
    msk_status status = msk_recipe_find(&recipe, NULL, MSK_JOB_DRAW, name, &reason);
    if (status == MSK_OK) status = msk_recipe_set(&recipe, MSK_JOB_DRAW, key, value, &reason);
    if (status != MSK_OK)
      return spec_refuse(check, "\"settings\" for the recipe %.40s: %.280s", name, reason.message);
  }
  return MSK_OK;
}

static msk_status take_settings(const spec_checker *check, eval_spec *spec, const json_t *root) {
  const char *names[MAX_KEY_NAMES + 1] = {NULL};
  const json_t *given = json_object_get(root, "settings");
  spec->settings = json_object();
  if (spec->settings == NULL || json_object_set_new(spec->root, "settings", spec->settings) != 0)
    return no_memory(check);
  if (given == NULL) return MSK_OK;
  if (!json_is_object(given) || json_object_size(given) > MAX_SPEC_KEYS) {
    return spec_refuse(check,
                       "\"settings\" is something else, expected an object of at most %d recipe "
                       "keys and their values",
                       MAX_SPEC_KEYS);
  }
  for (int i = 0; i < MAX_KEY_NAMES && msk_recipe_key(i, MSK_JOB_DRAW, NULL) != NULL; i++)
    names[i] = msk_recipe_key(i, MSK_JOB_DRAW, NULL);
  msk_status status = spec_check_keys(check, given, "settings.", names);
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)(uintptr_t)given, key, value) {
    if (status == MSK_OK)
      status = spec_take_values(check, spec->settings, given, "settings.", key, MAX_SPEC_VALUES);
    const json_t *list = json_object_get(spec->settings, key);
    for (size_t i = 0; status == MSK_OK && i < json_array_size(list); i++)
      status = try_value(check, spec, key, eval_spec_text(list, i));
  }
  return status;
}

/* ---- sketches ---- */

/* "sketches/fish-thin.png" -> "fish-thin" */
static msk_status default_name(const spec_checker *check, json_t *sketch) {
  const char *file = json_string_value(json_object_get(sketch, "file")),
             *slash = strrchr(file, '/');
  const char *name = slash == NULL ? file : slash + 1, *dot = strrchr(name, '.');
  size_t length = dot == NULL || dot == name ? strlen(name) : (size_t)(dot - name);
  if (length == 0)
    return spec_refuse(check, "a sketch's \"file\" is %.80s, expected the name of a picture", file);
  return json_object_set_new(sketch, "name", json_stringn(name, length)) == 0 ? MSK_OK
                                                                              : no_memory(check);
}

static msk_status take_level(const spec_checker *check, json_t *out, const json_t *in,
                             const char *where) {
  const json_t *level = json_object_get(in, "level");
  json_t *text = NULL;
  char name[60];
  if (level == NULL) return MSK_OK;
  snprintf(name, sizeof name, "%slevel", where);
  msk_status status = spec_value_text(check, &text, level, name);
  if (status != MSK_OK) return status;
  return json_object_set_new(out, "level", text) == 0 ? MSK_OK : no_memory(check);
}

static msk_status take_sketch(const spec_checker *check, json_t *list, const json_t *given,
                              size_t index) {
  static const char *const keys[] = {"file", "class", "name",   "subject",        "level",
                                     "mask", "fit",   "invert", "photo_of_paper", NULL};
  static const char *const fits[] = {"stretch", "pad", "crop", NULL}, *const inverts[] = {
                                                                          "auto", "yes", "no",
                                                                          NULL};
  char where[40];
  snprintf(where, sizeof where, "sketches[%zu].", index);
  if (!json_is_object(given))
    return spec_refuse(
        check,
        "\"sketches[%zu]\" is something else, expected an object with \"file\" and \"class\"",
        index);
  json_t *sketch = json_object(), *paper = json_object_get(given, "photo_of_paper");
  if (sketch == NULL || json_array_append_new(list, sketch) != 0) return no_memory(check);
  msk_status status = spec_check_keys(check, given, where, keys);
  if (status == MSK_OK) status = spec_take_text(check, sketch, given, where, "file", true);
  if (status == MSK_OK) status = spec_take_text(check, sketch, given, where, "class", true);
  if (status == MSK_OK) status = spec_take_text(check, sketch, given, where, "name", false);
  if (status == MSK_OK) status = spec_take_text(check, sketch, given, where, "subject", false);
  if (status == MSK_OK) status = take_level(check, sketch, given, where);
  if (status == MSK_OK) status = spec_take_text(check, sketch, given, where, "mask", false);
  if (status == MSK_OK) status = spec_take_word(check, sketch, given, where, "fit", fits);
  if (status == MSK_OK) status = spec_take_word(check, sketch, given, where, "invert", inverts);
  if (status == MSK_OK && paper != NULL && !json_is_boolean(paper))
    status =
        spec_refuse(check, "\"%sphoto_of_paper\" is something else, expected true or false", where);
  if (status == MSK_OK &&
      json_object_set_new(sketch, "photo_of_paper", json_boolean(json_is_true(paper))) != 0)
    status = no_memory(check);
  if (status == MSK_OK && json_object_get(sketch, "name") == NULL)
    status = default_name(check, sketch);
  return status;
}

static msk_status take_sketches(const spec_checker *check, eval_spec *spec, const json_t *root) {
  const json_t *given = json_object_get(root, "sketches");
  size_t count = json_array_size(given);
  if (count < 1 || count > MAX_SPEC_SKETCHES) {
    return spec_refuse(check, "\"sketches\" has %zu entries, expected a list of 1 to %d", count,
                       MAX_SPEC_SKETCHES);
  }
  spec->sketches = json_array();
  if (spec->sketches == NULL || json_object_set_new(spec->root, "sketches", spec->sketches) != 0)
    return no_memory(check);
  msk_status status = MSK_OK;
  for (size_t i = 0; i < count && status == MSK_OK; i++)
    status = take_sketch(check, spec->sketches, json_array_get(given, i), i);
  for (size_t i = 0; i < count && status == MSK_OK; i++) {
    const char *name = eval_spec_sketch(spec, i, "name");
    for (size_t k = 0; k < i && status == MSK_OK; k++) {
      if (strcmp(name, eval_spec_sketch(spec, k, "name")) == 0)
        status = spec_refuse(
            check,
            "two sketches have the name %.60s, expected different ones: give them a \"name\"",
            name);
    }
  }
  return status;
}

/* ---- seeds and the rest ---- */

static msk_status take_seeds(const spec_checker *check, eval_spec *spec, const json_t *root) {
  const json_t *given = json_object_get(root, "seeds");
  size_t count = given == NULL ? 0 : json_is_array(given) ? json_array_size(given) : 1;
  if ((given != NULL && count == 0) || count > MAX_SPEC_SEEDS)
    return spec_refuse(check, "\"seeds\" has %zu values, expected 1 to %d", count, MAX_SPEC_SEEDS);
  spec->seeds = json_array();
  if (spec->seeds == NULL || json_object_set_new(spec->root, "seeds", spec->seeds) != 0)
    return no_memory(check);
  if (given == NULL)
    return json_array_append_new(spec->seeds, json_integer(0)) == 0 ? MSK_OK : no_memory(check);
  for (size_t i = 0; i < count; i++) {
    json_t *seed = json_is_array(given) ? json_array_get(given, i) : (json_t *)(uintptr_t)given;
    bool twice = false;
    for (size_t k = 0; k < i && !twice; k++)
      twice = json_equal(json_array_get(spec->seeds, k), seed);
    if (!json_is_integer(seed) || json_integer_value(seed) < 0 || twice)
      return spec_refuse(check, "\"seeds\" holds %s, expected different whole numbers from 0",
                         twice ? "one twice" : "something else");
    if (json_array_append(spec->seeds, seed) != 0) return no_memory(check);
  }
  return MSK_OK;
}

static msk_status take_names(const spec_checker *check, eval_spec *spec, const json_t *root) {
  static const char *const scores[] = {"structure", "judge", "clip", NULL};
  if (json_object_get(root, "models") != NULL) {
    msk_status status = spec_take_values(check, spec->root, root, "", "models", MAX_SPEC_MODELS);
    if (status != MSK_OK) return status;
    spec->models = json_object_get(spec->root, "models");
  }
  if (json_object_get(root, "recipes") == NULL) {
    if (json_object_set_new(spec->root, "recipes", json_pack("[s]", "balanced")) != 0)
      return no_memory(check);
  } else {
    msk_status status = spec_take_values(check, spec->root, root, "", "recipes", MAX_SPEC_RECIPES);
    if (status != MSK_OK) return status;
  }
  spec->recipes = json_object_get(spec->root, "recipes");
  for (size_t i = 0; i < json_array_size(spec->recipes); i++) {
    msk_recipe recipe;
    msk_error reason = {MSK_OK, ""};
    if (msk_recipe_find(&recipe, NULL, MSK_JOB_DRAW, eval_spec_text(spec->recipes, i), &reason) !=
        MSK_OK)
      return spec_refuse(check, "\"recipes\": %.300s", reason.message);
  }
  if (json_object_get(root, "scores") == NULL) return MSK_OK;
  msk_status status = spec_take_values(check, spec->root, root, "", "scores", 3);
  if (status != MSK_OK) return status;
  spec->scores = json_object_get(spec->root, "scores");
  for (size_t i = 0; i < json_array_size(spec->scores); i++) {
    const char *word = eval_spec_text(spec->scores, i);
    bool known = false;
    for (int k = 0; scores[k] != NULL && !known; k++) known = strcmp(scores[k], word) == 0;
    if (!known)
      return spec_refuse(check, "\"scores\" holds %.60s, the nearest is %s", word,
                         spec_nearest(scores, word));
  }
  return MSK_OK;
}

/* Plots and sheets: objects of texts. Whether their axes exist is seen when the grid is known. */
static msk_status take_views(const spec_checker *check, eval_spec *spec, const json_t *root,
                             const char *key, const char *const *fields, const char *const *needed,
                             json_t **views) {
  const json_t *given = json_object_get(root, key);
  if (given == NULL) return MSK_OK;
  if (!json_is_array(given) || json_array_size(given) > MAX_SPEC_VIEWS)
    return spec_refuse(check, "\"%s\" is something else, expected a list of at most %d objects",
                       key, MAX_SPEC_VIEWS);
  *views = json_array();
  if (*views == NULL || json_object_set_new(spec->root, key, *views) != 0) return no_memory(check);
  for (size_t i = 0; i < json_array_size(given); i++) {
    const json_t *in = json_array_get(given, i);
    json_t *view = json_object();
    char where[40];
    snprintf(where, sizeof where, "%s[%zu].", key, i);
    if (view == NULL || json_array_append_new(*views, view) != 0) return no_memory(check);
    if (!json_is_object(in))
      return spec_refuse(check, "\"%s[%zu]\" is something else, expected an object", key, i);
    msk_status status = spec_check_keys(check, in, where, fields);
    for (int k = 0; fields[k] != NULL && status == MSK_OK; k++) {
      bool must = false;
      for (int n = 0; needed[n] != NULL; n++) must = must || strcmp(needed[n], fields[k]) == 0;
      status = spec_take_text(check, view, in, where, fields[k], must);
    }
    if (status != MSK_OK) return status;
  }
  return MSK_OK;
}

static msk_status take_texts(const spec_checker *check, eval_spec *spec, const json_t *root) {
  static const char *const plot_fields[] = {"title", "x", "y", "along", "by", NULL},
                           *const plot_needed[] = {"x", "y", NULL};
  static const char *const sheet_fields[] = {"title", "rows", "columns", "each", NULL},
                           *const sheet_needed[] = {"rows", "columns", NULL};
  const json_t *tile = json_object_get(root, "tile");
  msk_status status = spec_take_text(check, spec->root, root, "", "title", false);
  if (status == MSK_OK) status = spec_take_text(check, spec->root, root, "", "text", false);
  if (status == MSK_OK) status = spec_take_text(check, spec->root, root, "", "reference", false);
  if (status == MSK_OK)
    status = take_views(check, spec, root, "plots", plot_fields, plot_needed, &spec->plots);
  if (status == MSK_OK)
    status = take_views(check, spec, root, "sheets", sheet_fields, sheet_needed, &spec->sheets);
  if (status != MSK_OK) return status;
  spec->title = json_string_value(json_object_get(spec->root, "title"));
  spec->text = json_string_value(json_object_get(spec->root, "text"));
  spec->reference = json_string_value(json_object_get(spec->root, "reference"));
  if (spec->title == NULL) spec->title = "Evaluation";
  if (spec->text == NULL) spec->text = "a photo of a {class}";
  spec->tile = tile == NULL ? DEFAULT_TILE : 0;
  if (json_is_integer(tile) && json_integer_value(tile) >= 32 && json_integer_value(tile) <= 512)
    spec->tile = (int)json_integer_value(tile);
  return spec->tile != 0
             ? MSK_OK
             : spec_refuse(check,
                           "\"tile\" is something else, expected a whole number from 32 to 512");
}

/* ---- reading ---- */

static msk_status parse(const spec_checker *check, json_t **root) {
  void *bytes = NULL;
  size_t byte_count = 0;
  json_error_t reason;
  msk_status status = input_read(check->path, MAX_SPEC_BYTES, &bytes, &byte_count, check->error);
  if (status != MSK_OK) return status;
  *root = json_loadb(bytes, byte_count, JSON_REJECT_DUPLICATES, &reason);
  msk_free(NULL, bytes);
  if (*root == NULL)
    return spec_refuse(check, "line %d, column %d: %.200s: expected JSON", reason.line,
                       reason.column, reason.text);
  if (!json_is_object(*root))
    return spec_refuse(check, "it is no JSON object, expected { \"sketches\": [ ... ], ... }");
  return spec_check_keys(check, *root, "", top_keys);
}

msk_status eval_spec_load(eval_spec *spec, const char *path, msk_error *error) {
  const spec_checker check = {path, error};
  const char *slash = strrchr(path, '/');
  json_t *root = NULL;
  *spec = (eval_spec){0};
  if (strlen(path) >= sizeof spec->folder)
    return app_fail(error, MSK_ERROR_ARGUMENT, "the SPEC's name is too long: %.80s...", path);
  if (slash != NULL) memcpy(spec->folder, path, (size_t)(slash + 1 - path));
  msk_status status = parse(&check, &root);
  if (status == MSK_OK && (spec->root = json_object()) == NULL) status = no_memory(&check);
  if (status == MSK_OK) status = take_texts(&check, spec, root);
  if (status == MSK_OK) status = take_names(&check, spec, root);
  if (status == MSK_OK) status = take_settings(&check, spec, root);
  if (status == MSK_OK) status = take_sketches(&check, spec, root);
  if (status == MSK_OK) status = take_seeds(&check, spec, root);
  json_decref(root);
  return status;
}

void eval_spec_free(eval_spec *spec) {
  json_decref(spec->root);
  spec->root = NULL;
}

/* ---- using ---- */

const char *eval_spec_text(const json_t *list, size_t index) {
  return json_string_value(json_array_get(list, index));
}

const char *eval_spec_sketch(const eval_spec *spec, size_t index, const char *field) {
  return json_string_value(json_object_get(json_array_get(spec->sketches, index), field));
}

msk_status eval_spec_path(char path[MAX_PATH_BYTES], const eval_spec *spec, const char *given,
                          msk_error *error) {
  /* "-" is a name here */
  const char *folder = given[0] == '/'                           ? ""
                       : spec->folder[0] == 0 && given[0] == '-' ? "./"
                                                                 : spec->folder;
  int length = snprintf(path, MAX_PATH_BYTES, "%s%s", folder, given);
  return length < MAX_PATH_BYTES
             ? MSK_OK
             : app_fail(error, MSK_ERROR_FILE, "a name in the SPEC is too long: %.80s...", given);
}

msk_status eval_spec_recipe(msk_recipe *recipe, const eval_spec *spec, const msk_model *model,
                            const char *name, const int *values, msk_error *error) {
  msk_status status = msk_recipe_find(recipe, model, MSK_JOB_DRAW, name, error);
  const char *key;
  json_t *list;
  int index = 0;
  json_object_foreach(spec->settings, key, list) {
    if (status == MSK_OK)
      status = msk_recipe_set(recipe, MSK_JOB_DRAW, key,
                              eval_spec_text(list, (size_t)values[index]), error);
    index++;
  }
  return status;
}
