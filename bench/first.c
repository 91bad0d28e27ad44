/* SPDX-License-Identifier: Apache-2.0
 *
 * first.c - what a command does before its first step, and how long each part takes, the files in
 * the page cache. Every round is a process of its own, as a command is; medians, least and most,
 * on the clock and of all threads' processor time.
 * Usage: bench_first MODEL.safetensors DRAWING CLASS [fp32|int8 [THREADS [ROUNDS]]] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "masksketch_tools.h"

enum { START, READ, OPEN, PREPARE, SESSION, BEGIN, STEP, STAGES, MOST_ROUNDS = 1000 };

static const char *const names[STAGES] = {"program",          "drawing read",   "model opened",
                                          "drawing prepared", "session opened", "before the step",
                                          "first step"};

/* Milliseconds. */
static double read_clock(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return 1e3 * (double)time.tv_sec + 1e-6 * (double)time.tv_nsec;
}

/* When a stage was over, or how long it took: on the clock, and of the processor. */
typedef struct moment {
  double wall, processor;
} moment;

static moment now(void) {
  return (moment){read_clock(CLOCK_MONOTONIC), read_clock(CLOCK_PROCESS_CPUTIME_ID)};
}

/* What a command holds; times[i]: when stage i was over. */
struct job {
  msk_model *model;
  msk_session *session;
  msk_image file, sketch;
  moment times[STAGES];
};

static msk_status open_all(struct job *job, char **words, msk_request *request, msk_error *error) {
  msk_model_options options;
  msk_model_info info;
  msk_prepare_options preparation;
  msk_model_options_init(&options);
  options.precision = strcmp(words[4], "int8") == 0 ? MSK_PRECISION_INT8 : MSK_PRECISION_FP32;
  options.threads = atoi(words[5]);
  msk_prepare_init(&preparation);
  msk_status status = msk_image_load(&job->file, words[2], MSK_ALPHA_WHITE, NULL, error);
  job->times[READ] = now();
  if (status == MSK_OK) status = msk_model_open(&job->model, words[1], &options, error);
  job->times[OPEN] = now();
  if (status == MSK_OK) status = msk_request_init(request, job->model, MSK_JOB_DRAW, NULL, error);
  if (status == MSK_OK)
    status = msk_model_class_find(job->model, words[3], &request->class_id, error);
  if (status != MSK_OK) return status;
  msk_model_get_info(job->model, &info);
  preparation.fit = info.fit;
  status = msk_image_prepare(&job->sketch, &job->file, info.image_size, info.image_size,
                             &preparation, NULL, error);
  request->picture = &job->sketch;
  job->times[PREPARE] = now();
  return status;
}

/* One round, in the process that was started at words[6]; the times go to standard output. */
static int run_once(char **words) {
  struct job job;
  msk_request request;
  int done;
  msk_error error;
  memset(&job, 0, sizeof job);
  job.times[START] = now();
  msk_status status = open_all(&job, words, &request, &error);
  if (status == MSK_OK) status = msk_session_open(&job.session, job.model, &request, NULL, &error);
  job.times[SESSION] = now();
  if (status == MSK_OK) status = msk_begin(job.session, &request, &error);
  job.times[BEGIN] = now();
  if (status == MSK_OK) status = msk_step(job.session, &done, &error);
  job.times[STEP] = now();
  if (status != MSK_OK) return fprintf(stderr, "bench_first: %s\n", error.message), 1;
  moment before = {strtod(words[6], NULL), 0};
  for (int i = 0; i < STAGES; i++) {
    moment took = {job.times[i].wall - before.wall, job.times[i].processor - before.processor};
    before = job.times[i];
    fwrite(&took, sizeof took, 1, stdout);
  }
  return fflush(stdout) == 0 ? 0 : 1;
}

static int run_apart(char **words, moment times[STAGES]) {
  int ends[2], status = 1;
  if (pipe(ends) != 0) return 1;
  char start[64];
  snprintf(start, sizeof start, "%.6f", now().wall);
  pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    execl("/proc/self/exe", "bench_first", words[1], words[2], words[3], words[4], words[5], start,
          (char *)NULL);
    _exit(127);
  }
  close(ends[1]);
  ssize_t wanted = (ssize_t)(STAGES * sizeof *times);
  int good = child > 0 && read(ends[0], times, STAGES * sizeof *times) == wanted;
  close(ends[0]);
  return child > 0 && waitpid(child, &status, 0) == child && status == 0 && good ? 0 : 1;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void report(const char *name, double *wall, double *processor, int rounds) {
  qsort(wall, (size_t)rounds, sizeof *wall, compare);
  qsort(processor, (size_t)rounds, sizeof *processor, compare);
  printf("%-18s %7.1f ms (%.1f to %.1f), processor %7.1f ms (%.1f to %.1f)\n", name,
         wall[rounds / 2], wall[0], wall[rounds - 1], processor[rounds / 2], processor[0],
         processor[rounds - 1]);
}

int main(int count, char **given) {
  char *words[7] = {given[0], NULL, NULL, NULL, "fp32", "0", NULL};
  for (int i = 1; i < count && i < 7; i++) words[i] = given[i];
  if (count == 7 && strchr(words[6], '.') != NULL) return run_once(words);
  if (count < 4) {
    fprintf(stderr,
            "usage: bench_first MODEL.safetensors DRAWING CLASS [fp32|int8 [THREADS [ROUNDS]]]\n");
    return 2;
  }
  /* the last: all before the first step */
  static double wall[STAGES + 1][MOST_ROUNDS], processor[STAGES + 1][MOST_ROUNDS];
  int rounds = words[6] == NULL ? 10 : atoi(words[6]);
  if (rounds < 1 || rounds > MOST_ROUNDS) return 2;
  for (int round = 0; round < rounds; round++) {
    moment found[STAGES];
    if (run_apart(words, found) != 0) return 1;
    for (int i = 0; i < STAGES; i++) {
      wall[i][round] = found[i].wall;
      processor[i][round] = found[i].processor;
      if (i == STEP) continue;
      wall[STAGES][round] += found[i].wall;
      processor[STAGES][round] += found[i].processor;
    }
  }
  for (int i = 0; i < STAGES; i++) report(names[i], wall[i], processor[i], rounds);
  report("all but the step", wall[STAGES], processor[STAGES], rounds);
  return 0;
}
