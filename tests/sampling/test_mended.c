/* SPDX-License-Identifier: Apache-2.0
 *
 * test_mended.c - properties of the sampling loop with a made-up denoiser whose answers depend
 * on an item's own sequence alone: items do not depend on their batch, counts are exact, known
 * tokens stay, nothing stays masked, guidance takes the right classes, the lambda map does what
 * it says. Mostly the mended rules; some of the official ones that the recorded traces do not
 * reach. */
#include "support.h"

#include <math.h>
#include <stdbool.h>

#include "sampling/sampler.h"
#include "sampling/order.h"
#include "sampling/recipe.h"

enum { TOKENS = 50, CODES = 13, CLASSES = 9, MAX_BATCH = 6, MAX_STEPS = 80 };

/* of the scores; STEADY also makes conditional and unconditional logits differ by the same
 * everywhere and always */
typedef enum flavour { HASHED, CONSTANT, POISONED, STEADY } flavour;

typedef struct bench {
  msk_sampler_spec spec;
  flavour scores;
  msk_sampler *sampler;
  void *memory;
  int logits_calls, score_calls;
  int32_t unconditional[MAX_STEPS][MAX_BATCH];
  bool guided[MAX_STEPS];
  int32_t sequences[MAX_STEPS][MAX_BATCH * TOKENS]; /* what each step started from */
  int32_t seen[MAX_STEPS][MAX_BATCH * TOKENS];      /* what the network was shown */
  float structure[MAX_STEPS][MAX_BATCH * TOKENS];   /* rescaled */
  float confidence[MAX_STEPS][MAX_BATCH * TOKENS];
  uint8_t structure_mask[MAX_STEPS][MAX_BATCH * TOKENS],
      confidence_mask[MAX_STEPS][MAX_BATCH * TOKENS];
  int cancel_at; /* trace call that asks to stop; 0: none */
  int traced;
  msk_status answer; /* of the denoiser */
} bench;

static uint8_t hidden[CLASSES] = {0, 0, 1, 0, 0, 1, 0, 0, 0};
static int32_t sketch[TOKENS - 1];
static uint8_t box[TOKENS - 1];

static uint64_t hash_row(const bench *b, const int32_t *tokens, int32_t unconditional) {
  uint64_t state = (uint64_t)(uint32_t)unconditional + 77;
  for (int i = 0; i < b->spec.tokens; i++)
    state = test_random(&state) ^ (uint64_t)(uint32_t)tokens[i];
  return state;
}

static msk_status made_up_logits(void *user, const int32_t *tokens, const int32_t *unconditional,
                                 const float *guidance, float *logits, float *difference,
                                 msk_error *error) {
  bench *b = user;
  const int n = b->spec.tokens, codes = b->spec.codes;
  b->guided[b->logits_calls] = unconditional != NULL;
  for (int item = 0; item < b->spec.batch; item++) {
    int32_t other = unconditional != NULL ? unconditional[item] : -1;
    b->unconditional[b->logits_calls][item] = other;
    uint64_t conditional = hash_row(b, tokens + item * n, -1),
             state = hash_row(b, tokens + item * n, other);
    for (int i = item * n * codes; i < (item + 1) * n * codes; i++) {
      float apart = other < 0             ? 0
                    : b->scores == STEADY ? (float)(i % codes) / 8
                                          : test_uniform(&state, -2, 2);
      logits[i] = test_uniform(&conditional, -2, 2) + guidance[item] * apart;
      if (difference != NULL) difference[i] = apart;
    }
  }
  memcpy(b->seen[b->logits_calls], tokens, (size_t)(b->spec.batch * b->spec.tokens) * 4);
  b->logits_calls++;
  return b->answer == MSK_OK ? MSK_OK : (error->code = b->answer);
}

