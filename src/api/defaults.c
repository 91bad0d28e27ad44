/* SPDX-License-Identifier: Apache-2.0
 *
 * defaults.c - the "defaults" object of a model file (model.h, docs/formats.md). Foreign text:
 * bounded before it is parsed, every type and range checked. Values of recipe keys become text
 * here and are judged by src/sampling when a recipe is asked for. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "api/model.h"
#include "base/error.h"
#include "base/json_tree.h"
#include "masksketch_tools.h"

enum { MAX_JSON = 64 * 1024, MAX_VALUE = 1024 };

struct parse {
  msk_file_defaults *defaults;
  size_t class_count, layers;
  const char *path;
  const msk_allocator *allocator;
  msk_error *error;
};

static msk_status fail_value(const struct parse *parse, const char *key, const char *expected) {
  return msk_fail(parse->error, MSK_ERROR_FILE,
                  "%s: the model's default \"%s\" is wrong, expected %s", parse->path, key,
                  expected);
}

static bool integer_below(const json_t *value, size_t limit, size_t *number) {
  if (!json_is_integer(value) || json_integer_value(value) < 0 ||
      (unsigned long long)json_integer_value(value) >= limit)
    return false;
  *number = (size_t)json_integer_value(value);
  return true;
}

static msk_status parse_layers(const struct parse *parse, const char *key, const json_t *value) {
  msk_model_defaults *recipe = &parse->defaults->recipe;
  size_t count = json_array_size(value);
  if (!json_is_array(value) || count > MSK_MAX_LAYERS)
    return fail_value(parse, key, "an array of at most 64 layers");
  for (size_t i = 0; i < count; i++) {
    size_t layer;
    if (!integer_below(json_array_get(value, i), parse->layers, &layer) ||
        (i > 0 && (int)layer <= recipe->structure_layers[i - 1])) {
      return fail_value(parse, key, "layers of the transformer, from 0, ascending");
    }
    recipe->structure_layers[i] = (int)layer;
  }
  recipe->structure_layer_count = (int)count;
  return MSK_OK;
}

static msk_status parse_null_class(const struct parse *parse, const char *key,
                                   const json_t *value) {
  size_t class_id;
  if (json_is_null(value)) return MSK_OK;
  if (!integer_below(value, parse->class_count, &class_id))
    return fail_value(parse, key, "one of the model's classes");
  parse->defaults->recipe.null_class = (int)class_id;
  return MSK_OK;
}

static msk_status parse_hidden(const struct parse *parse, const char *key, const json_t *value) {
  if (!json_is_array(value)) return fail_value(parse, key, "an array of classes");
  for (size_t i = 0; i < json_array_size(value); i++) {
    size_t class_id;
    if (!integer_below(json_array_get(value, i), parse->class_count, &class_id))
      return fail_value(parse, key, "classes of the model");
    parse->defaults->hidden[class_id] = 1;
  }
  return MSK_OK;
}

static msk_status parse_start(const struct parse *parse, const char *key, const json_t *value) {
  if (!json_is_boolean(value)) return fail_value(parse, key, "true or false");
  parse->defaults->recipe.start_from_sketch = json_is_true(value);
  return MSK_OK;
}

static msk_status parse_fit(const struct parse *parse, const char *key, const json_t *value) {
  const char *name = json_string_value(value);
  int fit = 0;
  while (msk_fit_name(fit) != NULL && (name == NULL || strcmp(msk_fit_name(fit), name) != 0)) fit++;
  if (msk_fit_name(fit) == NULL) return fail_value(parse, key, "stretch, pad, crop or ink");
  parse->defaults->fit = (msk_fit)fit;
  return MSK_OK;
}

static msk_status parse_groups(const struct parse *parse, const char *key, const json_t *value) {
  if (!integer_below(value, 1025, &parse->defaults->groups) || parse->defaults->groups == 0)
    return fail_value(parse, key, "1 to 1024");
  return MSK_OK;
}

static msk_status parse_image_size(const struct parse *parse, const char *key,
                                   const json_t *value) {
  if (!integer_below(value, 65536, &parse->defaults->image_size))
    return fail_value(parse, key, "a number of pixels");
  return MSK_OK;
}

static msk_status parse_note(const struct parse *parse, const char *key, const json_t *value) {
  return json_is_string(value) ? MSK_OK : fail_value(parse, key, "a text");
}

/* Kept in the file for readers of it; nothing here depends on it. */
static msk_status parse_anything(const struct parse *parse, const char *key, const json_t *value) {
  (void)parse, (void)key, (void)value;
  return MSK_OK;
}

