/* SPDX-License-Identifier: Apache-2.0
 *
 * eval.c - from a SPEC to pictures, scores, a CSV and a report, and distances between folders.
 * Everything that can be wrong with a SPEC is looked for before the first picture is made. */
#include "eval/eval.h"

#include <stdlib.h>
#include <string.h>

#include "app/cancel.h"
#include "app/input.h"
#include "app/json.h"
#include "app/metadata.h"
#include "masksketch_tools.h"

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
    msk_error reason = {0};
    size_t bytes = 0;
    status = msk_request_init(&request, model, e->spec.job, NULL, &reason);
    request.picture = e->spec.job == MSK_JOB_DRAW ? &side : NULL;
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

static const eval_axis *class_axis(const evaluation *e) {
  return eval_grid_axis(&e->grid, "class");
}

static msk_status unknown_class(const evaluation *e, int class_index, const char *reason,
                                msk_error *error) {
  int sketch = 0;
  while (class_axis(e)->of_sketch[sketch] != class_index) sketch++;
  return app_fail(error, MSK_ERROR_FILE, "the SPEC's %s[%d]: %.400s",
                  e->spec.job == MSK_JOB_DRAW ? "sketches" : "classes", sketch, reason);
}

/* What the first model calls each class; the others must know it as well. */
static msk_status find_classes(evaluation *e, const msk_model *model, msk_error *error) {
  const eval_axis *classes = class_axis(e);
  for (int i = 0; i < classes->count; i++) {
    int id = 0;
    msk_error reason = {0};
    msk_status status = msk_model_class_find(model, classes->values[i], &id, &reason);
    if (status != MSK_OK) return unknown_class(e, i, reason.message, error);
    if (e->class_names[i] != NULL) continue;
    const char *name = msk_model_class_name(model, id);
    e->class_names[i] = strdup(name == NULL ? "?" : name);
    if (e->class_names[i] == NULL)
      return app_fail(error, MSK_ERROR_MEMORY, "out of memory for class names");
  }
  return MSK_OK;
}

static msk_status check_model(evaluation *e, int index, msk_error *error) {
  msk_model *model = NULL;
  msk_model_info info;
  if (cancel_requested()) return app_fail(error, MSK_ERROR_CANCELLED, "cancelled");
  /* each is opened once before the first picture: hours later is too late to learn of a wrong
   * setting */
  msk_status status = evaluation_open_model(&model, e, index, error);
  if (status != MSK_OK) return status;
  msk_model_get_info(model, &info);
  status = find_classes(e, model, error);
  if (status == MSK_OK) status = check_settings(e, model, index, error);
  /* folders from before there were devices say none, which is the CPU */
  const char *device = strcmp(info.device, "cpu") == 0 ? NULL : info.device;
  json_t *object = json_pack("{s:s?, s:s?, s:s, s:s*, s:i, s:i}", "name", info.name, "hash",
                             info.hash, "isa", info.isa, "device", device, "precision",
                             (int)info.precision, "decode_precision", (int)info.decode_precision);
  metadata_add_adapters(object, model);
  if (json_array_append_new(e->models, object) != 0 && status == MSK_OK)
    status = app_fail(error, MSK_ERROR_MEMORY, "out of memory for the models' names");
  msk_model_close(model);
  return status;
}

static msk_status check_models(evaluation *e, msk_error *error) {
  e->models = json_array();
  e->class_names = calloc((size_t)class_axis(e)->count, sizeof *e->class_names);
  if (e->models == NULL || e->class_names == NULL)
    return app_fail(error, MSK_ERROR_MEMORY, "out of memory for class names");
  msk_status status = MSK_OK;
  for (int i = 0; i < e->grid.models && status == MSK_OK; i++) status = check_model(e, i, error);
  return status;
}

/* ---- the folder ---- */

/* As the order says, else "study/lambda.json" -> "lambda-results". */
static msk_status choose_folder(char folder[MAX_PATH_BYTES], const eval_order *asked,
                                msk_error *error) {
  const char *slash = strrchr(asked->spec, '/'), *name = slash == NULL ? asked->spec : slash + 1,
             *dot = strrchr(name, '.');
  int length = 0;
  if (asked->folder != NULL && output_is_stdout(asked->folder))
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "the results were sent to standard output, expected a folder: name it with -o");
  if (asked->folder == NULL && input_is_stdin(asked->spec))
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "the SPEC comes from standard input, expected -o with a folder");
  if (asked->folder != NULL) {
    length = snprintf(folder, MAX_PATH_BYTES, "%s", asked->folder);
  } else {
    size_t stem = dot == NULL || dot == name ? strlen(name) : (size_t)(dot - name);
    length = snprintf(folder, MAX_PATH_BYTES, "%.*s-results", (int)stem, name);
  }
  if (length < MAX_PATH_BYTES) return MSK_OK;
  return app_fail(error, MSK_ERROR_ARGUMENT, "the folder's name is too long: %.80s...", folder);
}

