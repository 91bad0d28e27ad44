/* SPDX-License-Identifier: Apache-2.0
 *
 * test_golden.c - end to end, from the authors' checkpoints through msk_convert: every golden
 * decode case gives the authors' tokens on every instruction set that this machine has, on one
 * thread and two; pictures and the composite within tolerance; the research functions too. */
#include <math.h>
#include <stdbool.h>

#include "api.h"
#include "masksketch_tools.h"

static int setup(void **state) {
  int failed = set_up_folder(state);
  api_convert(test_folder, "tiny", NULL);
  api_convert(test_folder, "odd", NULL);
  return failed;
}

static bool file_exists(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file != NULL) fclose(file);
  return file != NULL;
}

/* The authors return batch x N from draw; batch x steps x N else, with the input repeated for
 * the steps before the first one taken. */
static void check_tokens(const msk_request *request, const msk_result *result, const char *set,
                         const char *id, const char *how) {
  golden_array golden = golden_load(golden_path("%s/decode/%s/tokens.npy", set, id));
  size_t n = (size_t)result->tokens_per_item, count = (size_t)result->count,
         steps = (size_t)request->recipe.steps;
  size_t first = (size_t)request->recipe.start_step;
  const int32_t *expected = golden.data;
  bool draw = request->job == MSK_JOB_DRAW;
  assert_int_equal(golden.elements, draw ? count * n : count * steps * n);
  for (size_t b = 0; b < count; b++) {
    for (size_t s = draw ? 0 : first; s < (draw ? 1 : steps); s++) {
      const int32_t *row = draw ? expected + b * n : expected + (b * steps + s) * n;
      const int32_t *found =
          draw ? result->tokens + b * n : result->step_tokens + ((s - first) * count + b) * n;
      if (memcmp(found, row, n * sizeof *row) != 0)
        fail_msg("%s %s (%s): tokens differ in item %zu, step %zu", set, id, how, b, s);
    }
    if (!draw)
      assert_memory_equal(result->tokens + b * n, expected + (b * steps + steps - 1) * n,
                          n * sizeof *expected);
  }
  golden_free(&golden);
}

/* float16 golden pictures: half a unit of the last place of values up to 2, beside the pictures'
 * own 2e-4. */
static void check_picture(const msk_result *result, const char *path) {
  golden_array golden = golden_load(path);
  assert_int_equal(golden.elements % (size_t)result->count, 0);
  const float *expected = golden.data;
  for (size_t i = 0; i < golden.elements; i++) {
    if (!(fabsf(result->pixels[i] - expected[i]) <= 2e-4f + 5e-4f * fabsf(expected[i]))) {
      fail_msg("%s [%zu]: %g, expected %g", path, i, (double)result->pixels[i],
               (double)expected[i]);
    }
  }
  golden_free(&golden);
}

/* Returns how many it checked; every golden picture must be among them. */
static int run_cases(const char *set, const char *path, const char *isa, int threads) {
  json_t *cases = api_cases(set), *golden_case;
  msk_model *model = api_open(path, isa, NULL);
  size_t index;
  int checked = 0, pictures = 0;
  char how[64];
  snprintf(how, sizeof how, "%s, %d threads", api_device != NULL ? api_device : isa, threads);
  json_array_foreach(cases, index, golden_case) {
    msk_request request;
    msk_image picture;
    msk_result result;
    msk_error error = {0};
    const char *id = json_string_value(json_object_get(golden_case, "id"));
    /* 100 steps: on two threads only */
    if (threads == 1 && strcmp(id, "masksketch_long") == 0) continue;
    api_case_request(&request, model, set, golden_case, &picture);
    const char *golden = golden_path("%s/decode/%s/%s.npy", set, id,
                                     request.job == MSK_JOB_EDIT ? "composite" : "image");
    /* few cases have a golden picture; decoding the others would tell nothing */
    request.no_pictures = threads != 2 || !file_exists(golden);
    msk_session *session = api_session(model, &request, threads);
    api_ok(msk_run(session, &request, &result, &error), &error);
    check_tokens(&request, &result, set, id, how);
    if (!request.no_pictures) {
      check_picture(&result, golden);
      pictures++;
    }
    msk_session_close(session);
    msk_image_free(&picture);
    checked++;
  }
  assert_int_equal(pictures, threads == 2 ? (strcmp(set, "tiny") == 0 ? 3 : 2) : 0);
  msk_model_close(model);
  json_decref(cases);
  return checked;
}

static void run_set(const char *set, int cases) {
  char path[600];
  snprintf(path, sizeof path, "%s/%s.safetensors", test_folder, set);
  if (api_device != NULL) {
    assert_int_equal(run_cases(set, path, NULL, 2), cases);
    return;
  }
  for (int i = 0; msk_isa_name(i) != NULL; i++) {
    /* The slow reference kernels run on two threads only: that threads change nothing is tested
     * of every kernel set on its own. */
    for (int threads = i == 0 ? 2 : 1; threads <= 2; threads++) {
      assert_int_equal(run_cases(set, path, msk_isa_name(i), threads), cases + threads - 2);
    }
  }
}

