/* SPDX-License-Identifier: Apache-2.0
 *
 * test_light_steps.c - light steps of whole pictures against whole ones, where both have to be the
 * same. Of a transformer whose attention carries nothing over between positions but in its first
 * layer, keys and values depend on a row's own token alone. So nothing that a light step takes from
 * its caches is out of date as long as each row is computed anew whose token has changed, and with
 * all masked rows computed, tokens are those of whole steps. */
#include "api.h"

enum { COUNT = 2, ROWS = 1 + 8 * 8 }; /* pictures; rows of one: its class and tokens */

static msk_model *model;
static msk_image sketch;

static int setup(void **state) {
  char tensor[128];
  const int failed = set_up_folder(state);
  const char *path =
      api_convert(test_folder, "tiny", "{\"structure_layers\": [0], \"null_class\": 9}");
  for (int layer = 1; layer < 4; layer++) {
    snprintf(tensor, sizeof tensor,
             "transformer.TransformerLayer_%d.Attention_0.self_attention.out.kernel", layer);
    test_write_filled(path, path, tensor, 0);
  }
  model = api_open(path, NULL, NULL);
  sketch = api_load(golden_path("tiny/input/sketch0.png"));
  return failed;
}

static int teardown(void **state) {
  (void)state;
  return api_tear_down(model, &sketch);
}

/* What refresh makes of a request: its rows' tokens. */
static void run(int32_t tokens[COUNT * ROWS], msk_request *request, int refresh, size_t *passes) {
  msk_result result;
  msk_error error = {0};
  request->recipe.refresh = refresh;
  request->recipe.light_margin = 0;
  msk_session *session = api_session(model, request, 1);
  api_ok(msk_run(session, request, &result, &error), &error);
  assert_int_equal(result.count, COUNT);
  assert_int_equal(result.tokens_per_item, ROWS);
  memcpy(tokens, result.tokens, COUNT * ROWS * sizeof *tokens);
  *passes = result.passes;
  msk_session_close(session);
}

static void check(msk_request *request) {
  int32_t whole[COUNT * ROWS], light[COUNT * ROWS];
  size_t whole_passes, light_passes;
  run(whole, request, 1, &whole_passes);
  for (int refresh = 2; refresh <= 100; refresh += 7) {
    run(light, request, refresh, &light_passes);
    assert_true(light_passes < whole_passes);
    assert_memory_equal(light, whole, sizeof light);
  }
}

static msk_request request_of(msk_job job) {
  msk_request request;
  msk_error error = {0};
  api_ok(msk_request_init(&request, model, job, "balanced", &error), &error);
  request.recipe.unconditional = MSK_UNCONDITIONAL_NULL;
  request.recipe.steps = 9;
  request.class_id = 3;
  request.seed = 5;
  request.count = COUNT;
  return request;
}

static void test_generate(void **state) {
  (void)state;
  msk_request request = request_of(MSK_JOB_GENERATE);
  request.recipe.guidance = 1.5;
  check(&request);
  request.recipe.guidance = 0;
  check(&request);
}

/* By lambda 0: a structure score of a row depends on all rows. What is kept stays, for the
 * probabilities of known tokens are those of the step in which they were drawn. */
static void test_draw(void **state) {
  (void)state;
  msk_request request = request_of(MSK_JOB_DRAW);
  request.picture = &sketch;
  request.recipe.lambda_structure = 0;
  request.recipe.remask = MSK_REMASK_DRAWN;
  check(&request);
  request.recipe.order = MSK_ORDER_HALTON;
  request.recipe.anchor_steps = 3;
  check(&request);
  /* What the unconditional pass sees differs, and so does what it keeps. */
  request.recipe.placeholder = MSK_PLACEHOLDER_SKETCH;
  check(&request);
  request.recipe.unconditional = MSK_UNCONDITIONAL_NOTHING;
  check(&request);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_generate), cmocka_unit_test(test_draw)};
  return cmocka_run_group_tests(tests, setup, teardown);
}
