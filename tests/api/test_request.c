/* SPDX-License-Identifier: Apache-2.0
 *
 * test_request.c - requests that must be refused, each with a message and the name of the field
 * that is wrong, before memory is taken; class names found and not found; model files that must
 * be refused; names of the enumerations; a PNG's text when memory runs out. */
#include <jansson.h>
#include <math.h>
#include <stdbool.h>

#include "api.h"
#include "base/names.h"
#include "masksketch_tools.h"

static const char defaults[] = "{\"structure_layers\": [0, 2], \"hidden_classes\": [8]}";
static const char names[] =
    "tabby, tabby cat\ntiger cat\nTiger\ncaf\xC3\xA9 "
    "cr\xC3\xA8me\ncrane\ncrane\ntrilobite\nstop_sign\nstyle\nzebra\n";

static char named_path[600];
static counting_allocator counting;
static msk_model *model, *named;
static msk_image sketch;

static int setup(void **state) {
  (void)state;
  msk_error error = {0};
  msk_convert_options options;
  char classes[600], with[600];
  counting_allocator_init(&counting);
  const int failed = api_set_up(&model, &sketch, defaults, &counting.allocator);
  snprintf(classes, sizeof classes, "%s/classes.txt", test_folder);
  snprintf(named_path, sizeof named_path, "%s/named.safetensors", test_folder);
  snprintf(with, sizeof with, "%s/tiny-defaults.json", test_folder);
  api_ok(msk_file_write(classes, names, strlen(names), &error), &error);
  msk_convert_options_init(&options);
  options.tokenizer_path = "tests/golden/tiny/tokenizer_imagenet128_checkpoint";
  options.transformer_path = "tests/golden/tiny/maskgit_imagenet128_checkpoint";
  options.classes_path = classes;
  options.output_path = named_path;
  options.defaults_path = with;
  api_ok(msk_convert(&options, &error), &error);
  named = api_open(named_path, NULL, NULL);
  return failed;
}

static int teardown(void **state) {
  (void)state;
  msk_model_close(named);
  return api_tear_down(model, &sketch);
}

/* ---- requests ---- */

static void refuse(const msk_request *request, const char *field, const char *word) {
  msk_session *session = NULL;
  msk_error error = {0};
  long calls = counting.calls;
  size_t bytes = 77;
  assert_int_equal(msk_session_open(&session, model, request, NULL, &error), MSK_ERROR_ARGUMENT);
  if (strstr(error.message, word) == NULL) fail_msg("'%s' does not say '%s'", error.message, word);
  assert_non_null(error.field);
  if (strcmp(error.field, field) != 0)
    fail_msg("'%s' blames %s, expected %s", error.message, error.field, field);
  assert_null(session);
  assert_int_equal(msk_request_check(request, model, &error), MSK_ERROR_ARGUMENT);
  assert_int_equal(msk_session_bytes(&bytes, model, request, NULL, &error), MSK_ERROR_ARGUMENT);
  assert_int_equal(bytes, 77);
  assert_int_equal(counting.calls, calls);
}

#define REFUSE(field, word, change)                 \
  do {                                              \
    msk_request request;                            \
    api_small_draw(&request, model, &sketch, 2, 1); \
    change;                                         \
    refuse(&request, field, word);                  \
  } while (0)

static void test_wrong_requests(void **state) {
  (void)state;
  int32_t tokens[64] = {0};
  msk_image small = sketch;
  small.height = 64;
  tokens[63] = 64;
  REFUSE("size", "bytes", request.size = 8);
  REFUSE("recipe", "bytes", request.recipe.size = 8);
  REFUSE("job", "job", request.job = (msk_job)7);
  REFUSE("class_id", "class", request.class_id = 10);
  REFUSE("class_id", "class", request.class_id = -1);
  REFUSE("count", "count", request.count = 0);
  REFUSE("count", "count", request.count = -1);
  REFUSE("count", "count", request.count = MSK_MAX_COUNT + 1);
  REFUSE("first_item", "first item", request.first_item = -1);
  REFUSE("first_item", "first item", request.first_item = INT32_MAX);
  REFUSE("preview_every", "preview", request.preview_every = -1);
  REFUSE("rng_layout", "rng", request.rng_layout = (msk_rng_layout)2);
  REFUSE("picture", "no picture", request.picture = NULL);
  REFUSE("picture", "both", request.picture_tokens = tokens);
  REFUSE("picture", "128 x 128", request.picture = &small);
  REFUSE("picture_tokens", "token 63", request.picture = NULL; request.picture_tokens = tokens);
  REFUSE("picture", "generate", request.job = MSK_JOB_GENERATE);
}

