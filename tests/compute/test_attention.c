/* SPDX-License-Identifier: Apache-2.0
 *
 * test_attention.c - attention and its read-outs, on every instruction set that this machine has,
 * against their float64 definitions. */
#include "naive.h"

/* ---- attention ---- */

struct attention_case {
  size_t batch, tokens, heads, head_dim;
  bool causal;
  float spread; /* of the logits */
  msk_distance distance;
};

static void naive_attention_row(const struct attention_case *c, const float *q, const float *k,
                                size_t stride, float scale, size_t row, double *log_p) {
  size_t seen = c->causal ? row + 1 : c->tokens;
  double largest = -INFINITY, sum = 0;
  for (size_t j = 0; j < c->tokens; j++) {
    double dot = 0;
    for (size_t d = 0; d < c->head_dim; d++) dot += (double)q[row * stride + d] * k[j * stride + d];
    log_p[j] = j < seen ? dot * scale : -INFINITY;
    if (log_p[j] > largest) largest = log_p[j];
  }
  for (size_t j = 0; j < c->tokens; j++) sum += exp(log_p[j] - largest);
  for (size_t j = 0; j < c->tokens; j++) log_p[j] -= largest + log(sum);
}

/* Rows of probabilities and their logarithms, rounded to float. */
static void make_target(size_t rows, size_t tokens, float *target, float *log_target) {
  uint64_t seed = 77;
  for (size_t r = 0; r < rows; r++) {
    double sum = 0;
    for (size_t j = 0; j < tokens; j++)
      sum += exp(log_target[r * tokens + j] = test_uniform(&seed, -9, 2));
    for (size_t j = 0; j < tokens; j++) {
      log_target[r * tokens + j] = (float)(log_target[r * tokens + j] - log(sum));
      target[r * tokens + j] = expf(log_target[r * tokens + j]);
    }
  }
}

static void check_attention_row(const struct attention_case *c, const attention_args *args,
                                size_t b, size_t h, size_t i, double *log_p) {
  size_t n = c->tokens, at = (b * c->heads + h) * n + i;
  size_t offset = b * n * args->stride + h * c->head_dim;
  naive_attention_row(c, args->q + offset, args->k + offset, args->stride, args->scale, i, log_p);
  /* A logit is wrong by head_dim roundings of terms of size `spread`, a probability by that,
   * relatively, and the sum's roundings. */
  double logit = ((double)c->head_dim + 4) * UNIT * c->spread * 4,
         relative = 2 * logit + 16 * UNIT + (double)n * UNIT / 8;
  double score = 0, score_size = 0;
  for (size_t j = 0; j < n; j++) {
    double p = exp(log_p[j]);
    check_value(args->maps[at * n + j], p, relative * p + 1e-37, "map", at * n + j);
    check_value(args->log_maps[at * n + j], log_p[j], relative + 4 * UNIT * fabs(log_p[j]),
                "log map", at * n + j);
    if (args->score == NULL) continue;
    double t = args->target[(h * n + i) * n + j], lt = args->log_target[(h * n + i) * n + j];
    score += naive_likeness(c->distance, t, p, lt, log_p[j]);
    score_size += t * (1 + fabs(log_p[j]) + fabs(lt)) + p * (1 + fabs(lt) + fabs(log_p[j]));
  }
  if (args->score != NULL)
    check_value(args->score[at], score, (relative + 16 * UNIT) * score_size, "score", at);
  for (size_t d = 0; d < c->head_dim; d++) {
    double sum = 0, size = 0;
    for (size_t j = 0; j < n; j++) {
      double v = args->v[offset + j * args->stride + d];
      sum += exp(log_p[j]) * v;
      size += exp(log_p[j]) * fabs(v);
    }
    check_value(args->out[(b * n + i) * args->out_stride + h * c->head_dim + d], sum,
                (relative + ((double)n + 4) * UNIT) * size, "attention", at);
  }
}

/* Some queries of each sequence, from the last to the first, get the bytes that they have among
 * all. */
static void check_some_queries(const msk_device *device, const attention_args *whole) {
  const size_t n = whole->tokens, width = whole->heads * whole->head_dim, some = (n + 1) / 2,
               rows = whole->batch * some, matrices = whole->batch * whole->heads;
  float *q = guarded_new(rows * whole->stride), *out = guarded_new(rows * width),
        *maps = guarded_new(matrices * some * n), *score = guarded_new(matrices * some);
  int32_t *places = malloc(some * sizeof *places);
  attention_args part = *whole;
  part.q = q, part.out = out, part.maps = maps, part.log_maps = NULL, part.score = score;
  part.queries = some, part.places = places;
  for (size_t i = 0; i < some; i++) places[i] = (int32_t)(n - 1 - 2 * i);
  for (size_t r = 0; r < rows; r++)
    memcpy(q + r * whole->stride,
           whole->q + (r / some * n + (size_t)places[r % some]) * whole->stride,
           width * sizeof(float));
  run_operation(device, 1, do_attention, &part);
  for (size_t r = 0; r < rows; r++)
    assert_memory_equal(out + r * width,
                        whole->out + (r / some * n + (size_t)places[r % some]) * width,
                        width * sizeof(float));
  for (size_t r = 0; r < matrices * some; r++) {
    const size_t at = r / some * n + (size_t)places[r % some];
    assert_memory_equal(maps + r * n, whole->maps + at * n, n * sizeof(float));
    assert_memory_equal(score + r, whole->score + at, sizeof(float));
  }
  guarded_check(out, rows * width), guarded_check(maps, matrices * some * n),
      guarded_check(score, matrices * some);
  guarded_free(q), guarded_free(out), guarded_free(maps), guarded_free(score), free(places);
}

