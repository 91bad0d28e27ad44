/* SPDX-License-Identifier: Apache-2.0
 *
 * backward_linear.c - linear layers whose weights change: packed anew every step, both ways, for
 * the blocked product of gemm.c; and the gradient of their weights, x' dy, a product contracted
 * over rows.
 *
 * That product is cut into blocks of results and into segments of rows; a task is one block of one
 * segment. It packs pieces of x and dy as they come, sums a block of results in its second cache,
 * and leaves it for the segments to be added in order. The cut depends on the sizes alone, so that
 * sums are the same for any number of threads. */
#include <string.h>

#include "compute/backward.h"
#include "compute/cpu/cpu.h"

size_t msk_panels_floats(const msk_device *device, size_t depth, size_t columns) {
  return msk_contracted(device, depth) * msk_round_up(columns, device->kernels.lanes);
}

/* ---- packing ---- */

struct packing {
  const msk_kernels *kernels;
  const msk_rows *blocks;
  size_t count, depth, columns;
  float *panels;
  bool pairs; /* of bf16: depth counts them */
};

/* Columns [first, first + width) of all blocks side by side. */
static void pack_panel(const struct packing *packing, size_t first, size_t width, float *panel) {
  size_t end = msk_smaller(first + width, packing->columns), start = 0;
  if (end < first + width) memset(panel, 0, packing->depth * width * sizeof *panel);
  for (size_t i = 0; i < packing->count; i++) {
    const msk_rows *block = &packing->blocks[i];
    size_t from = first > start ? first : start, to = msk_smaller(end, start + block->columns);
    for (size_t k = 0; from < to && k < packing->depth; k++)
      memcpy(panel + k * width + from - first, block->at + k * block->stride + from - start,
             (to - from) * sizeof *panel);
    start += block->columns;
  }
}

/* The same of pairs, each of two rows. */
static void pack_panel_pairs(const struct packing *packing, size_t first, size_t width,
                             float *panel) {
  size_t end = msk_smaller(first + width, packing->columns), start = 0;
  if (end < first + width) memset(panel, 0, packing->depth * width * sizeof *panel);
  for (size_t i = 0; i < packing->count; i++) {
    const msk_rows *block = &packing->blocks[i];
    size_t from = first > start ? first : start, to = msk_smaller(end, start + block->columns);
    for (size_t k = 0; from < to && k < packing->depth; k++) {
      const float *low = block->at + 2 * k * block->stride + from - start,
                  *high = 2 * k + 1 < block->rows ? low + block->stride : NULL;
      packing->kernels->join_pairs(to - from, low, high, panel + k * width + from - first);
    }
    start += block->columns;
  }
}

static void pack_task(void *user, size_t p, int worker) {
  const struct packing *packing = user;
  size_t first = p * packing->kernels->panel,
         width = msk_panel_width(packing->kernels, packing->columns, p);
  float *panel = packing->panels + first * packing->depth;
  (void)worker;
  if (packing->pairs) {
    pack_panel_pairs(packing, first, width, panel);
  } else {
    pack_panel(packing, first, width, panel);
  }
}

static void pack_transposed_task(void *user, size_t p, int worker) {
  const struct packing *packing = user;
  size_t first = p * packing->kernels->panel;
  (void)worker;
  msk_pack_across(packing->kernels, packing->pairs, packing->blocks, packing->count, first,
                  msk_panel_width(packing->kernels, packing->columns, p), 1.0f,
                  packing->panels + first * packing->depth);
}

void msk_op_pack(msk_stream *stream, const msk_rows *matrices, size_t count, bool transposed,
                 float *panels) {
  if (stream->measuring) return;
  struct packing packing = {.kernels = &stream->device->kernels,
                            .blocks = matrices,
                            .count = count,
                            .panels = panels,
                            .pairs = stream->device->bf16};
  size_t together = 0;
  for (size_t i = 0; i < count; i++) together += matrices[i].columns;
  packing.depth = msk_contracted(stream->device, transposed ? together : matrices[0].rows);
  packing.columns = transposed ? matrices[0].rows : together;
  msk_pool_run(stream->pool, msk_panel_count(packing.kernels, packing.columns),
               transposed ? pack_transposed_task : pack_task, &packing);
  msk_meter_note(stream, "pack weights", 0);
}

/* ---- the layer ---- */

