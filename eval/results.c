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

#include "app/json.h"
#include "eval/identity.h"

enum { MAX_LINE_BYTES = 4096 };

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

/* "records.jsonl" of the whole, "records-2-of-7.jsonl" of a shard. */
static void name_file(char name[64], const char *stem, const shard *s, const char *suffix) {
  if (s->count == 1) {
    snprintf(name, 64, "%s.%s", stem, suffix);
  } else {
    snprintf(name, 64, "%s-%d-of-%d.%s", stem, s->number, s->count, suffix);
  }
}

static bool read_records_name(shard *s, const char *name) {
  char again[64];
  *s = (shard){1, 1};
  if (sscanf(name, "records-%d-of-%d.jsonl", &s->number, &s->count) != 2 &&
      strcmp(name, "records.jsonl") != 0)
    return false;
  name_file(again, "records", s, "jsonl");
  return strcmp(name, again) == 0 && s->number >= 1 && s->number <= s->count &&
         s->count <= MAX_SHARDS;
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
  *descriptor = open(path, flags | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0666);
  return *descriptor >= 0
             ? MSK_OK
             : app_fail(error, MSK_ERROR_OUTPUT, "cannot open %s: %s", path, strerror(errno));
}

/* ---- records ---- */

static msk_status twice(const eval_results *results, int point, int file, msk_error *error) {
  char names[2][64];
  name_file(names[0], "records", &results->files[results->records[point].file], "jsonl");
  name_file(names[1], "records", &results->files[file], "jsonl");
  return app_fail(error, MSK_ERROR_FILE,
                  "picture %d stands in %s and in %s of %.200s, expected it once: delete its line "
                  "in one of them",
                  point, names[0], names[1], results->folder);
}

/* *good is false where the line is none; only refused memory is an error, so that no record is
 * cut off for it. */
static msk_status take_line(eval_results *results, int file, const char *line, size_t length,
                            bool *good, msk_error *error) {
  json_t *object = NULL;
  msk_error found;
  msk_status status = MSK_OK;
  if (msk_json_load(&object, "line", line, length, MSK_JSON_FEW, &found) == MSK_ERROR_MEMORY)
    return app_fail(error, MSK_ERROR_MEMORY, "%s", found.message);
  const json_t *number = json_object_get(object, "point");
  const json_int_t point = json_integer_value(number);
  *good = json_is_integer(number) && point >= 0 && point < results->points;
  /* a measure that is missing was not known, and stays NaN */
  if (*good) {
    eval_record *record = &results->records[point];
    if (record->done && record->file != file) status = twice(results, (int)point, file, error);
    record->done = true;
    record->file = file;
    for (int i = 0; i < MEASURES_OF_PICTURES; i++) {
      const json_t *value = json_object_get(object, eval_measures[i].name);
      record->measures[i] = json_is_number(value) ? json_number_value(value) : NAN;
    }
  }
  json_decref(object);
  return status;
}

/* Lines up to the end, or to the last one if that is broken: *kept tells how many bytes stay. */
static msk_status take_lines(eval_results *results, int file, FILE *log, long long *kept,
                             msk_error *error) {
  char line[MAX_LINE_BYTES], name[64];
  *kept = 0;
  for (size_t number = 1; fgets(line, sizeof line, log) != NULL; number++) {
    size_t length = strlen(line);
    bool good = length > 0 && line[length - 1] == '\n';
    msk_status status = good ? take_line(results, file, line, length - 1, &good, error) : MSK_OK;
    if (status != MSK_OK) return status;
    if (!good) {
      /* the last line alone can be half written, by a process that was killed */
      if (fgets(line, sizeof line, log) == NULL) return MSK_OK;
      name_file(name, "records", &results->files[file], "jsonl");
      return app_fail(error, MSK_ERROR_FILE,
                      "line %zu of %.200s/%s is damaged, expected a finished picture: delete that "
                      "line, and its picture is made again",
                      number, results->folder, name);
    }
    *kept = ftello(log);
  }
  return MSK_OK;
}

static msk_status read_log(eval_results *results, int file, long long *kept, long long *bytes,
                           msk_error *error) {
  char path[MAX_PATH_BYTES], name[64];
  name_file(name, "records", &results->files[file], "jsonl");
  msk_status status = eval_results_path(path, results, name, error);
  if (status != MSK_OK) return status;
  FILE *log = fopen(path, "rbe");
  if (log == NULL)
    return app_fail(error, MSK_ERROR_FILE, "cannot open %s: %s", path, strerror(errno));
  status = take_lines(results, file, log, kept, error);
  if (status == MSK_OK && ferror(log))
    status = app_fail(error, MSK_ERROR_FILE, "cannot read %s", path);
  fseeko(log, 0, SEEK_END);
  *bytes = ftello(log);
  fclose(log);
  return status;
}

