/* SPDX-License-Identifier: Apache-2.0
 *
 * training_transformer.c - the stage that trains a transformer for the codes of a model. */
#include <stdio.h>
#include <string.h>

#include "api/training_run.h"
#include "base/json_tree.h"
#include "train/start.h"

static msk_train_plan make_plan(const training_run *run) {
  const msk_train_options *o = run->options;
  const msk_model *model = run->model;
  msk_train_plan plan = {
      .config = {.layers = (size_t)o->layers,
                 .hidden = (size_t)o->width,
                 .heads = (size_t)o->heads,
                 .intermediate = (size_t)(o->intermediate > 0 ? o->intermediate : 4 * o->width),
                 .positions = (size_t)model->positions,
                 .vocabulary = (size_t)(model->codes + training_classes(run) + 1)},
      .rules = {.codes = (size_t)model->codes,
                .objects = (size_t)o->source.classes,
                .cells = (size_t)model->positions - 1,
                .hands = (size_t)o->hands_each,
                .null_share = o->null_share,
                .style_share = o->style_share,
                .hint_share = o->hint_share,
                .wrong_share = o->wrong_share},
      .pace = training_pace(run),
      .pairs = (size_t)o->pair_batch * msk_ranks_count(o->ranks),
      .pair_every = (size_t)o->pair_every,
      .adam_rate = o->adam_rate,
      .muon_rate = o->muon_rate,
      .pair_weight = o->pair_weight,
      .layer_count = (size_t)o->structure_layer_count};
  memcpy(plan.layers, o->structure_layers, sizeof plan.layers);
  return plan;
}

static size_t bytes(const training_run *run) {
  msk_train_plan plan = make_plan(run);
  return msk_trainer_bytes(&plan, run->device, run->pool);
}

static msk_status create(training_run *run) {
  msk_train_plan plan = make_plan(run);
  msk_status status = msk_trainer_create(&run->trainer, &plan, run->device, run->pool, run->error);
  if (status == MSK_OK) run->course = &run->trainer->course;
  return status;
}

/* First weights from the codebook. */
static msk_status start(training_run *run) {
  const msk_tensor *tensor =
      msk_weight_file_find(run->model->file, MSK_MODEL_TOKENIZER "quantizer.codebook");
  float *codebook = tensor == NULL ? NULL : msk_allocate(NULL, tensor->elements, sizeof *codebook);
  if (codebook == NULL) return msk_fail(run->error, MSK_ERROR_MEMORY, "no memory for the codebook");
  msk_tensor_to_f32(tensor, 0, tensor->elements, codebook);
  msk_status status =
      msk_params_start(run->course->params, codebook, tensor->shape[0], tensor->shape[1],
                       run->options->seed, run->course->block, run->error);
  msk_free(NULL, codebook);
  msk_course_begin(run->course);
  return status;
}

static msk_status open_store(training_run *run, msk_feed_options *feed) {
  static const char *const names[] = {"train.tokens", "held-out.tokens"};
  for (int set = 0; set < 2; set++) {
    char path[TRAINING_PATH];
    msk_tokens_shape shape = {.cells = run->trainer->plan.rules.cells,
                              .hands = feed->hands_each,
                              .codes = (size_t)run->model->codes,
                              .labels = (size_t)run->options->source.classes,
                              .all_hands = (size_t)run->options->source.hands,
                              .records = 2 * feed->objects[set]};
    msk_status status = training_fingerprint(run, set, true, shape.fingerprint);
    if (status == MSK_OK)
      status = msk_tokens_open(&run->tokens[set], training_store(run, names[set], path), &shape,
                               run->error);
    if (status != MSK_OK) return status;
    feed->tokens[set] = run->tokens[set];
  }
  return MSK_OK;
}

static void share(training_run *run) {
  msk_tokens_share(run->tokens[MSK_TRAIN_SET], run->options->ranks,
                   2 * msk_course_needs(run->course));
}

static msk_status step(training_run *run) {
  msk_step_losses losses = msk_trainer_step(run->trainer, run->tokens[MSK_TRAIN_SET]);
  training_add_loss(run, 0, losses.masked);
  training_add_loss(run, 1, losses.pair);
  run->progress.gradient_norm = losses.norm;
  return MSK_OK;
}

static msk_status evaluate(training_run *run) {
  msk_held_out losses = msk_trainer_evaluate(run->trainer, run->tokens[MSK_HELD_OUT_SET]);
  run->progress.held_out = losses.masked;
  run->progress.held_out_hinted = losses.hinted;
  run->progress.held_out_auc = losses.auc;
  return MSK_OK;
}

