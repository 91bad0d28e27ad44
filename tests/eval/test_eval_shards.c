/* SPDX-License-Identifier: Apache-2.0
 *
 * test_eval_shards.c - an evaluation in pieces: 1, 2 and 7 shards, killed or not, found by --shard
 * or in the variables of Slurm and Open MPI, joined to the same bytes as the whole; what a merge
 * refuses; long lists of drawings, and classes without any. */
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "eval_files.h"

enum { PICTURES = 12 };

static const char *const variables[] = {
    "SLURM_JOB_ID",           "SLURM_STEP_ID",        "SLURM_PROCID",
    "SLURM_NTASKS",           "SLURM_STEP_NUM_TASKS", "SLURM_ARRAY_TASK_ID",
    "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_STEP",
    "OMPI_COMM_WORLD_RANK",   "OMPI_COMM_WORLD_SIZE"};

static void unset_variables(void) {
  for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) unsetenv(variables[i]);
}

static const char *spec(void) { return in_folder("spec.json"); }

static int set_up_shards(void **state) {
  unset_variables();
  if (set_up_eval(state) != 0) return -1;
  make_reference(3);
  write_spec("spec.json", ", \"reference\": \"reference\"");
  EXPECT(0, "eval", spec(), "-o", in_folder("whole"), "--judge", golden_judge(), "--quiet");
  return 0;
}

static void shard_of(int code, const char *folder, int number, int count) {
  char shard[24];
  snprintf(shard, sizeof shard, "%d/%d", number, count);
  EXPECT(code, "eval", spec(), "-o", folder, "--judge", golden_judge(), "--quiet", "--shard",
         shard);
}

static void merge(int code, const char *folder) {
  EXPECT(code, "eval", spec(), "-o", folder, "--judge", golden_judge(), "--quiet", "--merge");
}

static void expect_like_whole(const char *folder) {
  static const char *const names[] = {"results.csv", "summary.csv", "features-judge.npy",
                                      "pictures/000000.png", "pictures/000011.png"};
  char other[4200];
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    snprintf(other, sizeof other, "%s/%s", folder, names[i]);
    if (!same_bytes(other, in_folder("whole/%s", names[i]))) fail_msg("%s differs", other);
  }
  snprintf(other, sizeof other, "%s/pictures", folder);
  assert_int_equal(count_files(other, ""), PICTURES);
}

static int lines_in(const char *path) {
  char *text = read_text_file(path);
  int lines = count_lines(text);
  free(text);
  return lines;
}

static void test_numbers(void **state) {
  (void)state;
  static const int counts[] = {1, 2, 7};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    char folder[4096];
    strcpy(folder, in_folder("shards-%d", counts[i]));
    for (int number = counts[i]; number >= 1; number--) shard_of(0, folder, number, counts[i]);
    if (counts[i] > 1) assert_false(exists(in_folder("shards-%d/results.csv", counts[i])));
    merge(0, folder);
    expect_like_whole(folder);
    merge(0, folder); /* again */
    expect_like_whole(folder);
  }
  /* every seventh: of twelve, two for the first five */
  assert_int_equal(lines_in(in_folder("shards-7/records-5-of-7.jsonl")), 2);
  assert_int_equal(lines_in(in_folder("shards-7/records-6-of-7.jsonl")), 1);
}

/* Shards side by side, each killed at its own moments and started again. */
static void test_kills(void **state) {
  (void)state;
  enum { SHARDS = 3 };
  char folder[4096];
  uint64_t random = 7;
  int kills = 0;
  strcpy(folder, in_folder("killed"));
  for (int round = 0; round < 4; round++) {
    pid_t children[SHARDS];
    for (int i = 0; i < SHARDS; i++) {
      char shard[24];
      snprintf(shard, sizeof shard, "%d/%d", i + 1, SHARDS);
      children[i] = START("eval", spec(), "-o", folder, "--judge", golden_judge(), "--quiet",
                          "--shard", shard);
    }
    for (int i = 0; i < SHARDS; i++) {
      int status = 0;
      usleep((useconds_t)(1e5 * (double)test_uniform(&random, 1, 4)));
      kill(children[i], SIGKILL);
      assert_int_equal(waitpid(children[i], &status, 0), children[i]);
      kills += WIFSIGNALED(status);
    }
  }
  assert_true(kills > 0);
  for (int i = 0; i < SHARDS; i++) shard_of(0, folder, i + 1, SHARDS);
  merge(0, folder);
  expect_like_whole(folder);
}

