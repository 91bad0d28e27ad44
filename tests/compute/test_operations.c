/* SPDX-License-Identifier: Apache-2.0
 *
 * test_operations.c - norms and the operations that move more than they compute, on every
 * instruction set that this machine has, against their definitions; what holds for operations of
 * all kinds: threads, batches, scratch memory; and devices. */
#include "naive.h"

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
  msk_op_embed(&stream, ids, NULL, msk_rows_at(words, V, D), msk_rows_at(positions, N, D),
               msk_rows_at(y, 2 * N, D));
  for (size_t i = 0; i < 2 * N * D; i++) {
    size_t id = ids[i / D] < 0 ? V - 1 : (size_t)ids[i / D];
    assert_true(y[i] == words[id * D + i % D] + positions[i / D % N * D + i % D]);
  }
  const int32_t places[3] = {2, 2, 0}, apart[3] = {5, 0, 6};
  msk_op_embed(&stream, ids, places, msk_rows_at(words, V, D), msk_rows_at(positions, N, D),
               msk_rows_at(y, 3, D));
  for (size_t i = 0; i < 3 * D; i++) {
    size_t id = ids[i / D] < 0 ? V - 1 : (size_t)ids[i / D], place = (size_t)places[i / D];
    assert_true(y[i] == words[id * D + i % D] + positions[place * D + i % D]);
  }
  float before[2 * N * D];
  memcpy(before, y, sizeof before);
  msk_op_scatter(&stream, apart, msk_rows_columns(msk_rows_at(words, 3, D), 1, 3),
                 msk_rows_columns(msk_rows_at(y, 2 * N, D), 2, 3));
  for (size_t i = 0; i < 2 * N * D; i++) {
    size_t from = i / D == 5 ? 0 : i / D == 0 ? 1 : 2;
    bool moved = (i / D == 0 || i / D == 5 || i / D == 6) && i % D >= 2;
    assert_true(y[i] == (moved ? words[from * D + i % D - 1] : before[i]));
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

/* ---- equivalences: threads, batches ---- */

static msk_linear *linear_new(const msk_device *device, const float *weight, size_t in,
                              size_t out) {
  msk_linear *linear;
  const msk_linear_part part = {.weight = weight, .out = out};
  assert_int_equal(msk_linear_create(&linear, device, MSK_PRECISION_FP32, in, &part, 1, NULL, NULL),
                   MSK_OK);
  return linear;
}

/* `rows` outputs of a product-like operation at 1..8 threads, all bits equal. */
static void threads_on(const msk_device *device) {
  enum { ROWS = 200, IN = 300, OUT = 100, H = 33, W = 21, C = 32, N = 70 };
  float *x = random_new(ROWS * IN, 1, 1), *weight = random_new(9 * C * C + IN * OUT, 2, 1),
        *one = guarded_new(ROWS * OUT + H * W * C), *many = guarded_new(ROWS * OUT + H * W * C);
  float *picture = random_new(2 * H * W * C, 3, 1), *gamma = random_new(C, 4, 1);
  msk_linear *linear = linear_new(device, weight, IN, OUT);
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
  msk_linear *linear = linear_new(device, weight, IN, OUT);
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

/* ---- metering ---- */

struct heard {
  int count;
  double flop;
  char names[256];
};

static void hear(void *user, const char *pass, const char *name, double seconds, double flop) {
  struct heard *heard = user;
  assert_string_equal(pass, "test");
  assert_true(seconds >= 0);
  heard->count++;
  heard->flop += flop;
  strncat(heard->names, name, sizeof heard->names - strlen(heard->names) - 1);
  strncat(heard->names, "; ", sizeof heard->names - strlen(heard->names) - 1);
}

/* Operations tell what they did: once each, whatever they are made of, and not while measuring. */
static void test_meter(void **state) {
  (void)state;
  enum { N = 4, D = 16, CODES = 8 };
  msk_device *device = device_new(NULL);
  struct heard heard = {0};
  msk_meter meter = {.user = &heard, .note = hear};
  msk_stream stream = {.device = device, .meter = &meter, .measuring = true};
  float *x = random_new(N * D, 1, 1), *y = guarded_new(N * 3 * D),
        *weight = random_new(3 * D * D, 2, 1);
  int32_t codes[N];
  msk_linear *linear = linear_new(device, weight, D, 3 * D);
  msk_codebook *codebook;
  assert_int_equal(msk_codebook_create(&codebook, device, weight, CODES, D, NULL), MSK_OK);
  const msk_norm norm = {weight, weight, 1e-6f, 0};
  const msk_rows rows = msk_rows_at(x, N, D), qkv = msk_rows_at(y, N, 3 * D);
  for (int run = 0; run < 2; run++) {
    msk_meter_begin(&stream, "test");
    msk_op_layer_norm(&stream, rows, &norm, rows);
    msk_op_linear(&stream, "q k v", linear, rows, MSK_ACT_NONE, MSK_NO_ROWS, qkv);
    msk_op_linear(&stream, "q", linear, rows, MSK_ACT_NONE, MSK_NO_ROWS,
                  msk_rows_columns(qkv, 0, D));
    msk_op_nearest_code(&stream, codebook, rows, codes);
    if (run == 1) break;
    assert_int_equal(heard.count, 0);
    stream.measuring = false;
    stream.scratch = guarded_new((stream.scratch_bytes + 3) / sizeof(float));
  }
  assert_string_equal(heard.names, "layer norm; q k v; q; nearest code; ");
  assert_true(heard.flop == 2.0 * N * D * (3 * D + D + CODES));
  msk_codebook_destroy(codebook);
  msk_linear_destroy(linear);
  guarded_free(stream.scratch), guarded_free(x), guarded_free(y), guarded_free(weight);
  msk_device_destroy(device);
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
      cmocka_unit_test(test_devices), cmocka_unit_test(test_allocation_failures),
      cmocka_unit_test(test_norms),   cmocka_unit_test(test_movers),
      cmocka_unit_test(test_embed),   cmocka_unit_test(test_threads),
      cmocka_unit_test(test_batch),   cmocka_unit_test(test_scratch),
      cmocka_unit_test(test_meter)};
  return cmocka_run_group_tests_name("compute operations", tests, NULL, NULL);
}
