/* SPDX-License-Identifier: Apache-2.0
 *
 * sampler.c - see sampler.h: memory, the loop, the trace. One step (MaskSketch, section 3.3;
 * MaskGIT, section 3.2):
 *   logits of the current sequence -> every masked token drawn -> [structure score of the
 *   completed sequence] -> the next masks.
 * The two sets of rules are in rules_official.c and rules_mended.c. */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "sampling/sampler_state.h"
#include "sampling/schedule.h"

/* ---- memory ---- */

static bool keeps_difference(const msk_sampler_spec *spec) {
  bool guided = spec->recipe.guidance > 0;
  for (int i = 0; i < spec->scale_count; i++) guided = guided || spec->scales[i] > 0;
  return guided && spec->recipe.unconditional_every > 1;
}

static void *take(msk_arena *arena, size_t rows, size_t columns, size_t bytes) {
  size_t count = 0;
  if (!msk_multiply(rows, columns, &count)) arena->overflow = true;
  return msk_arena_take(arena, count, bytes);
}

msk_sampler *msk_sampler_place(msk_arena *arena, const msk_sampler_spec *spec) {
  const size_t batch = spec->batch, tokens = spec->tokens, codes = spec->codes;
  const bool measuring = arena->base == NULL;
  size_t logits = 0;
  if (!msk_multiply(tokens, codes, &logits)) arena->overflow = true;
  const size_t differences = keeps_difference(spec) ? logits : 0;
  msk_sampler laid = {0}, *sampler = msk_arena_take(arena, 1, sizeof *sampler);
#define PLACE(type, name, rows, columns, stays) \
  laid.name = take(arena, rows, columns, sizeof(type));
  MSK_SAMPLER_ARRAYS(PLACE)
#undef PLACE
  /* while measuring, the arena hands out addresses that are not to be written */
  if (measuring || arena->overflow) return NULL;
  *sampler = laid;
  return sampler;
}

void msk_sampler_keep(msk_sampler *sampler, const int *kept, int count) {
  const size_t tokens = sampler->tokens, codes = sampler->codes, logits = tokens * codes,
               differences = keeps_difference(&sampler->spec) ? logits : 0;
  for (int to = 0; to < count; to++) {
#define MOVE(type, name, rows, columns, stays)                                    \
  if (stays)                                                                      \
    memmove(sampler->name + to * (columns), sampler->name + kept[to] * (columns), \
            (columns) * sizeof(type));
    MSK_SAMPLER_ARRAYS(MOVE)
#undef MOVE
  }
  sampler->batch = count;
}

/* ---- the trace ---- */

/* Arrays of [batch, 1] and [batch, N]. */
static void trace_rows(msk_sampler *sampler, const char *name, const float *values) {
  msk_sampler_trace(sampler, name, MSK_DTYPE_F32, values, 2, sampler->batch, 1, 0);
}
static void trace_tokens(msk_sampler *sampler, const char *name, msk_dtype dtype,
                         const void *values) {
  msk_sampler_trace(sampler, name, dtype, values, 2, sampler->batch, sampler->tokens, 0);
}

static void trace_logits(msk_sampler *sampler, const char *name) {
  msk_sampler_trace(sampler, name, MSK_DTYPE_F32, sampler->logits, 3, sampler->batch,
                    sampler->tokens, sampler->codes);
}

/* ---- the beginning ---- */

static void place_tokens(msk_sampler *sampler) {
  const msk_sampler_spec *spec = &sampler->spec;
  for (size_t b = 0; b < sampler->batch; b++) {
    int32_t *tokens = sampler->current + b * sampler->tokens;
    tokens[0] = spec->codes + spec->class_id;
    for (size_t i = 1; i < sampler->tokens; i++) {
      bool known =
          spec->job == MSK_JOB_DRAW || (spec->job == MSK_JOB_EDIT && !spec->edit_mask[i - 1]);
      tokens[i] = known ? spec->input[i - 1] : MSK_MASK_TOKEN;
    }
  }
}

/* With scales each item has a row for each of them. */
static void place_items(msk_sampler *sampler) {
  const msk_sampler_spec *spec = &sampler->spec;
  const int scales = spec->scale_count > 0 ? spec->scale_count : 1;
  for (int b = 0; b < spec->batch; b++) {
    sampler->item[b] = spec->first_item + b / scales;
    sampler->guidance[b] =
        (float)(spec->scale_count > 0 ? spec->scales[b % scales] : spec->recipe.guidance);
    sampler->standing[b] = (msk_standing){0, 0};
  }
}

