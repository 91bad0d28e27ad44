/* SPDX-License-Identifier: Apache-2.0
 *
 * rules_mended.c - sampling with the defects of the authors' code mended (docs/exactness.md,
 * docs/recipes.md): guidance on every row, from the null class or a random class other than the
 * target, new for each item and step; the class position out of the choice; integer counts, met
 * exactly; constant scores decided by lot; a tail to no masks at all.
 *
 * Streams: every number is a function of seed, item, step and purpose, key =
 * fold_in(fold_in(fold_in(PRNGKey(seed), item), 1 + step), purpose), over arrays of one item's
 * size: item i of a seed is the same in any batch. */
#include <math.h>
#include <string.h>

#include "sampling/sampler_state.h"
#include "sampling/halton.h"
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
static msk_key stream(const msk_sampler *sampler, size_t row, int moment, purpose what) {
  msk_key key = msk_rng_fold_in(sampler->key, (uint32_t)sampler->item[row]);
  return msk_rng_fold_in(msk_rng_fold_in(key, (uint32_t)moment), (uint32_t)what);
}

static msk_key step_stream(const msk_sampler *sampler, size_t row, purpose what) {
  return stream(sampler, row, 1 + sampler->step, what);
}

/* A class that a random unconditional pass may take. */
static bool eligible(const msk_sampler_spec *spec, int class_id) {
  return class_id != spec->class_id && class_id != spec->null_class &&
         (spec->class_hidden == NULL || !spec->class_hidden[class_id]);
}

int msk_sampler_other_classes(const msk_sampler_spec *spec) {
  int count = 0;
  for (int c = 0; c < spec->class_count; c++) count += eligible(spec, c);
  return count;
}

/* One word for each token: the order among equals. */
static void draw_lots(msk_sampler *sampler, msk_key key) {
  msk_rng_bits(sampler->spec.layout, key, sampler->tokens, 0, sampler->tokens, sampler->lots);
}

/* Gumbel noise for each token; the same key gives it again. */
static void draw_noise(msk_sampler *sampler, msk_key key) {
  msk_rng_gumbel(sampler->spec.layout, key, sampler->tokens, 0, sampler->tokens, sampler->noise);
}

/* Token i of a row may be masked, the sooner the lower its key. */
static void nominate(msk_sampler *sampler, int *count, float key, size_t i) {
  sampler->candidates[(*count)++] = (msk_candidate){key, sampler->lots[i], (int32_t)i};
}

/* Masks the `count` of the nominated whose keys are lowest, or all if there are fewer. Returns how
 * many. */
static int mask_lowest(msk_sampler *sampler, uint8_t *mask, int nominated, int count) {
  if (count > nominated) count = nominated;
  msk_candidates_sort(sampler->candidates, nominated);
  for (int i = 0; i < count; i++) mask[sampler->candidates[i].index] = 1;
  return count;
}

/* ---- the beginning ---- */

/* The share of the sketch's tokens that is hidden at the start. */
static double hidden_share(const msk_recipe *recipe) {
  if (recipe->sketch_share > 0) return 1 - recipe->sketch_share;
  return recipe->visible_sketch ? recipe->max_mask_rate : 1;
}

/* Tokens of the sketch, chosen by lot, are hidden; where they are let go over the first steps,
 * the others are marked. */
static void hide_tokens(msk_sampler *sampler, size_t row) {
  const msk_recipe *recipe = &sampler->spec.recipe;
  int32_t *current = sampler->current + row * sampler->tokens;
  uint8_t *sketch = sampler->sketch + row * sampler->tokens;
  int image = 0;
  draw_lots(sampler, stream(sampler, row, 0, FOR_LOTS));
  for (size_t i = 1; i < sampler->tokens; i++) nominate(sampler, &image, 0, i);
  memset(sketch, 0, sampler->tokens);
  /* 1e-9: a share that is exact in decimals must not be rounded up by its last bit */
  mask_lowest(sampler, sketch, image, (int)ceil(image * hidden_share(recipe) - 1e-9));
  for (size_t i = 1; i < sampler->tokens; i++) {
    const bool hidden = sketch[i];
    if (hidden) current[i] = MSK_MASK_TOKEN;
    sketch[i] = !hidden && recipe->sketch_steps > 0;
  }
}

