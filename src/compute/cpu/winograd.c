/* SPDX-License-Identifier: Apache-2.0
 *
 * winograd.c - 3 x 3 convolutions of stride 1 by Winograd's F(4x4, 3x3) (Lavin and Gray, "Fast
 * Algorithms for Convolutional Neural Networks", 2016): 36 matrix products replace 144
 * multiplications an output tile of 4 x 4 and channel pair, a quarter of the direct work.
 *
 * A chunk of tiles goes through three phases: input transform, products, output transform with
 * bias and residual. Where weights are small, each worker takes chunks of its own, so small that
 * what lies between the phases never leaves its second cache, and computes the products of some
 * panels at a time. Else all share a large chunk, and each phase is spread over the pool (a
 * task: some tiles; a position and some panels), so that each weight is read once a chunk. Tiles
 * lie on a grid fixed in the picture, and a tile's arithmetic is the same in both. The largest
 * weights are never there in Winograd's form as a whole: it would go to memory and come back.
 * All share a chunk's transformed inputs, and a worker transforms the filters of some panels, a
 * slice of channels at a time, multiplies with them while they are in its second cache, and
 * transforms these panels' outputs. Which of these it is, depends on the weights' sizes alone: a
 * slice is a chain of its own.
 *
 * Points. The usual 0, +-1, +-2, infinity give 2 to 3e-6 relative error; 0, +-5/8, +-3/2,
 * infinity give 1.0e-6 to 1.3e-6 (128 to 512 channels, swish-distributed inputs), no more than a
 * direct float32 sum in one chain. So the encoder, whose tokens are decided by an argmin, may
 * use it too.
 *
 * In 16 bits the same with products of int16: a tile's transformed inputs have one scale, that of
 * their largest; filters have one for each position, output and MSK_INT16_DEEPEST channels, as
 * fine as sums in int32 allow. The error is a quarter to a tenth of an 8-bit convolution's. */
#include <string.h>

#include "base/error.h"
#include "compute/cpu/cpu.h"

enum {
  POSITIONS = 36,
  /* transformed inputs and products of a chunk: stay in the last shared cache */
  CHUNK_BYTES = 8 << 20,
  CHUNK_TILES = 48, /* at least, so that weights are read for something */
  TILES_A_TASK = 8,
  PANELS_A_TASK = 4,
  LEAST_CHANNELS = 16,      /* below, the transforms cost more than they save */
  MOST_WEIGHTS = 512 * 512, /* in * out: nothing larger was measured */
  LOCAL_BYTES = 768 << 10,  /* of a worker's own chunk: stays in its second cache */
  LOCAL_COLUMNS = 64,       /* of its products that are there at once */
  LOCAL_TASKS = 2,          /* chunks a worker at least */
  LEAST_LOCAL_TILES = 12,   /* tiles for which the weights are read again */
  /* in * out: above, reading them for each worker's chunk takes longer than sharing a chunk does */
  MOST_LOCAL_WEIGHTS = 256 * 128,
  MOST_LOCAL_WORKERS = 16,
  MOST_PACKED_WEIGHTS = 256 * 256, /* in * out: above, filters are transformed as they are used */
  /* for which filters are transformed again: with STREAM_COLUMNS of their products, */
  STREAM_TILES = 72,
  /* and STREAM_DEPTH channels' filters in all 36 forms, they stay in a worker's second cache */
  STREAM_COLUMNS = 64,
  STREAM_DEPTH = 64,
  TAPS = 9,
  PACK_DEPTH = 16, /* channels of a task */
  FILTER_FLOATS = TAPS * PACK_DEPTH * MSK_WIDEST_PANEL,
  PAD = 16 /* floats behind a row: keeps rows and planes out of the same cache sets */
};

bool msk_winograd_pays(const msk_kernels *kernels, size_t kernel, size_t stride, size_t in,
                       size_t out) {
  return kernels->winograd_input != NULL && kernel == 3 && stride == 1 && in >= LEAST_CHANNELS &&
         out >= LEAST_CHANNELS && in <= MOST_WEIGHTS / out;
}

