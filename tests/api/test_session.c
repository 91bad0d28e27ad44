/* SPDX-License-Identifier: Apache-2.0
 *
 * test_session.c - what a session promises: the same bytes whatever ran before, in any batch, on
 * any number of threads; two sessions at once; no allocation after opening; a clean error and no
 * leak whichever allocation fails; cancelling at each step. */
#include <pthread.h>
#include <stdbool.h>

#include "api.h"
#include "masksketch_tools.h"

static const char defaults[] =
    "{\"structure_layers\": [0, 2], \"null_class\": 9, \"hidden_classes\": [8, 9], "
    "\"start_from_sketch\": false,"
    " \"recipe\": {\"unconditional\": \"null\", \"guidance\": 0.8}}";

static msk_model *model;
static msk_image sketch, photo;

static int setup(void **state) {
  (void)state;
  photo = api_load(golden_path("tiny/input/photo.png"));
  return api_set_up(&model, &sketch, defaults, NULL);
}

static int teardown(void **state) {
  (void)state;
  msk_image_free(&photo);
  return api_tear_down(model, &sketch);
}

static uint64_t run_digest(msk_session *session, const msk_request *request) {
  msk_result result;
  msk_error error = {0};
  api_ok(msk_run(session, request, &result, &error), &error);
  return api_digest(model, &result);
}

/* A request of another kind, to leave other values in the session's memory. */
static void generate_request(msk_request *request, int count) {
  msk_error error = {0};
  api_ok(msk_request_init(request, model, MSK_JOB_GENERATE, "balanced", &error), &error);
  request->recipe.steps = 3;
  request->class_id = 5;
  request->count = count;
}

static void edit_request(msk_request *request) {
  msk_error error = {0};
  api_ok(msk_request_init(request, model, MSK_JOB_EDIT, "balanced", &error), &error);
  request->recipe.steps = 3;
  request->picture = &photo;
  request->edit_box = (msk_box){16, 32, 48, 64};
}

static void test_model_defaults(void **state) {
  (void)state;
  msk_request request;
  msk_error error = {0};
  api_ok(msk_request_init(&request, model, MSK_JOB_DRAW, NULL, &error), &error);
  assert_string_equal(request.recipe.name, "balanced");
  assert_int_equal(request.recipe.layer_count, 2);
  assert_int_equal(request.recipe.layers[1], 2);
  assert_int_equal(request.recipe.unconditional, MSK_UNCONDITIONAL_NULL);
  assert_true(request.recipe.guidance == 0.8);
  assert_int_equal(request.recipe.visible_sketch, 0);
  msk_model_info info;
  msk_model_get_info(model, &info);
  assert_int_equal(info.image_size, 128);
  assert_int_equal(info.latent_size, 8);
  assert_int_equal(info.tokens, 65);
  assert_int_equal(info.codebook_size, 64);
  assert_int_equal(info.class_count, 10);
  assert_int_equal(info.null_class, 9);
  assert_int_equal(info.layers, 4);
  assert_int_equal(info.heads, 4);
  assert_int_equal(info.stem, 1);
  assert_int_equal(strlen(info.hash), 64);
  assert_int_equal(msk_model_class_hidden(model, 8), 1);
  assert_int_equal(msk_model_class_hidden(model, 7), 0);
}

/* Each kind of request: alone in a fresh session, and after the others in one session, on 1 to 3
 * threads. */
static void test_nothing_lingers(void **state) {
  (void)state;
  msk_request requests[3];
  uint64_t fresh[3];
  api_small_draw(&requests[0], model, &sketch, 4, 2);
  generate_request(&requests[1], 2);
  edit_request(&requests[2]);
  for (int i = 0; i < 3; i++) {
    msk_session *session = api_session(model, &requests[i], 1);
    fresh[i] = run_digest(session, &requests[i]);
    msk_session_close(session);
  }
  msk_request largest = requests[0];
  largest.count = 8;
  for (int threads = 1; threads <= 3; threads++) {
    msk_session *session = api_session(model, &largest, threads);
    for (int i = 0; i < 9; i++)
      assert_int_equal(run_digest(session, &requests[i * 2 % 3]), fresh[i * 2 % 3]);
    msk_session_close(session);
  }
}

