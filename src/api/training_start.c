/* SPDX-License-Identifier: Apache-2.0
 *
 * training_start.c - a run that begins from a checkpoint, or from the network of a model. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/training_run.h"
#include "base/json_tree.h"
#include "train/start.h"

/* The source's own, else those of the tokenizer's model. */
char *training_class_names(const training_run *run) {
  const msk_train_source *source = &run->options->source;
  const char *old = msk_weight_file_metadata(run->model->file, "classes");
  if (source->class_names == NULL) return old == NULL ? NULL : msk_duplicate_string(NULL, old);
  json_t *names = json_array();
  int failed = 0;
  for (int i = 0; i < source->classes; i++)
    failed |= json_array_append_new(names, json_string(source->class_names[i]));
  failed |= json_array_append_new(names, json_string("null"));
  for (int i = 0; i < source->hands; i++) {
    char name[32];
    snprintf(name, sizeof name, i == 0 ? "drawing" : "drawing %d", i + 1);
    failed |= json_array_append_new(names, json_string(name));
  }
  char *text = failed ? NULL : msk_json_text(names, JSON_COMPACT, NULL);
  json_decref(names);
  return text;
}

/* Names up to their first comma: synonyms may be others. */
static int find_name(const json_t *names, size_t count, const char *name) {
  for (size_t i = 0; name != NULL && i < count && i < json_array_size(names); i++) {
    const char *other = json_string_value(json_array_get(names, i));
    size_t bytes = strcspn(name, ",");
    if (other != NULL && strcspn(other, ",") == bytes && memcmp(name, other, bytes) == 0)
      return (int)i;
  }
  return -1;
}

/* Classes by their names; behind them, in both, one without a name and then hands, whatever these
 * are called. A file without "null" has none of either. */
static void match(const json_t *names, size_t classes, const json_t *old, int *of) {
  size_t count = json_array_size(old), named = count;
  int null = find_name(old, count, "null");
  if (null >= 0) named = (size_t)null;
  for (size_t i = 0; i < json_array_size(names); i++) {
    size_t behind = named + i - classes;
    if (i < classes) {
      of[i] = find_name(old, named, json_string_value(json_array_get(names, i)));
    } else {
      of[i] = behind < count ? (int)behind : -1;
    }
  }
}

static msk_status load_names(json_t **names, const char *what, const char *text, msk_error *error) {
  return msk_json_load(names, what, text, strlen(text), MSK_JSON_FEW, error);
}

/* Whether two codebooks are the same, but for what types round. */
static msk_status compare_codes(const training_run *run, const msk_weight_file *file,
                                const msk_tensor *codes, bool *same) {
  const msk_tensor *mine =
      msk_weight_file_find(run->model->file, MSK_MODEL_TOKENIZER "quantizer.codebook");
  double apart = 0, all = 0;
  *same = false;
  if (mine == NULL || mine->elements != codes->elements) return MSK_OK;
  float *values = msk_allocate(NULL, 2 * codes->elements, sizeof *values);
  if (values == NULL)
    return msk_fail(run->error, MSK_ERROR_MEMORY, "no memory to compare two codebooks");
  msk_status status = msk_weight_values(file, codes, values, run->error);
  if (status == MSK_OK)
    status = msk_weight_values(run->model->file, mine, values + codes->elements, run->error);
  for (size_t i = 0; status == MSK_OK && i < codes->elements; i++) {
    apart += fabs((double)values[i] - (double)values[codes->elements + i]);
    all += fabs((double)values[i]);
  }
  *same = apart <= 0.01 * all;
  msk_free(NULL, values);
  return status;
}

static msk_status match_codes(const training_run *run, const msk_weight_file *file,
                              msk_start_vocabulary *v) {
  const msk_tensor *codes = msk_weight_file_find(file, MSK_MODEL_TOKENIZER "quantizer.codebook");
  v->codes = v->file_codes = (size_t)run->model->codes;
  v->same_codes = true;
  if (codes == NULL) return MSK_OK; /* a transformer alone */
  v->file_codes = codes->shape[0];
  return compare_codes(run, file, codes, &v->same_codes);
}

/* v->of stays NULL where either has no names: then both have the same number. */
static msk_status match_labels(const training_run *run, const msk_weight_file *file,
                               msk_start_vocabulary *v) {
  const char *old_text = msk_weight_file_metadata(file, "classes");
  char *text = training_class_names(run), what[600];
  json_t *names = NULL, *old = NULL;
  snprintf(what, sizeof what, "%s: the list of class names", msk_weight_file_path(file));
  msk_status status = MSK_OK;
  v->labels = v->file_labels = run->course->params->config.vocabulary - v->codes - 1;
  if (text != NULL && old_text != NULL) {
    status = load_names(&names, "the list of class names", text, run->error);
    if (status == MSK_OK) status = load_names(&old, what, old_text, run->error);
  }
  if (old != NULL && json_array_size(names) == v->labels) {
    int *of = msk_allocate(NULL, v->labels, sizeof *of);
    v->file_labels = json_array_size(old);
    v->of = of;
    if (of != NULL) match(names, (size_t)run->options->source.classes, old, of);
    if (of == NULL)
      status = msk_fail(run->error, MSK_ERROR_MEMORY, "no memory for the class names");
  }
  json_decref(names);
  json_decref(old);
  msk_free(NULL, text);
  return status;
}

/* Codes that mean others begin as in a network from nothing. */
static msk_status start_transformer(training_run *run, const msk_weight_file *file) {
  msk_course *course = run->course;
  msk_start_vocabulary v = {0};
  msk_status status = match_codes(run, file, &v);
  if (status == MSK_OK) status = match_labels(run, file, &v);
  if (status == MSK_OK && !v.same_codes) status = run->stage->start(run);
  if (status == MSK_OK)
    status = msk_params_start_from(course->params, file, run->stage->prefix, &v, run->options->seed,
                                   course->block, run->error);
  msk_free(NULL, (int *)(uintptr_t)v.of);
  return status;
}

/* A tokenizer's codes begin anew in any case. */
msk_status training_start_tokenizer(training_run *run, const msk_weight_file *file) {
  msk_course *course = run->course;
  const msk_vqgan_config *config = &run->painter->plan.config;
  const char *except = run->options->stage == MSK_TRAIN_TOKENIZER ? "quantizer.codebook" : NULL;
  msk_vqgan_config found;
  msk_status status =
      msk_vqgan_read_config(&found, file, MSK_MODEL_TOKENIZER, config->groups, run->error);
  if (status == MSK_OK && found.decoder_blocks > config->decoder_blocks)
    status = msk_fail(run->error, MSK_ERROR_ARGUMENT,
                      "decoder_blocks is %zu, expected at least the %zu of %s",
                      config->decoder_blocks, found.decoder_blocks, msk_weight_file_path(file));
  if (status != MSK_OK) return status;
  msk_picture_trainer_start(run->painter);
  status = msk_params_start_from_tokenizer(course->params, config->decoder_blocks, file,
                                           MSK_MODEL_TOKENIZER, found.decoder_blocks, except,
                                           course->block, run->error);
  if (status == MSK_OK) msk_course_begin(course);
  return status;
}

static msk_status start_from_model(training_run *run, const msk_weight_file *file) {
  if (run->options->stage != MSK_TRAIN_TRANSFORMER) return training_start_tokenizer(run, file);
  msk_status status = start_transformer(run, file);
  if (status == MSK_OK) msk_course_begin(run->course);
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
