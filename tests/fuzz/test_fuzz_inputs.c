/* SPDX-License-Identifier: Apache-2.0
 *
 * test_fuzz_inputs.c - the harnesses of fuzz/ take what fuzzing begins with, as corpus.sh makes
 * it: as it is, cut at any place, and with any bytes changed. A harness aborts where the library
 * breaks a promise; the sanitizers see the rest. */
#include <dirent.h>

#include "support.h"

enum { CUTS = 6, CHANGES = 6, CHANGED_AT_ONCE = 3 };

#define HARNESSES(row)                                                                    \
  row(adapter) row(body) row(clip) row(convert) row(image) row(judge) row(model) row(npy) \
      row(spec) row(text) row(training) row(weights)

#define DECLARE(name) int fuzz_##name(const uint8_t *bytes, size_t count);
HARNESSES(DECLARE)

typedef int harness(const uint8_t *bytes, size_t count);

/* A copy of its own, so that a sanitizer sees a read behind its end. */
static void give(harness *take, const uint8_t *bytes, size_t count) {
  uint8_t *copy = malloc(count == 0 ? 1 : count);
  assert_non_null(copy);
  memcpy(copy, bytes, count);
  assert_int_equal(take(copy, count), 0);
  free(copy);
}

static void take_damaged(harness *take, uint8_t *bytes, size_t count, uint64_t *random) {
  give(take, bytes, count);
  for (int i = 0; i < CUTS; i++) give(take, bytes, test_random(random) % count);
  for (int i = 0; i < CHANGES; i++) {
    uint8_t before[CHANGED_AT_ONCE];
    size_t at = test_random(random) % count, run = count - at;
    if (run > CHANGED_AT_ONCE) run = CHANGED_AT_ONCE;
    memcpy(before, bytes + at, run);
    for (size_t j = 0; j < run; j++) bytes[at + j] = (uint8_t)test_random(random);
    give(take, bytes, count);
    memcpy(bytes + at, before, run);
  }
}

static void take_folder(harness *take, const char *name) {
  const char *path = in_folder("corpus/%s", name);
  DIR *folder = opendir(path);
  uint64_t random = 7;
  int inputs = 0;
  assert_non_null(folder);
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    size_t count = 0;
    uint8_t *bytes = test_read_file(in_folder("corpus/%s/%s", name, entry->d_name), &count);
    if (count > 0) take_damaged(take, bytes, count, &random);
    inputs += count > 0;
    free(bytes);
  }
  closedir(folder);
  assert_true(inputs > 0);
}

#define TEST(name)                        \
  static void test_##name(void **state) { \
    (void)state;                          \
    take_folder(fuzz_##name, #name);      \
  }
HARNESSES(TEST)

static int make_inputs(void **state) {
  char command[4096];
  if (set_up_folder(state) != 0) return -1;
  snprintf(command, sizeof command, "sh fuzz/corpus.sh '%s' '%s'", getenv("MASKSKETCH_PROGRAM"),
           in_folder("corpus"));
  if (system(command) != 0) return -1;
  return setenv("MSK_FUZZ_MODEL", in_folder("corpus/model.safetensors"), 1);
}

int main(void) {
#define ROW(name) cmocka_unit_test(test_##name),
  const struct CMUnitTest tests[] = {HARNESSES(ROW)};
  return cmocka_run_group_tests(tests, make_inputs, tear_down_folder);
}
