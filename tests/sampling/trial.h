/* SPDX-License-Identifier: Apache-2.0
 *
 * trial.h - the sampling loop with a made-up denoiser whose answers depend on an item's own
 * sequence alone, and a record of what happened in each step. */
#ifndef TESTS_SAMPLING_TRIAL_H
#define TESTS_SAMPLING_TRIAL_H

#include "support.h"

#include <stdbool.h>

#include "sampling/sampler.h"

enum { TOKENS = 50, CODES = 13, CLASSES = 9, MAX_BATCH = 6, MAX_STEPS = 80 };

/* of the scores; STEADY also makes conditional and unconditional logits differ by the same
 * everywhere and always; FIXED: a row's logits and score are the same in all steps */
typedef enum flavour { HASHED, CONSTANT, POISONED, STEADY, FIXED } flavour;

typedef struct trial {
  msk_sampler_spec spec;
  flavour scores;
  msk_sampler *sampler;
  void *memory;
  int logits_calls, score_calls;
  int32_t unconditional[MAX_STEPS][MAX_BATCH];
  bool guided[MAX_STEPS];
  int32_t sequences[MAX_STEPS][MAX_BATCH * TOKENS]; /* what each step started from */
  int32_t seen[MAX_STEPS][MAX_BATCH * TOKENS];      /* what the network was shown */
  int32_t behind[MAX_STEPS][MAX_BATCH * TOKENS];    /* and in the unconditional pass */
  uint8_t rows[MAX_STEPS][MAX_BATCH * TOKENS];      /* and of which rows it was asked */
  float logits[MAX_STEPS][MAX_BATCH * TOKENS * CODES];
  float structure[MAX_STEPS][MAX_BATCH * TOKENS]; /* rescaled */
  float confidence[MAX_STEPS][MAX_BATCH * TOKENS];
  uint8_t structure_mask[MAX_STEPS][MAX_BATCH * TOKENS],
      confidence_mask[MAX_STEPS][MAX_BATCH * TOKENS];
  float looked[MAX_STEPS][MAX_BATCH * TOKENS * CODES]; /* logits by which it was revised */
  uint8_t revision_mask[MAX_STEPS][MAX_BATCH * TOKENS];
  int cancel_at; /* trace call that asks to stop; 0: none */
  int traced;
  msk_status answer; /* of the denoiser */
} trial;

/* What a trial samples from: two classes are hidden; the sketch or photo; what edit repaints. */
extern uint8_t trial_hidden[CLASSES];
extern int32_t trial_sketch[TOKENS - 1];
extern uint8_t trial_box[TOKENS - 1];

/* Class 3 of a recipe, 10 steps; the caller changes spec before it begins. */
trial *trial_make(msk_job job, const char *recipe, int batch);
void trial_free(trial *t);
/* Takes the memory, the first time, and begins. */
void trial_begin(trial *t);
/* Runs to the end and returns the result: batch x tokens. */
const int32_t *trial_run(trial *t);
/* masked tokens that a step started from */
int trial_masked_at(const trial *t, int step, int item);
/* Two recipes, each a change of draw's `balanced`, give the same tokens. */
void trial_assert_same(void (*one)(msk_recipe *), void (*other)(msk_recipe *));

#endif
