/* SPDX-License-Identifier: Apache-2.0
 *
 * test_bf16.c - training's products of bf16 numbers: rounding and kernels against their definition
 * bit by bit, operations against float64 with numbers rounded here by other means, on every
 * instruction set; attention within bounds that follow from the eight bits; the same bytes for any
 * number of threads. */
#include "naive.h"

#include "compute/cpu/cpu.h"

#define BF16_UNIT (1.0 / 512) /* unit roundoff: eight bits, to the nearest */

static const size_t lengths[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 65, 127, 257};
enum { LENGTHS = sizeof lengths / sizeof *lengths };
static const int thread_counts[] = {2, 3, 8};

/* ---- rounding ---- */

/* By arithmetic, not by bits: eight digits are left before the point, and rint() takes the even one
 * of two that are as near. */
static double rounded(double x) {
  int exponent;
  if (x == 0 || !isfinite(x)) return x;
  frexp(x, &exponent);
  double nearest = ldexp(rint(ldexp(x, 8 - exponent)), exponent - 8);
  return fabs(nearest) >= ldexp(1, 128) ? copysign(INFINITY, x) : nearest;
}

static double half_of(float pair, bool upper) {
  uint32_t bits;
  float value;
  memcpy(&bits, &pair, sizeof bits);
  bits = upper ? bits & 0xffff0000 : bits << 16;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static void check_half(float pair, bool upper, double x, size_t i) {
  check_value(half_of(pair, upper), rounded(x), 0, upper ? "upper half" : "lower half", i);
}

/* Also halfway between two, beyond the largest, and what is no number. */
static void fill_special(float *x, size_t count) {
  static const float values[] = {1.00390625f, 1.01171875f, -1.00390625f, -0.0f,     3.4e38f,
                                 -3.4e38f,    INFINITY,    -INFINITY,    NAN,       1.0f,
                                 1.0039063f,  1.0039062f,  1.2e-38f,     -7.77e20f, 255.5f};
  for (size_t i = 0; i < count; i++)
    if (i % 3 == 1) x[i] = values[i / 3 % (sizeof values / sizeof *values)];
}

static void test_narrowing(const msk_kernels *k, size_t n) {
  size_t pairs = (n + 1) / 2;
  float *x = paged_new(n * sizeof *x), *y = guarded_new(pairs), *values = random_new(n, n, 4);
  memcpy(x, values, n * sizeof *x);
  fill_special(x, n);
  k->narrow_pairs(n, x, y);
  guarded_check(y, pairs);
  for (size_t i = 0; i < 2 * pairs; i++) check_half(y[i / 2], i % 2, i < n ? (double)x[i] : 0, i);
  k->narrow_pairs(n, x, x);
  assert_memory_equal(x, y, pairs * sizeof *x);
  paged_free(x, n * sizeof *x), guarded_free(y), guarded_free(values);
}

static void test_joining(const msk_kernels *k, size_t n) {
  float *low = random_new(n, 1, 4), *high = random_new(n, 2, 4), *y = guarded_new(n),
        *again = guarded_new(n);
  fill_special(low, n), fill_special(high, n);
  for (int with = 0; with < 2; with++) {
    k->join_pairs(n, low, with ? high : NULL, y);
    guarded_check(y, n);
    for (size_t j = 0; j < n; j++) {
      check_half(y[j], false, low[j], j);
      check_half(y[j], true, with ? (double)high[j] : 0, j);
    }
  }
  memcpy(again, low, n * sizeof *again);
  k->join_pairs(n, again, high, again);
  assert_memory_equal(again, y, n * sizeof *y);
  memcpy(again, high, n * sizeof *again);
  k->join_pairs(n, low, again, again);
  assert_memory_equal(again, y, n * sizeof *y);
  guarded_free(low), guarded_free(high), guarded_free(y), guarded_free(again);
}

/* ---- products ---- */

static float *random_pairs(const msk_kernels *k, size_t count, uint64_t seed) {
  float *low = random_new(count, seed, 1), *high = random_new(count, seed + 100, 1);
  k->join_pairs(count, low, high, low);
  guarded_free(high);
  return low;
}

/* columns: a lies transposed. The chain of the contract, and a float64 sum beside it. */
static void product_case(const msk_kernels *k, size_t rows, size_t width, size_t depth, bool add,
                         bool columns) {
  size_t stride = columns ? rows + 2 : depth + 3, c_stride = width + 5,
         a_count = columns ? depth * stride : rows * stride;
  float *a = random_pairs(k, a_count, 1), *b = random_pairs(k, depth * width, 2),
        *c = random_new(rows * c_stride, 3, 1), *before = random_new(rows * c_stride, 3, 1);
  if (columns) {
    k->pairs_columns(rows, width, depth, a, stride, b, c, c_stride, add);
  } else {
    k->pairs_panel(rows, width, depth, a, stride, b, c, c_stride, add, b);
  }
  guarded_check(c, rows * c_stride);
  for (size_t i = 0; i < rows * c_stride; i++) {
    size_t row = i / c_stride, column = i % c_stride;
    if (column >= width) {
      assert_true(c[i] == before[i]);
      continue;
    }
    float sum = 0;
    double exact = 0, size = 0;
    for (size_t d = 0; d < depth; d++) {
      float x = columns ? a[d * stride + row] : a[row * stride + d], y = b[d * width + column];
      for (int upper = 1; upper >= 0; upper--) {
        double product = half_of(x, upper) * half_of(y, upper);
        sum = fmaf((float)half_of(x, upper), (float)half_of(y, upper), sum);
        exact += product, size += fabs(product);
      }
    }
    check_value(sum, exact, (2 * (double)depth + 1) * UNIT * size, "the chain", i);
    check_value(c[i], add ? before[i] + sum : sum, 0, "product", i);
  }
  guarded_free(a), guarded_free(b), guarded_free(c), guarded_free(before);
}

static void test_kernels(const msk_device *device) {
  static const size_t depths[] = {1, 2, 17, 66};
  const msk_kernels *k = &device->kernels;
  for (size_t i = 0; i < LENGTHS; i++) test_narrowing(k, lengths[i]), test_joining(k, lengths[i]);
  for (size_t rows = 1; rows <= 2 * k->tile_rows + 3; rows++) {
    for (size_t width = k->lanes; width <= k->panel; width += k->lanes) {
      for (size_t d = 0; d < 4; d++) {
        product_case(k, rows, width, depths[d], (rows + d) % 2, false);
        product_case(k, rows, width, depths[d], (rows + d) % 2, true);
      }
    }
  }
}

/* ---- linear layers ---- */

/* Blocks of in x out / 3 or so, side by side, as q, k and v are. */
typedef struct dense_case {
  size_t rows, in, out, parts, widths[3];
  float *x, *w, *bias, *dy, *dw, *db, *dx, *y, *panels;
} dense_case;

static void run_dense(msk_stream *stream, const void *arguments) {
  const dense_case *c = arguments;
  msk_rows x = msk_rows_columns(msk_rows_at(c->x, c->rows, c->in + 2), 0, c->in),
           dy = msk_rows_columns(msk_rows_at(c->dy, c->rows, c->out + 3), 0, c->out), w[3];
  for (size_t i = 0, first = 0; i < c->parts; first += c->widths[i++])
    w[i] = msk_rows_columns(msk_rows_at(c->w, c->in, c->out), first, c->widths[i]);
  msk_op_pack(stream, w, c->parts, false, c->panels);
  msk_op_dense(stream, "y", c->panels, c->bias, x, MSK_ACT_NONE, MSK_NO_ROWS,
               msk_rows_at(c->y, c->rows, c->out));
  msk_op_pack(stream, w, c->parts, true, c->panels);
  msk_op_dense(stream, "dx", c->panels, NULL, dy, MSK_ACT_NONE, MSK_NO_ROWS,
               msk_rows_at(c->dx, c->rows, c->in));
  if (!stream->measuring) {
    for (size_t i = 0; i < c->in * c->out; i++) c->dw[i] = 0.5f;
    for (size_t i = 0; i < c->out; i++) c->db[i] = -0.25f;
  }
  msk_op_dense_backward(stream, "dw", x, dy, msk_rows_at(c->dw, c->in, c->out), c->db);
}

/* A sum of products of rounded numbers, and what its float32 chains may differ by. */
struct sum {
  double value, size;
  size_t terms;
};
static void add_product(struct sum *sum, float a, float b) {
  double product = rounded(a) * rounded(b);
  sum->value += product, sum->size += fabs(product), sum->terms++;
}
static void check_sum(const struct sum *sum, float found, double added, const char *what) {
  check_value(found, sum->value + added,
              ((double)sum->terms + 4) * UNIT * (sum->size + fabs(added)), what, 0);
}

static void check_dense(const dense_case *c) {
  uint64_t seed = 5;
  for (size_t i = 0; i < 60; i++) {
    size_t row = test_random(&seed) % c->rows, in = test_random(&seed) % c->in,
           out = test_random(&seed) % c->out;
    const float *x = c->x + row * (c->in + 2), *dy = c->dy + row * (c->out + 3);
    struct sum y = {0}, dx = {0}, dw = {0};
    double db = 0, db_size = 0;
    for (size_t d = 0; d < c->in; d++) add_product(&y, x[d], c->w[d * c->out + out]);
    for (size_t o = 0; o < c->out; o++) add_product(&dx, dy[o], c->w[in * c->out + o]);
    for (size_t r = 0; r < c->rows; r++) {
      double slope = c->dy[r * (c->out + 3) + out];
      add_product(&dw, c->x[r * (c->in + 2) + in], (float)slope);
      db += slope, db_size += fabs(slope);
    }
    check_sum(&y, c->y[row * c->out + out], c->bias[out], "y");
    check_sum(&dx, c->dx[row * c->in + in], 0, "dx");
    check_sum(&dw, c->dw[in * c->out + out], 0.5, "dw");
    /* the bias's sum sees no rounding but float32's */
    check_value(c->db[out], db - 0.25, ((double)c->rows + 4) * UNIT * (db_size + 0.25), "db", out);
  }
}

static void test_dense(const msk_device *device) {
  static const size_t sizes[][6] = {
      {1, 1, 1, 1, 1},        {5, 7, 3, 3, 1, 1},       {13, 17, 19, 2, 8},
      {67, 131, 37, 3, 5, 9}, {33, 263, 70, 3, 35, 12}, {1100, 24, 20, 1, 20},
      {131, 1601, 96, 1, 96}, {2101, 133, 257, 2, 100},
  };
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    size_t rows = sizes[i][0], in = sizes[i][1], out = sizes[i][2], parts = sizes[i][3];
    size_t forward = msk_panels_floats(device, in, out), back = msk_panels_floats(device, out, in),
           most = forward > back ? forward : back;
    dense_case c = {.rows = rows,
                    .in = in,
                    .out = out,
                    .parts = parts,
                    .widths = {sizes[i][4], sizes[i][5]},
                    .x = random_new(rows * (in + 2), 1, 0.5f),
                    .w = random_new(in * out, 2, 0.5f),
                    .bias = random_new(out, 3, 0.5f),
                    .dy = random_new(rows * (out + 3), 4, 0.5f),
                    .dw = guarded_new(in * out),
                    .db = guarded_new(out),
                    .dx = guarded_new(rows * in),
                    .y = guarded_new(rows * out),
                    .panels = guarded_new(most)};
    size_t left = out;
    for (size_t p = 0; p + 1 < parts; p++) left -= c.widths[p];
    c.widths[parts - 1] = left;
    run_operation(device, 1, run_dense, &c);
    guarded_check(c.dw, in * out), guarded_check(c.db, out), guarded_check(c.dx, rows * in);
    guarded_check(c.y, rows * out), guarded_check(c.panels, most);
    check_dense(&c);
    float *results[] = {c.dw, c.db, c.dx, c.y}, *first[4];
    const size_t counts[] = {in * out, out, rows * in, rows * out};
    for (size_t j = 0; j < 4; j++) {
      first[j] = guarded_new(counts[j]);
      memcpy(first[j], results[j], counts[j] * sizeof(float));
    }
    for (size_t t = 0; t < 3; t++) {
      run_operation(device, thread_counts[t], run_dense, &c);
      for (size_t j = 0; j < 4; j++)
        assert_memory_equal(first[j], results[j], counts[j] * sizeof(float));
    }
    float *all[] = {c.x, c.w,      c.bias,   c.dy,     c.dw,     c.db,    c.dx,
                    c.y, c.panels, first[0], first[1], first[2], first[3]};
    for (size_t j = 0; j < sizeof all / sizeof *all; j++) guarded_free(all[j]);
  }
}

