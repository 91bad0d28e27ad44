/* SPDX-License-Identifier: Apache-2.0
 * sampler_state.c - see sampler_state.h: what the loop and the two sets of rules both call. */
#include "sampling/sampler_state.h"

bool msk_sampler_sketching(const msk_sampler *sampler) {
  return sampler->spec.job == MSK_JOB_DRAW && sampler->step < sampler->spec.recipe.steps;
}

int msk_sampler_masked(const msk_sampler *sampler, size_t row) {
  const int32_t *tokens = sampler->current + row * sampler->tokens;
  int masked = 0;
  for (size_t i = 0; i < sampler->tokens; i++) masked += tokens[i] == MSK_MASK_TOKEN;
  return masked;
}

int msk_sampler_draw_count(const msk_sampler_spec *spec) {
  const msk_recipe *recipe = &spec->recipe;
  if (spec->job != MSK_JOB_DRAW) return recipe->steps - recipe->start_step;
  return recipe->steps + (recipe->official ? 0 : recipe->tail);
}

int msk_sampler_step_count(const msk_sampler_spec *spec) {
  return msk_sampler_draw_count(spec) + (spec->recipe.official ? 0 : spec->recipe.revise_steps);
}

int msk_sampler_step_index(const msk_sampler *sampler) {
  return msk_sampler_step_count(&sampler->spec) - (sampler->end - sampler->step);
}

int msk_sampler_anchors(const msk_sampler *sampler) {
  const msk_recipe *recipe = &sampler->spec.recipe;
  /* what is left after them is as many steps at least, to follow what they settle */
  const int half = recipe->steps / 2;
  return recipe->anchor_steps < half ? recipe->anchor_steps : half;
}

bool msk_sampler_anchoring(const msk_sampler *sampler) {
  return msk_sampler_step_index(sampler) < msk_sampler_anchors(sampler);
}

void msk_sampler_apply_mask(msk_sampler *sampler, size_t row, const uint8_t *mask,
                            const uint8_t *other) {
  int32_t *current = sampler->current + row * sampler->tokens;
  const int32_t *completed = sampler->completed + row * sampler->tokens;
  current[0] = completed[0]; /* the class is never masked */
  for (size_t i = 1; i < sampler->tokens; i++) {
    const bool masked = mask[i] || (other != NULL && other[i]);
    current[i] = masked ? MSK_MASK_TOKEN : completed[i];
  }
}

void msk_sampler_trace(msk_sampler *sampler, const char *name, msk_dtype dtype, const void *data,
                       int rank, size_t side0, size_t side1, size_t side2) {
  const msk_callbacks *callbacks = &sampler->spec.callbacks;
  if (callbacks->on_trace == NULL || sampler->cancelled) return;
  msk_array array = {.dtype = dtype,
                     .rank = rank,
                     .shape = {side0, side1, side2},
                     .data = (void *)(uintptr_t)data};
  sampler->cancelled = callbacks->on_trace(callbacks->user, name, sampler->step, &array) != 0;
}
