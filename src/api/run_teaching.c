/* SPDX-License-Identifier: Apache-2.0
 *
 * run_teaching.c - msk_teach(): pictures become tokens, the model draws samples of its own classes,
 * and then makes room for training; what was taught becomes an adapter file. Nothing is written
 * before the end. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/crop.h"
#include "api/model.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "model/adapter.h"
#include "train/teacher.h"

#define LEAST_CROP 0.85 /* of a picture's shorter side */

enum { CROP_STREAM = 51, REPLAY_STREAM };

struct teaching {
  const msk_teach_options *options;
  msk_error *error;
  msk_model *model;
  msk_model_info info;
  msk_session *session;
  msk_pool *pool;
  msk_device *device;
  msk_weight_file *file;
  msk_teacher *teacher;
  char hash[65], name[256];
  msk_lesson *lessons, *replayed; /* photo_count * crops; options->replay */
  int32_t *tokens;                /* of all of them */
  size_t lesson_count, replayed_count, cells;
  msk_teach_progress progress;
};

static msk_status out_of_memory(const struct teaching *t) {
  return msk_fail(t->error, MSK_ERROR_MEMORY, "no memory for the lessons");
}

static msk_status tell(struct teaching *t, msk_teach_phase phase, long done, long all) {
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
                                 .rate = 1e-3,
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
  return status == MSK_OK ? check_range("hint_share", o->hint_share, 0, 1, error) : status;
}

/* ---- the model ---- */

