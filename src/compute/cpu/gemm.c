/* SPDX-License-Identifier: Apache-2.0
 *
 * gemm.c - packed matrices and the blocked matrix product under linear layers and direct
 * convolutions.
 *
 * A task is a block of rows x a block of panels. It walks the contracted index in blocks of
 * kernels->block: gathers its rows into a small matrix (padding and upsampling live in the
 * gather), multiplies it with each panel's slice while that is in the nearest cache, and sums
 * into its own block of results; then bias, activation and residual are applied row by row.
 * Dense rows are used where they lie, unless their stride would put a tile's rows into the same
 * cache sets. Invariant: the order of summation of an element is fixed by depth and
 * kernels->block alone. (Goto and van de Geijn, "Anatomy of High-Performance Matrix
 * Multiplication", 2008, with the weights packed once.) */
#include <stdint.h>
#include <string.h>

#include "compute/cpu/cpu.h"

/* Rows and columns of a task at most. Rows that lie ready need no copy: more of them, where few
 * workers share the work, read (and widen) the weights fewer times. So it is with rows that are
 * narrowed to pairs, which take half the room and are cheap to narrow again. But their slices,
 * which every panel reads, have to stay in the second-level cache: as many rows as fill
 * CACHE_SHARE / 8 of it, no fewer than LEAST_ROWS. Rows that lie a multiple of CONFLICT_FLOATS
 * apart share the sets of the nearest cache. */
enum {
  TASK_ROWS = 96,
  DENSE_TASK_ROWS = 264,
  LEAST_ROWS = 48,
  CACHE_SHARE = 7,
  FEW_WORKERS = 4,
  TASK_COLUMNS = 256,
  STRIDE_PAD = 16,
  CONFLICT_FLOATS = 1024
};

size_t msk_panel_count(const msk_kernels *kernels, size_t columns) {
  return msk_ceiling(columns, kernels->panel);
}

size_t msk_panel_width(const msk_kernels *kernels, size_t columns, size_t p) {
  return columns - p * kernels->panel <= kernels->lanes ? kernels->lanes : kernels->panel;
}

bool msk_matrix_floats(const msk_kernels *kernels, size_t depth, size_t columns, size_t *floats) {
  if (!msk_add(columns, kernels->lanes - 1, &columns)) return false;
  return msk_multiply(columns / kernels->lanes * kernels->lanes, depth, floats);
}

/* ---- the product ---- */

/* Panels of a task, from `narrow` to `wide`: those that keep the busiest worker's share
 * smallest, wide ones first: they gather less. */
static size_t choose_panels(size_t panels, size_t row_blocks, size_t workers, size_t narrow,
                            size_t wide) {
  size_t best = wide, least = SIZE_MAX;
  for (size_t count = wide; count >= narrow; count--) {
    size_t share = msk_ceiling(row_blocks * msk_ceiling(panels, count), workers) * count;
    if (share < least) {
      least = share;
      best = count;
    }
  }
  return best;
}

/* Rows of a task at most; cache: bytes of the second-level one, 0: not known. */
static size_t choose_rows(size_t cache, size_t workers, bool dense, size_t slice_bytes) {
  const size_t most = dense && workers <= FEW_WORKERS ? DENSE_TASK_ROWS : TASK_ROWS,
               fit = cache / 8 * CACHE_SHARE / slice_bytes;
  if (cache == 0) return most;
  return fit < LEAST_ROWS ? LEAST_ROWS : msk_smaller(most, fit);
}

