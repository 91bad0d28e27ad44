/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_against.c - `masksketch bench --against OTHER`: this program and another build in turn,
 * process by process, on one model file, so that what the machine does meanwhile hits both
 * alike. Each process measures for itself and answers with its JSON. */
#include <errno.h>
#include <math.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/cancel.h"
#include "app/json.h"
#include "bench.h"

extern char **environ;

enum { MAX_ARGUMENTS = 32, NUMBER_BYTES = 16, LONGEST_ANSWER = 1 << 18 };

/* ms[program][precision][item][round]; 0: this program, 1: the other. */
typedef struct comparison {
  int rounds;
  double ms[2][BENCH_PRECISIONS][BENCH_ITEMS][BENCH_MAX_ROUNDS];
} comparison;

typedef struct command_line {
  const char *words[MAX_ARGUMENTS + 1];
  char threads[NUMBER_BYTES], seconds[NUMBER_BYTES], batch[NUMBER_BYTES];
  int count;
} command_line;

static void add(command_line *line, const char *option, const char *value) {
  line->words[line->count++] = option;
  if (value != NULL) line->words[line->count++] = value;
}

static void make_command(command_line *line, const bench *b, const char *program) {
  const bench_options *options = b->options;
  line->count = 0;
  add(line, program, "bench");
  for (int item = 0; item < BENCH_ITEMS; item++) {
    if (b->wanted[item]) add(line, bench_item_names[item], NULL);
  }
  add(line, "--json", NULL);
  add(line, "--quiet", NULL);
  add(line, "--rounds", "2");
  add(line, "--size", b->path);
  snprintf(line->threads, sizeof line->threads, "%d", options->threads);
  if (options->threads > 0) add(line, "--threads", line->threads);
  snprintf(line->seconds, sizeof line->seconds, "%g", b->options->seconds);
  add(line, "--seconds", line->seconds);
  snprintf(line->batch, sizeof line->batch, "%d", options->batch);
  if (b->wanted[BENCH_TRAIN]) add(line, "--batch", line->batch);
  if (options->isa != NULL) add(line, "--isa", options->isa);
  if (options->device != NULL) add(line, "--device", options->device);
  if (options->precision >= 0) add(line, "--precision", msk_precision_name(options->precision));
  if (options->decode_precision >= 0)
    add(line, "--decode-precision", msk_precision_name(options->decode_precision));
  if (options->recipe != NULL) add(line, "--recipe", options->recipe);
  line->words[line->count] = NULL;
}

/* Everything up to the end, as far as it has room. */
static size_t read_all(int descriptor, char *text, size_t room) {
  size_t used = 0;
  ssize_t count;
  while ((count = read(descriptor, text + used, room - used)) != 0) {
    if (count < 0 && errno != EINTR) break;
    if (count > 0) used += (size_t)count;
  }
  return used;
}

