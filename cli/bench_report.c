/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_report.c - what `masksketch bench` tells, as a table and as JSON (bench.h,
 * docs/bench.md). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/json.h"
#include "bench.h"
#include "masksketch_tools.h"

const char *const bench_item_names[BENCH_ITEMS] = {"forward", "step", "encode",
                                                   "decode",  "draw", "train"};
const char *const bench_precision_names[BENCH_PRECISIONS] = {"fp32", "int8", "bf16"};

static int compare_numbers(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

double bench_median(const double *values, int count) {
  double sorted[BENCH_MAX_ROUNDS];
  if (count < 1) return NAN;
  memcpy(sorted, values, (size_t)count * sizeof *sorted);
  qsort(sorted, (size_t)count, sizeof *sorted, compare_numbers);
  return count % 2 == 1 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

static double bench_least(const bench_series *series) {
  double least = INFINITY;
  for (int i = 0; i < series->count; i++)
    least = series->seconds[i] < least ? series->seconds[i] : least;
  return least;
}

static bool on_gpu(const bench *b) { return strcmp(b->device, "cpu") != 0; }

/* Share of the precision's own peak that a rate reaches; 0: the peak is not known, as a GPU's. */
static double bench_share(const bench *b, int precision, double flop, double seconds) {
  const double peaks[] = {b->all.fma_gflops, b->all.int8_gops, b->all.bf16_gflops};
  double peak = peaks[precision];
  return peak > 0 && seconds > 0 && !on_gpu(b) ? flop / seconds / 1e9 / peak : 0;
}

/* ---- table ---- */

static void print_limits(const char *title, const msk_limits *limits) {
  printf("%-18s", title);
  if (limits->fma_gflops > 0) printf(" %8.1f GFLOP/s (%s)", limits->fma_gflops, limits->fma_name);
  if (limits->int8_gops > 0) printf(" %8.1f int8 GOP/s (%s)", limits->int8_gops, limits->int8_name);
  if (limits->bf16_gflops > 0)
    printf(" %8.1f bf16 GFLOP/s (%s)", limits->bf16_gflops, limits->bf16_name);
  printf(" %6.1f GB/s from memory\n", limits->memory_gbs);
}

static void print_rate(const bench *b, int precision, double flop, double seconds) {
  double share = bench_share(b, precision, flop, seconds);
  if (flop > 0) printf(" %9.1f GFLOP/s", flop / seconds / 1e9);
  if (flop > 0 && share > 0) printf("  %5.3f of the peak", share);
  putchar('\n');
}

static void print_items(const bench *b, int precision) {
  const bench_result *result = &b->results[precision];
  for (int item = 0; item < BENCH_ITEMS; item++) {
    const bench_series *series = &result->items[item];
    if (!b->wanted[item] || series->count == 0) continue;
    double least = bench_least(series);
    printf("%-5s %-9s %10.2f ms  median %10.2f  of %3d  %9.2f GFLOP",
           bench_precision_names[precision], bench_item_names[item], 1e3 * least,
           1e3 * bench_median(series->seconds, series->count), series->count, 1e-9 * series->flop);
    print_rate(b, precision, series->flop, least);
  }
  if (result->session_bytes > 0) {
    printf(
        "%-5s draw is a picture by the recipe %s, %d steps; the session takes %.1f MB, opening the "
        "model %.3f s\n",
        bench_precision_names[precision], result->recipe.name, result->recipe.steps,
        1e-6 * (double)result->session_bytes, result->load_seconds);
  }
}

static double pass_seconds(const bench_result *result, const char *pass) {
  double seconds = 0;
  for (int i = 0; i < result->row_count; i++)
    seconds += strcmp(result->rows[i].pass, pass) == 0 ? result->rows[i].seconds : 0;
  return seconds;
}

static void print_kernels(const bench *b, int precision) {
  const bench_result *result = &b->results[precision];
  const char *pass = "";
  for (int i = 0; i < result->row_count; i++) {
    const bench_row *row = &result->rows[i];
    double whole = pass_seconds(result, row->pass);
    if (strcmp(pass, row->pass) != 0)
      printf("\n%s %s: %.2f ms\n", bench_precision_names[precision], row->pass, 1e3 * whole);
    pass = row->pass;
    printf("  %-32s %4d x %9.3f ms  %5.1f %%", row->name, row->calls,
           1e3 * row->seconds / (row->calls > 0 ? row->calls : 1), 100 * row->seconds / whole);
    print_rate(b, precision, row->flop, row->seconds);
  }
}

void bench_print(const bench *b) {
  printf("masksketch %s, %s kernels, %d thread%s, model %s\n", msk_version(), b->isa,
         b->all.threads, b->all.threads == 1 ? "" : "s", b->options->size);
  if (on_gpu(b)) printf("networks on %s; the peaks are the processor's\n", b->device);
  print_limits("peak, 1 thread", &b->one);
  if (b->all.threads > 1) {
    char title[32];
    snprintf(title, sizeof title, "peak, %d threads", b->all.threads);
    print_limits(title, &b->all);
  }
  for (int p = 0; p < BENCH_PRECISIONS; p++) {
    if (b->results[p].measured) print_items(b, p);
  }
  for (int p = 0; b->options->kernels && p < BENCH_PRECISIONS; p++) {
    if (b->results[p].measured) print_kernels(b, p);
  }
}

/* ---- Markdown, for PERF.md ---- */

/* The processor as the system names it. */
static void processor_name(char name[128]) {
  snprintf(name, 128, "processor unknown");
  FILE *file = fopen("/proc/cpuinfo", "r");
  char line[256];
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    const char *value = strchr(line, ':');
    if (strncmp(line, "model name", 10) != 0 || value == NULL) continue;
    snprintf(name, 128, "%.*s", (int)strcspn(value + 2, "\n"), value + 2);
    break;
  }
  if (file != NULL) fclose(file);
}

static void report_cell(const bench *b, int precision, int item) {
  const bench_series *series = &b->results[precision].items[item];
  if (!b->results[precision].measured || series->count == 0) {
    printf(" | - | -");
    return;
  }
  double least = bench_least(series), share = bench_share(b, precision, series->flop, least);
  printf(" | %.1f (%.1f)", 1e3 * least, 1e3 * bench_median(series->seconds, series->count));
  if (share > 0)
    printf(" | %.2f", share);
  else
    printf(" | -");
}

/* Precisions that have one; bf16 where it was measured. */
static int columns(const bench *b) { return b->results[BENCH_BF16].measured ? 3 : 2; }

/* One row of figures that are no series of times; `value` in units of `unit`. */
static void report_single(const bench *b, const char *title, double (*value)(const bench_result *),
                          double unit) {
  printf("| %s", title);
  for (int p = 0; p < columns(b); p++) {
    if (b->results[p].measured && value(&b->results[p]) > 0)
      printf(" | %.1f | -", value(&b->results[p]) / unit);
    else
      printf(" | - | -");
  }
  printf(" |\n");
}

static double load_of(const bench_result *result) { return result->load_seconds; }
static double session_of(const bench_result *result) { return (double)result->session_bytes; }

void bench_markdown(const bench *b) {
  char name[128];
  processor_name(name);
  printf(
      "%s, %d thread%s, kernels `%s`, masksketch %s, model %s. Peak: %.0f GFLOP/s in fp32, %.0f "
      "GOP/s in int8, %.0f GFLOP/s in bf16; %.0f GB/s from memory. Milliseconds, the least and "
      "(the median):\n\n",
      name, b->all.threads, b->all.threads == 1 ? "" : "s", b->isa, msk_version(), b->options->size,
      b->all.fma_gflops, b->all.int8_gops, b->all.bf16_gflops, b->all.memory_gbs);
  if (on_gpu(b)) printf("Networks on %s; the peaks are the processor's.\n\n", b->device);
  printf("|");
  for (int p = 0; p < columns(b); p++)
    printf(" | %s | share of the peak", bench_precision_names[p]);
  printf(" |\n|---");
  for (int p = 0; p < columns(b); p++) printf("|---|---");
  printf("|\n");
  for (int item = 0; item < BENCH_ITEMS; item++) {
    if (!b->wanted[item]) continue;
    printf("| %s", bench_item_names[item]);
    for (int p = 0; p < columns(b); p++) report_cell(b, p, item);
    printf(" |\n");
  }
  report_single(b, "opening the model", load_of, 1e-3);
  report_single(b, "a session, MB", session_of, 1e6);
}

/* ---- JSON ---- */

static json_t *limits_object(const msk_limits *limits) {
  return json_pack("{s:i, s:f, s:s, s:f, s:s, s:f, s:s, s:f}", "threads", limits->threads,
                   "fma_gflops", limits->fma_gflops, "fma", limits->fma_name, "int8_gops",
                   limits->int8_gops, "int8", limits->int8_name, "bf16_gflops", limits->bf16_gflops,
                   "bf16", limits->bf16_name, "memory_gbs", limits->memory_gbs);
}

static json_t *series_object(const bench *b, int precision, const bench_series *series) {
  double least = bench_least(series);
  json_t *times = json_array();
  for (int i = 0; i < series->count; i++)
    json_array_append_new(times, json_real(1e3 * series->seconds[i]));
  return json_pack("{s:f, s:f, s:f, s:f, s:i, s:o}", "ms", 1e3 * least, "median_ms",
                   1e3 * bench_median(series->seconds, series->count), "gflop", 1e-9 * series->flop,
                   "share", bench_share(b, precision, series->flop, least), "runs", series->count,
                   "all_ms", times);
}

static json_t *item_object(const bench *b, int item) {
  json_t *object = json_object();
  for (int p = 0; p < BENCH_PRECISIONS; p++) {
    const bench_result *result = &b->results[p];
    if (!result->measured || result->items[item].count == 0) continue;
    json_t *series = series_object(b, p, &result->items[item]);
    if (item == BENCH_DRAW) {
      json_object_set_new(series, "recipe", json_string(result->recipe.name));
      json_object_set_new(series, "steps", json_integer(result->recipe.steps));
      json_object_set_new(series, "session_bytes", json_integer((json_int_t)result->session_bytes));
    }
    json_object_set_new(object, bench_precision_names[p], series);
  }
  return object;
}

static json_t *kernels_array(const bench *b) {
  json_t *array = json_array();
  for (int p = 0; p < BENCH_PRECISIONS; p++) {
    const bench_result *result = &b->results[p];
    for (int i = 0; result->measured && i < result->row_count; i++) {
      const bench_row *row = &result->rows[i];
      json_array_append_new(
          array, json_pack("{s:s, s:s, s:s, s:i, s:f, s:f, s:f}", "precision",
                           bench_precision_names[p], "pass", row->pass, "name", row->name, "calls",
                           row->calls, "ms", 1e3 * row->seconds, "gflop", 1e-9 * row->flop, "share",
                           bench_share(b, p, row->flop, row->seconds)));
    }
  }
  return array;
}

json_t *bench_json(const bench *b) {
  json_t *results = json_object(), *loading = json_object();
  for (int item = 0; item < BENCH_ITEMS; item++) {
    if (b->wanted[item]) json_object_set_new(results, bench_item_names[item], item_object(b, item));
  }
  for (int p = 0; p < BENCH_PRECISIONS; p++) {
    if (b->results[p].load_seconds > 0)
      json_object_set_new(loading, bench_precision_names[p],
                          json_real(1e3 * b->results[p].load_seconds));
  }
  json_t *object = json_pack(
      "{s:s, s:s, s:o, s:i, s:o, s:f, s:f, s:f, s:f, s:[o, o], s:o, s:o, s:I}", "version",
      msk_version(), "isa", b->isa, "device", json_text(b->device), "threads", b->all.threads,
      "model", json_text(b->options->size), "peak_gflops", b->all.fma_gflops, "peak_int8_gops",
      b->all.int8_gops, "peak_bf16_gflops", b->all.bf16_gflops, "memory_gbs", b->all.memory_gbs,
      "limits", limits_object(&b->one), limits_object(&b->all), "load_ms", loading, "results",
      results, "peak_memory", (json_int_t)b->peak_bytes);
  if (b->options->kernels) json_object_set_new(object, "kernels", kernels_array(b));
  return object;
}
