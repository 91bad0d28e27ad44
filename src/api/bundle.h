/* SPDX-License-Identifier: Apache-2.0
 *
 * bundle.h - what an opened model file is: tokenizer, transformer, class names, the model's own
 * defaults. Immutable after opening, shared between threads. Also the names under which a
 * run-time file holds things, and the check that a tokenizer and a transformer belong together. */
#ifndef MSK_API_BUNDLE_H
#define MSK_API_BUNDLE_H

#include "masksketch_tools.h"
#include "model/maskgit.h"
#include "model/vqgan.h"
#include "sampling/recipe.h"

#define MSK_BUNDLE_FORMAT "masksketch 1" /* value of the metadata key "format" */
/* of a file with matrices in codes of 8 bits, which older programs must not open */
#define MSK_BUNDLE_FORMAT_CODES "masksketch 2"
#define MSK_BUNDLE_TOKENIZER "tokenizer." /* prefixes of tensor names */
#define MSK_BUNDLE_TRANSFORMER "transformer."

enum { MSK_MAX_DEFAULTS = 64 }; /* recipe values that a model brings along */

/* The metadata entry "defaults" (JSON, docs/formats.md), parsed. Memory is its own. */
typedef struct msk_bundle_defaults {
  msk_model_defaults recipe; /* what src/sampling wants to know; pairs points to `pairs` */
  msk_default_pair pairs[MSK_MAX_DEFAULTS];
  char *text;        /* holds keys and values of the pairs */
  size_t groups;     /* GroupNorm groups; 32 if not said */
  size_t image_size; /* as declared, 0: not said */
  uint8_t *hidden;   /* class_count flags */
} msk_bundle_defaults;

struct msk_model {
  const msk_allocator *allocator;
  msk_weight_file *file; /* metadata strings stay valid with it */
  msk_device *device;
  msk_vqgan *tokenizer;
  msk_maskgit *transformer;
  char *class_text; /* one block that holds the class names */
  const char **class_names;
  int class_count, latent_size, image_size, codes, positions;
  size_t parameters;
  const char *name, *hash;
  msk_bundle_defaults defaults;
};

/* What opening takes, from the table of tensors. */
msk_status msk_bundle_plan(msk_memory_plan *plan, const char *path,
                           const msk_model_options *options, msk_error *error);
/* Opens, checks, packs. *model is untouched on failure. */
msk_status msk_bundle_open(msk_model **model, const char *path, const msk_model_options *options,
                           msk_error *error);
void msk_bundle_close(msk_model *model);

/* What a tokenizer and a transformer make together: classes = vocabulary - codes - 1,
 * latent_size^2 + 1 = positions. Sizes that do not fit each other are refused. `path` stands in
 * messages. */
msk_status msk_bundle_match(const msk_vqgan_config *tokenizer,
                            const msk_maskgit_config *transformer, const char *path,
                            size_t *class_count, size_t *latent_size, msk_error *error);
/* Parses a "defaults" object (NULL: none said). Unknown keys, wrong types, layers and classes
 * out of range are refused; values of recipe keys are not looked at here. layers 0: depth
 * unknown. On failure nothing stays allocated. */
msk_status msk_defaults_parse(msk_bundle_defaults *defaults, const char *json, size_t class_count,
                              size_t layers, const char *path, const msk_allocator *allocator,
                              msk_error *error);
void msk_defaults_free(msk_bundle_defaults *defaults, const msk_allocator *allocator);

#endif
