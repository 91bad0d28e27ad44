/* SPDX-License-Identifier: Apache-2.0
 *
 * decode.c - see decode.h: memory, the loop, the trace. One step (MaskSketch, section
 * 3.3; MaskGIT, section 3.2):
 *   logits of the current sequence -> every masked token drawn -> [structure score of the
 *   completed sequence] -> the next masks.
 * The two sets of rules are in rules_official.c and rules_mended.c. */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "sampling/decode_state.h"
#include "sampling/schedule.h"

/* ---- memory ---- */

static bool keeps_difference(const msk_decode_spec *spec) {
  bool guided = spec->recipe.guidance > 0;
  for (int i = 0; i < spec->scale_count; i++) guided = guided || spec->scales[i] > 0;
  return guided && spec->recipe.unconditional_every > 1;
}

msk_decode *msk_decode_place(msk_arena *arena, const msk_decode_spec *spec) {
  const size_t batch = (size_t)spec->batch, tokens = (size_t)spec->tokens,
               codes = (size_t)spec->codes;
  const bool measuring = arena->base == NULL;
  size_t items = 0;
  if (spec->batch < 1 || spec->tokens < 2 || spec->codes < 1 ||
      !msk_multiply(batch, tokens, &items))
    arena->overflow = true;
  msk_decode laid = {0};
  msk_decode *decode = msk_arena_take(arena, 1, sizeof *decode);
  size_t logits = 0;
  if (!msk_multiply(items, codes, &logits)) arena->overflow = true;
  laid.current = msk_arena_take(arena, items, sizeof *laid.current);
  laid.completed = msk_arena_take(arena, items, sizeof *laid.completed);
  laid.shown = msk_arena_take(arena, items, sizeof *laid.shown);
  laid.item = msk_arena_take(arena, batch, sizeof *laid.item);
  laid.guidance = msk_arena_take(arena, batch, sizeof *laid.guidance);
  laid.scale = msk_arena_take(arena, batch, sizeof *laid.scale);
  laid.standing = msk_arena_take(arena, batch, sizeof *laid.standing);
  laid.unconditional = msk_arena_take(arena, batch, sizeof *laid.unconditional);
  laid.logits = msk_arena_take(arena, logits, sizeof *laid.logits);
  if (keeps_difference(spec))
    laid.difference = msk_arena_take(arena, logits, sizeof *laid.difference);
  laid.structure = msk_arena_take(arena, items, sizeof *laid.structure);
  laid.confidence = msk_arena_take(arena, items, sizeof *laid.confidence);
  laid.sketch = msk_arena_take(arena, items, 1);
  laid.structure_mask = msk_arena_take(arena, items, 1);
  laid.confidence_mask = msk_arena_take(arena, items, 1);
  laid.structure_k = msk_arena_take(arena, batch, sizeof *laid.structure_k);
  laid.confidence_k = msk_arena_take(arena, batch, sizeof *laid.confidence_k);
  laid.unknown = msk_arena_take(arena, batch, sizeof *laid.unknown);
  laid.recorded = msk_arena_take(arena, items, sizeof *laid.recorded);
  laid.rank = msk_arena_take(arena, tokens - 1, sizeof *laid.rank);
  laid.candidates = msk_arena_take(arena, tokens, sizeof *laid.candidates);
  laid.noise = msk_arena_take(arena, tokens, sizeof *laid.noise);
  laid.lots = msk_arena_take(arena, tokens, sizeof *laid.lots);
  laid.row = msk_arena_take(arena, codes, sizeof *laid.row);
  laid.structure_weight = msk_arena_take(arena, tokens, sizeof *laid.structure_weight);
  laid.confidence_weight = msk_arena_take(arena, tokens, sizeof *laid.confidence_weight);
  if (measuring || arena->overflow) return NULL;
  *decode = laid;
  return decode;
}

/* ---- what the rules use ---- */

bool msk_decode_sketching(const msk_decode *decode) {
  return decode->spec.job == MSK_JOB_DRAW && decode->step < decode->spec.recipe.steps;
}

int msk_decode_count_masked(const msk_decode *decode, int item) {
  const int32_t *tokens = decode->current + (size_t)item * (size_t)decode->spec.tokens;
  int masked = 0;
  for (int i = 0; i < decode->spec.tokens; i++) masked += tokens[i] == MSK_MASK_TOKEN;
  return masked;
}

