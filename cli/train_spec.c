/* SPDX-License-Identifier: Apache-2.0
 * train_spec.c - see train_spec.h. */
#include "train_spec.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "app/cancel.h"
#include "app/json.h"
#include "app/model_path.h"
#include "app/report.h"
#include "world.h"

enum { LARGEST_SPEC = 1 << 16, LARGEST_INT = 1 << 30 };

static const char *const stages[] = {"transformer", "tokenizer", "decoder"}; /* msk_train_stage */
static const char *const styles[] = {"rich", "plain", "wide"};               /* enum world_style */

static msk_status refuse(const char *name, const char *expected, msk_error *error) {
  return app_fail(error, MSK_ERROR_ARGUMENT, "the spec's %s: expected %s", name, expected);
}

static msk_status make_folder(const char *path, msk_error *error) {
  if (mkdir(path, 0777) == 0 || errno == EEXIST) return MSK_OK;
  return app_fail(error, MSK_ERROR_OUTPUT, "%s cannot be made: %s", path, strerror(errno));
}

/* What belongs to the stage at hand. */
static void train_spec_forget(train_spec *spec) {
  msk_photo_source_close(spec->source);
  photo_list_free(&spec->list);
  spec->source = NULL;
}

/* ---- the world ---- */

static int render(void *user, int set, size_t index, uint8_t *photo, uint8_t *drawings,
                  uint8_t *parts) {
  const train_spec *spec = user;
  int label = (int)(index % (size_t)spec->options.source.classes), kind = spec->kinds[label],
      size = spec->options.source.image_size;
  struct world_views views = {.photo = photo, .parts = parts};
  for (size_t i = 0; i < WORLD_HANDS; i++)
    views.hands[i] = drawings + i * (size_t)size * (size_t)size;
  int failed =
      world_render(kind, spec->seeds[set] + index, size, (enum world_style)spec->style, &views);
  return failed ? -1 : label;
}

static void add_kind(train_spec *spec, int kind) {
  char *text = spec->class_text[spec->kind_count];
  snprintf(text, TRAIN_CLASS_NAME, "%s%s", world_class_name(kind), world_class_synonyms(kind));
  spec->class_names[spec->kind_count] = text;
  spec->kinds[spec->kind_count++] = kind;
}

