/* SPDX-License-Identifier: Apache-2.0
 *
 * gpu_check.c - a device of OpenCL against the CPU's reference when it is opened: a layer of a
 * small transformer and stages of a small tokenizer, their sizes beside those of tiles and groups,
 * so that each operation runs once on whole and on cut ones. A driver that computes something else
 * is found here, not in a picture. The thorough comparison is tests/compute. */
#include <math.h>

#include "base/error.h"
#include "base/memory.h"
#include "compute/opencl/gpu.h"
#include "compute/stream.h"

enum { BATCH = 2, TOKENS = 19, HEADS = 2, HEAD_DIM = 20, WORDS = 11, WIDE = 73 };
enum {
  HIDDEN = HEADS * HEAD_DIM,
  ROWS = BATCH * TOKENS,
  CODED_AT = (WORDS + TOKENS + 2) * HIDDEN + 2 * HEADS * TOKENS * TOKENS,
  CODED = 5, /* rows for int8 */
  PLACED = CODED_AT + CODED * HIDDEN
};
/* Of the tokenizer: SIDE x SIDE pixels, doubled, halved by pooling and by a convolution, folded
 * into CELL numbers a pixel, and these into DIM, of which there are CODES vectors. */
enum { SIDE = 9, CHANNELS = 20, GROUPS = 5, HALF = (SIDE + 1) / 2, FOLDED = 16 };
enum { DIM = 4, CODES = 21 };
enum { CELL = 4 * CHANNELS, CELLS = SIDE * SIDE };
/* Weights: those of the convolution that halves are the most. */
enum { LARGEST = 4 * 4 * CHANNELS * FOLDED + 8 };
_Static_assert((int)LARGEST >= (int)(HIDDEN * 3 * HIDDEN), "weights for every layer");
/* Where results lie, one behind the other. */
enum {
  HIDDEN_AT = ROWS * HIDDEN,
  SCORES_AT = HIDDEN_AT + ROWS * WIDE,
  POOLED_AT = SCORES_AT + ROWS,
  FOLDED_AT = POOLED_AT + CELLS * CHANNELS,
  CODES_AT = FOLDED_AT + HALF * HALF * FOLDED,
  INT8_AT = CODES_AT + CELLS * DIM,
  RESULTS = INT8_AT + CODED * WIDE
};

/* Numbers of about one size through the whole layer: what is right differs by a hundredth of
 * this. */
static const float tolerance = 1e-3f;

typedef struct sample {
  /* words, positions, gamma, beta, target, its logarithm, rows for int8 */
  float placed[PLACED];
  /* fp16_weight: of binary16 numbers, which are kept so */
  float weight[LARGEST], fp16_weight[LARGEST], bias[3 * HIDDEN];
  int32_t ids[ROWS];
  uint8_t bytes[SIDE * SIDE * 3];
  bool has_int8; /* the device's precision: its products are checked, too */
  float results[2][RESULTS];
} sample;

static float next_value(unsigned *state) {
  *state = *state * 1664525 + 1013904223;
  return (float)(*state >> 8) / 8388608.0f - 1.0f;
}

static void fill(sample *s) {
  unsigned state = 1;
  float *target = s->placed + (WORDS + TOKENS + 2) * HIDDEN;
  for (size_t i = 0; i < PLACED; i++) s->placed[i] = next_value(&state);
  for (size_t i = 0; i < HEADS * TOKENS * TOKENS; i++) {
    target[i] = 1.0f / TOKENS;
    target[HEADS * TOKENS * TOKENS + i] = logf(1.0f / TOKENS);
  }
  /* what quantising changes nothing of, so that no rounding falls one way there and another here:
   * whole numbers of 1/128 over a range of 255 */
  for (size_t i = 0; i < CODED * HIDDEN; i++)
    s->placed[CODED_AT + i] =
        (float)((int)(i % HIDDEN < 2 ? i % HIDDEN * 255 : i * 37 % 256) - 100) / 128;
  for (size_t i = 0; i < LARGEST; i++) {
    s->weight[i] = 0.3f * next_value(&state);
    s->fp16_weight[i] = rintf(s->weight[i] * 1024) / 1024;
  }
  for (size_t i = 0; i < 3 * HIDDEN; i++) s->bias[i] = next_value(&state);
  for (size_t i = 0; i < ROWS; i++) s->ids[i] = i % 5 == 4 ? MSK_MASK_TOKEN : (int32_t)(i % WORDS);
  for (size_t i = 0; i < sizeof s->bytes; i++)
    s->bytes[i] = (uint8_t)(128 + 127 * next_value(&state));
}

