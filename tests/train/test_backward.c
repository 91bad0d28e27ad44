/* SPDX-License-Identifier: Apache-2.0
 *
 * test_backward.c - training's kernels against their definitions in float64 and against each other,
 * between guards and in place; its operations against central differences in float64, at sizes
 * around the tile, on every instruction set; the same bytes for any number of threads. */
#include "../compute/naive.h"
#include "slopes.h"

#include "compute/backward.h"
#include "compute/cpu/cpu.h"

static const size_t lengths[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 127, 257};
enum { LENGTHS = sizeof lengths / sizeof *lengths };

/* ---- kernels ---- */

static void columns_case(const msk_kernels *k, size_t rows, size_t width, size_t depth, bool add) {
  size_t step = rows + 2, c_stride = width + 5;
  float *a = random_new(depth * step, 1, 1), *b = random_new(depth * width, 2, 1),
        *c = random_new(rows * c_stride, 3, 1), *before = random_new(rows * c_stride, 3, 1);
  k->gemm_columns(rows, width, depth, a, step, b, c, c_stride, add);
  guarded_check(c, rows * c_stride);
  for (size_t i = 0; i < rows * c_stride; i++) {
    size_t row = i / c_stride, column = i % c_stride;
    if (column >= width) {
      assert_true(c[i] == before[i]); /* between rows: untouched */
      continue;
    }
    double value = add ? (double)before[i] : 0, size = fabs(value);
    for (size_t d = 0; d < depth; d++) {
      double product = (double)a[d * step + row] * (double)b[d * width + column];
      value += product;
      size += fabs(product);
    }
    check_value(c[i], value, ((double)depth + 1) * UNIT * size + FLT_MIN, "columns", i);
  }
  guarded_free(a), guarded_free(b), guarded_free(c), guarded_free(before);
}

static void test_columns(const msk_kernels *k) {
  static const size_t depths[] = {1, 2, 17, 66};
  for (size_t rows = 1; rows <= 2 * k->tile_rows + 3; rows++) {
    for (size_t width = k->lanes; width <= k->panel; width += k->lanes) {
      for (size_t d = 0; d < 4; d++) columns_case(k, rows, width, depths[d], (rows + d) % 2);
    }
  }
}

/* x ends at a page that may not be touched. */
static void test_pack_tiles(const msk_kernels *k) {
  for (size_t columns = 1; columns <= 3 * k->tile_rows + 1; columns++) {
    enum { DEPTH = 5 };
    size_t tiles = (columns + k->tile_rows - 1) / k->tile_rows, count = columns * DEPTH;
    float *x = paged_new(count * sizeof *x), *y = guarded_new(tiles * DEPTH * k->tile_rows);
    for (size_t i = 0; i < count; i++) x[i] = (float)i;
    k->pack_tiles(DEPTH, columns, x, columns, y);
    guarded_check(y, tiles * DEPTH * k->tile_rows);
    for (size_t i = 0; i < count; i++) {
      size_t column = i % columns, at = column / k->tile_rows * DEPTH + i / columns;
      assert_true(y[at * k->tile_rows + column % k->tile_rows] == x[i]);
    }
    paged_free(x, count * sizeof *x), guarded_free(y);
  }
}

static void test_gelu(const msk_kernels *k, size_t n) {
  float *h = random_new(n, 1, 4), *dg = random_new(n, 2, 1), *g = guarded_new(n),
        *dh = guarded_new(n);
  k->gelu_backward_row(n, h, dg, g, dh);
  guarded_check(g, n), guarded_check(dh, n);
  for (size_t j = 0; j < n; j++) {
    double x = h[j], e = 1e-5, value = naive_activation(x, MSK_ACT_GELU_TANH);
    double slope =
        (naive_activation(x + e, MSK_ACT_GELU_TANH) - naive_activation(x - e, MSK_ACT_GELU_TANH)) /
        (2 * e);
    check_value(g[j], value, UNIT * (14 * fabs(value) + 3 * fabs(x) + 3), "gelu", j);
    check_value(dh[j], (double)dg[j] * slope, UNIT * fabs((double)dg[j]) * (40 + 8 * fabs(x)),
                "gelu's slope", j);
  }
  k->gelu_backward_row(n, h, dg, g, dg); /* in place */
  assert_memory_equal(dg, dh, n * sizeof *dg);
  guarded_free(h), guarded_free(dg), guarded_free(g), guarded_free(dh);
}

