/* SPDX-License-Identifier: Apache-2.0
 *
 * test_conv_int16.c - convolutions by Winograd's method with products of 16 bits, on every
 * instruction set that has it: within a few thousandths of float64, the same bits however the work
 * is cut, exact under a power of two, and special values where they belong. */
#include "naive.h"

enum { H = 35, W = 38 };

static bool has_winograd(const msk_device *device) {
  return device->kernels.winograd_input != NULL;
}

static msk_conv *conv_new(const msk_device *device, const float *weight, const float *bias,
                          size_t in, size_t out) {
  msk_conv *conv;
  assert_int_equal(
      msk_conv_create_int16(&conv, device, weight, MSK_DTYPE_F32, bias, in, out, NULL, NULL),
      MSK_OK);
  assert_int_equal(msk_conv_precision(conv), MSK_PRECISION_INT8);
  assert_false(msk_conv_takes_norm(conv));
  return conv;
}

/* As a group norm and swish leave them. */
static float *activations(size_t count, uint64_t seed) {
  float *x = random_new(count, seed, 4);
  for (size_t i = 0; i < count; i++) x[i] = x[i] / (1 + expf(-x[i]));
  return x;
}

static float *run(const msk_device *device, const msk_conv *conv, int threads, const float *x,
                  size_t height, size_t width, size_t upsample) {
  size_t count = height * width * upsample * upsample * conv->head.out;
  float *y = guarded_new(count);
  run_operation(device, threads, do_conv,
                &(conv_args){.conv = conv,
                             .x = x,
                             .y = y,
                             .batch = 1,
                             .height = height,
                             .width = width,
                             .upsample = upsample});
  guarded_check(y, count);
  return y;
}

/* ---- how exact ---- */

struct shape {
  size_t in, out, upsample;
};

/* One weight of each output far above the others takes steps from them, and is right itself. */
static void accuracy_of(const msk_device *device, const struct shape *s) {
  size_t height = H / s->upsample, width = W / s->upsample, pixels = height * width;
  size_t out_height = height * s->upsample, out_width = width * s->upsample;
  float *x = activations(pixels * s->in, 1), *weight = random_new(9 * s->in * s->out, 2, 1),
        *bias = random_new(s->out, 3, 1);
  for (size_t o = 0; o < s->out; o += 2) weight[(o % (9 * s->in)) * s->out + o] = 6;
  msk_conv *conv = conv_new(device, weight, bias, s->in, s->out);
  float *y = run(device, conv, 2, x, height, width, s->upsample),
        *large = s->upsample == 2 ? naive_upsample(x, height, width, s->in) : NULL;
  const naive_conv naive = {.x = large == NULL ? x : large,
                            .weight = weight,
                            .height = out_height,
                            .width = out_width,
                            .in = s->in,
                            .out = s->out,
                            .kernel = 3,
                            .stride = 1};
  double error = 0, size = 0, worst = 0;
  for (size_t i = 0; i < out_height * out_width * s->out; i += 41) {
    size_t pixel = i / s->out, o = i % s->out;
    double value = naive_conv_at(&naive, pixel / out_width, pixel % out_width, o).value,
           off = y[i] - value - bias[o];
    error += off * off, size += value * value, worst = fmax(worst, fabs(off));
  }
  double count = ceil((double)(out_height * out_width * s->out) / 41);
  print_message("%s: %zu to %zu channels, relative error %.2g, the worst %.2g\n",
                msk_device_isa(device), s->in, s->out, sqrt(error / size),
                worst / sqrt(size / count));
  assert_true(sqrt(error / size) < 0.003);
  assert_true(worst < 0.02 * sqrt(size / count));
  assert_true(sqrt(error / size) > 1e-5); /* it is another arithmetic */
  msk_conv_destroy(conv);
  guarded_free(x), guarded_free(weight), guarded_free(bias), guarded_free(y);
  if (large != NULL) guarded_free(large);
}

static void accuracy_on(const msk_device *device) {
  static const struct shape shapes[] = {{16, 16, 1},   {33, 20, 1},   {128, 128, 1}, {128, 40, 2},
                                        {130, 250, 1}, {200, 300, 1}, {256, 256, 1}};
  if (!has_winograd(device)) return;
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) accuracy_of(device, &shapes[i]);
}

