/* SPDX-License-Identifier: Apache-2.0
 * state.c - see state.h. */
#include "train/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/sha256.h"

static int compare_arrays(const void *a, const void *b) {
  return strcmp(((const msk_state_array *)a)->name, ((const msk_state_array *)b)->name);
}

static void hash_arrays(const msk_state *state, char text[65]) {
  msk_sha256 hash;
  msk_sha256_begin(&hash);
  for (size_t i = 0; i < state->count; i++)
    msk_sha256_add(&hash, state->arrays[i].at, state->arrays[i].elements * sizeof(float));
  msk_sha256_end(&hash, text);
}

/* ---- writing ---- */

static msk_status fill_array(void *user, size_t index, void *out, msk_error *error) {
  const msk_state *state = user;
  (void)error;
  memcpy(out, state->arrays[index].at, state->arrays[index].elements * sizeof(float));
  return MSK_OK;
}

msk_status msk_state_write_arrays(msk_state *state, const char *path,
                                  const msk_metadata_entry *metadata, size_t metadata_count,
                                  msk_error *error) {
  msk_tensor *tensors = msk_allocate_zeroed(NULL, state->count, sizeof *tensors);
  if (tensors == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory for a checkpoint's tensors");
  for (size_t i = 0; i < state->count; i++) {
    const msk_state_array *array = &state->arrays[i];
    tensors[i] = (msk_tensor){.name = array->name,
                              .dtype = MSK_DTYPE_F32,
                              .rank = array->rank,
                              .elements = array->elements,
                              .bytes = array->elements * sizeof(float)};
    memcpy(tensors[i].shape, array->shape, sizeof array->shape);
  }
  msk_status status = msk_safetensors_write(path, tensors, state->count, metadata, metadata_count,
                                            fill_array, state, NULL, error);
  msk_free(NULL, tensors);
  return status;
}

msk_status msk_state_save(msk_state *state, const char *path, msk_error *error) {
  char hash[65], texts[MSK_STATE_COUNTS][24];
  msk_metadata_entry metadata[4 + MSK_STATE_COUNTS] = {{"format", state->format}};
  size_t count = 1;
  qsort(state->arrays, state->count, sizeof *state->arrays, compare_arrays);
  for (size_t i = 0; i < state->counts_count; i++) {
    snprintf(texts[i], sizeof texts[0], "%ld", *state->counts[i].at);
    metadata[count++] = (msk_metadata_entry){state->counts[i].name, texts[i]};
  }
  if (state->origin != NULL) metadata[count++] = (msk_metadata_entry){"origin", state->origin};
  metadata[count++] = (msk_metadata_entry){
      "precision", msk_train_precision_name(state->bf16 ? MSK_TRAIN_BF16 : MSK_TRAIN_FP32)};
  hash_arrays(state, hash);
  metadata[count++] = (msk_metadata_entry){"sha256", hash};
  return msk_state_write_arrays(state, path, metadata, count, error);
}

/* ---- reading ---- */

static msk_status read_count(const msk_weight_file *file, const char *key, long *value,
                             msk_error *error) {
  const char *text = msk_weight_file_metadata(file, key);
  char *end = NULL;
  long number = text == NULL ? -1 : strtol(text, &end, 10);
  if (number < 0 || end == text || *end != 0)
    return msk_fail(error, MSK_ERROR_FILE, "%s does not say its %s: is it a training checkpoint?",
                    msk_weight_file_path(file), key);
  if ((double)number > MSK_STATE_MOST_STEPS)
    return msk_fail(error, MSK_ERROR_FILE, "%s: its %s is %ld, expected at most %g",
                    msk_weight_file_path(file), key, number, MSK_STATE_MOST_STEPS);
  *value = number;
  return MSK_OK;
}

static msk_status read_array(const msk_state_array *array, const msk_weight_file *file,
                             msk_error *error) {
  const msk_tensor *tensor = msk_weight_file_find(file, array->name);
  if (tensor == NULL || tensor->dtype != MSK_DTYPE_F32 || tensor->elements != array->elements)
    return msk_fail(error, MSK_ERROR_FILE,
                    "%s: tensor %s is missing or of another size: is the checkpoint of a network "
                    "with other sizes?",
                    msk_weight_file_path(file), array->name);
  msk_tensor_to_f32(tensor, 0, array->elements, array->at);
  return MSK_OK;
}

static msk_status check_origin(const msk_state *state, const msk_weight_file *file,
                               msk_error *error) {
  const char *origin = msk_weight_file_metadata(file, "origin");
  if (state->origin == NULL || (origin != NULL && strcmp(origin, state->origin) == 0))
    return MSK_OK;
  return msk_fail(error, MSK_ERROR_ARGUMENT,
                  "%s was begun with other pictures or options: remove it to begin anew, or give "
                  "what it was begun with to go on",
                  msk_weight_file_path(file));
}

static msk_status read_all(msk_state *state, const msk_weight_file *file, msk_error *error) {
  const char *wanted = msk_weight_file_metadata(file, "sha256");
  char hash[65];
  long counts[MSK_STATE_COUNTS];
  msk_status status = check_origin(state, file, error);
  for (size_t i = 0; status == MSK_OK && i < state->counts_count; i++)
    status = read_count(file, state->counts[i].name, &counts[i], error);
  qsort(state->arrays, state->count, sizeof *state->arrays, compare_arrays);
  for (size_t i = 0; status == MSK_OK && i < state->count; i++)
    status = read_array(&state->arrays[i], file, error);
  if (status != MSK_OK) return status;
  hash_arrays(state, hash);
  if (wanted == NULL || strcmp(wanted, hash) != 0)
    return msk_fail(error, MSK_ERROR_FILE, "%s: its data is not what its SHA-256 says",
                    msk_weight_file_path(file));
  /* last of all: a damaged file leaves the run at the step where it was */
  for (size_t i = 0; i < state->counts_count; i++) *state->counts[i].at = counts[i];
  return MSK_OK;
}

msk_status msk_state_load(msk_state *state, const char *path, msk_error *error) {
  msk_weight_file *file = NULL;
  msk_status status = msk_weight_file_open(&file, path, NULL, error);
  if (status == MSK_OK) status = read_all(state, file, error);
  msk_weight_file_close(file);
  return status;
}

/* One that does not say is of the time when all was fp32. */
static msk_status read_precision(const msk_weight_file *file, const char *format,
                                 msk_train_precision *precision, msk_error *error) {
  const char *found = msk_weight_file_metadata(file, "format"),
             *text = msk_weight_file_metadata(file, "precision");
  *precision = MSK_TRAIN_AUTO;
  if (found == NULL || strcmp(found, format) != 0) return MSK_OK;
  *precision = MSK_TRAIN_FP32;
  if (text == NULL) return MSK_OK;
  for (int i = MSK_TRAIN_FP32; msk_train_precision_name(i) != NULL; i++) {
    *precision = (msk_train_precision)i;
    if (strcmp(text, msk_train_precision_name(i)) == 0) return MSK_OK;
  }
  return msk_fail(error, MSK_ERROR_FILE, "%s was trained in %s, expected fp32 or bf16",
                  msk_weight_file_path(file), text);
}

msk_status msk_state_precision(const char *path, const char *format, msk_train_precision *precision,
                               msk_error *error) {
  msk_weight_file *file = NULL;
  msk_status status = msk_weight_file_open(&file, path, NULL, error);
  if (status == MSK_OK) status = read_precision(file, format, precision, error);
  msk_weight_file_close(file);
  return status;
}