/* What the lambda map says of image token i (from 1): a factor on lambda_structure. */
static double map_factor(const msk_sampler_spec *spec, size_t i) {
  return spec->lambda_map == NULL ? 1 : (double)spec->lambda_map[i - 1];
}

/* Lambda of token i is lambda_structure * map[i]. Its mean gives the structure's share of the
 * masks; inside that share a token's lack of structure counts by its lambda, inside the other
 * its lack of confidence by 1 - lambda, each relative to the largest. A uniform map is the plain
 * number. */
static void weigh_tokens(msk_sampler *sampler) {
  const msk_sampler_spec *spec = &sampler->spec;
  const double lambda = spec->recipe.lambda_structure;
  double sum = 0, most_structure = 0, most_confidence = 0;
  for (size_t i = 1; i < sampler->tokens; i++) {
    const double factor = map_factor(spec, i);
    sum += factor;
    most_structure = fmax(most_structure, factor);
    most_confidence = fmax(most_confidence, 1 - lambda * factor);
  }
  sampler->mean_lambda = lambda * (sum / (spec->tokens - 1));
  for (size_t i = 1; i < sampler->tokens; i++) {
    const double factor = map_factor(spec, i);
    /* a largest of 0: this share has no masks to give, and any weight will do */
    sampler->structure_weight[i] = most_structure > 0 ? (float)(factor / most_structure) : 1.0f;
    sampler->confidence_weight[i] =
        most_confidence > 0 ? (float)((1 - lambda * factor) / most_confidence) : 1.0f;
  }
}

static void begin(msk_sampler *sampler) {
  const msk_sampler_spec *spec = &sampler->spec;
  sampler->key = msk_rng_key(spec->seed);
  for (size_t b = 0; b < sampler->batch; b++) sampler->unconditional[b] = -1;
  for (size_t at = 0; at < sampler->batch * sampler->tokens; at++) sampler->recorded[at] = -1;
  if (spec->recipe.order == MSK_ORDER_HALTON)
    msk_order_halton(sampler->rank, msk_order_side(spec->tokens - 1));
  if (spec->job != MSK_JOB_DRAW) return;
  for (size_t b = 0; b < sampler->batch; b++) hide_tokens(sampler, b);
  weigh_tokens(sampler);
}

/* ---- a step ---- */

/* Another class than the target, each equally likely. */
static int32_t random_class(const msk_sampler *sampler, size_t row, int choices) {
  const msk_sampler_spec *spec = &sampler->spec;
  int32_t chosen;
  msk_rng_randint(spec->layout, step_stream(sampler, row, FOR_CLASS), 1, 0, 1, 0, choices, &chosen);
  for (int c = 0; c < spec->class_count; c++) {
    if (eligible(spec, c) && chosen-- == 0) return spec->codes + c;
  }
  return -1;
}

static void prepare(msk_sampler *sampler) {
  const msk_sampler_spec *spec = &sampler->spec;
  const bool null = spec->recipe.unconditional != MSK_UNCONDITIONAL_RANDOM;
  if (!sampler->fresh) return;
  const int choices = msk_sampler_other_classes(spec);
  for (size_t b = 0; b < sampler->batch; b++) {
    const int32_t before = sampler->unconditional[b];
    sampler->unconditional[b] = -1;
    if (sampler->scale[b] == 0) continue;
    /* another class would leave nothing of the last pass to be used again */
    if (sampler->light && before >= 0) {
      sampler->unconditional[b] = before;
    } else {
      sampler->unconditional[b] =
          null ? spec->codes + spec->null_class : random_class(sampler, b, choices);
    }
  }
  msk_sampler_trace(sampler, "unconditional_class_tokens", MSK_DTYPE_I32, sampler->unconditional, 2,
                    sampler->batch, 1, 0);
}

/* token_temperature, or on the way to it from start_temperature. */
static float step_temperature(const msk_recipe *recipe, int step) {
  const float settled = (float)recipe->token_temperature;
  if (step >= recipe->start_temperature_steps) return settled;
  const double share = 1 - (double)step / recipe->start_temperature_steps;
  return settled + ((float)recipe->start_temperature - settled) * (float)share;
}

