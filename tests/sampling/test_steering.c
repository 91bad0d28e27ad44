/* SPDX-License-Identifier: Apache-2.0
 *
 * test_steering.c - what steers the sampling loop: guidance takes the right classes in the right
 * steps, positions come in order, re-masking takes the right tokens, the lambda map does what it
 * says. */
#include "trial.h"

#include <math.h>

#include "sampling/halton.h"

/* ---- guidance ---- */

static void test_unconditional(void **state) {
  (void)state;
  trial *t = trial_make(MSK_JOB_DRAW, "balanced", MAX_BATCH);
  t->spec.recipe.steps = 60, t->spec.recipe.tail = 10;
  t->spec.null_class = 8;
  trial_run(t);
  int seen[CLASSES] = {0}, calls = t->logits_calls;
  for (int step = 0; step < calls; step++) {
    for (int item = 0; item < MAX_BATCH; item++) seen[t->unconditional[step][item] - CODES]++;
  }
  for (int c = 0; c < CLASSES; c++) {
    bool allowed = c != 3 && !trial_hidden[c] && c != 8;
    assert_true(allowed ? seen[c] > MAX_BATCH * calls / 5 / 2 : seen[c] == 0);
  }
  t->spec.recipe.unconditional = MSK_UNCONDITIONAL_NULL;
  trial_run(t);
  for (int item = 0; item < MAX_BATCH; item++)
    assert_int_equal(t->unconditional[7][item], CODES + 8);
  t->spec.recipe.guidance = 0;
  trial_run(t);
  assert_false(t->guided[0]);
  trial_free(t);
}

static void test_official_guidance(void **state) {
  (void)state;
  trial *t = trial_make(MSK_JOB_DRAW, "official", 4);
  trial_run(t);
  for (int step = 1; step < t->logits_calls; step++) {
    for (int item = 0; item < 4; item++) {
      assert_int_equal(t->unconditional[step][item], t->unconditional[0][item]);
      assert_true((t->unconditional[step][item] < 0) == (item >= 2));
    }
  }
  int32_t first = t->unconditional[0][0];
  trial_free(t);
  /* the authors' code needs two rows; one row takes the first class */
  t = trial_make(MSK_JOB_DRAW, "official", 1);
  trial_run(t);
  assert_int_equal(t->unconditional[0][0], first);
  assert_int_equal(t->score_calls, t->spec.recipe.steps);
  t->spec.callbacks.on_trace = NULL;
  trial_run(t);
  /* no dead last pass unless it is to be seen */
  assert_int_equal(t->score_calls, t->spec.recipe.steps - 1);
  trial_free(t);
}

/* The steps in which the guidance acts, and those that make the pass for it. */
static void test_guidance_schedule(void **state) {
  (void)state;
  for (int schedule = MSK_GUIDANCE_CONSTANT; schedule <= MSK_GUIDANCE_LATE; schedule++) {
    for (int every = 1; every <= 4; every++) {
      trial *t = trial_make(MSK_JOB_DRAW, "balanced", 2);
      t->spec.recipe.guidance_schedule = (msk_guidance_schedule)schedule;
      t->spec.recipe.guidance_skip = 0.4;
      t->spec.recipe.unconditional_every = every;
      trial_run(t);
      const int steps = msk_sampler_step_count(&t->spec);
      int since = every; /* the last pass */
      for (int step = 0; step < steps; step++, since++) {
        const double p = (step + 1.0) / steps,
                     shares[] = {1, p, (1 - cos(acos(-1.0) * p * p)) / 2, p > 0.5};
        const bool acts = shares[schedule] >= 0.4;
        assert_true(t->guided[step] == (acts && since >= every));
        if (acts && since >= every) since = 0;
      }
      trial_free(t);
    }
  }
}

static void every_step(msk_recipe *recipe) {
  recipe->unconditional_every = 1, recipe->structure_every = 1;
}
static void every_third(msk_recipe *recipe) {
  recipe->unconditional_every = 3, recipe->structure_every = 3;
}

/* The rows that light steps ask for: masked ones alone; all of them without a margin, and else
 * about `margin` times as many as the step keeps, those whose structure lacks least. */
static void check_light_rows(const trial *t, int step, double margin) {
  const int masked = trial_masked_at(t, step, 0), kept = masked - trial_masked_at(t, step + 1, 0);
  const int wanted = margin == 0 || margin * kept > masked ? masked : (int)(margin * kept);
  int asked = 0;
  float lowest_asked = 1, highest_left = 0;
  for (int i = 0; i < TOKENS; i++) {
    const float structure = t->structure[step - 1][i];
    if (t->rows[step][i]) {
      assert_int_equal(t->sequences[step][i], MSK_MASK_TOKEN);
      lowest_asked = fminf(lowest_asked, structure);
      asked++;
    } else if (t->sequences[step][i] == MSK_MASK_TOKEN) {
      highest_left = fmaxf(highest_left, structure);
    }
  }
  assert_in_range(asked, wanted, wanted + 1);
  if (asked < masked) assert_true(lowest_asked >= highest_left);
}

