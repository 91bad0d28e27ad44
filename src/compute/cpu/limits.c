/* SPDX-License-Identifier: Apache-2.0
 *
 * limits.c - what the machine can do at best: loops of nothing but independent multiply-adds in
 * registers, and reading more memory than any cache holds. The loops are assembly, so that no
 * compiler rearranges them and no flags are needed; each runs only where the processor has its
 * instruction. A loop's best run counts: other work on the machine can only slow it down. */
#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/pool.h"
#include "compute/isa_sets.h"
#include "masksketch_tools.h"

#if defined(__x86_64__)

#define TWELVE(op) op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11)
#define LOOP(body)                                                                                 \
  __asm__ volatile(                                                                                \
      "vpxor %%ymm14, %%ymm14, %%ymm14\n vpxor %%ymm15, %%ymm15, %%ymm15\n vpxor %%ymm13, "        \
      "%%ymm13, %%ymm13\n"                                                                         \
      "1:\n" body "dec %0\n jnz 1b\n vzeroupper"                                                   \
      : "+r"(turns)::"cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", \
        "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15")

#define FMA_256(i) "vfmadd231ps %%ymm14, %%ymm15, %%ymm" #i "\n"
#define FMA_512(i) "vfmadd231ps %%zmm14, %%zmm15, %%zmm" #i "\n"
#define BF16_512(i) "vdpbf16ps %%zmm14, %%zmm15, %%zmm" #i "\n"
#define DOT_256(i) "%{vex%} vpdpbusd %%ymm14, %%ymm15, %%ymm" #i "\n"
#define DOT_512(i) "vpdpbusd %%zmm14, %%zmm15, %%zmm" #i "\n"
#define PAIRS(i)                                                                                 \
  "vpmaddubsw %%ymm14, %%ymm15, %%ymm12\n vpmaddwd %%ymm13, %%ymm12, %%ymm12\n vpaddd %%ymm12, " \
  "%%ymm" #i ", %%ymm" #i "\n"

static void run_fma_256(long turns) { LOOP(TWELVE(FMA_256) TWELVE(FMA_256)); }
static void run_fma_512(long turns) { LOOP(TWELVE(FMA_512) TWELVE(FMA_512)); }
static void run_bf16_512(long turns) { LOOP(TWELVE(BF16_512) TWELVE(BF16_512)); }
static void run_dot_256(long turns) { LOOP(TWELVE(DOT_256) TWELVE(DOT_256)); }
static void run_dot_512(long turns) { LOOP(TWELVE(DOT_512) TWELVE(DOT_512)); }
static void run_pairs(long turns) { LOOP(TWELVE(PAIRS) TWELVE(PAIRS)); }

#ifdef MSK_HAVE_AMX
/* Four sums in turn, each of 16 x 16 elements, of 64 bytes each: a product takes 16 cycles, and its
 * sum is ready after 52. */
#define FOUR(op) op(0) op(1) op(2) op(3)
#define TILE_DOT_INT8(i) "tdpbusd %%tmm5, %%tmm4, %%tmm" #i "\n"

static void run_tiles_int8(long turns) {
  const struct {
    uint8_t palette, zeros[15];
    uint16_t row_bytes[16];
    uint8_t rows[16];
  } shape = {1, {0}, {64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16}};
  __asm__ volatile(
      "ldtilecfg %1\n"
      "1:\n" FOUR(TILE_DOT_INT8) FOUR(TILE_DOT_INT8) FOUR(TILE_DOT_INT8) FOUR(TILE_DOT_INT8)
          FOUR(TILE_DOT_INT8) FOUR(TILE_DOT_INT8) "dec %0\n jnz 1b\n tilerelease"
      : "+r"(turns)
      : "m"(shape)
      : "cc");
}
#endif

/* The compiler's runtime asks cpuid and xgetbv. */
static bool has_vnni_512(void) { return __builtin_cpu_supports("avx512vnni") != 0; }
static bool has_vnni_256(void) {
  unsigned a = 7, b, c = 1, d; /* leaf 7.1: older compilers' runtimes do not know it */
  __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  return (a >> 4 & 1) != 0 && __builtin_cpu_supports("avx2") != 0;
}
#elif defined(__aarch64__)
#include <sys/auxv.h>

