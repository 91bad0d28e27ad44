/* SPDX-License-Identifier: Apache-2.0
 *
 * test_clip_score.c - `masksketch score` from outside: the terms against torch's cosines,
 * weights, order, and every mistake. */
#include <jansson.h>
#include <math.h>

#include "../cli/cli_run.h"
#include "clip_files.h"

static char *folder;

static int setup(void **state) {
  folder = test_make_folder();
  clip_write(folder, "config.json");
  return set_up_models(state);
}

static int teardown(void **state) {
  test_remove_folder(folder);
  return tear_down_folder(state);
}

#define FIRST "tests/golden/clip/preprocess/pp0_gradient_256x256.png"
#define SECOND "tests/golden/clip/preprocess/pp1_shapes_300x200.png"
#define THIRD "tests/golden/clip/preprocess/pp2_noise_57x91.png"

static double term(const json_t *rows, size_t index, const char *key) {
  const json_t *value = json_object_get(json_array_get(rows, index), key);
  return json_is_null(value) ? NAN : json_number_value(value);
}

/* Prompts 0 and 1 of the golden cosines are photos of a songbird and of a dog. */
static void test_terms(void **state) {
  (void)state;
  golden_array cosine = golden_load(golden_path("clip/embeddings/cosine.npy"));
  const float *golden = cosine.data;
  static const char *const files[] = {FIRST, SECOND, THIRD};
  run_result result =
      RUN("score", FIRST, SECOND, THIRD, "--class", "dog", "--clip", folder, "--json");
  assert_int_equal(result.code, 0);
  json_t *rows = json_loads(result.out, 0, NULL);
  assert_int_equal(json_array_size(rows), 3);
  for (size_t i = 0; i < 3; i++) {
    const char *file = json_string_value(json_object_get(json_array_get(rows, i), "file"));
    size_t picture = 0;
    while (strcmp(files[picture], file) != 0) picture++;
    assert_true(fabs(term(rows, i, "text") - (double)golden[picture * 10 + 1]) < 2e-5);
    assert_true(fabs(term(rows, i, "score") - term(rows, i, "text")) < 1e-12);
    assert_true(isnan(term(rows, i, "sketch")));
    if (i > 0) assert_true(term(rows, i, "score") <= term(rows, i - 1, "score"));
  }
  json_decref(rows);
  run_free(&result);
  golden_free(&cosine);
}

static void test_weights(void **state) {
  (void)state;
  run_result result = RUN("score", FIRST, SECOND, "--text", "a {class}, a {class}", "--class",
                          "dog", "--sketch", SECOND, "--clip", folder, "--json", "--weight-text",
                          "0.5", "--weight-sketch", "2", "--isa", "ref", "--threads", "1");
  assert_int_equal(result.code, 0);
  json_t *rows = json_loads(result.out, 0, NULL);
  assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "file")), SECOND);
  assert_true(fabs(term(rows, 0, "sketch") - 1) < 1e-6); /* the sketch itself */
  for (size_t i = 0; i < 2; i++)
    assert_true(fabs(term(rows, i, "score") - 0.5 * term(rows, i, "text") -
                     2 * term(rows, i, "sketch")) < 1e-9);
  json_decref(rows);
  run_free(&result);
  result = RUN("score", SECOND, "--sketch", SECOND, "--clip", folder);
  assert_int_equal(result.code, 0);
  assert_non_null(strstr(result.out, "score"));
  assert_non_null(strstr(result.out, "1.0000"));
  assert_null(strstr(result.out, "text"));
  run_free(&result);
}

static void test_long_text(void **state) {
  (void)state;
  char text[401];
  for (size_t i = 0; i < 200; i++) memcpy(text + 2 * i, "a ", 2);
  text[400] = 0;
  run_result result = RUN("score", FIRST, "--text", text, "--clip", folder);
  assert_int_equal(result.code, 0);
  assert_non_null(strstr(result.err, "202 tokens, of which CLIP reads 77"));
  run_free(&result);
  result = RUN("score", FIRST, "--text", text, "--clip", folder, "--quiet");
  assert_string_equal(result.err, "");
  run_free(&result);
}

static void expect(int code, const char *said, const char *const *arguments) {
  run_result result = run_program(arguments);
  if (result.code != code || strstr(result.err, said) == NULL)
    fail_msg("exit %d, %s; expected %d, %s", result.code, result.err, code, said);
  run_free(&result);
}
#define REFUSED(code, said, ...) \
  expect((code), (said), (const char *const[]){"score", __VA_ARGS__, NULL})

static void test_mistakes(void **state) {
  (void)state;
  REFUSED(2, "nothing to hold", FIRST, "--clip", folder);
  REFUSED(2, "holds {class}", FIRST, "--text", "a {class}", "--clip", folder);
  REFUSED(2, "no effect", FIRST, "--text", "a dog", "--class", "dog", "--clip", folder);
  REFUSED(2, "names, not numbers", FIRST, "--class", "3", "--clip", folder);
  REFUSED(2, "--weight-text has no effect", FIRST, "--sketch", FIRST, "--weight-text", "1",
          "--clip", folder);
  REFUSED(2, "--weight-sketch has no effect", FIRST, "--class", "dog", "--weight-sketch", "1",
          "--clip", folder);
  REFUSED(2, "a number from 0 to 100", FIRST, "--class", "dog", "--weight-text", "nan", "--clip",
          folder);
  REFUSED(2, "a number from 0 to 100", FIRST, "--class", "dog", "--weight-text", "-1", "--clip",
          folder);
  REFUSED(2, "a number from 0 to 100", FIRST, "--class", "dog", "--weight-text", "1x", "--clip",
          folder);
  REFUSED(2, "--text has no effect with --classes", FIRST, "--classes", "--text", "a dog", "--clip",
          folder);
  REFUSED(2, "--weight-sketch has no effect with --classes", FIRST, "--classes", "--weight-sketch",
          "1", "--clip", folder);
  REFUSED(2, "--model has no effect without --classes", FIRST, "--class", "dog", "--model", "x",
          "--clip", folder);
  REFUSED(2, "UTF-8", FIRST, "--text", "\xFF", "--clip", folder);
  REFUSED(3, "config.json", FIRST, "--class", "dog", "--clip", "no/such/folder");
  REFUSED(4, "OpenCL", FIRST, "--class", "dog", "--clip", folder, "--device", "no such");
  REFUSED(3, "no-such.png", "no-such.png", "--class", "dog", "--clip", folder);
  REFUSED(3, "config.json", "config.json", "--class", "dog", "--clip", "tests/golden/clip/text");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_terms), cmocka_unit_test(test_weights),
                                     cmocka_unit_test(test_long_text),
                                     cmocka_unit_test(test_mistakes)};
  return cmocka_run_group_tests(tests, setup, teardown);
}