/* Item i of a seed is the same alone, in a batch, in a later group of a large batch, and when
 * counted from another first item. */
static void test_items_stand_alone(void **state) {
  (void)state;
  enum { COUNT = 11 };
  msk_request request, one;
  msk_result result, single;
  msk_error error = {0};
  api_small_draw(&request, model, &sketch, 3, COUNT);
  msk_session *session = api_session(model, &request, 2), *other = api_session(model, &request, 1);
  api_ok(msk_run(session, &request, &result, &error), &error);
  assert_int_equal(result.count, COUNT);
  size_t n = (size_t)result.tokens_per_item, pixels = 128 * 128 * 3;
  for (int i = 0; i < COUNT; i += 5) {
    one = request;
    one.first_item = i;
    one.count = 1;
    api_ok(msk_run(other, &one, &single, &error), &error);
    assert_memory_equal(single.tokens, result.tokens + (size_t)i * n, n * sizeof(int32_t));
    assert_memory_equal(single.pixels, result.pixels + (size_t)i * pixels, pixels * sizeof(float));
    assert_true(single.structure[0] == result.structure[i]);
  }
  assert_memory_not_equal(result.tokens, result.tokens + n, n * sizeof(int32_t));
  for (size_t i = 0; i < COUNT * n; i++) assert_in_range(result.tokens[i], 0, i % n == 0 ? 73 : 63);
  msk_session_close(session);
  msk_session_close(other);
}

/* Tokens in, tokens out: the session's memory is then what the transformer's passes take, at
 * their fullest. */
static void test_tokens_alone(void **state) {
  (void)state;
  msk_request request, bare;
  msk_result result;
  msk_error error = {0};
  int32_t *tokens, expected[8 * 65];
  int rows, columns;
  api_small_draw(&request, model, &sketch, 2, 8);
  msk_session *session = api_session(model, &request, 2);
  api_ok(msk_run(session, &request, &result, &error), &error);
  memcpy(expected, result.tokens, sizeof expected);
  api_ok(msk_tokenize(session, &sketch, &tokens, NULL, &rows, &columns, &error), &error);
  api_ok(msk_run(session, &request, &result, &error), &error);
  assert_memory_equal(result.picture_tokens, tokens, 64 * sizeof *tokens);
  msk_session_close(session);
  bare = request;
  bare.picture = NULL;
  bare.picture_tokens = tokens;
  bare.no_pictures = 1;
  session = api_session(model, &bare, 2);
  api_ok(msk_run(session, &bare, &result, &error), &error);
  assert_memory_equal(result.tokens, expected, sizeof expected);
  assert_null(result.pixels);
  msk_session_close(session);
  msk_free(NULL, tokens);
}

/* ---- two sessions at once ---- */

struct worker {
  msk_request request;
  uint64_t digest;
};

static void *work(void *user) {
  struct worker *worker = user;
  msk_session *session = api_session(model, &worker->request, 2);
  worker->digest = run_digest(session, &worker->request);
  msk_session_close(session);
  return NULL;
}

static void test_two_sessions(void **state) {
  (void)state;
  struct worker alone[2], together[2];
  pthread_t threads[2];
  api_small_draw(&alone[0].request, model, &sketch, 4, 1);
  edit_request(&alone[1].request);
  for (int i = 0; i < 2; i++) {
    together[i].request = alone[i].request;
    work(&alone[i]);
  }
  for (int i = 0; i < 2; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, work, &together[i]), 0);
  for (int i = 0; i < 2; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  for (int i = 0; i < 2; i++) assert_int_equal(together[i].digest, alone[i].digest);
}

/* ---- memory ---- */