static void test_softmax_backward(const msk_kernels *k, size_t n) {
  float *e = random_new(n, 1, 1), *dp = random_new(n, 2, 1), *ds = guarded_new(n), share = 0.3f;
  double mean = 0, size = 0;
  float *before = random_new(n, 1, 1);
  k->softmax_backward_row(n, e, share, dp, 0.7f, ds);
  guarded_check(e, n), guarded_check(ds, n);
  for (size_t j = 0; j < n; j++) {
    double product = (double)before[j] * (double)share * (double)dp[j];
    mean += product;
    size += fabs(product);
  }
  for (size_t j = 0; j < n; j++) {
    double p = (double)before[j] * (double)share;
    check_value(e[j], p, 2 * UNIT * fabs(p), "p", j);
    check_value(ds[j], 0.7f * p * ((double)dp[j] - mean),
                UNIT * fabs(p) * ((double)(n + 6) * size + 6 * fabs((double)dp[j])), "ds", j);
  }
  guarded_free(e), guarded_free(dp), guarded_free(ds), guarded_free(before);
}

static double naive_distance(const double *s, const double *t, size_t n, msk_distance kind) {
  double sums[2] = {0}, value = 0;
  for (size_t j = 0; j < n; j++) sums[0] += exp(s[j]), sums[1] += exp(t[j]);
  for (size_t j = 0; j < n; j++) {
    double la = s[j] - log(sums[0]), lb = t[j] - log(sums[1]);
    value += kind == MSK_DISTANCE_SYMMETRIC_KL ? (exp(la) - exp(lb)) * (la - lb)
                                               : -(exp(la) * lb + exp(lb) * la) / 2;
  }
  return value;
}

/* From logits of two rows; the gradient's tolerance is of the largest logarithm's rounding. */
static void test_distance(const msk_kernels *k, size_t n, msk_distance kind, double spread) {
  double s[2][260], at[2][260];
  float *p[2], *l[2], *d[2];
  uint64_t seed = n;
  for (size_t i = 0; i < 2; i++) {
    double sum = 0;
    p[i] = guarded_new(n), l[i] = guarded_new(n), d[i] = guarded_new(n);
    for (size_t j = 0; j < n; j++) s[i][j] = spread * (double)test_uniform(&seed, -1, 1);
    for (size_t j = 0; j < n; j++) sum += exp(s[i][j]);
    for (size_t j = 0; j < n; j++) {
      l[i][j] = (float)(s[i][j] - log(sum));
      p[i][j] = (float)exp(s[i][j] - log(sum));
    }
  }
  double value = naive_distance(s[0], s[1], n, kind), allowed = 40 * UNIT * (1 + 2 * spread);
  float found = k->distance_row(kind, n, p[0], p[1], l[0], l[1], 0, NULL, NULL);
  check_value(found, value, allowed * (1 + fabs(value)), "distance", 0);
  found = k->distance_row(kind, n, p[0], p[1], l[0], l[1], 1.5f, d[0], d[1]);
  check_value(found, value, allowed * (1 + fabs(value)), "distance", 0);
  for (size_t i = 0; i < 2; i++) {
    guarded_check(d[i], n);
    memcpy(at, s, sizeof at);
    for (size_t j = 0; j < n; j++) {
      at[i][j] = s[i][j] + 1e-5;
      double up = naive_distance(at[0], at[1], n, kind);
      at[i][j] = s[i][j] - 1e-5;
      double slope = (up - naive_distance(at[0], at[1], n, kind)) / 2e-5;
      at[i][j] = s[i][j];
      check_value(d[i][j], 1.5 * slope, allowed + 1e-9, "distance's slope", j);
    }
  }
  float *copies[2] = {guarded_new(n), guarded_new(n)};
  for (size_t i = 0; i < 2; i++) memcpy(copies[i], l[i], n * sizeof(float));
  k->distance_row(kind, n, p[0], p[1], copies[0], copies[1], 1.5f, copies[0], copies[1]);
  for (size_t i = 0; i < 2; i++) assert_memory_equal(copies[i], d[i], n * sizeof(float));
  for (size_t i = 0; i < 2; i++)
    guarded_free(p[i]), guarded_free(l[i]), guarded_free(d[i]), guarded_free(copies[i]);
}

