/* SPDX-License-Identifier: Apache-2.0
 *
 * clip_bpe.h - CLIP's byte-level BPE tokenizer from Hugging Face's vocab.json and merges.txt.
 * Both are foreign: a word that is no text, an id that is given twice or lies outside the
 * vocabulary, a merge that makes no word of it are refused with the place named. Immutable,
 * shared between threads. The spelling of a special token ("<|endoftext|>") in a text is
 * ordinary text. */
#ifndef MSK_MODEL_CLIP_BPE_H
#define MSK_MODEL_CLIP_BPE_H

#include "masksketch.h"

typedef struct msk_clip_bpe msk_clip_bpe;

/* A file's bytes and its name for messages. */
typedef struct msk_clip_file {
  const uint8_t *bytes;
  size_t byte_count;
  const char *path;
} msk_clip_file;

/* vocabulary: ids lie in 0..vocabulary-1. The files are not needed afterwards. */
msk_status msk_clip_bpe_create(msk_clip_bpe **bpe, const msk_clip_file *vocab,
                               const msk_clip_file *merges, size_t vocabulary,
                               const msk_allocator *allocator, msk_error *error);
void msk_clip_bpe_destroy(msk_clip_bpe *bpe);
int32_t msk_clip_bpe_end_token(const msk_clip_bpe *bpe);

/* Start token, the cleaned text's tokens, end token: ids[0..*count-1], at most `limit` (>= 2) of
 * them. *whole is what the text would take uncut; where it is larger than limit, the text is cut
 * and the end token stands last. Text: UTF-8 of at most MSK_CLIP_MAX_TEXT bytes. */
msk_status msk_clip_bpe_encode(const msk_clip_bpe *bpe, const char *text, size_t limit,
                               int32_t *ids, size_t *count, size_t *whole, msk_error *error);
#endif
