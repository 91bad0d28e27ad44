/* SPDX-License-Identifier: Apache-2.0
 *
 * test_cli_interrupts.c - the program is stopped, killed, or refused room: finished pictures
 * stay, half ones never stand under their final name. */
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli_run.h"

static const char *sketch(void) { return golden_path("tiny/input/sketch0.png"); }

static void fresh_folder(char folder[4096]) {
  strcpy(folder, in_folder("fresh-XXXXXX"));
  assert_non_null(mkdtemp(folder));
}

static int await(pid_t child) {
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Every picture under its final name is whole; returns how many there are. */
static int whole_pictures(const char *folder, int most) {
  int found = 0;
  for (int i = 1; i <= most; i++) {
    char path[4200];
    snprintf(path, sizeof path, "%s/out-%d.png", folder, i);
    if (!exists(path)) continue;
    msk_image image = {0};
    msk_error error;
    if (msk_image_load(&image, path, MSK_ALPHA_WHITE, NULL, &error) != MSK_OK)
      fail_msg("a half picture: %s", error.message);
    msk_image_free(&image);
    found++;
  }
  return found;
}

static void stop_by(int signal_number) {
  char folder[4096], out[4200], first[4200];
  fresh_folder(folder);
  snprintf(out, sizeof out, "%s/out.png", folder);
  snprintf(first, sizeof first, "%s/out-1.png", folder);
  pid_t child = START("draw", sketch(), "--class", "3", "--steps", "100", "--count", "1000", "-o",
                      out, "--tokens-out", in_folder("stopped.npy"));
  for (int i = 0; i < 6000 && !exists(first); i++) usleep(10000);
  assert_true(exists(first));
  kill(child, signal_number);
  assert_int_equal(await(child), 130);
  int pictures = whole_pictures(folder, 1000);
  assert_true(pictures >= 1 && pictures < 1000);
  assert_int_equal(count_files(folder, ""), pictures); /* no temporary file */
  assert_false(exists(in_folder("stopped.npy")));
}

static void test_stopped(void **state) {
  (void)state;
  stop_by(SIGINT);
  stop_by(SIGTERM);
}

static double seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Killed at random moments, from before the first picture to many later, on a machine of any
 * speed. */
static void test_killed(void **state) {
  (void)state;
  double before = seconds_now();
  EXPECT(0, "generate", "--class", "3", "--steps", "1", "--count", "3", "-o",
         in_folder("timed.png"), "--json");
  double three_pictures = seconds_now() - before;
  uint64_t random = 20230618;
  int finished = 0;
  for (int round = 0; round < 20; round++) {
    char folder[4096], out[4200];
    fresh_folder(folder);
    snprintf(out, sizeof out, "%s/out.png", folder);
    pid_t child =
        START("generate", "--class", "3", "--steps", "1", "--count", "200", "-o", out, "--json");
    usleep((useconds_t)(1e6 * three_pictures * (double)test_uniform(&random, 0.3f, 4)));
    kill(child, SIGKILL);
    await(child);
    finished += whole_pictures(folder, 200);
  }
  assert_true(finished > 0);
}

static void test_no_room(void **state) {
  (void)state;
  char folder[4096], out[4200];
  fresh_folder(folder);
  snprintf(out, sizeof out, "%s/out.png", folder);
  run_with.file_limit = 4000;
  EXPECT(1, "draw", sketch(), "--class", "3", "--steps", "2", "-o", out, "--quiet");
  assert_int_equal(count_files(folder, ""), 0);
  run_with.file_limit = 4000;
  EXPECT(1, "convert", "--tokenizer", golden_path("tiny/tokenizer_imagenet128_checkpoint"),
         "--transformer", golden_path("tiny/maskgit_imagenet128_checkpoint"), "-o", out);
  assert_int_equal(count_files(folder, ""), 0);
  snprintf(out, sizeof out, "%s/trace", folder);
  run_with.file_limit = 4000;
  EXPECT(1, "draw", sketch(), "--class", "3", "--steps", "2", "-o", "/dev/null", "--trace", out,
         "--quiet");
  assert_int_equal(count_files(out, ""), 0);
}

/* An older picture survives a failure to replace it. */
static void test_old_picture_stays(void **state) {
  (void)state;
  char folder[4096], out[4200];
  fresh_folder(folder);
  snprintf(out, sizeof out, "%s/out.png", folder);
  EXPECT(0, "draw", sketch(), "--class", "3", "--steps", "2", "-o", out, "--quiet");
  EXPECT(0, "draw", sketch(), "--class", "3", "--steps", "2", "-o", in_folder("copy.png"),
         "--quiet");
  run_with.file_limit = 4000;
  EXPECT(1, "draw", sketch(), "--class", "5", "--steps", "2", "-o", out, "--quiet");
  assert_true(same_bytes(out, in_folder("copy.png")));
}

static void test_full_output(void **state) {
  (void)state;
  static const char *const lines[][10] = {
      {"--help"},
      {"--version"},
      {"draw", "--help"},
      {"classes"},
      {"generate", "--class", "1", "--steps", "1", "-o", "-"},
      {"generate", "--class", "1", "--steps", "1", "-o", "/dev/null", "--json"}};
  for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
    run_with.output = "/dev/full";
    run_expect(__FILE__, __LINE__, 1, lines[i]);
    run_with.closed_output = 1;
    run_expect(__FILE__, __LINE__, 1, lines[i]);
  }
  EXPECT(1, "generate", "--class", "1", "--steps", "1", "-o", "/dev/full");
}

static void test_unwritable(void **state) {
  (void)state;
  char folder[4096], out[4200];
  fresh_folder(folder);
  snprintf(out, sizeof out, "%s/out.png", folder);
  assert_int_equal(chmod(folder, 0555), 0);
  run_with.as_nobody = 1;
  run_result result = RUN("draw", sketch(), "--class", "3", "--steps", "2", "-o", out);
  if (result.code == 126 || result.code == 127) {
    print_message("skipped: nobody may not run the program here\n");
    run_free(&result);
    skip();
  }
  assert_int_equal(result.code, 1);
  assert_non_null(strstr(result.err, "out.png"));
  assert_int_equal(chmod(folder, 0700), 0);
  assert_int_equal(count_files(folder, ""), 0);
  run_free(&result);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_stopped),     cmocka_unit_test(test_killed),
      cmocka_unit_test(test_no_room),     cmocka_unit_test(test_old_picture_stays),
      cmocka_unit_test(test_full_output), cmocka_unit_test(test_unwritable)};
  return cmocka_run_group_tests(tests, set_up_models, tear_down_folder);
}
