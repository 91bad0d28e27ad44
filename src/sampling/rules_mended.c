/* SPDX-License-Identifier: Apache-2.0
 *
 * rules_mended.c - decoding with the defects of the authors' code mended (docs/exactness.md,
 * docs/recipes.md): guidance on every row, from the null class or a random class other than the
 * target, new for each item and step; the class position out of the choice; integer counts, met
 * exactly; constant scores decided by lot; a tail to no masks at all.
 *
 * Streams: every number is a function of seed, item, step and purpose, key =
 * fold_in(fold_in(fold_in(PRNGKey(seed), item), 1 + step), purpose), over arrays of one item's
 * size: item i of a seed is the same in any batch. */
#include <math.h>
#include <string.h>

#include "sampling/decode_state.h"
#include "sampling/order.h"
#include "sampling/schedule.h"

typedef enum purpose {
  FOR_TOKENS,
  FOR_CLASS,
  FOR_STRUCTURE,
  FOR_CONFIDENCE,
  FOR_CHOICE,
  FOR_LOTS,
  FOR_ORDER
} purpose;

/* moment: 0 the start, 1 + step afterwards */
static msk_key stream(const msk_decode *decode, int item, int moment, purpose what) {
  msk_key key = msk_rng_fold_in(decode->key, (uint32_t)decode->item[item]);
  return msk_rng_fold_in(msk_rng_fold_in(key, (uint32_t)moment), (uint32_t)what);
}

static msk_key step_stream(const msk_decode *decode, int item, purpose what) {
  return stream(decode, item, 1 + decode->step, what);
}

/* A class that a random unconditional pass may take. */
static bool eligible(const msk_decode_spec *spec, int class_id) {
  return class_id != spec->class_id && class_id != spec->null_class &&
         (spec->class_hidden == NULL || !spec->class_hidden[class_id]);
}

int msk_decode_other_classes(const msk_decode_spec *spec) {
  int count = 0;
  for (int c = 0; c < spec->class_count; c++) count += eligible(spec, c);
  return count;
}

/* One word for each token: the order among equals. */
static void draw_lots(msk_decode *decode, msk_key key) {
  const size_t tokens = (size_t)decode->spec.tokens;
  msk_rng_bits(decode->spec.layout, key, tokens, 0, tokens, decode->lots);
}

/* How many of the sketch's `image` tokens are hidden at the start. */
static int hidden_at_start(const msk_recipe *recipe, int image) {
  double rate = recipe->sketch_share > 0 ? 1 - recipe->sketch_share
                : recipe->visible_sketch ? recipe->max_mask_rate
                                         : 1;
  return (int)ceil(image * rate - 1e-9);
}

/* Tokens of the sketch, chosen by lot, are hidden; where they are let go over the first steps,
 * the others are marked. */
static void hide_tokens(msk_decode *decode, int item) {
  const msk_recipe *recipe = &decode->spec.recipe;
  const int image = decode->spec.tokens - 1, hidden = hidden_at_start(recipe, image);
  const size_t first = (size_t)item * (size_t)decode->spec.tokens;
  draw_lots(decode, stream(decode, item, 0, FOR_LOTS));
  for (int i = 1; i <= image; i++)
    decode->candidates[i - 1] = (msk_candidate){0.0f, decode->lots[i], i};
  msk_candidates_sort(decode->candidates, (size_t)image);
  memset(decode->sketch + first, 0, (size_t)image + 1);
  for (int i = 0; i < image; i++) {
    const size_t at = first + (size_t)decode->candidates[i].index;
    if (i < hidden) {
      decode->current[at] = MSK_MASK_TOKEN;
    } else {
      decode->sketch[at] = recipe->sketch_steps > 0;
    }
  }
}

/* Lambda of token i is lambda_structure * map[i]. Its mean gives the structure's share of the
 * masks; inside that share a token's lack of structure counts by its lambda, inside the other
 * its lack of confidence by 1 - lambda, each relative to the largest. A uniform map is the plain
 * number. */
static void weigh_tokens(msk_decode *decode) {
  const msk_decode_spec *spec = &decode->spec;
  const double lambda = spec->recipe.lambda_structure;
  double sum = 0, most_structure = 0, most_confidence = 0;
  for (int i = 1; i < spec->tokens; i++) {
    double factor = spec->lambda_map == NULL ? 1 : (double)spec->lambda_map[i - 1];
    sum += factor;
    most_structure = fmax(most_structure, factor);
    most_confidence = fmax(most_confidence, 1 - lambda * factor);
  }
  decode->mean_lambda = lambda * (sum / (spec->tokens - 1));
  for (int i = 1; i < spec->tokens; i++) {
    double factor = spec->lambda_map == NULL ? 1 : (double)spec->lambda_map[i - 1];
    decode->structure_weight[i] = most_structure > 0 ? (float)(factor / most_structure) : 1.0f;
    decode->confidence_weight[i] =
        most_confidence > 0 ? (float)((1 - lambda * factor) / most_confidence) : 1.0f;
  }
}