void msk_decode_apply_mask(msk_decode *decode, int item, const uint8_t *mask,
                           const uint8_t *other) {
  const size_t first = (size_t)item * (size_t)decode->spec.tokens;
  decode->current[first] = decode->completed[first]; /* the class is never masked */
  for (int i = 1; i < decode->spec.tokens; i++) {
    bool masked = mask[i] || (other != NULL && other[i]);
    decode->current[first + (size_t)i] =
        masked ? MSK_MASK_TOKEN : decode->completed[first + (size_t)i];
  }
}

void msk_decode_trace(msk_decode *decode, const char *name, msk_dtype dtype, const void *data,
                      int rank, size_t side0, size_t side1, size_t side2) {
  const msk_callbacks *callbacks = &decode->spec.callbacks;
  if (callbacks->on_trace == NULL || decode->cancelled) return;
  msk_array array = {.dtype = dtype,
                     .rank = rank,
                     .shape = {side0, side1, side2},
                     .data = (void *)(uintptr_t)data};
  decode->cancelled = callbacks->on_trace(callbacks->user, name, decode->step, &array) != 0;
}

/* ---- the loop ---- */

int msk_decode_step_count(const msk_decode_spec *spec) {
  const msk_recipe *recipe = &spec->recipe;
  if (spec->job != MSK_JOB_DRAW) return recipe->steps - recipe->start_step;
  return recipe->steps + (recipe->official ? 0 : recipe->tail);
}

static void place_tokens(msk_decode *decode) {
  const msk_decode_spec *spec = &decode->spec;
  for (int b = 0; b < spec->batch; b++) {
    int32_t *tokens = decode->current + (size_t)b * (size_t)spec->tokens;
    tokens[0] = spec->codes + spec->class_id;
    for (int i = 1; i < spec->tokens; i++) {
      bool known =
          spec->job == MSK_JOB_DRAW || (spec->job == MSK_JOB_EDIT && !spec->edit_mask[i - 1]);
      tokens[i] = known ? spec->input[i - 1] : MSK_MASK_TOKEN;
    }
  }
}

void msk_decode_begin(msk_decode *decode, const msk_decode_spec *spec,
                      const msk_denoiser *denoiser) {
  const msk_decode_rules *rules = spec->recipe.official ? &msk_rules_official : &msk_rules_mended;
  decode->spec = *spec;
  decode->denoiser = denoiser;
  decode->rules = rules;
  decode->step = spec->job == MSK_JOB_DRAW ? 0 : spec->recipe.start_step;
  decode->last = decode->step + msk_decode_step_count(spec);
  decode->cancelled = false;
  decode->refreshed = -1;
  for (int b = 0; b < spec->batch; b++) {
    const int scales = spec->scale_count > 0 ? spec->scale_count : 1;
    decode->item[b] = spec->first_item + b / scales;
    decode->guidance[b] =
        (float)(spec->scale_count > 0 ? spec->scales[b % scales] : spec->recipe.guidance);
    decode->standing[b] = (msk_standing){0, 0};
  }
  place_tokens(decode);
  rules->begin(decode);
  for (int b = 0; b < spec->batch; b++) decode->unknown[b] = msk_decode_count_masked(decode, b);
  memcpy(decode->completed, decode->current,
         (size_t)spec->batch * (size_t)spec->tokens * sizeof *decode->completed);
}

static bool all_known(const msk_decode *decode) {
  for (int b = 0; b < decode->spec.batch; b++) {
    if (msk_decode_count_masked(decode, b) > 0) return false;
  }
  return true;
}

/* The probabilities of the completed tokens; where `drawn_only`, +infinity for those that were
 * known. */
static void measure_confidence(msk_decode *decode, bool drawn_only) {
  const size_t items = (size_t)decode->spec.batch * (size_t)decode->spec.tokens,
               codes = (size_t)decode->spec.codes;
  for (size_t i = 0; i < items; i++) {
    bool known = decode->current[i] != MSK_MASK_TOKEN;
    decode->confidence[i] =
        drawn_only && known
            ? (float)INFINITY
            : msk_token_probability(decode->logits + i * codes, codes, decode->completed[i]);
  }
}

static float mean(const float *values, int count) {
  double sum = 0;
  for (int i = 0; i < count; i++) sum += (double)values[i];
  return (float)(sum / count);
}

