/* SPDX-License-Identifier: Apache-2.0
 *
 * test_recipe.c - recipes: every key printed and read back, bad values named, keys without
 * effect refused, a model's defaults laid over the rows, and the authors' values under
 * `official`. */
#include "support.h"

#include <locale.h>
#include <math.h>
#include <stdbool.h>

#include "masksketch_tools.h"
#include "sampling/recipe.h"

static const msk_job jobs[] = {MSK_JOB_DRAW, MSK_JOB_GENERATE, MSK_JOB_EDIT};
static const char *const all_keys[] = {"steps",
                                       "schedule",
                                       "lambda_structure",
                                       "min_mask_rate",
                                       "max_mask_rate",
                                       "temperature_structure",
                                       "temperature_confidence",
                                       "token_temperature",
                                       "token_noise",
                                       "start_temperature",
                                       "start_temperature_steps",
                                       "choice_temperature",
                                       "guidance",
                                       "guidance_schedule",
                                       "guidance_skip",
                                       "unconditional_every",
                                       "structure_every",
                                       "refresh",
                                       "light_margin",
                                       "order",
                                       "anchor_steps",
                                       "remask",
                                       "unconditional",
                                       "distance",
                                       "layers",
                                       "visible_sketch",
                                       "sketch_share",
                                       "sketch_steps",
                                       "placeholder",
                                       "tail",
                                       "revise_steps",
                                       "revise_below",
                                       "start_step"};
#define KEYS (sizeof all_keys / sizeof *all_keys)

static msk_recipe find(msk_job job, const char *name, const msk_model_defaults *defaults,
                       int layers) {
  msk_recipe recipe;
  msk_error error;
  if (msk_recipe_from_defaults(&recipe, defaults, layers, job, name, &error) != MSK_OK)
    fail_msg("%s", error.message);
  return recipe;
}

static void assert_value(const msk_recipe *recipe, const char *key, const char *wanted) {
  char text[256];
  assert_int_equal(msk_recipe_get(recipe, key, text, sizeof text, NULL), MSK_OK);
  if (strcmp(text, wanted) != 0)
    fail_msg("%s of %s is %s, expected %s", key, recipe->name, text, wanted);
}

static void test_rows(void **state) {
  (void)state;
  int count = 0;
  assert_string_equal(msk_recipe_name(0), "official");
  assert_string_equal(msk_recipe_name(1), "balanced");
  for (; msk_recipe_name(count) != NULL; count++) {
    assert_true(strlen(msk_recipe_description(count)) > 10);
    for (size_t j = 0; j < 3; j++) {
      msk_recipe recipe = find(jobs[j], msk_recipe_name(count), NULL, 0);
      assert_string_equal(recipe.name, msk_recipe_name(count));
      assert_int_equal(recipe.official, count == 0);
      assert_int_equal(msk_recipe_check(&recipe, jobs[j], 24, NULL), MSK_OK);
    }
  }
  assert_true(count >= 2);
  assert_null(msk_recipe_name(-1));
  assert_null(msk_recipe_description(count));
}

static void test_official_values(void **state) {
  (void)state;
  msk_recipe draw = find(MSK_JOB_DRAW, "official", NULL, 24),
             generate = find(MSK_JOB_GENERATE, "official", NULL, 24);
  msk_recipe edit = find(MSK_JOB_EDIT, "official", NULL, 24);
  static const char *const wanted[][2] = {{"steps", "16"},
                                          {"schedule", "uniform"},
                                          {"lambda_structure", "0.9"},
                                          {"min_mask_rate", "0.35"},
                                          {"max_mask_rate", "0.95"},
                                          {"guidance", "0.6"},
                                          {"temperature_structure", "0"},
                                          {"temperature_confidence", "0"},
                                          {"layers", "1,3,16,20,21,22"},
                                          {"distance", "cross-entropy"}};
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
    assert_value(&draw, wanted[i][0], wanted[i][1]);
  assert_value(&generate, "steps", "16");
  assert_value(&generate, "schedule", "cosine");
  assert_value(&generate, "choice_temperature", "4.5");
  assert_value(&edit, "steps", "12");
  assert_value(&edit, "start_step", "2");
}

