/* SPDX-License-Identifier: Apache-2.0
 *
 * test_device_faults.c - a GPU that fails in the middle of a picture: calls to the driver fail in
 * turn, from opening a session to its first picture, and the CPU goes on with the same picture and
 * one line, or the request ends with MSK_ERROR_DEVICE where the GPU alone is wanted. Skipped where
 * there is no OpenCL. */
#include "api.h"
#include "compute/opencl/gpu.h"
#include "api/spare.h"
#include "masksketch_tools.h"
#include "opencl_faults.h"

/* Of the calls of a request this many fail in turn, besides all of the first ones, which open the
 * session. */
enum { PLACES = 60, FIRST = 30, SKIPPED = 77 };

static msk_model *cpu, *gpu;
static msk_image sketch;

static int set_up(void **state) {
  char path[600];
  msk_error error;
  int failed = set_up_folder(state);
  api_convert(test_folder, "tiny", NULL);
  snprintf(path, sizeof path, "%s/tiny.safetensors", test_folder);
  cpu = api_open(path, NULL, NULL);
  api_device = "1";
  gpu = api_open(path, NULL, NULL);
  faults_real = msk_gpu_of(gpu->gpu)->cl;
  msk_gpu_of(gpu->gpu)->cl = faults_cl;
  api_ok(msk_image_load(&sketch, golden_path("tiny/input/sketch0.png"), MSK_ALPHA_SKETCH, NULL,
                        &error),
         &error);
  return failed;
}

static int tear_down(void **state) {
  msk_image_free(&sketch);
  msk_model_close(gpu);
  msk_model_close(cpu);
  return tear_down_folder(state);
}

static int refresh = 1; /* of what is asked */

static msk_request ask(void) {
  msk_request request;
  msk_error error;
  api_ok(msk_request_init(&request, gpu, MSK_JOB_DRAW, "balanced", &error), &error);
  request.picture = &sketch;
  request.class_id = 3;
  request.seed = 5;
  request.recipe.steps = 2;
  request.recipe.refresh = refresh;
  return request;
}

static void check_same(const msk_result *result, const msk_result *expected) {
  size_t n = (size_t)expected->tokens_per_item, side = (size_t)gpu->image_size;
  assert_int_equal(result->count, expected->count);
  assert_memory_equal(result->tokens, expected->tokens, n * sizeof(int32_t));
  assert_close(result->pixels, expected->pixels, side * side * 3, 2e-4);
}

/* Draws on the device, where the at-th call fails, and again with the same session: both pictures
 * are the expected one, or there is an error. */
static msk_status draw(long at, const msk_result *expected, bool *warned, msk_error *error) {
  msk_session *session = NULL;
  msk_result result;
  msk_session_options options;
  msk_session_options_init(&options);
  options.threads = 1;
  const msk_request request = ask();
  faults_calls = faults_living = 0;
  faults_at = at;
  msk_status status = msk_session_open(&session, gpu, &request, &options, error);
  if (status == MSK_OK) status = msk_run(session, &request, &result, error);
  faults_at = 0;
  const long calls = faults_calls;
  *warned = status == MSK_OK && result.warning != NULL;
  if (status == MSK_OK) {
    /* a device takes its caches along: the light step that fails is made whole */
    if (refresh == 1 || !*warned) check_same(&result, expected);
    assert_true(!*warned || strstr(result.warning, "the CPU goes on") != NULL);
    api_ok(msk_run(session, &request, &result, error), error);
    check_same(&result, expected);
    if (*warned) assert_null(result.warning); /* one line, not one a picture */
  }
  msk_session_close(session);
  assert_int_equal(faults_living, 0);
  faults_calls = calls;
  return status;
}

/* As if the model had just been opened. */
static void find_again(bool allowed) {
  gpu->spare->allowed = allowed;
  atomic_store(&gpu->spare->lost, false);
}

/* The calls for a session and its first picture, which are those that are to fail. */
static long count_calls(const msk_result *expected) {
  msk_error error;
  bool warned;
  find_again(true);
  api_ok(draw(0, expected, &warned, &error), &error);
  assert_false(warned);
  return faults_calls;
}

static void check_failures(void) {
  msk_result expected;
  msk_error error;
  msk_session *session = NULL;
  bool warned;
  int fallen = 0, refused = 0;
  const msk_request request = ask();
  api_ok(msk_session_open(&session, cpu, &request, NULL, &error), &error);
  api_ok(msk_run(session, &request, &expected, &error), &error);
  const long calls = count_calls(&expected), stride = calls / PLACES + 1;
  for (long at = 1; at <= calls; at += at < FIRST ? 1 : stride) {
    find_again(true);
    api_ok(draw(at, &expected, &warned, &error), &error);
    msk_model_info info;
    msk_model_get_info(gpu, &info);
    /* only where something is given back does a failure cost nothing */
    assert_int_equal(strcmp(info.device, "cpu") == 0, atomic_load(&gpu->spare->lost));
    fallen += warned;
    find_again(false);
    error.message[0] = 0;
    msk_status status = draw(at, &expected, &warned, &error);
    assert_true(status == MSK_OK || status == MSK_ERROR_DEVICE);
    assert_false(warned);
    if (status == MSK_ERROR_DEVICE) assert_non_null(strstr(error.message, "failed in"));
    refused += status == MSK_ERROR_DEVICE;
  }
  printf("%ld calls; %d pictures finished by the CPU, %d refused\n", calls, fallen, refused);
  assert_true(fallen > PLACES / 3 && refused > PLACES / 3);
  msk_session_close(session);
}

static void test_failures(void **state) {
  (void)state;
  check_failures();
}

