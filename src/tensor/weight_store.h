/* SPDX-License-Identifier: Apache-2.0
 *
 * weight_store.h - inside of an opened weight file, shared by the readers of this folder. A
 * reader runs twice over the bytes: first measuring (how many tensors, how much text), then
 * placing; so memory is taken once, after everything but the order of the ranges has been
 * checked, and never more than the file itself has bytes plus MSK_STORE_ALLOWANCE. The bytes are
 * mapped, and another process may rewrite them in between: what does not fit into the room that
 * was measured is not placed, and the file is refused. */
#ifndef MSK_TENSOR_WEIGHT_STORE_H
#define MSK_TENSOR_WEIGHT_STORE_H

#include "base/file.h"
#include "tensor/weight_file.h"

#define MSK_STORE_ALLOWANCE ((size_t)64 << 10)

struct msk_weight_file {
  const msk_allocator *allocator;
  char *path;
  const char *kind;
  msk_mapping mapping;          /* empty when the bytes are the caller's */
  msk_tensor *tensors;          /* sorted by name */
  msk_metadata_entry *metadata; /* sorted by key */
  size_t count, metadata_count;
  char *text;      /* names, keys, values */
  uint8_t *joined; /* data of chunked arrays */
};

typedef struct msk_store_counts {
  size_t tensors, metadata, text, joined;
} msk_store_counts;

typedef struct msk_store {
  msk_weight_file *file;
  const char *path;
  msk_error *error;
  bool placing, changed;       /* changed: something no longer fits into `room` */
  msk_store_counts used, room; /* counted or placed so far; what was measured */
} msk_store;

typedef msk_status msk_store_reader(msk_store *store, const uint8_t *bytes, size_t byte_count);
msk_store_reader msk_safetensors_read, msk_flax_read;

/* Room for `bytes` of text; NULL when measuring, and when there is none. Likewise for joined
 * data, whose rooms follow one another, and for a tensor and a metadata entry, which are
 * copied. */
char *msk_store_text(msk_store *store, size_t bytes);
uint8_t *msk_store_joined(msk_store *store, size_t bytes);
void msk_store_tensor(msk_store *store, const msk_tensor *tensor);
void msk_store_metadata(msk_store *store, const char *key, const char *value);

/* elements and bytes of a shape by checked multiplication; false on overflow. A side of 0 makes
 * both 0. */
bool msk_shape_size(int rank, const size_t *shape, msk_dtype dtype, size_t *elements,
                    size_t *bytes);
/* In place, without memory (qsort of the C library takes some). */
void msk_sort(void *items, size_t count, size_t item_bytes,
              int (*compare)(const void *, const void *));
#endif