static void begin(msk_decode *decode) {
  const msk_decode_spec *spec = &decode->spec;
  decode->key = msk_rng_key(spec->seed);
  for (int b = 0; b < spec->batch; b++) decode->unconditional[b] = -1;
  for (int i = 0; i < spec->batch * spec->tokens; i++) decode->recorded[i] = -1;
  if (spec->recipe.order == MSK_ORDER_HALTON)
    msk_order_halton(decode->rank, msk_order_side(spec->tokens - 1));
  if (spec->job != MSK_JOB_DRAW) return;
  for (int b = 0; b < spec->batch; b++) hide_tokens(decode, b);
  weigh_tokens(decode);
}

/* Another class than the target, each equally likely. */
static int32_t random_class(const msk_decode *decode, int item, int choices) {
  const msk_decode_spec *spec = &decode->spec;
  int32_t chosen;
  msk_rng_randint(spec->layout, step_stream(decode, item, FOR_CLASS), 1, 0, 1, 0, choices, &chosen);
  for (int c = 0; c < spec->class_count; c++) {
    if (eligible(spec, c) && chosen-- == 0) return spec->codes + c;
  }
  return -1;
}

static void prepare(msk_decode *decode) {
  const msk_decode_spec *spec = &decode->spec;
  if (!decode->fresh) return;
  const int choices = msk_decode_other_classes(spec);
  for (int b = 0; b < spec->batch; b++) {
    bool null = spec->recipe.unconditional == MSK_UNCONDITIONAL_NULL;
    decode->unconditional[b] = decode->scale[b] == 0 ? -1
                               : null                ? spec->codes + spec->null_class
                                                     : random_class(decode, b, choices);
  }
  msk_decode_trace(decode, "unconditional_class_tokens", MSK_DTYPE_I32, decode->unconditional, 2,
                   (size_t)spec->batch, 1, 0);
}

/* token_temperature, or on the way to it from start_temperature. */
static float step_temperature(const msk_recipe *recipe, int step) {
  const float settled = (float)recipe->token_temperature;
  if (step >= recipe->start_temperature_steps) return settled;
  const double share = 1 - (double)step / recipe->start_temperature_steps;
  return settled + ((float)recipe->start_temperature - settled) * (float)share;
}

static void sample(msk_decode *decode) {
  const msk_decode_spec *spec = &decode->spec;
  const size_t tokens = (size_t)spec->tokens, codes = (size_t)spec->codes;
  const float temperature = step_temperature(&spec->recipe, decode->step);
  for (size_t b = 0; b < (size_t)spec->batch; b++) {
    const msk_key key = step_stream(decode, (int)b, FOR_TOKENS);
    for (size_t i = 0; i < tokens; i++) {
      const size_t at = b * tokens + i;
      decode->completed[at] = decode->current[at];
      if (decode->current[at] != MSK_MASK_TOKEN) continue;
      for (size_t j = 0; j < codes; j++)
        decode->row[j] = decode->logits[at * codes + j] / temperature;
      msk_rng_categorical(spec->layout, key, tokens, i, 1, codes, decode->row,
                          &decode->completed[at]);
    }
  }
}

/* Masks the `count` candidates of least key, or all if there are fewer. Returns how many. */
static int mask_lowest(uint8_t *mask, msk_candidate *candidates, int candidate_count, int count) {
  if (count > candidate_count) count = candidate_count;
  msk_candidates_sort(candidates, (size_t)candidate_count);
  for (int i = 0; i < count; i++) mask[candidates[i].index] = 1;
  return count;
}

/* Lets go of tokens of the sketch that are still visible, chosen by lot, so that after step s of
 * sketch_steps a share 1 - s / sketch_steps of them is left. They are masked before structure
 * and confidence choose. Returns how many; *left: how many stay visible. */
static int let_go(msk_decode *decode, int item, int *left) {
  const msk_recipe *recipe = &decode->spec.recipe;
  const int tokens = decode->spec.tokens;
  uint8_t *sketch = decode->sketch + (size_t)item * (size_t)tokens,
          *mask = decode->structure_mask + (size_t)item * (size_t)tokens;
  const double share = 1 - (decode->step + 1.0) / recipe->sketch_steps;
  int candidates = 0;
  *left = share > 0 ? (int)floor((tokens - 1 - decode->unknown[item]) * share + 1e-9) : 0;
  for (int i = 1; i < tokens; i++) {
    if (sketch[i]) decode->candidates[candidates++] = (msk_candidate){0.0f, decode->lots[i], i};
  }
  const int gone = mask_lowest(mask, decode->candidates, candidates, candidates - *left);
  for (int i = 1; i < tokens; i++) sketch[i] = sketch[i] && !mask[i];
  return gone;
}

