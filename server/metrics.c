/* SPDX-License-Identifier: Apache-2.0
 * metrics.c - see metrics.h. */
#include "metrics.h"

#include <stdio.h>
#include <stdlib.h>

#include "masksketch_tools.h"

static const char *const stage_names[METRIC_STAGES] = {
    "encode", "targets", "conditional", "structure", "sampling", "decode", "png", "total"};
static const double bucket_bounds[METRIC_BUCKETS] = {0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60};

static unsigned long long nanoseconds(double seconds) {
  return seconds > 0 ? (unsigned long long)(seconds * 1e9) : 0;
}

void metrics_add_times(metrics *m, const msk_times *times, double encoding_seconds) {
  const double values[METRIC_STAGES] = {
      times->encode,   times->targets, times->conditional, times->structure,
      times->sampling, times->decode,  encoding_seconds,   times->total + encoding_seconds};
  for (int i = 0; i < METRIC_STAGES; i++)
    atomic_fetch_add(&m->stage_nanoseconds[i], nanoseconds(values[i]));
}

static void add(metrics_histogram *histogram, double seconds) {
  int bucket = 0;
  while (bucket < METRIC_BUCKETS && seconds > bucket_bounds[bucket]) bucket++;
  atomic_fetch_add(&histogram->bucket[bucket], 1);
  atomic_fetch_add(&histogram->nanoseconds, nanoseconds(seconds));
}

void metrics_add_job(metrics *m, double wait_seconds, double run_seconds) {
  add(&m->jobs_run, run_seconds);
  add(&m->jobs_wait, wait_seconds);
}

static void head(FILE *out, const char *name, const char *kind, const char *help) {
  fprintf(out, "# HELP masksketch_%s %s\n# TYPE masksketch_%s %s\n", name, help, name, kind);
}

static void number(FILE *out, const char *name, const char *kind, const char *help, double value) {
  head(out, name, kind, help);
  fprintf(out, "masksketch_%s %.17g\n", name, value);
}

/* Buckets count all that is not longer, as the format wants it. */
static void write_histogram(FILE *out, const char *name, const char *help,
                            metrics_histogram *histogram) {
  unsigned long long sum = 0;
  head(out, name, "histogram", help);
  for (int i = 0; i < METRIC_BUCKETS; i++) {
    sum += atomic_load(&histogram->bucket[i]);
    fprintf(out, "masksketch_%s_bucket{le=\"%g\"} %llu\n", name, bucket_bounds[i], sum);
  }
  sum += atomic_load(&histogram->bucket[METRIC_BUCKETS]);
  fprintf(out, "masksketch_%s_bucket{le=\"+Inf\"} %llu\n", name, sum);
  fprintf(out, "masksketch_%s_sum %.9f\nmasksketch_%s_count %llu\n", name,
          (double)atomic_load(&histogram->nanoseconds) * 1e-9, name, sum);
}

/* What runs here: a constant 1 with its facts as labels, and when it began. */
static void write_program(FILE *out, const metrics_gauges *gauges) {
  head(out, "build_info", "gauge", "The program and its model.");
  fprintf(
      out,
      "masksketch_build_info{version=\"%s\",isa=\"%s\",precision=\"%s\",model_hash=\"%.16s\"} 1\n",
      msk_version(), gauges->model->isa, msk_precision_name((int)gauges->model->precision),
      gauges->model->hash);
  fprintf(out,
          "# HELP process_start_time_seconds When the process began, in seconds since 1970.\n"
          "# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds %.3f\n",
          gauges->start_time);
  number(out, "draining", "gauge", "1 while it takes no new jobs and finishes what it has.",
         gauges->draining);
}

static void write_jobs(FILE *out, metrics *m, const metrics_gauges *gauges) {
  number(out, "jobs_queued", "gauge", "Jobs that wait, live ones aside.", gauges->queued);
  number(out, "jobs_live_queued", "gauge", "Live jobs that wait.", gauges->live);
  number(out, "jobs_running", "gauge", "Jobs that run.", gauges->running);
  number(out, "jobs_kept", "gauge", "Finished jobs that are kept.", gauges->finished);
  number(out, "kept_bytes", "gauge", "Bytes of the jobs that are kept, pictures included.",
         (double)gauges->kept_bytes);
  head(out, "jobs_total", "counter", "Jobs by outcome.");
  const struct {
    const char *name;
    atomic_ullong *value;
  } outcomes[] = {{"accepted", &m->jobs_accepted},
                  {"done", &m->jobs_done},
                  {"failed", &m->jobs_failed},
                  {"cancelled", &m->jobs_cancelled},
                  {"refused", &m->jobs_refused}};
  for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++)
    fprintf(out, "masksketch_jobs_total{outcome=\"%s\"} %llu\n", outcomes[i].name,
            atomic_load(outcomes[i].value));
  write_histogram(out, "job_seconds", "Time that jobs ran.", &m->jobs_run);
  write_histogram(out, "job_wait_seconds", "Time that jobs waited before they ran.", &m->jobs_wait);
}

static void write_work(FILE *out, metrics *m) {
  number(out, "steps_total", "counter", "Decoding steps.", (double)atomic_load(&m->steps));
  number(out, "pictures_total", "counter", "Finished pictures.", (double)atomic_load(&m->pictures));
  number(out, "previews_total", "counter", "Previews.", (double)atomic_load(&m->previews));
  number(out, "errands_total", "counter", "Attention maps and pictures from tokens.",
         (double)atomic_load(&m->errands));
  head(out, "stage_seconds_total", "counter", "Time of finished pictures by stage.");
  for (int i = 0; i < METRIC_STAGES; i++)
    fprintf(out, "masksketch_stage_seconds_total{stage=\"%s\"} %.9f\n", stage_names[i],
            (double)atomic_load(&m->stage_nanoseconds[i]) * 1e-9);
}

static void write_connections(FILE *out, metrics *m) {
  head(out, "answers_total", "counter", "HTTP answers by class of status.");
  for (int i = 1; i < 6; i++)
    fprintf(out, "masksketch_answers_total{class=\"%dxx\"} %llu\n", i, atomic_load(&m->answers[i]));
  number(out, "connections", "gauge", "Open connections.", (double)atomic_load(&m->connections));
  number(out, "connections_total", "counter", "Connections accepted.",
         (double)atomic_load(&m->connections_opened));
  number(out, "connections_cut_total", "counter", "Connections closed for being too slow.",
         (double)atomic_load(&m->connections_cut));
  number(out, "body_bytes", "gauge", "Bytes of request bodies in memory.",
         (double)atomic_load(&m->body_bytes));
}

char *metrics_text(metrics *m, const metrics_gauges *gauges, size_t *bytes) {
  char *text = NULL;
  FILE *out = open_memstream(&text, bytes);
  if (out == NULL) return NULL;
  write_program(out, gauges);
  write_jobs(out, m, gauges);
  write_work(out, m);
  write_connections(out, m);
  if (fclose(out) == 0) return text;
  free(text);
  return NULL;
}
