/* SPDX-License-Identifier: Apache-2.0
 *
 * worker.c - see worker.h. Items are made one by one, as the command line does, so that each
 * picture is there as soon as it is finished; under the recipe official they are one batch.
 * Between two steps a worker runs errands, decodes a preview when one is due, and looks whether
 * the job was cancelled. */
#include "worker.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../cli/metadata.h"
#include "app/base64.h"
#include "gallery.h"
#include "jobs.h"

typedef struct worker {
  server *server;
  pthread_t thread;
  bool started;
  msk_session *session;
  size_t session_bytes;
  /* the job that runs */
  job *job;
  int index; /* of the picture in the job */
  double last_preview;
  double encode_seconds; /* of the sketch, counted to the first picture */
} worker;

struct workers {
  int count;
  worker each[];
};

/* ---- Session ---- */

static int threads_each(const server *s) {
  int all = s->config.threads > 0 ? s->config.threads : msk_default_threads();
  return all / s->config.workers > 0 ? all / s->config.workers : 1;
}

/* A session for the request: the one there is, or a larger one. */
static msk_status ready_session(worker *w, const msk_request *request, msk_error *error) {
  msk_session_options options;
  size_t bytes = 0;
  msk_session_options_init(&options);
  options.threads = threads_each(w->server);
  msk_status status = msk_session_bytes(&bytes, w->server->model, request, &options, error);
  if (status != MSK_OK || (w->session != NULL && bytes <= w->session_bytes)) return status;
  msk_session_close(w->session);
  w->session = NULL;
  w->session_bytes = 0;
  status = msk_session_open(&w->session, w->server->model, request, &options, error);
  if (status == MSK_OK) w->session_bytes = bytes;
  return status;
}

