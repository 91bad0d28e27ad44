/* SPDX-License-Identifier: Apache-2.0
 *
 * test_attention_int8.c - attention in 8 bits, on every instruction set, those on which it is no
 * faster, too, against the definition (docs/precision.md) written once more in float64: the codes
 * of queries, keys, weights and values, their exact products, the softmax between. And what
 * follows from it: the distance from exact attention is bounded by the quantisations' steps; the
 * bits do not depend on threads, batch, or which queries are asked about. */
#include "emulated.h"
#include "naive.h"

#include "base/int8.h"

struct attention_case {
  size_t batch, tokens, heads, head_dim;
  float spread; /* of the logits */
};

/* One head of one sequence, by the definition: numbers that codes stand for, and the codes that
 * values have. */
typedef struct naive_head {
  size_t tokens, head_dim;
  double *q, *k;  /* [tokens, head_dim]; k times the logits' scale */
  long *v;        /* [tokens, head_dim] */
  double *scales; /* [head_dim] of v */
} naive_head;

/* As a layer's weights: numbers of `count` values `step` apart; returns their scale. */
static double naive_column(const float *x, size_t count, size_t step, float factor, int limit,
                           long *codes, size_t codes_step) {
  float largest = 0;
  for (size_t i = 0; i < count; i++) largest = fmaxf(largest, fabsf(x[i * step] * factor));
  for (size_t i = 0; i < count; i++)
    codes[i * codes_step] =
        largest == 0 ? 0 : lrintf(x[i * step] * factor * ((float)limit / largest));
  return largest / (float)limit;
}

static naive_head head_new(const attention_args *a, int limit, size_t b, size_t h) {
  size_t n = a->tokens, d = a->head_dim, at = b * n * a->stride + h * d;
  naive_head head = {n,
                     d,
                     malloc(n * d * sizeof(double)),
                     malloc(n * d * sizeof(double)),
                     malloc(n * d * sizeof(long)),
                     malloc(d * sizeof(double))};
  static struct codes row;
  long key[1024];
  for (size_t i = 0; i < n; i++) {
    double scale = naive_column(a->k + at + i * a->stride, d, 1, a->scale, limit, key, 1);
    naive_codes(a->q + at + i * a->stride, d, &row);
    for (size_t j = 0; j < d; j++) {
      head.k[i * d + j] = scale * (double)key[j];
      head.q[i * d + j] = row.scale * (double)(row.q[j] - row.zero);
    }
  }
  for (size_t j = 0; j < d; j++)
    head.scales[j] = naive_column(a->v + at + j, n, a->stride, 1, limit, head.v + j, d);
  return head;
}

static void head_free(naive_head *head) {
  free(head->q), free(head->k), free(head->v), free(head->scales);
}

static double row_logits(size_t n, size_t d, const double *q, const double *k, double *logits) {
  double largest = -INFINITY;
  for (size_t j = 0; j < n; j++) {
    logits[j] = 0;
    for (size_t i = 0; i < d; i++) logits[j] += q[i] * k[j * d + i];
    largest = fmax(largest, logits[j]);
  }
  return largest;
}

/* What the row's softmax and its likeness to the target may be off by, relatively. */
static double relative_error(const struct attention_case *c) {
  return 2 * 8 * UNIT * c->spread * 4 + 16 * UNIT + (double)c->tokens * UNIT / 8;
}

static void check_read_outs(const attention_args *a, const double *log_p, double relative,
                            size_t at, size_t target_row) {
  double score = 0, score_size = 0;
  for (size_t j = 0; j < a->tokens; j++) {
    double p = exp(log_p[j]), t = a->target[target_row * a->tokens + j],
           lt = a->log_target[target_row * a->tokens + j];
    check_value(a->maps[at * a->tokens + j], p, relative * p + 1e-37, "map", j);
    check_value(a->log_maps[at * a->tokens + j], log_p[j], relative + 4 * UNIT * fabs(log_p[j]),
                "log map", j);
    score += t * log_p[j] + p * lt;
    score_size += t * (1 + fabs(log_p[j]) + fabs(lt)) + p * (1 + fabs(lt) + fabs(log_p[j]));
  }
  check_value(a->score[at], score, (relative + 16 * UNIT) * score_size, "score", at);
}

