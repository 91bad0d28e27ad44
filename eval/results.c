/* SPDX-License-Identifier: Apache-2.0
 * results.c - see results.h. */
#include "eval/results.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/cancel.h"
#include "app/json.h"

enum { MAX_LINE_BYTES = 1024, MAX_IDENTITY_BYTES = 4 << 20 };

/* ---- names ---- */

msk_status eval_results_path(char path[MAX_PATH_BYTES], const eval_results *results,
                             const char *name, msk_error *error) {
  int length = snprintf(path, MAX_PATH_BYTES, "%s/%s", results->folder, name);
  return length < MAX_PATH_BYTES
             ? MSK_OK
             : app_fail(error, MSK_ERROR_ARGUMENT, "the folder's name is too long: %.80s...",
                        results->folder);
}

msk_status eval_results_picture(char path[MAX_PATH_BYTES], const eval_results *results, int point,
                                msk_error *error) {
  char name[40];
  snprintf(name, sizeof name, "pictures/%06d.png", point);
  return eval_results_path(path, results, name, error);
}

static bool picture_is_there(const eval_results *results, int point) {
  char path[MAX_PATH_BYTES];
  msk_error ignored;
  return eval_results_picture(path, results, point, &ignored) == MSK_OK && access(path, R_OK) == 0;
}

/* ---- the folder ---- */

static msk_status make_folder(const char *path, msk_error *error) {
  if (mkdir(path, 0777) == 0 || errno == EEXIST) return MSK_OK;
  return app_fail(error, MSK_ERROR_OUTPUT, "cannot make the folder %s: %s", path, strerror(errno));
}

/* What a kill leaves of a file in hand; src/base/file.c names it so. */
static bool is_temporary(const char *name) {
  size_t length = strlen(name);
  return strncmp(name, ".masksketch-", 12) == 0 && length > 16 &&
         strcmp(name + length - 4, ".tmp") == 0;
}

/* Tells whether a folder holds anything but temporary files; `sweep`: these are removed. */
static msk_status look_into(const char *path, bool sweep, bool *holds_files, msk_error *error) {
  DIR *folder = opendir(path);
  if (folder == NULL)
    return app_fail(error, MSK_ERROR_OUTPUT, "cannot read the folder %s: %s", path,
                    strerror(errno));
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    const char *name = entry->d_name;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
    if (!is_temporary(name)) *holds_files = true;
    if (is_temporary(name) && sweep) unlinkat(dirfd(folder), name, 0);
  }
  /* the names made so far are on the disk before the first picture counts on them */
  if (sweep) fsync(dirfd(folder));
  closedir(folder);
  return MSK_OK;
}