static msk_status open_results(evaluation *e, bool merge, msk_error *error) {
  char folder[MAX_PATH_BYTES];
  const eval_opening opening = {e->share, merge, e->order->quiet};
  msk_status status = choose_folder(folder, e->order, error);
  if (status == MSK_OK)
    status =
        eval_results_open(&e->results, folder, &e->grid, &e->eyes, &e->models, &opening, error);
  if (status == MSK_OK && e->results.done > 0 && !opening.merge && !e->order->quiet)
    fprintf(stderr, "%d of %d pictures are there already\n", e->results.done, e->results.points);
  return status;
}

/* ---- an evaluation ---- */

static eval_eye choose_eye(const evaluation *e, const char *score, const char *path) {
  if (e->spec.scores == NULL) return (eval_eye){path, path != NULL ? EYE_WANTED : EYE_MAYBE};
  for (size_t i = 0; i < json_array_size(e->spec.scores); i++) {
    if (strcmp(eval_spec_text(e->spec.scores, i), score) == 0) return (eval_eye){path, EYE_WANTED};
  }
  return (eval_eye){path, EYE_UNWANTED};
}

static msk_status open_eyes(evaluation *e, msk_error *error) {
  eval_eye judge = choose_eye(e, "judge", e->order->judge),
           clip = choose_eye(e, "clip", e->order->clip);
  bool judge_idle = judge.wish == EYE_UNWANTED && judge.path != NULL,
       clip_idle = clip.wish == EYE_UNWANTED && clip.path != NULL;
  if (judge_idle || clip_idle)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--%s has no effect, as the SPEC's \"scores\" leave it out",
                    judge_idle ? "judge" : "clip");
  msk_status status = eval_eyes_open(&e->eyes, judge, clip, &e->order->model, error);
  if (status == MSK_OK && e->spec.reference != NULL && e->eyes.judge == NULL &&
      e->eyes.clip == NULL) {
    status = app_fail(error, MSK_ERROR_FILE,
                      "the SPEC names a \"reference\", but there is neither a judge nor a CLIP "
                      "whose features could be compared: name one with "
                      "--judge or --clip");
  }
  return status;
}

/* Who merges does the whole, under whatever scheduler. */
static msk_status find_share(evaluation *e, msk_error *error) {
  e->share = (shard){1, 1};
  if (e->order->merge) return MSK_OK;
  msk_status status = e->order->shard == NULL ? ranks_join(&e->ranks, error) : MSK_OK;
  if (status == MSK_OK && e->ranks != NULL) e->share = ranks_share(e->ranks);
  if (status != MSK_OK || e->ranks != NULL) return status;
  status = shard_find(&e->share, &e->told, e->order->shard, error);
  if (status == MSK_OK && e->told != NULL && !e->order->quiet)
    fprintf(stderr, "shard %d of %d, as %s says\n", e->share.number, e->share.count, e->told);
  return status;
}

/* What pictures are made with: models and what looks at their pictures. */
static msk_status open_makers(evaluation *e, msk_error *error) {
  msk_status status = eval_sketches_open(&e->sketches, &e->spec, error);
  if (status == MSK_OK) status = open_eyes(e, error);
  if (status != MSK_OK || e->order->merge) return status;
  status = check_models(e, error);
  if (status != MSK_OK) return status;
  const eval_axis *axis = class_axis(e);
  const eval_classes classes = {axis->of_sketch, (const char *const *)e->class_names, axis->count};
  return eval_scorer_open(&e->scorer, &e->eyes, &e->sketches, classes, e->order->quiet, error);
}

static msk_status prepare(evaluation *e, msk_error *error) {
  msk_status status = find_share(e, error);
  if (status == MSK_OK) status = eval_spec_load(&e->spec, e->order->spec, error);
  if (status == MSK_OK && e->spec.models != NULL && e->order->model.name != NULL)
    status =
        app_fail(error, MSK_ERROR_ARGUMENT,
                 "--model was given, but the SPEC names its \"models\": leave one of them out");
  /* all that can be wrong is looked at before the first picture, what costs least first */
  if (status == MSK_OK) status = eval_grid_create(&e->grid, &e->spec, error);
  if (status == MSK_OK) status = eval_check_views(&e->grid, error);
  if (status == MSK_OK) status = open_makers(e, error);
  return status == MSK_OK ? open_results(e, e->order->merge, error) : status;
}

/* Pictures are there; what sets are compared by comes now, and then the report. */
static msk_status report(evaluation *e, msk_error *error) {
  msk_status status = eval_results_gather(&e->results, error);
  if (status == MSK_OK) status = evaluation_reckon(e, error);
  if (status == MSK_OK) status = evaluation_write_tables(e, error);
  if (status == MSK_OK) status = evaluation_write_page(e, error);
  if (status == MSK_OK && !e->order->quiet) {
    app_print_safe(stderr, e->results.folder);
    fprintf(stderr, ": %d pictures, results.csv, summary.csv, report.html\n", e->results.points);
  }
  return status;
}

static void close_all(evaluation *e) {
  eval_folder_free(&e->reference);
  eval_results_close(&e->results);
  eval_scorer_close(&e->scorer);
  eval_eyes_close(&e->eyes);
  eval_sketches_free(&e->sketches);
  for (int i = 0; e->class_names != NULL && i < class_axis(e)->count; i++) free(e->class_names[i]);
  free(e->class_names);
  json_decref(e->models);
  eval_grid_free(&e->grid);
  eval_spec_free(&e->spec);
}

