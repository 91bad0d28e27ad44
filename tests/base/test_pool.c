/* SPDX-License-Identifier: Apache-2.0
 *
 * test_pool.c - every index runs exactly once, on a worker of the team, whatever the count;
 * results do not depend on the number of threads; pools come and go without leaks; the processor
 * count honours control groups of both versions. */
#include "base/pool.h"

#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>

#include "base/threads.h"
#include "masksketch_tools.h"
#include "support.h"

enum { LARGEST = 1000 };

typedef struct tally {
  atomic_int runs[LARGEST];
  atomic_int wrong_worker;
  int threads;
} tally;

static void count_run(void *user, size_t index, int worker) {
  tally *t = user;
  atomic_fetch_add(&t->runs[index], 1);
  if (worker < 0 || worker >= t->threads) atomic_fetch_add(&t->wrong_worker, 1);
}

static void every_index_once(void **state) {
  (void)state;
  static const size_t counts[] = {0, 1, 2, 3, 7, 64, LARGEST};
  for (int threads = 1; threads <= 9; threads += 2) {
    msk_pool *pool = NULL;
    assert_int_equal(msk_pool_create(&pool, threads, NULL, NULL), MSK_OK);
    assert_int_equal(msk_pool_threads(pool), threads);
    for (int round = 0; round < 300; round++) {
      size_t count = counts[round % 7];
      tally t = {.threads = threads};
      msk_pool_run(pool, count, count_run, &t);
      for (size_t i = 0; i < LARGEST; i++) assert_int_equal(t.runs[i], i < count ? 1 : 0);
      assert_int_equal(t.wrong_worker, 0);
    }
    msk_pool_destroy(pool);
  }
}

typedef struct squares {
  uint64_t *values;
} squares;

static void square(void *user, size_t index, int worker) {
  (void)worker;
  ((squares *)user)->values[index] = (uint64_t)index * index + 1;
}

/* Plain memory written by workers is seen by the caller, and job after job in quick succession
 * never mix (thread sanitizer looks on). */
static void results_arrive(void **state) {
  (void)state;
  msk_pool *pool = NULL;
  assert_int_equal(msk_pool_create(&pool, 4, NULL, NULL), MSK_OK);
  uint64_t values[37];
  for (int round = 0; round < 3000; round++) {
    memset(values, 0, sizeof values);
    size_t count = 2 + (size_t)round % 36;
    msk_pool_run(pool, count, square, &(squares){values});
    for (size_t i = 0; i < 37; i++) assert_int_equal(values[i], i < count ? i * i + 1 : 0);
  }
  msk_pool_destroy(pool);
}

/* After a pause the workers sleep; they wake for the next job. */
static void sleepers_wake(void **state) {
  (void)state;
  msk_pool *pool = NULL;
  assert_int_equal(msk_pool_create(&pool, 3, NULL, NULL), MSK_OK);
  for (int round = 0; round < 5; round++) {
    nanosleep(&(struct timespec){0, 20 * 1000 * 1000}, NULL);
    tally t = {.threads = 3};
    msk_pool_run(pool, 50, count_run, &t);
    for (size_t i = 0; i < 50; i++) assert_int_equal(t.runs[i], 1);
  }
  msk_pool_destroy(pool);
}

static void no_pool_is_the_caller(void **state) {
  (void)state;
  tally t = {.threads = 1};
  msk_pool_run(NULL, 5, count_run, &t);
  for (size_t i = 0; i < 5; i++) assert_int_equal(t.runs[i], 1);
  assert_int_equal(t.wrong_worker, 0);
  assert_int_equal(msk_pool_threads(NULL), 1);
  msk_pool_destroy(NULL);
}

static void bad_counts_and_no_memory(void **state) {
  (void)state;
  msk_pool *pool = NULL;
  msk_error error;
  assert_int_equal(msk_pool_create(&pool, 0, NULL, &error), MSK_ERROR_ARGUMENT);
  assert_int_equal(msk_pool_create(&pool, -3, NULL, &error), MSK_ERROR_ARGUMENT);
  assert_int_equal(msk_pool_create(&pool, 100000, NULL, &error), MSK_ERROR_ARGUMENT);
  for (long k = 1;; k++) {
    counting_allocator counting;
    counting_allocator_init(&counting);
    counting.fail_at = k;
    msk_status status = msk_pool_create(&pool, 2, &counting.allocator, &error);
    if (status == MSK_OK) {
      msk_pool_destroy(pool);
      assert_true(k > 1);
      assert_int_equal(counting.live, 0);
      break;
    }
    assert_int_equal(status, MSK_ERROR_MEMORY);
    assert_null(pool);
    assert_int_equal(counting.live, 0);
  }
}

static void write_text(const char *folder, const char *name, const char *text) {
  char path[700];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  for (char *slash = path + strlen(folder) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
    *slash = 0;
    mkdir(path, 0700);
    *slash = '/';
  }
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
}

static int quota(const char *folder) {
  char membership[600], root[600];
  snprintf(membership, sizeof membership, "%s/membership", folder);
  snprintf(root, sizeof root, "%s/cgroup", folder);
  return msk_quota_threads(membership, root);
}

static void quotas_are_honoured(void **state) {
  (void)state;
  char *folder = test_make_folder();
  assert_int_equal(quota(folder), 0);
  write_text(folder, "membership", "0::/outer/inner\n");
  assert_int_equal(quota(folder), 0);
  write_text(folder, "cgroup/outer/inner/cpu.max", "max 100000\n");
  assert_int_equal(quota(folder), 0);
  write_text(folder, "cgroup/outer/cpu.max", "250000 100000\n");
  assert_int_equal(quota(folder), 3); /* the parent's, rounded up */
  write_text(folder, "cgroup/outer/inner/cpu.max", "50000 100000\n");
  assert_int_equal(quota(folder), 1);
  write_text(folder, "membership", "0::/elsewhere\n");
  write_text(folder, "cgroup/cpu.max", "400000 100000\n");
  /* inside a container the path may not be there: the root is */
  assert_int_equal(quota(folder), 4);
  write_text(folder, "membership", "7:memory:/m\n3:cpu,cpuacct:/job\n");
  write_text(folder, "cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "150000\n");
  write_text(folder, "cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
  assert_int_equal(quota(folder), 2);
  write_text(folder, "cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "-1\n");
  assert_int_equal(quota(folder), 0);
  write_text(folder, "membership", "nonsense\n:\n::\n0::\n");
  (void)quota(folder);
  test_remove_folder(folder);
  assert_true(msk_default_threads() >= 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_index_once),
      cmocka_unit_test(results_arrive),
      cmocka_unit_test(sleepers_wake),
      cmocka_unit_test(no_pool_is_the_caller),
      cmocka_unit_test(bad_counts_and_no_memory),
      cmocka_unit_test(quotas_are_honoured),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