typedef struct networks {
  msk_linear *qkv, *up, *int8; /* int8: where that is wanted */
  msk_conv *doubled, *same, *halved, *narrow;
  msk_codebook *codebook;
} networks;

static msk_status make_layer(networks *l, const msk_device *device, const sample *s,
                             msk_error *error) {
  const msk_linear_part qkv = {.weight = s->weight, .bias = s->bias, .out = 3 * HIDDEN},
                        up = {.weight = s->fp16_weight, .out = WIDE, .transposed = true};
  msk_status status =
      msk_linear_create(&l->qkv, device, MSK_PRECISION_FP32, HIDDEN, &qkv, 1, NULL, error);
  if (status == MSK_OK)
    status = msk_linear_create(&l->up, device, MSK_PRECISION_FP32, HIDDEN, &up, 1, NULL, error);
  if (status == MSK_OK && s->has_int8)
    status = msk_linear_create(&l->int8, device, MSK_PRECISION_INT8, HIDDEN, &up, 1, NULL, error);
  return status;
}

/* shapes: side, stride, inputs, outputs. */
static msk_status make_maps(networks *l, const msk_device *device, const sample *s,
                            msk_error *error) {
  static const size_t shapes[4][4] = {
      {3, 1, 3, CHANNELS}, {3, 1, CHANNELS, CHANNELS}, {4, 2, CHANNELS, FOLDED}, {1, 1, CELL, DIM}};
  msk_conv **const convs[] = {&l->doubled, &l->same, &l->halved, &l->narrow};
  msk_status status = msk_codebook_create(&l->codebook, device, s->weight + 7, CODES, DIM, error);
  for (size_t i = 0; i < 4 && status == MSK_OK; i++)
    status = msk_conv_create(convs[i], device, (i % 2 == 0 ? s->weight : s->fp16_weight) + i,
                             MSK_DTYPE_F32, i % 2 == 0 ? s->bias : NULL, shapes[i][0], shapes[i][1],
                             shapes[i][2], shapes[i][3], NULL, error);
  return status;
}

static msk_map next_map(const msk_conv *conv, msk_stream *stream, msk_arena *arena, msk_map x,
                        size_t upsample, msk_map residual) {
  msk_map y = msk_conv_output(conv, x, upsample, NULL);
  y.at = msk_arena_take(arena, y.height * y.width * y.channels, sizeof(float));
  msk_op_conv(stream, conv, x, upsample, NULL, residual, y);
  return y;
}