/* ---- attention ---- */

typedef struct attention_case {
  msk_attention_shape shape;
  size_t tokens, dim;
  float *qkv, *dout, *out, *slopes;
} attention_case;

static msk_rows third(const attention_case *c, const float *at, size_t index) {
  size_t width = c->shape.heads * c->dim;
  return msk_rows_columns(msk_rows_at(at, c->shape.batch * c->tokens, 3 * width + 1), index * width,
                          width);
}

static void run_attention(msk_stream *stream, const void *arguments) {
  const attention_case *c = arguments;
  size_t rows = c->shape.batch * c->tokens, width = c->shape.heads * c->dim;
  msk_rows q = third(c, c->qkv, 0), k = third(c, c->qkv, 1), v = third(c, c->qkv, 2);
  msk_op_attention(stream, &c->shape, q, k, v, NULL, msk_rows_at(c->out, rows, width));
  msk_op_attention_backward(stream, &c->shape, q, k, v, msk_rows_at(c->dout, rows, width),
                            third(c, c->slopes, 0), third(c, c->slopes, 1), third(c, c->slopes, 2));
}

/* A head in float64, from numbers that are not rounded; and beside each the most that rounding what
 * goes into every product to eight bits can make of it. */
enum { MOST_TOKENS = 257, MOST_DIM = 48 };
static struct head {
  double p[MOST_TOKENS], dp[MOST_TOKENS], ds[MOST_TOKENS];
  double p_error[MOST_TOKENS], dp_error[MOST_TOKENS], ds_error[MOST_TOKENS];
  double out[MOST_TOKENS][MOST_DIM], dq[MOST_TOKENS][MOST_DIM], dk[MOST_TOKENS][MOST_DIM],
      dv[MOST_TOKENS][MOST_DIM];
  double out_error[MOST_TOKENS][MOST_DIM], dq_error[MOST_TOKENS][MOST_DIM],
      dk_error[MOST_TOKENS][MOST_DIM], dv_error[MOST_TOKENS][MOST_DIM];
} head;