/* A weight so near the middle between two codes that float32 may have taken either: its share. */
static double doubtful(double weight, double relative) {
  double code = weight * 255, distance = fabs(code - floor(code) - 0.5);
  return distance <= relative * code + 255 * UNIT ? 1 : 0;
}

static void check_row(const struct attention_case *c, const attention_args *a,
                      const naive_head *head, size_t b, size_t h, size_t i, double *log_p) {
  size_t n = c->tokens, d = c->head_dim, at = (b * c->heads + h) * n + i;
  double largest = row_logits(n, d, head->q + i * d, head->k, log_p), sum = 0,
         relative = relative_error(c);
  for (size_t j = 0; j < n; j++) sum += exp(log_p[j] - largest);
  for (size_t x = 0; x < d; x++) {
    double value = 0, size = 0, doubt = 0;
    for (size_t j = 0; j < n; j++) {
      double weight = exp(log_p[j] - largest), v = head->scales[x] * (double)head->v[j * d + x];
      value += rint(weight * 255) / 255 * v;
      size += weight * fabs(v);
      doubt += doubtful(weight, relative) * fabs(v) / 255;
    }
    check_value(a->out[(b * n + i) * a->out_stride + h * d + x], value / sum,
                (doubt + (relative + 16 * UNIT) * size) / sum + 1e-37, "attention", x);
  }
  for (size_t j = 0; j < n; j++) log_p[j] -= largest + log(sum);
  check_read_outs(a, log_p, relative, at, h * n + i);
}

/* Exact attention is no farther away than the steps say: half of one for each number of a key and
 * a value, a whole one of a query, which is cut at its ends, half of 1/255 for a weight. */
static void check_distance(const struct attention_case *c, const attention_args *a,
                           const naive_head *head, size_t b, size_t h, size_t i, double *log_p) {
  size_t n = c->tokens, d = c->head_dim, first = b * n * a->stride + h * d;
  double exact[64] = {0}, size[64] = {0}, largest = -INFINITY, sum = 0, off = 0, most[64] = {0};
  for (size_t j = 0; j < n; j++) {
    double coded = 0, error;
    log_p[j] = 0;
    for (size_t x = 0; x < d; x++) {
      log_p[j] +=
          (double)a->scale * a->q[first + i * a->stride + x] * a->k[first + j * a->stride + x];
      coded += head->q[i * d + x] * head->k[j * d + x];
    }
    error = fabs(coded - log_p[j]);
    off = fmax(off, error);
    largest = fmax(largest, log_p[j]);
  }
  for (size_t j = 0; j < n; j++) sum += exp(log_p[j] - largest);
  for (size_t j = 0; j < n; j++) {
    for (size_t x = 0; x < d; x++) {
      double v = a->v[first + j * a->stride + x], p = exp(log_p[j] - largest) / sum;
      exact[x] += p * v, size[x] += p * fabs(v), most[x] = fmax(most[x], fabs(v));
    }
  }
  /* each weight is e^off times what it was, at most, and so is their sum */
  double factor = exp(2 * off), coded_sum = sum * exp(-off) / exp(off);
  for (size_t x = 0; x < d; x++) {
    double bound = (factor - 1) * size[x] + 0.51 * head->scales[x] * (factor + (double)n / 255) +
                   (double)n * 0.51 / 255 * most[x] / fmax(coded_sum, 1) + 1e-5 * most[x];
    check_value(a->out[(b * n + i) * a->out_stride + h * d + x], exact[x], bound, "distance", x);
  }
}

static void fill_target(size_t count, size_t tokens, float *target, float *log_target) {
  uint64_t seed = 77;
  for (size_t i = 0; i < count; i++) {
    log_target[i] = test_uniform(&seed, -9, -1);
    target[i] = expf(log_target[i]) / (float)tokens;
  }
}

/* Some queries of a sequence, from the last to the first, get the bytes that they have among all,
 * and so does a sequence by itself; with several threads. */
