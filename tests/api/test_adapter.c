/* SPDX-License-Identifier: Apache-2.0
 *
 * test_adapter.c - models with adapters: the old classes keep their bytes at weight 0, a merged
 * file draws what model and adapter draw together, classes are numbered in order, files that do not
 * fit are refused, and no failure of memory is left behind. */
#include "adapters.h"
#include "masksketch_tools.h"

static const char *model_path;

static int set_up(void **state) {
  int failed = set_up_folder(state);
  model_path = api_convert(test_folder, "tiny", NULL);
  return failed;
}

static msk_status open_with(msk_model **model, const char *path, const msk_adapter_choice *choices,
                            int count, msk_precision precision, const msk_allocator *allocator,
                            msk_error *error) {
  msk_model_options options;
  msk_model_options_init(&options);
  options.threads = 1;
  options.precision = precision;
  options.adapters = choices;
  options.adapter_count = count;
  options.allocator = allocator;
  return msk_model_open(model, path, &options, error);
}

/* A digest of a picture of the class, with the model so opened. */
static uint64_t draw(const char *path, const msk_adapter_choice *choices, int count,
                     msk_precision precision, int class_id) {
  msk_model *model = NULL;
  msk_request request;
  msk_result result;
  msk_error error = {0};
  msk_image sketch = api_load(golden_path("tiny/input/sketch0.png"));
  api_ok(open_with(&model, path, choices, count, precision, NULL, &error), &error);
  api_small_draw(&request, model, &sketch, 4, 1);
  request.class_id = class_id;
  msk_session *session = api_session(model, &request, 1);
  api_ok(msk_run(session, &request, &result, &error), &error);
  uint64_t digest = api_digest(model, &result);
  msk_session_close(session);
  msk_model_close(model);
  msk_image_free(&sketch);
  return digest;
}

static int classes_of(const char *path) {
  msk_model_info info;
  msk_model *model = api_open(path, NULL, NULL);
  msk_model_get_info(model, &info);
  msk_model_close(model);
  return info.class_count;
}

static void test_weight_0_changes_nothing(void **state) {
  (void)state;
  const char *path = in_folder("zero.safetensors");
  adapter_write(path, model_path, "umbrella", 3, 0.3f, ADAPTER_SOUND);
  const msk_adapter_choice nothing = {path, 0}, all = {path, 1};
  for (int p = MSK_PRECISION_FP32; p <= MSK_PRECISION_INT8; p++) {
    uint64_t without = draw(model_path, NULL, 0, (msk_precision)p, 3);
    assert_true(without == draw(model_path, &nothing, 1, (msk_precision)p, 3));
    assert_true(without != draw(model_path, &all, 1, (msk_precision)p, 3));
  }
}

static void test_merged_is_the_same(void **state) {
  (void)state;
  const char *paths[] = {in_folder("one.safetensors"), in_folder("two.safetensors")},
             *merged = in_folder("merged.safetensors");
  adapter_write(paths[0], model_path, "umbrella", 3, 0.3f, ADAPTER_SOUND);
  adapter_write(paths[1], model_path, "boot", 5, 0.2f, ADAPTER_SOUND);
  const msk_adapter_choice choices[] = {{paths[0], 0.5}, {paths[1], -1.25}};
  msk_convert_options options;
  msk_error error = {0};
  msk_convert_options_init(&options);
  options.tokenizer_path = options.transformer_path = model_path;
  options.adapters = choices;
  options.adapter_count = 2;
  options.output_path = merged;
  api_ok(msk_convert(&options, &error), &error);
  int classes = classes_of(model_path);
  for (int class_id = classes - 1; class_id < classes + 2; class_id++)
    assert_true(draw(merged, NULL, 0, MSK_PRECISION_FP32, class_id) ==
                draw(model_path, choices, 2, MSK_PRECISION_FP32, class_id));
}

static void test_classes_and_names(void **state) {
  (void)state;
  msk_model *model = NULL;
  msk_model_info info;
  msk_adapter_info adapter;
  msk_error error = {0};
  int class_id = 0, before = classes_of(model_path);
  const char *paths[] = {in_folder("a.safetensors"), in_folder("b.safetensors")};
  adapter_write(paths[0], model_path, "umbrella", 1, 0.1f, ADAPTER_SOUND);
  adapter_write(paths[1], model_path, "boot", 2, 0.1f, ADAPTER_SOUND);
  const msk_adapter_choice choices[] = {{paths[0], 1}, {paths[1], 0.5}};
  api_ok(open_with(&model, model_path, choices, 2, MSK_PRECISION_OF_FILE, NULL, &error), &error);
  msk_model_get_info(model, &info);
  assert_int_equal(info.class_count, before + 2);
  api_ok(msk_model_class_find(model, "boot", &class_id, &error), &error);
  assert_int_equal(class_id, before + 1);
  assert_true(msk_model_adapter(model, 1, &adapter));
  assert_string_equal(adapter.file, "b.safetensors");
  assert_int_equal(adapter.class_id, class_id);
  assert_true(adapter.weight == 0.5 && strlen(adapter.hash) == 64);
  assert_false(msk_model_adapter(model, 2, &adapter));
  msk_model_close(model);
}

