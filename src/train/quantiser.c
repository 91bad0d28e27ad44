/* SPDX-License-Identifier: Apache-2.0
 * quantiser.c - see quantiser.h. */
#include "train/quantiser.h"

#include <math.h>
#include <string.h>

/* Added to a mean probability before its logarithm is taken, as the authors do. */
#define LOG_FLOOR 1e-5

enum { ROWS_A_TASK = 16, CODES_A_TASK = 16 };

struct job {
  msk_codebook_shape shape;
  const float *codebook, *z;
  size_t rows;
  int32_t *codes;
  const msk_quantiser_weights *weights;
  double *p;     /* [rows][codes]: probabilities, then the gradient by their logits */
  double *log_p; /* the same of their logarithms */
  double *mean;  /* [codes] */
  float *dz, *dcodebook;
};

static size_t tasks(size_t count, size_t each) { return (count + each - 1) / each; }

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static double distance(const struct job *job, size_t row, size_t code) {
  const float *z = job->z + row * job->shape.dim, *c = job->codebook + code * job->shape.dim;
  double sum = 0;
  for (size_t i = 0; i < job->shape.dim; i++) sum += ((double)z[i] - c[i]) * ((double)z[i] - c[i]);
  return sum;
}

/* ---- the nearest code ---- */

static void nearest_task(void *user, size_t index, int worker) {
  const struct job *job = user;
  (void)worker;
  for (size_t r = index * ROWS_A_TASK; r < least((index + 1) * ROWS_A_TASK, job->rows); r++) {
    double best = INFINITY;
    job->codes[r] = 0;
    for (size_t c = 0; c < job->shape.codes; c++) {
      double here = distance(job, r, c);
      if (here < best) best = here, job->codes[r] = (int32_t)c;
    }
  }
}

void msk_quantise(msk_pool *pool, msk_codebook_shape shape, const float *codebook, size_t rows,
                  const float *z, int32_t *codes) {
  struct job job = {.shape = shape, .codebook = codebook, .z = z, .rows = rows, .codes = codes};
  msk_pool_run(pool, tasks(rows, ROWS_A_TASK), nearest_task, &job);
}

/* ---- the entropy term ---- */

static void softmax_task(void *user, size_t index, int worker) {
  const struct job *job = user;
  size_t codes = job->shape.codes;
  (void)worker;
  for (size_t r = index * ROWS_A_TASK; r < least((index + 1) * ROWS_A_TASK, job->rows); r++) {
    double *p = job->p + r * codes, *log_p = job->log_p + r * codes, sum = 0, largest = -INFINITY;
    for (size_t c = 0; c < codes; c++) {
      log_p[c] = -distance(job, r, c) / job->weights->temperature;
      largest = fmax(largest, log_p[c]);
    }
    for (size_t c = 0; c < codes; c++) sum += exp(log_p[c] - largest);
    for (size_t c = 0; c < codes; c++) {
      log_p[c] -= largest + log(sum);
      p[c] = exp(log_p[c]);
    }
  }
}

/* Of the loss by a mean probability. */
static double mean_slope(double mean) { return log(mean + LOG_FLOOR) + mean / (mean + LOG_FLOOR); }

/* p becomes the gradient by the row's logits, -distance / temperature; then z's. */
static void slope_task(void *user, size_t index, int worker) {
  const struct job *job = user;
  size_t codes = job->shape.codes, dim = job->shape.dim;
  double share = job->weights->entropy / (double)job->rows,
         by = 2 / (double)job->weights->temperature;
  (void)worker;
  for (size_t r = index * ROWS_A_TASK; r < least((index + 1) * ROWS_A_TASK, job->rows); r++) {
    double *p = job->p + r * codes, *log_p = job->log_p + r * codes, own = 0, others = 0;
    const float *z = job->z + r * dim;
    for (size_t c = 0; c < codes; c++) {
      own += p[c] * log_p[c];
      others += p[c] * mean_slope(job->mean[c]);
    }
    for (size_t c = 0; c < codes; c++)
      p[c] *= share * ((own - log_p[c]) + (mean_slope(job->mean[c]) - others));
    for (size_t i = 0; i < dim; i++) {
      double sum = 0;
      for (size_t c = 0; c < codes; c++) sum += p[c] * ((double)job->codebook[c * dim + i] - z[i]);
      job->dz[r * dim + i] += (float)(by * sum);
    }
  }
}

