/* SPDX-License-Identifier: Apache-2.0
 *
 * identity.c - see identity.h. Fingerprints (FNV-1a, 64 bits) tell a changed file from an
 * unchanged one; they are no protection against somebody who means to deceive, who could as well
 * write the records. */
#include "eval/identity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "app/cancel.h"

static msk_status no_memory(msk_error *error) {
  return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the evaluation's identity");
}

/* "1234-89abcdef01234567": length and fingerprint of a file. */
static msk_status fingerprint(char text[48], const char *path, msk_error *error) {
  static const uint64_t offset = 0xCBF29CE484222325u, prime = 0x100000001B3u;
  uint8_t bytes[1 << 14];
  FILE *file = fopen(path, "rbe");
  if (file == NULL)
    return app_fail(error, MSK_ERROR_FILE, "cannot open %s: %s", path, strerror(errno));
  uint64_t hash = offset, length = 0;
  size_t got;
  while ((got = fread(bytes, 1, sizeof bytes, file)) > 0 && !cancel_requested()) {
    for (size_t i = 0; i < got; i++) hash = (hash ^ bytes[i]) * prime;
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

/* A sketch as the SPEC has it, and what is in its files. */
static msk_status add_sketch(json_t *list, const eval_spec *spec, size_t index, msk_error *error) {
  char path[MAX_PATH_BYTES];
  const char *mask = eval_spec_sketch(spec, index, "mask");
  json_t *sketch = json_copy(json_array_get(spec->sketches, index));
  if (sketch == NULL || json_array_append_new(list, sketch) != 0) return no_memory(error);
  json_object_del(sketch, "file"); /* the same drawing elsewhere is the same drawing */
  json_object_del(sketch, "mask");
  msk_status status = eval_spec_path(path, spec, eval_spec_sketch(spec, index, "file"), error);
  if (status == MSK_OK) status = add_file(sketch, "drawing", path, error);
  if (status == MSK_OK && mask != NULL) status = eval_spec_path(path, spec, mask, error);
  if (status == MSK_OK && mask != NULL) status = add_file(sketch, "shape", path, error);
  return status;
}

static msk_status add_eyes(json_t *object, const eval_eyes *eyes, msk_error *error) {
  char path[MAX_PATH_BYTES + 32];
  msk_status status = MSK_OK;
  if (eyes->judge != NULL) status = add_file(object, "judge", eyes->judge_path, error);
  if (status != MSK_OK || eyes->clip == NULL) return status;
  snprintf(path, sizeof path, "%s/model.safetensors", eyes->clip_path);
  return add_file(object, "clip", path, error);
}

msk_status eval_identity_make(json_t **identity, const eval_spec *spec, const eval_eyes *eyes,
                              json_t *models, msk_error *error) {
  json_t *sketches = json_array();
  json_t *object =
      json_pack("{s:s, s:O, s:O, s:O, s:O, s:s, s:b, s:o}", "format", "masksketch eval 1", "models",
                models, "recipes", spec->recipes, "settings", spec->settings, "seeds", spec->seeds,
                "text", spec->text, "reference", spec->reference != NULL, "sketches", sketches);
  if (object == NULL) return no_memory(error);
  msk_status status = MSK_OK;
  for (size_t i = 0; i < json_array_size(spec->sketches) && status == MSK_OK; i++)
    status = add_sketch(sketches, spec, i, error);
  if (status == MSK_OK) status = add_eyes(object, eyes, error);
  if (status == MSK_OK) {
    *identity = object;
  } else {
    json_decref(object);
  }
  return status;
}
