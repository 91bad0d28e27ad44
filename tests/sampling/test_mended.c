/* SPDX-License-Identifier: Apache-2.0
 *
 * test_mended.c - properties of the sampling loop: items do not depend on their batch, counts are
 * exact, known tokens stay, nothing stays masked, temperatures are what they say. Mostly the
 * mended rules; some of the official ones that the recorded traces do not reach. */
#include "trial.h"

#include <math.h>

/* ---- items ---- */

static void plainly(msk_recipe *recipe) { (void)recipe; }

static void from_the_sketch(msk_recipe *recipe) {
  recipe->sketch_share = 0.5, recipe->sketch_steps = 4;
}
static void seeing_the_sketch(msk_recipe *recipe) { recipe->placeholder = MSK_PLACEHOLDER_SKETCH; }
static void sparing(msk_recipe *recipe) {
  recipe->guidance = 0.6, recipe->guidance_schedule = MSK_GUIDANCE_LINEAR,
  recipe->guidance_skip = 0.3, recipe->unconditional_every = 3;
  recipe->structure_every = 2, recipe->remask = MSK_REMASK_RECORDED;
}
static void by_position(msk_recipe *recipe) {
  recipe->order = MSK_ORDER_HALTON, recipe->remask = MSK_REMASK_DRAWN;
}
static void by_lot(msk_recipe *recipe) { recipe->order = MSK_ORDER_RANDOM; }
static void anchored(msk_recipe *recipe) {
  recipe->order = MSK_ORDER_HALTON, recipe->anchor_steps = 3;
}

static void in_common(msk_recipe *recipe) { recipe->token_noise = MSK_TOKEN_NOISE_COMMON; }

static void revised(msk_recipe *recipe) { recipe->revise_steps = 3, recipe->revise_below = 0.1; }

static void check_items(msk_job job, msk_rng_layout layout, void (*change)(msk_recipe *)) {
  trial *all = trial_make(job, "balanced", 4);
  all->spec.layout = layout;
  change(&all->spec.recipe);
  const int32_t *whole = trial_run(all);
  for (int first = 0; first < 4; first++) {
    for (int count = 1; first + count <= 4; count++) {
      trial *part = trial_make(job, "balanced", count);
      part->spec.layout = layout;
      change(&part->spec.recipe);
      part->spec.first_item = first;
      assert_memory_equal(trial_run(part), whole + first * TOKENS, (size_t)(count * TOKENS) * 4);
      trial_free(part);
    }
    for (int other = 0; other < first; other++)
      assert_memory_not_equal(whole + first * TOKENS, whole + other * TOKENS, TOKENS * 4);
  }
  trial *seeded = trial_make(job, "balanced", 1);
  seeded->spec.layout = layout;
  change(&seeded->spec.recipe);
  seeded->spec.seed = UINT64_C(5) << 32;
  assert_memory_not_equal(trial_run(seeded), whole, TOKENS * 4);
  trial_free(seeded);
  trial_free(all);
}

static void test_items(void **state) {
  (void)state;
  for (int job = MSK_JOB_DRAW; job <= MSK_JOB_EDIT; job++) {
    check_items((msk_job)job, MSK_RNG_ORIGINAL, plainly);
    check_items((msk_job)job, MSK_RNG_PARTITIONABLE, plainly);
  }
  check_items(MSK_JOB_DRAW, MSK_RNG_ORIGINAL, from_the_sketch);
  check_items(MSK_JOB_DRAW, MSK_RNG_ORIGINAL, seeing_the_sketch);
  check_items(MSK_JOB_DRAW, MSK_RNG_ORIGINAL, sparing);
  check_items(MSK_JOB_DRAW, MSK_RNG_ORIGINAL, by_position);
  check_items(MSK_JOB_EDIT, MSK_RNG_ORIGINAL, by_position);
  check_items(MSK_JOB_GENERATE, MSK_RNG_ORIGINAL, by_lot);
  for (int job = MSK_JOB_DRAW; job <= MSK_JOB_EDIT; job++)
    check_items((msk_job)job, MSK_RNG_ORIGINAL, anchored);
  for (int job = MSK_JOB_DRAW; job <= MSK_JOB_EDIT; job++) {
    check_items((msk_job)job, MSK_RNG_ORIGINAL, revised);
    check_items((msk_job)job, MSK_RNG_ORIGINAL, in_common);
  }
}