static void sample(msk_sampler *sampler) {
  const size_t codes = sampler->codes;
  const float temperature = step_temperature(&sampler->spec.recipe, sampler->step);
  const bool common = sampler->spec.recipe.token_noise == MSK_TOKEN_NOISE_COMMON;
  for (size_t b = 0; b < sampler->batch; b++) {
    const msk_key key = step_stream(sampler, b, FOR_TOKENS);
    for (size_t i = 0; i < sampler->tokens; i++) {
      const size_t at = b * sampler->tokens + i;
      const bool masked = sampler->current[at] == MSK_MASK_TOKEN;
      /* known tokens stay, and draw nothing: a stream's numbers belong to places, not to turns;
       * masked ones that a light step leaves alone stay what they were drawn as last */
      if (!masked) sampler->completed[at] = sampler->current[at];
      if (!masked || !sampler->rows[at]) continue;
      for (size_t j = 0; j < codes; j++)
        sampler->row[j] = sampler->logits[at * codes + j] / temperature;
      msk_rng_categorical(sampler->spec.layout, key, common ? 1 : sampler->tokens, common ? 0 : i,
                          1, codes, sampler->row, &sampler->completed[at]);
    }
  }
}

/* ---- how many are masked ---- */

/* Progress of MaskGIT after `step`: over the job's steps, or over the tail of draw, which follows
 * the cosine. */
static double maskgit_progress(const msk_recipe *recipe, msk_job job, int step,
                               msk_schedule *schedule) {
  if (job == MSK_JOB_DRAW) {
    *schedule = MSK_SCHEDULE_COSINE;
    return (step - recipe->steps + 1.0) / recipe->tail;
  }
  *schedule = recipe->schedule;
  return (step + 1.0) / recipe->steps;
}

/* The tokens that are masked after `step`, of `unknown`. */
static int masked_after(const msk_sampler *sampler, int step, int unknown) {
  const msk_recipe *recipe = &sampler->spec.recipe;
  msk_schedule schedule = recipe->schedule;
  double rate;
  if (sampler->spec.job == MSK_JOB_DRAW && step < recipe->steps) {
    rate =
        msk_schedule_rate(schedule, recipe->schedule_power, (step + 1.0) / recipe->steps, unknown);
    rate = recipe->min_mask_rate + rate * (recipe->max_mask_rate - recipe->min_mask_rate);
  } else {
    const double ratio = maskgit_progress(recipe, sampler->spec.job, step, &schedule);
    rate = msk_schedule_rate(schedule, recipe->schedule_power, ratio, unknown);
  }
  return (int)floor(unknown * rate + 1e-9);
}

/* The share of `masked` tokens that a light step takes: light_margin times as many as it will
 * keep. */
static double find_near(const msk_sampler *sampler, int masked, int unknown) {
  const msk_recipe *recipe = &sampler->spec.recipe;
  const int next = sampler->step + 1;
  if (recipe->light_margin == 0 || masked == 0) return 1;
  /* the tail begins anew with what is masked then */
  if (sampler->spec.job == MSK_JOB_DRAW && next == recipe->steps) unknown = masked;
  const int left = next + 1 == sampler->last ? 0 : masked_after(sampler, next, unknown);
  const int kept = left < masked ? masked - left : 1;
  return fmin(1, recipe->light_margin * kept / masked);
}

/* Of the `count` tokens that were masked last, lowest first, a share of the highest is near to
 * being kept. */
static void mark_near(msk_sampler *sampler, size_t row, int count, double share) {
  uint8_t *near = sampler->near + row * sampler->tokens;
  for (int i = (int)floor(count * (1 - share) + 1e-9); i < count; i++)
    near[sampler->candidates[i].index] = 1;
}

/* ---- the masks of draw ---- */

/* Lets go of tokens of the sketch that are still visible, chosen by lot, so that after step s of
 * sketch_steps a share 1 - s / sketch_steps of them is left. They are masked before structure
 * and confidence choose. Returns how many; *left: how many stay visible. */
