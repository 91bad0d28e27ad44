/* SPDX-License-Identifier: Apache-2.0
 * identity.c - see identity.h. */
#include "eval/identity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/cancel.h"
#include "app/json.h"

enum { MAX_IDENTITY_BYTES = 4 << 20 };

/* ---- fingerprints ---- */

static const uint64_t HASH_START = 0xCBF29CE484222325u;

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) hash = (hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001B3u;
  return hash;
}

static msk_status no_memory(msk_error *error) {
  return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the evaluation's identity");
}

/* "1234-89abcdef01234567": length and fingerprint of a file. */
static msk_status fingerprint(char text[48], const char *path, msk_error *error) {
  uint8_t bytes[1 << 14];
  FILE *file = fopen(path, "rbe");
  if (file == NULL)
    return app_fail(error, MSK_ERROR_FILE, "cannot open %s: %s", path, strerror(errno));
  uint64_t hash = HASH_START, length = 0;
  size_t got;
  while ((got = fread(bytes, 1, sizeof bytes, file)) > 0 && !cancel_requested()) {
    hash = hash_bytes(hash, bytes, got);
    length += got;
  }
  bool failed = ferror(file) != 0;
  fclose(file);
  if (failed) return app_fail(error, MSK_ERROR_FILE, "cannot read %s", path);
  snprintf(text, 48, "%llu-%016llx", (unsigned long long)length, (unsigned long long)hash);
  return cancel_requested() ? app_fail(error, MSK_ERROR_CANCELLED, "cancelled") : MSK_OK;
}

static msk_status add_file(json_t *object, const char *key, const char *path, msk_error *error) {
  char text[48];
  msk_status status = fingerprint(text, path, error);
  if (status != MSK_OK) return status;
  return json_object_set_new(object, key, json_string(text)) == 0 ? MSK_OK : no_memory(error);
}

/* ---- drawings ---- */

/* A sketch as the SPEC has it, and what is in its files. */
static msk_status add_sketch(json_t *list, const eval_spec *spec, size_t index,
                             const json_t *object, msk_error *error) {
  char path[MAX_PATH_BYTES];
  json_t *sketch = json_copy((json_t *)(uintptr_t)object);
  if (sketch == NULL || json_array_append_new(list, sketch) != 0) return no_memory(error);
  json_object_del(sketch, "file"); /* the same drawing elsewhere is the same drawing */
  json_object_del(sketch, "mask");
  msk_status status = eval_spec_drawing(path, spec, index, "file", error);
  if (status == MSK_OK) status = add_file(sketch, "drawing", path, error);
  if (status != MSK_OK || eval_spec_sketch(spec, index, "mask") == NULL) return status;
  status = eval_spec_drawing(path, spec, index, "mask", error);
  return status == MSK_OK ? add_file(sketch, "shape", path, error) : status;
}

/* The size of a file of a long list stands for its bytes: reading them all would take each of many
 * processes as long as some pictures. */
static msk_status hash_size(uint64_t *hash, const eval_spec *spec, size_t index, const char *field,
                            msk_error *error) {
  char path[MAX_PATH_BYTES];
  struct stat info;
  if (eval_spec_sketch(spec, index, field) == NULL) return MSK_OK;
  msk_status status = eval_spec_drawing(path, spec, index, field, error);
  if (status == MSK_OK && stat(path, &info) != 0)
    status = app_fail(error, MSK_ERROR_FILE, "cannot open %s: %s", path, strerror(errno));
  if (status != MSK_OK) return status;
  const uint64_t size = (uint64_t)info.st_size;
  *hash = hash_bytes(*hash, &size, sizeof size);
  return MSK_OK;
}

/* All rows of a list beside the SPEC in one fingerprint. */
static msk_status make_list_digest(json_t **digest, const eval_spec *spec, msk_error *error) {
  static const char *const fields[] = {"file", "class", "name",   "subject",       "level",
                                       "mask", "fit",   "invert", "photo_of_paper"};
  uint64_t hash = HASH_START;
  char text[48];
  msk_status status = MSK_OK;
  for (size_t i = 0; i < (size_t)spec->sketches.count && status == MSK_OK; i++) {
    for (size_t k = 0; k < sizeof fields / sizeof *fields; k++) {
      const char *field = eval_spec_sketch(spec, i, fields[k]);
      hash = hash_bytes(hash, field == NULL ? "" : field, field == NULL ? 1 : strlen(field) + 1);
    }
    status = hash_size(&hash, spec, i, "file", error);
    if (status == MSK_OK) status = hash_size(&hash, spec, i, "mask", error);
    if (status == MSK_OK && cancel_requested())
      status = app_fail(error, MSK_ERROR_CANCELLED, "cancelled");
  }
  snprintf(text, sizeof text, "%d-%016llx", spec->sketches.count, (unsigned long long)hash);
  *digest = json_string(text);
  return status;
}

static msk_status make_sketches(json_t **sketches, const eval_spec *spec, msk_error *error) {
  const json_t *given = json_object_get(spec->root, "sketches");
  msk_status status = MSK_OK;
  if (json_is_string(given)) return make_list_digest(sketches, spec, error);
  *sketches = json_array();
  for (size_t i = 0; i < json_array_size(given) && status == MSK_OK; i++)
    status = add_sketch(*sketches, spec, i, json_array_get(given, i), error);
  return status;
}

