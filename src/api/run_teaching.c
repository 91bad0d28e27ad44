/* SPDX-License-Identifier: Apache-2.0
 *
 * run_teaching.c - msk_teach(): pictures become tokens, the model draws samples of its own classes,
 * and then makes room for training; what was taught becomes a file (teaching_files.c). */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/crop.h"
#include "api/teaching_run.h"
#include "base/clock.h"
#include "compute/backward.h"
#include "model/adapter.h"

#define LEAST_CROP 0.85 /* of a picture's shorter side */
/* Adam's. All weights together go far with little. */
#define ADAPTER_RATE 1e-3
#define FULL_RATE 1e-4
/* Seconds between checkpoints, and as many times as long as the last one took. */
#define SAVE_SECONDS 120.0
#define SAVE_TIMES 20.0

enum { CROP_STREAM = 51, REPLAY_STREAM };

static msk_status tell(teaching_run *t, msk_teach_phase phase, long done, long all) {
  t->progress.phase = phase;
  t->progress.done = done;
  t->progress.all = all;
  if (t->options->on_progress == NULL || !t->options->on_progress(t->options->user, &t->progress))
    return MSK_OK;
  return msk_fail(t->error, MSK_ERROR_CANCELLED, "stopped: nothing was written");
}

/* ---- options ---- */

void msk_teach_options_init(msk_teach_options *options) {
  *options = (msk_teach_options){.size = sizeof *options,
                                 .seed = 1,
                                 .rank = 8,
                                 .steps = 240,
                                 .batch = 16,
                                 .crops = 8,
                                 .replay = 96,
                                 .replay_share = 0.5,
                                 .hint_share = 0.7};
}

static msk_status check_range(const char *name, double value, double least, double most,
                              msk_error *error) {
  if (value >= least && value <= most) return MSK_OK;
  return msk_refuse(error, name, "%s is %g, expected %g to %g", name, value, least, most);
}

static msk_status check_options(const msk_teach_options *o, msk_error *error) {
  if (o == NULL || o->size != sizeof *o || o->model_path == NULL || o->output_path == NULL ||
      o->class_name == NULL || o->photos == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "teaching needs a model, a class's name, photos and an output, and options set "
                    "up with msk_teach_options_init()");
  if (!msk_class_name_is_fine(o->class_name))
    return msk_refuse(error, "class_name", "the class's name is no text of 1 to %d bytes",
                      MSK_MAX_CLASS_NAME);
  msk_status status = check_range("photo_count", o->photo_count, MSK_LEAST_PHOTOS, 100000, error);
  if (status == MSK_OK) status = check_range("rank", o->rank, 1, MSK_ADAPTER_MAX_RANK, error);
  if (status == MSK_OK) status = check_range("layers", o->layers, 0, 1000, error);
  if (status == MSK_OK) status = check_range("steps", o->steps, 1, 1000000, error);
  if (status == MSK_OK) status = check_range("batch", o->batch, 1, MSK_MAX_TRAIN_BATCH, error);
  if (status == MSK_OK) status = check_range("crops", o->crops, 1, 1000, error);
  if (status == MSK_OK) status = check_range("replay", o->replay, 0, 100000, error);
  if (status == MSK_OK) status = check_range("rate", o->rate, 0, 1, error);
  if (status == MSK_OK) status = check_range("replay_share", o->replay_share, 0, 1, error);
  if (status == MSK_OK) status = check_range("hint_share", o->hint_share, 0, 1, error);
  if (status == MSK_OK) status = check_range("full", o->full, 0, 1, error);
  if (status == MSK_OK && msk_train_precision_name((int)o->precision) == NULL)
    return msk_refuse(error, "precision", "there is no precision %d of training",
                      (int)o->precision);
  if (status == MSK_OK && o->full && o->layers != 0)
    return msk_refuse(error, "layers", "layers is %d, but all weights are trained", o->layers);
  return status;
}

/* ---- the model ---- */

static msk_status check_class(const teaching_run *t) {
  for (int id = 0; id < t->info.class_count; id++) {
    if (strcmp(msk_model_class_name(t->model, id), t->options->class_name) == 0)
      return msk_refuse(t->error, "class_name", "%s has a class %s already: choose another name",
                        t->options->model_path, t->options->class_name);
  }
  if (strlen(t->info.hash) != 64)
    return msk_fail(t->error, MSK_ERROR_FILE,
                    "%s does not say its tensors_sha256: convert it again with masksketch convert",
                    t->options->model_path);
  return MSK_OK;
}

