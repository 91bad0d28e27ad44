/* SPDX-License-Identifier: Apache-2.0
 * features.c - see features.h. */
#include "eval/features.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "app/cancel.h"
#include "app/input.h"
#include "app/model_path.h"

/* ---- the networks ---- */

static msk_status open_judge(eval_eyes *eyes, const cli_options *options, eval_wish wish,
                             msk_error *error) {
  msk_judge_options judge_options;
  if (wish == EYE_UNWANTED) return MSK_OK;
  msk_status status = model_path_find_judge(eyes->judge_path, options->judge, error);
  if (status != MSK_OK) return wish == EYE_MAYBE && options->judge == NULL ? MSK_OK : status;
  msk_judge_options_init(&judge_options);
  judge_options.isa = options->isa;
  if (options->threads > 0) judge_options.threads = options->threads;
  status = msk_judge_open(&eyes->judge, eyes->judge_path, &judge_options, error);
  if (status == MSK_OK) msk_judge_get_info(eyes->judge, &eyes->judge_info);
  return status;
}

static msk_status open_clip(eval_eyes *eyes, const cli_options *options, eval_wish wish,
                            msk_error *error) {
  msk_clip_options clip_options;
  if (wish == EYE_UNWANTED) return MSK_OK;
  msk_status status = model_path_find_clip(eyes->clip_path, options->clip, error);
  if (status != MSK_OK) return wish == EYE_MAYBE && options->clip == NULL ? MSK_OK : status;
  msk_clip_options_init(&clip_options);
  clip_options.isa = options->isa;
  if (options->threads > 0) clip_options.threads = options->threads;
  status = msk_clip_open(&eyes->clip, eyes->clip_path, &clip_options, error);
  if (status == MSK_OK) msk_clip_get_info(eyes->clip, &eyes->clip_info);
  return status;
}

msk_status eval_eyes_open(eval_eyes *eyes, const cli_options *options, eval_wish judge,
                          eval_wish clip, msk_error *error) {
  *eyes = (eval_eyes){0};
  msk_status status = open_judge(eyes, options, judge, error);
  return status == MSK_OK ? open_clip(eyes, options, clip, error) : status;
}

void eval_eyes_close(eval_eyes *eyes) {
  msk_judge_close(eyes->judge);
  msk_clip_close(eyes->clip);
  *eyes = (eval_eyes){0};
}

bool eval_eyes_have(const eval_eyes *eyes, int kind) {
  return kind == FEATURES_JUDGE ? eyes->judge != NULL : eyes->clip != NULL;
}

int eval_eyes_dimensions(const eval_eyes *eyes, int kind) {
  return kind == FEATURES_JUDGE ? eyes->judge_info.feature_count : eyes->clip_info.dimensions;
}

const char *eval_features_name(int kind) { return kind == FEATURES_JUDGE ? "judge" : "clip"; }

msk_status eval_eyes_features(eval_eyes *eyes, int kind, const msk_image *image, float *values,
                              msk_error *error) {
  return kind == FEATURES_JUDGE ? msk_judge_look(eyes->judge, image, 1, NULL, NULL, values, error)
                                : msk_clip_embed_images(eyes->clip, image, 1, values, error);
}

/* ---- a folder ---- */

typedef struct name_list {
  char **names;
  size_t count, capacity;
} name_list;

static void free_names(name_list *list) {
  for (size_t i = 0; i < list->count; i++) free(list->names[i]);
  free(list->names);
}

static msk_status keep_name(name_list *list, const char *name, const char *folder,
                            msk_error *error) {
  if (list->count == MAX_FOLDER_PICTURES) {
    return app_fail(error, MSK_ERROR_FILE,
                    "%s holds more than the %d pictures that are taken from a folder", folder,
                    MAX_FOLDER_PICTURES);
  }
  if (list->count == list->capacity) {
    size_t larger = list->capacity == 0 ? 64 : 2 * list->capacity;
    char **names = realloc(list->names, larger * sizeof *names);
    if (names == NULL)
      return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the names in %s", folder);
    list->names = names;
    list->capacity = larger;
  }
  list->names[list->count] = strdup(name);
  if (list->names[list->count] == NULL)
    return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the names in %s", folder);
  list->count++;
  return MSK_OK;
}