static msk_status read_own_log(eval_results *results, bool quiet, msk_error *error) {
  long long kept = 0, bytes = 0;
  msk_status status = read_log(results, 0, &kept, &bytes, error);
  if (status != MSK_OK) return status;
  if (kept < bytes) {
    char name[64];
    name_file(name, "records", &results->files[0], "jsonl");
    if (!quiet)
      fprintf(stderr,
              "masksketch: the last line of %s was half written; it is cut off, and its picture "
              "made again\n",
              name);
    if (ftruncate(results->log, (off_t)kept) != 0)
      return app_fail(error, MSK_ERROR_OUTPUT, "cannot shorten the records in %s: %s",
                      results->folder, strerror(errno));
  }
  results->log_bytes = kept;
  return MSK_OK;
}

/* What the others have made; their half lines are theirs, who may be writing them just now. */
static msk_status read_other_logs(eval_results *results, msk_error *error) {
  long long kept, bytes;
  msk_status status = MSK_OK;
  for (int file = 1; file < results->file_count && status == MSK_OK; file++)
    status = read_log(results, file, &kept, &bytes, error);
  for (int i = 0; i < results->points && status == MSK_OK; i++) {
    /* the picture was deleted, or the machine lost it: it is made again */
    if (results->records[i].done && !picture_is_there(results, i)) results->records[i].done = false;
    results->done += results->records[i].done;
  }
  return status;
}

/* ---- shards ---- */

