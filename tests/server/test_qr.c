/* SPDX-License-Identifier: Apache-2.0
 * test_qr.c - QR codes: one module by module, as a decoder by other hands has read it (zxing-cpp;
 * so it has texts of every length), and what holds for all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "server/qr.h"

static const char *const known[21] = {
    "#######.##..#.#######", "#.....#..#..#.#.....#", "#.###.#.#.#.#.#.###.#",
    "#.###.#.#..#..#.###.#", "#.###.#.###...#.###.#", "#.....#.......#.....#",
    "#######.#.#.#.#######", ".........##..........", "####..#.#.#..#..###.#",
    "#.#....#.#..##....#..", "#...#.#..##.#.##...##", "#..###.#.#..#..###...",
    "#.#.###..###.....####", "........##....#..#..#", "#######.......#####..",
    "#.....#..#.###..###.#", "#.###.#....#..#.##...", "#.###.#.#.#..##.#.##.",
    "#.###.#.##.#.....#...", "#.....#.##.##.###...#", "#######.##.###..##...",
};

static void test_known_code(void **state) {
  (void)state;
  qr_code code;
  assert_true(qr_encode(&code, "MASKSKETCH"));
  assert_int_equal(code.side, 21);
  for (int i = 0; i < 21; i++) {
    for (int j = 0; j < 21; j++) assert_int_equal(code.dark[i][j], known[i][j] == '#');
  }
}

/* The smallest version that holds the text; none for one that is too long, and no code then. */
static void test_sizes(void **state) {
  (void)state;
  static const struct {
    int bytes, side;
  } rows[] = {{0, 21}, {17, 21}, {18, 25}, {32, 25}, {53, 29}, {78, 33}, {79, 37}, {106, 37}};
  char text[QR_MOST_BYTES + 2];
  qr_code code;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    memset(text, 'x', sizeof text);
    text[rows[i].bytes] = 0;
    assert_true(qr_encode(&code, text));
    assert_int_equal(code.side, rows[i].side);
  }
  memset(text, 'x', sizeof text);
  text[QR_MOST_BYTES + 1] = 0;
  code.side = 3;
  assert_false(qr_encode(&code, text));
  assert_int_equal(code.side, 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_known_code),
                                     cmocka_unit_test(test_sizes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