/* The masks that the next step starts from. */
static msk_status remask(msk_decode *decode, msk_error *error) {
  const size_t batch = (size_t)decode->spec.batch, tokens = (size_t)decode->spec.tokens;
  const bool sketching = msk_decode_sketching(decode);
  /* else the last score, rescaled already, serves again */
  if (sketching && decode->step % decode->spec.recipe.structure_every == 0) {
    msk_status status = decode->denoiser->score(decode->denoiser->user, decode->completed,
                                                decode->structure, error);
    if (status != MSK_OK) return status;
    for (size_t b = 0; b < batch; b++)
      decode->standing[b].structure = mean(decode->structure + b * tokens + 1, (int)tokens - 1);
    msk_decode_trace(decode, "structure_score", MSK_DTYPE_F32, decode->structure, 2, batch, tokens,
                     0);
  }
  measure_confidence(decode, !sketching);
  if (sketching) {
    for (size_t b = 0; b < batch; b++)
      decode->standing[b].confidence = mean(decode->confidence + b * tokens + 1, (int)tokens - 1);
    decode->rules->remask_sketch(decode);
    msk_decode_trace(decode, "structure_scaled", MSK_DTYPE_F32, decode->structure, 2, batch, tokens,
                     0);
    msk_decode_trace(decode, "confidence_scaled", MSK_DTYPE_F32, decode->confidence, 2, batch,
                     tokens, 0);
    msk_decode_trace(decode, "structure_k", MSK_DTYPE_F32, decode->structure_k, 2, batch, 1, 0);
    msk_decode_trace(decode, "confidence_k", MSK_DTYPE_F32, decode->confidence_k, 2, batch, 1, 0);
    msk_decode_trace(decode, "structure_mask", MSK_DTYPE_U8, decode->structure_mask, 2, batch,
                     tokens, 0);
    msk_decode_trace(decode, "confidence_mask", MSK_DTYPE_U8, decode->confidence_mask, 2, batch,
                     tokens, 0);
  } else {
    msk_decode_trace(decode, "selected_probability", MSK_DTYPE_F32, decode->confidence, 2, batch,
                     tokens, 0);
    decode->rules->remask_maskgit(decode);
    msk_decode_trace(decode, "mask_len", MSK_DTYPE_F32, decode->confidence_k, 2, batch, 1, 0);
    msk_decode_trace(decode, "masking", MSK_DTYPE_U8, decode->confidence_mask, 2, batch, tokens, 0);
  }
  return MSK_OK;
}

/* The guidance of this step, and whether it needs a new unconditional pass. */
static void choose_guidance(msk_decode *decode) {
  const msk_recipe *recipe = &decode->spec.recipe;
  const int taken = msk_decode_step_index(decode) + 1;
  double share = msk_schedule_guidance(recipe->guidance_schedule,
                                       (double)taken / msk_decode_step_count(&decode->spec));
  if (share < recipe->guidance_skip) share = 0;
  bool guided = false;
  for (int b = 0; b < decode->spec.batch; b++) {
    decode->scale[b] = decode->guidance[b] * (float)share;
    guided = guided || decode->scale[b] > 0;
  }
  decode->fresh = guided && (decode->refreshed < 0 ||
                             decode->step - decode->refreshed >= recipe->unconditional_every);
}

/* Current, with what stands at masked places. */
static const int32_t *shown_tokens(msk_decode *decode) {
  const msk_decode_spec *spec = &decode->spec;
  if (spec->job != MSK_JOB_DRAW || spec->recipe.placeholder == MSK_PLACEHOLDER_MASK)
    return decode->current;
  const size_t tokens = (size_t)spec->tokens;
  for (size_t at = 0; at < (size_t)spec->batch * tokens; at++) {
    decode->shown[at] =
        decode->current[at] == MSK_MASK_TOKEN ? spec->input[at % tokens - 1] : decode->current[at];
  }
  return decode->shown;
}