static int let_go(msk_sampler *sampler, size_t row, int *left) {
  uint8_t *sketch = sampler->sketch + row * sampler->tokens,
          *mask = sampler->structure_mask + row * sampler->tokens;
  const int shown = sampler->spec.tokens - 1 - sampler->unknown[row];
  const double share = 1 - (sampler->step + 1.0) / sampler->spec.recipe.sketch_steps;
  int nominated = 0;
  *left = share > 0 ? (int)floor(shown * share + 1e-9) : 0;
  for (size_t i = 1; i < sampler->tokens; i++) {
    if (sketch[i]) nominate(sampler, &nominated, 0, i);
  }
  const int gone = mask_lowest(sampler, mask, nominated, nominated - *left);
  for (size_t i = 1; i < sampler->tokens; i++) sketch[i] = sketch[i] && !mask[i];
  return gone;
}

/* What `order` puts in the place of confidence: the lowest is masked first. Halton: the latest
 * positions of the order, which begins elsewhere for each item; random: nothing, so that the
 * lots decide. */
static float order_key(const msk_sampler *sampler, int32_t start, size_t position) {
  const int image = sampler->spec.tokens - 1;
  if (sampler->spec.recipe.order == MSK_ORDER_RANDOM) return 0;
  return -(float)((sampler->rank[position - 1] + image - start) % image);
}

static int32_t order_start(const msk_sampler *sampler, size_t row) {
  int32_t start = 0;
  if (sampler->spec.recipe.order == MSK_ORDER_HALTON)
    msk_rng_randint(sampler->spec.layout, stream(sampler, row, 0, FOR_ORDER), 1, 0, 1, 0,
                    sampler->spec.tokens - 1, &start);
  return start;
}

/* Under `recorded` a token keeps the probability that it was drawn with; one of the sketch has
 * that of the first step that sees it. */
static void record_confidence(msk_sampler *sampler, size_t row) {
  const size_t first = row * sampler->tokens;
  for (size_t at = first + 1; at < first + sampler->tokens; at++) {
    if (sampler->current[at] == MSK_MASK_TOKEN || sampler->recorded[at] < 0)
      sampler->recorded[at] = sampler->confidence[at];
    sampler->confidence[at] = sampler->recorded[at];
  }
}

/* Whether structure and confidence may mask a token: not twice, not the sketch's that are to be
 * let go later, and under `drawn` none that the step did not draw. */
static bool choosable(const msk_sampler *sampler, size_t at) {
  const bool drawn = sampler->current[at] == MSK_MASK_TOKEN;
  return !sampler->structure_mask[at] && !sampler->confidence_mask[at] && !sampler->sketch[at] &&
         (drawn || sampler->spec.recipe.remask != MSK_REMASK_DRAWN);
}

/* Masks those `count` tokens that lack most: weight * (1 - score) less noise; `share` of them are
 * near. Returns how many there were. */
static int mask_by_structure(msk_sampler *sampler, size_t row, int count, double share) {
  const size_t first = row * sampler->tokens;
  const float temperature = (float)sampler->spec.recipe.temperature_structure;
  int nominated = 0;
  if (temperature > 0) draw_noise(sampler, step_stream(sampler, row, FOR_STRUCTURE));
  for (size_t i = 1; i < sampler->tokens; i++) {
    if (!choosable(sampler, first + i)) continue;
    float key = -sampler->structure_weight[i] * (1.0f - sampler->structure[first + i]);
    if (temperature > 0) key += temperature * sampler->noise[i];
    nominate(sampler, &nominated, key, i);
  }
  count = mask_lowest(sampler, sampler->structure_mask + first, nominated, count);
  mark_near(sampler, row, count, share);
  return count;
}

/* The same by confidence, or by what `order` puts in its place. */
static int mask_by_confidence(msk_sampler *sampler, size_t row, int count, double share) {
  const msk_recipe *recipe = &sampler->spec.recipe;
  const size_t first = row * sampler->tokens;
  const bool by_confidence = recipe->order == MSK_ORDER_CONFIDENCE;
  /* The noise is made for keys from -1 to 0: an order's are ranks, or all 0 for the lots. */
  const float temperature = by_confidence ? (float)recipe->temperature_confidence : 0;
  const int32_t start = order_start(sampler, row);
  int nominated = 0;
  if (temperature > 0) draw_noise(sampler, step_stream(sampler, row, FOR_CONFIDENCE));
  for (size_t i = 1; i < sampler->tokens; i++) {
    if (!choosable(sampler, first + i)) continue;
    float key = by_confidence
                    ? -sampler->confidence_weight[i] * (1.0f - sampler->confidence[first + i])
                    : order_key(sampler, start, i);
    if (temperature > 0) key += temperature * sampler->noise[i];
    nominate(sampler, &nominated, key, i);
  }
  count = mask_lowest(sampler, sampler->confidence_mask + first, nominated, count);
  mark_near(sampler, row, count, share);
  return count;
}