static msk_status parse_recipe(const struct parse *parse, const char *name, const json_t *object) {
  const char *key;
  json_t *value;
  char text[MAX_VALUE];
  size_t bytes = 0;
  msk_file_defaults *defaults = parse->defaults;
  if (!json_is_object(object) || json_object_size(object) > MSK_MAX_DEFAULTS)
    return fail_value(parse, name, "an object of at most 64 values");
  json_object_foreach((json_t *)(uintptr_t)object, key, value) {
    if (!msk_json_setting(value, text, sizeof text))
      return fail_value(parse, key, "a number, a text, true, false or an array of layers");
    bytes += strlen(key) + strlen(text) + 2;
  }
  /* measured first, then copied: one block holds keys and values */
  defaults->text = msk_allocate(parse->allocator, bytes, 1);
  if (defaults->text == NULL)
    return msk_fail(parse->error, MSK_ERROR_MEMORY, "not enough memory for the model's defaults");
  char *end = defaults->text;
  json_object_foreach((json_t *)(uintptr_t)object, key, value) {
    msk_default_pair *pair = &defaults->pairs[defaults->recipe.pair_count++];
    pair->key = strcpy(end, key);
    end += strlen(key) + 1;
    msk_json_setting(value, text, sizeof text);
    pair->value = strcpy(end, text);
    end += strlen(text) + 1;
  }
  defaults->recipe.pairs = defaults->pairs;
  return MSK_OK;
}

static const struct {
  const char *key;
  msk_status (*parse)(const struct parse *, const char *, const json_t *);
} keys[] = {
    {"structure_layers", parse_layers},
    {"null_class", parse_null_class},
    {"hidden_classes", parse_hidden},
    {"start_from_sketch", parse_start},
    {"fit", parse_fit},
    {"groups", parse_groups},
    {"image_size", parse_image_size},
    {"recipe", parse_recipe},
    {"licence", parse_note},
    {"name", parse_note},
    {"note", parse_note},
    {"provenance", parse_anything},
};

static msk_status parse_object(const struct parse *parse, const json_t *object) {
  const char *key;
  json_t *value;
  if (!json_is_object(object)) return fail_value(parse, "defaults", "a JSON object");
  json_object_foreach((json_t *)(uintptr_t)object, key, value) {
    size_t i = 0;
    while (i < sizeof keys / sizeof *keys && strcmp(keys[i].key, key) != 0) i++;
    if (i == sizeof keys / sizeof *keys) return fail_value(parse, key, "a key of docs/formats.md");
    msk_status status = keys[i].parse(parse, key, value);
    if (status != MSK_OK) return status;
  }
  return MSK_OK;
}

msk_status msk_defaults_parse(msk_file_defaults *defaults, const char *json, size_t class_count,
                              size_t layers, const char *path, const msk_allocator *allocator,
                              msk_error *error) {
  msk_file_defaults made = {.recipe = {.null_class = -1, .start_from_sketch = -1}, .groups = 32};
  struct parse parse = {&made, class_count, layers, path, allocator, error};
  if (json != NULL && strlen(json) > MAX_JSON)
    return fail_value(&parse, "defaults", "at most 64 KiB");
  made.hidden = msk_allocate_zeroed(allocator, class_count, 1);
  if (made.hidden == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "not enough memory for the model's defaults");
  msk_status status = MSK_OK;
  if (json != NULL) {
    char what[600];
    json_t *object = NULL;
    snprintf(what, sizeof what, "%s: the text of the model's defaults", path);
    status = msk_json_load(&object, what, json, strlen(json), MSK_JSON_FEW, error);
    if (status == MSK_OK) status = parse_object(&parse, object);
    json_decref(object);
  }
  if (status == MSK_OK) {
    *defaults = made;
    defaults->recipe.pairs = defaults->pairs;
  } else {
    msk_defaults_free(&made, allocator);
  }
  return status;
}

void msk_defaults_free(msk_file_defaults *defaults, const msk_allocator *allocator) {
  msk_free(allocator, defaults->text);
  msk_free(allocator, defaults->hidden);
  *defaults = (msk_file_defaults){0};
}
