/* SPDX-License-Identifier: Apache-2.0
 *
 * test_opencl.c - every operation on a device of OpenCL against the same on the CPU's reference,
 * with the same numbers in, on sizes around tiles and groups, in every shape in which it
 * multiplies; what it leaves alone; the same bytes twice, and beside other rows. Skipped where
 * there is no OpenCL. */
#include "base/int8.h"
#include "opencl_compare.h"

/* ---- linear layers ---- */

struct linear_job {
  const msk_linear *linear;
  size_t rows, in, columns, pad;
  msk_activation activation;
  bool residual, in_place;
};

/* x, y and the residual, one behind the other, rows `pad` wider than they need. */
static void run_linear(msk_stream *stream, float *memory, const void *arguments) {
  const struct linear_job *job = arguments;
  size_t x_floats = job->rows * (job->in + job->pad),
         y_floats = job->rows * (job->columns + job->pad);
  msk_rows x = strided_rows(memory, job->rows, job->in, job->in + job->pad),
           y = strided_rows(memory + x_floats, job->rows, job->columns, job->columns + job->pad),
           other = strided_rows(memory + x_floats + y_floats, job->rows, job->columns,
                                job->columns + job->pad),
           none = MSK_NO_ROWS;
  if (!job->residual) other = none;
  msk_op_linear(stream, "linear", job->linear, x, job->activation, job->in_place ? y : other, y);
}

static void check_linear_case(struct linear_job job, size_t out, bool transposed, bool bias,
                              enum storage storage) {
  const bool fp16 = storage == GIVEN_FP16;
  size_t parts = out > 2 ? 2 : 1, first = parts == 2 ? out / 2 : out;
  float *weight = numbers(job.in * out, 5), *biases = numbers(out, 6);
  uint16_t *narrow = malloc(job.in * out * sizeof *narrow);
  for (size_t i = 0; i < job.in * out && storage != FLOATS; i++)
    weight[i] = rintf(weight[i] * 512) / 512;
  assert_true(msk_narrow_fp16(weight, job.in * out, narrow) || storage == FLOATS);
  const void *given = fp16 ? (const void *)narrow : weight;
  size_t bytes = fp16 ? sizeof *narrow : sizeof *weight;
  const msk_dtype dtype = fp16 ? MSK_DTYPE_F16 : MSK_DTYPE_F32;
  const msk_linear_part both[] = {{.weight = given,
                                   .bias = bias ? biases : NULL,
                                   .out = first,
                                   .transposed = transposed,
                                   .dtype = dtype},
                                  {.weight = (const char *)given + job.in * first * bytes,
                                   .bias = biases + first,
                                   .out = out - first,
                                   .transposed = transposed,
                                   .dtype = dtype}};
  struct linear_job jobs[2] = {job, job};
  msk_linear *layers[2];
  for (int i = 0; i < 2; i++) {
    assert_int_equal(msk_linear_create(&layers[i], devices[i], MSK_PRECISION_FP32, job.in, both,
                                       parts, NULL, NULL),
                     MSK_OK);
    jobs[i].linear = layers[i];
  }
  size_t count = job.rows * (job.in + job.pad) + 2 * job.rows * (job.columns + job.pad);
  float *start = numbers(count, 7);
  /* roundings of a chain of in + 4 terms of size 1, on both sides; tanh and exp are good to some
   * units in the last place, of values at most in + 2 */
  double largest = (double)job.in + 2,
         tolerance = 2 * ((double)job.in + 4) * UNIT * largest / 2 + 32 * UNIT * largest;
  compare(run_linear, (const void *const[]){&jobs[0], &jobs[1]}, start, count, tolerance, "linear");
  for (int i = 0; i < 2; i++) msk_linear_destroy(layers[i]);
  free(weight), free(biases), free(narrow), free(start);
}