static void test_tiny(void **state) {
  (void)state;
  run_set("tiny", 15);
}
static void test_odd(void **state) {
  (void)state;
  run_set("odd", 14);
}

/* ---- traces ---- */

struct trace {
  const char *folder;
  int compared;
};

/* Each step's quantity against the recorded one: floats within what the networks' own tolerances
 * make of guided logits and scores, all else equal. Rescaled scores divide by a row's spread, so
 * they are compared a little wider. */
static int check_trace(void *user, const char *name, int step, const msk_array *array) {
  struct trace *trace = user;
  const char *path = golden_path("%s/%s.npy", trace->folder, name);
  if (!file_exists(path)) return 0;
  golden_array golden = golden_load(path);
  size_t elements = 1, first;
  for (int i = 0; i < array->rank; i++) elements *= array->shape[i];
  first = golden.elements == elements ? 0 : (size_t)step * elements;
  assert_true(first + elements <= golden.elements);
  if (golden.kind == 'f') {
    double tolerance = strcmp(name, "logits") == 0 ? 2e-4 : 5e-5;
    const float *expected = (const float *)golden.data + first, *found = array->data;
    double difference = largest_difference(found, expected, elements);
    if (!(difference <= tolerance)) fail_msg("%s, step %d: differs by %g", path, step, difference);
  } else {
    size_t bytes = golden.kind == 'b' ? 1 : golden.kind == 'q' ? 8 : 4;
    assert_int_not_equal(bytes, 8);
    if (memcmp(array->data, (const char *)golden.data + first * bytes, elements * bytes) != 0)
      fail_msg("%s, step %d differs", path, step);
  }
  golden_free(&golden);
  trace->compared++;
  return 0;
}

static void run_traced(const msk_model *model, const char *set, const char *id,
                       const char *trace_folder, int names) {
  json_t *cases = api_cases(set), *golden_case;
  size_t index;
  json_array_foreach(cases, index, golden_case) {
    msk_request request;
    msk_image picture;
    msk_result result;
    msk_error error = {0};
    char traces[100];
    if (strcmp(json_string_value(json_object_get(golden_case, "id")), id) != 0) continue;
    snprintf(traces, sizeof traces, "%s/trace/%s", set, trace_folder);
    struct trace trace = {traces, 0};
    api_case_request(&request, model, set, golden_case, &picture);
    request.no_pictures = 1;
    request.callbacks = (msk_callbacks){.user = &trace, .on_trace = check_trace};
    msk_session *session = api_session(model, &request, 2);
    api_ok(msk_run(session, &request, &result, &error), &error);
    assert_true(trace.compared >= names * request.recipe.steps);
    msk_session_close(session);
    msk_image_free(&picture);
  }
  json_decref(cases);
}

static void test_traces(void **state) {
  (void)state;
  static const char *const sets[] = {"tiny", "odd"};
  for (int i = 0; i < 2; i++) {
    char path[600];
    snprintf(path, sizeof path, "%s/%s.safetensors", test_folder, sets[i]);
    msk_model *model = api_open(path, NULL, NULL);
    run_traced(model, sets[i], "masksketch_main", "masksketch", 9);
    run_traced(model, sets[i], "maskgit_main", "maskgit", 6);
    msk_model_close(model);
  }
}

