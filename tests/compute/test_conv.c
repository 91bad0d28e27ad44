/* SPDX-License-Identifier: Apache-2.0
 *
 * test_conv.c - convolutions in float32, on every instruction set that this machine has, against
 * their float64 definition: direct, by Winograd, to few channels. */
#include "naive.h"

/* ---- convolution ---- */

/* Winograd sums differently: its error is bounded by the same sums with a factor for the
 * transforms (docs/kernels.md). */
enum { WINOGRAD_FACTOR = 12 };

static void check_conv(const struct conv_case *c, const float *x, const float *weight,
                       const float *bias, const float *residual, const float *y) {
  size_t pixels = c->height * c->width * c->in, height = c->height * c->upsample,
         width = c->width * c->upsample;
  size_t out_height = (height + c->stride - 1) / c->stride,
         out_width = (width + c->stride - 1) / c->stride;
  for (size_t b = 0; b < c->batch; b++) {
    float *large =
        c->upsample == 2 ? naive_upsample(x + b * pixels, c->height, c->width, c->in) : NULL;
    naive_conv conv = {.x = large ? large : x + b * pixels,
                       .weight = weight,
                       .height = height,
                       .width = width,
                       .in = c->in,
                       .out = c->out,
                       .kernel = c->kernel,
                       .stride = c->stride};
    double largest = 0;
    for (size_t pass = 0; pass < 2; pass++) {
      for (size_t i = 0; i < out_height * out_width * c->out; i++) {
        naive_sum sum =
            naive_conv_at(&conv, i / c->out / out_width, i / c->out % out_width, i % c->out);
        if (pass == 0) {
          if (sum.size > largest) largest = sum.size;
          continue;
        }
        size_t at = b * out_height * out_width * c->out + i;
        double expected =
            sum.value + (c->bias ? bias[i % c->out] : 0) + (c->residual ? residual[at] : 0);
        double size = c->kernel == 3 && c->stride == 1 ? WINOGRAD_FACTOR * largest : sum.size;
        double summands = (double)(c->kernel * c->kernel * c->in) + 4;
        check_value(y[at], expected,
                    summands * UNIT * size + 4 * UNIT * (fabs(expected) + 4) + FLT_MIN, "conv", at);
      }
    }
    if (large != NULL) guarded_free(large);
  }
}

static void test_conv_case(const msk_device *device, const struct conv_case *c) {
  size_t count = c->batch * c->height * c->width * c->in;
  float *x = random_new(count, 1, 1),
        *weight = random_new(c->kernel * c->kernel * c->in * c->out, 2, 1),
        *bias = random_new(c->out, 3, 1);
  msk_conv *conv;
  assert_int_equal(msk_conv_create(&conv, device, weight, MSK_DTYPE_F32, c->bias ? bias : NULL,
                                   c->kernel, c->stride, c->in, c->out, NULL, NULL),
                   MSK_OK);
  msk_map out =
      msk_conv_output(conv, msk_map_at(x, c->batch, c->height, c->width, c->in), c->upsample, NULL);
  assert_int_equal(out.height, (c->height * c->upsample + c->stride - 1) / c->stride);
  assert_int_equal(out.width, (c->width * c->upsample + c->stride - 1) / c->stride);
  size_t out_count = c->batch * out.height * out.width * c->out;
  float *residual = random_new(out_count, 4, 1), *y = guarded_new(out_count);
  if (c->residual) memcpy(y, residual, out_count * sizeof(float));
  conv_args args = {.conv = conv,
                    .x = x,
                    .y = y,
                    .residual = c->residual ? y : NULL,
                    .batch = c->batch,
                    .height = c->height,
                    .width = c->width,
                    .upsample = c->upsample};
  run_operation(device, 1, do_conv, &args);
  guarded_check(y, out_count);
  check_conv(c, x, weight, bias, residual, y);
  msk_conv_destroy(conv);
  guarded_free(x), guarded_free(weight), guarded_free(bias), guarded_free(residual),
      guarded_free(y);
}

static void conv_on(const msk_device *device) {
  uint64_t seed = 3;
  for (size_t i = 0; i < 160; i++) {
    const struct conv_case c = conv_case_random(i, &seed);
    test_conv_case(device, &c);
  }
}

static void test_conv(void **state) {
  (void)state;
  for_each_isa(conv_on);
}

