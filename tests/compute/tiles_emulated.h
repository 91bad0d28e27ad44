/* SPDX-License-Identifier: Apache-2.0
 *
 * tiles_emulated.h - AMX's tile instructions in plain C, as Intel's manual defines them, for
 * isa/tiles.inc on machines without them. What a processor would refuse is an assertion:
 * configurations out of bounds or with reserved bytes set, tiles that are not configured, shapes
 * that do not fit. What it leaves undefined, or a kernel must not count on, is poison. */
#ifndef MSK_TEST_TILES_EMULATED_H
#define MSK_TEST_TILES_EMULATED_H

#undef NDEBUG
#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { EMULATED_TILES = 8, EMULATED_ROWS = 16, EMULATED_BYTES = 64 };

typedef struct emulated_tile {
  size_t rows, bytes;
  uint8_t data[EMULATED_ROWS][EMULATED_BYTES];
} emulated_tile;

/* A thread's. */
static _Thread_local struct {
  bool configured;
  emulated_tile tiles[EMULATED_TILES];
} emulated;

/* Configurations since the program began; threads that have not released theirs. */
static _Atomic long emulated_configurations, emulated_in_use;

static inline void tile_configure(const void *configuration) {
  const uint8_t *bytes = configuration;
  assert(bytes[0] == 1); /* palette */
  for (size_t i = 1; i < 16; i++) assert(bytes[i] == 0);
  for (size_t i = 32; i < 48; i++) assert(bytes[i] == 0); /* tiles that palette 1 */
  for (size_t i = 56; i < 64; i++) assert(bytes[i] == 0); /* does not have */
  memset(emulated.tiles, 0xA5, sizeof emulated.tiles);
  for (size_t t = 0; t < EMULATED_TILES; t++) {
    emulated_tile *tile = &emulated.tiles[t];
    tile->rows = bytes[48 + t];
    tile->bytes = bytes[16 + 2 * t] + 256u * bytes[17 + 2 * t];
    assert(tile->rows <= EMULATED_ROWS && tile->bytes <= EMULATED_BYTES);
    assert((tile->rows == 0) == (tile->bytes == 0));
  }
  emulated_configurations++;
  emulated_in_use += !emulated.configured;
  emulated.configured = true;
}

static inline void tile_release(void) {
  emulated_in_use -= emulated.configured;
  memset(&emulated, 0, sizeof emulated);
}

static inline emulated_tile *emulated_at(size_t t) {
  assert(emulated.configured && t < EMULATED_TILES && emulated.tiles[t].rows > 0);
  return &emulated.tiles[t];
}

static inline void tile_zero(size_t t) {
  emulated_tile *tile = emulated_at(t);
  memset(tile->data, 0, sizeof tile->data);
}

static inline void tile_load(size_t t, const void *from, size_t stride) {
  emulated_tile *tile = emulated_at(t);
  assert(tile->bytes % 4 == 0);
  memset(tile->data, 0, sizeof tile->data);
  for (size_t r = 0; r < tile->rows; r++)
    memcpy(tile->data[r], (const char *)from + r * stride, tile->bytes);
}

static inline void tile_store(size_t t, void *to, size_t stride) {
  const emulated_tile *tile = emulated_at(t);
  assert(tile->bytes % 4 == 0);
  for (size_t r = 0; r < tile->rows; r++)
    memcpy((char *)to + r * stride, tile->data[r], tile->bytes);
}

static inline void emulated_check(size_t sums, size_t rows, size_t columns) {
  const emulated_tile *c = emulated_at(sums), *a = emulated_at(rows), *b = emulated_at(columns);
  assert(sums != rows && rows != columns && sums != columns);
  assert(a->bytes % 4 == 0 && b->bytes % 4 == 0 && c->bytes % 4 == 0);
  assert(c->rows == a->rows && c->bytes == b->bytes && a->bytes / 4 == b->rows);
}

static inline void tile_dot_int8(size_t sums, size_t rows, size_t columns) {
  emulated_check(sums, rows, columns);
  emulated_tile *c = emulated_at(sums);
  const emulated_tile *a = emulated_at(rows), *b = emulated_at(columns);
  for (size_t m = 0; m < c->rows; m++) {
    for (size_t k = 0; k < b->rows; k++) {
      for (size_t n = 0; n < c->bytes / 4; n++) {
        int32_t sum;
        memcpy(&sum, &c->data[m][4 * n], sizeof sum);
        for (size_t i = 0; i < 4; i++)
          sum += (int32_t)a->data[m][4 * k + i] * (int8_t)b->data[k][4 * n + i];
        memcpy(&c->data[m][4 * n], &sum, sizeof sum);
      }
    }
  }
}

#endif