/* Both factors of a product are rounded: relative to the product's size. */
static const double twice = 2.02 * BF16_UNIT;

/* sum += x y, of which x is known to within `x_error`. */
static void add_term(double *sum, double *error, double x, double x_error, double y) {
  *sum += x * y;
  *error += (x_error * (1 + twice) + twice * fabs(x)) * fabs(y);
}

static void head_row(const attention_case *c, size_t i, const float *q, const float *k,
                     const float *v, const float *dout) {
  size_t n = c->tokens, dim = c->dim, stride = 3 * c->shape.heads * dim + 1,
         out_stride = c->shape.heads * dim;
  double sum = 0, farthest = 0, mean = 0, mean_error = 0, scale = c->shape.scale;
  for (size_t j = 0; j < n; j++) {
    double s = 0, s_error = 0;
    head.dp[j] = head.dp_error[j] = 0;
    for (size_t d = 0; d < dim; d++) {
      add_term(&s, &s_error, q[i * stride + d], 0, scale * (double)k[j * stride + d]);
      add_term(&head.dp[j], &head.dp_error[j], dout[i * out_stride + d], 0, v[j * stride + d]);
    }
    farthest = fmax(farthest, s_error);
    sum += head.p[j] = exp(s);
  }
  for (size_t j = 0; j < n; j++) {
    head.p[j] /= sum;
    /* a logit and the sum of the others may both be off, in opposite directions */
    head.p_error[j] = head.p[j] * expm1(2 * farthest);
    mean += head.p[j] * head.dp[j];
    mean_error +=
        head.p_error[j] * (fabs(head.dp[j]) + head.dp_error[j]) + head.p[j] * head.dp_error[j];
  }
  for (size_t j = 0; j < n; j++) {
    double apart = head.dp[j] - mean, apart_error = head.dp_error[j] + mean_error;
    head.ds[j] = scale * head.p[j] * apart;
    head.ds_error[j] =
        scale * (head.p_error[j] * (fabs(apart) + apart_error) + head.p[j] * apart_error);
    for (size_t d = 0; d < dim; d++) {
      add_term(&head.out[i][d], &head.out_error[i][d], head.p[j], head.p_error[j],
               v[j * stride + d]);
      add_term(&head.dv[j][d], &head.dv_error[j][d], head.p[j], head.p_error[j],
               dout[i * out_stride + d]);
      add_term(&head.dq[i][d], &head.dq_error[i][d], head.ds[j], head.ds_error[j],
               k[j * stride + d]);
      add_term(&head.dk[j][d], &head.dk_error[j][d], head.ds[j], head.ds_error[j],
               q[i * stride + d]);
    }
  }
}

