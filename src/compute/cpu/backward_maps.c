/* SPDX-License-Identifier: Apache-2.0
 *
 * backward_maps.c - group norm with swish, pooling and upsampling turned round. A group norm's
 * statistics are measured again (normalise.c); its sums run over chunks of a size that depends on
 * the channel count alone, which are added in order in float64. */
#include <string.h>

#include "compute/backward.h"
#include "compute/cpu/cpu.h"

enum { CHUNK_FLOATS = 8192, CHUNK_PIXELS = 128 };

/* ---- group norm ---- */

/* One picture at a time. */
struct norm_job {
  const msk_kernels *kernels;
  const float *x, *dy, *mean, *inverse, *gamma, *beta;
  float *dx;
  bool swish;
  size_t pixels, channels, groups, chunk, chunks;
  float *partial;               /* [chunks][2][channels] */
  float *scale, *shift, *slope; /* [channels] */
};

static void sums_task(void *user, size_t index, int worker) {
  const struct norm_job *job = user;
  size_t first = index * job->chunk, at = first * job->channels;
  float *sums = job->partial + index * 2 * job->channels;
  (void)worker;
  job->kernels->norm_backward_sums(msk_smaller(job->chunk, job->pixels - first), job->channels,
                                   job->x + at, job->dy + at, job->mean, job->inverse, job->gamma,
                                   job->beta, job->swish, job->dx + at, sums, sums + job->channels);
}

static void pixels_task(void *user, size_t index, int worker) {
  const struct norm_job *job = user;
  size_t first = index * job->chunk, at = first * job->channels;
  (void)worker;
  job->kernels->norm_backward_pixels(msk_smaller(job->chunk, job->pixels - first), job->channels,
                                     job->x + at, job->dx + at, job->mean, job->inverse, job->scale,
                                     job->shift, job->slope, job->dx + at);
}

static double sum_chunks(const struct norm_job *job, size_t which, size_t channel) {
  double sum = 0;
  for (size_t i = 0; i < job->chunks; i++)
    sum += job->partial[(2 * i + which) * job->channels + channel];
  return sum;
}

/* With n the normalised x: dx = inverse * (gamma dn - mean(gamma dn) - n mean(n gamma dn)), the
 * means over a group. */
static void merge_sums(const struct norm_job *job, float *dgamma, float *dbeta) {
  size_t wide = job->channels / job->groups;
  double total = (double)(job->pixels * wide);
  for (size_t g = 0; g < job->groups; g++) {
    double means[2] = {0};
    for (size_t c = g * wide; c < (g + 1) * wide; c++) {
      double first = sum_chunks(job, 0, c), second = sum_chunks(job, 1, c);
      dbeta[c] += (float)first;
      dgamma[c] += (float)second;
      means[0] += first * job->gamma[c] / total;
      means[1] += second * job->gamma[c] / total;
    }
    for (size_t c = g * wide; c < (g + 1) * wide; c++) {
      job->scale[c] = job->gamma[c] * job->inverse[c];
      job->shift[c] = (float)(means[0] * job->inverse[c]);
      job->slope[c] = (float)(means[1] * job->inverse[c]);
    }
  }
}

static struct norm_job plan_norm(const msk_stream *stream, msk_map x, const msk_norm *norm) {
  struct norm_job job = {.kernels = &stream->device->kernels,
                         .gamma = norm->gamma,
                         .beta = norm->beta,
                         .pixels = x.height * x.width,
                         .channels = x.channels,
                         .groups = norm->groups};
  job.chunk = msk_smaller(CHUNK_FLOATS / x.channels + 1, CHUNK_PIXELS);
  job.chunks = msk_ceiling(job.pixels, job.chunk);
  return job;
}