static void test_again(void **state) {
  (void)state;
  trial *t = trial_make(MSK_JOB_DRAW, "balanced", 2);
  int32_t first[2 * TOKENS];
  memcpy(first, trial_run(t), sizeof first);
  assert_memory_equal(trial_run(t), first, sizeof first); /* the same memory, used before */
  trial_free(t);
}

/* ---- what stands at masked places ---- */

static void test_placeholder(void **state) {
  (void)state;
  for (int p = MSK_PLACEHOLDER_MASK; p <= MSK_PLACEHOLDER_SKETCH; p++) {
    trial *t = trial_make(MSK_JOB_DRAW, "balanced", 2);
    t->spec.recipe.placeholder = (msk_placeholder)p;
    const int32_t *result = trial_run(t);
    int masked = 0;
    for (int step = 0; step < t->logits_calls; step++) { /* the tail included */
      for (int at = 0; at < 2 * TOKENS; at++) {
        const int32_t stands = t->sequences[step][at];
        const bool unknown = stands == MSK_MASK_TOKEN;
        assert_int_equal(t->seen[step][at], unknown && p == MSK_PLACEHOLDER_SKETCH
                                                ? trial_sketch[at % TOKENS - 1]
                                                : stands);
        masked += unknown;
      }
    }
    assert_true(masked > 100);
    for (int at = 0; at < 2 * TOKENS; at++)
      assert_true(at % TOKENS == 0 || (result[at] >= 0 && result[at] < CODES));
    trial_free(t);
  }
}

/* Guidance away from nothing hides the sketch from the unconditional pass, and only there; from
 * anything else it sees what the conditional one sees. */
static void test_guided_away_from_nothing(void **state) {
  (void)state;
  for (int u = MSK_UNCONDITIONAL_RANDOM; u <= MSK_UNCONDITIONAL_NOTHING; u++) {
    trial *t = trial_make(MSK_JOB_DRAW, "balanced", 2);
    t->spec.null_class = 8;
    t->spec.recipe.placeholder = MSK_PLACEHOLDER_SKETCH;
    t->spec.recipe.unconditional = (msk_unconditional)u;
    t->spec.recipe.refresh = 2;
    trial_run(t);
    int hidden = 0;
    for (int step = 0; step < t->logits_calls; step++) {
      for (int at = 0; at < 2 * TOKENS; at++) {
        const int32_t stands = t->sequences[step][at];
        assert_int_equal(t->seen[step][at],
                         stands == MSK_MASK_TOKEN ? trial_sketch[at % TOKENS - 1] : stands);
        assert_int_equal(t->behind[step][at],
                         u == MSK_UNCONDITIONAL_NOTHING ? stands : t->seen[step][at]);
        hidden += t->behind[step][at] != t->seen[step][at];
      }
      for (int item = 0; item < 2 && u != MSK_UNCONDITIONAL_RANDOM; item++)
        assert_int_equal(t->unconditional[step][item], CODES + 8);
    }
    assert_true(u == MSK_UNCONDITIONAL_NOTHING ? hidden > 100 : hidden == 0);
    trial_free(t);
  }
}

/* ---- counts ---- */

