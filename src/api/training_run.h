/* SPDX-License-Identifier: Apache-2.0
 *
 * training_run.h - a run of msk_train(): what run_training.c, which opens and loops, shares with
 * its stages, which know what is trained. */
#ifndef MSK_API_TRAINING_RUN_H
#define MSK_API_TRAINING_RUN_H

#include "api/model.h"
#include "base/error.h"
#include "base/memory.h"
#include "train/feed.h"
#include "train/picture_trainer.h"
#include "train/trainer.h"

enum { TRAINING_PATH = 4096 };

typedef struct training_run training_run;

/* What is trained. A stage's functions report to run->error. */
typedef struct training_stage {
  const char *checkpoint; /* its file's name in the work folder */
  const char *prefix;     /* of its network's tensors in a model file */
  /* What the trainer will take; 0: no memory to find out. */
  size_t (*bytes)(const training_run *run);
  /* The trainer, without weights; run->course points into it. */
  msk_status (*create)(training_run *run);
  /* First weights, where there is no checkpoint. */
  msk_status (*start)(training_run *run);
  /* The files of what was rendered, into what the feed is to do. */
  msk_status (*open_store)(training_run *run, msk_feed_options *feed);
  /* The objects of the next step, from rank 0 to all. */
  void (*share)(training_run *run);
  /* Adds its losses to run->sums. */
  msk_status (*step)(training_run *run);
  /* What is held out, into run->progress. */
  msk_status (*evaluate)(training_run *run);
  /* The model file, from the average. */
  msk_status (*write_model)(training_run *run);
  double (*flop)(const training_run *run); /* of a step */
  void (*close)(training_run *run);
} training_stage;

extern const training_stage training_transformer, training_pictures;

struct training_run {
  const msk_train_options *options;
  const training_stage *stage;
  msk_error *error;
  msk_model *model; /* whose codes are kept, or whose sizes the tokenizer has */
  /* Of the stage's steps, whose precision is not the tokenizer's. */
  msk_device *device;
  msk_pool *pool;
  msk_course *course;
  msk_feed *feed;
  msk_train_progress progress;
  double sums[2], counts[2];     /* of the stage's two losses since the last log */
  double trained, logged, saved; /* seconds spent in steps since the log; when it was, when saved */
  double steps;                  /* in `trained` */
  /* the stages' own */
  msk_trainer *trainer;
  msk_tokens *tokens[2];
  msk_picture_trainer *painter;
  msk_pictures *pictures[2];
};

/* A file of the work folder. */
char *training_path(const training_run *run, const char *name, char path[TRAINING_PATH]);
/* The one rank that renders, logs and writes. */
bool training_leads(const training_run *run);
/* Adds to the sums of loss 0 or 1; NaN: there was none. */
void training_add_loss(training_run *run, int which, double loss);
msk_pace training_pace(const training_run *run);
/* Of the model that is written: the source's, one without a name, hands. */
int training_classes(const training_run *run);
/* The names of the labels of the model that is written, as JSON, to msk_free(); NULL: no memory, or
 * they have none. */
char *training_class_names(const training_run *run);
/* First weights, and of a checkpoint all else, from a file. */
msk_status training_start_from(training_run *run, const char *path);
/* The weights of a tokenizer, or of its decoder alone, from those of a model file. */
msk_status training_start_tokenizer(training_run *run, const msk_weight_file *file);
/* What a set's pictures are made of and with: the source's own description and the tokenizer's
 * tensors, if they matter. */
msk_status training_fingerprint(const training_run *run, int set, bool tokenizer, char text[65]);
/* What stands in the stores is kept in this file; NULL where rank 0 keeps it. */
const char *training_store(const training_run *run, const char *name, char path[TRAINING_PATH]);
/* training_words.c: the model's transformer for the painter's codes. */
msk_status training_write_words(training_run *run, const char *path);
/* training_options.c */
msk_status training_check_options(const msk_train_options *options, msk_error *error);

#endif
