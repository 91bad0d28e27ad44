/* SPDX-License-Identifier: Apache-2.0
 *
 * test_file.c - files are written whole or not at all, read with a limit, mapped; nothing is
 * left behind after any failure. */
#include "base/file.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "masksketch_tools.h"
#include "support.h"

static int entries(const char *folder) {
  DIR *directory = opendir(folder);
  assert_non_null(directory);
  int count = 0;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
    count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
  closedir(directory);
  return count;
}

static const char *inside(const char *folder, const char *name) {
  static char paths[4][700];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%.400s", folder, name);
  return path;
}

static void assert_holds(const char *path, const char *text) {
  size_t bytes;
  uint8_t *data = test_read_file(path, &bytes);
  assert_int_equal(bytes, strlen(text));
  assert_memory_equal(data, text, bytes);
  free(data);
}

static void written_and_replaced(void **state) {
  (void)state;
  char *folder = test_make_folder();
  msk_error error;
  assert_int_equal(msk_file_write(inside(folder, "a"), "first", 5, &error), MSK_OK);
  assert_holds(inside(folder, "a"), "first");
  assert_int_equal(chmod(inside(folder, "a"), 0640), 0);
  assert_int_equal(msk_file_write(inside(folder, "a"), "", 0, &error), MSK_OK);
  assert_holds(inside(folder, "a"), "");
  struct stat info;
  assert_int_equal(stat(inside(folder, "a"), &info), 0);
  assert_int_equal(info.st_mode & 0777, 0640);
  assert_int_equal(symlink("a", inside(folder, "link")), 0);
  assert_int_equal(msk_file_write(inside(folder, "link"), "through", 7, &error), MSK_OK);
  assert_holds(inside(folder, "a"), "through");
  assert_int_equal(lstat(inside(folder, "link"), &info), 0);
  assert_true(S_ISLNK(info.st_mode));
  assert_int_equal(entries(folder), 2);
  test_remove_folder(folder);
}

static void refused_outputs(void **state) {
  (void)state;
  char *folder = test_make_folder();
  char long_name[5000];
  msk_error error;
  memset(long_name, 'x', sizeof long_name - 1);
  long_name[sizeof long_name - 1] = 0;
  long_name[300] = 0;
  const char *paths[] = {"", folder, inside(folder, "missing/a"), inside(folder, "sub/"),
                         inside(folder, long_name)};
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
    assert_int_equal(msk_file_write(paths[i], "x", 1, &error), MSK_ERROR_OUTPUT);
    assert_true(strlen(error.message) > 10 && strchr(error.message, '\n') == NULL);
  }
  long_name[300] = 'x';
  assert_int_equal(msk_file_write(long_name, "x", 1, &error), MSK_ERROR_OUTPUT);
  assert_int_equal(entries(folder), 0);
  if (access("/dev/full", W_OK) == 0)
    assert_int_equal(msk_file_write("/dev/full", "x", 1, &error), MSK_ERROR_OUTPUT);
  assert_int_equal(msk_file_write("/dev/null", "x", 1, &error), MSK_OK);
  struct stat info;
  assert_int_equal(stat("/dev/null", &info), 0);
  assert_true(S_ISCHR(info.st_mode)); /* still the device, not a file in its place */
  test_remove_folder(folder);
}

/* A full disk, played by the file size limit: the old file stays, no temporary file does. */
static void full_disk_keeps_the_old_file(void **state) {
  (void)state;
  char *folder = test_make_folder();
  msk_error error;
  uint8_t *much = calloc(1, 1 << 20);
  struct rlimit before, small;
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(msk_file_write(inside(folder, "a"), "old", 3, &error), MSK_OK);
  getrlimit(RLIMIT_FSIZE, &before);
  small = before;
  small.rlim_cur = 70000;
  setrlimit(RLIMIT_FSIZE, &small);
  msk_status replacing = msk_file_write(inside(folder, "a"), much, 1 << 20, &error),
             fresh = msk_file_write(inside(folder, "b"), much, 1 << 20, NULL);
  setrlimit(RLIMIT_FSIZE, &before);
  assert_int_equal(replacing, MSK_ERROR_OUTPUT);
  assert_int_equal(fresh, MSK_ERROR_OUTPUT);
  assert_holds(inside(folder, "a"), "old");
  assert_int_equal(entries(folder), 1);
  free(much);
  test_remove_folder(folder);
}