bool msk_winograd_int16_pays(const msk_kernels *kernels, size_t kernel, size_t stride, size_t in,
                             size_t out) {
  return kernels->int16_rate >= 2 && msk_winograd_pays(kernels, kernel, stride, in, out) &&
         in <= MOST_PACKED_WEIGHTS / out;
}

/* ---- weights ---- */

/* Of a position's matrix: in 16 bits pairs of channels, and their chains' factors. */
static size_t form_rows(size_t in, bool int16) {
  return int16 ? msk_ceiling(in, 2) + msk_ceiling(in, MSK_INT16_DEEPEST) : in;
}

/* Of one position. */
static size_t position_floats(const msk_kernels *kernels, size_t in, size_t out, bool int16) {
  return form_rows(in, int16) * msk_round_up(out, kernels->lanes);
}

bool msk_winograd_floats(const msk_kernels *kernels, size_t in, size_t out, bool int16,
                         size_t *floats) {
  return msk_matrix_floats(kernels, form_rows(in, int16), out, floats) &&
         msk_multiply(*floats, POSITIONS, floats);
}

struct packing {
  const msk_kernels *kernels;
  const msk_matrix *filters;
  const float *form; /* in float32, to be brought to 16 bits */
  float *packed;
  size_t in, out;
};

/* Channels [c, c + count) of panel p: position i's matrix, count rows of the panel's width, at u
 * + i * plane. `wide`: for TAPS * count * width floats. */
static void transform_filters(const msk_kernels *kernels, const msk_matrix *filters, size_t p,
                              size_t c, size_t count, float *wide, float *u, size_t plane) {
  size_t in = filters->depth / TAPS, width = msk_panel_width(kernels, filters->columns, p),
         tap_stride = in * width;
  size_t at = p * kernels->panel * filters->depth + c * width;
  const float *g;
  if (filters->fp16 == NULL) {
    g = filters->panels + at;
  } else {
    for (size_t tap = 0; tap < TAPS; tap++)
      kernels->widen_fp16(count * width, filters->fp16 + at + tap * tap_stride,
                          wide + tap * count * width);
    g = wide;
    tap_stride = count * width;
  }
  for (size_t i = 0; i < count; i++)
    kernels->winograd_filters(width, g + i * width, tap_stride, u + i * width, plane);
}

static void pack_task(void *user, size_t index, int worker) {
  const struct packing *packing = user;
  const msk_kernels *kernels = packing->kernels;
  (void)worker;
  float wide[FILTER_FLOATS];
  size_t slices = msk_ceiling(packing->in, PACK_DEPTH), p = index / slices,
         c = index % slices * PACK_DEPTH;
  size_t width = msk_panel_width(kernels, packing->filters->columns, p);
  transform_filters(kernels, packing->filters, p, c, msk_smaller(PACK_DEPTH, packing->in - c), wide,
                    packing->packed + p * kernels->panel * packing->in + c * width,
                    position_floats(kernels, packing->in, packing->filters->columns, false));
}

void msk_winograd_pack(const msk_device *device, const msk_matrix *filters, float *packed,
                       msk_pool *pool) {
  const msk_kernels *kernels = &device->kernels;
  struct packing packing = {
      .kernels = kernels, .filters = filters, .packed = packed, .in = filters->depth / TAPS};
  assert(kernels->panel <= MSK_WIDEST_PANEL);
  size_t tasks = msk_panel_count(kernels, filters->columns) * msk_ceiling(packing.in, PACK_DEPTH);
  msk_creation_run(device, pool, tasks, pack_task, &packing);
}

