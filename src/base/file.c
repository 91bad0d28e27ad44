/* SPDX-License-Identifier: Apache-2.0
 *
 * file.c - see file.h. The temporary file stands in the target's own folder (rename does not
 * cross file systems) under a name that nobody can guess or have put there before (O_EXCL). What
 * a kill leaves behind is that file, never half a file under the final name. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "masksketch_tools.h"

enum { LARGEST_TRANSFER = 1 << 30, NAME_ATTEMPTS = 16 };

/* O_NONBLOCK: opening a pipe must not wait for a writer. */
static msk_status open_regular(const char *path, int *descriptor, size_t *byte_count,
                               msk_error *error) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return msk_fail(error, MSK_ERROR_FILE, "cannot open %s: %s", path, strerror(errno));
  struct stat info;
  if (fstat(fd, &info) != 0) {
    msk_status status =
        msk_fail(error, MSK_ERROR_FILE, "cannot read %s: %s", path, strerror(errno));
    close(fd);
    return status;
  }
  if (!S_ISREG(info.st_mode)) {
    close(fd);
    return msk_fail(error, MSK_ERROR_FILE, "%s is %s, expected a file", path,
                    S_ISDIR(info.st_mode) ? "a folder" : "a device or pipe");
  }
  *descriptor = fd;
  *byte_count = (size_t)info.st_size;
  return MSK_OK;
}

msk_status msk_map_file(msk_mapping *mapping, const char *path, msk_error *error) {
  int fd = -1;
  size_t bytes = 0;
  msk_status status = open_regular(path, &fd, &bytes, error);
  if (status != MSK_OK) return status;
  void *memory = NULL;
  /* mmap refuses 0 bytes: an empty file has no mapping, and its reader says what it lacks */
  if (bytes > 0) {
    memory = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (memory == MAP_FAILED)
      status = msk_fail(error, MSK_ERROR_FILE, "cannot map %s: %s", path, strerror(errno));
  }
  close(fd);
  if (status != MSK_OK) return status;
  *mapping = (msk_mapping){memory, bytes};
  return MSK_OK;
}

void msk_unmap_file(msk_mapping *mapping) {
  if (mapping->bytes != NULL) munmap((void *)(uintptr_t)mapping->bytes, mapping->byte_count);
  *mapping = (msk_mapping){NULL, 0};
}

/* Whole pages, those at the ends included: nothing was ever written to them. */
void msk_mapping_forget(const msk_mapping *mapping, const void *from, size_t byte_count) {
  uintptr_t start = (uintptr_t)mapping->bytes, first = (uintptr_t)from,
            page = (uintptr_t)sysconf(_SC_PAGESIZE);
  if (mapping->bytes == NULL || byte_count == 0 || first < start ||
      first - start > mapping->byte_count || byte_count > mapping->byte_count - (first - start)) {
    return;
  }
  uintptr_t end = (first + byte_count + page - 1) / page * page;
  first = first / page * page;
  /* a refusal costs memory, nothing else */
  (void)madvise((void *)first, end - first, MADV_DONTNEED);
}

/* Reads until `bytes` are there or the file ends; *got tells. */
static bool read_fully(int fd, uint8_t *memory, size_t bytes, size_t *got) {
  *got = 0;
  while (*got < bytes) {
    size_t wanted = bytes - *got < LARGEST_TRANSFER ? bytes - *got : LARGEST_TRANSFER;
    ssize_t n = read(fd, memory + *got, wanted);
    if (n == 0) return true;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    *got += (size_t)n;
  }
  return true;
}

