/* SPDX-License-Identifier: Apache-2.0
 *
 * test_opencl_maps.c - operations on feature maps on a device of OpenCL against the same on the
 * CPU's reference: convolutions in every shape in which they are computed, group norm, pooling,
 * pixels to channels and back, sums and what is below zero, the codebook. Skipped where there is
 * no OpenCL. */
#include "opencl_compare.h"

/* ---- convolutions ---- */

/* 3 x 3 in the plainest form, of one square picture. */
static struct conv_case square_job(size_t side, size_t in, size_t out) {
  return (struct conv_case){.kernel = 3,
                            .stride = 1,
                            .upsample = 1,
                            .in = in,
                            .out = out,
                            .height = side,
                            .width = side,
                            .batch = 1};
}

static msk_map conv_output(const struct conv_case *job, float *at) {
  const msk_map x = msk_map_at(NULL, job->batch, job->height, job->width, job->in);
  return msk_conv_output(job->conv, x, job->upsample, at);
}

static size_t map_floats(msk_map map) { return map.batch * map.height * map.width * map.channels; }

/* x, y and the residual, one behind the other. */
static void run_conv(msk_stream *stream, float *memory, const void *arguments) {
  const struct conv_case *job = arguments;
  const msk_map x = msk_map_at(memory, job->batch, job->height, job->width, job->in),
                y = conv_output(job, memory + map_floats(x));
  msk_map residual = y;
  if (!job->in_place) residual.at = y.at + map_floats(y);
  if (!job->residual) residual.at = NULL;
  msk_op_conv(stream, job->conv, x, job->upsample, NULL, residual, y);
}

static void check_conv(struct conv_case job, enum storage storage) {
  const bool fp16 = storage == GIVEN_FP16;
  size_t taps = job.kernel * job.kernel * job.in, weights = taps * job.out;
  float *weight = numbers(weights, 5), *bias = numbers(job.out, 6);
  uint16_t *narrow = malloc(weights * sizeof *narrow);
  for (size_t i = 0; i < weights && storage != FLOATS; i++)
    weight[i] = rintf(weight[i] * 512) / 512;
  assert_true(msk_narrow_fp16(weight, weights, narrow) || storage == FLOATS);
  struct conv_case jobs[2] = {job, job};
  msk_conv *convs[2];
  for (int i = 0; i < 2; i++) {
    assert_int_equal(msk_conv_create(&convs[i], devices[i], fp16 ? (const void *)narrow : weight,
                                     fp16 ? MSK_DTYPE_F16 : MSK_DTYPE_F32, job.bias ? bias : NULL,
                                     job.kernel, job.stride, job.in, job.out, NULL, NULL),
                     MSK_OK);
    jobs[i].conv = convs[i];
  }
  size_t count =
      job.batch * job.height * job.width * job.in + 2 * map_floats(conv_output(&jobs[0], NULL));
  float *start = numbers(count, 7);
  /* a chain of `taps` terms of size 1 at most on either side */
  double largest = (double)taps + 2, tolerance = ((double)taps + 4) * UNIT * largest;
  compare(run_conv, (const void *const[]){&jobs[0], &jobs[1]}, start, count, tolerance, "conv");
  for (int i = 0; i < 2; i++) msk_conv_destroy(convs[i]);
  free(weight), free(bias), free(narrow), free(start);
}

static void test_conv(void **state) {
  uint64_t seed = 3;
  (void)state;
  for (size_t i = 0; i < 96; i++) check_conv(conv_case_random(i, &seed), (enum storage)(i / 2 % 3));
}