#define TWELVE(op) op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11)
#define LOOP(body)                                                                            \
  __asm__ volatile(                                                                           \
      "movi v14.4s, #0\n movi v15.4s, #0\n"                                                   \
      "1:\n" body "subs %0, %0, #1\n b.ne 1b\n"                                               \
      : "+r"(turns)::"cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", \
        "v11", "v14", "v15")
#define FMLA(i) "fmla v" #i ".4s, v14.4s, v15.4s\n"
#define SDOT(i) "sdot v" #i ".4s, v14.16b, v15.16b\n"

static void run_fmla(long turns) { LOOP(TWELVE(FMLA) TWELVE(FMLA)); }
static void run_sdot(long turns) { LOOP(".arch armv8.2-a+dotprod\n" TWELVE(SDOT) TWELVE(SDOT)); }
static bool has_dot(void) { return (getauxval(AT_HWCAP) >> 20 & 1) != 0; } /* HWCAP_ASIMDDP */
#endif

enum { LOOP_OPERATIONS = 24 }; /* of a turn */

typedef enum kind { FP32, INT8, BF16 } kind;

typedef struct loop {
  const char *set; /* kernel sets whose names begin so may use it */
  kind kind;
  const char *name;
  double operations; /* of one: multiplications and additions */
  void (*run)(long turns);
  bool (*is_available)(void); /* NULL: wherever its set is */
} loop;

static const loop loops[] = {
#if defined(__x86_64__)
    {"avx2", FP32, "vfmadd231ps ymm", 16, run_fma_256, NULL},
    {"avx512", FP32, "vfmadd231ps ymm", 16, run_fma_256, NULL},
    {"avx512", FP32, "vfmadd231ps zmm", 32, run_fma_512, NULL},
    {"avx2", INT8, "vpmaddubsw, vpmaddwd, vpaddd ymm", 64, run_pairs, NULL},
    {"avxvnni", FP32, "vfmadd231ps ymm", 16, run_fma_256, NULL},
    {"avxvnni", INT8, "vpdpbusd ymm", 64, run_dot_256, has_vnni_256},
    {"avx512", INT8, "vpmaddubsw, vpmaddwd, vpaddd ymm", 64, run_pairs, NULL},
    {"avx512vnni", INT8, "vpdpbusd zmm", 128, run_dot_512, has_vnni_512},
    {"avx512bf16", INT8, "vpdpbusd zmm", 128, run_dot_512, has_vnni_512},
    {"avx512bf16", BF16, "vdpbf16ps zmm", 64, run_bf16_512, NULL},
#ifdef MSK_HAVE_AMX
    {"amx", FP32, "vfmadd231ps ymm", 16, run_fma_256, NULL},
    {"amx", FP32, "vfmadd231ps zmm", 32, run_fma_512, NULL},
    {"amx", BF16, "vdpbf16ps zmm", 64, run_bf16_512, NULL},
    {"amx", INT8, "tdpbusd", 2 * 16 * 16 * 64, run_tiles_int8, NULL},
#endif
#elif defined(__aarch64__)
    {"neon", FP32, "fmla v.4s", 8, run_fmla, NULL},
    {"neon", INT8, "sdot v.4s", 32, run_sdot, has_dot},
#endif
    {NULL, FP32, NULL, 0, NULL, NULL},
};

/* ---- arithmetic ---- */

struct loop_job {
  const loop *loop;
  long turns;
};

static void run_loop(void *user, size_t index, int worker) {
  const struct loop_job *job = user;
  (void)index;
  (void)worker;
  job->loop->run(job->turns);
}

/* Operations a second, in 10^9: the best of several short runs, each of a few milliseconds. */
static double measure_loop(const loop *chosen, msk_pool *pool, double seconds) {
  struct loop_job job = {.loop = chosen, .turns = 20000};
  double best = 0, end = msk_clock() + seconds;
  do {
    double start = msk_clock();
    msk_pool_run(pool, (size_t)msk_pool_threads(pool), run_loop, &job);
    double took = msk_clock() - start, rate = 1e-9 * chosen->operations * LOOP_OPERATIONS *
                                              (double)job.turns * msk_pool_threads(pool) / took;
    if (rate > best) best = rate;
    if (took < 2e-3) job.turns *= 2;
  } while (msk_clock() < end);
  return best;
}