static void check_alone(const msk_device *device, const attention_args *whole) {
  const size_t n = whole->tokens, width = whole->heads * whole->head_dim, some = (n + 1) / 2,
               last = (whole->batch - 1) * n;
  float *q = guarded_new(some * whole->stride), *out = guarded_new(some * width),
        *score = guarded_new(whole->heads * some);
  int32_t *places = malloc(some * sizeof *places);
  attention_args part = *whole;
  part.batch = 1, part.q = q, part.k += last * whole->stride, part.v += last * whole->stride;
  part.out = out, part.maps = part.log_maps = NULL, part.score = score;
  part.queries = some, part.places = places;
  for (size_t i = 0; i < some; i++) {
    places[i] = (int32_t)(n - 1 - 2 * i);
    memcpy(q + i * whole->stride, whole->q + (last + (size_t)places[i]) * whole->stride,
           width * sizeof(float));
  }
  run_operation(device, 3, do_attention, &part);
  for (size_t i = 0; i < some; i++) {
    const size_t place = (size_t)places[i];
    assert_memory_equal(out + i * width, whole->out + (last + place) * width,
                        width * sizeof(float));
    for (size_t h = 0; h < whole->heads; h++)
      assert_memory_equal(score + h * some + i,
                          whole->score + ((whole->batch - 1) * whole->heads + h) * n + place,
                          sizeof(float));
  }
  guarded_check(out, some * width), guarded_check(score, whole->heads * some);
  guarded_free(q), guarded_free(out), guarded_free(score), free(places);
}

/* Without the output the score is the same, and without the score the output. */
static void check_apart(const msk_device *device, const attention_args *whole) {
  const size_t scores = whole->batch * whole->heads * whole->tokens,
               outs = whole->batch * whole->tokens * whole->out_stride;
  float *score = guarded_new(scores), *out = guarded_new(outs);
  attention_args part = *whole;
  part.out = part.maps = part.log_maps = NULL, part.v = NULL, part.score = score;
  run_operation(device, 1, do_attention, &part);
  assert_memory_equal(score, whole->score, scores * sizeof(float));
  part = *whole;
  part.maps = part.log_maps = part.score = NULL, part.target = part.log_target = NULL;
  part.out = out;
  run_operation(device, 2, do_attention, &part);
  assert_memory_equal(out, whole->out, outs * sizeof(float));
  guarded_check(score, scores), guarded_check(out, outs);
  guarded_free(score), guarded_free(out);
}

static void run_case(const msk_device *device, const struct attention_case *c) {
  size_t width = c->heads * c->head_dim, stride = 3 * width + 1, rows = c->batch * c->tokens,
         n = c->tokens, cells = c->batch * c->heads * n * n;
  float *qkv = random_new(rows * stride, 9, 1), *target = guarded_new(c->heads * n * n),
        *log_target = guarded_new(c->heads * n * n), *maps = guarded_new(cells),
        *log_maps = guarded_new(cells), *out = guarded_new(rows * width),
        *score = guarded_new(c->batch * c->heads * n);
  double *log_p = malloc(n * sizeof *log_p);
  fill_target(c->heads * n * n, n, target, log_target);
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
                         .out = out,
                         .maps = maps,
                         .log_maps = log_maps,
                         .target = target,
                         .log_target = log_target,
                         .distance = MSK_DISTANCE_CROSS_ENTROPY,
                         .score = score,
                         .precision = MSK_PRECISION_INT8};
  run_operation(device, 1, do_attention, &args);
  for (size_t b = 0; b < c->batch; b++) {
    for (size_t h = 0; h < c->heads; h++) {
      naive_head head = head_new(&args, device->kernels.weight_limit, b, h);
      for (size_t i = 0; i < n; i++) {
        check_row(c, &args, &head, b, h, i, log_p);
        check_distance(c, &args, &head, b, h, i, log_p);
      }
      head_free(&head);
    }
  }
  guarded_check(maps, cells), guarded_check(log_maps, cells), guarded_check(out, rows * width),
      guarded_check(score, c->batch * c->heads * n);
  check_alone(device, &args);
  check_apart(device, &args);
  free(log_p);
  guarded_free(qkv), guarded_free(target), guarded_free(log_target), guarded_free(maps),
      guarded_free(log_maps), guarded_free(out), guarded_free(score);
}

static void for_each_set(void (*test)(const msk_device *device)) {
  int sets = 0;
  for (; tested_set(sets) != NULL; sets++) {
    msk_device *device = tested_device(tested_set(sets), MSK_PRECISION_INT8);
    device->kernels.int8_rate = 4;
    test(device);
    msk_device_destroy(device);
  }
  assert_true(sets > 1);
}