static void test_shapes(void **state) {
  const size_t x = 13 * 11 * 17;
  struct conv_case job = {.kernel = 3,
                          .stride = 1,
                          .upsample = 2,
                          .in = 17,
                          .out = 70,
                          .height = 13,
                          .width = 11,
                          .batch = 1,
                          .residual = true};
  float *weight = numbers(9 * 17 * 70, 5);
  msk_conv *conv;
  (void)state;
  assert_int_equal(msk_conv_create(&conv, devices[1], weight, MSK_DTYPE_F32, NULL, job.kernel,
                                   job.stride, job.in, job.out, NULL, NULL),
                   MSK_OK);
  job.conv = conv;
  size_t count = x + 2 * map_floats(conv_output(&job, NULL));
  float *start = numbers(count, 6);
  check_shapes(run_conv, &job, start, count);
  msk_conv_destroy(conv);
  free(weight), free(start);
}

/* A NaN and an infinity reach exactly the pixels that see them. */
static void test_special_values(void **state) {
  enum { SIDE = 11, IN = 17, OUT = 19, X = SIDE * SIDE * IN, Y = SIDE * SIDE * OUT };
  float *weight = numbers(9 * IN * OUT, 5), *start = numbers(X + 2 * Y, 6), *ends[2];
  (void)state;
  start[(3 * SIDE + 5) * IN + 16] = NAN, start[X - 1] = INFINITY;
  for (int i = 0; i < 2; i++) {
    struct conv_case job = square_job(SIDE, IN, OUT);
    msk_conv *conv;
    ends[i] = malloc((X + 2 * Y) * sizeof(float));
    assert_int_equal(
        msk_conv_create(&conv, devices[i], weight, MSK_DTYPE_F32, NULL, 3, 1, IN, OUT, NULL, NULL),
        MSK_OK);
    job.conv = conv;
    run_on(devices[i], run_conv, &job, start, X + 2 * Y, ends[i]);
    msk_conv_destroy(conv);
  }
  for (size_t i = X; i < X + Y; i++) check_value(ends[1][i], ends[0][i], 1e-3, "special", i);
  free(ends[0]), free(ends[1]), free(weight), free(start);
}

/* ---- convolutions by Winograd's form ---- */

static bool serves(const struct conv_case *job) {
  const msk_conv_head head = {.device = devices[1],
                              .kernel = job->kernel,
                              .stride = job->stride,
                              .in = job->in,
                              .out = job->out};
  return msk_gpu_winograd_serves(&head, msk_map_at(NULL, job->batch, job->height * job->upsample,
                                                   job->width * job->upsample, job->out));
}

static void test_winograd(void **state) {
  static const size_t sides[][2] = {{32, 32}, {29, 30}, {33, 37}, {16, 64}, {70, 31}},
                      channels[] = {64, 65, 79, 80, 97};
  uint64_t seed = 8;
  (void)state;
  for (size_t i = 0; i < 6; i++) {
    uint64_t pick = test_random(&seed);
    const size_t upsample = 1 + (i % 3 == 2), *side = sides[i % 5];
    struct conv_case job = {.kernel = 3,
                            .stride = 1,
                            .in = channels[i % 5],
                            .out = channels[pick % 5],
                            .height = side[0] / upsample,
                            .width = side[1] / upsample,
                            .batch = 1 + (pick >> 30) % 2,
                            .bias = pick >> 31 & 1,
                            .residual = pick >> 32 & 1,
                            .in_place = pick >> 34 & 1,
                            .upsample = upsample};
    assert_true(serves(&job) || upsample == 2);
    check_conv(job, (enum storage)(i % 3));
  }
}

/* Layers and pictures that are too small for it, and other layers. */
static void test_winograd_serves(void **state) {
  const struct conv_case job = square_job(32, 64, 64);
  struct conv_case other[5] = {job, job, job, job, job};
  (void)state;
  assert_true(serves(&job));
  other[0].kernel = 1, other[1].stride = 2, other[2].in = 63, other[3].out = 63;
  other[4].height = 28, other[4].batch = 9;
  for (size_t i = 0; i < 5; i++) assert_false(serves(&other[i]));
}

/* A picture's pixels do not depend on those beside it, nor on the chunk that a tile falls in: so
 * many pictures have more tiles than a processor's chunk. To the byte. */