static void test_linear(void **state) {
  static const size_t rows[] = {1, 5, 6, 7, 13, 63, 64, 65, 97},
                      columns[] = {1, 3, 15, 16, 17, 31, 33, 63, 64, 65, 131},
                      depths[] = {1, 2, 15, 16, 17, 47, 257};
  uint64_t seed = 11;
  (void)state;
  for (size_t i = 0; i < 66; i++) {
    uint64_t pick = test_random(&seed);
    size_t out = columns[i % 11];
    struct linear_job job = {.rows = rows[pick % 9],
                             .in = depths[pick / 16 % 7],
                             .columns = pick >> 25 & 1 ? (out + 1) / 2 : out,
                             .pad = pick >> 24 & 1 ? 3 : 0,
                             .activation = (msk_activation)(i % 4),
                             .residual = pick >> 20 & 1,
                             .in_place = pick >> 23 & 1};
    check_linear_case(
        job, out, pick >> 21 & 1, pick >> 22 & 1,
        pick >> 21 & 1 ? (enum storage)(pick >> 26 & 1) : (enum storage)((pick >> 26) % 3));
  }
}

/* ---- in int8 ---- */

/* The sums are exact and the float32 end is the CPU's, so the bits are, but for what an activation
 * rounds. With `given`, weights come as int8 numbers. */
static void check_int8_case(struct linear_job job, size_t out, bool transposed, bool given) {
  const size_t parts = out > 2 ? 2 : 1, first = parts == 2 ? out / 2 : out, cells = job.in * out;
  float *weight = numbers(cells, 5), *biases = numbers(out, 6), *scales = numbers(out, 8);
  int8_t *codes = malloc(cells);
  uint64_t seed = 9;
  for (size_t i = 0; i < cells; i++) codes[i] = (int8_t)((int)(test_random(&seed) % 255) - 127);
  for (size_t i = 0; i < out; i++) scales[i] = fabsf(scales[i]) / 100;
  weight[0] = 0.0f; /* a column may be zeros throughout */
  const msk_dtype dtype = given ? MSK_DTYPE_I8 : MSK_DTYPE_F32;
  const void *all = given ? (const void *)codes : weight,
             *rest = given ? (const void *)(codes + job.in * first)
                           : (const void *)(weight + job.in * first);
  const msk_linear_part both[] = {
      {.weight = all, .out = first, .transposed = transposed, .dtype = dtype, .scales = scales},
      {.weight = rest,
       .bias = biases,
       .out = out - first,
       .transposed = transposed,
       .dtype = dtype,
       .scales = scales + first}};
  struct linear_job jobs[2] = {job, job};
  msk_linear *layers[2];
  for (int i = 0; i < 2; i++) {
    assert_int_equal(msk_linear_create(&layers[i], devices[i], MSK_PRECISION_INT8, job.in, both,
                                       parts, NULL, NULL),
                     MSK_OK);
    jobs[i].linear = layers[i];
  }
  size_t count = job.rows * (job.in + job.pad) + 2 * job.rows * (job.columns + job.pad);
  float *start = numbers(count, 7);
  /* of an activation alone: tanh and exp are good to some units in the last place */
  const double tolerance =
      job.activation == MSK_ACT_NONE ? 0 : 32 * UNIT * ((double)job.in * (given ? 1.3 : 1) + 2);
  compare(run_linear, (const void *const[]){&jobs[0], &jobs[1]}, start, count, tolerance, "int8");
  for (int i = 0; i < 2; i++) msk_linear_destroy(layers[i]);
  free(weight), free(biases), free(scales), free(codes), free(start);
}

static void test_int8(void **state) {
  static const size_t rows[] = {1, 5, 6, 7, 13, 63, 64, 65, 97},
                      columns[] = {1, 3, 15, 16, 17, 31, 33, 63, 64, 65, 131},
                      depths[] = {1, 2, 3, 4, 5, 63, 64, 65, 257, 300};
  uint64_t seed = 12;
  (void)state;
  for (size_t i = 0; i < 66; i++) {
    uint64_t pick = test_random(&seed);
    size_t out = columns[i % 11];
    const bool given = pick >> 26 & 1;
    struct linear_job job = {.rows = rows[pick % 9],
                             .in = depths[pick / 16 % 10],
                             .columns = pick >> 25 & 1 ? (out + 1) / 2 : out,
                             .pad = pick >> 24 & 1 ? 3 : 0,
                             .activation = (msk_activation)(i % 8 > 3 ? 0 : i % 4),
                             .residual = pick >> 20 & 1,
                             .in_place = pick >> 23 & 1};
    check_int8_case(job, out, !given && (pick >> 21 & 1), given);
  }
}

