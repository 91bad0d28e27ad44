/* SPDX-License-Identifier: Apache-2.0
 *
 * bench.h - `masksketch bench`, in parts: measuring one model (bench_measure.c), telling the
 * result (bench_report.c), two builds in turn (bench_against.c). Times are seconds; every
 * measured operation is a request of the library, timed by the library. */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include <jansson.h>
#include <stdbool.h>

#include "commands.h"
#include "masksketch_tools.h"
#include "shared_options.h"

typedef enum bench_item {
  BENCH_FORWARD,
  BENCH_STEP,
  BENCH_ENCODE,
  BENCH_DECODE,
  BENCH_DRAW,
  BENCH_TRAIN, /* only where it is asked for; in fp32, and in bf16 where there is such a peak */
  BENCH_ITEMS
} bench_item;
extern const char *const bench_item_names[BENCH_ITEMS];
/* By msk_precision, and training in bf16. */
enum { BENCH_BF16 = 2, BENCH_PRECISIONS };
extern const char *const bench_precision_names[BENCH_PRECISIONS];
enum { BENCH_MAX_ROUNDS = 1000, BENCH_MAX_ROWS = 128 };

typedef struct bench_series {
  int count;
  double seconds[BENCH_MAX_ROUNDS];
  double flop; /* of one run */
} bench_series;

/* One kind of operation of one pass. `seconds` is the best round's sum over a guided step, an
 * encoding or a decoding. */
typedef struct bench_row {
  char pass[16], name[64];
  int calls;
  double seconds, flop;
  double round_seconds, round_flop; /* of the round that runs */
  int round_calls;
} bench_row;

/* What was measured of a model in one precision. */
typedef struct bench_result {
  bool measured;
  double load_seconds;
  size_t session_bytes;
  msk_recipe recipe; /* of the whole picture */
  bench_series items[BENCH_ITEMS];
  int row_count;
  bench_row rows[BENCH_MAX_ROWS];
} bench_result;

typedef struct bench_options {
  const char *size, *output, *recipe, *against, *isa;
  const char *device; /* as in msk_model_options */
  int rounds, threads, precision, decode_precision;
  double seconds; /* budget for each precision */
  int batch;      /* sequences of a step of training */
  bool kernels, report, json, quiet;
} bench_options;

typedef struct bench {
  const cli_line *line;
  const bench_options *options;
  bool wanted[BENCH_ITEMS];
  const char *path;          /* of the model */
  msk_model_info info;       /* of the model; names are not kept */
  char isa[32], device[160]; /* device: "cpu", or a GPU's name */
  msk_limits one, all;       /* limits of the processor, of one thread and of those that are used */
  bench_result results[BENCH_PRECISIONS];
  size_t peak_bytes; /* of the process, at the end */
} bench;

/* Whether anything is wanted that a session does. */
bool bench_wants_pictures(const bench *b);
/* Measures into b->results[precision]. MSK_ERROR_UNSUPPORTED: this build does not have it. */
msk_status bench_measure(bench *b, msk_precision precision, msk_error *error);

/* A step of training into b->results[BENCH_BF16]. */
msk_status bench_measure_bf16(bench *b, msk_error *error);

double bench_median(const double *values, int count);
void bench_print(const bench *b);
/* The same as a table in Markdown, with the machine named above it. */
void bench_markdown(const bench *b);
json_t *bench_json(const bench *b);

/* This program and `other` in turn, each as a process of its own, on the model at b->path;
 * prints the comparison. */
msk_status bench_against(const bench *b, const char *other, msk_error *error);
#endif