static void test_winograd_batch(void **state) {
  enum { SIDE = 64, CHANNELS = 64, BATCH = 3, PIXELS = SIDE * SIDE * CHANNELS };
  struct conv_case one = square_job(SIDE, CHANNELS, CHANNELS);
  struct conv_case all = one;
  float *weight = numbers(9 * CHANNELS * CHANNELS, 5), *start = numbers(3 * BATCH * PIXELS, 6),
        *single = malloc(3 * PIXELS * sizeof(float)),
        *end = malloc(3 * BATCH * PIXELS * sizeof(float));
  msk_conv *conv;
  (void)state;
  assert_int_equal(msk_conv_create(&conv, devices[1], weight, MSK_DTYPE_F32, NULL, 3, 1, CHANNELS,
                                   CHANNELS, NULL, NULL),
                   MSK_OK);
  all.batch = BATCH, one.conv = all.conv = conv;
  run_on(devices[1], run_conv, &all, start, 3 * BATCH * PIXELS, end);
  for (size_t b = 0; b < BATCH; b++) {
    run_on(devices[1], run_conv, &one, start + b * PIXELS, 3 * PIXELS, single);
    assert_memory_equal(end + (BATCH + b) * PIXELS, single + PIXELS, PIXELS * sizeof(float));
  }
  msk_conv_destroy(conv);
  free(weight), free(start), free(single), free(end);
}

/* A NaN reaches all pixels that see it, and of others those of the same tiles. */
static void test_winograd_special_values(void **state) {
  enum { SIDE = 32, CHANNELS = 64, LINE = 9, COLUMN = 14, PIXELS = SIDE * SIDE * CHANNELS };
  struct conv_case job = square_job(SIDE, CHANNELS, CHANNELS);
  float *weight = numbers(9 * CHANNELS * CHANNELS, 5), *start = numbers(3 * PIXELS, 6),
        *end = malloc(3 * PIXELS * sizeof(float));
  msk_conv *conv;
  (void)state;
  start[(LINE * SIDE + COLUMN) * CHANNELS + 3] = NAN;
  assert_int_equal(msk_conv_create(&conv, devices[1], weight, MSK_DTYPE_F32, NULL, 3, 1, CHANNELS,
                                   CHANNELS, NULL, NULL),
                   MSK_OK);
  job.conv = conv;
  run_on(devices[1], run_conv, &job, start, 3 * PIXELS, end);
  for (int i = 0; i < PIXELS; i++) {
    const int line = i / CHANNELS / SIDE, column = i / CHANNELS % SIDE;
    const bool sees = abs(line - LINE) <= 1 && abs(column - COLUMN) <= 1,
               near = line / 4 >= (LINE - 1) / 4 && line / 4 <= (LINE + 1) / 4 &&
                      column / 4 >= (COLUMN - 1) / 4 && column / 4 <= (COLUMN + 1) / 4;
    assert_true(isnan(end[PIXELS + i]) ? near : !sees);
  }
  msk_conv_destroy(conv);
  free(weight), free(start), free(end);
}

/* ---- group norm ---- */

struct norm_job {
  msk_map shape;
  msk_norm norm;
  bool swish, in_place;
};

static void run_norm(msk_stream *stream, float *memory, const void *arguments) {
  const struct norm_job *job = arguments;
  msk_map x = job->shape, y = job->shape;
  x.at = memory;
  y.at = job->in_place ? memory : memory + map_floats(x);
  msk_op_group_norm(stream, x, &job->norm, job->swish, y);
}