static void test_accuracy(void **state) {
  (void)state;
  for_each_isa(accuracy_on);
}

/* ---- the same bits ---- */

/* Chunks by worker, and one that more than 16 share; with a residual that is the output. */
static void cuts_of(const msk_device *device, size_t in, size_t out) {
  float *x = activations(H * W * in, 1), *weight = random_new(9 * in * out, 2, 1),
        *residual = random_new(H * W * out, 3, 1), *one = NULL;
  msk_conv *conv = conv_new(device, weight, residual, in, out);
  for (int threads = 1; threads <= 17; threads += 4) {
    float *y = guarded_new(H * W * out);
    memcpy(y, residual, H * W * out * sizeof *y);
    run_operation(device, threads, do_conv,
                  &(conv_args){.conv = conv,
                               .x = x,
                               .y = y,
                               .residual = y,
                               .batch = 1,
                               .height = H,
                               .width = W,
                               .upsample = 1});
    guarded_check(y, H * W * out);
    if (one != NULL) assert_memory_equal(one, y, H * W * out * sizeof *y);
    if (one != NULL) guarded_free(one);
    one = y;
  }
  float *plain = run(device, conv, 1, x, H, W, 1);
  for (size_t i = 0; i < H * W * out; i++)
    check_value(one[i], (double)plain[i] + residual[i], 4 * UNIT * (fabs(plain[i]) + 2), "sum", i);
  msk_conv_destroy(conv);
  guarded_free(x), guarded_free(weight), guarded_free(residual), guarded_free(one),
      guarded_free(plain);
}

/* A batch gives what its pictures give alone; a larger one never needs less scratch memory. */
static void batch_of(const msk_device *device, size_t in, size_t out) {
  enum { B = 7, BH = 10, BW = 9 };
  float *x = activations(B * BH * BW * in, 1), *weight = random_new(9 * in * out, 2, 1),
        *y = guarded_new(B * BH * BW * out);
  msk_conv *conv = conv_new(device, weight, NULL, in, out);
  conv_args args = {
      .conv = conv, .x = x, .y = y, .batch = B, .height = BH, .width = BW, .upsample = 1};
  run_operation(device, 2, do_conv, &args);
  for (size_t b = 0; b < B; b += B - 1) {
    float *alone = run(device, conv, 3, x + b * BH * BW * in, BH, BW, 1);
    assert_memory_equal(alone, y + b * BH * BW * out, BH * BW * out * sizeof *y);
    guarded_free(alone);
  }
  size_t last = 0;
  for (args.batch = 1; args.batch < 40; args.batch++) {
    msk_stream stream = {.device = device, .measuring = true};
    do_conv(&stream, &args);
    assert_true(stream.scratch_bytes >= last);
    last = stream.scratch_bytes;
  }
  msk_conv_destroy(conv);
  guarded_free(x), guarded_free(weight), guarded_free(y);
}

static void bits_on(const msk_device *device) {
  if (!has_winograd(device)) return;
  cuts_of(device, 20, 72), cuts_of(device, 129, 128), cuts_of(device, 256, 200);
  batch_of(device, 24, 40), batch_of(device, 256, 256);
}

static void test_same_bits(void **state) {
  (void)state;
  for_each_isa(bits_on);
}

/* Scales are the largest numbers', so that a power of two in pixels or weights is one in y. */
static void powers_on(const msk_device *device) {
  enum { IN = 48, OUT = 40, COUNT = H * W * OUT };
  if (!has_winograd(device)) return;
  float *x = activations(H * W * IN, 1), *weight = random_new(9 * IN * OUT, 2, 1);
  msk_conv *conv = conv_new(device, weight, NULL, IN, OUT);
  float *y = run(device, conv, 1, x, H, W, 1);
  for (size_t i = 0; i < H * W * IN; i++) x[i] = ldexpf(x[i], 13);
  float *of_x = run(device, conv, 1, x, H, W, 1);
  msk_conv_destroy(conv);
  for (size_t i = 0; i < 9 * IN * OUT; i++) weight[i] = ldexpf(weight[i], -20);
  conv = conv_new(device, weight, NULL, IN, OUT);
  float *of_both = run(device, conv, 1, x, H, W, 1);
  for (size_t i = 0; i < COUNT; i++) {
    assert_true(of_x[i] == ldexpf(y[i], 13));
    assert_true(of_both[i] == ldexpf(y[i], -7));
  }
  msk_conv_destroy(conv);
  guarded_free(x), guarded_free(weight), guarded_free(y), guarded_free(of_x), guarded_free(of_both);
}

