/* SPDX-License-Identifier: Apache-2.0
 *
 * gpu.h - a device of OpenCL: what is opened once a model and shared by its sessions (msk_gpu), a
 * session's memory and queue on it (msk_workspace), and how an operation starts a kernel.
 *
 * Addresses. Views hold addresses in the sense of backend.h. A workspace's are of a range that
 * this process has reserved and may not touch, as large as its one buffer; a placed array's are
 * those of the array on this side. So an address says which buffer is meant and where in it, and
 * network code reckons with it as with any other.
 *
 * Failures. A call that fails is noted in its workspace, with what it was; what comes after it in
 * this workspace is left out, and msk_stream_read() tells. */
#ifndef MSK_COMPUTE_OPENCL_GPU_H
#define MSK_COMPUTE_OPENCL_GPU_H

#include "compute/opencl/choice.h"
#include "compute/operations.h"

enum { MSK_PANEL = 16, MSK_TILE_GROUP = 16 }; /* of kernels/product.cl */

enum { MSK_HAS_BIAS = 1, MSK_HAS_RESIDUAL = 2, MSK_HAS_FP16 = 4 }; /* of kernels/product.cl */

/* In the order of their names in workspace.c. */
typedef enum msk_gpu_kernel {
  MSK_PRODUCT,
  MSK_CONV,
  MSK_INT8_PRODUCT,
  MSK_EMBED, /* the first of the program that has no shape */
  MSK_SCATTER,
  MSK_LAYER_NORM,
  MSK_QUANTISE,
  MSK_PACK_PANELS,
  MSK_SOFTMAX_ROWS,
  MSK_HEAD_SUM,
  MSK_NORM_CHUNKS,
  MSK_NORM_GROUPS,
  MSK_NORM_APPLY,
  MSK_AVERAGE_POOL,
  MSK_FOLD_PIXELS,
  MSK_BYTES_TO_NUMBERS,
  MSK_ELEMENTWISE,
  MSK_NEAREST_CODE,
  MSK_LOOKUP_CODE,
  MSK_WINOGRAD_FILTERS,
  MSK_WINOGRAD_INPUT,
  MSK_WINOGRAD_OUTPUT,
  MSK_GPU_KERNELS
} msk_gpu_kernel;

enum { MSK_MAX_PLACED = 8 };

typedef struct msk_placed {
  const char *base;
  size_t bytes;
  msk_cl_memory buffer;
} msk_placed;

/* How products and convolutions are cut: by tiles of `size` x `size` in local memory, or by `size`
 * rows of a panel in vector registers. */
typedef struct msk_gpu_shape {
  const char *name;
  bool tiled;
  size_t size;
} msk_gpu_shape;

struct msk_gpu {
  msk_cl cl;
  msk_gpu_facts facts;
  char name[260];
  const msk_allocator *allocator;
  msk_cl_context context;
  msk_cl_program program, products; /* products: and convolutions, of this shape */
  const msk_gpu_shape *shape;
  bool tuned;         /* it was the fastest once */
  msk_cl_queue queue; /* for what is brought there while a model is loaded */
  size_t group;       /* work items that share a row */
  size_t lanes;       /* channels of a pixel that are one work item's */
  size_t cell;        /* the same where an item has 36 pixels */
  bool checks;        /* gpu_check.c is at work: small layers go the ways of large ones */
  bool from_cache;    /* the kernels were compiled by an earlier process */
  msk_placed placed[MSK_MAX_PLACED];
  size_t placed_count;
};

extern const char msk_kernel_text[], msk_product_text[]; /* made by meson from kernels/ */

/* cache: the folder of compiled kernels, or NULL. */
msk_status msk_gpu_open(msk_gpu **gpu, const msk_cl *cl, const msk_gpu_facts *facts,
                        const char *cache, const msk_allocator *allocator, msk_error *error);
void msk_gpu_close(msk_gpu *gpu);
/* MSK_ERROR_DEVICE, for a call that failed. */
msk_status msk_gpu_fail(const msk_gpu *gpu, const char *what, int32_t code, msk_error *error);
/* A buffer with these bytes in it (NULL: undefined). */
msk_status msk_gpu_upload(const msk_gpu *gpu, const void *bytes, size_t count,
                          msk_cl_memory *buffer, msk_error *error);
