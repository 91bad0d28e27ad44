/* SPDX-License-Identifier: Apache-2.0
 *
 * teacher.h - teaching a class to a transformer: masked-token loss on pictures of the class and on
 * samples of the old ones, Adam on the class's row and on what is added to the matrices
 * (low_rank.h), or on all weights. A batch goes through the network in parts whose size depends on
 * the model alone, so that memory is bounded; the result depends on the plan and the lessons, not
 * on threads. Belongs to one thread. */
#ifndef MSK_TRAIN_TEACHER_H
#define MSK_TRAIN_TEACHER_H

#include "train/network.h"
#include "train/random.h"

/* A picture's tokens, and those of a drawing of it, or NULL. */
typedef struct msk_lesson {
  int32_t label; /* the class's token */
  const int32_t *photo, *drawn;
} msk_lesson;

typedef struct msk_teach_plan {
  msk_maskgit_config config; /* with the class's row */
  bool full;                 /* all weights; rank and first_layer say nothing then */
  size_t codes, rank, first_layer, batch;
  long steps;
  double rate;
  uint64_t seed;
  int32_t class_token, null_token; /* null_token -1: the model has none */
  double replay_share, null_share, hint_share;
} msk_teach_plan;

typedef struct msk_teacher {
  msk_teach_plan plan;
  msk_params *params;
  msk_low_rank low;
  msk_network *network;
  size_t part;  /* sequences that go through at once */
  float *block; /* the transformer's, to be filled by the caller */
  /* What is trained: the block itself, or what is added to it, in low's layout. */
  float *trained, *gradients, *first, *second;
  size_t floats; /* of each */
  int32_t *shown, *target;
  bool *mask;
  long step; /* done */
} msk_teacher;

/* Sequences of a part for a model of these sizes, at most `batch`. */
size_t msk_teacher_part(const msk_maskgit_config *config, size_t batch);
/* With a block for the network's parameters, which the caller fills, and nothing else. */
msk_status msk_teacher_create(msk_teacher **teacher, const msk_teach_plan *plan, msk_error *error);
void msk_teacher_destroy(msk_teacher *teacher);
/* Bytes that it takes, but for a batch's ids; 0: no memory to find out. */
size_t msk_teacher_bytes(const msk_teach_plan *plan, const msk_device *device, msk_pool *pool);
/* After the block was filled, what a step needs: the class's row is the mean of rows `from` to `to`
 * - 1, and nothing is added yet. */
msk_status msk_teacher_start(msk_teacher *teacher, const msk_device *device, msk_pool *pool,
                             size_t from, size_t to, msk_error *error);
/* The loss of step `step`'s batch, and its gradients. replayed may be empty. */
double msk_teacher_loss(msk_teacher *teacher, const msk_lesson *lessons, size_t lesson_count,
                        const msk_lesson *replayed, size_t replayed_count);
/* Takes a step along the gradients. */
void msk_teacher_update(msk_teacher *teacher);

#endif
