/* SPDX-License-Identifier: Apache-2.0
 * trial.c - see trial.h. */
#include "trial.h"

#include <math.h>

#include "masksketch_tools.h"
#include "sampling/recipe.h"
#include "sampling/sampler_state.h"

uint8_t trial_hidden[CLASSES] = {0, 0, 1, 0, 0, 1, 0, 0, 0};
int32_t trial_sketch[TOKENS - 1];
uint8_t trial_box[TOKENS - 1];

static uint64_t hash_row(const trial *t, const int32_t *tokens, int32_t unconditional) {
  uint64_t state = (uint64_t)(uint32_t)unconditional + 77;
  if (t->scores == FIXED) return 77;
  for (int i = 0; i < t->spec.tokens; i++)
    state = test_random(&state) ^ (uint64_t)(uint32_t)tokens[i];
  return state;
}

static msk_status made_up_logits(void *user, const int32_t *tokens, const int32_t *behind,
                                 const int32_t *unconditional, const float *guidance, uint8_t *rows,
                                 float *logits, float *difference, msk_error *error) {
  trial *t = user;
  const int n = t->spec.tokens, codes = t->spec.codes;
  t->guided[t->logits_calls] = unconditional != NULL;
  for (int item = 0; item < t->spec.batch; item++) {
    int32_t other = unconditional != NULL ? unconditional[item] : -1;
    t->unconditional[t->logits_calls][item] = other;
    uint64_t conditional = hash_row(t, tokens + item * n, -1),
             state = hash_row(t, behind + item * n, other);
    for (int i = item * n * codes; i < (item + 1) * n * codes; i++) {
      float apart = other < 0             ? 0
                    : t->scores == STEADY ? (float)(i % codes) / 8
                                          : test_uniform(&state, -2, 2);
      const float value = test_uniform(&conditional, -2, 2) + guidance[item] * apart;
      if (!rows[i / codes]) continue;
      logits[i] = value;
      if (difference != NULL) difference[i] = apart;
    }
  }
  memcpy(t->seen[t->logits_calls], tokens, (size_t)(t->spec.batch * t->spec.tokens) * 4);
  memcpy(t->behind[t->logits_calls], behind, (size_t)(t->spec.batch * t->spec.tokens) * 4);
  memcpy(t->rows[t->logits_calls], rows, (size_t)(t->spec.batch * t->spec.tokens));
  t->logits_calls++;
  return t->answer == MSK_OK ? MSK_OK : (error->code = t->answer);
}

static msk_status made_up_score(void *user, const int32_t *tokens, uint8_t *rows, float *score,
                                msk_error *error) {
  trial *t = user;
  (void)error;
  for (int item = 0; item < t->spec.batch; item++) {
    uint64_t state = hash_row(t, tokens + item * t->spec.tokens, -2);
    for (int i = 0; i < t->spec.tokens; i++) {
      float value = test_uniform(&state, -9, -1);
      if (t->scores == CONSTANT || t->scores == STEADY) value = -3;
      if (t->scores == POISONED && i % 3 == 1) value = i % 2 ? NAN : -INFINITY;
      if (rows[item * t->spec.tokens + i]) score[item * t->spec.tokens + i] = value;
    }
  }
  t->score_calls++;
  return MSK_OK;
}

static int keep_trace(void *user, const char *name, int step, const msk_array *array) {
  trial *t = user;
  size_t bytes = (size_t)(t->spec.batch * t->spec.tokens);
  if (strcmp(name, "sequence") == 0) memcpy(t->sequences[step], array->data, bytes * 4);
  if (strcmp(name, "logits") == 0)
    memcpy(t->logits[step], array->data, bytes * (size_t)t->spec.codes * sizeof(float));
  if (strcmp(name, "structure_scaled") == 0) memcpy(t->structure[step], array->data, bytes * 4);
  if (strcmp(name, "confidence_scaled") == 0) memcpy(t->confidence[step], array->data, bytes * 4);
  if (strcmp(name, "structure_mask") == 0) memcpy(t->structure_mask[step], array->data, bytes);
  if (strcmp(name, "confidence_mask") == 0) memcpy(t->confidence_mask[step], array->data, bytes);
  if (strcmp(name, "revision_mask") == 0) memcpy(t->revision_mask[step], array->data, bytes);
  if (strcmp(name, "revision_logits") == 0)
    memcpy(t->looked[step], array->data, bytes * (size_t)t->spec.codes * sizeof(float));
  return ++t->traced == t->cancel_at;
}

