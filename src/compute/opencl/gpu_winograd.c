/* SPDX-License-Identifier: Apache-2.0
 *
 * gpu_winograd.c - 3 x 3 convolutions of stride 1 by Winograd's F(4x4, 3x3) on a device of OpenCL
 * (kernels/winograd.cl): a quarter of the multiplications. Filters are transformed anew each time,
 * into scratch memory, which costs less than keeping four times the weights; then chunks of tiles
 * go through transform, 36 products side by side, and transform.
 *
 * Whether it is done is a matter of the layer and of its picture's size, never of the device, the
 * batch, or of time: a picture's bytes do not depend on what is fast. */
#include "compute/opencl/gpu.h"
#include "compute/stream.h"

enum {
  POSITIONS = 36,
  LEAST_CHANNELS = 64, /* below, the transforms take what the products save */
  LEAST_TILES = 64,    /* of a picture, for which filters are transformed */
  CHECKED = 3,         /* channels up to which gpu_check.c computes directly */
  /* floats between the transforms: a processor's stay in its last cache */
  CHUNK_FLOATS_GPU = 16 << 20,
  CHUNK_FLOATS_CPU = 2 << 20
};

static size_t tiles_of_picture(msk_map y) {
  return msk_ceiling(y.height, 4) * msk_ceiling(y.width, 4);
}

bool msk_gpu_winograd_serves(const msk_conv_head *head, msk_map y) {
  const bool checks = msk_gpu_of(head->device)->checks;
  const size_t channels = checks ? 1 + CHECKED : LEAST_CHANNELS, tiles = checks ? 1 : LEAST_TILES;
  return head->kernel == 3 && head->stride == 1 && head->in >= channels && head->out >= channels &&
         tiles_of_picture(y) >= tiles;
}

struct job {
  msk_workspace *workspace;
  const msk_gpu_layer *layer;
  msk_map x, residual, y;
  size_t upsample, tiles, chunk; /* tiles: of all pictures */
  size_t filter_floats;          /* of a position */
  float *filters, *inputs, *products;
};

/* Lays scratch memory out; its bytes. */
static size_t place(struct job *job, const msk_gpu *gpu, char *scratch) {
  const msk_conv_head *head = &job->layer->head;
  const size_t most =
      (gpu->facts.gpu ? CHUNK_FLOATS_GPU : CHUNK_FLOATS_CPU) / (POSITIONS * (head->in + head->out));
  job->tiles = job->y.batch * tiles_of_picture(job->y);
  job->chunk = msk_smaller(job->tiles, most < LEAST_TILES ? LEAST_TILES : most);
  job->filter_floats = head->in * msk_round_up(head->out, MSK_PANEL);
  const size_t filters = msk_scratch_floats(POSITIONS * job->filter_floats),
               inputs = msk_scratch_floats(POSITIONS * job->chunk * head->in);
  job->filters = (float *)(void *)scratch;
  job->inputs = (float *)(void *)(scratch + filters);
  job->products = (float *)(void *)(scratch + filters + inputs);
  return filters + inputs + msk_scratch_floats(POSITIONS * job->chunk * head->out);
}

static void transform_filters(const struct job *job) {
  const msk_conv_head *head = &job->layer->head;
  msk_launch launch = msk_launch_begin(job->workspace, MSK_WINOGRAD_FILTERS);
  msk_launch_buffer(&launch, job->layer->matrix.panels);
  msk_launch_int(&launch, job->layer->matrix.fp16);
  msk_launch_at(&launch, job->filters);
  msk_launch_ulong(&launch, job->filter_floats);
  msk_launch_run(&launch,
                 (const size_t[]){MSK_PANEL / job->workspace->gpu->cell, head->in,
                                  msk_ceiling(head->out, MSK_PANEL)},
                 NULL);
}

static void put_tiles(msk_launch *launch, const struct job *job, size_t first) {
  msk_launch_uint(launch, msk_ceiling(job->y.height, 4));
  msk_launch_uint(launch, msk_ceiling(job->y.width, 4));
  msk_launch_uint(launch, first);
}

static void run_cells(const struct job *job, msk_launch *launch, size_t channels, size_t count) {
  const size_t cells = msk_ceiling(channels, job->workspace->gpu->cell);
  msk_launch_run(launch, (const size_t[]){cells, count, 1}, NULL);
}

static void transform_inputs(const struct job *job, size_t first, size_t count) {
  msk_launch launch = msk_launch_begin(job->workspace, MSK_WINOGRAD_INPUT);
  msk_launch_at(&launch, job->x.at);
  msk_launch_uint(&launch, job->x.height);
  msk_launch_uint(&launch, job->x.width);
  msk_launch_uint(&launch, job->x.channels);
  msk_launch_uint(&launch, job->upsample);
  put_tiles(&launch, job, first);
  msk_launch_at(&launch, job->inputs);
  msk_launch_ulong(&launch, job->chunk * job->x.channels);
  run_cells(job, &launch, job->x.channels, count);
}

static void multiply(const struct job *job, size_t count) {
  const msk_conv_head *head = &job->layer->head;
  msk_gpu_multiply(job->workspace, &(msk_gpu_product){.x = job->inputs,
                                                      .y = job->products,
                                                      .panels = job->filters,
                                                      .outer = POSITIONS,
                                                      .inner = 1,
                                                      .rows = count,
                                                      .depth = head->in,
                                                      .columns = head->out,
                                                      .x_stride = head->in,
                                                      .x_outer = job->chunk * head->in,
                                                      .y_stride = head->out,
                                                      .y_outer = job->chunk * head->out,
                                                      .panels_each = job->filter_floats});
}

static void transform_outputs(const struct job *job, size_t first, size_t count) {
  msk_launch launch = msk_launch_begin(job->workspace, MSK_WINOGRAD_OUTPUT);
  msk_launch_at(&launch, job->products);
  msk_launch_ulong(&launch, job->chunk * job->y.channels);
  put_tiles(&launch, job, first);
  msk_launch_buffer(&launch, job->layer->matrix.bias);
  msk_launch_int(&launch, job->residual.at != NULL);
  msk_launch_at(&launch, job->residual.at);
  msk_launch_at(&launch, job->y.at);
  msk_launch_uint(&launch, job->y.height);
  msk_launch_uint(&launch, job->y.width);
  msk_launch_uint(&launch, job->y.channels);
  run_cells(job, &launch, job->y.channels, count);
}

void msk_gpu_winograd(msk_stream *stream, const msk_gpu_layer *layer, msk_map x, size_t upsample,
                      msk_map residual, msk_map y) {
  struct job job = {.workspace = stream->workspace,
                    .layer = layer,
                    .x = x,
                    .residual = residual,
                    .y = y,
                    .upsample = upsample};
  if (msk_stream_measure(stream,
                         place(&job, msk_gpu_of(stream->device), msk_stream_scratch(stream))))
    return;
  transform_filters(&job);
  for (size_t first = 0; first < job.tiles; first += job.chunk) {
    const size_t count = msk_smaller(job.chunk, job.tiles - first);
    transform_inputs(&job, first, count);
    multiply(&job, count);
    transform_outputs(&job, first, count);
  }
}
