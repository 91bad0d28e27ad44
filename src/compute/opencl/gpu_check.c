/* SPDX-License-Identifier: Apache-2.0
 *
 * gpu_check.c - a device of OpenCL against the CPU's reference when it is opened: a layer of a
 * small transformer, its sizes beside those of tiles and groups, so that each operation runs once
 * on whole and on cut ones. A driver that computes something else is found here, not in a
 * picture. The thorough comparison is tests/compute. */
#include <math.h>

#include "base/error.h"
#include "base/memory.h"
#include "compute/opencl/gpu.h"
#include "compute/stream.h"

enum { BATCH = 2, TOKENS = 19, HEADS = 2, HEAD_DIM = 20, WORDS = 11, WIDE = 73 };
enum {
  HIDDEN = HEADS * HEAD_DIM,
  ROWS = BATCH * TOKENS,
  PLACED = (WORDS + TOKENS + 2) * HIDDEN + 2 * HEADS * TOKENS * TOKENS,
  LARGEST = HIDDEN * 3 * HIDDEN,
  RESULTS = ROWS * HIDDEN + ROWS * WIDE + ROWS
};

/* Numbers of about one size through the whole layer: what is right differs by a hundredth of
 * this. */
static const float tolerance = 1e-3f;

typedef struct sample {
  float placed[PLACED]; /* words, positions, gamma, beta, target, its logarithm */
  float weight[LARGEST], bias[3 * HIDDEN];
  int32_t ids[ROWS];
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
  for (size_t i = 0; i < LARGEST; i++) s->weight[i] = 0.3f * next_value(&state);
  for (size_t i = 0; i < 3 * HIDDEN; i++) s->bias[i] = next_value(&state);
  for (size_t i = 0; i < ROWS; i++) s->ids[i] = i % 5 == 4 ? MSK_MASK_TOKEN : (int32_t)(i % WORDS);
}

typedef struct layer {
  msk_linear *qkv, *up;
} layer;

static msk_status make_layer(layer *l, const msk_device *device, const sample *s,
                             msk_error *error) {
  const msk_linear_part qkv = {.weight = s->weight, .bias = s->bias, .out = 3 * HIDDEN},
                        up = {.weight = s->weight, .out = WIDE, .transposed = true};
  msk_status status =
      msk_linear_create(&l->qkv, device, MSK_PRECISION_FP32, HIDDEN, &qkv, 1, NULL, error);
  return status == MSK_OK
             ? msk_linear_create(&l->up, device, MSK_PRECISION_FP32, HIDDEN, &up, 1, NULL, error)
             : status;
}

/* Everything once; the results lie at the arena's beginning, RESULTS of them. */
static const float *run_layer(const layer *l, msk_stream *stream, msk_arena *arena,
                              const sample *s) {
  const float *words = s->placed, *positions = words + WORDS * HIDDEN,
              *gamma = positions + TOKENS * HIDDEN, *target = gamma + 2 * HIDDEN;
  const msk_norm norm = {gamma, gamma + HIDDEN, 1e-6f, 0};
  const msk_attention_shape shape = {BATCH, HEADS, 0.5f, false};
  msk_rows all = msk_take_rows(arena, 1, RESULTS), x = msk_rows_at(all.at, ROWS, HIDDEN),
           hidden = msk_rows_at(all.at + ROWS * HIDDEN, ROWS, WIDE),
           scores = msk_rows_at(all.at + ROWS * (HIDDEN + WIDE), BATCH, TOKENS),
           qkv = msk_take_rows(arena, ROWS, 3 * HIDDEN), mixed = msk_take_rows(arena, ROWS, HIDDEN);
  const msk_read_out reads = {.target = target,
                              .log_target = target + HEADS * TOKENS * TOKENS,
                              .distance = MSK_DISTANCE_JENSEN_SHANNON,
                              .score = msk_arena_take(arena, HEADS * ROWS, sizeof(float))};
  msk_op_embed(stream, s->ids, msk_rows_at(words, WORDS, HIDDEN),
               msk_rows_at(positions, TOKENS, HIDDEN), mixed);
  msk_op_layer_norm(stream, mixed, &norm, x);
  msk_op_linear(stream, "q k v", l->qkv, x, MSK_ACT_NONE, MSK_NO_ROWS, qkv);
  msk_op_attention(stream, &shape, msk_rows_columns(qkv, 0, HIDDEN),
                   msk_rows_columns(qkv, HIDDEN, HIDDEN), msk_rows_columns(qkv, 2 * HIDDEN, HIDDEN),
                   &reads, mixed);
  msk_op_head_sum(stream, reads.score, HEADS, 0.5f, false, scores);
  msk_op_linear(stream, "mlp", l->up, mixed, MSK_ACT_GELU_TANH, MSK_NO_ROWS, hidden);
  msk_op_linear(stream, "residual", l->qkv, mixed, MSK_ACT_QUICK_GELU, x, x);
  return all.at;
}

/* In memory of the device, of just the size that it takes. */
static msk_status run_on(const msk_device *device, const sample *s, float *results,
                         msk_error *error) {
  const msk_allocator *allocator = msk_device_allocator(device);
  bool apart = msk_device_is_apart(device);
  msk_stream stream = {.device = device, .measuring = true};
  msk_arena arena = {0};
  layer l = {0};
  char *memory = NULL;
  msk_status status = make_layer(&l, device, s, error);
  if (status == MSK_OK) {
    run_layer(&l, &stream, &arena, s);
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
      const float *at = run_layer(&l, &stream, &arena, s);
      if (apart) status = msk_stream_read(&stream, at, RESULTS, results, error);
      for (size_t i = 0; !apart && i < RESULTS; i++) results[i] = at[i];
    }
  }
  msk_workspace_destroy(stream.workspace, device);
  msk_free(allocator, memory);
  msk_linear_destroy(l.qkv);
  msk_linear_destroy(l.up);
  return status;
}

static const char *find_difference(const sample *s) {
  for (size_t i = 0; i < RESULTS; i++) {
    if (fabsf(s->results[0][i] - s->results[1][i]) <= tolerance) continue;
    if (i < ROWS * HIDDEN) return "linear layer";
    return i < ROWS * (HIDDEN + WIDE) ? "attention" : "attention score";
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
  msk_status status = msk_device_create(&reference, "ref", MSK_PRECISION_FP32, allocator, error);
  if (status == MSK_OK) status = run_on(reference, s, s->results[0], error);
  if (status == MSK_OK) status = msk_device_place(device, s->placed, PLACED, error);
  if (status == MSK_OK) {
    status = run_on(device, s, s->results[1], error);
    msk_device_displace(device, s->placed, PLACED);
  }
  if (status == MSK_OK) *wrong = find_difference(s);
  msk_device_destroy(reference);
  msk_free(allocator, s);
  return status;
}