/* What an encoder's argmin needs: 3 x 3 convolutions stay within a few roundings of float64,
 * whatever the algorithm (docs/kernels.md). */
static void accuracy_of(const msk_device *device, size_t channels) {
  enum { SIDE = 13 };
  float *x = random_new(SIDE * SIDE * channels, 1, 1),
        *weight = random_new(9 * channels * channels, 2, 1),
        *y = guarded_new(SIDE * SIDE * channels);
  for (size_t i = 0; i < SIDE * SIDE * channels; i++) x[i] = x[i] / (1 + expf(-x[i]));
  msk_conv *conv;
  assert_int_equal(msk_conv_create(&conv, device, weight, MSK_DTYPE_F32, NULL, 3, 1, channels,
                                   channels, NULL, NULL),
                   MSK_OK);
  run_operation(
      device, 1, do_conv,
      &(conv_args){
          .conv = conv, .x = x, .y = y, .batch = 1, .height = SIDE, .width = SIDE, .upsample = 1});
  naive_conv naive = {.x = x,
                      .weight = weight,
                      .height = SIDE,
                      .width = SIDE,
                      .in = channels,
                      .out = channels,
                      .kernel = 3,
                      .stride = 1};
  double error = 0, size = 0;
  for (size_t i = 0; i < SIDE * SIDE * channels; i += 7) {
    double value =
        naive_conv_at(&naive, i / channels / SIDE, i / channels % SIDE, i % channels).value;
    error += (y[i] - value) * (y[i] - value);
    size += value * value;
  }
  print_message("%s: 3x3 convolution of %zu channels, relative error %.2g\n",
                msk_device_isa(device), channels, sqrt(error / size));
  assert_true(sqrt(error / size) < 24 * UNIT);
  msk_conv_destroy(conv);
  guarded_free(x), guarded_free(weight), guarded_free(y);
}

static void conv_accuracy_on(const msk_device *device) {
  accuracy_of(device, 128);
  accuracy_of(device, 512);
}

/* Large convolutions keep their filters as they are, in binary16 where that loses nothing; the
 * results are those of floats, bit by bit. */
static void conv_large_on(const msk_device *device) {
  enum { SIDE = 9, C = 176, PLAIN = SIDE * SIDE * C };
  float *x = random_new(PLAIN, 1, 1), *weight = random_new(9 * C * C, 2, 1),
        *y = guarded_new(PLAIN), *other = guarded_new(PLAIN);
  for (size_t i = 0; i < 9 * C * C; i++) weight[i] = roundf(weight[i] * 256) / 256;
  msk_conv *conv;
  conv_args args = {.x = x, .y = y, .batch = 1, .height = SIDE, .width = SIDE, .upsample = 1};
  assert_int_equal(
      msk_conv_create(&conv, device, weight, MSK_DTYPE_F32, NULL, 3, 1, C, C, NULL, NULL), MSK_OK);
  assert_non_null(conv->matrix.fp16);
  args.conv = conv;
  run_operation(device, 2, do_conv, &args);
  naive_conv naive = {.x = x,
                      .weight = weight,
                      .height = SIDE,
                      .width = SIDE,
                      .in = C,
                      .out = C,
                      .kernel = 3,
                      .stride = 1};
  double error = 0, size = 0;
  for (size_t i = 0; i < PLAIN; i += 7) {
    double value = naive_conv_at(&naive, i / C / SIDE, i / C % SIDE, i % C).value;
    error += (y[i] - value) * (y[i] - value);
    size += value * value;
  }
  assert_true(sqrt(error / size) < 24 * UNIT);
  msk_conv_destroy(conv);
  weight[C - 1] = 0x1p-30f; /* no binary16 number: of the last output channel */
  assert_int_equal(
      msk_conv_create(&conv, device, weight, MSK_DTYPE_F32, NULL, 3, 1, C, C, NULL, NULL), MSK_OK);
  assert_non_null(conv->matrix.panels);
  args.conv = conv;
  args.y = other;
  run_operation(device, 1, do_conv, &args);
  for (size_t i = 0; i < PLAIN; i++) assert_true(i % C == C - 1 || y[i] == other[i]);
  msk_conv_destroy(conv);
  guarded_free(x), guarded_free(weight), guarded_free(y), guarded_free(other);
}

static void test_conv_accuracy(void **state) {
  (void)state;
  for_each_isa(conv_accuracy_on);
  for_each_isa(conv_large_on);
}

