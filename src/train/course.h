/* SPDX-License-Identifier: Apache-2.0
 *
 * course.h - what the training of any network is: its parameters and their updates, a pace, a
 * step number, and checkpoints that hold all of it, so that a run that goes on from one gives the
 * same bytes as one that never stopped. The pace counts examples (sequences, pictures): a
 * warm-up, a constant rate, and over the last of them a straight way to nothing. */
#ifndef MSK_TRAIN_COURSE_H
#define MSK_TRAIN_COURSE_H

#include "train/optimiser.h"
#include "train/state.h"
#include "train/together.h"

typedef struct msk_pace {
  uint64_t seed;
  size_t batch, examples, warmup, decay; /* of a step; in all; of the way up, of the way down */
  /* Who trains along; each takes its share of a step's batch, which is a multiple of their number.
   * NULL: nobody. */
  const msk_train_ranks *ranks;
  /* An object is taken in when so many examples have been seen: first_objects at once, then one
   * for every examples_per_object. A rule, not what happens to be rendered: or a run could not be
   * repeated. */
  size_t objects, first_objects;
  double examples_per_object;
} msk_pace;

/* What a checkpoint holds besides: numbers and counts of the training's own. */
typedef struct msk_course_numbers {
  const char *name;
  float *at;
  size_t count;
} msk_course_numbers;

enum { MSK_COURSE_EXTRAS = 4 };

typedef struct msk_course {
  msk_pace pace;
  msk_params *params; /* owned, as all below */
  msk_optimiser *optimiser;
  float *block, *gradients;
  float *room; /* for sums over ranks */
  long step;   /* done */
  bool bf16;   /* as the device is */
  msk_course_numbers numbers[MSK_COURSE_EXTRAS];
  msk_state_count counts[MSK_COURSE_EXTRAS];
  size_t numbers_count, counts_count;
} msk_course;

/* params becomes the course's, also on failure. msk_course_close() is due in any case. */
msk_status msk_course_open(msk_course *course, const msk_pace *pace, msk_params *params,
                           const msk_device *device, msk_pool *pool, msk_error *error);
void msk_course_close(msk_course *course);
/* Bytes that it takes. */
size_t msk_course_bytes(const msk_pace *pace, const msk_params *params, const msk_device *device,
                        msk_pool *pool);
/* A rank's part of a step's batch. */
size_t msk_pace_share(const msk_pace *pace);
/* The gradients become their sum over all ranks. */
void msk_course_add_gradients(msk_course *course);

size_t msk_course_examples(const msk_course *course);
bool msk_course_is_done(const msk_course *course);
/* Objects that have to be there for the next step. */
size_t msk_course_needs(const msk_course *course);
/* The share of the peak rates at the next step. */
double msk_course_rate(const msk_course *course);
/* A step's share of the weights' moving average. */
float msk_course_average(const msk_course *course);
/* The weights have begun: so does their average. */
void msk_course_begin(msk_course *course);

/* checkpoint.c */
msk_status msk_course_save(msk_course *course, const char *path, msk_error *error);
msk_status msk_course_load(msk_course *course, const char *path, msk_error *error);
/* In which precision the checkpoint at `path` was trained; AUTO: it is none. */
msk_status msk_course_precision(const char *path, msk_train_precision *precision, msk_error *error);
/* What a checkpoint holds, from rank 0 to all. */
msk_status msk_course_share(msk_course *course, msk_error *error);
/* A block as a checkpoint of the network under its published names. */
msk_status msk_params_write(const msk_params *params, float *block, const char *path,
                            const msk_metadata_entry *metadata, size_t metadata_count,
                            msk_error *error);
/* The average so. */
msk_status msk_course_write_average(const msk_course *course, const char *path,
                                    const msk_metadata_entry *metadata, size_t metadata_count,
                                    msk_error *error);

#endif
