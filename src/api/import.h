/* SPDX-License-Identifier: Apache-2.0
 *
 * import.h - one network's tensors out of whatever file a user has: a Flax checkpoint,
 * safetensors under the authors' names (with or without the run-time prefix), or a tokenizer
 * under the names of open-muse. The result is the authors' names, shapes and layouts over the
 * source's data. */
#ifndef MSK_API_IMPORT_H
#define MSK_API_IMPORT_H

#include "model/weights.h"

typedef struct msk_import_tensor {
  char name[MSK_WEIGHT_NAME]; /* the authors' name, no prefix */
  /* the authors' shape; dtype and data are the source's; name is not set */
  msk_tensor tensor;
  /* the data is out x in x height x width, to become height x width x in x out */
  bool permuted;
} msk_import_tensor;

typedef struct msk_import {
  msk_weight_file *file;
  msk_import_tensor *tensors;
  size_t count;
} msk_import;

typedef enum msk_import_kind { MSK_IMPORT_TOKENIZER, MSK_IMPORT_TRANSFORMER } msk_import_kind;

/* Opens and translates; a file that holds the other network is refused with a hint. *import is
 * untouched on failure. */
msk_status msk_import_open(msk_import *import, const char *path, msk_import_kind kind,
                           const msk_allocator *allocator, msk_error *error);
/* The same of a file that is open, which is the import's from now on, also on failure. */
msk_status msk_import_take(msk_import *import, msk_weight_file *file, msk_import_kind kind,
                           const msk_allocator *allocator, msk_error *error);
void msk_import_close(msk_import *import, const msk_allocator *allocator);
/* A view of the imported tensors, for checking them against a network. */
msk_status msk_import_view(msk_weight_file **view, const msk_import *import,
                           const msk_allocator *allocator, msk_error *error);
/* All elements of a tensor as float32 in the authors' layout. `scratch`: as many floats as
 * `values`, used only where `permuted`. */
void msk_import_values(const msk_import_tensor *tensor, float *values, float *scratch);
#endif
