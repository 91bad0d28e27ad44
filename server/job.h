/* SPDX-License-Identifier: Apache-2.0
 *
 * job.h - one job: what was asked, how far it is, and the pictures that it has made. Who may touch
 * what, and when, is the table's business (jobs.h). */
#ifndef SERVER_JOB_H
#define SERVER_JOB_H

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
  double created, started, ended; /* progress_clock() */
  int index, item, step, step_count, masked, steps_done;
  char *preview; /* base64 of a JPEG, malloc'ed; NULL: none yet */
  unsigned step_version, preview_version;
  job_image images[SERVER_MAX_COUNT];
  int image_count;
  struct job *next; /* in the queue */
  struct job *link; /* in the table */
} job;

/* An empty job with a fresh id and one reference, or NULL. */
job *job_create(void);
/* Frees it with the last reference. */
void job_drop(job *j);
/* Tells who waits for its next version. */
void job_changed(job *j);
bool job_has_ended(const job *j);
/* What it holds: its pictures, given and made. */
size_t job_bytes(const job *j);
/* A condition whose waits are timed by the clock that nobody sets. */
bool job_condition_init(pthread_cond_t *condition);

#endif