static void test_wrong_recipes(void **state) {
  (void)state;
  REFUSE("lambda_structure", "lambda_structure", request.recipe.lambda_structure = 2);
  REFUSE("guidance", "guidance", request.recipe.guidance = -0.5);
  REFUSE("guidance", "guidance", request.recipe.guidance = MSK_MAX_GUIDANCE + 1);
  REFUSE("steps", "steps", request.recipe.steps = 0);
  REFUSE("steps", "steps", request.recipe.steps = MSK_MAX_STEPS + 1);
  REFUSE("start_step", "start_step", request.recipe.start_step = request.recipe.steps);
  REFUSE("min_mask_rate", "max_mask_rate", request.recipe.min_mask_rate = 0.99);
  REFUSE("sketch_steps", "sketch_steps", request.recipe.sketch_steps = 100);
  REFUSE("start_temperature", "both above 0", request.recipe.start_temperature = 1);
  REFUSE("layers", "layer", request.recipe.layers[1] = 4);
  REFUSE("layers", "layer", request.recipe.layer_count = 0);
  REFUSE("unconditional", "null", request.recipe.unconditional = MSK_UNCONDITIONAL_NULL);
  REFUSE("unconditional", "null", request.recipe.unconditional = MSK_UNCONDITIONAL_NOTHING);
  msk_request request;
  msk_error error = {0};
  api_small_draw(&request, model, &sketch, 2, 1);
  assert_int_equal(msk_recipe_set(&request.recipe, MSK_JOB_DRAW, "order", "by size", &error),
                   MSK_ERROR_ARGUMENT);
  assert_string_equal(error.field, "order");
  assert_int_equal(msk_recipe_set(&request.recipe, MSK_JOB_DRAW, "ordre", "random", &error),
                   MSK_ERROR_ARGUMENT);
  assert_string_equal(error.field, "recipe");
}

static void test_wrong_areas(void **state) {
  (void)state;
  msk_image nothing = {0};
  REFUSE("edit_box", "box", request.edit_box.height = 4);
  REFUSE("edit_mask", "mask", request.edit_mask = &sketch);
  REFUSE("lambda_map", "map", request.lambda_map = &nothing);
  REFUSE("lambda_map", "only draw", request.job = MSK_JOB_EDIT; request.lambda_map = &sketch);
  REFUSE("edit_box", "box", request.job = MSK_JOB_EDIT; request.recipe.tail = 0);
  REFUSE("edit_box", "inside", request.job = MSK_JOB_EDIT;
         request.edit_box = ((msk_box){100, 0, 29, 10}));
  REFUSE("edit_box", "inside", request.job = MSK_JOB_EDIT;
         request.edit_box = ((msk_box){0, 0, 2147483647, 10}));
  REFUSE("edit_mask", "both", request.job = MSK_JOB_EDIT;
         request.edit_box = ((msk_box){0, 0, 9, 10}); request.edit_mask = &sketch);
}

static void test_wrong_candidates(void **state) {
  (void)state;
  const double scales[] = {1, NAN}, away[] = {1, 2};
  REFUSE("finish", "finish", request.finish = 3);
  REFUSE("finish", "only draw", request.job = MSK_JOB_GENERATE; request.picture = NULL;
         request.finish = 1);
  REFUSE("guidance_scales", "scale", request.guidance_scales = scales; request.guidance_count = 2);
  REFUSE("guidance_scales", "list", request.guidance_count = 2);
  REFUSE("unconditional", "null", request.guidance_scales = away; request.guidance_count = 2;
         request.recipe.unconditional = MSK_UNCONDITIONAL_NULL);
  REFUSE("count", "at most 64", request.count = 65; request.finish = 1);
  REFUSE("confidence_weight", "weight", request.finish = 1; request.confidence_weight = 101);
  REFUSE("drop_from", "share", request.finish = 1; request.drop_from = 1.5);
}