/* The largest numbers that there are, and sums of as many as there may be. */
static void test_int8_limits(void **state) {
  enum { ROWS = 2, OUT = 17, COUNT = ROWS * (MSK_INT8_DEEPEST + 2 * OUT) };
  int8_t *codes = malloc(MSK_INT8_DEEPEST * OUT);
  float *start = numbers(COUNT, 4), scales[OUT], *ends[2];
  msk_error error;
  (void)state;
  memset(codes, 127, MSK_INT8_DEEPEST * OUT);
  for (size_t i = 0; i < OUT; i++) scales[i] = 1;
  /* the second row's zero point is 255 */
  for (size_t i = 0; i < ROWS * MSK_INT8_DEEPEST; i++) start[i] = i < MSK_INT8_DEEPEST ? 1 : -1;
  msk_linear_part part = {.weight = codes, .out = OUT, .dtype = MSK_DTYPE_I8, .scales = scales};
  for (int i = 0; i < 2; i++) {
    msk_linear *linear;
    ends[i] = malloc(COUNT * sizeof(float));
    assert_int_equal(msk_linear_create(&linear, devices[i], MSK_PRECISION_INT8, MSK_INT8_DEEPEST,
                                       &part, 1, NULL, NULL),
                     MSK_OK);
    const struct linear_job job = {
        .linear = linear, .rows = ROWS, .in = MSK_INT8_DEEPEST, .columns = OUT};
    run_on(devices[i], run_linear, &job, start, COUNT, ends[i]);
    msk_linear_destroy(linear);
    assert_int_equal(msk_linear_create(&linear, devices[i], MSK_PRECISION_INT8,
                                       MSK_INT8_DEEPEST + 1, &part, 1, NULL, &error),
                     MSK_ERROR_UNSUPPORTED);
  }
  assert_memory_equal(ends[0], ends[1], COUNT * sizeof(float));
  const float *y = ends[1] + ROWS * MSK_INT8_DEEPEST;
  assert_true(fabsf(y[0] / (127.0f * MSK_INT8_DEEPEST) - 1) < 1e-6f && y[OUT] == -y[0]);
  for (int i = 0; i < 2; i++) free(ends[i]);
  free(codes), free(start);
}

/* A row with a NaN or infinity gives a row of NaN, and no other. */
static void test_int8_special_values(void **state) {
  enum { ROWS = 13, IN = 30, OUT = 33, COUNT = ROWS * (IN + 2 * OUT) };
  float *weight = numbers(IN * OUT, 5), *start = numbers(COUNT, 6), *end = malloc(COUNT * 4);
  const msk_linear_part part = {.weight = weight, .out = OUT};
  msk_linear *linear;
  (void)state;
  start[3 * IN + 29] = NAN, start[7 * IN + 1] = -INFINITY;
  start[9 * IN] = 3e38f, start[9 * IN + 1] = -3e38f; /* their distance is infinite */
  for (size_t i = 0; i < IN; i++) start[5 * IN + i] = 0;
  assert_int_equal(
      msk_linear_create(&linear, devices[1], MSK_PRECISION_INT8, IN, &part, 1, NULL, NULL), MSK_OK);
  run_on(devices[1], run_linear,
         &(struct linear_job){.linear = linear, .rows = ROWS, .in = IN, .columns = OUT}, start,
         COUNT, end);
  for (size_t i = 0; i < ROWS * OUT; i++) {
    const size_t row = i / OUT;
    const float value = end[ROWS * IN + i];
    assert_true((row == 3 || row == 7 || row == 9) == isnan(value) && (row != 5 || value == 0));
  }
  msk_linear_destroy(linear);
  free(weight), free(start), free(end);
}