static msk_status open_model(teaching_run *t) {
  msk_model_options options;
  msk_session_options session;
  msk_request request;
  msk_model_options_init(&options);
  msk_session_options_init(&session);
  options.isa = t->options->isa;
  options.threads = session.threads = t->options->threads;
  msk_status status = msk_model_open(&t->model, t->options->model_path, &options, t->error);
  if (status != MSK_OK) return status;
  msk_model_get_info(t->model, &t->info);
  t->cells = (size_t)t->info.tokens - 1;
  snprintf(t->hash, sizeof t->hash, "%s", t->info.hash);
  snprintf(t->name, sizeof t->name, "%s", t->info.name);
  t->dtype = msk_model_dtype(t->model->file);
  status = check_class(t);
  if (status == MSK_OK && t->options->layers > t->info.layers)
    status = msk_refuse(t->error, "layers", "layers is %d, but the model has %d",
                        t->options->layers, t->info.layers);
  if (status == MSK_OK)
    status = msk_request_init(&request, t->model, MSK_JOB_GENERATE, "balanced", t->error);
  /* One session for both: it tokenizes the pictures, and draws what is replayed. */
  if (status == MSK_OK)
    status = msk_session_open(&t->session, t->model, &request, &session, t->error);
  int threads = t->options->threads > 0 ? t->options->threads : msk_default_threads();
  return status == MSK_OK ? msk_pool_create(&t->pool, threads, NULL, t->error) : status;
}

/* ---- pictures ---- */

static msk_status tokenize(teaching_run *t, const msk_image *whole, const msk_crop *crop,
                           const msk_prepare_options *preparation, int32_t *tokens) {
  msk_image square = {0}, prepared = {0};
  int32_t *made = NULL;
  int rows, columns;
  msk_status status = msk_crop_cut(whole, crop, &square, t->error);
  if (status == MSK_OK)
    status = msk_image_prepare(&prepared, &square, t->info.image_size, t->info.image_size,
                               preparation, NULL, t->error);
  if (status == MSK_OK)
    status = msk_tokenize(t->session, &prepared, &made, NULL, &rows, &columns, t->error);
  if (status == MSK_OK) memcpy(tokens, made, t->cells * sizeof *tokens);
  msk_free(NULL, made);
  msk_image_free(&prepared);
  msk_image_free(&square);
  return status;
}

/* The first is the whole of the middle. */
static msk_crop make_crop(const teaching_run *t, size_t photo, int number) {
  msk_random random = msk_random_stream(t->options->seed, CROP_STREAM,
                                        photo * (size_t)t->options->crops + (size_t)number);
  return number == 0 ? msk_crop_middle() : msk_crop_choose(&random, LEAST_CROP);
}

static msk_status learn_photo(teaching_run *t, size_t index) {
  const msk_teach_options *o = t->options;
  const char *drawing_path = o->drawings == NULL ? NULL : o->drawings[index];
  msk_image photo = {0}, drawing = {0};
  msk_prepare_options plain, sketch;
  msk_prepare_plain(&plain);
  msk_prepare_init(&sketch);
  msk_status status = msk_image_load(&photo, o->photos[index], MSK_ALPHA_WHITE, NULL, t->error);
  if (status == MSK_OK && drawing_path != NULL)
    status = msk_image_load(&drawing, drawing_path, MSK_ALPHA_SKETCH, NULL, t->error);
  for (int i = 0; status == MSK_OK && i < o->crops; i++) {
    msk_crop crop = make_crop(t, index, i);
    msk_lesson *lesson = &t->lessons[t->lesson_count];
    int32_t *tokens = teaching_tokens(t, t->lesson_count, 0),
            *drawn = teaching_tokens(t, t->lesson_count, 1);
    status = tokenize(t, &photo, &crop, &plain, tokens);
    if (status == MSK_OK && drawing_path != NULL)
      status = tokenize(t, &drawing, &crop, &sketch, drawn);
    *lesson = (msk_lesson){t->info.codebook_size + t->info.class_count, tokens,
                           drawing_path == NULL ? NULL : drawn};
    t->lesson_count += status == MSK_OK;
  }
  msk_image_free(&photo);
  msk_image_free(&drawing);
  return status;
}

static msk_status make_room(teaching_run *t) {
  const msk_teach_options *o = t->options;
  size_t most = (size_t)o->photo_count * (size_t)o->crops, all = most + (size_t)o->replay;
  t->lessons = msk_allocate_zeroed(NULL, all, sizeof *t->lessons);
  t->tokens = msk_allocate_zeroed(NULL, 2 * all, t->cells * sizeof *t->tokens);
  if (t->lessons == NULL || t->tokens == NULL) return teaching_out_of_memory(t);
  t->replayed = t->lessons + most;
  return MSK_OK;
}

static msk_status learn_photos(teaching_run *t) {
  const msk_teach_options *o = t->options;
  msk_status status = MSK_OK;
  for (int i = 0; status == MSK_OK && i < o->photo_count; i++) {
    status = tell(t, MSK_TEACH_PHOTOS, i, o->photo_count);
    if (status == MSK_OK) status = learn_photo(t, (size_t)i);
  }
  return status;
}