/* Panel index % panels of position index / panels. */
static void quantise_task(void *user, size_t index, int worker) {
  const struct packing *packing = user;
  const msk_kernels *kernels = packing->kernels;
  (void)worker;
  size_t panels = msk_panel_count(kernels, packing->out), position = index / panels,
         p = index % panels, in = packing->in;
  size_t width = msk_panel_width(kernels, packing->out, p), first = p * kernels->panel;
  const float *x =
      packing->form + position * position_floats(kernels, in, packing->out, false) + first * in;
  float *to = packing->packed + position * position_floats(kernels, in, packing->out, true) +
              first * form_rows(in, true);
  for (size_t k = 0; k < in; k += MSK_INT16_DEEPEST) {
    size_t depth = msk_smaller(MSK_INT16_DEEPEST, in - k);
    kernels->quantise_int16_panel(depth, width, x + k * width, to);
    to += form_rows(depth, true) * width;
  }
}

void msk_winograd_quantise(const msk_device *device, const float *form, size_t in, size_t out,
                           float *packed, msk_pool *pool) {
  const msk_kernels *kernels = &device->kernels;
  struct packing packing = {
      .kernels = kernels, .form = form, .packed = packed, .in = in, .out = out};
  msk_creation_run(device, pool, POSITIONS * msk_panel_count(kernels, out), quantise_task,
                   &packing);
}

/* ---- running ---- */

struct job {
  const msk_kernels *kernels;
  bool int16;
  size_t depth;                  /* floats of a tile's row of v: channels, or pairs of them */
  size_t form_rows, form_floats; /* of a position's filters */
  const float *packed, *bias, *residual;
  const msk_matrix *filters;
  const msk_pixels *pixels;
  float *y;
  size_t out, tile_rows, tile_columns, tiles;  /* tiles of a picture, and of all */
  size_t first, count, chunk;                  /* tiles of this chunk; of a full one */
  size_t panel_block;                          /* panels whose products are there at once */
  size_t v_stride, m_stride, v_plane, m_plane; /* floats of a tile's row; of a position */
  /* waste: where pixels outside go, out floats a worker; scales: of a chunk's tiles, 1 in floats */
  float *zeros, *v, *m, *waste, *scales;
  /* a worker's tile before it is brought to 16 bits, tile_plane floats a position */
  float *staging;
  size_t tile_plane;
  /* of its own: v, m and scales, or u, m and floats from binary16 */
  size_t worker_bytes;
  /* floats of a position's filters in a slice of STREAM_DEPTH channels */
  size_t u_plane;
};

static void transform_input(const struct job *job, const float *const pixels[POSITIONS], int worker,
                            float *v, float *scale) {
  size_t channels = job->pixels->channels;
  if (!job->int16) {
    job->kernels->winograd_input(channels, pixels, v, job->v_plane);
    *scale = 1;
    return;
  }
  float *tile = job->staging + (size_t)worker * POSITIONS * job->tile_plane;
  job->kernels->winograd_input(channels, pixels, tile, job->tile_plane);
  *scale = job->kernels->quantise_int16_rows(POSITIONS, channels, tile, job->tile_plane, v,
                                             job->v_plane);
}

/* Tiles [from, to) of the whole, whose first row of v is `v`, and scale *scales. */
static void transform_inputs(const struct job *job, size_t from, size_t to, int worker, float *v,
                             float *scales) {
  const msk_pixels *p = job->pixels;
  for (size_t tile = from; tile < to; tile++, v += job->v_stride) {
    size_t y = tile / job->tile_columns % job->tile_rows * 4, x = tile % job->tile_columns * 4;
    const float *picture = p->x + tile / (job->tile_rows * job->tile_columns) * p->height *
                                      p->width * p->channels,
                *pixels[POSITIONS];
    msk_tile_pixels(p, picture, y, x, job->zeros, pixels);
    transform_input(job, pixels, worker, v, scales++);
  }
}

/* Panels [from, to) of a position: `rows` tiles of v times the filters, into m. `next` will be
 * wanted next. */
