/* SPDX-License-Identifier: Apache-2.0
 *
 * worker.c - see worker.h. Pictures are made as app/run.h makes them; between two steps a worker
 * runs errands, decodes a preview when one is due, and looks whether the job was cancelled. */
#include "worker.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/base64.h"
#include "app/metadata.h"
#include "app/output.h"
#include "app/progress.h"
#include "app/run.h"
#include "gallery.h"
#include "jobs.h"
#include "masksketch_tools.h"

enum { PREVIEW_REST = 4 }; /* times a preview's own, between two */

typedef struct worker {
  server *server;
  pthread_t thread;
  bool started;
  order_run run;
  job *job;            /* the one that runs */
  double next_preview; /* when one is due, of progress_clock() */
} worker;

struct workers {
  int count;
  worker each[];
};

/* ---- Session ---- */

static int threads_each(const server *s) {
  int all = s->config.model.threads > 0 ? s->config.model.threads : msk_default_threads();
  return all / s->config.workers > 0 ? all / s->config.workers : 1;
}

/* For a plain drawing, which most jobs are no larger than. */
static msk_status open_first_session(worker *w, msk_error *error) {
  order blank;
  msk_status status = order_begin(&blank, w->server->model, MSK_JOB_DRAW, NULL, error);
  if (status != MSK_OK) return status;
  int side = blank.info.image_size;
  status = msk_image_create(&blank.picture, side, side, NULL, error);
  if (status == MSK_OK) status = run_start(&w->run, &blank, NULL, error);
  order_free(&blank);
  return status;
}

/* ---- One job ---- */

/* Base64 of a JPEG, or NULL: a preview that cannot be had is no failure of the job. */
static char *make_preview(worker *w, const int32_t *tokens) {
  msk_image full = {0}, small = {0};
  msk_error ignored;
  float *pixels = NULL;
  void *bytes = NULL;
  size_t count = 0;
  int width, height, side = w->server->info.latent_size, size = w->job->preview_size;
  char *text = NULL;
  msk_prepare_options options;
  msk_prepare_plain(&options);
  if (msk_detokenize(w->run.session, tokens + 1, side, side, &pixels, &width, &height, &ignored) !=
      MSK_OK)
    return NULL;
  msk_status status = msk_image_from_float(&full, pixels, width, height, NULL, &ignored);
  if (status == MSK_OK && size != width)
    status = msk_image_prepare(&small, &full, size, size, &options, NULL, &ignored);
  if (status == MSK_OK)
    status = msk_image_encode(size != width ? &small : &full, MSK_FORMAT_JPEG, 85, NULL, 0, &bytes,
                              &count, NULL, &ignored);
  if (status == MSK_OK) text = base64_encode(bytes, count);
  msk_free(NULL, bytes);
  msk_free(NULL, pixels);
  msk_image_free(&full);
  msk_image_free(&small);
  if (text != NULL) atomic_fetch_add(&w->server->metrics.previews, 1);
  return text;
}

/* Previews take a fifth of the time at most, so that they come seldom where decoding is slow; who
 * asks for one at every step (0 seconds) has it. */
static char *preview_when_due(worker *w, const msk_step_info *info) {
  double wanted = w->job->preview_seconds, began = progress_clock();
  if (wanted < 0 || (info->step > 0 && began < w->next_preview)) return NULL;
  char *preview = make_preview(w, info->tokens);
  double ended = progress_clock(), rest = PREVIEW_REST * (ended - began);
  w->next_preview = wanted > 0 ? fmax(began + wanted, ended + rest) : 0;
  return preview;
}

static int on_step(void *user, const msk_step_info *info) {
  worker *w = user;
  job *j = w->job;
  bool last = info->step + 1 == info->step_count; /* the picture itself follows */
  if (atomic_load(&j->cancelled)) return 1;
  char *preview = last ? NULL : preview_when_due(w, info);
  jobs_step(w->server->jobs, j, info, w->run.given, preview);
  jobs_run_errands(w->server->jobs, w->run.session);
  return atomic_load(&j->cancelled);
}

static bool cancelled(void *user) { return atomic_load(&((worker *)user)->job->cancelled); }

