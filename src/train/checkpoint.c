/* SPDX-License-Identifier: Apache-2.0
 *
 * checkpoint.c - a course's state in a file (state.h): `net.`, `average.`, `first.` and (of what
 * AdamW has) `second.` before each parameter's name, the training's own numbers under theirs, and
 * its numbers of steps. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "train/course.h"
#include "train/state.h"

#define FORMAT "masksketch training 1"

static void add_block(msk_state *state, const msk_params *params, const char *prefix, float *block,
                      bool hidden_too) {
  for (size_t i = 0; i < params->count; i++) {
    const msk_param *param = &params->list[i];
    if (!hidden_too && param->rule == MSK_RULE_MUON) continue;
    msk_state_array *array = &state->arrays[state->count++];
    *array = (msk_state_array){.at = block + param->offset,
                               .elements = param->tensor.elements,
                               .rank = param->tensor.rank};
    snprintf(array->name, sizeof array->name, "%s%s", prefix, param->tensor.name);
    memcpy(array->shape, param->tensor.shape, sizeof array->shape);
  }
}

static void add_numbers(msk_state *state, const msk_course_numbers *numbers) {
  msk_state_array *array = &state->arrays[state->count++];
  *array = (msk_state_array){
      .at = numbers->at, .elements = numbers->count, .rank = 1, .shape = {numbers->count}};
  snprintf(array->name, sizeof array->name, "%s", numbers->name);
}

/* All of it; state->arrays is to be freed. */
static msk_status list_state(msk_state *state, msk_course *course, msk_error *error) {
  const msk_params *params = course->params;
  size_t most = 4 * params->count + MSK_COURSE_EXTRAS;
  *state = (msk_state){.format = FORMAT,
                       .bf16 = course->bf16,
                       .arrays = msk_allocate_zeroed(NULL, most, sizeof *state->arrays)};
  if (state->arrays == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory for the list of a checkpoint's tensors");
  add_block(state, params, "net.", course->block, true);
  add_block(state, params, "average.", course->optimiser->average, true);
  add_block(state, params, "first.", course->optimiser->first, true);
  add_block(state, params, "second.", course->optimiser->second, false); /* Muon has one moment */
  for (size_t i = 0; i < course->numbers_count; i++) add_numbers(state, &course->numbers[i]);
  state->counts[state->counts_count++] = (msk_state_count){"step", &course->step};
  for (size_t i = 0; i < course->counts_count; i++)
    state->counts[state->counts_count++] = course->counts[i];
  return MSK_OK;
}

msk_status msk_course_save(msk_course *course, const char *path, msk_error *error) {
  msk_state state;
  msk_status status = list_state(&state, course, error);
  if (status == MSK_OK) status = msk_state_save(&state, path, error);
  msk_free(NULL, state.arrays);
  return status;
}

msk_status msk_course_load(msk_course *course, const char *path, msk_error *error) {
  msk_state state;
  msk_status status = list_state(&state, course, error);
  if (status == MSK_OK) status = msk_state_load(&state, path, error);
  msk_free(NULL, state.arrays);
  return status;
}

msk_status msk_course_precision(const char *path, msk_train_precision *precision,
                                msk_error *error) {
  return msk_state_precision(path, FORMAT, precision, error);
}

msk_status msk_course_share(msk_course *course, msk_error *error) {
  const msk_train_ranks *ranks = course->pace.ranks;
  msk_state state;
  if (ranks == NULL) return MSK_OK;
  msk_status status = list_state(&state, course, error);
  for (size_t i = 0; status == MSK_OK && i < state.count; i++)
    msk_ranks_share(ranks, state.arrays[i].at, state.arrays[i].elements * sizeof(float));
  for (size_t i = 0; status == MSK_OK && i < state.counts_count; i++)
    msk_ranks_share(ranks, state.counts[i].at, sizeof *state.counts[i].at);
  msk_free(NULL, state.arrays);
  return status;
}

msk_status msk_params_write(const msk_params *params, float *block, const char *path,
                            const msk_metadata_entry *metadata, size_t metadata_count,
                            msk_error *error) {
  msk_state state = {.arrays = msk_allocate_zeroed(NULL, params->count, sizeof *state.arrays)};
  if (state.arrays == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory for the list of a model's tensors");
  add_block(&state, params, "", block, true);
  msk_status status = msk_state_write_arrays(&state, path, metadata, metadata_count, error);
  msk_free(NULL, state.arrays);
  return status;
}

msk_status msk_course_write_average(const msk_course *course, const char *path,
                                    const msk_metadata_entry *metadata, size_t metadata_count,
                                    msk_error *error) {
  return msk_params_write(course->params, course->optimiser->average, path, metadata,
                          metadata_count, error);
}