msk_status msk_file_read(const char *path, size_t limit, void **bytes, size_t *byte_count,
                         const msk_allocator *allocator, msk_error *error) {
  int fd = -1;
  size_t size = 0, got = 0;
  msk_status status = open_regular(path, &fd, &size, error);
  if (status != MSK_OK) return status;
  uint8_t *memory = NULL;
  if (size > limit) {
    status = msk_fail(error, MSK_ERROR_FILE, "%s has %zu bytes, at most %zu are read", path, size,
                      limit);
  } else if ((memory = msk_allocate(allocator, size + 1, 1)) == NULL) {
    status = msk_fail(error, MSK_ERROR_MEMORY, "out of memory for the %zu bytes of %s", size, path);
  } else if (!read_fully(fd, memory, size, &got)) {
    status = msk_fail(error, MSK_ERROR_FILE, "cannot read %s: %s", path, strerror(errno));
  } else if (got != size) {
    status = msk_fail(error, MSK_ERROR_FILE, "%s became shorter while it was read", path);
  }
  close(fd);
  if (status != MSK_OK) {
    msk_free(allocator, memory);
    return status;
  }
  memory[size] = 0; /* text can be used as a string */
  *bytes = memory;
  *byte_count = size;
  return MSK_OK;
}

msk_status msk_file_hash(char hash[65], const char *path, msk_error *error) {
  int fd = -1;
  size_t size = 0, done = 0, got = 1;
  uint8_t piece[1 << 16];
  msk_sha256 sum;
  msk_status status = open_regular(path, &fd, &size, error);
  if (status != MSK_OK) return status;
  msk_sha256_begin(&sum);
  /* As long as it was when it was opened: what is appended meanwhile is none of it. */
  for (; done < size && got > 0; done += got) {
    const size_t wanted = size - done < sizeof piece ? size - done : sizeof piece;
    if (!read_fully(fd, piece, wanted, &got)) {
      status = msk_fail(error, MSK_ERROR_FILE, "cannot read %s: %s", path, strerror(errno));
      break;
    }
    msk_sha256_add(&sum, piece, got);
  }
  close(fd);
  if (status != MSK_OK) return status;
  if (done != size)
    return msk_fail(error, MSK_ERROR_FILE, "%s became shorter while it was read", path);
  msk_sha256_end(&sum, hash);
  return MSK_OK;
}

/* ---- Writing ---- */

void msk_file_writer_discard(msk_file_writer *writer) {
  if (writer->descriptor >= 0) close(writer->descriptor);
  if (writer->folder >= 0 && writer->temporary_name[0] != 0)
    unlinkat(writer->folder, writer->temporary_name, 0);
  if (writer->folder >= 0) close(writer->folder);
  writer->descriptor = writer->folder = -1;
  writer->temporary_name[0] = 0;
}

static msk_status output_failure(msk_file_writer *writer, const char *what, int reason,
                                 msk_error *error) {
  msk_file_writer_discard(writer);
  return msk_fail(error, MSK_ERROR_OUTPUT, "cannot %s %s: %s", what, writer->path,
                  strerror(reason));
}

/* Splits a path into its folder (opened) and its last name. */
static msk_status open_folder(msk_file_writer *writer, char *path, msk_error *error) {
  char *slash = strrchr(path, '/');
  const char *name = slash == NULL ? path : slash + 1;
  if (*name == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
    return output_failure(writer, "write", EISDIR, error);
  if (strlen(name) > NAME_MAX) return output_failure(writer, "write", ENAMETOOLONG, error);
  snprintf(writer->final_name, sizeof writer->final_name, "%s", name);
  const char *folder = ".";
  if (slash == path) {
    folder = "/";
  } else if (slash != NULL) {
    *slash = 0;
    folder = path;
  }
  /* held open: temporary file and rename stay in this folder, wherever the path leads then */
  writer->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return writer->folder >= 0 ? MSK_OK : output_failure(writer, "write", errno, error);
}

static bool random_name(char *name, size_t name_bytes) {
  uint64_t random[2];
  if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) return false;
  snprintf(name, name_bytes, ".masksketch-%016llx%016llx.tmp", (unsigned long long)random[0],
           (unsigned long long)random[1]);
  return true;
}

