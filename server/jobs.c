/* SPDX-License-Identifier: Apache-2.0
 *
 * jobs.c - see jobs.h. Two queues: live jobs and the others; workers take from them turn by
 * turn. */
#include "jobs.h"
#include "masksketch_tools.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "app/json.h"

typedef struct queue {
  job *first, *last;
  int count;
} queue;

struct jobs {
  server *server;
  pthread_mutex_t lock;
  pthread_cond_t work; /* a job or an errand came, or the server stops */
  pthread_cond_t errand_done;
  queue ordinary, live;
  bool live_was_last, stopping;
  int running, errand_count;
  errand *errands;
  job *all;
  size_t kept_bytes;
};

double server_clock(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- Making and freeing ---- */

static bool condition_init(pthread_cond_t *condition) {
  pthread_condattr_t attributes;
  if (pthread_condattr_init(&attributes) != 0) return false;
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  int failed = pthread_cond_init(condition, &attributes);
  pthread_condattr_destroy(&attributes);
  return failed == 0;
}

jobs *jobs_create(server *s) {
  jobs *table = calloc(1, sizeof *table);
  if (table == NULL) return NULL;
  table->server = s;
  if (pthread_mutex_init(&table->lock, NULL) == 0 && condition_init(&table->work) &&
      condition_init(&table->errand_done))
    return table;
  free(table);
  return NULL;
}

job *job_create(void) {
  unsigned char random[JOB_ID_DIGITS / 2];
  job *j = calloc(1, sizeof *j);
  if (j == NULL) return NULL;
  if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random ||
      !condition_init(&j->changed)) {
    free(j);
    return NULL;
  }
  for (int i = 0; i < JOB_ID_DIGITS / 2; i++) snprintf(j->id + 2 * i, 3, "%02x", random[i]);
  j->references = 1;
  j->index = j->item = j->step = -1;
  return j;
}

static void job_free(job *j) {
  order_free(&j->order);
  json_decref(j->settings);
  for (int i = 0; i < j->image_count; i++) {
    msk_free(NULL, j->images[i].bytes);
    free(j->images[i].tokens);
  }
  free(j->preview);
  pthread_cond_destroy(&j->changed);
  free(j);
}

static void release_locked(job *j) {
  if (--j->references == 0) job_free(j);
}

void jobs_release(jobs *table, job *j) {
  if (j == NULL) return;
  pthread_mutex_lock(&table->lock);
  release_locked(j);
  pthread_mutex_unlock(&table->lock);
}

void jobs_destroy(jobs *table) {
  if (table == NULL) return;
  while (table->all != NULL) {
    job *j = table->all;
    table->all = j->link;
    release_locked(j);
  }
  pthread_cond_destroy(&table->errand_done);
  pthread_cond_destroy(&table->work);
  pthread_mutex_destroy(&table->lock);
  free(table);
}

/* ---- Queues ---- */

static void changed(job *j) {
  j->version++;
  pthread_cond_broadcast(&j->changed);
}

static void push(queue *q, job *j) {
  j->next = NULL;
  if (q->last == NULL) {
    q->first = j;
  } else {
    q->last->next = j;
  }
  q->last = j;
  q->count++;
}

static bool take_out(queue *q, job *j) {
  job *before = NULL;
  for (job *at = q->first; at != NULL; before = at, at = at->next) {
    if (at != j) continue;
    if (before == NULL) {
      q->first = at->next;
    } else {
      before->next = at->next;
    }
    if (q->last == at) q->last = before;
    q->count--;
    return true;
  }
  return false;
}

static void positions_changed(jobs *table) {
  for (job *j = table->ordinary.first; j != NULL; j = j->next) changed(j);
  for (job *j = table->live.first; j != NULL; j = j->next) changed(j);
}

/* Jobs that go before this one: live ones first, as long as they are no more than the ordinary
 * ones before it, turn by turn. */
static int position_of(const jobs *table, const job *j) {
  int mine = 0;
  const queue *q = j->live ? &table->live : &table->ordinary;
  for (const job *at = q->first; at != NULL && at != j; at = at->next) mine++;
  int others = j->live ? table->ordinary.count : table->live.count;
  bool other_first = j->live == table->live_was_last; /* whose turn it is */
  int between = mine + (other_first ? 1 : 0);
  return mine + (others < between ? others : between);
}