static inline msk_gpu *msk_gpu_of(const msk_device *device) {
  return msk_device_get_head(device)->gpu;
}

/* The OpenCL device as a msk_device; on success the gpu belongs to it. */
msk_status msk_gpu_device_create(msk_device **device, msk_gpu *gpu, msk_precision precision,
                                 const msk_allocator *allocator, msk_error *error);
/* Its operations against the CPU's reference, on small shapes; *wrong names what differs, or is
 * NULL. */
msk_status msk_gpu_selfcheck(const msk_device *device, const char **wrong, msk_error *error);

/* ---- compiled kernels on disk (kernel_cache.c) ---- */

/* A program for the device, built: from the folder (*kept), or from `text`, and then kept there. A
 * folder that cannot be written, or a file that is damaged, costs the time of compiling and nothing
 * else. */
msk_status msk_gpu_build(const msk_gpu *gpu, msk_cl_program *program, const char *text,
                         const char *options, const char *cache, bool *kept, msk_error *error);
/* The same for a few bytes that were found out about the device and these kernels, with a final
 * zero: false where there are none. */
bool msk_gpu_recall(const msk_gpu *gpu, const char *text, const char *what, const char *cache,
                    char *value, size_t room);
void msk_gpu_keep(const msk_gpu *gpu, const char *text, const char *what, const char *cache,
                  const void *value, size_t bytes);

/* ---- shapes (gpu_shapes.c, gpu_tune.c) ---- */

/* NULL behind the last. */
const msk_gpu_shape *msk_gpu_shape_at(size_t index);
bool msk_gpu_shape_fits(const msk_gpu_facts *facts, const msk_gpu_shape *shape);
/* From here on; workspaces that are there keep theirs. */
msk_status msk_gpu_take_shape(msk_gpu *gpu, const msk_gpu_shape *shape, const char *cache,
                              msk_error *error);
/* The device's shape is the fastest: kept in the folder. */
void msk_gpu_keep_shape(const msk_gpu *gpu, const char *cache);
/* The fastest, if it is known, else that of most devices of this kind. */
msk_status msk_gpu_take_usual_shape(msk_gpu *gpu, const char *cache, msk_error *error);
/* Finds out which is the fastest, in less than a second and the time of compiling, where there is a
 * folder and that is not known yet. */
msk_status msk_gpu_tune(const msk_device *device, const char *cache, msk_error *error);

/* ---- a workspace, and starting kernels in it (workspace.c) ---- */

struct msk_workspace {
  msk_gpu *gpu;
  msk_cl_queue queue;
  msk_cl_memory buffer;
  const msk_gpu_shape *shape;             /* of its products */
  msk_cl_kernel kernels[MSK_GPU_KERNELS]; /* a kernel's arguments belong to one thread */
  char *base;                             /* reserved addresses */
  size_t bytes;
  int32_t failure;  /* of the first call that failed */
  const char *what; /* it was */
};
msk_status msk_gpu_workspace_create(msk_workspace **workspace, const msk_device *device,
                                    size_t bytes, msk_error *error);
void msk_gpu_workspace_destroy(msk_workspace *workspace);
msk_status msk_gpu_read(const msk_stream *stream, const float *from, size_t count, float *to,
                        msk_error *error);
/* Host bytes to the workspace; they may go when this returns. */
void msk_gpu_write(msk_workspace *workspace, const void *from, size_t bytes, const float *to);
/* And back, of operations whose results are the host's. */
void msk_gpu_bring(msk_workspace *workspace, const float *from, size_t bytes, void *to);
/* Where somebody measures time: waits until all that was asked has been done. */
void msk_gpu_finish(const msk_stream *stream);
/* msk_meter_note() after that. */
void msk_gpu_note(const msk_stream *stream, const char *name, double flop);

/* A kernel's arguments in their order, then its start. */
typedef struct msk_launch {
  msk_workspace *workspace;
  msk_gpu_kernel kernel;
  uint32_t next;
} msk_launch;
msk_launch msk_launch_begin(msk_workspace *workspace, msk_gpu_kernel kernel);
void msk_launch_buffer(msk_launch *launch, msk_cl_memory buffer);
/* Two arguments: the buffer in which the address lies, and how many floats before it. NULL: the
 * workspace, for what is not looked at. */