static msk_status guided_logits(msk_decode *decode, msk_error *error) {
  const msk_decode_spec *spec = &decode->spec;
  const size_t floats = (size_t)spec->tokens * (size_t)spec->codes;
  const bool keep = decode->fresh && keeps_difference(spec);
  msk_status status = decode->denoiser->logits(
      decode->denoiser->user, shown_tokens(decode), decode->fresh ? decode->unconditional : NULL,
      decode->scale, decode->logits, keep ? decode->difference : NULL, error);
  if (status != MSK_OK) return status;
  if (keep) decode->refreshed = decode->step;
  for (size_t b = 0; !decode->fresh && decode->refreshed >= 0 && b < (size_t)spec->batch; b++) {
    for (size_t i = b * floats; decode->scale[b] > 0 && i < (b + 1) * floats; i++)
      decode->logits[i] += decode->scale[b] * decode->difference[i];
  }
  return MSK_OK;
}

/* One pass through the networks: current -> completed -> current with the next masks. */
static msk_status take_step(msk_decode *decode, msk_error *error) {
  const msk_decode_spec *spec = &decode->spec;
  const size_t batch = (size_t)spec->batch, tokens = (size_t)spec->tokens;
  choose_guidance(decode);
  decode->rules->prepare(decode);
  msk_decode_trace(decode, "sequence", MSK_DTYPE_I32, decode->current, 2, batch, tokens, 0);
  msk_status status = guided_logits(decode, error);
  if (status != MSK_OK) return status;
  msk_decode_trace(decode, "logits", MSK_DTYPE_F32, decode->logits, 3, batch, tokens,
                   (size_t)spec->codes);
  decode->rules->sample(decode);
  msk_decode_trace(decode, "sampled", MSK_DTYPE_I32, decode->completed, 2, batch, tokens, 0);
  /* Masks after the last step serve nobody: the authors compute them, here only a trace of their
   * code does. */
  bool last = decode->step + 1 == decode->last;
  return last && !(spec->recipe.official && spec->callbacks.on_trace != NULL)
             ? MSK_OK
             : remask(decode, error);
}

msk_status msk_decode_step(msk_decode *decode, bool *done, msk_error *error) {
  const msk_decode_spec *spec = &decode->spec;
  const size_t bytes = (size_t)spec->batch * (size_t)spec->tokens * sizeof *decode->current;
  if (decode->step >= decode->last)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "all steps were taken, expected no further one");
  if (spec->job == MSK_JOB_DRAW && decode->step == spec->recipe.steps) {
    for (int b = 0; b < spec->batch; b++) decode->unknown[b] = msk_decode_count_masked(decode, b);
  }
  if (!spec->recipe.official && !msk_decode_sketching(decode) && all_known(decode)) {
    /* fewer tokens than steps: nothing is left to draw */
    memcpy(decode->completed, decode->current, bytes);
  } else {
    msk_status status = take_step(decode, error);
    if (status != MSK_OK) return status;
  }
  if (decode->cancelled)
    return msk_fail(error, MSK_ERROR_CANCELLED, "the trace callback asked to stop");
  decode->step++;
  *done = decode->step == decode->last;
  if (*done) memcpy(decode->current, decode->completed, bytes);
  return MSK_OK;
}

void msk_decode_keep(msk_decode *decode, const int *kept, int count) {
  const size_t tokens = (size_t)decode->spec.tokens, floats = tokens * (size_t)decode->spec.codes;
#define MOVE(array, n) memmove((array) + to * (n), (array) + from * (n), (n) * sizeof *(array))
  for (size_t to = 0; to < (size_t)count; to++) {
    const size_t from = (size_t)kept[to];
    MOVE(decode->item, 1);
    MOVE(decode->guidance, 1);
    MOVE(decode->standing, 1);
    MOVE(decode->unconditional, 1);
    MOVE(decode->unknown, 1);
    MOVE(decode->current, tokens);
    MOVE(decode->completed, tokens);
    MOVE(decode->structure, tokens);
    MOVE(decode->recorded, tokens);
    MOVE(decode->sketch, tokens);
    if (decode->refreshed >= 0) MOVE(decode->difference, floats);
  }
#undef MOVE
  decode->spec.batch = count;
}

const msk_standing *msk_decode_standings(const msk_decode *decode) { return decode->standing; }
int msk_decode_step_index(const msk_decode *decode) {
  return msk_decode_step_count(&decode->spec) - (decode->last - decode->step);
}
const int32_t *msk_decode_completed(const msk_decode *decode) { return decode->completed; }
const int32_t *msk_decode_current(const msk_decode *decode) { return decode->current; }
int msk_decode_masked(const msk_decode *decode, int item) {
  return msk_decode_count_masked(decode, item);
}