static msk_status made_up_score(void *user, const int32_t *tokens, float *score, msk_error *error) {
  bench *b = user;
  (void)error;
  for (int item = 0; item < b->spec.batch; item++) {
    uint64_t state = hash_row(b, tokens + item * b->spec.tokens, -2);
    for (int i = 0; i < b->spec.tokens; i++) {
      float value = test_uniform(&state, -9, -1);
      if (b->scores == CONSTANT || b->scores == STEADY) value = -3;
      if (b->scores == POISONED && i % 3 == 1) value = i % 2 ? NAN : -INFINITY;
      score[item * b->spec.tokens + i] = value;
    }
  }
  b->score_calls++;
  return MSK_OK;
}

static int keep_trace(void *user, const char *name, int step, const msk_array *array) {
  bench *b = user;
  size_t bytes = (size_t)(b->spec.batch * b->spec.tokens);
  if (strcmp(name, "sequence") == 0) memcpy(b->sequences[step], array->data, bytes * 4);
  if (strcmp(name, "structure_scaled") == 0) memcpy(b->structure[step], array->data, bytes * 4);
  if (strcmp(name, "confidence_scaled") == 0) memcpy(b->confidence[step], array->data, bytes * 4);
  if (strcmp(name, "structure_mask") == 0) memcpy(b->structure_mask[step], array->data, bytes);
  if (strcmp(name, "confidence_mask") == 0) memcpy(b->confidence_mask[step], array->data, bytes);
  return ++b->traced == b->cancel_at;
}

static bench *make_bench(msk_job job, const char *recipe, int batch) {
  bench *b = calloc(1, sizeof *b);
  uint64_t state = 4;
  for (int i = 0; i < TOKENS - 1; i++) {
    sketch[i] = (int32_t)(test_random(&state) % CODES);
    box[i] = i % 7 >= 2 && i % 7 < 6 && i > 20;
  }
  b->spec = (msk_sampler_spec){.job = job,
                               .seed = 5,
                               .batch = batch,
                               .tokens = TOKENS,
                               .codes = CODES,
                               .class_count = CLASSES,
                               .class_id = 3,
                               .null_class = -1,
                               .class_hidden = hidden};
  assert_int_equal(msk_recipe_from_defaults(&b->spec.recipe, NULL, 4, job, recipe, NULL), MSK_OK);
  b->spec.recipe.steps = 10;
  if (job != MSK_JOB_GENERATE) b->spec.input = sketch;
  if (job == MSK_JOB_EDIT) b->spec.edit_mask = box;
  b->spec.callbacks = (msk_callbacks){.user = b, .on_trace = keep_trace};
  return b;
}

static void free_bench(bench *b) {
  free(b->memory);
  free(b);
}

static void begin(bench *b) {
  static msk_denoiser denoiser;
  denoiser = (msk_denoiser){b, made_up_logits, made_up_score};
  if (b->sampler == NULL) {
    msk_arena arena = {0};
    assert_null(msk_sampler_place(&arena, &b->spec));
    b->memory = aligned_alloc(64, arena.peak);
    memset(b->memory, 0xA5, arena.peak);
    msk_arena placed = {.base = b->memory, .capacity = arena.peak};
    b->sampler = msk_sampler_place(&placed, &b->spec);
    assert_non_null(b->sampler);
  }
  msk_sampler_begin(b->sampler, &b->spec, &denoiser);
}

/* Runs to the end and returns the result: batch x tokens. */
static const int32_t *run(bench *b) {
  msk_error error;
  bool done = false;
  int steps = 0;
  begin(b);
  b->logits_calls = b->score_calls = 0;
  while (!done) {
    assert_int_equal(msk_sampler_step_index(b->sampler), steps++);
    if (msk_sampler_step(b->sampler, &done, &error) != MSK_OK) fail_msg("%s", error.message);
  }
  assert_int_equal(steps, msk_sampler_step_count(&b->spec));
  assert_int_equal(msk_sampler_step(b->sampler, &done, &error), MSK_ERROR_ARGUMENT);
  const int32_t *result = msk_sampler_completed(b->sampler);
  assert_memory_equal(result, msk_sampler_current(b->sampler),
                      (size_t)(b->spec.batch * b->spec.tokens) * 4);
  for (int item = 0; item < b->spec.batch; item++) {
    const int32_t *tokens = result + item * b->spec.tokens;
    assert_int_equal(tokens[0], b->spec.codes + b->spec.class_id);
    assert_int_equal(msk_sampler_masked(b->sampler, item), 0);
    for (int i = 1; i < b->spec.tokens; i++) assert_in_range(tokens[i], 0, b->spec.codes - 1);
  }
  return result;
}

