/* SPDX-License-Identifier: Apache-2.0
 *
 * test_candidates.c - several candidates in one request: each finished one is what it would be
 * alone, whatever was dropped beside it; the weak are dropped at the right steps by what was
 * measured then; the passes saved are counted; and what is refused. */
#include <math.h>
#include <stdbool.h>

#include "api.h"
#include "masksketch_tools.h"

static const char defaults[] =
    "{\"structure_layers\": [0, 2], \"null_class\": 9, \"recipe\": {\"unconditional\": \"null\"}}";
static const double scales[] = {0.3, 0, 1.2};

static msk_model *model;
static msk_image sketch;

static int setup(void **state) {
  (void)state;
  return api_set_up(&model, &sketch, defaults, NULL);
}

static int teardown(void **state) {
  (void)state;
  return api_tear_down(model, &sketch);
}

static msk_request candidates(int count, int finish) {
  msk_request request;
  api_small_draw(&request, model, &sketch, 7, count);
  request.guidance_scales = scales;
  request.guidance_count = 3;
  request.finish = finish;
  request.first_item = 2;
  request.drop_from = 0.2;
  return request;
}

/* Every result against the same item alone, with its guidance in the recipe. */
static void assert_alone(const msk_request *request, msk_result *result) {
  const size_t n = (size_t)result->tokens_per_item, pixels = 128 * 128 * 3;
  msk_request one = *request;
  one.guidance_scales = NULL;
  one.guidance_count = one.finish = 0;
  one.count = 1;
  msk_session *session = api_session(model, &one, 1);
  int found = 0;
  for (int i = 0; i < result->candidate_count; i++) {
    const msk_candidate_info *info = &result->candidates[i];
    msk_result single;
    msk_error error = {0};
    if (info->result < 0) continue;
    one.first_item = info->item;
    one.recipe.guidance = info->guidance;
    api_ok(msk_run(session, &one, &single, &error), &error);
    assert_memory_equal(single.tokens, result->tokens + (size_t)info->result * n,
                        n * sizeof(int32_t));
    assert_memory_equal(single.pixels, result->pixels + (size_t)info->result * pixels,
                        pixels * sizeof(float));
    assert_true(single.structure[0] == result->structure[info->result]);
    found++;
  }
  assert_int_equal(found, result->count);
  msk_session_close(session);
}

static void plain(msk_recipe *recipe) { (void)recipe; }
static void sparing(msk_recipe *recipe) {
  recipe->unconditional_every = 2, recipe->structure_every = 2, recipe->sketch_share = 0.4,
  recipe->sketch_steps = 4;
  recipe->remask = MSK_REMASK_RECORDED;
}
static void light(msk_recipe *recipe) { recipe->refresh = 4, recipe->light_margin = 1.5; }

static void check_alone(int finish, int threads, void (*change)(msk_recipe *)) {
  msk_request request = candidates(4, finish);
  msk_result result;
  msk_error error = {0};
  change(&request.recipe);
  msk_session *session = api_session(model, &request, threads);
  for (int again = 0; again < 2; again++) {
    api_ok(msk_run(session, &request, &result, &error), &error);
    assert_int_equal(result.count, finish == 0 ? 12 : finish);
    assert_int_equal(result.candidate_count, 12);
    assert_alone(&request, &result);
  }
  msk_session_close(session);
}

static void test_as_alone(void **state) {
  (void)state;
  check_alone(0, 1, plain);
  check_alone(2, 2, plain);
  check_alone(3, 1, sparing);
  check_alone(3, 2, light);
}

/* A candidate is dropped when the halving says so, and none that is dropped then stands better
 * than one that goes on. */
