/* SPDX-License-Identifier: Apache-2.0
 *
 * test_cli_folders.c - draw over a folder of drawings: the union of 1, 2 and 7 shards is the
 * undivided run, byte for byte, killed or not, named by --shard or by the variables of Slurm and
 * Open MPI; each picture is the one that draw makes of its drawing alone; what is refused. */
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli_run.h"
#include "masksketch_tools.h"

static const char *const drawings[] = {"3/a", "3/b.c", "5/a", "5/d", "9/e"};
enum { DRAWINGS = sizeof drawings / sizeof *drawings };

static void copy_file(const char *from, const char *to) {
  size_t bytes = 0;
  uint8_t *data = test_read_file(from, &bytes);
  assert_int_equal(msk_file_write(to, data, bytes, NULL), MSK_OK);
  free(data);
}

static const char *sketch(int index) {
  return golden_path(index % 2 == 0 ? "tiny/input/sketch0.png" : "tiny/input/sketch1.png");
}

/* A few pictures of two steps a drawing, without --force. */
static run_result draw(const char *output, const char *shard, const char *more) {
  const char *arguments[16] = {
      "draw", in_folder("drawings"), "-o", output, "--steps", "2", "--count",
      "2",    "--threads",           "1"};
  int count = 10;
  if (shard != NULL) arguments[count++] = "--shard";
  if (shard != NULL) arguments[count++] = shard;
  if (more != NULL) arguments[count++] = more;
  run_with.without_force = 1;
  return run_program(arguments);
}

static void expect_drawn(const char *output, const char *shard, const char *said) {
  run_result result = draw(output, shard, NULL);
  if (result.code != 0 || strstr(result.err, said) == NULL)
    fail_msg("exit code %d, no '%s': %s", result.code, said, result.err);
  run_free(&result);
}

static int set_up_folders(void **state) {
  static const char *const variables[] = {
      "SLURM_JOB_ID",           "SLURM_STEP_ID",        "SLURM_PROCID",
      "SLURM_NTASKS",           "SLURM_ARRAY_TASK_ID",  "SLURM_STEP_NUM_TASKS",
      "SLURM_ARRAY_TASK_COUNT", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"};
  for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) unsetenv(variables[i]);
  if (set_up_models(state) != 0) return -1;
  mkdir(in_folder("drawings"), 0777);
  mkdir(in_folder("drawings/3"), 0777);
  mkdir(in_folder("drawings/5"), 0777);
  mkdir(in_folder("drawings/9"), 0777);
  mkdir(in_folder("drawings/7"), 0777); /* empty */
  for (int i = 0; i < DRAWINGS; i++)
    copy_file(sketch(i), in_folder("drawings/%s.png", drawings[i]));
  copy_file(golden_path("image/bad/text.png"), in_folder("drawings/3/notes.txt"));
  expect_drawn(in_folder("whole"), NULL, "whole/9/e-2.png");
  return 0;
}

static void expect_like_whole(const char *folder) {
  char path[4200];
  for (int i = 0; i < DRAWINGS; i++) {
    for (int number = 1; number <= 2; number++) {
      snprintf(path, sizeof path, "%s/%s-%d.png", folder, drawings[i], number);
      if (!exists(path) || !same_bytes(path, in_folder("whole/%s-%d.png", drawings[i], number)))
        fail_msg("%s is not as in the whole", path);
    }
  }
  for (int class_id = 3; class_id <= 9; class_id += 2) {
    snprintf(path, sizeof path, "%s/%d", folder, class_id);
    const int here = exists(path) ? count_files(path, "") : 0;
    assert_int_equal(here, class_id == 7 ? 0 : count_files(in_folder("whole/%d", class_id), ""));
  }
}

static void test_alone(void **state) {
  (void)state;
  for (int i = 0; i < DRAWINGS; i++) {
    char class_text[] = {drawings[i][0], 0};
    EXPECT(0, "draw", sketch(i), "--class", class_text, "--steps", "2", "--count", "2", "-o",
           in_folder("alone.png"), "--quiet");
    for (int number = 1; number <= 2; number++)
      assert_true(same_bytes(in_folder("alone-%d.png", number),
                             in_folder("whole/%s-%d.png", drawings[i], number)));
  }
  assert_int_equal(count_files(in_folder("whole"), ""), 3);
}