/* What two shards began, seven or one can end: each takes all records as done. */
static void test_other_numbers(void **state) {
  (void)state;
  char folder[4096];
  strcpy(folder, in_folder("mixed"));
  shard_of(0, folder, 2, 2);
  for (int number = 1; number <= 7; number += 2) shard_of(0, folder, number, 7);
  EXPECT(0, "eval", spec(), "-o", folder, "--judge", golden_judge(), "--quiet");
  expect_like_whole(folder);
  assert_true(lines_in(in_folder("mixed/records.jsonl")) > 0);
}

static void refused(const char *folder, const char *const *parts) {
  run_result result =
      RUN("eval", spec(), "-o", folder, "--judge", golden_judge(), "--quiet", "--merge");
  assert_int_equal(result.code, 3);
  for (; *parts != NULL; parts++) {
    if (strstr(result.err, *parts) == NULL) fail_msg("no '%s' in: %s", *parts, result.err);
  }
  run_free(&result);
}
#define REFUSED(folder, ...) refused(folder, (const char *const[]){__VA_ARGS__, NULL})

static void test_gaps_and_doubles(void **state) {
  (void)state;
  char folder[4096];
  strcpy(folder, in_folder("gaps"));
  shard_of(0, folder, 1, 3);
  REFUSED(folder, "8 of 12 pictures", "picture 1;", "shard 2 of 3");
  assert_false(exists(in_folder("gaps/results.csv")));
  shard_of(0, folder, 3, 3);
  shard_of(0, folder, 2, 3);
  /* a line is lost */
  char *records = read_text_file(in_folder("gaps/records-2-of-3.jsonl"));
  write_text("gaps/records-2-of-3.jsonl", "%s", strchr(records, '\n') + 1);
  REFUSED(folder, "1 of 12 pictures", "picture 1:");
  /* a picture is lost */
  write_text("gaps/records-2-of-3.jsonl", "%s", records);
  assert_int_equal(rename(in_folder("gaps/pictures/000005.png"), in_folder("away.png")), 0);
  REFUSED(folder, "1 of 12 pictures", "picture 5:");
  assert_int_equal(rename(in_folder("away.png"), in_folder("gaps/pictures/000005.png")), 0);
  /* a file was copied */
  write_text("gaps/records-2-of-5.jsonl", "%s", records);
  REFUSED(folder, "picture 1 ", "records-2-of-3.jsonl", "records-2-of-5.jsonl", "expected it once");
  assert_int_equal(unlink(in_folder("gaps/records-2-of-5.jsonl")), 0);
  merge(0, folder);
  expect_like_whole(folder);
  free(records);
  REFUSED(in_folder("nowhere"), "no folder", "nowhere");
  assert_false(exists(in_folder("nowhere")));
  mkdir(in_folder("empty"), 0777);
  REFUSED(in_folder("empty"), "holds no evaluation");
}

/* A lock for each shard: one of them once, no whole beside it, no shard of another number. */
static void test_locks(void **state) {
  (void)state;
  char longer[4096];
  strcpy(longer, write_text("long.json",
                            "{\"settings\": {\"steps\": 400}, \"sketches\": [{\"file\": "
                            "\"a.png\", \"class\": \"ball\"}], \"seeds\": [%s], \"scores\": "
                            "\"structure\"}",
                            "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23"));
  char folder[4096];
  strcpy(folder, in_folder("locked"));
  pid_t child = START("eval", longer, "-o", folder, "--shard", "2/2");
  for (int i = 0; i < 20000 && !exists(in_folder("locked/pictures/000001.png")); i++) usleep(1000);
  static const char *const shards[] = {"2/2", "1/3", "1/1"};
  for (size_t i = 0; i < sizeof shards / sizeof *shards; i++) {
    run_result result = RUN("eval", longer, "-o", folder, "--shard", shards[i]);
    if (result.code != 1 || strstr(result.err, "shard 2 of 2 is at work") == NULL)
      fail_msg("%s: code %d, %s", shards[i], result.code, result.err);
    run_free(&result);
  }
  pid_t other = START("eval", longer, "-o", folder, "--shard", "1/2");
  for (int i = 0; i < 20000 && !exists(in_folder("locked/pictures/000000.png")); i++) usleep(1000);
  assert_int_equal(kill(child, SIGINT), 0);
  assert_int_equal(kill(other, SIGINT), 0);
  for (int i = 0; i < 2; i++) {
    int status = 0;
    assert_true(wait(&status) > 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 130);
  }
}