/* Weights that are kept in binary16 give the bytes that floats do. */
static void test_fp16(void **state) {
  enum { ROWS = 37, IN = 70, OUT = 49, COUNT = ROWS * (IN + 2 * OUT) };
  float *weight = numbers(IN * OUT, 5), *start = numbers(COUNT, 6), *ends[2];
  (void)state;
  for (size_t i = 0; i < IN * OUT; i++) weight[i] = rintf(weight[i] * 512) / 512;
  weight[3] = 0x1p-24f; /* binary16's smallest */
  for (int i = 0; i < 2; i++) {
    msk_linear *linear;
    const msk_linear_part part = {.weight = weight, .out = OUT};
    ends[i] = malloc(COUNT * sizeof(float));
    /* no binary16 number, in the last column: all are floats then */
    if (i == 1) weight[OUT - 1] = 1.0f / 3;
    assert_int_equal(
        msk_linear_create(&linear, devices[1], MSK_PRECISION_FP32, IN, &part, 1, NULL, NULL),
        MSK_OK);
    run_on(devices[1], run_linear,
           &(struct linear_job){.linear = linear, .rows = ROWS, .in = IN, .columns = OUT}, start,
           COUNT, ends[i]);
    msk_linear_destroy(linear);
  }
  for (size_t i = ROWS * IN; i < ROWS * (IN + OUT); i++)
    assert_true(ends[0][i] == ends[1][i] || (i - ROWS * IN) % OUT == OUT - 1);
  assert_true(ends[0][ROWS * IN + OUT - 1] != ends[1][ROWS * IN + OUT - 1]);
  for (int i = 0; i < 2; i++) free(ends[i]);
  free(weight), free(start);
}

static void test_shapes(void **state) {
  enum { ROWS = 133, IN = 70, OUT = 149, COUNT = ROWS * (IN + 2 * OUT) };
  static const msk_precision precisions[] = {MSK_PRECISION_FP32, MSK_PRECISION_INT8};
  float *weight = numbers(IN * OUT, 5), *start = numbers(COUNT, 6);
  const msk_linear_part part = {.weight = weight, .out = OUT};
  (void)state;
  for (int i = 0; i < 2; i++) {
    msk_linear *linear;
    assert_int_equal(
        msk_linear_create(&linear, devices[1], precisions[i], IN, &part, 1, NULL, NULL), MSK_OK);
    const struct linear_job job = {.linear = linear,
                                   .rows = ROWS,
                                   .in = IN,
                                   .columns = OUT,
                                   .activation = MSK_ACT_GELU_TANH,
                                   .residual = true};
    check_shapes(run_linear, &job, start, COUNT);
    msk_linear_destroy(linear);
  }
  free(weight), free(start);
}

/* NaN and infinity reach exactly the outputs that depend on them. */
static void test_special_values(void **state) {
  enum { ROWS = 13, IN = 30, OUT = 33 };
  float *weight = numbers(IN * OUT, 5), *start = numbers(ROWS * (IN + 2 * OUT), 6), *ends[2];
  const msk_linear_part part = {.weight = weight, .out = OUT};
  (void)state;
  start[3 * IN + 29] = NAN, start[7 * IN + 1] = INFINITY;
  for (int i = 0; i < 2; i++) {
    msk_linear *linear;
    ends[i] = malloc(ROWS * (IN + 2 * OUT) * sizeof(float));
    assert_int_equal(
        msk_linear_create(&linear, devices[i], MSK_PRECISION_FP32, IN, &part, 1, NULL, NULL),
        MSK_OK);
    run_on(devices[i], run_linear,
           &(struct linear_job){.linear = linear, .rows = ROWS, .in = IN, .columns = OUT}, start,
           ROWS * (IN + 2 * OUT), ends[i]);
    msk_linear_destroy(linear);
  }
  for (size_t i = ROWS * IN; i < ROWS * (IN + OUT); i++)
    check_value(ends[1][i], ends[0][i], 1e-4, "special", i);
  for (int i = 0; i < 2; i++) free(ends[i]);
  free(weight), free(start);
}

/* ---- rows ---- */

struct norm_job {
  size_t rows, columns, pad;
  msk_norm norm;
  bool in_place;
};

