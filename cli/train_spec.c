/* SPDX-License-Identifier: Apache-2.0
 * train_spec.c - see train_spec.h. */
#include "train_spec.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "app/json.h"
#include "app/report.h"
#include "world.h"

enum { LARGEST_SPEC = 1 << 16, LARGEST_INT = 1 << 30 };

static const char *const stages[] = {"transformer", "tokenizer", "decoder"}; /* msk_train_stage */
static const char *const styles[] = {"rich", "plain", "wide"};               /* enum world_style */

/* ---- the world ---- */

static int render(void *user, int set, size_t index, uint8_t *photo, uint8_t *drawings,
                  uint8_t *parts) {
  const train_spec *spec = user;
  int label = (int)(index % WORLD_CLASSES), size = spec->options.source.image_size;
  struct world_views views = {.photo = photo, .parts = parts};
  for (size_t i = 0; i < WORLD_HANDS; i++)
    views.hands[i] = drawings + i * (size_t)size * (size_t)size;
  int failed =
      world_render(label, spec->seeds[set] + index, size, (enum world_style)spec->style, &views);
  return failed ? -1 : label;
}

static void attach_world(train_spec *spec, int image_size) {
  msk_train_source *source = &spec->options.source;
  *source = (msk_train_source){.user = spec,
                               .image_size = image_size,
                               .classes = WORLD_CLASSES,
                               .hands = WORLD_HANDS,
                               .render = render};
  for (int set = 0; set < 2; set++) {
    snprintf(spec->description[set], TRAIN_DESCRIPTION, "world %s seed %llu size %d",
             styles[spec->style], (unsigned long long)spec->seeds[set], image_size);
    source->description[set] = spec->description[set];
  }
}

/* ---- the spec's keys ---- */

typedef enum key_kind { KEY_PATH, KEY_INT, KEY_SIZE, KEY_REAL, KEY_SEED } key_kind;

#define AT(field) offsetof(train_spec, field)
static const struct key {
  const char *name;
  key_kind kind;
  size_t offset;
} keys[] = {
    {"tokenizer", KEY_PATH, AT(tokenizer)},
    {"work", KEY_PATH, AT(work)},
    {"output", KEY_PATH, AT(output)},
    {"start", KEY_PATH, AT(start)},
    {"size", KEY_INT, AT(options.source.image_size)},
    {"seed", KEY_SEED, AT(options.seed)},
    {"world_seed", KEY_SEED, AT(seeds[0])},
    {"held_out_seed", KEY_SEED, AT(seeds[1])},
    {"layers", KEY_INT, AT(options.layers)},
    {"width", KEY_INT, AT(options.width)},
    {"heads", KEY_INT, AT(options.heads)},
    {"batch", KEY_INT, AT(options.batch)},
    {"pair_batch", KEY_INT, AT(options.pair_batch)},
    {"pair_every", KEY_INT, AT(options.pair_every)},
    {"hands_each", KEY_INT, AT(options.hands_each)},
    {"sequences", KEY_SIZE, AT(options.sequences)},
    {"warmup_sequences", KEY_SIZE, AT(options.warmup_sequences)},
    {"decay_sequences", KEY_SIZE, AT(options.decay_sequences)},
    {"objects", KEY_SIZE, AT(options.objects)},
    {"held_out_objects", KEY_SIZE, AT(options.held_out_objects)},
    {"first_objects", KEY_SIZE, AT(options.first_objects)},
    {"sequences_per_object", KEY_REAL, AT(options.sequences_per_object)},
    {"muon_rate", KEY_REAL, AT(options.muon_rate)},
    {"adam_rate", KEY_REAL, AT(options.adam_rate)},
    {"pair_weight", KEY_REAL, AT(options.pair_weight)},
    {"null_share", KEY_REAL, AT(options.null_share)},
    {"style_share", KEY_REAL, AT(options.style_share)},
    {"hint_share", KEY_REAL, AT(options.hint_share)},
    {"wrong_share", KEY_REAL, AT(options.wrong_share)},
    {"photo_share", KEY_REAL, AT(options.photo_share)},
    {"autoencoder_share", KEY_REAL, AT(options.autoencoder_share)},
    {"crops_share", KEY_REAL, AT(options.crops_share)},
    {"log_seconds", KEY_REAL, AT(options.log_seconds)},
    {"save_seconds", KEY_REAL, AT(options.save_seconds)},
};
enum { KEY_COUNT = sizeof keys / sizeof *keys };

static msk_status refuse(const char *name, const char *expected, msk_error *error) {
  return app_fail(error, MSK_ERROR_ARGUMENT, "the spec's %s: expected %s", name, expected);
}

/* A path of the spec, from the folder that the spec lies in. */
static msk_status take_path(const char *spec_path, const char *name, const char *given, char *to,
                            msk_error *error) {
  const char *slash = strrchr(spec_path, '/');
  int folder = slash == NULL || given[0] == '/' ? 0 : (int)(slash + 1 - spec_path);
  int length = snprintf(to, TRAIN_PATH, "%.*s%s", folder, spec_path, given);
  return length < TRAIN_PATH ? MSK_OK : refuse(name, "a shorter path", error);
}

