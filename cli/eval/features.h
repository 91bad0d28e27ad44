/* SPDX-License-Identifier: Apache-2.0
 *
 * features.h - numbers that stand for a picture where sets of pictures are compared: the judge's
 * features, or CLIP's embeddings. */
#ifndef CLI_EVAL_FEATURES_H
#define CLI_EVAL_FEATURES_H

#include "app/progress.h"
#include "all_options.h"

enum {
  FEATURES_JUDGE,
  FEATURES_CLIP,
  FEATURE_KINDS,
  MAX_FOLDER_PICTURES = 100000,
  MAX_FEATURE_BYTES = 1 << 30
};

/* The two networks that look at pictures; NULL: not at hand. Each belongs to one thread. */
typedef struct eval_eyes {
  msk_judge *judge;
  msk_clip *clip;
  msk_judge_info judge_info;
  msk_clip_info clip_info;
  char judge_path[4096], clip_path[4096]; /* file, folder */
} eval_eyes;

/* Opens what `--judge` and `--clip` name, else what comes with the program. One that is `wanted`
 * and not there is an error; one that is not wanted is not opened. `maybe`: what is not there is
 * left out. */
typedef enum eval_wish { EYE_UNWANTED, EYE_MAYBE, EYE_WANTED } eval_wish;
msk_status eval_eyes_open(eval_eyes *eyes, const cli_options *options, eval_wish judge,
                          eval_wish clip, msk_error *error);
void eval_eyes_close(eval_eyes *eyes);
bool eval_eyes_have(const eval_eyes *eyes, int kind);
int eval_eyes_dimensions(const eval_eyes *eyes, int kind);
const char *eval_features_name(int kind); /* "judge", "clip" */
/* dimensions floats. */
msk_status eval_eyes_features(eval_eyes *eyes, int kind, const msk_image *image, float *values,
                              msk_error *error);

/* Features of every picture (PNG, JPEG, WebP) directly in a folder, in the order of their names.
 * `values` is to free(). */
typedef struct eval_folder {
  float *values[FEATURE_KINDS]; /* NULL: this kind was not asked for, or is not at hand */
  int count;
} eval_folder;
msk_status eval_folder_look(eval_folder *folder, eval_eyes *eyes, const bool kinds[FEATURE_KINDS],
                            const char *path, bool quiet, msk_error *error);
void eval_folder_free(eval_folder *folder);
#endif