/* Filters that are stored in binary16 are those of float32. */
static void stored_on(const msk_device *device) {
  enum { IN = 40, OUT = 24, COUNT = 9 * IN * OUT };
  if (!has_winograd(device)) return;
  float *x = activations(64 * IN, 1), *weight = random_new(COUNT, 2, 1), *y[2];
  uint16_t *fp16 = malloc(COUNT * sizeof *fp16);
  msk_narrow_fp16(weight, COUNT, fp16);
  device->kernels.widen_fp16(COUNT, fp16, weight);
  for (int i = 0; i < 2; i++) {
    msk_conv *conv;
    assert_int_equal(
        msk_conv_create_int16(&conv, device, i ? (const void *)fp16 : weight,
                              i ? MSK_DTYPE_F16 : MSK_DTYPE_F32, NULL, IN, OUT, NULL, NULL),
        MSK_OK);
    y[i] = run(device, conv, 1, x, 8, 8, 1);
    msk_conv_destroy(conv);
  }
  assert_memory_equal(y[0], y[1], 64 * OUT * sizeof(float));
  guarded_free(x), guarded_free(weight), guarded_free(y[0]), guarded_free(y[1]);
  free(fp16);
}

static void test_properties(void **state) {
  (void)state;
  for_each_isa(powers_on);
  for_each_isa(stored_on);
}

/* ---- special values ---- */

/* A pixel that is not finite spoils the tiles that read it, 4 x 4 pixels each of 6 x 6, and
 * nothing else changes; nothing but zeros leaves the bias. */
static void special_pixels_on(const msk_device *device) {
  enum { IN = 32, OUT = 20, S = 16, AT = 5 };
  static const float odd[] = {NAN, INFINITY, -INFINITY};
  if (!has_winograd(device)) return;
  float *x = activations(S * S * IN, 1), *weight = random_new(9 * IN * OUT, 2, 1),
        *bias = random_new(OUT, 3, 1);
  msk_conv *conv = conv_new(device, weight, bias, IN, OUT);
  float *clean = run(device, conv, 1, x, S, S, 1);
  for (size_t k = 0; k < 3; k++) {
    x[(AT * S + AT) * IN + 7 + 10 * k] = odd[k]; /* others lie there already */
    float *y = run(device, conv, 1, x, S, S, 1);
    for (size_t i = 0; i < S * S * OUT; i++) {
      /* tile t reads rows 4 t - 1 to 4 t + 4 */
      bool spoilt = i / OUT / S / 4 == AT / 4 && i / OUT % S / 4 == AT / 4;
      assert_true(spoilt ? isnan(y[i]) : y[i] == clean[i]);
    }
    guarded_free(y);
  }
  memset(x, 0, S * S * IN * sizeof *x);
  float *y = run(device, conv, 1, x, S, S, 1);
  for (size_t i = 0; i < S * S * OUT; i++) assert_true(y[i] == bias[i % OUT]);
  msk_conv_destroy(conv);
  guarded_free(x), guarded_free(weight), guarded_free(bias), guarded_free(clean), guarded_free(y);
}

/* Weights: one that is not finite spoils its output channel, one of zeros gives nothing, and sums
 * of the largest numbers there are keep to int32. */
