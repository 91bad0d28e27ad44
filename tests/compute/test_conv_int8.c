/* SPDX-License-Identifier: Apache-2.0
 *
 * test_conv_int8.c - 3 x 3 convolutions in 8 bits, on every instruction set, against the
 * definition (docs/precision.md) written once more: codes by rows of pixels, sums in 64-bit
 * integers, the end in float64; upsampling by filters added in float, as the operation adds
 * them. And what follows from it: the distance from the exact convolution is bounded by the two
 * quantisations' steps; the bits do not depend on threads, batch, nor on the instruction set
 * where weights have the same bits; normalising on the way is normalising first. */
#include "emulated.h"
#include "naive.h"

#include "compute/cpu/cpu.h"

static void for_each_set(void (*test)(const msk_device *device)) {
  int sets = 0;
  for (; tested_set(sets) != NULL; sets++) {
    msk_device *device = tested_device(tested_set(sets), MSK_PRECISION_FP32);
    test(device);
    msk_device_destroy(device);
  }
  assert_true(sets > 0);
}

/* ---- the definition ---- */

/* A picture's rows of pixels in codes: x is about scale[y] * value[y][...]; rows -1 and height
 * are zeros. */
struct coded {
  size_t height, width, channels;
  double *scale;
  long *value;
};

static struct coded code_picture(const float *x, size_t height, size_t width, size_t channels) {
  struct coded coded = {height, width, channels, calloc(height, sizeof(double)),
                        calloc(height * width * channels, sizeof(long))};
  for (size_t y = 0; y < height; y++) {
    const float *row = x + y * width * channels;
    float low = 0, high = 0;
    for (size_t k = 0; k < width * channels; k++)
      low = fminf(low, row[k]), high = fmaxf(high, row[k]);
    float range = high - low, inverse = 255.0f / range;
    long zero = lrintf(-low * inverse);
    coded.scale[y] = range / 255.0f;
    for (size_t k = 0; k < width * channels; k++) {
      long q = lrintf(row[k] * inverse) + zero;
      coded.value[y * width * channels + k] = (q < 0 ? 0 : q > 255 ? 255 : q) - zero;
    }
  }
  return coded;
}

/* The filter of tap (y, x), input c, output o as it is quantised: of a phase of the upsampled
 * picture, filters that meet the same pixel are added. */
static float filter_at(const struct conv_case *c, const float *weight, size_t phase, size_t ty,
                       size_t tx, size_t i, size_t o) {
  size_t y = ty, x = tx, rows = 1, columns = 1, py = phase / 2, px = phase % 2;
  if (c->upsample == 2) {
    y = py ? 2 * ty : ty, rows = ty != py ? 2 : 1;
    x = px ? 2 * tx : tx, columns = tx != px ? 2 : 1;
  }
  float sum = 0;
  for (size_t t = 0; t < rows * columns; t++) {
    sum += weight[(((y + t / columns) * 3 + x + t % columns) * c->in + i) * c->out + o];
  }
  return sum;
}

struct expected {
  double value, size, exact, bound;
};

/* Output (y, x, o) of a picture, by codes and exactly. */
static struct expected expect(const struct conv_case *c, int limit, const struct coded *coded,
                              const float *picture, const float *weight, size_t y, size_t x,
                              size_t o) {
  size_t taps = c->upsample == 2 ? 2 : 3, phase = c->upsample == 2 ? y % 2 * 2 + x % 2 : 0;
  float largest = 0;
  for (size_t t = 0; t < taps * taps * c->in; t++) {
    largest =
        fmaxf(largest,
              fabsf(filter_at(c, weight, phase, t / c->in / taps, t / c->in % taps, t % c->in, o)));
  }
  float inverse = (float)limit / largest, scale = largest / (float)limit;
  struct expected found = {0, 0, 0, 0};
  for (size_t ty = 0; ty < taps; ty++) {
    long row = (long)(y / c->upsample + ty + phase / 2) - 1, sum = 0;
    if (row < 0 || row >= (long)c->height) continue;
    for (size_t tx = 0; tx < taps; tx++) {
      long column = (long)(x / c->upsample + tx + phase % 2) - 1;
      if (column < 0 || column >= (long)c->width) continue;
      for (size_t i = 0; i < c->in; i++) {
        size_t at = ((size_t)row * c->width + (size_t)column) * c->in + i;
        float w = filter_at(c, weight, phase, ty, tx, i, o);
        sum += coded->value[at] * lrintf(w * inverse);
        found.exact += (double)picture[at] * w;
        found.bound +=
            coded->scale[row] * (fabs((double)w) + 0.5 * scale * fabs((double)coded->value[at]));
      }
    }
    found.value += (double)sum * coded->scale[row] * scale;
    found.size += fabs((double)sum) * coded->scale[row] * scale;
  }
  found.bound += 8 * UNIT * found.size;
  return found;
}

