/* SPDX-License-Identifier: Apache-2.0
 * optimiser.c - see optimiser.h. */
#include "train/optimiser.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "compute/meter.h"

#define BETA_1 0.9f
#define ADAM_EPSILON 1e-8f
#define MOMENTUM 0.95f
#define MUON_DECAY 0.03f
#define LARGEST_NORM 1.0

enum { ROUNDS = 5, PIECE = 1 << 15 };

/* ---- AdamW ---- */

void msk_adam_update(const msk_adam *adam, size_t count, const float *gradient, float factor,
                     float *first, float *second, float *values) {
  float beta_2 = adam->beta_2;
  double bias_1 = 1 - pow(BETA_1, (double)adam->step), bias_2 = 1 - pow(beta_2, (double)adam->step);
  float keep = 1 - adam->rate * adam->decay, size = (float)sqrt(bias_2),
        step = (float)((double)adam->rate / bias_1);
  for (size_t i = 0; i < count; i++) {
    float g = gradient[i] * factor;
    first[i] += (1 - BETA_1) * (g - first[i]);
    second[i] = beta_2 * second[i] + (1 - beta_2) * g * g;
    values[i] = values[i] * keep - step * (first[i] / (sqrtf(second[i]) / size + ADAM_EPSILON));
  }
}

/* ---- Muon ---- */

/* y = x times a matrix, or its transpose. */
static void multiply(msk_stream *stream, msk_rows x, msk_rows by, bool transposed, float *panels,
                     float *y) {
  msk_op_pack(stream, &by, 1, transposed, panels);
  msk_op_dense(stream, "newton-schulz", panels, NULL, x, MSK_ACT_NONE, MSK_NO_ROWS,
               msk_rows_at(y, x.rows, transposed ? by.rows : by.columns));
}

/* One round of the paper's quintic: x becomes (a + b m + c m m) x with m = x x'. It brings
 * singular values near 1. */
static void newton_schulz(msk_stream *stream, msk_orthogonal *room) {
  const float a = 3.4445f, b = -4.7750f, c = 2.0315f;
  size_t r = room->rows;
  msk_rows x = msk_rows_at(room->x, r, room->columns), square = msk_rows_at(room->square, r, r);
  multiply(stream, x, x, true, room->panels, room->square);
  multiply(stream, square, square, false, room->panels, room->fourth);
  for (size_t i = 0; !stream->measuring && i < r; i++) {
    float *row = room->fourth + i * r, diagonal = row[i];
    for (size_t j = 0; j < r; j++) row[j] = b * room->square[i * r + j] + c * row[j] + 0.0f;
    row[i] = b * room->square[i * r + i] + c * diagonal + a;
  }
  multiply(stream, msk_rows_at(room->fourth, r, r), x, false, room->panels, room->next);
  float *swap = room->x;
  room->x = room->next;
  room->next = swap;
}

void msk_orthogonalise(msk_stream *stream, msk_orthogonal *room) {
  size_t count = room->rows * room->columns;
  double sum = 0;
  for (size_t i = 0; !stream->measuring && i < count; i++) sum += (double)room->x[i] * room->x[i];
  float factor = 1.0f / ((float)sqrt(sum) + 1e-7f);
  for (size_t i = 0; !stream->measuring && i < count; i++) room->x[i] *= factor;
  for (int i = 0; i < ROUNDS; i++) newton_schulz(stream, room);
}

/* ---- creation ---- */

static size_t round_up(size_t count) { return (count + 15) / 16 * 16; }

static msk_orthogonal lay_room(float *base, size_t rows, size_t columns) {
  size_t matrix = round_up(rows * columns), square = round_up(rows * rows);
  return (msk_orthogonal){.rows = rows,
                          .columns = columns,
                          .x = base,
                          .next = base + matrix,
                          .square = base + 2 * matrix,
                          .fourth = base + 2 * matrix + square,
                          .panels = base + 2 * matrix + 2 * square};
}

