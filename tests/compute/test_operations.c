/* SPDX-License-Identifier: Apache-2.0
 *
 * test_operations.c - every operation of backend.h, on every instruction set that this machine
 * has, against its float64 definition. Tolerances follow from the number of summands and the
 * size of what is summed. */
#include "compute/cpu/cpu.h"
#include "naive.h"

static void for_each_isa(void (*test)(const msk_device *device)) {
  int count = 0;
  for (; msk_isa_name(count) != NULL; count++) {
    msk_device *device = device_new(msk_isa_name(count));
    assert_string_equal(msk_device_isa(device), msk_isa_name(count));
    test(device);
    msk_device_destroy(device);
  }
  assert_true(count > 0);
}

/* ---- linear ---- */

struct linear_case {
  size_t rows, in, out, columns, x_pad, y_pad;
  msk_activation activation;
  bool residual, in_place, transposed, bias;
};

static msk_linear *linear_new(const msk_device *device, const struct linear_case *c,
                              const float *weight, const float *bias) {
  msk_linear *linear;
  msk_linear_part part = {
      .weight = weight, .bias = bias, .out = c->out, .transposed = c->transposed};
  assert_int_equal(
      msk_linear_create(&linear, device, MSK_PRECISION_FP32, c->in, &part, 1, NULL, NULL), MSK_OK);
  assert_int_equal(linear->in, c->in);
  assert_int_equal(linear->out, c->out);
  assert_true((linear->matrix.panels == NULL) != (linear->matrix.fp16 == NULL));
  return linear;
}

static void check_linear(const struct linear_case *c, size_t columns, const float *x,
                         const float *weight, const float *bias, const float *residual,
                         const float *y) {
  for (size_t r = 0; r < c->rows; r++) {
    for (size_t j = 0; j < columns; j++) {
      double value = c->bias ? bias[j] : 0, size = fabs(value);
      for (size_t k = 0; k < c->in; k++) {
        double product = (double)x[r * (c->in + c->x_pad) + k] *
                         weight[c->transposed ? j * c->in + k : k * c->out + j];
        value += product;
        size += fabs(product);
      }
      double old = c->residual ? residual[r * (columns + c->y_pad) + j] : 0;
      double tolerance =
          ((double)c->in + 2) * UNIT * size * 1.2 + 16 * UNIT * (fabs(value) + fabs(old)) + FLT_MIN;
      check_value(y[r * (columns + c->y_pad) + j], naive_activation(value, c->activation) + old,
                  tolerance, "linear", r * columns + j);
    }
    for (size_t j = 0; j < c->y_pad && r + 1 < c->rows && !c->in_place; j++)
      assert_true(isnan(y[r * (columns + c->y_pad) + columns + j]));
  }
}

static void test_linear_case(const msk_device *device, const struct linear_case *c) {
  size_t columns = c->columns == 0 ? c->out : c->columns, x_stride = c->in + c->x_pad,
         y_stride = columns + c->y_pad;
  float *x = random_new(c->rows * x_stride, 1, 1), *weight = random_new(c->in * c->out, 2, 1),
        *bias = random_new(c->out, 3, 1);
  float *residual = random_new(c->rows * y_stride, 4, 1), *y = guarded_new(c->rows * y_stride);
  if (c->in_place) memcpy(y, residual, c->rows * y_stride * sizeof(float));
  msk_linear *linear = linear_new(device, c, weight, c->bias ? bias : NULL);
  linear_args args = {.linear = linear,
                      .x = x,
                      .y = y,
                      .residual = c->in_place   ? y
                                  : c->residual ? residual
                                                : NULL,
                      .rows = c->rows,
                      .x_stride = c->x_pad ? x_stride : 0,
                      .y_stride = c->y_pad ? y_stride : 0,
                      .residual_stride = c->y_pad ? y_stride : 0,
                      .columns = c->columns,
                      .activation = c->activation};
  run_operation(device, 1, do_linear, &args);
  guarded_check(y, c->rows * y_stride);
  check_linear(c, columns, x, weight, bias, residual, y);
  msk_linear_destroy(linear);
  guarded_free(x), guarded_free(weight), guarded_free(bias), guarded_free(residual),
      guarded_free(y);
}

static void linear_on(const msk_device *device) {
  static const size_t rows[] = {1, 2, 3, 5, 6, 7, 11, 12, 13, 17, 97, 193},
                      columns[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 49, 65, 131};
  static const size_t depths[] = {1, 2, 3, 16, 47, 255, 256, 257, 300, 521};
  uint64_t seed = 11;
  for (size_t i = 0; i < 120; i++) {
    uint64_t pick = test_random(&seed);
    struct linear_case c = {.rows = rows[i % 12],
                            .in = depths[pick % 10],
                            .out = columns[pick / 16 % 15],
                            .activation = (msk_activation)(i % 4),
                            .residual = pick >> 20 & 1,
                            .transposed = pick >> 21 & 1,
                            .bias = pick >> 22 & 1};
    c.in_place = c.residual && (pick >> 23 & 1);
    if (pick >> 24 & 1) c.x_pad = 3, c.y_pad = 5;
    if (pick >> 25 & 1) c.columns = (c.out + 1) / 2;
    test_linear_case(device, &c);
  }
}

