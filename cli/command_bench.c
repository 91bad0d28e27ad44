/* SPDX-License-Identifier: Apache-2.0
 *
 * command_bench.c - bench: how fast the networks are here, held against what this machine can do
 * at best, which is measured in the same run. Chooses what is measured and the model: the official
 * sizes with random weights (a temporary file), the default model, or a file. */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app/json.h"
#include "app/model_path.h"
#include "app/output.h"
#include "masksketch_tools.h"

static msk_status choose_items(bench *b, msk_error *error) {
  for (int i = 0; i < b->line->input_count; i++) {
    int item = 0;
    while (item < BENCH_ITEMS && strcmp(b->line->inputs[i], bench_item_names[item]) != 0) item++;
    if (item == BENCH_ITEMS) {
      return app_fail(
          error, MSK_ERROR_ARGUMENT,
          "bench was given %s, expected any of forward, step, encode, decode, draw, train",
          b->line->inputs[i]);
    }
    b->wanted[item] = true;
  }
  /* Training takes much more memory than drawing: nobody gets it unasked. */
  for (int item = 0; b->line->input_count == 0 && item < BENCH_TRAIN; item++)
    b->wanted[item] = true;
  return MSK_OK;
}

static msk_status check_options(const bench *b, msk_error *error) {
  const bench_options *options = b->options;
  msk_recipe recipe;
  if (options->recipe != NULL && !b->wanted[BENCH_DRAW])
    return app_fail(
        error, MSK_ERROR_ARGUMENT,
        "--recipe has no effect without draw, which is not among what is measured: leave it out");
  if (options->recipe != NULL) {
    msk_status status = msk_recipe_find(&recipe, NULL, MSK_JOB_DRAW, options->recipe, error);
    if (status != MSK_OK) return status;
  }
  if (cli_given(b->line, "batch") && !b->wanted[BENCH_TRAIN])
    return app_fail(
        error, MSK_ERROR_ARGUMENT,
        "--batch has no effect without train, which is not among what is measured: leave it out");
  if (options->device != NULL && strcmp(options->device, "cpu") != 0 &&
      (b->wanted[BENCH_TRAIN] || options->kernels))
    return app_fail(error, MSK_ERROR_ARGUMENT, "--device %.160s with %s: %s, leave one of them out",
                    options->device, options->kernels ? "--kernels" : "train",
                    options->kernels ? "a GPU's operations are not timed one by one"
                                     : "training is the processor's");
  msk_status status = cli_exclude(b->line, "kernels", "against", error);
  if (status == MSK_OK) status = cli_exclude(b->line, "report", "against", error);
  if (status == MSK_OK) status = cli_exclude(b->line, "report", "kernels", error);
  if (status == MSK_OK) status = cli_exclude(b->line, "report", "json", error);
  if (status != MSK_OK) return status;
  bool official = strcmp(options->size, "official") == 0;
  if (options->output != NULL && !official)
    return app_fail(
        error, MSK_ERROR_ARGUMENT,
        "--output keeps the random model of --size official, but --size is %s: leave it out",
        options->size);
  if (options->output != NULL && output_is_stdout(options->output))
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "a model is not written to standard output, expected -o MODEL.safetensors");
  return cli_output_check(b->line, "output", options->output, 1, error);
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
                                   const bench_options *options, msk_error *error) {
  const char *size = options->size;
  *temporary = false;
  if (strcmp(size, "default") == 0) return model_path_find(path, NULL, error);
  if (strcmp(size, "official") != 0) return model_path_find(path, size, error);
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
  if (best->bf16_name == NULL || found->bf16_gflops > best->bf16_gflops)
    best->bf16_gflops = found->bf16_gflops, best->bf16_name = found->bf16_name;
  if (found->memory_gbs > best->memory_gbs) best->memory_gbs = found->memory_gbs;
}

/* Measured before and after the networks: what other work on the machine took away once, it may
 * not have taken twice. */