void msk_op_dense(msk_stream *stream, const char *name, const float *panels, const float *bias,
                  msk_rows x, msk_activation activation, msk_rows residual, msk_rows y) {
  /* The product reads its panels only. */
  msk_matrix matrix = {.depth = msk_contracted(stream->device, x.columns),
                       .columns = y.columns,
                       .panels = (float *)(uintptr_t)panels,
                       .pairs = stream->device->bf16};
  msk_multiply_rows(stream, &matrix, bias, x, activation, residual, y);
  msk_meter_note(stream, name, 2.0 * (double)x.rows * (double)x.columns * (double)y.columns);
}

/* ---- the gradient of its weights ---- */

/* A block of results, the pieces of x and dy that it is made of, and half of a panel's slice stay
 * in a 512 KiB cache. Of pairs, whose products take half the time beside the packing of dy that
 * each block of rows does for itself, blocks have twice the rows. SEGMENT_ROWS: fewer are not worth
 * a block of partial sums. */
enum {
  BLOCK_ROWS = 132,
  BLOCK_COLUMNS = 256,
  PIECE = 128,
  SEGMENT_ROWS = 1024,
  ENOUGH_TASKS = 16,
  PAD = 16
};

struct weights_job {
  const msk_weights_product *args;
  const msk_kernels *kernels;
  bool pairs;   /* of bf16 */
  size_t piece; /* rows of x and dy that are packed at once: PIECE floats or pairs */
  size_t row_block, row_blocks, column_blocks; /* of results */
  size_t segment, segments; /* rows of x and dy that are summed in one go; how many of them */
  size_t most_segments;     /* whatever the number of rows up to this one */
  float *sums, *bias_sums;  /* [segments][depth, columns], [segments][columns] */
  size_t a_floats, b_floats, gathered_floats, c_stride, worker_bytes;
  char *scratch;
};

static struct weights_job plan(const msk_stream *stream, const msk_weights_product *args) {
  const msk_kernels *kernels = &stream->device->kernels;
  struct weights_job job = {.args = args, .kernels = kernels, .sums = stream->scratch};
  job.pairs = stream->device->bf16;
  job.piece = job.pairs ? 2 * PIECE : PIECE;
  job.row_blocks = msk_ceiling(args->depth, (job.pairs ? 2 : 1) * BLOCK_ROWS);
  job.row_block = msk_round_up(msk_ceiling(args->depth, job.row_blocks), kernels->tile_rows);
  job.row_blocks = msk_ceiling(args->depth, job.row_block);
  job.column_blocks = msk_ceiling(args->columns, BLOCK_COLUMNS);
  size_t most = msk_ceiling(args->rows, SEGMENT_ROWS),
         wanted = msk_ceiling(ENOUGH_TASKS, job.row_blocks * job.column_blocks);
  /* only where blocks of results give too few tasks: each segment has partial sums of its own */
  job.most_segments = msk_smaller(most, wanted);
  job.segment = msk_round_up(msk_ceiling(args->rows, job.most_segments), 32);
  job.segments = msk_ceiling(args->rows, job.segment);
  size_t block_columns = msk_round_up(msk_smaller(args->columns, BLOCK_COLUMNS), kernels->panel);
  job.c_stride = block_columns + PAD;
  job.a_floats = job.row_block * PIECE;
  job.b_floats = block_columns * PIECE;
  job.gathered_floats = args->gather == NULL && !job.pairs ? 0 : PIECE * (job.row_block + PAD);
  job.worker_bytes = msk_scratch_floats(job.a_floats + job.b_floats + job.gathered_floats +
                                        job.row_block * job.c_stride + kernels->panel);
  return job;
}

static size_t partial_floats(const struct weights_job *job) {
  return job->most_segments * (job->args->depth + 1) * job->args->columns;
}

/* A panel's row, mostly whole, without a call. */
static void copy_row(float *to, const float *from, size_t count, size_t width) {
  if (count == width && width == 16) {
    memcpy(to, from, 64);
  } else if (count == width && width == 32) {
    memcpy(to, from, 128);
  } else {
    for (size_t j = 0; j < count; j++) to[j] = from[j];
    for (size_t j = count; j < width; j++) to[j] = 0.0f;
  }
}

/* Columns of a panel with so many left. */
static size_t panel_of(const struct weights_job *job, size_t left) {
  return left <= job->kernels->lanes ? job->kernels->lanes : job->kernels->panel;
}