static void run_norm(msk_stream *stream, float *memory, const void *arguments) {
  const struct norm_job *job = arguments;
  size_t stride = job->columns + job->pad;
  msk_rows x = strided_rows(memory, job->rows, job->columns, stride),
           y = strided_rows(memory + job->rows * stride, job->rows, job->columns, stride);
  msk_op_layer_norm(stream, x, &job->norm, job->in_place ? x : y);
}

static void test_layer_norm(void **state) {
  static const size_t columns[] = {1, 3, 15, 16, 17, 63, 64, 65, 100, 768};
  (void)state;
  for (size_t i = 0; i < 20; i++) {
    size_t n = columns[i % 10], count = 2 * (1 + i) * (n + i % 2);
    float *weights = numbers(2 * n, 3), *start = numbers(count, i);
    float mean = (float)(i % 3) * 10;
    for (size_t j = 0; j < count; j++) start[j] += mean;
    const struct norm_job job = {.rows = 1 + i,
                                 .columns = n,
                                 .pad = i % 2,
                                 .norm = {weights, weights + n, 1e-6f, 0},
                                 .in_place = i % 3 == 1};
    assert_int_equal(msk_device_place(devices[1], weights, 2 * n, NULL), MSK_OK);
    /* a mean of 10 has roundings that its removal leaves; what is left is of size 1, and divided
     * by a deviation of a half at least, but where there is one number */
    double scale = n == 1 ? 1000 : 4;
    compare(run_norm, (const void *const[]){&job, &job}, start, count,
            scale * UNIT * (4 * (double)mean + 64), "layer norm");
    msk_device_displace(devices[1], weights, 2 * n);
    free(weights), free(start);
  }
}

struct embed_job {
  const int32_t *ids, *places; /* places: or NULL */
  const float *words, *positions;
  size_t rows, columns, word_count, position_count;
};

static void run_embed(msk_stream *stream, float *memory, const void *arguments) {
  const struct embed_job *job = arguments;
  msk_op_embed(stream, job->ids, job->places,
               msk_rows_at(job->words, job->word_count, job->columns),
               msk_rows_at(job->positions, job->position_count, job->columns),
               msk_rows_at(memory, job->rows, job->columns));
}

static void test_embed(void **state) {
  enum { WORDS = 11, POSITIONS = 7, COLUMNS = 19, ROWS = 3 * POSITIONS };
  float *table = numbers((WORDS + POSITIONS) * COLUMNS, 1), *start = numbers(ROWS * COLUMNS + 5, 2);
  int32_t ids[ROWS], places[ROWS];
  (void)state;
  for (int i = 0; i < ROWS; i++) ids[i] = i % 12 - 1, places[i] = i * i % POSITIONS;
  struct embed_job job = {ids,  NULL,    table, table + WORDS * COLUMNS,
                          ROWS, COLUMNS, WORDS, POSITIONS};
  assert_int_equal(msk_device_place(devices[1], table, (WORDS + POSITIONS) * COLUMNS, NULL),
                   MSK_OK);
  for (int placed = 0; placed < 2; placed++) {
    compare(run_embed, (const void *const[]){&job, &job}, start, ROWS * COLUMNS + 5, 0,
            "embedding");
    job.places = places;
  }
  msk_device_displace(devices[1], table, (WORDS + POSITIONS) * COLUMNS);
  free(table), free(start);
}

struct scatter_job {
  const int32_t *places;
  size_t count, rows, columns;
};

/* Columns 1 and on of x's rows to columns 0 and on of y's, behind them. */
static void run_scatter(msk_stream *stream, float *memory, const void *arguments) {
  const struct scatter_job *job = arguments;
  const size_t width = job->columns + 1;
  msk_op_scatter(stream, job->places, strided_rows(memory + 1, job->count, job->columns, width),
                 strided_rows(memory + job->count * width, job->rows, job->columns, width));
}

static void test_scatter(void **state) {
  enum { COUNT = 9, ROWS = 17, COLUMNS = 37 };
  int32_t places[COUNT];
  float *start = numbers((COUNT + ROWS) * (COLUMNS + 1), 3);
  (void)state;
  for (int i = 0; i < COUNT; i++) places[i] = i * 5 % ROWS;
  const struct scatter_job job = {places, COUNT, ROWS, COLUMNS};
  compare(run_scatter, (const void *const[]){&job, &job}, start, (COUNT + ROWS) * (COLUMNS + 1), 0,
          "scatter");
  free(start);
}

