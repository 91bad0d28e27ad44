/* SPDX-License-Identifier: Apache-2.0
 *
 * conv_int8.c - 3 x 3 convolutions of stride 1 in 8 bits. Weights are quantised as a linear
 * layer's are (quantised.c): a scale for each output channel. Activations have a scale and a
 * zero point for each row of pixels: a picture's largest values would make the steps too wide
 * everywhere else. An output is then a sum over the rows of its window: exact int32 sums of
 * products, each brought to float32 by its own row's scale, added in order.
 *
 * Three passes over a picture: group normalisation's statistics, where x is to be normalised;
 * rows quantised (normalised in a buffer that stays in the nearest caches); products. The bytes
 * lie in a picture with a border of zeros, so that the inputs of a window's row are one run of
 * bytes, and those of the next pixel begin a pixel later: the kernel reads its rows where they
 * lie, nothing is gathered.
 *
 * Nearest upsampling by two: each of the four pixels that come of one is a 2 x 2 convolution of
 * the small picture, with the filters added that meet the same pixel. So there are four phases
 * of 4/9 the work, and nothing is enlarged. */
#include <string.h>

#include "base/error.h"
#include "compute/cpu/cpu.h"

enum { MOST_PHASES = 4, MOST_TAPS = 3 };

struct msk_conv_int8 {
  size_t in, out, upsample, taps; /* taps: rows, and columns, of a window */
  /* taps * taps * in x out each; phase 2 * py + px makes the pixels (2 y + py, 2 x + px) */
  msk_quantised_matrix matrix[MOST_PHASES];
  /* of the weights of a window's row: [phase][taps][out] */
  int32_t *sums;
  float *bias; /* zeros if there is none */
};

static size_t phases_of(size_t upsample) { return upsample * upsample; }
static size_t taps_of(size_t upsample) { return upsample == 2 ? 2 : 3; }

/* ---- creation ---- */

/* Which rows (or columns) of the filter meet tap t of phase p: from *first, *count of them. */
static void met_by(size_t upsample, size_t p, size_t t, size_t *first, size_t *count) {
  *first = upsample == 2 && p == 1 ? 2 * t : t;
  *count = upsample == 2 && t != p ? 2 : 1;
}

/* filters[k] += weight[tap][k] */
static void add_tap(const msk_kernels *kernels, const msk_linear_part *weight, size_t tap,
                    float *filters) {
  float room[MSK_WIDEST_PANEL];
  for (size_t k = 0; k < weight->out; k += MSK_WIDEST_PANEL) {
    size_t run = msk_smaller(MSK_WIDEST_PANEL, weight->out - k);
    const float *from = msk_part_row(kernels, weight, 9, tap, k, run, room);
    for (size_t i = 0; i < run; i++) filters[k + i] += from[i];
  }
}

/* The filters of a phase: [tap row][tap column][in][out]. weight: the nine taps, a row each. */
static void add_filters(const msk_kernels *kernels, const msk_linear_part *weight, size_t upsample,
                        size_t phase, float *filters) {
  size_t taps = taps_of(upsample), each = weight->out;
  memset(filters, 0, taps * taps * each * sizeof *filters);
  for (size_t t = 0; t < taps * taps; t++) {
    size_t y, x, rows, columns;
    met_by(upsample, phase / 2, t / taps, &y, &rows);
    met_by(upsample, phase % 2, t % taps, &x, &columns);
    for (size_t i = 0; i < rows * columns; i++) {
      add_tap(kernels, weight, (y + i / columns) * 3 + x + i % columns, filters + t * each);
    }
  }
}

/* Sums of each window row's weights, from the packed panels. */
static void sum_rows(const msk_kernels *kernels, const msk_quantised_matrix *matrix, size_t taps,
                     int32_t *sums) {
  size_t depth = matrix->depth / taps;
  memset(sums, 0, taps * matrix->columns * sizeof *sums);
  for (size_t p = 0; p < msk_panel_count(kernels, matrix->columns); p++) {
    size_t width = msk_panel_width(kernels, matrix->columns, p), first = p * kernels->panel;
    size_t columns = msk_smaller(width, matrix->columns - first);
    const int8_t *panel = matrix->panels + first * matrix->depth;
    for (size_t k = 0; k < matrix->depth; k++) {
      int32_t *row = sums + k / depth * matrix->columns + first;
      for (size_t c = 0; c < columns; c++) row[c] += panel[k / 4 * width * 4 + c * 4 + k % 4];
    }
  }
}

static msk_status fail_memory(const msk_conv_int8 *conv, msk_error *error) {
  return msk_fail(error, MSK_ERROR_MEMORY,
                  "no memory for the packed weights of a %zu x %zu convolution", conv->in,
                  conv->out);
}

