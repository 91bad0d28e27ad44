/* SPDX-License-Identifier: Apache-2.0
 *
 * bundle.h - what an opened model file is: tokenizer, transformer, class names, the model's own defaults. Immutable after opening, shared between
 * threads. Also the names under which a run-time file holds things, and the check that a tokenizer and a transformer belong together. */
#ifndef MSK_MODEL_BUNDLE_H
#define MSK_MODEL_BUNDLE_H

#include "model/maskgit.h"
#include "model/vqgan.h"

#define MSK_BUNDLE_FORMAT "masksketch 1"        /* value of the metadata key "format" */
#define MSK_BUNDLE_TOKENIZER "tokenizer."       /* prefixes of tensor names */
#define MSK_BUNDLE_TRANSFORMER "transformer."

enum { MSK_MAX_DEFAULTS = 32 };

/* The metadata entry "defaults" (JSON, docs/formats.md), parsed. */
typedef struct msk_model_defaults {
  int layers[MSK_MAX_LAYERS], layer_count; /* structure layers, ascending; 0: none said */
  int null_class;                          /* trained "no class" label, -1: none */
  int start_from_sketch;                   /* 1, 0; -1: not said */
  int setting_count;
  struct { const char *key, *value; } settings[MSK_MAX_DEFAULTS]; /* recipe values as text that msk_recipe_set() takes, in the file's order */
  size_t groups;                           /* GroupNorm groups; 32 if not said */
} msk_model_defaults;

struct msk_model {
  const msk_allocator *allocator;
  msk_weight_file *file;      /* metadata strings and name stay valid with it */
  msk_device *device;
  msk_vqgan *tokenizer;
  msk_maskgit *transformer;
  char *text;                 /* one block that holds all strings below */
  const char **class_names;
  uint8_t *class_hidden;
  int class_count;
  int latent_size, image_size;
  size_t parameters;
  const char *name, *hash;
  msk_model_defaults defaults;
};

/* Opens, checks, packs. *model is untouched on failure. */
msk_status msk_bundle_open(msk_model **model, const char *path, const msk_model_options *options, msk_error *error);
void msk_bundle_close(msk_model *model);

/* What a tokenizer and a transformer make together: class_count = vocabulary - codes - 1, latent_size^2 + 1 = positions. Sizes that do not fit each
 * other are refused. class_count in: how many class names there are, 0 if unknown. */
msk_status msk_bundle_match(const msk_vqgan_config *tokenizer, const msk_maskgit_config *transformer, size_t *class_count, size_t *latent_size,
                            const char *path, msk_error *error);
/* Parses the "defaults" entry (NULL: none). Strings go into `text`, which the caller provides with strlen(json) + 1 bytes for every JSON byte
 * (msk_defaults_text_bytes()); hidden classes are marked in class_hidden. */
msk_status msk_defaults_parse(msk_model_defaults *defaults, const char *json, char *text, uint8_t *class_hidden, size_t class_count,
                              const char *path, msk_error *error);
size_t msk_defaults_text_bytes(const char *json);
#endif