struct sum_job {
  size_t batch, heads, tokens;
  bool accumulate;
};

static void run_head_sum(msk_stream *stream, float *memory, const void *arguments) {
  const struct sum_job *job = arguments;
  msk_op_head_sum(
      stream, memory, job->heads, 0.25f, job->accumulate,
      msk_rows_at(memory + job->batch * job->heads * job->tokens, job->batch, job->tokens));
}

static void test_head_sum(void **state) {
  (void)state;
  for (size_t i = 0; i < 4; i++) {
    const struct sum_job job = {1 + i, 1 + 3 * i, 7 + 13 * i, i % 2};
    size_t count = job.batch * (job.heads + 1) * job.tokens;
    float *start = numbers(count, i);
    compare(run_head_sum, (const void *const[]){&job, &job}, start, count,
            ((double)job.heads + 4) * UNIT * (double)job.heads, "sum over heads");
    free(start);
  }
}

/* ---- attention ---- */

struct attention_job {
  size_t batch, tokens, heads, head_dim;
  bool causal, values, maps, score;
  msk_distance distance;
  const float *target; /* and its logarithm behind it */
  size_t queries;      /* of each picture; 0: as many as tokens */
  const int32_t *places;
};

/* q, k, v side by side, rows one float wider; out; maps and their logarithms; scores. */
static void run_attention(msk_stream *stream, float *memory, const void *arguments) {
  const struct attention_job *job = arguments;
  size_t rows = job->batch * job->tokens, width = job->heads * job->head_dim,
         stride = 3 * width + 1, cells = job->heads * job->tokens * job->tokens;
  float *out = memory + rows * stride, *maps = out + rows * width,
        *score = maps + 2 * job->batch * cells;
  msk_rows qkv = {memory, rows, 3 * width, stride}, none = MSK_NO_ROWS;
  const msk_attention_shape shape = {
      .batch = job->batch, .heads = job->heads, .scale = 1.5f, .causal = job->causal};
  const msk_read_out reads = {.maps = job->maps ? maps : NULL,
                              .log_maps = job->maps ? maps + job->batch * cells : NULL,
                              .target = job->score ? job->target : NULL,
                              .log_target = job->score ? job->target + cells : NULL,
                              .distance = job->distance,
                              .score = job->score ? score : NULL,
                              .places = job->places};
  size_t queries = job->queries == 0 ? rows : job->batch * job->queries;
  msk_op_attention(stream, &shape, strided_rows(memory, queries, width, stride),
                   msk_rows_columns(qkv, width, width),
                   job->values ? msk_rows_columns(qkv, 2 * width, width) : none, &reads,
                   job->values ? msk_rows_at(out, queries, width) : none);
}

static size_t attention_floats(const struct attention_job *job) {
  size_t rows = job->batch * job->tokens, width = job->heads * job->head_dim;
  return rows * (4 * width + 1) + 2 * rows * job->heads * job->tokens + rows * job->heads;
}

static float *new_target(size_t rows, size_t tokens) {
  float *target = numbers(2 * rows * tokens, 77);
  for (size_t r = 0; r < rows; r++) {
    double sum = 0;
    for (size_t j = 0; j < tokens; j++) sum += exp(4 * (double)target[r * tokens + j]);
    for (size_t j = 0; j < tokens; j++) {
      float *log_target = target + rows * tokens + r * tokens + j;
      *log_target = (float)(4 * (double)target[r * tokens + j] - log(sum));
      target[r * tokens + j] = expf(*log_target);
    }
  }
  return target;
}

