/* SPDX-License-Identifier: Apache-2.0
 *
 * trainer.h - the training of a transformer, step by step: masked-token loss on every batch, the
 * pair loss on every few; the schedule counts sequences: a warm-up, a constant rate, and over the
 * last of them a straight way to nothing. Owns parameters, moments, average, step number; a
 * checkpoint holds all of it, so a run that goes on from one gives the same bytes as one that never
 * stopped. Belongs to one thread. */
#ifndef MSK_TRAIN_TRAINER_H
#define MSK_TRAIN_TRAINER_H

#include "train/batches.h"
#include "train/network.h"
#include "train/optimiser.h"

typedef struct msk_train_plan {
  msk_maskgit_config config;
  msk_batch_rules rules;
  uint64_t seed;
  size_t batch, pairs, pair_every; /* sequences of a step, pairs of every pair_every-th */
  size_t sequences, warmup, decay; /* of the schedule */
  double adam_rate, muon_rate, pair_weight;
  int layers[MSK_MAX_LAYERS]; /* structure layers */
  size_t layer_count;
  /* An object is taken in when so many sequences have been seen: first_objects at once, then one
   * for every sequences_per_object. A rule, not what happens to be rendered: or a run could not be
   * repeated. */
  size_t objects, first_objects;
  double sequences_per_object;
} msk_train_plan;

/* Losses of a step; pair is NaN where it was not taken. */
typedef struct msk_step_losses {
  double masked, pair, norm;
} msk_step_losses;

typedef struct msk_trainer {
  msk_train_plan plan;
  const msk_device *device;
  msk_pool *pool;
  msk_params *params;
  msk_network *network;
  msk_optimiser *optimiser;
  float *block, *gradients;
  /* The pair loss's own numbers, log scale and offset, with Adam's moments: training aids that
   * leave no trace in the model. */
  float pair[2], pair_first[2], pair_second[2];
  long step, pair_step; /* done */
  int32_t *shown, *target;
  bool *mask;
  int8_t *verdict;
  float *distances, *weights;
} msk_trainer;

msk_status msk_trainer_create(msk_trainer **trainer, const msk_train_plan *plan,
                              const msk_device *device, msk_pool *pool, msk_error *error);
void msk_trainer_destroy(msk_trainer *trainer);

size_t msk_trainer_sequences(const msk_trainer *trainer);
bool msk_trainer_is_done(const msk_trainer *trainer);
/* Records (two an object) that have to be there for the next step. */
size_t msk_trainer_needs(const msk_trainer *trainer);
msk_step_losses msk_trainer_step(msk_trainer *trainer, const msk_tokens *tokens);

/* What the average says of a few held-out batches, always the same ones: losses of photos with
 * masked places, and with the drawing's tokens in them; and the area under the curve by which the
 * distance of attention rows tells right tokens from wrong ones (0.5: not at all; NaN: no structure
 * layers). Leaves the run as it was. */
typedef struct msk_held_out {
  double masked, hinted, auc;
} msk_held_out;
msk_held_out msk_trainer_evaluate(msk_trainer *trainer, const msk_tokens *tokens);

/* Multiplications and additions of a step, those of the pair loss spread over its steps. */
double msk_trainer_flop(const msk_trainer *trainer);

/* checkpoint.c */
msk_status msk_trainer_save(const msk_trainer *trainer, const char *path, msk_error *error);
msk_status msk_trainer_load(msk_trainer *trainer, const char *path, msk_error *error);
/* The average as a checkpoint of a transformer under its published names. */
msk_status msk_trainer_write_average(const msk_trainer *trainer, const char *path,
                                     const char *classes, const char *defaults, msk_error *error);

#endif