/* Guidance needs a second class that may be shown. */
static void test_lonely_class(void **state) {
  (void)state;
  char *own = test_make_folder();
  msk_error error = {0};
  msk_request request;
  msk_model *lonely = api_open(
      api_convert(own, "tiny", "{\"hidden_classes\": [1, 2, 3, 4, 5, 6, 7, 8, 9]}"), NULL, NULL);
  api_small_draw(&request, lonely, &sketch, 1, 1);
  request.recipe.guidance = 0.6;
  request.class_id = 0;
  assert_int_equal(msk_request_check(&request, lonely, &error), MSK_ERROR_ARGUMENT);
  assert_string_equal(error.field, "guidance");
  request.class_id = 1; /* class 0 is another one */
  api_ok(msk_request_check(&request, lonely, &error), &error);
  request.class_id = 0;
  request.recipe.guidance = 0;
  api_ok(msk_request_check(&request, lonely, &error), &error);
  msk_model_close(lonely);
  test_remove_folder(own);
}

static void test_wrong_official_requests(void **state) {
  (void)state;
  msk_request request;
  msk_error error = {0};
  api_ok(msk_request_init(&request, model, MSK_JOB_DRAW, "official", &error), &error);
  request.picture = &sketch;
  request.first_item = 1;
  refuse(&request, "first_item", "first item");
  request.first_item = 0;
  request.seed = (uint64_t)1 << 32;
  refuse(&request, "seed", "4294967295");
  request.seed = 0;
  request.lambda_map = &sketch;
  refuse(&request, "lambda_map", "lambda map");
  request.lambda_map = NULL;
  request.recipe.guidance_skip = 0.5;
  refuse(&request, "guidance_skip", "official");
  request.recipe.guidance_skip = 0;
  request.recipe.guidance = 2;
  api_ok(msk_request_check(&request, model, &error), &error);
}

static void test_wrong_options(void **state) {
  (void)state;
  msk_request request;
  msk_session *session = NULL;
  msk_session_options options;
  msk_error error = {0};
  api_small_draw(&request, model, &sketch, 2, 1);
  msk_session_options_init(&options);
  options.threads = -1;
  assert_int_equal(msk_session_open(&session, model, &request, &options, &error),
                   MSK_ERROR_ARGUMENT);
  assert_non_null(strstr(error.message, "threads"));
  assert_string_equal(error.field, "threads");
  options.threads = MSK_MAX_THREADS + 1;
  assert_int_equal(msk_session_open(&session, model, &request, &options, &error),
                   MSK_ERROR_ARGUMENT);
  options.size = 1;
  assert_int_equal(msk_session_open(&session, model, &request, &options, &error),
                   MSK_ERROR_ARGUMENT);
  assert_int_equal(msk_request_init(&request, model, MSK_JOB_DRAW, "no such recipe", &error),
                   MSK_ERROR_ARGUMENT);
  assert_non_null(strstr(error.message, "balanced"));
  msk_model *opened = NULL;
  msk_model_options with;
  msk_model_options_init(&with);
  with.isa = "no such kernels";
  assert_int_equal(msk_model_open(&opened, in_folder("tiny.safetensors"), &with, &error),
                   MSK_ERROR_ARGUMENT);
  assert_non_null(strstr(error.message, "ref"));
  assert_null(opened);
}

