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

/* Drawings of which the tokens are kept, each in the place of its index by the remainder. */
enum { KEPT_TOKENS = 512 };
typedef struct kept_tokens {
  int sketch;
  int32_t *tokens; /* NULL: none are known */
} kept_tokens;

/* What lasts while pictures are made. `kept`: under the model and the rules at work. */
typedef struct workshop {
  evaluation *e;
  msk_model *model;
  int opened, begun; /* which model, and which setting; -1: none yet */
  order order;       /* of the setting in hand; what each picture's PNG remembers */
  order_run run;
  kept_tokens kept[KEPT_TOKENS];
  int official;      /* the rules that these were made under; -1: none yet */
  bool shown, drawn; /* progress */
  int point;         /* picture in hand */
  int wanted;        /* pictures, with those that were there before */
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
  fprintf(stderr, "\r\x1b[Kpicture %d of %d", w->e->results.done + 1, w->wanted);
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
  for (int i = 0; i < KEPT_TOKENS; i++) {
    free(w->kept[i].tokens);
    w->kept[i].tokens = NULL;
  }
}

static msk_status begin_setting(workshop *w, int setting, msk_error *error) {
  order *o = &w->order;
  if (w->begun == setting) return MSK_OK;
  w->begun = -1;
  msk_status status = order_begin(o, w->model, w->e->spec.job, NULL, error);
  if (status == MSK_OK)
    status = eval_grid_recipe(&o->request.recipe, &w->e->grid, w->model, setting, error);
  if (status != MSK_OK) return status;
  if (o->request.recipe.official != w->official) forget_tokens(w);
  w->official = o->request.recipe.official;
  w->begun = setting;
  o->request.callbacks = (msk_callbacks){.user = w, .on_step = on_step};
  return MSK_OK;
}

/* ---- one picture ---- */

static msk_status keep_picture(workshop *w, const order_picture *p, msk_error *error) {
  char path[MAX_PATH_BYTES];
  char *text = NULL;
  msk_status status = eval_results_picture(path, &w->e->results, w->point, error);
  if (status == MSK_OK) status = metadata_write(&text, &w->order, p, error);
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

/* Lends the tokens of a drawing to the order, or else its picture. */
static msk_status lend_drawing(workshop *w, int sketch, msk_error *error) {
  kept_tokens *kept = &w->kept[sketch % KEPT_TOKENS];
  if (w->e->spec.job != MSK_JOB_DRAW) return MSK_OK;
  if (kept->sketch != sketch) {
    free(kept->tokens);
    *kept = (kept_tokens){.sketch = sketch};
  }
  w->order.sketch_tokens = kept->tokens;
  if (kept->tokens != NULL) return MSK_OK;
  return eval_sketches_prepare(&w->order.picture, &w->e->spec, sketch, w->order.info.image_size,
                               w->order.request.recipe.official != 0, error);
}

static void take_back(workshop *w, int sketch) {
  w->kept[sketch % KEPT_TOKENS].tokens = w->order.sketch_tokens;
  w->order.sketch_tokens = NULL;
  msk_image_free(&w->order.picture);
}

/* A drawing is encoded once for the pictures of a model: the order lends and gives its tokens. */
static msk_status make_picture(workshop *w, int point, msk_error *error) {
  evaluation *e = w->e;
  order *o = &w->order;
  const order_picture *p = NULL;
  const int sketch = eval_grid_sketch(&e->grid, point);
  w->point = point;
  o->request.seed = eval_grid_seed(&e->grid, point);
  msk_status status = lend_drawing(w, sketch, error);
  if (status == MSK_OK)
    status = msk_model_class_find(w->model, eval_spec_sketch(&e->spec, (size_t)sketch, "class"),
                                  &o->request.class_id, error);
  if (status == MSK_OK) status = run_start(&w->run, o, NULL, error);
  if (status == MSK_OK) status = run_next(&w->run, &p, error);
  if (status == MSK_OK) status = finish_picture(w, p, sketch, error);
  take_back(w, sketch);
  return status;
}

/* ---- all of them ---- */

static bool is_wanted(const evaluation *e, int point) {
  return !e->results.records[point].done && (e->ranks != NULL || shard_has(&e->share, point));
}

/* The next picture that is wanted after one, or -1. */
static int find_next(void *user, int after) {
  const evaluation *e = user;
  for (int point = after + 1; point < e->grid.points; point++) {
    if (is_wanted(e, point)) return point;
  }
  return -1;
}

static int take_next(evaluation *e, int after) {
  return e->ranks != NULL ? ranks_next(e->ranks) : find_next(e, after);
}

/* Steps that this run has to take; settings are known to be good. */
static void measure_work(workshop *w) {
  const evaluation *e = w->e;
  int each = e->grid.points / e->grid.settings;
  w->wanted = e->results.done;
  for (int setting = 0; setting < e->grid.settings; setting++) {
    msk_recipe recipe;
    msk_error ignored;
    if (eval_grid_recipe(&recipe, &e->grid, NULL, setting, &ignored) != MSK_OK) continue;
    for (int i = 0; i < each; i++) {
      if (!is_wanted(e, setting * each + i)) continue;
      w->work += recipe_steps(&recipe);
      w->wanted++;
    }
  }
}

static void close_model(workshop *w) {
  forget_tokens(w);
  run_end(&w->run);
  msk_model_close(w->model);
  w->model = NULL;
  w->opened = w->begun = w->official = -1;
}

/* One model is open at a time, and none that has nothing left to make. */
static msk_status open_model(workshop *w, int model, msk_error *error) {
  if (w->opened == model) return MSK_OK;
  close_model(w);
  msk_status status = evaluation_open_model(&w->model, w->e, model, error);
  if (status == MSK_OK) w->opened = model;
  return status;
}

static msk_status make_point(workshop *w, int point, msk_error *error) {
  const eval_grid *grid = &w->e->grid;
  msk_status status = open_model(w, point / (grid->points / grid->models), error);
  if (status == MSK_OK) status = begin_setting(w, eval_grid_setting(grid, point), error);
  return status == MSK_OK ? make_picture(w, point, error) : status;
}

static msk_status cancelled_after(const workshop *w, msk_error *error) {
  return app_fail(
      error, MSK_ERROR_CANCELLED,
      "cancelled; %d of %d pictures are finished and kept: the same command goes on from there",
      w->e->results.done, w->wanted);
}

msk_status evaluation_make_pictures(evaluation *e, msk_error *error) {
  workshop *w = calloc(1, sizeof *w);
  if (w == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the pictures");
  w->e = e;
  w->shown = !e->order->quiet && progress_is_terminal();
  w->started = progress_clock();
  w->opened = w->begun = w->official = -1;
  w->run = (order_run){.threads = e->order->model.threads, .cancelled = cancelled};
  measure_work(w);
  msk_status status = e->ranks != NULL ? ranks_open(e->ranks, find_next, e, error) : MSK_OK;
  for (int point = -1; status == MSK_OK && (point = take_next(e, point)) >= 0;)
    status = make_point(w, point, error);
  clear_line(w);
  close_model(w);
  if (status == MSK_ERROR_CANCELLED) status = cancelled_after(w, error);
  free(w);
  return status;
}