static void special_weights_on(const msk_device *device) {
  enum { IN = 256, OUT = 20, S = 8 };
  if (!has_winograd(device)) return;
  float *x = guarded_new(S * S * IN), *weight = random_new(9 * IN * OUT, 2, 1);
  for (size_t i = 0; i < S * S * IN; i++) x[i] = 3;
  for (size_t i = 0; i < 9 * IN; i++) {
    weight[i * OUT] = i == 700 ? INFINITY : 1;
    weight[i * OUT + 1] = 0;
    weight[i * OUT + 2] = 0.25f;
    weight[i * OUT + 3] = -0.25f;
  }
  msk_conv *conv = conv_new(device, weight, NULL, IN, OUT);
  float *y = run(device, conv, 1, x, S, S, 1);
  for (size_t i = 0; i < S * S; i++) {
    size_t row = i / S, column = i % S;
    double taps = (row == 0 || row == S - 1 ? 2 : 3) * (column == 0 || column == S - 1 ? 2 : 3),
           sum = taps * IN * 3 * 0.25;
    assert_true(!isfinite(y[i * OUT]));
    assert_true(y[i * OUT + 1] == 0);
    check_value(y[i * OUT + 2], sum, 0.002 * 9 * IN * 0.75, "the largest sum", i);
    check_value(y[i * OUT + 3], -sum, 0.002 * 9 * IN * 0.75, "the least sum", i);
  }
  msk_conv_destroy(conv);
  guarded_free(x), guarded_free(weight), guarded_free(y);
}

static void test_special(void **state) {
  (void)state;
  for_each_isa(special_pixels_on);
  for_each_isa(special_weights_on);
}

/* ---- choice and memory ---- */

static void test_choice(void **state) {
  (void)state;
  msk_device *device = device_new(NULL);
  if (!has_winograd(device)) {
    assert_false(msk_conv_int16_pays(device, 3, 1, 128, 128));
    msk_device_destroy(device);
    skip();
  }
  device->kernels.int16_rate = 2;
  device->kernels.int8_rate = 4;
  assert_true(msk_conv_int16_pays(device, 3, 1, 128, 128) &&
              msk_conv_int16_pays(device, 3, 1, 256, 256));
  assert_false(
      msk_conv_int16_pays(device, 1, 1, 128, 128) || msk_conv_int16_pays(device, 3, 2, 128, 128) ||
      msk_conv_int16_pays(device, 3, 1, 128, 3) || msk_conv_int16_pays(device, 3, 1, 512, 512));
  /* so 8 bits do not, but for upsampling and larger ones, and on tile registers */
  assert_false(msk_conv_int8_pays(device, 3, 1, 1, 128, 128));
  assert_true(msk_conv_int8_pays(device, 3, 1, 2, 128, 128) &&
              msk_conv_int8_pays(device, 3, 1, 1, 512, 512));
  device->kernels.int8_rate = 32;
  assert_true(msk_conv_int8_pays(device, 3, 1, 1, 128, 128));
  device->kernels.int16_rate = 1;
  assert_false(msk_conv_int16_pays(device, 3, 1, 128, 128));
  msk_device_destroy(device);
}

/* A device that measures counts what a real one takes, most of it while float32's form is there. */
static void measuring_on(const msk_device *device) {
  enum { IN = 40, OUT = 70 };
  if (!has_winograd(device)) return;
  msk_device measuring = *device;
  msk_tally tally = {0};
  msk_device_measure(&measuring, &tally);
  msk_conv *conv = conv_new(&measuring, NULL, NULL, IN, OUT);
  assert_in_range(tally.held, 36 * IN * OUT * 2, 36 * (IN + 4) * (OUT + 16) * 2);
  assert_true(tally.most - tally.held >= 36 * IN * OUT * sizeof(float));
  msk_conv_destroy(conv);
  assert_int_equal(tally.held, 0);
}

static msk_status make_conv(const msk_device *device, const float *weight, msk_error *error) {
  msk_conv *conv = NULL;
  msk_status status =
      msk_conv_create_int16(&conv, device, weight, MSK_DTYPE_F32, NULL, 16, 20, NULL, error);
  msk_conv_destroy(conv);
  return status;
}

static void test_memory(void **state) {
  (void)state;
  for_each_isa(measuring_on);
  msk_device *device = device_new(NULL);
  bool lacks = !has_winograd(device);
  msk_device_destroy(device);
  if (lacks) skip();
  float *weight = random_new(9 * 16 * 20, 1, 1);
  assert_true(fail_allocations(MSK_PRECISION_FP32, make_conv, weight) > 5);
  guarded_free(weight);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_accuracy),   cmocka_unit_test(test_same_bits),
      cmocka_unit_test(test_properties), cmocka_unit_test(test_special),
      cmocka_unit_test(test_choice),     cmocka_unit_test(test_memory)};
  return cmocka_run_group_tests_name("compute conv int16", tests, NULL, NULL);
}