static msk_status check_class(const struct teaching *t) {
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

static msk_status open_model(struct teaching *t) {
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

static msk_status tokenize(struct teaching *t, const msk_image *whole, const msk_crop *crop,
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
static msk_crop make_crop(const struct teaching *t, size_t photo, int number) {
  msk_random random = msk_random_stream(t->options->seed, CROP_STREAM,
                                        photo * (size_t)t->options->crops + (size_t)number);
  return number == 0 ? msk_crop_middle() : msk_crop_choose(&random, LEAST_CROP);
}

static int32_t *lesson_tokens(const struct teaching *t, size_t number, size_t half) {
  return t->tokens + (2 * number + half) * t->cells;
}

static msk_status learn_photo(struct teaching *t, size_t index) {
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
    int32_t *tokens = lesson_tokens(t, t->lesson_count, 0),
            *drawn = lesson_tokens(t, t->lesson_count, 1);
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

static msk_status learn_photos(struct teaching *t) {
  const msk_teach_options *o = t->options;
  size_t most = (size_t)o->photo_count * (size_t)o->crops, all = most + (size_t)o->replay;
  t->lessons = msk_allocate_zeroed(NULL, all, sizeof *t->lessons);
  t->tokens = msk_allocate_zeroed(NULL, 2 * all, t->cells * sizeof *t->tokens);
  if (t->lessons == NULL || t->tokens == NULL) return out_of_memory(t);
  t->replayed = t->lessons + most;
  msk_status status = MSK_OK;
  for (int i = 0; status == MSK_OK && i < o->photo_count; i++) {
    status = tell(t, MSK_TEACH_PHOTOS, i, o->photo_count);
    if (status == MSK_OK) status = learn_photo(t, (size_t)i);
  }
  return status;
}

/* ---- what the model knows ---- */

/* Classes in turn, beginning anywhere, so that few samples of many classes are of all kinds. */
static msk_status replay(struct teaching *t) {
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
    int32_t *tokens = lesson_tokens(t, first + (size_t)i, 0);
    memcpy(tokens, result.tokens + 1, t->cells * sizeof *tokens);
    t->replayed[i] = (msk_lesson){t->info.codebook_size + id, tokens, NULL};
    t->replayed_count++;
  }
  return status;
}

/* ---- training ---- */

/* A tensor of the file into a block that has a row more, before the last. */
static msk_status read_tensor(const struct teaching *t, const msk_param *param) {
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
static msk_teach_plan make_plan(const struct teaching *t) {
  const msk_teach_options *o = t->options;
  msk_teach_plan plan = {
      .codes = (size_t)t->info.codebook_size,
      .rank = (size_t)o->rank,
      .first_layer = (size_t)(o->layers > 0 ? t->info.layers - o->layers : 0),
      .batch = (size_t)o->batch,
      .steps = o->steps,
      .rate = o->rate,
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

/* Before the pictures are looked at: whoever has too little need not wait to see. */
static msk_status tell_memory(const struct teaching *t) {
  const msk_teach_options *o = t->options;
  const msk_teach_plan plan = make_plan(t);
  if (o->on_memory == NULL ||
      o->on_memory(o->user, msk_teacher_bytes(&plan, t->model->device, t->pool)) == 0)
    return MSK_OK;
  return msk_fail(t->error, MSK_ERROR_CANCELLED, "stopped before memory was taken");
}

/* The model makes room first; its file does before memory is used, of which its pages would be
 * a part. */
static msk_status open_teacher(struct teaching *t) {
  const msk_teach_options *o = t->options;
  const msk_teach_plan plan = make_plan(t);
  msk_session_close(t->session);
  msk_model_close(t->model);
  t->session = NULL;
  t->model = NULL;
  msk_status status = msk_weight_file_open(&t->file, o->model_path, NULL, t->error);
  if (status == MSK_OK)
    status = msk_device_create(&t->device, o->isa, MSK_PRECISION_FP32, NULL, t->error);
  if (status == MSK_OK) status = msk_teacher_create(&t->teacher, &plan, t->error);
  for (size_t i = 0; status == MSK_OK && i < t->teacher->params->count; i++)
    status = read_tensor(t, &t->teacher->params->list[i]);
  msk_weight_file_close(t->file);
  t->file = NULL;
  if (status != MSK_OK) return status;
  return msk_teacher_start(t->teacher, t->device, t->pool, plan.codes, (size_t)plan.class_token,
                           t->error);
}

static msk_status train(struct teaching *t) {
  msk_teacher *teacher = t->teacher;
  msk_status status = MSK_OK;
  double started = msk_clock();
  double loss =
      msk_teacher_loss(teacher, t->lessons, t->lesson_count, t->replayed, t->replayed_count);
  /* how long a step takes is known before the first that counts */
  t->progress.seconds_left = (msk_clock() - started) * t->options->steps;
  t->progress.loss = loss;
  status = tell(t, MSK_TEACH_TRAINING, 0, t->options->steps);
  started = msk_clock();
  while (status == MSK_OK && teacher->step < t->options->steps) {
    loss = msk_teacher_loss(teacher, t->lessons, t->lesson_count, t->replayed, t->replayed_count);
    if (!isfinite(loss))
      return msk_fail(t->error, MSK_ERROR_UNSUPPORTED,
                      "the loss is not finite at step %ld: a smaller rate may help", teacher->step);
    msk_teacher_update(teacher);
    t->progress.loss += 0.05 * (loss - t->progress.loss);
    t->progress.seconds_left = (msk_clock() - started) / (double)teacher->step *
                               (double)(t->options->steps - teacher->step);
    status = tell(t, MSK_TEACH_TRAINING, teacher->step, t->options->steps);
  }
  return status;
}

/* ---- the file ---- */

struct writing {
  const msk_teacher *teacher;
  msk_tensor *tensors;
  char (*names)[MSK_WEIGHT_NAME + 2];
  size_t *offsets, count;
};

static void add_tensor(struct writing *w, const char *name, const char *half, msk_dtype dtype,
                       size_t rows, size_t columns, size_t offset) {
  msk_tensor *tensor = &w->tensors[w->count];
  snprintf(w->names[w->count], sizeof w->names[0], "%s%s", name, half);
  *tensor = (msk_tensor){.name = w->names[w->count],
                         .dtype = dtype,
                         .rank = columns == 0 ? 1 : 2,
                         .shape = {rows, columns},
                         .elements = rows * (columns == 0 ? 1 : columns)};
  tensor->bytes = tensor->elements * msk_dtype_bytes(dtype);
  w->offsets[w->count++] = offset;
}

static void list_tensors(struct writing *w) {
  const msk_low_rank *low = &w->teacher->low;
  const msk_maskgit_config *config = &low->params->config;
  add_tensor(w, MSK_ADAPTER_CLASS, "", MSK_DTYPE_F32, config->hidden, 0, 0);
  for (size_t layer = low->first_layer; layer < config->layers; layer++) {
    for (int kind = 0; kind < MSK_LOW_KINDS; kind++) {
      char name[MSK_WEIGHT_NAME];
      msk_low_pair pair = msk_low_rank_pair(low, layer, (msk_low_kind)kind);
      msk_low_rank_name(layer, (msk_low_kind)kind, name);
      add_tensor(w, name, ".a", MSK_DTYPE_F16, pair.in, low->rank, pair.a);
      add_tensor(w, name, ".b", MSK_DTYPE_F16, low->rank, pair.out, pair.b);
    }
  }
}

static msk_status fill_tensor(void *user, size_t index, void *out, msk_error *error) {
  const struct writing *w = user;
  (void)error;
  msk_f32_to_dtype(w->teacher->added + w->offsets[index], w->tensors[index].elements,
                   w->tensors[index].dtype, out);
  return MSK_OK;
}

static msk_status write_adapter(struct teaching *t) {
  const msk_teach_options *o = t->options;
  struct writing w = {.teacher = t->teacher};
  size_t most = 1 + 2 * MSK_LOW_KINDS * t->teacher->plan.config.layers;
  char rank[16], provenance[256];
  snprintf(rank, sizeof rank, "%d", o->rank);
  snprintf(provenance, sizeof provenance,
           "masksketch teach, %d pictures, %d steps of %d, rank %d, rate %g, seed %llu",
           o->photo_count, o->steps, o->batch, o->rank, o->rate, (unsigned long long)o->seed);
  const msk_metadata_entry metadata[] = {
      {"format", MSK_ADAPTER_FORMAT}, {"class", o->class_name}, {"model", t->name},
      {"model_sha256", t->hash},      {"rank", rank},           {"provenance", provenance}};
  w.tensors = msk_allocate_zeroed(NULL, most, sizeof *w.tensors);
  w.names = msk_allocate_zeroed(NULL, most, sizeof *w.names);
  w.offsets = msk_allocate_zeroed(NULL, most, sizeof *w.offsets);
  msk_status status =
      w.tensors == NULL || w.names == NULL || w.offsets == NULL ? out_of_memory(t) : MSK_OK;
  if (status == MSK_OK) {
    list_tensors(&w);
    status =
        msk_safetensors_write(o->output_path, w.tensors, w.count, metadata,
                              sizeof metadata / sizeof *metadata, fill_tensor, &w, NULL, t->error);
  }
  msk_free(NULL, w.tensors);
  msk_free(NULL, w.names);
  msk_free(NULL, w.offsets);
  return status;
}

/* ---- all of it ---- */

static void close_all(struct teaching *t) {
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
  struct teaching t = {.options = options, .error = error};
  msk_status status = check_options(options, error);
  if (status == MSK_OK) status = open_model(&t);
  if (status == MSK_OK) status = tell_memory(&t);
  if (status == MSK_OK) status = learn_photos(&t);
  if (status == MSK_OK) status = replay(&t);
  if (status == MSK_OK) status = open_teacher(&t);
  if (status == MSK_OK) status = train(&t);
  if (status == MSK_OK) status = write_adapter(&t);
  close_all(&t);
  return status;
}