static void count_unknown(msk_sampler *sampler) {
  for (size_t b = 0; b < sampler->batch; b++) sampler->unknown[b] = msk_sampler_masked(sampler, b);
}

static size_t sequence_bytes(const msk_sampler *sampler) {
  return sampler->batch * sampler->tokens * sizeof *sampler->current;
}

void msk_sampler_begin(msk_sampler *sampler, const msk_sampler_spec *spec,
                       const msk_denoiser *denoiser) {
  sampler->spec = *spec;
  sampler->batch = spec->batch;
  sampler->tokens = spec->tokens;
  sampler->codes = spec->codes;
  sampler->denoiser = denoiser;
  sampler->rules = spec->recipe.official ? &msk_rules_official : &msk_rules_mended;
  /* drawing has no start_step: its first masks come from the sketch */
  sampler->step = spec->job == MSK_JOB_DRAW ? 0 : spec->recipe.start_step;
  sampler->last = sampler->step + msk_sampler_draw_count(spec);
  sampler->end = sampler->step + msk_sampler_step_count(spec);
  sampler->cancelled = sampler->settled = false;
  sampler->refreshed = -1;
  place_items(sampler);
  place_tokens(sampler);
  sampler->rules->begin(sampler);
  count_unknown(sampler);
  memcpy(sampler->completed, sampler->current, sequence_bytes(sampler));
  /* alike until they are measured */
  for (size_t at = 0; at < sampler->batch * sampler->tokens; at++)
    sampler->structure[at] = sampler->confidence[at] = 0;
}

/* ---- the logits of a step ---- */

/* The guidance of this step, and whether it needs a new unconditional pass. */
static void choose_guidance(msk_sampler *sampler) {
  const msk_recipe *recipe = &sampler->spec.recipe;
  const int taken = msk_sampler_step_index(sampler) + 1;
  double share = msk_schedule_guidance(recipe->guidance_schedule,
                                       (double)taken / msk_sampler_draw_count(&sampler->spec));
  if (share < recipe->guidance_skip) share = 0;
  bool guided = false;
  for (size_t b = 0; b < sampler->batch; b++) {
    sampler->scale[b] = sampler->guidance[b] * (float)share;
    guided = guided || sampler->scale[b] > 0;
  }
  sampler->fresh = guided && (sampler->refreshed < 0 ||
                              sampler->step - sampler->refreshed >= recipe->unconditional_every);
}

/* Current, with what stands at masked places. */
static const int32_t *shown_tokens(msk_sampler *sampler) {
  const msk_sampler_spec *spec = &sampler->spec;
  if (spec->job != MSK_JOB_DRAW || spec->recipe.placeholder == MSK_PLACEHOLDER_MASK)
    return sampler->current;
  for (size_t at = 0; at < sampler->batch * sampler->tokens; at++) {
    const int32_t token = sampler->current[at];
    sampler->shown[at] = token == MSK_MASK_TOKEN ? spec->input[at % sampler->tokens - 1] : token;
  }
  return sampler->shown;
}

static msk_status guided_logits(msk_sampler *sampler, msk_error *error) {
  const size_t codes = sampler->codes;
  const bool keep = sampler->fresh && keeps_difference(&sampler->spec);
  for (size_t i = 0; i < sampler->batch * sampler->tokens; i++)
    sampler->rows[i] =
        !sampler->light || (sampler->current[i] == MSK_MASK_TOKEN && sampler->near[i]);
  const int32_t *shown = shown_tokens(sampler);
  /* Masks stay masks there: guidance moves away from the model's own idea of a picture. */
  const bool from_nothing = sampler->spec.recipe.unconditional == MSK_UNCONDITIONAL_NOTHING;
  msk_status status = sampler->denoiser->logits(
      sampler->denoiser->user, shown, from_nothing ? sampler->current : shown,
      sampler->fresh ? sampler->unconditional : NULL, sampler->scale, sampler->rows,
      sampler->logits, keep ? sampler->difference : NULL, error);
  if (status != MSK_OK) return status;
  if (keep) sampler->refreshed = sampler->step;
  /* a step without a pass of its own takes the difference of the last one */
  if (sampler->fresh || sampler->refreshed < 0) return MSK_OK;
  for (size_t row = 0; row < sampler->batch * sampler->tokens; row++) {
    const float scale = sampler->rows[row] ? sampler->scale[row / sampler->tokens] : 0;
    for (size_t i = row * codes; scale > 0 && i < (row + 1) * codes; i++)
      sampler->logits[i] += scale * sampler->difference[i];
  }
  return MSK_OK;
}