static void test_counts(void **state) {
  (void)state;
  static const struct {
    double lambda, least, most;
    int tail;
    flavour scores;
  } grid[] = {{0.9, 0.35, 0.95, 6, HASHED},   {0, 0.35, 0.95, 6, HASHED},
              {1, 0.35, 0.95, 6, HASHED},     {0.5, 0, 1, 3, HASHED},
              {0.9, 1, 1, 4, HASHED},         {0.9, 0, 0, 4, HASHED},
              {0.9, 0.35, 0.95, 0, HASHED},   {0.7, 0.35, 0.95, 60, HASHED},
              {0.9, 0.35, 0.95, 6, CONSTANT}, {0.9, 0.35, 0.95, 6, POISONED}};
  for (size_t g = 0; g < sizeof grid / sizeof *grid; g++) {
    trial *t = trial_make(MSK_JOB_DRAW, "balanced", 2);
    msk_recipe *r = &t->spec.recipe;
    r->lambda_structure = grid[g].lambda, r->min_mask_rate = grid[g].least,
    r->max_mask_rate = grid[g].most, r->tail = grid[g].tail;
    t->scores = grid[g].scores;
    trial_run(t);
    const int image = TOKENS - 1, start = (int)ceil(image * r->max_mask_rate - 1e-9);
    assert_int_equal(trial_masked_at(t, 0, 0), start);
    /* without lambda no mask is structure's, and none is measured */
    assert_int_equal(t->score_calls, r->lambda_structure == 0 ? 0 : r->steps - (r->tail == 0));
    for (int step = 1; step < r->steps + (r->tail > 0) && step < t->logits_calls; step++) {
      double rate =
          r->min_mask_rate + (1 - (double)step / r->steps) * (r->max_mask_rate - r->min_mask_rate);
      int wanted = (int)floor(start * rate + 1e-9), by_structure = 0, both = 0;
      for (int item = 0; item < 2; item++) assert_int_equal(trial_masked_at(t, step, item), wanted);
      assert_int_equal(t->sequences[step][0], CODES + 3);
      for (int i = 0; i < TOKENS; i++) {
        by_structure += t->structure_mask[step - 1][i];
        both += t->structure_mask[step - 1][i] && t->confidence_mask[step - 1][i];
      }
      assert_int_equal(by_structure, (int)floor(wanted * r->lambda_structure + 1e-9));
      assert_int_equal(both, 0);
    }
    trial_free(t);
  }
}

/* ---- anchors ---- */

/* -sum of p log p in float64, straight from the definition. */
static double entropy(const float *logits) {
  double sum = 0, result = 0;
  for (int j = 0; j < CODES; j++) sum += exp((double)logits[j]);
  for (int j = 0; j < CODES; j++) {
    const double p = exp((double)logits[j]) / sum;
    result -= p * log(p);
  }
  return result;
}

static double certainty(const trial *t, int step, int at) {
  const float *logits = t->logits[step] + at * CODES;
  double sum = 0;
  /* what stands there after the step is what it drew */
  for (int j = 0; j < CODES; j++) sum += exp((double)logits[j]);
  return exp((double)logits[t->sequences[step + 1][at]]) / sum;
}

/* Steps 0 to anchor_steps - 1 keep two tokens each: the place of the largest entropy, and of the
 * others what `order` puts first. */
static void check_anchors(const trial *t, int item, int step) {
  const int first = item * TOKENS;
  int kept[TOKENS], count = 0, least_certain = -1;
  for (int at = first + 1; at < first + TOKENS; at++) {
    if (t->sequences[step][at] != MSK_MASK_TOKEN) {
      /* known ones stay */
      assert_int_equal(t->sequences[step + 1][at], t->sequences[step][at]);
      continue;
    }
    if (t->sequences[step + 1][at] != MSK_MASK_TOKEN) kept[count++] = at;
    if (least_certain < 0 ||
        entropy(t->logits[step] + at * CODES) > entropy(t->logits[step] + least_certain * CODES))
      least_certain = at;
  }
  assert_int_equal(count, 2);
  assert_true(kept[0] == least_certain || kept[1] == least_certain);
  if (t->spec.recipe.order != MSK_ORDER_CONFIDENCE) return;
  /* no other that was drawn is surer of its token than the second: the mask hides what they
   * were, so the most that they can be is asked */
  const int second = kept[0] == least_certain ? kept[1] : kept[0];
  for (int at = first + 1; at < first + TOKENS; at++) {
    if (t->sequences[step][at] != MSK_MASK_TOKEN || at == least_certain) continue;
    assert_true(t->confidence[step][at] <= t->confidence[step][second]);
  }
  assert_true(certainty(t, step, second) > 1.0 / CODES);
}