static void run_maps(const networks *l, msk_stream *stream, msk_arena *arena, const sample *s,
                     float *results) {
  const float *gamma = s->placed + (WORDS + TOKENS) * HIDDEN;
  const msk_norm norm = {gamma, gamma + HIDDEN, 1e-6f, GROUPS};
  const msk_map pixels =
      msk_map_at(msk_arena_take(arena, SIDE * SIDE * 3, sizeof(float)), 1, SIDE, SIDE, 3);
  const msk_map pooled = msk_map_at(results + POOLED_AT, 1, SIDE, SIDE, CHANNELS),
                cells = msk_map_at(msk_arena_take(arena, CELLS * CELL, sizeof(float)), 1, SIDE,
                                   SIDE, CELL);
  int32_t codes[CELLS];
  msk_op_pixels(stream, s->bytes, pixels);
  msk_map x = next_map(l->doubled, stream, arena, pixels, 2, MSK_NO_MAP);
  msk_op_group_norm(stream, x, &norm, true, x);
  x = next_map(l->same, stream, arena, x, 1, x);
  msk_op_average_pool(stream, x, pooled);
  const msk_map half = next_map(l->halved, stream, arena, pooled, 1, MSK_NO_MAP);
  msk_op_depth_to_space(stream, half,
                        msk_map_at(results + FOLDED_AT, 1, 2 * HALF, 2 * HALF, FOLDED / 4));
  msk_op_space_to_depth(stream, x, cells);
  const msk_map latents = next_map(l->narrow, stream, arena, cells, 1, MSK_NO_MAP);
  msk_op_nearest_code(stream, l->codebook, msk_map_rows(latents), codes);
  msk_op_lookup_code(stream, l->codebook, codes, msk_rows_at(results + CODES_AT, CELLS, DIM));
  const msk_rows folded = msk_rows_at(results + FOLDED_AT, HALF * HALF, FOLDED),
                 twin = msk_take_rows(arena, folded.rows, folded.columns);
  msk_op_copy(stream, folded, twin);
  msk_op_relu(stream, twin, twin);
  msk_op_add(stream, twin, folded);
}

static void run_layer(const networks *l, msk_stream *stream, msk_arena *arena, const sample *s,
                      float *results) {
  const float *words = s->placed, *positions = words + WORDS * HIDDEN,
              *gamma = positions + TOKENS * HIDDEN, *target = gamma + 2 * HIDDEN;
  const msk_norm norm = {gamma, gamma + HIDDEN, 1e-6f, 0};
  const msk_attention_shape shape = {.batch = BATCH, .heads = HEADS, .scale = 0.5f};
  msk_rows x = msk_rows_at(results, ROWS, HIDDEN),
           hidden = msk_rows_at(results + HIDDEN_AT, ROWS, WIDE),
           scores = msk_rows_at(results + SCORES_AT, BATCH, TOKENS),
           qkv = msk_take_rows(arena, ROWS, 3 * HIDDEN), mixed = msk_take_rows(arena, ROWS, HIDDEN);
  const msk_read_out reads = {.target = target,
                              .log_target = target + HEADS * TOKENS * TOKENS,
                              .distance = MSK_DISTANCE_JENSEN_SHANNON,
                              .score = msk_arena_take(arena, HEADS * ROWS, sizeof(float))};
  msk_op_embed(stream, s->ids, NULL, msk_rows_at(words, WORDS, HIDDEN),
               msk_rows_at(positions, TOKENS, HIDDEN), mixed);
  msk_op_layer_norm(stream, mixed, &norm, x);
  msk_op_linear(stream, "q k v", l->qkv, x, MSK_ACT_NONE, MSK_NO_ROWS, qkv);
  msk_op_attention(stream, &shape, msk_rows_columns(qkv, 0, HIDDEN),
                   msk_rows_columns(qkv, HIDDEN, HIDDEN), msk_rows_columns(qkv, 2 * HIDDEN, HIDDEN),
                   &reads, mixed);
  msk_op_head_sum(stream, reads.score, HEADS, 0.5f, false, scores);
  msk_op_linear(stream, "mlp", l->up, mixed, MSK_ACT_GELU_TANH, MSK_NO_ROWS, hidden);
  msk_op_linear(stream, "residual", l->qkv, mixed, MSK_ACT_QUICK_GELU, x, x);
}

/* Everything once; the results lie at the arena's beginning, RESULTS of them. */
static const float *run_all(const networks *l, msk_stream *stream, msk_arena *arena,
                            const sample *s) {
  float *results = msk_take_rows(arena, 1, RESULTS).at;
  run_layer(l, stream, arena, s, results);
  run_maps(l, stream, arena, s, results);
  if (s->has_int8)
    msk_op_linear(stream, "int8", l->int8, msk_rows_at(s->placed + CODED_AT, CODED, HIDDEN),
                  MSK_ACT_NONE, MSK_NO_ROWS, msk_rows_at(results + INT8_AT, CODED, WIDE));
  return results;
}

