/* SPDX-License-Identifier: Apache-2.0
 *
 * measuring.h - an allocator that knows how many bytes are out, now and at most. */
#ifndef MSK_TEST_MEASURING_H
#define MSK_TEST_MEASURING_H

#include <stdlib.h>

#include "masksketch.h"

typedef struct measuring {
  msk_allocator allocator;
  size_t live, peak;
} measuring;

/* The size stands in the 64 bytes before the block. */
static inline void *measure_take(void *user, size_t bytes) {
  measuring *m = user;
  size_t *block = aligned_alloc(64, (bytes + 127) / 64 * 64);
  if (block == NULL) return NULL;
  *block = bytes;
  m->live += bytes;
  if (m->live > m->peak) m->peak = m->live;
  return (char *)block + 64;
}

static inline void measure_give_back(void *user, void *memory) {
  measuring *m = user;
  size_t *block = (size_t *)(void *)((char *)memory - 64);
  m->live -= *block;
  free(block);
}
#endif