static void test_no_allocation_while_running(void **state) {
  (void)state;
  counting_allocator counting;
  msk_request request, edit;
  msk_result result;
  msk_error error = {0};
  counting_allocator_init(&counting);
  msk_model *counted = api_open(in_folder("tiny.safetensors"), NULL, &counting.allocator);
  api_small_draw(&request, counted, &sketch, 3, 9);
  request.preview_every = 1;
  edit_request(&edit);
  size_t bytes = 0;
  msk_session_options options;
  msk_session_options_init(&options);
  options.threads = 2;
  api_ok(msk_session_bytes(&bytes, counted, &request, &options, &error), &error);
  msk_session *session = api_session(counted, &request, 2);
  long calls = counting.calls;
  api_ok(msk_run(session, &request, &result, &error), &error);
  assert_int_equal(result.memory, bytes);
  api_ok(msk_run(session, &edit, &result, &error), &error);
  assert_int_equal(counting.calls, calls);
  msk_session_close(session);
  msk_model_close(counted);
  assert_int_equal(counting.live, 0);
}

/* Opens the model, a session, and draws, with the k-th allocation failing. True once k is past
 * the last. */
static bool draw_failing(counting_allocator *counting, long k) {
  msk_model_options options;
  msk_model *opened = NULL;
  msk_session *session = NULL;
  msk_request request;
  msk_result result;
  msk_error error = {0};
  counting_allocator_init(counting);
  counting->fail_at = k;
  msk_model_options_init(&options);
  options.threads = 2;
  options.allocator = &counting->allocator;
  msk_status status = msk_model_open(&opened, in_folder("tiny.safetensors"), &options, &error);
  if (status == MSK_OK) {
    api_small_draw(&request, opened, &sketch, 1, 1);
    msk_session_options with;
    msk_session_options_init(&with);
    with.threads = 2;
    status = msk_session_open(&session, opened, &request, &with, &error);
  }
  if (status == MSK_OK) status = msk_run(session, &request, &result, &error);
  bool past = counting->calls < k;
  if (past) {
    api_ok(status, &error);
  } else {
    assert_int_equal(status, MSK_ERROR_MEMORY);
    assert_true(strlen(error.message) > 10);
  }
  msk_session_close(session);
  msk_model_close(opened);
  assert_int_equal(counting->live, 0);
  return past;
}

static void test_every_allocation_can_fail(void **state) {
  (void)state;
  counting_allocator counting;
  long k = 1;
  while (!draw_failing(&counting, k)) k++;
  assert_true(k > 50);
}

static void test_too_small_a_session(void **state) {
  (void)state;
  msk_request small, large;
  msk_result result;
  msk_error error = {0};
  api_small_draw(&small, model, &sketch, 1, 1);
  large = small;
  large.count = 8;
  msk_session *session = api_session(model, &small, 1);
  assert_int_equal(msk_run(session, &large, &result, &error), MSK_ERROR_ARGUMENT);
  assert_non_null(strstr(error.message, "open a session"));
  int fits = -1;
  api_ok(msk_session_fits(&fits, session, &large, &error), &error);
  assert_int_equal(fits, 0);
  api_ok(msk_session_fits(&fits, session, &small, &error), &error);
  assert_int_equal(fits, 1);
  run_digest(session, &small);
  msk_session_close(session);
  large.count = 65536; /* gigabytes, told without taking them */
  size_t bytes;
  api_ok(msk_session_bytes(&bytes, model, &large, NULL, &error), &error);
  assert_true(bytes > (size_t)12000000000);
}

/* ---- steps ---- */

struct canceller {
  int at, calls, seen_items;
  bool preview;
};

static int cancel_step(void *user, const msk_step_info *info) {
  struct canceller *canceller = user;
  assert_int_equal(info->step, canceller->calls % info->step_count);
  assert_true((info->preview != NULL) == canceller->preview);
  for (int i = 0; i < 65; i++) assert_true(info->tokens[i] >= 0);
  canceller->seen_items = info->item + info->item_count;
  return canceller->calls++ == canceller->at;
}