static void test_linear(void **state) {
  (void)state;
  for_each_isa(linear_on);
}

/* Parts side by side equal the layers one by one. */
static void parts_on(const msk_device *device) {
  enum { IN = 37, ROWS = 9 };
  const size_t outs[3] = {13, 40, 21};
  float *x = random_new(ROWS * IN, 5, 1), *weights[3], *biases[3], *whole = guarded_new(ROWS * 74),
        *single = guarded_new(ROWS * 40);
  msk_linear_part parts[3];
  for (size_t i = 0; i < 3; i++) {
    weights[i] = random_new(IN * outs[i], 6 + i, 1);
    biases[i] = random_new(outs[i], 16 + i, 1);
    parts[i] = (msk_linear_part){.weight = weights[i],
                                 .bias = i == 1 ? NULL : biases[i],
                                 .out = outs[i],
                                 .transposed = i == 2};
  }
  msk_linear *linear;
  assert_int_equal(msk_linear_create(&linear, device, MSK_PRECISION_FP32, IN, parts, 3, NULL, NULL),
                   MSK_OK);
  run_operation(device, 1, do_linear,
                &(linear_args){.linear = linear, .x = x, .y = whole, .rows = ROWS});
  msk_linear_destroy(linear);
  for (size_t i = 0, column = 0; i < 3; column += outs[i], i++) {
    assert_int_equal(
        msk_linear_create(&linear, device, MSK_PRECISION_FP32, IN, &parts[i], 1, NULL, NULL),
        MSK_OK);
    run_operation(device, 1, do_linear,
                  &(linear_args){.linear = linear, .x = x, .y = single, .rows = ROWS});
    for (size_t r = 0; r < ROWS; r++)
      assert_memory_equal(single + r * outs[i], whole + r * 74 + column, outs[i] * sizeof(float));
    msk_linear_destroy(linear);
    guarded_free(weights[i]), guarded_free(biases[i]);
  }
  guarded_free(x), guarded_free(whole), guarded_free(single);
}

static void test_parts(void **state) {
  (void)state;
  for_each_isa(parts_on);
}

/* Weights that are binary16 numbers are kept as such, and nothing else changes: not a bit of the
 * results. One weight that is none, in a column more, makes the layer keep floats. */
static void fp16_on(const msk_device *device) {
  enum { ROWS = 101, IN = 300, OUT = 77 };
  static const float odd[] = {65520, 0x1p-25f, 1.0f + 0x1p-11f, -3.0000002f};
  float *x = random_new(ROWS * IN, 5, 1), *weight = random_new(IN * OUT, 6, 1),
        *more = guarded_new(IN * (OUT + 1));
  float *y = guarded_new(ROWS * OUT), *wide = guarded_new(ROWS * (OUT + 1));
  for (size_t i = 0; i < IN * OUT; i++)
    weight[i] = i % 7 == 0 ? (float)(i % 11) * 0x1p-24f : roundf(weight[i] * 512) / 512;
  weight[1] = -65504, weight[2] = -0.0f;
  for (size_t i = 0; i < IN; i++) {
    memcpy(more + i * (OUT + 1), weight + i * OUT, OUT * sizeof *more);
    more[i * (OUT + 1) + OUT] = odd[i % 4];
  }
  const msk_linear_part parts[2] = {{.weight = weight, .out = OUT},
                                    {.weight = more, .out = OUT + 1}};
  msk_linear *halved, *whole;
  assert_int_equal(
      msk_linear_create(&halved, device, MSK_PRECISION_FP32, IN, &parts[0], 1, NULL, NULL), MSK_OK);
  assert_int_equal(
      msk_linear_create(&whole, device, MSK_PRECISION_FP32, IN, &parts[1], 1, NULL, NULL), MSK_OK);
  assert_non_null(halved->matrix.fp16);
  assert_non_null(whole->matrix.panels);
  run_operation(device, 2, do_linear,
                &(linear_args){.linear = halved, .x = x, .y = y, .rows = ROWS});
  run_operation(device, 1, do_linear,
                &(linear_args){.linear = whole, .x = x, .y = wide, .rows = ROWS});
  for (size_t r = 0; r < ROWS; r++)
    assert_memory_equal(y + r * OUT, wide + r * (OUT + 1), OUT * sizeof *y);
  msk_linear_destroy(halved), msk_linear_destroy(whole);
  for (size_t i = 0; i < 4; i++) { /* each kind of loss is seen */
    weight[IN * OUT - 1] = odd[i];
    assert_int_equal(
        msk_linear_create(&whole, device, MSK_PRECISION_FP32, IN, &parts[0], 1, NULL, NULL),
        MSK_OK);
    assert_non_null(whole->matrix.panels);
    msk_linear_destroy(whole);
  }
  guarded_free(x), guarded_free(weight), guarded_free(more), guarded_free(y), guarded_free(wide);
}