static void test_kernels(const msk_device *device) {
  const msk_kernels *k = &device->kernels;
  test_columns(k);
  test_pack_tiles(k);
  for (size_t i = 0; i < LENGTHS; i++) {
    test_gelu(k, lengths[i]);
    test_softmax_backward(k, lengths[i]);
    for (int kind = 0; kind < 2; kind++) {
      msk_distance distance = kind == 0 ? MSK_DISTANCE_SYMMETRIC_KL : MSK_DISTANCE_CROSS_ENTROPY;
      test_distance(k, lengths[i], distance, 2);
      test_distance(k, lengths[i], distance, 30);
    }
  }
}

/* ---- linear layers ---- */

typedef struct dense_case {
  size_t rows, in, out;
  float *x, *w, *bias, *dy, *dw, *db, *dx, *y, *panels;
} dense_case;

static void run_dense(msk_stream *stream, const void *arguments) {
  const dense_case *c = arguments;
  /* rows of dy lie a little apart */
  msk_rows x = msk_rows_at(c->x, c->rows, c->in),
           dy = msk_rows_columns(msk_rows_at(c->dy, c->rows, c->out + 3), 0, c->out);
  msk_rows w = msk_rows_at(c->w, c->in, c->out);
  msk_op_pack(stream, &w, 1, false, c->panels);
  msk_op_dense(stream, "y", c->panels, c->bias, x, MSK_ACT_NONE, MSK_NO_ROWS,
               msk_rows_at(c->y, c->rows, c->out));
  msk_op_pack(stream, &w, 1, true, c->panels);
  msk_op_dense(stream, "dx", c->panels, NULL, dy, MSK_ACT_NONE, MSK_NO_ROWS,
               msk_rows_at(c->dx, c->rows, c->in));
  if (!stream->measuring) { /* the second run of the same case begins from the same */
    for (size_t i = 0; i < c->in * c->out; i++) c->dw[i] = 0.5f;
    for (size_t i = 0; i < c->out; i++) c->db[i] = -0.25f;
  }
  msk_op_dense_backward(stream, "dw", x, dy, msk_rows_at(c->dw, c->in, c->out), c->db);
}

/* Bilinear: the slopes are sums of products, known to the last of their bounds. */
static void check_dense(const dense_case *c) {
  size_t stride = c->out + 3;
  uint64_t seed = 5;
  for (size_t i = 0; i < SAMPLES; i++) {
    size_t row = test_random(&seed) % c->rows, in = test_random(&seed) % c->in,
           out = test_random(&seed) % c->out;
    double dw = 0, db = 0, dx = 0, y = 0, size = 0;
    for (size_t r = 0; r < c->rows; r++) {
      double slope = c->dy[r * stride + out];
      dw += (double)c->x[r * c->in + in] * slope;
      db += slope;
      size += 2 * fabs(slope) * (1 + fabs((double)c->x[r * c->in + in]));
    }
    check_value(c->dw[in * c->out + out], 0.5 + dw, 20 * UNIT * (size + 1) * 8, "dw", in);
    check_value(c->db[out], -0.25 + db, 20 * UNIT * (size + 1) * 8, "db", out);
    for (size_t o = 0; o < c->out; o++)
      dx += (double)c->dy[row * stride + o] * (double)c->w[in * c->out + o];
    for (size_t d = 0; d < c->in; d++)
      y += (double)c->x[row * c->in + d] * (double)c->w[d * c->out + out];
    check_value(c->dx[row * c->in + in], dx, 2e-6 * (double)(c->out + 4), "dx", row);
    check_value(c->y[row * c->out + out], y + (double)c->bias[out], 2e-6 * (double)(c->in + 4), "y",
                row);
  }
}

