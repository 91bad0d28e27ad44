/* SPDX-License-Identifier: Apache-2.0
 *
 * model.h - what an opened model file is: tokenizer, transformer, class names, the model's own
 * defaults. Immutable after opening, shared between threads. Also the names under which a
 * run-time file holds things, and the check that a tokenizer and a transformer belong together. */
#ifndef MSK_API_MODEL_H
#define MSK_API_MODEL_H

#include "api/adapted.h"
#include "masksketch_tools.h"
#include "model/maskgit.h"
#include "model/vqgan.h"
#include "sampling/recipe.h"

#define MSK_MODEL_FORMAT "masksketch 1" /* value of the metadata key "format" */
/* of a file with int8 matrices, which older programs must not open */
#define MSK_MODEL_FORMAT_INT8 "masksketch 2"
#define MSK_MODEL_TOKENIZER "tokenizer." /* prefixes of tensor names */
#define MSK_MODEL_TRANSFORMER "transformer."

enum { MSK_MAX_DEFAULTS = 64 }; /* recipe values that a model brings along */

/* The metadata entry "defaults" (JSON, docs/formats.md), parsed. Memory is its own. */
typedef struct msk_file_defaults {
  msk_model_defaults recipe; /* what src/sampling wants to know; pairs points to `pairs` */
  msk_default_pair pairs[MSK_MAX_DEFAULTS];
  char *text;        /* holds keys and values of the pairs */
  size_t groups;     /* GroupNorm groups; 32 if not said */
  size_t image_size; /* as declared, 0: not said */
  uint8_t *hidden;   /* class_count flags */
  msk_fit fit;       /* of drawings; stretch if not said */
} msk_file_defaults;

typedef struct msk_spare msk_spare; /* spare.h */

struct msk_model {
  const msk_allocator *allocator;
  msk_adapted adapted;
  const msk_weight_file *file; /* the adapted one; metadata strings stay valid with it */
  msk_device *device;
  msk_device *gpu;       /* on which the networks are; NULL: on `device` */
  msk_spare *spare;      /* beside a gpu: what there is if that fails */
  char device_line[600]; /* why the device "auto" is the CPU; empty: nothing to say */
  msk_vqgan *tokenizer;
  msk_maskgit *transformer;
  char *class_text; /* one block that holds the class names */
  const char **class_names;
  int taught; /* of the classes, the last ones: by adapters, in the file or beside it */
  int class_count, latent_size, image_size, codes, positions;
  size_t parameters;
  const char *name, *hash; /* hash: of the tensors without adapters */
  double adapter_weights[MSK_MAX_ADAPTERS];
  msk_file_defaults defaults;
};

/* What the two networks make together: classes = vocabulary - codes - 1, latent_size^2 + 1 =
 * positions. Sizes that do not fit each other are refused. `path`, the transformer's, stands in
 * messages. */
msk_status msk_networks_match(const msk_vqgan_config *tokenizer,
                              const msk_maskgit_config *transformer, const char *path,
                              size_t *class_count, size_t *latent_size, msk_error *error);

/* The type of numbers that a model file's matrices are kept in; F32 where that is 8 bits. */
msk_dtype msk_model_dtype(const msk_weight_file *file);

/* Parses a "defaults" object (NULL: none said). Unknown keys, wrong types, layers and classes
 * out of range are refused; values of recipe keys are not looked at here. On failure nothing
 * stays allocated. */
msk_status msk_defaults_parse(msk_file_defaults *defaults, const char *json, size_t class_count,
                              size_t layers, const char *path, const msk_allocator *allocator,
                              msk_error *error);
void msk_defaults_free(msk_file_defaults *defaults, const msk_allocator *allocator);

#endif
