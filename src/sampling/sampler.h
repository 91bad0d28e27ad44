/* SPDX-License-Identifier: Apache-2.0
 *
 * sampler.h - one sampling loop for MaskGIT, MaskSketch and editing, apart from the networks: it
 * asks a denoiser for logits and structure scores, so that it is tested token-exact from
 * recorded values with no weights at all. Official rows reproduce the authors' code to the token
 * (docs/exactness.md lists each quirk); all other recipes use mended rules and per-item random
 * streams (item i of seed S is the same in any batch). */
#ifndef MSK_SAMPLING_SAMPLER_H
#define MSK_SAMPLING_SAMPLER_H

#include <stdbool.h>

#include "base/memory.h"
#include "base/rng.h"
#include "masksketch.h"
#include "sampling/select.h"

/* What the loop asks of the networks. Both return a status and fill `error`. `rows` [batch, N]
 * flags the rows that are wanted; the denoiser computes them, flags others that it has computed too
 * (those whose token has changed since they were), and writes to flagged rows alone. */
typedef struct msk_denoiser {
  void *user;
  /* logits [batch, N, codes] of `tokens` [batch, N], guided: c + guidance[b] * (c - u), u from
   * `behind` [batch, N], which may be `tokens`, with unconditional[b] (a token id) in the class
   * position; unconditional NULL or unconditional[b] < 0: c alone, at the cost of one pass.
   * difference, if not NULL: c - u of the items that have a u, laid out as the logits. */
  msk_status (*logits)(void *user, const int32_t *tokens, const int32_t *behind,
                       const int32_t *unconditional, const float *guidance, uint8_t *rows,
                       float *logits, float *difference, msk_error *error);
  /* structure score [batch, N] of completed sequences against the target of the request */
  msk_status (*score)(void *user, const int32_t *tokens, uint8_t *rows, float *score,
                      msk_error *error);
} msk_denoiser;

/* What is asked, judged already: src/api/request.c refuses what cannot be run, and here it is
 * relied on (values within their ranges, input and masks there where the job wants them, a class
 * to move away from where there is guidance, N - 1 a square). */
typedef struct msk_sampler_spec {
  msk_job job;
  msk_recipe recipe;
  msk_rng_layout layout;
  uint64_t seed;
  int first_item, batch;
  int tokens;               /* N: sequence length, class token included */
  int codes, class_count;   /* codebook size; classes (hidden ones included) */
  int class_id, null_class; /* null_class -1: none */
  /* class_count flags, NULL: none hidden; a random unconditional class is never hidden, nor the
   * target */
  const uint8_t *class_hidden;
  /* draw: N-1 image tokens of the sketch; edit: those of the photo; generate: NULL */
  const int32_t *input;
  const uint8_t *edit_mask; /* edit: N-1 flags, 1 = repaint; else NULL */
  const float *lambda_map;  /* draw: N-1 factors in [0,1] on lambda_structure, or NULL */
  /* mended draw: scale_count guidance scales in the place of the recipe's, each item with each:
   * row b is item */
  const double *scales;
  int scale_count;         /*   first_item + b / scale_count with scale b % scale_count; 0: none */
  bool compares;           /* the standings are looked at: structure is measured for them */
  msk_callbacks callbacks; /* on_trace only; on_step is the caller's */
} msk_sampler_spec;

typedef struct msk_sampler msk_sampler;

/* Lays out the loop's state in the arena (measuring or placing); NULL when measuring. */
msk_sampler *msk_sampler_place(msk_arena *arena, const msk_sampler_spec *spec);
/* Starts: initial masks and keys. `spec` is copied; what it points to must stay. It is the one
 * that the state was placed for, or has a smaller batch. */
void msk_sampler_begin(msk_sampler *sampler, const msk_sampler_spec *spec,
                       const msk_denoiser *denoiser);
/* One step; *done after the last. */
msk_status msk_sampler_step(msk_sampler *sampler, bool *done, msk_error *error);
/* steps that msk_sampler_step() takes, the tail and those that revise included */
int msk_sampler_step_count(const msk_sampler_spec *spec);
/* How many classes a random unconditional pass may take: neither the target nor the null class,
 * and none that is hidden. Reads the spec's class members alone. */
int msk_sampler_other_classes(const msk_sampler_spec *spec);
int msk_sampler_step_index(const msk_sampler *sampler); /* steps taken so far */
/* [batch, N]: the completed sequences after the last step taken; right after begin the initial
 * ones, which is also what the authors record for the steps before start_step. */
const int32_t *msk_sampler_completed(const msk_sampler *sampler);
/* Drops all rows but `count` (kept: ascending); each stays what it would be without the others. */
void msk_sampler_keep(msk_sampler *sampler, const int *kept, int count);
/* [batch]: as of the last step that measured it; draw only. */
const msk_standing *msk_sampler_standings(const msk_sampler *sampler);
/* masked tokens of a row that the next step starts from */
int msk_sampler_masked(const msk_sampler *sampler, size_t row);
#endif
