/* SPDX-License-Identifier: Apache-2.0
 * qr.c - see qr.h. Codewords (data, then the Reed-Solomon remainder), the fixed patterns, the
 * codewords in their zigzag, and of the eight masks the one that the standard's penalties like
 * best. */
#include "qr.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
  MOST_WORDS = 134, /* data and correction of version 5 */
  FIELD = 0x11d,    /* x^8 + x^4 + x^3 + x^2 + 1 */
  FORMAT_POLY = 0x537,
  FORMAT_MASK = 0x5412,
  LEVEL_L = 1,
  FINDER = 7,
  MASKS = 8,
  QUIET = 4
};

/* Codewords of data and of correction, by version. */
static const struct {
  int data, correction;
} versions[] = {{0, 0}, {19, 7}, {34, 10}, {55, 15}, {80, 20}, {108, 26}};
enum { LAST_VERSION = 5 };

typedef struct canvas {
  qr_code code;
  bool fixed[QR_MOST_SIDE][QR_MOST_SIDE]; /* no place for codewords */
} canvas;

/* ---- Codewords ---- */

static uint8_t field_multiply(uint8_t a, uint8_t b) {
  unsigned product = 0;
  for (int bit = 7; bit >= 0; bit--) {
    product = (product << 1) ^ (product & 0x80 ? FIELD : 0);
    if (b >> bit & 1) product ^= a;
  }
  return (uint8_t)product;
}

/* The remainder of the data, times x^count, by the product of (x - 2^i), i below count. */
static void correct(uint8_t *remainder, int count, const uint8_t *data, int data_count) {
  uint8_t divisor[MOST_WORDS] = {0}, root = 1;
  divisor[count - 1] = 1;
  for (int i = 0; i < count; i++, root = field_multiply(root, 2)) {
    for (int j = 0; j < count; j++) {
      divisor[j] = field_multiply(divisor[j], root);
      if (j + 1 < count) divisor[j] ^= divisor[j + 1];
    }
  }
  memset(remainder, 0, (size_t)count);
  for (int i = 0; i < data_count; i++) {
    const uint8_t factor = data[i] ^ remainder[0];
    memmove(remainder, remainder + 1, (size_t)count - 1);
    remainder[count - 1] = 0;
    for (int j = 0; j < count; j++) remainder[j] ^= field_multiply(divisor[j], factor);
  }
}

/* Mode 4 (bytes), the length, the bytes, an end of four zero bits, and the two filling words. */
static void encode_words(uint8_t words[MOST_WORDS], int version, const char *text) {
  const int length = (int)strlen(text), data = versions[version].data;
  memset(words, 0, MOST_WORDS);
  words[0] = (uint8_t)(0x40 | length >> 4);
  words[1] = (uint8_t)(length << 4);
  for (int i = 0; i < length; i++) {
    words[1 + i] |= (uint8_t)((uint8_t)text[i] >> 4);
    words[2 + i] = (uint8_t)((uint8_t)text[i] << 4);
  }
  for (int i = length + 2; i < data; i++) words[i] = (i - length) % 2 == 0 ? 0xec : 0x11;
  correct(words + data, versions[version].correction, words, data);
}

/* ---- Patterns ---- */

static void put(canvas *c, int row, int column, bool dark) {
  if (row < 0 || column < 0 || row >= c->code.side || column >= c->code.side) return;
  c->code.dark[row][column] = dark;
  c->fixed[row][column] = true;
}

/* Rings around a centre: dark where the distance is not among the light ones (a bit each). */
static void put_rings(canvas *c, int row, int column, int radius, unsigned light) {
  for (int y = -radius; y <= radius; y++) {
    for (int x = -radius; x <= radius; x++) {
      const int far = abs(y) > abs(x) ? abs(y) : abs(x);
      put(c, row + y, column + x, !(light >> far & 1));
    }
  }
}

/* Where bit i of the format lies: down column 8 round the timing pattern, and along row 8
 * likewise. */
static int format_row(int i, int side) {
  if (i >= 8) return side - 15 + i;
  return i < 6 ? i : i + 1;
}

static int format_column(int i, int side) {
  if (i < 8) return side - 1 - i;
  return i == 8 ? 7 : 14 - i;
}

static void put_format(canvas *c, int mask) {
  const int side = c->code.side;
  unsigned rest = LEVEL_L << 3 | (unsigned)mask, bits = rest << 10;
  for (int i = 0; i < 10; i++) rest = rest << 1 ^ (rest >> 9) * FORMAT_POLY;
  bits = (bits | rest) ^ FORMAT_MASK;
  for (int i = 0; i < 15; i++) {
    const bool dark = bits >> i & 1;
    put(c, format_row(i, side), 8, dark);
    put(c, 8, format_column(i, side), dark);
  }
  put(c, side - 8, 8, true); /* always dark */
}

