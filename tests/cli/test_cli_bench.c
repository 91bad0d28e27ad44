/* SPDX-License-Identifier: Apache-2.0
 *
 * test_cli_bench.c - `masksketch bench` from outside: the shape of what it tells, counts of
 * operations against formulas, shares of the peak that can be. How long anything takes is never
 * asserted. */
#include <jansson.h>
#include <math.h>
#include <stdbool.h>

#include "cli_run.h"

static void near(double found, double expected, double tolerance) {
  if (!(fabs(found - expected) <= tolerance))
    fail_msg("found %.9g, expected %.9g", found, expected);
}

static json_t *answer(const char *const *arguments) {
  json_error_t problem;
  run_result result = run_program(arguments);
  if (result.code != 0) fail_msg("exit code %d: %s", result.code, result.err);
  assert_string_equal(result.err, "");
  json_t *object = json_loads(result.out, 0, &problem);
  if (object == NULL) fail_msg("%s: %s", problem.text, result.out);
  run_free(&result);
  return object;
}
#define ANSWER(...) answer((const char *const[]){__VA_ARGS__, NULL})

static double number(const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  if (!json_is_number(value)) fail_msg("no number %s", key);
  return json_number_value(value);
}

static const json_t *measured(const json_t *object, const char *item, const char *precision) {
  const json_t *found =
      json_object_get(json_object_get(json_object_get(object, "results"), item), precision);
  if (!json_is_object(found)) fail_msg("no results.%s.%s", item, precision);
  return found;
}

/* Every figure is there and can be; convolutions count as direct, so that theirs may pass the
 * peak. */
static void check_item_in(const json_t *object, const char *item, const char *precision,
                          const char *peak, double most) {
  const json_t *one = measured(object, item, precision);
  bool has_peak = number(object, peak) > 0;
  assert_true(number(one, "ms") > 0);
  assert_true(number(one, "median_ms") >= number(one, "ms"));
  assert_true(number(one, "gflop") > 0);
  assert_true(number(one, "runs") >= 1);
  assert_int_equal(json_array_size(json_object_get(one, "all_ms")), (size_t)number(one, "runs"));
  if (has_peak && !(number(one, "share") > 0 && number(one, "share") < most))
    fail_msg("%s: share %g", item, number(one, "share"));
  if (has_peak)
    near(number(one, "gflop") / number(one, "ms") * 1e3 / number(object, peak),
         number(one, "share"), 1e-3);
}

static void check_item(const json_t *object, const char *item, double most) {
  check_item_in(object, item, "fp32", "peak_gflops", most);
}

/* Multiplications and additions of one forward pass, in 10^9, by the formula. */
static double forward_gflop(const char *model) {
  json_t *info = ANSWER("info", model, "--json");
  const json_t *s = json_object_get(info, "sizes");
  double n = number(s, "tokens"), d = number(s, "hidden"), inner = number(s, "intermediate");
  double layer =
      2 * n * d * (3 * d) + 2 * (2 * n * n * d) + 2 * n * d * d + 2 * (2 * n * d * inner);
  double head = 2 * n * d * d + 2 * n * d * number(s, "codebook_size");
  double all = number(s, "layers") * layer + head;
  json_decref(info);
  return 1e-9 * all;
}

static void test_shape(void **state) {
  (void)state;
  json_t *object = ANSWER("bench", "--size", model_of("tiny"), "--threads", "1", "--rounds", "3",
                          "--seconds", "1", "--json", "--kernels", "--precision", "fp32");
#if defined(__x86_64__)
  assert_true(number(object, "peak_int8_gops") > number(object, "peak_gflops"));
#endif
  assert_true(number(object, "memory_gbs") > 0);
  assert_string_equal(json_string_value(json_object_get(object, "device")), "cpu");
  assert_int_equal(json_array_size(json_object_get(object, "limits")), 2);
  assert_true(number(json_object_get(object, "load_ms"), "fp32") > 0);
  assert_true(number(object, "peak_memory") > 1e6);
  check_item(object, "forward", 1.5);
  check_item(object, "step", 1.5);
  check_item(object, "draw", 1.5);
  check_item(object, "encode", 6);
  check_item(object, "decode", 6);
  double forward = number(measured(object, "forward", "fp32"), "gflop"),
         step = number(measured(object, "step", "fp32"), "gflop");
  near(forward / forward_gflop(model_of("tiny")), 1, 1e-6);
  /* two rows, then the structure pass, which has no head */
  assert_true(step > 2 * forward && step <= 3 * forward);
  json_decref(object);
}

/* The parts of a pass are the pass: what is told of a step's operations adds up to what is told
 * of the step. */
