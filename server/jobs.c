/* SPDX-License-Identifier: Apache-2.0
 * jobs.c - see jobs.h. */
#include "jobs.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/progress.h"
#include "job_queue.h"

struct jobs {
  server *server;
  pthread_mutex_t lock;
  pthread_cond_t work; /* a job or an errand came, or the server stops */
  pthread_cond_t errand_done;
  job_queue queue;
  bool stopping;
  int running, errand_count;
  errand *errands;
  job *all;
  size_t kept_bytes;
};

jobs *jobs_create(server *s) {
  jobs *table = calloc(1, sizeof *table);
  if (table == NULL) return NULL;
  table->server = s;
  if (pthread_mutex_init(&table->lock, NULL) == 0 && job_condition_init(&table->work) &&
      job_condition_init(&table->errand_done))
    return table;
  free(table);
  return NULL;
}

void jobs_release(jobs *table, job *j) {
  if (j == NULL) return;
  pthread_mutex_lock(&table->lock);
  job_drop(j);
  pthread_mutex_unlock(&table->lock);
}

void jobs_destroy(jobs *table) {
  if (table == NULL) return;
  while (table->all != NULL) {
    job *j = table->all;
    table->all = j->link;
    job_drop(j);
  }
  pthread_cond_destroy(&table->errand_done);
  pthread_cond_destroy(&table->work);
  pthread_mutex_destroy(&table->lock);
  free(table);
}

/* ---- Queues ---- */

static void positions_changed(jobs *table) {
  for (job *j = table->queue.ordinary.first; j != NULL; j = j->next) job_changed(j);
  for (job *j = table->queue.live.first; j != NULL; j = j->next) job_changed(j);
}

static void unlink_job(jobs *table, job *j) {
  for (job **at = &table->all; *at != NULL; at = &(*at)->link) {
    if (*at != j) continue;
    *at = j->link;
    table->kept_bytes -= job_bytes(j);
    job_drop(j);
    return;
  }
}

/* Old ones go, and the oldest where there are too many or too large ones. */
static void expire_locked(jobs *table) {
  double now = progress_clock();
  const server_config *config = &table->server->config;
  int count = 0;
  for (job *j = table->all, *next; j != NULL; j = next, count++) {
    next = j->link;
    if (job_has_ended(j) && now - j->ended > config->keep_seconds) {
      unlink_job(table, j);
      count--;
    }
  }
  for (; table->kept_bytes > SERVER_KEEP_BYTES || count > SERVER_MAX_JOBS; count--) {
    job *oldest = NULL;
    for (job *j = table->all; j != NULL; j = j->link) {
      if (job_has_ended(j) && (oldest == NULL || j->ended < oldest->ended)) oldest = j;
    }
    if (oldest == NULL) return;
    unlink_job(table, oldest);
  }
}

void jobs_expire(jobs *table) {
  pthread_mutex_lock(&table->lock);
  expire_locked(table);
  pthread_mutex_unlock(&table->lock);
}

static void end_locked(jobs *table, job *j, job_state state, job_reason reason) {
  metrics *m = &table->server->metrics;
  j->state = state;
  j->reason = state == JOB_CANCELLED ? reason : REASON_NONE;
  j->ended = progress_clock();
  if (state == JOB_DONE) atomic_fetch_add(&m->jobs_done, 1);
  if (state == JOB_FAILED) atomic_fetch_add(&m->jobs_failed, 1);
  if (state == JOB_CANCELLED) atomic_fetch_add(&m->jobs_cancelled, 1);
  job_changed(j);
}

static void cancel_locked(jobs *table, job *j, job_reason reason) {
  if (job_has_ended(j) || atomic_load(&j->cancelled)) return;
  j->reason = reason;
  atomic_store(&j->cancelled, true);
  if (j->state != JOB_QUEUED) return;
  if (job_queue_remove(&table->queue, j)) {
    end_locked(table, j, JOB_CANCELLED, reason);
    positions_changed(table);
  }
}

void jobs_cancel(jobs *table, job *j, job_reason reason) {
  pthread_mutex_lock(&table->lock);
  cancel_locked(table, j, reason);
  pthread_mutex_unlock(&table->lock);
}

void jobs_delete(jobs *table, job *j) {
  pthread_mutex_lock(&table->lock);
  if (job_has_ended(j)) {
    unlink_job(table, j);
  } else {
    cancel_locked(table, j, REASON_ASKED);
  }
  pthread_mutex_unlock(&table->lock);
}

static void replace_older(jobs *table, const job *newer) {
  for (job *j = table->all; j != NULL; j = j->link) {
    if (j->live && strcmp(j->client, newer->client) == 0) cancel_locked(table, j, REASON_REPLACED);
  }
}

