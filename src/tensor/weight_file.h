/* SPDX-License-Identifier: Apache-2.0
 *
 * weight_file.h - weight files behind one interface: named tensors over a mapped file, plus
 * string metadata. safetensors.c reads safetensors and flax.c Flax msgpack checkpoints;
 * safetensors_write.c and flax_write.c write them. Every byte is foreign: all sizes are checked
 * before use. Names of a Flax file are the path joined by '.', starting below `params` (which may
 * be absent, or lie inside a training state). A tensor's data may be unaligned; msk_tensor_to_f32()
 * reads any float type. Chunked Flax arrays are joined (allocated). */
#ifndef MSK_TENSOR_WEIGHT_FILE_H
#define MSK_TENSOR_WEIGHT_FILE_H

#include <stdbool.h>

#include "masksketch_tools.h"

typedef struct msk_tensor {
  const char *name;
  msk_dtype dtype;
  int rank;
  size_t shape[MSK_MAX_RANK];
  size_t elements, bytes;
  const uint8_t *data; /* inside the file's mapping or memory; little-endian */
} msk_tensor;

typedef struct msk_weight_file msk_weight_file;

/* Opens and checks a file of either kind (told by its first bytes). */
msk_status msk_weight_file_open(msk_weight_file **file, const char *path,
                                const msk_allocator *allocator, msk_error *error);
/* From memory that outlives the file: for fuzzing and tests. */
msk_status msk_weight_file_parse(msk_weight_file **file, const uint8_t *bytes, size_t byte_count,
                                 const char *name, const msk_allocator *allocator,
                                 msk_error *error);
void msk_weight_file_close(msk_weight_file *file);
const char *msk_weight_file_kind(const msk_weight_file *file); /* "safetensors", "flax" */
const char *msk_weight_file_path(const msk_weight_file *file);
size_t msk_weight_file_count(const msk_weight_file *file);
/* sorted by name */
const msk_tensor *msk_weight_file_at(const msk_weight_file *file, size_t index);
/* NULL if missing */
const msk_tensor *msk_weight_file_find(const msk_weight_file *file, const char *name);
/* the key, sorted; NULL past the end */
const char *msk_weight_file_metadata_at(const msk_weight_file *file, size_t index,
                                        const char **value);
/* NULL if missing */
const char *msk_weight_file_metadata(const msk_weight_file *file, const char *key);

/* A tensor's data has been used: pages of a mapped file are given back, and read again if it is
 * looked at once more. */
void msk_weight_file_forget(const msk_weight_file *file, const msk_tensor *tensor);
/* The bytes of the file as it lies on disk; NULL for one that was parsed from memory or is a
 * view. */
const uint8_t *msk_weight_file_bytes(const msk_weight_file *file, size_t *byte_count);
/* A "file" of just these tensors and entries (any order, names and keys all different): texts and
 * table are copied, the tensors' data stay where they are. For tensors under other names and shapes
 * than their file has, or with other data. `kind` must stay. */
typedef struct msk_metadata_entry {
  const char *key, *value;
} msk_metadata_entry;
msk_status msk_weight_file_view(msk_weight_file **view, const char *path, const char *kind,
                                const msk_tensor *tensors, size_t count,
                                const msk_metadata_entry *metadata, size_t metadata_count,
                                const msk_allocator *allocator, msk_error *error);

size_t msk_dtype_bytes(msk_dtype dtype);
/* Elements first .. first+count-1 as float32. dtype F32, F16, BF16 or F64. */
void msk_tensor_to_f32(const msk_tensor *tensor, size_t first, size_t count, float *values);
/* to[i] = from[i] in binary16; false if one of them is no binary16 number. */
bool msk_narrow_fp16(const float *from, size_t count, uint16_t *to);
bool msk_dtype_is_float(msk_dtype dtype); /* F32, F16, BF16, F64 */
/* Refuses, naming the tensor, what is no float type or holds NaN or infinity. To be called on
 * every tensor that is loaded for use. */
msk_status msk_tensor_check_finite(const msk_tensor *tensor, const char *path, msk_error *error);
/* float32 -> F32, F16 or BF16, round to nearest even. */
void msk_f32_to_dtype(const float *values, size_t count, msk_dtype dtype, void *out);

/* Writing: tensors (any order) and metadata -> a file, whole or not at all. Data is asked for
 * tensor by tensor, in file order, so that a converter needs memory for one tensor only. fill()
 * writes exactly tensors[index].bytes to `out`; tensors[].data is not looked at. The same input
 * gives the same bytes: wide elements first, then by name; the header is padded so that the data
 * begins at a multiple of 64. */
/* that order, as for qsort */
int msk_safetensors_compare(const msk_tensor *a, const msk_tensor *b);
typedef msk_status msk_tensor_fill(void *user, size_t index, void *out, msk_error *error);
msk_status msk_safetensors_write(const char *path, const msk_tensor *tensors, size_t count,
                                 const msk_metadata_entry *metadata, size_t metadata_count,
                                 msk_tensor_fill *fill, void *user, const msk_allocator *allocator,
                                 msk_error *error);
/* Likewise a Flax msgpack checkpoint: below `params`, maps nested by the dots in the names, and
 * float32 arrays (so tensors[].dtype is F32), each below 4 GiB. */
msk_status msk_flax_write(const char *path, const msk_tensor *tensors, size_t count,
                          msk_tensor_fill *fill, void *user, const msk_allocator *allocator,
                          msk_error *error);
#endif
