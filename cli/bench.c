/* SPDX-License-Identifier: Apache-2.0
 *
 * bench.c - `masksketch bench`: how fast the networks are here, held against what this machine
 * can do at best, which is measured in the same run. Chooses what is measured and the model: the
 * official sizes with random weights (a temporary file), the default model, or a file. */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "actions.h"
#include "app/json.h"
#include "app/model_path.h"
#include "app/output.h"

const char *const bench_item_names[BENCH_ITEMS] = {"forward", "step", "encode", "decode", "draw"};

enum { DEFAULT_ROUNDS = 5, DEFAULT_SECONDS = 60 };

static msk_status choose_items(bench *b, msk_error *error) {
  const cli_options *options = b->options;
  for (int i = 0; i < options->input_count; i++) {
    int item = 0;
    while (item < BENCH_ITEMS && strcmp(options->inputs[i], bench_item_names[item]) != 0) item++;
    if (item == BENCH_ITEMS) {
      return app_fail(error, MSK_ERROR_ARGUMENT,
                      "bench was given %s, expected any of forward, step, encode, decode, draw",
                      options->inputs[i]);
    }
    b->wanted[item] = true;
  }
  for (int item = 0; options->input_count == 0 && item < BENCH_ITEMS; item++)
    b->wanted[item] = true;
  return MSK_OK;
}

static msk_status check_options(const bench *b, msk_error *error) {
  const cli_options *options = b->options;
  msk_recipe recipe;
  if (options->recipe != NULL && !b->wanted[BENCH_DRAW])
    return app_fail(
        error, MSK_ERROR_ARGUMENT,
        "--recipe has no effect without draw, which is not among what is measured: leave it out");
  if (options->recipe != NULL) {
    msk_status status = msk_recipe_find(&recipe, NULL, MSK_JOB_DRAW, options->recipe, error);
    if (status != MSK_OK) return status;
  }
  if (options->against != NULL && options->kernels)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--kernels and --against contradict each other: leave one of them out");
  bool official = options->bench_size == NULL || strcmp(options->bench_size, "official") == 0;
  if (options->output != NULL && !official)
    return app_fail(
        error, MSK_ERROR_ARGUMENT,
        "--output keeps the random model of --size official, but --size is %s: leave it out",
        options->bench_size);
  if (options->output != NULL && output_is_stdout(options->output))
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "a model is not written to standard output, expected -o MODEL.safetensors");
  return MSK_OK;
}

/* ---- the model ---- */

/* A name in the folder for temporary files; the file is made by the library, whole or not at
 * all. */
static msk_status temporary_path(char path[MAX_PATH_BYTES], msk_error *error) {
  const char *folder = getenv("TMPDIR");
  if (folder == NULL || *folder == 0) folder = "/tmp";
  int length = snprintf(path, MAX_PATH_BYTES, "%s/masksketch-bench-XXXXXX", folder);
  int descriptor = length < MAX_PATH_BYTES ? mkstemp(path) : -1;
  if (descriptor < 0) {
    return app_fail(error, MSK_ERROR_OUTPUT,
                    "cannot make a temporary file in %s: %s; the environment variable TMPDIR names "
                    "another folder",
                    folder, strerror(errno));
  }
  close(descriptor);
  return MSK_OK;
}

/* *temporary: the file is ours to remove, whatever comes. */
static msk_status find_bench_model(char path[MAX_PATH_BYTES], bool *temporary,
                                   const cli_options *options, msk_error *error) {
  const char *size = options->bench_size;
  *temporary = false;
  if (size != NULL && strcmp(size, "default") == 0) return model_path_find(path, NULL, error);
  if (size != NULL && strcmp(size, "official") != 0) return model_path_find(path, size, error);
  msk_random_options random;
  msk_random_options_init(&random);
  msk_status status = MSK_OK;
  if (options->output != NULL) {
    if (strlen(options->output) >= MAX_PATH_BYTES)
      return app_fail(error, MSK_ERROR_ARGUMENT, "the name for the model is too long");
    strcpy(path, options->output);
  } else {
    status = temporary_path(path, error);
    *temporary = status == MSK_OK;
  }
  random.output_path = path;
  return status == MSK_OK ? msk_model_make_random(&random, error) : status;
}

/* ---- measuring ---- */

static void keep_better(msk_limits *best, const msk_limits *found) {
  best->threads = found->threads;
  if (best->fma_name == NULL || found->fma_gflops > best->fma_gflops)
    best->fma_gflops = found->fma_gflops, best->fma_name = found->fma_name;
  if (best->int8_name == NULL || found->int8_gops > best->int8_gops)
    best->int8_gops = found->int8_gops, best->int8_name = found->int8_name;
  if (found->memory_gbs > best->memory_gbs) best->memory_gbs = found->memory_gbs;
}

/* Measured before and after the networks: what other work on the machine took away once, it may
 * not have taken twice. */
static msk_status measure_limits(bench *b, msk_error *error) {
  int threads = b->options->threads > 0 ? b->options->threads : 0;
  double seconds = b->seconds < 10 ? 0.05 * b->seconds : 0.5;
  msk_limits found;
  msk_status status = msk_limits_measure(&found, b->options->isa, threads, seconds, NULL, error);
  if (status != MSK_OK) return status;
  keep_better(&b->all, &found);
  status = msk_limits_measure(&found, b->options->isa, 1, seconds, NULL, error);
  if (status == MSK_OK) keep_better(&b->one, &found);
  return status;
}

static msk_status measure_precisions(bench *b, msk_error *error) {
  int given = b->options->precision;
  for (int p = 0; p < BENCH_PRECISIONS; p++) {
    if (given >= 0 && given != p) continue;
    msk_error reason = {MSK_OK, ""};
    msk_status status = bench_measure(b, (msk_precision)p, &reason);
    if (status == MSK_ERROR_UNSUPPORTED && given < 0) continue;
    if (status != MSK_OK) {
      *error = reason;
      return status;
    }
  }
  return MSK_OK;
}

static msk_status measure_all(bench *b, msk_error *error) {
  msk_status status = measure_limits(b, error);
  if (status == MSK_OK) status = measure_precisions(b, error);
  if (status == MSK_OK) status = measure_limits(b, error);
  if (status != MSK_OK) return status;
  struct rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) == 0) b->peak_bytes = (size_t)usage.ru_maxrss * 1024;
  if (b->options->json) return json_print(bench_json(b), error);
  bench_print(b);
  return app_flush_stdout(error);
}

msk_status action_bench(const cli_options *options, msk_error *error) {
  char path[MAX_PATH_BYTES];
  bool temporary = false;
  bench *b = calloc(1, sizeof *b);
  if (b == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the measurements");
  b->options = options;
  b->rounds = options->rounds > 0 ? options->rounds : DEFAULT_ROUNDS;
  b->seconds = options->seconds >= 0 ? options->seconds : DEFAULT_SECONDS;
  b->path = path;
  msk_status status = choose_items(b, error);
  if (status == MSK_OK) status = check_options(b, error);
  if (status == MSK_OK) status = find_bench_model(path, &temporary, options, error);
  if (status == MSK_OK)
    status = options->against != NULL ? bench_against(b, options->against, error)
                                      : measure_all(b, error);
  if (temporary) unlink(path);
  free(b);
  return status;
}
