/* SPDX-License-Identifier: Apache-2.0
 *
 * cpu.h - what the files of the CPU backend share: the device, packed matrices, scratch, and the
 * blocked matrix product that linear layers, convolutions and the codebook are made of. Nothing
 * outside src/compute/cpu includes it. */
#ifndef MSK_COMPUTE_CPU_CPU_H
#define MSK_COMPUTE_CPU_CPU_H

#include <assert.h>

#include "compute/backend.h"
#include "compute/cpu/kernels.h"
#include "compute/meter.h"
#include "compute/operations.h"
#include "compute/stream.h"

struct msk_device {
  msk_device_head head;
  msk_kernels kernels;
  msk_precision precision;
  bool bf16;           /* in training's products (backward.h) */
  size_t second_cache; /* bytes of a core's second-level cache; 0: not known */
  char warning[512];   /* which sets were left out, and why; "" for none */
  msk_allocator allocator_storage;
  const msk_allocator *allocator; /* NULL: C heap */
  msk_tally *tally;               /* not NULL: it measures */
};

/* For tests: `alter` changes a set's kernels after they were filled in, so that a fault can be
 * put where there is none. */
typedef struct msk_device_hook {
  void (*alter)(void *user, msk_kernels *kernels);
  void *user;
} msk_device_hook;
msk_status msk_device_create_with(msk_device **device, const char *isa, msk_precision precision,
                                  const msk_allocator *allocator, const msk_device_hook *hook,
                                  msk_error *error);
/* Runs the device's kernels against the reference's on small shapes; *wrong names what differs,
 * or is NULL. */
msk_status msk_selfcheck(const msk_device *device, const char **wrong, msk_error *error);

/* What backend.c calls for a device of this kind. */
#define MSK_OPERATION(name, parameters, arguments) void msk_cpu_##name parameters;
#include "compute/operations.inc"
#undef MSK_OPERATION
msk_status msk_cpu_linear_create(msk_linear **linear, const msk_device *device,
                                 msk_precision precision, size_t in, const msk_linear_part *parts,
                                 size_t part_count, msk_pool *pool, msk_error *error);
void msk_cpu_linear_destroy(msk_linear *linear);
msk_status msk_cpu_conv_create(msk_conv **conv, const msk_device *device, const void *weight,
                               msk_dtype dtype, const float *bias, size_t kernel, size_t stride,
                               size_t in, size_t out, msk_pool *pool, msk_error *error);
void msk_cpu_conv_destroy(msk_conv *conv);
bool msk_cpu_conv_int8_pays(const msk_device *device, size_t kernel, size_t stride, size_t upsample,
                            size_t in, size_t out);
bool msk_cpu_conv_int16_pays(const msk_device *device, size_t kernel, size_t stride, size_t in,
                             size_t out);
msk_status msk_cpu_codebook_create(msk_codebook **codebook, const msk_device *device,
                                   const float *vectors, size_t codes, size_t dim,
                                   msk_error *error);
void msk_cpu_codebook_destroy(msk_codebook *codebook);

/* A creation's loop over weights; a device that measures does not run it. */
void msk_creation_run(const msk_device *device, msk_pool *pool, size_t count, msk_task *task,
                      void *user);

/* Floats, or pairs of bf16, of so many contracted numbers. */
static inline size_t msk_contracted(const msk_device *device, size_t count) {
  return device->bf16 ? msk_ceiling(count, 2) : count;
}

/* ---- packed matrices ---- */

enum { MSK_WIDEST_PANEL = 64 }; /* columns; of every set */

typedef struct msk_matrix {
  size_t depth, columns;
  float *panels; /* 64-byte aligned; panel p starts at p * panel * depth */
  bool pairs;    /* of bf16: depth counts them */
  /* or the same in binary16, where that loses nothing: half the memory, widened slice by slice
   * while multiplying */
  uint16_t *fp16;
} msk_matrix;

