/* SPDX-License-Identifier: Apache-2.0
 * test_arena.c - an arena measures what it then gives. */
#include "base/memory.h"
#include "support.h"

/* A pass that takes, gives back and takes again; its addresses, relative to the first. */
static void lay(msk_arena *arena, size_t offsets[4]) {
  char *first = msk_arena_take(arena, 3, 5);
  char *second = msk_arena_take(arena, 100, sizeof(float));
  size_t mark = msk_arena_mark(arena);
  char *third = msk_arena_take(arena, 1, 1000);
  msk_arena_release(arena, mark);
  char *fourth = msk_arena_take(arena, 1, 1);
  assert_non_null(first);
  assert_int_equal((uintptr_t)first % MSK_ALIGNMENT, 0);
  offsets[0] = 0;
  offsets[1] = (size_t)(second - first);
  offsets[2] = (size_t)(third - first);
  offsets[3] = (size_t)(fourth - first);
}

static void test_measuring(void **state) {
  (void)state;
  msk_arena measured = {0};
  size_t expected[4], found[4];
  lay(&measured, expected);
  assert_false(measured.overflow);
  assert_int_equal(expected[1], 64);
  assert_int_equal(expected[2], 64 + 448);
  assert_int_equal(expected[3], expected[2]); /* what was given back is given again */
  assert_int_equal(measured.peak, 64 + 448 + 1024);
  char *memory = aligned_alloc(MSK_ALIGNMENT, measured.peak);
  assert_non_null(memory);
  msk_arena placed = {.base = memory, .capacity = measured.peak};
  lay(&placed, found);
  assert_memory_equal(found, expected, sizeof found);
  assert_false(placed.overflow);
  assert_int_equal(placed.peak, measured.peak);
  assert_null(msk_arena_take(&placed, 1, placed.capacity));
  assert_true(placed.overflow);
  free(memory);
}

/* More than there are addresses: said once, at the end; nobody asks in between. */
static void test_overflow(void **state) {
  (void)state;
  msk_arena arena = {0};
  assert_non_null(msk_arena_take(&arena, SIZE_MAX / 2, 4));
  assert_true(arena.overflow);
  assert_non_null(msk_arena_take(&arena, 1, 1));
  arena = (msk_arena){0};
  assert_non_null(msk_arena_take(&arena, SIZE_MAX - 100, 1));
  assert_non_null(msk_arena_take(&arena, 200, 1));
  assert_true(arena.overflow);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_measuring),
                                     cmocka_unit_test(test_overflow)};
  return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
