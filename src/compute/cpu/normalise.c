/* SPDX-License-Identifier: Apache-2.0
 *
 * normalise.c - layer norm and group norm. Group statistics: pictures are cut into chunks of a
 * size that depends on the channel count alone; each chunk gives every group's mean and squared
 * deviation (two passes in float over data in cache); chunks are merged in order in float64
 * (Chan, Golub and LeVeque's pairwise update). So sums are accurate for any mean and the same
 * for any number of threads. */
#include <math.h>

#include "compute/cpu/cpu.h"

enum { CHUNK_FLOATS = 8192, CHUNK_PIXELS = 128, CHUNKS_A_TASK = 4, ROWS_A_TASK = 16 };

struct layer_job {
  const msk_kernels *kernels;
  const msk_norm *norm;
  msk_rows x, y;
};

static void layer_task(void *user, size_t index, int worker) {
  const struct layer_job *job = user;
  (void)worker;
  size_t last = msk_smaller((index + 1) * ROWS_A_TASK, job->x.rows);
  for (size_t i = index * ROWS_A_TASK; i < last; i++) {
    job->kernels->layer_norm_row(job->x.columns, job->x.at + i * job->x.stride, job->norm->gamma,
                                 job->norm->beta, job->norm->epsilon,
                                 job->y.at + i * job->y.stride);
  }
}

void msk_cpu_layer_norm(msk_stream *stream, msk_rows x, const msk_norm *norm, msk_rows y) {
  assert(y.rows == x.rows && y.columns == x.columns);
  if (stream->measuring) return;
  struct layer_job job = {.kernels = &stream->device->kernels, .norm = norm, .x = x, .y = y};
  msk_pool_run(stream->pool, msk_ceiling(x.rows, ROWS_A_TASK), layer_task, &job);
  msk_meter_note(stream, "layer norm", 0);
}

/* ---- group norm ---- */

struct moments {
  double mean, deviation; /* deviation: sum of squared differences from the mean */
};

struct group_job {
  const msk_kernels *kernels;
  const float *x, *gamma, *beta;
  float *y;
  float epsilon;
  bool swish;
  size_t groups, pixels, channels, batch;
  size_t chunk, chunks;          /* pixels of a chunk, chunks of a picture */
  struct moments *chunk_moments; /* [batch][chunks][groups] */
  float *mean, *scale;           /* [batch][channels] */
  float *temporary;              /* 2 * channels floats a worker */
};

static void measure_chunk(const struct group_job *job, size_t picture, size_t chunk, float *sums,
                          float *means) {
  size_t first = chunk * job->chunk, count = msk_smaller(job->chunk, job->pixels - first),
         group_channels = job->channels / job->groups;
  const float *x = job->x + (picture * job->pixels + first) * job->channels;
  struct moments *found = job->chunk_moments + (picture * job->chunks + chunk) * job->groups;
  job->kernels->channel_sums(count, job->channels, x, sums);
  for (size_t g = 0; g < job->groups; g++) {
    double sum = 0;
    for (size_t c = 0; c < group_channels; c++) sum += sums[g * group_channels + c];
    float mean = (float)(sum / (double)(count * group_channels));
    for (size_t c = 0; c < group_channels; c++) means[g * group_channels + c] = mean;
    found[g].mean = sum / (double)(count * group_channels);
  }
  job->kernels->channel_squares(count, job->channels, x, means, sums);
  for (size_t g = 0; g < job->groups; g++) {
    double deviation = 0;
    for (size_t c = 0; c < group_channels; c++) deviation += sums[g * group_channels + c];
    found[g].deviation = deviation;
  }
}

static void moments_task(void *user, size_t index, int worker) {
  const struct group_job *job = user;
  size_t total = job->batch * job->chunks, last = msk_smaller((index + 1) * CHUNKS_A_TASK, total);
  float *sums = job->temporary + (size_t)worker * 2 * job->channels;
  for (size_t i = index * CHUNKS_A_TASK; i < last; i++)
    measure_chunk(job, i / job->chunks, i % job->chunks, sums, sums + job->channels);
}

/* Merges the chunks of one picture: first the mean, then the deviations from it. */
static void merge_task(void *user, size_t picture, int worker) {
  const struct group_job *job = user;
  const struct moments *found = job->chunk_moments + picture * job->chunks * job->groups;
  size_t group_channels = job->channels / job->groups;
  (void)worker;
  for (size_t g = 0; g < job->groups; g++) {
    double sum = 0, deviation = 0, total = (double)(job->pixels * group_channels);
    for (size_t i = 0; i < job->chunks; i++) {
      size_t count = msk_smaller(job->chunk, job->pixels - i * job->chunk) * group_channels;
      sum += found[i * job->groups + g].mean * (double)count;
    }
    double mean = sum / total;
    for (size_t i = 0; i < job->chunks; i++) {
      size_t count = msk_smaller(job->chunk, job->pixels - i * job->chunk) * group_channels;
      double shift = found[i * job->groups + g].mean - mean;
      deviation += found[i * job->groups + g].deviation + shift * shift * (double)count;
    }
    double inverse = 1.0 / sqrt(deviation / total + (double)job->epsilon);
    for (size_t c = g * group_channels; c < (g + 1) * group_channels; c++) {
      job->mean[picture * job->channels + c] = (float)mean;
      job->scale[picture * job->channels + c] = (float)(inverse * (double)job->gamma[c]);
    }
  }
}

