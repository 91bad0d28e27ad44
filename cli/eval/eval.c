/* SPDX-License-Identifier: Apache-2.0
 *
 * eval.c - eval: from a SPEC to pictures, scores, a CSV and a report. Everything that can be
 * wrong is looked for before the first picture is made. */
#include <stdlib.h>
#include <string.h>

#include "app/cancel.h"
#include "app/input.h"
#include "eval/identity.h"
#include "eval/report.h"
#include "eval/run.h"
#include "eval/table.h"

/* ---- models ---- */

static uint64_t largest_seed(const eval_grid *grid) {
  uint64_t largest = 0;
  for (int i = 0; i < grid->seeds; i++)
    largest = eval_grid_seed(grid, i) > largest ? eval_grid_seed(grid, i) : largest;
  return largest;
}

/* Every setting of a model must be one that it can run. */
static msk_status check_settings(const evaluation *e, const msk_model *model, int index,
                                 msk_error *error) {
  msk_model_info info;
  msk_image side = {0};
  msk_session_options options;
  int each = e->grid.settings / e->grid.models;
  msk_model_get_info(model, &info);
  msk_session_options_init(&options);
  options.threads = 1;
  msk_status status = msk_image_create(&side, info.image_size, info.image_size, NULL, error);
  for (int i = 0; i < each && status == MSK_OK; i++) {
    msk_request request;
    msk_error reason = {MSK_OK, ""};
    size_t bytes = 0;
    status = msk_request_init(&request, model, MSK_JOB_DRAW, NULL, &reason);
    request.picture = &side;
    if (status == MSK_OK)
      status = eval_grid_recipe(&request.recipe, &e->grid, model, index * each + i, &reason);
    request.seed = largest_seed(&e->grid);
    if (status == MSK_OK) status = msk_session_bytes(&bytes, model, &request, &options, &reason);
    if (status != MSK_OK)
      app_fail(error, status, "setting %d of the SPEC with the model %.60s: %.300s", i,
               info.name == NULL ? "?" : info.name, reason.message);
  }
  msk_image_free(&side);
  return status;
}

/* What the first model calls the class of each sketch; the others must know it as well. */
static msk_status find_classes(evaluation *e, const msk_model *model, msk_error *error) {
  for (int i = 0; i < e->grid.sketches; i++) {
    int id = 0;
    msk_error reason = {MSK_OK, ""};
    msk_status status =
        msk_model_class_find(model, eval_spec_sketch(&e->spec, (size_t)i, "class"), &id, &reason);
    if (status != MSK_OK)
      return app_fail(error, MSK_ERROR_FILE, "the SPEC's sketches[%d]: %.400s", i, reason.message);
    if (e->class_names[i] != NULL) continue;
    const char *name = msk_model_class_name(model, id);
    e->class_names[i] = strdup(name == NULL ? "?" : name);
    if (e->class_names[i] == NULL)
      return app_fail(error, MSK_ERROR_MEMORY, "out of memory for class names");
  }
  return MSK_OK;
}

static msk_status check_models(evaluation *e, msk_error *error) {
  e->models = json_array();
  e->class_names = calloc((size_t)e->grid.sketches, sizeof *e->class_names);
  if (e->models == NULL || e->class_names == NULL)
    return app_fail(error, MSK_ERROR_MEMORY, "out of memory for class names");
  msk_status status = MSK_OK;
  for (int i = 0; i < e->grid.models && status == MSK_OK; i++) {
    msk_model *model = NULL;
    msk_model_info info;
    status = cancel_requested() ? app_fail(error, MSK_ERROR_CANCELLED, "cancelled")
                                : evaluation_open_model(&model, e, i, error);
    if (status != MSK_OK) return status;
    msk_model_get_info(model, &info);
    status = find_classes(e, model, error);
    if (status == MSK_OK) status = check_settings(e, model, i, error);
    if (status == MSK_OK &&
        json_array_append_new(
            e->models, json_pack("{s:s?, s:s?, s:s, s:i, s:i}", "name", info.name, "hash",
                                 info.hash, "isa", info.isa, "precision", (int)info.precision,
                                 "decode_precision", (int)info.decode_precision)) != 0)
      status = app_fail(error, MSK_ERROR_MEMORY, "out of memory for the models' names");
    msk_model_close(model);
  }
  return status;
}

/* ---- the folder ---- */

/* "study/lambda.json" -> "lambda-results" */
static msk_status choose_folder(char folder[MAX_PATH_BYTES], const cli_options *options,
                                msk_error *error) {
  if (options->output != NULL) {
    if (output_is_stdout(options->output))
      return app_fail(
          error, MSK_ERROR_ARGUMENT,
          "the results were sent to standard output, expected a folder: name it with -o");
    int length = snprintf(folder, MAX_PATH_BYTES, "%s", options->output);
    return length < MAX_PATH_BYTES
               ? MSK_OK
               : app_fail(error, MSK_ERROR_ARGUMENT, "the folder's name is too long: %.80s...",
                          options->output);
  }
  const char *path = options->inputs[0], *slash = strrchr(path, '/'),
             *name = slash == NULL ? path : slash + 1, *dot = strrchr(name, '.');
  if (input_is_stdin(path))
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "the SPEC comes from standard input, expected -o with a folder");
  int length =
      snprintf(folder, MAX_PATH_BYTES, "%.*s-results",
               (int)(dot == NULL || dot == name ? strlen(name) : (size_t)(dot - name)), name);
  return length < MAX_PATH_BYTES
             ? MSK_OK
             : app_fail(error, MSK_ERROR_ARGUMENT, "the folder's name is too long: %.80s...", name);
}