static void test_light_rows(void **state) {
  (void)state;
  static const double margins[] = {0, 1, 2.5, 1000};
  for (size_t m = 0; m < 4; m++) {
    for (int refresh = 1; refresh <= 4; refresh++) {
      trial *t = trial_make(MSK_JOB_DRAW, "balanced", 1);
      t->spec.recipe.lambda_structure = 1, t->spec.recipe.tail = 0;
      t->spec.recipe.refresh = refresh, t->spec.recipe.light_margin = margins[m];
      trial_run(t);
      for (int step = 0; step + 1 < 10; step++) {
        if (step % refresh != 0) {
          check_light_rows(t, step, margins[m]);
        } else {
          for (int i = 0; i < TOKENS; i++) assert_true(t->rows[step][i]);
        }
      }
      trial_free(t);
    }
  }
}

static void whole(msk_recipe *recipe) { recipe->refresh = 1; }
static void light(msk_recipe *recipe) { recipe->refresh = 3, recipe->light_margin = 0; }
static void light_near(msk_recipe *recipe) { recipe->refresh = 3, recipe->light_margin = 1; }

/* Where a row's answers are the same in all steps, those of before are as good as new ones; tokens
 * that a light step does not ask for are not drawn anew, so that a margin draws another picture. */
static void test_light_answers(void **state) {
  (void)state;
  static void (*const changes[])(msk_recipe *) = {whole, light, light_near};
  int32_t tokens[3][2 * TOKENS];
  for (int fixed = 0; fixed < 2; fixed++) {
    for (int job = MSK_JOB_DRAW; job <= MSK_JOB_EDIT; job++) {
      for (int i = 0; i < 3; i++) {
        trial *t = trial_make((msk_job)job, "balanced", 2);
        t->scores = fixed ? FIXED : HASHED;
        t->spec.recipe.unconditional_every = 2;
        t->spec.recipe.guidance = 1;
        changes[i](&t->spec.recipe);
        memcpy(tokens[i], trial_run(t), sizeof *tokens);
        trial_free(t);
      }
      assert_int_equal(memcmp(tokens[0], tokens[1], sizeof *tokens) == 0, fixed);
      assert_memory_not_equal(tokens[1], tokens[2], sizeof *tokens);
    }
  }
}

/* Where the passes show the same at every step, it does not matter how often they are made; else
 * it does. */
static void test_reuse(void **state) {
  (void)state;
  for (int steady = 0; steady < 2; steady++) {
    int32_t tokens[2 * TOKENS];
    trial *t = trial_make(MSK_JOB_DRAW, "balanced", 2);
    t->scores = steady ? STEADY : HASHED;
    every_step(&t->spec.recipe);
    memcpy(tokens, trial_run(t), sizeof tokens);
    assert_int_equal(t->score_calls, 10);
    trial_free(t);
    t = trial_make(MSK_JOB_DRAW, "balanced", 2);
    t->scores = steady ? STEADY : HASHED;
    every_third(&t->spec.recipe);
    assert_int_equal(memcmp(trial_run(t), tokens, sizeof tokens) == 0, steady);
    assert_int_equal(t->score_calls, 4);
    trial_free(t);
  }
}

/* A session's memory that was laid out without room for the difference refuses to keep one. */
/* ---- order and re-masking ---- */

/* In Halton order what is masked lies behind what is known, counted from where the item's order
 * begins. */
static void test_position_order(void **state) {
  (void)state;
  int32_t rank[TOKENS - 1];
  msk_order_halton(rank, 7);
  trial *t = trial_make(MSK_JOB_GENERATE, "balanced", 4);
  t->spec.recipe.order = MSK_ORDER_HALTON;
  trial_run(t);
  int begins[4];
  for (int item = 0; item < 4; item++) {
    const int32_t *last = t->sequences[t->logits_calls - 1] + item * TOKENS,
                  *second = t->sequences[1] + item * TOKENS;
    int start = -1;
    /* the one beginning under which the second sequence is sorted */
    for (int from = 0; from < TOKENS - 1 && start < 0; from++) {
      int known = 0, sorted = 1;
      for (int i = 1; i < TOKENS; i++) known += second[i] != MSK_MASK_TOKEN;
      for (int i = 1; i < TOKENS; i++) {
        int place = (rank[i - 1] + TOKENS - 1 - from) % (TOKENS - 1);
        sorted &= (place < known) == (second[i] != MSK_MASK_TOKEN);
      }
      if (sorted) start = from;
    }
    assert_true(start >= 0);
    begins[item] = start;
    int earliest_masked = TOKENS, latest_known = -1;
    for (int i = 1; i < TOKENS; i++) {
      int place = (rank[i - 1] + TOKENS - 1 - start) % (TOKENS - 1);
      if (last[i] == MSK_MASK_TOKEN && place < earliest_masked) earliest_masked = place;
      if (last[i] != MSK_MASK_TOKEN && place > latest_known) latest_known = place;
    }
    assert_true(latest_known < earliest_masked);
  }
  assert_true(begins[0] != begins[1] || begins[1] != begins[2] || begins[2] != begins[3]);
  trial_free(t);
}

