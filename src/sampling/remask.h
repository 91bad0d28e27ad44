/* SPDX-License-Identifier: Apache-2.0
 *
 * remask.h - which tokens are masked again: probabilities of tokens, rescaling, and choosing the
 * lowest, in the authors' form (a cut-off read from the noised, sorted scores) and in the mended
 * one (exactly k, ties by lot). Pure functions on caller's memory. */
#ifndef MSK_SAMPLING_REMASK_H
#define MSK_SAMPLING_REMASK_H

#include <stddef.h>
#include <stdint.h>

/* A token that may be masked; ordered by key (NaN last, -0 = 0), then lot, then index. */
typedef struct msk_candidate {
  float key;
  uint32_t lot;
  int32_t index;
} msk_candidate;
void msk_candidates_sort(msk_candidate *candidates, size_t count);

/* softmax(logits)[token]; NaN where the token is no column, as JAX's gather gives it. */
float msk_token_probability(const float *logits, size_t codes, int32_t token);

/* The entropy of softmax(logits) in nats; NaN where a logit is NaN. */
float msk_token_entropy(const float *logits, size_t codes);

/* To [0,1] by minimum and maximum. Official: JAX's arithmetic, in which one NaN makes all NaN
 * and a constant row becomes 0 / 0. Mended: a constant row becomes 1; NaN and -infinity become
 * 0, +infinity 1. */
void msk_rescale_official(float *values, size_t count);
void msk_rescale(float *values, size_t count);

/* mask[i] = scores[i] < the value at index (int)k of the sorted scores + temperature * noise
 * (noise NULL: none). k past the end masks nothing. scratch: count candidates. */
void msk_mask_below_cut(uint8_t *mask, const float *scores, const float *noise, float temperature,
                        float k, size_t count, msk_candidate *scratch);

#endif