static void multiply(const struct job *job, size_t position, size_t from, size_t to, size_t rows,
                     const float *v, float *m, const float *next) {
  const msk_kernels *kernels = job->kernels;
  msk_panel_kernel *panel = job->int16 ? kernels->int16_panel : kernels->gemm_panel;
  size_t block = job->int16 ? MSK_INT16_DEEPEST / 2 : kernels->block, factors = job->int16;
  const float *b =
      job->packed + position * job->form_floats + from * kernels->panel * job->form_rows;
  v += position * job->v_plane;
  m += position * job->m_plane;
  for (size_t p = from; p < to; p++) {
    size_t width = msk_panel_width(kernels, job->out, p);
    for (size_t k = 0; k < job->depth; k += block) {
      size_t depth = msk_smaller(block, job->depth - k);
      const float *behind = b + (factors + depth) * width;
      panel(rows, width, depth, v + k, job->v_stride, b, m + (p - from) * kernels->panel,
            job->m_stride, k > 0, p + 1 < to || k + depth < job->depth ? behind : next);
      b = behind;
    }
  }
}

/* Columns [column, column + columns) of the outputs of tiles [from, to), whose first row of m is
 * `m`, and scale *scales. */
static void transform_outputs(const struct job *job, size_t from, size_t to, size_t column,
                              size_t columns, const float *m, const float *scales, float *waste) {
  const msk_pixels *p = job->pixels;
  for (size_t tile = from; tile < to; tile++, m += job->m_stride) {
    size_t y = tile / job->tile_columns % job->tile_rows * 4, x = tile % job->tile_columns * 4;
    size_t picture = tile / (job->tile_rows * job->tile_columns) * p->out_height * p->out_width;
    const float *residual[16];
    float *to_pixels[16];
    for (size_t i = 0; i < 16; i++) {
      bool inside = y + i / 4 < p->out_height && x + i % 4 < p->out_width;
      size_t offset =
          inside ? (picture + (y + i / 4) * p->out_width + x + i % 4) * job->out + column : 0;
      to_pixels[i] = inside ? job->y + offset : waste;
      residual[i] = job->residual == NULL ? NULL : job->residual + offset;
      if (!inside) residual[i] = waste;
    }
    job->kernels->winograd_output(columns, m, job->m_plane,
                                  job->bias == NULL ? NULL : job->bias + column,
                                  job->residual == NULL ? NULL : residual, *scales++, to_pixels);
  }
}

/* ---- a chunk at a time, its three phases on the pool ---- */

static void input_task(void *user, size_t index, int worker) {
  const struct job *job = user;
  size_t first = index * TILES_A_TASK, last = msk_smaller(first + TILES_A_TASK, job->count);
  transform_inputs(job, job->first + first, job->first + last, worker,
                   job->v + first * job->v_stride, job->scales + first);
}

static void product_task(void *user, size_t index, int worker) {
  const struct job *job = user;
  (void)worker;
  size_t panels = msk_panel_count(job->kernels, job->out),
         groups = msk_ceiling(panels, PANELS_A_TASK), position = index / groups;
  size_t first = index % groups * PANELS_A_TASK, last = msk_smaller(first + PANELS_A_TASK, panels);
  multiply(job, position, first, last, job->count, job->v, job->m + first * job->kernels->panel,
           job->packed + (position + 1) * job->form_floats);
}

static void output_task(void *user, size_t index, int worker) {
  const struct job *job = user;
  size_t first = index * TILES_A_TASK, last = msk_smaller(first + TILES_A_TASK, job->count);
  transform_outputs(job, job->first + first, job->first + last, 0, job->out,
                    job->m + first * job->m_stride, job->scales + first,
                    job->waste + (size_t)worker * job->m_stride);
}

static void run_chunks(msk_stream *stream, struct job *job) {
  size_t groups = msk_ceiling(msk_panel_count(job->kernels, job->out), PANELS_A_TASK);
  for (job->first = 0; job->first < job->tiles; job->first += job->chunk) {
    job->count = msk_smaller(job->chunk, job->tiles - job->first);
    msk_pool_run(stream->pool, msk_ceiling(job->count, TILES_A_TASK), input_task, job);
    msk_pool_run(stream->pool, POSITIONS * groups, product_task, job);
    msk_pool_run(stream->pool, msk_ceiling(job->count, TILES_A_TASK), output_task, job);
  }
}

