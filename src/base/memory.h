/* SPDX-License-Identifier: Apache-2.0
 *
 * memory.h - the one way to memory: an allocator (hook for tests and embedders), checked sizes,
 * and the arena that a session's working memory is laid out in. An arena is used twice by the
 * same function: first measuring (base NULL), then placing. Not thread-safe: an arena belongs to
 * one thread. */
#ifndef MSK_BASE_MEMORY_H
#define MSK_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "masksketch.h"

#define MSK_ALIGNMENT ((size_t)64)

/* 64-byte aligned memory from the allocator (NULL: C heap); NULL when refused. count * bytes is
 * checked. Contents undefined. */
void *msk_allocate(const msk_allocator *allocator, size_t count, size_t bytes);
void *msk_allocate_zeroed(const msk_allocator *allocator, size_t count, size_t bytes);
/* Much has been given back and little will be taken soon: the C heap may return it to the
 * system. */
void msk_memory_trim(const msk_allocator *allocator);
char *msk_duplicate_string(const msk_allocator *allocator, const char *text);
/* msk_free() of the public header gives it back. */

/* *product = a * b; false (and *product untouched) on overflow. */
bool msk_multiply(size_t a, size_t b, size_t *product);
bool msk_add(size_t a, size_t b, size_t *sum);

/* Where memory that is only measured would begin. Arithmetic on it is as good as on any address,
 * and a touch is a fault, not a silent error, since no process has memory there (x86-64: the
 * address is not canonical; AArch64: the kernel's half). */
#define MSK_NOWHERE ((char *)((uintptr_t)1 << (8 * sizeof(uintptr_t) - 9)))

typedef struct msk_arena {
  char *base;        /* NULL: measuring */
  size_t used, peak; /* bytes; peak is what has to be allocated after measuring */
  size_t capacity;   /* placing: bytes behind base */
  /* a size overflowed or the capacity was passed; what msk_arena_take() gave is nothing then */
  bool overflow;
} msk_arena;

/* The next count * bytes, 64-byte aligned; NULL on overflow. Measuring: counts, and returns an
 * address at which nothing lies, never NULL and never to be read or written. */
void *msk_arena_take(msk_arena *arena, size_t count, size_t bytes);
/* Marks and gives back what was taken since (temporaries of one pass share memory). */
size_t msk_arena_mark(const msk_arena *arena);
void msk_arena_release(msk_arena *arena, size_t mark);

#endif