static size_t room_floats(const msk_device *device, size_t rows, size_t columns) {
  size_t across = msk_panels_floats(device, columns, rows),
         along = msk_panels_floats(device, rows, columns);
  return 2 * round_up(rows * columns) + 2 * round_up(rows * rows) +
         (across > along ? across : along);
}

static void measure_room(msk_optimiser *optimiser) {
  const msk_params *params = optimiser->params;
  optimiser->stream.measuring = true;
  for (size_t i = 0; i < params->count; i++) {
    size_t in = params->list[i].in, out = params->list[i].out;
    if (params->list[i].rule != MSK_RULE_MUON) continue;
    size_t rows = in < out ? in : out, columns = in < out ? out : in;
    msk_orthogonal room = {.rows = rows, .columns = columns};
    msk_orthogonalise(&optimiser->stream, &room);
    size_t floats = room_floats(optimiser->stream.device, rows, columns);
    if (floats > optimiser->room_floats) optimiser->room_floats = floats;
  }
  optimiser->stream.measuring = false;
}

size_t msk_optimiser_bytes(const msk_params *params, const msk_device *device, msk_pool *pool) {
  msk_optimiser of = {.params = params, .stream = {.device = device, .pool = pool}};
  measure_room(&of);
  return (3 * params->floats + of.room_floats) * sizeof(float) + of.stream.scratch_bytes;
}