/* What `order` puts in the place of confidence: the lowest is masked first. Halton: the latest
 * positions of the order, which begins elsewhere for each item; random: nothing, so that the
 * lots decide. */
static float order_key(const msk_decode *decode, int32_t start, size_t position) {
  const int image = decode->spec.tokens - 1;
  if (decode->spec.recipe.order == MSK_ORDER_RANDOM) return 0;
  return -(float)((decode->rank[position - 1] + image - start) % image);
}

static int32_t order_start(const msk_decode *decode, int item) {
  int32_t start = 0;
  if (decode->spec.recipe.order == MSK_ORDER_HALTON)
    msk_rng_randint(decode->spec.layout, stream(decode, item, 0, FOR_ORDER), 1, 0, 1, 0,
                    decode->spec.tokens - 1, &start);
  return start;
}

/* Under `recorded` a token keeps the probability that it was drawn with; one of the sketch has
 * that of the first step that sees it. */
static void record_confidence(msk_decode *decode, int item) {
  const size_t tokens = (size_t)decode->spec.tokens, first = (size_t)item * tokens;
  for (size_t at = first + 1; at < first + tokens; at++) {
    if (decode->current[at] == MSK_MASK_TOKEN || decode->recorded[at] < 0)
      decode->recorded[at] = decode->confidence[at];
    decode->confidence[at] = decode->recorded[at];
  }
}

/* Whether structure and confidence may mask a token of an item: not twice, not the sketch's that
 * are to be let go later, and under `drawn` none that the step did not draw. */
static bool choosable(const msk_decode *decode, size_t first, size_t i) {
  const bool drawn = decode->current[first + i] == MSK_MASK_TOKEN;
  return !decode->structure_mask[first + i] && !decode->confidence_mask[first + i] &&
         !decode->sketch[first + i] && (drawn || decode->spec.recipe.remask != MSK_REMASK_DRAWN);
}

/* Masks those `count` tokens that lack most: weight * (1 - score) less noise. Returns how many
 * there were. */
static int mask_by_structure(msk_decode *decode, int item, int count) {
  const size_t tokens = (size_t)decode->spec.tokens, first = (size_t)item * tokens;
  const float temperature = (float)decode->spec.recipe.temperature_structure;
  int candidates = 0;
  if (temperature > 0)
    msk_rng_gumbel(decode->spec.layout, step_stream(decode, item, FOR_STRUCTURE), tokens, 0, tokens,
                   decode->noise);
  for (size_t i = 1; i < tokens; i++) {
    if (!choosable(decode, first, i)) continue;
    float key = -decode->structure_weight[i] * (1.0f - decode->structure[first + i]);
    if (temperature > 0) key += temperature * decode->noise[i];
    decode->candidates[candidates++] = (msk_candidate){key, decode->lots[i], (int32_t)i};
  }
  return mask_lowest(decode->structure_mask + first, decode->candidates, candidates, count);
}

/* The same by confidence, or by what `order` puts in its place. */
static int mask_by_confidence(msk_decode *decode, int item, int count) {
  const msk_recipe *recipe = &decode->spec.recipe;
  const size_t tokens = (size_t)decode->spec.tokens, first = (size_t)item * tokens;
  const bool by_confidence = recipe->order == MSK_ORDER_CONFIDENCE;
  const float temperature = by_confidence ? (float)recipe->temperature_confidence : 0;
  const int32_t start = order_start(decode, item);
  int candidates = 0;
  if (temperature > 0)
    msk_rng_gumbel(decode->spec.layout, step_stream(decode, item, FOR_CONFIDENCE), tokens, 0,
                   tokens, decode->noise);
  for (size_t i = 1; i < tokens; i++) {
    if (!choosable(decode, first, i)) continue;
    float key = by_confidence
                    ? -decode->confidence_weight[i] * (1.0f - decode->confidence[first + i])
                    : order_key(decode, start, i);
    if (temperature > 0) key += temperature * decode->noise[i];
    decode->candidates[candidates++] = (msk_candidate){key, decode->lots[i], (int32_t)i};
  }
  return mask_lowest(decode->confidence_mask + first, decode->candidates, candidates, count);
}