/* ---- the masks of the next step ---- */

/* The probabilities of the completed tokens; where `drawn_only`, +infinity for those that were
 * known. */
static void measure_confidence(msk_sampler *sampler, bool drawn_only) {
  const size_t codes = sampler->codes;
  for (size_t i = 0; i < sampler->batch * sampler->tokens; i++) {
    const bool known = sampler->current[i] != MSK_MASK_TOKEN;
    sampler->confidence[i] =
        drawn_only && known
            ? (float)INFINITY
            : msk_token_probability(sampler->logits + i * codes, codes, sampler->completed[i]);
  }
}

/* Over a row's image tokens. */
static float row_mean(const msk_sampler *sampler, const float *values, size_t row) {
  double sum = 0;
  for (size_t i = 1; i < sampler->tokens; i++) sum += (double)values[row * sampler->tokens + i];
  return (float)(sum / (double)(sampler->tokens - 1));
}

/* Whether anything asks for structure in this step: the authors' code always does, mended masks
 * where lambda gives them any (an anchor step has none), and whoever compares candidates. */
static bool wants_structure(const msk_sampler *sampler) {
  const msk_recipe *recipe = &sampler->spec.recipe;
  return recipe->official || sampler->spec.compares ||
         (sampler->mean_lambda > 0 && !msk_sampler_anchoring(sampler));
}

static msk_status measure_structure(msk_sampler *sampler, msk_error *error) {
  const msk_recipe *recipe = &sampler->spec.recipe;
  const int first = sampler->spec.compares ? 0 : msk_sampler_anchors(sampler);
  if (!wants_structure(sampler)) return MSK_OK;
  /* between the steps that measure, the last score serves again */
  if ((sampler->step - first) % recipe->structure_every == 0) {
    memset(sampler->rows, !sampler->light, sampler->batch * sampler->tokens);
    msk_status status = sampler->denoiser->score(sampler->denoiser->user, sampler->completed,
                                                 sampler->rows, sampler->score, error);
    if (status != MSK_OK) return status;
    for (size_t b = 0; b < sampler->batch; b++)
      sampler->standing[b].structure = row_mean(sampler, sampler->score, b);
    trace_tokens(sampler, "structure_score", MSK_DTYPE_F32, sampler->score);
  }
  memcpy(sampler->structure, sampler->score,
         sampler->batch * sampler->tokens * sizeof *sampler->score);
  return MSK_OK;
}

/* Whether anything asks for confidence: masks do not where another order chooses. */
static bool wants_confidence(const msk_sampler *sampler) {
  const msk_recipe *recipe = &sampler->spec.recipe;
  return recipe->official || sampler->spec.compares || sampler->spec.callbacks.on_trace != NULL ||
         recipe->order == MSK_ORDER_CONFIDENCE || recipe->remask == MSK_REMASK_RECORDED;
}

static msk_status remask_sketch(msk_sampler *sampler, msk_error *error) {
  msk_status status = measure_structure(sampler, error);
  if (status != MSK_OK) return status;
  if (wants_confidence(sampler)) {
    /* known tokens are measured too: draw may mask any of them again */
    measure_confidence(sampler, false);
    for (size_t b = 0; b < sampler->batch; b++)
      sampler->standing[b].confidence = row_mean(sampler, sampler->confidence, b);
  }
  sampler->rules->remask_sketch(sampler);
  if (wants_structure(sampler))
    trace_tokens(sampler, "structure_scaled", MSK_DTYPE_F32, sampler->structure);
  trace_tokens(sampler, "confidence_scaled", MSK_DTYPE_F32, sampler->confidence);
  trace_rows(sampler, "structure_k", sampler->structure_k);
  trace_rows(sampler, "confidence_k", sampler->confidence_k);
  trace_tokens(sampler, "structure_mask", MSK_DTYPE_U8, sampler->structure_mask);
  trace_tokens(sampler, "confidence_mask", MSK_DTYPE_U8, sampler->confidence_mask);
  return MSK_OK;
}

static void remask_maskgit(msk_sampler *sampler) {
  measure_confidence(sampler, true);
  trace_tokens(sampler, "selected_probability", MSK_DTYPE_F32, sampler->confidence);
  sampler->rules->remask_maskgit(sampler);
  trace_rows(sampler, "mask_len", sampler->confidence_k);
  trace_tokens(sampler, "masking", MSK_DTYPE_U8, sampler->confidence_mask);
}

