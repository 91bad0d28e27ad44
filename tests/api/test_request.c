/* SPDX-License-Identifier: Apache-2.0
 *
 * test_request.c - requests that must be refused, each with a message that names what is wrong,
 * before memory is taken; class names found and not found; model files that must be refused. */
#include <stdbool.h>

#include "api.h"

static const char defaults[] = "{\"structure_layers\": [0, 2], \"hidden_classes\": [8]}";
static const char names[] =
    "tabby, tabby cat\ntiger cat\nTiger\ncaf\xC3\xA9 "
    "cr\xC3\xA8me\ncrane\ncrane\ntrilobite\nstop_sign\nstyle\nzebra\n";

static char *folder;
static const char *path;
static char named_path[600];
static counting_allocator counting;
static msk_model *model, *named;
static msk_image sketch;

static int setup(void **state) {
  (void)state;
  msk_error error = {0};
  msk_convert_options options;
  char classes[600];
  folder = test_make_folder();
  path = api_convert(folder, "tiny", defaults);
  snprintf(classes, sizeof classes, "%s/classes.txt", folder);
  snprintf(named_path, sizeof named_path, "%s/named.safetensors", folder);
  api_ok(msk_file_write(classes, names, strlen(names), &error), &error);
  msk_convert_options_init(&options);
  options.tokenizer_path = "tests/golden/tiny/tokenizer_imagenet128_checkpoint";
  options.transformer_path = "tests/golden/tiny/maskgit_imagenet128_checkpoint";
  options.classes_path = classes;
  options.output_path = named_path;
  char with[600];
  snprintf(with, sizeof with, "%s/tiny-defaults.json", folder);
  options.defaults_path = with;
  api_ok(msk_convert(&options, &error), &error);
  counting_allocator_init(&counting);
  model = api_open(path, NULL, &counting.allocator);
  named = api_open(named_path, NULL, NULL);
  sketch = api_load(golden_path("tiny/input/sketch0.png"));
  return 0;
}

static int teardown(void **state) {
  (void)state;
  msk_image_free(&sketch);
  msk_model_close(model);
  msk_model_close(named);
  test_remove_folder(folder);
  return 0;
}

/* ---- requests ---- */

static void refuse(const msk_request *request, const char *word) {
  msk_session *session = NULL;
  msk_error error = {0};
  long calls = counting.calls;
  size_t bytes = 77;
  assert_int_equal(msk_session_open(&session, model, request, NULL, &error), MSK_ERROR_ARGUMENT);
  if (strstr(error.message, word) == NULL) fail_msg("'%s' does not say '%s'", error.message, word);
  assert_null(session);
  assert_int_equal(msk_session_bytes(&bytes, model, request, NULL, &error), MSK_ERROR_ARGUMENT);
  assert_int_equal(bytes, 77);
  assert_int_equal(counting.calls, calls);
}

#define REFUSE(word, change)                        \
  do {                                              \
    msk_request request;                            \
    api_small_draw(&request, model, &sketch, 2, 1); \
    change;                                         \
    refuse(&request, word);                         \
  } while (0)

static void test_wrong_requests(void **state) {
  (void)state;
  int32_t tokens[64] = {0};
  msk_image small = sketch;
  small.height = 64;
  tokens[63] = 64;
  REFUSE("bytes", request.size = 8);
  REFUSE("size", request.recipe.size = 8);
  REFUSE("job", request.job = (msk_job)7);
  REFUSE("class", request.class_id = 10);
  REFUSE("class", request.class_id = -1);
  REFUSE("count", request.count = 0);
  REFUSE("count", request.count = -1);
  REFUSE("count", request.count = 1 << 20);
  REFUSE("first item", request.first_item = -1);
  REFUSE("first item", request.first_item = INT32_MAX);
  REFUSE("preview", request.preview_every = -1);
  REFUSE("rng", request.rng_layout = (msk_rng_layout)2);
  REFUSE("lambda_structure", request.recipe.lambda_structure = 2);
  REFUSE("guidance", request.recipe.guidance = -0.5);
  REFUSE("steps", request.recipe.steps = 0);
  REFUSE("layer", request.recipe.layers[1] = 4);
  REFUSE("layer", request.recipe.layer_count = 0);
  REFUSE("null", request.recipe.unconditional = MSK_UNCONDITIONAL_NULL);
  REFUSE("no picture", request.picture = NULL);
  REFUSE("both", request.picture_tokens = tokens);
  REFUSE("128 x 128", request.picture = &small);
  REFUSE("token 63", request.picture = NULL; request.picture_tokens = tokens);
  REFUSE("box", request.edit_box.height = 4);
  REFUSE("mask", request.edit_mask = &sketch);
  REFUSE("generate", request.job = MSK_JOB_GENERATE);
  REFUSE("box", request.job = MSK_JOB_EDIT; request.recipe.tail = 0);
  REFUSE("inside", request.job = MSK_JOB_EDIT; request.edit_box = ((msk_box){100, 0, 29, 10}));
  REFUSE("inside", request.job = MSK_JOB_EDIT;
         request.edit_box = ((msk_box){0, 0, 2147483647, 10}));
  REFUSE("both", request.job = MSK_JOB_EDIT; request.edit_box = ((msk_box){0, 0, 9, 10});
         request.edit_mask = &sketch);
}

static void test_wrong_official_requests(void **state) {
  (void)state;
  msk_request request;
  msk_error error = {0};
  api_ok(msk_request_init(&request, model, MSK_JOB_DRAW, "official", &error), &error);
  request.picture = &sketch;
  request.first_item = 1;
  refuse(&request, "first item");
  request.first_item = 0;
  request.seed = (uint64_t)1 << 32;
  refuse(&request, "seed");
  request.seed = 0;
  request.lambda_map = &sketch;
  refuse(&request, "lambda map");
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
  assert_int_equal(msk_model_open(&opened, path, &with, &error), MSK_ERROR_ARGUMENT);
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
  check_class("8", 8); /* a hidden class is reached by its number alone */
  check_class("tri", 6);
  check_class("TABBY", 0);
  check_class("tabby c", 0);
  check_class("tiger", 2); /* a whole name goes before a beginning */
  check_class("Cafe Creme", 3);
  check_class("CAF\xC3\x89", 3);
  check_class("stop sign", 7);
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
  uint8_t *file = test_read_file(path, &bytes);
  assert_int_equal(strlen(from), strlen(to));
  uint8_t *found = memmem(file, bytes, from, strlen(from));
  if (found == NULL) fail_msg("no %s in the header", from);
  memcpy(found, to, strlen(to));
  snprintf(changed, sizeof changed, "%s/changed.safetensors", folder);
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
  snprintf(output, sizeof output, "%s/pair.safetensors", folder);
  msk_convert_options_init(&options);
  options.tokenizer_path = "tests/golden/odd/tokenizer_imagenet80_checkpoint";
  options.transformer_path = "tests/golden/tiny/maskgit_imagenet128_checkpoint";
  options.output_path = output;
  assert_int_equal(msk_convert(&options, &error), MSK_ERROR_FILE);
  assert_non_null(strstr(error.message, "belong together"));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_wrong_requests),
                                     cmocka_unit_test(test_wrong_official_requests),
                                     cmocka_unit_test(test_wrong_options),
                                     cmocka_unit_test(test_wrong_research),
                                     cmocka_unit_test(test_class_names),
                                     cmocka_unit_test(test_wrong_models),
                                     cmocka_unit_test(test_changed_models),
                                     cmocka_unit_test(test_pair_that_does_not_belong_together)};
  return cmocka_run_group_tests(tests, setup, teardown);
}