static void test_group_norm(void **state) {
  static const size_t sides[] = {1, 3, 8, 9, 16, 25}, groups[] = {1, 2, 4, 8, 32},
                      own[] = {1, 2, 3, 4, 5, 16, 20};
  (void)state;
  for (size_t i = 0; i < 40; i++) {
    size_t channels = groups[i % 5] * own[i % 7], height = sides[i % 6], width = sides[(i + 2) % 6];
    struct norm_job job = {.shape = msk_map_at(NULL, 1 + i % 2, height, width, channels),
                           .swish = i % 3 != 0,
                           .in_place = i % 4 == 1};
    size_t count = 2 * map_floats(job.shape);
    float *weights = numbers(2 * channels, 3), *start = numbers(count, i);
    float mean = (float)(i % 3) * 10;
    for (size_t j = 0; j < count; j++) start[j] += mean;
    job.norm = (msk_norm){weights, weights + channels, 1e-6f, groups[i % 5]};
    assert_int_equal(msk_device_place(devices[1], weights, 2 * channels, NULL), MSK_OK);
    /* what is left of a mean of 10 has its roundings, divided by a deviation of a half; of few
     * numbers by as little as epsilon allows */
    double scale = height * width * own[i % 7] < 4 ? 2000 : 4;
    compare(run_norm, (const void *const[]){&job, &job}, start, count,
            scale * UNIT * (4 * (double)mean + 64), "group norm");
    msk_device_displace(devices[1], weights, 2 * channels);
    free(weights), free(start);
  }
}

/* Of a mean far from zero no digits are lost that the numbers have. */
static void test_group_norm_far(void **state) {
  enum { SIDE = 64, CHANNELS = 32 };
  struct norm_job job = {.shape = msk_map_at(NULL, 1, SIDE, SIDE, CHANNELS), .in_place = true};
  size_t count = map_floats(job.shape);
  float *weights = numbers(2 * CHANNELS, 3), *start = numbers(count, 4);
  (void)state;
  for (size_t i = 0; i < CHANNELS; i++) weights[i] = 1, weights[CHANNELS + i] = 0;
  for (size_t i = 0; i < count; i++) start[i] += 1000;
  job.norm = (msk_norm){weights, weights + CHANNELS, 1e-6f, 8};
  assert_int_equal(msk_device_place(devices[1], weights, 2 * CHANNELS, NULL), MSK_OK);
  /* the mean, a float near 1000, is off by half of its last digit at most on either side */
  compare(run_norm, (const void *const[]){&job, &job}, start, count, 2 * 1000 * UNIT * 1.8,
          "group norm, far");
  msk_device_displace(devices[1], weights, 2 * CHANNELS);
  free(weights), free(start);
}

/* Where all numbers are one, epsilon alone is left to divide by. */
static void test_group_norm_flat(void **state) {
  enum { SIDE = 5, CHANNELS = 8, COUNT = SIDE * SIDE * CHANNELS };
  struct norm_job job = {.shape = msk_map_at(NULL, 1, SIDE, SIDE, CHANNELS), .in_place = true};
  float *weights = numbers(2 * CHANNELS, 3), *start = numbers(COUNT, 4);
  (void)state;
  for (size_t i = 0; i < COUNT; i++) start[i] = 0.5f;
  job.norm = (msk_norm){weights, weights + CHANNELS, 1e-6f, 2};
  assert_int_equal(msk_device_place(devices[1], weights, 2 * CHANNELS, NULL), MSK_OK);
  compare(run_norm, (const void *const[]){&job, &job}, start, COUNT, 0, "group norm, flat");
  msk_device_displace(devices[1], weights, 2 * CHANNELS);
  free(weights), free(start);
}

/* ---- pooling, folding, bytes ---- */

struct map_job {
  size_t batch, height, width, channels, r;
  const uint8_t *bytes;
};

static void run_pool(msk_stream *stream, float *memory, const void *arguments) {
  const struct map_job *job = arguments;
  const msk_map x = msk_map_at(memory, job->batch, job->height, job->width, job->channels);
  msk_op_average_pool(stream, x,
                      msk_map_at(memory + map_floats(x), job->batch, (job->height + 1) / 2,
                                 (job->width + 1) / 2, job->channels));
}