static void put_patterns(canvas *c, int version) {
  const int side = c->code.side, last = side - (FINDER + 1) / 2;
  for (int i = 0; i < side; i++) {
    put(c, 6, i, i % 2 == 0);
    put(c, i, 6, i % 2 == 0);
  }
  put_rings(c, 3, 3, 4, 1 << 2 | 1 << 4);
  put_rings(c, 3, last, 4, 1 << 2 | 1 << 4);
  put_rings(c, last, 3, 4, 1 << 2 | 1 << 4);
  if (version > 1) put_rings(c, side - 7, side - 7, 2, 1 << 1);
  put_format(c, 0); /* its places; the bits come with the mask */
}

/* Two columns at a time from the right, up and down, round the upright timing pattern. */
static void put_words(canvas *c, const uint8_t *words, int count) {
  const int side = c->code.side;
  int bit = 0;
  for (int right = side - 1; right > 0; right -= 2) {
    if (right == 6) right = 5;
    const bool upward = ((right + 1) & 2) == 0;
    for (int step = 0; step < 2 * side; step++) {
      const int row = upward ? side - 1 - step / 2 : step / 2, column = right - step % 2;
      if (c->fixed[row][column]) continue;
      c->code.dark[row][column] = bit < 8 * count && (words[bit / 8] >> (7 - bit % 8) & 1);
      bit++;
    }
  }
}

/* ---- Masks ---- */

static bool is_flipped(int mask, int i, int j) {
  const int values[MASKS] = {(i + j) % 2,
                             i % 2,
                             j % 3,
                             (i + j) % 3,
                             (i / 2 + j / 3) % 2,
                             i * j % 2 + i * j % 3,
                             (i * j % 2 + i * j % 3) % 2,
                             ((i + j) % 2 + i * j % 3) % 2};
  return values[mask] == 0;
}

static void apply_mask(canvas *c, int mask) {
  for (int i = 0; i < c->code.side; i++) {
    for (int j = 0; j < c->code.side; j++)
      c->code.dark[i][j] ^= !c->fixed[i][j] && is_flipped(mask, i, j);
  }
}

/* Of one line of modules: runs of five and more of one colour, and what looks like a finder. */
static int line_penalty(const bool *line, int side) {
  static const bool finder[2][11] = {{1, 0, 1, 1, 1, 0, 1, 0, 0, 0, 0},
                                     {0, 0, 0, 0, 1, 0, 1, 1, 1, 0, 1}};
  int penalty = 0;
  for (int i = 0, run = 0; i < side; i++) {
    run = i > 0 && line[i] == line[i - 1] ? run + 1 : 1;
    if (run == 5) penalty += 3;
    if (run > 5) penalty++;
  }
  for (int i = 0; i + 11 <= side; i++) {
    for (int k = 0; k < 2; k++)
      penalty += memcmp(line + i, finder[k], sizeof finder[k]) == 0 ? 40 : 0;
  }
  return penalty;
}

static int penalty_of(const qr_code *code) {
  const int side = code->side;
  int penalty = 0, dark = 0;
  for (int i = 0; i < side; i++) {
    bool column[QR_MOST_SIDE];
    for (int j = 0; j < side; j++) {
      column[j] = code->dark[j][i];
      dark += column[j];
      if (i == 0 || j == 0) continue;
      const int square =
          code->dark[i][j] + code->dark[i - 1][j] + code->dark[i][j - 1] + code->dark[i - 1][j - 1];
      penalty += square % 4 == 0 ? 3 : 0;
    }
    penalty += line_penalty(code->dark[i], side) + line_penalty(column, side);
  }
  return penalty + 10 * (abs(20 * dark - 10 * side * side) / (side * side));
}

bool qr_encode(qr_code *code, const char *text) {
  uint8_t words[MOST_WORDS];
  int version = 1, least = 0;
  /* a length takes a byte and the mode with the end another */
  while (version <= LAST_VERSION && versions[version].data < (int)strlen(text) + 2) version++;
  if (version > LAST_VERSION) return false;
  canvas plain = {.code.side = 17 + 4 * version};
  encode_words(words, version, text);
  put_patterns(&plain, version);
  put_words(&plain, words, versions[version].data + versions[version].correction);
  for (int mask = 0; mask < MASKS; mask++) {
    canvas masked = plain;
    apply_mask(&masked, mask);
    put_format(&masked, mask);
    const int penalty = penalty_of(&masked.code);
    if (mask > 0 && penalty >= least) continue;
    least = penalty;
    *code = masked.code;
  }
  return true;
}

void qr_print(const qr_code *code, FILE *out) {
  static const char *const blocks[] = {" ", "\u2584", "\u2580", "\u2588"}; /* by upper, lower */
  for (int row = -QUIET; row < code->side + QUIET; row += 2) {
    fputs("\033[30;107m", out);
    for (int column = -QUIET; column < code->side + QUIET; column++) {
      const bool beside = column < 0 || column >= code->side;
      const bool upper = !beside && row >= 0 && row < code->side && code->dark[row][column];
      const bool lower =
          !beside && row + 1 >= 0 && row + 1 < code->side && code->dark[row + 1][column];
      fputs(blocks[2 * upper + lower], out);
    }
    fputs("\033[0m\n", out);
  }
}