static void test_cancel_at_each_step(void **state) {
  (void)state;
  msk_request request;
  msk_result result;
  msk_error error = {0};
  api_small_draw(&request, model, &sketch, 4, 1);
  msk_session *session = api_session(model, &request, 2);
  uint64_t whole = run_digest(session, &request);
  for (int at = 0; at < 6; at++) {
    struct canceller canceller = {at, 0, 0, false};
    request.callbacks = (msk_callbacks){.user = &canceller, .on_step = cancel_step};
    memset(&result, 0x5A, sizeof result);
    assert_int_equal(msk_run(session, &request, &result, &error), MSK_ERROR_CANCELLED);
    assert_int_equal(result.count, 0x5A5A5A5A); /* untouched */
    assert_int_equal(canceller.calls, at + 1);
    int done;
    assert_int_equal(msk_step(session, &done, &error), MSK_ERROR_ARGUMENT);
    assert_int_equal(msk_end(session, &result, &error), MSK_ERROR_ARGUMENT);
  }
  request.callbacks = (msk_callbacks){0};
  assert_int_equal(run_digest(session, &request), whole);
  msk_session_close(session);
}

static void test_preview_changes_nothing(void **state) {
  (void)state;
  msk_request request;
  api_small_draw(&request, model, &sketch, 4, 1);
  msk_request previewed = request;
  struct canceller canceller = {-1, 0, 0, true};
  previewed.preview_every = 1;
  previewed.callbacks = (msk_callbacks){.user = &canceller, .on_step = cancel_step};
  msk_session *session = api_session(model, &previewed, 1);
  uint64_t plain = run_digest(session, &request);
  assert_int_equal(run_digest(session, &previewed), plain);
  assert_int_equal(canceller.calls, 6);
  assert_int_equal(canceller.seen_items, 1);
  msk_session_close(session);
}

static void test_empty_sketch(void **state) {
  (void)state;
  msk_image white;
  msk_request request;
  msk_result result;
  msk_error error = {0};
  api_ok(msk_image_create(&white, 128, 128, NULL, &error), &error);
  memset(white.pixels, 255, 128 * 128 * 3);
  api_small_draw(&request, model, &white, 3, 1);
  msk_session *session = api_session(model, &request, 1);
  api_ok(msk_run(session, &request, &result, &error), &error);
  for (size_t i = 0; i < 128 * 128 * 3; i++) assert_true(result.pixels[i] == result.pixels[i]);
  assert_true(result.structure[0] == result.structure[0]);
  msk_session_close(session);
  msk_image_free(&white);
}

/* A sketch and its tokens are the same request; a white lambda map is no map; a black one is
 * lambda 0. */
static void test_equal_requests(void **state) {
  (void)state;
  msk_request request, other;
  msk_error error = {0};
  int32_t *tokens;
  int rows, columns;
  msk_image map;
  api_small_draw(&request, model, &sketch, 4, 1);
  other = request;
  api_ok(msk_image_create(&map, 100, 30, NULL, &error), &error);
  memset(map.pixels, 255, 100 * 30 * 3);
  other.lambda_map = &map;
  msk_session *session = api_session(model, &other, 1);
  uint64_t plain = run_digest(session, &request);
  assert_int_equal(run_digest(session, &other), plain);
  memset(map.pixels, 0, 100 * 30 * 3);
  uint64_t black = run_digest(session, &other);
  assert_int_not_equal(black, plain);
  other.lambda_map = NULL;
  other.recipe.lambda_structure = 0;
  assert_int_equal(run_digest(session, &other), black);
  api_ok(msk_tokenize(session, &sketch, &tokens, NULL, &rows, &columns, &error), &error);
  other = request;
  other.picture = NULL;
  other.picture_tokens = tokens;
  assert_int_equal(run_digest(session, &other), plain);
  msk_free(NULL, tokens);
  msk_image_free(&map);
  msk_session_close(session);
}

/* The mask picture that fills exactly the cells of a box repaints the same tokens; outside, far
 * from it, the photo stays. */