static int masked_at(const bench *b, int step, int item) {
  int count = 0;
  for (int i = 0; i < b->spec.tokens; i++)
    count += b->sequences[step][item * b->spec.tokens + i] == MSK_MASK_TOKEN;
  return count;
}

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

static void check_items(msk_job job, msk_rng_layout layout, void (*change)(msk_recipe *)) {
  bench *all = make_bench(job, "balanced", 4);
  all->spec.layout = layout;
  change(&all->spec.recipe);
  const int32_t *whole = run(all);
  for (int first = 0; first < 4; first++) {
    for (int count = 1; first + count <= 4; count++) {
      bench *part = make_bench(job, "balanced", count);
      part->spec.layout = layout;
      change(&part->spec.recipe);
      part->spec.first_item = first;
      assert_memory_equal(run(part), whole + first * TOKENS, (size_t)(count * TOKENS) * 4);
      free_bench(part);
    }
    for (int other = 0; other < first; other++)
      assert_memory_not_equal(whole + first * TOKENS, whole + other * TOKENS, TOKENS * 4);
  }
  bench *seeded = make_bench(job, "balanced", 1);
  seeded->spec.layout = layout;
  change(&seeded->spec.recipe);
  seeded->spec.seed = UINT64_C(5) << 32;
  assert_memory_not_equal(run(seeded), whole, TOKENS * 4);
  free_bench(seeded);
  free_bench(all);
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
}

static void test_again(void **state) {
  (void)state;
  bench *b = make_bench(MSK_JOB_DRAW, "balanced", 2);
  int32_t first[2 * TOKENS];
  memcpy(first, run(b), sizeof first);
  assert_memory_equal(run(b), first, sizeof first); /* the same memory, used before */
  free_bench(b);
}

/* ---- what stands at masked places ---- */

static void test_placeholder(void **state) {
  (void)state;
  for (int p = MSK_PLACEHOLDER_MASK; p <= MSK_PLACEHOLDER_SKETCH; p++) {
    bench *b = make_bench(MSK_JOB_DRAW, "balanced", 2);
    b->spec.recipe.placeholder = (msk_placeholder)p;
    const int32_t *result = run(b);
    int masked = 0;
    for (int step = 0; step < b->logits_calls; step++) { /* the tail included */
      for (int at = 0; at < 2 * TOKENS; at++) {
        const int32_t stands = b->sequences[step][at];
        const bool unknown = stands == MSK_MASK_TOKEN;
        assert_int_equal(b->seen[step][at],
                         unknown && p == MSK_PLACEHOLDER_SKETCH ? sketch[at % TOKENS - 1] : stands);
        masked += unknown;
      }
    }
    assert_true(masked > 100);
    for (int at = 0; at < 2 * TOKENS; at++)
      assert_true(at % TOKENS == 0 || (result[at] >= 0 && result[at] < CODES));
    free_bench(b);
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
    bench *b = make_bench(MSK_JOB_DRAW, "balanced", 2);
    msk_recipe *r = &b->spec.recipe;
    r->lambda_structure = grid[g].lambda, r->min_mask_rate = grid[g].least,
    r->max_mask_rate = grid[g].most, r->tail = grid[g].tail;
    b->scores = grid[g].scores;
    run(b);
    const int image = TOKENS - 1, start = (int)ceil(image * r->max_mask_rate - 1e-9);
    assert_int_equal(masked_at(b, 0, 0), start);
    assert_int_equal(b->score_calls, r->steps - (r->tail == 0));
    for (int step = 1; step < r->steps + (r->tail > 0) && step < b->logits_calls; step++) {
      double rate =
          r->min_mask_rate + (1 - (double)step / r->steps) * (r->max_mask_rate - r->min_mask_rate);
      int wanted = (int)floor(start * rate + 1e-9), by_structure = 0, both = 0;
      for (int item = 0; item < 2; item++) assert_int_equal(masked_at(b, step, item), wanted);
      assert_int_equal(b->sequences[step][0], CODES + 3);
      for (int i = 0; i < TOKENS; i++) {
        by_structure += b->structure_mask[step - 1][i];
        both += b->structure_mask[step - 1][i] && b->confidence_mask[step - 1][i];
      }
      assert_int_equal(by_structure, (int)floor(wanted * r->lambda_structure + 1e-9));
      assert_int_equal(both, 0);
    }
    free_bench(b);
  }
}

