/* SPDX-License-Identifier: Apache-2.0
 *
 * run_training.c - msk_train(): checks what is asked, opens what it needs, and runs the loop
 * around the stage's step: waiting for objects, logs, checkpoints, the model file at every log.
 * What is trained is the stages' (training_run.h), what a step does src/train's. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api/training_run.h"
#include "base/clock.h"
#include "base/sha256.h"
#include "compute/backward.h"

/* ---- what stages share ---- */

char *training_path(const training_run *run, const char *name, char path[TRAINING_PATH]) {
  snprintf(path, TRAINING_PATH, "%s/%s", run->options->work_path, name);
  return path;
}

bool training_leads(const training_run *run) { return msk_rank_of(run->options->ranks) == 0; }

const char *training_store(const training_run *run, const char *name, char path[TRAINING_PATH]) {
  return training_leads(run) ? training_path(run, name, path) : NULL;
}

void training_add_loss(training_run *run, int which, double loss) {
  if (isnan(loss) && which > 0) return;
  run->sums[which] += loss;
  run->counts[which]++;
}

msk_pace training_pace(const training_run *run) {
  const msk_train_options *o = run->options;
  return (msk_pace){.seed = o->seed,
                    .batch = (size_t)o->batch * msk_ranks_count(o->ranks),
                    .ranks = o->ranks,
                    .examples = o->sequences,
                    .warmup = o->warmup_sequences,
                    .decay = o->decay_sequences,
                    .objects = o->objects,
                    .first_objects = o->first_objects,
                    .examples_per_object = o->sequences_per_object};
}

int training_classes(const training_run *run) {
  const msk_train_source *source = &run->options->source;
  return source->classes + 1 + source->hands;
}

static int compare_names(const void *a, const void *b) {
  return strcmp((*(const msk_tensor *const *)a)->name, (*(const msk_tensor *const *)b)->name);
}

msk_status training_fingerprint(const training_run *run, int set, bool tokenizer, char text[65]) {
  size_t count = msk_weight_file_count(run->model->file), used = 0;
  const msk_tensor **tensors = msk_allocate(NULL, count, sizeof *tensors);
  if (tensors == NULL)
    return msk_fail(run->error, MSK_ERROR_MEMORY, "no memory for the list of tensors");
  /* By their names' order: the same tokenizer in another file makes the same tokens. */
  for (size_t i = 0; tokenizer && i < count; i++) {
    const msk_tensor *tensor = msk_weight_file_at(run->model->file, i);
    if (strncmp(tensor->name, MSK_MODEL_TOKENIZER, strlen(MSK_MODEL_TOKENIZER)) == 0)
      tensors[used++] = tensor;
  }
  qsort(tensors, used, sizeof *tensors, compare_names);
  msk_sha256 hash;
  const char *description = run->options->source.description[set];
  msk_sha256_begin(&hash);
  for (size_t i = 0; i < used; i++) msk_sha256_add(&hash, tensors[i]->data, tensors[i]->bytes);
  msk_sha256_add(&hash, description, strlen(description));
  msk_sha256_end(&hash, text);
  msk_free(NULL, tensors);
  return MSK_OK;
}

/* ---- opening ---- */

static msk_status check_model(const training_run *run) {
  const msk_train_source *source = &run->options->source;
  const msk_model *model = run->model;
  int classes = training_classes(run);
  if (source->class_names == NULL && model->class_count != classes)
    return msk_fail(run->error, MSK_ERROR_FILE,
                    "%s has %d classes, expected %d: the objects' %d, one without a name, %d hands",
                    run->options->tokenizer_path, model->class_count, classes, source->classes,
                    source->hands);
  if (model->image_size != source->image_size || model->latent_size < 2 ||
      model->image_size / model->latent_size < 4)
    return msk_fail(
        run->error, MSK_ERROR_FILE,
        "%s makes pictures of %d pixels, expected %d of 2 x 2 tokens or more, each of at least "
        "4 pixels",
        run->options->tokenizer_path, model->image_size, source->image_size);
  if (model->codes > MSK_TOKEN_MOST_CODES && run->options->stage != MSK_TRAIN_TOKENIZER)
    return msk_fail(run->error, MSK_ERROR_UNSUPPORTED,
                    "%s has a codebook of %d codes, but training keeps tokens in 16 bits",
                    run->options->tokenizer_path, model->codes);
  return MSK_OK;
}

