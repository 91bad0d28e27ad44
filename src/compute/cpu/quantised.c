/* SPDX-License-Identifier: Apache-2.0
 *
 * quantised.c - linear layers in 8 bits: weights are quantised once, symmetrically, with a scale
 * for each output column; input rows on the fly, with a scale and a zero point for each row;
 * sums of products are exact in int32. So the only roundings are those of the two quantisations
 * and of the float32 end (scales, bias, activation, residual), and results do not depend on how
 * the work is cut. Weights reach +-127, or +-63 where the instruction set could not add more
 * exactly (kernels->weight_limit). */
#include <math.h>
#include <string.h>

#include "base/int8.h"
#include "base/error.h"
#include "compute/cpu/cpu.h"

/* BLOCK: contracted elements in the nearest cache */
enum { BLOCK = 1024, PAD = 64 };

static size_t groups_of_four(size_t depth) { return msk_round_up(depth, 4); }

/* ---- creation ---- */

struct packing {
  const msk_kernels *kernels;
  const msk_linear_part *parts;
  size_t part_count;
  msk_quantised_matrix *matrix;
};

enum { GROUP = 4 };

/* Columns of a part on their way into a panel: `panel` points to the first of them. */
struct run {
  const msk_kernels *kernels;
  const msk_linear_part *part;
  size_t depth, column, count, width;
  int8_t *panel;
  int32_t *sums;
  float *scales;
};

/* rows[i]: row k + i of the run; one behind the last row is zeros. */
static void find_rows(const struct run *run, size_t k, float room[GROUP][MSK_WIDEST_PANEL],
                      const float *rows[GROUP]) {
  static const float zeros[MSK_WIDEST_PANEL];
  for (size_t i = 0; i < GROUP; i++) {
    rows[i] = k + i < run->depth ? msk_part_row(run->kernels, run->part, run->depth, k + i,
                                                run->column, run->count, room[i])
                                 : zeros;
  }
}

/* Row by row, as they lie: a column by itself would touch a cache line for each of its values. */
static void find_scales(const struct run *run, float *inverse) {
  float room[GROUP][MSK_WIDEST_PANEL], largest[MSK_WIDEST_PANEL] = {0};
  const float *rows[GROUP];
  for (size_t k = 0; k < run->depth; k += GROUP) {
    find_rows(run, k, room, rows);
    for (size_t c = 0; c < run->count; c++) {
      float a = fabsf(rows[0][c]), b = fabsf(rows[1][c]), d = fabsf(rows[2][c]),
            e = fabsf(rows[3][c]);
      a = a > b ? a : b;
      d = d > e ? d : e;
      a = a > d ? a : d;
      largest[c] = largest[c] > a ? largest[c] : a;
    }
  }
  for (size_t c = 0; c < run->count; c++)
    run->scales[c] = msk_int8_scale(largest[c], (float)run->kernels->weight_limit, &inverse[c]);
}

/* Four weights of a column lie side by side, the first in front. */
static uint32_t join_four(int32_t a, int32_t b, int32_t c, int32_t d) {
  uint32_t joined = (uint32_t)(a & 255) | (uint32_t)(b & 255) << 8 | (uint32_t)(c & 255) << 16 |
                    (uint32_t)d << 24;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  joined = __builtin_bswap32(joined);
#endif
  return joined;
}

static void pack_floats(const struct run *run) {
  float room[GROUP][MSK_WIDEST_PANEL], inverse[MSK_WIDEST_PANEL];
  const float *rows[GROUP];
  uint32_t fours[MSK_WIDEST_PANEL] = {0};
  /* unsigned: a filter that became infinite when taps were added has sums that mean nothing */
  uint32_t sums[MSK_WIDEST_PANEL] = {0};
  find_scales(run, inverse);
  for (size_t k = 0; k < run->depth; k += GROUP) {
    find_rows(run, k, room, rows);
    for (size_t c = 0; c < run->count; c++) {
      int32_t q[GROUP] = {
          msk_int8_round(rows[0][c], inverse[c]), msk_int8_round(rows[1][c], inverse[c]),
          msk_int8_round(rows[2][c], inverse[c]), msk_int8_round(rows[3][c], inverse[c])};
      sums[c] += (uint32_t)q[0] + (uint32_t)q[1] + (uint32_t)q[2] + (uint32_t)q[3];
      fours[c] = join_four(q[0], q[1], q[2], q[3]);
    }
    memcpy(run->panel + k * run->width, fours, run->count * sizeof *fours);
  }
  memcpy(run->sums, sums, run->count * sizeof *sums);
}

