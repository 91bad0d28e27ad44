/* SPDX-License-Identifier: Apache-2.0
 *
 * test_eval_resume.c - an evaluation that is killed at random moments, stopped, or whose files
 * are cut, goes on and ends with the same CSV, byte for byte, as one that was left alone; no
 * finished picture is made twice. */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "eval_files.h"

enum { PICTURES = 12 };

static const char *spec(void) { return in_folder("spec.json"); }

/* The evaluation that nothing happened to. */
static int set_up_resume(void **state) {
  if (set_up_eval(state) != 0) return -1;
  write_spec("spec.json", "");
  EXPECT(0, "eval", spec(), "-o", in_folder("whole"), "--judge", golden_judge(), "--quiet");
  return 0;
}

static int await(pid_t child) {
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int lines_in(const char *path) {
  if (!exists(path)) return 0;
  char *text = read_text_file(path);
  int lines = count_lines(text);
  free(text);
  return lines;
}

static void expect_like_whole(const char *folder) {
  char other[4200];
  static const char *const names[] = {"results.csv", "summary.csv", "pictures/000000.png",
                                      "pictures/000011.png"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    snprintf(other, sizeof other, "%s/%s", folder, names[i]);
    if (!same_bytes(other, in_folder("whole/%s", names[i]))) fail_msg("%s differs", other);
  }
  snprintf(other, sizeof other, "%s/pictures", folder);
  assert_int_equal(count_files(other, ""), PICTURES); /* no temporary file is left */
}

static void test_whole(void **state) {
  (void)state;
  char *csv = read_text_file(in_folder("whole/results.csv")),
       *page = read_text_file(in_folder("whole/report.html"));
  assert_int_equal(count_lines(csv), PICTURES + 1);
  assert_string_equal(csv_field(csv, "lambda_structure", 5), "0");
  assert_string_equal(csv_field(csv, "lambda_structure", 6), "0.75");
  assert_string_equal(csv_field(csv, "sketch", 3), "b");
  assert_string_equal(csv_field(csv, "seed", 5), "7");
  assert_string_equal(csv_field(csv, "file", 11), "pictures/000011.png");
  assert_int_equal(lines_in(in_folder("whole/records.jsonl")), PICTURES);
  assert_int_equal(lines_in(in_folder("whole/summary.csv")), 3);
  assert_non_null(strstr(page, "data:image/jpeg;base64,"));
  assert_non_null(strstr(page, "<svg"));
  assert_null(strstr(page, "<script"));
  assert_null(strstr(page, "<link"));
  assert_null(strstr(page, "href="));
  assert_null(strstr(page, "url("));
  for (const char *p = page; (p = strstr(p, "http")) != NULL; p += 4)
    assert_true(strncmp(p, "http://www.w3.org/2000/svg\"", 27) == 0 ||
                strncmp(p, "http-equiv", 10) == 0);
  for (const char *p = page; (p = strstr(p, "src=\"")) != NULL; p += 5)
    assert_int_equal(strncmp(p, "src=\"data:", 10), 0);
  free(csv);
  free(page);
}

/* A picture of the grid is the picture that `draw` makes with the same words, and says how it
 * was made. */
static void test_pictures_are_draws(void **state) {
  (void)state;
  EXPECT(0, "draw", in_folder("b.png"), "--class", "ball", "--lambda", "0.75", "--steps", "2",
         "--set", "tail=0", "--seed", "1", "-o", in_folder("drawn.png"), "--quiet");
  assert_true(same_bytes(in_folder("drawn.png"), in_folder("whole/pictures/000010.png")));
  EXPECT(0, "replay", in_folder("whole/pictures/000010.png"), "-o", in_folder("replayed.png"),
         "--quiet");
  assert_true(same_bytes(in_folder("replayed.png"), in_folder("whole/pictures/000010.png")));
}

/* Under the authors' recipe too, whose pictures are read their way. */
static void test_official_is_draw(void **state) {
  (void)state;
  const char *path = write_text("official.json",
                                "{\"recipes\": \"official\", \"settings\": {\"steps\": 2}, "
                                "\"seeds\": 3, \"scores\": \"structure\", "
                                "\"sketches\": [{\"file\": \"a.png\", \"class\": \"cone\"}]}");
  EXPECT(0, "eval", path, "-o", in_folder("official"), "--quiet");
  EXPECT(0, "draw", in_folder("a.png"), "--class", "cone", "--recipe", "official", "--steps", "2",
         "--seed", "3", "-o", in_folder("authors.png"), "--quiet");
  assert_true(same_bytes(in_folder("authors.png"), in_folder("official/pictures/000000.png")));
}

static void test_progress(void **state) {
  (void)state;
  int code = 0;
  const char *path = write_text("progress.json",
                                "{\"settings\": {\"steps\": 400, \"refresh\": 1}, \"seeds\": "
                                "[0, 1, 2], \"scores\": \"structure\", \"sketches\": "
                                "[{\"file\": \"a.png\", \"class\": \"cone\"}]}");
  char *text = run_on_terminal(
      "xterm", &code, (const char *const[]){"eval", path, "-o", in_folder("progress"), NULL});
  assert_int_equal(code, 0);
  assert_non_null(strstr(text, "picture 2 of 3, "));
  assert_non_null(strstr(text, " steps/s, 0:00:"));
  assert_non_null(strstr(text, " left"));
  assert_non_null(strstr(text, "3 pictures, results.csv"));
  free(text);
}

static void test_threads(void **state) {
  (void)state;
  EXPECT(0, "eval", spec(), "-o", in_folder("threads"), "--judge", golden_judge(), "--quiet",
         "--threads", "3");
  expect_like_whole(in_folder("threads"));
}

/* Killed again and again at random moments; each time at most the picture in hand is lost, so
 * the records never shrink. */
static void test_killed(void **state) {
  (void)state;
  char folder[4096], records[4096];
  strcpy(folder, in_folder("killed"));
  strcpy(records, in_folder("killed/records.jsonl"));
  uint64_t random = 20230618;
  int kills = 0, between = 0, before = 0;
  for (int round = 0; round < 200; round++) {
    pid_t child = START("eval", spec(), "-o", folder, "--judge", golden_judge(), "--quiet");
    /* right after the next record, which is when the next picture is in hand */
    if (round % 2 == 0) {
      for (int i = 0; i < 4000 && lines_in(records) == before && waitpid(child, NULL, WNOHANG) == 0;
           i++)
        usleep(500);
    }
    usleep((useconds_t)(1e6 * (double)test_uniform(&random, 0, 0.02f)));
    if (kill(child, SIGKILL) != 0) break; /* it had come to its end */
    int status = 0;
    if (waitpid(child, &status, 0) < 0 || WIFEXITED(status)) break;
    int lines = lines_in(records);
    assert_true(lines >= before);
    between += lines > 0 && lines < PICTURES;
    before = lines;
    kills++;
    if (lines == PICTURES) break;
  }
  assert_true(kills >= 3);
  assert_true(between >= 2);
  EXPECT(0, "eval", spec(), "-o", folder, "--judge", golden_judge(), "--quiet");
  expect_like_whole(folder);
  assert_int_equal(lines_in(records), PICTURES); /* none was made twice */
}

static void copy_whole(const char *name) {
  static const char *const files[] = {"identity.json", "records.jsonl"};
  mkdir(in_folder("%s", name), 0777);
  mkdir(in_folder("%s/pictures", name), 0777);
  for (int i = 0; i < 2 + PICTURES; i++) {
    char file[40];
    if (i < 2) {
      snprintf(file, sizeof file, "%s", files[i]);
    } else {
      snprintf(file, sizeof file, "pictures/%06d.png", i - 2);
    }
    size_t bytes = 0;
    uint8_t *data = test_read_file(in_folder("whole/%s", file), &bytes);
    assert_int_equal(msk_file_write(in_folder("%s/%s", name, file), data, bytes, NULL), MSK_OK);
    free(data);
  }
}

/* The last line cut at every place: told, cut off, and its picture made again. */
static void test_half_line(void **state) {
  (void)state;
  size_t bytes = 0;
  uint8_t *records = test_read_file(in_folder("whole/records.jsonl"), &bytes);
  size_t last = bytes - 1;
  while (records[last - 1] != '\n') last--;
  const size_t cuts[] = {last + 1, last + 9, bytes - 2, bytes - 1};
  for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
    copy_whole("cut");
    assert_int_equal(truncate(in_folder("cut/records.jsonl"), (off_t)cuts[i]), 0);
    run_result result = RUN("eval", spec(), "-o", in_folder("cut"), "--judge", golden_judge());
    assert_int_equal(result.code, 0);
    assert_non_null(strstr(result.err, "half written"));
    assert_non_null(strstr(result.err, "11 of 12"));
    run_free(&result);
    expect_like_whole(in_folder("cut"));
    assert_int_equal(lines_in(in_folder("cut/records.jsonl")), PICTURES);
  }
  free(records);
}