static msk_status open_model(training_run *run) {
  msk_model_options options;
  msk_model_options_init(&options);
  options.isa = run->options->isa;
  options.precision = MSK_PRECISION_FP32;
  msk_status status =
      msk_model_open(&run->model, run->options->tokenizer_path, &options, run->error);
  if (status == MSK_OK) status = check_model(run);
  int threads = run->options->threads > 0 ? run->options->threads : msk_default_threads();
  return status == MSK_OK ? msk_pool_create(&run->pool, threads, NULL, run->error) : status;
}

/* Of the checkpoint that the run will go on from, or AUTO. */
static msk_status look_at_precision(const training_run *run, msk_train_precision *precision) {
  char checkpoint[TRAINING_PATH];
  if (access(training_path(run, run->stage->checkpoint, checkpoint), F_OK) == 0)
    return msk_course_precision(checkpoint, precision, run->error);
  if (run->options->start_path == NULL) return MSK_OK;
  return msk_course_precision(run->options->start_path, precision, run->error);
}

/* All ranks have rank 0's precision: it has the checkpoint. */
static msk_status open_device(training_run *run) {
  const msk_train_options *o = run->options;
  msk_train_precision *precision = &run->progress.precision;
  msk_status status = msk_device_create(&run->device, o->isa, MSK_PRECISION_FP32, NULL, run->error);
  *precision = o->stage == MSK_TRAIN_TRANSFORMER ? o->precision : MSK_TRAIN_FP32;
  if (status == MSK_OK && *precision == MSK_TRAIN_AUTO && training_leads(run))
    status = look_at_precision(run, precision);
  if (status != MSK_OK) return status;
  if (*precision == MSK_TRAIN_AUTO)
    *precision = msk_device_bf16_pays(run->device) ? MSK_TRAIN_BF16 : MSK_TRAIN_FP32;
  msk_ranks_share(o->ranks, precision, sizeof *precision);
  if (*precision == MSK_TRAIN_BF16) msk_device_use_bf16(run->device);
  return MSK_OK;
}

/* Before the trainer takes it: whoever has too little need not wait to see. */
static msk_status tell_memory(const training_run *run) {
  const msk_train_options *o = run->options;
  bool stop = o->on_memory != NULL && o->on_memory(o->user, run->stage->bytes(run)) != 0;
  if (!msk_ranks_any(o->ranks, stop)) return MSK_OK;
  return msk_fail(run->error, MSK_ERROR_CANCELLED, "stopped before memory was taken");
}

static msk_status begin_course(training_run *run) {
  char checkpoint[TRAINING_PATH];
  if (access(training_path(run, run->stage->checkpoint, checkpoint), F_OK) == 0)
    return msk_course_load(run->course, checkpoint, run->error);
  if (run->options->start_path != NULL) return training_start_from(run, run->options->start_path);
  return run->stage->start(run);
}

/* What makes a rank's numbers: with another model, other options or other kernels than rank 0 has,
 * it would train another network. */
static msk_status check_same(const training_run *run) {
  const msk_train_options *o = run->options;
  char mine[65], first[65];
  msk_sha256 hash;
  msk_pace pace = training_pace(run);
  pace.ranks = NULL;
  const double numbers[] = {(double)run->course->params->floats,
                            o->adam_rate,
                            o->muon_rate,
                            o->pair_weight,
                            (double)o->pair_batch,
                            (double)o->pair_every,
                            (double)o->precision};
  const char *isa = msk_device_isa(run->device);
  msk_sha256_begin(&hash);
  msk_sha256_add(&hash, run->model->hash, strlen(run->model->hash));
  msk_sha256_add(&hash, isa, strlen(isa));
  msk_sha256_add(&hash, &pace, sizeof pace);
  msk_sha256_add(&hash, numbers, sizeof numbers);
  msk_sha256_end(&hash, mine);
  memcpy(first, mine, sizeof first);
  msk_ranks_share(o->ranks, first, sizeof first);
  if (memcmp(first, mine, sizeof first) == 0) return MSK_OK;
  return msk_fail(run->error, MSK_ERROR_ARGUMENT,
                  "rank %zu has another model, spec or kernel set (%s) than rank 0: start all with "
                  "the same, and where machines differ with --isa",
                  msk_rank_of(o->ranks), isa);
}