/* ---- what the model knows ---- */

/* Classes in turn, beginning anywhere, so that few samples of many classes are of all kinds. */
static msk_status replay(teaching_run *t) {
  const msk_teach_options *o = t->options;
  msk_random random = msk_random_stream(o->seed, REPLAY_STREAM, 0);
  size_t first = (size_t)o->photo_count * (size_t)o->crops;
  int classes = t->info.class_count, id = (int)msk_random_below(&random, (size_t)classes);
  bool any = false;
  for (int c = 0; c < classes; c++) any |= !t->model->defaults.hidden[c];
  if (!any) return MSK_OK; /* the search for one below would not end */
  int stride = o->replay < classes && o->replay > 0 ? classes / o->replay : 1;
  msk_status status = MSK_OK;
  for (int i = 0; status == MSK_OK && i < o->replay; i++) {
    msk_request request;
    msk_result result;
    for (id = (id + stride) % classes; t->model->defaults.hidden[id];) id = (id + 1) % classes;
    status = tell(t, MSK_TEACH_REPLAY, i, o->replay);
    if (status == MSK_OK)
      status = msk_request_init(&request, t->model, MSK_JOB_GENERATE, "balanced", t->error);
    request.class_id = id;
    request.seed = o->seed;
    request.first_item = i;
    if (status == MSK_OK) status = msk_run(t->session, &request, &result, t->error);
    if (status != MSK_OK) return status;
    int32_t *tokens = teaching_tokens(t, first + (size_t)i, 0);
    memcpy(tokens, result.tokens + 1, t->cells * sizeof *tokens);
    t->replayed[i] = (msk_lesson){t->info.codebook_size + id, tokens, NULL};
    t->replayed_count++;
  }
  return status;
}

/* ---- training ---- */

/* A tensor of the file into a block that has a row more, before the last. */
static msk_status read_tensor(const teaching_run *t, const msk_param *param) {
  char name[2 * MSK_WEIGHT_NAME];
  float *values = t->teacher->block + param->offset;
  snprintf(name, sizeof name, "%s%s", MSK_MODEL_TRANSFORMER, param->tensor.name);
  const msk_tensor *tensor = msk_weight_file_find(t->file, name);
  msk_status status = msk_weight_values(t->file, tensor, values, t->error);
  size_t row = tensor->elements / tensor->shape[0], grown = param->tensor.elements;
  if (status != MSK_OK || grown == tensor->elements) return status;
  memcpy(values + grown - row, values + tensor->elements - row, row * sizeof *values);
  memset(values + tensor->elements - row, 0, row * sizeof *values);
  return MSK_OK;
}

/* While the model is open. */
static msk_teach_plan make_plan(const teaching_run *t) {
  const msk_teach_options *o = t->options;
  double usual = o->full ? FULL_RATE : ADAPTER_RATE;
  msk_teach_plan plan = {
      .full = o->full != 0,
      .codes = (size_t)t->info.codebook_size,
      .rank = (size_t)o->rank,
      .first_layer = (size_t)(o->layers > 0 ? t->info.layers - o->layers : 0),
      .batch = (size_t)o->batch,
      .steps = o->steps,
      .rate = o->rate > 0 ? o->rate : usual,
      .seed = o->seed,
      .class_token = t->info.codebook_size + t->info.class_count,
      .null_token = t->info.null_class < 0 ? -1 : t->info.codebook_size + t->info.null_class,
      .replay_share = o->replay_share,
      .null_share = 0.1,
      .hint_share = o->hint_share};
  plan.config = *msk_maskgit_get_config(t->model->transformer);
  plan.config.vocabulary++;
  return plan;
}

/* A teaching goes on in the precision that it was begun in. */
static msk_status open_device(teaching_run *t) {
  const msk_teach_options *o = t->options;
  msk_train_precision precision = o->precision;
  msk_status status = msk_device_create(&t->device, o->isa, MSK_PRECISION_FP32, NULL, t->error);
  if (status == MSK_OK && precision == MSK_TRAIN_AUTO && o->checkpoint_path != NULL &&
      access(o->checkpoint_path, F_OK) == 0)
    status = teaching_precision(t, &precision);
  if (status != MSK_OK) return status;
  if (precision == MSK_TRAIN_BF16 ||
      (precision == MSK_TRAIN_AUTO && msk_device_bf16_pays(t->device)))
    msk_device_use_bf16(t->device);
  return MSK_OK;
}

/* Before the pictures are looked at: whoever has too little need not wait to see. */
static msk_status tell_memory(const teaching_run *t) {
  const msk_teach_options *o = t->options;
  const msk_teach_plan plan = make_plan(t);
  if (o->on_memory == NULL ||
      o->on_memory(o->user, msk_teacher_bytes(&plan, t->device, t->pool)) == 0)
    return MSK_OK;
  return msk_fail(t->error, MSK_ERROR_CANCELLED, "stopped before memory was taken");
}