/* What is printed reads back as the same recipe, for every key and many values. */
static void test_round_trip(void **state) {
  (void)state;
  static const struct {
    const char *key, *values[8];
  } samples[] = {{"steps", {"1", "10000", "17"}},
                 {"schedule", {"uniform", "cosine", "pow2.5", "pow0.1", "log", "exp", "pow3"}},
                 {"lambda_structure", {"0", "1", "0.1"}},
                 {"min_mask_rate", {"0", "0.333333333333333315"}},
                 {"max_mask_rate", {"1", "1e-300"}},
                 {"temperature_structure", {"100", "0.3"}},
                 {"temperature_confidence", {"2.2250738585072014e-308"}},
                 {"token_temperature", {"10", "4.9406564584124654e-324"}},
                 {"token_noise", {"independent", "common"}},
                 {"start_temperature", {"0", "1", "10"}},
                 {"start_temperature_steps", {"0", "6", "10000"}},
                 {"choice_temperature", {"4.5", "0"}},
                 {"guidance", {"0.60000000000000009", "100"}},
                 {"guidance_schedule", {"constant", "linear", "power-cosine", "late"}},
                 {"guidance_skip", {"0", "0.25", "1"}},
                 {"unconditional_every", {"1", "1000"}},
                 {"unconditional", {"random", "null", "nothing"}},
                 {"structure_every", {"1", "4"}},
                 {"refresh", {"1", "1000"}},
                 {"light_margin", {"0", "1.5", "1000"}},
                 {"order", {"confidence", "halton", "random"}},
                 {"anchor_steps", {"0", "4"}},
                 {"remask", {"any", "drawn", "recorded"}},
                 {"distance", {"cross-entropy", "symmetric-kl", "jensen-shannon"}},
                 {"layers", {"0", "1,3,16", "2000000"}},
                 {"visible_sketch", {"0", "1"}},
                 {"sketch_share", {"0", "0.35", "1"}},
                 {"sketch_steps", {"0", "8"}},
                 {"placeholder", {"mask", "sketch"}},
                 {"tail", {"0", "8"}},
                 {"revise_steps", {"0", "100"}},
                 {"revise_below", {"0", "0.01", "1"}},
                 {"start_step", {"0", "3"}}};
  assert_int_equal(sizeof samples / sizeof *samples, KEYS);
  for (size_t s = 0; s < KEYS; s++) {
    for (int v = 0; v < 8 && samples[s].values[v] != NULL; v++) {
      msk_job job = strcmp(samples[s].key, "start_step") == 0 ? MSK_JOB_EDIT : MSK_JOB_DRAW;
      msk_recipe recipe = find(job, "balanced", NULL, 24), again = recipe;
      char text[256];
      assert_int_equal(msk_recipe_set(&recipe, job, samples[s].key, samples[s].values[v], NULL),
                       MSK_OK);
      assert_int_equal(msk_recipe_get(&recipe, samples[s].key, text, sizeof text, NULL), MSK_OK);
      assert_int_equal(msk_recipe_set(&again, job, samples[s].key, text, NULL), MSK_OK);
      assert_memory_equal(&recipe, &again, sizeof recipe);
    }
  }
  uint64_t random = 17;
  for (int i = 0; i < 20000; i++) {
    msk_recipe recipe = find(MSK_JOB_DRAW, "balanced", NULL, 24);
    char text[64];
    double value =
        ldexp((double)(test_random(&random) >> 11), -53 - (int)(test_random(&random) % 40));
    recipe.lambda_structure = value;
    assert_int_equal(msk_recipe_get(&recipe, "lambda_structure", text, sizeof text, NULL), MSK_OK);
    recipe.lambda_structure = -1;
    assert_int_equal(msk_recipe_set(&recipe, MSK_JOB_DRAW, "lambda_structure", text, NULL), MSK_OK);
    assert_true(recipe.lambda_structure == value);
  }
}

static void test_layers(void **state) {
  (void)state;
  msk_recipe recipe = find(MSK_JOB_DRAW, "balanced", NULL, 24);
  assert_int_equal(msk_recipe_set(&recipe, MSK_JOB_DRAW, "layers", "22,3,1,16", NULL), MSK_OK);
  assert_value(&recipe, "layers", "1,3,16,22");
  assert_int_equal(msk_recipe_check(&recipe, MSK_JOB_DRAW, 24, NULL), MSK_OK);
  msk_error error;
  assert_int_equal(msk_recipe_check(&recipe, MSK_JOB_DRAW, 12, &error), MSK_ERROR_ARGUMENT);
  assert_non_null(strstr(error.message, "22"));
  recipe = find(MSK_JOB_DRAW, "official", NULL, 4);
  assert_value(&recipe, "layers", "0,1,2,3");
}