/* Codes' gradients from those of the logits. */
static void code_task(void *user, size_t index, int worker) {
  const struct job *job = user;
  size_t codes = job->shape.codes, dim = job->shape.dim;
  double by = 2 / (double)job->weights->temperature;
  (void)worker;
  for (size_t c = index * CODES_A_TASK; c < least((index + 1) * CODES_A_TASK, codes); c++) {
    for (size_t i = 0; i < dim; i++) {
      double sum = 0, code = job->codebook[c * dim + i];
      for (size_t r = 0; r < job->rows; r++)
        sum += job->p[r * codes + c] * (job->z[r * dim + i] - code);
      job->dcodebook[c * dim + i] += (float)(by * sum);
    }
  }
}

static double add_entropy(msk_pool *pool, struct job *job) {
  size_t codes = job->shape.codes, rows = job->rows;
  double loss = 0;
  msk_pool_run(pool, tasks(rows, ROWS_A_TASK), softmax_task, job);
  memset(job->mean, 0, codes * sizeof *job->mean);
  for (size_t i = 0; i < rows * codes; i++) {
    job->mean[i % codes] += job->p[i] / (double)rows;
    loss -= job->p[i] * job->log_p[i] / (double)rows;
  }
  for (size_t c = 0; c < codes; c++) loss += job->mean[c] * log(job->mean[c] + LOG_FLOOR);
  msk_pool_run(pool, tasks(rows, ROWS_A_TASK), slope_task, job);
  if (job->dcodebook != NULL) msk_pool_run(pool, tasks(codes, CODES_A_TASK), code_task, job);
  return job->weights->entropy * loss;
}

/* ---- all of them ---- */

size_t msk_quantiser_room(msk_codebook_shape shape, size_t rows) {
  return (2 * rows + 1) * shape.codes;
}

/* mean (z - code)^2, and the slopes of its two halves. */
static double add_distances(const struct job *job) {
  size_t dim = job->shape.dim;
  double all = (double)(job->rows * dim), sum = 0;
  for (size_t i = 0; i < job->rows * dim; i++) {
    size_t at = (size_t)job->codes[i / dim] * dim + i % dim;
    double apart = (double)job->z[i] - job->codebook[at];
    sum += apart * apart;
    job->dz[i] += (float)(2 * job->weights->commitment * apart / all);
    if (job->dcodebook != NULL)
      job->dcodebook[at] -= (float)(2 * job->weights->codebook * apart / all);
  }
  return sum / all;
}

msk_quantiser_losses msk_quantiser_loss(msk_pool *pool, const msk_quantiser_weights *weights,
                                        msk_codebook_shape shape, const float *codebook,
                                        size_t rows, const float *z, const int32_t *codes,
                                        double *room, float *dz, float *dcodebook) {
  struct job job = {.shape = shape,
                    .codebook = codebook,
                    .z = z,
                    .rows = rows,
                    .codes = (int32_t *)(uintptr_t)codes,
                    .weights = weights,
                    .p = room,
                    .log_p = room + rows * shape.codes,
                    .mean = room + 2 * rows * shape.codes,
                    .dz = dz,
                    .dcodebook = dcodebook};
  double apart = add_distances(&job);
  msk_quantiser_losses losses = {.commitment = weights->commitment * apart,
                                 .codebook = weights->codebook * apart};
  if (weights->entropy > 0) losses.entropy = add_entropy(pool, &job);
  return losses;
}
