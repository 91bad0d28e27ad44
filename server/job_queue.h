/* SPDX-License-Identifier: Apache-2.0
 *
 * job_queue.h - the jobs that wait: live ones and the others, taken turn by turn. Guarded by the
 * table's lock (jobs.h). */
#ifndef SERVER_JOB_QUEUE_H
#define SERVER_JOB_QUEUE_H

#include "job.h"

typedef struct job_list {
  job *first, *last;
  int count;
} job_list;

typedef struct job_queue {
  job_list ordinary, live;
  bool live_was_last;
} job_queue;

int job_queue_count(const job_queue *q);
void job_queue_push(job_queue *q, job *j);
/* The next one; there is one. */
job *job_queue_pop(job_queue *q);
/* False: it is not among them. */
bool job_queue_remove(job_queue *q, job *j);
/* Jobs that go before this one: live ones first, as long as they are no more than the ordinary
 * ones before it, turn by turn. */
int job_queue_position(const job_queue *q, const job *j);

#endif