/* Each bad value is refused, the message names key and value, the recipe is untouched. */
static void test_bad_values(void **state) {
  (void)state;
  static const char *const bad[][2] = {{"steps", "0"},
                                       {"steps", "10001"},
                                       {"steps", "-1"},
                                       {"steps", "1.5"},
                                       {"steps", ""},
                                       {"steps", " 3"},
                                       {"steps", "3 "},
                                       {"steps", "0x10"},
                                       {"steps", "99999999999999999999"},
                                       {"schedule", "linear"},
                                       {"schedule", "pow"},
                                       {"schedule", "pow0"},
                                       {"schedule", "pow-1"},
                                       {"schedule", "pownan"},
                                       {"lambda_structure", "2"},
                                       {"lambda_structure", "-0.1"},
                                       {"lambda_structure", "nan"},
                                       {"lambda_structure", "inf"},
                                       {"lambda_structure", "0,5"},
                                       {"lambda_structure", "0x1p-1"},
                                       {"lambda_structure", "1e"},
                                       {"lambda_structure", ""},
                                       {"token_temperature", "0"},
                                       {"token_temperature", "10.1"},
                                       {"start_temperature", "-0.1"},
                                       {"start_temperature", "10.1"},
                                       {"start_temperature_steps", "-1"},
                                       {"start_temperature_steps", "10001"},
                                       {"guidance", "101"},
                                       {"guidance", "1e999"},
                                       {"distance", "kl"},
                                       {"token_noise", "shared"},
                                       {"unconditional", "none"},
                                       {"guidance_schedule", "cosine"},
                                       {"guidance_skip", "1.01"},
                                       {"unconditional_every", "0"},
                                       {"unconditional_every", "1001"},
                                       {"structure_every", "0"},
                                       {"refresh", "0"},
                                       {"light_margin", "-1"},
                                       {"order", "sobol"},
                                       {"anchor_steps", "-1"},
                                       {"anchor_steps", "10001"},
                                       {"remask", "all"},
                                       {"revise_steps", "101"},
                                       {"revise_below", "1.5"},
                                       {"visible_sketch", "2"},
                                       {"sketch_share", "1.5"},
                                       {"sketch_share", "-0.5"},
                                       {"sketch_steps", "-1"},
                                       {"sketch_steps", "10001"},
                                       {"tail", "-1"},
                                       {"layers", ""},
                                       {"layers", "1,"},
                                       {"layers", ",1"},
                                       {"layers", "1,1"},
                                       {"layers", "-1"},
                                       {"layers", "a"},
                                       {"layers", "99999999999"},
                                       {"min_mask_rate", "1.01"},
                                       {"max_mask_rate", "-1"},
                                       {"temperature_structure", "101"},
                                       {"choice_temperature", "-1"}};
  msk_recipe recipe = find(MSK_JOB_DRAW, "balanced", NULL, 24), before = recipe;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    msk_error error = {0};
    if (msk_recipe_set(&recipe, MSK_JOB_DRAW, bad[i][0], bad[i][1], &error) != MSK_ERROR_ARGUMENT)
      fail_msg("%s=%s is taken", bad[i][0], bad[i][1]);
    assert_non_null(strstr(error.message, bad[i][0]));
    assert_non_null(strstr(error.message, bad[i][1]));
    assert_memory_equal(&recipe, &before, sizeof recipe);
  }
  char many[400] = "0";
  for (int i = 1; i <= MSK_MAX_LAYERS; i++)
    snprintf(many + strlen(many), sizeof many - strlen(many), ",%d", i);
  assert_int_equal(msk_recipe_set(&recipe, MSK_JOB_DRAW, "layers", many, NULL), MSK_ERROR_ARGUMENT);
  assert_memory_equal(&recipe, &before, sizeof recipe);
}

