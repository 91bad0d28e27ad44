/* SPDX-License-Identifier: Apache-2.0
 * gpu_maps.c - what is done with feature maps beside convolutions, on a device of OpenCL
 * (kernels/maps.cl). */
#include <assert.h>

#include "compute/opencl/gpu.h"
#include "compute/stream.h"

/* of kernels/maps.cl */
enum { CHUNK_PIXELS = 64 };
enum { RELU, COPY, ADD };

/* ---- group norm ---- */

struct group_job {
  msk_workspace *workspace;
  const msk_norm *norm;
  msk_map x, y;
  size_t pixels, chunks;
  float *means, *deviations, *mean, *scale; /* in scratch memory */
};

/* Lays scratch memory out; bytes of it. */
static size_t place(struct group_job *job, char *scratch) {
  size_t channels = msk_scratch_floats(job->x.batch * job->x.channels),
         chunks = msk_scratch_floats(job->x.batch * job->chunks * job->x.channels);
  job->means = (float *)scratch;
  job->deviations = (float *)(scratch + chunks);
  job->mean = (float *)(scratch + 2 * chunks);
  job->scale = (float *)(scratch + 2 * chunks + channels);
  return 2 * (chunks + channels);
}

static void measure_chunks(const struct group_job *job) {
  msk_launch launch = msk_launch_begin(job->workspace, MSK_NORM_CHUNKS);
  msk_launch_at(&launch, job->x.at);
  msk_launch_uint(&launch, job->pixels);
  msk_launch_uint(&launch, job->x.channels);
  msk_launch_at(&launch, job->means);
  msk_launch_at(&launch, job->deviations);
  msk_launch_run(&launch,
                 (const size_t[]){msk_ceiling(job->x.channels, job->workspace->gpu->lanes),
                                  job->chunks, job->x.batch},
                 NULL);
}

static void merge_chunks(const struct group_job *job) {
  size_t group = job->workspace->gpu->group;
  msk_launch launch = msk_launch_begin(job->workspace, MSK_NORM_GROUPS);
  msk_launch_at(&launch, job->means);
  msk_launch_at(&launch, job->deviations);
  msk_launch_uint(&launch, job->pixels);
  msk_launch_uint(&launch, job->x.channels);
  msk_launch_uint(&launch, job->norm->groups);
  msk_launch_at(&launch, job->norm->gamma);
  msk_launch_float(&launch, job->norm->epsilon);
  msk_launch_at(&launch, job->mean);
  msk_launch_at(&launch, job->scale);
  msk_launch_run(&launch, (const size_t[]){group * job->norm->groups, job->x.batch, 1},
                 (const size_t[]){group, 1, 1});
}

static void apply(const struct group_job *job, bool swish) {
  msk_launch launch = msk_launch_begin(job->workspace, MSK_NORM_APPLY);
  msk_launch_at(&launch, job->x.at);
  msk_launch_at(&launch, job->mean);
  msk_launch_at(&launch, job->scale);
  msk_launch_at(&launch, job->norm->beta);
  msk_launch_uint(&launch, job->x.channels);
  msk_launch_int(&launch, swish);
  msk_launch_at(&launch, job->y.at);
  msk_launch_run(&launch,
                 (const size_t[]){msk_ceiling(job->x.channels, job->workspace->gpu->lanes),
                                  job->pixels, job->x.batch},
                 NULL);
}

void msk_gpu_group_norm(msk_stream *stream, msk_map x, const msk_norm *norm, bool swish,
                        msk_map y) {
  struct group_job job = {
      .workspace = stream->workspace, .norm = norm, .x = x, .y = y, .pixels = x.height * x.width};
  assert(msk_map_is_like(x, y) && norm->groups > 0 && x.channels % norm->groups == 0);
  if (x.batch * job.pixels == 0) return;
  job.chunks = msk_ceiling(job.pixels, CHUNK_PIXELS);
  if (msk_stream_measure(stream, place(&job, msk_stream_scratch(stream)))) return;
  measure_chunks(&job);
  merge_chunks(&job);
  apply(&job, swish);
  msk_gpu_note(stream, swish ? "group norm, swish" : "group norm", 0);
}