static msk_status add_file(eval_results *results, shard s, msk_error *error) {
  shard *files =
      realloc(results->files, ((size_t)results->file_count + 1) * sizeof *results->files);
  if (files == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the shards");
  results->files = files;
  files[results->file_count++] = s;
  return MSK_OK;
}

static msk_status at_work(const eval_results *results, const shard *s, msk_error *error) {
  char who[60] = "another eval";
  if (s->count > 1) snprintf(who, sizeof who, "shard %d of %d", s->number, s->count);
  return app_fail(error, MSK_ERROR_OUTPUT,
                  "%s is at work in %s, expected one at a time, or shards of one number: wait for "
                  "it",
                  who, results->folder);
}

/* Shards of one number know each other's pictures; with any others one has to be alone. */
static msk_status check_alone(const eval_results *results, const shard *other, const char *path,
                              msk_error *error) {
  if (results->files[0].count > 1 && other->count == results->files[0].count) return MSK_OK;
  int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (descriptor < 0)
    return app_fail(error, MSK_ERROR_FILE, "cannot open %s: %s", path, strerror(errno));
  bool busy = flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  close(descriptor);
  return busy ? at_work(results, other, error) : MSK_OK;
}

static int by_shard(const void *a, const void *b) {
  const shard *x = a, *y = b;
  return x->count != y->count ? x->count - y->count : x->number - y->number;
}

/* All records in the folder besides one's own, in an order of their own. */
static msk_status find_others(eval_results *results, msk_error *error) {
  char path[MAX_PATH_BYTES];
  DIR *folder = opendir(results->folder);
  msk_status status = MSK_OK;
  if (folder == NULL)
    return app_fail(error, MSK_ERROR_OUTPUT, "cannot read the folder %s: %s", results->folder,
                    strerror(errno));
  for (struct dirent *entry; status == MSK_OK && (entry = readdir(folder)) != NULL;) {
    shard other;
    if (!read_records_name(&other, entry->d_name) || by_shard(&other, results->files) == 0)
      continue;
    status = eval_results_path(path, results, entry->d_name, error);
    if (status == MSK_OK) status = check_alone(results, &other, path, error);
    if (status == MSK_OK) status = add_file(results, other, error);
  }
  closedir(folder);
  qsort(results->files + 1, (size_t)results->file_count - 1, sizeof *results->files, by_shard);
  return status;
}

/* The first shard that has left no records, of the largest number; past it: there is none. */
static shard find_absent(const eval_results *results) {
  shard absent = {1, results->files[results->file_count - 1].count};
  for (int file = 1; file < results->file_count; file++)
    absent.number += by_shard(&results->files[file], &absent) == 0;
  return absent;
}

static msk_status check_whole(const eval_results *results, msk_error *error) {
  char absence[80] = "";
  int first = 0;
  if (results->done == results->points) return MSK_OK;
  while (results->records[first].done) first++;
  const shard absent = find_absent(results);
  if (absent.count > 1 && absent.number <= absent.count)
    snprintf(absence, sizeof absence, "; shard %d of %d has left no records", absent.number,
             absent.count);
  return app_fail(error, MSK_ERROR_FILE,
                  "%d of %d pictures in %.200s are missing, the first is picture %d%s: run their "
                  "shards again, then merge",
                  results->points - results->done, results->points, results->folder, first,
                  absence);
}

/* ---- features ---- */

static msk_status open_feature_file(int *descriptor, const eval_results *results, const shard *s,
                                    int kind, int flags, msk_error *error) {
  char stem[40], name[64];
  snprintf(stem, sizeof stem, "features-%s", eval_features_name(kind));
  name_file(name, stem, s, "npy");
  return open_file(descriptor, results, name, flags, error);
}

static bool has_records(const eval_results *results, int file) {
  for (int i = 0; i < results->points; i++) {
    if (results->records[i].done && results->records[i].file == file) return true;
  }
  return false;
}

static msk_status lost_features(const eval_results *results, int kind, msk_error *error) {
  return app_fail(error, MSK_ERROR_FILE,
                  "%.200s lacks the features (%s) of pictures that are done: delete the folder's "
                  "records to begin again",
                  results->folder, eval_features_name(kind));
}

/* An array of a row a picture, of which one's own are filled in. */
static msk_status open_features(eval_results *results, const eval_eyes *eyes, msk_error *error) {
  msk_status status = MSK_OK;
  for (int kind = 0; kind < FEATURE_KINDS && status == MSK_OK; kind++) {
    uint8_t header[MSK_NPY_HEADER];
    size_t bytes = 0;
    struct stat info;
    int *file = &results->features[kind];
    results->dimensions[kind] = eval_eyes_dimensions(eyes, kind);
    if (results->dimensions[kind] == 0) continue;
    const msk_array array = {.dtype = MSK_DTYPE_F32,
                             .rank = 2,
                             .shape = {(size_t)results->points, (size_t)results->dimensions[kind]}};
    status = msk_npy_header(header, &bytes, &array, error);
    if (status == MSK_OK)
      status = open_feature_file(file, results, &results->files[0], kind, O_CREAT, error);
    if (status != MSK_OK) break;
    if (fstat(*file, &info) == 0 && info.st_size == 0 && has_records(results, 0))
      return lost_features(results, kind, error);
    if (pwrite(*file, header, sizeof header, 0) != sizeof header ||
        ftruncate(*file, (off_t)(sizeof header + bytes)) != 0)
      status = app_fail(error, MSK_ERROR_OUTPUT, "cannot write the features in %.200s: %s",
                        results->folder, strerror(errno));
  }
  return status;
}

/* ---- opening ---- */

/* One's own records, locked, and the folder for the pictures. */
static msk_status open_own(eval_results *results, msk_error *error) {
  char name[64], pictures[MAX_PATH_BYTES];
  name_file(name, "records", &results->files[0], "jsonl");
  msk_status status = open_file(&results->log, results, name, O_APPEND | O_CREAT, error);
  /* the lock goes with the process, also with one that is killed */
  if (status == MSK_OK && flock(results->log, LOCK_EX | LOCK_NB) != 0)
    status = errno == EWOULDBLOCK ? at_work(results, &results->files[0], error)
                                  : app_fail(error, MSK_ERROR_OUTPUT, "cannot lock %s/%s: %s",
                                             results->folder, name, strerror(errno));
  if (status == MSK_OK) status = eval_results_path(pictures, results, "pictures", error);
  if (status == MSK_OK) status = make_folder(pictures, error);
  return status;
}

/* Who is alone in the folder takes away what kills have left. */
static msk_status sweep(const eval_results *results, msk_error *error) {
  char pictures[MAX_PATH_BYTES];
  bool ignored = false;
  msk_status status = eval_results_path(pictures, results, "pictures", error);
  if (status == MSK_OK) status = look_into(results->folder, true, &ignored, error);
  return status == MSK_OK ? look_into(pictures, true, &ignored, error) : status;
}

/* The folder and what is in it, held against the identity, and locked. */
static msk_status open_folder(eval_results *results, const eval_spec *spec, const eval_eyes *eyes,
                              json_t **models, msk_error *error) {
  bool holds_files = false;
  if (*models == NULL && access(results->folder, F_OK) != 0)
    return app_fail(error, MSK_ERROR_FILE,
                    "there is no folder %s, expected one whose shards have "
                    "run",
                    results->folder);
  msk_status status = make_folder(results->folder, error);
  if (status == MSK_OK) status = look_into(results->folder, false, &holds_files, error);
  if (status == MSK_OK)
    status = eval_identity_hold(results->folder, holds_files, spec, eyes, models, error);
  if (status == MSK_OK) status = open_own(results, error);
  if (status == MSK_OK) status = find_others(results, error);
  return status == MSK_OK && results->files[0].count == 1 ? sweep(results, error) : status;
}

msk_status eval_results_open(eval_results *results, const char *folder, const eval_grid *grid,
                             const eval_eyes *eyes, json_t **models, const eval_opening *opening,
                             msk_error *error) {
  *results = (eval_results){.points = grid->points, .log = -1, .features = {-1, -1}};
  if (snprintf(results->folder, sizeof results->folder, "%s", folder) >=
      (int)sizeof results->folder)
    return app_fail(error, MSK_ERROR_ARGUMENT, "the folder's name is too long: %.80s...", folder);
  results->records = calloc((size_t)grid->points, sizeof *results->records);
  if (results->records == NULL)
    return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the records of %d pictures",
                    grid->points);
  msk_status status = add_file(results, opening->own, error);
  if (status == MSK_OK) status = open_folder(results, grid->spec, eyes, models, error);
  if (status == MSK_OK) status = read_own_log(results, opening->quiet, error);
  if (status == MSK_OK) status = read_other_logs(results, error);
  if (status == MSK_OK && opening->merge) status = check_whole(results, error);
  if (status == MSK_OK && grid->spec->reference != NULL)
    status = open_features(results, eyes, error);
  return status;
}