static void test_lost_picture(void **state) {
  (void)state;
  copy_whole("lost");
  assert_int_equal(unlink(in_folder("lost/pictures/000004.png")), 0);
  EXPECT(0, "eval", spec(), "-o", in_folder("lost"), "--judge", golden_judge(), "--quiet");
  expect_like_whole(in_folder("lost"));
}

static void test_stopped(void **state) {
  (void)state;
  const char *longer = write_text("long.json",
                                  "{\"settings\": {\"steps\": 40}, \"sketches\": [{\"file\": "
                                  "\"a.png\", \"class\": \"ball\"}], \"seeds\": [%s]}",
                                  "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,"
                                  "24,25,26,27,28,29,30,31,32,33,34,35,36,37");
  pid_t child = START("eval", longer, "-o", in_folder("stopped"), "--judge", golden_judge());
  for (int i = 0; i < 20000 && lines_in(in_folder("stopped/records.jsonl")) == 0; i++) usleep(1000);
  assert_int_equal(kill(child, SIGINT), 0);
  assert_int_equal(await(child), 130);
  int lines = lines_in(in_folder("stopped/records.jsonl"));
  assert_true(lines >= 1 && lines < 38);
  assert_int_equal(count_files(in_folder("stopped/pictures"), ""), lines);
  assert_false(exists(in_folder("stopped/report.html")));
}