/* How much a token that the step drew is wanted: its confidence, or what `order` puts in its
 * place. */
static float drawn_key(const msk_sampler *sampler, size_t row, int32_t start, size_t i) {
  return sampler->spec.recipe.order == MSK_ORDER_CONFIDENCE
             ? sampler->confidence[row * sampler->tokens + i]
             : order_key(sampler, start, i);
}

/* Masks all that the step drew but two: the token whose place was least certain, which settles
 * most (the colour of a body that may have any), and the next in order. What the first tokens
 * settle the others follow: chosen by confidence instead, they are those that go with every
 * colour, and no body has one. */
static int mask_but_anchors(msk_sampler *sampler, size_t row, uint8_t *mask) {
  const size_t first = row * sampler->tokens;
  const int32_t start = order_start(sampler, row);
  int nominated = 0;
  for (size_t i = 1; i < sampler->tokens; i++) {
    if (sampler->current[first + i] != MSK_MASK_TOKEN) continue;
    const float *logits = sampler->logits + (first + i) * sampler->codes;
    nominate(sampler, &nominated, msk_token_entropy(logits, sampler->codes), i);
  }
  if (nominated == 0) return 0;
  msk_candidates_sort(sampler->candidates, nominated);
  nominated--; /* the last, of the highest entropy, stays */
  for (int c = 0; c < nominated; c++) {
    msk_candidate *candidate = &sampler->candidates[c];
    candidate->key = drawn_key(sampler, row, start, (size_t)candidate->index);
  }
  return mask_lowest(sampler, mask, nominated, nominated - 1);
}

/* The masks of a step after the anchors: `gone` tokens are masked already. */
static void mask_by_rate(msk_sampler *sampler, size_t row, int unknown, int gone) {
  int count = masked_after(sampler, sampler->step, unknown) - gone;
  if (count < 0) count = 0;
  const double share = find_near(sampler, count, unknown);
  const int structure_count = (int)floor(count * sampler->mean_lambda + 1e-9);
  sampler->structure_k[row] =
      (float)(gone + mask_by_structure(sampler, row, structure_count, share));
  sampler->confidence_k[row] =
      (float)mask_by_confidence(sampler, row, count - structure_count, share);
}

static void remask_row(msk_sampler *sampler, size_t row) {
  const msk_recipe *recipe = &sampler->spec.recipe;
  uint8_t *by_structure = sampler->structure_mask + row * sampler->tokens,
          *by_confidence = sampler->confidence_mask + row * sampler->tokens,
          *near = sampler->near + row * sampler->tokens;
  int gone = 0, unknown = sampler->unknown[row], left;
  memset(by_structure, 0, sampler->tokens);
  memset(by_confidence, 0, sampler->tokens);
  memset(near, 0, sampler->tokens);
  draw_lots(sampler, step_stream(sampler, row, FOR_LOTS));
  if (recipe->sketch_steps > 0) {
    gone = let_go(sampler, row, &left);
    memcpy(near, by_structure, sampler->tokens);
    /* the mask rate is one of the tokens that are not the sketch's */
    unknown = sampler->spec.tokens - 1 - left;
  }
  if (msk_sampler_anchoring(sampler)) {
    sampler->structure_k[row] = (float)gone;
    sampler->confidence_k[row] = (float)mask_but_anchors(sampler, row, by_confidence);
  } else {
    mask_by_rate(sampler, row, unknown, gone);
  }
  msk_sampler_apply_mask(sampler, row, by_structure, by_confidence);
}

static void remask_sketch(msk_sampler *sampler) {
  const size_t tokens = sampler->tokens;
  for (size_t b = 0; b < sampler->batch; b++) {
    float *structure = sampler->structure + b * tokens,
          *confidence = sampler->confidence + b * tokens;
    structure[0] = confidence[0] = 1.0f; /* the class: never masked, out of the rescaling */
    if (sampler->spec.recipe.remask == MSK_REMASK_RECORDED) record_confidence(sampler, b);
    msk_rescale(structure + 1, tokens - 1);
    msk_rescale(confidence + 1, tokens - 1);
    remask_row(sampler, b);
  }
}