void eval_results_close(eval_results *results) {
  free(results->records);
  free(results->files);
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

/* Where a picture's row begins in the file. */
static off_t feature_place(int point, size_t bytes) {
  return (off_t)MSK_NPY_HEADER + (off_t)point * (off_t)bytes;
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
                   (long long)feature_place(point, bytes)) ||
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

static msk_status read_features(const eval_results *results, int file, int kind, int point,
                                float *values, msk_error *error) {
  size_t bytes = (size_t)results->dimensions[kind] * sizeof(float), got = 0;
  while (got < bytes) {
    ssize_t n =
        pread(file, (char *)values + got, bytes - got, feature_place(point, bytes) + (off_t)got);
    /* a signal, such as a resized terminal's, is no error */
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return lost_features(results, kind, error);
    got += (size_t)n;
  }
  return MSK_OK;
}

msk_status eval_results_features(const eval_results *results, int kind, int point, float *values,
                                 msk_error *error) {
  return read_features(results, results->features[kind], kind, point, values, error);
}

/* Rows of one kind from one shard's file into one's own. */
static msk_status gather_rows(eval_results *results, int file, int kind, msk_error *error) {
  const size_t bytes = (size_t)results->dimensions[kind] * sizeof(float);
  int from = -1;
  if (!has_records(results, file)) return MSK_OK;
  msk_status status = open_feature_file(&from, results, &results->files[file], kind, 0, error);
  float *row = malloc(bytes);
  if (status == MSK_OK && row == NULL)
    status = app_fail(error, MSK_ERROR_MEMORY, "out of memory for features");
  for (int i = 0; i < results->points && status == MSK_OK; i++) {
    if (!results->records[i].done || results->records[i].file != file) continue;
    status = read_features(results, from, kind, i, row, error);
    if (status == MSK_OK && !write_all(results->features[kind], (const char *)row, bytes,
                                       (long long)feature_place(i, bytes)))
      status = cannot_write(results, "features", error);
  }
  free(row);
  if (from >= 0) close(from);
  return status;
}

msk_status eval_results_gather(eval_results *results, msk_error *error) {
  msk_status status = MSK_OK;
  for (int kind = 0; kind < FEATURE_KINDS; kind++) {
    for (int file = 1; file < results->file_count && status == MSK_OK; file++) {
      if (results->features[kind] >= 0) status = gather_rows(results, file, kind, error);
    }
  }
  return status;
}