/* Of 8 bits already. */
static void pack_int8(const struct run *run) {
  static const int8_t zeros[MSK_WIDEST_PANEL];
  const int8_t *weight = run->part->weight;
  uint32_t fours[MSK_WIDEST_PANEL] = {0};
  int32_t sums[MSK_WIDEST_PANEL] = {0};
  for (size_t k = 0; k < run->depth; k += GROUP) {
    const int8_t *rows[GROUP];
    /* Four are multiplied at once: the last group is filled up with what adds nothing. */
    for (size_t i = 0; i < GROUP; i++)
      rows[i] = k + i < run->depth ? weight + (k + i) * run->part->out + run->column : zeros;
    for (size_t c = 0; c < run->count; c++) {
      sums[c] += rows[0][c] + rows[1][c] + rows[2][c] + rows[3][c];
      fours[c] = join_four(rows[0][c], rows[1][c], rows[2][c], rows[3][c]);
    }
    memcpy(run->panel + k * run->width, fours, run->count * sizeof *fours);
  }
  memcpy(run->sums, sums, run->count * sizeof *sums);
  memcpy(run->scales, run->part->scales + run->column, run->count * sizeof *run->scales);
}

static void pack_panel(void *user, size_t p, int worker) {
  const struct packing *packing = user;
  const msk_quantised_matrix *matrix = packing->matrix;
  (void)worker;
  size_t width = msk_panel_width(packing->kernels, matrix->columns, p),
         first = p * packing->kernels->panel, start = 0;
  size_t last = msk_smaller(first + width, matrix->columns), depth = groups_of_four(matrix->depth);
  int8_t *panel = matrix->panels + first * depth;
  assert(width <= MSK_WIDEST_PANEL);
  for (size_t i = 0; i < packing->part_count; i++) {
    const msk_linear_part *part = &packing->parts[i];
    size_t from = first > start ? first : start, to = msk_smaller(last, start + part->out);
    struct run run = {packing->kernels,
                      part,
                      matrix->depth,
                      from - start,
                      to - from,
                      width,
                      panel + (from - first) * GROUP,
                      matrix->sums + from,
                      matrix->scales + from};
    if (from < to && part->dtype == MSK_DTYPE_I8) pack_int8(&run);
    if (from < to && part->dtype != MSK_DTYPE_I8) pack_floats(&run);
    start += part->out;
  }
  /* kernels compute whole panels: the columns beyond the last are zeros */
  for (size_t k = 0; last < first + width && k < depth; k += GROUP) {
    memset(panel + k * width + (last - first) * GROUP, 0, (first + width - last) * GROUP);
  }
}

static bool panel_bytes(const msk_kernels *kernels, size_t depth, size_t columns, size_t *bytes) {
  return msk_matrix_floats(kernels, groups_of_four(depth), columns, bytes);
}

msk_status msk_quantised_create(msk_quantised_matrix *matrix, const msk_device *device,
                                size_t depth, const msk_linear_part *parts, size_t part_count,
                                size_t columns, msk_pool *pool, msk_error *error) {
  const msk_kernels *kernels = &device->kernels;
  size_t bytes;
  *matrix = (msk_quantised_matrix){.depth = depth, .columns = columns};
  msk_status status = msk_int8_check_depth(depth, error);
  if (status != MSK_OK) return status;
  if (panel_bytes(kernels, depth, columns, &bytes)) {
    matrix->panels = msk_device_take(device, bytes, 1);
    matrix->sums = msk_device_take(device, columns, sizeof *matrix->sums);
    matrix->scales = msk_device_take(device, columns, sizeof *matrix->scales);
  }
  if (matrix->panels == NULL || matrix->sums == NULL || matrix->scales == NULL) {
    msk_quantised_destroy(matrix, device);
    return msk_fail(error, MSK_ERROR_MEMORY,
                    "no memory for the packed weights of a %zu x %zu matrix", depth, columns);
  }
  struct packing packing = {
      .kernels = kernels, .parts = parts, .part_count = part_count, .matrix = matrix};
  msk_creation_run(device, pool, msk_panel_count(kernels, columns), pack_panel, &packing);
  return MSK_OK;
}

void msk_quantised_destroy(msk_quantised_matrix *matrix, const msk_device *device) {
  size_t bytes = 0;
  panel_bytes(&device->kernels, matrix->depth, matrix->columns, &bytes);
  msk_device_give(device, matrix->panels, bytes, 1);
  msk_device_give(device, matrix->sums, matrix->columns, sizeof *matrix->sums);
  msk_device_give(device, matrix->scales, matrix->columns, sizeof *matrix->scales);
  *matrix = (msk_quantised_matrix){0};
}