static msk_status measure_limits(bench *b, msk_error *error) {
  int threads = b->options->threads;
  double seconds = b->options->seconds < 10 ? 0.05 * b->options->seconds : 0.5;
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
  for (int p = 0; msk_precision_name(p) != NULL; p++) {
    if (given >= 0 && given != p) continue;
    if (p != MSK_PRECISION_FP32 && !bench_wants_pictures(b)) continue;
    msk_error reason = {0};
    msk_status status = bench_measure(b, (msk_precision)p, &reason);
    /* what this machine cannot compute is left out, unless it was asked for by name */
    if (status == MSK_ERROR_UNSUPPORTED && given < 0) continue;
    if (status != MSK_OK) {
      *error = reason;
      return status;
    }
  }
  return given < 0 && b->wanted[BENCH_TRAIN] && b->all.bf16_gflops > 0
             ? bench_measure_bf16(b, error)
             : MSK_OK;
}

static msk_status measure_all(bench *b, msk_error *error) {
  msk_status status = measure_limits(b, error);
  if (status == MSK_OK) status = measure_precisions(b, error);
  if (status == MSK_OK) status = measure_limits(b, error);
  if (status != MSK_OK) return status;
  struct rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) == 0) b->peak_bytes = (size_t)usage.ru_maxrss * 1024;
  if (b->options->json) return json_print(bench_json(b), error);
  if (b->options->report)
    bench_markdown(b);
  else
    bench_print(b);
  return app_flush_stdout(error);
}

static msk_status action(const cli_line *line, msk_error *error) {
  const bench_options *options = line->options;
  char path[MAX_PATH_BYTES];
  bool temporary = false;
  bench *b = calloc(1, sizeof *b);
  if (b == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the measurements");
  b->line = line;
  b->options = options;
  b->path = path;
  strcpy(b->device, "cpu"); /* until a model is opened elsewhere */
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

static const cli_option rows[] = {
    {"size", 0, "SIZE|MODEL", CLI_A_TEXT(bench_options, size), .initial = "official",
     .help = "what is measured: official sizes with random weights, the default model, or a model "
             "file"},
    {"output", 'o', "FILE", CLI_AN_OUTPUT(bench_options, output),
     .help = "keep the random model of --size official"},
    {"recipe", 'r', "NAME", CLI_A_TEXT(bench_options, recipe), .word = msk_recipe_name,
     .help = "recipe of the whole picture that is drawn", .otherwise = "the model's own"},
    {"rounds", 0, "N", CLI_AN_INT(bench_options, rounds, 1, 1000), .initial = "5",
     .help = "times that everything is measured"},
    {"batch", 0, "N", CLI_AN_INT(bench_options, batch, 1, MSK_MAX_TRAIN_BATCH), .initial = "32",
     .help = "sequences of a step of training"},
    {"seconds", 0, "S", CLI_A_REAL(bench_options, seconds, 0, 100000), .initial = "60",
     .help = "no new round begins after S seconds for each precision"},
    {"kernels", .help = "also tell where the time of each pass goes",
     CLI_A_FLAG(bench_options, kernels)},
    {"against", 0, "PROGRAM", CLI_AN_INPUT(bench_options, against),
     .help = "run another build of masksketch in turn with this one, and compare"},
    {"report", .help = "a table in Markdown, with the machine named above it",
     CLI_A_FLAG(bench_options, report)},
    CLI_JSON(bench_options, "one JSON object"),
    CLI_FORCE,
    CLI_QUIET(bench_options),
    CLI_PRECISION_ROWS(bench_options),
    CLI_MACHINE_ROWS(bench_options, ),
    CLI_DEVICE_ROW(bench_options, device, "cpu"),
    {.type = CLI_END},
};

const cli_usage bench_usage = {
    "[forward] [step] [encode] [decode] [draw] [train] [--size official|default|MODEL]",
    0,
    BENCH_ITEMS,
    rows,
    sizeof(bench_options),
    .action = action};
