/* SPDX-License-Identifier: Apache-2.0
 *
 * run_training.c - msk_train(): checks what is asked, opens what it needs, and runs the loop
 * around the trainer's step: waiting for objects, logs, checkpoints, the model file at every
 * log. What a step does is src/train's. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api/model.h"
#include "base/error.h"
#include "base/json_tree.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "masksketch_tools.h"
#include "train/feed.h"
#include "train/start.h"
#include "train/trainer.h"

struct run {
  const msk_train_options *options;
  msk_error *error;
  msk_model *model; /* whose codes are kept */
  msk_pool *pool;
  msk_trainer *trainer;
  msk_tokens *tokens[2];
  msk_feed *feed;
  msk_train_progress progress;
  double sums[2], counts[2];     /* masked and pair losses since the last log */
  double trained, logged, saved; /* seconds spent in steps since the log; when it was, when saved */
  double steps;                  /* in `trained` */
};

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static char *path_in(const struct run *run, const char *name, char path[4096]) {
  snprintf(path, 4096, "%s/%s", run->options->work_path, name);
  return path;
}

/* ---- options ---- */

void msk_train_options_init(msk_train_options *options) {
  *options = (msk_train_options){.size = sizeof *options,
                                 .seed = 2,
                                 .layers = 6,
                                 .width = 256,
                                 .heads = 8,
                                 .batch = 32,
                                 .pair_batch = 16,
                                 .pair_every = 8,
                                 .hands_each = 2,
                                 .sequences = 300000,
                                 .warmup_sequences = 500,
                                 .decay_sequences = 60000,
                                 .objects = 7200,
                                 .held_out_objects = 240,
                                 .first_objects = 120,
                                 .sequences_per_object = 5,
                                 .muon_rate = 8e-3,
                                 .adam_rate = 3e-3,
                                 .pair_weight = 1,
                                 .null_share = 0.1,
                                 .style_share = 0.04,
                                 .hint_share = 0.7,
                                 .wrong_share = 0.3,
                                 .structure_layers = {2, 3},
                                 .structure_layer_count = 2,
                                 .log_seconds = 300,
                                 .save_seconds = 120};
}

static msk_status check_counts(const msk_train_options *o, msk_error *error) {
  const struct {
    const char *name;
    double value, least;
  } rows[] = {{"layers", o->layers, 1},
              {"width", o->width, 8},
              {"heads", o->heads, 1},
              {"batch", o->batch, 1},
              {"pair_batch", o->pair_batch, 1},
              {"pair_every", o->pair_every, 0},
              {"hands_each", o->hands_each, 1},
              {"sequences", (double)o->sequences, 1},
              {"warmup_sequences", (double)o->warmup_sequences, 1},
              {"decay_sequences", (double)o->decay_sequences, 1},
              {"objects", (double)o->objects, 1},
              {"held_out_objects", (double)o->held_out_objects, 1},
              {"first_objects", (double)o->first_objects, 1},
              {"sequences_per_object", o->sequences_per_object, 1e-6},
              {"muon_rate", o->muon_rate, 0},
              {"adam_rate", o->adam_rate, 0},
              {"pair_weight", o->pair_weight, 0}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (!(rows[i].value >= rows[i].least))
      return msk_fail(error, MSK_ERROR_ARGUMENT, "%s is %g, expected at least %g", rows[i].name,
                      rows[i].value, rows[i].least);
  }
  const struct {
    const char *name;
    double value;
  } shares[] = {{"null_share", o->null_share},
                {"style_share", o->style_share},
                {"hint_share", o->hint_share},
                {"wrong_share", o->wrong_share}};
  for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
    if (!(shares[i].value >= 0 && shares[i].value <= 1))
      return msk_fail(error, MSK_ERROR_ARGUMENT, "%s is %g, expected 0 to 1", shares[i].name,
                      shares[i].value);
  }
  return MSK_OK;
}

static msk_status check_options(const msk_train_options *o, msk_error *error) {
  if (o == NULL || o->size != sizeof *o)
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "train options of an unknown size: set them up with msk_train_options_init()");
  if (o->tokenizer_path == NULL || o->work_path == NULL || o->output_path == NULL ||
      o->source.render == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "training needs a tokenizer's model, a work folder, an output and a source");
  msk_status status = check_counts(o, error);
  if (status != MSK_OK) return status;
  if (o->width % o->heads != 0)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "width is %d, expected a multiple of the %d heads",
                    o->width, o->heads);
  if (o->hands_each > o->source.hands)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "hands_each is %d, but there are %d hands",
                    o->hands_each, o->source.hands);
  int last = -1;
  for (int i = 0; i < o->structure_layer_count; i++) {
    if (o->structure_layers[i] <= last || o->structure_layers[i] >= o->layers)
      return msk_fail(error, MSK_ERROR_ARGUMENT,
                      "structure layer %d, expected ascending numbers below the %d layers",
                      o->structure_layers[i], o->layers);
    last = o->structure_layers[i];
  }
  if (last < 0 && o->pair_every > 0)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "the pair loss needs structure layers");
  return MSK_OK;
}