static msk_status open_file(int *descriptor, const eval_results *results, const char *name,
                            int flags, msk_error *error) {
  char path[MAX_PATH_BYTES];
  msk_status status = eval_results_path(path, results, name, error);
  if (status != MSK_OK) return status;
  *descriptor = open(path, flags | O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  return *descriptor >= 0
             ? MSK_OK
             : app_fail(error, MSK_ERROR_OUTPUT, "cannot open %s: %s", path, strerror(errno));
}

/* ---- identity ---- */

/* What an evaluation makes is one JSON object: the SPEC without what only the report needs, and
 * fingerprints of all files that the pictures and scores depend on. Two runs with the same
 * identity make the same pictures. Fingerprints (FNV-1a, 64 bits) tell a changed file from an
 * unchanged one; they are no protection against somebody who means to deceive, who could as well
 * write the records. */

static msk_status no_memory(msk_error *error) {
  return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the evaluation's identity");
}

/* "1234-89abcdef01234567": length and fingerprint of a file. */
static msk_status fingerprint(char text[48], const char *path, msk_error *error) {
  static const uint64_t offset = 0xCBF29CE484222325u, prime = 0x100000001B3u;
  uint8_t bytes[1 << 14];
  FILE *file = fopen(path, "rbe");
  if (file == NULL)
    return app_fail(error, MSK_ERROR_FILE, "cannot open %s: %s", path, strerror(errno));
  uint64_t hash = offset, length = 0;
  size_t got;
  /* FNV-1a: against mistaking one file for another, not against people */
  while ((got = fread(bytes, 1, sizeof bytes, file)) > 0 && !cancel_requested()) {
    for (size_t i = 0; i < got; i++) hash = (hash ^ bytes[i]) * prime;
    length += got;
  }
  bool failed = ferror(file) != 0;
  fclose(file);
  if (failed) return app_fail(error, MSK_ERROR_FILE, "cannot read %s", path);
  snprintf(text, 48, "%llu-%016llx", (unsigned long long)length, (unsigned long long)hash);
  return cancel_requested() ? app_fail(error, MSK_ERROR_CANCELLED, "cancelled") : MSK_OK;
}

static msk_status add_file(json_t *object, const char *key, const char *path, msk_error *error) {
  char text[48];
  msk_status status = fingerprint(text, path, error);
  if (status != MSK_OK) return status;
  return json_object_set_new(object, key, json_string(text)) == 0 ? MSK_OK : no_memory(error);
}

/* A sketch as the SPEC has it, and what is in its files. */
static msk_status add_sketch(json_t *list, const eval_spec *spec, size_t index, msk_error *error) {
  char path[MAX_PATH_BYTES];
  const char *mask = eval_spec_sketch(spec, index, "mask");
  json_t *sketch = json_copy(json_array_get(spec->sketches, index));
  if (sketch == NULL || json_array_append_new(list, sketch) != 0) return no_memory(error);
  json_object_del(sketch, "file"); /* the same drawing elsewhere is the same drawing */
  json_object_del(sketch, "mask");
  msk_status status = eval_spec_path(path, spec, eval_spec_sketch(spec, index, "file"), error);
  if (status == MSK_OK) status = add_file(sketch, "drawing", path, error);
  if (status == MSK_OK && mask != NULL) status = eval_spec_path(path, spec, mask, error);
  if (status == MSK_OK && mask != NULL) status = add_file(sketch, "shape", path, error);
  return status;
}

static msk_status add_eyes(json_t *object, const eval_eyes *eyes, msk_error *error) {
  char path[MAX_PATH_BYTES + 32];
  msk_status status = MSK_OK;
  if (eyes->judge != NULL) status = add_file(object, "judge", eyes->judge_path, error);
  if (status != MSK_OK || eyes->clip == NULL) return status;
  snprintf(path, sizeof path, "%s/model.safetensors", eyes->clip_path);
  return add_file(object, "clip", path, error);
}

static msk_status make_identity(json_t **identity, const eval_spec *spec, const eval_eyes *eyes,
                                json_t *models, msk_error *error) {
  json_t *sketches = json_array();
  json_t *object =
      json_pack("{s:s, s:O, s:O, s:O, s:O, s:s, s:b, s:o}", "format", "masksketch eval 1", "models",
                models, "recipes", spec->recipes, "settings", spec->settings, "seeds", spec->seeds,
                "text", spec->text, "reference", spec->reference != NULL, "sketches", sketches);
  if (object == NULL) return no_memory(error);
  msk_status status = MSK_OK;
  for (size_t i = 0; i < json_array_size(spec->sketches) && status == MSK_OK; i++)
    status = add_sketch(sketches, spec, i, error);
  if (status == MSK_OK) status = add_eyes(object, eyes, error);
  if (status == MSK_OK) {
    *identity = object;
  } else {
    json_decref(object);
  }
  return status;
}

static msk_status write_identity(const char *path, const json_t *identity, msk_error *error) {
  char *text = json_dump(identity, JSON_INDENT(1));
  if (text == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for %s", path);
  msk_status status = msk_file_write(path, text, strlen(text), error);
  free(text);
  return status;
}

/* The first key, with its parents, in which two objects differ. */
static void find_difference(const json_t *a, const json_t *b, char *name, size_t size) {
  const json_t *both[] = {a, b};
  for (int side = 0; side < 2; side++) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)both[side], key, value) {
      const json_t *other = json_object_get(both[1 - side], key);
      if (other != NULL && json_equal(value, other)) continue;
      size_t used = strlen(name);
      snprintf(name + used, size - used, "%s%.60s", used == 0 ? "" : ".", key);
      if (json_is_object(value) && json_is_object(other)) find_difference(value, other, name, size);
      return;
    }
  }
}