static void attention_on(const msk_device *device) {
  static const size_t tokens[] = {1, 2, 5, 7, 16, 17, 33, 65, 101, 257},
                      dims[] = {1, 4, 16, 24, 33, 48, 64};
  for (size_t i = 0; i < 21; i++) {
    struct attention_case c = {.batch = 1 + i % 2,
                               .tokens = tokens[i % 10],
                               .heads = 1 + i % 3,
                               .head_dim = dims[i % 7],
                               .spread = i % 4 == 3 ? 12 : 2};
    run_case(device, &c);
  }
}

static void test_attention(void **state) {
  (void)state;
  for_each_set(attention_on);
}

enum { N = 37, DIM = 5 };

static void run_special(const msk_device *device, float *q, float *k, float *v, float *out) {
  attention_args args = {.q = q,
                         .k = k,
                         .v = v,
                         .stride = DIM,
                         .out_stride = DIM,
                         .batch = 1,
                         .tokens = N,
                         .heads = 1,
                         .head_dim = DIM,
                         .scale = 1,
                         .out = out,
                         .precision = MSK_PRECISION_INT8};
  run_operation(device, 1, do_attention, &args);
}

/* A broken query spoils its row, a broken key every row, a broken value its column, and nothing
 * else; zeros weigh all alike. */
static void special_on(const msk_device *device) {
  float *q = random_new(N * DIM, 1, 1), *k = random_new(N * DIM, 2, 1),
        *v = random_new(N * DIM, 3, 1), *out = guarded_new(N * DIM);
  q[4 * DIM] = NAN, q[5 * DIM + 1] = INFINITY, v[7 * DIM + 2] = -INFINITY;
  for (size_t j = 0; j < DIM; j++) q[6 * DIM + j] = 0;
  for (size_t i = 0; i < N; i++) v[i * DIM + 3] = i % 2 ? -1 : 1, v[i * DIM + 4] = 0;
  run_special(device, q, k, v, out);
  for (size_t i = 0; i < N; i++) {
    for (size_t j = 0; j < DIM; j++)
      assert_true((isnan(out[i * DIM + j]) != 0) == (i == 4 || i == 5 || j == 2));
    if (i != 4 && i != 5) assert_true(out[i * DIM + 4] == 0);
  }
  check_value(out[6 * DIM + 3], 1.0 / N, 4 * UNIT, "mean", 0);
  k[30 * DIM] = NAN;
  run_special(device, q, k, v, out);
  for (size_t i = 0; i < N * DIM; i++) assert_true(isnan(out[i]));
  guarded_free(q), guarded_free(k), guarded_free(v), guarded_free(out);
}

static void test_special(void **state) {
  (void)state;
  for_each_set(special_on);
}

/* A causal pass, one that asks for float32, and any where 8 bits are no faster, have the bytes that
 * they have on a device without 8 bits. */
static void test_float32_stays(void **state) {
  (void)state;
  float *x = random_new(N * 3 * DIM, 1, 1), *out[2] = {guarded_new(N * DIM), guarded_new(N * DIM)};
  for (int way = 0; way < 3; way++) {
    for (int i = 0; i < 2; i++) {
      msk_device *device = tested_device("ref", i ? MSK_PRECISION_INT8 : MSK_PRECISION_FP32);
      if (way == 2) device->kernels.int8_rate = 2;
      attention_args args = {.q = x,
                             .k = x + DIM,
                             .v = x + 2 * DIM,
                             .stride = 3 * DIM,
                             .out_stride = DIM,
                             .batch = 1,
                             .tokens = N,
                             .heads = 1,
                             .head_dim = DIM,
                             .scale = 1,
                             .causal = way == 0,
                             .out = out[i],
                             .precision = way != 1 && i ? MSK_PRECISION_INT8 : MSK_PRECISION_FP32};
      run_operation(device, 1, do_attention, &args);
      msk_device_destroy(device);
    }
    assert_memory_equal(out[0], out[1], N * DIM * sizeof(float));
  }
  guarded_free(x), guarded_free(out[0]), guarded_free(out[1]);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_attention),
                                     cmocka_unit_test(test_special),
                                     cmocka_unit_test(test_float32_stays)};
  return cmocka_run_group_tests_name("attention int8", tests, NULL, NULL);
}