/* ---- opening ---- */

static msk_status check_model(const struct run *run) {
  const msk_train_source *source = &run->options->source;
  const msk_model *model = run->model;
  int classes = source->classes + 1 + source->hands;
  if (model->class_count != classes)
    return msk_fail(run->error, MSK_ERROR_FILE,
                    "%s has %d classes, expected %d: the objects' %d, one without a name, %d hands",
                    run->options->tokenizer_path, model->class_count, classes, source->classes,
                    source->hands);
  if (model->image_size != source->image_size || model->image_size / model->latent_size < 4)
    return msk_fail(run->error, MSK_ERROR_FILE,
                    "%s makes pictures of %d pixels, expected %d with tokens of at least 4 pixels",
                    run->options->tokenizer_path, model->image_size, source->image_size);
  return MSK_OK;
}

static msk_status open_model(struct run *run) {
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

static msk_train_plan make_plan(const struct run *run) {
  const msk_train_options *o = run->options;
  const msk_model *model = run->model;
  msk_train_plan plan = {.config = {.layers = (size_t)o->layers,
                                    .hidden = (size_t)o->width,
                                    .heads = (size_t)o->heads,
                                    .intermediate = 4 * (size_t)o->width,
                                    .positions = (size_t)model->positions,
                                    .vocabulary = (size_t)(model->codes + model->class_count + 1)},
                         .rules = {.codes = (size_t)model->codes,
                                   .objects = (size_t)o->source.classes,
                                   .cells = (size_t)model->positions - 1,
                                   .hands = (size_t)o->hands_each,
                                   .null_share = o->null_share,
                                   .style_share = o->style_share,
                                   .hint_share = o->hint_share,
                                   .wrong_share = o->wrong_share},
                         .seed = o->seed,
                         .batch = (size_t)o->batch,
                         .pairs = (size_t)o->pair_batch,
                         .pair_every = (size_t)o->pair_every,
                         .sequences = o->sequences,
                         .warmup = o->warmup_sequences,
                         .decay = o->decay_sequences,
                         .adam_rate = o->adam_rate,
                         .muon_rate = o->muon_rate,
                         .pair_weight = o->pair_weight,
                         .layer_count = (size_t)o->structure_layer_count,
                         .objects = o->objects,
                         .first_objects = o->first_objects,
                         .sequences_per_object = o->sequences_per_object};
  memcpy(plan.layers, o->structure_layers, sizeof plan.layers);
  return plan;
}

/* First weights from the codebook. */
static msk_status start_weights(struct run *run) {
  const msk_tensor *tensor =
      msk_weight_file_find(run->model->file, MSK_MODEL_TOKENIZER "quantizer.codebook");
  msk_trainer *trainer = run->trainer;
  float *codebook = tensor == NULL ? NULL : msk_allocate(NULL, tensor->elements, sizeof *codebook);
  if (codebook == NULL) return msk_fail(run->error, MSK_ERROR_MEMORY, "no memory for the codebook");
  msk_tensor_to_f32(tensor, 0, tensor->elements, codebook);
  msk_status status =
      msk_params_start(trainer->params, codebook, tensor->shape[0], tensor->shape[1],
                       trainer->plan.seed, trainer->block, run->error);
  msk_free(NULL, codebook);
  memcpy(trainer->optimiser->average, trainer->block, trainer->params->floats * sizeof(float));
  return status;
}

/* From a model's transformer, or from a checkpoint: the first has its tensors under a name of their
 * own, and neither moments nor a step, so that the schedule begins anew. */
static msk_status start_from(struct run *run, const char *path) {
  msk_weight_file *file = NULL;
  msk_trainer *trainer = run->trainer;
  msk_status status = msk_weight_file_open(&file, path, NULL, run->error);
  if (status != MSK_OK) return status;
  char name[MSK_WEIGHT_NAME];
  snprintf(name, sizeof name, "%s%s", MSK_MODEL_TRANSFORMER, trainer->params->list[0].tensor.name);
  bool is_model = msk_weight_file_find(file, name) != NULL;
  if (is_model)
    status =
        msk_params_read(trainer->params, file, MSK_MODEL_TRANSFORMER, trainer->block, run->error);
  msk_weight_file_close(file);
  if (status != MSK_OK) return status;
  if (!is_model) return msk_trainer_load(trainer, path, run->error);
  memcpy(trainer->optimiser->average, trainer->block, trainer->params->floats * sizeof(float));
  return MSK_OK;
}

static msk_status open_trainer(struct run *run) {
  char checkpoint[4096];
  msk_train_plan plan = make_plan(run);
  msk_status status =
      msk_trainer_create(&run->trainer, &plan, run->model->device, run->pool, run->error);
  if (status != MSK_OK) return status;
  if (access(path_in(run, "transformer.checkpoint", checkpoint), F_OK) == 0)
    return msk_trainer_load(run->trainer, checkpoint, run->error);
  if (run->options->start_path != NULL) return start_from(run, run->options->start_path);
  return start_weights(run);
}

static int compare_names(const void *a, const void *b) {
  return strcmp((*(const msk_tensor *const *)a)->name, (*(const msk_tensor *const *)b)->name);
}

/* Of the tokenizer's tensors, by name, and what the source says of itself. */
static msk_status make_fingerprint(const struct run *run, int set, char text[65]) {
  size_t count = msk_weight_file_count(run->model->file), used = 0;
  const msk_tensor **tensors = msk_allocate(NULL, count, sizeof *tensors);
  if (tensors == NULL)
    return msk_fail(run->error, MSK_ERROR_MEMORY, "no memory for the list of tensors");
  for (size_t i = 0; i < count; i++) {
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

static msk_status open_tokens(struct run *run) {
  static const char *const names[] = {"train.tokens", "held-out.tokens"};
  const msk_train_options *o = run->options;
  const size_t objects[] = {o->objects, o->held_out_objects};
  for (int set = 0; set < 2; set++) {
    char path[4096];
    msk_tokens_shape shape = {.cells = run->trainer->plan.rules.cells,
                              .hands = (size_t)o->hands_each,
                              .records = 2 * objects[set]};
    msk_status status = make_fingerprint(run, set, shape.fingerprint);
    if (status == MSK_OK)
      status =
          msk_tokens_open(&run->tokens[set], path_in(run, names[set], path), &shape, run->error);
    if (status != MSK_OK) return status;
  }
  const msk_feed_options feed = {.source = &o->source,
                                 .encoder = run->model->tokenizer,
                                 .device = run->model->device,
                                 .hands_each = (size_t)o->hands_each,
                                 .objects = {objects[0], objects[1]},
                                 .tokens = {run->tokens[0], run->tokens[1]},
                                 .seed = o->seed};
  return msk_feed_start(&run->feed, &feed, run->error);
}

static void close_run(struct run *run) {
  msk_feed_stop(run->feed);
  for (int set = 0; set < 2; set++) msk_tokens_close(run->tokens[set]);
  msk_trainer_destroy(run->trainer);
  msk_pool_destroy(run->pool);
  msk_model_close(run->model);
}

/* ---- the loop ---- */

/* True: the caller wants no more. */
static bool report(struct run *run, bool waits, bool logged) {
  const msk_trainer *trainer = run->trainer;
  msk_train_progress *p = &run->progress;
  size_t left = trainer->plan.sequences - msk_trainer_sequences(trainer);
  p->step = trainer->step;
  p->sequences = msk_trainer_sequences(trainer);
  p->all_sequences = trainer->plan.sequences;
  p->objects = msk_tokens_count(run->tokens[MSK_TRAIN_SET]) / 2;
  p->waits = waits;
  p->logged = logged;
  p->masked_loss = run->counts[0] > 0 ? run->sums[0] / run->counts[0] : NAN;
  p->pair_loss = run->counts[1] > 0 ? run->sums[1] / run->counts[1] : NAN;
  double rate = run->trained > 0 ? run->steps / run->trained : NAN;
  p->sequences_per_second = rate * (double)trainer->plan.batch;
  p->flop_per_second = rate * msk_trainer_flop(trainer);
  p->seconds_left = p->sequences >= p->all_sequences ? 0 : (double)left / p->sequences_per_second;
  return run->options->on_progress != NULL && run->options->on_progress(run->options->user, p) != 0;
}

static msk_status save(struct run *run) {
  char path[4096];
  run->saved = now();
  return msk_trainer_save(run->trainer, path_in(run, "transformer.checkpoint", path), run->error);
}

/* The tokenizer's model's defaults, but for the structure layers and where the weights come from.
 * NULL: no memory. */
static char *make_defaults(const struct run *run) {
  const msk_train_options *o = run->options;
  const char *old = msk_weight_file_metadata(run->model->file, "defaults");
  json_t *object = NULL, *layers = json_array();
  char provenance[256];
  int failed = 0;
  if (old == NULL) {
    object = json_object();
  } else {
    failed |= msk_json_load(&object, "defaults", old, strlen(old), MSK_JSON_FEW, NULL) != MSK_OK;
  }
  for (int i = 0; i < o->structure_layer_count; i++)
    failed |= json_array_append_new(layers, json_integer(o->structure_layers[i]));
  snprintf(provenance, sizeof provenance, "masksketch train, %s, %zu sequences of %zu objects",
           o->source.description[MSK_TRAIN_SET], msk_trainer_sequences(run->trainer), o->objects);
  failed |= json_object_set_new(object, "structure_layers", layers);
  failed |= json_object_set_new(object, "provenance", json_string(provenance));
  char *text = failed ? NULL : json_dumps(object, JSON_COMPACT);
  json_decref(object);
  return text;
}

/* The average, joined with the tokenizer that it belongs to. */
static msk_status write_model(struct run *run) {
  char path[4096], *defaults = make_defaults(run);
  if (defaults == NULL)
    return msk_fail(run->error, MSK_ERROR_MEMORY, "no memory for the model's defaults");
  msk_status status = msk_trainer_write_average(
      run->trainer, path_in(run, "transformer.safetensors", path),
      msk_weight_file_metadata(run->model->file, "classes"), defaults, run->error);
  free(defaults);
  if (status != MSK_OK) return status;
  msk_convert_options options;
  msk_convert_options_init(&options);
  options.tokenizer_path = run->options->tokenizer_path;
  options.transformer_path = path;
  options.output_path = run->options->output_path;
  return msk_convert(&options, run->error);
}

static msk_status log_progress(struct run *run, bool *stop) {
  msk_status status = write_model(run);
  if (status != MSK_OK) return status;
  run->progress.held_out = run->progress.held_out_hinted = run->progress.held_out_auc = NAN;
  if (msk_tokens_count(run->tokens[MSK_HELD_OUT_SET]) == 2 * run->options->held_out_objects) {
    msk_held_out losses = msk_trainer_evaluate(run->trainer, run->tokens[MSK_HELD_OUT_SET]);
    run->progress.held_out = losses.masked;
    run->progress.held_out_hinted = losses.hinted;
    run->progress.held_out_auc = losses.auc;
  }
  *stop = report(run, false, true);
  memset(run->sums, 0, sizeof run->sums);
  memset(run->counts, 0, sizeof run->counts);
  run->trained = run->steps = 0;
  run->logged = now();
  return MSK_OK;
}

/* Until the next step's objects are there. */
static msk_status wait_for_objects(struct run *run, bool *stop) {
  const struct timespec pause = {.tv_nsec = 50000000};
  size_t needs = msk_trainer_needs(run->trainer);
  msk_status status = msk_feed_check(run->feed, run->error);
  while (status == MSK_OK && !*stop && msk_tokens_count(run->tokens[MSK_TRAIN_SET]) < needs) {
    *stop = report(run, true, false);
    nanosleep(&pause, NULL);
    status = msk_feed_check(run->feed, run->error);
  }
  return status;
}

static msk_status take_step(struct run *run, bool *stop) {
  double started = now();
  msk_step_losses losses = msk_trainer_step(run->trainer, run->tokens[MSK_TRAIN_SET]);
  if (!isfinite(losses.masked) || !isfinite(losses.norm))
    return msk_fail(run->error, MSK_ERROR_UNSUPPORTED,
                    "the loss is not finite at step %ld: smaller rates may help; the last "
                    "checkpoint is kept",
                    run->trainer->step);
  run->trained += now() - started;
  run->steps++;
  run->sums[0] += losses.masked, run->counts[0]++;
  if (!isnan(losses.pair)) run->sums[1] += losses.pair, run->counts[1]++;
  run->progress.gradient_norm = losses.norm;
  *stop = report(run, false, false);
  return MSK_OK;
}

static msk_status run_steps(struct run *run) {
  bool stop = false;
  msk_status status = MSK_OK;
  run->logged = run->saved = now();
  while (status == MSK_OK && !stop && !msk_trainer_is_done(run->trainer)) {
    status = wait_for_objects(run, &stop);
    if (status == MSK_OK && !stop) status = take_step(run, &stop);
    if (status == MSK_OK && now() - run->saved > run->options->save_seconds) status = save(run);
    if (status == MSK_OK && !stop && now() - run->logged > run->options->log_seconds)
      status = log_progress(run, &stop);
  }
  if (status == MSK_OK) status = save(run);
  if (status == MSK_OK && msk_trainer_is_done(run->trainer)) status = log_progress(run, &stop);
  if (status == MSK_OK && !msk_trainer_is_done(run->trainer))
    return msk_fail(run->error, MSK_ERROR_CANCELLED,
                    "stopped at step %ld; the same command goes on", run->trainer->step);
  return status;
}

msk_status msk_train(const msk_train_options *options, msk_error *error) {
  struct run run = {.options = options, .error = error};
  msk_status status = check_options(options, error);
  if (status == MSK_OK) status = open_model(&run);
  if (status == MSK_OK) status = open_trainer(&run);
  if (status == MSK_OK) status = open_tokens(&run);
  if (status == MSK_OK) status = run_steps(&run);
  close_run(&run);
  return status;
}
