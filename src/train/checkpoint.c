/* SPDX-License-Identifier: Apache-2.0
 *
 * checkpoint.c - a course's state in a file: safetensors with `net.`, `average.`, `first.` and (of
 * what AdamW has) `second.` before each parameter's name, the training's own numbers under theirs,
 * its numbers of steps as metadata, and the SHA-256 of all data in the order of the names. Written
 * whole or not at all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/sha256.h"
#include "train/course.h"

#define FORMAT "masksketch training 1"

enum { NAME = 2 * MSK_WEIGHT_NAME };

/* A tensor of the file and where its floats are. */
struct entry {
  char name[NAME];
  float *at;
  size_t shape[MSK_MAX_RANK], elements;
  int rank;
};

struct state {
  struct entry *entries;
  size_t count;
};

static int compare_entries(const void *a, const void *b) {
  return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static void add_block(struct state *state, const msk_params *params, const char *prefix,
                      float *block, bool hidden_too) {
  for (size_t i = 0; i < params->count; i++) {
    const msk_param *param = &params->list[i];
    if (!hidden_too && param->rule == MSK_RULE_MUON) continue;
    struct entry *entry = &state->entries[state->count++];
    *entry = (struct entry){.at = block + param->offset,
                            .elements = param->tensor.elements,
                            .rank = param->tensor.rank};
    snprintf(entry->name, NAME, "%s%s", prefix, param->tensor.name);
    memcpy(entry->shape, param->tensor.shape, sizeof entry->shape);
  }
}

/* All of it, sorted by name. */
static msk_status list_state(struct state *state, const msk_course *course, msk_error *error) {
  const msk_params *params = course->params;
  size_t most = 4 * params->count + MSK_COURSE_EXTRAS;
  *state = (struct state){.entries = msk_allocate_zeroed(NULL, most, sizeof(struct entry))};
  if (state->entries == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory for the list of a checkpoint's tensors");
  add_block(state, params, "net.", course->block, true);
  add_block(state, params, "average.", course->optimiser->average, true);
  add_block(state, params, "first.", course->optimiser->first, true);
  add_block(state, params, "second.", course->optimiser->second, false); /* Muon has one moment */
  for (size_t i = 0; i < course->numbers_count; i++) {
    const msk_course_numbers *numbers = &course->numbers[i];
    struct entry *entry = &state->entries[state->count++];
    *entry = (struct entry){
        .at = numbers->at, .elements = numbers->count, .rank = 1, .shape = {numbers->count}};
    snprintf(entry->name, NAME, "%s", numbers->name);
  }
  qsort(state->entries, state->count, sizeof *state->entries, compare_entries);
  return MSK_OK;
}

static void hash_state(const struct state *state, char text[65]) {
  msk_sha256 hash;
  msk_sha256_begin(&hash);
  for (size_t i = 0; i < state->count; i++)
    msk_sha256_add(&hash, state->entries[i].at, state->entries[i].elements * sizeof(float));
  msk_sha256_end(&hash, text);
}

static msk_status fill_entry(void *user, size_t index, void *out, msk_error *error) {
  struct state *state = user;
  (void)error;
  memcpy(out, state->entries[index].at, state->entries[index].elements * sizeof(float));
  return MSK_OK;
}

static msk_status write_state(struct state *state, const char *path,
                              const msk_metadata_entry *metadata, size_t metadata_count,
                              msk_error *error) {
  msk_tensor *tensors = msk_allocate_zeroed(NULL, state->count, sizeof *tensors);
  if (tensors == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory for a checkpoint's tensors");
  for (size_t i = 0; i < state->count; i++) {
    const struct entry *entry = &state->entries[i];
    tensors[i] = (msk_tensor){.name = entry->name,
                              .dtype = MSK_DTYPE_F32,
                              .rank = entry->rank,
                              .elements = entry->elements,
                              .bytes = entry->elements * sizeof(float)};
    memcpy(tensors[i].shape, entry->shape, sizeof entry->shape);
  }
  msk_status status = msk_safetensors_write(path, tensors, state->count, metadata, metadata_count,
                                            fill_entry, state, NULL, error);
  msk_free(NULL, tensors);
  return status;
}

msk_status msk_course_save(const msk_course *course, const char *path, msk_error *error) {
  struct state state;
  char hash[65], texts[1 + MSK_COURSE_EXTRAS][24];
  msk_metadata_entry metadata[3 + MSK_COURSE_EXTRAS] = {{"format", FORMAT}, {"step", texts[0]}};
  msk_status status = list_state(&state, course, error);
  if (status != MSK_OK) return status;
  size_t count = 2;
  snprintf(texts[0], sizeof texts[0], "%ld", course->step);
  for (size_t i = 0; i < course->counts_count; i++) {
    snprintf(texts[1 + i], sizeof texts[0], "%ld", *course->counts[i].at);
    metadata[count++] = (msk_metadata_entry){course->counts[i].name, texts[1 + i]};
  }
  hash_state(&state, hash);
  metadata[count++] = (msk_metadata_entry){"sha256", hash};
  status = write_state(&state, path, metadata, count, error);
  msk_free(NULL, state.entries);
  return status;
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
  if ((double)number > MSK_COURSE_MOST_STEPS)
    return msk_fail(error, MSK_ERROR_FILE, "%s: its %s is %ld, expected at most %g",
                    msk_weight_file_path(file), key, number, MSK_COURSE_MOST_STEPS);
  *value = number;
  return MSK_OK;
}

static msk_status read_entry(const struct entry *entry, const msk_weight_file *file,
                             msk_error *error) {
  const msk_tensor *tensor = msk_weight_file_find(file, entry->name);
  if (tensor == NULL || tensor->dtype != MSK_DTYPE_F32 || tensor->elements != entry->elements)
    return msk_fail(error, MSK_ERROR_FILE,
                    "%s: tensor %s is missing or of another size: is the checkpoint of a network "
                    "with other sizes?",
                    msk_weight_file_path(file), entry->name);
  msk_tensor_to_f32(tensor, 0, entry->elements, entry->at);
  return MSK_OK;
}

static msk_status read_state(msk_course *course, const struct state *state,
                             const msk_weight_file *file, msk_error *error) {
  const char *wanted = msk_weight_file_metadata(file, "sha256");
  char hash[65];
  long step = 0, counts[MSK_COURSE_EXTRAS];
  msk_status status = read_count(file, "step", &step, error);
  for (size_t i = 0; status == MSK_OK && i < course->counts_count; i++)
    status = read_count(file, course->counts[i].name, &counts[i], error);
  for (size_t i = 0; status == MSK_OK && i < state->count; i++)
    status = read_entry(&state->entries[i], file, error);
  if (status != MSK_OK) return status;
  hash_state(state, hash);
  if (wanted == NULL || strcmp(wanted, hash) != 0)
    return msk_fail(error, MSK_ERROR_FILE, "%s: its data is not what its SHA-256 says",
                    msk_weight_file_path(file));
  course->step = step;
  for (size_t i = 0; i < course->counts_count; i++) *course->counts[i].at = counts[i];
  return MSK_OK;
}

msk_status msk_course_load(msk_course *course, const char *path, msk_error *error) {
  struct state state = {0};
  msk_weight_file *file = NULL;
  msk_status status = msk_weight_file_open(&file, path, NULL, error);
  if (status == MSK_OK) status = list_state(&state, course, error);
  if (status == MSK_OK) status = read_state(course, &state, file, error);
  msk_free(NULL, state.entries);
  msk_weight_file_close(file);
  return status;
}

/* ---- the result ---- */

msk_status msk_course_write_average(const msk_course *course, const char *path,
                                    const msk_metadata_entry *metadata, size_t metadata_count,
                                    msk_error *error) {
  struct state state = {.entries =
                            msk_allocate_zeroed(NULL, course->params->count, sizeof(struct entry))};
  if (state.entries == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory for the list of a model's tensors");
  add_block(&state, course->params, "", course->optimiser->average, true);
  msk_status status = write_state(&state, path, metadata, metadata_count, error);
  msk_free(NULL, state.entries);
  return status;
}
