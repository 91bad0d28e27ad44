/* SPDX-License-Identifier: Apache-2.0
 *
 * test_cli_bench_official.c - `masksketch bench` at the official sizes: the random model has the
 * published networks' sizes, and costs what they cost. Takes some 10 seconds and 2 GB. */
#include <jansson.h>
#include <math.h>

#include "base/sha256.h"
#include "cli_run.h"

static void near(double found, double expected, double tolerance) {
  if (!(fabs(found - expected) <= tolerance))
    fail_msg("found %.9g, expected %.9g", found, expected);
}

static json_t *answer(const char *const *arguments) {
  run_result result = run_program(arguments);
  if (result.code != 0) fail_msg("exit code %d: %s", result.code, result.err);
  json_t *object = json_loads(result.out, 0, NULL);
  assert_non_null(object);
  run_free(&result);
  return object;
}
#define ANSWER(...) answer((const char *const[]){__VA_ARGS__, NULL})

static double gflop(const json_t *object, const char *item) {
  const json_t *one =
      json_object_get(json_object_get(json_object_get(object, "results"), item), "fp32");
  return json_number_value(json_object_get(one, "gflop"));
}

/* SHA-256 of what follows a safetensors file's header. */
static void hash_of_data(const char *path, char text[65]) {
  FILE *file = fopen(path, "rb");
  uint64_t length = 0;
  static uint8_t bytes[1 << 16];
  assert_non_null(file);
  assert_int_equal(fread(&length, sizeof length, 1, file), 1);
  assert_int_equal(fseek(file, (long)length, SEEK_CUR), 0);
  msk_sha256 hash;
  msk_sha256_begin(&hash);
  for (size_t count; (count = fread(bytes, 1, sizeof bytes, file)) > 0;)
    msk_sha256_add(&hash, bytes, count);
  msk_sha256_end(&hash, text);
  fclose(file);
}

/* docs/model.md: decoding 186.5 GFLOP, encoding 128.6; 24 layers of 87.31 / 24 GFLOP of products
 * and 4.87 / 24 of attention, the head 0.71. */
static void test_official(void **state) {
  (void)state;
  const char *model = in_folder("official.safetensors");
  json_t *object = ANSWER("bench", "forward", "encode", "decode", "--rounds", "1", "--precision",
                          "fp32", "--json", "--quiet", "-o", model);
  near(gflop(object, "forward"), 87.31 + 4.87 + 0.71, 0.02);
  near(gflop(object, "encode"), 128.6 + 0.13, 0.1); /* with the search for the nearest code */
  near(gflop(object, "decode"), 186.5, 0.1);
  json_decref(object);
  object = ANSWER("info", model, "--json");
  const json_t *sizes = json_object_get(object, "sizes");
  assert_int_equal(json_integer_value(json_object_get(sizes, "layers")), 24);
  assert_int_equal(json_integer_value(json_object_get(sizes, "hidden")), 768);
  assert_int_equal(json_integer_value(json_object_get(sizes, "classes")), 1000);
  assert_int_equal(json_integer_value(json_object_get(sizes, "image_size")), 256);
  /* adapters know a model by this */
  char hash[65];
  hash_of_data(model, hash);
  assert_string_equal(json_string_value(json_object_get(object, "hash")), hash);
  json_decref(object);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_official)};
  return cmocka_run_group_tests_name("cli bench official", tests, set_up_models, tear_down_folder);
}