/* The filters of every phase, one after the other. upsample 2: made in `filters`, which has room
 * for those of one. */
static msk_status pack_phases(msk_conv_int8 *conv, const msk_device *device, const void *weight,
                              msk_dtype dtype, float *filters, msk_pool *pool, msk_error *error) {
  size_t taps = conv->taps, depth = taps * taps * conv->in;
  const msk_linear_part whole = {.weight = weight, .out = conv->in * conv->out, .dtype = dtype},
                        stored = {.weight = weight, .out = conv->out, .dtype = dtype},
                        added = {.weight = filters, .out = conv->out, .dtype = MSK_DTYPE_F32};
  bool measures = msk_device_measures(device);
  for (size_t i = 0; i < phases_of(conv->upsample); i++) {
    /* doubling a picture repeats pixels: filters that fall on the same one are added once, here */
    if (filters != NULL && !measures)
      add_filters(&device->kernels, &whole, conv->upsample, i, filters);
    msk_status status =
        msk_quantised_create(&conv->matrix[i], device, depth, filters == NULL ? &stored : &added, 1,
                             conv->out, pool, error);
    if (status != MSK_OK) return status;
    if (!measures)
      sum_rows(&device->kernels, &conv->matrix[i], taps, conv->sums + i * taps * conv->out);
  }
  return MSK_OK;
}

static msk_status pack(msk_conv_int8 *conv, const msk_device *device, const void *weight,
                       msk_dtype dtype, msk_pool *pool, msk_error *error) {
  size_t depth = conv->taps * conv->taps * conv->in;
  if (conv->upsample == 1) return pack_phases(conv, device, weight, dtype, NULL, pool, error);
  float *filters = msk_device_take(device, depth * conv->out, sizeof *filters);
  if (filters == NULL) return fail_memory(conv, error);
  msk_status status = pack_phases(conv, device, weight, dtype, filters, pool, error);
  msk_device_give(device, filters, depth * conv->out, sizeof *filters);
  return status;
}

static size_t count_sums(const msk_conv_int8 *conv) {
  return phases_of(conv->upsample) * conv->taps * conv->out;
}

static void copy_bias(const msk_conv_int8 *conv, const float *bias) {
  for (size_t i = 0; i < conv->out; i++) conv->bias[i] = bias == NULL ? 0 : bias[i];
}