trial *trial_make(msk_job job, const char *recipe, int batch) {
  trial *t = calloc(1, sizeof *t);
  uint64_t state = 4;
  for (int i = 0; i < TOKENS - 1; i++) {
    trial_sketch[i] = (int32_t)(test_random(&state) % CODES);
    trial_box[i] = i % 7 >= 2 && i % 7 < 6 && i > 20;
  }
  t->spec = (msk_sampler_spec){.job = job,
                               .seed = 5,
                               .batch = batch,
                               .tokens = TOKENS,
                               .codes = CODES,
                               .class_count = CLASSES,
                               .class_id = 3,
                               .null_class = -1,
                               .class_hidden = trial_hidden};
  assert_int_equal(msk_recipe_from_defaults(&t->spec.recipe, NULL, 4, job, recipe, NULL), MSK_OK);
  t->spec.recipe.steps = 10;
  if (job != MSK_JOB_GENERATE) t->spec.input = trial_sketch;
  if (job == MSK_JOB_EDIT) t->spec.edit_mask = trial_box;
  t->spec.callbacks = (msk_callbacks){.user = t, .on_trace = keep_trace};
  return t;
}

void trial_free(trial *t) {
  free(t->memory);
  free(t);
}

void trial_begin(trial *t) {
  static msk_denoiser denoiser;
  denoiser = (msk_denoiser){t, made_up_logits, made_up_score};
  if (t->sampler == NULL) {
    msk_arena arena = {0};
    assert_null(msk_sampler_place(&arena, &t->spec));
    t->memory = aligned_alloc(64, arena.peak);
    memset(t->memory, 0xA5, arena.peak);
    msk_arena placed = {.base = t->memory, .capacity = arena.peak};
    t->sampler = msk_sampler_place(&placed, &t->spec);
    assert_non_null(t->sampler);
  }
  msk_sampler_begin(t->sampler, &t->spec, &denoiser);
}

const int32_t *trial_run(trial *t) {
  msk_error error;
  bool done = false;
  int steps = 0;
  trial_begin(t);
  t->logits_calls = t->score_calls = 0;
  while (!done) {
    assert_int_equal(msk_sampler_step_index(t->sampler), steps++);
    if (msk_sampler_step(t->sampler, &done, &error) != MSK_OK) fail_msg("%s", error.message);
  }
  assert_int_equal(steps, msk_sampler_step_count(&t->spec));
  assert_int_equal(msk_sampler_step(t->sampler, &done, &error), MSK_ERROR_ARGUMENT);
  const int32_t *result = msk_sampler_completed(t->sampler);
  assert_memory_equal(result, t->sampler->current, (size_t)(t->spec.batch * t->spec.tokens) * 4);
  for (int item = 0; item < t->spec.batch; item++) {
    const int32_t *tokens = result + item * t->spec.tokens;
    assert_int_equal(tokens[0], t->spec.codes + t->spec.class_id);
    assert_int_equal(msk_sampler_masked(t->sampler, item), 0);
    for (int i = 1; i < t->spec.tokens; i++) assert_in_range(tokens[i], 0, t->spec.codes - 1);
  }
  return result;
}

int trial_masked_at(const trial *t, int step, int item) {
  int count = 0;
  for (int i = 0; i < t->spec.tokens; i++)
    count += t->sequences[step][item * t->spec.tokens + i] == MSK_MASK_TOKEN;
  return count;
}

void trial_assert_same(void (*one)(msk_recipe *), void (*other)(msk_recipe *)) {
  int32_t tokens[2 * TOKENS];
  trial *t = trial_make(MSK_JOB_DRAW, "balanced", 2);
  const msk_recipe plain = t->spec.recipe;
  one(&t->spec.recipe);
  memcpy(tokens, trial_run(t), sizeof tokens);
  t->spec.recipe = plain;
  other(&t->spec.recipe);
  assert_memory_equal(trial_run(t), tokens, sizeof tokens);
  trial_free(t);
}
