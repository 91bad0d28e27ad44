/* SPDX-License-Identifier: Apache-2.0
 *
 * model_path.h - which model file is meant: --model PATH|NAME, else $MASKSKETCH_MODEL, else the
 * default model, which is looked for where the program was installed, in its build folder's
 * source tree, in the working directory's models/, and where `masksketch pull` puts models. */
#ifndef APP_MODEL_PATH_H
#define APP_MODEL_PATH_H

#include <stdbool.h>

#include "app/output.h"
#include "masksketch_tools.h"

/* `given`: what --model says, or NULL. MSK_ERROR_FILE with how to get one. */
msk_status model_path_find(char path[MAX_PATH_BYTES], const char *given, msk_error *error);
/* Adapters, each as FILE or FILE:WEIGHT. */
typedef struct adapter_list {
  const char *at[MSK_MAX_ADAPTERS];
  int count;
} adapter_list;
typedef struct adapter_paths {
  char paths[MSK_MAX_ADAPTERS][MAX_PATH_BYTES];
  msk_adapter_choice choices[MSK_MAX_ADAPTERS];
} adapter_paths;
/* Taken apart; a weight is what follows the last colon, if that is a number, else 1. */
msk_status adapters_parse(adapter_paths *parsed, const adapter_list *list, msk_error *error);

/* Which model, and how it computes. */
typedef struct model_choice {
  const char *name;                /* PATH|NAME, or NULL: the default */
  const char *isa;                 /* NULL: the best */
  const char *device;              /* as in msk_model_options */
  int precision, decode_precision; /* a msk_precision, or -1: the defaults */
  int threads;                     /* 0: all */
  adapter_list adapters;
  bool tell_memory; /* says on standard error what it takes, before it is taken */
} model_choice;

/* Finds and opens it; warnings go to standard error. */
msk_status model_path_open(msk_model **model, const model_choice *choice, msk_error *error);
/* Networks that look at pictures, computed as the choice says: a folder, a file. `model`, if not
 * NULL: the choice's, opened; where it is the CPU's after all, so are they ("auto"). */
msk_status model_path_open_clip(msk_clip **clip, const char *folder, const model_choice *choice,
                                const msk_model *model, msk_error *error);
msk_status model_path_open_judge(msk_judge **judge, const char *file, const model_choice *choice,
                                 msk_error *error);
/* `below` in the user's data folder ($XDG_DATA_HOME, else ~/.local/share). False where there is
 * none, or the path is too long. */
bool model_path_user_data(char folder[MAX_PATH_BYTES], const char *below);
/* Where models that were pulled are, with its slash: masksketch/models/ in $XDG_DATA_HOME, or in
 * ~/.local/share. False where there is neither, or the name is too long. */
bool model_path_user_folder(char folder[MAX_PATH_BYTES]);
/* The list of models that can be pulled, beside the default model. */
msk_status model_path_find_manifest(char path[MAX_PATH_BYTES], msk_error *error);
/* The folder of a CLIP: as given, else models/clip beside the default model. */
msk_status model_path_find_clip(char path[MAX_PATH_BYTES], const char *given, msk_error *error);
/* The folder of the drawings that come with the program; false where there is none. */
bool model_path_find_examples(char path[MAX_PATH_BYTES]);
/* The judge's file: as given, else judge.safetensors beside the default model, or where training
 * leaves it in the source tree. */
msk_status model_path_find_judge(char path[MAX_PATH_BYTES], const char *given, msk_error *error);
#endif
