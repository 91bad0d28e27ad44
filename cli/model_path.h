/* SPDX-License-Identifier: Apache-2.0
 *
 * model_path.h - which model file is meant: --model PATH|NAME, else $MASKSKETCH_MODEL, else the
 * default model, which is looked for where the program was installed, in its build folder's
 * source tree, and in the working directory's models/. */
#ifndef CLI_MODEL_PATH_H
#define CLI_MODEL_PATH_H

#include "options.h"
#include "output.h"

/* `given`: what --model says, or NULL. MSK_ERROR_FILE with how to get one. */
msk_status model_path_find(char path[MAX_PATH_BYTES], const char *given, msk_error *error);
/* How a picture was computed. */
typedef struct model_arithmetic {
  const char *isa; /* NULL: the best */
  msk_precision precision, decode_precision;
} model_arithmetic;

/* Finds and opens it with --threads, --isa, --precision and --decode-precision; where these were
 * not given, with `then`'s (NULL: the defaults). */
msk_status model_path_open(msk_model **model, const cli_options *options,
                           const model_arithmetic *then, msk_error *error);
/* The folder of a CLIP: as given, else models/clip beside the default model. */
msk_status model_path_find_clip(char path[MAX_PATH_BYTES], const char *given, msk_error *error);
/* The judge's file: as given, else judge.safetensors beside the default model, or where training
 * leaves it in the source tree. */
msk_status model_path_find_judge(char path[MAX_PATH_BYTES], const char *given, msk_error *error);
#endif