static void test_shards(void **state) {
  (void)state;
  static const int counts[] = {1, 2, 7};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    char folder[4096], shard[24], said[40];
    strcpy(folder, in_folder("shards-%d", counts[i]));
    for (int number = counts[i]; number >= 1; number--) {
      snprintf(shard, sizeof shard, "%d/%d", number, counts[i]);
      snprintf(said, sizeof said, "shard %d of %d", number, counts[i]);
      expect_drawn(folder, shard, said);
    }
    expect_like_whole(folder);
  }
  /* every second drawing, from the second on */
  expect_drawn(in_folder("second"), "2/2", "shard 2 of 2");
  assert_int_equal(count_files(in_folder("second/3"), "b.c"), 2);
  assert_int_equal(count_files(in_folder("second/5"), "d"), 2);
  assert_int_equal(count_files(in_folder("second"), ""), 2);
}

static void test_variables(void **state) {
  (void)state;
  char number[8];
  for (int i = 0; i < 3; i++) {
    snprintf(number, sizeof number, "%d", i);
    setenv("SLURM_JOB_ID", "1", 1);
    setenv("SLURM_STEP_ID", "0", 1);
    setenv("SLURM_PROCID", number, 1);
    setenv("SLURM_NTASKS", "3", 1);
    expect_drawn(in_folder("slurm"), NULL, "as SLURM_PROCID says");
  }
  /* of one drawing they are none of its business */
  EXPECT(0, "draw", sketch(0), "--class", "3", "--steps", "2", "-o", in_folder("one.png"),
         "--quiet");
  assert_true(exists(in_folder("one.png")));
  unsetenv("SLURM_JOB_ID");
  unsetenv("SLURM_STEP_ID");
  unsetenv("SLURM_PROCID");
  unsetenv("SLURM_NTASKS");
  for (int i = 0; i < 2; i++) {
    snprintf(number, sizeof number, "%d", i);
    setenv("OMPI_COMM_WORLD_RANK", number, 1);
    setenv("OMPI_COMM_WORLD_SIZE", "2", 1);
    expect_drawn(in_folder("mpi"), NULL, "as OMPI_COMM_WORLD_RANK says");
  }
  unsetenv("OMPI_COMM_WORLD_RANK");
  unsetenv("OMPI_COMM_WORLD_SIZE");
  expect_like_whole(in_folder("slurm"));
  expect_like_whole(in_folder("mpi"));
}

static void test_kills(void **state) {
  (void)state;
  uint64_t random = 5;
  int kills = 0;
  for (int round = 0; round < 6; round++) {
    int status = 0;
    run_with.without_force = 1;
    const pid_t child = START("draw", in_folder("drawings"), "-o", in_folder("killed"), "--steps",
                              "2", "--count", "2", "--threads", "1");
    usleep((useconds_t)(1e5 * (double)test_uniform(&random, 0.5f, 3)));
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    kills += WIFSIGNALED(status);
  }
  assert_true(kills > 0);
  expect_drawn(in_folder("killed"), NULL, "");
  for (int i = 0; i < DRAWINGS; i++) {
    for (int number = 1; number <= 2; number++)
      assert_true(same_bytes(in_folder("killed/%s-%d.png", drawings[i], number),
                             in_folder("whole/%s-%d.png", drawings[i], number)));
  }
}

/* One of the two pictures of a drawing is missing: that drawing alone is drawn again. */
static void test_goes_on(void **state) {
  (void)state;
  struct stat before, after;
  char folder[4096];
  strcpy(folder, in_folder("goes-on"));
  expect_drawn(folder, NULL, "");
  assert_int_equal(unlink(in_folder("goes-on/5/a-2.png")), 0);
  assert_int_equal(stat(in_folder("goes-on/3/a-1.png"), &before), 0);
  expect_drawn(folder, NULL, "8 of 10 pictures are there already");
  expect_like_whole(folder);
  run_result result = draw(folder, NULL, NULL);
  assert_int_equal(result.code, 0);
  assert_string_equal(result.err, "10 of 10 pictures are there already\n");
  run_free(&result);
  assert_int_equal(stat(in_folder("goes-on/3/a-1.png"), &after), 0);
  assert_int_equal(before.st_ino, after.st_ino);
  result = draw(folder, NULL, "--force");
  assert_int_equal(result.code, 0);
  assert_null(strstr(result.err, "already"));
  run_free(&result);
  assert_int_equal(stat(in_folder("goes-on/3/a-1.png"), &after), 0);
  assert_int_not_equal(before.st_ino, after.st_ino);
  expect_like_whole(folder);
}