/* Nearest upsampling inside the convolution equals upsampling first, bit for bit. */
static void upsample_on(const msk_device *device) {
  enum { H = 9, W = 7, IN = 32, OUT = 32 };
  float *x = random_new(H * W * IN, 1, 1), *weight = random_new(9 * IN * OUT, 2, 1),
        *large = naive_upsample(x, H, W, IN);
  float *inside = guarded_new(4 * H * W * OUT), *first = guarded_new(4 * H * W * OUT);
  msk_conv *conv;
  assert_int_equal(
      msk_conv_create(&conv, device, weight, MSK_DTYPE_F32, NULL, 3, 1, IN, OUT, NULL, NULL),
      MSK_OK);
  run_operation(
      device, 1, do_conv,
      &(conv_args){
          .conv = conv, .x = x, .y = inside, .batch = 1, .height = H, .width = W, .upsample = 2});
  run_operation(device, 1, do_conv,
                &(conv_args){.conv = conv,
                             .x = large,
                             .y = first,
                             .batch = 1,
                             .height = 2 * H,
                             .width = 2 * W,
                             .upsample = 1});
  assert_memory_equal(inside, first, 4 * H * W * OUT * sizeof(float));
  msk_conv_destroy(conv);
  guarded_free(x), guarded_free(weight), guarded_free(large), guarded_free(inside),
      guarded_free(first);
}

static void test_upsample(void **state) {
  (void)state;
  for_each_isa(upsample_on);
}

/* Direct, Winograd's form kept and made each time, and few outputs. */
static void stored_filters_on(const msk_device *device) {
  static const struct {
    size_t kernel, stride, in, out;
  } shapes[] = {{1, 1, 40, 24}, {4, 2, 6, 9}, {3, 1, 24, 20}, {3, 1, 144, 144}, {3, 1, 40, 3}};
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
    size_t kernel = shapes[s].kernel, in = shapes[s].in, out = shapes[s].out,
           count = kernel * kernel * in * out, side = 8;
    float *x = random_new(side * side * in, 1, 1), *weight = random_new(count, 2, 1), *y[2];
    uint16_t *fp16 = malloc(count * sizeof *fp16);
    msk_narrow_fp16(weight, count, fp16);
    device->kernels.widen_fp16(count, fp16, weight);
    for (int i = 0; i < 2; i++) {
      msk_conv *conv;
      assert_int_equal(msk_conv_create(&conv, device, i ? (const void *)fp16 : weight,
                                       i ? MSK_DTYPE_F16 : MSK_DTYPE_F32, NULL, kernel,
                                       shapes[s].stride, in, out, NULL, NULL),
                       MSK_OK);
      y[i] = guarded_new(side * side * out);
      memset(y[i], 0, side * side * out * sizeof(float));
      run_operation(device, 1, do_conv,
                    &(conv_args){.conv = conv,
                                 .x = x,
                                 .y = y[i],
                                 .batch = 1,
                                 .height = side,
                                 .width = side,
                                 .upsample = 1});
      msk_conv_destroy(conv);
    }
    assert_memory_equal(y[0], y[1], side * side * out * sizeof(float));
    guarded_free(x), guarded_free(weight), guarded_free(y[0]), guarded_free(y[1]);
    free(fp16);
  }
}

static void test_stored_filters(void **state) {
  (void)state;
  for_each_isa(stored_filters_on);
}

struct cut_case {
  size_t in, out;
  bool fp16; /* filters that are binary16 numbers */
};

/* Winograd's ways of cutting the work give the same bits for any number of workers (which
 * chooses between some of them; more than 16 share one chunk), and the exact convolution within
 * a few roundings: here 90 tiles, of a last row and column that are cut, more than are
 * transformed at once, and a last panel and slice of channels that are not full. */
