/* SPDX-License-Identifier: Apache-2.0
 *
 * test_backward_maps.c - the gradients of convolutions, group norm, pooling and upsampling: against
 * sums of products and central differences in float64, at odd sizes and around the tile, between
 * guards, on every instruction set; the same bytes for any number of threads. */
#include "slopes.h"

#include "compute/backward.h"

/* ---- convolutions ---- */

typedef struct filters_case {
  msk_filters filters;
  size_t batch, height, width; /* of x */
  float *x, *w, *bias, *dy, *residual, *y, *dx, *dw, *db, *panels, *turned;
} filters_case;

static msk_map input_map(const filters_case *c, const float *at) {
  return msk_map_at(at, c->batch, c->height, c->width, c->filters.in);
}

/* What x was upsampled to. */
static msk_map wide_map(const filters_case *c, const float *at) {
  size_t by = c->filters.upsample;
  return msk_map_at(at, c->batch, by * c->height, by * c->width, c->filters.in);
}

static msk_map output_map(const filters_case *c, const float *at) {
  msk_map wide = wide_map(c, NULL);
  size_t by = c->filters.stride;
  return msk_map_at(at, c->batch, msk_ceiling(wide.height, by), msk_ceiling(wide.width, by),
                    c->filters.out);
}

static size_t floats_of(msk_map map) { return map.batch * map.height * map.width * map.channels; }

static void run_filters(msk_stream *stream, const void *arguments) {
  const filters_case *c = arguments;
  const msk_filters *f = &c->filters;
  msk_map dy = output_map(c, c->dy), x = input_map(c, c->x);
  msk_op_pack_filters(stream, f, c->w, false, c->panels);
  msk_op_pack_filters(stream, f, c->w, true, c->turned);
  msk_op_filters(stream, f, c->panels, c->bias, x, MSK_NO_MAP, output_map(c, c->y));
  msk_op_filters_backward(stream, f, c->turned, dy, wide_map(c, c->residual), wide_map(c, c->dx));
  if (!stream->measuring) { /* the second run of the same case begins from the same */
    for (size_t i = 0; i < f->kernel * f->kernel * f->in * f->out; i++) c->dw[i] = 0.5f;
    for (size_t i = 0; i < f->out; i++) c->db[i] = -0.25f;
  }
  msk_op_filters_weights(stream, f, x, dy, c->dw, c->db);
}

/* x or the like at a place of the padded, upsampled picture; 0 outside. */
static double padded(msk_map wide, size_t picture, long y, long x, size_t channel) {
  if (y < 0 || x < 0 || y >= (long)wide.height || x >= (long)wide.width) return 0;
  return wide
      .at[((picture * wide.height + (size_t)y) * wide.width + (size_t)x) * wide.channels + channel];
}

struct place {
  size_t picture, y, x, in, out, ky, kx;
};

static long before(const filters_case *c, size_t side, size_t outputs) {
  long padding = (long)((outputs - 1) * c->filters.stride + c->filters.kernel) - (long)side;
  return padding > 0 ? padding / 2 : 0;
}

/* Sums over what touches one output, one input and one weight; sizes bound their rounding. */
static void check_output(const filters_case *c, msk_map wide, const struct place *p) {
  const msk_filters *f = &c->filters;
  msk_map y = output_map(c, c->y);
  long top = before(c, wide.height, y.height), left = before(c, wide.width, y.width);
  double sum = c->bias[p->out], size = fabs(sum);
  for (size_t i = 0; i < f->kernel * f->kernel * f->in; i++) {
    size_t tap = i / f->in, channel = i % f->in;
    double product = padded(wide, p->picture, (long)(p->y * f->stride + tap / f->kernel) - top,
                            (long)(p->x * f->stride + tap % f->kernel) - left, channel) *
                     (double)c->w[i * f->out + p->out];
    sum += product, size += fabs(product);
  }
  check_value(padded(y, p->picture, (long)p->y, (long)p->x, p->out), sum, 4e-6 * (size + 1), "y",
              p->out);
}

static void check_input(const filters_case *c, msk_map wide, size_t picture, size_t y, size_t x,
                        size_t in) {
  const msk_filters *f = &c->filters;
  msk_map dy = output_map(c, c->dy);
  long top = before(c, wide.height, dy.height), left = before(c, wide.width, dy.width),
       stride = (long)f->stride;
  double sum = padded(wide_map(c, c->residual), picture, (long)y, (long)x, in), size = fabs(sum);
  for (size_t tap = 0; tap < f->kernel * f->kernel; tap++) {
    long oy = (long)y + top - (long)(tap / f->kernel),
         ox = (long)x + left - (long)(tap % f->kernel);
    if (oy % stride != 0 || ox % stride != 0) continue;
    for (size_t o = 0; o < f->out; o++) {
      double product = padded(dy, picture, oy / stride, ox / stride, o) *
                       (double)c->w[(tap * f->in + in) * f->out + o];
      sum += product, size += fabs(product);
    }
  }
  check_value(padded(wide_map(c, c->dx), picture, (long)y, (long)x, in), sum, 4e-6 * (size + 1),
              "dx", in);
}

