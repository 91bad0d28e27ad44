/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_kernels.c - speed of the backend's operations at the official sizes, as GFLOP/s and as a
 * share of the machine's fused multiply-add peak, which is measured in the same rotation: on
 * shared machines only figures of one rotation compare. Usage: bench_kernels [THREADS [ROUNDS
 * [FILTER]]]. Every instruction set runs in turn, round by round; the median of the rounds is
 * printed. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "compute/backend.h"

enum { MAX_SETS = 8, MAX_ROUNDS = 99 };

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static float *make(size_t count) {
  float *values = aligned_alloc(64, (count * sizeof(float) + 63) / 64 * 64);
  if (values == NULL) exit(1);
  unsigned state = 1;
  for (size_t i = 0; i < count; i++) {
    state = state * 1664525 + 1013904223;
    values[i] = (float)(state >> 8) / 8388608.0f - 1.0f;
  }
  return values;
}

/* ---- the peak ---- */

#if defined(__x86_64__)
#define FMA_256(i) "vfmadd231ps %%ymm14, %%ymm15, %%ymm" #i "\n"
#define FMA_512(i) "vfmadd231ps %%zmm14, %%zmm15, %%zmm" #i "\n"
#define TWELVE(op) op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11)
#define CLOBBERED                                                                          \
  "ymm0", "ymm1", "ymm2", "ymm3", "ymm4", "ymm5", "ymm6", "ymm7", "ymm8", "ymm9", "ymm10", \
      "ymm11", "ymm14", "ymm15"

static void peak_task(void *user, size_t index, int worker) {
  long turns = 200000;
  (void)index;
  (void)worker;
  if (*(int *)user == 16) {
    __asm__ volatile(
        "vpxor %%ymm14, %%ymm14, %%ymm14\n vpxor %%ymm15, %%ymm15, %%ymm15\n"
        "1:\n" TWELVE(FMA_512) TWELVE(FMA_512) "dec %0\n jnz 1b\n vzeroupper"
        : "+r"(turns)::CLOBBERED);
  } else {
    __asm__ volatile(
        "vpxor %%ymm14, %%ymm14, %%ymm14\n vpxor %%ymm15, %%ymm15, %%ymm15\n"
        "1:\n" TWELVE(FMA_256) TWELVE(FMA_256) "dec %0\n jnz 1b\n vzeroupper"
        : "+r"(turns)::CLOBBERED);
  }
}

static double measure_peak(msk_pool *pool, int threads, int lanes) {
  double start = now();
  msk_pool_run(pool, (size_t)threads, peak_task, &lanes);
  return 200000.0 * 24 * 2 * lanes * threads / (now() - start) / 1e9;
}

/* The best of the widths that this set may use. */
static double peak_of(const char *isa, msk_pool *pool, int threads) {
  if (strncmp(isa, "avx512", 6) == 0 || strcmp(isa, "amx") == 0)
    return fmax(measure_peak(pool, threads, 16), measure_peak(pool, threads, 8));
  return strncmp(isa, "avx", 3) == 0 ? measure_peak(pool, threads, 8) : NAN;
}
#else
static double peak_of(const char *isa, msk_pool *pool, int threads) {
  (void)isa, (void)pool, (void)threads;
  return NAN;
}
#endif

/* ---- what is measured ---- */

typedef enum kind { LINEAR, LINEAR_INT8, CONV, ATTENTION, SCORE, GROUP_NORM, LAYER_NORM } kind;

typedef struct workload {
  const char *name;
  kind kind;
  size_t a, b, c,
      /* LINEAR, LINEAR_INT8: rows, in, out; CONV: kernel, in, out, side; ATTENTION: batch;
       * GROUP_NORM: side, channels; LAYER_NORM: rows */
      d;
  msk_activation activation;
  size_t upsample, stride;
} workload;

