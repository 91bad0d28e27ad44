/* SPDX-License-Identifier: Apache-2.0
 *
 * layer.c - one guided step of the official transformer, estimated in a second or two: four
 * layers with random weights that binary16 holds, as converted files have them, a batch of two
 * and then of one, each operation's best time over the rounds, times 24 layers (the structure
 * pass: 22). Head and embedding are left out (one percent). Peak: fused multiply-adds, measured
 * between the rounds. For shared machines: short enough to run at real-time priority. Usage:
 * bench_layer [THREADS [ISA [fp32|int8 [ROUNDS]]]]. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "compute/backend.h"
#include "masksketch_tools.h"

enum { LAYERS = 4, HIDDEN = 768, WIDE = 3072, PAD = 16, TOKENS = 257, HEADS = 16, OPERATIONS = 7 };

static const char *const names[OPERATIONS] = {"q k v",    "attention", "output", "norm",
                                              "up, gelu", "down",      "norm"};

typedef struct layer_bench {
  const msk_device *device;
  msk_stream stream;
  msk_linear *linear[LAYERS][4];
  float *x, *start, *work, *out, *gamma;
  double best[OPERATIONS], peak;
} layer_bench;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static float *make(size_t count) {
  float *values = aligned_alloc(64, (count * sizeof(float) + 63) / 64 * 64);
  unsigned state = 1;
  if (values == NULL) exit(1);
  for (size_t i = 0; i < count; i++) {
    state = state * 1664525 + 1013904223;
    values[i] = (float)((int)(state >> 21) - 1024) / 16384.0f;
  }
  return values;
}

static void tick(layer_bench *b, int operation, double *since) {
  double time = now();
  if (!b->stream.measuring && time - *since < b->best[operation])
    b->best[operation] = time - *since;
  *since = time;
}

static void run_layer(layer_bench *b, size_t layer, size_t batch) {
  const msk_attention_shape shape = {.batch = batch,
                                     .heads = HEADS,
                                     .scale = 0.144f,
                                     .precision = msk_device_precision(b->device)};
  const msk_norm norm = {b->gamma, b->gamma, 1e-12f, 0};
  const size_t rows = batch * TOKENS;
  const msk_rows x = msk_rows_at(b->x, rows, HIDDEN), qkv = msk_rows_at(b->work, rows, 3 * HIDDEN),
                 mixed = msk_rows_at(b->out, rows, HIDDEN),
                 hidden = {b->work, rows, WIDE, WIDE + PAD}, none = MSK_NO_ROWS;
  const msk_rows q = msk_rows_columns(qkv, 0, HIDDEN), k = msk_rows_columns(qkv, HIDDEN, HIDDEN),
                 v = msk_rows_columns(qkv, 2 * HIDDEN, HIDDEN);
  msk_stream *s = &b->stream;
  msk_linear *const *linear = b->linear[layer];
  double since = now();
  msk_op_linear(s, names[0], linear[0], x, MSK_ACT_NONE, none, qkv), tick(b, 0, &since);
  msk_op_attention(s, &shape, q, k, v, NULL, mixed), tick(b, 1, &since);
  msk_op_linear(s, names[2], linear[1], mixed, MSK_ACT_NONE, x, x), tick(b, 2, &since);
  msk_op_layer_norm(s, x, &norm, x), tick(b, 3, &since);
  msk_op_linear(s, names[4], linear[2], x, MSK_ACT_GELU_TANH, none, hidden), tick(b, 4, &since);
  msk_op_linear(s, names[5], linear[3], hidden, MSK_ACT_NONE, x, x), tick(b, 5, &since);
  msk_op_layer_norm(s, x, &norm, x), tick(b, 6, &since);
}

/* Milliseconds of a layer. */
static double run_batch(layer_bench *b, size_t batch, int rounds, const char *isa, int threads) {
  double total = 0, flop = 2.0 * (double)batch * TOKENS *
                           (4.0 * HIDDEN * HIDDEN + 2.0 * HIDDEN * WIDE + 2.0 * TOKENS * HIDDEN);
  for (int i = 0; i < OPERATIONS; i++) b->best[i] = 1e9;
  for (int r = 0; r < rounds; r++) {
    msk_limits limits = {0};
    if (msk_limits_measure(&limits, isa, threads, 0.005, NULL, NULL) == MSK_OK &&
        limits.fma_gflops > b->peak)
      b->peak = limits.fma_gflops;
    memcpy(b->x, b->start, 2 * TOKENS * HIDDEN * sizeof(float));
    for (size_t layer = 0; layer < LAYERS; layer++) run_layer(b, layer, batch);
  }
  for (int i = 0; i < OPERATIONS; i++) total += b->best[i];
  printf("  batch %zu: layer %.3f ms (%.3f of the peak):", batch, 1e3 * total,
         flop / total / 1e9 / b->peak);
  for (int i = 0; i < OPERATIONS; i++) printf(" %s %.3f", names[i], 1e3 * b->best[i]);
  printf("\n");
  return 1e3 * total;
}

static void open_bench(layer_bench *b, msk_precision precision) {
  static const size_t in[4] = {HIDDEN, HIDDEN, HIDDEN, WIDE},
                      out[4] = {3 * HIDDEN, HIDDEN, WIDE, HIDDEN};
  float *weight = make((size_t)HIDDEN * WIDE);
  for (size_t i = 0; i < LAYERS * 4; i++) {
    msk_linear_part part = {.weight = weight, .bias = weight, .out = out[i % 4]};
    if (msk_linear_create(&b->linear[i / 4][i % 4], b->device, precision, in[i % 4], &part, 1,
                          b->stream.pool, NULL) != MSK_OK)
      exit(1);
  }
  free(weight);
  b->x = make(2 * TOKENS * HIDDEN), b->start = make(2 * TOKENS * HIDDEN),
  b->out = make(2 * TOKENS * HIDDEN), b->gamma = make(WIDE);
  b->work = make(2 * (size_t)TOKENS * (WIDE + PAD));
  b->stream.measuring = true;
  run_layer(b, 0, 2);
  b->stream.measuring = false;
  b->stream.scratch = make(b->stream.scratch_bytes / sizeof(float) + 16);
}

int main(int argc, char **argv) {
  int threads = argc > 1 ? atoi(argv[1]) : msk_default_threads(),
      rounds = argc > 4 ? atoi(argv[4]) : 6;
  const char *isa = argc > 2 ? argv[2] : NULL;
  msk_precision precision =
      argc > 3 && strcmp(argv[3], "int8") == 0 ? MSK_PRECISION_INT8 : MSK_PRECISION_FP32;
  msk_error error;
  msk_device *device;
  layer_bench b = {0};
  if (msk_device_create(&device, isa, precision, NULL, &error) != MSK_OK ||
      msk_pool_create(&b.stream.pool, threads, NULL, &error) != MSK_OK) {
    fprintf(stderr, "bench_layer: %s\n", error.message);
    return 1;
  }
  b.device = b.stream.device = device;
  open_bench(&b, precision);
  printf("%s, %s, %d threads\n", msk_device_isa(device), msk_precision_name((int)precision),
         threads);
  double two = run_batch(&b, 2, rounds, msk_device_isa(device), threads),
         one = run_batch(&b, 1, rounds, msk_device_isa(device), threads);
  printf("  peak %.0f GFLOP/s; a guided step's layers %.1f ms\n", b.peak, 24 * two + 22 * one);
  return 0;
}