/* The model makes room first; its file does before memory is used, of which its pages would be
 * a part. */
static msk_status open_teacher(teaching_run *t) {
  const msk_teach_options *o = t->options;
  const msk_teach_plan plan = make_plan(t);
  msk_session_close(t->session);
  msk_model_close(t->model);
  t->session = NULL;
  t->model = NULL;
  msk_status status = msk_weight_file_open(&t->file, o->model_path, NULL, t->error);
  if (status == MSK_OK) status = msk_teacher_create(&t->teacher, &plan, t->error);
  for (size_t i = 0; status == MSK_OK && i < t->teacher->params->count; i++)
    status = read_tensor(t, &t->teacher->params->list[i]);
  msk_weight_file_close(t->file);
  t->file = NULL;
  if (status != MSK_OK) return status;
  return msk_teacher_start(t->teacher, t->device, t->pool, plan.codes, (size_t)plan.class_token,
                           t->error);
}

/* Also after a stop: the same command goes on from here. */
static msk_status end_training(teaching_run *t, msk_status status) {
  if (status != MSK_ERROR_CANCELLED || t->options->checkpoint_path == NULL) return status;
  status = teaching_save(t);
  return status == MSK_OK
             ? msk_fail(t->error, MSK_ERROR_CANCELLED,
                        "stopped at step %ld; the same command goes on", t->teacher->step)
             : status;
}

/* How long a step takes is known before the first that counts. */
static msk_status time_step(teaching_run *t) {
  const msk_teacher *teacher = t->teacher;
  double started = msk_clock();
  t->progress.loss = msk_teacher_loss(t->teacher, t->lessons, t->lesson_count, t->replayed,
                                      (size_t)t->replayed_count);
  t->progress.seconds_left = (msk_clock() - started) * (double)(t->options->steps - teacher->step);
  return tell(t, MSK_TEACH_TRAINING, teacher->step, t->options->steps);
}

static msk_status take_step(teaching_run *t) {
  msk_teacher *teacher = t->teacher;
  double loss = msk_teacher_loss(teacher, t->lessons, t->lesson_count, t->replayed,
                                 (size_t)t->replayed_count);
  if (!isfinite(loss))
    return msk_fail(t->error, MSK_ERROR_UNSUPPORTED,
                    "the loss is not finite at step %ld: a smaller rate may help", teacher->step);
  msk_teacher_update(teacher);
  t->progress.loss += 0.05 * (loss - t->progress.loss);
  return MSK_OK;
}

static msk_status train(teaching_run *t) {
  msk_teacher *teacher = t->teacher;
  msk_status status = t->goes_on ? teaching_load(t) : teaching_save(t);
  if (status == MSK_OK) status = time_step(t);
  double started = msk_clock(), saved = started, saving = 0;
  long first = teacher->step;
  while (status == MSK_OK && teacher->step < t->options->steps) {
    status = take_step(t);
    if (status != MSK_OK) return status;
    double now = msk_clock();
    t->progress.seconds_left = (now - started) / (double)(teacher->step - first) *
                               (double)(t->options->steps - teacher->step);
    status = tell(t, MSK_TEACH_TRAINING, teacher->step, t->options->steps);
    if (status == MSK_OK && now - saved > fmax(SAVE_SECONDS, SAVE_TIMES * saving)) {
      status = teaching_save(t);
      saved = msk_clock();
      saving = saved - now;
    }
  }
  return end_training(t, status);
}

/* ---- all of it ---- */

static void close_all(teaching_run *t) {
  msk_session_close(t->session);
  msk_model_close(t->model);
  msk_teacher_destroy(t->teacher);
  msk_pool_destroy(t->pool);
  if (t->device != NULL) msk_device_destroy(t->device);
  msk_weight_file_close(t->file);
  msk_free(NULL, t->lessons);
  msk_free(NULL, t->tokens);
}

msk_status msk_teach(const msk_teach_options *options, msk_error *error) {
  teaching_run t = {.options = options, .error = error};
  msk_status status = check_options(options, error);
  if (status == MSK_OK) status = open_model(&t);
  if (status == MSK_OK) status = open_device(&t);
  if (status == MSK_OK) status = tell_memory(&t);
  if (status == MSK_OK) status = teaching_look(&t);
  if (status == MSK_OK) status = make_room(&t);
  if (status == MSK_OK && !t.goes_on) status = learn_photos(&t);
  if (status == MSK_OK && !t.goes_on) status = replay(&t);
  if (status == MSK_OK) status = open_teacher(&t);
  if (status == MSK_OK) status = train(&t);
  if (status == MSK_OK) status = teaching_write(&t);
  close_all(&t);
  return status;
}