static int compare_names(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static msk_status list_pictures(name_list *list, const char *path, msk_error *error) {
  DIR *folder = opendir(path);
  if (folder == NULL)
    return app_fail(error, MSK_ERROR_FILE, "cannot read the folder %s: %s", path, strerror(errno));
  msk_status status = MSK_OK;
  for (struct dirent *entry; status == MSK_OK && (entry = readdir(folder)) != NULL;) {
    if (entry->d_name[0] != '.' && msk_format_of_path(entry->d_name) != MSK_FORMAT_AUTO)
      status = keep_name(list, entry->d_name, path, error);
  }
  closedir(folder);
  if (status == MSK_OK && list->count < 2) {
    status = app_fail(error, MSK_ERROR_FILE,
                      "%s holds %zu pictures (.png, .jpg, .webp), expected at least 2: a distance "
                      "needs their spread",
                      path, list->count);
  }
  if (status == MSK_OK) qsort(list->names, list->count, sizeof *list->names, compare_names);
  return status;
}

static msk_status take_memory(eval_folder *folder, const eval_eyes *eyes,
                              const bool kinds[FEATURE_KINDS], msk_error *error) {
  for (int kind = 0; kind < FEATURE_KINDS; kind++) {
    if (!kinds[kind] || !eval_eyes_have(eyes, kind)) continue;
    size_t bytes = (size_t)folder->count * (size_t)eval_eyes_dimensions(eyes, kind) * sizeof(float);
    if (bytes > MAX_FEATURE_BYTES) {
      return app_fail(
          error, MSK_ERROR_FILE,
          "the features of %d pictures take %zu bytes, expected at most %d: compare fewer pictures",
          folder->count, bytes, MAX_FEATURE_BYTES);
    }
    folder->values[kind] = malloc(bytes);
    if (folder->values[kind] == NULL)
      return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the features of %d pictures",
                      folder->count);
  }
  return MSK_OK;
}

static msk_status look_at(eval_folder *folder, eval_eyes *eyes, const char *path, const char *name,
                          int index, msk_error *error) {
  char file[MAX_PATH_BYTES];
  msk_image image = {0};
  if (snprintf(file, sizeof file, "%s/%s", path, name) >= (int)sizeof file)
    return app_fail(error, MSK_ERROR_FILE, "the name of a picture in %.80s... is too long", path);
  msk_status status = input_picture(&image, file, MSK_ALPHA_WHITE, error);
  for (int kind = 0; kind < FEATURE_KINDS && status == MSK_OK; kind++) {
    if (folder->values[kind] == NULL) continue;
    float *values = folder->values[kind] + (size_t)index * (size_t)eval_eyes_dimensions(eyes, kind);
    status = eval_eyes_features(eyes, kind, &image, values, error);
  }
  msk_image_free(&image);
  return status;
}

msk_status eval_folder_look(eval_folder *folder, eval_eyes *eyes, const bool kinds[FEATURE_KINDS],
                            const char *path, bool quiet, msk_error *error) {
  name_list list = {0};
  bool shown = !quiet && progress_is_terminal();
  *folder = (eval_folder){0};
  msk_status status = list_pictures(&list, path, error);
  folder->count = (int)list.count;
  if (status == MSK_OK) status = take_memory(folder, eyes, kinds, error);
  for (size_t i = 0; i < list.count && status == MSK_OK; i++) {
    if (shown)
      fprintf(stderr, "\r\x1b[Klooking at picture %zu of %zu in the folder", i + 1, list.count);
    status = cancel_requested() ? app_fail(error, MSK_ERROR_CANCELLED, "cancelled")
                                : look_at(folder, eyes, path, list.names[i], (int)i, error);
  }
  if (shown) fputs("\r\x1b[K", stderr);
  free_names(&list);
  if (status != MSK_OK) eval_folder_free(folder);
  return status;
}

void eval_folder_free(eval_folder *folder) {
  for (int kind = 0; kind < FEATURE_KINDS; kind++) free(folder->values[kind]);
  *folder = (eval_folder){0};
}
