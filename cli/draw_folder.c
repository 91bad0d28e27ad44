/* SPDX-License-Identifier: Apache-2.0
 * draw_folder.c - see draw_folder.h. Names and classes are judged before the first picture; a
 * drawing is read when its turn comes. */
#include "draw_folder.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "app/input.h"
#include "app/shard.h"
#include "eval/picture_names.h"
#include "eval/sketch_list.h"

typedef struct entry {
  char *file; /* "fish/thin.png" or "thin.png", in the folder */
  int class_id;
} entry;

/* The drawings, in the order of their names' bytes, which every shard finds the same. */
typedef struct folder {
  const char *path, *output;
  entry *entries;
  int count, room;
  int each; /* pictures of a drawing */
  shard share;
} folder;

static void free_folder(folder *f) {
  for (int i = 0; i < f->count; i++) free(f->entries[i].file);
  free(f->entries);
}

bool draw_is_folder(const cli_line *line) {
  struct stat info;
  return stat(line->inputs[0], &info) == 0 && S_ISDIR(info.st_mode);
}

/* ---- What is there ---- */

static msk_status add(folder *f, const char *file, msk_error *error) {
  if (f->count == MAX_LISTED_SKETCHES)
    return app_fail(error, MSK_ERROR_FILE, "%s holds more than %d drawings", f->path,
                    MAX_LISTED_SKETCHES);
  if (f->count == f->room) {
    const int room = f->room == 0 ? 64 : 2 * f->room;
    entry *entries = realloc(f->entries, (size_t)room * sizeof *entries);
    if (entries == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for %s", f->path);
    f->entries = entries;
    f->room = room;
  }
  char *copy = strdup(file);
  if (copy == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for %s", f->path);
  f->entries[f->count++] = (entry){.file = copy};
  return MSK_OK;
}

static msk_status take_listed(void *user, json_t *object, int line, msk_error *error) {
  (void)line;
  return add(user, json_string_value(json_object_get(object, "file")), error);
}

static msk_status list_plain(folder *f, msk_error *error) {
  picture_names names;
  msk_status status = picture_names_read(&names, f->path, true, error);
  for (int i = 0; i < names.count && status == MSK_OK; i++)
    status = add(f, names.entries[i]->d_name, error);
  picture_names_free(&names);
  return status;
}

static msk_status list_drawings(folder *f, bool one_class, msk_error *error) {
  msk_status status =
      one_class ? list_plain(f, error) : sketch_list_read_folder(f->path, take_listed, f, error);
  if (status != MSK_OK || f->count > 0) return status;
  return app_fail(error, MSK_ERROR_FILE,
                  one_class ? "%s holds no drawings, expected some (.png, .jpg, .webp)"
                            : "%s holds no folders with drawings in them, expected some, each "
                              "named as its class, or --class for the drawings in %s itself",
                  f->path, f->path);
}

/* ---- Names of pictures ---- */

/* Where the picture of a drawing goes, before it is numbered. */
static msk_status name_output(char name[MAX_PATH_BYTES], const folder *f, const char *file,
                              msk_error *error) {
  const char *dot = strrchr(file, '.');
  if (snprintf(name, MAX_PATH_BYTES, "%s/%.*s.png", f->output, (int)(dot - file), file) <
      MAX_PATH_BYTES)
    return MSK_OK;
  return app_fail(error, MSK_ERROR_ARGUMENT, "the output's name is too long: %.80s...", name);
}

static int by_stem(const void *a, const void *b) {
  const char *first = *(const char *const *)a, *second = *(const char *const *)b;
  const size_t length = (size_t)(strrchr(first, '.') - first),
               other = (size_t)(strrchr(second, '.') - second);
  const int difference = memcmp(first, second, length < other ? length : other);
  return difference != 0 ? difference : (length > other) - (length < other);
}

/* Two drawings that differ by their suffix alone would go to one picture. */
static msk_status check_doubles(const folder *f, msk_error *error) {
  const char **files = malloc((size_t)f->count * sizeof *files);
  msk_status status = MSK_OK;
  if (files == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for %s", f->path);
  for (int i = 0; i < f->count; i++) files[i] = f->entries[i].file;
  qsort(files, (size_t)f->count, sizeof *files, by_stem);
  for (int i = 1; i < f->count && status == MSK_OK; i++) {
    if (by_stem(&files[i - 1], &files[i]) == 0)
      status = app_fail(error, MSK_ERROR_FILE,
                        "%s and %s in %s would have one picture, expected names that differ before "
                        "their suffix",
                        files[i - 1], files[i], f->path);
  }
  free(files);
  return status;
}

static bool is_made(const char *output, int each) {
  char name[MAX_PATH_BYTES];
  struct stat info;
  msk_error ignored;
  for (int i = 0; i < each; i++) {
    if (output_numbered(name, output, i, each, &ignored) != MSK_OK || stat(name, &info) != 0)
      return false;
  }
  return true;
}

/* ---- Classes ---- */

/* The class of each drawing; a folder's name is looked up once. */
static msk_status find_classes(folder *f, const msk_model *model, const char *given,
                               msk_error *error) {
  char name[MAX_PATH_BYTES] = "";
  int class_id = 0;
  msk_status status = given == NULL ? MSK_OK : msk_model_class_find(model, given, &class_id, error);
  for (int i = 0; i < f->count && status == MSK_OK; i++) {
    const char *file = f->entries[i].file;
    const size_t length = given == NULL ? strcspn(file, "/") : 0;
    if (length > 0 && (strncmp(file, name, length) != 0 || name[length] != 0)) {
      snprintf(name, sizeof name, "%.*s", (int)length, file);
      status = msk_model_class_find(model, name, &class_id, error);
    }
    f->entries[i].class_id = class_id;
  }
  return status;
}

/* ---- Options ---- */

static msk_status check_options(const cli_line *line, const picture_options *options,
                                msk_error *error) {
  static const char *const of_one[] = {"lambda-map", "film", "sheet", "tokens-out", "trace"};
  const char *output = options->results.output;
  for (size_t i = 0; i < sizeof of_one / sizeof *of_one; i++) {
    if (cli_given(line, of_one[i]))
      return app_fail(error, MSK_ERROR_ARGUMENT,
                      "--%s is of one drawing, but %s is a folder: leave it out", of_one[i],
                      line->inputs[0]);
  }
  if (options->results.quality > 0)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--quality has no effect on the PNGs that are made of a folder: leave it out");
  if (output == NULL || output_is_stdout(output))
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "%s is a folder, expected the folder of its pictures with -o", line->inputs[0]);
  if (input_same_file(output, line->inputs[0]))
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "the pictures would go among the drawings in %s, expected another folder: "
                    "choose one with -o",
                    output);
  return MSK_OK;
}

static msk_status find_share(folder *f, const char *given, bool quiet, msk_error *error) {
  const char *told = NULL;
  msk_status status = shard_find(&f->share, &told, given, error);
  if (status == MSK_OK && told != NULL && !quiet)
    fprintf(stderr, "shard %d of %d, as %s says\n", f->share.number, f->share.count, told);
  return status;
}

/* ---- Drawing ---- */

/* Whether this process draws it: of its share, and not there yet. */
static bool is_wanted(const folder *f, const drawing *d, int index) {
  char name[MAX_PATH_BYTES];
  msk_error ignored;
  if (!shard_has(&f->share, index)) return false;
  if (cli_given(d->line, "force")) return true;
  /* a name that is too long is told when its turn comes */
  return name_output(name, f, f->entries[index].file, &ignored) != MSK_OK ||
         !is_made(name, f->each);
}

static void count_work(const folder *f, drawing *d) {
  int mine = 0;
  for (int i = 0; i < f->count; i++) {
    mine += shard_has(&f->share, i) * f->each;
    d->all += is_wanted(f, d, i) * f->each;
  }
  if (d->all < mine && !d->results->quiet)
    fprintf(stderr, "%d of %d pictures are there already\n", mine - d->all, mine);
}

static msk_status draw_one(const folder *f, const entry *of, drawing *d,
                           const picture_options *options, const picture_job *job, const void *own,
                           msk_error *error) {
  char path[MAX_PATH_BYTES];
  msk_image source = {0};
  order_free(&d->order);
  if (snprintf(path, sizeof path, "%s/%s", f->path, of->file) >= (int)sizeof path)
    return app_fail(error, MSK_ERROR_FILE, "the name of a drawing in %.80s... is too long",
                    f->path);
  msk_status status = name_output(d->output, f, of->file, error);
  if (status == MSK_OK) status = output_make_folders(d->output, error);
  if (status == MSK_OK) status = pictures_read(&source, options, job, path, error);
  if (status == MSK_OK) status = pictures_fill(d, options, job, own, of->class_id, &source, error);
  return status == MSK_OK ? drawing_run(d, error) : status;
}

static msk_status draw_all(const folder *f, drawing *d, const picture_options *options,
                           const picture_job *job, const void *own, msk_error *error) {
  msk_status status = MSK_OK;
  count_work(f, d);
  for (int i = 0; i < f->count && status == MSK_OK; i++) {
    if (is_wanted(f, d, i)) status = draw_one(f, &f->entries[i], d, options, job, own, error);
  }
  return status;
}

msk_status draw_folder(drawing *d, const picture_options *options, const picture_job *job,
                       const void *own, int each, const char *given, msk_error *error) {
  d->goes_on = true;
  folder f = {.path = d->line->inputs[0], .output = options->results.output, .each = each};
  const char *class_text = options->class_text;
  msk_status status = check_options(d->line, options, error);
  if (status == MSK_OK) status = pictures_judge(d, options, job, own, error);
  if (status == MSK_OK) status = find_share(&f, given, options->results.quiet, error);
  if (status == MSK_OK) status = list_drawings(&f, class_text != NULL, error);
  if (status == MSK_OK) status = check_doubles(&f, error);
  if (status == MSK_OK) status = model_path_open(&d->model, &options->model, error);
  if (status == MSK_OK) status = find_classes(&f, d->model, class_text, error);
  if (status == MSK_OK) status = draw_all(&f, d, options, job, own, error);
  free_folder(&f);
  return pictures_end(d, status, error);
}