/* ---- the rest ---- */

void msk_gpu_average_pool(msk_stream *stream, msk_map x, msk_map y) {
  assert(y.batch == x.batch && y.height == msk_ceiling(x.height, 2) &&
         y.width == msk_ceiling(x.width, 2) && y.channels == x.channels);
  if (stream->measuring) return;
  msk_launch launch = msk_launch_begin(stream->workspace, MSK_AVERAGE_POOL);
  msk_launch_at(&launch, x.at);
  msk_launch_uint(&launch, x.height);
  msk_launch_uint(&launch, x.width);
  msk_launch_at(&launch, y.at);
  msk_launch_run(&launch, (const size_t[]){y.channels, y.width, y.batch * y.height}, NULL);
  msk_gpu_note(stream, "pool", 0);
}

/* Between pixels and the cells of r x r of them. */
static void fold(msk_stream *stream, msk_map pixels, msk_map cells, bool back, const char *name) {
  size_t r = pixels.height / cells.height;
  assert(r * cells.height == pixels.height && r * cells.width == pixels.width &&
         cells.batch == pixels.batch && cells.channels == r * r * pixels.channels);
  if (stream->measuring) return;
  msk_launch launch = msk_launch_begin(stream->workspace, MSK_FOLD_PIXELS);
  msk_launch_at(&launch, back ? cells.at : pixels.at);
  msk_launch_uint(&launch, r);
  msk_launch_int(&launch, back);
  msk_launch_at(&launch, back ? pixels.at : cells.at);
  msk_launch_run(
      &launch, (const size_t[]){pixels.channels, pixels.width, pixels.batch * pixels.height}, NULL);
  msk_gpu_note(stream, name, 0);
}

void msk_gpu_space_to_depth(msk_stream *stream, msk_map x, msk_map y) {
  fold(stream, x, y, false, "pixels to channels");
}

void msk_gpu_depth_to_space(msk_stream *stream, msk_map x, msk_map y) {
  fold(stream, y, x, true, "channels to pixels");
}

void msk_gpu_pixels(msk_stream *stream, const uint8_t *bytes, msk_map y) {
  size_t count = y.batch * y.height * y.width * y.channels;
  if (count == 0 || msk_stream_measure(stream, msk_round_up(count, MSK_ALIGNMENT))) return;
  msk_gpu_write(stream->workspace, bytes, count, stream->scratch);
  msk_launch launch = msk_launch_begin(stream->workspace, MSK_BYTES_TO_NUMBERS);
  msk_launch_at(&launch, stream->scratch);
  msk_launch_at(&launch, y.at);
  msk_launch_run(&launch, (const size_t[]){count, 1, 1}, NULL);
  msk_gpu_note(stream, "pixels to floats", 0);
}

static void elementwise(msk_stream *stream, const char *name, int what, msk_rows x, msk_rows y) {
  assert(x.rows == y.rows && x.columns == y.columns);
  assert(x.rows <= 1 || (x.stride == x.columns && y.stride == y.columns));
  if (stream->measuring) return;
  msk_launch launch = msk_launch_begin(stream->workspace, MSK_ELEMENTWISE);
  msk_launch_at(&launch, x.at);
  msk_launch_int(&launch, what);
  msk_launch_at(&launch, y.at);
  msk_launch_run(&launch, (const size_t[]){x.rows * x.columns, 1, 1}, NULL);
  msk_gpu_note(stream, name, 0);
}

void msk_gpu_relu(msk_stream *stream, msk_rows x, msk_rows y) {
  elementwise(stream, "relu", RELU, x, y);
}

void msk_gpu_copy(msk_stream *stream, msk_rows x, msk_rows y) {
  elementwise(stream, "copy", COPY, x, y);
}

void msk_gpu_add(msk_stream *stream, msk_rows x, msk_rows y) {
  elementwise(stream, "add", ADD, x, y);
}