/* ---- what is written ---- */

/* Of the tokenizer's model, all of it; or where the classes are others, what is the tokenizer's. */
static int take_old_defaults(const training_run *run, json_t *object) {
  const char *old = msk_weight_file_metadata(run->model->file, "defaults");
  json_t *kept = NULL;
  if (old == NULL) return 0;
  if (msk_json_load(&kept, "defaults", old, strlen(old), MSK_JSON_FEW, NULL) != MSK_OK) return 1;
  static const char *const of_tokenizer[] = {"groups", "image_size", "recipe"};
  int failed = 0;
  if (run->options->source.class_names == NULL) failed |= json_object_update(object, kept);
  for (size_t i = 0; i < sizeof of_tokenizer / sizeof *of_tokenizer; i++) {
    json_t *value = json_object_get(kept, of_tokenizer[i]);
    if (value != NULL) failed |= json_object_set(object, of_tokenizer[i], value);
  }
  json_decref(kept);
  return failed;
}

/* Behind the source's classes: one without a name, and the hands. A network that was shown no
 * drawings in masked places reads none there. */
static int name_hidden_classes(const training_run *run, json_t *object) {
  const msk_train_source *source = &run->options->source;
  if (source->class_names == NULL) return 0;
  json_t *hidden = json_array();
  int failed = json_object_set_new(object, "null_class", json_integer(source->classes));
  for (int i = source->classes; i < training_classes(run); i++)
    failed |= json_array_append_new(hidden, json_integer(i));
  if (run->options->hint_share == 0) {
    json_object_del(json_object_get(object, "recipe"), "draw.placeholder");
  }
  return failed | json_object_set_new(object, "hidden_classes", hidden);
}

/* The tokenizer's model's defaults, but for what is trained here. NULL: no memory. */
static char *make_defaults(const training_run *run) {
  const msk_train_options *o = run->options;
  json_t *object = json_object(), *layers = json_array();
  char provenance[1024];
  int failed = take_old_defaults(run, object) | name_hidden_classes(run, object);
  for (int i = 0; i < o->structure_layer_count; i++)
    failed |= json_array_append_new(layers, json_integer(o->structure_layers[i]));
  snprintf(provenance, sizeof provenance, "masksketch train, %s, %zu sequences of %zu objects",
           o->source.description[MSK_TRAIN_SET], msk_course_examples(run->course), o->objects);
  failed |= json_object_set_new(object, "structure_layers", layers);
  failed |= json_object_set_new(object, "provenance", json_string(provenance));
  char *text = failed ? NULL : msk_json_text(object, JSON_COMPACT, NULL);
  json_decref(object);
  return text;
}

/* The average, joined with the tokenizer that it belongs to. */
static msk_status write_model(training_run *run) {
  const msk_train_options *o = run->options;
  char path[TRAINING_PATH], *defaults = make_defaults(run), *classes = training_class_names(run);
  const msk_metadata_entry metadata[] = {{"defaults", defaults}, {"classes", classes}};
  msk_status status = MSK_OK;
  if (defaults == NULL || (classes == NULL && o->source.class_names != NULL))
    status = msk_fail(run->error, MSK_ERROR_MEMORY, "no memory for the model's defaults");
  if (status == MSK_OK)
    status =
        msk_course_write_average(run->course, training_path(run, "transformer.safetensors", path),
                                 metadata, classes == NULL ? 1 : 2, run->error);
  msk_free(NULL, defaults);
  msk_free(NULL, classes);
  if (status != MSK_OK) return status;
  msk_convert_options options;
  msk_convert_options_init(&options);
  options.tokenizer_path = o->tokenizer_path;
  options.transformer_path = path;
  options.output_path = o->output_path;
  return msk_convert(&options, run->error);
}

static double flop(const training_run *run) { return msk_trainer_flop(run->trainer); }

static void close_stage(training_run *run) {
  for (int set = 0; set < 2; set++) msk_tokens_close(run->tokens[set]);
  msk_trainer_destroy(run->trainer);
}

const training_stage training_transformer = {.checkpoint = "transformer.checkpoint",
                                             .prefix = MSK_MODEL_TRANSFORMER,
                                             .bytes = bytes,
                                             .create = create,
                                             .start = start,
                                             .open_store = open_store,
                                             .share = share,
                                             .step = step,
                                             .evaluate = evaluate,
                                             .write_model = write_model,
                                             .flop = flop,
                                             .close = close_stage};