static void check_case(const struct conv_case *c, int limit, const float *x, const float *weight,
                       const float *bias, const float *residual, const float *y) {
  size_t height = c->height * c->upsample, width = c->width * c->upsample,
         pixels = c->height * c->width * c->in;
  for (size_t b = 0; b < c->batch; b++) {
    struct coded coded = code_picture(x + b * pixels, c->height, c->width, c->in);
    for (size_t i = 0; i < height * width * c->out; i++) {
      size_t o = i % c->out, at = b * height * width * c->out + i;
      struct expected e = expect(c, limit, &coded, x + b * pixels, weight, i / c->out / width,
                                 i / c->out % width, o);
      double end = (c->bias ? (double)bias[o] : 0) + (c->residual ? (double)residual[at] : 0);
      check_value(y[at], e.value + end,
                  UNIT * (10 * e.size + 3 * fabs(e.value) + 4 * fabs(end) + 4), "int8 convolution",
                  at);
      assert_true(fabs(e.value - e.exact) <= e.bound);
    }
    free(coded.scale), free(coded.value);
  }
}

/* ---- every set ---- */

/* A device that measures counts a phase's filters beside what is kept, and is left with nothing. */
static void check_measuring(const msk_device *device, const struct conv_case *c) {
  msk_device measuring = *device;
  msk_tally tally = {0};
  msk_conv *conv;
  msk_device_measure(&measuring, &tally);
  assert_int_equal(msk_conv_create_int8(&conv, &measuring, NULL, MSK_DTYPE_F32, NULL, c->upsample,
                                        c->in, c->out, NULL, NULL),
                   MSK_OK);
  size_t kept = tally.held;
  assert_true(kept >= (c->upsample == 1 ? 9 : 16) * c->in * c->out);
  assert_int_equal(tally.most - kept, c->upsample == 1 ? 0 : 4 * c->in * c->out * sizeof(float));
  msk_conv_destroy(conv);
  assert_int_equal(tally.held, 0);
}

static msk_conv *conv_new(const msk_device *device, const struct conv_case *c, const float *weight,
                          const float *bias) {
  msk_conv *conv;
  assert_int_equal(msk_conv_create_int8(&conv, device, weight, MSK_DTYPE_F32, c->bias ? bias : NULL,
                                        c->upsample, c->in, c->out, NULL, NULL),
                   MSK_OK);
  assert_int_equal(msk_conv_precision(conv), MSK_PRECISION_INT8);
  check_measuring(device, c);
  return conv;
}

static conv_args arguments(const struct conv_case *c, const msk_conv *conv, const float *x,
                           float *y) {
  return (conv_args){.conv = conv,
                     .x = x,
                     .y = y,
                     .batch = c->batch,
                     .height = c->height,
                     .width = c->width,
                     .upsample = c->upsample};
}

static void run_case(const msk_device *device, const struct conv_case *c) {
  size_t count = c->batch * c->height * c->width * c->in,
         out_count = c->batch * c->height * c->width * c->upsample * c->upsample * c->out;
  float *x = random_new(count, 1, 1), *weight = random_new(9 * c->in * c->out, 2, 1),
        *bias = random_new(c->out, 3, 1);
  float *residual = random_new(out_count, 4, 1), *y = guarded_new(out_count);
  for (size_t i = 0; i < count; i++) x[i] += 0.4f;
  if (c->residual) memcpy(y, residual, out_count * sizeof(float));
  msk_conv *conv = conv_new(device, c, weight, bias);
  conv_args args = arguments(c, conv, x, y);
  args.residual = c->residual ? y : NULL;
  run_operation(device, 1 + (int)(c->width % 3), do_conv, &args);
  guarded_check(y, out_count);
  check_case(c, device->kernels.weight_limit, x, weight, bias, residual, y);
  msk_conv_destroy(conv);
  guarded_free(x), guarded_free(weight), guarded_free(bias), guarded_free(residual),
      guarded_free(y);
}