static void test_dense(const msk_device *device) {
  static const size_t sizes[][3] = {{1, 1, 1},     {5, 7, 3},      {13, 17, 19},    {67, 131, 37},
                                    {33, 263, 70}, {1100, 24, 20}, {2100, 133, 257}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    size_t rows = sizes[i][0], in = sizes[i][1], out = sizes[i][2];
    size_t most = msk_panels_floats(device, in, out) + msk_panels_floats(device, out, in);
    dense_case c = {rows,
                    in,
                    out,
                    random_new(rows * in, 1, 0.5f),
                    random_new(in * out, 2, 0.5f),
                    random_new(out, 3, 0.5f),
                    random_new(rows * (out + 3), 4, 0.5f),
                    guarded_new(in * out),
                    guarded_new(out),
                    guarded_new(rows * in),
                    guarded_new(rows * out),
                    guarded_new(most)};
    run_operation(device, 1, run_dense, &c);
    guarded_check(c.dw, in * out), guarded_check(c.db, out), guarded_check(c.dx, rows * in);
    guarded_check(c.panels, most);
    check_dense(&c);
    float *first = guarded_new(in * out);
    memcpy(first, c.dw, in * out * sizeof *first);
    for (int threads = 2; threads <= 8; threads += 3) {
      run_operation(device, threads, run_dense, &c);
      assert_memory_equal(first, c.dw, in * out * sizeof *first);
    }
    float *all[] = {c.x, c.w, c.bias, c.dy, c.dw, c.db, c.dx, c.y, c.panels, first};
    for (size_t j = 0; j < sizeof all / sizeof *all; j++) guarded_free(all[j]);
  }
}

/* ---- layer norm ---- */

static double norm_loss(const problem *p) {
  size_t rows = p->sizes[0], dim = p->sizes[1];
  double loss = 0;
  for (size_t r = 0; r < rows; r++) {
    const double *x = p->terms[0] + r * dim;
    double mean = 0, variance = 0;
    for (size_t j = 0; j < dim; j++) mean += x[j] / (double)dim;
    for (size_t j = 0; j < dim; j++) variance += (x[j] - mean) * (x[j] - mean) / (double)dim;
    for (size_t j = 0; j < dim; j++)
      loss += p->weights[r * dim + j] *
              ((x[j] - mean) / sqrt(variance + 1e-3) * p->terms[1][j] + p->terms[2][j]);
  }
  return loss;
}

typedef struct norm_case {
  size_t rows, dim;
  float *x, *gamma, *dy, *dx, *dgamma, *dbeta;
} norm_case;

static void run_norm(msk_stream *stream, const void *arguments) {
  const norm_case *c = arguments;
  const msk_norm norm = {.gamma = c->gamma, .epsilon = 1e-3f};
  msk_op_layer_norm_backward(stream, msk_rows_at(c->x, c->rows, c->dim), &norm,
                             msk_rows_at(c->dy, c->rows, c->dim), c->dgamma, c->dbeta,
                             msk_rows_at(c->dx, c->rows, c->dim));
}

static void test_norm(const msk_device *device) {
  static const size_t sizes[][2] = {{1, 2}, {3, 7}, {17, 33}, {130, 24}, {300, 65}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    size_t rows = sizes[i][0], dim = sizes[i][1], count = rows * dim;
    norm_case c = {rows,
                   dim,
                   random_new(count, 1, 1),
                   random_new(dim, 2, 1),
                   random_new(count, 3, 1),
                   guarded_new(count),
                   random_new(dim, 4, 1),
                   random_new(dim, 5, 1)};
    float *gamma_before = random_new(dim, 4, 1), *beta_before = random_new(dim, 5, 1);
    problem p = {.loss = norm_loss,
                 .terms = {doubles(c.x, count), doubles(c.gamma, dim), calloc(dim, sizeof(double))},
                 .counts = {count, dim, dim},
                 .sizes = {rows, dim},
                 .weights = doubles(c.dy, count)};
    run_operation(device, 3, run_norm, &c);
    guarded_check(c.dx, count), guarded_check(c.dgamma, dim), guarded_check(c.dbeta, dim);
    check_slopes(&p, 0, c.dx, NULL, 2e-5, "layer norm, x");
    check_slopes(&p, 1, c.dgamma, gamma_before, 2e-5, "layer norm, gamma");
    check_slopes(&p, 2, c.dbeta, beta_before, 2e-5, "layer norm, beta");
    float *all[] = {c.x, c.gamma, c.dy, c.dx, c.dgamma, c.dbeta, gamma_before, beta_before};
    for (size_t j = 0; j < sizeof all / sizeof *all; j++) guarded_free(all[j]);
    free(p.terms[0]), free(p.terms[1]), free(p.terms[2]), free((void *)(uintptr_t)p.weights);
  }
}

/* ---- cross-entropy ---- */