static void check_weight(const filters_case *c, msk_map wide, const struct place *p) {
  const msk_filters *f = &c->filters;
  msk_map dy = output_map(c, c->dy);
  long top = before(c, wide.height, dy.height), left = before(c, wide.width, dy.width);
  double sum = 0.5, size = 0.5, bias = -0.25;
  for (size_t i = 0; i < c->batch * dy.height * dy.width; i++) {
    size_t picture = i / (dy.height * dy.width), oy = i / dy.width % dy.height, ox = i % dy.width;
    double slope = padded(dy, picture, (long)oy, (long)ox, p->out);
    double product = slope * padded(wide, picture, (long)(oy * f->stride + p->ky) - top,
                                    (long)(ox * f->stride + p->kx) - left, p->in);
    sum += product, size += fabs(product) + fabs(slope);
    bias += slope;
  }
  size_t at = ((p->ky * f->kernel + p->kx) * f->in + p->in) * f->out + p->out;
  check_value(c->dw[at], sum, 4e-6 * (size + 1), "dw", at);
  check_value(c->db[p->out], bias, 4e-6 * (size + 1), "db", p->out);
}

static float *widened(const filters_case *c) {
  if (c->filters.upsample == 1) return c->x;
  msk_map x = input_map(c, c->x), wide = wide_map(c, NULL);
  float *to = guarded_new(floats_of(wide));
  for (size_t i = 0; i < floats_of(wide); i++) {
    size_t channel = i % x.channels, ox = i / x.channels % wide.width / 2,
           oy = i / (x.channels * wide.width) % wide.height / 2,
           picture = i / (x.channels * wide.width * wide.height);
    to[i] = x.at[((picture * x.height + oy) * x.width + ox) * x.channels + channel];
  }
  return to;
}

static void check_filters(const filters_case *c) {
  const msk_filters *f = &c->filters;
  msk_map wide = wide_map(c, widened(c)), y = output_map(c, NULL);
  uint64_t seed = 5;
  for (size_t i = 0; i < 150; i++) {
    struct place p = {.picture = test_random(&seed) % c->batch,
                      .y = test_random(&seed) % y.height,
                      .x = test_random(&seed) % y.width,
                      .in = test_random(&seed) % f->in,
                      .out = test_random(&seed) % f->out,
                      .ky = test_random(&seed) % f->kernel,
                      .kx = test_random(&seed) % f->kernel};
    check_output(c, wide, &p);
    check_input(c, wide, p.picture, test_random(&seed) % wide.height,
                test_random(&seed) % wide.width, p.in);
    check_weight(c, wide, &p);
  }
  if (wide.at != c->x) guarded_free(wide.at);
}

static filters_case filters_new(const msk_device *device, msk_filters f, size_t batch,
                                size_t height, size_t width) {
  filters_case c = {.filters = f, .batch = batch, .height = height, .width = width};
  size_t weights = f.kernel * f.kernel * f.in * f.out;
  c.x = random_new(floats_of(input_map(&c, NULL)), 1, 0.5f);
  c.w = random_new(weights, 2, 0.5f);
  c.bias = random_new(f.out, 3, 0.5f);
  c.dy = random_new(floats_of(output_map(&c, NULL)), 4, 0.5f);
  c.residual = random_new(floats_of(wide_map(&c, NULL)), 5, 0.5f);
  c.y = guarded_new(floats_of(output_map(&c, NULL)));
  c.dx = guarded_new(floats_of(wide_map(&c, NULL)));
  c.dw = guarded_new(weights);
  c.db = guarded_new(f.out);
  c.panels = guarded_new(msk_filters_floats(device, &f, false));
  c.turned = guarded_new(msk_filters_floats(device, &f, true));
  return c;
}