static void cases_on(const msk_device *device) {
  static const size_t sides[] = {1, 2, 3, 5, 7, 8, 13, 14}, channels[] = {4, 8, 12, 16, 36},
                      outs[] = {1, 3, 8, 17, 33, 40};
  uint64_t seed = 5;
  for (size_t i = 0; i < 40; i++) {
    uint64_t pick = test_random(&seed);
    run_case(device, &(struct conv_case){.upsample = 1 + i % 2,
                                         .in = channels[pick % 5],
                                         .out = outs[(pick >> 8) % 6],
                                         .height = sides[(pick >> 16) % 8],
                                         .width = sides[(pick >> 24) % 8],
                                         .batch = 1 + (pick >> 32) % 2,
                                         .bias = pick >> 33 & 1,
                                         .residual = pick >> 34 & 1});
  }
  run_case(
      device,
      /* several blocks of inputs */
      &(struct conv_case){.upsample = 1, .in = 260, .out = 5, .height = 3, .width = 4, .batch = 1});
  /* and of a row */
  run_case(device, &(struct conv_case){
                       .upsample = 1, .in = 4, .out = 3, .height = 3, .width = 530, .batch = 1});
  /* of the longest */
  run_case(device, &(struct conv_case){
                       .upsample = 1, .in = 4, .out = 1, .height = 2, .width = 528, .batch = 1});
}

static void test_cases(void **state) {
  (void)state;
  for_each_set(cases_on);
}

/* ---- the same bits ---- */

enum {
  SIDE = 18,
  IN = 64,
  OUT = 144,
  BATCH = 2,
  PLAIN = SIDE * SIDE * IN,
  MADE = 4 * SIDE * SIDE * OUT
};

static void run_whole(const msk_device *device, int threads, size_t upsample, size_t batch,
                      const float *x, const float *weight, float *y) {
  struct conv_case c = {
      .upsample = upsample, .in = IN, .out = OUT, .height = SIDE, .width = SIDE, .batch = batch};
  msk_conv *conv = conv_new(device, &c, weight, NULL);
  conv_args args = arguments(&c, conv, x, y);
  run_operation(device, threads, do_conv, &args);
  msk_conv_destroy(conv);
}

static void test_same_bits(void **state) {
  (void)state;
  float *x = random_new(BATCH * PLAIN, 1, 3), *weight = random_new(9 * IN * OUT, 2, 1),
        *y = guarded_new(BATCH * MADE);
  float *again = guarded_new(BATCH * MADE), *first[2] = {NULL, NULL};
  for (int i = 0; tested_set(i / 2) != NULL; i++) {
    msk_device *device = tested_device(tested_set(i / 2), MSK_PRECISION_FP32);
    size_t upsample = 1 + (size_t)i % 2, made = upsample == 2 ? MADE : MADE / 4;
    run_whole(device, 1, upsample, BATCH, x, weight, y);
    for (int threads = 2; threads <= 7; threads += 2) {
      run_whole(device, threads, upsample, BATCH, x, weight, again);
      assert_memory_equal(again, y, BATCH * made * sizeof(float));
    }
    for (size_t b = 0; b < BATCH; b++) {
      run_whole(device, 2, upsample, 1, x + b * PLAIN, weight, again);
      assert_memory_equal(again, y + b * made, made * sizeof(float));
    }
    int kind = device->kernels.weight_limit == 127;
    if (upsample == 2 && first[kind] == NULL) {
      first[kind] = guarded_new(MADE);
      memcpy(first[kind], y, MADE * sizeof(float));
    }
    if (upsample == 2) assert_memory_equal(first[kind], y, MADE * sizeof(float));
    msk_device_destroy(device);
  }
  for (int kind = 0; kind < 2; kind++) {
    if (first[kind] != NULL) guarded_free(first[kind]);
  }
  guarded_free(x), guarded_free(weight), guarded_free(y), guarded_free(again);
}

