/* SPDX-License-Identifier: Apache-2.0
 *
 * test_guidance.c - a step's guided logits against those that the model's passes give for the two
 * sequences, taken apart by hand: c + guidance * (c - u). */
#include "api.h"
#include "masksketch_tools.h"

enum { COUNT = 2, ROWS = 1 + 8 * 8, CODES = 64, NULL_CLASS = 9, STEP = 3 };
#define GUIDANCE 1.5f

static msk_model *model;
static msk_image sketch;

static int setup(void **state) {
  (void)state;
  return api_set_up(&model, &sketch, "{\"structure_layers\": [0, 2], \"null_class\": 9}", NULL);
}

static int teardown(void **state) {
  (void)state;
  return api_tear_down(model, &sketch);
}

/* Of a step in the middle. */
struct seen {
  int32_t sequence[COUNT * ROWS], classes[COUNT];
  float logits[COUNT * ROWS * CODES];
};

static int keep(void *user, const char *name, int step, const msk_array *array) {
  struct seen *seen = user;
  if (step != STEP) return 0;
  if (strcmp(name, "sequence") == 0) memcpy(seen->sequence, array->data, sizeof seen->sequence);
  if (strcmp(name, "logits") == 0) memcpy(seen->logits, array->data, sizeof seen->logits);
  if (strcmp(name, "unconditional_class_tokens") == 0)
    memcpy(seen->classes, array->data, sizeof seen->classes);
  return 0;
}

/* The sequence of a pass: what is seen of the sketch, under a class. */
static float *logits_of(msk_session *session, const int32_t *sequence, const int32_t *sketched,
                        int32_t class_token) {
  int32_t shown[ROWS];
  float *logits;
  msk_error error = {0};
  for (int i = 1; i < ROWS; i++)
    shown[i] = sequence[i] == MSK_MASK_TOKEN && sketched != NULL ? sketched[i - 1] : sequence[i];
  shown[0] = class_token;
  api_ok(msk_logits(session, shown, &logits, &error), &error);
  return logits;
}

static void check(msk_placeholder placeholder, msk_unconditional unconditional) {
  static struct seen seen;
  msk_request request;
  msk_result result;
  msk_error error = {0};
  int32_t *drawn;
  int rows, columns;
  api_small_draw(&request, model, &sketch, 6, COUNT);
  request.recipe.refresh = 1; /* all rows of all steps */
  request.recipe.guidance = GUIDANCE;
  request.recipe.placeholder = placeholder;
  request.recipe.unconditional = unconditional;
  request.callbacks = (msk_callbacks){.user = &seen, .on_trace = keep};
  msk_session *session = api_session(model, &request, 1);
  api_ok(msk_run(session, &request, &result, &error), &error);
  api_ok(msk_tokenize(session, &sketch, &drawn, NULL, &rows, &columns, &error), &error);
  const int32_t *sketched = placeholder == MSK_PLACEHOLDER_SKETCH ? drawn : NULL;
  int masked = 0;
  for (int item = 0; item < COUNT; item++) {
    const int32_t *sequence = seen.sequence + item * ROWS;
    if (unconditional != MSK_UNCONDITIONAL_RANDOM)
      assert_int_equal(seen.classes[item], CODES + NULL_CLASS);
    float *c = logits_of(session, sequence, sketched, sequence[0]),
          *u = logits_of(session, sequence,
                         unconditional == MSK_UNCONDITIONAL_NOTHING ? NULL : sketched,
                         seen.classes[item]);
    for (int i = 0; i < ROWS * CODES; i++) c[i] += GUIDANCE * (c[i] - u[i]);
    assert_close(seen.logits + item * ROWS * CODES, c, ROWS * CODES, 1e-4);
    for (int i = 1; i < ROWS; i++) masked += sequence[i] == MSK_MASK_TOKEN;
    msk_free(NULL, c), msk_free(NULL, u);
  }
  assert_true(masked > 0 && masked < COUNT * (ROWS - 1));
  msk_free(NULL, drawn);
  msk_session_close(session);
}

static void test_logits(void **state) {
  (void)state;
  for (int p = MSK_PLACEHOLDER_MASK; p <= MSK_PLACEHOLDER_SKETCH; p++) {
    for (int u = MSK_UNCONDITIONAL_RANDOM; u <= MSK_UNCONDITIONAL_NOTHING; u++)
      check((msk_placeholder)p, (msk_unconditional)u);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_logits)};
  return cmocka_run_group_tests(tests, setup, teardown);
}