static void check_head(const attention_case *c, size_t sequence, size_t number) {
  size_t width = c->shape.heads * c->dim, first = sequence * c->tokens, column = number * c->dim,
         stride = 3 * width + 1;
  const float *q = c->qkv + first * stride + column, *dout = c->dout + first * width + column,
              *slopes = c->slopes + first * stride + column;
  memset(&head, 0, sizeof head);
  for (size_t i = 0; i < c->tokens; i++) head_row(c, i, q, q + width, q + 2 * width, dout);
  for (size_t i = 0; i < c->tokens; i++) {
    for (size_t d = 0; d < c->dim; d++) {
      check_value(c->out[(first + i) * width + column + d], head.out[i][d],
                  head.out_error[i][d] + 1e-6, "attention", i);
      check_value(slopes[i * stride + d], head.dq[i][d], head.dq_error[i][d] + 1e-5, "dq", i);
      check_value(slopes[i * stride + width + d], head.dk[i][d], head.dk_error[i][d] + 1e-5, "dk",
                  i);
      check_value(slopes[i * stride + 2 * width + d], head.dv[i][d], head.dv_error[i][d] + 1e-5,
                  "dv", i);
    }
  }
}

static void test_attention(const msk_device *device) {
  static const size_t sizes[][4] = {
      {2, 1, 1, 4}, {2, 7, 2, 5}, {1, 67, 2, 16}, {2, 133, 1, 9}, {1, 257, 2, 32}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    size_t batch = sizes[i][0], tokens = sizes[i][1], heads = sizes[i][2], dim = sizes[i][3],
           rows = batch * tokens, stride = 3 * heads * dim + 1;
    attention_case c = {.shape = {.batch = batch, .heads = heads, .scale = 1 / sqrtf((float)dim)},
                        .tokens = tokens,
                        .dim = dim,
                        .qkv = random_new(rows * stride, 1, 0.7f),
                        .dout = random_new(rows * heads * dim, 2, 1),
                        .out = guarded_new(rows * heads * dim),
                        .slopes = guarded_new(rows * stride)};
    run_operation(device, 1, run_attention, &c);
    guarded_check(c.out, rows * heads * dim), guarded_check(c.slopes, rows * stride);
    for (size_t at = 0; at < batch * heads; at++) check_head(&c, at / heads, at % heads);
    float *first = guarded_new(rows * stride);
    memcpy(first, c.slopes, rows * stride * sizeof *first);
    for (size_t t = 0; t < 3; t++) {
      run_operation(device, thread_counts[t], run_attention, &c);
      for (size_t r = 0; r < rows; r++) /* the last column is nobody's */
        assert_memory_equal(first + r * stride, c.slopes + r * stride,
                            (stride - 1) * sizeof *first);
    }
    guarded_free(c.qkv), guarded_free(c.dout), guarded_free(c.out), guarded_free(c.slopes);
    guarded_free(first);
  }
}

/* ---- all of it on every set ---- */

static void every_kernel(void **state) { (void)state, for_each_isa_in_bf16(test_kernels); }
static void every_dense(void **state) { (void)state, for_each_isa_in_bf16(test_dense); }
static void every_attention(void **state) { (void)state, for_each_isa_in_bf16(test_attention); }

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_kernel), cmocka_unit_test(every_dense),
                                     cmocka_unit_test(every_attention)};
  return cmocka_run_group_tests_name("compute bf16", tests, NULL, NULL);
}