/* ---- the masks of MaskGIT ---- */

/* Nominates what is still masked, by log probability and noise, or by `order`. */
static int nominate_masked(msk_sampler *sampler, size_t row, float temperature) {
  const size_t first = row * sampler->tokens;
  const int32_t start = order_start(sampler, row);
  int nominated = 0;
  draw_noise(sampler, step_stream(sampler, row, FOR_CHOICE));
  for (size_t i = 1; i < sampler->tokens; i++) {
    if (sampler->current[first + i] != MSK_MASK_TOKEN) continue;
    const float key = sampler->spec.recipe.order == MSK_ORDER_CONFIDENCE
                          ? logf(sampler->confidence[first + i]) + temperature * sampler->noise[i]
                          : order_key(sampler, start, i);
    nominate(sampler, &nominated, isnan(key) ? -INFINITY : key, i);
  }
  return nominated;
}

static void remask_maskgit(msk_sampler *sampler) {
  const msk_recipe *recipe = &sampler->spec.recipe;
  msk_schedule schedule;
  const double ratio = maskgit_progress(recipe, sampler->spec.job, sampler->step, &schedule);
  const float temperature = (float)(recipe->choice_temperature * (1 - ratio));
  for (size_t b = 0; b < sampler->batch; b++) {
    uint8_t *mask = sampler->confidence_mask + b * sampler->tokens;
    const int unknown = sampler->unknown[b], masked = msk_sampler_masked(sampler, b);
    int count = masked_after(sampler, sampler->step, unknown);
    if (count > masked - 1) count = masked > 0 ? masked - 1 : 0; /* each step keeps at least one */
    draw_lots(sampler, step_stream(sampler, b, FOR_LOTS));
    memset(mask, 0, sampler->tokens);
    memset(sampler->near + b * sampler->tokens, 0, sampler->tokens);
    if (msk_sampler_anchoring(sampler)) {
      count = mask_but_anchors(sampler, b, mask);
    } else {
      count = mask_lowest(sampler, mask, nominate_masked(sampler, b, temperature), count);
      mark_near(sampler, b, count, find_near(sampler, count, unknown));
    }
    sampler->confidence_k[b] = (float)count;
    msk_sampler_apply_mask(sampler, b, mask, NULL);
  }
  msk_sampler_trace(sampler, "temperature", MSK_DTYPE_F32, &temperature, 0, 0, 0, 0);
}

/* ---- what is revised ---- */

/* The probability of a row's token, as a share of the likeliest's. */
static float likelihood(const msk_sampler *sampler, size_t at) {
  const float *logits = sampler->logits + at * sampler->codes;
  float most = logits[0];
  for (size_t j = 1; j < sampler->codes; j++) most = fmaxf(most, logits[j]);
  return expf(logits[sampler->current[at]] - most);
}

/* At most so many of a picture's tokens at once: they are drawn without knowing of each other. */
static int most_revised(const msk_sampler *sampler) { return (sampler->spec.tokens - 1 + 7) / 8; }

static bool remask_unlikely(msk_sampler *sampler) {
  const msk_sampler_spec *spec = &sampler->spec;
  const float least = (float)spec->recipe.revise_below;
  bool any = false;
  for (size_t b = 0; b < sampler->batch; b++) {
    uint8_t *mask = sampler->confidence_mask + b * sampler->tokens;
    int nominated = 0;
    draw_lots(sampler, step_stream(sampler, b, FOR_LOTS));
    memset(mask, 0, sampler->tokens);
    for (size_t i = 1; i < sampler->tokens; i++) {
      const float key = likelihood(sampler, b * sampler->tokens + i);
      const bool ours = spec->job != MSK_JOB_EDIT || spec->edit_mask[i - 1];
      if (ours && key < least) nominate(sampler, &nominated, key, i);
    }
    any = mask_lowest(sampler, mask, nominated, most_revised(sampler)) > 0 || any;
    msk_sampler_apply_mask(sampler, b, mask, NULL);
  }
  return any;
}

const msk_sampler_rules msk_rules_mended = {begin,         prepare,        sample,
                                            remask_sketch, remask_maskgit, remask_unlikely};