/* All ranks have made what there was; the first of them reports, as whoever merges. */
static msk_status leave_ranks(evaluation *e, msk_error *error) {
  eval_results_close(&e->results);
  ranks_leave(e->ranks);
  e->ranks = NULL;
  if (e->share.number > 1) return MSK_OK;
  e->share = (shard){1, 1};
  msk_status status = open_results(e, true, error);
  return status == MSK_OK ? report(e, error) : status;
}

static void tell_share(const evaluation *e) {
  app_print_safe(stderr, e->results.folder);
  fprintf(stderr, ": shard %d of %d is finished; masksketch eval --merge joins them all\n",
          e->share.number, e->share.count);
}

/* What comes after the pictures depends on who has made them. */
static msk_status finish(evaluation *e, msk_error *error) {
  if (e->ranks != NULL) return leave_ranks(e, error);
  if (e->share.count == 1) return report(e, error);
  if (!e->order->quiet) tell_share(e);
  return MSK_OK;
}

msk_status eval_run(const eval_order *asked, msk_error *error) {
  evaluation e = {.order = asked, .results = {.log = -1, .features = {-1, -1}}};
  msk_status status = prepare(&e, error);
  if (status == MSK_OK && !asked->merge) status = evaluation_make_pictures(&e, error);
  if (status == MSK_OK) status = finish(&e, error);
  if (status != MSK_OK && e.ranks != NULL) {
    /* the others would wait for this one for ever */
    app_report(error);
    ranks_end_all(app_exit_code(status));
  }
  close_all(&e);
  return status;
}

/* ---- a distance ---- */

/* The two sets that are compared, as they are gathered. */
typedef struct compared {
  eval_eyes eyes;
  eval_folder folders[2];
  msk_features sets[2];
  const char *features; /* what they are called */
} compared;

static msk_status print(const eval_comparison *c, const compared *w, double frechet, double kernel,
                        msk_error *error) {
  const msk_features *a = &w->sets[0], *b = &w->sets[1];
  if (c->json) {
    return json_print(
        json_pack("{s:o, s:o, s:s, s:i, s:[i,i], s:f, s:f}", "a", json_text(c->folders[0]), "b",
                  json_text(c->folders[1]), "features", w->features, "dimensions", a->dimensions,
                  "pictures", a->count, b->count, "frechet", frechet, "kernel", kernel),
        error);
  }
  printf("features: %s, %d numbers a picture; pictures: %d and %d\n", w->features, a->dimensions,
         a->count, b->count);
  printf("frechet distance  %.6g\nkernel distance   %.6g\n", frechet, kernel);
  return app_flush_stdout(error);
}

static bool are_arrays(const eval_comparison *c) {
  return eval_is_array(c->folders[0]) && eval_is_array(c->folders[1]);
}

static msk_status open_comparison(compared *w, const eval_comparison *c, msk_error *error) {
  bool by_judge = c->kind == FEATURES_JUDGE;
  eval_eye judge = {c->judge, by_judge ? EYE_WANTED : EYE_UNWANTED},
           clip = {c->clip, by_judge ? EYE_UNWANTED : EYE_WANTED};
  w->features = are_arrays(c) ? "as given" : eval_features_name(c->kind);
  if (are_arrays(c)) return MSK_OK;
  if ((by_judge ? c->clip : c->judge) != NULL)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--%s has no effect with --features %s: leave one of them out",
                    by_judge ? "clip" : "judge", eval_features_name(c->kind));
  return eval_eyes_open(&w->eyes, judge, clip, &c->how, error);
}

static msk_status gather_set(compared *w, int index, const eval_comparison *c, msk_error *error) {
  eval_folder *folder = &w->folders[index];
  int dimensions = eval_eyes_dimensions(&w->eyes, c->kind);
  const char *path = c->folders[index];
  msk_status status = eval_is_array(path)
                          ? eval_folder_read(folder, c->kind, &dimensions, path, error)
                          : eval_folder_look(folder, &w->eyes, path, c->quiet, error);
  w->sets[index] = (msk_features){folder->values[c->kind], folder->count, dimensions};
  return status;
}

msk_status eval_compare(const eval_comparison *c, msk_error *error) {
  compared w = {0};
  double frechet = 0, kernel = 0;
  msk_status status = open_comparison(&w, c, error);
  for (int i = 0; i < 2 && status == MSK_OK; i++) status = gather_set(&w, i, c, error);
  if (status == MSK_OK)
    status = msk_features_frechet(&w.sets[0], &w.sets[1], &frechet, NULL, error);
  if (status == MSK_OK) status = msk_features_kernel(&w.sets[0], &w.sets[1], &kernel, error);
  if (status == MSK_OK) status = print(c, &w, frechet, kernel, error);
  eval_folder_free(&w.folders[0]);
  eval_folder_free(&w.folders[1]);
  eval_eyes_close(&w.eyes);
  return status;
}
