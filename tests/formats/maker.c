/* SPDX-License-Identifier: Apache-2.0
 * maker.c - see maker.h. */
#include "maker.h"

void make_bytes(maker *m, const void *bytes, size_t count) {
  if (m->used + count > m->room) {
    m->room = (m->used + count) * 2 + 64;
    m->bytes = realloc(m->bytes, m->room);
    assert_non_null(m->bytes);
  }
  if (count > 0) memcpy(m->bytes + m->used, bytes, count);
  m->used += count;
}

void make_free(maker *m) {
  free(m->bytes);
  *m = (maker){0};
}

static void make_byte(maker *m, int byte) { make_bytes(m, &(uint8_t){(uint8_t)byte}, 1); }

void make_big(maker *m, uint64_t value, int width) {
  for (int i = width - 1; i >= 0; i--) make_byte(m, (int)(value >> 8 * i & 255));
}

void make_map(maker *m, size_t pairs) {
  if (pairs < 16) {
    make_byte(m, 0x80 | (int)pairs);
  } else {
    make_byte(m, 0xDF);
    make_big(m, pairs, 4);
  }
}

void make_tuple(maker *m, size_t items) {
  if (items < 16) {
    make_byte(m, 0x90 | (int)items);
  } else {
    make_byte(m, 0xDD);
    make_big(m, items, 4);
  }
}

void make_string(maker *m, const char *text) {
  size_t length = strlen(text);
  if (length < 32) {
    make_byte(m, 0xA0 | (int)length);
  } else {
    make_byte(m, 0xDA);
    make_big(m, length, 2);
  }
  make_bytes(m, text, length);
}

void make_number(maker *m, uint64_t value) {
  if (value < 128) {
    make_byte(m, (int)value);
  } else {
    make_byte(m, 0xCF);
    make_big(m, value, 8);
  }
}

void make_binary(maker *m, const void *bytes, size_t count) {
  make_byte(m, 0xC6);
  make_big(m, count, 4);
  make_bytes(m, bytes, count);
}

void make_extension(maker *m, int type, const maker *payload) {
  make_byte(m, 0xC9);
  make_big(m, payload->used, 4);
  make_byte(m, type);
  make_bytes(m, payload->bytes, payload->used);
}

void make_array(maker *m, int type, const char *dtype, int rank, const uint64_t *shape,
                const void *data, size_t data_bytes) {
  maker payload = {0};
  make_tuple(&payload, 3);
  make_tuple(&payload, (size_t)rank);
  for (int d = 0; d < rank; d++) make_number(&payload, shape[d]);
  make_string(&payload, dtype);
  make_binary(&payload, data, data_bytes);
  make_extension(m, type, &payload);
  make_free(&payload);
}

void make_floats(maker *m, size_t count, const float *values) {
  make_array(m, 1, "float32", 1, &(uint64_t){count}, values, 4 * count);
}

void make_safetensors(maker *m, const char *header, size_t data_bytes) {
  uint64_t length = strlen(header);
  for (int i = 0; i < 8; i++) make_byte(m, (int)(length >> 8 * i & 255));
  make_bytes(m, header, (size_t)length);
  for (size_t i = 0; i < data_bytes; i++) make_byte(m, (int)(i & 255));
}

typedef struct block_head {
  size_t bytes;
} block_head;

static void *peak_allocate(void *user, size_t bytes) {
  peak_allocator *peak = user;
  uint8_t *block = aligned_alloc(64, (bytes + 64 + 63) / 64 * 64);
  assert_non_null(block);
  ((block_head *)block)->bytes = bytes;
  peak->live += bytes;
  peak->blocks++;
  if (peak->live > peak->peak) peak->peak = peak->live;
  return block + 64;
}

static void peak_release(void *user, void *memory) {
  peak_allocator *peak = user;
  uint8_t *block = (uint8_t *)memory - 64;
  peak->live -= ((block_head *)block)->bytes;
  peak->blocks--;
  free(block);
}

void peak_allocator_init(peak_allocator *peak) {
  *peak = (peak_allocator){{peak_allocate, peak_release, peak}, 0, 0, 0};
}