/* ---- a step ---- */

/* Whole steps are every `refresh`-th from the last anchor on, and the anchors' own: they look at
 * all masked tokens. */
static bool takes_light_step(const msk_sampler *sampler) {
  const int after = msk_sampler_step_index(sampler) - msk_sampler_anchors(sampler);
  return after >= 0 && after % sampler->spec.recipe.refresh != 0;
}

/* One pass through the networks: current -> completed -> current with the next masks. */
static msk_status take_step(msk_sampler *sampler, msk_error *error) {
  sampler->light = takes_light_step(sampler);
  choose_guidance(sampler);
  sampler->rules->prepare(sampler);
  trace_tokens(sampler, "sequence", MSK_DTYPE_I32, sampler->current);
  msk_status status = guided_logits(sampler, error);
  if (status != MSK_OK) return status;
  trace_logits(sampler, "logits");
  sampler->rules->sample(sampler);
  trace_tokens(sampler, "sampled", MSK_DTYPE_I32, sampler->completed);
  /* Masks after the last step serve nobody: the authors compute them, here only a trace of their
   * code does. */
  const bool traced = sampler->spec.recipe.official && sampler->spec.callbacks.on_trace != NULL;
  if (sampler->step + 1 == sampler->last && !traced) return MSK_OK;
  if (msk_sampler_sketching(sampler)) return remask_sketch(sampler, error);
  remask_maskgit(sampler);
  return MSK_OK;
}

/* What does not fit the rest is drawn again: unguided, all of it in view of all that does. */
static msk_status revise(msk_sampler *sampler, msk_error *error) {
  for (size_t b = 0; b < sampler->batch; b++) sampler->scale[b] = 0;
  sampler->fresh = sampler->light = false;
  msk_status status = guided_logits(sampler, error);
  if (status != MSK_OK) return status;
  sampler->settled = !sampler->rules->remask_unlikely(sampler);
  if (sampler->settled) return MSK_OK;
  trace_logits(sampler, "revision_logits");
  trace_tokens(sampler, "revision_mask", MSK_DTYPE_U8, sampler->confidence_mask);
  trace_tokens(sampler, "sequence", MSK_DTYPE_I32, sampler->current);
  sampler->light = true;
  memset(sampler->near, 1, sampler->batch * sampler->tokens);
  status = guided_logits(sampler, error);
  if (status != MSK_OK) return status;
  trace_logits(sampler, "logits");
  sampler->rules->sample(sampler);
  trace_tokens(sampler, "sampled", MSK_DTYPE_I32, sampler->completed);
  return MSK_OK;
}

static bool all_known(const msk_sampler *sampler) {
  for (size_t b = 0; b < sampler->batch; b++) {
    if (msk_sampler_masked(sampler, b) > 0) return false;
  }
  return true;
}

msk_status msk_sampler_step(msk_sampler *sampler, bool *done, msk_error *error) {
  const msk_recipe *recipe = &sampler->spec.recipe;
  if (sampler->step >= sampler->end)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "all steps were taken, expected no further one");
  if (sampler->spec.job == MSK_JOB_DRAW && sampler->step == recipe->steps)
    count_unknown(sampler); /* the tail begins */
  msk_status status = MSK_OK;
  if (sampler->step >= sampler->last) {
    if (!sampler->settled) status = revise(sampler, error);
  } else if (!recipe->official && !msk_sampler_sketching(sampler) && all_known(sampler)) {
    /* fewer tokens than steps: nothing is left to draw */
    memcpy(sampler->completed, sampler->current, sequence_bytes(sampler));
  } else {
    status = take_step(sampler, error);
  }
  if (status != MSK_OK) return status;
  if (sampler->cancelled)
    return msk_fail(error, MSK_ERROR_CANCELLED, "the trace callback asked to stop");
  sampler->step++;
  *done = sampler->step == sampler->end;
  if (sampler->step >= sampler->last)
    memcpy(sampler->current, sampler->completed, sequence_bytes(sampler));
  return MSK_OK;
}

/* ---- how it stands ---- */

const msk_standing *msk_sampler_standings(const msk_sampler *sampler) { return sampler->standing; }
const int32_t *msk_sampler_completed(const msk_sampler *sampler) { return sampler->completed; }
