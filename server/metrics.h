/* SPDX-License-Identifier: Apache-2.0
 * metrics.h - counters for `GET /metrics`, in the text format of Prometheus. Any thread adds. */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include <stdatomic.h>
#include <stddef.h>

#include "masksketch.h"

enum { METRIC_STAGES = 8, METRIC_BUCKETS = 8 };

typedef struct metrics {
  atomic_ullong answers[6]; /* by the status' first digit */
  atomic_ullong jobs_accepted, jobs_done, jobs_failed, jobs_cancelled, jobs_refused;
  atomic_ullong steps, pictures, previews, errands;
  atomic_ullong stage_nanoseconds[METRIC_STAGES];
  atomic_ullong job_bucket[METRIC_BUCKETS + 1], job_nanoseconds, wait_nanoseconds;
  atomic_ullong connections_opened, connections_cut;
  atomic_long connections, body_bytes;
} metrics;

void metrics_add_times(metrics *m, const msk_times *times, double encoding_seconds);
void metrics_add_job(metrics *m, double wait_seconds, double run_seconds);

/* What only the job table knows. */
typedef struct metrics_gauges {
  int queued, live, running, finished;
  size_t kept_bytes;
} metrics_gauges;
/* The whole text, to free(); NULL without memory. */
char *metrics_text(metrics *m, const metrics_gauges *gauges, size_t *bytes);
#endif
