/* SPDX-License-Identifier: Apache-2.0
 *
 * test_int8_device.c - a model in int8 on a device of OpenCL: its logits lie by the CPU's in int8,
 * much nearer than int8 to float32; the same from a file that is stored so, to the bit; its memory;
 * and what "auto" does. Skipped where there is no OpenCL. */
#include <math.h>
#include <stdbool.h>

#include "api.h"
#include "masksketch_tools.h"

enum { SKIPPED = 77, SEQUENCES = 6 };

static char plain[600], coded[600];

static int set_up(void **state) {
  msk_convert_options options;
  msk_error error;
  int failed = set_up_folder(state);
  snprintf(plain, sizeof plain, "%s", api_convert(test_folder, "tiny", NULL));
  snprintf(coded, sizeof coded, "%s/coded", test_folder);
  msk_convert_options_init(&options);
  options.tokenizer_path = options.transformer_path = plain;
  options.output_path = coded;
  options.int8 = 1;
  api_ok(msk_convert(&options, &error), &error);
  return failed;
}

static msk_model *open_model(const char *path, const char *device, msk_precision precision) {
  msk_model *model = NULL;
  msk_error error;
  msk_model_options options;
  msk_model_options_init(&options);
  options.isa = "ref"; /* 8-bit weights reach 127 there, as on the device */
  options.device = device;
  options.precision = precision;
  options.threads = 1;
  api_ok(msk_model_open(&model, path, &options, &error), &error);
  return model;
}

/* Of sequences with more and more of their tokens masked, one behind the other. */
static float *find_logits(const msk_model *model, size_t *count) {
  msk_request request;
  msk_error error;
  msk_model_info info;
  uint64_t seed = 3;
  msk_model_get_info(model, &info);
  api_ok(msk_request_init(&request, model, MSK_JOB_GENERATE, "balanced", &error), &error);
  msk_session *session = api_session(model, &request, 1);
  const size_t n = (size_t)info.tokens, each = n * (size_t)info.codebook_size;
  float *all = malloc(SEQUENCES * each * sizeof *all);
  int32_t *sequence = malloc(n * sizeof *sequence);
  for (size_t s = 0; s < SEQUENCES; s++) {
    float *logits = NULL;
    sequence[0] = info.codebook_size + (int32_t)s;
    for (size_t i = 1; i < n; i++) {
      const bool masked = test_random(&seed) % SEQUENCES < s;
      sequence[i] = masked ? -1 : (int32_t)(test_random(&seed) % (uint64_t)info.codebook_size);
    }
    api_ok(msk_logits(session, sequence, &logits, &error), &error);
    memcpy(all + s * each, logits, each * sizeof *all);
    msk_free(NULL, logits);
  }
  free(sequence);
  msk_session_close(session);
  *count = SEQUENCES * each;
  return all;
}

static double distance(const float *a, const float *b, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
  return sqrt(sum / (double)count);
}

static float *logits_of(const char *path, const char *device, msk_precision precision,
                        size_t *count) {
  msk_model_info info;
  msk_model *model = open_model(path, device, precision);
  float *logits = find_logits(model, count);
  msk_model_get_info(model, &info);
  assert_int_equal(info.precision,
                   precision == MSK_PRECISION_OF_FILE ? MSK_PRECISION_INT8 : precision);
  assert_int_equal(strcmp(info.device, "cpu") == 0, device == NULL);
  assert_null(msk_model_warning(model));
  msk_model_close(model);
  return logits;
}

/* A value on the edge of two codes rounds to either where a layer norm differs in its last bit; so
 * does one kernel set of the CPU beside another. What follows differs by some steps of the codes,
 * less than int8 does from float32; and its error is that of int8, not a larger one. */
static void test_logits(void **state) {
  size_t count = 0;
  float *exact = logits_of(plain, NULL, MSK_PRECISION_FP32, &count),
        *cpu = logits_of(plain, NULL, MSK_PRECISION_INT8, &count),
        *gpu = logits_of(plain, "1", MSK_PRECISION_INT8, &count),
        *stored = logits_of(coded, "1", MSK_PRECISION_OF_FILE, &count);
  const double step = distance(cpu, exact, count), own = distance(gpu, cpu, count),
               error = distance(gpu, exact, count);
  (void)state;
  printf("from float32: int8 %.3g, the device's %.3g; between them %.3g\n", step, error, own);
  assert_true(own < step && error < 1.1 * step);
  assert_memory_equal(gpu, stored, count * sizeof *gpu);
  free(exact), free(cpu), free(gpu), free(stored);
}

static void test_memory(void **state) {
  static const msk_precision precisions[] = {MSK_PRECISION_FP32, MSK_PRECISION_INT8};
  msk_memory_plan plans[2];
  msk_error error;
  (void)state;
  for (int i = 0; i < 2; i++) {
    msk_model_options options;
    msk_model_options_init(&options);
    options.device = "1";
    options.precision = precisions[i];
    api_ok(msk_model_plan(&plans[i], plain, &options, &error), &error);
  }
  assert_true(plans[1].device_weights < plans[0].device_weights);
}

/* What it compares is float32. */
static void test_auto(void **state) {
  msk_model_info info;
  msk_model *model = open_model(plain, "auto", MSK_PRECISION_INT8);
  (void)state;
  msk_model_get_info(model, &info);
  assert_string_equal(info.device, "cpu");
  assert_int_equal(info.precision, MSK_PRECISION_INT8);
  msk_model_close(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_logits), cmocka_unit_test(test_memory),
                                     cmocka_unit_test(test_auto)};
  msk_device_info *devices = NULL;
  msk_error error;
  int count = 0;
  const bool has = msk_device_list(&devices, &count, NULL, &error) == MSK_OK && count > 0;
  msk_free(NULL, devices);
  if (!has) {
    printf("skipped: no device of OpenCL here\n");
    return SKIPPED;
  }
  return cmocka_run_group_tests(tests, set_up, tear_down_folder);
}