static void test_keys(void **state) {
  (void)state;
  msk_recipe recipe = find(MSK_JOB_DRAW, "balanced", NULL, 24);
  msk_error error;
  assert_int_equal(msk_recipe_set(&recipe, MSK_JOB_DRAW, "lambda", "1", &error),
                   MSK_ERROR_ARGUMENT);
  assert_non_null(strstr(error.message, "lambda_structure"));
  assert_int_equal(msk_recipe_get(&recipe, "lambda", (char[8]){0}, 8, &error), MSK_ERROR_ARGUMENT);
  assert_int_equal(msk_recipe_get(&recipe, "layers", (char[4]){0}, 4, &error), MSK_ERROR_ARGUMENT);
  bool listed[KEYS] = {false};
  for (size_t j = 0; j < 3; j++) {
    const char *help, *key;
    for (int i = 0; (key = msk_recipe_key(i, jobs[j], &help)) != NULL; i++) {
      char text[256];
      assert_true(strlen(help) > 10);
      recipe = find(jobs[j], "balanced", NULL, 24);
      assert_int_equal(msk_recipe_get(&recipe, key, text, sizeof text, NULL), MSK_OK);
      assert_int_equal(msk_recipe_set(&recipe, jobs[j], key, text, NULL), MSK_OK);
      for (size_t k = 0; k < KEYS; k++) listed[k] |= strcmp(key, all_keys[k]) == 0;
    }
  }
  for (size_t k = 0; k < KEYS; k++) assert_true(listed[k]);
  assert_null(msk_recipe_key(-1, MSK_JOB_DRAW, NULL));
}

/* Keys without effect, by job and recipe. */
static void test_effect(void **state) {
  (void)state;
  static const struct {
    const char *recipe;
    msk_job job;
    const char *key, *value;
  } refused[] = {{"official", MSK_JOB_DRAW, "distance", "symmetric-kl"},
                 {"official", MSK_JOB_DRAW, "token_temperature", "1"},
                 {"official", MSK_JOB_DRAW, "token_noise", "independent"},
                 {"official", MSK_JOB_DRAW, "start_temperature", "0"},
                 {"official", MSK_JOB_GENERATE, "start_temperature_steps", "0"},
                 {"official", MSK_JOB_DRAW, "tail", "0"},
                 {"official", MSK_JOB_DRAW, "unconditional", "random"},
                 {"official", MSK_JOB_DRAW, "visible_sketch", "1"},
                 {"official", MSK_JOB_DRAW, "guidance_schedule", "constant"},
                 {"official", MSK_JOB_DRAW, "guidance_skip", "0"},
                 {"official", MSK_JOB_DRAW, "unconditional_every", "1"},
                 {"official", MSK_JOB_DRAW, "structure_every", "1"},
                 {"official", MSK_JOB_GENERATE, "order", "confidence"},
                 {"official", MSK_JOB_DRAW, "remask", "any"},
                 {"balanced", MSK_JOB_GENERATE, "structure_every", "2"},
                 {"balanced", MSK_JOB_EDIT, "remask", "drawn"},
                 {"official", MSK_JOB_DRAW, "sketch_share", "0"},
                 {"official", MSK_JOB_DRAW, "sketch_steps", "0"},
                 {"official", MSK_JOB_DRAW, "placeholder", "mask"},
                 {"balanced", MSK_JOB_GENERATE, "placeholder", "sketch"},
                 {"balanced", MSK_JOB_EDIT, "sketch_share", "0.5"},
                 {"balanced", MSK_JOB_GENERATE, "sketch_steps", "3"},
                 {"official", MSK_JOB_DRAW, "start_step", "0"},
                 {"official", MSK_JOB_DRAW, "choice_temperature", "1"},
                 {"official", MSK_JOB_GENERATE, "guidance", "0"},
                 {"official", MSK_JOB_EDIT, "layers", "1"},
                 {"balanced", MSK_JOB_GENERATE, "lambda_structure", "1"},
                 {"balanced", MSK_JOB_EDIT, "tail", "1"},
                 {"balanced", MSK_JOB_DRAW, "start_step", "1"}};
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    msk_recipe recipe = find(refused[i].job, refused[i].recipe, NULL, 24);
    msk_error error;
    assert_int_equal(
        msk_recipe_set(&recipe, refused[i].job, refused[i].key, refused[i].value, &error),
        MSK_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, refused[i].key));
    assert_non_null(strstr(error.message, "no effect"));
    assert_non_null(strstr(error.message, "steps"));
  }
}