static void test_wrong_research(void **state) {
  (void)state;
  msk_request request;
  msk_error error = {0};
  int32_t sequence[65] = {64};
  float *output;
  int width, height;
  const int twice[] = {1, 1};
  api_small_draw(&request, model, &sketch, 1, 1);
  msk_session *session = api_session(model, &request, 1);
  assert_int_equal(msk_attention(session, sequence, twice, 2, &output, &error), MSK_ERROR_ARGUMENT);
  assert_int_equal(msk_attention(session, sequence, twice, 0, &output, &error), MSK_ERROR_ARGUMENT);
  sequence[5] = 74;
  assert_int_equal(msk_logits(session, sequence, &output, &error), MSK_ERROR_ARGUMENT);
  assert_non_null(strstr(error.message, "token 5"));
  assert_int_equal(msk_detokenize(session, sequence, 8, 8, &output, &width, &height, &error),
                   MSK_ERROR_ARGUMENT);
  assert_int_equal(msk_detokenize(session, sequence, 0, 8, &output, &width, &height, &error),
                   MSK_ERROR_ARGUMENT);
  assert_int_equal(
      msk_detokenize(session, sequence, 1 << 15, 1 << 15, &output, &width, &height, &error),
      MSK_ERROR_ARGUMENT);
  msk_session_close(session);
}

/* ---- classes ---- */

static void test_nouns(void **state) {
  (void)state;
  static const char *const same[][2] = {{"cup", "cup"},
                                        {"cup", "cups"},
                                        {"boxes", "box"},
                                        {"puppies", "puppy"},
                                        {"wolves", "wolf"},
                                        {"knife", "knives"},
                                        {"mice", "mouse"},
                                        {"fireman", "firemen"},
                                        {"cacti", "cactus"},
                                        {"cactuses", "cactus"},
                                        {"buses", "bus"},
                                        {"houses", "house"},
                                        {"men", "man"},
                                        {"gloves", "glove"},
                                        {"sail boats", "sail boat"},
                                        {"", ""}};
  static const char *const other[][2] = {
      {"glass", "glas"}, {"cat", "car"},  {"cups", "cupboard"}, {"men", "moan"}, {"es", ""},
      {"ss", "s"},       {"boss", "bos"}, {"puppies", "puppi"}, {"a", ""}};
  for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
    if (!msk_same_noun(same[i][0], same[i][1]) || !msk_same_noun(same[i][1], same[i][0]))
      fail_msg("'%s' and '%s' are one noun", same[i][0], same[i][1]);
  }
  for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
    if (msk_same_noun(other[i][0], other[i][1]) || msk_same_noun(other[i][1], other[i][0]))
      fail_msg("'%s' and '%s' are two nouns", other[i][0], other[i][1]);
  }
}

static void check_class(const char *text, int expected) {
  int class_id = -1;
  msk_error error = {0};
  api_ok(msk_model_class_find(named, text, &class_id, &error), &error);
  if (class_id != expected) fail_msg("'%s' is class %d, expected %d", text, class_id, expected);
}

static void check_no_class(const char *text, const char *word) {
  int class_id = -7;
  msk_error error = {0};
  assert_int_equal(msk_model_class_find(named, text, &class_id, &error), MSK_ERROR_ARGUMENT);
  if (strstr(error.message, word) == NULL) fail_msg("'%s' does not say '%s'", error.message, word);
  assert_int_equal(class_id, -7);
}

static void test_class_names(void **state) {
  (void)state;
  int ids[10];
  check_class("6", 6);
  check_no_class("8", "label"); /* a hidden class is not found by its number either */
  check_class("tri", 6);
  check_class("TABBY", 0);
  check_class("tabby c", 0);
  check_class("tabby, tabby cat", 0); /* as lists show it */
  check_class("tiger", 2);            /* a whole name goes before a beginning */
  check_class("Cafe Creme", 3);
  check_class("CAF\xC3\x89", 3);
  check_class("stop sign", 7);
  check_class("stop signs", 7);
  check_class("Tabbies", 0);
  check_class("Trilobites", 6);
  check_class("tigers", 2); /* as the whole name does */
  check_class("  zeb ", 9);
  check_no_class("10", "0 to 9");
  check_no_class("99999999999999999999", "0 to 9");
  check_no_class("crane", "crane (4); crane (5)");
  check_no_class("t", "tabby");
  check_no_class("trilobyte", "trilobite (6)");
  check_no_class("cat", "tiger cat (1)");
  check_no_class("style", "unknown");
  check_no_class("", "empty");
  check_no_class("   ", "empty");
  check_no_class("-1", "unknown");
  assert_int_equal(msk_model_class_search(named, NULL, ids, 10), 9);
  assert_int_equal(msk_model_class_search(named, "cat", ids, 10), 2);
  assert_int_equal(msk_model_class_search(named, "ti", ids, 1), 2);
  assert_int_equal(msk_model_class_search(named, "qqq", ids, 10), 0);
  assert_int_equal(msk_model_class_search(named, "tiger", ids, 10), 2);
  assert_int_equal(ids[0], 2);
  assert_int_equal(ids[1], 1);
  assert_string_equal(msk_model_class_name(named, 2), "Tiger");
  assert_null(msk_model_class_name(named, 10));
  assert_null(msk_model_class_name(named, -1));
}

