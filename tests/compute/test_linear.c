/* SPDX-License-Identifier: Apache-2.0
 *
 * test_linear.c - linear layers and the codebook, on every instruction set that this machine has,
 * against their float64 definitions. Tolerances follow from the number of summands and the size
 * of what is summed. */
#include "naive.h"

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

/* Tasks are cut by the second-level cache, with each of which results are the same to the bit; and
 * the slices of a task's rows fill no more than 7/8 of it, where they can. */
static void caches_on(const msk_device *device) {
  enum { ROWS = 514, IN = 900, OUT = 70, SLICE = 3072 };
  static const size_t caches[] = {1, 64 << 10, 256 << 10, 512 << 10, 1 << 20, 64 << 20};
  static const struct linear_case c = {.rows = ROWS, .in = IN, .out = OUT, .bias = true};
  float *x = random_new(ROWS * IN, 1, 1), *weight = random_new(IN * OUT, 2, 1),
        *bias = random_new(OUT, 3, 1), *first = guarded_new(ROWS * OUT), *y;
  msk_device here = *device;
  msk_linear *linear = linear_new(device, &c, weight, bias);
  linear_args args = {.linear = linear, .x = x, .y = first, .rows = ROWS};
  here.second_cache = 0;
  run_operation(&here, 1, do_linear, &args);
  for (size_t i = 0; i < sizeof caches / sizeof *caches; i++) {
    here.second_cache = caches[i];
    args.y = y = guarded_new(ROWS * OUT);
    run_operation(&here, 1, do_linear, &args);
    guarded_check(y, ROWS * OUT);
    assert_memory_equal(y, first, ROWS * OUT * sizeof(float));
    guarded_free(y);
    const msk_stream stream = {.device = &here};
    const size_t rows = msk_cut_product(&stream, ROWS, OUT, true, SLICE).row_block,
                 tile = here.kernels.tile_rows;
    if (caches[i] >= 256 << 10) assert_true((rows - tile) * SLICE < caches[i] / 8 * 7);
    if (caches[i] >= 1 << 20) assert_true(rows >= 256);
  }
  msk_linear_destroy(linear);
  guarded_free(x), guarded_free(weight), guarded_free(bias), guarded_free(first);
}

static void test_caches(void **state) {
  (void)state;
  for_each_isa(caches_on);
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

static void test_stored_fp16(void **state) {
  (void)state;
  for_each_isa(stored_fp16_on);
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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_linear),      cmocka_unit_test(test_caches),
      cmocka_unit_test(test_parts),       cmocka_unit_test(test_fp16),
      cmocka_unit_test(test_stored_fp16), cmocka_unit_test(test_special_values),
      cmocka_unit_test(test_codebook)};
  return cmocka_run_group_tests_name("linear layers", tests, NULL, NULL);
}
