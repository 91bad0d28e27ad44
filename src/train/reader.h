/* SPDX-License-Identifier: Apache-2.0
 *
 * reader.h - a tokenizer at work on one picture after another, with memory of its own. Belongs to
 * one thread. */
#ifndef MSK_TRAIN_READER_H
#define MSK_TRAIN_READER_H

#include "model/vqgan.h"

typedef struct msk_token_reader {
  const msk_vqgan *tokenizer;
  msk_stream stream;
  msk_arena arena;
  void *memory;
  size_t side, cells; /* pixels of a side, tokens of a picture */
  float *latents;
  int32_t *codes; /* of the picture that was read last */
} msk_token_reader;

/* pool may be NULL. msk_token_reader_close() is due in any case. */
msk_status msk_token_reader_open(msk_token_reader *reader, const msk_vqgan *tokenizer,
                                 const msk_device *device, msk_pool *pool, size_t side,
                                 msk_error *error);
void msk_token_reader_close(msk_token_reader *reader);
/* pixels: [side, side, 3] in 0..1. */
void msk_token_reader_read(msk_token_reader *reader, const float *pixels);

#endif
