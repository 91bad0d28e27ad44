/* SPDX-License-Identifier: Apache-2.0
 *
 * make.c - the pictures of an evaluation, one after the other: model by model, setting by
 * setting, and each one scored, written and recorded before the next begins. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/cancel.h"
#include "app/progress.h"
#include "drawing.h"
#include "eval/eval.h"
#include "metadata.h"

/* Names in the SPEC are of installed models, paths start from the SPEC's folder. */
msk_status evaluation_open_model(msk_model **model, const evaluation *e, int index,
                                 msk_error *error) {
  model_choice choice = e->order->model;
  char path[MAX_PATH_BYTES];
  if (e->spec.models != NULL) {
    choice.name = eval_spec_text(e->spec.models, (size_t)index);
    if (strchr(choice.name, '/') != NULL) {
      msk_status status = eval_spec_path(path, &e->spec, choice.name, error);
      if (status != MSK_OK) return status;
      choice.name = path;
    }
  }
  return model_path_open(model, &choice, error);
}

/* What lasts while pictures are made. `tokens`: of each drawing under the model and the rules at
 * work, NULL until needed. */
typedef struct workshop {
  evaluation *e;
  drawing d; /* model, request and tokens of the picture in hand: what its PNG remembers */
  msk_session *session;
  int32_t **tokens;
  int official;      /* the rules that `tokens` were made under; -1: none yet */
  bool shown, drawn; /* progress */
  int point;         /* picture in hand */
  double started, drawn_at;
  double work, work_done; /* steps: to be done by this run, and done */
} workshop;

/* ---- progress ---- */

static void clear_line(workshop *w) {
  if (w->drawn) fputs("\r\x1b[K", stderr);
  w->drawn = false;
}

static void draw_line(workshop *w, double steps) {
  double now = progress_clock(), done = w->work_done + steps;
  if (!w->shown || now - w->drawn_at < 0.1) return;
  w->drawn_at = now;
  fprintf(stderr, "\r\x1b[Kpicture %d of %d", w->e->results.done + 1, w->e->results.points);
  if (done > 0) {
    long left = (long)((now - w->started) * (w->work - done) / done + 0.5);
    fprintf(stderr, ", %.1f steps/s, %ld:%02ld:%02ld left", done / (now - w->started), left / 3600,
            left / 60 % 60, left % 60);
  }
  fflush(stderr);
  w->drawn = true;
}

static int on_step(void *user, const msk_step_info *info) {
  draw_line(user, info->step + 1);
  return cancel_requested();
}

/* ---- one setting ---- */

static void forget_tokens(workshop *w) {
  for (int i = 0; i < w->e->grid.sketches; i++) {
    free(w->tokens[i]);
    w->tokens[i] = NULL;
  }
}

/* Drawing -> tokens, once for all pictures of a model. */
static msk_status encode_sketch(workshop *w, int sketch, msk_error *error) {
  drawing *d = &w->d;
  if (w->tokens[sketch] != NULL) return MSK_OK;
  msk_image image = {0};
  int32_t *tokens = NULL;
  int rows = 0, columns = 0;
  size_t bytes = (size_t)(d->info.tokens - 1) * sizeof *tokens;
  msk_status status = eval_sketches_prepare(&image, &w->e->spec, sketch, d->info.image_size,
                                            d->request.recipe.official != 0, error);
  if (status == MSK_OK)
    status = msk_tokenize(w->session, &image, &tokens, NULL, &rows, &columns, error);
  if (status == MSK_OK && rows * columns != d->info.tokens - 1)
    status = app_fail(error, MSK_ERROR_ARGUMENT, "a drawing has %d tokens, the model expects %d",
                      rows * columns, d->info.tokens - 1);
  if (status == MSK_OK && (w->tokens[sketch] = malloc(bytes)) == NULL)
    status = app_fail(error, MSK_ERROR_MEMORY, "out of memory for a drawing's tokens");
  if (status == MSK_OK) memcpy(w->tokens[sketch], tokens, bytes);
  msk_free(NULL, tokens);
  msk_image_free(&image);
  return status;
}

static msk_status open_session(workshop *w, int setting, msk_error *error) {
  drawing *d = &w->d;
  msk_session_options options;
  msk_session_options_init(&options);
  if (w->e->order->model.threads > 0) options.threads = w->e->order->model.threads;
  msk_status status = msk_request_init(&d->request, d->model, MSK_JOB_DRAW, NULL, error);
  if (status == MSK_OK)
    status = eval_grid_recipe(&d->request.recipe, &w->e->grid, d->model, setting, error);
  if (status != MSK_OK) return status;
  if (d->request.recipe.official != w->official) forget_tokens(w);
  w->official = d->request.recipe.official;
  msk_image side = {0};
  status = msk_image_create(&side, d->info.image_size, d->info.image_size, NULL, error);
  if (status != MSK_OK) return status;
  d->request.picture = &side;
  d->request.callbacks = (msk_callbacks){.user = w, .on_step = on_step};
  status = msk_session_open(&w->session, d->model, &d->request, &options, error);
  d->request.picture = NULL;
  msk_image_free(&side);
  return status;
}