static void test_dropping(void **state) {
  (void)state;
  msk_request request = candidates(4, 2);
  msk_result result;
  msk_error error = {0};
  request.recipe.refresh = 1;
  msk_session *session = api_session(model, &request, 1);
  api_ok(msk_run(session, &request, &result, &error), &error);
  const int steps = result.step_count;
  size_t passes = 1 + 2; /* the sketch, and the finished pictures' structure */
  int alive[16] = {0}, ends[16] = {0};
  assert_int_equal(steps, 9);
  for (int i = 0; i < 12; i++) {
    const msk_candidate_info *info = &result.candidates[i];
    assert_int_equal(info->item, 2 + i / 3);
    assert_true(info->guidance == scales[i % 3]);
    assert_in_range(info->steps, 1, steps);
    assert_true((info->steps == steps) == (info->result >= 0));
    for (int step = 0; step < info->steps; step++) alive[step]++;
    ends[info->steps]++;
    passes += (size_t)info->steps * (info->guidance > 0 ? 2 : 1) +
              (size_t)(info->steps < 7 ? info->steps : 7);
  }
  assert_int_equal(result.passes, passes);
  assert_int_equal(alive[0], 12);
  assert_int_equal(alive[steps - 1], 2);
  int stages = 0;
  for (int step = 1; step < steps; step++) {
    assert_true(alive[step] == alive[step - 1] || alive[step] == 6 || alive[step] == 3 ||
                alive[step] == 2);
    stages += ends[step] > 0;
  }
  assert_int_equal(stages, 3);
  request.finish = 0;
  msk_result full;
  api_ok(msk_run(session, &request, &full, &error), &error);
  assert_int_equal(full.count, 12);
  assert_true(full.passes > passes);
  msk_session_close(session);
}

/* By structure alone, the candidate that stood best when the first were dropped is not among
 * them. */
static void test_the_weak_go(void **state) {
  (void)state;
  msk_request request = candidates(2, 3);
  msk_result result;
  msk_error error = {0};
  msk_session *session = api_session(model, &request, 1);
  api_ok(msk_run(session, &request, &result, &error), &error);
  int at = 0;
  for (int i = 1; i < 6; i++)
    at = result.candidates[i].steps < result.candidates[at].steps ? i : at;
  const int dropped_after = result.candidates[at].steps;
  float best_dropped = -1e30f;
  for (int i = 0; i < 6; i++) {
    if (result.candidates[i].steps == dropped_after)
      best_dropped = fmaxf(best_dropped, result.candidates[i].structure);
  }
  /* the survivors as they stood then */
  float worst_kept = 1e30f;
  for (int i = 0; i < 6; i++) {
    if (result.candidates[i].result < 0) continue;
    msk_request one = request;
    one.guidance_scales = NULL, one.guidance_count = 0, one.finish = 1, one.count = 1;
    one.first_item = result.candidates[i].item;
    one.recipe.guidance = result.candidates[i].guidance;
    msk_session *single = api_session(model, &one, 1);
    int done = 0;
    api_ok(msk_begin(single, &one, &error), &error);
    for (int step = 0; step < dropped_after; step++)
      api_ok(msk_step(single, &done, &error), &error);
    int count = 0;
    const msk_candidate_info *info = msk_session_candidates(single, &count);
    assert_int_equal(count, 1);
    assert_int_equal(info->steps, dropped_after);
    worst_kept = fminf(worst_kept, info->structure);
    msk_session_close(single);
  }
  assert_true(worst_kept >= best_dropped);
  msk_session_close(session);
}

static void refuse(msk_request request, const char *word) {
  size_t bytes;
  msk_error error = {0};
  assert_int_equal(msk_session_bytes(&bytes, model, &request, NULL, &error), MSK_ERROR_ARGUMENT);
  if (strstr(error.message, word) == NULL) fail_msg("'%s' does not name '%s'", error.message, word);
}

static void test_refused(void **state) {
  (void)state;
  static const double bad[] = {0.5, -1};
  msk_error error = {0};
  msk_request request = candidates(4, 13);
  refuse(request, "13");
  request = candidates(22, 0);
  refuse(request, "64");
  request = candidates(2, -1);
  refuse(request, "-1");
  request = candidates(2, 1);
  request.guidance_scales = NULL;
  refuse(request, "scales");
  request = candidates(2, 1);
  request.guidance_scales = bad, request.guidance_count = 2;
  refuse(request, "-1");
  request = candidates(2, 1);
  request.drop_from = 1.5;
  refuse(request, "1.5");
  request = candidates(2, 1);
  request.confidence_weight = 101;
  refuse(request, "101");
  request = candidates(2, 1);
  api_ok(msk_recipe_find(&request.recipe, model, MSK_JOB_DRAW, "official", &error), &error);
  request.first_item = 0;
  refuse(request, "official");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_as_alone),
      cmocka_unit_test(test_dropping),
      cmocka_unit_test(test_the_weak_go),
      cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