/* Given as binary16 numbers: the same bytes as given as floats. Beside floats that are none, all
 * become floats. */
static void stored_fp16_on(const msk_device *device) {
  enum { ROWS = 19, IN = 300, OUT = 77, MORE = 5, C = 24 };
  float *x = random_new(ROWS * IN, 5, 1), *weight = random_new(IN * OUT, 6, 1),
        *odd = random_new(IN * MORE, 7, 1);
  float *y[4] = {guarded_new(ROWS * (OUT + MORE)), guarded_new(ROWS * (OUT + MORE)),
                 guarded_new(ROWS * (OUT + MORE)), guarded_new(ROWS * (OUT + MORE))};
  uint16_t fp16[IN * OUT];
  msk_narrow_fp16(weight, IN * OUT, fp16);
  device->kernels.widen_fp16(IN * OUT, fp16, weight);
  for (int i = 0; i < 4; i++) {
    const msk_linear_part parts[] = {{.weight = i % 2 ? (const void *)fp16 : weight,
                                      .out = OUT,
                                      .dtype = i % 2 ? MSK_DTYPE_F16 : MSK_DTYPE_F32},
                                     {.weight = odd, .out = MORE}};
    msk_linear *linear;
    assert_int_equal(msk_linear_create(&linear, device, MSK_PRECISION_FP32, IN, parts,
                                       i < 2 ? 1 : 2, NULL, NULL),
                     MSK_OK);
    assert_int_equal(linear->matrix.fp16 != NULL, i < 2);
    run_operation(device, 1, do_linear,
                  &(linear_args){.linear = linear, .x = x, .y = y[i], .rows = ROWS});
    msk_linear_destroy(linear);
  }
  assert_memory_equal(y[0], y[1], ROWS * OUT * sizeof(float));
  assert_memory_equal(y[2], y[3], ROWS * (OUT + MORE) * sizeof(float));
  guarded_free(x), guarded_free(weight), guarded_free(odd);
  for (int i = 0; i < 4; i++) guarded_free(y[i]);
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

static void test_stored_fp16(void **state) {
  (void)state;
  for_each_isa(stored_fp16_on);
  for_each_isa(stored_filters_on);
}

static void test_fp16(void **state) {
  (void)state;
  for_each_isa(fp16_on);
}

/* NaN and infinity reach exactly the outputs that depend on them. */
static void special_values_on(const msk_device *device) {
  enum { ROWS = 13, IN = 300, OUT = 33 };
  float *x = random_new(ROWS * IN, 5, 1), *weight = random_new(IN * OUT, 6, 1),
        *y = guarded_new(ROWS * OUT);
  x[3 * IN + 299] = NAN;
  x[7 * IN + 1] = INFINITY;
  weight[5 * OUT + 32] = -INFINITY;
  for (size_t r = 0; r < ROWS; r++) x[r * IN + 5] = 1;
  struct linear_case c = {.rows = ROWS, .in = IN, .out = OUT};
  for (int activation = 0; activation < 4; activation++) {
    c.activation = (msk_activation)activation;
    msk_linear *linear = linear_new(device, &c, weight, NULL);
    run_operation(
        device, 1, do_linear,
        &(linear_args){.linear = linear, .x = x, .y = y, .rows = ROWS, .activation = c.activation});
    for (size_t i = 0; i < ROWS * OUT; i++) {
      size_t r = i / OUT, j = i % OUT;
      double sum = j == 32 ? -INFINITY : 0;
      if (r == 7) sum += weight[OUT + j] > 0 ? INFINITY : -INFINITY;
      if (r == 3) sum = NAN;
      double expected = sum == 0 ? 0 : naive_activation(sum, c.activation);
      if (sum == 0) {
        assert_true(isfinite(y[i]));
      } else if (activation != MSK_ACT_NONE && sum == -INFINITY) {
        assert_true(y[i] == 0 || isnan(y[i])); /* -inf * 0 */
      } else {
        check_value(y[i], expected, 0, "special", i);
      }
    }
    msk_linear_destroy(linear);
  }
  guarded_free(x), guarded_free(weight), guarded_free(y);
}

static void test_special_values(void **state) {
  (void)state;
  for_each_isa(special_values_on);
}

/* ---- convolution ---- */

struct conv_case {
  size_t kernel, stride, upsample, in, out, height, width, batch;
  bool bias, residual;
};

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
  static const size_t sides[] = {1, 2, 3, 4, 5, 7, 8, 9, 13, 16},
                      channels[] = {1, 2, 3, 4, 8, 12, 16, 17, 24, 32, 40, 64};
  uint64_t seed = 3;
  for (size_t i = 0; i < 160; i++) {
    uint64_t pick = test_random(&seed);
    struct conv_case c = {.kernel = i % 2 ? 3 : 1 + pick % 4,
                          .stride = 1 + (pick >> 8) % 2,
                          .in = channels[(pick >> 10) % 12],
                          .out = channels[(pick >> 15) % 12],
                          .height = sides[(pick >> 20) % 10],
                          .width = sides[(pick >> 25) % 10],
                          .batch = 1 + (pick >> 30) % 2,
                          .bias = pick >> 31 & 1,
                          .residual = pick >> 32 & 1,
                          .upsample = 1};
    if (i % 2) c.stride = 1 + (i % 8 == 7);
    if (c.stride == 1 && c.kernel == 3) c.upsample = 1 + (pick >> 33) % 2;
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

/* ---- norms ---- */

struct norm_arguments {
  const float *x, *gamma, *beta;
  float epsilon, *y;
  size_t groups, batch, pixels, channels;
  bool swish;
};

static void do_layer_norm(msk_stream *stream, const void *arguments) {
  const struct norm_arguments *a = arguments;
  const msk_norm norm = {a->gamma, a->beta, a->epsilon, 0};
  msk_op_layer_norm(stream, msk_rows_at(a->x, a->pixels, a->channels), &norm,
                    msk_rows_at(a->y, a->pixels, a->channels));
}

static void do_group_norm(msk_stream *stream, const void *arguments) {
  const struct norm_arguments *a = arguments;
  const msk_norm norm = {a->gamma, a->beta, a->epsilon, a->groups};
  msk_op_group_norm(stream, msk_map_at(a->x, a->batch, 1, a->pixels, a->channels), &norm, a->swish,
                    msk_map_at(a->y, a->batch, 1, a->pixels, a->channels));
}

/* Element i of the norm over the `count` elements that `member` picks. The tolerance knows that
 * subtracting a mean cancels. */
static void check_norm(const struct norm_arguments *a, const float *x, size_t first, size_t rows,
                       size_t run, size_t row_stride, size_t gamma) {
  double sum = 0, deviation = 0, count = (double)(rows * run), largest = 0;
  for (size_t i = 0; i < rows * run; i++) sum += x[first + i / run * row_stride + i % run];
  double mean = sum / count;
  for (size_t i = 0; i < rows * run; i++) {
    double difference = x[first + i / run * row_stride + i % run] - mean;
    deviation += difference * difference;
    largest = fmax(largest, fabs(difference));
  }
  double scale = 1 / sqrt(deviation / count + (double)a->epsilon);
  for (size_t i = 0; i < rows * run; i++) {
    size_t at = first + i / run * row_stride + i % run, c = gamma + i % run;
    double value = (x[at] - mean) * scale * a->gamma[c] + a->beta[c];
    double slack = UNIT * scale * fabs(a->gamma[c]) * (4 * fabs(mean) + 16 * largest) +
                   8 * UNIT * (fabs(value) + fabs((double)a->beta[c]));
    if (a->swish) value = value / (1 + exp(-value));
    check_value(a->y[at], value, 1.2 * slack + 8 * UNIT * fabs(value), "norm", at);
  }
}

static void test_norm_case(const msk_device *device, struct norm_arguments a, bool layer,
                           float mean) {
  size_t count = a.batch * a.pixels * a.channels;
  float *x = random_new(count, 1, 2), *gamma = random_new(a.channels, 2, 1),
        *beta = random_new(a.channels, 3, 1), *y = guarded_new(count);
  for (size_t i = 0; i < count; i++) x[i] += mean;
  a.x = x, a.gamma = gamma, a.beta = beta, a.y = y;
  for (int in_place = 0; in_place < 2; in_place++) {
    if (in_place) memcpy(y, x, count * sizeof(float)), a.x = y;
    run_operation(device, 1, layer ? do_layer_norm : do_group_norm, &a);
    guarded_check(y, count);
    size_t run = layer ? a.channels : a.channels / a.groups;
    for (size_t i = 0; i < (layer ? a.pixels : a.batch * a.groups); i++) {
      if (layer) {
        check_norm(&a, x, i * run, 1, run, run, 0);
      } else {
        check_norm(&a, x, i / a.groups * a.pixels * a.channels + i % a.groups * run, a.pixels, run,
                   a.channels, i % a.groups * run);
      }
    }
  }
  guarded_free(x), guarded_free(gamma), guarded_free(beta), guarded_free(y);
}

static void norms_on(const msk_device *device) {
  static const size_t dims[] = {1, 3, 16, 17, 48, 72, 100, 768};
  for (size_t i = 0; i < 32; i++) {
    test_norm_case(device,
                   (struct norm_arguments){.epsilon = 1e-12f,
                                           .batch = 1,
                                           .pixels = 1 + i % 19,
                                           .channels = dims[i % 8] + (i >= 16)},
                   true, (float)(i % 3) * 10);
  }
  static const size_t sizes[][3] = {{1, 4, 4},    {7, 32, 32},   {64, 48, 8},
                                    {1000, 6, 3}, {333, 40, 8},  {1024, 128, 32},
                                    {4100, 3, 1}, {50, 512, 32}, {3, 9000, 30}};
  for (size_t i = 0; i < 18; i++) {
    const size_t *s = sizes[i % 9];
    test_norm_case(device,
                   (struct norm_arguments){.epsilon = 1e-6f,
                                           .batch = 1 + i % 3,
                                           .pixels = s[0],
                                           .channels = s[1],
                                           .groups = s[2],
                                           .swish = i % 2},
                   false, i % 4 == 1 ? 100 : 0);
  }
}

static void test_norms(void **state) {
  (void)state;
  for_each_isa(norms_on);
}

/* ---- movers ---- */

static void movers_on(const msk_device *device) {
  msk_stream stream = {.device = device};
  enum { B = 2, H = 5, W = 7, C = 3 };
  float *x = random_new(B * H * W * C, 1, 1), *y = guarded_new(B * 3 * 4 * C);
  msk_op_average_pool(&stream, msk_map_at(x, B, H, W, C), msk_map_at(y, B, 3, 4, C));
  guarded_check(y, B * 3 * 4 * C);
  for (size_t i = 0; i < B * 3 * 4 * C; i++) {
    size_t c = i % C, ox = i / C % 4, oy = i / C / 4 % 3, b = i / C / 4 / 3;
    double sum = 0, count = 0;
    for (size_t yy = 2 * oy; yy < 2 * oy + 2 && yy < H; yy++) {
      for (size_t xx = 2 * ox; xx < 2 * ox + 2 && xx < W; xx++, count++)
        sum += x[((b * H + yy) * W + xx) * C + c];
    }
    check_value(y[i], sum / count, 4 * UNIT * 4, "pool", i);
  }
  guarded_free(x), guarded_free(y);

  enum { R = 3, H2 = 6, W2 = 9 };
  float *large = random_new(B * H2 * W2 * C, 2, 1), *deep = guarded_new(B * H2 * W2 * C),
        *back = guarded_new(B * H2 * W2 * C);
  const msk_map wide = msk_map_at(large, B, H2, W2, C),
                cells = msk_map_at(deep, B, H2 / R, W2 / R, C * R * R);
  const msk_rows all = msk_map_rows(wide), others = msk_rows_at(deep, all.rows, all.columns);
  msk_op_space_to_depth(&stream, wide, cells);
  for (size_t i = 0; i < B * H2 * W2 * C; i++) {
    size_t c = i % C, xx = i / C % W2, yy = i / C / W2 % H2, b = i / C / W2 / H2;
    size_t cell = (b * (H2 / R) + yy / R) * (W2 / R) + xx / R;
    assert_true(deep[cell * R * R * C + (yy % R * R + xx % R) * C + c] == large[i]);
  }
  msk_op_depth_to_space(&stream, cells, msk_map_at(back, B, H2, W2, C));
  assert_memory_equal(back, large, B * H2 * W2 * C * sizeof(float));
  guarded_check(deep, B * H2 * W2 * C), guarded_check(back, B * H2 * W2 * C);
  msk_op_copy(&stream, all, others);
  assert_memory_equal(deep, large, B * H2 * W2 * C * sizeof(float));
  msk_op_add(&stream, all, others);
  for (size_t i = 0; i < B * H2 * W2 * C; i++) assert_true(deep[i] == 2 * large[i]);
  large[0] = NAN, large[1] = -INFINITY, large[2] = INFINITY;
  msk_op_relu(&stream, all, others);
  assert_true(isnan(deep[0]) && deep[1] == 0 && deep[2] == INFINITY);
  for (size_t i = 3; i < B * H2 * W2 * C; i++) assert_true(deep[i] == fmaxf(large[i], 0));
  msk_op_relu(&stream, all, all);
  assert_memory_equal(large, deep, B * H2 * W2 * C * sizeof(float));
  guarded_check(deep, B * H2 * W2 * C);
  guarded_free(large), guarded_free(deep), guarded_free(back);
}

static void test_movers(void **state) {
  (void)state;
  for_each_isa(movers_on);
}

static void embed_on(const msk_device *device) {
  msk_stream stream = {.device = device};
  enum { V = 11, N = 4, D = 5 };
  float *words = random_new(V * D, 1, 1), *positions = random_new(N * D, 2, 1),
        *y = guarded_new(2 * N * D);
  const int32_t ids[2 * N] = {0, MSK_MASK_TOKEN, 10, 3, 9, 1, MSK_MASK_TOKEN, 2};
  msk_op_embed(&stream, ids, msk_rows_at(words, V, D), msk_rows_at(positions, N, D),
               msk_rows_at(y, 2 * N, D));
  for (size_t i = 0; i < 2 * N * D; i++) {
    size_t id = ids[i / D] < 0 ? V - 1 : (size_t)ids[i / D];
    assert_true(y[i] == words[id * D + i % D] + positions[i / D % N * D + i % D]);
  }
  guarded_check(y, 2 * N * D);
  float score[2 * 3 * N], sums[2 * N];
  for (size_t i = 0; i < 2 * 3 * N; i++) score[i] = (float)(i * i % 13);
  for (size_t i = 0; i < 2 * N; i++) sums[i] = 100;
  for (int accumulate = 1; accumulate >= 0; accumulate--) {
    msk_op_head_sum(&stream, score, 3, 0.5f, accumulate, msk_rows_at(sums, 2, N));
    for (size_t b = 0; b < 2; b++) {
      for (size_t n = 0; n < N; n++) {
        float sum =
            score[(b * 3) * N + n] + score[(b * 3 + 1) * N + n] + score[(b * 3 + 2) * N + n];
        assert_true(sums[b * N + n] == (accumulate ? 100.0f : 0.0f) + 0.5f * sum);
      }
    }
  }
  guarded_free(words), guarded_free(positions), guarded_free(y);
}

static void test_embed(void **state) {
  (void)state;
  for_each_isa(embed_on);
}

/* ---- codebook ---- */

struct code_arguments {
  const msk_codebook *codebook;
  const float *x;
  size_t rows, dim;
  int32_t *codes;
};

static void do_nearest(msk_stream *stream, const void *arguments) {
  const struct code_arguments *a = arguments;
  msk_op_nearest_code(stream, a->codebook, msk_rows_at(a->x, a->rows, a->dim), a->codes);
}

static void codebook_on(const msk_device *device) {
  enum { CODES = 97, DIM = 33, ROWS = 301 };
  float *vectors = random_new(CODES * DIM, 1, 1), *x = random_new(ROWS * DIM, 2, 1),
        *y = guarded_new(ROWS * DIM);
  memcpy(vectors + 60 * DIM, vectors + 20 * DIM, DIM * sizeof(float)); /* a tie */
  memcpy(vectors + 70 * DIM, vectors + 20 * DIM, DIM * sizeof(float));
  vectors[70 * DIM] = nextafterf(vectors[70 * DIM], 10); /* and nearly one */
  for (size_t i = 0; i < 50; i++)
    memcpy(x + i * DIM, vectors + (i * 7 % CODES) * DIM, DIM * sizeof(float));
  for (size_t i = 50; i < 60; i++)
    memcpy(x + i * DIM, vectors + (i % 2 ? 20 : 70) * DIM, DIM * sizeof(float));
  x[100 * DIM + 3] = NAN;
  msk_codebook *codebook;
  assert_int_equal(msk_codebook_create(&codebook, device, vectors, CODES, DIM, NULL), MSK_OK);
  int32_t codes[ROWS + 1];
  memset(codes, 0x7b, sizeof codes);
  run_operation(device, 2, do_nearest, &(struct code_arguments){codebook, x, ROWS, DIM, codes});
  assert_int_equal(codes[ROWS], 0x7b7b7b7b);
  for (size_t r = 0; r < ROWS; r++) {
    int32_t best = 0;
    double least = INFINITY;
    for (int32_t c = 0; c < CODES; c++) {
      double distance = 0;
      for (size_t d = 0; d < DIM; d++)
        distance += pow((double)x[r * DIM + d] - vectors[(size_t)c * DIM + d], 2);
      if (distance < least) least = distance, best = c;
    }
    assert_int_equal(codes[r], best);
  }
  msk_stream stream = {.device = device};
  msk_op_lookup_code(&stream, codebook, codes, msk_rows_at(y, ROWS, DIM));
  for (size_t r = 0; r < ROWS; r++)
    assert_memory_equal(y + r * DIM, vectors + (size_t)codes[r] * DIM, DIM * sizeof(float));
  guarded_check(y, ROWS * DIM);
  msk_codebook_destroy(codebook);
  guarded_free(vectors), guarded_free(x), guarded_free(y);
}

static void test_codebook(void **state) {
  (void)state;
  for_each_isa(codebook_on);
}

/* ---- equivalences: threads, batches ---- */

/* `rows` outputs of a product-like operation at 1..8 threads, all bits equal. */
static void threads_on(const msk_device *device) {
  enum { ROWS = 200, IN = 300, OUT = 100, H = 33, W = 21, C = 32, N = 70 };
  float *x = random_new(ROWS * IN, 1, 1), *weight = random_new(9 * C * C + IN * OUT, 2, 1),
        *one = guarded_new(ROWS * OUT + H * W * C), *many = guarded_new(ROWS * OUT + H * W * C);
  float *picture = random_new(2 * H * W * C, 3, 1), *gamma = random_new(C, 4, 1);
  struct linear_case c = {.rows = ROWS, .in = IN, .out = OUT};
  msk_linear *linear = linear_new(device, &c, weight, NULL);
  msk_conv *conv;
  assert_int_equal(
      msk_conv_create(&conv, device, weight, MSK_DTYPE_F32, gamma, 3, 1, C, C, NULL, NULL), MSK_OK);
  for (int threads = 1; threads <= 8; threads++) {
    float *y = threads == 1 ? one : many;
    size_t counts[4] = {ROWS * OUT, H * W * C, H * W * C, 2 * N * 32};
    for (int op = 0; op < 4; op++) {
      if (op == 0)
        run_operation(
            device, threads, do_linear,
            &(linear_args){
                .linear = linear, .x = x, .y = y, .rows = ROWS, .activation = MSK_ACT_GELU_TANH});
      if (op == 1)
        run_operation(device, threads, do_conv,
                      &(conv_args){.conv = conv,
                                   .x = picture,
                                   .y = y,
                                   .batch = 1,
                                   .height = H,
                                   .width = W,
                                   .upsample = 1});
      if (op == 2) {
        run_operation(device, threads, do_group_norm,
                      &(struct norm_arguments){.x = picture,
                                               .gamma = gamma,
                                               .beta = gamma,
                                               .epsilon = 1e-6f,
                                               .y = y,
                                               .groups = 4,
                                               .batch = 1,
                                               .pixels = H * W,
                                               .channels = C,
                                               .swish = true});
      }
      if (op == 3) {
        run_operation(device, threads, do_attention,
                      &(attention_args){.q = picture,
                                        .k = picture + 32,
                                        .v = picture + 64,
                                        .stride = 96,
                                        .out_stride = 32,
                                        .batch = 2,
                                        .tokens = N,
                                        .heads = 2,
                                        .head_dim = 16,
                                        .scale = 0.3f,
                                        .out = y});
      }
      static float *first[4];
      if (threads == 1) {
        first[op] = malloc(counts[op] * sizeof(float));
        memcpy(first[op], y, counts[op] * sizeof(float));
      } else {
        assert_memory_equal(first[op], y, counts[op] * sizeof(float));
        if (threads == 8) free(first[op]);
      }
    }
  }
  msk_linear_destroy(linear);
  msk_conv_destroy(conv);
  guarded_free(x), guarded_free(weight), guarded_free(one), guarded_free(many),
      guarded_free(picture), guarded_free(gamma);
}

static void test_threads(void **state) {
  (void)state;
  for_each_isa(threads_on);
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

/* A batch gives what its pictures give alone; scratch for a batch is enough for less. */
static void batch_on(const msk_device *device) {
  enum { B = 5, H = 18, W = 13, C = 32, N = 37, D = 32 };
  float *x = random_new(B * H * W * C, 1, 1), *weight = random_new(9 * C * C, 2, 1),
        *gamma = random_new(C, 4, 1);
  float *together = guarded_new(B * H * W * C), *alone = guarded_new(H * W * C);
  msk_conv *conv;
  assert_int_equal(
      msk_conv_create(&conv, device, weight, MSK_DTYPE_F32, NULL, 3, 1, C, C, NULL, NULL), MSK_OK);
  for (int op = 0; op < 3; op++) {
    size_t each = op == 2 ? N * D : H * W * C;
    for (size_t b = 0; b <= B; b++) { /* b == B: all of them */
      const float *from = b == B ? x : x + b * (op == 2 ? N * 3 * D : H * W * C);
      float *y = b == B ? together : alone;
      size_t batch = b == B ? B : 1;
      if (op == 0)
        run_operation(device, 1, do_conv,
                      &(conv_args){.conv = conv,
                                   .x = from,
                                   .y = y,
                                   .batch = batch,
                                   .height = H,
                                   .width = W,
                                   .upsample = 1});
      if (op == 1) {
        run_operation(device, 1, do_group_norm,
                      &(struct norm_arguments){.x = from,
                                               .gamma = gamma,
                                               .beta = gamma,
                                               .epsilon = 1e-6f,
                                               .y = y,
                                               .groups = 4,
                                               .batch = batch,
                                               .pixels = H * W,
                                               .channels = C});
      }
      if (op == 2) {
        run_operation(device, 1, do_attention,
                      &(attention_args){.q = from,
                                        .k = from + D,
                                        .v = from + 2 * D,
                                        .stride = 3 * D,
                                        .out_stride = D,
                                        .batch = batch,
                                        .tokens = N,
                                        .heads = 2,
                                        .head_dim = D / 2,
                                        .scale = 0.3f,
                                        .out = y});
      }
      static float *singles;
      if (b == 0) singles = malloc(B * each * sizeof(float));
      if (b < B) {
        memcpy(singles + b * each, alone, each * sizeof(float));
      } else {
        assert_memory_equal(singles, together, B * each * sizeof(float));
        free(singles);
      }
    }
  }
  msk_conv_destroy(conv);
  guarded_free(x), guarded_free(weight), guarded_free(gamma), guarded_free(together),
      guarded_free(alone);
}

static void test_batch(void **state) {
  (void)state;
  for_each_isa(batch_on);
}

/* Scratch for many rows is enough for fewer: a session serves smaller requests. */
static void scratch_on(const msk_device *device) {
  enum { IN = 40, OUT = 70 };
  float *weight = random_new(9 * IN * OUT, 2, 1);
  struct linear_case c = {.in = IN, .out = OUT};
  msk_linear *linear = linear_new(device, &c, weight, NULL);
  msk_conv *conv;
  assert_int_equal(
      msk_conv_create(&conv, device, weight, MSK_DTYPE_F32, NULL, 3, 1, IN, OUT, NULL, NULL),
      MSK_OK);
  size_t last[4] = {0, 0, 0, 0};
  const float *x = (float *)MSK_NOWHERE; /* nothing is read or written */
  float *y = (float *)MSK_NOWHERE + 1;
  for (size_t n = 1; n < 300; n++) {
    for (int op = 0; op < 4; op++) {
      msk_stream stream = {.device = device, .measuring = true};
      if (op == 0) do_linear(&stream, &(linear_args){.linear = linear, .x = x, .y = y, .rows = n});
      if (op == 1)
        do_conv(
            &stream,
            &(conv_args){
                .conv = conv, .x = x, .y = y, .batch = n, .height = 9, .width = 5, .upsample = 1});
      if (op == 2)
        do_attention(&stream, &(attention_args){.q = x,
                                                .k = x,
                                                .v = x,
                                                .batch = n,
                                                .tokens = 9,
                                                .heads = 3,
                                                .head_dim = 20,
                                                .out = y});
      if (op == 3)
        do_group_norm(&stream,
                      &(struct norm_arguments){
                          .groups = 4, .batch = n, .pixels = 45, .channels = 40, .swish = true});
      assert_true(stream.scratch_bytes >= last[op]);
      last[op] = stream.scratch_bytes;
    }
  }
  msk_linear_destroy(linear);
  msk_conv_destroy(conv);
  guarded_free(weight);
}

static void test_scratch(void **state) {
  (void)state;
  for_each_isa(scratch_on);
}

/* ---- devices ---- */

static void test_devices(void **state) {
  (void)state;
  msk_device *device = NULL;
  msk_error error;
  assert_string_equal(msk_isa_name(0), "ref");
  assert_null(msk_isa_name(100));
  assert_int_equal(msk_device_create(&device, "mmx", MSK_PRECISION_FP32, NULL, &error),
                   MSK_ERROR_ARGUMENT);
  assert_non_null(strstr(error.message, "mmx"));
  assert_non_null(strstr(error.message, "ref"));
  assert_null(device);
  assert_int_equal(setenv("MASKSKETCH_ISA", "ref", 1), 0);
  device = device_new(NULL);
  assert_string_equal(msk_device_isa(device), "ref");
  msk_device_destroy(device);
  assert_int_equal(setenv("MASKSKETCH_ISA", "nothing", 1), 0);
  assert_int_equal(msk_device_create(&device, NULL, MSK_PRECISION_FP32, NULL, &error),
                   MSK_ERROR_ARGUMENT);
  assert_int_equal(unsetenv("MASKSKETCH_ISA"), 0);
  int count = 0;
  while (msk_isa_name(count + 1) != NULL) count++;
  device = device_new(NULL);
  assert_string_equal(msk_device_isa(device), msk_isa_name(count));
  msk_device_destroy(device);
}

/* Every allocation of every create function may fail: a clean error, nothing left behind. */
static msk_status create_all(const msk_allocator *allocator, msk_error *error) {
  static const float weight[9 * 5 * 6], bias[6];
  msk_device *device = NULL;
  msk_linear *linear = NULL;
  msk_conv *conv = NULL;
  msk_codebook *codebook = NULL;
  msk_linear_part part = {.weight = weight, .bias = bias, .out = 6};
  msk_status status = msk_device_create(&device, NULL, MSK_PRECISION_FP32, allocator, error);
  if (status == MSK_OK)
    status = msk_linear_create(&linear, device, MSK_PRECISION_FP32, 5, &part, 1, NULL, error);
  if (status == MSK_OK)
    status = msk_conv_create(&conv, device, weight, MSK_DTYPE_F32, bias, 3, 1, 5, 6, NULL, error);
  if (status == MSK_OK) status = msk_codebook_create(&codebook, device, weight, 6, 5, error);
  msk_codebook_destroy(codebook);
  msk_conv_destroy(conv);
  msk_linear_destroy(linear);
  msk_device_destroy(device);
  return status;
}

static void test_allocation_failures(void **state) {
  (void)state;
  counting_allocator counting;
  msk_error error;
  counting_allocator_init(&counting);
  assert_int_equal(create_all(&counting.allocator, &error), MSK_OK);
  assert_int_equal(counting.live, 0);
  long calls = counting.calls;
  assert_true(calls >= 8);
  for (long k = 1; k <= calls; k++) {
    counting_allocator_init(&counting);
    counting.fail_at = k;
    assert_int_equal(create_all(&counting.allocator, &error), MSK_ERROR_MEMORY);
    assert_int_equal(counting.live, 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_devices),        cmocka_unit_test(test_allocation_failures),
      cmocka_unit_test(test_linear),         cmocka_unit_test(test_parts),
      cmocka_unit_test(test_fp16),           cmocka_unit_test(test_stored_fp16),
      cmocka_unit_test(test_special_values), cmocka_unit_test(test_conv),
      cmocka_unit_test(test_conv_accuracy),  cmocka_unit_test(test_upsample),
      cmocka_unit_test(test_attention),      cmocka_unit_test(test_attention_special),
      cmocka_unit_test(test_norms),          cmocka_unit_test(test_movers),
      cmocka_unit_test(test_embed),          cmocka_unit_test(test_codebook),
      cmocka_unit_test(test_threads),        cmocka_unit_test(test_winograd_cuts),
      cmocka_unit_test(test_batch),          cmocka_unit_test(test_scratch)};
  return cmocka_run_group_tests_name("compute operations", tests, NULL, NULL);
}