static void test_filters(const msk_device *device) {
  static const struct {
    msk_filters filters;
    size_t batch, height, width;
  } cases[] = {
      {{3, 1, 1, 1, 1}, 1, 1, 1},    {{3, 1, 1, 3, 7}, 2, 5, 7},     {{1, 1, 1, 5, 11}, 3, 4, 9},
      {{3, 1, 1, 17, 33}, 1, 13, 6}, {{3, 1, 2, 16, 19}, 2, 5, 3},   {{4, 2, 1, 5, 9}, 2, 7, 10},
      {{4, 2, 1, 16, 8}, 1, 8, 8},   {{3, 1, 1, 48, 40}, 2, 37, 31}, {{3, 1, 2, 3, 5}, 1, 3, 2},
      {{1, 1, 1, 131, 16}, 1, 9, 3},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const msk_filters *f = &cases[i].filters;
    filters_case c = filters_new(device, *f, cases[i].batch, cases[i].height, cases[i].width);
    size_t weights = f->kernel * f->kernel * f->in * f->out, inputs = floats_of(wide_map(&c, NULL));
    run_operation(device, 1, run_filters, &c);
    guarded_check(c.y, floats_of(output_map(&c, NULL)));
    guarded_check(c.dx, inputs), guarded_check(c.dw, weights), guarded_check(c.db, f->out);
    guarded_check(c.panels, msk_filters_floats(device, f, false));
    guarded_check(c.turned, msk_filters_floats(device, f, true));
    check_filters(&c);
    float *dw = guarded_new(weights), *dx = guarded_new(inputs);
    memcpy(dw, c.dw, weights * sizeof *dw), memcpy(dx, c.dx, inputs * sizeof *dx);
    for (int threads = 2; threads <= 8; threads += threads == 2 ? 1 : 5) {
      run_operation(device, threads, run_filters, &c);
      assert_memory_equal(dw, c.dw, weights * sizeof *dw);
      assert_memory_equal(dx, c.dx, inputs * sizeof *dx);
    }
    float *all[] = {c.x, c.w, c.bias, c.dy, c.residual, c.y, c.dx, c.dw, c.db, c.panels, c.turned};
    for (size_t j = 0; j < sizeof all / sizeof *all; j++) guarded_free(all[j]);
    guarded_free(dw), guarded_free(dx);
  }
}

/* ---- group norm ---- */

static double norm_loss(const problem *p) {
  size_t batch = p->sizes[0], pixels = p->sizes[1], channels = p->sizes[2], groups = p->sizes[3],
         wide = channels / groups;
  double loss = 0;
  for (size_t at = 0; at < batch * groups; at++) {
    const double *x = p->terms[0] + at / groups * pixels * channels + at % groups * wide;
    const double *weights = p->weights + (x - p->terms[0]);
    double mean = 0, variance = 0, total = (double)(pixels * wide);
    for (size_t i = 0; i < pixels * wide; i++) mean += x[i / wide * channels + i % wide] / total;
    for (size_t i = 0; i < pixels * wide; i++)
      variance += pow(x[i / wide * channels + i % wide] - mean, 2) / total;
    for (size_t i = 0; i < pixels * wide; i++) {
      size_t c = at % groups * wide + i % wide;
      double t =
          (x[i / wide * channels + i % wide] - mean) / sqrt(variance + 1e-3) * p->terms[1][c] +
          p->terms[2][c];
      loss += weights[i / wide * channels + i % wide] * (p->sizes[4] ? t / (1 + exp(-t)) : t);
    }
  }
  return loss;
}

typedef struct norm_case {
  msk_map x;
  size_t groups;
  bool swish, in_place;
  float *gamma, *beta, *dy, *dx, *dgamma, *dbeta;
} norm_case;

static void run_norm(msk_stream *stream, const void *arguments) {
  const norm_case *c = arguments;
  const msk_norm norm = {c->gamma, c->beta, 1e-3f, c->groups};
  msk_map dy = c->x, dx = c->x;
  dx.at = c->dx, dy.at = c->in_place ? c->dx : c->dy;
  for (size_t i = 0; !stream->measuring && i < c->x.channels; i++)
    c->dgamma[i] = 0.5f, c->dbeta[i] = -0.25f;
  if (!stream->measuring && c->in_place) memcpy(c->dx, c->dy, floats_of(dx) * sizeof(float));
  msk_op_group_norm_backward(stream, c->x, &norm, c->swish, dy, c->dgamma, c->dbeta, dx);
}

static void check_norm(const norm_case *c) {
  size_t channels = c->x.channels, count = floats_of(c->x);
  float *half = random_new(channels, 1, 1), *quarter = random_new(channels, 1, 1);
  for (size_t i = 0; i < channels; i++) half[i] = 0.5f, quarter[i] = -0.25f;
  problem p = {
      .loss = norm_loss,
      .terms = {doubles(c->x.at, count), doubles(c->gamma, channels), doubles(c->beta, channels)},
      .counts = {count, channels, channels},
      .sizes = {c->x.batch, c->x.height * c->x.width, channels, c->groups, c->swish},
      .weights = doubles(c->dy, count)};
  guarded_check(c->dx, count), guarded_check(c->dgamma, channels);
  guarded_check(c->dbeta, channels);
  check_slopes(&p, 0, c->dx, NULL, 2e-5, "group norm, x");
  check_slopes(&p, 1, c->dgamma, half, 2e-5, "group norm, gamma");
  check_slopes(&p, 2, c->dbeta, quarter, 2e-5, "group norm, beta");
  guarded_free(half), guarded_free(quarter);
  for (size_t i = 0; i < 3; i++) free(p.terms[i]);
  free((void *)(uintptr_t)p.weights);
}

