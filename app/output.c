/* SPDX-License-Identifier: Apache-2.0
 * output.c - see output.h. */
#include "app/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/input.h"
#include "masksketch_tools.h"

bool output_is_stdout(const char *path) { return strcmp(path, "-") == 0; }

msk_status output_format(const char *path, int quality, msk_format *format, msk_error *error) {
  *format = output_is_stdout(path) ? MSK_FORMAT_PNG : msk_format_of_path(path);
  if (*format == MSK_FORMAT_AUTO) {
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) {
      *format = MSK_FORMAT_PNG; /* a device or pipe, as in -o /dev/stdout */
    } else {
      return app_fail(
          error, MSK_ERROR_ARGUMENT,
          "the output %s names no format, expected a name that ends in .png, .jpg, .jpeg or .webp",
          path);
    }
  }
  if (quality > 0 && *format == MSK_FORMAT_PNG) {
    return app_fail(
        error, MSK_ERROR_ARGUMENT,
        "--quality has no effect on PNG (%s), expected a name that ends in .jpg, .jpeg or .webp",
        path);
  }
  return MSK_OK;
}

/* ---- Names ---- */

static const char *last_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash == NULL ? path : slash + 1;
}

static const char *suffix_of(const char *name) {
  const char *dot = strrchr(name, '.');
  return dot == NULL || dot == name ? name + strlen(name) : dot;
}

/* What the user called the class, fit for a file name. */
static void slug(char *out, size_t size, const char *text) {
  size_t used = 0;
  for (const unsigned char *c = (const unsigned char *)text; *c != 0 && used + 1 < size; c++) {
    bool plain = (*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                 *c >= 0x80 || *c == '-' || (*c == '.' && used > 0);
    out[used++] = plain ? (char)*c : '_';
  }
  out[used] = 0;
}

static msk_status too_long(const char *path, msk_error *error) {
  return app_fail(error, MSK_ERROR_ARGUMENT, "the output's name is too long: %.80s...", path);
}

msk_status output_default_name(char name[MAX_PATH_BYTES], const char *source,
                               const char *class_text, uint64_t seed, msk_error *error) {
  char class_name[100];
  slug(class_name, sizeof class_name, class_text);
  const char *base = "";
  if (source != NULL) base = input_is_stream(source) ? "sketch" : last_name(source);
  int length = snprintf(name, MAX_PATH_BYTES, "%.*s%s%s-%llu.png", (int)(suffix_of(base) - base),
                        base, source == NULL ? "" : "-", class_name, (unsigned long long)seed);
  return length < MAX_PATH_BYTES ? MSK_OK : too_long(name, error);
}

msk_status output_numbered(char name[MAX_PATH_BYTES], const char *path, int index, int count,
                           msk_error *error) {
  const char *suffix = suffix_of(last_name(path));
  int length = count == 1 ? snprintf(name, MAX_PATH_BYTES, "%s", path)
                          : snprintf(name, MAX_PATH_BYTES, "%.*s-%d%s", (int)(suffix - path), path,
                                     index + 1, suffix);
  return length < MAX_PATH_BYTES ? MSK_OK : too_long(path, error);
}

static bool is_taken(const char *path, int count) {
  char name[MAX_PATH_BYTES];
  struct stat info;
  msk_error ignored;
  for (int i = 0; i < count; i++) {
    if (output_numbered(name, path, i, count, &ignored) != MSK_OK) return false;
    if (lstat(name, &info) == 0) return true;
  }
  return false;
}

msk_status output_free_name(char name[MAX_PATH_BYTES], int count, msk_error *error) {
  char first[MAX_PATH_BYTES];
  strcpy(first, name);
  msk_status status = MSK_OK;
  /* the numbers of output_numbered(), from 2 on, which are two of more than one */
  for (int i = 1; status == MSK_OK && is_taken(name, count); i++)
    status = output_numbered(name, first, i, INT_MAX, error);
  return status;
}

/* ---- Refusals ---- */

static msk_status cannot_write(const char *path, const char *why, msk_error *error) {
  return app_fail(error, MSK_ERROR_OUTPUT, "cannot write %s: %s: choose another name with -o", path,
                  why);
}

/* Something is mounted on the file itself, as a container's volume is: rename cannot replace it. */
static bool is_mount_point(const char *path) {
  struct statx info;
  return statx(AT_FDCWD, path, 0, STATX_BASIC_STATS, &info) == 0 &&
         (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

/* Whether a temporary file in its folder can be made, and renamed to it. */
static msk_status check_folder(const char *path, msk_error *error) {
  char folder[PATH_MAX];
  const size_t length = (size_t)(last_name(path) - path);
  if (length + 2 > sizeof folder) return too_long(path, error);
  memcpy(folder, path, length);
  memcpy(folder + length, ".", 2);
  if (access(folder, W_OK | X_OK) == 0) return MSK_OK;
  if (errno != ENOENT) return cannot_write(path, strerror(errno), error);
  return app_fail(error, MSK_ERROR_OUTPUT,
                  "cannot write %s: the folder %.*s is not there: make it first", path, (int)length,
                  path);
}

msk_status output_check(const char *path, msk_error *error) {
  struct stat info;
  char resolved[PATH_MAX];
  if (output_is_stdout(path) && isatty(STDOUT_FILENO))
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "standard output is a terminal, which shows no files, expected one or a pipe: "
                    "name it with -o");
  if (output_is_stdout(path)) return MSK_OK;
  const bool exists = stat(path, &info) == 0;
  if (!exists && errno != ENOENT) return cannot_write(path, strerror(errno), error);
  if (!exists && lstat(path, &info) == 0)
    return cannot_write(path, "it is a link to a file that is not there", error);
  if (exists && S_ISDIR(info.st_mode)) {
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "the output %s is a folder, expected the name of a file in it", path);
  }
  if (exists && !S_ISREG(info.st_mode)) /* a device or pipe is written to, not replaced */
    return access(path, W_OK) == 0 ? MSK_OK : cannot_write(path, strerror(errno), error);
  if (exists && is_mount_point(path))
    return cannot_write(path, "something is mounted on it, so that it cannot be replaced", error);
  return check_folder(exists && realpath(path, resolved) != NULL ? resolved : path, error);
}

/* ---- Writing ---- */

static msk_status write_descriptor(int descriptor, const char *name, const char *bytes,
                                   size_t byte_count, msk_error *error) {
  while (byte_count > 0) {
    ssize_t written = write(descriptor, bytes, byte_count);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0)
      return app_fail(error, MSK_ERROR_OUTPUT, "cannot write to %s: %s", name, strerror(errno));
    bytes += written;
    byte_count -= (size_t)written;
  }
  return MSK_OK;
}