static msk_status open_course(training_run *run) {
  msk_status status = tell_memory(run);
  if (status == MSK_OK) status = run->stage->create(run);
  if (status == MSK_OK) status = check_same(run);
  if (status == MSK_OK && training_leads(run)) status = begin_course(run);
  return status == MSK_OK ? msk_course_share(run->course, run->error) : status;
}

static msk_status open_feed(training_run *run) {
  const msk_train_options *o = run->options;
  msk_feed_options feed = {.source = &o->source,
                           .encoder = run->model->tokenizer,
                           .device = run->model->device,
                           .hands_each = (size_t)o->hands_each,
                           .objects = {o->objects, o->held_out_objects},
                           .seed = o->seed};
  msk_status status = run->stage->open_store(run, &feed);
  if (status != MSK_OK || !training_leads(run)) return status;
  return msk_feed_start(&run->feed, &feed, run->error);
}

static void close_run(training_run *run) {
  msk_feed_stop(run->feed);
  run->stage->close(run);
  msk_pool_destroy(run->pool);
  if (run->device != NULL) msk_device_destroy(run->device);
  msk_model_close(run->model);
}

/* ---- the loop ---- */

static double mean_loss(const training_run *run, int which) {
  return run->counts[which] > 0 ? run->sums[which] / run->counts[which] : NAN;
}

/* Where there is no feed, those that rank 0 has given. */
static size_t objects_of(const training_run *run) {
  return run->feed == NULL ? msk_course_needs(run->course)
                           : msk_feed_count(run->feed, MSK_TRAIN_SET);
}

/* True: the caller wants no more. */
static bool report(training_run *run, bool waits, bool logged) {
  const msk_course *course = run->course;
  msk_train_progress *p = &run->progress;
  size_t left = course->pace.examples - msk_course_examples(course);
  p->step = course->step;
  p->sequences = msk_course_examples(course);
  p->all_sequences = course->pace.examples;
  p->objects = objects_of(run);
  p->waits = waits;
  p->logged = logged;
  p->loss = mean_loss(run, 0);
  p->second_loss = mean_loss(run, 1);
  /* Of the time that steps took: waiting for objects and logging make no machine slower. */
  double rate = run->trained > 0 ? run->steps / run->trained : NAN;
  p->sequences_per_second = rate * (double)course->pace.batch;
  p->flop_per_second = rate * run->stage->flop(run);
  p->seconds_left = p->sequences >= p->all_sequences ? 0 : (double)left / p->sequences_per_second;
  return run->options->on_progress != NULL && run->options->on_progress(run->options->user, p) != 0;
}

static msk_status save(training_run *run) {
  char path[TRAINING_PATH];
  run->saved = msk_clock();
  return msk_course_save(run->course, training_path(run, run->stage->checkpoint, path), run->error);
}

static void forget_figures(msk_train_progress *p) {
  double *const figures[] = {&p->held_out, &p->held_out_hinted, &p->held_out_auc,
                             &p->decibels, &p->sharpness,       &p->colour};
  for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) *figures[i] = NAN;
}

static msk_status log_progress(training_run *run, bool *stop) {
  msk_status status = run->stage->write_model(run);
  if (status != MSK_OK) return status;
  forget_figures(&run->progress);
  if (msk_feed_count(run->feed, MSK_HELD_OUT_SET) == run->options->held_out_objects)
    status = run->stage->evaluate(run);
  if (status != MSK_OK) return status;
  *stop = report(run, false, true);
  memset(run->sums, 0, sizeof run->sums);
  memset(run->counts, 0, sizeof run->counts);
  run->trained = run->steps = 0;
  run->logged = msk_clock();
  return MSK_OK;
}