/* The structure mask is the lowest scores; constant scores are decided by lot, so differently
 * from step to step. */
static void test_choice(void **state) {
  (void)state;
  bench *b = make_bench(MSK_JOB_DRAW, "balanced", 1);
  run(b);
  for (int step = 0; step < b->spec.recipe.steps; step++) {
    float highest = -1, lowest = 2;
    for (int i = 1; i < TOKENS; i++) {
      if (b->structure_mask[step][i]) highest = fmaxf(highest, b->structure[step][i]);
      if (!b->structure_mask[step][i]) lowest = fminf(lowest, b->structure[step][i]);
    }
    assert_true(highest < lowest);
  }
  free_bench(b);
  b = make_bench(MSK_JOB_DRAW, "balanced", 1);
  b->scores = CONSTANT;
  run(b);
  assert_memory_not_equal(b->structure_mask[8], b->structure_mask[9], TOKENS);
  int leading = 0;
  for (int i = 1; i < 12; i++) leading += b->structure_mask[9][i];
  assert_in_range(leading, 0, 10);
  free_bench(b);
}

static void test_noise(void **state) {
  (void)state;
  int32_t plain[TOKENS];
  bench *b = make_bench(MSK_JOB_DRAW, "balanced", 1);
  memcpy(plain, run(b), sizeof plain);
  free_bench(b);
  for (int which = 0; which < 3; which++) {
    b = make_bench(MSK_JOB_DRAW, "balanced", 1);
    *(which == 0   ? &b->spec.recipe.temperature_structure
      : which == 1 ? &b->spec.recipe.temperature_confidence
                   : &b->spec.recipe.choice_temperature) = 2;
    assert_memory_not_equal(run(b), plain, sizeof plain);
    free_bench(b);
  }
}

/* ---- jobs ---- */

static void test_generate(void **state) {
  (void)state;
  for (int steps = 1; steps <= 70; steps += 3) {
    bench *b = make_bench(MSK_JOB_GENERATE, "balanced", 2);
    b->spec.recipe.steps = steps;
    run(b);
    assert_int_equal(b->score_calls, 0);
    assert_false(b->guided[0]);
    assert_int_equal(masked_at(b, 0, 0), TOKENS - 1);
    for (int step = 1; step < steps && step < b->logits_calls; step++) {
      assert_true(masked_at(b, step, 0) < masked_at(b, step - 1, 0));
      for (int i = 1; i < TOKENS; i++) { /* what was kept stays */
        int32_t before = b->sequences[step - 1][i];
        if (before != MSK_MASK_TOKEN) assert_int_equal(b->sequences[step][i], before);
      }
    }
    free_bench(b);
  }
}

static void test_edit(void **state) {
  (void)state;
  for (int official = 0; official < 2; official++) {
    for (int start = 0; start < 10; start += 3) {
      bench *b = make_bench(MSK_JOB_EDIT, official ? "official" : "balanced", 2);
      b->spec.recipe.start_step = start;
      const int32_t *tokens = run(b);
      for (int item = 0; item < 2; item++) {
        for (int i = 1; i < TOKENS; i++) {
          if (!box[i - 1]) assert_int_equal(tokens[item * TOKENS + i], sketch[i - 1]);
        }
      }
      free_bench(b);
    }
  }
}