static void test_anchors(void **state) {
  (void)state;
  for (int order = MSK_ORDER_CONFIDENCE; order <= MSK_ORDER_RANDOM; order++) {
    trial *t = trial_make(MSK_JOB_DRAW, "balanced", 3);
    msk_recipe *r = &t->spec.recipe;
    r->order = (msk_order)order, r->anchor_steps = 4, r->max_mask_rate = 1;
    r->visible_sketch = 0;
    trial_run(t);
    /* no structure in the anchors' steps, where it has no masks to give */
    assert_int_equal(t->score_calls, r->steps - 4 - (r->tail == 0));
    for (int step = 0; step < 4; step++) {
      for (int item = 0; item < 3; item++) check_anchors(t, item, step);
    }
    trial_free(t);
  }
  for (int job = MSK_JOB_GENERATE; job <= MSK_JOB_EDIT; job++) {
    trial *t = trial_make((msk_job)job, "balanced", 2);
    msk_recipe *r = &t->spec.recipe;
    r->order = MSK_ORDER_HALTON, r->anchor_steps = 3, r->start_step = job == MSK_JOB_EDIT ? 2 : 0;
    trial_run(t);
    const int start = trial_masked_at(t, r->start_step, 0);
    for (int taken = 0; taken <= 3; taken++)
      assert_int_equal(trial_masked_at(t, r->start_step + taken, 1), start - 2 * taken);
    for (int taken = 0; taken < 3; taken++) check_anchors(t, 0, r->start_step + taken);
    trial_free(t);
  }
}

/* A recipe of few steps has as few anchors: the other half of its steps keeps by the mask rate. */
static void test_anchors_of_few_steps(void **state) {
  (void)state;
  for (int steps = 1; steps <= 9; steps++) {
    trial *t = trial_make(MSK_JOB_GENERATE, "balanced", 1);
    t->spec.recipe.steps = steps, t->spec.recipe.anchor_steps = 4;
    trial_run(t);
    int anchors = 0;
    while (anchors + 1 < steps &&
           trial_masked_at(t, anchors, 0) - trial_masked_at(t, anchors + 1, 0) == 2)
      anchors++;
    assert_int_equal(anchors, steps / 2 < 4 ? steps / 2 : 4);
    trial_free(t);
  }
}

/* Under `halton` the second is the earliest in Halton's order, begun elsewhere for each item: of
 * many items' first anchors no place is everybody's. */
static void test_anchors_spread(void **state) {
  (void)state;
  bool taken[TOKENS] = {false};
  int places = 0;
  trial *t = trial_make(MSK_JOB_DRAW, "balanced", MAX_BATCH);
  t->spec.recipe.order = MSK_ORDER_HALTON, t->spec.recipe.anchor_steps = 1;
  t->spec.recipe.max_mask_rate = 1;
  trial_run(t);
  for (int at = 0; at < MAX_BATCH * TOKENS; at++) {
    if (at % TOKENS > 0 && t->sequences[1][at] != MSK_MASK_TOKEN) taken[at % TOKENS] = true;
  }
  for (int i = 0; i < TOKENS; i++) places += taken[i];
  assert_true(places > MAX_BATCH);
  trial_free(t);
}

/* ---- revision ---- */

/* exp(logit - largest logit) of what stands at a place. */
static double likelihood(const float *logits, int32_t token) {
  double most = (double)logits[0];
  for (int j = 1; j < CODES; j++) most = fmax(most, (double)logits[j]);
  return exp((double)logits[token] - most);
}

/* Of one item those below the limit are masked, the least likely first, an eighth at most, and
 * under edit none that is not to be repainted; all others stay. */
static int check_revision(const trial *t, int step, int item, double below, const int32_t *before,
                          const int32_t *after) {
  int masked = 0, unlikely = 0;
  double highest = 0, lowest = 1;
  for (int i = 1; i < TOKENS; i++) {
    const int at = item * TOKENS + i;
    const bool ours = t->spec.job != MSK_JOB_EDIT || trial_box[i - 1];
    const double here = likelihood(t->looked[step] + at * CODES, before[at]);
    const bool again = t->revision_mask[step][at];
    assert_int_equal(t->sequences[step][at], again ? MSK_MASK_TOKEN : before[at]);
    if (again) {
      assert_true(ours && here < below);
      highest = fmax(highest, here), masked++;
    } else {
      if (ours) lowest = fmin(lowest, here);
      assert_int_equal(after[at], before[at]);
    }
    unlikely += ours && here < below;
  }
  assert_int_equal(masked, unlikely < TOKENS / 8 + 1 ? unlikely : TOKENS / 8 + 1);
  assert_true(masked == 0 || highest <= lowest);
  return masked;
}