/* ---- names ---- */

/* NULL at both ends, and the last value that the header has is the last that has a name. */
static void check_names(const char *(*name)(int), int last, const char *last_name) {
  assert_null(name(-1));
  assert_null(name(last + 1));
  assert_string_equal(name(last), last_name);
  for (int i = 0; i <= last; i++) {
    for (int j = 0; j < i; j++) assert_string_not_equal(name(i), name(j));
  }
}

static void test_names(void **state) {
  (void)state;
  check_names(msk_status_name, MSK_ERROR_UNSUPPORTED, "unsupported");
  check_names(msk_fit_name, MSK_FIT_INK, "ink");
  check_names(msk_invert_name, MSK_INVERT_NO, "no");
  check_names(msk_photo_name, MSK_PHOTO_NO, "no");
  check_names(msk_sketch_kind_name, MSK_SKETCH_WRITING, "writing");
  check_names(msk_dtype_name, MSK_DTYPE_F64, "F64");
  check_names(msk_precision_name, MSK_PRECISION_INT8, "int8");
  check_names(msk_job_name, MSK_JOB_EDIT, "edit");
  check_names(msk_schedule_name, MSK_SCHEDULE_EXP, "exp");
  check_names(msk_placeholder_name, MSK_PLACEHOLDER_SKETCH, "sketch");
  check_names(msk_distance_name, MSK_DISTANCE_JENSEN_SHANNON, "jensen-shannon");
  check_names(msk_unconditional_name, MSK_UNCONDITIONAL_NOTHING, "nothing");
  check_names(msk_guidance_schedule_name, MSK_GUIDANCE_LATE, "late");
  check_names(msk_order_name, MSK_ORDER_RANDOM, "random");
  check_names(msk_remask_name, MSK_REMASK_RECORDED, "recorded");
  check_names(msk_token_noise_name, MSK_TOKEN_NOISE_COMMON, "common");
  check_names(msk_rng_layout_name, MSK_RNG_PARTITIONABLE, "partitionable");
}

/* ---- model files ---- */

static void refuse_model(const char *file, msk_status expected, const char *word) {
  msk_model *opened = NULL;
  msk_error error = {0};
  counting_allocator local;
  msk_model_options options;
  counting_allocator_init(&local);
  msk_model_options_init(&options);
  options.allocator = &local.allocator;
  assert_int_equal(msk_model_open(&opened, file, &options, &error), expected);
  if (strstr(error.message, word) == NULL) fail_msg("'%s' does not say '%s'", error.message, word);
  assert_null(opened);
  assert_int_equal(local.live, 0);
}

static void test_wrong_models(void **state) {
  (void)state;
  refuse_model("tests/golden/none", MSK_ERROR_FILE, "none");
  refuse_model("tests/golden", MSK_ERROR_FILE, "golden");
  refuse_model("tests/golden/tiny/input/photo.png", MSK_ERROR_FILE, "photo.png");
  refuse_model("tests/golden/tiny/maskgit_imagenet128_checkpoint", MSK_ERROR_FILE, "convert");
}