/* ---- the layer ---- */

struct job {
  const msk_kernels *kernels;
  const msk_quantised_matrix *matrix;
  const float *bias;
  msk_rows x, residual, y;
  msk_activation activation;
  size_t q_stride, worker_bytes;
  msk_cut cut;
  uint8_t *q; /* all rows, quantised */
  msk_quantised *row_scales;
  char *scratch;
};

enum { ROWS_A_TASK = 16 };

static void quantise_task(void *user, size_t index, int worker) {
  const struct job *job = user;
  (void)worker;
  size_t depth = job->matrix->depth, last = msk_smaller((index + 1) * ROWS_A_TASK, job->x.rows);
  for (size_t i = index * ROWS_A_TASK; i < last; i++) {
    uint8_t *q = job->q + i * job->q_stride;
    job->kernels->quantise_row(depth, job->x.at + i * job->x.stride, q, &job->row_scales[i]);
    memset(q + depth, 0, groups_of_four(depth) - depth);
  }
}

static void multiply_task(void *user, size_t index, int worker) {
  const struct job *job = user;
  const msk_cut *cut = &job->cut;
  const msk_kernels *kernels = job->kernels;
  const msk_quantised_matrix *matrix = job->matrix;
  size_t row, first;
  msk_cut_task(cut, index, &row, &first);
  size_t rows = msk_smaller(cut->row_block, job->x.rows - row);
  size_t last = msk_smaller(first + cut->panel_block, msk_panel_count(kernels, job->y.columns)),
         depth = groups_of_four(matrix->depth);
  int32_t *c = (int32_t *)(job->scratch + (size_t)worker * job->worker_bytes);
  for (size_t k = 0; k < depth; k += BLOCK) {
    size_t count = msk_smaller(BLOCK, depth - k);
    for (size_t p = first; p < last; p++) {
      size_t width = msk_panel_width(kernels, matrix->columns, p),
             follow = p + 1 < last ? p + 1 : first;
      const int8_t *b = matrix->panels + p * kernels->panel * depth + k * width;
      /* what is wanted next, fetched ahead: the same slice of the next panel, or the first's next
       * slice */
      const int8_t *next =
          matrix->panels + follow * kernels->panel * depth + (p + 1 < last ? k : k + count) * width;
      kernels->int8_panel(rows, width, count, job->q + row * job->q_stride + k, job->q_stride, b,
                          c + (p - first) * kernels->panel, cut->c_stride, k > 0, next);
    }
  }
  if (kernels->end_products != NULL) kernels->end_products();
  size_t column = first * kernels->panel,
         columns = msk_smaller(last * kernels->panel, job->y.columns) - column;
  for (size_t i = 0; i < rows; i++) {
    const float *residual = job->residual.at == NULL
                                ? NULL
                                : job->residual.at + (row + i) * job->residual.stride + column;
    kernels->finish_int8_row(columns, c + i * cut->c_stride, job->row_scales[row + i],
                             matrix->sums + column, matrix->scales + column, job->bias + column,
                             residual, job->activation,
                             job->y.at + (row + i) * job->y.stride + column);
  }
}

void msk_quantised_run(msk_stream *stream, const msk_quantised_matrix *matrix, const float *bias,
                       msk_rows x, msk_activation activation, msk_rows residual, msk_rows y) {
  if (x.rows == 0) return;
  struct job job = {.kernels = &stream->device->kernels,
                    .matrix = matrix,
                    .bias = bias,
                    .x = x,
                    .residual = residual,
                    .y = y,
                    .activation = activation,
                    .q_stride = msk_round_up(matrix->depth, PAD) + PAD,
                    .cut = msk_cut_product(stream, x.rows, y.columns, true, BLOCK)};
  size_t q_bytes = x.rows * job.q_stride,
         scale_bytes = msk_round_up(x.rows * sizeof *job.row_scales, MSK_ALIGNMENT);
  job.worker_bytes =
      msk_round_up(job.cut.most_rows * job.cut.c_stride * sizeof(int32_t), MSK_ALIGNMENT);
  if (msk_stream_measure(stream,
                         q_bytes + scale_bytes + job.worker_bytes * msk_stream_workers(stream)))
    return;
  job.q = stream->scratch;
  job.row_scales = (msk_quantised *)(job.q + q_bytes);
  job.scratch = (char *)stream->scratch + q_bytes + scale_bytes;
  msk_pool_run(stream->pool, msk_ceiling(x.rows, ROWS_A_TASK), quantise_task, &job);
  msk_pool_run(stream->pool, job.cut.row_blocks * job.cut.panel_blocks, multiply_task, &job);
}
