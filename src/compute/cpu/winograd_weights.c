/* SPDX-License-Identifier: Apache-2.0
 *
 * winograd_weights.c - the gradient of 3 x 3 filters by Winograd's F(4x4, 3x3), the transpose of
 * winograd.c: with y = A' [(G g G') . (B' x B)] A tile by tile, dg = G' [sum over tiles of
 * (B' x B) . (A dy A')] G, a quarter of the direct products.
 *
 * A chunk of tiles has its x and dy transformed, then each position's product is added to its sums
 * of in x out; after the last chunk the sums become taps. Chunks depend on sizes alone, and a sum
 * runs through them in order, so that it is the same for any number of threads. A chunk's rows of a
 * panel of dy, and the columns of x that a tile of results reads, stay in a first cache together;
 * all of the chunk in the last shared one. */
#include <string.h>

#include "compute/cpu/cpu.h"

enum {
  POSITIONS = 36,
  CHUNK_TILES = 96,
  TILES_A_TASK = 8,
  ROWS_A_TASK = 8, /* of results that become taps */
  PAD = 16         /* floats behind a row: keeps rows and planes out of the same cache sets */
};

struct job {
  const msk_kernels *kernels;
  const msk_pixels *pixels;
  const float *dy;
  float *dw;
  size_t in, out, panels;
  size_t tile_rows, tile_columns, tiles; /* tiles of a picture, and of all */
  size_t first, count, chunk;            /* tiles of this chunk; of a full one */
  size_t x_stride, x_plane, dy_plane;    /* floats of a transformed tile's row; of a position */
  size_t sums_stride, sums_plane;
  float *zeros;
  /* transformed: x by position and tile, dy by position, panel and tile */
  float *x, *slopes;
  float *sums;      /* by position and input */
  float *bias_sums; /* by task of this chunk; NULL: not wanted */
};

/* ---- transforms ---- */

static void transform_x(const struct job *job, size_t picture, size_t y, size_t x, float *to) {
  const msk_pixels *p = job->pixels;
  const float *at = p->x + picture * p->height * p->width * p->channels, *pixels[POSITIONS];
  msk_tile_pixels(p, at, y, x, job->zeros, pixels);
  job->kernels->winograd_input(job->in, pixels, to, job->x_plane);
}

static void add_pixel(size_t channels, const float *pixel, float *sums) {
  for (size_t c = 0; c < channels; c++) sums[c] += pixel[c];
}

/* index: the tile's place in the chunk. */
static void transform_slopes(const struct job *job, size_t picture, size_t y, size_t x,
                             size_t index, float *bias_sums) {
  const msk_pixels *p = job->pixels;
  const float *pixels[16], *columns[16];
  for (size_t i = 0; i < 16; i++) {
    bool inside = y + i / 4 < p->out_height && x + i % 4 < p->out_width;
    size_t pixel = (picture * p->out_height + y + i / 4) * p->out_width + x + i % 4;
    pixels[i] = inside ? job->dy + pixel * job->out : NULL;
    if (inside && bias_sums != NULL) add_pixel(job->out, pixels[i], bias_sums);
  }
  for (size_t panel = 0; panel < job->panels; panel++) {
    size_t column = panel * job->kernels->panel,
           width = msk_panel_width(job->kernels, job->out, panel);
    for (size_t i = 0; i < 16; i++)
      columns[i] = pixels[i] == NULL ? job->zeros : pixels[i] + column;
    job->kernels->winograd_slopes(msk_smaller(width, job->out - column), columns,
                                  job->slopes + column * job->count + index * width, job->dy_plane);
  }
}

static void transform_task(void *user, size_t task, int worker) {
  const struct job *job = user;
  size_t index = task * TILES_A_TASK, last = msk_smaller(index + TILES_A_TASK, job->count);
  float *bias_sums = job->bias_sums == NULL ? NULL : job->bias_sums + task * job->out;
  (void)worker;
  if (bias_sums != NULL) memset(bias_sums, 0, job->out * sizeof *bias_sums);
  for (; index < last; index++) {
    size_t tile = job->first + index, picture = tile / (job->tile_rows * job->tile_columns),
           y = tile / job->tile_columns % job->tile_rows * 4, x = tile % job->tile_columns * 4;
    transform_x(job, picture, y, x, job->x + index * job->x_stride);
    transform_slopes(job, picture, y, x, index, bias_sums);
  }
}