/* Runs it; what it writes to standard output is read as JSON. */
static msk_status run_program(json_t **answer, const command_line *line, msk_error *error) {
  const char *program = line->words[0];
  int ends[2], status = 0;
  pid_t child;
  posix_spawn_file_actions_t actions;
  if (pipe(ends) != 0)
    return app_fail(error, MSK_ERROR_OUTPUT, "cannot make a pipe to %s: %s", program,
                    strerror(errno));
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  posix_spawn_file_actions_addclose(&actions, ends[1]);
  int failure =
      posix_spawn(&child, program, &actions, NULL, (char *const *)(uintptr_t)line->words, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (failure != 0) {
    close(ends[0]);
    return app_fail(error, MSK_ERROR_FILE,
                    "cannot run %s: %s; expected another build of masksketch", program,
                    strerror(failure));
  }
  char text[LONGEST_ANSWER];
  msk_error ignored;
  json_t *object = NULL;
  /* read to its end before it is waited for: with a full pipe it would wait for us */
  msk_json_load(&object, program, text, read_all(ends[0], text, sizeof text), MSK_JSON_FEW,
                &ignored);
  close(ends[0]);
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (cancel_requested()) {
    json_decref(object);
    return app_fail(error, MSK_ERROR_CANCELLED, "cancelled while %s was running", program);
  }
  if (object != NULL && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    *answer = object;
    return MSK_OK;
  }
  json_decref(object);
  return app_fail(error, MSK_ERROR_FILE,
                  "%s bench did not answer with a JSON object (exit status %d), expected a build "
                  "that has bench",
                  program, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static void keep_answer(comparison *c, int which, int round, const json_t *answer) {
  const json_t *results = json_object_get(answer, "results");
  for (int p = 0; p < BENCH_PRECISIONS; p++) {
    for (int item = 0; item < BENCH_ITEMS; item++) {
      const json_t *one = json_object_get(json_object_get(results, bench_item_names[item]),
                                          bench_precision_names[p]);
      /* 0 where it is missing */
      c->ms[which][p][item][round] = json_number_value(json_object_get(one, "ms"));
    }
  }
}

/* True if both programs measured it. Ratios of neighbours: above 1 this program is faster. */
static bool compare(const comparison *c, int p, int item, double *own, double *other, double *ratio,
                    double *spread) {
  double ratios[BENCH_MAX_ROUNDS], least = INFINITY, largest = 0;
  for (int r = 0; r < c->rounds; r++) {
    if (!(c->ms[0][p][item][r] > 0 && c->ms[1][p][item][r] > 0)) return false;
    ratios[r] = c->ms[1][p][item][r] / c->ms[0][p][item][r];
    least = fmin(least, ratios[r]);
    largest = fmax(largest, ratios[r]);
  }
  *own = bench_median(c->ms[0][p][item], c->rounds);
  *other = bench_median(c->ms[1][p][item], c->rounds);
  *ratio = bench_median(ratios, c->rounds);
  *spread = (largest - least) / *ratio;
  return c->rounds > 0;
}

static msk_status print_comparison(const bench *b, const comparison *c, const char *other_program,
                                   msk_error *error) {
  json_t *results = json_object();
  if (!b->options->json)
    printf("this build against %s, %d rounds in turn; ratio above 1: this build is faster\n",
           other_program, c->rounds);
  for (int item = 0; item < BENCH_ITEMS; item++) {
    json_t *object = json_object();
    for (int p = 0; p < BENCH_PRECISIONS; p++) {
      double own, other, ratio, spread;
      if (!compare(c, p, item, &own, &other, &ratio, &spread)) continue;
      if (!b->options->json) {
        printf("%-5s %-9s %10.2f ms, the other %10.2f ms, ratio %6.3f, spread %5.3f\n",
               bench_precision_names[p], bench_item_names[item], own, other, ratio, spread);
      }
      json_object_set_new(object, bench_precision_names[p],
                          json_pack("{s:f, s:f, s:f, s:f}", "ms", own, "other_ms", other, "ratio",
                                    ratio, "spread", spread));
    }
    json_object_set_new(results, bench_item_names[item], object);
  }
  if (b->options->json) {
    return json_print(json_pack("{s:o, s:i, s:o}", "against", json_text(other_program), "rounds",
                                c->rounds, "results", results),
                      error);
  }
  json_decref(results);
  return app_flush_stdout(error);
}

msk_status bench_against(const bench *b, const char *other, msk_error *error) {
  static comparison c; /* too large for a stack; a program runs one command */
  command_line line;
  const char *programs[2] = {"/proc/self/exe", other};
  char self[4096];
  if (access(other, X_OK) != 0) {
    return app_fail(error, MSK_ERROR_FILE,
                    "cannot run %s: %s; expected another build of masksketch", other,
                    strerror(errno));
  }
  ssize_t length = readlink(programs[0], self, sizeof self - 1);
  if (length < 0)
    return app_fail(error, MSK_ERROR_UNSUPPORTED,
                    "this system does not tell where the running program is");
  self[length] = 0;
  programs[0] = self;
  for (int round = 0; round < b->options->rounds; round++) {
    for (int turn = 0; turn < 2; turn++) {
      int which = (round + turn) % 2; /* each goes first in half of the rounds */
      json_t *answer = NULL;
      make_command(&line, b, programs[which]);
      msk_status status = run_program(&answer, &line, error);
      if (status != MSK_OK) return status;
      keep_answer(&c, which, round, answer);
      json_decref(answer);
    }
    c.rounds = round + 1;
  }
  return print_comparison(b, &c, other, error);
}
