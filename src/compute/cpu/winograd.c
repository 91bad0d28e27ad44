/* SPDX-License-Identifier: Apache-2.0
 *
 * winograd.c - 3 x 3 convolutions of stride 1 by Winograd's F(4x4, 3x3) (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks",
 * 2016): 36 matrix products replace 144 multiplications an output tile of 4 x 4 and channel pair, a quarter of the direct work.
 *
 * A chunk of tiles goes through three phases on the pool: input transform (a task: some tiles), products (a task: a position and some panels, so
 * that each weight is read once a chunk), output transform with bias and residual. Tiles lie on a grid fixed in the picture.
 *
 * Points. The usual 0, +-1, +-2, infinity give 2 to 3e-6 relative error; 0, +-5/8, +-3/2, infinity give 1.0e-6 to 1.3e-6 (128 to 512 channels,
 * swish-distributed inputs), no more than a direct float32 sum in one chain. So the encoder, whose tokens are decided by an argmin, may use it too. */
#include <string.h>

#include "base/error.h"
#include "compute/cpu/cpu.h"

enum {
  POSITIONS = 36,
  CHUNK_BYTES = 8 << 20, /* transformed inputs and products of a chunk: stay in the last shared cache */
  CHUNK_TILES = 48,      /* at least, so that weights are read for something */
  TILES_A_TASK = 8,
  PANELS_A_TASK = 4,
  LEAST_CHANNELS = 16,      /* below, the transforms cost more than they save */
  MOST_WEIGHTS = 256 * 512, /* in * out: above, the weights' 36 matrices take more memory and traffic than the saved work is worth */
  PAD = 16                  /* floats behind a row: keeps rows and planes out of the same cache sets */
};

bool msk_winograd_pays(const msk_kernels *kernels, size_t kernel, size_t stride, size_t in, size_t out) {
  return kernels->winograd_input != NULL && kernel == 3 && stride == 1 && in >= LEAST_CHANNELS && out >= LEAST_CHANNELS &&
         in <= MOST_WEIGHTS / out;
}

/* ---- weights ---- */

static size_t position_floats(const msk_kernels *kernels, size_t in, size_t out) { return in * msk_round_up(out, kernels->lanes); }

bool msk_winograd_floats(const msk_kernels *kernels, size_t in, size_t out, size_t *floats) {
  return msk_matrix_floats(kernels, in, out, floats) && msk_multiply(*floats, POSITIONS, floats);
}

struct packing {
  const msk_kernels *kernels;
  const msk_filters *filters;
  float *packed;
  size_t in, out;
  double matrix[6][3];
};

/* Row i of G is (1, p, p^2) / product of (p - other points); the point at infinity gives (0, 0, 1). */
static void make_matrix(double matrix[6][3]) {
  static const double points[5] = {0, 0.625, -0.625, 1.5, -1.5};
  for (size_t i = 0; i < 5; i++) {
    double scale = 1;
    for (size_t j = 0; j < 5; j++) scale *= i == j ? 1 : points[i] - points[j];
    for (size_t k = 0; k < 3; k++) matrix[i][k] = (k == 0 ? 1 : k == 1 ? points[i] : points[i] * points[i]) / scale;
  }
  matrix[5][0] = matrix[5][1] = 0;
  matrix[5][2] = 1;
}

enum { WIDEST_PANEL = 64 };

/* All filters of one input channel, a panel of them at a time. */
static void pack_channel(void *user, size_t c, int worker) {
  const struct packing *packing = user;
  const msk_kernels *kernels = packing->kernels;
  (void)worker;
  size_t each = position_floats(kernels, packing->in, packing->out), panel = kernels->panel;
  assert(panel <= WIDEST_PANEL);
  for (size_t p = 0; p < msk_panel_count(kernels, packing->out); p++) {
    float g[9 * WIDEST_PANEL] = {0};
    size_t width = msk_panel_width(kernels, packing->out, p), count = msk_smaller(width, packing->out - p * panel);
    for (size_t tap = 0; tap < 9; tap++) {
      size_t from = (tap * packing->in + c) * packing->out + p * panel;
      if (packing->filters->halves != NULL) {
        kernels->widen_halves(count, packing->filters->halves + from, g + tap * panel);
      } else {
        memcpy(g + tap * panel, packing->filters->floats + from, count * sizeof *g);
      }
    }
    kernels->winograd_filters(width, packing->matrix, g, packing->packed + p * panel * packing->in + c * width, each);
  }
}

void msk_winograd_pack(const msk_kernels *kernels, const msk_filters *filters, size_t in, size_t out, float *packed, msk_pool *pool) {
  struct packing packing = {.kernels = kernels, .filters = filters, .packed = packed, .in = in, .out = out};
  make_matrix(packing.matrix);
  msk_pool_run(pool, in, pack_channel, &packing);
}

/* ---- running ---- */

struct job {
  const msk_kernels *kernels;
  const float *packed, *bias, *residual;
  const msk_pixels *pixels;
  float *y;
  size_t out, tile_rows, tile_columns;         /* tiles of a picture */
  size_t first, count, chunk;                  /* tiles of this chunk; of a full one */
  size_t v_stride, m_stride, v_plane, m_plane; /* floats of a tile's row; of a position */
  float *zeros, *v, *m, *waste;                /* waste: where pixels outside go, out floats a worker */
};

