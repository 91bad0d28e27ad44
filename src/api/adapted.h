/* SPDX-License-Identifier: Apache-2.0
 *
 * adapted.h - a model file with adapters on it (model/adapter.h), as a weight file like any other:
 * what an adapter adds to is there in float32 with the addition, the words and their biases have a
 * row more for each adapter's class, before the mask's, which stays last, and the metadata list
 * the classes. Whoever opens or converts a model needs to know nothing of adapters. */
#ifndef MSK_API_ADAPTED_H
#define MSK_API_ADAPTED_H

#include "masksketch_tools.h"
#include "model/adapter.h"
#include "train/params.h"

/* A file's metadata: how many of its classes, the last ones, were taught by adapters. They are not
 * among those that a random unconditional pass takes, or the old classes' pictures would change. */
#define MSK_TAUGHT_CLASSES "taught_classes"
/* 0 where the file does not say. Refused: what is no number below `classes`. */
msk_status msk_taught_classes(const msk_weight_file *file, size_t classes, int *taught,
                              msk_error *error);

typedef struct msk_adapted {
  const msk_allocator *allocator;
  msk_weight_file *base, *file; /* as it lies on disk; with the adapters, `base` where none are */
  msk_adapter adapters[MSK_MAX_ADAPTERS]; /* in the order of their classes */
  int count;
  float *values; /* data of what is changed */
  size_t floats;
} msk_adapted;

/* measuring: shapes alone, and `floats`; no memory is taken for data, which is not to be read. */
msk_status msk_adapted_open(msk_adapted *adapted, const char *path,
                            const msk_adapter_choice *choices, int count, bool measuring,
                            const msk_allocator *allocator, msk_error *error);
/* The file with its transformer's tensors as they lie in a block, whose layout has one class more
 * than the file, and that class's name. The block stays the caller's. */
msk_status msk_adapted_replace(msk_adapted *adapted, const char *path, const msk_params *params,
                               float *block, const char *class_name, msk_error *error);
/* convert.c: a model file of it, as msk_convert() makes one of the options' paths. What was done
 * stands in the provenance. Closes `adapted`. */
msk_status msk_convert_adapted(const msk_convert_options *options, msk_adapted *adapted,
                               const char *done, msk_error *error);
/* The changed data have been used: their memory goes. */
void msk_adapted_forget(msk_adapted *adapted);
void msk_adapted_close(msk_adapted *adapted); /* harmless on one of zeros */

#endif
