/* SPDX-License-Identifier: Apache-2.0
 *
 * training_start.c - a run that begins from a checkpoint, or from the network of a model. */
#include <stdio.h>
#include <string.h>

#include "api/training_run.h"
#include "base/json_tree.h"
#include "train/start.h"

static int find_name(const json_t *names, size_t count, const char *name) {
  for (size_t i = 0; i < count && i < json_array_size(names); i++) {
    const char *other = json_string_value(json_array_get(names, i));
    if (name != NULL && other != NULL && strcmp(name, other) == 0) return (int)i;
  }
  return -1;
}

/* Classes by their names; behind them, in both, one without a name and then hands, whatever these
 * are called. A file without "null" has none of either. */
static void match(const json_t *names, size_t classes, const json_t *old, int *of) {
  size_t count = json_array_size(old);
  int null = find_name(old, count, "null");
  for (size_t i = 0; i < json_array_size(names); i++) {
    size_t behind = null < 0 ? count : (size_t)null + i - classes;
    of[i] = i < classes      ? find_name(old, null < 0 ? count : (size_t)null,
                                         json_string_value(json_array_get(names, i)))
            : behind < count ? (int)behind
                             : -1;
  }
}

static msk_status load_names(json_t **names, const char *what, const char *text, msk_error *error) {
  return msk_json_load(names, what, text, strlen(text), MSK_JSON_FEW, error);
}

/* labels->of stays NULL where either has no names: then both have the same number. */
static msk_status make_labels(const training_run *run, const msk_weight_file *file,
                              msk_start_labels *labels) {
  const char *old_text = msk_weight_file_metadata(file, "classes");
  char *text = training_class_names(run), what[600];
  json_t *names = NULL, *old = NULL;
  snprintf(what, sizeof what, "%s: the list of class names", msk_weight_file_path(file));
  msk_status status = MSK_OK;
  if (text != NULL && old_text != NULL) {
    status = load_names(&names, "the list of class names", text, run->error);
    if (status == MSK_OK) status = load_names(&old, what, old_text, run->error);
  }
  if (old != NULL) {
    int *of = msk_allocate(NULL, json_array_size(names), sizeof *of);
    if (of == NULL)
      status = msk_fail(run->error, MSK_ERROR_MEMORY, "no memory for the class names");
    else
      match(names, (size_t)run->options->source.classes, old, of);
    *labels = (msk_start_labels){.codes = (size_t)run->model->codes,
                                 .count = json_array_size(names),
                                 .file_count = json_array_size(old),
                                 .of = of};
  }
  json_decref(names);
  json_decref(old);
  msk_free(NULL, text);
  return status;
}

static msk_status start_from_model(training_run *run, const msk_weight_file *file) {
  msk_course *course = run->course;
  msk_start_labels labels = {0};
  msk_status status = MSK_OK;
  if (run->options->stage == MSK_TRAIN_TRANSFORMER) status = make_labels(run, file, &labels);
  if (status == MSK_OK)
    status = msk_params_start_from(course->params, file, run->stage->prefix,
                                   labels.of == NULL ? NULL : &labels, run->options->seed,
                                   course->block, run->error);
  msk_free(NULL, (int *)(uintptr_t)labels.of);
  if (status == MSK_OK) msk_course_begin(course);
  return status;
}

/* A model has its tensors under a name of their own, and neither moments nor a step, so that the
 * schedule begins anew. */
msk_status training_start_from(training_run *run, const char *path) {
  msk_weight_file *file = NULL;
  char name[MSK_WEIGHT_NAME];
  msk_status status = msk_weight_file_open(&file, path, NULL, run->error);
  if (status != MSK_OK) return status;
  snprintf(name, sizeof name, "%s%s", run->stage->prefix, run->course->params->list[0].tensor.name);
  bool is_model = msk_weight_file_find(file, name) != NULL;
  if (is_model) status = start_from_model(run, file);
  msk_weight_file_close(file);
  return is_model ? status : msk_course_load(run->course, path, run->error);
}