bool jobs_submit(jobs *table, job *j, problem *p) {
  bool accepted = false;
  pthread_mutex_lock(&table->lock);
  const server_config *config = &table->server->config;
  /* before the queue is counted: it takes the place of its older self */
  if (j->live) replace_older(table, j);
  if (table->stopping || atomic_load(&table->server->draining)) {
    problem_set(p, 503, NULL, "the server is stopping");
  } else if (j->live ? table->queue.live.count >= SERVER_MAX_LIVE
                     : table->queue.ordinary.count >= config->queue) {
    problem_set(p, 429, NULL, "%d jobs wait already, expected fewer than %d: try again later",
                j->live ? table->queue.live.count : table->queue.ordinary.count,
                j->live ? SERVER_MAX_LIVE : config->queue);
    p->retry_after = 1;
  } else {
    j->references++;
    j->link = table->all;
    table->all = j;
    table->kept_bytes += job_bytes(j);
    j->created = progress_clock();
    job_queue_push(&table->queue, j);
    expire_locked(table);
    if (j->live) positions_changed(table);
    pthread_cond_signal(&table->work);
    accepted = true;
  }
  pthread_mutex_unlock(&table->lock);
  atomic_fetch_add(
      accepted ? &table->server->metrics.jobs_accepted : &table->server->metrics.jobs_refused, 1);
  return accepted;
}

job *jobs_find(jobs *table, const char *id, const char *field, problem *p) {
  pthread_mutex_lock(&table->lock);
  job *j = table->all;
  while (j != NULL && strcmp(j->id, id) != 0) j = j->link;
  if (j != NULL) j->references++;
  pthread_mutex_unlock(&table->lock);
  if (j == NULL)
    problem_set(p, 404, field,
                "there is no job %.40s: it was never here, was deleted, or is forgotten by now",
                id);
  return j;
}

job *jobs_first_a1111(jobs *table) {
  job *first = NULL;
  pthread_mutex_lock(&table->lock);
  for (job *j = table->all; j != NULL; j = j->link) { /* the newest comes first */
    if (j->a1111 && !job_has_ended(j)) first = j;
  }
  if (first != NULL) first->references++;
  pthread_mutex_unlock(&table->lock);
  return first;
}

void jobs_stop(jobs *table) {
  pthread_mutex_lock(&table->lock);
  table->stopping = true;
  for (job *j = table->all; j != NULL; j = j->link) cancel_locked(table, j, REASON_SHUTDOWN);
  for (errand *e = table->errands; e != NULL; e = e->next) e->refused = true;
  table->errands = NULL;
  pthread_cond_broadcast(&table->work);
  pthread_cond_broadcast(&table->errand_done);
  pthread_mutex_unlock(&table->lock);
}

void jobs_gauges(jobs *table, metrics_gauges *gauges) {
  pthread_mutex_lock(&table->lock);
  *gauges = (metrics_gauges){.queued = table->queue.ordinary.count,
                             .live = table->queue.live.count,
                             .running = table->running,
                             .kept_bytes = table->kept_bytes,
                             .draining = atomic_load(&table->server->draining),
                             .start_time = table->server->start_time,
                             .model = &table->server->info};
  for (const job *j = table->all; j != NULL; j = j->link) gauges->finished += job_has_ended(j);
  pthread_mutex_unlock(&table->lock);
}

double jobs_idle(jobs *table) {
  double last = 0;
  pthread_mutex_lock(&table->lock);
  const bool idle = job_queue_count(&table->queue) + table->running == 0;
  for (const job *j = table->all; j != NULL; j = j->link) last = fmax(last, j->ended);
  pthread_mutex_unlock(&table->lock);
  return idle ? progress_clock() - last : 0;
}

/* ---- For workers ---- */

bool jobs_errand(jobs *table, errand *e, problem *p) {
  pthread_mutex_lock(&table->lock);
  bool full = table->errand_count >= SERVER_MAX_ERRANDS, stopping = table->stopping;
  if (!full && !stopping) {
    errand **at = &table->errands;
    while (*at != NULL) at = &(*at)->next;
    e->next = NULL;
    *at = e;
    table->errand_count++;
    pthread_cond_signal(&table->work);
    /* the caller waits, for the errand lies on its stack */
    while (!e->done && !e->refused) pthread_cond_wait(&table->errand_done, &table->lock);
    table->errand_count--;
    stopping = e->refused;
  }
  pthread_mutex_unlock(&table->lock);
  if (stopping) return problem_set(p, 503, NULL, "the server is stopping");
  if (!full) return true;
  p->retry_after = 1;
  return problem_set(p, 429, NULL, "%d such requests wait already, expected fewer: try again later",
                     SERVER_MAX_ERRANDS);
}