static void test_norm(const msk_device *device) {
  static const size_t sizes[][5] = {
      {1, 1, 2, 2, 1}, {2, 3, 5, 6, 3}, {2, 7, 11, 17, 17}, {1, 31, 29, 24, 4}, {1, 13, 17, 66, 2}};
  for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
    const size_t *s = sizes[i / 2];
    size_t count = s[0] * s[1] * s[2] * s[3];
    norm_case c = {.x = msk_map_at(random_new(count, 1, 1), s[0], s[1], s[2], s[3]),
                   .groups = s[4],
                   .swish = i % 2 == 0,
                   .gamma = random_new(s[3], 2, 1),
                   .beta = random_new(s[3], 3, 1),
                   .dy = random_new(count, 4, 1),
                   .dx = guarded_new(count),
                   .dgamma = guarded_new(s[3]),
                   .dbeta = guarded_new(s[3])};
    float *first = guarded_new(count);
    run_operation(device, 1, run_norm, &c);
    check_norm(&c);
    memcpy(first, c.dx, count * sizeof *first);
    c.in_place = true;
    for (int threads = 2; threads <= 8; threads += threads == 2 ? 1 : 5) {
      run_operation(device, threads, run_norm, &c);
      assert_memory_equal(first, c.dx, count * sizeof *first);
    }
    float *all[] = {c.x.at, c.gamma, c.beta, c.dy, c.dx, c.dgamma, c.dbeta, first};
    for (size_t j = 0; j < sizeof all / sizeof *all; j++) guarded_free(all[j]);
  }
}

/* ---- pooling and upsampling: linear, so <dy, forward(x)> = <backward(dy), x> ---- */

static double product(const float *a, const float *b, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += (double)a[i] * (double)b[i];
  return sum;
}

static void test_resizes(const msk_device *device) {
  static const size_t sizes[][4] = {{1, 1, 1, 1}, {2, 5, 7, 3}, {1, 8, 6, 17}, {2, 2, 9, 16}};
  msk_stream stream = {.device = device};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    const size_t *s = sizes[i];
    msk_map x = msk_map_at(NULL, s[0], s[1], s[2], s[3]),
            small = msk_map_at(NULL, s[0], (s[1] + 1) / 2, (s[2] + 1) / 2, s[3]),
            large = msk_map_at(NULL, s[0], 2 * s[1], 2 * s[2], s[3]), dx = x, y = small;
    x.at = random_new(floats_of(x), 1, 1), dx.at = guarded_new(floats_of(dx));
    small.at = random_new(floats_of(small), 2, 1), y.at = guarded_new(floats_of(small));
    large.at = random_new(floats_of(large), 3, 1);
    msk_op_average_pool(&stream, x, y);
    msk_op_average_pool_backward(&stream, small, dx);
    guarded_check(dx.at, floats_of(dx));
    check_value(product(small.at, y.at, floats_of(y)), product(dx.at, x.at, floats_of(x)), 1e-4,
                "pool", i);
    msk_op_upsample_backward(&stream, large, dx);
    guarded_check(dx.at, floats_of(dx));
    float *up = guarded_new(floats_of(large));
    for (size_t b = 0; b < s[0]; b++) {
      size_t at = b * s[1] * s[2] * s[3];
      float *one = naive_upsample(x.at + at, s[1], s[2], s[3]);
      memcpy(up + 4 * at, one, 4 * s[1] * s[2] * s[3] * sizeof *up);
      guarded_free(one);
    }
    check_value(product(large.at, up, floats_of(large)), product(dx.at, x.at, floats_of(x)), 1e-4,
                "upsampling", i);
    float *all[] = {x.at, dx.at, small.at, y.at, large.at, up};
    for (size_t j = 0; j < sizeof all / sizeof *all; j++) guarded_free(all[j]);
  }
}

static void every_filter(void **state) { (void)state, for_each_isa(test_filters); }
static void every_norm(void **state) { (void)state, for_each_isa(test_norm); }
static void every_resize(void **state) { (void)state, for_each_isa(test_resizes); }

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_filter), cmocka_unit_test(every_norm),
                                     cmocka_unit_test(every_resize)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
