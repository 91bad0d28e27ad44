/* SPDX-License-Identifier: Apache-2.0
 * memory.c - see memory.h. */
#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

static void *heap_allocate(size_t bytes) {
  size_t padded;
  if (!msk_add(bytes, MSK_ALIGNMENT - 1, &padded)) return NULL;
  padded &= ~(MSK_ALIGNMENT - 1);
  return aligned_alloc(MSK_ALIGNMENT, padded == 0 ? MSK_ALIGNMENT : padded);
}

void *msk_allocate(const msk_allocator *allocator, size_t count, size_t bytes) {
  size_t total;
  if (!msk_multiply(count, bytes, &total)) return NULL;
  if (allocator == NULL) return heap_allocate(total);
  return allocator->allocate(allocator->user, total == 0 ? 1 : total);
}

void *msk_allocate_zeroed(const msk_allocator *allocator, size_t count, size_t bytes) {
  void *memory = msk_allocate(allocator, count, bytes);
  if (memory != NULL) memset(memory, 0, count * bytes);
  return memory;
}

void msk_memory_trim(const msk_allocator *allocator) {
#ifdef __GLIBC__
  if (allocator == NULL) malloc_trim(0);
#else
  (void)allocator;
#endif
}

char *msk_duplicate_string(const msk_allocator *allocator, const char *text) {
  size_t bytes = strlen(text) + 1;
  char *copy = msk_allocate(allocator, bytes, 1);
  if (copy != NULL) memcpy(copy, text, bytes);
  return copy;
}

void msk_free(const msk_allocator *allocator, void *memory) {
  if (memory == NULL) return;
  if (allocator == NULL) {
    free(memory);
  } else {
    allocator->release(allocator->user, memory);
  }
}

bool msk_multiply(size_t a, size_t b, size_t *product) {
  if (b != 0 && a > SIZE_MAX / b) return false;
  *product = a * b;
  return true;
}

bool msk_add(size_t a, size_t b, size_t *sum) {
  if (a > SIZE_MAX - b) return false;
  *sum = a + b;
  return true;
}

void *msk_arena_take(msk_arena *arena, size_t count, size_t bytes) {
  size_t total, end;
  /* it stays: whoever lays out or measures looks once, when all has been asked for */
  if (arena->overflow || !msk_multiply(count, bytes, &total) ||
      !msk_add(total, MSK_ALIGNMENT - 1, &total) ||
      !msk_add(arena->used, total & ~(MSK_ALIGNMENT - 1), &end)) {
    arena->overflow = true;
    return arena->base == NULL ? MSK_NOWHERE : NULL;
  }
  if (arena->base != NULL && end > arena->capacity) {
    arena->overflow = true;
    return NULL;
  }
  char *base = arena->base == NULL ? MSK_NOWHERE : arena->base;
  void *memory = base + arena->used;
  arena->used = end;
  if (end > arena->peak) arena->peak = end;
  return memory;
}

size_t msk_arena_mark(const msk_arena *arena) { return arena->used; }

void msk_arena_release(msk_arena *arena, size_t mark) { arena->used = mark; }
