/* SPDX-License-Identifier: Apache-2.0
 *
 * test_example.c - docs/example.c, built against the public header alone, draws a picture; and
 * says what is wrong when it cannot. The program's path is the first argument. */
#include "api.h"

static const char *program;
static char *folder;

static int run_example(const char *class_name, const char *output) {
  char command[2000];
  snprintf(
      command, sizeof command,
      "'%s' '%s/tiny.safetensors' tests/golden/tiny/input/sketch0.png '%s' '%s/%s' 2> '%s/said'",
      program, folder, class_name, folder, output, folder);
  return system(command);
}

static void test_draws(void **state) {
  (void)state;
  char path[600];
  folder = test_make_folder();
  api_convert(folder, "tiny", NULL);
  assert_int_equal(run_example("3", "photo.png"), 0);
  snprintf(path, sizeof path, "%s/photo.png", folder);
  msk_image photo = api_load(path);
  assert_int_equal(photo.width, 128);
  assert_int_equal(photo.height, 128);
  msk_image_free(&photo);
  assert_int_not_equal(run_example("no such class", "none.png"), 0);
  snprintf(path, sizeof path, "%s/said", folder);
  size_t bytes;
  char *said = (char *)test_read_file(path, &bytes);
  assert_non_null(strstr(said, "no such class"));
  free(said);
  test_remove_folder(folder);
}

int main(int count, char **argument) {
  if (count != 2) return 2;
  program = argument[1];
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_draws)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
