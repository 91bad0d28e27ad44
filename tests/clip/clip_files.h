/* SPDX-License-Identifier: Apache-2.0
 *
 * clip_files.h - what the CLIP tests share: the golden vocabulary, the golden prompts, and a folder with the golden model. Test code only. */
#ifndef CLIP_FILES_H
#define CLIP_FILES_H

#include "model/clip_bpe.h"
#include "support.h"

enum { MAX_PROMPTS = 80, CONTEXT = 77 };

typedef struct prompt {
  char name[32], text[2048];
  int32_t ids[CONTEXT];
  size_t length;
} prompt;

/* tests/golden/clip/text/prompts.tsv; returns how many. */
size_t prompts_load(prompt *prompts);
/* A whole file; bytes are freed with free(). */
msk_clip_file file_load(const char *path);
msk_clip_bpe *bpe_open(void);
#endif