msk_status msk_optimiser_create(msk_optimiser **optimiser, const msk_params *params,
                                const msk_device *device, msk_pool *pool, msk_error *error) {
  const msk_allocator *allocator = params->allocator;
  msk_optimiser *made = msk_allocate_zeroed(allocator, 1, sizeof *made);
  if (made == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory for the optimiser");
  made->params = params;
  made->stream = (msk_stream){.device = device, .pool = pool};
  measure_room(made);
  made->first = msk_allocate_zeroed(allocator, params->floats, sizeof(float));
  made->second = msk_allocate_zeroed(allocator, params->floats, sizeof(float));
  made->average = msk_allocate_zeroed(allocator, params->floats, sizeof(float));
  made->room = msk_allocate(allocator, made->room_floats, sizeof(float));
  made->stream.scratch = msk_allocate(allocator, made->stream.scratch_bytes, 1);
  if (made->first == NULL || made->second == NULL || made->average == NULL || made->room == NULL ||
      made->stream.scratch == NULL) {
    msk_optimiser_destroy(made);
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory for the optimiser's moments");
  }
  *optimiser = made;
  return MSK_OK;
}

void msk_optimiser_destroy(msk_optimiser *optimiser) {
  if (optimiser == NULL) return;
  const msk_allocator *allocator = optimiser->params->allocator;
  msk_free(allocator, optimiser->first);
  msk_free(allocator, optimiser->second);
  msk_free(allocator, optimiser->average);
  msk_free(allocator, optimiser->room);
  msk_free(allocator, optimiser->stream.scratch);
  msk_free(allocator, optimiser);
}

/* ---- one update ---- */

struct norm_job {
  const float *block;
  size_t floats;
  double *sums;
};

static void norm_task(void *user, size_t index, int worker) {
  const struct norm_job *job = user;
  size_t first = index * PIECE, last = first + PIECE < job->floats ? first + PIECE : job->floats;
  double sum = 0;
  (void)worker;
  for (size_t i = first; i < last; i++) sum += (double)job->block[i] * job->block[i];
  job->sums[index] = sum;
}

/* Euclidean norm of a block. */
static double block_norm(const msk_optimiser *optimiser, const float *block) {
  size_t floats = optimiser->params->floats, pieces = (floats + PIECE - 1) / PIECE;
  /* Muon's room is free here. */
  double *sums = (double *)(void *)optimiser->room, sum = 0;
  struct norm_job job = {.block = block, .floats = floats, .sums = sums};
  if (pieces * sizeof *sums > optimiser->room_floats * sizeof(float)) {
    for (size_t i = 0; i < floats; i++) sum += (double)block[i] * block[i];
    return sqrt(sum);
  }
  msk_pool_run(optimiser->stream.pool, pieces, norm_task, &job);
  for (size_t i = 0; i < pieces; i++) sum += sums[i];
  return sqrt(sum);
}

/* x[i][j] = g + momentum * (m - g), of the matrix or of its transpose, whichever is wide. */
static void take_direction(const float *gradient, float factor, float *momentum, size_t in,
                           size_t out, float *x) {
  for (size_t i = 0; i < in; i++) {
    for (size_t j = 0; j < out; j++) {
      float g = factor * gradient[i * out + j], *m = &momentum[i * out + j];
      *m += (1 - MOMENTUM) * (g - *m);
      x[in <= out ? i * out + j : j * in + i] = g + MOMENTUM * (*m - g);
    }
  }
}

/* An update has the root mean square of Adam's. */
static void muon_update(msk_optimiser *optimiser, const msk_param *param, float rate, float factor,
                        const float *gradient, float *momentum, float *values) {
  size_t in = param->in, out = param->out;
  size_t rows = in < out ? in : out, columns = in < out ? out : in;
  msk_orthogonal room = lay_room(optimiser->room, rows, columns);
  take_direction(gradient, factor, momentum, in, out, room.x);
  msk_orthogonalise(&optimiser->stream, &room);
  float keep = 1 - rate * MUON_DECAY, step = rate * 0.2f * sqrtf((float)columns);
  for (size_t i = 0; i < in; i++) {
    for (size_t j = 0; j < out; j++) {
      float *value = &values[i * out + j];
      *value = *value * keep - step * room.x[in <= out ? i * out + j : j * in + i];
    }
  }
}

struct follow_job {
  const float *block;
  float *average, rate;
  size_t floats;
};

static void follow_task(void *user, size_t index, int worker) {
  const struct follow_job *job = user;
  size_t first = index * PIECE, last = first + PIECE < job->floats ? first + PIECE : job->floats;
  (void)worker;
  for (size_t i = first; i < last; i++)
    job->average[i] += job->rate * (job->block[i] - job->average[i]);
}

/* What is fixed, or moved by others, has no average but itself, to the bit. */
static void keep_fixed(const msk_params *params, const float *block, float *average) {
  for (size_t i = 0; i < params->count; i++) {
    const msk_param *param = &params->list[i];
    if (param->rule == MSK_RULE_FIXED)
      memcpy(average + param->offset, block + param->offset,
             param->tensor.elements * sizeof *average);
  }
}

double msk_optimiser_step(msk_optimiser *optimiser, const msk_rates *rates, const float *gradients,
                          float *block) {
  const msk_params *params = optimiser->params;
  double norm = block_norm(optimiser, gradients);
  float factor = (float)fmin(1.0, LARGEST_NORM / (norm + 1e-6));
  for (size_t i = 0; i < params->count; i++) {
    const msk_param *param = &params->list[i];
    size_t at = param->offset;
    if (param->rule == MSK_RULE_FIXED) continue;
    if (param->rule == MSK_RULE_MUON) {
      muon_update(optimiser, param, rates->muon, factor, gradients + at, optimiser->first + at,
                  block + at);
      msk_meter_note(&optimiser->stream, "muon", 0);
      continue;
    }
    msk_adam adam = {.rate = rates->adam,
                     .decay = param->rule == MSK_RULE_ADAM_DECAY ? rates->decay : 0.0f,
                     .beta_2 = rates->beta_2,
                     .step = rates->step};
    msk_adam_update(&adam, param->tensor.elements, gradients + at, factor, optimiser->first + at,
                    optimiser->second + at, block + at);
    msk_meter_note(&optimiser->stream, "adam", 0);
  }
  struct follow_job follow = {block, optimiser->average, rates->average, params->floats};
  msk_pool_run(optimiser->stream.pool, (params->floats + PIECE - 1) / PIECE, follow_task, &follow);
  keep_fixed(params, block, optimiser->average);
  msk_meter_note(&optimiser->stream, "average", 0);
  return norm;
}