static void run_errands_locked(jobs *table, msk_session *session) {
  while (table->errands != NULL) {
    errand *e = table->errands;
    table->errands = e->next;
    pthread_mutex_unlock(&table->lock);
    e->run(e, session);
    atomic_fetch_add(&table->server->metrics.errands, 1);
    pthread_mutex_lock(&table->lock);
    e->done = true;
    pthread_cond_broadcast(&table->errand_done);
  }
}

void jobs_run_errands(jobs *table, msk_session *session) {
  pthread_mutex_lock(&table->lock);
  run_errands_locked(table, session);
  pthread_mutex_unlock(&table->lock);
}

job *jobs_take(jobs *table, msk_session *session) {
  job *j = NULL;
  pthread_mutex_lock(&table->lock);
  for (;;) {
    /* before any job: they are short, and their clients hold a connection open */
    run_errands_locked(table, session);
    if (table->stopping || job_queue_count(&table->queue) > 0) break;
    pthread_cond_wait(&table->work, &table->lock);
  }
  if (!table->stopping) {
    j = job_queue_pop(&table->queue);
    j->references++;
    j->state = JOB_RUNNING;
    j->started = progress_clock();
    table->running++;
    job_changed(j);
    positions_changed(table);
  }
  pthread_mutex_unlock(&table->lock);
  return j;
}

void jobs_step(jobs *table, job *j, const msk_step_info *info, int index, char *preview) {
  pthread_mutex_lock(&table->lock);
  if (preview != NULL || index != j->index) { /* an older picture's preview is none of this one */
    free(j->preview);
    j->preview = preview;
    j->preview_version++;
  }
  j->index = index;
  j->item = j->order.request.first_item + index;
  j->step = info->step + 1;
  j->step_count = info->step_count;
  j->masked = info->masked;
  j->steps_done++;
  j->step_version++;
  job_changed(j);
  pthread_mutex_unlock(&table->lock);
  atomic_fetch_add(&table->server->metrics.steps, 1);
}

void jobs_add_image(jobs *table, job *j, const job_image *image) {
  pthread_mutex_lock(&table->lock);
  j->images[j->image_count++] = *image;
  table->kept_bytes += image->byte_count;
  job_changed(j);
  pthread_mutex_unlock(&table->lock);
  atomic_fetch_add(&table->server->metrics.pictures, 1);
}

void jobs_end(jobs *table, job *j, job_state state, const msk_error *error) {
  pthread_mutex_lock(&table->lock);
  if (state == JOB_FAILED) problem_from_error(&j->failure, NULL, error);
  end_locked(table, j, state, j->reason);
  table->running--;
  double waited = j->started - j->created, ran = j->ended - j->started;
  job_drop(j);
  expire_locked(table);
  pthread_mutex_unlock(&table->lock);
  metrics_add_job(&table->server->metrics, waited, ran);
}

/* ---- For connections ---- */

unsigned jobs_wait(jobs *table, job *j, unsigned seen, int milliseconds) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += milliseconds / 1000;
  until.tv_nsec += (long)(milliseconds % 1000) * 1000000;
  if (until.tv_nsec >= 1000000000) {
    until.tv_sec++;
    until.tv_nsec -= 1000000000;
  }
  pthread_mutex_lock(&table->lock);
  while (j->version == seen &&
         pthread_cond_timedwait(&j->changed, &table->lock, &until) != ETIMEDOUT) {
  }
  unsigned version = j->version;
  pthread_mutex_unlock(&table->lock);
  return version;
}

bool jobs_ended(jobs *table, job *j, job_state *state) {
  pthread_mutex_lock(&table->lock);
  *state = j->state;
  pthread_mutex_unlock(&table->lock);
  return *state >= JOB_DONE;
}

int jobs_image_count(jobs *table, job *j) {
  pthread_mutex_lock(&table->lock);
  int count = j->image_count;
  pthread_mutex_unlock(&table->lock);
  return count;
}

static job_moment moment_of(const jobs *table, const job *j) {
  return (job_moment){.now = progress_clock(),
                      .keep_seconds = table->server->config.keep_seconds,
                      .position = job_queue_position(&table->queue, j)};
}

json_t *jobs_object(jobs *table, job *j) {
  pthread_mutex_lock(&table->lock);
  const job_moment moment = moment_of(table, j);
  json_t *object = job_object(j, &moment);
  pthread_mutex_unlock(&table->lock);
  return object;
}

void jobs_progress(jobs *table, const job *j, job_progress *how_far) {
  pthread_mutex_lock(&table->lock);
  job_tell_progress(j, progress_clock(), how_far);
  pthread_mutex_unlock(&table->lock);
}

json_t *jobs_next_event(jobs *table, job *j, job_told *told, const char **event) {
  pthread_mutex_lock(&table->lock);
  const job_moment moment = moment_of(table, j);
  json_t *data = job_next_event(j, told, &moment, event);
  pthread_mutex_unlock(&table->lock);
  return data;
}