/* Writes bytes whole or not at all. */
static msk_status output_write(const char *path, const void *bytes, size_t byte_count,
                               msk_error *error) {
  if (output_is_stdout(path)) {
    msk_status status = app_flush_stdout(error);
    return status != MSK_OK
               ? status
               : write_descriptor(STDOUT_FILENO, "standard output", bytes, byte_count, error);
  }
  struct stat info;
  if (stat(path, &info) != 0 || S_ISREG(info.st_mode))
    return msk_file_write(path, bytes, byte_count, error);
  /* A device or pipe must be written to, not replaced by a file of its name. */
  int descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
  if (descriptor < 0)
    return app_fail(error, MSK_ERROR_OUTPUT, "cannot write %s: %s", path, strerror(errno));
  msk_status status = write_descriptor(descriptor, path, bytes, byte_count, error);
  if (close(descriptor) != 0 && status == MSK_OK)
    status = app_fail(error, MSK_ERROR_OUTPUT, "cannot write %s: %s", path, strerror(errno));
  return status;
}

msk_status output_encode(const msk_image *image, msk_format format, int quality,
                         const char *metadata, void **bytes, size_t *byte_count, msk_error *error) {
  const msk_text text = {"masksketch", metadata};
  const size_t texts = metadata != NULL && format == MSK_FORMAT_PNG;
  return msk_image_encode(image, format, quality, &text, texts, bytes, byte_count, NULL, error);
}

msk_status output_picture(const char *path, const msk_image *image, int quality,
                          const char *metadata, msk_error *error) {
  msk_format format = MSK_FORMAT_PNG;
  void *bytes = NULL;
  size_t byte_count = 0;
  msk_status status = output_format(path, quality, &format, error);
  if (status != MSK_OK) return status;
  status =
      output_encode(image, format, quality > 0 ? quality : 0, metadata, &bytes, &byte_count, error);
  if (status != MSK_OK) return status;
  status = output_write(path, bytes, byte_count, error);
  msk_free(NULL, bytes);
  return status;
}

msk_status output_array(const char *path, const msk_array *array, msk_error *error) {
  void *bytes = NULL;
  size_t byte_count = 0;
  msk_status status = msk_npy_encode(array, &bytes, &byte_count, NULL, error);
  if (status != MSK_OK) return status;
  status = output_write(path, bytes, byte_count, error);
  msk_free(NULL, bytes);
  return status;
}

msk_status output_make_folders(const char *path, msk_error *error) {
  char part[MAX_PATH_BYTES];
  snprintf(part, sizeof part, "%s", path);
  for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    if (mkdir(part, 0777) != 0 && errno != EEXIST)
      return app_fail(error, MSK_ERROR_OUTPUT, "cannot make the folder %s: %s", part,
                      strerror(errno));
    *slash = '/';
  }
  return MSK_OK;
}
