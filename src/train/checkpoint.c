/* SPDX-License-Identifier: Apache-2.0
 *
 * checkpoint.c - a trainer's state in a file: safetensors with `net.`, `average.`, `first.` and
 * (of what AdamW has) `second.` before each parameter's name, the pair loss's `pair`, its numbers
 * of steps as metadata, and the SHA-256 of all data in the order of the names. Written whole or
 * not at all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/sha256.h"
#include "train/trainer.h"

#define FORMAT "masksketch training 1"

enum { NAME = 2 * MSK_WEIGHT_NAME, PAIR_FLOATS = 6 };

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
  float pair[PAIR_FLOATS];
};

static int compare_entries(const void *a, const void *b) {
  return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static void add_block(struct state *state, const msk_trainer *trainer, const char *prefix,
                      float *block, bool hidden_too) {
  const msk_params *params = trainer->params;
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
static msk_status list_state(struct state *state, const msk_trainer *trainer, msk_error *error) {
  *state = (struct state){
      .entries = msk_allocate_zeroed(NULL, 4 * trainer->params->count + 1, sizeof(struct entry))};
  if (state->entries == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory for the list of a checkpoint's tensors");
  add_block(state, trainer, "net.", trainer->block, true);
  add_block(state, trainer, "average.", trainer->optimiser->average, true);
  add_block(state, trainer, "first.", trainer->optimiser->first, true);
  add_block(state, trainer, "second.", trainer->optimiser->second, false);
  state->entries[state->count++] = (struct entry){.name = "pair",
                                                  .at = state->pair,
                                                  .elements = PAIR_FLOATS,
                                                  .rank = 1,
                                                  .shape = {PAIR_FLOATS}};
  qsort(state->entries, state->count, sizeof *state->entries, compare_entries);
  return MSK_OK;
}

/* `pair` moves with the state. */
static float *entry_data(struct state *state, const struct entry *entry) {
  return strcmp(entry->name, "pair") == 0 ? state->pair : entry->at;
}

static void hash_state(struct state *state, char text[65]) {
  msk_sha256 hash;
  msk_sha256_begin(&hash);
  for (size_t i = 0; i < state->count; i++)
    msk_sha256_add(&hash, entry_data(state, &state->entries[i]),
                   state->entries[i].elements * sizeof(float));
  msk_sha256_end(&hash, text);
}

static msk_status fill_entry(void *user, size_t index, void *out, msk_error *error) {
  struct state *state = user;
  (void)error;
  memcpy(out, entry_data(state, &state->entries[index]),
         state->entries[index].elements * sizeof(float));
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

msk_status msk_trainer_save(const msk_trainer *trainer, const char *path, msk_error *error) {
  struct state state;
  char step[24], pair_step[24], hash[65];
  msk_status status = list_state(&state, trainer, error);
  if (status != MSK_OK) return status;
  memcpy(state.pair, trainer->pair, sizeof trainer->pair);
  memcpy(state.pair + 2, trainer->pair_first, sizeof trainer->pair_first);
  memcpy(state.pair + 4, trainer->pair_second, sizeof trainer->pair_second);
  snprintf(step, sizeof step, "%ld", trainer->step);
  snprintf(pair_step, sizeof pair_step, "%ld", trainer->pair_step);
  hash_state(&state, hash);
  const msk_metadata_entry metadata[] = {
      {"format", FORMAT}, {"step", step}, {"pair_step", pair_step}, {"sha256", hash}};
  status = write_state(&state, path, metadata, 4, error);
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
  *value = number;
  return MSK_OK;
}

static msk_status read_entry(struct state *state, const struct entry *entry,
                             const msk_weight_file *file, msk_error *error) {
  const msk_tensor *tensor = msk_weight_file_find(file, entry->name);
  if (tensor == NULL || tensor->dtype != MSK_DTYPE_F32 || tensor->elements != entry->elements)
    return msk_fail(error, MSK_ERROR_FILE,
                    "%s: tensor %s is missing or of another size: is the checkpoint of a network "
                    "with other sizes?",
                    msk_weight_file_path(file), entry->name);
  msk_tensor_to_f32(tensor, 0, entry->elements, entry_data(state, entry));
  return MSK_OK;
}

static msk_status read_state(msk_trainer *trainer, struct state *state, const msk_weight_file *file,
                             msk_error *error) {
  const char *wanted = msk_weight_file_metadata(file, "sha256");
  char hash[65];
  long step = 0, pair_step = 0;
  msk_status status = read_count(file, "step", &step, error);
  if (status == MSK_OK) status = read_count(file, "pair_step", &pair_step, error);
  for (size_t i = 0; status == MSK_OK && i < state->count; i++)
    status = read_entry(state, &state->entries[i], file, error);
  if (status != MSK_OK) return status;
  hash_state(state, hash);
  if (wanted == NULL || strcmp(wanted, hash) != 0)
    return msk_fail(error, MSK_ERROR_FILE, "%s: its data is not what its SHA-256 says",
                    msk_weight_file_path(file));
  memcpy(trainer->pair, state->pair, sizeof trainer->pair);
  memcpy(trainer->pair_first, state->pair + 2, sizeof trainer->pair_first);
  memcpy(trainer->pair_second, state->pair + 4, sizeof trainer->pair_second);
  trainer->step = step;
  trainer->pair_step = pair_step;
  return MSK_OK;
}

msk_status msk_trainer_load(msk_trainer *trainer, const char *path, msk_error *error) {
  struct state state = {0};
  msk_weight_file *file = NULL;
  msk_status status = msk_weight_file_open(&file, path, NULL, error);
  if (status == MSK_OK) status = list_state(&state, trainer, error);
  if (status == MSK_OK) status = read_state(trainer, &state, file, error);
  msk_free(NULL, state.entries);
  msk_weight_file_close(file);
  return status;
}

/* ---- the result ---- */

msk_status msk_trainer_write_average(const msk_trainer *trainer, const char *path,
                                     const char *classes, const char *defaults, msk_error *error) {
  struct state state = {
      .entries = msk_allocate_zeroed(NULL, trainer->params->count, sizeof(struct entry))};
  if (state.entries == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory for the list of a model's tensors");
  add_block(&state, trainer, "", trainer->optimiser->average, true);
  msk_metadata_entry metadata[2];
  size_t count = 0;
  if (classes != NULL) metadata[count++] = (msk_metadata_entry){"classes", classes};
  if (defaults != NULL) metadata[count++] = (msk_metadata_entry){"defaults", defaults};
  msk_status status = write_state(&state, path, metadata, count, error);
  msk_free(NULL, state.entries);
  return status;
}