/* Rows [k, k + count) of dy's columns [column, column + run) as panels, and their sums. */
static void pack_dy(const struct weights_job *job, size_t k, size_t count, size_t column,
                    size_t run, float *b, float *bias_sums, float *sums) {
  const size_t step = job->kernels->panel;
  const float *dy = job->args->dy + k * job->args->dy_stride + column;
  /* Row by row: columns of one panel alone lie a row apart, which no prefetcher follows. */
  for (size_t i = 0; i < count; i++, dy += job->args->dy_stride) {
    for (size_t first = 0; first < run; first += step) {
      size_t here = msk_smaller(step, run - first), width = panel_of(job, run - first);
      copy_row(b + first * count + i * width, dy + first, here, width);
    }
  }
  for (size_t first = 0; bias_sums != NULL && first < run; first += step) {
    job->kernels->channel_sums(count, panel_of(job, run - first), b + first * count, sums);
    for (size_t j = 0; j < msk_smaller(step, run - first); j++) bias_sums[first + j] += sums[j];
  }
}

/* The same as pairs. The sums are of the slopes as they were. */
static void pack_dy_pairs(const struct weights_job *job, size_t k, size_t count, size_t column,
                          size_t run, float *b, float *bias_sums) {
  const size_t step = job->kernels->panel, stride = job->args->dy_stride,
               pairs = msk_ceiling(count, 2);
  const float *dy = job->args->dy + k * stride + column;
  for (size_t i = 0; i < pairs; i++) {
    const float *low = dy + 2 * i * stride, *high = 2 * i + 1 < count ? low + stride : NULL;
    for (size_t first = 0; first < run; first += step) {
      size_t here = msk_smaller(step, run - first), width = panel_of(job, run - first);
      float *to = b + first * pairs + i * width;
      job->kernels->join_pairs(here, low + first, high == NULL ? NULL : high + first, to);
      for (size_t j = here; j < width; j++) to[j] = 0.0f;
    }
  }
  for (size_t i = 0; bias_sums != NULL && i < count; i++) {
    for (size_t j = 0; j < run; j++) bias_sums[j] += dy[i * stride + j];
  }
}

/* What the next piece is made of, wanted in the second cache: row `next` on, up to `end`. */
struct ahead {
  const float *x, *dy; /* of row `next` */
  size_t next, end, rows, run;
};

static void prefetch_row(const struct weights_job *job, struct ahead *ahead) {
  if (ahead->next >= ahead->end) return;
  for (size_t j = 0; j < ahead->rows; j += 16) __builtin_prefetch(ahead->x + j, 0, 2);
  for (size_t j = 0; j < ahead->run; j += 16) __builtin_prefetch(ahead->dy + j, 0, 2);
  ahead->next++;
  ahead->x += job->args->x_stride, ahead->dy += job->args->dy_stride;
}

/* count: of floats, or of pairs. */
static void multiply_piece(const struct weights_job *job, size_t rows, size_t run, size_t count,
                           const float *a, const float *b, float *c, bool add,
                           struct ahead *ahead) {
  size_t tile = job->kernels->tile_rows;
  msk_columns_kernel *multiply =
      job->pairs ? job->kernels->pairs_columns : job->kernels->gemm_columns;
  for (size_t first = 0; first < run; first += job->kernels->panel) {
    size_t width = panel_of(job, run - first);
    for (size_t i = 0; i < rows; i += tile) {
      prefetch_row(job, ahead);
      if (job->pairs) prefetch_row(job, ahead);
      multiply(msk_smaller(tile, rows - i), width, count, a + i * count, tile, b + first * count,
               c + i * job->c_stride + first, job->c_stride, add);
    }
  }
}

/* Rows [k, k + count) of x, columns [row, row + rows), as tiles. */
static void pack_x(const struct weights_job *job, size_t k, size_t count, size_t row, size_t rows,
                   float *gathered, float *a) {
  const msk_weights_product *args = job->args;
  if (job->pairs) {
    const float *x = args->x + k * args->x_stride + row;
    msk_join_rows(job->kernels, (msk_rows){(float *)(uintptr_t)x, count, rows, args->x_stride},
                  gathered, job->row_block + PAD);
    job->kernels->pack_tiles(msk_ceiling(count, 2), rows, gathered, job->row_block + PAD, a);
    return;
  }
  if (args->gather == NULL) {
    job->kernels->pack_tiles(count, rows, args->x + k * args->x_stride + row, args->x_stride, a);
    return;
  }
  args->gather(args->source, k, count, row, rows, gathered, job->row_block + PAD);
  job->kernels->pack_tiles(count, rows, gathered, job->row_block + PAD, a);
}