static void discarded_leaves_nothing(void **state) {
  (void)state;
  char *folder = test_make_folder();
  msk_file_writer writer;
  assert_int_equal(msk_file_writer_begin(&writer, inside(folder, "a"), NULL), MSK_OK);
  assert_int_equal(msk_file_writer_write(&writer, "half", 4, NULL), MSK_OK);
  assert_int_equal(access(inside(folder, "a"), F_OK), -1);
  msk_file_writer_discard(&writer);
  msk_file_writer_discard(&writer);
  assert_int_equal(entries(folder), 0);
  test_remove_folder(folder);
}

static void read_with_a_limit(void **state) {
  (void)state;
  char *folder = test_make_folder();
  msk_error error;
  void *bytes = NULL;
  size_t count = 77;
  counting_allocator counting;
  counting_allocator_init(&counting);
  assert_int_equal(msk_file_write(inside(folder, "a"), "12345", 5, &error), MSK_OK);
  assert_int_equal(
      msk_file_read(inside(folder, "a"), 4, &bytes, &count, &counting.allocator, &error),
      MSK_ERROR_FILE);
  assert_null(bytes);
  assert_int_equal(count, 77);
  assert_int_equal(counting.calls, 0);
  assert_int_equal(
      msk_file_read(inside(folder, "a"), 5, &bytes, &count, &counting.allocator, &error), MSK_OK);
  assert_int_equal(count, 5);
  assert_memory_equal(bytes, "12345", 5);
  msk_free(&counting.allocator, bytes);
  counting.fail_at = counting.calls + 1;
  assert_int_equal(
      msk_file_read(inside(folder, "a"), 5, &bytes, &count, &counting.allocator, &error),
      MSK_ERROR_MEMORY);
  assert_int_equal(counting.live, 0);
  assert_int_equal(msk_file_read(folder, 5, &bytes, &count, NULL, &error), MSK_ERROR_FILE);
  assert_int_equal(msk_file_read(inside(folder, "none"), 5, &bytes, &count, NULL, &error),
                   MSK_ERROR_FILE);
  assert_int_equal(mkfifo(inside(folder, "pipe"), 0600), 0);
  assert_int_equal(msk_file_read(inside(folder, "pipe"), 5, &bytes, &count, NULL, &error),
                   MSK_ERROR_FILE); /* and does not wait for a writer */
  test_remove_folder(folder);
}

static void mapped(void **state) {
  (void)state;
  char *folder = test_make_folder();
  msk_mapping mapping = {(const uint8_t *)"", 9};
  msk_error error;
  assert_int_equal(msk_file_write(inside(folder, "a"), "12345", 5, &error), MSK_OK);
  assert_int_equal(msk_map_file(&mapping, inside(folder, "a"), &error), MSK_OK);
  assert_int_equal(mapping.byte_count, 5);
  assert_memory_equal(mapping.bytes, "12345", 5);
  msk_unmap_file(&mapping);
  assert_int_equal(msk_file_write(inside(folder, "empty"), "", 0, &error), MSK_OK);
  assert_int_equal(msk_map_file(&mapping, inside(folder, "empty"), &error), MSK_OK);
  assert_null(mapping.bytes);
  assert_int_equal(mapping.byte_count, 0);
  msk_unmap_file(&mapping);
  assert_int_equal(msk_map_file(&mapping, folder, &error), MSK_ERROR_FILE);
  assert_int_equal(msk_map_file(&mapping, inside(folder, "none"), &error), MSK_ERROR_FILE);
  test_remove_folder(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(written_and_replaced),
      cmocka_unit_test(refused_outputs),
      cmocka_unit_test(full_disk_keeps_the_old_file),
      cmocka_unit_test(discarded_leaves_nothing),
      cmocka_unit_test(read_with_a_limit),
      cmocka_unit_test(mapped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