/* ---- normalised on the way ---- */

static void do_norm(msk_stream *stream, const void *user) {
  const conv_args *a = user;
  msk_op_group_norm(stream, msk_map_at(a->x, a->batch, a->height, a->width, IN), a->norm, true,
                    msk_map_at(a->y, a->batch, a->height, a->width, IN));
}

static void norm_on(const msk_device *device) {
  struct conv_case c = {
      .upsample = 1, .in = IN, .out = OUT, .height = SIDE, .width = SIDE, .batch = BATCH};
  float *x = random_new(BATCH * PLAIN, 1, 3), *weight = random_new(9 * IN * OUT, 2, 1),
        *gamma = random_new(IN, 3, 1), *beta = random_new(IN, 4, 1),
        *between = guarded_new(BATCH * PLAIN), *y = guarded_new(BATCH * MADE / 4),
        *fused = guarded_new(BATCH * MADE / 4);
  msk_norm norm = {gamma, beta, 1e-6f, 8};
  msk_conv *conv = conv_new(device, &c, weight, NULL);
  conv_args args = arguments(&c, conv, x, fused), first = arguments(&c, conv, x, between);
  args.norm = first.norm = &norm;
  run_operation(device, 3, do_conv, &args);
  run_operation(device, 1, do_norm, &first);
  args = arguments(&c, conv, between, y);
  run_operation(device, 2, do_conv, &args);
  guarded_check(fused, BATCH * MADE / 4);
  assert_memory_equal(fused, y, BATCH * MADE / 4 * sizeof(float));
  msk_conv_destroy(conv);
  guarded_free(x), guarded_free(weight), guarded_free(gamma), guarded_free(beta),
      guarded_free(between), guarded_free(y), guarded_free(fused);
}

static void test_norm(void **state) {
  (void)state;
  for_each_set(norm_on);
}

/* ---- special values ---- */

/* A NaN or infinity reaches the rows that see its row, and no others; zeros give the bias; so do
 * filters of zeros. */
static void special_on(const msk_device *device) {
  enum { H = 9, W = 5, C = 20 };
  struct conv_case c = {
      .upsample = 1, .in = C, .out = C, .height = H, .width = W, .batch = 1, .bias = true};
  float *x = random_new(H * W * C, 1, 1), *weight = random_new(9 * C * C, 2, 1),
        *bias = random_new(C, 3, 1), *y = guarded_new(H * W * C);
  for (size_t k = 0; k < 9 * C; k++) weight[k * C + 5] = 0;
  msk_conv *conv = conv_new(device, &c, weight, bias);
  conv_args args = arguments(&c, conv, x, y);
  x[(1 * W + 2) * C + 7] = NAN;
  x[(5 * W + 4) * C + C - 1] = -INFINITY;
  memset(x + 7 * W * C, 0, 2 * W * C * sizeof(float));
  run_operation(device, 2, do_conv, &args);
  for (size_t i = 0; i < H * W * C; i++) {
    size_t row = i / (W * C);
    bool sees = row <= 2 || (row >= 4 && row <= 6);
    assert_true(sees ? isnan(y[i]) : isfinite(y[i]));
    if (row == 8 || (!sees && i % C == 5)) assert_true(y[i] == bias[i % C]);
  }
  msk_conv_destroy(conv);
  guarded_free(x), guarded_free(weight), guarded_free(bias), guarded_free(y);
}

static void test_special(void **state) {
  (void)state;
  for_each_set(special_on);
}

/* Filters so large that adding the taps of an upsampled pixel's window overflows: no number
 * comes of it. */
