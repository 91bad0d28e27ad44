/* SPDX-License-Identifier: Apache-2.0
 *
 * fault.c - loaded into the program in front of the C library (LD_PRELOAD): counts the calls of
 * one kind (FAULT_CALL: memory, open, read, write, fsync, rename, mmap, fstat) and has the
 * FAULT_AT-th fail. Where none is to fail, FAULT_PLACES is written at the end: for each call two
 * 64-bit numbers of its place, the innermost and the outermost of the functions that led to it. Of
 * the C library's own calls only those for memory are seen. Test code only. */
#undef _FILE_OFFSET_BITS /* both names of each call are defined here */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#pragma GCC visibility push(default)

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *memory, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);

enum { MOST_CALLS = 1 << 18, MOST_FRAMES = 64, SEEN_FRAMES = 8 };

static char call[16];
static long fault_at;
static atomic_long calls;
static char places_path[4096];
static uint64_t places[MOST_CALLS][2];

__attribute__((constructor)) static void begin(void) {
  const char *kind = getenv("FAULT_CALL"), *at = getenv("FAULT_AT"), *path = getenv("FAULT_PLACES");
  void *frames[2];
  fault_at = at == NULL ? 0 : strtol(at, NULL, 10);
  if (path != NULL && fault_at == 0) {
    snprintf(places_path, sizeof places_path, "%s", path);
    backtrace(frames, 2); /* the first one takes memory */
  }
  snprintf(call, sizeof call, "%s", kind == NULL ? "" : kind);
}

__attribute__((destructor)) static void end(void) {
  size_t bytes = (size_t)atomic_load(&calls) * sizeof *places;
  call[0] = 0;
  if (places_path[0] == 0) return;
  if (bytes > sizeof places) abort();
  int file = open(places_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file < 0 || syscall(SYS_write, file, places, bytes) != (long)bytes) abort();
  close(file);
}

/* FNV-1a of return addresses. */
static uint64_t hash_of(void *const *frames, int count) {
  uint64_t hash = 0xCBF29CE484222325u;
  for (int i = 0; i < count; i++) hash = (hash ^ (uint64_t)(uintptr_t)frames[i]) * 0x100000001B3u;
  return hash;
}

static void note_place(uint64_t to[2]) {
  void *frames[MOST_FRAMES];
  int count = backtrace(frames, MOST_FRAMES), seen = count < SEEN_FRAMES ? count : SEEN_FRAMES;
  to[0] = hash_of(frames, seen);
  to[1] = hash_of(frames + count - seen, seen);
}

static bool fails(const char *kind, int reason) {
  if (strcmp(call, kind) != 0) return false;
  long at = atomic_fetch_add(&calls, 1);
  if (places_path[0] != 0 && at < MOST_CALLS) note_place(places[at]);
  if (at + 1 != fault_at) return false;
  errno = reason;
  return true;
}

/* ---- Memory ---- */

void *malloc(size_t bytes) { return fails("memory", ENOMEM) ? NULL : __libc_malloc(bytes); }

void *calloc(size_t count, size_t bytes) {
  return fails("memory", ENOMEM) ? NULL : __libc_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes) {
  return fails("memory", ENOMEM) ? NULL : __libc_realloc(memory, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) {
  return fails("memory", ENOMEM) ? NULL : __libc_memalign(alignment, bytes);
}

int posix_memalign(void **memory, size_t alignment, size_t bytes) {
  if (fails("memory", ENOMEM)) return ENOMEM;
  *memory = __libc_memalign(alignment, bytes);
  return *memory == NULL ? ENOMEM : 0;
}

/* ---- Files ---- */

/* The C library's own; a void * is no function, so it is copied. */
#define NEXT(type, name)                \
  static type *next;                    \
  void *found = dlsym(RTLD_NEXT, name); \
  memcpy(&next, &found, sizeof next)

static int open_at(int folder, const char *path, int flags, int mode) {
  if (fails("open", EIO)) return -1;
  return (int)syscall(SYS_openat, folder, path, flags, mode);
}

static int mode_of(int flags, va_list arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, int) : 0;
}

int open(const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  int mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_at(AT_FDCWD, path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  int mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_at(folder, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  int mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_at(AT_FDCWD, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  int mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_at(folder, path, flags, mode);
}

ssize_t read(int file, void *bytes, size_t count) {
  return fails("read", EIO) ? -1 : syscall(SYS_read, file, bytes, count);
}

ssize_t write(int file, const void *bytes, size_t count) {
  return fails("write", ENOSPC) ? -1 : syscall(SYS_write, file, bytes, count);
}

int fsync(int file) { return fails("fsync", EIO) ? -1 : (int)syscall(SYS_fsync, file); }

int renameat(int from, const char *old, int to, const char *new) {
  return fails("rename", EIO) ? -1 : (int)syscall(SYS_renameat2, from, old, to, new, 0);
}

static void *map(void *at, size_t bytes, int protection, int flags, int file, off64_t offset) {
  typedef void *function(void *, size_t, int, int, int, off64_t);
  if (file >= 0 && fails("mmap", ENOMEM)) return MAP_FAILED;
  NEXT(function, "mmap64");
  return next(at, bytes, protection, flags, file, offset);
}

void *mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset) {
  return map(at, bytes, protection, flags, file, offset);
}

void *mmap64(void *at, size_t bytes, int protection, int flags, int file, off64_t offset) {
  return map(at, bytes, protection, flags, file, offset);
}

int fstat(int file, struct stat *info) {
  typedef int function(int, struct stat *);
  if (fails("fstat", EIO)) return -1;
  NEXT(function, "fstat");
  return next(file, info);
}

int fstat64(int file, struct stat64 *info) {
  typedef int function(int, struct stat64 *);
  if (fails("fstat", EIO)) return -1;
  NEXT(function, "fstat64");
  return next(file, info);
}
