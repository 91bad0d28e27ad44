/* SPDX-License-Identifier: Apache-2.0
 * pull_manifest.c - see pull_manifest.h. */
#include "pull_manifest.h"

#include <stdlib.h>
#include <string.h>

#include "app/input.h"
#include "app/json.h"
#include "app/model_path.h"

enum { MAX_MANIFEST_BYTES = 1 << 20, MAX_PIN_BYTES = 1 << 20 };

/* ---- Manifest ---- */

static bool is_hash(const char *text) {
  return text != NULL && strlen(text) == HASH_BYTES - 1 &&
         strspn(text, "0123456789abcdef") == HASH_BYTES - 1;
}

/* A name is a file's, and nothing that could lead out of the folder. */
static bool is_name(const char *text) {
  return text != NULL && *text != 0 && *text != '.' && strlen(text) <= 64 &&
         strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
             strlen(text);
}

static pull_file file_of(const json_t *object) {
  return (pull_file){json_string_value(json_object_get(object, "url")),
                     (uint64_t)json_integer_value(json_object_get(object, "bytes")),
                     json_string_value(json_object_get(object, "sha256"))};
}

static const char *wrong_of_file(const json_t *object) {
  const json_t *bytes = json_object_get(object, "bytes"), *hash = json_object_get(object, "sha256");
  const char *url = json_string_value(json_object_get(object, "url"));
  if (url == NULL || strncmp(url, "https://", 8) != 0 || !is_name(strrchr(url, '/') + 1))
    return "url, expected an https address that ends in a file's name";
  if (bytes != NULL && (!json_is_integer(bytes) || json_integer_value(bytes) < 1))
    return "bytes, expected a whole number from 1";
  if (hash != NULL && !is_hash(json_string_value(hash)))
    return "sha256, expected 64 lower-case hexadecimal digits";
  return NULL;
}

static msk_status check(const pull_manifest *manifest, const char *path, msk_error *error) {
  const json_t *models = json_object_get(manifest->root, "models");
  if (!json_is_array(models))
    return app_fail(error, MSK_ERROR_FILE, "%s has no list \"models\"", path);
  for (size_t i = 0; i < json_array_size(models); i++) {
    const json_t *model = json_array_get(models, i);
    const char *name = json_string_value(json_object_get(model, "name")), *wrong;
    if (!is_name(name))
      return app_fail(error, MSK_ERROR_FILE,
                      "model %zu of %s has a wrong name, expected letters, digits, - _ and .", i,
                      path);
    wrong = wrong_of_file(json_object_get(model, "tokenizer"));
    if (wrong == NULL) wrong = wrong_of_file(json_object_get(model, "transformer"));
    if (wrong != NULL)
      return app_fail(error, MSK_ERROR_FILE, "%s: %s has a wrong %s", path, name, wrong);
  }
  return MSK_OK;
}

msk_status manifest_open(pull_manifest *manifest, const char *path, msk_error *error) {
  char found[MAX_PATH_BYTES];
  void *bytes = NULL;
  size_t byte_count = 0;
  msk_status status = MSK_OK;
  if (path == NULL) status = model_path_find_manifest(found, error);
  if (path == NULL) path = found;
  if (status == MSK_OK) status = input_read(path, MAX_MANIFEST_BYTES, &bytes, &byte_count, error);
  if (status != MSK_OK) return status;
  manifest->root = NULL;
  status = msk_json_load(&manifest->root, path, bytes, byte_count, MSK_JSON_FEW, error);
  msk_free(NULL, bytes);
  if (status == MSK_OK) status = check(manifest, path, error);
  if (status != MSK_OK) manifest_close(manifest);
  return status;
}

void manifest_close(pull_manifest *manifest) {
  json_decref(manifest->root);
  manifest->root = NULL;
}

bool manifest_model(const pull_manifest *manifest, size_t index, pull_model *model) {
  const json_t *object = json_array_get(json_object_get(manifest->root, "models"), index);
  if (object == NULL) return false;
  *model = (pull_model){json_string_value(json_object_get(object, "name")),
                        json_string_value(json_object_get(object, "about")),
                        file_of(json_object_get(object, "tokenizer")),
                        file_of(json_object_get(object, "transformer"))};
  return true;
}

msk_status manifest_find(const pull_manifest *manifest, const char *name, pull_model *model,
                         msk_error *error) {
  char names[200] = "";
  for (size_t i = 0; manifest_model(manifest, i, model); i++) {
    if (strcmp(model->name, name) == 0) return MSK_OK;
    const size_t used = strlen(names);
    snprintf(names + used, sizeof names - used, " %s", model->name);
  }
  return app_fail(error, MSK_ERROR_ARGUMENT, "there is no model %.60s to pull, expected one of:%s",
                  name, names);
}

/* ---- Pins: a line "HASH ADDRESS" each ---- */

static bool read_pins(char **text, const char *folder) {
  char path[MAX_PATH_BYTES + 16];
  void *bytes = NULL;
  size_t byte_count = 0;
  msk_error ignored;
  snprintf(path, sizeof path, "%spins.txt", folder);
  if (input_read(path, MAX_PIN_BYTES, &bytes, &byte_count, &ignored) != MSK_OK) return false;
  *text = bytes;
  return true;
}

bool pin_find(char hash[HASH_BYTES], const char *folder, const char *url) {
  char *text = NULL, *rest = NULL;
  bool found = false;
  if (!read_pins(&text, folder)) return false;
  for (char *line = strtok_r(text, "\n", &rest); line != NULL && !found;
       line = strtok_r(NULL, "\n", &rest)) {
    found = strlen(line) > HASH_BYTES && strcmp(line + HASH_BYTES, url) == 0;
    if (!found) continue;
    memcpy(hash, line, HASH_BYTES - 1);
    hash[HASH_BYTES - 1] = 0;
    found = is_hash(hash);
  }
  msk_free(NULL, text);
  return found;
}

msk_status pin_add(const char *folder, const char *url, const char *hash, msk_error *error) {
  char path[MAX_PATH_BYTES + 16], *old = NULL;
  const bool had = read_pins(&old, folder);
  const size_t bytes = (had ? strlen(old) : 0) + HASH_BYTES + strlen(url) + 2;
  char *text = malloc(bytes);
  msk_status status = MSK_OK;
  if (text == NULL) {
    status = app_fail(error, MSK_ERROR_MEMORY, "out of memory for the pins");
  } else {
    snprintf(path, sizeof path, "%spins.txt", folder);
    const int length = snprintf(text, bytes, "%s%s %s\n", had ? old : "", hash, url);
    status = msk_file_write(path, text, (size_t)length, error);
  }
  free(text);
  msk_free(NULL, old);
  return status;
}