/* Tokens, pictures, attention and logits one by one. */
static void test_research(void **state) {
  (void)state;
  char path[600];
  msk_error error = {0};
  snprintf(path, sizeof path, "%s/tiny.safetensors", test_folder);
  msk_model *model = api_open(path, NULL, NULL);
  msk_request request;
  api_ok(msk_request_init(&request, model, MSK_JOB_GENERATE, NULL, &error), &error);
  msk_session *session = api_session(model, &request, 2);
  msk_image photo = api_load(golden_path("tiny/input/photo.png"));
  int32_t *tokens;
  float *latents, *pixels, *maps, *logits;
  int rows, columns, width, height;

  api_ok(msk_tokenize(session, &photo, &tokens, &latents, &rows, &columns, &error), &error);
  golden_array golden = golden_load(golden_path("tiny/tokenizer/photo/tokens.npy"));
  assert_int_equal(rows * columns, golden.elements);
  assert_memory_equal(tokens, golden.data, golden.elements * sizeof *tokens);
  golden_free(&golden);
  golden = golden_load(golden_path("tiny/tokenizer/photo/encoder_out.npy"));
  assert_close(latents, (const float *)golden.data, golden.elements, 2e-4);
  golden_free(&golden);
  api_ok(msk_detokenize(session, tokens, rows, columns, &pixels, &width, &height, &error), &error);
  golden = golden_load(golden_path("tiny/tokenizer/photo/decoded.npy"));
  assert_int_equal(width, 128);
  assert_int_equal(height, 128);
  assert_close(pixels, (const float *)golden.data, golden.elements, 2e-4);
  golden_free(&golden);
  msk_free(NULL, tokens), msk_free(NULL, latents), msk_free(NULL, pixels);

  golden = golden_load(golden_path("tiny/tokenizer/any_size/image.npy"));
  const size_t *shape = golden.shape + golden.rank - 3;
  api_ok(msk_tokenize_float(session, golden.data, (int)shape[1], (int)shape[0], &tokens, NULL,
                            &rows, &columns, &error),
         &error);
  golden_free(&golden);
  golden = golden_load(golden_path("tiny/tokenizer/any_size/tokens.npy"));
  assert_int_equal(rows * columns, golden.elements);
  assert_memory_equal(tokens, golden.data, golden.elements * sizeof *tokens);
  golden_free(&golden);
  msk_free(NULL, tokens);

  golden_array sequence = golden_load(golden_path("tiny/transformer/masked/tokens.npy"));
  const int layers[] = {0, 2, 3};
  api_ok(msk_attention(session, sequence.data, layers, 3, &maps, &error), &error);
  golden = golden_load(golden_path("tiny/transformer/masked/attention.npy"));
  assert_close(maps, (const float *)golden.data, golden.elements, 1e-6);
  golden_free(&golden);
  api_ok(msk_logits(session, sequence.data, &logits, &error), &error);
  golden = golden_load(golden_path("tiny/transformer/masked/logits.npy"));
  size_t all = golden.shape[golden.rank - 1];
  for (size_t i = 0; i < 65; i++)
    assert_close(logits + i * 64, (const float *)golden.data + i * all, 64, 5e-5);
  golden_free(&golden);
  golden_free(&sequence);
  msk_free(NULL, maps), msk_free(NULL, logits);
  msk_image_free(&photo);
  msk_session_close(session);
  msk_model_close(model);
}

/* ---- on a GPU ---- */

/* What a model on a device says of itself, and which devices there are not. */
static void test_device(void **state) {
  char path[600], *text = NULL;
  msk_error error = {0};
  msk_model *model, *none;
  msk_model_info info;
  msk_model_options options;
  msk_memory_plan plan, cpu_plan;
  msk_request request;
  size_t bytes = 0;
  (void)state;
  snprintf(path, sizeof path, "%s/tiny.safetensors", test_folder);
  model = api_open(path, NULL, NULL);
  msk_model_get_info(model, &info);
  assert_string_not_equal(info.device, "cpu");
  api_ok(msk_request_init(&request, model, MSK_JOB_GENERATE, NULL, &error), &error);
  api_ok(msk_session_device_bytes(&bytes, model, &request, NULL, &error), &error);
  assert_true(bytes > 65 * 64 * sizeof(float)); /* the logits alone */
  api_ok(msk_request_text(&text, &request, model, 0, MSK_FIT_CROP, NULL, &error), &error);
  assert_non_null(strstr(text, "\"device\""));
  msk_free(NULL, text);
  msk_model_close(model);

  msk_model_options_init(&options);
  api_ok(msk_model_plan(&cpu_plan, path, &options, &error), &error);
  assert_int_equal(cpu_plan.device_weights, 0);
  options.device = api_device;
  api_ok(msk_model_plan(&plan, path, &options, &error), &error);
  /* the networks have gone from one to the other, in binary16 at least */
  assert_true(plan.weights < cpu_plan.weights && plan.device_weights > 2 * info.parameters);
  options.device = "no such device";
  assert_int_equal(msk_model_open(&none, path, &options, &error), MSK_ERROR_DEVICE);
}

/* Without arguments on the CPU; else on that device of OpenCL. */
int main(int argc, char **argv) {
  msk_device_info *devices = NULL;
  int count = 0;
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_tiny), cmocka_unit_test(test_odd),
                                     cmocka_unit_test(test_traces),
                                     cmocka_unit_test(test_research)};
  const struct CMUnitTest on_device[] = {cmocka_unit_test(test_device), tests[0], tests[1],
                                         tests[2], tests[3]};
  if (argc < 2) return cmocka_run_group_tests(tests, setup, tear_down_folder);
  api_device = argv[1];
  if (msk_device_list(&devices, &count, NULL, NULL) != MSK_OK || count == 0) {
    printf("skipped: no device of OpenCL here\n");
    return 77;
  }
  msk_free(NULL, devices);
  return cmocka_run_group_tests_name("golden cases by OpenCL", on_device, setup, tear_down_folder);
}