static void run_fold(msk_stream *stream, float *memory, const void *arguments) {
  const struct map_job *job = arguments;
  const msk_map x = msk_map_at(memory, job->batch, job->r * job->height, job->r * job->width,
                               job->channels),
                y = msk_map_at(memory + map_floats(x), job->batch, job->height, job->width,
                               job->channels * job->r * job->r);
  msk_op_space_to_depth(stream, x, y);
  msk_op_depth_to_space(stream, y,
                        msk_map_at(y.at + map_floats(y), x.batch, x.height, x.width, x.channels));
}

static void run_pixels(msk_stream *stream, float *memory, const void *arguments) {
  const struct map_job *job = arguments;
  msk_op_pixels(stream, job->bytes,
                msk_map_at(memory, job->batch, job->height, job->width, job->channels));
}

static void test_maps(void **state) {
  static const size_t sides[] = {1, 2, 3, 7, 8, 16}, channels[] = {1, 3, 16, 17, 40};
  uint8_t bytes[2 * 16 * 16 * 40];
  (void)state;
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i % 256);
  for (size_t i = 0; i < 30; i++) {
    const struct map_job job = {.batch = 1 + i % 2,
                                .height = sides[i % 6],
                                .width = sides[(i + 1) % 6],
                                .channels = channels[i % 5],
                                .r = 1 + i % 4,
                                .bytes = bytes};
    const void *const both[] = {&job, &job};
    size_t count = job.batch * job.height * job.width * job.channels;
    float *start = numbers(3 * count * job.r * job.r, i);
    compare(run_pool, both, start, 2 * count, 4 * UNIT, "pool");
    compare(run_fold, both, start, 3 * count * job.r * job.r, 0, "fold");
    compare(run_pixels, both, start, count, 2 * UNIT, "bytes");
    free(start);
  }
}

/* ---- number by number ---- */

struct element_job {
  const float *placed; /* on both sides */
  size_t count;
};

/* Its numbers without what is below zero, elsewhere and in place; and with others added. */
static void run_elements(msk_stream *stream, float *memory, const void *arguments) {
  const struct element_job *job = arguments;
  const msk_rows x = msk_rows_at(memory, 1, job->count),
                 y = msk_rows_at(memory + job->count, 1, job->count),
                 z = msk_rows_at(memory + 2 * job->count, 1, job->count);
  msk_op_relu(stream, x, y);
  msk_op_add(stream, x, x);
  msk_op_relu(stream, x, x);
  msk_op_copy(stream, msk_rows_at(job->placed, 1, job->count), z);
  msk_op_add(stream, y, z);
}

static void test_elements(void **state) {
  static const size_t counts[] = {1, 3, 64, 65, 1021};
  (void)state;
  for (size_t i = 0; i < 5; i++) {
    const struct element_job job = {numbers(counts[i], 3), counts[i]};
    float *start = numbers(3 * counts[i], 4);
    start[counts[i] / 2] = i % 2 ? NAN : -INFINITY;
    start[counts[i] - 1] = i % 3 ? -0.0f : INFINITY;
    assert_int_equal(msk_device_place(devices[1], job.placed, job.count, NULL), MSK_OK);
    compare(run_elements, (const void *const[]){&job, &job}, start, 3 * counts[i], 0, "elements");
    msk_device_displace(devices[1], job.placed, job.count);
    free((float *)(uintptr_t)job.placed), free(start);
  }
}

/* ---- the codebook ---- */

struct code_job {
  const msk_codebook *codebook;
  size_t rows, dim;
  int32_t *codes;
};

/* x; what its codes are the codes of. */
static void run_codes(msk_stream *stream, float *memory, const void *arguments) {
  const struct code_job *job = arguments;
  const msk_rows x = msk_rows_at(memory, job->rows, job->dim);
  msk_op_nearest_code(stream, job->codebook, x, job->codes);
  msk_op_lookup_code(stream, job->codebook, job->codes,
                     msk_rows_at(memory + job->rows * job->dim, job->rows, job->dim));
}

