/* SPDX-License-Identifier: Apache-2.0
 *
 * test_select.c - successive halving: how many candidates are alive when, that every stage costs
 * about the same, and which are kept. */
#include "support.h"

#include <math.h>
#include <stdbool.h>

#include "sampling/select.h"

static void test_alive(void **state) {
  (void)state;
  for (int candidates = 1; candidates <= 40; candidates += 3) {
    for (int finish = 1; finish <= candidates; finish += 2) {
      for (int steps = 1; steps <= 64; steps += 7) {
        for (double from = 0; from <= 1; from += 0.25) {
          int before = candidates;
          assert_int_equal(msk_select_alive(candidates, finish, from, 0, steps), candidates);
          assert_int_equal(msk_select_alive(candidates, finish, from, steps, steps), finish);
          for (int taken = 1; taken <= steps; taken++) {
            const int alive = msk_select_alive(candidates, finish, from, taken, steps);
            assert_in_range(alive, finish, before);
            if (taken < from * steps) assert_int_equal(alive, candidates);
            before = alive;
          }
        }
      }
    }
  }
  assert_int_equal(msk_select_alive(8, 0, 0.5, 5, 10), 8); /* no finish: all */
}

/* With many steps, from the half on: 8, 4, 2, 1 of 16 candidates for shares 1, 2, 4, 8 of 15. */
static void test_stages(void **state) {
  (void)state;
  enum { STEPS = 3000 };
  int lasted[17] = {0};
  for (int taken = 0; taken < STEPS; taken++) lasted[msk_select_alive(16, 1, 0.5, taken, STEPS)]++;
  assert_in_range(lasted[16], STEPS / 2, STEPS / 2 + 1);
  for (int alive = 1; alive <= 8; alive *= 2)
    assert_in_range(lasted[alive], STEPS / 30 * (8 / alive) - 1, STEPS / 30 * (8 / alive) + 1);
  /* 7, 4, 2: the first half goes at once */
  assert_int_equal(msk_select_alive(7, 2, 0, 1, STEPS), 4);
  assert_int_equal(msk_select_alive(7, 2, 0, STEPS - 1, STEPS), 2);
}

static void assert_kept(const msk_standing *standings, int count, double weight, const int *wanted,
                        int keep) {
  double values[8];
  int kept[8] = {-1, -1, -1, -1, -1, -1, -1, -1};
  msk_select_best(standings, count, weight, keep, values, kept);
  for (int i = 0; i < keep; i++) assert_int_equal(kept[i], wanted[i]);
}

static void test_best(void **state) {
  (void)state;
  const msk_standing some[] = {{-3, 0.9f}, {-1, 0.2f}, {-2, 0.5f}, {-1.5f, 0.1f}};
  assert_kept(some, 4, 0, (int[]){1, 3}, 2);
  assert_kept(some, 4, 0, (int[]){1}, 1);
  assert_kept(some, 4, 50, (int[]){0, 2}, 2);
  const msk_standing equal[] = {{-1, 0.5f}, {-1, 0.5f}, {-1, 0.5f}};
  assert_kept(equal, 3, 1, (int[]){0, 1}, 2);
  /* what is the same for all decides nothing */
  const msk_standing same_structure[] = {{-1, 0.1f}, {-1, 0.3f}, {-1, 0.2f}};
  assert_kept(same_structure, 3, 0.01, (int[]){1, 2}, 2);
  const msk_standing wrong[] = {{NAN, 0.5f}, {-9, 0.5f}, {-INFINITY, 0.5f}, {-1, 0.5f}};
  assert_kept(wrong, 4, 0, (int[]){1, 3}, 2);
  /* structure and confidence count as deviations: the same for scores a thousand times as large */
  const msk_standing large[] = {{-3000, 0.9f}, {-1000, 0.2f}, {-2000, 0.5f}, {-1500, 0.1f}};
  for (double weight = 0; weight < 3; weight += 0.1) {
    double values[4], other[4];
    int kept[2], again[2];
    msk_select_best(some, 4, weight, 2, values, kept);
    msk_select_best(large, 4, weight, 2, other, again);
    for (int i = 0; i < 2; i++) assert_int_equal(kept[i], again[i]);
    for (int i = 0; i < 4; i++) assert_true(fabs(values[i] - other[i]) < 1e-9);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_alive), cmocka_unit_test(test_stages),
                                     cmocka_unit_test(test_best)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