static void winograd_cut_on(const msk_device *device, const struct cut_case *c) {
  enum { H = 35, W = 38 };
  float *x = random_new(H * W * c->in, 1, 1), *weight = random_new(9 * c->in * c->out, 2, 1),
        *residual = random_new(H * W * c->out, 3, 1);
  float *one = guarded_new(H * W * c->out), *many = guarded_new(H * W * c->out);
  for (size_t i = 0; c->fp16 && i < 9 * c->in * c->out; i++)
    weight[i] = roundf(weight[i] * 256) / 256;
  msk_conv *conv;
  assert_int_equal(msk_conv_create(&conv, device, weight, MSK_DTYPE_F32, residual, 3, 1, c->in,
                                   c->out, NULL, NULL),
                   MSK_OK);
  conv_args args = {.conv = conv,
                    .x = x,
                    .y = one,
                    .residual = residual,
                    .batch = 1,
                    .height = H,
                    .width = W,
                    .upsample = 1};
  run_operation(device, 1, do_conv, &args);
  guarded_check(one, H * W * c->out);
  args.y = many;
  for (int threads = 2; threads <= 17; threads += 5) {
    run_operation(device, threads, do_conv, &args);
    guarded_check(many, H * W * c->out);
    assert_memory_equal(one, many, H * W * c->out * sizeof(float));
  }
  naive_conv naive = {.x = x,
                      .weight = weight,
                      .height = H,
                      .width = W,
                      .in = c->in,
                      .out = c->out,
                      .kernel = 3,
                      .stride = 1};
  double error = 0, size = 0;
  for (size_t i = 0; i < H * W * c->out; i += 41) {
    double value = naive_conv_at(&naive, i / c->out / W, i / c->out % W, i % c->out).value;
    double found = (double)one[i] - (double)residual[i % c->out] - (double)residual[i];
    error += (found - value) * (found - value);
    size += value * value;
  }
  assert_true(sqrt(error / size) < 24 * UNIT);
  msk_conv_destroy(conv);
  guarded_free(x), guarded_free(weight), guarded_free(residual), guarded_free(one),
      guarded_free(many);
}

static void winograd_cuts_on(const msk_device *device) {
  winograd_cut_on(device, &(struct cut_case){20, 72, false});
  if (strcmp(msk_device_isa(device), "ref") == 0) return; /* convolves directly, and slowly */
  winograd_cut_on(device, &(struct cut_case){180, 190, true});
  winograd_cut_on(device, &(struct cut_case){260, 264, false});
  winograd_cut_on(device, &(struct cut_case){260, 264, true});
}

/* A batch of pictures of few tiles gives what its pictures give alone where filters are
 * transformed on the way; scratch memory only grows. */
static void winograd_stream_on(const msk_device *device) {
  enum { B = 9, H = 10, W = 9, IN = 264, OUT = 250, EACH = H * W * IN, MADE = 4 * H * W * OUT };
  float *x = random_new(B * EACH, 1, 1), *weight = random_new(9 * IN * OUT, 2, 1);
  float *together = guarded_new(B * MADE), *alone = guarded_new(MADE);
  msk_conv *conv;
  assert_int_equal(
      msk_conv_create(&conv, device, weight, MSK_DTYPE_F32, NULL, 3, 1, IN, OUT, NULL, NULL),
      MSK_OK);
  conv_args args = {
      .conv = conv, .x = x, .y = together, .batch = B, .height = H, .width = W, .upsample = 2};
  run_operation(device, 2, do_conv, &args);
  guarded_check(together, B * MADE);
  args.y = alone;
  args.batch = 1;
  for (size_t b = 0; b < B; b += B - 1) {
    args.x = x + b * EACH;
    run_operation(device, 3, do_conv, &args);
    assert_memory_equal(alone, together + b * MADE, MADE * sizeof(float));
  }
  for (size_t n = 1, last = 0; n < 40; n++) {
    msk_stream stream = {.device = device, .measuring = true};
    do_conv(&stream, &(conv_args){.conv = conv,
                                  .x = x,
                                  .y = together,
                                  .batch = n,
                                  .height = 9,
                                  .width = 7,
                                  .upsample = 1});
    assert_true(stream.scratch_bytes >= last);
    last = stream.scratch_bytes;
  }
  msk_conv_destroy(conv);
  guarded_free(x), guarded_free(weight), guarded_free(together), guarded_free(alone);
}

static void test_winograd_cuts(void **state) {
  (void)state;
  for_each_isa(winograd_cuts_on);
  for_each_isa(winograd_stream_on);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_conv), cmocka_unit_test(test_conv_accuracy),
      cmocka_unit_test(test_upsample), cmocka_unit_test(test_stored_filters),
      cmocka_unit_test(test_winograd_cuts)};
  return cmocka_run_group_tests_name("convolutions", tests, NULL, NULL);
}