/* Until the next step's objects are there. */
static msk_status wait_for_objects(training_run *run, bool *stop) {
  const struct timespec pause = {.tv_nsec = 50000000};
  size_t needs = msk_course_needs(run->course);
  if (run->feed == NULL) return MSK_OK;
  msk_status status = msk_feed_check(run->feed, run->error);
  while (status == MSK_OK && !*stop && msk_feed_count(run->feed, MSK_TRAIN_SET) < needs) {
    *stop = report(run, true, false);
    nanosleep(&pause, NULL);
    status = msk_feed_check(run->feed, run->error);
  }
  return status;
}

static msk_status take_step(training_run *run, bool *stop) {
  double started = msk_clock();
  msk_status status = run->stage->step(run);
  if (status != MSK_OK) return status;
  if (!isfinite(run->sums[0]) || !isfinite(run->progress.gradient_norm))
    return msk_fail(run->error, MSK_ERROR_UNSUPPORTED,
                    "the loss is not finite at step %ld: smaller rates may help; the last "
                    "checkpoint is kept",
                    run->course->step);
  run->trained += msk_clock() - started;
  run->steps++;
  *stop = report(run, false, false);
  return MSK_OK;
}

/* All ranks stop before the same step, whichever of them is wanted to. */
static msk_status next_step(training_run *run, bool *wanted, bool *stop) {
  msk_status status = wait_for_objects(run, wanted);
  if (status != MSK_OK) return status;
  *stop = msk_ranks_any(run->options->ranks, *wanted);
  if (*stop) return MSK_OK;
  run->stage->share(run);
  return take_step(run, wanted);
}

/* Rank 0's, between steps. */
static msk_status keep(training_run *run, bool *wanted) {
  const msk_train_options *o = run->options;
  msk_status status = MSK_OK;
  if (msk_clock() - run->saved > o->save_seconds) status = save(run);
  if (status == MSK_OK && !*wanted && msk_clock() - run->logged > o->log_seconds)
    status = log_progress(run, wanted);
  return status;
}

/* Also where the caller wants no more: the same command goes on from here. */
static msk_status end_steps(training_run *run) {
  bool stop = false;
  msk_status status = training_leads(run) ? save(run) : MSK_OK;
  if (status != MSK_OK) return status;
  if (msk_course_is_done(run->course) && training_leads(run)) status = log_progress(run, &stop);
  /* The next stage of all ranks opens what rank 0 has written. */
  if (status == MSK_OK) msk_ranks_any(run->options->ranks, false);
  if (status == MSK_OK && !msk_course_is_done(run->course))
    return msk_fail(run->error, MSK_ERROR_CANCELLED,
                    "stopped at step %ld; the same command goes on", run->course->step);
  return status;
}

static msk_status run_steps(training_run *run) {
  bool wanted = false, stop = false;
  msk_status status = MSK_OK;
  run->logged = run->saved = msk_clock();
  while (status == MSK_OK && !stop && !msk_course_is_done(run->course)) {
    status = next_step(run, &wanted, &stop);
    if (status == MSK_OK && !stop && training_leads(run)) status = keep(run, &wanted);
  }
  return status == MSK_OK ? end_steps(run) : status;
}

msk_status msk_train(const msk_train_options *options, msk_error *error) {
  msk_status status = training_check_options(options, error);
  if (status != MSK_OK) return status;
  training_run run = {
      .options = options,
      .stage = options->stage == MSK_TRAIN_TRANSFORMER ? &training_transformer : &training_pictures,
      .error = error};
  status = open_model(&run);
  if (status == MSK_OK) status = open_device(&run);
  if (status == MSK_OK) status = open_course(&run);
  if (status == MSK_OK) status = open_feed(&run);
  if (status == MSK_OK) status = run_steps(&run);
  close_run(&run);
  return status;
}
