/* SPDX-License-Identifier: Apache-2.0
 *
 * clip_vocabulary.h - vocab.json: one flat JSON object, token's spelling -> id. Kept only while
 * a tokenizer is made. The parser knows this shape alone, so nothing can nest; spellings are
 * decoded into one block that is no larger than the file, and sorted for look-up (n log n for
 * every input). */
#ifndef MSK_MODEL_CLIP_VOCABULARY_H
#define MSK_MODEL_CLIP_VOCABULARY_H

#include "model/clip_bpe.h"

typedef struct msk_clip_word {
  uint32_t first, length; /* its bytes inside the text block */
  const uint8_t *text;
  int32_t id;
} msk_clip_word;

typedef struct msk_clip_vocabulary {
  uint8_t *text;
  msk_clip_word *words; /* ascending */
  size_t count;
} msk_clip_vocabulary;

/* Every id lies in 0..limit-1 and none is given twice. */
msk_status msk_clip_vocabulary_parse(msk_clip_vocabulary *vocabulary, const msk_clip_file *file,
                                     size_t limit, const msk_allocator *allocator,
                                     msk_error *error);
void msk_clip_vocabulary_free(msk_clip_vocabulary *vocabulary, const msk_allocator *allocator);
/* The id of the spelling left + right, or -1. */
int32_t msk_clip_vocabulary_find(const msk_clip_vocabulary *vocabulary, const void *left,
                                 size_t left_bytes, const void *right, size_t right_bytes);
#endif