static void test_remask_drawn(void **state) {
  (void)state;
  trial *t = trial_make(MSK_JOB_DRAW, "balanced", 2);
  int again = 0;
  for (int drawn = 0; drawn < 2; drawn++) {
    t->spec.recipe.remask = drawn ? MSK_REMASK_DRAWN : MSK_REMASK_ANY;
    trial_run(t);
    again = 0;
    for (int step = 1; step < t->spec.recipe.steps; step++) {
      for (int i = 0; i < 2 * TOKENS; i++)
        again +=
            t->sequences[step - 1][i] != MSK_MASK_TOKEN && t->sequences[step][i] == MSK_MASK_TOKEN;
      assert_int_equal(trial_masked_at(t, step, 0), trial_masked_at(t, step, 1));
    }
    assert_true(drawn ? again == 0 : again > 0);
  }
  trial_free(t);
}

/* How often two tokens that were kept from one step to the next change places in confidence. */
static int changes_of_place(trial *t) {
  int changes = 0;
  for (int step = 1; step < t->spec.recipe.steps; step++) {
    const int32_t *from = t->sequences[step];
    for (int i = 1; i < TOKENS; i++) {
      for (int j = 1; j < i; j++) {
        if (from[i] == MSK_MASK_TOKEN || from[j] == MSK_MASK_TOKEN) continue;
        changes += (t->confidence[step - 1][i] < t->confidence[step - 1][j]) !=
                   (t->confidence[step][i] < t->confidence[step][j]);
      }
    }
  }
  return changes;
}

static void lambda_one(msk_recipe *recipe) { recipe->lambda_structure = 1; }
static void lambda_one_recorded(msk_recipe *recipe) {
  recipe->lambda_structure = 1, recipe->remask = MSK_REMASK_RECORDED;
}

static void test_remask_recorded(void **state) {
  (void)state;
  trial_assert_same(lambda_one, lambda_one_recorded); /* confidence chooses nothing */
  trial *t = trial_make(MSK_JOB_DRAW, "balanced", 1);
  trial_run(t);
  assert_true(changes_of_place(t) > 0);
  t->spec.recipe.remask = MSK_REMASK_RECORDED;
  trial_run(t);
  assert_int_equal(changes_of_place(t), 0);
  trial_free(t);
}

/* ---- the lambda map ---- */

static void test_uniform_map(void **state) {
  (void)state;
  static const struct {
    float grey;
    double lambda, plain;
  } grid[] = {{1, 0.9, 0.9}, {0.5f, 0.8, 0.4}, {0, 0.9, 0}, {1, 1, 1}, {0.25f, 1, 0.25}};
  for (size_t g = 0; g < sizeof grid / sizeof *grid; g++) {
    float map[TOKENS - 1];
    int32_t plain[2 * TOKENS];
    trial *t = trial_make(MSK_JOB_DRAW, "balanced", 2);
    t->spec.recipe.lambda_structure = grid[g].plain;
    memcpy(plain, trial_run(t), sizeof plain);
    for (int i = 0; i < TOKENS - 1; i++) map[i] = grid[g].grey;
    t->spec.recipe.lambda_structure = grid[g].lambda;
    t->spec.lambda_map = map;
    assert_memory_equal(trial_run(t), plain, sizeof plain);
    trial_free(t);
  }
}

static void test_half_map(void **state) {
  (void)state;
  float map[TOKENS - 1];
  for (int i = 0; i < TOKENS - 1; i++) map[i] = i < 25 ? 1.0f : 0.0f;
  trial *t = trial_make(MSK_JOB_DRAW, "balanced", 1);
  t->spec.recipe.lambda_structure = 1;
  t->spec.lambda_map = map;
  trial_run(t);
  for (int step = 0; step < t->spec.recipe.steps; step++) {
    int strict = 0, loose = 0, strict_by_confidence = 0, loose_by_confidence = 0;
    for (int i = 1; i < TOKENS; i++) {
      *(i <= 25 ? &strict : &loose) += t->structure_mask[step][i];
      *(i <= 25 ? &strict_by_confidence : &loose_by_confidence) += t->confidence_mask[step][i];
    }
    /* structure decides where the map is white */
    assert_true(strict > 0 && loose == 0);
    assert_true(loose_by_confidence > strict_by_confidence); /* confidence where it is black */
  }
  trial_free(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_unconditional),     cmocka_unit_test(test_official_guidance),
      cmocka_unit_test(test_guidance_schedule), cmocka_unit_test(test_reuse),
      cmocka_unit_test(test_position_order),    cmocka_unit_test(test_remask_drawn),
      cmocka_unit_test(test_remask_recorded),   cmocka_unit_test(test_uniform_map),
      cmocka_unit_test(test_half_map),          cmocka_unit_test(test_light_rows),
      cmocka_unit_test(test_light_answers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