/* Runs of 0, 1, 2 and 3 steps that revise: each begins with what the one before it ended with. */
static void test_revision(void **state) {
  (void)state;
  for (int job = MSK_JOB_DRAW; job <= MSK_JOB_EDIT; job++) {
    trial *t = trial_make((msk_job)job, "balanced", 2);
    int32_t before[2 * TOKENS];
    memcpy(before, trial_run(t), sizeof before);
    const int drawn = msk_sampler_step_count(&t->spec), calls = t->logits_calls;
    int revised = 0;
    t->spec.recipe.revise_below = 0.1;
    for (int steps = 1; steps <= 3; steps++) {
      t->spec.recipe.revise_steps = steps;
      const int32_t *after = trial_run(t);
      const int last = t->spec.recipe.start_step + drawn + steps - 1;
      assert_int_equal(msk_sampler_step_count(&t->spec), drawn + steps);
      for (int item = 0; item < 2; item++)
        revised += check_revision(t, last, item, 0.1, before, after);
      assert_int_equal(t->logits_calls, calls + 2 * steps);
      for (int at = 0; at < 2 * TOKENS; at++) { /* all is looked at, then what is masked */
        assert_int_equal(t->rows[calls + 2 * steps - 2][at], 1);
        assert_int_equal(t->seen[calls + 2 * steps - 2][at], before[at]);
        assert_int_equal(t->rows[calls + 2 * steps - 1][at], t->revision_mask[last][at]);
      }
      assert_false(t->guided[calls + 2 * steps - 2] || t->guided[calls + 2 * steps - 1]);
      memcpy(before, after, sizeof before);
    }
    assert_true(revised > 6);
    trial_free(t);
  }
}

/* Where all fits, it is looked at once. */
static void test_settled(void **state) {
  (void)state;
  trial *t = trial_make(MSK_JOB_GENERATE, "balanced", 2);
  t->scores = FIXED, t->spec.recipe.token_temperature = 1e-4, t->spec.recipe.guidance = 0;
  int32_t before[2 * TOKENS];
  memcpy(before, trial_run(t), sizeof before);
  const int calls = t->logits_calls;
  t->spec.recipe.revise_steps = 5, t->spec.recipe.revise_below = 0.9;
  assert_memory_equal(trial_run(t), before, sizeof before);
  assert_int_equal(t->logits_calls, calls + 1);
  trial_free(t);
}

/* Whoever compares candidates has their structure from every step. */
static void test_compared(void **state) {
  (void)state;
  trial *t = trial_make(MSK_JOB_DRAW, "balanced", 2);
  t->spec.compares = true;
  t->spec.recipe.lambda_structure = 0, t->spec.recipe.anchor_steps = 2;
  trial_run(t);
  assert_int_equal(t->score_calls, t->spec.recipe.steps);
  assert_true(msk_sampler_standings(t->sampler)[0].structure < 0);
  trial_free(t);
}

/* The structure mask is the lowest scores; constant scores are decided by lot, so differently
 * from step to step. */
static void test_choice(void **state) {
  (void)state;
  trial *t = trial_make(MSK_JOB_DRAW, "balanced", 1);
  trial_run(t);
  for (int step = 0; step < t->spec.recipe.steps; step++) {
    float highest = -1, lowest = 2;
    for (int i = 1; i < TOKENS; i++) {
      if (t->structure_mask[step][i]) highest = fmaxf(highest, t->structure[step][i]);
      if (!t->structure_mask[step][i]) lowest = fminf(lowest, t->structure[step][i]);
    }
    assert_true(highest < lowest);
  }
  trial_free(t);
  t = trial_make(MSK_JOB_DRAW, "balanced", 1);
  t->scores = CONSTANT;
  trial_run(t);
  assert_memory_not_equal(t->structure_mask[8], t->structure_mask[9], TOKENS);
  int leading = 0;
  for (int i = 1; i < 12; i++) leading += t->structure_mask[9][i];
  assert_in_range(leading, 0, 10);
  trial_free(t);
}