/* Panels of `columns` columns, and the width of panel p. */
size_t msk_panel_count(const msk_kernels *kernels, size_t columns);
size_t msk_panel_width(const msk_kernels *kernels, size_t columns, size_t p);
/* Floats of a packed matrix; false on overflow. */
bool msk_matrix_floats(const msk_kernels *kernels, size_t depth, size_t columns, size_t *floats);
/* Packs the parts' columns side by side: in binary16 if that loses nothing (weights that were
 * stored so), else as floats. Parts: F32 or F16. */
msk_status msk_matrix_pack(msk_matrix *matrix, const msk_device *device, size_t depth,
                           const msk_linear_part *parts, size_t part_count, size_t columns,
                           msk_pool *pool, msk_error *error);
void msk_matrix_destroy(msk_matrix *matrix, const msk_device *device);
/* Columns [column, column + run) of row k of a part (F32 or F16) as floats: where they lie, or
 * brought to `room`. */
const float *msk_part_row(const msk_kernels *kernels, const msk_linear_part *part, size_t depth,
                          size_t k, size_t column, size_t run, float *room);

typedef void msk_panel_kernel(size_t rows, size_t width, size_t depth, const float *a,
                              size_t a_stride, const float *b, float *c, size_t c_stride, bool add,
                              const float *next);
typedef void msk_columns_kernel(size_t rows, size_t width, size_t depth, const float *a,
                                size_t a_step, const float *b, float *c, size_t c_stride, bool add);

/* ---- panels of rows in memory, of floats or of pairs of bf16 (panels.c) ---- */

/* Across: column i of the panel is row first + i of the blocks, which have equal rows, side by
 * side, times factor. Along: column j is x's column first + j. Columns behind the last are zero. */
void msk_pack_across(const msk_kernels *kernels, bool pairs, const msk_rows *blocks, size_t count,
                     size_t first, size_t width, float factor, float *panel);
void msk_pack_along(const msk_kernels *kernels, bool pairs, msk_rows x, size_t first, size_t width,
                    float *panel);
/* Pairs of neighbours in a row, and of a row and the next; rows of pairs `stride` apart. pairs may
 * be x.at. */
void msk_narrow_rows(const msk_kernels *kernels, msk_rows x, float *pairs, size_t stride);
void msk_join_rows(const msk_kernels *kernels, msk_rows x, float *pairs, size_t stride);

/* ---- the blocked product ---- */

/* How rows x columns of results are cut into tasks: row_blocks * panel_blocks of them
 * (msk_cut_task). */
typedef struct msk_cut {
  /* all panels of a row block before the next: a worker stays with its rows, whose results it
   * reads in the next layer */
  bool rows_outer;
  size_t row_block, row_blocks, panel_block, panel_blocks; /* in rows, in panels */
  /* rows of a task at most, whatever the cut; row stride of its results: fewer rows never need
   * more memory */
  size_t most_rows, c_stride;
} msk_cut;
/* Where task `index` starts: its first row and its first panel. */
void msk_cut_task(const msk_cut *cut, size_t index, size_t *row, size_t *panel);
/* dense: rows lie ready and are not copied. slice_bytes: of a row, read at a time, by all panels.
 * The cut follows the device's second_cache; results do not. */
msk_cut msk_cut_product(const msk_stream *stream, size_t rows, size_t columns, bool dense,
                        size_t slice_bytes);

/* Copies rows [row, row + rows), contracted elements [k, k + count) into a[i * a_stride]. */
typedef void msk_gather(const void *source, size_t row, size_t rows, size_t k, size_t count,
                        float *a, size_t a_stride);

/* y = activation(x matrix + bias) + residual, the matrix's first columns where y has fewer */
typedef struct msk_product {
  const msk_matrix *matrix;
  const float *bias; /* or NULL */
  msk_rows residual, y;
  msk_activation activation;
  msk_rows x; /* as they lie in memory; or MSK_NO_ROWS: they are gathered */
  msk_gather *gather;
  const void *source;
} msk_product;
void msk_product_run(msk_stream *stream, const msk_product *product);
/* The same with a matrix and rows in memory. */
void msk_multiply_rows(msk_stream *stream, const msk_matrix *matrix, const float *bias, msk_rows x,
                       msk_activation activation, msk_rows residual, msk_rows y);

