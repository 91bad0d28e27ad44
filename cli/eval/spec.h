/* SPDX-License-Identifier: Apache-2.0
 *
 * spec.h - the SPEC of an evaluation (docs/eval.md): JSON from anybody, checked key by key and
 * brought to one form, in which every list is a list and every setting a text. Two SPECs that
 * mean the same pictures have the same form; it is what a results folder is held against. */
#ifndef CLI_EVAL_SPEC_H
#define CLI_EVAL_SPEC_H

#include <jansson.h>

#include "app/output.h"
#include "all_options.h"

enum {
  MAX_SPEC_BYTES = 1 << 20,
  MAX_SPEC_MODELS = 16,
  MAX_SPEC_RECIPES = 16,
  MAX_SPEC_KEYS = 16,
  MAX_SPEC_VALUES = 256, /* of one key */
  MAX_SPEC_SKETCHES = 500,
  MAX_SPEC_SEEDS = 1000,
  MAX_SPEC_VIEWS = 32, /* plots, and sheets */
  MAX_SPEC_TEXT = 400,
  MAX_SPEC_PICTURES = 100000
};

typedef struct eval_spec {
  json_t *root;                /* the one form; owns everything below */
  char folder[MAX_PATH_BYTES]; /* of the SPEC, with its slash: where relative paths begin; or "" */
  const char *title, *text;    /* text: what CLIP holds pictures against, with {class} in it */
  const char *reference;       /* folder of pictures for the distances, or NULL */
  int tile;                    /* pixels a side of a picture in the report */
  json_t *models, *recipes;    /* texts */
  json_t *settings;            /* key -> texts */
  /* objects: file, class, name, subject, level, mask (may be missing), fit, invert,
   * photo_of_paper */
  json_t *sketches;
  json_t *seeds;          /* integers */
  json_t *scores;         /* texts: structure, judge, clip; or NULL: what is at hand */
  json_t *plots, *sheets; /* objects of texts, or NULL: chosen by the program */
} eval_spec;

/* Reads and checks a SPEC; nothing of it is opened yet. MSK_ERROR_FILE with what is wrong and
 * what is valid. */
msk_status eval_spec_load(eval_spec *spec, const char *path, msk_error *error);
void eval_spec_free(eval_spec *spec);

/* Text `index` of a list of texts; field of sketch `index`, NULL where it is missing. */
const char *eval_spec_text(const json_t *list, size_t index);
const char *eval_spec_sketch(const eval_spec *spec, size_t index, const char *field);
/* A path of the SPEC as the program opens it: relative ones begin at the SPEC's folder. */
msk_status eval_spec_path(char path[MAX_PATH_BYTES], const eval_spec *spec, const char *given,
                          msk_error *error);
/* The recipe of a combination of settings, as a request wants it: `values` has the index of the
 * value of each key. `model` NULL: the settings alone are checked. */
msk_status eval_spec_recipe(msk_recipe *recipe, const eval_spec *spec, const msk_model *model,
                            const char *name, const int *values, msk_error *error);
#endif