static void test_small(void **state) {
  (void)state;
  for (int job = MSK_JOB_DRAW; job <= MSK_JOB_GENERATE; job++) {
    for (int official = 0; official < 2; official++) {
      bench *b = make_bench((msk_job)job, official ? "official" : "balanced", 1);
      b->spec.tokens = 2, b->spec.codes = 1;
      sketch[0] = 0;
      b->spec.recipe.steps = 1;
      run(b);
      free_bench(b);
    }
  }
}

static void test_fully_masked_start(void **state) {
  (void)state;
  bench *b = make_bench(MSK_JOB_DRAW, "balanced", 1);
  b->spec.recipe.visible_sketch = 0;
  run(b);
  assert_int_equal(masked_at(b, 0, 0), TOKENS - 1);
  free_bench(b);
}

/* ---- the sketch's own tokens ---- */

/* Two recipes give the same tokens. */
static void assert_same(void (*one)(msk_recipe *), void (*other)(msk_recipe *)) {
  int32_t tokens[2 * TOKENS];
  bench *b = make_bench(MSK_JOB_DRAW, "balanced", 2);
  const msk_recipe plain = b->spec.recipe;
  one(&b->spec.recipe);
  memcpy(tokens, run(b), sizeof tokens);
  b->spec.recipe = plain;
  other(&b->spec.recipe);
  assert_memory_equal(run(b), tokens, sizeof tokens);
  free_bench(b);
}

static void share_of_the_mask_rate(msk_recipe *recipe) {
  recipe->sketch_share = 1 - recipe->max_mask_rate;
}
static void nothing_visible(msk_recipe *recipe) { recipe->visible_sketch = 0; }
static void nothing_to_let_go(msk_recipe *recipe) {
  recipe->visible_sketch = 0, recipe->sketch_steps = 7;
}

static void test_sketch_equivalences(void **state) {
  (void)state;
  assert_same(plainly, share_of_the_mask_rate);
  assert_same(nothing_visible, nothing_to_let_go);
}

/* Tokens of the sketch that have been visible ever since the start. */
static int still_from_sketch(const bench *b, int step, int item) {
  int count = 0;
  for (int i = 1; i < TOKENS; i++) {
    bool visible = true;
    for (int before = 0; before <= step; before++)
      visible &= b->sequences[before][item * TOKENS + i] != MSK_MASK_TOKEN;
    if (visible) assert_int_equal(b->sequences[step][item * TOKENS + i], sketch[i - 1]);
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
    bench *b = make_bench(MSK_JOB_DRAW, "balanced", 2);
    msk_recipe *r = &b->spec.recipe;
    r->sketch_share = grid[g].share, r->sketch_steps = grid[g].steps;
    run(b);
    const int image = TOKENS - 1,
              visible =
                  image - (int)ceil(image * (grid[g].share > 0 ? 1 - grid[g].share : 0.95) - 1e-9);
    for (int item = 0; item < 2; item++) {
      assert_int_equal(masked_at(b, 0, item), image - visible);
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
        assert_int_equal(masked_at(b, step, item), wanted > before - left ? wanted : before - left);
        if (left > 0) assert_int_equal(still_from_sketch(b, step, item), left);
      }
      assert_int_equal(still_from_sketch(b, r->sketch_steps, item), 0);
    }
    free_bench(b);
  }
}

static void test_token_temperature(void **state) {
  (void)state;
  bench *cold = make_bench(MSK_JOB_GENERATE, "balanced", 3);
  cold->spec.recipe.token_temperature = 1e-6;
  cold->spec.recipe.steps = 1;
  const int32_t *tokens = run(cold);
  /* the likeliest tokens, whatever the stream */
  assert_memory_equal(tokens + 1, tokens + TOKENS + 1, (TOKENS - 1) * 4);
  assert_memory_equal(tokens + 1, tokens + 2 * TOKENS + 1, (TOKENS - 1) * 4);
  free_bench(cold);
}

