/* SPDX-License-Identifier: Apache-2.0
 *
 * decode_state.h - what the decoding loop (decode.c) and its two sets of rules share:
 * rules_official.c is the authors' code to the token, rules_mended.c everything else. All memory
 * is in the session's arena. */
#ifndef MSK_SAMPLING_DECODE_STATE_H
#define MSK_SAMPLING_DECODE_STATE_H

#include "sampling/decode.h"
#include "sampling/remask.h"

/* What differs between the authors' code and the mended form. Each acts on the whole batch. */
typedef struct msk_decode_rules {
  /* keys, initial masks: current and unknown */
  void (*begin)(msk_decode *decode);
  /* this step's keys and unconditional classes */
  void (*prepare)(msk_decode *decode);
  /* completed: every masked token of current drawn from logits */
  void (*sample)(msk_decode *decode);
  /* current: completed, masked by structure and confidence */
  void (*remask_sketch)(msk_decode *decode);
  /* current: completed, the least confident of the drawn tokens masked */
  void (*remask_maskgit)(msk_decode *decode);
} msk_decode_rules;
extern const msk_decode_rules msk_rules_official, msk_rules_mended;

struct msk_decode {
  msk_decode_spec spec;
  const msk_denoiser *denoiser;
  const msk_decode_rules *rules;
  /* the step to be taken now, counted from 0 with those before start_step; one past the last */
  int step, last;
  bool cancelled; /* a trace callback asked to stop */
  /* this step makes its unconditional pass, if it is guided at all */
  bool fresh;
  /* the step that `difference` is of; negative: none yet */
  int refreshed;

  int32_t *current, *completed; /* [batch, N] */
  int *item;                    /* [batch]: which item of the seed each row is */
  /* [batch]: the row's guidance, and what of it acts in this step */
  float *guidance, *scale;
  msk_standing *standing; /* [batch] */
  int32_t *shown;         /* [batch, N]: current as the network sees it */
  int32_t *unconditional; /* [batch] token ids, -1: none */
  float *logits;          /* [batch, N, codes] */
  /* [batch, N, codes]: mended: conditional - unconditional of an earlier step; NULL: not kept */
  float *difference;
  float *structure; /* [batch, N]: score, then rescaled */
  /* [batch, N]: probability of the completed token, rescaled while drawing */
  float *confidence;
  /* [batch, N]: mended: 1 where a token of the sketch is visible, to be let go */
  uint8_t *sketch;
  /* [batch, N]; MaskGIT's masking is in confidence_mask */
  uint8_t *structure_mask, *confidence_mask;
  /* [batch]: how many each takes; MaskGIT's mask length is in confidence_k */
  float *structure_k, *confidence_k;
  /* [batch]: tokens masked at the start (of the tail, in the tail) */
  int *unknown;
  /* [batch, N]: mended: probability of each token when it was drawn; negative: not known yet */
  float *recorded;
  int32_t *rank;                               /* [N - 1]: mended: the Halton order of positions */
  msk_candidate *candidates;                   /* [N] */
  float *noise;                                /* [N] */
  float *row;                                  /* [codes] */
  uint32_t *lots;                              /* [N]: mended: the order among equals */
  float *structure_weight, *confidence_weight; /* [N]: mended: from the lambda map */
  double mean_lambda;                          /* mended */

  /* official: the loop's key and this step's; mended: key is PRNGKey(seed) */
  msk_key key, sample_key, choice_key;
  /* official: the unconditional class tokens of rows 0 and 1 */
  int32_t pair[2];
};

/* Whether the present step ends with MaskSketch's two masks (else with MaskGIT's one). */
bool msk_decode_sketching(const msk_decode *decode);
int msk_decode_count_masked(const msk_decode *decode, int item);
/* Writes the masked copy of item's completed sequence into current. */
void msk_decode_apply_mask(msk_decode *decode, int item, const uint8_t *mask, const uint8_t *other);
/* Hands an array to the trace callback, if there is one. Shape: rank sides. */
void msk_decode_trace(msk_decode *decode, const char *name, msk_dtype dtype, const void *data,
                      int rank, size_t side0, size_t side1, size_t side2);

#endif