static void input_task(void *user, size_t index, int worker) {
  const struct job *job = user;
  const msk_pixels *p = job->pixels;
  (void)worker;
  size_t last = msk_smaller((index + 1) * TILES_A_TASK, job->count);
  for (size_t t = index * TILES_A_TASK; t < last; t++) {
    size_t tile = job->first + t, y = tile / job->tile_columns % job->tile_rows * 4, x = tile % job->tile_columns * 4;
    const float *picture = p->x + tile / (job->tile_rows * job->tile_columns) * p->height * p->width * p->channels, *pixels[POSITIONS];
    for (size_t i = 0; i < POSITIONS; i++) {
      const float *pixel = msk_pixel_at(p, picture, y + i / 6, x + i % 6);
      pixels[i] = pixel == NULL ? job->zeros : pixel;
    }
    job->kernels->winograd_input(p->channels, pixels, job->v + t * job->v_stride, job->v_plane);
  }
}

static void product_task(void *user, size_t index, int worker) {
  const struct job *job = user;
  const msk_kernels *kernels = job->kernels;
  (void)worker;
  size_t panels = msk_panel_count(kernels, job->out), groups = msk_ceiling(panels, PANELS_A_TASK), in = job->pixels->channels;
  size_t position = index / groups, last = msk_smaller((index % groups + 1) * PANELS_A_TASK, panels);
  const float *packed = job->packed + position * position_floats(kernels, in, job->out), *v = job->v + position * job->v_plane;
  for (size_t p = index % groups * PANELS_A_TASK; p < last; p++) {
    size_t width = msk_panel_width(kernels, job->out, p);
    for (size_t k = 0; k < in; k += kernels->block) {
      const float *b = packed + p * kernels->panel * in + k * width;
      size_t depth = msk_smaller(kernels->block, in - k);
      kernels->gemm_panel(job->count, width, depth, v + k, job->v_stride, b, job->m + position * job->m_plane + p * kernels->panel,
                          job->m_stride, k > 0, b + depth * width);
    }
  }
}

static void output_task(void *user, size_t index, int worker) {
  const struct job *job = user;
  const msk_pixels *p = job->pixels;
  size_t last = msk_smaller((index + 1) * TILES_A_TASK, job->count);
  float *waste = job->waste + (size_t)worker * job->m_stride;
  for (size_t t = index * TILES_A_TASK; t < last; t++) {
    size_t tile = job->first + t, y = tile / job->tile_columns % job->tile_rows * 4, x = tile % job->tile_columns * 4;
    size_t picture = tile / (job->tile_rows * job->tile_columns) * p->out_height * p->out_width;
    const float *residual[16];
    float *to[16];
    for (size_t i = 0; i < 16; i++) {
      bool inside = y + i / 4 < p->out_height && x + i % 4 < p->out_width;
      size_t offset = inside ? (picture + (y + i / 4) * p->out_width + x + i % 4) * job->out : 0;
      to[i] = inside ? job->y + offset : waste;
      residual[i] = !inside ? waste : job->residual == NULL ? NULL : job->residual + offset;
    }
    job->kernels->winograd_output(job->out, job->m + t * job->m_stride, job->m_plane, job->bias, job->residual == NULL ? NULL : residual,
                                  to);
  }
}

/* Lays the job out in scratch memory; bytes of it all. */
static size_t place(struct job *job, const msk_stream *stream) {
  size_t in = job->pixels->channels, workers = msk_stream_workers(stream);
  job->v_stride = msk_round_up(in, 16) + PAD;
  job->m_stride = msk_round_up(job->out, job->kernels->panel) + PAD;
  job->v_plane = job->chunk * job->v_stride + PAD;
  job->m_plane = job->chunk * job->m_stride + PAD;
  size_t zeros = msk_scratch_floats(in), v = msk_scratch_floats(POSITIONS * job->v_plane), m = msk_scratch_floats(POSITIONS * job->m_plane);
  char *scratch = stream->scratch;
  if (scratch != NULL) {
    job->zeros = (float *)scratch;
    job->v = (float *)(scratch + zeros);
    job->m = (float *)(scratch + zeros + v);
    job->waste = (float *)(scratch + zeros + v + m);
  }
  return zeros + v + m + msk_scratch_floats(workers * job->m_stride);
}

void msk_winograd_run(msk_stream *stream, const float *packed, const float *bias, const float *residual, const msk_pixels *pixels,
                      size_t batch, size_t out, float *y) {
  const msk_kernels *kernels = &stream->device->kernels;
  struct job job = {.kernels = kernels,
                    .packed = packed,
                    .bias = bias,
                    .residual = residual,
                    .pixels = pixels,
                    .y = y,
                    .out = out,
                    .tile_rows = msk_ceiling(pixels->out_height, 4),
                    .tile_columns = msk_ceiling(pixels->out_width, 4)};
  size_t tiles = batch * job.tile_rows * job.tile_columns, most = CHUNK_BYTES / (POSITIONS * sizeof(float) * (pixels->channels + out));
  job.chunk = msk_smaller(tiles, msk_round_up(most < CHUNK_TILES ? CHUNK_TILES : most, kernels->tile_rows));
  if (tiles == 0 || msk_stream_measure(stream, place(&job, stream))) return;
  memset(job.zeros, 0, pixels->channels * sizeof(float));
  size_t groups = msk_ceiling(msk_panel_count(kernels, out), PANELS_A_TASK);
  for (job.first = 0; job.first < tiles; job.first += job.chunk) {
    job.count = msk_smaller(job.chunk, tiles - job.first);
    msk_pool_run(stream->pool, msk_ceiling(job.count, TILES_A_TASK), input_task, &job);
    msk_pool_run(stream->pool, POSITIONS * groups, product_task, &job);
    msk_pool_run(stream->pool, msk_ceiling(job.count, TILES_A_TASK), output_task, &job);
  }
}