static void test_check(void **state) {
  (void)state;
  msk_recipe good = find(MSK_JOB_DRAW, "balanced", NULL, 24), recipe;
#define REFUSED(change)           \
  (recipe = good, (void)(change), \
   assert_int_equal(msk_recipe_check(&recipe, MSK_JOB_DRAW, 24, NULL), MSK_ERROR_ARGUMENT))
  REFUSED(recipe.size = 8);
  REFUSED(recipe.steps = 0);
  REFUSED(recipe.start_step = recipe.steps);
  REFUSED(recipe.min_mask_rate = 0.99);
  REFUSED(recipe.lambda_structure = NAN);
  REFUSED(recipe.token_temperature = 0);
  REFUSED(recipe.start_temperature = 1); /* over how many steps? */
  REFUSED(recipe.start_temperature_steps = 1);
  REFUSED((recipe.start_temperature = 10.5, recipe.start_temperature_steps = 1));
  REFUSED(recipe.layer_count = 0);
  REFUSED(recipe.layer_count = MSK_MAX_LAYERS + 1);
  REFUSED(recipe.layers[1] = recipe.layers[0]);
  REFUSED(recipe.distance = (msk_distance)3);
  REFUSED(recipe.schedule = (msk_schedule)9);
  REFUSED(recipe.visible_sketch = 2);
  REFUSED(recipe.unconditional_every = 0);
  REFUSED(recipe.structure_every = 0);
  REFUSED(recipe.order = (msk_order)3);
  REFUSED(recipe.token_noise = (msk_token_noise)2);
  REFUSED(recipe.anchor_steps = MSK_MAX_STEPS + 1);
  REFUSED(recipe.sketch_share = NAN);
  REFUSED(recipe.revise_steps = 101);
  REFUSED(recipe.revise_below = NAN);
  REFUSED(recipe.sketch_steps = recipe.steps + 1);
  /* the last step masks nothing again */
  REFUSED((recipe.sketch_steps = recipe.steps, recipe.tail = 0));
  recipe = good, recipe.sketch_steps = recipe.steps;
  assert_int_equal(msk_recipe_check(&recipe, MSK_JOB_DRAW, 24, NULL), MSK_OK);
  good = find(MSK_JOB_DRAW, "official", NULL, 24);
  /* a rising rate, which the authors' code takes */
  recipe = good, recipe.min_mask_rate = 0.9, recipe.max_mask_rate = 0.2;
  assert_int_equal(msk_recipe_check(&recipe, MSK_JOB_DRAW, 24, NULL), MSK_OK);
  REFUSED(recipe.distance = MSK_DISTANCE_SYMMETRIC_KL);
  REFUSED(recipe.tail = 1);
  REFUSED(recipe.guidance_schedule = MSK_GUIDANCE_LATE);
  REFUSED(recipe.guidance_skip = 0.1);
  REFUSED(recipe.unconditional_every = 2);
  REFUSED(recipe.structure_every = 2);
  REFUSED(recipe.order = MSK_ORDER_HALTON);
  REFUSED(recipe.anchor_steps = 1);
  REFUSED(recipe.revise_steps = 1);
  REFUSED(recipe.remask = MSK_REMASK_DRAWN);
  REFUSED(recipe.sketch_share = 0.5);
  REFUSED(recipe.sketch_steps = 1);
  REFUSED(recipe.placeholder = MSK_PLACEHOLDER_SKETCH);
  REFUSED(recipe.token_temperature = 0.9);
  REFUSED(recipe.token_noise = MSK_TOKEN_NOISE_COMMON);
  REFUSED((recipe.start_temperature = 1, recipe.start_temperature_steps = 1));
#undef REFUSED
}

static void test_model_defaults(void **state) {
  (void)state;
  static const msk_default_pair pairs[] = {{"steps", "20"},
                                           {"draw.guidance", "1.5"},
                                           {"generate.guidance", "2"},
                                           {"distance", "jensen-shannon"},
                                           {"fast.tail", "5"},
                                           {"thorough.draw.steps", "99"}};
  msk_model_defaults defaults = {.structure_layers = {1, 2},
                                 .structure_layer_count = 2,
                                 .null_class = 7,
                                 .start_from_sketch = 0,
                                 .pairs = pairs,
                                 .pair_count = sizeof pairs / sizeof *pairs};
  msk_recipe balanced = find(MSK_JOB_DRAW, "balanced", &defaults, 6),
             fast = find(MSK_JOB_DRAW, "fast", &defaults, 6);
  assert_value(&balanced, "layers", "1,2");
  assert_value(&balanced, "steps", "20");
  assert_value(&balanced, "guidance", "1.5");
  assert_value(&balanced, "unconditional", "null");
  assert_value(&balanced, "visible_sketch", "0");
  assert_value(&balanced, "distance", "jensen-shannon");
  assert_value(&fast, "steps", "8"); /* the row settles it */
  assert_value(&fast, "tail", "5");  /* unless the model names the row */
  assert_value(&fast, "guidance", "1.5");
  msk_recipe thorough = find(MSK_JOB_DRAW, "thorough", &defaults, 6),
             generate = find(MSK_JOB_GENERATE, "balanced", &defaults, 6);
  assert_value(&thorough, "steps", "99");
  assert_value(&generate, "guidance", "2");
  assert_value(&generate, "steps", "20");
  msk_recipe official = find(MSK_JOB_DRAW, "official", &defaults, 6),
             plain = find(MSK_JOB_DRAW, "official", NULL, 24);
  assert_value(&official, "layers", "1,2");
  official.layer_count = plain.layer_count;
  memcpy(official.layers, plain.layers, sizeof plain.layers);
  assert_memory_equal(&official, &plain, sizeof plain);
}