msk_cut msk_cut_product(const msk_stream *stream, size_t rows, size_t columns, bool dense,
                        size_t slice_bytes) {
  const msk_kernels *kernels = &stream->device->kernels;
  size_t panels = msk_panel_count(kernels, columns), workers = msk_stream_workers(stream);
  size_t task_rows = choose_rows(stream->device->second_cache, workers, dense, slice_bytes);
  msk_cut cut = {.rows_outer = dense, .row_blocks = msk_ceiling(rows, task_rows)};
  cut.row_block = msk_round_up(msk_ceiling(rows, cut.row_blocks), kernels->tile_rows);
  /* rounded up to tiles, fewer blocks may do */
  cut.row_blocks = msk_ceiling(rows, cut.row_block);
  size_t wide = msk_smaller(TASK_COLUMNS / kernels->panel, panels),
         narrow = msk_smaller(msk_ceiling(TASK_COLUMNS / 4, kernels->panel), wide);
  cut.panel_block = choose_panels(panels, cut.row_blocks, workers, narrow, wide);
  cut.panel_blocks = msk_ceiling(panels, cut.panel_block);
  cut.most_rows = msk_round_up(msk_smaller(rows, task_rows), kernels->tile_rows);
  cut.c_stride = wide * kernels->panel + STRIDE_PAD;
  return cut;
}

void msk_cut_task(const msk_cut *cut, size_t index, size_t *row, size_t *panel) {
  *row = (cut->rows_outer ? index / cut->panel_blocks : index % cut->row_blocks) * cut->row_block;
  *panel =
      (cut->rows_outer ? index % cut->panel_blocks : index / cut->row_blocks) * cut->panel_block;
}

/* Rows are used where they lie. */
static bool is_in_place(const msk_product *product) {
  return product->x.stride != 0 && product->x.stride % CONFLICT_FLOATS != 0;
}

struct job {
  const msk_product *product;
  const msk_kernels *kernels;
  msk_cut cut;
  size_t a_stride, a_bytes, c_bytes, worker_bytes;
  char *scratch;
};

static struct job plan(const msk_stream *stream, const msk_product *product) {
  const msk_kernels *kernels = &stream->device->kernels;
  struct job job = {.product = product,
                    .kernels = kernels,
                    .cut = msk_cut_product(stream, product->y.rows, product->y.columns,
                                           is_in_place(product) || product->matrix->pairs,
                                           kernels->block * sizeof(float)),
                    .scratch = msk_stream_scratch(stream)};
  job.a_stride =
      msk_round_up(msk_smaller(kernels->block, product->matrix->depth), STRIDE_PAD) + STRIDE_PAD;
  job.a_bytes = is_in_place(product) ? 0 : msk_scratch_floats(job.cut.most_rows * job.a_stride);
  job.c_bytes = msk_scratch_floats(job.cut.most_rows * job.cut.c_stride);
  job.worker_bytes = job.a_bytes + job.c_bytes;
  /* each slice is widened just before it is used, and stays in the cache of its core */
  if (product->matrix->fp16 != NULL)
    job.worker_bytes += msk_scratch_floats(kernels->block * kernels->panel);
  return job;
}

/* Multiplies rows with the slice [k, k + count) of panel p; the slice of panel `next` at
 * `next_k` is wanted after it. */
static void multiply_slice(const struct job *job, size_t rows, const float *a, size_t a_stride,
                           size_t k, size_t count, size_t p, size_t next, size_t next_k,
                           float *wide, float *c) {
  const msk_kernels *kernels = job->kernels;
  const msk_matrix *matrix = job->product->matrix;
  size_t width = msk_panel_width(kernels, matrix->columns, p),
         at = p * kernels->panel * matrix->depth + k * width;
  size_t then = next * kernels->panel * matrix->depth +
                next_k * msk_panel_width(kernels, matrix->columns, next);
  if (matrix->pairs) {
    kernels->pairs_panel(rows, width, count, a, a_stride, matrix->panels + at, c, job->cut.c_stride,
                         k > 0, matrix->panels + then);
    return;
  }
  if (matrix->fp16 == NULL) {
    kernels->gemm_panel(rows, width, count, a, a_stride, matrix->panels + at, c, job->cut.c_stride,
                        k > 0, matrix->panels + then);
    return;
  }
  kernels->widen_fp16(count * width, matrix->fp16 + at, wide);
  kernels->gemm_panel(rows, width, count, a, a_stride, wide, c, job->cut.c_stride, k > 0,
                      (const float *)(matrix->fp16 + then));
}