/* The request of a plain drawing, which most jobs are no larger than. */
static msk_status open_first_session(worker *w, msk_error *error) {
  msk_request request;
  msk_image blank = {0};
  int side = w->server->info.image_size;
  msk_status status = msk_image_create(&blank, side, side, NULL, error);
  if (status == MSK_OK)
    status = msk_request_init(&request, w->server->model, MSK_JOB_DRAW, "balanced", error);
  if (status == MSK_OK) {
    request.picture = &blank;
    status = ready_session(w, &request, error);
  }
  msk_image_free(&blank);
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
  msk_prepare_init(&options);
  options.invert = MSK_INVERT_NO;
  if (msk_detokenize(w->session, tokens + 1, side, side, &pixels, &width, &height, &ignored) !=
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

static int on_step(void *user, const msk_step_info *info) {
  worker *w = user;
  job *j = w->job;
  char *preview = NULL;
  double now = server_clock();
  bool last = info->step + 1 == info->step_count; /* the picture itself follows */
  if (atomic_load(&j->cancelled)) return 1;
  if (j->preview_seconds >= 0 && !last &&
      (info->step == 0 || now - w->last_preview >= j->preview_seconds)) {
    preview = make_preview(w, info->tokens);
    w->last_preview = now;
  }
  jobs_step(w->server->jobs, j, info, w->index, preview);
  jobs_run_errands(w->server->jobs, w->session);
  return atomic_load(&j->cancelled);
}

/* The sketch is encoded once, whatever the number of pictures; its tokens are also what the PNG
 * keeps. */
static msk_status encode_sketch(worker *w, msk_error *error) {
  drawing *d = &w->job->order;
  int32_t *tokens = NULL;
  int rows = 0, columns = 0;
  double before = server_clock();
  if (d->request.job != MSK_JOB_DRAW || d->sketch_tokens != NULL) return MSK_OK;
  msk_status status = msk_tokenize(w->session, &d->picture, &tokens, NULL, &rows, &columns, error);
  if (status != MSK_OK) return status;
  size_t bytes = (size_t)rows * (size_t)columns * sizeof *tokens;
  int32_t *copy = malloc(bytes);
  if (copy != NULL) memcpy(copy, tokens, bytes);
  msk_free(NULL, tokens);
  if (copy == NULL)
    return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the sketch's tokens");
  d->sketch_tokens = copy;
  w->encode_seconds = server_clock() - before;
  return MSK_OK;
}

/* Picture `index` of a result: encoded with its settings, as the command line writes it. */
static msk_status finish_picture(worker *w, const msk_result *result, int index, int item,
                                 double started, msk_error *error) {
  drawing *d = &w->job->order;
  char *text = NULL;
  msk_image image = {0};
  job_image made = {.item = item,
                    .structure = result->structure == NULL ? NAN : result->structure[index]};
  size_t side = (size_t)d->info.image_size, n = (size_t)d->info.tokens;
  double before = server_clock();
  msk_status status = msk_image_from_float(&image, result->pixels + (size_t)index * side * side * 3,
                                           (int)side, (int)side, NULL, error);
  if (status == MSK_OK) status = metadata_write(&text, d, item, error);
  if (status == MSK_OK) {
    const msk_text texts[] = {{"masksketch", text}};
    status = msk_image_encode(&image, MSK_FORMAT_PNG, 0, texts, 1, &made.bytes, &made.byte_count,
                              NULL, error);
  }
  if (status == MSK_OK && (made.tokens = malloc(n * sizeof *made.tokens)) == NULL)
    status = app_fail(error, MSK_ERROR_MEMORY, "out of memory for a picture's tokens");
  if (status == MSK_OK)
    memcpy(made.tokens, result->tokens + (size_t)index * n, n * sizeof *made.tokens);
  if (status == MSK_OK && w->server->config.gallery != NULL)
    status = gallery_write(w->server, w->job, &made, error);
  free(text);
  msk_image_free(&image);
  if (status != MSK_OK) {
    msk_free(NULL, made.bytes);
    free(made.tokens);
    return status;
  }
  made.seconds = server_clock() - started;
  metrics_add_times(&w->server->metrics, &result->times, server_clock() - before);
  jobs_add_image(w->server->jobs, w->job, &made);
  return MSK_OK;
}

/* The finished candidate that has `rank` better ones: its place among the results, and its item. */
static void place_of_rank(const msk_result *result, int rank, int *place, int *item) {
  for (int i = 0; i < result->candidate_count; i++) {
    int mine = result->candidates[i].result, better = 0;
    if (mine < 0) continue;
    for (int other = 0; other < result->count; other++) {
      float a = result->structure[other], b = result->structure[mine];
      better += a > b || (a == b && other < mine);
    }
    if (better != rank) continue;
    *place = mine;
    *item = result->candidates[i].item;
  }
}

/* Pictures first .. first+count-1 of the job, together. */
static msk_status run_items(worker *w, int first, int count, msk_error *error) {
  drawing *d = &w->job->order;
  msk_request request = job_request(w->job);
  msk_result result;
  double started = server_clock();
  w->index = first;
  request.first_item += first;
  if (w->job->candidates == 0) request.count = count;
  request.callbacks = (msk_callbacks){.user = w, .on_step = on_step};
  msk_status status = ready_session(w, &request, error);
  if (status == MSK_OK) status = encode_sketch(w, error);
  if (d->sketch_tokens != NULL) {
    request.picture = NULL;
    request.picture_tokens = d->sketch_tokens;
  }
  if (status == MSK_OK) status = msk_run(w->session, &request, &result, error);
  if (status != MSK_OK) return status;
  result.times.encode += w->encode_seconds;
  result.times.total += w->encode_seconds;
  w->encode_seconds = 0;
  for (int i = 0; i < count && status == MSK_OK; i++) {
    if (i > 0) result.times = (msk_times){0}; /* they are those of the whole batch */
    int place = i, item = request.first_item + i;
    if (result.candidates != NULL) place_of_rank(&result, i, &place, &item);
    status = finish_picture(w, &result, place, item, started, error);
  }
  return status;
}

static msk_status run_job(worker *w, msk_error *error) {
  const msk_request *request = &w->job->order.request;
  msk_status status = MSK_OK;
  w->last_preview = 0;
  w->encode_seconds = 0;
  if (request->recipe.official || w->job->candidates > 0)
    return run_items(w, 0, request->count, error);
  for (int i = 0; i < request->count && status == MSK_OK; i++) {
    status = atomic_load(&w->job->cancelled) ? app_fail(error, MSK_ERROR_CANCELLED, "cancelled")
                                             : run_items(w, i, 1, error);
  }
  return status;
}

static void *worker_main(void *user) {
  worker *w = user;
  jobs *table = w->server->jobs;
  while ((w->job = jobs_take(table, w->session)) != NULL) {
    msk_error error = {0};
    msk_status status = run_job(w, &error);
    jobs_end(table, w->job,
             status == MSK_OK                ? JOB_DONE
             : status == MSK_ERROR_CANCELLED ? JOB_CANCELLED
                                             : JOB_FAILED,
             &error);
    msk_error ignored;
    /* memory was refused */
    while (w->session == NULL && !atomic_load(&w->server->stopping) &&
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
    msk_session_close(w->each[i].session);
  }
  free(w);
}

workers *workers_start(server *s, msk_error *error) {
  workers *w = calloc(1, sizeof *w + (size_t)s->config.workers * sizeof w->each[0]);
  msk_status status =
      w == NULL ? app_fail(error, MSK_ERROR_MEMORY, "out of memory for the workers") : MSK_OK;
  for (int i = 0; i < s->config.workers && status == MSK_OK; i++) {
    w->each[i].server = s;
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
