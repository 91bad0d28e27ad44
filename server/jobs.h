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

#include "job_object.h"
#include "metrics.h"

typedef struct jobs jobs;

jobs *jobs_create(server *s);
void jobs_destroy(jobs *table); /* after the workers have ended and the connections are closed */

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
/* Seconds since the last job ended; 0 while one waits or runs. */
double jobs_idle(jobs *table);
/* Cancels everything, and wakes everyone who waits. */
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
/* What job_object.h tells, under the lock. */
json_t *jobs_object(jobs *table, job *j);
void jobs_progress(jobs *table, const job *j, job_progress *how_far);
json_t *jobs_next_event(jobs *table, job *j, job_told *told, const char **event);
/* AUTOMATIC1111's interface knows one job at a time: the one of its own that came first and has not
 * ended, with a reference; NULL: none. */
job *jobs_first_a1111(jobs *table);
bool jobs_ended(jobs *table, job *j, job_state *state);
int jobs_image_count(jobs *table, job *j);

#endif
