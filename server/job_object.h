/* SPDX-License-Identifier: Apache-2.0
 *
 * job_object.h - what is told of a job: the object of docs/http.md, the events of a stream, how far
 * it is. Asked under the table's lock (jobs.h), or of a job that has ended. */
#ifndef SERVER_JOB_OBJECT_H
#define SERVER_JOB_OBJECT_H

#include "job.h"

/* What the job itself does not know. */
typedef struct job_moment {
  double now;          /* progress_clock() */
  double keep_seconds; /* after its end */
  int position;        /* in the queue */
} job_moment;

/* The job object of docs/http.md; NULL: no memory. */
json_t *job_object(const job *j, const job_moment *moment);

/* How far a job is. */
typedef struct job_progress {
  double done;                      /* 0..1 */
  double seconds_left;              /* 0: not known */
  int pictures, index, step, steps; /* in all, the one being made, and its steps */
  json_t *preview;                  /* base64 of a JPEG, a new reference; NULL: none yet */
} job_progress;
void job_tell_progress(const job *j, double now, job_progress *how_far);

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
json_t *job_next_event(const job *j, job_told *told, const job_moment *moment, const char **event);

#endif