void msk_launch_at(msk_launch *launch, const float *at);
void msk_launch_uint(msk_launch *launch, size_t value);
void msk_launch_ulong(msk_launch *launch, size_t value);
void msk_launch_int(msk_launch *launch, int value);
void msk_launch_float(msk_launch *launch, float value);
/* local: NULL: as the driver likes. Nothing is started where a size is zero. */
void msk_launch_run(msk_launch *launch, const size_t global[3], const size_t local[3]);

/* ---- weights and products (gpu_matrix.c, gpu_linear.c) ---- */

/* depth x columns in panels, of floats, of binary16 numbers, or of int8 ones in fours; a bias, and
 * behind it zeros, or the columns' scales and the sums of their numbers. */
typedef struct msk_gpu_matrix {
  size_t depth, columns;
  bool fp16, int8;
  msk_cl_memory panels, bias;
} msk_gpu_matrix;
msk_status msk_gpu_matrix_create(msk_gpu_matrix *matrix, const msk_device *device,
                                 msk_precision precision, size_t depth,
                                 const msk_linear_part *parts, size_t part_count, size_t zeros,
                                 msk_error *error);
void msk_gpu_matrix_destroy(msk_gpu_matrix *matrix, const msk_device *device);

/* A linear layer (of which the head says the device), or a convolution. */
typedef struct msk_gpu_layer {
  msk_conv_head head; /* first: backend.c looks for it */
  msk_gpu_matrix matrix;
} msk_gpu_layer;
msk_status msk_gpu_layer_create(msk_gpu_layer **layer, msk_conv_head head, msk_precision precision,
                                size_t depth, const msk_linear_part *parts, size_t part_count,
                                size_t zeros, msk_error *error);
void msk_gpu_layer_destroy(msk_gpu_layer *layer);

/* Rows times panels (kernels/product.cl): `outer` x `inner` products side by side. */
typedef struct msk_gpu_product {
  const float *x, *y, *residual; /* residual: or NULL */
  const msk_gpu_matrix *matrix;  /* or NULL: there is no bias, and the panels lie at `panels` */
  const float *panels;
  size_t outer, inner, rows, depth, columns;
  size_t x_stride, x_outer, x_inner, y_stride, y_outer, y_inner, residual_stride, panels_each;
  msk_activation activation;
} msk_gpu_product;
void msk_gpu_multiply(msk_workspace *workspace, const msk_gpu_product *product);
/* y = activation(x matrix + bias) + residual. */
void msk_gpu_multiply_rows(msk_workspace *workspace, const msk_gpu_matrix *matrix, msk_rows x,
                           msk_activation activation, msk_rows residual, msk_rows y);
/* Convolutions by Winograd's form (gpu_winograd.c): whether a layer is computed so, into a map of
 * this size; and its computation, which measures as operations do. */
bool msk_gpu_winograd_serves(const msk_conv_head *head, msk_map y);
void msk_gpu_winograd(msk_stream *stream, const msk_gpu_layer *layer, msk_map x, size_t upsample,
                      msk_map residual, msk_map y);
/* Starts a product or convolution, whose arguments are set. */
void msk_gpu_run_tiles(msk_launch *launch, size_t rows, size_t columns, size_t matrices);

/* ---- what the table of operations has (gpu_linear.c, gpu_conv.c, gpu_maps.c, gpu_codes.c,
 * gpu_rows.c) ---- */

msk_status msk_gpu_linear_create(msk_linear **linear, const msk_device *device,
                                 msk_precision precision, size_t in, const msk_linear_part *parts,
                                 size_t part_count, msk_pool *pool, msk_error *error);
void msk_gpu_linear_destroy(msk_linear *linear);
msk_status msk_gpu_conv_create(msk_conv **conv, const msk_device *device, const void *weight,
                               msk_dtype dtype, const float *bias, size_t kernel, size_t stride,
                               size_t in, size_t out, msk_pool *pool, msk_error *error);
void msk_gpu_conv_destroy(msk_conv *conv);
msk_status msk_gpu_codebook_create(msk_codebook **codebook, const msk_device *device,
                                   const float *vectors, size_t codes, size_t dim,
                                   msk_error *error);
void msk_gpu_codebook_destroy(msk_codebook *codebook);
#define MSK_OPERATION(name, parameters, arguments) void msk_gpu_##name parameters;
#include "compute/operations.inc"
#undef MSK_OPERATION

#endif
