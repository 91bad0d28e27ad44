/* SPDX-License-Identifier: Apache-2.0
 *
 * clip_files.h - what the CLIP tests share: the golden vocabulary, the golden prompts, and a
 * folder with the golden model. Test code only. */
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

/* What Hugging Face's tokenizers give for a prompt whose golden ids ftfy or html.unescape made. */
typedef struct other_ids {
  char name[32];
  int32_t fast[CONTEXT], slow[CONTEXT];
  size_t fast_length, slow_length;
} other_ids;

/* tests/golden/clip/text/huggingface.tsv; returns how many. */
size_t other_ids_load(other_ids *others);
/* A whole file; bytes are freed with free(). */
msk_clip_file file_load(const char *path);
msk_clip_bpe *bpe_open(void);
/* Writes the golden model's four files into a folder; config: its name in golden/clip/model. */
void clip_write(const char *folder, const char *config);
/* The same model with 515 words, of which most are letters: opened a hundred times as fast. */
void clip_write_small(const char *folder);
/* FOLDER/NAME in a buffer that the next call reuses; and a text as a file there. */
const char *clip_path(const char *folder, const char *name);
void clip_write_text(const char *folder, const char *name, const char *text);
#endif
