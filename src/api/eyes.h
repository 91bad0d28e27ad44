/* SPDX-License-Identifier: Apache-2.0
 *
 * eyes.h - the insides of msk_clip (clip_calls.c) and msk_judge (judge_calls.c): networks that look
 * at pictures, each with a runner of its own. */
#ifndef MSK_API_EYES_H
#define MSK_API_EYES_H

#include "api/runner.h"
#include "masksketch_tools.h"
#include "model/clip.h"
#include "model/clip_bpe.h"
#include "model/judge.h"

struct msk_clip {
  const msk_allocator *allocator;
  msk_clip_config config;
  msk_weight_file *file; /* as long as the CPU may have to load it in a GPU's place, else NULL */
  msk_runner runner;
  msk_clip_towers *towers;
  msk_clip_bpe *bpe;
};

struct msk_judge {
  const msk_allocator *allocator;
  msk_judge_config config;
  msk_weight_file *file; /* as msk_clip's */
  msk_runner runner;
  msk_judge_network *network;
  char *class_text; /* one block that holds the class names */
  const char **class_names;
  float *pixels, *logits, *silhouette, *damage, *features; /* one picture; one block, at `pixels` */
};

#endif