static void weights_task(void *user, size_t index, int worker) {
  const struct weights_job *job = user;
  const msk_weights_product *args = job->args;
  size_t segment = index / (job->row_blocks * job->column_blocks),
         block = index % (job->row_blocks * job->column_blocks),
         row = block / job->column_blocks * job->row_block,
         column = block % job->column_blocks * BLOCK_COLUMNS,
         rows = msk_smaller(job->row_block, args->depth - row),
         run = msk_smaller(BLOCK_COLUMNS, args->columns - column);
  float *a = (float *)(job->scratch + (size_t)worker * job->worker_bytes), *b = a + job->a_floats,
        *c = b + job->b_floats, *sums = c + job->row_block * job->c_stride,
        *gathered = sums + job->kernels->panel;
  float *bias_sums =
      args->db == NULL || row > 0 ? NULL : job->bias_sums + segment * args->columns + column;
  /* the first block of rows sums the bias: all blocks of a column see the same dy */
  if (bias_sums != NULL) memset(bias_sums, 0, run * sizeof *bias_sums);
  size_t start = segment * job->segment, last = msk_smaller(start + job->segment, args->rows);
  for (size_t k = start; k < last; k += job->piece) {
    size_t count = msk_smaller(job->piece, last - k);
    pack_x(job, k, count, row, rows, gathered, a);
    if (job->pairs) {
      pack_dy_pairs(job, k, count, column, run, b, bias_sums);
    } else {
      pack_dy(job, k, count, column, run, b, bias_sums, sums);
    }
    size_t then = k + count;
    struct ahead ahead = {.x = args->x + then * args->x_stride + row,
                          .dy = args->dy + then * args->dy_stride + column,
                          .next = then,
                          .end = msk_smaller(then + job->piece, last),
                          .rows = rows,
                          .run = run};
    multiply_piece(job, rows, run, job->pairs ? msk_ceiling(count, 2) : count, a, b, c, k > start,
                   &ahead);
  }
  float *to = job->sums + (segment * args->depth + row) * args->columns + column;
  for (size_t i = 0; i < rows; i++)
    memcpy(to + i * args->columns, c + i * job->c_stride, run * sizeof *to);
}

struct adding {
  const float *from;
  size_t count, segments;
  float *to;
};

enum { ADDED_AT_ONCE = 4096 };

static void add_segments(void *user, size_t index, int worker) {
  const struct adding *adding = user;
  size_t first = index * ADDED_AT_ONCE, last = msk_smaller(first + ADDED_AT_ONCE, adding->count);
  (void)worker;
  for (size_t s = 0; s < adding->segments; s++) {
    const float *from = adding->from + s * adding->count;
    for (size_t i = first; i < last; i++) adding->to[i] += from[i];
  }
}

static void add_to(msk_stream *stream, const float *from, size_t count, size_t segments,
                   float *to) {
  struct adding adding = {.from = from, .count = count, .segments = segments, .to = to};
  msk_pool_run(stream->pool, msk_ceiling(count, ADDED_AT_ONCE), add_segments, &adding);
}

void msk_weights_product_run(msk_stream *stream, const msk_weights_product *args) {
  if (args->rows == 0) return;
  struct weights_job job = plan(stream, args);
  assert(args->gather == NULL || !job.pairs);
  size_t partial = msk_scratch_floats(partial_floats(&job));
  if (msk_stream_measure(stream, partial + job.worker_bytes * msk_stream_workers(stream))) return;
  job.bias_sums = job.sums + job.segments * args->depth * args->columns;
  job.scratch = (char *)stream->scratch + partial;
  msk_pool_run(stream->pool, job.segments * job.row_blocks * job.column_blocks, weights_task, &job);
  add_to(stream, job.sums, args->depth * args->columns, job.segments, args->dw);
  if (args->db != NULL) add_to(stream, job.bias_sums, args->columns, job.segments, args->db);
}

void msk_op_dense_backward(msk_stream *stream, const char *name, msk_rows x, msk_rows dy,
                           msk_rows dw, float *db) {
  const msk_weights_product product = {.x = x.at,
                                       .dy = dy.at,
                                       .rows = x.rows,
                                       .depth = x.columns,
                                       .columns = dy.columns,
                                       .x_stride = x.stride,
                                       .dy_stride = dy.stride,
                                       .dw = dw.at,
                                       .db = db};
  assert(dy.rows == x.rows && dw.rows == x.columns && dw.columns == dy.columns &&
         dw.stride == dw.columns);
  msk_weights_product_run(stream, &product);
  msk_meter_note(stream, name, 2.0 * (double)x.rows * (double)x.columns * (double)dy.columns);
}