static const workload workloads[] = {
    {"linear 514x768x2304 (qkv)", LINEAR, 514, 768, 2304, 0, MSK_ACT_NONE, 0, 0},
    {"linear 514x768x768 (out)", LINEAR, 514, 768, 768, 0, MSK_ACT_NONE, 0, 0},
    {"linear 514x768x3072 gelu", LINEAR, 514, 768, 3072, 0, MSK_ACT_GELU_TANH, 0, 0},
    {"linear 514x3072x768", LINEAR, 514, 3072, 768, 0, MSK_ACT_NONE, 0, 0},
    {"linear 257x768x2304 (qkv)", LINEAR, 257, 768, 2304, 0, MSK_ACT_NONE, 0, 0},
    {"linear 257x3072x768", LINEAR, 257, 3072, 768, 0, MSK_ACT_NONE, 0, 0},
    {"linear 257x768x1024 (head)", LINEAR, 257, 768, 1024, 0, MSK_ACT_NONE, 0, 0},
    {"int8 514x768x2304 (qkv)", LINEAR_INT8, 514, 768, 2304, 0, MSK_ACT_NONE, 0, 0},
    {"int8 514x768x768 (out)", LINEAR_INT8, 514, 768, 768, 0, MSK_ACT_NONE, 0, 0},
    {"int8 514x768x3072 gelu", LINEAR_INT8, 514, 768, 3072, 0, MSK_ACT_GELU_TANH, 0, 0},
    {"int8 514x3072x768", LINEAR_INT8, 514, 3072, 768, 0, MSK_ACT_NONE, 0, 0},
    {"int8 257x768x2304 (qkv)", LINEAR_INT8, 257, 768, 2304, 0, MSK_ACT_NONE, 0, 0},
    {"int8 257x3072x768", LINEAR_INT8, 257, 3072, 768, 0, MSK_ACT_NONE, 0, 0},
    {"attention 2x257x16x48", ATTENTION, 2, 0, 0, 0, MSK_ACT_NONE, 0, 0},
    {"attention with score, 1x", SCORE, 1, 0, 0, 0, MSK_ACT_NONE, 0, 0},
    {"layer norm 514x768", LAYER_NORM, 514, 768, 0, 0, MSK_ACT_NONE, 0, 0},
    {"conv 3x3 512->512 16", CONV, 3, 512, 512, 16, MSK_ACT_NONE, 1, 1},
    {"conv 3x3 512->512 16 up", CONV, 3, 512, 512, 16, MSK_ACT_NONE, 2, 1},
    {"conv 3x3 512->256 32", CONV, 3, 512, 256, 32, MSK_ACT_NONE, 1, 1},
    {"conv 3x3 256->256 64", CONV, 3, 256, 256, 64, MSK_ACT_NONE, 1, 1},
    {"conv 3x3 256->256 64 up", CONV, 3, 256, 256, 64, MSK_ACT_NONE, 2, 1},
    {"conv 3x3 128->128 256", CONV, 3, 128, 128, 256, MSK_ACT_NONE, 1, 1},
    {"conv 3x3 128->3 256", CONV, 3, 128, 3, 256, MSK_ACT_NONE, 1, 1},
    {"conv 3x3 3->128 256", CONV, 3, 3, 128, 256, MSK_ACT_NONE, 1, 1},
    {"conv 1x1 256->128 128", CONV, 1, 256, 128, 128, MSK_ACT_NONE, 1, 1},
    {"conv 4x4/2 128->128 256", CONV, 4, 128, 128, 256, MSK_ACT_NONE, 1, 2},
    {"group norm swish 256 x 128", GROUP_NORM, 256, 128, 0, 0, MSK_ACT_NONE, 0, 0},
    {"group norm swish 64 x 256", GROUP_NORM, 64, 256, 0, 0, MSK_ACT_NONE, 0, 0},
};

typedef struct setup {
  msk_linear *linear;
  msk_conv *conv;
  float *x, *y, *weight;
} setup;

static double flops(const workload *w) {
  if (w->kind == LINEAR || w->kind == LINEAR_INT8) return 2.0 * (double)(w->a * w->b * w->c);
  if (w->kind == CONV)
    return 2.0 * (double)(w->a * w->a * w->b * w->c) *
           (double)(w->d * w->d * w->upsample * w->upsample / (w->stride * w->stride));
  if (w->kind == ATTENTION || w->kind == SCORE) return 4.0 * (double)w->a * 257 * 257 * 768;
  return 0;
}

static void prepare(setup *s, const workload *w, const msk_device *device, float *shared) {
  msk_error error;
  msk_status status = MSK_OK;
  *s = (setup){.x = shared, .y = shared + 20000000, .weight = shared + 55000000};
  msk_linear_part part = {.weight = s->weight, .bias = s->weight, .out = w->c};
  msk_precision precision = w->kind == LINEAR ? MSK_PRECISION_FP32 : MSK_PRECISION_INT8;
  if (w->kind == LINEAR || w->kind == LINEAR_INT8)
    status = msk_linear_create(&s->linear, device, precision, w->b, &part, 1, NULL, &error);
  if (w->kind == CONV)
    status = msk_conv_create(&s->conv, device, s->weight, MSK_DTYPE_F32, s->weight, w->a, w->stride,
                             w->b, w->c, NULL, &error);
  if (status != MSK_OK) {
    fprintf(stderr, "%s\n", error.message);
    exit(1);
  }
}

static void execute_attention(msk_stream *stream, const setup *s, const workload *w) {
  const msk_attention_shape shape = {.batch = w->a, .heads = 16, .scale = 0.144f};
  const msk_read_out reads = {
      .target = s->x, .log_target = s->weight, .score = w->kind == SCORE ? s->y + 1000000 : NULL};
  const msk_rows qkv = msk_rows_at(s->x, w->a * 257, 2304);
  msk_op_attention(stream, &shape, msk_rows_columns(qkv, 0, 768), msk_rows_columns(qkv, 768, 768),
                   msk_rows_columns(qkv, 1536, 768), &reads, msk_rows_at(s->y, w->a * 257, 768));
}

