/* SPDX-License-Identifier: Apache-2.0
 *
 * make.c - the pictures of an evaluation, one after the other: model by model, setting by
 * setting, and each one scored, written and recorded before the next begins. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/cancel.h"
#include "app/metadata.h"
#include "app/progress.h"
#include "app/run.h"
#include "eval/eval.h"

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
  msk_model *model;
  order order; /* of the setting in hand; what each picture's PNG remembers */
  order_run run;
  int32_t **tokens;
  int official;      /* the rules that `tokens` were made under; -1: none yet */
  bool shown, drawn; /* progress */
  int point;         /* picture in hand */
  double started, drawn_at;
  double work, work_done; /* steps: to be done by this run, and done */
  bool warned;            /* that the model's numbers are wrong */
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

static bool cancelled(void *user) {
  (void)user;
  return cancel_requested();
}

/* ---- one setting ---- */

static void forget_tokens(workshop *w) {
  for (int i = 0; i < w->e->grid.sketches; i++) {
    free(w->tokens[i]);
    w->tokens[i] = NULL;
  }
}

static msk_status begin_setting(workshop *w, int setting, msk_error *error) {
  order *o = &w->order;
  msk_status status = order_begin(o, w->model, MSK_JOB_DRAW, NULL, error);
  if (status == MSK_OK)
    status = eval_grid_recipe(&o->request.recipe, &w->e->grid, w->model, setting, error);
  if (status != MSK_OK) return status;
  if (o->request.recipe.official != w->official) forget_tokens(w);
  w->official = o->request.recipe.official;
  o->request.callbacks = (msk_callbacks){.user = w, .on_step = on_step};
  return MSK_OK;
}

/* ---- one picture ---- */

static msk_status keep_picture(workshop *w, const order_picture *p, msk_error *error) {
  char path[MAX_PATH_BYTES];
  char *text = NULL;
  msk_status status = eval_results_picture(path, &w->e->results, w->point, error);
  if (status == MSK_OK) status = metadata_write(&text, &w->order, p->item, p->guidance, error);
  if (status == MSK_OK) status = output_picture(path, &p->image, 0, text, error);
  msk_free(NULL, text);
  return status;
}

/* Scored, written and recorded. */
static msk_status finish_picture(workshop *w, const order_picture *p, int sketch,
                                 msk_error *error) {
  evaluation *e = w->e;
  double measures[MEASURES_OF_PICTURES];
  msk_status status = eval_scorer_look(&e->scorer, &p->image, sketch, measures, error);
  if (status != MSK_OK) return status;
  measures[MEASURE_STRUCTURE] = p->structure != NULL ? (double)*p->structure : NAN;
  measures[MEASURE_SECONDS] = p->result->times.total;
  w->work_done += p->result->step_count;
  if (p->result->warning != NULL && !w->warned) {
    clear_line(w);
    app_warn(p->result->warning);
    w->warned = true;
  }
  status = keep_picture(w, p, error);
  if (status != MSK_OK) return status;
  return eval_results_append(&e->results, w->point, measures, e->scorer.features, error);
}

/* A drawing is encoded once for all pictures of a model: the order lends and gives its tokens. */
static msk_status make_picture(workshop *w, int point, msk_error *error) {
  evaluation *e = w->e;
  order *o = &w->order;
  const order_picture *p = NULL;
  const int sketch = eval_grid_sketch(&e->grid, point);
  w->point = point;
  o->request.seed = eval_grid_seed(&e->grid, point);
  o->sketch_tokens = w->tokens[sketch];
  msk_status status = MSK_OK;
  if (o->sketch_tokens == NULL)
    status = eval_sketches_prepare(&o->picture, &e->spec, sketch, o->info.image_size,
                                   o->request.recipe.official != 0, error);
  if (status == MSK_OK)
    status = msk_model_class_find(w->model, eval_spec_sketch(&e->spec, (size_t)sketch, "class"),
                                  &o->request.class_id, error);
  if (status == MSK_OK) status = run_start(&w->run, o, NULL, error);
  if (status == MSK_OK) status = run_next(&w->run, &p, error);
  if (status == MSK_OK) status = finish_picture(w, p, sketch, error);
  w->tokens[sketch] = o->sketch_tokens;
  o->sketch_tokens = NULL;
  msk_image_free(&o->picture);
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
  msk_status status = begin_setting(w, setting, error);
  for (int i = 0; i < each && status == MSK_OK; i++) {
    int point = setting * each + i;
    if (e->results.records[point].done) continue;
    status = make_picture(w, point, error);
  }
  return status;
}

static msk_status make_model(workshop *w, int model, msk_error *error) {
  evaluation *e = w->e;
  int each = e->grid.settings / e->grid.models, points = e->grid.points / e->grid.models;
  bool complete = true;
  for (int i = 0; i < points; i++)
    complete = complete && e->results.records[model * points + i].done;
  /* a resumed evaluation does not open a model that has nothing left to make */
  if (complete) return MSK_OK;
  w->official = -1;
  w->model = NULL;
  msk_status status = evaluation_open_model(&w->model, e, model, error);
  for (int i = 0; i < each && status == MSK_OK; i++)
    status = make_setting(w, model * each + i, error);
  forget_tokens(w);
  run_end(&w->run);
  msk_model_close(w->model);
  return status;
}

msk_status evaluation_make_pictures(evaluation *e, msk_error *error) {
  workshop w = {
      .e = e, .shown = !e->order->quiet && progress_is_terminal(), .started = progress_clock()};
  w.run = (order_run){.threads = e->order->model.threads, .cancelled = cancelled};
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