/* dw (depth x columns, dense) += x' dy, db += sum of dy's rows; db: or NULL. x: rows in memory, or
 * gathered. */
typedef struct msk_weights_product {
  const float *x, *dy;
  size_t rows, depth, columns, x_stride, dy_stride;
  float *dw, *db;
  msk_gather *gather; /* NULL: x */
  const void *source;
} msk_weights_product;
void msk_weights_product_run(msk_stream *stream, const msk_weights_product *product);

/* ---- 8-bit products ---- */

typedef struct msk_quantised_matrix {
  size_t depth, columns;
  int8_t *panels; /* 64-byte aligned; panel p starts at p * panel * (depth, to a multiple of 4) */
  int32_t *sums;  /* of each column's weights */
  float *scales;
} msk_quantised_matrix;
msk_status msk_quantised_create(msk_quantised_matrix *matrix, const msk_device *device,
                                size_t depth, const msk_linear_part *parts, size_t part_count,
                                size_t columns, msk_pool *pool, msk_error *error);
void msk_quantised_destroy(msk_quantised_matrix *matrix, const msk_device *device);
void msk_quantised_run(msk_stream *stream, const msk_quantised_matrix *matrix, const float *bias,
                       msk_rows x, msk_activation activation, msk_rows residual, msk_rows y);

struct msk_linear {
  const msk_device *device;
  size_t in, out;
  msk_matrix matrix;              /* fp32, */
  msk_quantised_matrix quantised; /* or int8: the other has no panels */
  float *bias;
};

/* ---- attention ---- */

/* What is asked of it. */
typedef struct msk_attention_job {
  const msk_kernels *kernels;
  const msk_attention_shape *shape;
  const msk_read_out *reads;
  msk_rows q, k, v, out;
  size_t queries, tokens, head_dim; /* of a sequence; tokens: keys */
} msk_attention_job;
bool msk_reads_out(const msk_attention_job *attention);
/* The read-outs of one row: e = exp(s - maximum), sum over e. */
void msk_read_out_row(const msk_attention_job *attention, size_t head, size_t row, const float *s,
                      const float *e, float maximum, float sum);
/* Whether it is asked for in 8 bits, and faster so. */
bool msk_attention_int8_pays(const msk_attention_job *attention);
void msk_attention_int8_run(msk_stream *stream, const msk_attention_job *attention);

/* ---- group normalisation of one picture, for those who apply it themselves ---- */

size_t msk_norm_bytes(const msk_stream *stream, const msk_norm *norm, size_t pixels,
                      size_t channels);
/* y = (x - mean[c]) * scale[c] + beta[c]; both lie in scratch, which has room for
 * msk_norm_bytes(). */
void msk_norm_measure(const msk_stream *stream, const msk_norm *norm, const float *x, size_t pixels,
                      size_t channels, void *scratch, const float **mean, const float **scale);

/* ---- convolution ---- */

/* What a convolution reads: pictures of height x width x channels, enlarged `upsample` times,
 * padded with `top` and `left` zeros before. */
typedef struct msk_pixels {
  const float *x;
  size_t height, width, channels, upsample; /* of x */
  size_t out_height, out_width, kernel, stride, top, left;
} msk_pixels;

/* Pixel (y, x), counted in the padded, enlarged picture; NULL in the padding. */
static inline const float *msk_pixel_at(const msk_pixels *p, const float *picture, size_t y,
                                        size_t x) {
  if (y < p->top || x < p->left) return NULL;
  y -= p->top;
  x -= p->left;
  if (y >= p->height * p->upsample || x >= p->width * p->upsample) return NULL;
  if (p->upsample == 2) {
    y /= 2;
    x /= 2;
  }
  return picture + (y * p->width + x) * p->channels;
}

