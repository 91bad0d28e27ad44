/* SPDX-License-Identifier: Apache-2.0
 *
 * jobs.h - the table of jobs and their queue. A job is made by a connection's thread (job_form.c),
 * submitted, taken by a worker, watched by any number of connections, and forgotten some time
 * after its end. Whoever holds a pointer holds a reference (jobs_find, jobs_release).
 *
 * What may change after a job was submitted is guarded by the table's lock; order, preview
 * wishes, id and client do not change. */
#ifndef SERVER_JOBS_H
#define SERVER_JOBS_H

#include "app/order.h"
#include "problem.h"
#include "server.h"

enum { JOB_ID_DIGITS = 32, JOB_CLIENT_BYTES = 64 };

typedef enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_DONE, JOB_FAILED, JOB_CANCELLED } job_state;
typedef enum job_reason { REASON_NONE, REASON_ASKED, REASON_REPLACED, REASON_SHUTDOWN } job_reason;

/* A finished picture. Never changes once it is in the job. */
typedef struct job_image {
  void *bytes; /* PNG, msk_free() */
  size_t byte_count;
  int32_t *tokens; /* N, class token first */
  uint64_t seed;
  int item;
  float structure; /* NaN: none */
  double seconds;
  const char *warning; /* the library's, of the run that made it; NULL: nothing is wrong */
} job_image;

typedef struct job {
  char id[JOB_ID_DIGITS + 1], client[JOB_CLIENT_BYTES + 1];
  order order;
  json_t *settings;
  bool live;
  bool a1111;             /* what progress and interrupt of AUTOMATIC1111's interface are about */
  double preview_seconds; /* least time between two; negative: no previews */
  int preview_size;
  atomic_bool cancelled; /* asks the worker to stop */
  /* under the table's lock */
  int references;
  pthread_cond_t changed;
  unsigned version; /* counts changes */
  job_state state;
  job_reason reason;
  problem failure;
  double created, started, ended; /* server_clock() */
  int index, item, step, step_count, masked, steps_done;
  char *preview; /* base64 of a JPEG, malloc'ed; NULL: none yet */
  unsigned step_version, preview_version;
  job_image images[SERVER_MAX_COUNT];
  int image_count;
  struct job *next; /* in the queue */
  struct job *link; /* in the table */
} job;

typedef struct jobs jobs;

jobs *jobs_create(server *s);
void jobs_destroy(jobs *table); /* after the workers have ended and the connections are closed */

/* An empty job with a fresh id and one reference, or NULL. */
job *job_create(void);

/* Puts a job into table and queue; the caller keeps its reference. A newer live job takes the
 * place of the same client's older one. False: the queue is full, or the server stops. */
bool jobs_submit(jobs *table, job *j, problem *p);
/* With a reference; NULL, with the problem 404: none. `field`: which named it, or NULL. */
job *jobs_find(jobs *table, const char *id, const char *field, problem *p);
void jobs_release(jobs *table, job *j);
/* Cancels a job that has not ended, forgets one that has. */
void jobs_delete(jobs *table, job *j);
void jobs_cancel(jobs *table, job *j, job_reason reason);
void jobs_expire(jobs *table);
/* Cancels everything, and wakes everyone who waits. */
/* Seconds since the last job ended; 0 while one waits or runs. */
double jobs_idle(jobs *table);
void jobs_stop(jobs *table);
void jobs_gauges(jobs *table, metrics_gauges *gauges);

/* ---- for workers ---- */

/* Work between jobs and between the steps of one. `run` is called with the worker's session. */
typedef struct errand {
  void (*run)(struct errand *e, msk_session *session);
  bool done, refused; /* under the lock */
  struct errand *next;
} errand;
/* Waits until a worker has run it. False: too many wait, or the server stops. */
bool jobs_errand(jobs *table, errand *e, problem *p);

/* Next job, with a reference; meanwhile errands are run. NULL: the server stops. */
job *jobs_take(jobs *table, msk_session *session);
void jobs_run_errands(jobs *table, msk_session *session);
/* `preview` is taken over (NULL: none this time). */
void jobs_step(jobs *table, job *j, const msk_step_info *info, int index, char *preview);
void jobs_add_image(jobs *table, job *j, const job_image *image);
/* state and, of a failure, why. Releases the worker's reference. */
void jobs_end(jobs *table, job *j, job_state state, const msk_error *error);

/* ---- for connections ---- */

/* Waits until the job's version is no longer `seen`, at most `milliseconds`; returns the
 * version. */
unsigned jobs_wait(jobs *table, job *j, unsigned seen, int milliseconds);
/* The job object of docs/http.md. */
json_t *jobs_object(jobs *table, job *j);
/* AUTOMATIC1111's interface knows one job at a time: the one of its own that came first and has not
 * ended, with a reference; NULL: none. */
job *jobs_first_a1111(jobs *table);
/* How far a job is. */
typedef struct job_progress {
  double done;                      /* 0..1 */
  double seconds_left;              /* 0: not known */
  int pictures, index, step, steps; /* in all, the one being made, and its steps */
  json_t *preview;                  /* base64 of a JPEG, a new reference; NULL: none yet */
} job_progress;
void jobs_progress(jobs *table, const job *j, job_progress *progress);
bool jobs_ended(jobs *table, job *j, job_state *state);
int jobs_image_count(jobs *table, job *j);
/* Of a job that has ended: the warning of the first picture that has one, or NULL. */
const char *job_picture_warning(const job *j);
/* That, behind those of its order. */
json_t *job_warnings(const job *j);

/* What a stream has told of a job. */
typedef struct job_told {
  unsigned step_version, preview_version;
  int position, images;
  bool any, over;
} job_told;
/* The next event that the stream has not told, or NULL when there is none for now; *event is its
 * name. */
json_t *jobs_next_event(jobs *table, job *j, job_told *told, const char **event);

#endif