static void refused(const msk_adapter_choice *choices, int count, msk_status expected,
                    const char *word) {
  msk_model *model = NULL;
  msk_error error = {0};
  msk_status status =
      open_with(&model, model_path, choices, count, MSK_PRECISION_FP32, NULL, &error);
  if (status != expected || strstr(error.message, word) == NULL)
    fail_msg("%s: \"%s\", expected \"%s\" in it", msk_status_name(status), error.message, word);
  assert_null(model);
}

static void test_misfits_are_refused(void **state) {
  (void)state;
  static const char *const words[ADAPTER_FLAWS] = {[ADAPTER_OF_ANOTHER] = "fits no other model",
                                                   [ADAPTER_WITHOUT_CLASS] = "tensor class",
                                                   [ADAPTER_LONELY] = ".b is missing",
                                                   [ADAPTER_NARROW] = "expected",
                                                   [ADAPTER_RAGGED] = "expected",
                                                   [ADAPTER_INFINITE] = "infinity",
                                                   [ADAPTER_STRANGE] = "have no place",
                                                   [ADAPTER_NAMELESS] = "name of its class"};
  const char *path = in_folder("flawed.safetensors");
  for (int flaw = ADAPTER_SOUND + 1; flaw < ADAPTER_FLAWS; flaw++) {
    adapter_write(path, model_path, "umbrella", 3, 0.3f, (adapter_flaw)flaw);
    const msk_adapter_choice choice = {path, 1};
    refused(&choice, 1, MSK_ERROR_FILE, words[flaw]);
  }
  const msk_adapter_choice itself = {model_path, 1}, heavy = {path, 1e9}, none = {NULL, 1};
  refused(&itself, 1, MSK_ERROR_FILE, "teach makes adapters");
  refused(&heavy, 1, MSK_ERROR_ARGUMENT, "weight");
  refused(&none, 1, MSK_ERROR_ARGUMENT, "adapter");
  refused(&itself, MSK_MAX_ADAPTERS + 1, MSK_ERROR_ARGUMENT, "adapters");
}

/* Every prefix of the header, and every byte of it changed: an error or a model, never a crash. */
static void test_damage(void **state) {
  (void)state;
  const char *path = in_folder("whole.safetensors"), *damaged = in_folder("damaged.safetensors");
  size_t bytes, header = 1200;
  adapter_write(path, model_path, "umbrella", 1, 0.1f, ADAPTER_SOUND);
  uint8_t *whole = test_read_file(path, &bytes);
  const msk_adapter_choice choice = {damaged, 1};
  for (size_t i = 0; i < header; i += 7) {
    msk_model *model = NULL;
    msk_error error;
    uint8_t kept = whole[i];
    whole[i] ^= (uint8_t)(1 + i % 255);
    assert_int_equal(msk_file_write(damaged, whole, i % 2 == 0 ? bytes : bytes - i, NULL), MSK_OK);
    whole[i] = kept;
    if (open_with(&model, model_path, &choice, 1, MSK_PRECISION_FP32, NULL, &error) == MSK_OK)
      msk_model_close(model);
  }
  free(whole);
}

static void test_memory_failures(void **state) {
  (void)state;
  const char *path = in_folder("memory.safetensors");
  adapter_write(path, model_path, "umbrella", 2, 0.1f, ADAPTER_SOUND);
  const msk_adapter_choice choice = {path, 1};
  counting_allocator counting;
  msk_status status = MSK_ERROR_MEMORY;
  for (long k = 1; status != MSK_OK; k++) {
    msk_model *model = NULL;
    msk_error error = {0};
    counting_allocator_init(&counting);
    counting.fail_at = k;
    status =
        open_with(&model, model_path, &choice, 1, MSK_PRECISION_FP32, &counting.allocator, &error);
    msk_model_close(model);
    if (status != MSK_OK) assert_int_equal(status, MSK_ERROR_MEMORY);
    assert_int_equal(counting.live, 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_weight_0_changes_nothing),
                                     cmocka_unit_test(test_merged_is_the_same),
                                     cmocka_unit_test(test_classes_and_names),
                                     cmocka_unit_test(test_misfits_are_refused),
                                     cmocka_unit_test(test_damage),
                                     cmocka_unit_test(test_memory_failures)};
  return cmocka_run_group_tests(tests, set_up, tear_down_folder);
}