msk_status msk_conv_int8_create(msk_conv_int8 **conv, const msk_device *device, const void *weight,
                                msk_dtype dtype, const float *bias, size_t upsample, size_t in,
                                size_t out, msk_pool *pool, msk_error *error) {
  assert((upsample == 1 || upsample == 2) && in > 0 && in % 4 == 0 && out > 0);
  msk_conv_int8 *made = msk_device_make(device, 1, sizeof *made);
  if (made == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory for a convolution");
  *made = (msk_conv_int8){.in = in, .out = out, .upsample = upsample, .taps = taps_of(upsample)};
  made->sums = msk_device_take(device, count_sums(made), sizeof *made->sums);
  made->bias = msk_device_take(device, out, sizeof *made->bias);
  msk_status status = made->sums == NULL || made->bias == NULL ? fail_memory(made, error) : MSK_OK;
  if (status == MSK_OK && !msk_device_measures(device)) copy_bias(made, bias);
  if (status == MSK_OK) status = pack(made, device, weight, dtype, pool, error);
  if (status == MSK_OK) {
    *conv = made;
  } else {
    msk_conv_int8_destroy(made, device);
  }
  return status;
}

void msk_conv_int8_destroy(msk_conv_int8 *conv, const msk_device *device) {
  if (conv == NULL) return;
  for (size_t i = 0; i < MOST_PHASES; i++) msk_quantised_destroy(&conv->matrix[i], device);
  msk_device_give(device, conv->sums, count_sums(conv), sizeof *conv->sums);
  msk_device_give(device, conv->bias, conv->out, sizeof *conv->bias);
  msk_device_unmake(device, conv, 1, sizeof *conv);
}

/* ---- running ---- */

/* Pixels and columns of a task at most: their sums stay in the second cache. BLOCK: contracted
 * elements of a panel that stay in the nearest. */
enum { TASK_PIXELS = 264, TASK_COLUMNS = 128, BLOCK = 768, STRIDE_PAD = 16 };

struct job {
  const msk_kernels *kernels;
  const msk_conv_int8 *conv;
  const float *x, *residual; /* of this picture */
  float *y;
  size_t height, width;             /* of x */
  const float *mean, *scale, *beta; /* normalisation; NULL: none */
  /* (height + 2) rows of (width + 2) pixels of bytes; the first and the last row are zeros */
  uint8_t *quantised;
  msk_quantised *rows; /* how each was quantised */
  size_t row_bytes;    /* bytes of a row */
  /* pixels, rows, panels of a task, and how many there are */
  size_t segment, segments, strip, strips, panel_block, panel_blocks;
  /* of a task's sums, in elements: a pixel's, a window row's */
  size_t c_stride, plane;
  size_t worker_bytes;
  char *scratch;
};

/* Row `index` of pixels: normalised, quantised, with a zero's byte before and behind it. */
static void quantise_task(void *user, size_t index, int worker) {
  const struct job *job = user;
  size_t channels = job->conv->in, count = job->width * channels;
  const float *x = job->x + index * count;
  uint8_t *quantised = job->quantised + (index + 1) * job->row_bytes;
  if (job->mean != NULL) {
    /* where the worker's sums come later, once all rows are quantised */
    float *normalised = (float *)(job->scratch + (size_t)worker * job->worker_bytes);
    job->kernels->normalise_pixels(job->width, channels, x, job->mean, job->scale, job->beta, true,
                                   normalised);
    x = normalised;
  }
  msk_quantised *row = &job->rows[index + 1];
  job->kernels->quantise_row(count, x, quantised + channels, row);
  memset(quantised, row->zero, channels);
  memset(quantised + channels + count, row->zero, channels);
}

/* The products of one panel, for all rows of the task and of the window: c[t * plane + (row *
 * segment + pixel) * c_stride]. */
static void multiply_panel(const struct job *job, const msk_quantised_matrix *matrix, size_t p,
                           const uint8_t *quantised, size_t rows, size_t pixels, int32_t *c) {
  const msk_kernels *kernels = job->kernels;
  size_t taps = job->conv->taps, run = taps * job->conv->in,
         width = msk_panel_width(kernels, matrix->columns, p);
  const int8_t *panel = matrix->panels + p * kernels->panel * matrix->depth;
  for (size_t t = 0; t < taps; t++) {
    for (size_t k = 0; k < run; k += BLOCK) {
      size_t depth = msk_smaller(BLOCK, run - k);
      const int8_t *b = panel + (t * run + k) * width;
      for (size_t r = 0; r < rows; r++) {
        kernels->int8_panel(pixels, width, depth, quantised + (r + t) * job->row_bytes + k,
                            job->conv->in, b, c + t * job->plane + r * job->segment * job->c_stride,
                            job->c_stride, k > 0, b + depth * width);
      }
    }
  }
}

/* The task's sums to outputs: phase (py, px) of them, columns from `column`. */
static void finish(const struct job *job, size_t phase, size_t y, size_t x, size_t rows,
                   size_t pixels, size_t column, size_t columns, const int32_t *c) {
  const msk_conv_int8 *conv = job->conv;
  size_t up = conv->upsample, py = phase / 2, px = phase % 2;
  const int32_t *sums = conv->sums + phase * conv->taps * conv->out + column;
  for (size_t r = 0; r < rows; r++) {
    const msk_quantised *window = job->rows + y + r + py;
    for (size_t i = 0; i < pixels; i++) {
      size_t at = (((y + r) * up + py) * job->width * up + (x + i) * up + px) * conv->out + column;
      job->kernels->finish_int8_taps(
          columns, conv->taps, c + (r * job->segment + i) * job->c_stride, job->plane, window, sums,
          conv->out, conv->matrix[phase].scales + column, conv->bias + column,
          job->residual == NULL ? NULL : job->residual + at, job->y + at);
    }
  }
}

static void multiply_task(void *user, size_t index, int worker) {
  const struct job *job = user;
  const msk_conv_int8 *conv = job->conv;
  size_t panel = job->kernels->panel, panels = msk_panel_count(job->kernels, conv->out);
  size_t x = index % job->segments * job->segment,
         y = index / job->segments % job->strips * job->strip;
  size_t block = index / (job->segments * job->strips), phase = block / job->panel_blocks;
  size_t first = block % job->panel_blocks * job->panel_block,
         last = msk_smaller(first + job->panel_block, panels);
  size_t rows = msk_smaller(job->strip, job->height - y),
         pixels = msk_smaller(job->segment, job->width - x);
  int32_t *c = (int32_t *)(job->scratch + (size_t)worker * job->worker_bytes);
  const uint8_t *quantised =
      job->quantised + (y + phase / 2) * job->row_bytes + (x + phase % 2) * conv->in;
  for (size_t p = first; p < last; p++) {
    multiply_panel(job, &conv->matrix[phase], p, quantised, rows, pixels, c + (p - first) * panel);
  }
  if (job->kernels->end_products != NULL) job->kernels->end_products();
  finish(job, phase, y, x, rows, pixels, first * panel,
         msk_smaller(last * panel, conv->out) - first * panel, c);
}

/* How the work is cut, for the stream's workers. A larger picture never needs less scratch
 * memory: it is laid out for full tasks. */
static void cut(struct job *job, const msk_stream *stream) {
  size_t panels = msk_panel_count(job->kernels, job->conv->out),
         phases = phases_of(job->conv->upsample);
  size_t workers = msk_stream_workers(stream);
  job->segments = msk_ceiling(job->width, TASK_PIXELS);
  job->segment = msk_smaller(
      msk_round_up(msk_ceiling(job->width, job->segments), job->kernels->tile_rows), job->width);
  job->segments = msk_ceiling(job->width, job->segment);
  assert(job->segment <= TASK_PIXELS); /* a multiple of every set's tile */
  job->panel_block = msk_smaller(msk_ceiling(TASK_COLUMNS, job->kernels->panel), panels);
  job->panel_blocks = msk_ceiling(panels, job->panel_block);
  job->strip = msk_smaller(TASK_PIXELS / job->segment, job->height);
  size_t others = job->segments * job->panel_blocks * phases;
  while (job->strip > 1 && others * msk_ceiling(job->height, job->strip) < 2 * workers)
    job->strip = msk_ceiling(job->strip, 2);
  job->strips = msk_ceiling(job->height, job->strip);
  job->c_stride = job->panel_block * job->kernels->panel + STRIDE_PAD;
  job->plane = msk_smaller(TASK_PIXELS, job->height * job->width) * job->c_stride;
}

/* Lays the job out in scratch memory; bytes of it all. */
static size_t place(struct job *job, const msk_stream *stream, size_t norm_bytes) {
  size_t channels = job->conv->in, workers = msk_stream_workers(stream);
  job->row_bytes = (job->width + 2) * channels;
  size_t picture_bytes = msk_round_up((job->height + 2) * job->row_bytes, MSK_ALIGNMENT);
  size_t row_bytes = msk_round_up((job->height + 2) * sizeof *job->rows, MSK_ALIGNMENT);
  size_t sum_bytes = msk_round_up(job->conv->taps * job->plane * sizeof(int32_t), MSK_ALIGNMENT);
  size_t normalised = msk_scratch_floats(job->width * channels);
  job->worker_bytes = sum_bytes > normalised ? sum_bytes : normalised;
  char *scratch = msk_stream_scratch(stream) + norm_bytes;
  job->quantised = (uint8_t *)scratch;
  job->rows = (msk_quantised *)(scratch + picture_bytes);
  job->scratch = scratch + picture_bytes + row_bytes;
  return norm_bytes + picture_bytes + row_bytes + workers * job->worker_bytes;
}

static void run_picture(msk_stream *stream, struct job *job, const msk_norm *norm) {
  size_t pixels = job->height * job->width, phases = phases_of(job->conv->upsample);
  if (norm != NULL) {
    msk_norm_measure(stream, norm, job->x, pixels, job->conv->in, stream->scratch, &job->mean,
                     &job->scale);
    job->beta = norm->beta;
  }
  size_t last = job->height + 1;
  /* A scale of 0 makes every product with the rows of padding nothing. */
  job->rows[0] = job->rows[last] = (msk_quantised){0, 0};
  memset(job->quantised, 0, job->row_bytes);
  memset(job->quantised + last * job->row_bytes, 0, job->row_bytes);
  msk_pool_run(stream->pool, job->height, quantise_task, job);
  msk_pool_run(stream->pool, job->segments * job->strips * job->panel_blocks * phases,
               multiply_task, job);
}

void msk_conv_int8_run(msk_stream *stream, const msk_conv_int8 *conv, msk_map x,
                       const msk_norm *norm, msk_map residual, msk_map y) {
  struct job job = {
      .kernels = &stream->device->kernels, .conv = conv, .height = x.height, .width = x.width};
  size_t pixels = x.height * x.width, out_pixels = y.height * y.width;
  cut(&job, stream);
  size_t norm_bytes = norm == NULL ? 0 : msk_norm_bytes(stream, norm, pixels, conv->in);
  if (x.batch == 0 || msk_stream_measure(stream, place(&job, stream, norm_bytes))) return;
  for (size_t i = 0; i < x.batch; i++) {
    job.x = x.at + i * pixels * conv->in;
    job.y = y.at + i * out_pixels * conv->out;
    job.residual = residual.at == NULL ? NULL : residual.at + i * out_pixels * conv->out;
    run_picture(stream, &job, norm);
  }
}
