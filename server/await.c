/* SPDX-License-Identifier: Apache-2.0
 * await.c - see await.h. */
#include "await.h"

enum { WAIT_MS = 250 };

bool await_job(exchange *e, job *j) {
  job_state state;
  unsigned version = 0;
  while (!jobs_ended(e->server->jobs, j, &state)) {
    if (exchange_left(e)) jobs_cancel(e->server->jobs, j, REASON_ASKED);
    version = jobs_wait(e->server->jobs, j, version, WAIT_MS);
  }
  if (state == JOB_FAILED) e->problem = j->failure;
  if (state == JOB_CANCELLED)
    problem_set(&e->problem, 503, NULL, "the job was cancelled%s",
                j->reason == REASON_SHUTDOWN ? ": the server is stopping" : "");
  return state == JOB_DONE;
}