static msk_status check_identity(const eval_results *results, const json_t *identity,
                                 bool holds_files, msk_error *error) {
  char path[MAX_PATH_BYTES], name[200] = "";
  void *bytes = NULL;
  size_t byte_count = 0;
  msk_status status = eval_results_path(path, results, "identity.json", error);
  if (status != MSK_OK) return status;
  /* a folder with other files in it is somebody's: nothing is written there */
  if (access(path, F_OK) != 0 && !holds_files) return write_identity(path, identity, error);
  if (access(path, F_OK) != 0) {
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "the folder %s holds other files, expected a new folder or one that eval has "
                    "begun: choose another with -o",
                    results->folder);
  }
  status = msk_file_read(path, MAX_IDENTITY_BYTES, &bytes, &byte_count, NULL, error);
  if (status != MSK_OK) return status;
  json_t *known = NULL;
  status = msk_json_load(&known, path, bytes, byte_count, MSK_JSON_MANY, error);
  msk_free(NULL, bytes);
  if (status == MSK_ERROR_MEMORY) return status;
  if (!json_is_object(known)) {
    status = app_fail(error, MSK_ERROR_FILE,
                      "%s is damaged, expected what eval wrote: choose another folder with -o, or "
                      "delete this one",
                      path);
  } else if (!json_equal(known, identity)) {
    find_difference(known, identity, name, sizeof name);
    status = app_fail(error, MSK_ERROR_ARGUMENT,
                      "the folder %.200s holds the results of another SPEC (\"%s\" differs), "
                      "expected a new folder: choose another with -o",
                      results->folder, name);
  }
  json_decref(known);
  return status;
}

/* ---- records ---- */

/* *good is false where the line is none; only refused memory is an error, so that no record is
 * cut off for it. */
static msk_status take_line(eval_results *results, const char *line, size_t length, bool *good,
                            msk_error *error) {
  json_t *object = NULL;
  msk_error found;
  if (msk_json_load(&object, "line", line, length, MSK_JSON_FEW, &found) == MSK_ERROR_MEMORY)
    return app_fail(error, MSK_ERROR_MEMORY, "%s", found.message);
  const json_t *point = json_object_get(object, "point");
  *good = json_is_integer(point) && json_integer_value(point) >= 0 &&
          json_integer_value(point) < results->points;
  /* a measure that is missing was not known, and stays NaN */
  if (*good) {
    eval_record *record = &results->records[json_integer_value(point)];
    record->done = true;
    for (int i = 0; i < MEASURES_OF_PICTURES; i++) {
      const json_t *value = json_object_get(object, eval_measures[i].name);
      record->measures[i] = json_is_number(value) ? json_number_value(value) : NAN;
    }
  }
  json_decref(object);
  return MSK_OK;
}

/* Lines up to the end, or to the last one if that is broken: *kept tells how many bytes stay. */
static msk_status take_lines(eval_results *results, const char *bytes, size_t byte_count,
                             size_t *kept, msk_error *error) {
  size_t at = 0, number = 1;
  for (; at < byte_count; number++) {
    const char *end = memchr(bytes + at, '\n', byte_count - at);
    if (end == NULL) break;
    size_t length = (size_t)(end - bytes) - at;
    bool good = false;
    msk_status status = take_line(results, bytes + at, length, &good, error);
    if (status != MSK_OK) return status;
    if (!good) {
      /* the last line alone can be half written, by a process that was killed */
      if (at + length + 1 == byte_count) break;
      return app_fail(error, MSK_ERROR_FILE,
                      "line %zu of %.200s/records.jsonl is damaged, expected a finished picture: "
                      "delete that line, and its picture is made again",
                      number, results->folder);
    }
    at += length + 1;
  }
  *kept = at;
  return MSK_OK;
}