/* As the command line writes it: a PNG with its settings. */
static msk_status encode_picture(job_image *made, const worker *w, const order_picture *p,
                                 msk_error *error) {
  const order *o = &w->job->order;
  char *text = NULL;
  size_t n = (size_t)o->info.tokens;
  msk_status status = metadata_write(&text, o, p, error);
  if (status == MSK_OK)
    status =
        output_encode(&p->image, MSK_FORMAT_PNG, 0, text, &made->bytes, &made->byte_count, error);
  if (status == MSK_OK && (made->tokens = malloc(n * sizeof *made->tokens)) == NULL)
    status = app_fail(error, MSK_ERROR_MEMORY, "out of memory for a picture's tokens");
  if (status == MSK_OK) memcpy(made->tokens, p->tokens, n * sizeof *made->tokens);
  msk_free(NULL, text);
  return status;
}

static msk_status finish_picture(worker *w, const order_picture *p, double started,
                                 msk_error *error) {
  const msk_times none = {0};
  job_image made = {.seed = p->seed,
                    .item = p->item,
                    .structure = p->structure == NULL ? NAN : *p->structure,
                    .warning = p->result->warning};
  double before = progress_clock();
  msk_status status = encode_picture(&made, w, p, error);
  if (status == MSK_OK && w->server->config.gallery != NULL)
    status = gallery_write(w->server, w->job, &made, error);
  if (status != MSK_OK) {
    msk_free(NULL, made.bytes);
    free(made.tokens);
    return status;
  }
  made.seconds = progress_clock() - started;
  /* the times are those of all pictures that were drawn together */
  metrics_add_times(&w->server->metrics, p->first ? &p->result->times : &none,
                    progress_clock() - before);
  jobs_add_image(w->server->jobs, w->job, &made);
  return MSK_OK;
}

static msk_status run_job(worker *w, msk_error *error) {
  order *o = &w->job->order;
  const order_picture *p = NULL;
  double started = 0;
  o->request.callbacks = (msk_callbacks){.user = w, .on_step = on_step};
  msk_status status = run_start(&w->run, o, NULL, error);
  for (int i = 0; i < order_pictures(o) && status == MSK_OK; i++) {
    if (run_is_due(&w->run)) started = progress_clock();
    status = run_next(&w->run, &p, error);
    if (status == MSK_OK) status = finish_picture(w, p, started, error);
  }
  return status;
}

static void *worker_main(void *user) {
  worker *w = user;
  jobs *table = w->server->jobs;
  while ((w->job = jobs_take(table, w->run.session)) != NULL) {
    msk_error error = {0};
    msk_status status = run_job(w, &error);
    job_state end = status == MSK_OK ? JOB_DONE : JOB_FAILED;
    if (status == MSK_ERROR_CANCELLED) end = JOB_CANCELLED;
    jobs_end(table, w->job, end, &error);
    msk_error ignored;
    /* memory was refused */
    while (w->run.session == NULL && !atomic_load(&w->server->stopping) &&
           open_first_session(w, &ignored) != MSK_OK) {
      struct timespec pause = {1, 0};
      nanosleep(&pause, NULL);
    }
  }
  return NULL;
}

/* ---- Starting and ending ---- */

void workers_join(workers *w) {
  for (int i = 0; w != NULL && i < w->count; i++) {
    if (w->each[i].started) pthread_join(w->each[i].thread, NULL);
    run_end(&w->each[i].run);
  }
  free(w);
}

workers *workers_start(server *s, msk_error *error) {
  workers *w = calloc(1, sizeof *w + (size_t)s->config.workers * sizeof w->each[0]);
  msk_status status =
      w == NULL ? app_fail(error, MSK_ERROR_MEMORY, "out of memory for the workers") : MSK_OK;
  /* all sessions before the first thread: a server without the memory says so at its start */
  for (int i = 0; i < s->config.workers && status == MSK_OK; i++) {
    w->each[i].server = s;
    w->each[i].run = (order_run){.threads = threads_each(s), .cancelled = cancelled};
    w->count = i + 1;
    status = open_first_session(&w->each[i], error);
  }
  for (int i = 0; i < s->config.workers && status == MSK_OK; i++) {
    w->each[i].started = pthread_create(&w->each[i].thread, NULL, worker_main, &w->each[i]) == 0;
    if (!w->each[i].started)
      status = app_fail(error, MSK_ERROR_MEMORY, "the system gives no thread for a worker");
  }
  if (status == MSK_OK) return w;
  jobs_stop(s->jobs);
  workers_join(w);
  return NULL;
}
