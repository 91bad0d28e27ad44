/* SPDX-License-Identifier: Apache-2.0
 * input.c - see input.h. */
#include "app/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/report.h"
#include "masksketch_tools.h"

bool input_is_stdin(const char *path) { return strcmp(path, "-") == 0; }

bool input_is_stream(const char *path) {
  struct stat info;
  return input_is_stdin(path) ||
         (stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode));
}

/* Its length is unknown: the buffer doubles, and stays below the limit. */
static msk_status read_stream(int descriptor, const char *name, size_t limit, void **bytes,
                              size_t *byte_count, msk_error *error) {
  size_t capacity = 1 << 16, used = 0;
  char *memory = malloc(capacity);
  while (memory != NULL) {
    ssize_t got = read(descriptor, memory + used, capacity - used);
    if (got == 0) break;
    if (got < 0) {
      int reason = errno;
      free(memory);
      if (reason == EINTR)
        return app_fail(error, MSK_ERROR_CANCELLED, "cancelled while %s was read", name);
      return app_fail(error, MSK_ERROR_FILE, "cannot read %s: %s", name, strerror(reason));
    }
    used += (size_t)got;
    if (used > limit) {
      free(memory);
      return app_fail(error, MSK_ERROR_FILE, "%s has more than the %zu bytes that are read", name,
                      limit);
    }
    if (used == capacity) {
      char *larger = realloc(memory, capacity *= 2);
      if (larger == NULL) free(memory);
      memory = larger;
    }
  }
  if (memory == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for %s", name);
  *bytes = memory; /* from the C heap, which is where msk_free(NULL, ...) returns it */
  *byte_count = used;
  return MSK_OK;
}

msk_status input_read(const char *path, size_t limit, void **bytes, size_t *byte_count,
                      msk_error *error) {
  if (input_is_stdin(path))
    return read_stream(STDIN_FILENO, "standard input", limit, bytes, byte_count, error);
  if (!input_is_stream(path)) return msk_file_read(path, limit, bytes, byte_count, NULL, error);
  int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (descriptor < 0)
    return app_fail(error, MSK_ERROR_FILE, "cannot open %s: %s", path, strerror(errno));
  msk_status status = read_stream(descriptor, path, limit, bytes, byte_count, error);
  close(descriptor);
  return status;
}

msk_status input_picture(msk_image *image, const char *path, msk_alpha alpha, msk_error *error) {
  void *bytes = NULL;
  size_t byte_count = 0;
  msk_status status = input_read(path, MSK_MAX_FILE_BYTES, &bytes, &byte_count, error);
  if (status != MSK_OK) return status;
  const char *name = input_is_stdin(path) ? "standard input" : path;
  status = msk_image_decode(image, bytes, byte_count, alpha, name, NULL, error);
  msk_free(NULL, bytes);
  /* said once, here, and not again by who gets the picture */
  if (status == MSK_OK && image->warning != NULL) {
    char text[512];
    snprintf(text, sizeof text, "%.300s: %s", name, image->warning);
    app_warn(text);
    image->warning = NULL;
  }
  return status;
}

bool input_same_file(const char *a, const char *b) {
  struct stat first, second;
  if (input_is_stdin(a) || input_is_stdin(b)) return false;
  return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}