static msk_status read_log(eval_results *results, bool quiet, msk_error *error) {
  char path[MAX_PATH_BYTES];
  void *bytes = NULL;
  size_t byte_count = 0, kept = 0, limit = (size_t)results->points * 4 * MAX_LINE_BYTES;
  msk_status status = eval_results_path(path, results, "records.jsonl", error);
  if (status == MSK_OK) status = msk_file_read(path, limit, &bytes, &byte_count, NULL, error);
  if (status != MSK_OK) return status;
  status = take_lines(results, bytes, byte_count, &kept, error);
  msk_free(NULL, bytes);
  if (status != MSK_OK) return status;
  if (kept < byte_count) {
    if (!quiet)
      fprintf(stderr,
              "masksketch: the last line of records.jsonl was half written; it is cut off, and its "
              "picture made again\n");
    if (ftruncate(results->log, (off_t)kept) != 0)
      return app_fail(error, MSK_ERROR_OUTPUT, "cannot shorten %s: %s", path, strerror(errno));
  }
  results->log_bytes = (long long)kept;
  for (int i = 0; i < results->points; i++) {
    /* the picture was deleted, or the machine lost it: it is made again */
    if (results->records[i].done && !picture_is_there(results, i)) results->records[i].done = false;
    results->done += results->records[i].done;
  }
  return MSK_OK;
}

/* A file for each network at hand, where the SPEC compares sets of pictures. */
static msk_status open_features(eval_results *results, const eval_eyes *eyes, msk_error *error) {
  msk_status status = MSK_OK;
  for (int kind = 0; kind < FEATURE_KINDS && status == MSK_OK; kind++) {
    char name[40];
    results->dimensions[kind] = eval_eyes_dimensions(eyes, kind);
    if (results->dimensions[kind] == 0) continue;
    snprintf(name, sizeof name, "features-%s.f32", eval_features_name(kind));
    status = open_file(&results->features[kind], results, name, 0, error);
  }
  return status;
}

/* The folder and what is in it, held against the identity, and locked. */
static msk_status open_folder(eval_results *results, const json_t *identity, msk_error *error) {
  char pictures[MAX_PATH_BYTES];
  bool holds_files = false;
  msk_status status = make_folder(results->folder, error);
  if (status == MSK_OK) status = look_into(results->folder, false, &holds_files, error);
  if (status == MSK_OK) status = check_identity(results, identity, holds_files, error);
  if (status == MSK_OK)
    status = open_file(&results->log, results, "records.jsonl", O_APPEND, error);
  /* the lock goes with the process, also with one that is killed */
  if (status == MSK_OK && flock(results->log, LOCK_EX | LOCK_NB) != 0)
    status = app_fail(error, MSK_ERROR_OUTPUT,
                      "another eval is at work in %s, expected one at a time: wait for it",
                      results->folder);
  if (status == MSK_OK) status = eval_results_path(pictures, results, "pictures", error);
  if (status == MSK_OK) status = make_folder(pictures, error);
  if (status == MSK_OK) status = look_into(results->folder, true, &holds_files, error);
  return status == MSK_OK ? look_into(pictures, true, &holds_files, error) : status;
}

msk_status eval_results_open(eval_results *results, const char *folder, const eval_grid *grid,
                             const eval_eyes *eyes, json_t *models, bool quiet, msk_error *error) {
  json_t *identity = NULL;
  *results = (eval_results){.points = grid->points, .log = -1, .features = {-1, -1}};
  if (snprintf(results->folder, sizeof results->folder, "%s", folder) >=
      (int)sizeof results->folder)
    return app_fail(error, MSK_ERROR_ARGUMENT, "the folder's name is too long: %.80s...", folder);
  results->records = calloc((size_t)grid->points, sizeof *results->records);
  if (results->records == NULL)
    return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the records of %d pictures",
                    grid->points);
  msk_status status = make_identity(&identity, grid->spec, eyes, models, error);
  if (status == MSK_OK) status = open_folder(results, identity, error);
  if (status == MSK_OK && grid->spec->reference != NULL)
    status = open_features(results, eyes, error);
  json_decref(identity);
  return status == MSK_OK ? read_log(results, quiet, error) : status;
}