static void test_kernels(void **state) {
  (void)state;
  json_t *object = ANSWER("bench", "step", "encode", "--size", model_of("tiny"), "--rounds", "1",
                          "--seconds", "1", "--json", "--kernels", "--precision", "fp32");
  double step = 0, encode = 0, step_ms = 0;
  size_t index;
  const json_t *row, *rows = json_object_get(object, "kernels");
  json_array_foreach(rows, index, row) {
    const char *pass = json_string_value(json_object_get(row, "pass"));
    bool of_step = strcmp(pass, "logits") == 0 || strcmp(pass, "score") == 0;
    if (of_step) step += number(row, "gflop"), step_ms += number(row, "ms");
    if (strcmp(pass, "encode") == 0) encode += number(row, "gflop");
    assert_true(number(row, "calls") >= 1 && number(row, "ms") >= 0);
  }
  near(step, number(measured(object, "step", "fp32"), "gflop"), 1e-6 * step);
  near(encode, number(measured(object, "encode", "fp32"), "gflop"), 1e-6 * encode);
  /* one round: the rest is sampling */
  assert_true(step_ms <= number(measured(object, "step", "fp32"), "ms"));
  assert_null(json_object_get(json_object_get(object, "results"), "draw"));
  json_decref(object);
}

static int count_of(const char *line, char what) {
  int count = 0;
  for (; *line != 0 && *line != '\n'; line++) count += *line == what;
  return count;
}

/* The table for people who write it down: every row has the head's columns, what was not measured
 * is a dash, and nothing that was not asked for has a row. */
static void test_report(void **state) {
  (void)state;
  run_result result = RUN("bench", "step", "encode", "--size", model_of("tiny"), "--rounds", "1",
                          "--seconds", "1", "--report", "--precision", "fp32", "--threads", "1");
  if (result.code != 0) fail_msg("exit code %d: %s", result.code, result.err);
  assert_non_null(strstr(result.out, ", 1 thread, kernels `"));
  int rows = 0;
  for (const char *line = strstr(result.out, "\n| "); line != NULL;
       line = strstr(line + 1, "\n| ")) {
    assert_int_equal(count_of(line + 1, '|'), 6);
    rows++;
  }
  assert_int_equal(rows, 5); /* the head, two that were asked for, opening, a session */
  const char *step = strstr(result.out, "\n| step | ");
  assert_non_null(step);
  double least = atof(step + 10), median = atof(strchr(step + 10, '(') + 1);
  assert_true(least > 0 && median >= least);
  assert_null(strstr(result.out, "| draw"));
  run_free(&result);
}

/* A step of training: its parts are the whole; forward and backward are at most three times a
 * forward pass of all sequences, and more than twice, for the head sees masked rows alone. */
static void test_train(void **state) {
  (void)state;
  json_t *object = ANSWER("bench", "train", "--size", model_of("tiny"), "--rounds", "2",
                          "--seconds", "1", "--batch", "4", "--json", "--kernels");
  double all = 0, passes = 0, narrow = 0;
  size_t index;
  const json_t *row, *rows = json_object_get(object, "kernels");
  json_array_foreach(rows, index, row) {
    assert_string_equal(json_string_value(json_object_get(row, "pass")), "train");
    if (strcmp(json_string_value(json_object_get(row, "precision")), "bf16") == 0) {
      narrow += number(row, "gflop");
      continue;
    }
    all += number(row, "gflop");
    if (strcmp(json_string_value(json_object_get(row, "name")), "newton-schulz") != 0)
      passes += number(row, "gflop");
  }
  check_item(object, "train", 1.5);
  near(all, number(measured(object, "train", "fp32"), "gflop"), 1e-6 * all);
  /* the same work where the machine has instructions for it */
  bool has_bf16 = number(object, "peak_bf16_gflops") > 0;
  near(narrow, has_bf16 ? all : 0, 1e-6 * all);
  if (has_bf16) check_item_in(object, "train", "bf16", "peak_bf16_gflops", 1.5);
  double forward = 4 * forward_gflop(model_of("tiny"));
  assert_true(passes > 2 * forward && passes < 3 * forward);
  assert_null(json_object_get(measured(object, "train", "fp32"), "recipe"));
  assert_null(json_object_get(json_object_get(object, "results"), "step"));
  json_decref(object);
}

/* In how many kinds of operations of decoding 8 bits are used, by `choice` of --decode-precision
 * (NULL: not given). */
static int decoded_in_int8(const char *precision, const char *choice) {
  json_t *object =
      choice == NULL
          ? ANSWER("bench", "decode", "--size", model_of("tiny"), "--rounds", "1", "--seconds", "1",
                   "--json", "--kernels", "--isa", "ref", "--precision", precision)
          : ANSWER("bench", "decode", "--size", model_of("tiny"), "--rounds", "1", "--seconds", "1",
                   "--json", "--kernels", "--isa", "ref", "--precision", precision,
                   "--decode-precision", choice);
  int found = 0;
  size_t index;
  const json_t *row, *rows = json_object_get(object, "kernels");
  json_array_foreach(rows, index, row) {
    const char *pass = json_string_value(json_object_get(row, "pass")),
               *name = json_string_value(json_object_get(row, "name"));
    if (strstr(name, ", int8") == NULL) continue;
    assert_string_equal(pass, "decode");
    found++;
  }
  assert_true(number(measured(object, "decode", precision), "ms") > 0);
  json_decref(object);
  return found;
}