/* ---- the object ---- */

static msk_status add_eyes(json_t *object, const eval_eyes *eyes, msk_error *error) {
  char path[MAX_PATH_BYTES + 32];
  msk_status status = MSK_OK;
  if (eyes->judge != NULL) status = add_file(object, "judge", eyes->judge_path, error);
  if (status != MSK_OK || eyes->clip == NULL) return status;
  snprintf(path, sizeof path, "%s/model.safetensors", eyes->clip_path);
  return add_file(object, "clip", path, error);
}

static msk_status make_identity(json_t **identity, const eval_spec *spec, const eval_eyes *eyes,
                                json_t *models, msk_error *error) {
  json_t *sketches = NULL;
  msk_status status = make_sketches(&sketches, spec, error);
  json_t *object =
      json_pack("{s:s, s:s, s:O, s:O, s:O, s:O, s:s, s:b, s:o, s:O?}", "format",
                "masksketch eval 2", "job", msk_job_name((int)spec->job), "models", models,
                "recipes", spec->recipes, "settings", spec->settings, "seeds", spec->seeds, "text",
                spec->text, "reference", spec->reference != NULL, "sketches", sketches, "classes",
                json_object_get(spec->root, "classes"));
  if (status == MSK_OK && object == NULL) status = no_memory(error);
  if (status == MSK_OK) status = add_eyes(object, eyes, error);
  if (status == MSK_OK) {
    *identity = object;
  } else {
    json_decref(object);
  }
  return status;
}

static msk_status write_identity(const char *path, const json_t *identity, msk_error *error) {
  char *text = json_dump(identity, JSON_INDENT(1));
  if (text == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for %s", path);
  msk_status status = msk_file_write(path, text, strlen(text), error);
  free(text);
  return status;
}

/* The first key, with its parents, in which two objects differ. */
static void find_difference(const json_t *a, const json_t *b, char *name, size_t size) {
  const json_t *both[] = {a, b};
  for (int side = 0; side < 2; side++) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)both[side], key, value) {
      const json_t *other = json_object_get(both[1 - side], key);
      if (other != NULL && json_equal(value, other)) continue;
      size_t used = strlen(name);
      snprintf(name + used, size - used, "%s%.60s", used == 0 ? "" : ".", key);
      if (json_is_object(value) && json_is_object(other)) find_difference(value, other, name, size);
      return;
    }
  }
}

/* ---- the folder's ---- */

/* NULL: there is none. */
static msk_status read_identity(json_t **known, const char *path, msk_error *error) {
  void *bytes = NULL;
  size_t byte_count = 0;
  if (access(path, F_OK) != 0) return MSK_OK;
  msk_status status = msk_file_read(path, MAX_IDENTITY_BYTES, &bytes, &byte_count, NULL, error);
  if (status != MSK_OK) return status;
  status = msk_json_load(known, path, bytes, byte_count, MSK_JSON_MANY, error);
  msk_free(NULL, bytes);
  if (status == MSK_ERROR_MEMORY) return status;
  if (json_is_object(*known) && json_is_array(json_object_get(*known, "models"))) return MSK_OK;
  return app_fail(error, MSK_ERROR_FILE,
                  "%s is damaged, expected what eval wrote: choose another folder with -o, or "
                  "delete this one",
                  path);
}

static msk_status compare(const char *folder, const json_t *known, const json_t *identity,
                          msk_error *error) {
  char name[200] = "";
  if (json_equal(known, identity)) return MSK_OK;
  find_difference(known, identity, name, sizeof name);
  return app_fail(error, MSK_ERROR_ARGUMENT,
                  "the folder %.200s holds the results of another SPEC (\"%s\" differs), expected "
                  "a new folder: choose another with -o",
                  folder, name);
}

msk_status eval_identity_hold(const char *folder, bool holds_files, const eval_spec *spec,
                              const eval_eyes *eyes, json_t **models, msk_error *error) {
  char path[MAX_PATH_BYTES];
  json_t *known = NULL, *identity = NULL;
  snprintf(path, sizeof path, "%s/identity.json", folder);
  msk_status status = read_identity(&known, path, error);
  if (status == MSK_OK && known == NULL && *models == NULL) {
    status =
        app_fail(error, MSK_ERROR_FILE,
                 "the folder %s holds no evaluation, expected one whose shards have run", folder);
  } else if (status == MSK_OK && known == NULL && holds_files) {
    /* a folder with other files in it is somebody's: nothing is written there */
    status = app_fail(error, MSK_ERROR_ARGUMENT,
                      "the folder %s holds other files, expected a new folder or one that eval has "
                      "begun: choose another with -o",
                      folder);
  }
  if (status == MSK_OK && *models == NULL) *models = json_incref(json_object_get(known, "models"));
  if (status == MSK_OK) status = make_identity(&identity, spec, eyes, *models, error);
  if (status == MSK_OK)
    status = known == NULL ? write_identity(path, identity, error)
                           : compare(folder, known, identity, error);
  json_decref(known);
  json_decref(identity);
  return status;
}