static size_t pixels_of(const msk_image *image) {
  return (size_t)image->width * (size_t)image->height * 3;
}

/* What a job holds: its pictures, given and made. */
static size_t bytes_of(const job *j) {
  size_t sum = sizeof *j + pixels_of(&j->order.picture) + pixels_of(&j->order.mask) +
               pixels_of(&j->order.lambda_map);
  for (int i = 0; i < j->image_count; i++) sum += j->images[i].byte_count;
  return sum;
}

static bool has_ended(const job *j) { return j->state >= JOB_DONE; }

static void unlink_job(jobs *table, job *j) {
  for (job **at = &table->all; *at != NULL; at = &(*at)->link) {
    if (*at != j) continue;
    *at = j->link;
    table->kept_bytes -= bytes_of(j);
    release_locked(j);
    return;
  }
}

/* Old ones go, and the oldest where there are too many or too large ones. */
static void expire_locked(jobs *table) {
  double now = server_clock();
  const server_config *config = &table->server->config;
  int count = 0;
  for (job *j = table->all, *next; j != NULL; j = next, count++) {
    next = j->link;
    if (has_ended(j) && now - j->ended > config->keep_seconds) {
      unlink_job(table, j);
      count--;
    }
  }
  for (; table->kept_bytes > SERVER_KEEP_BYTES || count > SERVER_MAX_JOBS; count--) {
    job *oldest = NULL;
    for (job *j = table->all; j != NULL; j = j->link) {
      if (has_ended(j) && (oldest == NULL || j->ended < oldest->ended)) oldest = j;
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
  j->ended = server_clock();
  if (state == JOB_DONE) atomic_fetch_add(&m->jobs_done, 1);
  if (state == JOB_FAILED) atomic_fetch_add(&m->jobs_failed, 1);
  if (state == JOB_CANCELLED) atomic_fetch_add(&m->jobs_cancelled, 1);
  changed(j);
}

static void cancel_locked(jobs *table, job *j, job_reason reason) {
  if (has_ended(j) || atomic_load(&j->cancelled)) return;
  j->reason = reason;
  atomic_store(&j->cancelled, true);
  if (j->state != JOB_QUEUED) return;
  if (take_out(&table->ordinary, j) || take_out(&table->live, j)) {
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
  if (has_ended(j)) {
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
  } else if (j->live ? table->live.count >= SERVER_MAX_LIVE
                     : table->ordinary.count >= config->queue) {
    problem_set(p, 429, NULL, "%d jobs wait already, expected fewer than %d: try again later",
                j->live ? table->live.count : table->ordinary.count,
                j->live ? SERVER_MAX_LIVE : config->queue);
    p->retry_after = 1;
  } else {
    j->references++;
    j->link = table->all;
    table->all = j;
    table->kept_bytes += bytes_of(j);
    j->created = server_clock();
    push(j->live ? &table->live : &table->ordinary, j);
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
    if (j->a1111 && !has_ended(j)) first = j;
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
  *gauges = (metrics_gauges){.queued = table->ordinary.count,
                             .live = table->live.count,
                             .running = table->running,
                             .kept_bytes = table->kept_bytes,
                             .draining = atomic_load(&table->server->draining),
                             .start_time = table->server->start_time,
                             .model = &table->server->info};
  for (const job *j = table->all; j != NULL; j = j->link) gauges->finished += has_ended(j);
  pthread_mutex_unlock(&table->lock);
}

double jobs_idle(jobs *table) {
  double last = 0;
  pthread_mutex_lock(&table->lock);
  const bool idle = table->ordinary.count + table->live.count + table->running == 0;
  for (const job *j = table->all; j != NULL; j = j->link) last = fmax(last, j->ended);
  pthread_mutex_unlock(&table->lock);
  return idle ? server_clock() - last : 0;
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

static job *pop(jobs *table) {
  bool live = table->live.count > 0 && (table->ordinary.count == 0 || !table->live_was_last);
  queue *q = live ? &table->live : &table->ordinary;
  job *j = q->first;
  take_out(q, j);
  table->live_was_last = live;
  return j;
}

job *jobs_take(jobs *table, msk_session *session) {
  job *j = NULL;
  pthread_mutex_lock(&table->lock);
  for (;;) {
    /* before any job: they are short, and their clients hold a connection open */
    run_errands_locked(table, session);
    if (table->stopping || table->ordinary.count + table->live.count > 0) break;
    pthread_cond_wait(&table->work, &table->lock);
  }
  if (!table->stopping) {
    j = pop(table);
    j->references++;
    j->state = JOB_RUNNING;
    j->started = server_clock();
    table->running++;
    changed(j);
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
  changed(j);
  pthread_mutex_unlock(&table->lock);
  atomic_fetch_add(&table->server->metrics.steps, 1);
}

void jobs_add_image(jobs *table, job *j, const job_image *image) {
  pthread_mutex_lock(&table->lock);
  j->images[j->image_count++] = *image;
  table->kept_bytes += image->byte_count;
  changed(j);
  pthread_mutex_unlock(&table->lock);
  atomic_fetch_add(&table->server->metrics.pictures, 1);
}

void jobs_end(jobs *table, job *j, job_state state, const msk_error *error) {
  pthread_mutex_lock(&table->lock);
  if (state == JOB_FAILED) problem_from_error(&j->failure, NULL, error);
  end_locked(table, j, state, j->reason);
  table->running--;
  double waited = j->started - j->created, ran = j->ended - j->started;
  release_locked(j);
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

static const char *state_name(job_state state) {
  static const char *const names[] = {"queued", "running", "done", "failed", "cancelled"};
  return names[state];
}

static json_t *integer_or_null(bool there, int value) {
  return there ? json_integer(value) : json_null();
}
static json_t *real_or_null(bool there, double value) {
  return there ? json_real(value) : json_null();
}

/* Of all pictures; 0 before the first step. */
static double share_done(const job *j) {
  const int runs = order_runs_together(&j->order) ? 1 : j->order.request.count;
  return j->steps_done == 0 ? 0 : fmin((double)j->steps_done / (j->step_count * runs), 1);
}

/* From the steps done so far; false before the first. */
static bool seconds_left(const job *j, double *seconds) {
  const double done = share_done(j);
  if (j->state != JOB_RUNNING || done == 0) return false;
  *seconds = (server_clock() - j->started) * (1 - done) / done;
  return true;
}

static double seconds_run(const job *j) {
  if (j->state == JOB_QUEUED || j->started <= 0) return 0;
  return (has_ended(j) ? j->ended : server_clock()) - j->started;
}

static json_t *image_object(const job *j, int index) {
  const job_image *image = &j->images[index];
  char url[96];
  snprintf(url, sizeof url, "/v1/jobs/%s/images/%d", j->id, index);
  json_t *scores = json_object();
  json_set_finite(scores, "structure", (double)image->structure);
  return json_pack("{s:i, s:i, s:s, s:s, s:I, s:i, s:i, s:o, s:f}", "index", index, "item",
                   image->item, "url", url, "type", "image/png", "bytes",
                   (json_int_t)image->byte_count, "width", j->order.info.image_size, "height",
                   j->order.info.image_size, "scores", scores, "seconds", image->seconds);
}

const char *job_picture_warning(const job *j) {
  for (int i = 0; i < j->image_count; i++) {
    if (j->images[i].warning != NULL) return j->images[i].warning;
  }
  return NULL;
}

json_t *job_warnings(const job *j) {
  const char *wrong = job_picture_warning(j);
  json_t *warnings = json_array();
  for (const char *const *text = j->order.warnings; *text != NULL; text++)
    json_array_append_new(warnings, json_string(*text));
  if (wrong != NULL) json_array_append_new(warnings, json_string(wrong));
  return warnings;
}

static json_t *object_locked(const jobs *table, const job *j) {
  static const char *const reasons[] = {NULL, "asked", "replaced", "shutdown"};
  const msk_request *request = &j->order.request;
  char seed[24], self[64], events[80];
  double left = 0;
  bool known = seconds_left(j, &left), stepped = j->step >= 0;
  snprintf(seed, sizeof seed, "%llu", (unsigned long long)request->seed);
  snprintf(self, sizeof self, "/v1/jobs/%s", j->id);
  snprintf(events, sizeof events, "/v1/jobs/%s/events", j->id);
  json_t *images = json_array();
  for (int i = 0; i < j->image_count; i++) json_array_append_new(images, image_object(j, i));
  json_t *object =
      json_pack("{s:s, s:s, s:s, s:s?, s:{s:i, s:s?}, s:s, s:i, s:i, s:s, s:b, s:O, s:i}", "id",
                j->id, "job", msk_job_name((int)request->job), "state", state_name(j->state),
                "reason", j->state == JOB_CANCELLED ? reasons[j->reason] : NULL, "class", "id",
                request->class_id, "name", msk_model_class_name(j->order.model, request->class_id),
                "seed", seed, "first_item", request->first_item, "count", order_pictures(&j->order),
                "recipe", request->recipe.name, "live", j->live, "settings", j->settings,
                "candidates", request->guidance_count > 0 ? request->count : 0);
  if (object == NULL) {
    json_decref(images);
    return NULL;
  }
  json_object_set_new(object, "position",
                      integer_or_null(j->state == JOB_QUEUED, position_of(table, j)));
  json_object_set_new(object, "item", integer_or_null(stepped, j->item));
  json_object_set_new(object, "step", integer_or_null(stepped, j->step));
  json_object_set_new(object, "steps", integer_or_null(stepped, j->step_count));
  json_object_set_new(object, "seconds", json_real(seconds_run(j)));
  json_object_set_new(object, "seconds_left", real_or_null(known, left));
  json_object_set_new(object, "images", images);
  json_object_set_new(object, "warnings", job_warnings(j));
  json_object_set_new(object, "error",
                      j->state == JOB_FAILED ? problem_object(&j->failure) : json_null());
  double expires = j->ended + table->server->config.keep_seconds - server_clock();
  json_object_set_new(object, "expires_in", real_or_null(has_ended(j), expires > 0 ? expires : 0));
  json_object_set_new(object, "links", json_pack("{s:s, s:s}", "self", self, "events", events));
  return object;
}

json_t *jobs_object(jobs *table, job *j) {
  pthread_mutex_lock(&table->lock);
  json_t *object = object_locked(table, j);
  pthread_mutex_unlock(&table->lock);
  return object;
}

void jobs_progress(jobs *table, const job *j, job_progress *progress) {
  pthread_mutex_lock(&table->lock);
  *progress = (job_progress){.done = share_done(j),
                             .pictures = order_pictures(&j->order),
                             .index = j->image_count,
                             .steps = j->step_count};
  seconds_left(j, &progress->seconds_left);
  /* the last step told may be that of a picture which is finished */
  if (j->index == j->image_count) progress->step = j->step;
  if (j->preview != NULL) progress->preview = json_string(j->preview);
  pthread_mutex_unlock(&table->lock);
}

static json_t *step_object(const job *j, bool with_preview) {
  double left = 0;
  bool known = seconds_left(j, &left);
  json_t *preview = json_null();
  if (with_preview && j->preview != NULL) {
    preview =
        json_pack("{s:o, s:i, s:i}", "url", json_sprintf("data:image/jpeg;base64,%s", j->preview),
                  "width", j->preview_size, "height", j->preview_size);
    if (preview == NULL) preview = json_null();
  }
  return json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:f, s:o, s:o}", "id", j->id, "index", j->index,
                   "item", j->item, "step", j->step, "steps", j->step_count, "masked", j->masked,
                   "seconds", seconds_run(j), "seconds_left", real_or_null(known, left), "preview",
                   preview);
}

/* In the order in which they happened, as far as they are still true. */
static json_t *next_locked(jobs *table, job *j, job_told *told, const char **event) {
  if (told->over) return NULL;
  if (j->state == JOB_QUEUED) {
    int position = position_of(table, j);
    if (told->any && told->position == position) return NULL;
    told->any = true;
    told->position = position;
    *event = "queued";
    return object_locked(table, j);
  }
  if (told->images < j->image_count) {
    *event = "image";
    return image_object(j, told->images++);
  }
  if (has_ended(j)) {
    told->over = true;
    *event = state_name(j->state);
    return object_locked(table, j);
  }
  /* a step of a picture that is there already comes too late to be told */
  if (told->step_version == j->step_version || j->index < j->image_count) return NULL;
  told->step_version = j->step_version;
  bool newer = told->preview_version != j->preview_version;
  told->preview_version = j->preview_version;
  *event = "step";
  return step_object(j, newer);
}

json_t *jobs_next_event(jobs *table, job *j, job_told *told, const char **event) {
  pthread_mutex_lock(&table->lock);
  json_t *data = next_locked(table, j, told, event);
  pthread_mutex_unlock(&table->lock);
  return data;
}