/* Changes `from` to `to` (as long) in a copy of the model file's header. */
static void check_changed(const char *from, const char *to, const char *word) {
  char changed[600];
  msk_error error = {0};
  size_t bytes;
  uint8_t *file = test_read_file(in_folder("tiny.safetensors"), &bytes);
  assert_int_equal(strlen(from), strlen(to));
  uint8_t *found = memmem(file, bytes, from, strlen(from));
  if (found == NULL) fail_msg("no %s in the header", from);
  memcpy(found, to, strlen(to));
  snprintf(changed, sizeof changed, "%s/changed.safetensors", test_folder);
  api_ok(msk_file_write(changed, file, bytes, &error), &error);
  refuse_model(changed, MSK_ERROR_FILE, word);
  free(file);
}

static void test_changed_models(void **state) {
  (void)state;
  check_changed("masksketch 1", "masksketch 9", "masksketch 9");
  check_changed("structure_layers", "structure_laxers", "structure_laxers");
  check_changed("[0, 2]", "[2, 0]", "structure_layers");
  check_changed("[0, 2]", "[0, 4]", "structure_layers");
  check_changed("[0, 2]", "[0,-2]", "structure_layers");
  check_changed("[8]", "[12", "");
  check_changed("\"classes\"", "\"classic\"", "classes");
  check_changed("transformer.MlmLayer_0.mlm_bias.bias", "transformer.MlmLayer_0.mlm_bias.bats",
                "mlm_bias");
}

static void test_pair_that_does_not_belong_together(void **state) {
  (void)state;
  msk_error error = {0};
  msk_convert_options options;
  char output[600];
  snprintf(output, sizeof output, "%s/pair.safetensors", test_folder);
  msk_convert_options_init(&options);
  options.tokenizer_path = "tests/golden/odd/tokenizer_imagenet80_checkpoint";
  options.transformer_path = "tests/golden/tiny/maskgit_imagenet128_checkpoint";
  options.output_path = output;
  assert_int_equal(msk_convert(&options, &error), MSK_ERROR_FILE);
  assert_non_null(strstr(error.message, "belong together"));
}

/* ---- the text of a PNG ---- */

static long json_calls, json_fails_at;

static void *json_allocate(size_t bytes) {
  return ++json_calls == json_fails_at ? NULL : malloc(bytes);
}

/* jansson leaves out what it has no memory for, keys too: such a text is never handed out. */
static void a_text_is_whole_or_none(void **state) {
  (void)state;
  msk_request request;
  msk_error error = {0};
  char *whole = NULL;
  api_ok(msk_request_init(&request, model, MSK_JOB_GENERATE, NULL, &error), &error);
  api_ok(msk_request_text(&whole, &request, model, 0, MSK_FIT_STRETCH, NULL, &error), &error);
  json_set_alloc_funcs(json_allocate, free);
  for (json_fails_at = 1, json_calls = 0;; json_fails_at++, json_calls = 0) {
    char *text = NULL;
    msk_status status = msk_request_text(&text, &request, model, 0, MSK_FIT_STRETCH, NULL, &error);
    if (status == MSK_OK) assert_string_equal(text, whole);
    if (status != MSK_OK) assert_int_equal(status, MSK_ERROR_MEMORY);
    assert_true((text != NULL) == (status == MSK_OK));
    msk_free(NULL, text);
    if (json_calls < json_fails_at) break;
  }
  assert_true(json_fails_at > 50);
  json_set_alloc_funcs(malloc, free);
  msk_free(NULL, whole);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_wrong_requests),
                                     cmocka_unit_test(test_wrong_recipes),
                                     cmocka_unit_test(test_wrong_areas),
                                     cmocka_unit_test(test_wrong_candidates),
                                     cmocka_unit_test(test_lonely_class),
                                     cmocka_unit_test(test_names),
                                     cmocka_unit_test(test_wrong_official_requests),
                                     cmocka_unit_test(test_wrong_options),
                                     cmocka_unit_test(test_wrong_research),
                                     cmocka_unit_test(test_nouns),
                                     cmocka_unit_test(test_class_names),
                                     cmocka_unit_test(test_wrong_models),
                                     cmocka_unit_test(test_changed_models),
                                     cmocka_unit_test(test_pair_that_does_not_belong_together),
                                     cmocka_unit_test(a_text_is_whole_or_none)};
  return cmocka_run_group_tests(tests, setup, teardown);
}