static void test_noise(void **state) {
  (void)state;
  int32_t plain[TOKENS];
  trial *t = trial_make(MSK_JOB_DRAW, "balanced", 1);
  memcpy(plain, trial_run(t), sizeof plain);
  trial_free(t);
  for (int which = 0; which < 3; which++) {
    t = trial_make(MSK_JOB_DRAW, "balanced", 1);
    *(which == 0   ? &t->spec.recipe.temperature_structure
      : which == 1 ? &t->spec.recipe.temperature_confidence
                   : &t->spec.recipe.choice_temperature) = 2;
    assert_memory_not_equal(trial_run(t), plain, sizeof plain);
    trial_free(t);
  }
}

/* ---- jobs ---- */

static void test_generate(void **state) {
  (void)state;
  for (int steps = 1; steps <= 70; steps += 3) {
    trial *t = trial_make(MSK_JOB_GENERATE, "balanced", 2);
    t->spec.recipe.steps = steps;
    trial_run(t);
    assert_int_equal(t->score_calls, 0);
    assert_false(t->guided[0]);
    assert_int_equal(trial_masked_at(t, 0, 0), TOKENS - 1);
    for (int step = 1; step < steps && step < t->logits_calls; step++) {
      assert_true(trial_masked_at(t, step, 0) < trial_masked_at(t, step - 1, 0));
      for (int i = 1; i < TOKENS; i++) { /* what was kept stays */
        int32_t before = t->sequences[step - 1][i];
        if (before != MSK_MASK_TOKEN) assert_int_equal(t->sequences[step][i], before);
      }
    }
    trial_free(t);
  }
}

static void test_edit(void **state) {
  (void)state;
  for (int official = 0; official < 2; official++) {
    for (int start = 0; start < 10; start += 3) {
      trial *t = trial_make(MSK_JOB_EDIT, official ? "official" : "balanced", 2);
      t->spec.recipe.start_step = start;
      const int32_t *tokens = trial_run(t);
      for (int item = 0; item < 2; item++) {
        for (int i = 1; i < TOKENS; i++) {
          if (!trial_box[i - 1]) assert_int_equal(tokens[item * TOKENS + i], trial_sketch[i - 1]);
        }
      }
      trial_free(t);
    }
  }
}

static void test_small(void **state) {
  (void)state;
  for (int job = MSK_JOB_DRAW; job <= MSK_JOB_GENERATE; job++) {
    for (int official = 0; official < 2; official++) {
      trial *t = trial_make((msk_job)job, official ? "official" : "balanced", 1);
      t->spec.tokens = 2, t->spec.codes = 1;
      trial_sketch[0] = 0;
      t->spec.recipe.steps = 1;
      trial_run(t);
      trial_free(t);
    }
  }
}

static void test_fully_masked_start(void **state) {
  (void)state;
  trial *t = trial_make(MSK_JOB_DRAW, "balanced", 1);
  t->spec.recipe.visible_sketch = 0;
  trial_run(t);
  assert_int_equal(trial_masked_at(t, 0, 0), TOKENS - 1);
  trial_free(t);
}

/* ---- the sketch's own tokens ---- */

static void share_of_the_mask_rate(msk_recipe *recipe) {
  recipe->sketch_share = 1 - recipe->max_mask_rate;
}
static void nothing_visible(msk_recipe *recipe) { recipe->visible_sketch = 0; }
static void nothing_to_let_go(msk_recipe *recipe) {
  recipe->visible_sketch = 0, recipe->sketch_steps = 7;
}

static void test_sketch_equivalences(void **state) {
  (void)state;
  trial_assert_same(plainly, share_of_the_mask_rate);
  trial_assert_same(nothing_visible, nothing_to_let_go);
}

/* Tokens of the sketch that have been visible ever since the start. */
static int still_from_sketch(const trial *t, int step, int item) {
  int count = 0;
  for (int i = 1; i < TOKENS; i++) {
    bool visible = true;
    for (int before = 0; before <= step; before++)
      visible &= t->sequences[before][item * TOKENS + i] != MSK_MASK_TOKEN;
    if (visible) assert_int_equal(t->sequences[step][item * TOKENS + i], trial_sketch[i - 1]);
    count += visible;
  }
  return count;
}

/* They go first and on time, all of them; the other masks are counted over the other tokens, and
 * in the end all is as from an empty start.
 */