static void overflow_on(const msk_device *device) {
  struct conv_case c = {.upsample = 2, .in = IN, .out = OUT, .height = 4, .width = 4, .batch = 1};
  float *x = random_new(16 * IN, 1, 1), *weight = random_new(9 * IN * OUT, 2, 1),
        *y = guarded_new(64 * OUT);
  for (size_t k = 0; k < 9 * IN; k++) weight[k * OUT + 3] = k % 2 ? -3e38f : 3e38f;
  msk_conv *conv = conv_new(device, &c, weight, NULL);
  conv_args args = arguments(&c, conv, x, y);
  run_operation(device, 1, do_conv, &args);
  for (size_t i = 0; i < 64 * OUT; i++)
    assert_true(i % OUT == 3 ? !isfinite(y[i]) : isfinite(y[i]));
  msk_conv_destroy(conv);
  guarded_free(x), guarded_free(weight), guarded_free(y);
}

static void test_overflow(void **state) {
  (void)state;
  for_each_set(overflow_on);
}

/* ---- weights stored in binary16 ---- */

/* The same bytes as of the floats that they stand for. */
static void stored_fp16_on(const msk_device *device) {
  for (size_t upsample = 1; upsample <= 2; upsample++) {
    struct conv_case c = {
        .upsample = upsample, .in = IN, .out = OUT, .height = 5, .width = 7, .batch = 1};
    size_t count = 35 * upsample * upsample * OUT;
    float *x = random_new(35 * IN, 1, 1), *weight = random_new(9 * IN * OUT, 2, 1),
          *y = guarded_new(count), *again = guarded_new(count);
    uint16_t *fp16 = malloc(9 * IN * OUT * sizeof *fp16);
    msk_narrow_fp16(weight, 9 * IN * OUT, fp16);
    device->kernels.widen_fp16(9 * IN * OUT, fp16, weight);
    msk_conv *conv = conv_new(device, &c, weight, NULL), *stored;
    assert_int_equal(msk_conv_create_int8(&stored, device, fp16, MSK_DTYPE_F16, NULL, upsample, IN,
                                          OUT, NULL, NULL),
                     MSK_OK);
    conv_args args = arguments(&c, conv, x, y);
    run_operation(device, 1, do_conv, &args);
    args = arguments(&c, stored, x, again);
    run_operation(device, 1, do_conv, &args);
    assert_memory_equal(y, again, count * sizeof *y);
    msk_conv_destroy(conv);
    msk_conv_destroy(stored);
    free(fp16);
    guarded_free(x), guarded_free(weight), guarded_free(y), guarded_free(again);
  }
}

static void test_stored_fp16(void **state) {
  (void)state;
  for_each_set(stored_fp16_on);
}

/* ---- when it pays; memory ---- */

static void test_choice(void **state) {
  (void)state;
  msk_device *device = device_new("ref");
  assert_true(msk_conv_int8_pays(device, 3, 1, 1, 128, 128) &&
              msk_conv_int8_pays(device, 3, 1, 2, 16, 16));
  assert_false(msk_conv_int8_pays(device, 1, 1, 1, 128, 128) ||
               msk_conv_int8_pays(device, 3, 2, 1, 128, 128));
  assert_false(msk_conv_int8_pays(device, 3, 1, 1, 126, 128) ||
               msk_conv_int8_pays(device, 3, 1, 1, 128, 3));
  device->kernels.int8_rate = 1;
  assert_false(msk_conv_int8_pays(device, 3, 1, 2, 512, 512));
  msk_device_destroy(device);
}

static msk_status make_conv(const msk_device *device, const float *weight, msk_error *error) {
  msk_conv *conv = NULL;
  msk_status status =
      msk_conv_create_int8(&conv, device, weight, MSK_DTYPE_F32, NULL, 2, 16, 20, NULL, error);
  msk_conv_destroy(conv);
  return status;
}

static void test_allocation_failures(void **state) {
  (void)state;
  float *weight = random_new(9 * 16 * 20, 1, 1);
  assert_true(fail_allocations(MSK_PRECISION_FP32, make_conv, weight) > 8);
  guarded_free(weight);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cases),    cmocka_unit_test(test_same_bits),
      cmocka_unit_test(test_norm),     cmocka_unit_test(test_special),
      cmocka_unit_test(test_overflow), cmocka_unit_test(test_stored_fp16),
      cmocka_unit_test(test_choice),   cmocka_unit_test(test_allocation_failures)};
  return cmocka_run_group_tests_name("compute conv int8", tests, NULL, NULL);
}