static void check_attention(struct attention_job job) {
  size_t cells = job.heads * job.tokens * job.tokens, count = attention_floats(&job);
  float *start = numbers(count, 9), *target = new_target(job.heads * job.tokens, job.tokens);
  job.target = target;
  assert_int_equal(msk_device_place(devices[1], target, 2 * cells, NULL), MSK_OK);
  /* A logit of head_dim terms of size 1, times 1.5, is wrong by its roundings on either side; a
   * probability's logarithm by twice that and a sum's; a score is of logarithms of some units. */
  double logit = ((double)job.head_dim + 4) * UNIT * 1.5 * (double)job.head_dim / 2,
         tolerance = 4 * (2 * logit +
                          (32 + (double)job.tokens / 4) * UNIT * (4 + 3 * (double)job.head_dim));
  compare(run_attention, (const void *const[]){&job, &job}, start, count, tolerance, "attention");
  msk_device_displace(devices[1], target, 2 * cells);
  free(start), free(target);
}

static void test_attention(void **state) {
  static const size_t tokens[] = {1, 5, 15, 16, 17, 37, 65, 101}, dims[] = {1, 3, 8, 16, 17, 48};
  (void)state;
  for (size_t i = 0; i < 24; i++) {
    struct attention_job job = {.batch = 1 + i % 3,
                                .tokens = tokens[i % 8],
                                .heads = 1 + i % 4,
                                .head_dim = dims[i % 6],
                                .causal = i % 5 == 4,
                                .values = i % 4 != 3,
                                .maps = i % 2,
                                .score = i % 5 != 4 && i % 3 != 2,
                                .distance = (msk_distance)(i % 3)};
    int32_t places[101];
    check_attention(job);
    if (job.causal) continue;
    job.queries = (job.tokens + 1) / 2, job.places = places;
    for (size_t p = 0; p < job.queries; p++) places[p] = (int32_t)(job.tokens - 1 - 2 * p);
    check_attention(job);
  }
}

/* A picture's rows do not depend on what runs beside it: to the byte. */
static void test_batch(void **state) {
  enum { TOKENS = 37, HEADS = 3, DIM = 16, WIDTH = HEADS * DIM, ROW = 3 * WIDTH + 1 };
  struct attention_job one = {.batch = 1,
                              .tokens = TOKENS,
                              .heads = HEADS,
                              .head_dim = DIM,
                              .values = true},
                       three = one;
  three.batch = 3;
  float *start = numbers(attention_floats(&three), 4),
        *ends[2] = {numbers(attention_floats(&one), 1), numbers(attention_floats(&three), 1)};
  (void)state;
  run_on(devices[1], run_attention, &one, start, attention_floats(&one), ends[0]);
  run_on(devices[1], run_attention, &three, start, attention_floats(&three), ends[1]);
  assert_memory_equal(ends[0] + TOKENS * ROW, ends[1] + 3 * TOKENS * ROW,
                      TOKENS * WIDTH * sizeof(float));
  free(start), free(ends[0]), free(ends[1]);
}

int main(void) {
  opencl_first(&cl, &facts);
  const struct CMUnitTest tests[] = {cmocka_unit_test(opencl_selfcheck),
                                     cmocka_unit_test(test_linear),
                                     cmocka_unit_test(test_int8),
                                     cmocka_unit_test(test_int8_limits),
                                     cmocka_unit_test(test_int8_special_values),
                                     cmocka_unit_test(test_fp16),
                                     cmocka_unit_test(test_shapes),
                                     cmocka_unit_test(test_special_values),
                                     cmocka_unit_test(test_layer_norm),
                                     cmocka_unit_test(test_embed),
                                     cmocka_unit_test(test_scatter),
                                     cmocka_unit_test(test_head_sum),
                                     cmocka_unit_test(test_attention),
                                     cmocka_unit_test(test_batch)};
  const struct CMUnitTest again[] = {
      cmocka_unit_test(opencl_selfcheck), cmocka_unit_test(test_linear),
      cmocka_unit_test(test_int8),        cmocka_unit_test(test_int8_limits),
      cmocka_unit_test(test_fp16),        cmocka_unit_test(test_attention)};
  printf("device: %s: %s\n", facts.platform, facts.name);
  int failed =
      cmocka_run_group_tests_name("operations by OpenCL", tests, opencl_set_up, opencl_tear_down);
  OPENCL_EACH_SHAPE(again, failed)
  OPENCL_AS_GPU(tests, failed)
  return failed;
}