static void test_sketch_let_go(void **state) {
  (void)state;
  static const struct {
    double share;
    int steps;
  } grid[] = {{0, 1}, {0.3, 1}, {0.3, 4}, {0.5, 3}, {0.9, 10}, {1, 5}};
  for (size_t g = 0; g < sizeof grid / sizeof *grid; g++) {
    trial *t = trial_make(MSK_JOB_DRAW, "balanced", 2);
    msk_recipe *r = &t->spec.recipe;
    r->sketch_share = grid[g].share, r->sketch_steps = grid[g].steps;
    trial_run(t);
    const int image = TOKENS - 1,
              visible =
                  image - (int)ceil(image * (grid[g].share > 0 ? 1 - grid[g].share : 0.95) - 1e-9);
    for (int item = 0; item < 2; item++) {
      assert_int_equal(trial_masked_at(t, 0, item), image - visible);
      for (int step = 1; step <= r->steps; step++) {
        int before = step > r->sketch_steps
                         ? 0
                         : (int)floor(visible * (1 - (step - 1.0) / r->sketch_steps) + 1e-9);
        int left = step >= r->sketch_steps
                       ? 0
                       : (int)floor(visible * (1 - (double)step / r->sketch_steps) + 1e-9);
        double rate = r->min_mask_rate +
                      (1 - (double)step / r->steps) * (r->max_mask_rate - r->min_mask_rate);
        int wanted = (int)floor((image - left) * rate + 1e-9);
        assert_int_equal(trial_masked_at(t, step, item),
                         wanted > before - left ? wanted : before - left);
        if (left > 0) assert_int_equal(still_from_sketch(t, step, item), left);
      }
      assert_int_equal(still_from_sketch(t, r->sketch_steps, item), 0);
    }
    trial_free(t);
  }
}

/* Where places i and k of a step, whose noise is the same, draw a and b, i has not less reason
 * than k to prefer a to b. Returns how many pairs contradict it. */
static int contradictions(const trial *t, const int32_t *drawn, int item) {
  int count = 0;
  for (int i = item * TOKENS + 1; i < (item + 1) * TOKENS; i++) {
    for (int k = item * TOKENS + 1; k < (item + 1) * TOKENS; k++) {
      const int a = drawn[i], b = drawn[k];
      const float *of_i = t->logits[0] + i * CODES, *of_k = t->logits[0] + k * CODES;
      count += of_i[a] - of_i[b] < of_k[a] - of_k[b] - 1e-4f;
    }
  }
  return count;
}

/* At every place the tokens of many seeds are as frequent as their probabilities say, whatever the
 * noise; under common noise no two places of a step contradict each other. */
static void test_token_noise(void **state) {
  (void)state;
  enum { SEEDS = 4000, WATCHED = 7 };
  for (int noise = MSK_TOKEN_NOISE_INDEPENDENT; noise <= MSK_TOKEN_NOISE_COMMON; noise++) {
    int counts[WATCHED][CODES] = {{0}}, contradicted = 0;
    trial *t = trial_make(MSK_JOB_GENERATE, "balanced", 1);
    t->scores = FIXED, t->spec.recipe.steps = 1;
    t->spec.recipe.token_noise = (msk_token_noise)noise;
    for (int seed = 0; seed < SEEDS; seed++) {
      t->spec.seed = (uint64_t)seed;
      const int32_t *drawn = trial_run(t);
      for (int i = 0; i < WATCHED; i++) counts[i][drawn[1 + i]]++;
      if (seed < 20) contradicted += contradictions(t, drawn, 0);
    }
    assert_true(noise == MSK_TOKEN_NOISE_COMMON ? contradicted == 0 : contradicted > 1000);
    for (int i = 0; i < WATCHED; i++) {
      const float *logits = t->logits[0] + (1 + i) * CODES;
      double sum = 0;
      for (int j = 0; j < CODES; j++) sum += exp((double)logits[j]);
      for (int j = 0; j < CODES; j++) {
        const double p = exp((double)logits[j]) / sum;
        assert_true(fabs(counts[i][j] - SEEDS * p) < 4.5 * sqrt(SEEDS * p * (1 - p)));
      }
    }
    trial_free(t);
  }
}

