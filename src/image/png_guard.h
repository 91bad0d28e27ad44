/* SPDX-License-Identifier: Apache-2.0
 *
 * png_guard.h - what reading and writing a PNG share: libpng's memory comes from our allocator,
 * and its errors, whose callback must not return, jump to the setjmp() that the user of the
 * guard has set. Pass the guard to libpng as its memory and its error pointer. */
#ifndef MSK_IMAGE_PNG_GUARD_H
#define MSK_IMAGE_PNG_GUARD_H

#include <png.h>
#include <setjmp.h>
#include <string.h>

#include "base/memory.h"

typedef struct png_guard {
  const msk_allocator *allocator;
  bool no_memory;
  char message[128]; /* libpng's */
  jmp_buf jump;
} png_guard;

static inline void *png_take(png_structp png, png_alloc_size_t bytes) {
  png_guard *guard = png_get_mem_ptr(png);
  void *memory = msk_allocate(guard->allocator, bytes, 1);
  if (memory == NULL) guard->no_memory = true;
  return memory;
}

static inline void png_give_back(png_structp png, void *memory) {
  png_guard *guard = png_get_mem_ptr(png);
  msk_free(guard->allocator, memory);
}

static inline void png_failed(png_structp png, const char *message) {
  png_guard *guard = png_get_error_ptr(png);
  strncpy(guard->message, message, sizeof guard->message - 1);
  longjmp(guard->jump, 1);
}

/* libpng's warnings are about ancillary data and about bytes after the picture. */
static inline void png_warned(png_structp png, const char *message) {
  (void)png;
  (void)message;
}

#endif