static void test_one_class(void **state) {
  (void)state;
  EXPECT(0, "draw", in_folder("drawings/3"), "--class", "3", "--steps", "2", "--count", "2", "-o",
         in_folder("flat"), "--quiet");
  assert_true(same_bytes(in_folder("flat/a-1.png"), in_folder("whole/3/a-1.png")));
  assert_true(same_bytes(in_folder("flat/b.c-2.png"), in_folder("whole/3/b.c-2.png")));
  assert_int_equal(count_files(in_folder("flat"), ""), 4);
  EXPECT(0, "draw", in_folder("drawings/3"), "--class", "3", "--steps", "2", "--candidates", "3",
         "--keep", "1", "-o", in_folder("best"), "--quiet");
  assert_int_equal(count_files(in_folder("best"), ""), 2);
}

/* ---- What is refused ---- */

static void refused(int code, const char *part, const char *const *arguments) {
  run_result result = run_program(arguments);
  if (result.code != code || strstr(result.err, part) == NULL)
    fail_msg("exit code %d, expected %d and '%s': %s", result.code, code, part, result.err);
  run_free(&result);
}
#define REFUSED(code, part, ...) refused(code, part, (const char *const[]){__VA_ARGS__, NULL})

static void test_mistakes(void **state) {
  (void)state;
  char all[4096], out[4096];
  strcpy(all, in_folder("drawings"));
  strcpy(out, in_folder("refused"));
  REFUSED(2, "-o", "draw", all);
  REFUSED(2, "-o", "draw", all, "-o", "-");
  REFUSED(2, "among the drawings", "draw", all, "-o", in_folder("drawings/"));
  REFUSED(2, "--film", "draw", all, "-o", out, "--film", in_folder("film.png"));
  REFUSED(2, "--sheet", "draw", all, "-o", out, "--sheet", in_folder("sheet.png"));
  REFUSED(2, "I/N", "draw", all, "-o", out, "--shard", "3/2");
  REFUSED(2, "--shard", "draw", sketch(0), "--class", "3", "-o", in_folder("one.png"), "--shard",
          "1/2");
  REFUSED(2, "--class was not given", "draw", sketch(0));
  REFUSED(2, "--quality", "draw", all, "-o", out, "--quality", "80");
  REFUSED(3, "holds no folders", "draw", in_folder("drawings/3"), "-o", out);
  REFUSED(3, "holds no drawings", "draw", all, "--class", "3", "-o", out);
  mkdir(in_folder("strange"), 0777);
  mkdir(in_folder("strange/unheard-of"), 0777);
  copy_file(sketch(0), in_folder("strange/unheard-of/a.png"));
  REFUSED(2, "unheard-of", "draw", in_folder("strange"), "-o", out);
  copy_file(sketch(0), in_folder("strange/unheard-of/a.jpg"));
  REFUSED(3, "unheard-of/a.jpg and unheard-of/a.png", "draw", in_folder("strange"), "-o", out);
  assert_false(exists(out));
}

/* A drawing that cannot be read stops the run, and is named; those before it are there. */
static void test_broken(void **state) {
  (void)state;
  mkdir(in_folder("broken"), 0777);
  copy_file(sketch(0), in_folder("broken/a.png"));
  copy_file(golden_path("image/bad/text.png"), in_folder("broken/b.png"));
  REFUSED(3, "broken/b.png", "draw", in_folder("broken"), "--class", "3", "--steps", "2", "-o",
          in_folder("mended"));
  assert_int_equal(count_files(in_folder("mended"), ""), 1);
  copy_file(sketch(1), in_folder("broken/b.png"));
  EXPECT(0, "draw", in_folder("broken"), "--class", "3", "--steps", "2", "-o", in_folder("mended"));
  assert_int_equal(count_files(in_folder("mended"), ""), 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_alone),     cmocka_unit_test(test_shards),
      cmocka_unit_test(test_variables), cmocka_unit_test(test_kills),
      cmocka_unit_test(test_goes_on),   cmocka_unit_test(test_one_class),
      cmocka_unit_test(test_mistakes),  cmocka_unit_test(test_broken)};
  return cmocka_run_group_tests(tests, set_up_folders, tear_down_folder);
}