static void apply_task(void *user, size_t index, int worker) {
  const struct group_job *job = user;
  size_t total = job->batch * job->chunks, last = msk_smaller((index + 1) * CHUNKS_A_TASK, total);
  (void)worker;
  for (size_t i = index * CHUNKS_A_TASK; i < last; i++) {
    size_t picture = i / job->chunks, first = i % job->chunks * job->chunk,
           offset = (picture * job->pixels + first) * job->channels;
    job->kernels->normalise_pixels(msk_smaller(job->chunk, job->pixels - first), job->channels,
                                   job->x + offset, job->mean + picture * job->channels,
                                   job->scale + picture * job->channels, job->beta, job->swish,
                                   job->y + offset);
  }
}

/* Sizes of the work; bytes of scratch memory for it. */
static size_t plan_groups(struct group_job *job, const msk_stream *stream) {
  job->kernels = &stream->device->kernels;
  job->chunk = CHUNK_FLOATS / job->channels < 1
                   ? 1
                   : msk_smaller(CHUNK_FLOATS / job->channels, CHUNK_PIXELS);
  job->chunks = msk_ceiling(job->pixels, job->chunk);
  return msk_round_up(job->batch * job->chunks * job->groups * sizeof(struct moments),
                      MSK_ALIGNMENT) +
         2 * msk_scratch_floats(job->batch * job->channels) +
         msk_scratch_floats(msk_stream_workers(stream) * 2 * job->channels);
}

static size_t count_tasks(const struct group_job *job) {
  return msk_ceiling(job->batch * job->chunks, CHUNKS_A_TASK);
}

/* Finds job->mean and job->scale, which lie in scratch memory. */
static void measure_groups(const msk_stream *stream, struct group_job *job, void *scratch) {
  size_t moment_bytes =
      msk_round_up(job->batch * job->chunks * job->groups * sizeof(struct moments), MSK_ALIGNMENT);
  size_t channel_floats = msk_scratch_floats(job->batch * job->channels) / sizeof(float);
  job->chunk_moments = scratch;
  job->mean = (float *)((char *)scratch + moment_bytes);
  job->scale = job->mean + channel_floats;
  job->temporary = job->scale + channel_floats;
  msk_pool_run(stream->pool, count_tasks(job), moments_task, job);
  msk_pool_run(stream->pool, job->batch, merge_task, job);
}

static struct group_job make_job(const msk_norm *norm, size_t batch, size_t pixels,
                                 size_t channels) {
  assert(norm->groups > 0 && channels % norm->groups == 0);
  return (struct group_job){.gamma = norm->gamma,
                            .beta = norm->beta,
                            .epsilon = norm->epsilon,
                            .groups = norm->groups,
                            .pixels = pixels,
                            .channels = channels,
                            .batch = batch};
}

size_t msk_norm_bytes(const msk_stream *stream, const msk_norm *norm, size_t pixels,
                      size_t channels) {
  struct group_job job = make_job(norm, 1, pixels, channels);
  return plan_groups(&job, stream);
}

void msk_norm_measure(const msk_stream *stream, const msk_norm *norm, const float *x, size_t pixels,
                      size_t channels, void *scratch, const float **mean, const float **scale) {
  struct group_job job = make_job(norm, 1, pixels, channels);
  job.x = x;
  plan_groups(&job, stream);
  measure_groups(stream, &job, scratch);
  *mean = job.mean;
  *scale = job.scale;
}

void msk_cpu_group_norm(msk_stream *stream, msk_map x, const msk_norm *norm, bool swish,
                        msk_map y) {
  size_t pixels = x.height * x.width;
  assert(y.batch == x.batch && y.height * y.width == pixels && y.channels == x.channels);
  struct group_job job = make_job(norm, x.batch, pixels, x.channels);
  job.x = x.at;
  job.y = y.at;
  job.swish = swish;
  if (x.batch * pixels == 0) return;
  if (msk_stream_measure(stream, plan_groups(&job, stream))) return;
  measure_groups(stream, &job, stream->scratch);
  msk_pool_run(stream->pool, count_tasks(&job), apply_task, &job);
  msk_meter_note(stream, swish ? "group norm, swish" : "group norm", 0);
}