static void check_codes(size_t rows, size_t codes, size_t dim, float *vectors, float *start) {
  struct code_job jobs[2];
  msk_codebook *books[2];
  for (int i = 0; i < 2; i++) {
    assert_int_equal(msk_codebook_create(&books[i], devices[i], vectors, codes, dim, NULL), MSK_OK);
    jobs[i] = (struct code_job){books[i], rows, dim, malloc(rows * sizeof(int32_t))};
  }
  /* the very vectors */
  compare(run_codes, (const void *const[]){&jobs[0], &jobs[1]}, start, 2 * rows * dim, 0, "codes");
  assert_memory_equal(jobs[1].codes, jobs[0].codes, rows * sizeof(int32_t));
  for (int i = 0; i < 2; i++) {
    msk_codebook_destroy(books[i]);
    free(jobs[i].codes);
  }
}

static void test_codes(void **state) {
  static const size_t rows[] = {1, 7, 64, 1030}, codes[] = {1, 2, 17, 64, 100},
                      dims[] = {1, 4, 17, 64};
  (void)state;
  for (size_t i = 0; i < 20; i++) {
    size_t n = rows[i % 4], k = codes[i % 5], dim = dims[i % 3];
    float *vectors = numbers(k * dim, i), *start = numbers(2 * n * dim, i + 100);
    check_codes(n, k, dim, vectors, start);
    free(vectors), free(start);
  }
}

/* Equals, and codes that float32 does not tell apart but float64 does: the nearest, the first of
 * equals; a row with NaN in it gets the first. */
static void test_close_codes(void **state) {
  enum { ROWS = 96, CODES = 64, DIM = 24 };
  float *vectors = numbers(CODES * DIM, 1), *start = numbers(2 * ROWS * DIM, 2);
  (void)state;
  for (size_t c = 1; c < CODES; c++) {
    memcpy(vectors + c * DIM, vectors, DIM * sizeof *vectors);
    /* one unit in the last place of one number or two, or none at all */
    for (size_t d = c % 3; d > 0; d--) {
      float *at = vectors + c * DIM + c * d % DIM;
      *at = nextafterf(*at, c % 2 ? 2.0f : -2.0f);
    }
  }
  for (size_t i = 0; i < ROWS * DIM; i++) start[i] = vectors[i % DIM] + 0.01f * start[i];
  start[5 * DIM + 3] = NAN;
  check_codes(ROWS, CODES, DIM, vectors, start);
  free(vectors), free(start);
}

int main(void) {
  opencl_first(&cl, &facts);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(opencl_selfcheck),     cmocka_unit_test(test_conv),
      cmocka_unit_test(test_shapes),          cmocka_unit_test(test_special_values),
      cmocka_unit_test(test_winograd),        cmocka_unit_test(test_winograd_serves),
      cmocka_unit_test(test_winograd_batch),  cmocka_unit_test(test_winograd_special_values),
      cmocka_unit_test(test_group_norm),      cmocka_unit_test(test_group_norm_far),
      cmocka_unit_test(test_group_norm_flat), cmocka_unit_test(test_maps),
      cmocka_unit_test(test_elements),        cmocka_unit_test(test_codes),
      cmocka_unit_test(test_close_codes)};
  const struct CMUnitTest again[] = {cmocka_unit_test(opencl_selfcheck),
                                     cmocka_unit_test(test_conv),
                                     cmocka_unit_test(test_special_values)};
  printf("device: %s: %s\n", facts.platform, facts.name);
  int failed =
      cmocka_run_group_tests_name("maps by OpenCL", tests, opencl_set_up, opencl_tear_down);
  OPENCL_EACH_SHAPE(again, failed)
  OPENCL_AS_GPU(tests, failed)
  return failed;
}