static void test_token_temperature(void **state) {
  (void)state;
  trial *cold = trial_make(MSK_JOB_GENERATE, "balanced", 3);
  cold->spec.recipe.token_temperature = 1e-6;
  cold->spec.recipe.steps = 1;
  const int32_t *tokens = trial_run(cold);
  /* the likeliest tokens, whatever the stream */
  assert_memory_equal(tokens + 1, tokens + TOKENS + 1, (TOKENS - 1) * 4);
  assert_memory_equal(tokens + 1, tokens + 2 * TOKENS + 1, (TOKENS - 1) * 4);
  trial_free(cold);
}

/* A step's temperature is on the line from start_temperature to token_temperature: a run of that
 * step alone is the run with the line's value as the only temperature. */
static void test_start_temperature(void **state) {
  (void)state;
  trial *falling = trial_make(MSK_JOB_GENERATE, "balanced", 2),
        *plain = trial_make(MSK_JOB_GENERATE, "balanced", 2);
  for (int step = 0; step < 6; step++) {
    msk_recipe *f = &falling->spec.recipe, *p = &plain->spec.recipe;
    f->token_temperature = 0.5, f->start_temperature = 2.5, f->start_temperature_steps = 4;
    p->token_temperature = step < 4 ? 2.5 - 0.5 * step : 0.5;
    f->start_step = p->start_step = step;
    f->steps = p->steps = step + 1;
    assert_memory_equal(trial_run(falling), trial_run(plain), 2 * TOKENS * 4);
    p->token_temperature = 1.7;
    assert_memory_not_equal(trial_run(falling), trial_run(plain), 2 * TOKENS * 4);
  }
  trial_free(falling);
  trial_free(plain);
}

/* ---- the loop itself ---- */

static void test_cancel(void **state) {
  (void)state;
  trial *t = trial_make(MSK_JOB_DRAW, "balanced", 1);
  msk_error error;
  bool done = false;
  t->cancel_at = 20;
  trial_begin(t);
  msk_status status = MSK_OK;
  while (status == MSK_OK && !done) status = msk_sampler_step(t->sampler, &done, &error);
  assert_int_equal(status, MSK_ERROR_CANCELLED);
  assert_false(done);
  assert_int_equal(t->traced, 20); /* nothing is traced after the refusal */
  t->answer = MSK_ERROR_MEMORY;
  t->cancel_at = 0;
  trial_begin(t);
  assert_int_equal(msk_sampler_step(t->sampler, &done, &error), MSK_ERROR_MEMORY);
  trial_free(t);
}

static void test_arena(void **state) {
  (void)state;
  trial *t = trial_make(MSK_JOB_DRAW, "balanced", 2);
  msk_arena arena = {0};
  t->spec.batch = INT32_MAX, t->spec.tokens = INT32_MAX, t->spec.codes = INT32_MAX;
  assert_null(msk_sampler_place(&arena, &t->spec));
  assert_true(arena.overflow);
  char memory[64];
  msk_arena small = {.base = memory, .capacity = sizeof memory};
  t->spec.batch = 2, t->spec.tokens = TOKENS, t->spec.codes = CODES;
  assert_null(msk_sampler_place(&small, &t->spec));
  assert_true(small.overflow);
  trial_free(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_items),
      cmocka_unit_test(test_again),
      cmocka_unit_test(test_placeholder),
      cmocka_unit_test(test_guided_away_from_nothing),
      cmocka_unit_test(test_counts),
      cmocka_unit_test(test_anchors),
      cmocka_unit_test(test_anchors_of_few_steps),
      cmocka_unit_test(test_anchors_spread),
      cmocka_unit_test(test_revision),
      cmocka_unit_test(test_settled),
      cmocka_unit_test(test_compared),
      cmocka_unit_test(test_choice),
      cmocka_unit_test(test_noise),
      cmocka_unit_test(test_generate),
      cmocka_unit_test(test_edit),
      cmocka_unit_test(test_small),
      cmocka_unit_test(test_fully_masked_start),
      cmocka_unit_test(test_sketch_equivalences),
      cmocka_unit_test(test_sketch_let_go),
      cmocka_unit_test(test_token_noise),
      cmocka_unit_test(test_token_temperature),
      cmocka_unit_test(test_start_temperature),
      cmocka_unit_test(test_cancel),
      cmocka_unit_test(test_arena),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
