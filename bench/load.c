/* SPDX-License-Identifier: Apache-2.0
 *
 * load.c - how long opening a model takes, the file in the page cache. Every round opens it in a
 * process of its own, as a command does; medians and the least and most over the rounds: wall
 * time, processor time of all threads, page faults and the memory that the process has then.
 * Usage: bench_load MODEL.safetensors [fp32|int8|file [THREADS [ROUNDS [ISA]]]]
 *        bench_load --make MODEL.safetensors [f32|f16|bf16] writes one of the official size with
 *        random weights. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "masksketch_tools.h"

enum { WALL, USER, SYSTEM, FAULTS, MEMORY, FIGURES, MOST_ROUNDS = 1000 };

static const char *const names[FIGURES] = {"wall, ms", "user, ms", "system, ms", "page faults",
                                           "memory, MB"};

static double seconds(struct timeval time) {
  return (double)time.tv_sec + 1e-6 * (double)time.tv_usec;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static bool open_once(const char *path, const msk_model_options *options, double figures[FIGURES]) {
  msk_model *model = NULL;
  msk_error error = {.message = ""};
  struct rusage before, after;
  getrusage(RUSAGE_SELF, &before);
  double start = now();
  if (msk_model_open(&model, path, options, &error) != MSK_OK) {
    fprintf(stderr, "bench_load: %s\n", error.message);
    return false;
  }
  figures[WALL] = 1e3 * (now() - start);
  getrusage(RUSAGE_SELF, &after);
  figures[USER] = 1e3 * (seconds(after.ru_utime) - seconds(before.ru_utime));
  figures[SYSTEM] = 1e3 * (seconds(after.ru_stime) - seconds(before.ru_stime));
  figures[FAULTS] = (double)(after.ru_minflt - before.ru_minflt);
  figures[MEMORY] = (double)after.ru_maxrss / 1024;
  msk_model_close(model);
  return true;
}

/* In a child: what one opening leaves behind (a heap that has grown) must not help the next. */
static bool open_apart(const char *path, const msk_model_options *options,
                       double figures[FIGURES]) {
  int ends[2], status = 1;
  if (pipe(ends) != 0) return false;
  pid_t child = fork();
  if (child == 0) {
    bool good = open_once(path, options, figures);
    ssize_t wanted = (ssize_t)(FIGURES * sizeof *figures);
    _exit(good && write(ends[1], figures, FIGURES * sizeof *figures) == wanted ? 0 : 1);
  }
  close(ends[1]);
  bool good = child > 0 && read(ends[0], figures, FIGURES * sizeof *figures) ==
                               (ssize_t)(FIGURES * sizeof *figures);
  close(ends[0]);
  return child > 0 && waitpid(child, &status, 0) == child && status == 0 && good;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static int make(const char *path, const char *type) {
  msk_random_options options;
  msk_error error = {.message = ""};
  msk_random_options_init(&options);
  options.output_path = path;
  if (strcmp(type, "f32") == 0) options.dtype = MSK_DTYPE_F32;
  if (strcmp(type, "bf16") == 0) options.dtype = MSK_DTYPE_BF16;
  if (msk_model_make_random(&options, &error) == MSK_OK) return 0;
  fprintf(stderr, "bench_load: %s\n", error.message);
  return 1;
}

int main(int count, char **words) {
  if (count >= 3 && strcmp(words[1], "--make") == 0)
    return make(words[2], count > 3 ? words[3] : "f16");
  if (count < 2) {
    fprintf(stderr,
            "usage: bench_load MODEL.safetensors [fp32|int8|file [THREADS [ROUNDS [ISA]]]], or "
            "bench_load --make MODEL.safetensors "
            "[f32|f16|bf16]\n");
    return 2;
  }
  static double figures[FIGURES][MOST_ROUNDS];
  msk_model_options options;
  msk_model_options_init(&options);
  if (count > 2 && strcmp(words[2], "file") != 0)
    options.precision = strcmp(words[2], "int8") == 0 ? MSK_PRECISION_INT8 : MSK_PRECISION_FP32;
  options.threads = count > 3 ? atoi(words[3]) : 0;
  int rounds = count > 4 ? atoi(words[4]) : 10;
  if (count > 5) options.isa = words[5];
  if (rounds < 1 || rounds > MOST_ROUNDS) return 2;
  for (int round = 0; round < rounds; round++) {
    double found[FIGURES];
    if (!open_apart(words[1], &options, found)) return 1;
    for (int i = 0; i < FIGURES; i++) figures[i][round] = found[i];
  }
  for (int i = 0; i < FIGURES; i++) {
    qsort(figures[i], (size_t)rounds, sizeof figures[i][0], compare);
    printf("%-12s %9.1f (%.1f to %.1f)\n", names[i], figures[i][rounds / 2], figures[i][0],
           figures[i][rounds - 1]);
  }
  return 0;
}
