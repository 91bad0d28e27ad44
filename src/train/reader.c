/* SPDX-License-Identifier: Apache-2.0
 * reader.c - see reader.h. */
#include "train/reader.h"

#include "base/error.h"
#include "base/memory.h"
#include "compute/stream.h"

void msk_token_reader_read(msk_token_reader *r, const float *pixels) {
  msk_vqgan_encode(r->tokenizer, &r->stream, &r->arena, pixels, 1, r->side, r->side, r->latents,
                   NULL);
  msk_vqgan_quantise(r->tokenizer, &r->stream, r->latents, r->cells, r->codes);
}

static void lay_results(msk_token_reader *r, msk_arena *arena) {
  size_t dim = msk_vqgan_get_config(r->tokenizer)->dim;
  r->latents = msk_arena_take(arena, r->cells * dim, sizeof(float));
  r->codes = msk_arena_take(arena, r->cells, sizeof(int32_t));
}

msk_status msk_token_reader_open(msk_token_reader *r, const msk_vqgan *tokenizer,
                                 const msk_device *device, msk_pool *pool, size_t side,
                                 msk_error *error) {
  size_t rows, columns;
  msk_vqgan_latent_size(tokenizer, side, side, &rows, &columns);
  *r = (msk_token_reader){.tokenizer = tokenizer,
                          .stream = {.device = device, .pool = pool, .measuring = true},
                          .side = side,
                          .cells = rows * columns};
  /* The encoder says itself what it needs: a pass that computes nothing, in an arena without
   * memory. */
  msk_arena results = {0};
  lay_results(r, &results);
  msk_token_reader_read(r, NULL);
  r->stream.measuring = false;
  size_t scratch = msk_round_up(r->stream.scratch_bytes, MSK_ALIGNMENT),
         peak = msk_round_up(r->arena.peak, MSK_ALIGNMENT);
  r->memory = msk_allocate(NULL, scratch + peak + results.peak, 1);
  if (r->memory == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory for making tokens");
  r->stream.scratch = r->memory;
  r->arena = (msk_arena){.base = (char *)r->memory + scratch, .capacity = peak};
  results = (msk_arena){.base = (char *)r->memory + scratch + peak, .capacity = results.peak};
  lay_results(r, &results);
  return MSK_OK;
}

void msk_token_reader_close(msk_token_reader *r) { msk_free(NULL, r->memory); }