/* ---- a chunk a worker, which never leaves its second cache ---- */

static void chunk_task(void *user, size_t index, int worker) {
  const struct job *job = user;
  const msk_kernels *kernels = job->kernels;
  size_t first = index * job->chunk, last = msk_smaller(first + job->chunk, job->tiles);
  size_t panels = msk_panel_count(kernels, job->out);
  float *v = (float *)((char *)job->v + (size_t)worker * job->worker_bytes),
        *m = v + POSITIONS * job->v_plane, *waste = m + POSITIONS * job->m_plane,
        *scales = waste + job->m_stride;
  transform_inputs(job, first, last, worker, v, scales);
  for (size_t p = 0; p < panels; p += job->panel_block) {
    size_t end = msk_smaller(p + job->panel_block, panels), column = p * kernels->panel;
    for (size_t position = 0; position < POSITIONS; position++) {
      /* Fetched meanwhile: the same panels at the next position, or behind the last position the
       * next panels at the first. */
      size_t follow = end < panels ? end : 0;
      if (position + 1 < POSITIONS) follow = p;
      const float *next = job->packed + (position + 1) % POSITIONS * job->form_floats +
                          follow * kernels->panel * job->form_rows;
      multiply(job, position, p, end, last - first, v, m, next);
    }
    transform_outputs(job, first, last, column,
                      msk_smaller(end * kernels->panel, job->out) - column, m, scales, waste);
  }
}

/* ---- a shared chunk's inputs, filters transformed by those who multiply with them ---- */

/* Columns of panels [p, end), channels [k, k + depth), for all positions: filters into u,
 * products into m. */
static void stream_slice(const struct job *job, size_t p, size_t end, size_t k, size_t depth,
                         float *wide, float *u, float *m) {
  const msk_kernels *kernels = job->kernels;
  size_t panel = kernels->panel;
  for (size_t q = p; q < end; q++) {
    transform_filters(kernels, job->filters, q, k, depth, wide, u + (q - p) * panel * STREAM_DEPTH,
                      job->u_plane);
  }
  for (size_t position = 0; position < POSITIONS; position++) {
    for (size_t q = p; q < end; q++) {
      const float *b = u + position * job->u_plane + (q - p) * panel * STREAM_DEPTH;
      kernels->gemm_panel(
          job->count, msk_panel_width(kernels, job->out, q), depth,
          job->v + position * job->v_plane + k, job->v_stride, b,
          m + position * job->m_plane + (q - p) * panel, job->m_stride, k > 0,
          q + 1 < end ? b + panel * STREAM_DEPTH : u + (position + 1) % POSITIONS * job->u_plane);
    }
  }
}

static void stream_task(void *user, size_t index, int worker) {
  const struct job *job = user;
  size_t panels = msk_panel_count(job->kernels, job->out), p = index * job->panel_block,
         end = msk_smaller(p + job->panel_block, panels);
  size_t column = p * job->kernels->panel, in = job->pixels->channels;
  float *u = (float *)((char *)job->m + (size_t)worker * job->worker_bytes),
        *m = u + POSITIONS * job->u_plane, *waste = m + POSITIONS * job->m_plane,
        *wide = waste + job->m_stride;
  for (size_t k = 0; k < in; k += STREAM_DEPTH)
    stream_slice(job, p, end, k, msk_smaller(STREAM_DEPTH, in - k), wide, u, m);
  transform_outputs(job, job->first, job->first + job->count, column,
                    msk_smaller(end * job->kernels->panel, job->out) - column, m, job->scales,
                    waste);
}

static void run_stream(msk_stream *stream, struct job *job) {
  for (job->first = 0; job->first < job->tiles; job->first += job->chunk) {
    job->count = msk_smaller(job->chunk, job->tiles - job->first);
    msk_pool_run(stream->pool, msk_ceiling(job->count, TILES_A_TASK), input_task, job);
    msk_pool_run(stream->pool,
                 msk_ceiling(msk_panel_count(job->kernels, job->out), job->panel_block),
                 stream_task, job);
  }
}