static void execute(msk_stream *stream, const setup *s, const workload *w) {
  const msk_norm norm = {s->weight, s->weight, w->kind == GROUP_NORM ? 1e-6f : 1e-12f, 32};
  msk_map map;
  switch (w->kind) {
    case LINEAR:
    case LINEAR_INT8:
      msk_op_linear(stream, "linear", s->linear, msk_rows_at(s->x, w->a, w->b), w->activation,
                    MSK_NO_ROWS, msk_rows_at(s->y, w->a, w->c));
      break;
    case CONV:
      map = msk_map_at(s->x, 1, w->d, w->d, w->b);
      msk_op_conv(stream, s->conv, map, w->upsample, NULL, MSK_NO_MAP,
                  msk_conv_output(s->conv, map, w->upsample, s->y));
      break;
    case ATTENTION:
    case SCORE: execute_attention(stream, s, w); break;
    case GROUP_NORM:
      map = msk_map_at(s->x, 1, w->a, w->a, w->b);
      msk_op_group_norm(stream, map, &norm, true, msk_map_at(s->y, 1, w->a, w->a, w->b));
      break;
    case LAYER_NORM:
      msk_op_layer_norm(stream, msk_rows_at(s->x, w->a, w->b), &norm,
                        msk_rows_at(s->y, w->a, w->b));
      break;
  }
}

static void measure(const workload *w, msk_device *const *devices, int count, msk_pool *pool,
                    int threads, int rounds, float *shared) {
  static double seconds[MAX_SETS][MAX_ROUNDS], peaks[MAX_SETS][MAX_ROUNDS];
  setup setups[MAX_SETS];
  msk_stream streams[MAX_SETS];
  for (int i = 0; i < count; i++) {
    prepare(&setups[i], w, devices[i], shared);
    streams[i] = (msk_stream){.device = devices[i], .pool = pool, .measuring = true};
    execute(&streams[i], &setups[i], w);
    streams[i].measuring = false;
    streams[i].scratch = make(streams[i].scratch_bytes / sizeof(float) + 16);
    execute(&streams[i], &setups[i], w);
  }
  for (int r = 0; r < rounds; r++) {
    for (int i = 0; i < count; i++) {
      peaks[i][r] = peak_of(msk_device_isa(devices[i]), pool, threads);
      double start = now();
      execute(&streams[i], &setups[i], w);
      seconds[i][r] = now() - start;
    }
  }
  printf("%-28s", w->name);
  for (int i = 0; i < count; i++) {
    qsort(seconds[i], (size_t)rounds, sizeof(double), compare);
    qsort(peaks[i], (size_t)rounds, sizeof(double), compare);
    double median = seconds[i][rounds / 2], rate = flops(w) / median / 1e9;
    printf("  %s %8.3f ms", msk_device_isa(devices[i]), median * 1e3);
    if (rate > 0) printf(" %6.1f GFLOP/s (%.2f)", rate, rate / peaks[i][rounds / 2]);
    msk_linear_destroy(setups[i].linear);
    msk_conv_destroy(setups[i].conv);
    free(streams[i].scratch);
  }
  printf("\n");
  fflush(stdout);
}

int main(int argc, char **argv) {
  int threads = argc > 1 ? atoi(argv[1]) : msk_default_threads(),
      rounds = argc > 2 ? atoi(argv[2]) : 11, count = 0;
  const char *filter = argc > 3 ? argv[3] : "";
  if (threads < 1 || rounds < 1 || rounds > MAX_ROUNDS) {
    fprintf(stderr, "usage: %s [THREADS [ROUNDS (1..%d) [FILTER]]]\n", argv[0], MAX_ROUNDS);
    return 2;
  }
  msk_error error;
  msk_pool *pool = NULL;
  msk_device *devices[MAX_SETS];
  if (msk_pool_create(&pool, threads, NULL, &error) != MSK_OK) return 1;
  for (int i = 0; msk_isa_name(i) != NULL && count < MAX_SETS; i++) {
    if (strcmp(msk_isa_name(i), "ref") == 0) continue; /* minutes, and no surprise */
    if (msk_device_create(&devices[count], msk_isa_name(i), MSK_PRECISION_FP32, NULL, &error) !=
        MSK_OK)
      return 1;
    printf("%s: %.1f GFLOP/s peak on %d threads\n", msk_isa_name(i),
           peak_of(msk_isa_name(i), pool, threads), threads);
    count++;
  }
  float *shared = make(60000000);
  for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
    if (strstr(workloads[i].name, filter) != NULL)
      measure(&workloads[i], devices, count, pool, threads, rounds, shared);
  }
  free(shared);
  while (count > 0) msk_device_destroy(devices[--count]);
  msk_pool_destroy(pool);
  return 0;
}