/* The 6 x 6 pixels of Winograd's tile whose output begins at (y, x); zeros in the padding. */
static inline void msk_tile_pixels(const msk_pixels *p, const float *picture, size_t y, size_t x,
                                   const float *zeros, const float *pixels[36]) {
  for (size_t i = 0; i < 36; i++) {
    const float *pixel = msk_pixel_at(p, picture, y + i / 6, x + i % 6);
    pixels[i] = pixel == NULL ? zeros : pixel;
  }
}

/* The rows of a direct convolution: a pixel of y each, contracted index (ky, kx, channel) of its
 * msk_pixels. */
msk_gather msk_gather_pixels;

/* Winograd's form of a 3 x 3 convolution of stride 1: 36 matrices, in x out. */
bool msk_winograd_pays(const msk_kernels *kernels, size_t kernel, size_t stride, size_t in,
                       size_t out);
/* Whether it is faster with products of int16. */
bool msk_winograd_int16_pays(const msk_kernels *kernels, size_t kernel, size_t stride, size_t in,
                             size_t out);
/* int16: of the form in 16 bits, the room of so many floats. */
bool msk_winograd_floats(const msk_kernels *kernels, size_t in, size_t out, bool int16,
                         size_t *floats);
/* filters: 9 * in x out, as direct convolution has them; packed: msk_winograd_floats() of them,
 * 64-byte aligned. */
void msk_winograd_pack(const msk_device *device, const msk_matrix *filters, float *packed,
                       msk_pool *pool);
/* The form of in x out in 16 bits, made of that in float32; packed: as above. */
void msk_winograd_quantise(const msk_device *device, const float *form, size_t in, size_t out,
                           float *packed, msk_pool *pool);
/* One of the two: the form, or filters of which it is made on the way (in float32). */
typedef struct msk_winograd_weights {
  const float *packed;
  const msk_matrix *filters;
  bool int16; /* of packed */
} msk_winograd_weights;
void msk_winograd_run(msk_stream *stream, msk_winograd_weights weights, const float *bias,
                      const float *residual, const msk_pixels *pixels, size_t batch, size_t out,
                      float *y);

/* Gradients by the weights where it pays: of dy, `batch` pictures of `out` channels; added to dw,
 * [9][channels of x][out], and to db, [out], which may be NULL. */
void msk_winograd_weights_run(msk_stream *stream, const msk_pixels *pixels, size_t batch,
                              size_t out, const float *dy, float *dw, float *db);

/* Convolutions to a few channels. part: taps * in x out, F32 or F16. */
bool msk_narrow_pays(const msk_kernels *kernels, size_t in, size_t out);
msk_status msk_narrow_create(float **packed, const msk_device *device, const msk_linear_part *part,
                             size_t taps, size_t in, msk_error *error);
void msk_narrow_run(msk_stream *stream, const float *packed, const float *bias,
                    const float *residual, const msk_pixels *pixels, size_t batch, size_t out,
                    float *y);

/* 3 x 3 convolutions of stride 1 in 8 bits (conv_int8.c). */
typedef struct msk_conv_int8 msk_conv_int8;
msk_status msk_conv_int8_create(msk_conv_int8 **conv, const msk_device *device, const void *weight,
                                msk_dtype dtype, const float *bias, size_t upsample, size_t in,
                                size_t out, msk_pool *pool, msk_error *error);
void msk_conv_int8_destroy(msk_conv_int8 *conv, const msk_device *device);
void msk_conv_int8_run(msk_stream *stream, const msk_conv_int8 *conv, msk_map x,
                       const msk_norm *norm, msk_map residual, msk_map y);

struct msk_conv {
  msk_conv_head head;
  bool tiled;          /* by Winograd's method */
  msk_matrix matrix;   /* kernel * kernel * in x out */
  float *winograd;     /* or, where it is small, Winograd's form */
  float *narrow;       /* or that of few outputs */
  float *bias;         /* or NULL */
  msk_conv_int8 *int8; /* or all of it in 8 bits, */
  size_t upsample;     /* for this upsampling */
};
msk_pixels msk_conv_pixels(const msk_conv *conv, msk_map x, size_t upsample, msk_map y);

#endif