/* Where a model shows the drawing in place of masks, `attention` does not, unless the model speaks
 * of it by name; and the model's own temperature does not cool what it or `varied` draw warm. */
static void test_rows_over_defaults(void **state) {
  (void)state;
  static const msk_default_pair pairs[] = {{"draw.placeholder", "sketch"},
                                           {"draw.token_temperature", "0.3"},
                                           {"draw.sketch_share", "0.2"},
                                           {"draw.min_mask_rate", "0"},
                                           {"attention.steps", "50"}};
  msk_model_defaults defaults = {.null_class = 7,
                                 .start_from_sketch = 1,
                                 .pairs = pairs,
                                 .pair_count = sizeof pairs / sizeof *pairs};
  msk_recipe attention = find(MSK_JOB_DRAW, "attention", &defaults, 6),
             varied = find(MSK_JOB_DRAW, "varied", &defaults, 6);
  assert_value(&attention, "placeholder", "mask");
  assert_value(&attention, "token_temperature", "1");
  assert_value(&attention, "visible_sketch", "0");
  assert_value(&attention, "sketch_share", "0");
  assert_value(&attention, "min_mask_rate", "0");
  assert_value(&attention, "steps", "50");
  assert_value(&varied, "placeholder", "sketch");
  assert_value(&varied, "token_temperature", "0.4");
  assert_value(&varied, "start_temperature", "1");
}

static void test_bad_defaults(void **state) {
  (void)state;
  static const msk_default_pair bad[] = {{"stepz", "2"},
                                         {"steps", "0"},
                                         {"official.steps", "2"},
                                         {"paint.steps", "2"},
                                         {"draw.draw.steps", "2"},
                                         {"draw.balanced.steps", "2"},
                                         {"edit.tail", "2"},
                                         {"", "2"},
                                         {".", "2"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    msk_model_defaults defaults = {
        .null_class = -1, .start_from_sketch = -1, .pairs = &bad[i], .pair_count = 1};
    msk_recipe recipe = {0}, before = recipe;
    msk_error error = {0};
    assert_int_equal(
        msk_recipe_from_defaults(&recipe, &defaults, 24, MSK_JOB_DRAW, "balanced", &error),
        MSK_ERROR_FILE);
    assert_non_null(strstr(error.message, bad[i].key));
    assert_memory_equal(&recipe, &before, sizeof recipe);
  }
  msk_error error;
  msk_recipe recipe;
  assert_int_equal(msk_recipe_from_defaults(&recipe, NULL, 24, MSK_JOB_DRAW, "oficial", &error),
                   MSK_ERROR_ARGUMENT);
  assert_non_null(strstr(error.message, "official, balanced"));
  assert_int_equal(msk_recipe_from_defaults(&recipe, NULL, 24, (msk_job)7, "official", &error),
                   MSK_ERROR_ARGUMENT);
}

/* A host program with a decimal comma changes nothing (where such a locale is installed). */
static void test_locale(void **state) {
  (void)state;
  static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"};
  bool set = false;
  for (size_t i = 0; i < 3 && !set; i++) set = setlocale(LC_NUMERIC, names[i]) != NULL;
  if (!set) {
    print_message("skipped: no locale with a decimal comma is installed\n");
    skip();
  }
  msk_recipe recipe = find(MSK_JOB_DRAW, "balanced", NULL, 24);
  assert_true(recipe.lambda_structure == 0.9);
  assert_value(&recipe, "lambda_structure", "0.9");
  setlocale(LC_NUMERIC, "C");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rows),           cmocka_unit_test(test_official_values),
      cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_layers),
      cmocka_unit_test(test_bad_values),     cmocka_unit_test(test_keys),
      cmocka_unit_test(test_effect),         cmocka_unit_test(test_check),
      cmocka_unit_test(test_model_defaults), cmocka_unit_test(test_bad_defaults),
      cmocka_unit_test(test_locale),         cmocka_unit_test(test_rows_over_defaults),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