/* ---- products ---- */

/* One position's columns of a panel. */
static void product_task(void *user, size_t task, int worker) {
  const struct job *job = user;
  const msk_kernels *kernels = job->kernels;
  size_t position = task / job->panels, panel = task % job->panels, column = panel * kernels->panel;
  const float *x = job->x + position * job->x_plane,
              *slopes = job->slopes + position * job->dy_plane + column * job->count;
  float *sums = job->sums + position * job->sums_plane + column;
  (void)worker;
  for (size_t i = 0; i < job->in; i += kernels->tile_rows)
    kernels->gemm_columns(msk_smaller(kernels->tile_rows, job->in - i),
                          msk_panel_width(kernels, job->out, panel), job->count, x + i,
                          job->x_stride, slopes, sums + i * job->sums_stride, job->sums_stride,
                          job->first > 0);
}

static void taps_task(void *user, size_t task, int worker) {
  const struct job *job = user;
  size_t i = task * ROWS_A_TASK, last = msk_smaller(i + ROWS_A_TASK, job->in);
  (void)worker;
  for (; i < last; i++)
    job->kernels->winograd_taps(job->out, job->sums + i * job->sums_stride, job->sums_plane,
                                job->dw + i * job->out, job->in * job->out);
}

/* Lays all out in scratch memory; bytes of it. */
static size_t place(struct job *job, char *scratch, bool bias) {
  size_t columns = msk_round_up(job->out, job->kernels->lanes);
  job->chunk = msk_smaller(job->tiles, CHUNK_TILES);
  job->x_stride = msk_round_up(job->in, 16) + PAD;
  job->x_plane = job->chunk * job->x_stride + PAD;
  job->dy_plane = job->chunk * columns + PAD;
  job->sums_stride = columns + PAD;
  job->sums_plane = job->in * job->sums_stride + PAD;
  size_t zeros = msk_scratch_floats(job->in > job->out ? job->in : job->out),
         x = msk_scratch_floats(POSITIONS * job->x_plane),
         slopes = msk_scratch_floats(POSITIONS * job->dy_plane),
         sums = msk_scratch_floats(POSITIONS * job->sums_plane);
  job->zeros = (float *)scratch;
  job->x = (float *)(scratch + zeros);
  job->slopes = (float *)(scratch + zeros + x);
  job->sums = (float *)(scratch + zeros + x + slopes);
  job->bias_sums = bias ? (float *)(scratch + zeros + x + slopes + sums) : NULL;
  return zeros + x + slopes + sums +
         (bias ? msk_scratch_floats(msk_ceiling(job->chunk, TILES_A_TASK) * job->out) : 0);
}

void msk_winograd_weights_run(msk_stream *stream, const msk_pixels *pixels, size_t batch,
                              size_t out, const float *dy, float *dw, float *db) {
  struct job job = {.kernels = &stream->device->kernels,
                    .pixels = pixels,
                    .dy = dy,
                    .dw = dw,
                    .in = pixels->channels,
                    .out = out,
                    .panels = msk_panel_count(&stream->device->kernels, out),
                    .tile_rows = msk_ceiling(pixels->out_height, 4),
                    .tile_columns = msk_ceiling(pixels->out_width, 4)};
  job.tiles = batch * job.tile_rows * job.tile_columns;
  if (job.tiles == 0) return;
  if (msk_stream_measure(stream, place(&job, msk_stream_scratch(stream), db != NULL))) return;
  memset(job.zeros, 0, (job.in > out ? job.in : out) * sizeof *job.zeros);
  for (; job.first < job.tiles; job.first += job.chunk) {
    job.count = msk_smaller(job.chunk, job.tiles - job.first);
    size_t tasks = msk_ceiling(job.count, TILES_A_TASK);
    msk_pool_run(stream->pool, tasks, transform_task, &job);
    msk_pool_run(stream->pool, POSITIONS * job.panels, product_task, &job);
    for (size_t task = 0; db != NULL && task < tasks; task++)
      add_pixel(out, job.bias_sums + task * out, db);
  }
  msk_pool_run(stream->pool, msk_ceiling(job.in, ROWS_A_TASK), taps_task, &job);
}