static void test_edit_mask(void **state) {
  (void)state;
  msk_request boxed, masked;
  msk_result result;
  msk_error error = {0};
  msk_image mask;
  edit_request(&boxed); /* cells: rows 0 to 4, columns 1 to 6 */
  masked = boxed;
  masked.edit_box = (msk_box){0};
  masked.edit_mask = &mask;
  api_ok(msk_image_create(&mask, 8, 8, NULL, &error), &error);
  memset(mask.pixels, 0, 8 * 8 * 3);
  for (int row = 0; row < 5; row++) memset(mask.pixels + (row * 8 + 1) * 3, 255, 6 * 3);
  msk_session *session = api_session(model, &boxed, 1);
  uint64_t digest = run_digest(session, &boxed);
  assert_int_equal(run_digest(session, &masked), digest);
  api_ok(msk_run(session, &masked, &result, &error), &error);
  for (size_t i = 127 * 128 * 3; i < 128 * 128 * 3; i++) {
    assert_true(result.pixels[i] - (float)photo.pixels[i] / 255.0f < 0.02f &&
                result.pixels[i] - (float)photo.pixels[i] / 255.0f > -0.02f);
  }
  memset(mask.pixels, 0, 8 * 8 * 3);
  assert_int_equal(msk_run(session, &masked, &result, &error), MSK_ERROR_ARGUMENT);
  assert_non_null(strstr(error.message, "nothing to repaint"));
  msk_image_free(&mask);
  msk_session_close(session);
}

/* One picture of a model with one tensor that is too large; the result's warning. */
static const char *warning_with(const char *tensor, msk_precision precision, msk_job job) {
  char file[600];
  msk_model_options options;
  msk_model *large = NULL;
  msk_request request;
  msk_result result;
  msk_error error = {0};
  snprintf(file, sizeof file, "%s/large.safetensors", test_folder);
  test_write_filled(in_folder("tiny.safetensors"), file, tensor, 3e38f);
  msk_model_options_init(&options);
  options.precision = precision;
  api_ok(msk_model_open(&large, file, &options, &error), &error);
  api_ok(msk_request_init(&request, large, job, "balanced", &error), &error);
  request.recipe.steps = 2;
  request.recipe.tail = 0;
  if (job == MSK_JOB_DRAW) request.picture = &sketch;
  msk_session *session = api_session(large, &request, 1);
  api_ok(msk_run(session, &request, &result, &error), &error);
  const char *warning = result.warning;
  msk_session_close(session);
  msk_model_close(large);
  return warning;
}

/* Weights that are finite, of which the networks make numbers that are not: at each place where
 * such a number can come out. */
static void test_overflow_is_told(void **state) {
  (void)state;
  static const char *const drawn[] = {"transformer.TransformerLayer_0.Mlp_0.layer_output.kernel",
                                      "transformer.MlmLayer_0.mlm_dense.kernel",
                                      "tokenizer.encoder.Conv_0.kernel",
                                      "tokenizer.decoder.Conv_5.kernel"};
  for (size_t i = 0; i < sizeof drawn / sizeof *drawn; i++) {
    for (int int8 = 0; int8 < 2; int8++) {
      msk_precision precision = int8 ? MSK_PRECISION_INT8 : MSK_PRECISION_FP32;
      const char *warning = warning_with(drawn[i], precision, MSK_JOB_DRAW);
      if (warning == NULL) fail_msg("%s, int8 %d: no warning", drawn[i], int8);
      assert_non_null(strstr(warning, "weights"));
      if (i == 2) continue; /* generating encodes nothing */
      assert_non_null(warning_with(drawn[i], precision, MSK_JOB_GENERATE));
    }
  }
  msk_request request;
  msk_result result;
  msk_error error = {0};
  generate_request(&request, 1);
  msk_session *session = api_session(model, &request, 1);
  api_ok(msk_run(session, &request, &result, &error), &error);
  assert_null(result.warning);
  msk_session_close(session);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_model_defaults),
                                     cmocka_unit_test(test_nothing_lingers),
                                     cmocka_unit_test(test_items_stand_alone),
                                     cmocka_unit_test(test_tokens_alone),
                                     cmocka_unit_test(test_two_sessions),
                                     cmocka_unit_test(test_no_allocation_while_running),
                                     cmocka_unit_test(test_every_allocation_can_fail),
                                     cmocka_unit_test(test_too_small_a_session),
                                     cmocka_unit_test(test_cancel_at_each_step),
                                     cmocka_unit_test(test_preview_changes_nothing),
                                     cmocka_unit_test(test_empty_sketch),
                                     cmocka_unit_test(test_equal_requests),
                                     cmocka_unit_test(test_edit_mask),
                                     cmocka_unit_test(test_overflow_is_told)};
  return cmocka_run_group_tests(tests, setup, teardown);
}