/* What an evaluation says of its share, under variables "NAME=VALUE NAME=VALUE". */
static void told(int code, const char *what, const char *list) {
  char copy[400], *save = NULL;
  snprintf(copy, sizeof copy, "%s", list);
  for (char *one = strtok_r(copy, " ", &save); one != NULL; one = strtok_r(NULL, " ", &save)) {
    char *equals = strchr(one, '=');
    *equals = 0;
    setenv(one, equals + 1, 1);
  }
  run_result result = RUN("eval", in_folder("nowhere.json"));
  if (result.code != code || strstr(result.err, what) == NULL)
    fail_msg("under %s: code %d, %s", list, result.code, result.err);
  run_free(&result);
  unset_variables();
}

static void test_variables(void **state) {
  (void)state;
  told(3, "shard 2 of 3, as SLURM_PROCID says", "SLURM_PROCID=1 SLURM_NTASKS=3");
  told(3, "shard 3 of 3, as OMPI_COMM_WORLD_RANK says",
       "OMPI_COMM_WORLD_RANK=2 OMPI_COMM_WORLD_SIZE=3");
  told(3, "shard 4 of 16, as SLURM_ARRAY_TASK_ID says",
       "SLURM_ARRAY_TASK_ID=4 SLURM_ARRAY_TASK_COUNT=16 SLURM_ARRAY_TASK_MIN=1");
  told(3, "shard 3 of 3, as SLURM_ARRAY_TASK_ID says",
       "SLURM_ARRAY_TASK_ID=30 SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_MIN=10 "
       "SLURM_ARRAY_TASK_STEP=10");
  /* each job of an array has two tasks */
  told(3, "shard 4 of 8, as SLURM_PROCID says",
       "SLURM_ARRAY_TASK_ID=1 SLURM_ARRAY_TASK_COUNT=4 SLURM_JOB_ID=1 SLURM_STEP_ID=0 "
       "SLURM_PROCID=1 SLURM_NTASKS=2");
  /* the script of a job is no task of it; an interactive step has one */
  told(3, "masksketch: cannot open", "SLURM_JOB_ID=1 SLURM_PROCID=0 SLURM_NTASKS=16");
  told(3, "shard 1 of 1",
       "SLURM_JOB_ID=1 SLURM_STEP_ID=9 SLURM_PROCID=0 SLURM_NTASKS=16 "
       "SLURM_STEP_NUM_TASKS=1");
  told(2, "SLURM_PROCID is 3 and SLURM_NTASKS is 3", "SLURM_PROCID=3 SLURM_NTASKS=3");
  told(2, "SLURM_ARRAY_TASK_ID is 9 and SLURM_ARRAY_TASK_COUNT is 3",
       "SLURM_ARRAY_TASK_ID=9 SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_MIN=1");
  static const char *const bad[] = {"0/2", "3/2", "1/0", "1", "1/2/3", "-1/2", "1/99999", " 1/2"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    run_result result = RUN("eval", spec(), "--shard", bad[i]);
    assert_int_equal(result.code, 2);
    run_free(&result);
  }
  EXPECT(2, "eval", spec(), "--shard", "1/2", "--merge");
}

/* Slurm's variables alone divide the work. */
static void test_tasks(void **state) {
  (void)state;
  char folder[4096];
  strcpy(folder, in_folder("tasks"));
  setenv("SLURM_NTASKS", "2", 1);
  for (int rank = 0; rank < 2; rank++) {
    setenv("SLURM_PROCID", rank == 0 ? "0" : "1", 1);
    EXPECT(0, "eval", spec(), "-o", folder, "--judge", golden_judge(), "--quiet");
  }
  merge(0, folder); /* whoever merges does the whole, also as a task */
  unset_variables();
  expect_like_whole(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_numbers),       cmocka_unit_test(test_kills),
      cmocka_unit_test(test_other_numbers), cmocka_unit_test(test_gaps_and_doubles),
      cmocka_unit_test(test_locks),         cmocka_unit_test(test_variables),
      cmocka_unit_test(test_tasks)};
  return cmocka_run_group_tests(tests, set_up_shards, tear_down_eval);
}