static double entropy_loss(const problem *p) {
  size_t rows = p->sizes[0], columns = p->sizes[1];
  const int32_t *targets = p->other;
  double loss = 0, smoothing = *p->weights;
  for (size_t r = 0; r < rows; r++) {
    const double *s = p->terms[0] + r * columns;
    double sum = 0;
    for (size_t j = 0; j < columns; j++) sum += exp(s[j]);
    for (size_t j = 0; j < columns; j++)
      loss -= (smoothing / (double)columns + (targets[r] == (int32_t)j ? 1 - smoothing : 0)) *
              (s[j] - log(sum));
  }
  return loss;
}

static void test_cross_entropy(const msk_device *device) {
  static const size_t sizes[][2] = {{1, 1}, {3, 7}, {17, 33}, {20, 512}};
  for (size_t i = 0; i < 8; i++) {
    size_t rows = sizes[i / 2][0], columns = sizes[i / 2][1], count = rows * columns;
    double smoothing = i % 2 == 0 ? 0 : 0.1, sum = 0;
    float *logits = random_new(count, 1, 4), *losses = guarded_new(rows);
    int32_t targets[32];
    for (size_t r = 0; r < rows; r++) targets[r] = (int32_t)(r * 5 % columns);
    problem p = {.loss = entropy_loss,
                 .terms = {doubles(logits, count)},
                 .counts = {count},
                 .sizes = {rows, columns},
                 .weights = &smoothing,
                 .other = targets};
    msk_stream stream = {.device = device};
    msk_op_cross_entropy(&stream, targets, (float)smoothing, 1, losses,
                         msk_rows_at(logits, rows, columns));
    guarded_check(logits, count), guarded_check(losses, rows);
    for (size_t r = 0; r < rows; r++) sum += losses[r];
    check_value(sum, entropy_loss(&p), 1e-5 * (1 + fabs(sum)), "cross-entropy", i);
    check_slopes(&p, 0, logits, NULL, 2e-6, "cross-entropy's slope");
    guarded_free(logits), guarded_free(losses), free(p.terms[0]);
  }
}

/* ---- attention ---- */

/* softmax(scale q k') of a head's row i into p; terms: q, k. */
static void attention_row(const problem *p, size_t sequence, size_t head, size_t i, double *row) {
  size_t tokens = p->sizes[1], heads = p->sizes[2], dim = p->sizes[3], width = heads * dim;
  const double *q = p->terms[0] + (sequence * tokens + i) * width + head * dim;
  double sum = 0;
  for (size_t j = 0; j < tokens; j++) {
    const double *k = p->terms[1] + (sequence * tokens + j) * width + head * dim;
    double s = 0;
    for (size_t d = 0; d < dim; d++) s += q[d] * k[d];
    sum += row[j] = exp(s / sqrt((double)dim));
  }
  for (size_t j = 0; j < tokens; j++) row[j] /= sum;
}

static double attention_loss(const problem *p) {
  size_t batch = p->sizes[0], tokens = p->sizes[1], heads = p->sizes[2], dim = p->sizes[3];
  double loss = 0, row[160];
  for (size_t at = 0; at < batch * heads * tokens; at++) {
    size_t sequence = at / (heads * tokens), head = at / tokens % heads, i = at % tokens;
    attention_row(p, sequence, head, i, row);
    for (size_t j = 0; j < tokens; j++) {
      for (size_t d = 0; d < dim; d++)
        loss += p->weights[((sequence * tokens + i) * heads + head) * dim + d] * row[j] *
                p->terms[2][((sequence * tokens + j) * heads + head) * dim + d];
    }
  }
  return loss;
}

static double distance_loss(const problem *p) {
  size_t pairs = p->sizes[0] / 2, tokens = p->sizes[1], heads = p->sizes[2];
  double loss = 0, a[160], b[160];
  for (size_t at = 0; at < pairs * heads * tokens; at++) {
    size_t pair = at / (heads * tokens), head = at / tokens % heads, i = at % tokens;
    attention_row(p, pair, head, i, a);
    attention_row(p, pairs + pair, head, i, b);
    for (size_t j = 0; j < tokens; j++)
      loss += p->weights[pair * tokens + i] * (p->sizes[4] == MSK_DISTANCE_SYMMETRIC_KL
                                                   ? (a[j] - b[j]) * (log(a[j]) - log(b[j]))
                                                   : -(a[j] * log(b[j]) + b[j] * log(a[j])) / 2);
  }
  return loss;
}

typedef struct attention_case {
  msk_attention_shape shape;
  size_t tokens, width;
  msk_distance distance;
  bool attends; /* else distances */
  float *qkv, *dout, *slopes, *values, *weights;
} attention_case;