static void attach_world(train_spec *spec, int image_size) {
  msk_train_source *source = &spec->options.source;
  bool chosen = spec->kind_count > 0;
  for (int kind = 0; !chosen && kind < WORLD_SHAPES; kind++) {
    if (kind != WORLD_UMBRELLA) add_kind(spec, kind);
  }
  *source = (msk_train_source){.user = spec,
                               .image_size = image_size,
                               .classes = spec->kind_count,
                               .hands = WORLD_HANDS,
                               .class_names = spec->class_names,
                               .render = render};
  for (int set = 0; set < 2; set++) {
    char *text = spec->description[set];
    int length = snprintf(text, TRAIN_DESCRIPTION, "world %s seed %llu size %d",
                          styles[spec->style], (unsigned long long)spec->seeds[set], image_size);
    for (int i = 0; i < spec->kind_count; i++)
      length += snprintf(text + length, TRAIN_DESCRIPTION - (size_t)length, "%s%s",
                         i == 0 ? " of " : ", ", world_class_name(spec->kinds[i]));
    source->description[set] = text;
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
    {"photos", KEY_PATH, AT(photos)},
    {"crops", KEY_INT, AT(crops)},
    {"size", KEY_INT, AT(options.source.image_size)},
    {"seed", KEY_SEED, AT(options.seed)},
    {"world_seed", KEY_SEED, AT(seeds[0])},
    {"held_out_seed", KEY_SEED, AT(seeds[1])},
    {"layers", KEY_INT, AT(options.layers)},
    {"width", KEY_INT, AT(options.width)},
    {"heads", KEY_INT, AT(options.heads)},
    {"codes", KEY_INT, AT(options.codes)},
    {"intermediate", KEY_INT, AT(options.intermediate)},
    {"decoder_blocks", KEY_INT, AT(options.decoder_blocks)},
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

/* A path of the spec, from the folder that the spec lies in. */
static msk_status take_path(const char *spec_path, const char *name, const char *given, char *to,
                            msk_error *error) {
  const char *slash = strrchr(spec_path, '/');
  int folder = slash == NULL || given[0] == '/' ? 0 : (int)(slash + 1 - spec_path);
  int length = snprintf(to, TRAIN_PATH, "%.*s%s", folder, spec_path, given);
  return length < TRAIN_PATH ? MSK_OK : refuse(name, "a shorter path", error);
}

static msk_status take_key(train_spec *spec, const struct key *key, const json_t *value,
                           msk_error *error) {
  void *field = (char *)spec + key->offset;
  json_int_t number = json_integer_value(value);
  if (key->kind == KEY_PATH) {
    if (!json_is_string(value)) return refuse(key->name, "a path", error);
    return take_path(spec->path, key->name, json_string_value(value), field, error);
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

static msk_status take_precision(train_spec *spec, const json_t *value, msk_error *error) {
  for (int i = 0; json_is_string(value) && msk_train_precision_name(i) != NULL; i++) {
    if (strcmp(json_string_value(value), msk_train_precision_name(i)) != 0) continue;
    spec->options.precision = (msk_train_precision)i;
    return MSK_OK;
  }
  return refuse("precision", "auto, fp32 or bf16", error);
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

/* As many as have room: the world has no more, and none stands there twice. */
static msk_status take_kinds(train_spec *spec, const json_t *value, msk_error *error) {
  if (!json_is_array(value) || json_array_size(value) < 2)
    return refuse("kinds", "a list of two kinds of objects or more", error);
  for (size_t i = 0; i < json_array_size(value); i++) {
    const char *name = json_string_value(json_array_get(value, i));
    int kind = world_class_find(name);
    for (int j = 0; j < spec->kind_count; j++) {
      if (spec->kinds[j] == kind) return refuse("kinds", "each kind once", error);
    }
    if (kind < 0)
      return app_fail(error, MSK_ERROR_ARGUMENT,
                      "the spec's kinds: '%s' is none of the world's objects, which "
                      "training/render/README.md lists",
                      name == NULL ? "" : name);
    add_kind(spec, kind);
  }
  return MSK_OK;
}

static msk_status take_value(train_spec *spec, const char *name, const json_t *value,
                             msk_error *error) {
  if (strcmp(name, "stage") == 0) return MSK_OK;
  if (strcmp(name, "style") == 0) return take_style(spec, value, error);
  if (strcmp(name, "precision") == 0) return take_precision(spec, value, error);
  if (strcmp(name, "structure_layers") == 0) return take_layers(spec, value, error);
  if (strcmp(name, "kinds") == 0) return take_kinds(spec, value, error);
  for (size_t i = 0; i < KEY_COUNT; i++) {
    if (strcmp(name, keys[i].name) == 0) return take_key(spec, &keys[i], value, error);
  }
  return app_fail(error, MSK_ERROR_ARGUMENT,
                  "the spec has an unknown key '%s': docs/training.md "
                  "lists them",
                  name);
}

/* ---- the photos ---- */

/* The reason names the picture. */
static void warn_left_out(void *user, const char *path, const char *reason) {
  char text[sizeof(msk_error) + 16];
  (void)user, (void)path;
  snprintf(text, sizeof text, "left out: %s", reason);
  app_warn(text);
}

static int look_for_cancel(void *user, int done, int all) {
  (void)user, (void)done, (void)all;
  return cancel_requested();
}

/* Stages after the first leave out the same, and need not say so again. */
static msk_status attach_photos(train_spec *spec, msk_error *error) {
  msk_photo_source_options photos;
  msk_photo_source_options_init(&photos);
  msk_status status = photo_list_add_classes(&spec->list, spec->photos, error);
  photos.image_size = spec->options.source.image_size;
  photos.photos = (const char *const *)spec->list.photos;
  photos.drawings = (const char *const *)spec->list.drawings;
  photos.classes = spec->list.classes;
  photos.class_names = (const char *const *)spec->list.names;
  photos.photo_count = spec->list.count;
  photos.class_count = spec->list.class_count;
  photos.crops = spec->crops;
  photos.seed = spec->options.seed;
  photos.on_left_out = spec->handed_on[0] == 0 && !spec->quiet ? warn_left_out : NULL;
  photos.on_progress = look_for_cancel;
  if (status == MSK_OK) status = msk_photo_source_open(&spec->source, &photos, error);
  if (status == MSK_OK) msk_photo_source_attach(spec->source, &spec->options);
  return status;
}

/* ---- stages ---- */

/* The spec's keys with those of a stage of its list on top. NULL: no memory. (json_copy() would
 * leave out the keys that it has no memory for, and other settings would be trained with.) */
static json_t *merge(const train_spec *spec, int index) {
  json_t *merged = json_object(), *stage = json_array_get(spec->stages, (size_t)index);
  int failed = json_object_update(merged, spec->object);
  if (spec->stages != NULL)
    failed |= json_object_del(merged, "stages") | json_object_update(merged, stage);
  if (failed == 0) return merged;
  json_decref(merged);
  return NULL;
}

/* What all later defaults hang on is taken first. */
static msk_status take_values(train_spec *spec, const json_t *merged, msk_error *error) {
  static const char *const first[] = {"photos", "crops", "size", "seed", "style"};
  const char *name;
  json_t *value;
  msk_status status = take_stage(spec, json_object_get(merged, "stage"), error);
  for (size_t i = 0; status == MSK_OK && i < sizeof first / sizeof *first; i++) {
    value = json_object_get(merged, first[i]);
    if (value != NULL) status = take_value(spec, first[i], value, error);
  }
  if (status == MSK_OK && spec->photos[0] != 0) status = attach_photos(spec, error);
  json_object_foreach((json_t *)(uintptr_t)merged, name, value) {
    if (status == MSK_OK) status = take_value(spec, name, value, error);
  }
  if (status == MSK_OK && spec->photos[0] == 0) attach_world(spec, spec->options.source.image_size);
  return status;
}

/* to = folder/stage suffix */
static msk_status join(char to[TRAIN_PATH], const char *folder, msk_train_stage stage,
                       const char *suffix, msk_error *error) {
  int length = snprintf(to, TRAIN_PATH, "%s/%s%s", folder, stages[stage], suffix);
  return length < TRAIN_PATH ? MSK_OK : refuse("work", "a shorter path", error);
}

/* Stages of a list have folders of their own, and hand a model on. */
static msk_status place_stage(train_spec *spec, int index, msk_error *error) {
  static char whole[TRAIN_PATH];
  if (spec->stages == NULL) return MSK_OK;
  memcpy(whole, spec->work, sizeof whole);
  if (index > 0) memcpy(spec->tokenizer, spec->handed_on, sizeof spec->tokenizer);
  msk_status status = join(spec->work, whole, spec->options.stage, "", error);
  if (status == MSK_OK)
    status = join(spec->handed_on, whole, spec->options.stage, ".safetensors", error);
  if (index + 1 < spec->stage_count) memcpy(spec->output, spec->handed_on, sizeof spec->output);
  return status == MSK_OK ? make_folder(whole, error) : status;
}

/* Keys of the other source of pictures. */
static msk_status check_source(const train_spec *spec, const json_t *merged, msk_error *error) {
  static const char *const of_world[] = {"style", "kinds", "world_seed", "held_out_seed"};
  if (spec->photos[0] == 0 && json_object_get(merged, "crops") != NULL)
    return refuse("crops", "photos beside it, whose crops they are", error);
  for (size_t i = 0; spec->photos[0] != 0 && i < sizeof of_world / sizeof *of_world; i++) {
    if (json_object_get(merged, of_world[i]) != NULL)
      return refuse(of_world[i], "no photos beside it: it is the rendered world's", error);
  }
  return MSK_OK;
}

msk_status train_spec_stage(train_spec *spec, int index, msk_error *error) {
  train_spec kept = *spec;
  train_spec_forget(spec);
  *spec = (train_spec){.object = kept.object,
                       .stages = kept.stages,
                       .stage_count = kept.stage_count,
                       .quiet = kept.quiet,
                       .path = kept.path,
                       .style = WORLD_PLAIN,
                       .crops = 8,
                       .seeds = {1, 900000001}};
  memcpy(spec->handed_on, kept.handed_on, sizeof spec->handed_on);
  msk_train_options_init(&spec->options);
  spec->options.source.image_size = 256;
  json_t *merged = merge(spec, index);
  if (merged == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the spec");
  msk_status status = take_values(spec, merged, error);
  if (status == MSK_OK) status = check_source(spec, merged, error);
  json_decref(merged);
  if (status == MSK_OK && spec->work[0] == 0) return refuse("work", "a folder", error);
  if (status == MSK_OK && spec->output[0] == 0)
    return refuse("output", "a model file to be written", error);
  if (status == MSK_OK) status = place_stage(spec, index, error);
  if (status == MSK_OK && spec->tokenizer[0] == 0)
    status = model_path_find(spec->tokenizer, NULL, error);
  if (status == MSK_OK) status = make_folder(spec->work, error);
  spec->options.tokenizer_path = spec->tokenizer;
  spec->options.work_path = spec->work;
  spec->options.output_path = spec->output;
  spec->options.start_path = spec->start[0] == 0 ? NULL : spec->start;
  return status;
}

/* ---- the file ---- */

/* Each stage once, for its folder is named after it; paths are those of the whole. */
static msk_status check_stages(train_spec *spec, msk_error *error) {
  if (!json_is_array(spec->stages) || json_array_size(spec->stages) == 0 ||
      json_object_get(spec->object, "stage") != NULL)
    return refuse("stages", "a list of stages, and no stage beside it", error);
  for (size_t i = 0; i < json_array_size(spec->stages); i++) {
    const json_t *stage = json_array_get(spec->stages, i);
    const char *name = json_string_value(json_object_get(stage, "stage"));
    if (name == NULL) return refuse("stages", "objects with a stage each", error);
    for (size_t j = 0; j < i; j++) {
      const json_t *other = json_array_get(spec->stages, j);
      if (strcmp(name, json_string_value(json_object_get(other, "stage"))) == 0)
        return refuse("stages", "each stage once", error);
    }
    for (size_t k = 0; k < KEY_COUNT; k++) {
      if (keys[k].kind == KEY_PATH && json_object_get(stage, keys[k].name) != NULL)
        return refuse(keys[k].name, "to stand beside stages, not in one of them", error);
    }
  }
  spec->stage_count = (int)json_array_size(spec->stages);
  return MSK_OK;
}

msk_status train_spec_open(train_spec *spec, const char *path, bool quiet, msk_error *error) {
  void *text = NULL;
  size_t length = 0;
  *spec = (train_spec){.path = path, .stage_count = 1, .quiet = quiet};
  msk_status status = msk_file_read(path, LARGEST_SPEC, &text, &length, NULL, error);
  if (status == MSK_OK)
    status = msk_json_load(&spec->object, path, text, length, MSK_JSON_FEW, error);
  msk_free(NULL, text);
  if (status != MSK_OK) return status;
  if (!json_is_object(spec->object))
    return app_fail(error, MSK_ERROR_FILE, "%s holds a list, expected an object of keys", path);
  spec->stages = json_object_get(spec->object, "stages");
  return spec->stages == NULL ? MSK_OK : check_stages(spec, error);
}

void train_spec_close(train_spec *spec) {
  train_spec_forget(spec);
  json_decref(spec->object);
}
