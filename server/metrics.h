/* SPDX-License-Identifier: Apache-2.0
 * metrics.h - counters for `GET /metrics`, in the text format of Prometheus. Any thread adds. */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "masksketch.h"

enum { METRIC_STAGES = 8, METRIC_BUCKETS = 8 };

/* Of durations. */
typedef struct metrics_histogram {
  atomic_ullong bucket[METRIC_BUCKETS + 1], nanoseconds;
} metrics_histogram;

typedef struct metrics {
  atomic_ullong answers[6]; /* by the status' first digit */
  atomic_ullong jobs_accepted, jobs_done, jobs_failed, jobs_cancelled, jobs_refused;
  atomic_ullong steps, pictures, previews, errands;
  atomic_ullong stage_nanoseconds[METRIC_STAGES];
  metrics_histogram jobs_run, jobs_wait;
  atomic_ullong connections_opened, connections_cut;
  atomic_long connections, body_bytes;
} metrics;

void metrics_add_times(metrics *m, const msk_times *times, double encoding_seconds);
void metrics_add_job(metrics *m, double wait_seconds, double run_seconds);

/* What only the job table and the server know. */
typedef struct metrics_gauges {
  int queued, live, running, finished;
  size_t kept_bytes;
  bool draining;
  double start_time; /* seconds since 1970 */
  const msk_model_info *model;
} metrics_gauges;
/* The whole text, to free(); NULL without memory. */
char *metrics_text(metrics *m, const metrics_gauges *gauges, size_t *bytes);
#endif