static void test_attention_case(const msk_device *device, const struct attention_case *c) {
  size_t width = c->heads * c->head_dim, stride = 3 * width + 1, rows = c->batch * c->tokens,
         n = c->tokens, cells = c->batch * c->heads * n * n;
  float *qkv = random_new(rows * stride, 9, 1), *target = guarded_new(c->heads * n * n),
        *log_target = guarded_new(c->heads * n * n);
  make_target(c->heads * n, n, target, log_target);
  float *maps = guarded_new(cells), *log_maps = guarded_new(cells),
        *out = guarded_new(rows * width), *score = guarded_new(c->batch * c->heads * n);
  attention_args args = {.q = qkv,
                         .k = qkv + width,
                         .v = qkv + 2 * width,
                         .stride = stride,
                         .out_stride = width,
                         .batch = c->batch,
                         .tokens = n,
                         .heads = c->heads,
                         .head_dim = c->head_dim,
                         .scale = c->spread / sqrtf((float)c->head_dim),
                         .causal = c->causal,
                         .out = out,
                         .maps = maps,
                         .log_maps = log_maps,
                         .target = c->causal ? NULL : target,
                         .log_target = c->causal ? NULL : log_target,
                         .distance = c->distance,
                         .score = c->causal ? NULL : score};
  run_operation(device, 1, do_attention, &args);
  double *log_p = malloc(n * sizeof *log_p);
  for (size_t i = 0; i < c->batch * c->heads * n; i++)
    check_attention_row(c, &args, i / n / c->heads, i / n % c->heads, i % n, log_p);
  guarded_check(maps, cells), guarded_check(log_maps, cells), guarded_check(out, rows * width),
      guarded_check(score, c->batch * c->heads * n);
  if (!c->causal) check_some_queries(device, &args);
  /* The score alone is the same score. */
  float *alone = guarded_new(c->batch * c->heads * n);
  if (!c->causal) {
    args.out = args.maps = args.log_maps = NULL, args.v = NULL, args.score = alone;
    run_operation(device, 1, do_attention, &args);
    assert_memory_equal(alone, score, c->batch * c->heads * n * sizeof(float));
  }
  free(log_p);
  guarded_free(qkv), guarded_free(target), guarded_free(log_target), guarded_free(maps),
      guarded_free(log_maps), guarded_free(out), guarded_free(score), guarded_free(alone);
}

static void attention_on(const msk_device *device) {
  static const size_t tokens[] = {1, 2, 5, 7, 16, 17, 33, 65, 101, 257, 300},
                      dims[] = {1, 4, 16, 24, 33, 48, 64};
  for (size_t i = 0; i < 33; i++) {
    struct attention_case c = {.batch = 1 + i % 2,
                               .tokens = tokens[i % 11],
                               .heads = 1 + i % 3,
                               .head_dim = dims[i % 7],
                               .causal = i % 5 == 4,
                               .spread = i % 4 == 3 ? 30 : 3,
                               .distance = (msk_distance)(i % 3)};
    test_attention_case(device, &c);
  }
}

static void test_attention(void **state) {
  (void)state;
  for_each_isa(attention_on);
}

/* -inf logits carry no weight, a row of nothing else is NaN, +inf and NaN make their rows NaN;
 * other rows stay as they were. */
static void attention_special_on(const msk_device *device) {
  enum { N = 37 };
  float *q = random_new(N, 1, 1), *k = guarded_new(N), *v = random_new(N, 2, 1),
        *out = guarded_new(N), *maps = guarded_new(N * N), *log_maps = guarded_new(N * N);
  for (size_t j = 0; j < N; j++) k[j] = 1;
  k[30] = -INFINITY; /* with q > 0: logit -inf; with q < 0: +inf */
  for (size_t i = 0; i < N; i++) q[i] = 0.5f;
  q[4] = -1, q[5] = NAN, q[6] = INFINITY;
  v[30] = 3;
  attention_args args = {.q = q,
                         .k = k,
                         .v = v,
                         .stride = 1,
                         .out_stride = 1,
                         .batch = 1,
                         .tokens = N,
                         .heads = 1,
                         .head_dim = 1,
                         .scale = 1,
                         .out = out,
                         .maps = maps,
                         .log_maps = log_maps};
  run_operation(device, 1, do_attention, &args);
  double mean = 0;
  for (size_t j = 0; j < N; j++) mean += j == 30 ? 0 : v[j] / 36.0;
  for (size_t i = 0; i < N; i++) {
    bool broken = i >= 4 && i <= 6;
    check_value(out[i], broken ? NAN : mean, 40 * UNIT, "out", i);
    for (size_t j = 0; j < N; j++) {
      check_value(maps[i * N + j],
                  broken    ? NAN
                  : j == 30 ? 0
                            : 1 / 36.0,
                  4 * UNIT, "map", i * N + j);
      check_value(log_maps[i * N + j],
                  broken    ? NAN
                  : j == 30 ? -INFINITY
                            : -log(36),
                  16 * UNIT, "log map", i * N + j);
    }
  }
  guarded_free(q), guarded_free(k), guarded_free(v), guarded_free(out), guarded_free(maps),
      guarded_free(log_maps);
}

static void test_attention_special(void **state) {
  (void)state;
  for_each_isa(attention_special_on);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_attention),
                                     cmocka_unit_test(test_attention_special)};
  return cmocka_run_group_tests_name("attention", tests, NULL, NULL);
}
