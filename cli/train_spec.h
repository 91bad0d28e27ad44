/* SPDX-License-Identifier: Apache-2.0
 *
 * train_spec.h - a training run as its spec describes it (docs/training.md): the spec's file
 * becomes options of msk_train(), with the studio world or a folder of photos as the source of
 * pictures; a list of stages becomes one run after the other, each with the model that the one
 * before it wrote. */
#ifndef CLI_TRAIN_SPEC_H
#define CLI_TRAIN_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "app/json.h"
#include "masksketch_tools.h"
#include "photo_list.h"
#include "world.h"

enum { TRAIN_PATH = 4096, TRAIN_DESCRIPTION = 512, TRAIN_CLASS_NAME = 128 };

/* Texts and sources that the options point to; stays where it is while they are used. */
typedef struct train_spec {
  int stage_count;
  msk_train_options options; /* of the stage at hand, as all below */
  char tokenizer[TRAIN_PATH], work[TRAIN_PATH], output[TRAIN_PATH], start[TRAIN_PATH],
      photos[TRAIN_PATH];
  char description[2][TRAIN_DESCRIPTION];
  int style, crops;
  uint64_t seeds[2]; /* of the sets' first objects */
  /* of the world's objects, in the order of their labels */
  int kinds[WORLD_SHAPES], kind_count;
  char class_text[WORLD_SHAPES][TRAIN_CLASS_NAME]; /* their names with synonyms */
  const char *class_names[WORLD_SHAPES];
  photo_list list;
  msk_photo_source *source;
  /* of the whole spec */
  bool quiet; /* photos that are left out are another rank's to name */
  const char *path;
  json_t *object, *stages;
  char handed_on[TRAIN_PATH]; /* the model that the last stage wrote */
} train_spec;

/* Reads the file; train_spec_close() is due in any case. path stays the caller's. */
msk_status train_spec_open(train_spec *spec, const char *path, bool quiet, msk_error *error);
/* The options of stage 0, 1, ..., in turn; its work folder is made, and its photos are read. Paths
 * are taken from the spec's folder. Unknown keys and values of the wrong type are refused by
 * name. */
msk_status train_spec_stage(train_spec *spec, int index, msk_error *error);
void train_spec_close(train_spec *spec);

#endif