void msk_op_group_norm_backward(msk_stream *stream, msk_map x, const msk_norm *norm, bool swish,
                                msk_map dy, float *dgamma, float *dbeta, msk_map dx) {
  struct norm_job job = plan_norm(stream, x, norm);
  size_t channels = msk_scratch_floats(x.channels),
         partial = msk_scratch_floats(job.chunks * 2 * x.channels),
         measured = msk_norm_bytes(stream, norm, job.pixels, x.channels);
  if (msk_stream_measure(stream, 4 * channels + partial + measured)) return;
  char *scratch = stream->scratch;
  float *ones = (float *)scratch;
  job.scale = (float *)(scratch + channels);
  job.shift = (float *)(scratch + 2 * channels);
  job.slope = (float *)(scratch + 3 * channels);
  job.partial = (float *)(scratch + 4 * channels);
  job.swish = swish;
  for (size_t c = 0; c < x.channels; c++) ones[c] = 1;
  /* with gamma 1 what is measured is the inverse deviation alone */
  const msk_norm plain = {.gamma = ones, .epsilon = norm->epsilon, .groups = norm->groups};
  for (size_t b = 0; b < x.batch; b++) {
    size_t at = b * job.pixels * x.channels;
    job.x = x.at + at, job.dy = dy.at + at, job.dx = dx.at + at;
    msk_norm_measure(stream, &plain, job.x, job.pixels, x.channels,
                     scratch + 4 * channels + partial, &job.mean, &job.inverse);
    msk_pool_run(stream->pool, job.chunks, sums_task, &job);
    merge_sums(&job, dgamma, dbeta);
    msk_pool_run(stream->pool, job.chunks, pixels_task, &job);
  }
  msk_meter_note(stream, swish ? "group norm, swish, backward" : "group norm, backward", 0);
}

/* ---- pooling and upsampling ---- */

struct resize_job {
  msk_map small, large; /* dy and dx of the one, dx and dy of the other */
};

/* Two rows of dx from one of dy. */
static void pool_task(void *user, size_t index, int worker) {
  const struct resize_job *job = user;
  msk_map dy = job->small, dx = job->large;
  size_t channels = dy.channels, oy = index % dy.height, down = msk_smaller(2, dx.height - 2 * oy);
  const float *from = dy.at + index * dy.width * channels;
  float *to = dx.at + (index / dy.height * dx.height + 2 * oy) * dx.width * channels;
  (void)worker;
  for (size_t i = 0; i < down * dx.width; i++) {
    size_t x = i % dx.width, across = msk_smaller(2, dx.width - x / 2 * 2);
    float share = 1.0f / (float)(down * across);
    for (size_t c = 0; c < channels; c++) to[i * channels + c] = share * from[x / 2 * channels + c];
  }
}

static void upsample_task(void *user, size_t index, int worker) {
  const struct resize_job *job = user;
  size_t channels = job->small.channels, row = job->large.width * channels;
  const float *top = job->large.at + 2 * index * row, *bottom = top + row;
  float *to = job->small.at + index * job->small.width * channels;
  (void)worker;
  for (size_t x = 0; x < job->small.width; x++) {
    size_t left = 2 * x * channels, right = left + channels;
    for (size_t c = 0; c < channels; c++)
      to[x * channels + c] =
          (top[left + c] + top[right + c]) + (bottom[left + c] + bottom[right + c]);
  }
}

void msk_op_average_pool_backward(msk_stream *stream, msk_map dy, msk_map dx) {
  assert(dy.height == msk_ceiling(dx.height, 2) && dy.width == msk_ceiling(dx.width, 2));
  if (stream->measuring) return;
  struct resize_job job = {.small = dy, .large = dx};
  msk_pool_run(stream->pool, dy.batch * dy.height, pool_task, &job);
  msk_meter_note(stream, "pool, backward", 0);
}

void msk_op_upsample_backward(msk_stream *stream, msk_map dy, msk_map dx) {
  assert(dy.height == 2 * dx.height && dy.width == 2 * dx.width);
  if (stream->measuring) return;
  struct resize_job job = {.small = dx, .large = dy};
  msk_pool_run(stream->pool, dx.batch * dx.height, upsample_task, &job);
  msk_meter_note(stream, "upsampling, backward", 0);
}