static msk_rows third(const attention_case *c, const float *at, size_t index) {
  msk_rows whole = msk_rows_at(at, c->shape.batch * c->tokens, 3 * c->width + 1);
  return msk_rows_columns(whole, index * c->width, c->width);
}

static void run_attention(msk_stream *stream, const void *arguments) {
  const attention_case *c = arguments;
  msk_rows q = third(c, c->qkv, 0), k = third(c, c->qkv, 1), dq = third(c, c->slopes, 0),
           dk = third(c, c->slopes, 1);
  if (c->attends) {
    msk_op_attention_backward(stream, &c->shape, q, k, third(c, c->qkv, 2),
                              msk_rows_at(c->dout, q.rows, c->width), dq, dk,
                              third(c, c->slopes, 2));
    return;
  }
  for (size_t i = 0; !stream->measuring && i < q.rows * dq.stride; i++) c->slopes[i] = 0.125f;
  msk_op_attention_distance(stream, &c->shape, c->distance, q, k, c->values);
  msk_op_attention_distance_backward(stream, &c->shape, c->distance, q, k, c->weights, dq, dk);
}

/* A view's rows, one after the other. */
static float *packed(msk_rows view) {
  float *to = guarded_new(view.rows * view.columns);
  for (size_t r = 0; r < view.rows; r++)
    memcpy(to + r * view.columns, view.at + r * view.stride, view.columns * sizeof *to);
  return to;
}

static void attention_problem(const msk_device *device, size_t batch, size_t tokens, size_t heads,
                              size_t dim, int kind) {
  static const msk_distance kinds[] = {MSK_DISTANCE_SYMMETRIC_KL, MSK_DISTANCE_SYMMETRIC_KL,
                                       MSK_DISTANCE_CROSS_ENTROPY};
  size_t width = heads * dim, rows = batch * tokens, count = rows * width;
  attention_case c = {.shape = {.batch = batch, .heads = heads, .scale = 1 / sqrtf((float)dim)},
                      .tokens = tokens,
                      .width = width,
                      .distance = kinds[kind],
                      .attends = kind == 0,
                      .qkv = random_new(rows * (3 * width + 1), 1, 1),
                      .dout = random_new(count, 2, 1),
                      .slopes = guarded_new(rows * (3 * width + 1)),
                      .values = guarded_new(batch / 2 * heads * tokens + 1),
                      .weights = random_new(rows, 3, 1)};
  problem p = {.loss = kind == 0 ? attention_loss : distance_loss,
               .sizes = {batch, tokens, heads, dim, kinds[kind]},
               .weights = kind == 0 ? doubles(c.dout, count) : doubles(c.weights, rows)};
  run_operation(device, 1, run_attention, &c);
  guarded_check(c.slopes, rows * (3 * width + 1));
  for (size_t term = 0; term < 3; term++) {
    float *input = packed(third(&c, c.qkv, term));
    p.terms[term] = doubles(input, count);
    p.counts[term] = count;
    guarded_free(input);
  }
  for (size_t term = 0; term < (kind == 0 ? 3u : 2u); term++) {
    float *found = packed(third(&c, c.slopes, term)), *before = guarded_new(count);
    for (size_t i = 0; i < count; i++) before[i] = 0.125f;
    check_slopes(&p, term, found, kind == 0 ? NULL : before, 5e-5, "attention");
    guarded_free(found), guarded_free(before);
  }
  float *first = packed(msk_rows_at(c.slopes, rows, 3 * width + 1));
  run_operation(device, 3, run_attention, &c);
  for (size_t r = 0; r < rows; r++) /* the last column is nobody's */
    assert_memory_equal(first + r * (3 * width + 1), c.slopes + r * (3 * width + 1),
                        (kind == 0 ? 3 : 2) * width * sizeof *first);
  float *all[] = {c.qkv, c.dout, c.slopes, c.values, c.weights, first};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) guarded_free(all[i]);
  for (size_t term = 0; term < 3; term++) free(p.terms[term]);
  free((void *)(uintptr_t)p.weights);
}

static void test_attention(const msk_device *device) {
  static const size_t sizes[][4] = {{2, 1, 1, 4}, {2, 7, 2, 5}, {2, 67, 1, 16}, {2, 133, 1, 9}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    for (int kind = 0; kind < 3; kind++)
      attention_problem(device, sizes[i][0], sizes[i][1], sizes[i][2], sizes[i][3], kind);
  }
}