/* A step's temperature is on the line from start_temperature to token_temperature: a run of that
 * step alone is the run with the line's value as the only temperature. */
static void test_start_temperature(void **state) {
  (void)state;
  bench *falling = make_bench(MSK_JOB_GENERATE, "balanced", 2),
        *plain = make_bench(MSK_JOB_GENERATE, "balanced", 2);
  for (int step = 0; step < 6; step++) {
    msk_recipe *f = &falling->spec.recipe, *p = &plain->spec.recipe;
    f->token_temperature = 0.5, f->start_temperature = 2.5, f->start_temperature_steps = 4;
    p->token_temperature = step < 4 ? 2.5 - 0.5 * step : 0.5;
    f->start_step = p->start_step = step;
    f->steps = p->steps = step + 1;
    assert_memory_equal(run(falling), run(plain), 2 * TOKENS * 4);
    p->token_temperature = 1.7;
    assert_memory_not_equal(run(falling), run(plain), 2 * TOKENS * 4);
  }
  free_bench(falling);
  free_bench(plain);
}

/* ---- guidance ---- */

static void test_unconditional(void **state) {
  (void)state;
  bench *b = make_bench(MSK_JOB_DRAW, "balanced", MAX_BATCH);
  b->spec.recipe.steps = 60, b->spec.recipe.tail = 10;
  b->spec.null_class = 8;
  run(b);
  int seen[CLASSES] = {0}, calls = b->logits_calls;
  for (int step = 0; step < calls; step++) {
    for (int item = 0; item < MAX_BATCH; item++) seen[b->unconditional[step][item] - CODES]++;
  }
  for (int c = 0; c < CLASSES; c++) {
    bool allowed = c != 3 && !hidden[c] && c != 8;
    assert_true(allowed ? seen[c] > MAX_BATCH * calls / 5 / 2 : seen[c] == 0);
  }
  b->spec.recipe.unconditional = MSK_UNCONDITIONAL_NULL;
  run(b);
  for (int item = 0; item < MAX_BATCH; item++)
    assert_int_equal(b->unconditional[7][item], CODES + 8);
  b->spec.recipe.guidance = 0;
  run(b);
  assert_false(b->guided[0]);
  free_bench(b);
}

static void test_official_guidance(void **state) {
  (void)state;
  bench *b = make_bench(MSK_JOB_DRAW, "official", 4);
  run(b);
  for (int step = 1; step < b->logits_calls; step++) {
    for (int item = 0; item < 4; item++) {
      assert_int_equal(b->unconditional[step][item], b->unconditional[0][item]);
      assert_true((b->unconditional[step][item] < 0) == (item >= 2));
    }
  }
  int32_t first = b->unconditional[0][0];
  free_bench(b);
  /* the authors' code needs two rows; one row takes the first class */
  b = make_bench(MSK_JOB_DRAW, "official", 1);
  run(b);
  assert_int_equal(b->unconditional[0][0], first);
  assert_int_equal(b->score_calls, b->spec.recipe.steps);
  b->spec.callbacks.on_trace = NULL;
  run(b);
  /* no dead last pass unless it is to be seen */
  assert_int_equal(b->score_calls, b->spec.recipe.steps - 1);
  free_bench(b);
}

/* The steps in which the guidance acts, and those that make the pass for it. */
static void test_guidance_schedule(void **state) {
  (void)state;
  for (int schedule = MSK_GUIDANCE_CONSTANT; schedule <= MSK_GUIDANCE_LATE; schedule++) {
    for (int every = 1; every <= 4; every++) {
      bench *b = make_bench(MSK_JOB_DRAW, "balanced", 2);
      b->spec.recipe.guidance_schedule = (msk_guidance_schedule)schedule;
      b->spec.recipe.guidance_skip = 0.4;
      b->spec.recipe.unconditional_every = every;
      run(b);
      const int steps = msk_sampler_step_count(&b->spec);
      int since = every; /* the last pass */
      for (int step = 0; step < steps; step++, since++) {
        const double p = (step + 1.0) / steps,
                     shares[] = {1, p, (1 - cos(acos(-1.0) * p * p)) / 2, p > 0.5};
        const bool acts = shares[schedule] >= 0.4;
        assert_true(b->guided[step] == (acts && since >= every));
        if (acts && since >= every) since = 0;
      }
      free_bench(b);
    }
  }
}