/* ---- memory ---- */

enum { READ_TASKS = 64 };
static const size_t read_bytes = (size_t)128 << 20; /* more than any cache */

struct read_job {
  const uint64_t *words;
  uint64_t sums[READ_TASKS];
};

static void read_part(void *user, size_t index, int worker) {
  struct read_job *job = user;
  size_t count = read_bytes / sizeof(uint64_t) / READ_TASKS;
  const uint64_t *words = job->words + index * count;
  uint64_t sums[8] = {0};
  (void)worker;
  for (size_t i = 0; i < count; i += 8) {
    for (size_t j = 0; j < 8; j++) sums[j] += words[i + j];
  }
  job->sums[index] = sums[0] + sums[1] + sums[2] + sums[3] + sums[4] + sums[5] + sums[6] + sums[7];
}

static double measure_memory(const uint64_t *words, msk_pool *pool, double seconds) {
  struct read_job job = {.words = words};
  double best = 0, end = msk_clock() + seconds;
  do {
    double start = msk_clock();
    msk_pool_run(pool, READ_TASKS, read_part, &job);
    double rate = 1e-9 * (double)read_bytes / (msk_clock() - start);
    /* the sums are used: nothing may be left out */
    if (rate > best && job.sums[0] == 0) best = rate;
  } while (msk_clock() < end);
  return best;
}

/* ---- all ---- */

static bool may_run(const char *isa, const loop *candidate) {
  return strncmp(isa, candidate->set, strlen(candidate->set)) == 0 &&
         (candidate->is_available == NULL || candidate->is_available());
}

static void measure_loops(msk_limits *limits, const char *isa, msk_pool *pool, double seconds) {
  double *const rates[] = {&limits->fma_gflops, &limits->int8_gops, &limits->bf16_gflops};
  const char **const names[] = {&limits->fma_name, &limits->int8_name, &limits->bf16_name};
  int count = 0;
  for (const loop *l = loops; l->set != NULL; l++) count += may_run(isa, l);
  for (const loop *l = loops; l->set != NULL; l++) {
    if (!may_run(isa, l)) continue;
    double rate = measure_loop(l, pool, seconds / count);
    if (rate <= *rates[l->kind]) continue;
    *rates[l->kind] = rate;
    *names[l->kind] = l->name;
  }
}

static msk_status choose_set(const char **isa, msk_error *error) {
  const char *best = NULL;
  bool found = false;
  for (int i = 0; msk_isa_name(i) != NULL; i++) {
    best = msk_isa_name(i);
    found = found || (*isa != NULL && strcmp(*isa, best) == 0);
  }
  if (*isa != NULL && !found)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "instruction set '%s' is not available here", *isa);
  if (*isa == NULL || strcmp(*isa, "ref") == 0) *isa = best;
  return MSK_OK;
}

msk_status msk_limits_measure(msk_limits *limits, const char *isa, int threads, double seconds,
                              const msk_allocator *allocator, msk_error *error) {
  if (limits == NULL || !(seconds >= 0) || seconds > 3600) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "measuring limits needs a place for them and 0 to 3600 seconds");
  }
  msk_status status = choose_set(&isa, error);
  if (status != MSK_OK) return status;
  msk_pool *pool = NULL;
  uint64_t *words = msk_allocate_zeroed(allocator, read_bytes, 1);
  if (words == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "no %zu MB to measure the memory with",
                    read_bytes >> 20);
  status = msk_pool_create(&pool, threads == 0 ? msk_default_threads() : threads, allocator, error);
  if (status == MSK_OK) {
    msk_limits found = {
        .threads = msk_pool_threads(pool), .fma_name = "", .int8_name = "", .bf16_name = ""};
    measure_loops(&found, isa, pool, 0.7 * seconds);
    found.memory_gbs = measure_memory(words, pool, 0.3 * seconds);
    *limits = found;
    msk_pool_destroy(pool);
  }
  msk_free(allocator, words);
  return status;
}