static void test_decode_precision(void **state) {
  (void)state;
  assert_int_equal(decoded_in_int8("fp32", NULL), 0);
  assert_int_equal(decoded_in_int8("int8", "fp32"), 0);
  assert_true(decoded_in_int8("int8", NULL) > 0);
  assert_true(decoded_in_int8("fp32", "int8") > 0);
}

static void test_table(void **state) {
  (void)state;
  run_result result = RUN("bench", "forward", "--size", model_of("tiny"), "--rounds", "1",
                          "--seconds", "1", "--quiet");
  assert_int_equal(result.code, 0);
  assert_non_null(strstr(result.out, "forward"));
  assert_non_null(strstr(result.out, "peak, 1 thread"));
  assert_null(strstr(result.out, "decode"));
  run_free(&result);
}

static void test_against(void **state) {
  (void)state;
  const char *program = getenv("MASKSKETCH_PROGRAM");
  json_t *object =
      ANSWER("bench", "forward", "encode", "--size", model_of("tiny"), "--against", program,
             "--rounds", "1", "--seconds", "1", "--json", "--precision", "fp32");
  const json_t *forward = measured(object, "forward", "fp32");
  assert_true(number(forward, "ms") > 0 && number(forward, "other_ms") > 0);
  near(number(forward, "other_ms") / number(forward, "ms"), number(forward, "ratio"), 1e-3);
  assert_true(number(measured(object, "encode", "fp32"), "ratio") > 0);
  json_decref(object);
}

static void refuse(int line, int code, const char *part, const char *const *arguments) {
  run_result result = run_program(arguments);
  if (result.code != code || strstr(result.err, part) == NULL)
    fail_msg("line %d: exit code %d: %s", line, result.code, result.err);
  assert_string_equal(result.out, "");
  run_free(&result);
}
#define REFUSE(code, part, ...) \
  refuse(__LINE__, (code), (part), (const char *const[]){__VA_ARGS__, NULL})

static void test_refusals(void **state) {
  (void)state;
  char tiny[4096]; /* the test folder's paths lie in buffers that are used again */
  snprintf(tiny, sizeof tiny, "%s", model_of("tiny"));
  REFUSE(2, "expected any of forward", "bench", "backward", "--size", tiny);
  REFUSE(2, "--rounds", "bench", "--rounds", "0");
  REFUSE(2, "--seconds", "bench", "--seconds", "-1");
  REFUSE(2, "--recipe has no effect", "bench", "step", "--recipe", "balanced", "--size", tiny);
  REFUSE(2, "balanced", "bench", "draw", "--recipe", "ludicrous", "--size", tiny);
  REFUSE(2, "contradict", "bench", "--report", "--json", "--size", tiny);
  REFUSE(2, "contradict", "bench", "--kernels", "--against", "/bin/true", "--size", tiny);
  REFUSE(2, "--batch has no effect", "bench", "step", "--batch", "8", "--size", tiny);
  REFUSE(2, "--batch", "bench", "train", "--batch", "0", "--size", tiny);
  REFUSE(2, "training is the processor's", "bench", "train", "--device", "gpu", "--size", tiny);
  REFUSE(2, "--kernels", "bench", "step", "--device", "1", "--kernels", "--size", tiny);
  REFUSE(4, "OpenCL", "bench", "step", "--device", "no-such-device", "--size", tiny);
  REFUSE(2, "--output keeps", "bench", "--size", tiny, "-o", in_folder("never.safetensors"));
  REFUSE(2, "standard output", "bench", "-o", "-");
  REFUSE(3, "no model", "bench", "--size", in_folder("missing.safetensors"));
  REFUSE(3, "another build", "bench", "forward", "--size", tiny, "--against", in_folder("missing"));
  REFUSE(3, "did not answer", "bench", "forward", "--size", tiny, "--against", "/bin/true");
  assert_false(exists(in_folder("never.safetensors")));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_shape),
      cmocka_unit_test(test_report),
      cmocka_unit_test(test_kernels),
      cmocka_unit_test(test_train),
      cmocka_unit_test(test_decode_precision),
      cmocka_unit_test(test_table),
      cmocka_unit_test(test_against),
      cmocka_unit_test(test_refusals),
  };
  return cmocka_run_group_tests_name("cli bench", tests, set_up_models, tear_down_folder);
}
