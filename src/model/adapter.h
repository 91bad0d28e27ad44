/* SPDX-License-Identifier: Apache-2.0
 *
 * adapter.h - a class that was taught to a transformer after its training, in a file of its own:
 * the row of the class in the embedding, and low-rank additions to matrices of the layers (Hu et
 * al. 2021), of which each is a times b, in x rank and rank x out. Files are foreign: every tensor
 * is held against the transformer before it is used. Immutable after opening.
 *
 * The file is safetensors: tensors `class` [hidden], and `NAME.a` [in, rank] and `NAME.b`
 * [rank, out] for each adapted matrix NAME; as metadata `format`, the class's name, and the
 * hash of the model that it belongs to. */
#ifndef MSK_MODEL_ADAPTER_H
#define MSK_MODEL_ADAPTER_H

#include "model/maskgit.h"

#define MSK_ADAPTER_FORMAT "masksketch adapter 1"
#define MSK_ADAPTER_CLASS "class"
enum { MSK_ADAPTER_MAX_RANK = 256, MSK_MAX_CLASS_NAME = 1000 };

/* A new class may be called so: a text that no number is taken for. */
bool msk_class_name_is_fine(const char *name);

typedef struct msk_adapter {
  msk_weight_file *file; /* holds the texts below */
  const char *class_name, *model_hash, *model_name;
  size_t rank;
  char hash[65]; /* SHA-256 of the file */
} msk_adapter;

/* A matrix that adapters may add to: the tensor's name, its sides with those of heads joined. */
typedef struct msk_adapted_matrix {
  const char *name;
  size_t in, out;
} msk_adapted_matrix;
typedef msk_status msk_adapted_visit(void *user, const msk_adapted_matrix *matrix);
/* Lists them; stops at the first status that is not MSK_OK and returns it. */
msk_status msk_adapter_each_matrix(const msk_maskgit_config *config, msk_adapted_visit *visit,
                                   void *user);

msk_status msk_adapter_open(msk_adapter *adapter, const char *path,
                            const msk_maskgit_config *config, const msk_allocator *allocator,
                            msk_error *error);
void msk_adapter_close(msk_adapter *adapter); /* harmless on one of zeros */

/* Whether it adds to that matrix. */
bool msk_adapter_has(const msk_adapter *adapter, const char *name);
/* Floats of scratch memory for msk_adapter_add(). */
size_t msk_adapter_scratch(const msk_adapter *adapter, const msk_adapted_matrix *matrix);
/* values[in, out] += weight * a b, if it adds to that matrix. */
void msk_adapter_add(const msk_adapter *adapter, const msk_adapted_matrix *matrix, float weight,
                     float *scratch, float *values);
void msk_adapter_class_row(const msk_adapter *adapter, float *row);

#endif