/* ---- one picture ---- */

static msk_status keep_picture(workshop *w, const msk_image *image, msk_error *error) {
  char path[MAX_PATH_BYTES];
  char *text = NULL;
  msk_status status = eval_results_picture(path, &w->e->results, w->point, error);
  if (status == MSK_OK) status = metadata_write(&text, &w->d, 0, error);
  if (status == MSK_OK) status = output_picture(path, image, 0, text, error);
  free(text);
  return status;
}

static msk_status make_picture(workshop *w, int point, msk_error *error) {
  evaluation *e = w->e;
  drawing *d = &w->d;
  int sketch = eval_grid_sketch(&e->grid, point);
  msk_image image = {0};
  msk_result result;
  double measures[MEASURES_OF_PICTURES];
  w->point = point;
  msk_status status = encode_sketch(w, sketch, error);
  if (status != MSK_OK) return status;
  d->sketch_tokens = w->tokens[sketch];
  d->request.picture_tokens = d->sketch_tokens;
  d->request.seed = eval_grid_seed(&e->grid, point);
  status = msk_model_class_find(d->model, eval_spec_sketch(&e->spec, (size_t)sketch, "class"),
                                &d->request.class_id, error);
  if (status == MSK_OK) status = msk_run(w->session, &d->request, &result, error);
  if (status == MSK_OK)
    status = msk_image_from_float(&image, result.pixels, d->info.image_size, d->info.image_size,
                                  NULL, error);
  if (status == MSK_OK) status = eval_scorer_look(&e->scorer, &image, sketch, measures, error);
  if (status == MSK_OK) {
    measures[MEASURE_STRUCTURE] = result.structure != NULL ? (double)result.structure[0] : NAN;
    measures[MEASURE_SECONDS] = result.times.total;
    w->work_done += result.step_count;
    status = keep_picture(w, &image, error);
  }
  if (status == MSK_OK)
    status = eval_results_append(&e->results, point, measures, e->scorer.features, error);
  msk_image_free(&image);
  return status;
}

/* ---- all of them ---- */

/* Steps that this run has to take; settings are known to be good. */
static void measure_work(workshop *w) {
  const evaluation *e = w->e;
  int each = e->grid.points / e->grid.settings;
  for (int setting = 0; setting < e->grid.settings; setting++) {
    msk_recipe recipe;
    msk_error ignored;
    if (eval_grid_recipe(&recipe, &e->grid, NULL, setting, &ignored) != MSK_OK) continue;
    for (int i = 0; i < each; i++)
      w->work += e->results.records[setting * each + i].done ? 0 : recipe.steps + recipe.tail;
  }
}

static msk_status make_setting(workshop *w, int setting, msk_error *error) {
  evaluation *e = w->e;
  int each = e->grid.points / e->grid.settings;
  msk_status status = MSK_OK;
  for (int i = 0; i < each && status == MSK_OK; i++) {
    int point = setting * each + i;
    if (e->results.records[point].done) continue;
    if (cancel_requested()) status = app_fail(error, MSK_ERROR_CANCELLED, "cancelled");
    if (status == MSK_OK && w->session == NULL) status = open_session(w, setting, error);
    if (status == MSK_OK) status = make_picture(w, point, error);
  }
  msk_session_close(w->session);
  w->session = NULL;
  return status;
}

static msk_status make_model(workshop *w, int model, msk_error *error) {
  evaluation *e = w->e;
  int each = e->grid.settings / e->grid.models, points = e->grid.points / e->grid.models;
  bool complete = true;
  for (int i = 0; i < points; i++)
    complete = complete && e->results.records[model * points + i].done;
  if (complete) return MSK_OK;
  w->d = (drawing){.kept = -1};
  w->official = -1;
  msk_status status = evaluation_open_model(&w->d.model, e, model, error);
  if (status == MSK_OK) msk_model_get_info(w->d.model, &w->d.info);
  for (int i = 0; i < each && status == MSK_OK; i++)
    status = make_setting(w, model * each + i, error);
  forget_tokens(w);
  msk_model_close(w->d.model);
  return status;
}

msk_status evaluation_make_pictures(evaluation *e, msk_error *error) {
  workshop w = {
      .e = e, .shown = !e->order->quiet && progress_is_terminal(), .started = progress_clock()};
  w.tokens = calloc((size_t)e->grid.sketches, sizeof *w.tokens);
  if (w.tokens == NULL)
    return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the drawings' tokens");
  measure_work(&w);
  msk_status status = MSK_OK;
  for (int i = 0; i < e->grid.models && status == MSK_OK; i++) status = make_model(&w, i, error);
  clear_line(&w);
  free(w.tokens);
  if (status == MSK_ERROR_CANCELLED) {
    app_fail(
        error, status,
        "cancelled; %d of %d pictures are finished and kept: the same command goes on from there",
        e->results.done, e->results.points);
  }
  return status;
}