/* Two at once in one folder: the second is refused, the first goes on. */
static void test_two_at_once(void **state) {
  (void)state;
  pid_t child =
      START("eval", in_folder("long.json"), "-o", in_folder("twice"), "--judge", golden_judge());
  for (int i = 0; i < 20000 && lines_in(in_folder("twice/records.jsonl")) == 0; i++) usleep(1000);
  run_result second =
      RUN("eval", in_folder("long.json"), "-o", in_folder("twice"), "--judge", golden_judge());
  assert_int_equal(second.code, 1);
  assert_non_null(strstr(second.err, "another eval"));
  run_free(&second);
  assert_int_equal(kill(child, SIGTERM), 0);
  assert_int_equal(await(child), 130);
}

/* A full disk: the picture is refused, nothing half stays, and the next run goes on. */
static void test_no_room(void **state) {
  (void)state;
  copy_whole("full");
  char *records = read_text_file(in_folder("whole/records.jsonl"));
  size_t first = (size_t)(strchr(records, '\n') + 1 - records);
  free(records);
  assert_int_equal(truncate(in_folder("full/records.jsonl"), (off_t)first), 0);
  run_with.file_limit = (long)first + 20; /* no picture fits */
  EXPECT(1, "eval", spec(), "-o", in_folder("full"), "--judge", golden_judge(), "--quiet");
  assert_int_equal(lines_in(in_folder("full/records.jsonl")), 1);
  EXPECT(0, "eval", spec(), "-o", in_folder("full"), "--judge", golden_judge(), "--quiet");
  expect_like_whole(in_folder("full"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_whole),     cmocka_unit_test(test_pictures_are_draws),
      cmocka_unit_test(test_threads),   cmocka_unit_test(test_killed),
      cmocka_unit_test(test_half_line), cmocka_unit_test(test_lost_picture),
      cmocka_unit_test(test_stopped),   cmocka_unit_test(test_two_at_once),
      cmocka_unit_test(test_no_room),   cmocka_unit_test(test_official_is_draw),
      cmocka_unit_test(test_progress)};
  return cmocka_run_group_tests(tests, set_up_resume, tear_down_eval);
}
