/* SPDX-License-Identifier: Apache-2.0
 *
 * train_spec.h - a training run as its spec describes it (docs/training.md): the spec's file
 * becomes options of msk_train(), with the studio world as the source of pictures. */
#ifndef CLI_TRAIN_SPEC_H
#define CLI_TRAIN_SPEC_H

#include <stdint.h>

#include "masksketch_tools.h"

enum { TRAIN_PATH = 4096, TRAIN_DESCRIPTION = 64 };

/* Texts and the world that the options point to; stays where it is while they are used. */
typedef struct train_spec {
  msk_train_options options;
  char tokenizer[TRAIN_PATH], work[TRAIN_PATH], output[TRAIN_PATH], start[TRAIN_PATH];
  char description[2][TRAIN_DESCRIPTION];
  int style;
  uint64_t seeds[2]; /* of the sets' first objects */
} train_spec;

/* Reads the file; paths in it are taken from its folder. Unknown keys and values of the wrong type
 * are refused by name. */
msk_status train_spec_read(train_spec *spec, const char *path, msk_error *error);

#endif