static msk_status open_results(evaluation *e, msk_error *error) {
  char folder[MAX_PATH_BYTES];
  json_t *identity = NULL;
  int dimensions[FEATURE_KINDS] = {0};
  for (int kind = 0; kind < FEATURE_KINDS && e->spec.reference != NULL; kind++) {
    if (eval_eyes_have(&e->eyes, kind)) dimensions[kind] = eval_eyes_dimensions(&e->eyes, kind);
  }
  msk_status status = choose_folder(folder, e->options, error);
  if (status == MSK_OK)
    status = eval_identity_make(&identity, &e->spec, &e->eyes, e->models, error);
  if (status == MSK_OK)
    status = eval_results_open(&e->results, folder, identity, e->grid.points, dimensions,
                               e->options->quiet != 0, error);
  json_decref(identity);
  if (status == MSK_OK && e->results.done > 0 && !e->options->quiet)
    fprintf(stderr, "%d of %d pictures are there already\n", e->results.done, e->results.points);
  return status;
}

/* ---- the command ---- */

static eval_wish wish_for(const evaluation *e, const char *score, const char *named) {
  if (e->spec.scores == NULL) return named != NULL ? EYE_WANTED : EYE_MAYBE;
  for (size_t i = 0; i < json_array_size(e->spec.scores); i++) {
    if (strcmp(eval_spec_text(e->spec.scores, i), score) == 0) return EYE_WANTED;
  }
  return EYE_UNWANTED;
}

static msk_status open_eyes(evaluation *e, msk_error *error) {
  eval_wish judge = wish_for(e, "judge", e->options->judge),
            clip = wish_for(e, "clip", e->options->clip);
  if ((judge == EYE_UNWANTED && e->options->judge != NULL) ||
      (clip == EYE_UNWANTED && e->options->clip != NULL))
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--%s has no effect, as the SPEC's \"scores\" leave it out",
                    judge == EYE_UNWANTED ? "judge" : "clip");
  msk_status status = eval_eyes_open(&e->eyes, e->options, judge, clip, error);
  if (status == MSK_OK && e->spec.reference != NULL && e->eyes.judge == NULL &&
      e->eyes.clip == NULL) {
    status = app_fail(error, MSK_ERROR_FILE,
                      "the SPEC names a \"reference\", but there is neither a judge nor a CLIP "
                      "whose features could be compared: name one with "
                      "--judge or --clip");
  }
  return status;
}

static msk_status prepare(evaluation *e, msk_error *error) {
  msk_status status = eval_spec_load(&e->spec, e->options->inputs[0], error);
  if (status == MSK_OK && e->spec.models != NULL && e->options->model != NULL)
    status =
        app_fail(error, MSK_ERROR_ARGUMENT,
                 "--model was given, but the SPEC names its \"models\": leave one of them out");
  if (status == MSK_OK) status = eval_grid_create(&e->grid, &e->spec, error);
  if (status == MSK_OK) status = eval_report_check(&e->grid, error);
  if (status == MSK_OK) status = eval_sketches_open(&e->sketches, &e->spec, error);
  if (status == MSK_OK) status = open_eyes(e, error);
  if (status == MSK_OK) status = check_models(e, error);
  if (status == MSK_OK)
    status = eval_scorer_open(&e->scorer, &e->eyes, &e->sketches,
                              (const char *const *)e->class_names, e->options->quiet != 0, error);
  return status == MSK_OK ? open_results(e, error) : status;
}

/* Pictures are there; what sets are compared by comes now, and then the report. */
static msk_status report(evaluation *e, msk_error *error) {
  eval_table table;
  msk_status status = eval_table_create(&table, e, error);
  if (status == MSK_OK) status = eval_table_write(&table, error);
  if (status == MSK_OK) status = eval_report_write(&table, error);
  eval_table_free(&table);
  if (status == MSK_OK && !e->options->quiet) {
    app_print_safe(stderr, e->results.folder);
    fprintf(stderr, ": %d pictures, results.csv, summary.csv, report.html\n", e->results.points);
  }
  return status;
}

static void close_all(evaluation *e) {
  eval_results_close(&e->results);
  eval_scorer_close(&e->scorer);
  eval_eyes_close(&e->eyes);
  eval_sketches_free(&e->sketches);
  for (int i = 0; e->class_names != NULL && i < e->grid.sketches; i++) free(e->class_names[i]);
  free(e->class_names);
  json_decref(e->models);
  eval_grid_free(&e->grid);
  eval_spec_free(&e->spec);
}

msk_status action_eval(const cli_options *options, msk_error *error) {
  evaluation e = {.options = options, .results = {.log = -1, .features = {-1, -1}}};
  msk_status status = prepare(&e, error);
  if (status == MSK_OK) status = evaluation_make_pictures(&e, error);
  if (status == MSK_OK) status = report(&e, error);
  close_all(&e);
  return status;
}
