/* SPDX-License-Identifier: Apache-2.0
 *
 * trainer.h - the training of a transformer, step by step: masked-token loss on every batch, the
 * pair loss on every few. Belongs to one thread. */
#ifndef MSK_TRAIN_TRAINER_H
#define MSK_TRAIN_TRAINER_H

#include "train/batches.h"
#include "train/course.h"
#include "train/network.h"

typedef struct msk_train_plan {
  msk_maskgit_config config;
  msk_batch_rules rules;
  msk_pace pace;
  size_t pairs, pair_every; /* pairs of every pair_every-th step, a multiple of the ranks */
  double adam_rate, muon_rate, pair_weight;
  int layers[MSK_MAX_LAYERS]; /* structure layers */
  size_t layer_count;
} msk_train_plan;

/* Losses of a step; pair is NaN where it was not taken. */
typedef struct msk_step_losses {
  double masked, pair, norm;
} msk_step_losses;

typedef struct msk_trainer {
  msk_train_plan plan;
  msk_course course;
  msk_network *network;
  size_t batch, pairs; /* this rank's share of the plan's */
  /* The pair loss's own numbers, log scale and offset, then Adam's first and second moments of
   * both: training aids that leave no trace in the model. */
  float pair[6];
  long pair_step; /* done */
  int32_t *shown, *target;
  bool *mask;
  int8_t *verdict;
  float *distances, *weights;
} msk_trainer;

msk_status msk_trainer_create(msk_trainer **trainer, const msk_train_plan *plan,
                              const msk_device *device, msk_pool *pool, msk_error *error);
void msk_trainer_destroy(msk_trainer *trainer);
/* Bytes that it takes, but for a batch's ids; 0: no memory to find out. */
size_t msk_trainer_bytes(const msk_train_plan *plan, const msk_device *device, msk_pool *pool);

msk_step_losses msk_trainer_step(msk_trainer *trainer, const msk_tokens *tokens);

/* What the average says of a few held-out batches, always the same ones: losses of photos with
 * masked places, and with the drawing's tokens in them; and the area under the curve by which the
 * distance of attention rows tells right tokens from wrong ones (0.5: not at all; NaN: no structure
 * layers). Leaves the run as it was. */
typedef struct msk_held_out {
  double masked, hinted, auc;
} msk_held_out;
msk_held_out msk_trainer_evaluate(msk_trainer *trainer, const msk_tokens *tokens);

/* Multiplications and additions of a rank in a step, those of the pair loss spread over its
 * steps. */
double msk_trainer_flop(const msk_trainer *trainer);

#endif