static void every_step(msk_recipe *recipe) {
  recipe->unconditional_every = 1, recipe->structure_every = 1;
}
static void every_third(msk_recipe *recipe) {
  recipe->unconditional_every = 3, recipe->structure_every = 3;
}

/* Where the passes show the same at every step, it does not matter how often they are made; else
 * it does. */
static void test_reuse(void **state) {
  (void)state;
  for (int steady = 0; steady < 2; steady++) {
    int32_t tokens[2 * TOKENS];
    bench *b = make_bench(MSK_JOB_DRAW, "balanced", 2);
    b->scores = steady ? STEADY : HASHED;
    every_step(&b->spec.recipe);
    memcpy(tokens, run(b), sizeof tokens);
    assert_int_equal(b->score_calls, 10);
    free_bench(b);
    b = make_bench(MSK_JOB_DRAW, "balanced", 2);
    b->scores = steady ? STEADY : HASHED;
    every_third(&b->spec.recipe);
    assert_int_equal(memcmp(run(b), tokens, sizeof tokens) == 0, steady);
    assert_int_equal(b->score_calls, 4);
    free_bench(b);
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
  bench *b = make_bench(MSK_JOB_GENERATE, "balanced", 4);
  b->spec.recipe.order = MSK_ORDER_HALTON;
  run(b);
  int begins[4];
  for (int item = 0; item < 4; item++) {
    const int32_t *last = b->sequences[b->logits_calls - 1] + item * TOKENS,
                  *second = b->sequences[1] + item * TOKENS;
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
  free_bench(b);
}

static void test_remask_drawn(void **state) {
  (void)state;
  bench *b = make_bench(MSK_JOB_DRAW, "balanced", 2);
  int again = 0;
  for (int drawn = 0; drawn < 2; drawn++) {
    b->spec.recipe.remask = drawn ? MSK_REMASK_DRAWN : MSK_REMASK_ANY;
    run(b);
    again = 0;
    for (int step = 1; step < b->spec.recipe.steps; step++) {
      for (int i = 0; i < 2 * TOKENS; i++)
        again +=
            b->sequences[step - 1][i] != MSK_MASK_TOKEN && b->sequences[step][i] == MSK_MASK_TOKEN;
      assert_int_equal(masked_at(b, step, 0), masked_at(b, step, 1));
    }
    assert_true(drawn ? again == 0 : again > 0);
  }
  free_bench(b);
}

/* How often two tokens that were kept from one step to the next change places in confidence. */
static int changes_of_place(bench *b) {
  int changes = 0;
  for (int step = 1; step < b->spec.recipe.steps; step++) {
    const int32_t *from = b->sequences[step];
    for (int i = 1; i < TOKENS; i++) {
      for (int j = 1; j < i; j++) {
        if (from[i] == MSK_MASK_TOKEN || from[j] == MSK_MASK_TOKEN) continue;
        changes += (b->confidence[step - 1][i] < b->confidence[step - 1][j]) !=
                   (b->confidence[step][i] < b->confidence[step][j]);
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
  assert_same(lambda_one, lambda_one_recorded); /* confidence chooses nothing */
  bench *b = make_bench(MSK_JOB_DRAW, "balanced", 1);
  run(b);
  assert_true(changes_of_place(b) > 0);
  b->spec.recipe.remask = MSK_REMASK_RECORDED;
  run(b);
  assert_int_equal(changes_of_place(b), 0);
  free_bench(b);
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
    bench *b = make_bench(MSK_JOB_DRAW, "balanced", 2);
    b->spec.recipe.lambda_structure = grid[g].plain;
    memcpy(plain, run(b), sizeof plain);
    for (int i = 0; i < TOKENS - 1; i++) map[i] = grid[g].grey;
    b->spec.recipe.lambda_structure = grid[g].lambda;
    b->spec.lambda_map = map;
    assert_memory_equal(run(b), plain, sizeof plain);
    free_bench(b);
  }
}

static void test_half_map(void **state) {
  (void)state;
  float map[TOKENS - 1];
  for (int i = 0; i < TOKENS - 1; i++) map[i] = i < 25 ? 1.0f : 0.0f;
  bench *b = make_bench(MSK_JOB_DRAW, "balanced", 1);
  b->spec.recipe.lambda_structure = 1;
  b->spec.lambda_map = map;
  run(b);
  for (int step = 0; step < b->spec.recipe.steps; step++) {
    int strict = 0, loose = 0, strict_by_confidence = 0, loose_by_confidence = 0;
    for (int i = 1; i < TOKENS; i++) {
      *(i <= 25 ? &strict : &loose) += b->structure_mask[step][i];
      *(i <= 25 ? &strict_by_confidence : &loose_by_confidence) += b->confidence_mask[step][i];
    }
    /* structure decides where the map is white */
    assert_true(strict > 0 && loose == 0);
    assert_true(loose_by_confidence > strict_by_confidence); /* confidence where it is black */
  }
  free_bench(b);
}

/* ---- the loop itself ---- */

static void test_cancel(void **state) {
  (void)state;
  bench *b = make_bench(MSK_JOB_DRAW, "balanced", 1);
  msk_error error;
  bool done = false;
  b->cancel_at = 20;
  begin(b);
  msk_status status = MSK_OK;
  while (status == MSK_OK && !done) status = msk_sampler_step(b->sampler, &done, &error);
  assert_int_equal(status, MSK_ERROR_CANCELLED);
  assert_false(done);
  assert_int_equal(b->traced, 20); /* nothing is traced after the refusal */
  b->answer = MSK_ERROR_MEMORY;
  b->cancel_at = 0;
  begin(b);
  assert_int_equal(msk_sampler_step(b->sampler, &done, &error), MSK_ERROR_MEMORY);
  free_bench(b);
}

static void test_arena(void **state) {
  (void)state;
  bench *b = make_bench(MSK_JOB_DRAW, "balanced", 2);
  msk_arena arena = {0};
  b->spec.batch = INT32_MAX, b->spec.tokens = INT32_MAX, b->spec.codes = INT32_MAX;
  assert_null(msk_sampler_place(&arena, &b->spec));
  assert_true(arena.overflow);
  char memory[64];
  msk_arena small = {.base = memory, .capacity = sizeof memory};
  b->spec.batch = 2, b->spec.tokens = TOKENS, b->spec.codes = CODES;
  assert_null(msk_sampler_place(&small, &b->spec));
  assert_true(small.overflow);
  free_bench(b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_items),
      cmocka_unit_test(test_again),
      cmocka_unit_test(test_placeholder),
      cmocka_unit_test(test_counts),
      cmocka_unit_test(test_choice),
      cmocka_unit_test(test_noise),
      cmocka_unit_test(test_generate),
      cmocka_unit_test(test_edit),
      cmocka_unit_test(test_small),
      cmocka_unit_test(test_fully_masked_start),
      cmocka_unit_test(test_sketch_equivalences),
      cmocka_unit_test(test_sketch_let_go),
      cmocka_unit_test(test_token_temperature),
      cmocka_unit_test(test_start_temperature),
      cmocka_unit_test(test_unconditional),
      cmocka_unit_test(test_official_guidance),
      cmocka_unit_test(test_guidance_schedule),
      cmocka_unit_test(test_reuse),
      cmocka_unit_test(test_position_order),
      cmocka_unit_test(test_remask_drawn),
      cmocka_unit_test(test_remask_recorded),
      cmocka_unit_test(test_uniform_map),
      cmocka_unit_test(test_half_map),
      cmocka_unit_test(test_cancel),
      cmocka_unit_test(test_arena),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