void eval_results_close(eval_results *results) {
  free(results->records);
  if (results->log >= 0) close(results->log);
  for (int kind = 0; kind < FEATURE_KINDS; kind++) {
    if (results->features[kind] >= 0) close(results->features[kind]);
  }
  *results = (eval_results){.log = -1, .features = {-1, -1}};
}

/* ---- growing ---- */

static bool write_all(int descriptor, const char *bytes, size_t byte_count, long long at) {
  while (byte_count > 0) {
    ssize_t written = at < 0 ? write(descriptor, bytes, byte_count)
                             : pwrite(descriptor, bytes, byte_count, (off_t)at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes += written;
    byte_count -= (size_t)written;
    if (at >= 0) at += written;
  }
  return true;
}

static msk_status cannot_write(const eval_results *results, const char *name, msk_error *error) {
  return app_fail(error, MSK_ERROR_OUTPUT, "cannot write %.200s/%s: %s", results->folder, name,
                  strerror(errno));
}

static char *make_line(int point, const double measures[MEASURES_OF_PICTURES]) {
  json_t *object = json_pack("{s:i}", "point", point);
  for (int i = 0; i < MEASURES_OF_PICTURES && object != NULL; i++) {
    if (isfinite(measures[i]))
      json_object_set_new(object, eval_measures[i].name, json_real(measures[i]));
  }
  char *text = json_dump(object, JSON_COMPACT | JSON_PRESERVE_ORDER), *line = NULL;
  json_decref(object);
  if (text != NULL && (line = malloc(strlen(text) + 2)) != NULL) sprintf(line, "%s\n", text);
  free(text);
  return line;
}

msk_status eval_results_append(eval_results *results, int point,
                               const double measures[MEASURES_OF_PICTURES],
                               float *const features[FEATURE_KINDS], msk_error *error) {
  for (int kind = 0; kind < FEATURE_KINDS; kind++) {
    if (results->features[kind] < 0) continue;
    size_t bytes = (size_t)results->dimensions[kind] * sizeof(float);
    if (!write_all(results->features[kind], (const char *)features[kind], bytes,
                   (long long)point * (long long)bytes) ||
        fdatasync(results->features[kind]) != 0)
      return cannot_write(results, "features", error);
  }
  char *line = make_line(point, measures);
  if (line == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for a record");
  size_t length = strlen(line);
  bool written = write_all(results->log, line, length, -1) && fdatasync(results->log) == 0;
  free(line);
  if (!written) {
    msk_status status = cannot_write(results, "records.jsonl", error);
    /* then the half line is cut off by the next run */
    if (ftruncate(results->log, (off_t)results->log_bytes) != 0) return status;
    return status;
  }
  results->log_bytes += (long long)length;
  results->done += !results->records[point].done;
  results->records[point].done = true;
  memcpy(results->records[point].measures, measures, sizeof results->records[point].measures);
  return MSK_OK;
}

msk_status eval_results_features(const eval_results *results, int kind, int point, float *values,
                                 msk_error *error) {
  size_t bytes = (size_t)results->dimensions[kind] * sizeof(float), got = 0;
  while (got < bytes) {
    ssize_t n = pread(results->features[kind], (char *)values + got, bytes - got,
                      (off_t)((size_t)point * bytes + got));
    /* a signal, such as a resized terminal's, is no error */
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      return app_fail(error, MSK_ERROR_FILE,
                      "%.200s/features-%s.f32 is too short for picture %d: delete the folder's "
                      "records to begin again",
                      results->folder, eval_features_name(kind), point);
    }
    got += (size_t)n;
  }
  return MSK_OK;
}