/* ---- memory ---- */

static void set_strides(struct job *job, size_t columns) {
  job->tile_plane = msk_round_up(job->pixels->channels, 16) + PAD;
  job->v_stride = msk_round_up(job->depth, 16) + PAD;
  job->m_stride = msk_round_up(columns, job->kernels->panel) + PAD;
  job->v_plane = job->chunk * job->v_stride + PAD;
  job->m_plane = job->chunk * job->m_stride + PAD;
}

/* Where zeros and the workers' tiles before 16 bits lie; bytes of them. */
static size_t place_inputs(struct job *job, const msk_stream *stream) {
  size_t zeros = msk_scratch_floats(job->pixels->channels),
         tile = job->int16 ? POSITIONS * job->tile_plane : 0;
  char *scratch = msk_stream_scratch(stream);
  job->zeros = (float *)scratch;
  job->staging = (float *)(scratch + zeros);
  return zeros + msk_scratch_floats(msk_stream_workers(stream) * tile);
}

/* Lays the chunk out in scratch memory; bytes of it all. */
static size_t place(struct job *job, const msk_stream *stream) {
  size_t most = CHUNK_BYTES / (POSITIONS * sizeof(float) * (job->depth + job->out)),
         workers = msk_stream_workers(stream);
  job->chunk = msk_smaller(
      job->tiles, msk_round_up(most < CHUNK_TILES ? CHUNK_TILES : most, job->kernels->tile_rows));
  set_strides(job, job->out);
  size_t inputs = place_inputs(job, stream), v = msk_scratch_floats(POSITIONS * job->v_plane),
         m = msk_scratch_floats(POSITIONS * job->m_plane),
         waste = msk_scratch_floats(workers * job->m_stride);
  char *scratch = msk_stream_scratch(stream) + inputs;
  job->v = (float *)scratch;
  job->m = (float *)(scratch + v);
  job->waste = (float *)(scratch + v + m);
  job->scales = (float *)(scratch + v + m + waste);
  return inputs + v + m + waste + msk_scratch_floats(job->chunk);
}

/* Chunks by worker, where there is enough for all; bytes of it all, 0: there is not, and the
 * other layout stays. */
static size_t place_local(struct job *job, const msk_stream *stream) {
  size_t workers = msk_stream_workers(stream), tile_rows = job->kernels->tile_rows;
  struct job local = *job;
  local.panel_block = msk_smaller(msk_ceiling(LOCAL_COLUMNS, job->kernels->panel),
                                  msk_panel_count(job->kernels, job->out));
  size_t columns = local.panel_block * job->kernels->panel,
         fit = LOCAL_BYTES / (POSITIONS * sizeof(float) * (job->depth + columns));
  size_t share = msk_ceiling(job->tiles, LOCAL_TASKS * workers);
  local.chunk = msk_round_up(msk_smaller(share, fit), tile_rows);
  /* rounding up may have passed what fits */
  if (local.chunk > fit) local.chunk -= tile_rows;
  if (local.chunk < LEAST_LOCAL_TILES || workers > MOST_LOCAL_WORKERS ||
      job->pixels->channels * job->out > MOST_LOCAL_WEIGHTS)
    return 0;
  set_strides(&local, columns);
  local.worker_bytes = msk_scratch_floats(POSITIONS * (local.v_plane + local.m_plane) +
                                          local.m_stride + local.chunk);
  size_t inputs = place_inputs(&local, stream);
  local.v = (float *)(msk_stream_scratch(stream) + inputs);
  *job = local;
  return inputs + workers * local.worker_bytes;
}