/* ---- embedding, chosen rows, sums ---- */

static void test_rows(const msk_device *device) {
  enum { ROWS = 300, DIM = 19, WORDS = 7, POSITIONS = 20 };
  float *dy = random_new(ROWS * DIM, 1, 1), *dwords = guarded_new(WORDS * DIM),
        *dpositions = guarded_new(POSITIONS * DIM), *sums = guarded_new(DIM),
        *scratch = guarded_new(4096);
  int32_t ids[ROWS];
  size_t index[ROWS / 2];
  msk_stream stream = {.device = device, .scratch = scratch, .scratch_bytes = 4096 * 4};
  for (size_t i = 0; i < ROWS; i++) ids[i] = i % 5 == 0 ? MSK_MASK_TOKEN : (int32_t)(i * 3 % WORDS);
  for (size_t i = 0; i < ROWS / 2; i++) index[i] = 2 * i + 1;
  msk_rows whole = msk_rows_at(dy, ROWS, DIM);
  msk_op_zero(&stream, msk_rows_at(dwords, WORDS, DIM));
  msk_op_zero(&stream, msk_rows_at(dpositions, POSITIONS, DIM));
  msk_op_zero(&stream, msk_rows_at(sums, 1, DIM));
  msk_op_embed_backward(&stream, ids, whole, msk_rows_at(dwords, WORDS, DIM),
                        msk_rows_at(dpositions, POSITIONS, DIM));
  msk_op_column_sums(&stream, whole, sums);
  guarded_check(dwords, WORDS * DIM), guarded_check(dpositions, POSITIONS * DIM);
  guarded_check(sums, DIM);
  for (size_t d = 0; d < DIM; d++) {
    double words[WORDS] = {0}, positions[POSITIONS] = {0}, all = 0;
    for (size_t i = 0; i < ROWS; i++) {
      words[ids[i] == MSK_MASK_TOKEN ? WORDS - 1 : ids[i]] += (double)dy[i * DIM + d];
      positions[i % POSITIONS] += (double)dy[i * DIM + d];
      all += (double)dy[i * DIM + d];
    }
    for (size_t w = 0; w < WORDS; w++) check_value(dwords[w * DIM + d], words[w], 1e-4, "word", w);
    for (size_t n = 0; n < POSITIONS; n++)
      check_value(dpositions[n * DIM + d], positions[n], 1e-4, "position", n);
    check_value(sums[d], all, 1e-4, "column", d);
  }
  float *some = guarded_new(ROWS / 2 * DIM), *back = guarded_new(ROWS * DIM);
  msk_op_gather_rows(&stream, whole, index, msk_rows_at(some, ROWS / 2, DIM));
  msk_op_zero(&stream, msk_rows_at(back, ROWS, DIM));
  msk_op_scatter_rows(&stream, msk_rows_at(some, ROWS / 2, DIM), index,
                      msk_rows_at(back, ROWS, DIM));
  guarded_check(some, ROWS / 2 * DIM), guarded_check(back, ROWS * DIM);
  for (size_t i = 0; i < ROWS * DIM; i++) assert_true(back[i] == (i / DIM % 2 == 1 ? dy[i] : 0.0f));
  float *lists[] = {dy, dwords, dpositions, sums, scratch, some, back};
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) guarded_free(lists[i]);
}

/* ---- all of it on every set ---- */

typedef void on_device(const msk_device *device);

static void on_every_set(on_device *test) {
  for (int i = 0; msk_isa_name(i) != NULL; i++) {
    msk_device *device = device_new(msk_isa_name(i));
    test(device);
    msk_device_destroy(device);
  }
}

static void every_kernel(void **state) { (void)state, on_every_set(test_kernels); }
static void every_dense(void **state) { (void)state, on_every_set(test_dense); }
static void every_norm(void **state) { (void)state, on_every_set(test_norm); }
static void every_entropy(void **state) { (void)state, on_every_set(test_cross_entropy); }
static void every_attention(void **state) { (void)state, on_every_set(test_attention); }
static void every_row(void **state) { (void)state, on_every_set(test_rows); }

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_kernel),    cmocka_unit_test(every_dense),
      cmocka_unit_test(every_norm),      cmocka_unit_test(every_entropy),
      cmocka_unit_test(every_attention), cmocka_unit_test(every_row),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