static void run_task(void *user, size_t index, int worker) {
  const struct job *job = user;
  const msk_cut *cut = &job->cut;
  const msk_product *product = job->product;
  const msk_kernels *kernels = job->kernels;
  const msk_rows y = product->y;
  const msk_matrix *matrix = product->matrix;
  size_t row, first;
  msk_cut_task(cut, index, &row, &first);
  size_t rows = msk_smaller(cut->row_block, y.rows - row);
  size_t last = msk_smaller(first + cut->panel_block, msk_panel_count(kernels, y.columns));
  bool in_place = is_in_place(product);
  size_t a_stride = in_place ? product->x.stride : job->a_stride;
  float *block = (float *)(job->scratch + (size_t)worker * job->worker_bytes);
  float *c = (float *)(job->scratch + (size_t)worker * job->worker_bytes + job->a_bytes);
  float *wide =
      (float *)(job->scratch + (size_t)worker * job->worker_bytes + job->a_bytes + job->c_bytes);
  for (size_t k = 0; k < matrix->depth; k += kernels->block) {
    size_t count = msk_smaller(kernels->block, matrix->depth - k);
    const float *a = in_place ? product->x.at + row * product->x.stride + k : block;
    /* gathered once for all panels: rows of a picture lie scattered, and come expensive */
    if (!in_place) product->gather(product->source, row, rows, k, count, block, a_stride);
    for (size_t p = first; p < last; p++) {
      bool more = p + 1 < last;
      multiply_slice(job, rows, a, a_stride, k, count, p, more ? p + 1 : first,
                     more ? k : k + count, wide, c + (p - first) * kernels->panel);
    }
  }
  size_t column = first * kernels->panel,
         columns = msk_smaller(last * kernels->panel, y.columns) - column;
  for (size_t i = 0; i < rows; i++) {
    const float *residual =
        product->residual.at == NULL
            ? NULL
            : product->residual.at + (row + i) * product->residual.stride + column;
    kernels->finish_row(columns, c + i * cut->c_stride,
                        product->bias == NULL ? NULL : product->bias + column, residual,
                        product->activation, y.at + (row + i) * y.stride + column);
  }
}

void msk_product_run(msk_stream *stream, const msk_product *product) {
  if (product->y.rows == 0) return;
  struct job job = plan(stream, product);
  if (msk_stream_measure(stream, job.worker_bytes * msk_stream_workers(stream))) return;
  msk_pool_run(stream->pool, job.cut.row_blocks * job.cut.panel_blocks, run_task, &job);
}

/* x as it lies, copied where its stride would put all rows into the same sets of the cache. */
static void gather_rows(const void *source, size_t row, size_t rows, size_t k, size_t count,
                        float *a, size_t a_stride) {
  const msk_rows *x = source;
  for (size_t i = 0; i < rows; i++)
    memcpy(a + i * a_stride, x->at + (row + i) * x->stride + k, count * sizeof(float));
}

struct narrowing {
  msk_rows x;
  const msk_kernels *kernels;
};

/* x as pairs, of which k and count are numbers. */
static void narrow_rows(const void *source, size_t row, size_t rows, size_t k, size_t count,
                        float *a, size_t a_stride) {
  const struct narrowing *narrowing = source;
  const msk_rows *x = &narrowing->x;
  size_t columns = msk_smaller(2 * count, x->columns - 2 * k);
  msk_narrow_rows(narrowing->kernels,
                  msk_rows_columns(msk_rows_part(*x, row, rows), 2 * k, columns), a, a_stride);
}

void msk_multiply_rows(msk_stream *stream, const msk_matrix *matrix, const float *bias, msk_rows x,
                       msk_activation activation, msk_rows residual, msk_rows y) {
  const struct narrowing narrowing = {x, &stream->device->kernels};
  const msk_product product = {.matrix = matrix,
                               .bias = bias,
                               .residual = residual,
                               .y = y,
                               .activation = activation,
                               .x = matrix->pairs ? MSK_NO_ROWS : x,
                               .gather = matrix->pairs ? narrow_rows : gather_rows,
                               .source = matrix->pairs ? (const void *)&narrowing : &x};
  msk_product_run(stream, &product);
}