static msk_status open_temporary(msk_file_writer *writer, msk_error *error) {
  for (int attempt = 0; attempt < NAME_ATTEMPTS; attempt++) {
    char name[sizeof writer->temporary_name];
    if (!random_name(name, sizeof name)) break;
    writer->descriptor =
        openat(writer->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (writer->descriptor >= 0) {
      memcpy(writer->temporary_name, name, sizeof name);
      return MSK_OK;
    }
    if (errno != EEXIST) break;
  }
  return output_failure(writer, "write", errno, error);
}

msk_status msk_file_writer_begin(msk_file_writer *writer, const char *path, msk_error *error) {
  *writer = (msk_file_writer){.descriptor = -1, .folder = -1};
  size_t length = strlen(path);
  if (length >= sizeof writer->path)
    return msk_fail(error, MSK_ERROR_OUTPUT, "cannot write: the path has %zu bytes, at most %d fit",
                    length, PATH_MAX - 1);
  memcpy(writer->path, path, length + 1);
  if (length == 0)
    return msk_fail(error, MSK_ERROR_OUTPUT, "cannot write: the output path is empty");
  struct stat target, link;
  bool exists = stat(path, &target) == 0;
  if (exists && S_ISDIR(target.st_mode)) return output_failure(writer, "write", EISDIR, error);
  /* a device or pipe is written to as it is: no file can take its place */
  if (exists && !S_ISREG(target.st_mode)) {
    writer->direct = true;
    writer->descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    return writer->descriptor >= 0 ? MSK_OK : output_failure(writer, "write", errno, error);
  }
  char resolved[PATH_MAX];
  /* a symbolic link stays one: the file it leads to is replaced */
  if (!(exists && lstat(path, &link) == 0 && S_ISLNK(link.st_mode) &&
        realpath(path, resolved) != NULL))
    memcpy(resolved, path, length + 1);
  msk_status status = open_folder(writer, resolved, error);
  if (status == MSK_OK) status = open_temporary(writer, error);
  if (status == MSK_OK && exists && fchmod(writer->descriptor, target.st_mode & 0777) != 0)
    return output_failure(writer, "write", errno, error);
  return status;
}

msk_status msk_file_writer_write(msk_file_writer *writer, const void *bytes, size_t byte_count,
                                 msk_error *error) {
  const uint8_t *at = bytes;
  while (byte_count > 0) {
    ssize_t n = write(writer->descriptor, at,
                      byte_count < LARGEST_TRANSFER ? byte_count : LARGEST_TRANSFER);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return output_failure(writer, "write", n < 0 ? errno : ENOSPC, error);
    at += n;
    byte_count -= (size_t)n;
  }
  return MSK_OK;
}

msk_status msk_file_writer_commit(msk_file_writer *writer, msk_error *error) {
  if (!writer->direct && fsync(writer->descriptor) != 0)
    return output_failure(writer, "write", errno, error);
  int closed = close(writer->descriptor);
  writer->descriptor = -1;
  if (closed != 0) return output_failure(writer, "write", errno, error);
  if (writer->direct) return MSK_OK;
  if (renameat(writer->folder, writer->temporary_name, writer->folder, writer->final_name) != 0)
    return output_failure(writer, "write", errno, error);
  writer->temporary_name[0] = 0;
  /* Some file systems cannot sync a folder; the file itself is safe by then. */
  if (fsync(writer->folder) != 0 && errno == EIO)
    return output_failure(writer, "sync the folder of", errno, error);
  msk_file_writer_discard(writer);
  return MSK_OK;
}

msk_status msk_file_write(const char *path, const void *bytes, size_t byte_count,
                          msk_error *error) {
  msk_file_writer writer;
  msk_status status = msk_file_writer_begin(&writer, path, error);
  if (status == MSK_OK) status = msk_file_writer_write(&writer, bytes, byte_count, error);
  if (status == MSK_OK) status = msk_file_writer_commit(&writer, error);
  return status;
}