static void remask_item(msk_decode *decode, int item) {
  const msk_recipe *recipe = &decode->spec.recipe;
  const int tokens = decode->spec.tokens;
  const size_t first = (size_t)item * (size_t)tokens;
  uint8_t *by_structure = decode->structure_mask + first,
          *by_confidence = decode->confidence_mask + first;
  int gone = 0, unknown = decode->unknown[item], left;
  memset(by_structure, 0, (size_t)tokens);
  memset(by_confidence, 0, (size_t)tokens);
  draw_lots(decode, step_stream(decode, item, FOR_LOTS));
  if (recipe->sketch_steps > 0) {
    gone = let_go(decode, item, &left);
    unknown = tokens - 1 - left; /* the mask rate is one of the tokens that are not the sketch's */
  }
  double rate = msk_schedule_rate(recipe->schedule, recipe->schedule_power,
                                  (decode->step + 1.0) / recipe->steps, unknown);
  rate = recipe->min_mask_rate + rate * (recipe->max_mask_rate - recipe->min_mask_rate);
  int count = (int)floor(unknown * rate + 1e-9) - gone;
  if (count < 0) count = 0;
  const int structure_count = (int)floor(count * decode->mean_lambda + 1e-9);
  decode->structure_k[item] = (float)(gone + mask_by_structure(decode, item, structure_count));
  decode->confidence_k[item] = (float)mask_by_confidence(decode, item, count - structure_count);
  msk_decode_apply_mask(decode, item, by_structure, by_confidence);
}

static void remask_sketch(msk_decode *decode) {
  const size_t tokens = (size_t)decode->spec.tokens;
  for (int b = 0; b < decode->spec.batch; b++) {
    float *structure = decode->structure + (size_t)b * tokens,
          *confidence = decode->confidence + (size_t)b * tokens;
    structure[0] = confidence[0] = 1.0f; /* the class: never masked, out of the rescaling */
    if (decode->spec.recipe.remask == MSK_REMASK_RECORDED) record_confidence(decode, b);
    msk_rescale(structure + 1, tokens - 1);
    msk_rescale(confidence + 1, tokens - 1);
    remask_item(decode, b);
  }
}

/* Progress of MaskGIT: over the job's steps, or over the tail of draw, which follows the cosine. */
static double maskgit_progress(const msk_decode *decode, msk_schedule *schedule) {
  const msk_recipe *recipe = &decode->spec.recipe;
  if (decode->spec.job == MSK_JOB_DRAW) {
    *schedule = MSK_SCHEDULE_COSINE;
    return (decode->step - recipe->steps + 1.0) / recipe->tail;
  }
  *schedule = recipe->schedule;
  return (decode->step + 1.0) / recipe->steps;
}

static void remask_maskgit(msk_decode *decode) {
  const msk_recipe *recipe = &decode->spec.recipe;
  const size_t tokens = (size_t)decode->spec.tokens;
  msk_schedule schedule;
  const double ratio = maskgit_progress(decode, &schedule);
  const float temperature = (float)(recipe->choice_temperature * (1 - ratio));
  for (size_t b = 0; b < (size_t)decode->spec.batch; b++) {
    uint8_t *mask = decode->confidence_mask + b * tokens;
    int candidates = 0, masked = msk_decode_count_masked(decode, (int)b);
    int count = (int)floor(decode->unknown[b] * msk_schedule_rate(schedule, recipe->schedule_power,
                                                                  ratio, decode->unknown[b]) +
                           1e-9);
    if (count > masked - 1) count = masked > 0 ? masked - 1 : 0; /* each step keeps at least one */
    const int32_t start = order_start(decode, (int)b);
    draw_lots(decode, step_stream(decode, (int)b, FOR_LOTS));
    msk_rng_gumbel(decode->spec.layout, step_stream(decode, (int)b, FOR_CHOICE), tokens, 0, tokens,
                   decode->noise);
    for (size_t i = 1; i < tokens; i++) {
      if (decode->current[b * tokens + i] != MSK_MASK_TOKEN) continue;
      float key = recipe->order == MSK_ORDER_CONFIDENCE
                      ? logf(decode->confidence[b * tokens + i]) + temperature * decode->noise[i]
                      : order_key(decode, start, i);
      decode->candidates[candidates++] =
          (msk_candidate){isnan(key) ? -INFINITY : key, decode->lots[i], (int32_t)i};
    }
    memset(mask, 0, tokens);
    mask_lowest(mask, decode->candidates, candidates, count);
    decode->confidence_k[b] = (float)count;
    msk_decode_apply_mask(decode, (int)b, mask, NULL);
  }
  msk_decode_trace(decode, "temperature", MSK_DTYPE_F32, &temperature, 0, 0, 0, 0);
}

const msk_decode_rules msk_rules_mended = {begin, prepare, sample, remask_sketch, remask_maskgit};
