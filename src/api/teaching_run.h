/* SPDX-License-Identifier: Apache-2.0
 *
 * teaching_run.h - a run of msk_teach(): what run_teaching.c, which looks, replays and trains,
 * shares with teaching_files.c, which keeps and writes. */
#ifndef MSK_API_TEACHING_RUN_H
#define MSK_API_TEACHING_RUN_H

#include "api/model.h"
#include "base/error.h"
#include "base/memory.h"
#include "train/teacher.h"

typedef struct teaching_run {
  const msk_teach_options *options;
  msk_error *error;
  msk_model *model;
  msk_model_info info;
  msk_session *session;
  msk_pool *pool;
  msk_device *device;
  msk_weight_file *file;
  msk_teacher *teacher;
  char hash[65], name[256]; /* the model's */
  msk_dtype dtype;          /* of the numbers in the model's matrices */
  char origin[65];          /* hash of all that the result depends on */
  bool goes_on;             /* from a checkpoint */
  /* of photos, photo_count * crops; of the model's own, options->replay */
  msk_lesson *lessons, *replayed;
  int32_t *tokens; /* of all of them: a picture's and a drawing's */
  size_t lesson_count, cells;
  long replayed_count;
  msk_teach_progress progress;
} teaching_run;

msk_status teaching_out_of_memory(const teaching_run *run);
/* Tokens of lesson `number`: half 0 the picture's, 1 the drawing's. Replayed ones come last. */
int32_t *teaching_tokens(const teaching_run *run, size_t number, size_t half);

/* teaching_files.c */

/* Whether there is a checkpoint to go on from, and what it has to be of. */
msk_status teaching_look(teaching_run *run);
/* Where there is a path for it: weights, moments, lessons, step. */
msk_status teaching_save(teaching_run *run);
msk_status teaching_load(teaching_run *run);
/* Of the checkpoint that is there. */
msk_status teaching_precision(const teaching_run *run, msk_train_precision *precision);
/* The adapter, or the model; the checkpoint goes. */
msk_status teaching_write(teaching_run *run);

#endif