/* In memory of the device, of just the size that it takes. */
static msk_status run_on(const msk_device *device, const sample *s, float *results,
                         msk_error *error) {
  const msk_allocator *allocator = msk_device_allocator(device);
  bool apart = msk_device_is_apart(device);
  msk_stream stream = {.device = device, .measuring = true};
  msk_arena arena = {0};
  networks l = {0};
  char *memory = NULL;
  msk_status status = make_layer(&l, device, s, error);
  if (status == MSK_OK) status = make_maps(&l, device, s, error);
  if (status == MSK_OK) {
    run_all(&l, &stream, &arena, s);
    stream.measuring = false;
    size_t scratch = msk_round_up(stream.scratch_bytes, MSK_ALIGNMENT),
           bytes = scratch + arena.peak;
    if (apart) status = msk_workspace_create(&stream.workspace, device, bytes, error);
    if (!apart) memory = msk_allocate(allocator, bytes, 1);
    if (!apart && memory == NULL)
      status = msk_fail(error, MSK_ERROR_MEMORY, "no memory to check a device");
    if (status == MSK_OK) {
      stream.scratch = apart ? msk_workspace_base(stream.workspace) : memory;
      arena = (msk_arena){.base = (char *)stream.scratch + scratch, .capacity = arena.peak};
      const float *at = run_all(&l, &stream, &arena, s);
      if (apart) status = msk_stream_read(&stream, at, RESULTS, results, error);
      for (size_t i = 0; !apart && i < RESULTS; i++) results[i] = at[i];
    }
  }
  msk_workspace_destroy(stream.workspace, device);
  msk_free(allocator, memory);
  msk_linear_destroy(l.qkv);
  msk_linear_destroy(l.up);
  msk_linear_destroy(l.int8);
  msk_codebook_destroy(l.codebook);
  msk_conv_destroy(l.doubled);
  msk_conv_destroy(l.same);
  msk_conv_destroy(l.halved);
  msk_conv_destroy(l.narrow);
  return status;
}

static const char *find_difference(const sample *s) {
  for (size_t i = 0; i < (s->has_int8 ? RESULTS : INT8_AT); i++) {
    if (fabsf(s->results[0][i] - s->results[1][i]) <= tolerance) continue;
    if (i < HIDDEN_AT) return "linear layer";
    if (i < SCORES_AT) return "attention";
    if (i < POOLED_AT) return "attention score";
    if (i < CODES_AT) return "convolution";
    return i < INT8_AT ? "nearest code" : "linear layer in int8";
  }
  return NULL;
}

msk_status msk_gpu_selfcheck(const msk_device *device, const char **wrong, msk_error *error) {
  const msk_allocator *allocator = msk_device_allocator(device);
  msk_device *reference = NULL;
  *wrong = NULL;
  sample *s = msk_allocate_zeroed(allocator, 1, sizeof *s);
  if (s == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory to check a device");
  fill(s);
  s->has_int8 = msk_device_precision(device) == MSK_PRECISION_INT8;
  msk_status status = msk_device_create(&reference, "ref", MSK_PRECISION_FP32, allocator, error);
  if (status == MSK_OK) status = run_on(reference, s, s->results[0], error);
  if (status == MSK_OK) status = msk_device_place(device, s->placed, PLACED, error);
  if (status == MSK_OK) {
    msk_gpu_of(device)->checks = true;
    status = run_on(device, s, s->results[1], error);
    msk_gpu_of(device)->checks = false;
    msk_device_displace(device, s->placed, PLACED);
  }
  if (status == MSK_OK) *wrong = find_difference(s);
  msk_device_destroy(reference);
  msk_free(allocator, s);
  return status;
}