static void test_light_failures(void **state) {
  (void)state;
  refresh = 2;
  check_failures();
  refresh = 1;
}

static size_t most_bytes;
static msk_cl_memory create_limited(msk_cl_context context, uint64_t flags, size_t bytes,
                                    void *host, int32_t *code) {
  if (bytes <= most_bytes) return faults_cl.CreateBuffer(context, flags, bytes, host, code);
  *code = MSK_CL_MEM_OBJECT_ALLOCATION_FAILURE;
  return NULL;
}

/* What is planned is what is taken: a device that has so much will do, and one that has a byte less
 * will not; then the CPU draws, or the message says what would help. */
static void test_little_memory(void **state) {
  msk_result expected, result;
  msk_error error;
  msk_session *session = NULL, *expected_session = NULL;
  msk_session_options options;
  (void)state;
  const msk_request request = ask();
  msk_session_options_init(&options);
  options.threads = 1;
  find_again(true);
  api_ok(msk_session_open(&expected_session, cpu, &request, &options, &error), &error);
  api_ok(msk_run(expected_session, &request, &expected, &error), &error);
  api_ok(msk_session_device_bytes(&most_bytes, gpu, &request, &options, &error), &error);
  msk_gpu_of(gpu->gpu)->cl.CreateBuffer = create_limited;
  for (int missing = 0; missing < 2; missing++, most_bytes--) {
    find_again(true);
    api_ok(msk_session_open(&session, gpu, &request, &options, &error), &error);
    api_ok(msk_run(session, &request, &result, &error), &error);
    check_same(&result, &expected);
    assert_int_equal(result.warning != NULL, missing);
    assert_int_equal(atomic_load(&gpu->spare->lost), missing);
    msk_session_close(session);
  }
  find_again(false);
  assert_int_equal(msk_session_open(&session, gpu, &request, &options, &error), MSK_ERROR_DEVICE);
  assert_non_null(strstr(error.message, "fewer pictures"));
  msk_gpu_of(gpu->gpu)->cl.CreateBuffer = faults_cl.CreateBuffer;
  msk_session_close(expected_session);
}

/* A picture's tokens and pixels by themselves: any call may fail, of the first and of the last. */
static void test_tokenizer_falls(void **state) {
  msk_session *session = NULL;
  msk_error error;
  const msk_request request = ask();
  int32_t *expected = NULL, *tokens = NULL;
  float *pixels = NULL, *expected_pixels = NULL;
  int rows, columns, width, height;
  (void)state;
  api_ok(msk_session_open(&session, cpu, &request, NULL, &error), &error);
  api_ok(msk_tokenize(session, &sketch, &expected, NULL, &rows, &columns, &error), &error);
  api_ok(
      msk_detokenize(session, expected, rows, columns, &expected_pixels, &width, &height, &error),
      &error);
  msk_session_close(session);
  find_again(true);
  api_ok(msk_session_open(&session, gpu, &request, NULL, &error), &error);
  for (long at = 5; at < 400; at += 131) {
    size_t count = (size_t)rows * (size_t)columns;
    find_again(true);
    faults_calls = 0;
    faults_at = at;
    api_ok(msk_tokenize(session, &sketch, &tokens, NULL, &rows, &columns, &error), &error);
    assert_true(atomic_load(&gpu->spare->lost));
    assert_memory_equal(tokens, expected, count * sizeof *tokens);
    find_again(true);
    faults_calls = 0;
    api_ok(msk_detokenize(session, tokens, rows, columns, &pixels, &width, &height, &error),
           &error);
    faults_at = 0;
    /* the very kernels of the CPU */
    assert_true(atomic_load(&gpu->spare->lost));
    assert_memory_equal(pixels, expected_pixels, (size_t)(width * height * 3) * sizeof *pixels);
    msk_free(NULL, tokens);
    msk_free(NULL, pixels);
  }
  msk_session_close(session);
  msk_free(NULL, expected);
  msk_free(NULL, expected_pixels);
}

/* Attention and logits by themselves. */
static void test_research_falls(void **state) {
  msk_session *session = NULL, *expected_session = NULL;
  msk_error error;
  int32_t sequence[65] = {0};
  float *logits = NULL, *expected = NULL;
  (void)state;
  for (int i = 1; i < 65; i++) sequence[i] = i % 7;
  const msk_request request = ask();
  find_again(true);
  api_ok(msk_session_open(&session, gpu, &request, NULL, &error), &error);
  api_ok(msk_session_open(&expected_session, cpu, &request, NULL, &error), &error);
  sequence[0] = gpu->codes + 3;
  faults_calls = 0;
  faults_at = 40;
  api_ok(msk_logits(session, sequence, &logits, &error), &error);
  faults_at = 0;
  assert_true(atomic_load(&gpu->spare->lost));
  api_ok(msk_logits(expected_session, sequence, &expected, &error), &error);
  /* the very kernels of the CPU */
  assert_memory_equal(logits, expected,
                      (size_t)gpu->positions * (size_t)gpu->codes * sizeof *logits);
  msk_free(NULL, logits);
  msk_free(NULL, expected);
  msk_session_close(session);
  msk_session_close(expected_session);
}

int main(void) {
  msk_device_info *devices = NULL;
  int count = 0;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_failures), cmocka_unit_test(test_light_failures),
      cmocka_unit_test(test_little_memory), cmocka_unit_test(test_tokenizer_falls),
      cmocka_unit_test(test_research_falls)};
  if (msk_device_list(&devices, &count, NULL, NULL) != MSK_OK || count == 0) {
    printf("skipped: no device of OpenCL here\n");
    return SKIPPED;
  }
  msk_free(NULL, devices);
  return cmocka_run_group_tests_name("devices that fail", tests, set_up, tear_down);
}