static msk_status take_key(train_spec *spec, const struct key *key, const json_t *value,
                           const char *spec_path, msk_error *error) {
  void *field = (char *)spec + key->offset;
  json_int_t number = json_integer_value(value);
  if (key->kind == KEY_PATH) {
    if (!json_is_string(value)) return refuse(key->name, "a path", error);
    return take_path(spec_path, key->name, json_string_value(value), field, error);
  }
  if (key->kind == KEY_REAL) {
    if (!json_is_number(value)) return refuse(key->name, "a number", error);
    *(double *)field = json_number_value(value);
    return MSK_OK;
  }
  if (!json_is_integer(value) || number < 0 || (key->kind == KEY_INT && number > LARGEST_INT))
    return refuse(key->name, "a whole number from 0", error);
  if (key->kind == KEY_INT) *(int *)field = (int)number;
  if (key->kind == KEY_SIZE) *(size_t *)field = (size_t)number;
  if (key->kind == KEY_SEED) *(uint64_t *)field = (uint64_t)number;
  return MSK_OK;
}

static msk_status take_style(train_spec *spec, const json_t *value, msk_error *error) {
  for (int i = 0; json_is_string(value) && i < 3; i++) {
    if (strcmp(json_string_value(value), styles[i]) != 0) continue;
    spec->style = i;
    return MSK_OK;
  }
  return refuse("style", "rich, plain or wide", error);
}

/* Read before all others, whose defaults it sets. */
static msk_status take_stage(train_spec *spec, const json_t *value, msk_error *error) {
  if (value == NULL) return MSK_OK;
  for (int i = 0; json_is_string(value) && i < 3; i++) {
    if (strcmp(json_string_value(value), stages[i]) != 0) continue;
    msk_train_options_set_stage(&spec->options, (msk_train_stage)i);
    return MSK_OK;
  }
  return refuse("stage", "transformer, tokenizer or decoder", error);
}

static msk_status take_layers(train_spec *spec, const json_t *value, msk_error *error) {
  size_t count = json_array_size(value);
  if (!json_is_array(value) || count > MSK_MAX_LAYERS)
    return refuse("structure_layers", "a list of layers", error);
  for (size_t i = 0; i < count; i++) {
    const json_t *layer = json_array_get(value, i);
    json_int_t number = json_integer_value(layer);
    if (!json_is_integer(layer) || number < 0 || number > LARGEST_INT)
      return refuse("structure_layers", "whole numbers from 0", error);
    spec->options.structure_layers[i] = (int)number;
  }
  spec->options.structure_layer_count = (int)count;
  return MSK_OK;
}

static msk_status take_value(train_spec *spec, const char *name, const json_t *value,
                             const char *spec_path, msk_error *error) {
  if (strcmp(name, "stage") == 0) return MSK_OK;
  if (strcmp(name, "style") == 0) return take_style(spec, value, error);
  if (strcmp(name, "structure_layers") == 0) return take_layers(spec, value, error);
  for (size_t i = 0; i < KEY_COUNT; i++) {
    if (strcmp(name, keys[i].name) == 0) return take_key(spec, &keys[i], value, spec_path, error);
  }
  return app_fail(error, MSK_ERROR_ARGUMENT,
                  "the spec has an unknown key '%s': docs/training.md "
                  "lists them",
                  name);
}

msk_status train_spec_read(train_spec *spec, const char *path, msk_error *error) {
  const char *name;
  void *text = NULL;
  size_t length = 0;
  json_t *value, *object = NULL;
  msk_status status = msk_file_read(path, LARGEST_SPEC, &text, &length, NULL, error);
  if (status == MSK_OK) status = msk_json_load(&object, path, text, length, MSK_JSON_FEW, error);
  msk_free(NULL, text);
  if (status != MSK_OK) return status;
  if (!json_is_object(object)) {
    json_decref(object);
    return app_fail(error, MSK_ERROR_FILE, "%s holds a list, expected an object of keys", path);
  }
  *spec = (train_spec){.style = WORLD_PLAIN, .seeds = {1, 900000001}};
  msk_train_options_init(&spec->options);
  spec->options.source.image_size = 256;
  status = take_stage(spec, json_object_get(object, "stage"), error);
  json_object_foreach(object, name, value) {
    if (status == MSK_OK) status = take_value(spec, name, value, path, error);
  }
  json_decref(object);
  if (status != MSK_OK) return status;
  if (spec->tokenizer[0] == 0) return refuse("tokenizer", "a model whose codes are kept", error);
  if (spec->work[0] == 0) return refuse("work", "a folder", error);
  if (spec->output[0] == 0) return refuse("output", "a model file to be written", error);
  attach_world(spec, spec->options.source.image_size);
  spec->options.tokenizer_path = spec->tokenizer;
  spec->options.work_path = spec->work;
  spec->options.output_path = spec->output;
  spec->options.start_path = spec->start[0] == 0 ? NULL : spec->start;
  return MSK_OK;
}