/* Chunks whose filters are transformed on the way; bytes of it all. */
static size_t place_stream(struct job *job, const msk_stream *stream) {
  size_t workers = msk_stream_workers(stream), panel = job->kernels->panel,
         panels = msk_panel_count(job->kernels, job->out);
  job->panel_block = msk_smaller(msk_ceiling(STREAM_COLUMNS, panel), panels);
  job->chunk = msk_smaller(job->tiles, STREAM_TILES);
  set_strides(job, job->panel_block * panel);
  size_t inputs = place_inputs(job, stream), v = msk_scratch_floats(POSITIONS * job->v_plane),
         scales = msk_scratch_floats(job->chunk);
  /* as few chunks, but of one size, so that the last is no short one */
  job->chunk = msk_ceiling(job->tiles, msk_ceiling(job->tiles, STREAM_TILES));
  job->u_plane = job->panel_block * panel * STREAM_DEPTH + PAD;
  job->worker_bytes = msk_scratch_floats(POSITIONS * (job->u_plane + job->m_plane) + job->m_stride +
                                         TAPS * STREAM_DEPTH * panel);
  /* fewer panels a task, until there are tasks for all workers */
  while (job->panel_block > 1 && msk_ceiling(panels, job->panel_block) < workers)
    job->panel_block = msk_ceiling(job->panel_block, 2);
  char *scratch = msk_stream_scratch(stream) + inputs;
  job->v = (float *)scratch;
  job->scales = (float *)(scratch + v);
  job->m = (float *)(scratch + v + scales);
  return inputs + v + scales + workers * job->worker_bytes;
}

static void stream_filters(msk_stream *stream, struct job *job) {
  if (msk_stream_measure(stream, place_stream(job, stream))) return;
  memset(job->zeros, 0, job->pixels->channels * sizeof(float));
  run_stream(stream, job);
}

/* With Winograd's form, which is made in the first `own` bytes of the scratch memory unless it
 * is there. */
static void run_packed(msk_stream *stream, struct job *job, size_t own) {
  msk_stream inner = *stream;
  inner.scratch = msk_stream_scratch(stream) + own;
  size_t bytes = place(job, &inner), local = place_local(job, &inner);
  /* The larger, whichever is taken: the choice depends on the picture's size too, and a larger
   * picture must not need less. */
  if (msk_stream_measure(stream, own + (bytes > local ? bytes : local))) return;
  if (job->packed == NULL) {
    msk_winograd_pack(stream->device, job->filters, stream->scratch, stream->pool);
    job->packed = stream->scratch;
  }
  memset(job->zeros, 0, job->pixels->channels * sizeof(float));
  if (local > 0) {
    msk_pool_run(stream->pool, msk_ceiling(job->tiles, job->chunk), chunk_task, job);
  } else {
    run_chunks(stream, job);
  }
}

void msk_winograd_run(msk_stream *stream, msk_winograd_weights weights, const float *bias,
                      const float *residual, const msk_pixels *pixels, size_t batch, size_t out,
                      float *y) {
  const msk_kernels *kernels = &stream->device->kernels;
  size_t in = pixels->channels;
  struct job job = {.kernels = kernels,
                    .int16 = weights.int16,
                    .depth = weights.int16 ? msk_ceiling(in, 2) : in,
                    .form_rows = form_rows(in, weights.int16),
                    .form_floats = position_floats(kernels, in, out, weights.int16),
                    .packed = weights.packed,
                    .filters = weights.filters,
                    .bias = bias,
                    .residual = residual,
                    .pixels = pixels,
                    .y = y,
                    .out = out,
                    .tile_rows = msk_ceiling(pixels->out_height, 4),
                    .tile_columns = msk_ceiling(pixels->out_width, 4)};
  job.tiles = batch * job.tile_rows * job.tile_columns;
  if (job.tiles == 0) return;
  if (weights.packed == NULL && in * out > MOST_PACKED_WEIGHTS) {
    stream_filters(stream, &job);
    return;
  }
  size_t floats = 0;
  if (weights.packed == NULL) msk_winograd_floats(kernels, in, out, false, &floats);
  run_packed(stream, &job, msk_scratch_floats(floats));
}
