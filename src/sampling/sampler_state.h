/* SPDX-License-Identifier: Apache-2.0
 *
 * sampler_state.h - what the sampling loop (sampler.c) and its two sets of rules share:
 * rules_official.c is the authors' code to the token, rules_mended.c everything else. All memory
 * is in the session's arena. Sizes are size_t here; they are int in the spec and in what the
 * loop's functions give back. */
#ifndef MSK_SAMPLING_SAMPLER_STATE_H
#define MSK_SAMPLING_SAMPLER_STATE_H

#include "masksketch_tools.h"
#include "sampling/remask.h"
#include "sampling/sampler.h"

/* What differs between the authors' code and the mended form. Each acts on the whole batch. */
typedef struct msk_sampler_rules {
  /* keys, initial masks: current and unknown */
  void (*begin)(msk_sampler *sampler);
  /* this step's keys and unconditional classes */
  void (*prepare)(msk_sampler *sampler);
  /* completed: every masked token of current drawn from logits, where these are new */
  void (*sample)(msk_sampler *sampler);
  /* current: completed, masked by structure and confidence */
  void (*remask_sketch)(msk_sampler *sampler);
  /* current: completed, the least confident of the drawn tokens masked */
  void (*remask_maskgit)(msk_sampler *sampler);
  /* current: completed, what is unlikely masked; whether anything is. NULL: not in these rules */
  bool (*remask_unlikely)(msk_sampler *sampler);
} msk_sampler_rules;
extern const msk_sampler_rules msk_rules_official, msk_rules_mended;

/* Every array of the state: ARRAY(type, name, rows, columns, stays). Rows are `batch`, or 1 for
 * what each row of a batch uses in its turn; columns are 1, `tokens` (N), `codes`, `logits`
 * (N x codes), or `differences`: logits where unconditional passes are used again, else 0.
 * `stays`: a row's part outlives the step, and moves along when other rows are dropped. */
#define MSK_SAMPLER_ARRAYS(ARRAY)                                                                 \
  ARRAY(int, item, batch, 1, true)       /* which item of the seed the row is */                  \
  ARRAY(float, guidance, batch, 1, true) /* its scale, */                                         \
  ARRAY(float, scale, batch, 1, false)   /* and what of it acts in this step */                   \
  ARRAY(msk_standing, standing, batch, 1, true)                                                   \
  ARRAY(int32_t, unconditional, batch, 1, true) /* token ids; -1: none */                         \
  ARRAY(int, unknown, batch, 1, true) /* masked at the start (of the tail, in the tail) */        \
  ARRAY(int32_t, current, batch, tokens, true)                                                    \
  ARRAY(int32_t, completed, batch, tokens, true)                                                  \
  ARRAY(int32_t, shown, batch, tokens, false) /* current as the network sees it */                \
  ARRAY(uint8_t, near, batch, tokens, true)   /* mended: masked, and likely to be kept next */    \
  ARRAY(uint8_t, rows, batch, tokens, false)  /* that this step's pass computes */                \
  ARRAY(float, logits, batch, logits, true)                                                       \
  ARRAY(float, difference, batch, differences, true) /* mended: conditional - unconditional */    \
  ARRAY(float, score, batch, tokens, true)           /* of structure, as it was last measured, */ \
  ARRAY(float, structure, batch, tokens, false)      /* and rescaled */                           \
  ARRAY(float, confidence, batch, tokens, false)     /* of completed; rescaled while drawing */   \
  ARRAY(float, recorded, batch, tokens, true) /* mended: when it was drawn; negative: unknown */  \
  ARRAY(uint8_t, sketch, batch, tokens, true) /* mended: 1: a sketch's token, to be let go */     \
  ARRAY(uint8_t, structure_mask, batch, tokens, false)                                            \
  ARRAY(uint8_t, confidence_mask, batch, tokens, false) /* MaskGIT's too */                       \
  ARRAY(float, structure_k, batch, 1, false)            /* how many each takes */                 \
  ARRAY(float, confidence_k, batch, 1, false)           /* MaskGIT's mask length too */           \
  ARRAY(int32_t, rank, 1, tokens, false)            /* mended: the Halton order of positions */   \
  ARRAY(float, structure_weight, 1, tokens, false)  /* mended: from the lambda map */             \
  ARRAY(float, confidence_weight, 1, tokens, false) /* mended: the same */                        \
  ARRAY(msk_candidate, candidates, 1, tokens, false)                                              \
  ARRAY(float, noise, 1, tokens, false)                                                           \
  ARRAY(uint32_t, lots, 1, tokens, false) /* mended: the order among equals */                    \
  ARRAY(float, row, 1, codes, false)

struct msk_sampler {
  msk_sampler_spec spec;
  size_t batch, tokens, codes; /* of the spec; batch: rows that are left */
  const msk_denoiser *denoiser;
  const msk_sampler_rules *rules;
  /* the step to be taken now, counted from 0 with those before start_step; one past the last that
   * leaves masks, and one past the last that revises */
  int step, last, end;
  bool cancelled; /* a trace callback asked to stop */
  /* this step's passes compute what has changed, and what is masked; not all rows */
  bool light;
  bool settled; /* the last step that revised found nothing */
  /* this step makes its unconditional pass, if it is guided at all */
  bool fresh;
  /* the step that `difference` is of; negative: none yet */
  int refreshed;
#define MEMBER(type, name, rows, columns, stays) type *name;
  MSK_SAMPLER_ARRAYS(MEMBER)
#undef MEMBER
  double mean_lambda; /* mended */
  /* official: the loop's key and this step's; mended: key is PRNGKey(seed) */
  msk_key key, sample_key, choice_key;
  /* official: the unconditional class tokens of rows 0 and 1 */
  int32_t pair[2];
};

/* How many of the first steps keep anchors alone: anchor_steps, and at most half of all. */
int msk_sampler_anchors(const msk_sampler *sampler);
bool msk_sampler_anchoring(const msk_sampler *sampler); /* the present step is one of them */
/* Whether the present step ends with MaskSketch's two masks (else with MaskGIT's one). */
bool msk_sampler_sketching(const msk_sampler *sampler);
/* Steps before those that revise. */
int msk_sampler_draw_count(const msk_sampler_spec *spec);
/* Writes the masked copy of a row's completed sequence into current; other may be NULL. */
void msk_sampler_apply_mask(msk_sampler *sampler, size_t row, const uint8_t *mask,
                            const uint8_t *other);
/* Hands an array to the trace callback, if there is one. Shape: rank sides. */
void msk_sampler_trace(msk_sampler *sampler, const char *name, msk_dtype dtype, const void *data,
                       int rank, size_t side0, size_t side1, size_t side2);

#endif
