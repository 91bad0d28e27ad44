/* SPDX-License-Identifier: Apache-2.0
 *
 * training_pictures.c - the stages that train a tokenizer of a model's sizes, with codes of its
 * own, or the model's decoder alone with its codes fixed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/training_run.h"

static bool is_decoder(const training_run *run) { return run->options->stage == MSK_TRAIN_DECODER; }

static msk_picture_plan make_plan(const training_run *run) {
  const msk_train_options *o = run->options;
  msk_vqgan_config config = *msk_vqgan_get_config(run->model->tokenizer);
  if (o->codes > 0) config.codes = (size_t)o->codes;
  if (o->decoder_blocks > 0) config.decoder_blocks = (size_t)o->decoder_blocks;
  return (msk_picture_plan){.config = config,
                            .pace = training_pace(run),
                            .decoder_alone = is_decoder(run),
                            .side = (size_t)o->source.image_size,
                            .rate = o->adam_rate,
                            .muon_rate = o->muon_rate,
                            .photo_share = o->photo_share,
                            .autoencoder_share = o->autoencoder_share,
                            .crops_share = o->crops_share};
}

static size_t bytes(const training_run *run) {
  msk_picture_plan plan = make_plan(run);
  return msk_picture_trainer_bytes(&plan, run->model->device, run->pool);
}

static msk_status create(training_run *run) {
  msk_picture_plan plan = make_plan(run);
  msk_status status =
      msk_picture_trainer_create(&run->painter, &plan, run->model->device, run->pool, run->error);
  if (status == MSK_OK) run->course = &run->painter->course;
  return status;
}

/* The decoder goes on from the model's. */
static msk_status start(training_run *run) {
  if (is_decoder(run)) return training_start_tokenizer(run, run->model->file);
  msk_picture_trainer_start(run->painter);
  return MSK_OK;
}

/* Drawings are of no use to the decoder alone, codes to none but it. */
static msk_status open_store(training_run *run, msk_feed_options *feed) {
  static const char *const names[] = {"train.pictures", "held-out.pictures"};
  for (int set = 0; set < 2; set++) {
    char path[TRAINING_PATH];
    msk_pictures_shape shape = {.side = (size_t)run->options->source.image_size,
                                .drawings = is_decoder(run) ? 0 : feed->hands_each,
                                .cells = is_decoder(run) ? (size_t)run->model->positions - 1 : 0,
                                .codes = (size_t)run->model->codes,
                                .records = feed->objects[set]};
    msk_status status = training_fingerprint(run, set, is_decoder(run), shape.fingerprint);
    if (status == MSK_OK)
      status = msk_pictures_open(&run->pictures[set], training_store(run, names[set], path), &shape,
                                 run->error);
    if (status != MSK_OK) return status;
    feed->pictures[set] = run->pictures[set];
  }
  return MSK_OK;
}

static void share(training_run *run) {
  msk_pictures_share(run->pictures[MSK_TRAIN_SET], run->options->ranks,
                     msk_course_needs(run->course));
}

static msk_status step(training_run *run) {
  msk_picture_step losses;
  msk_status status =
      msk_picture_trainer_step(run->painter, run->pictures[MSK_TRAIN_SET], &losses, run->error);
  if (status != MSK_OK) return status;
  training_add_loss(run, 0, losses.loss);
  if (run->painter->quantising) training_add_loss(run, 1, losses.commitment);
  run->progress.gradient_norm = losses.norm;
  return MSK_OK;
}

static msk_status write_sheet(const training_run *run, const msk_image *sheet) {
  char path[TRAINING_PATH];
  void *bytes = NULL;
  size_t count = 0;
  msk_status status =
      msk_image_encode(sheet, MSK_FORMAT_PNG, 0, NULL, 0, &bytes, &count, NULL, run->error);
  if (status == MSK_OK)
    status = msk_file_write(training_path(run, "samples.png", path), bytes, count, run->error);
  msk_free(NULL, bytes);
  return status;
}

static msk_status evaluate(training_run *run) {
  int side = run->options->source.image_size;
  msk_image sheet = {0};
  msk_status status =
      msk_image_create(&sheet, MSK_SHEET_COLUMNS * side, 2 * side, NULL, run->error);
  if (status != MSK_OK) return status;
  /* White where there are fewer held-out photos than columns. */
  memset(sheet.pixels, 255, (size_t)sheet.width * (size_t)sheet.height * 3);
  msk_picture_figures figures =
      msk_picture_trainer_evaluate(run->painter, run->pictures[MSK_HELD_OUT_SET], sheet.pixels);
  run->progress.decibels = figures.decibels;
  run->progress.sharpness = figures.sharpness;
  run->progress.colour = figures.colour;
  status = write_sheet(run, &sheet);
  msk_image_free(&sheet);
  return status;
}

/* The average's tokenizer with the model's transformer, whose words follow the codes where these
 * began anew. */
static msk_status write_model(training_run *run) {
  const msk_train_options *o = run->options;
  bool other_codes = !is_decoder(run);
  char path[TRAINING_PATH], beside[TRAINING_PATH];
  msk_status status = msk_course_write_average(
      run->course, training_path(run, "tokenizer.safetensors", path), NULL, 0, run->error);
  if (status == MSK_OK && other_codes)
    status = training_write_words(run, training_path(run, "transformer.safetensors", beside));
  if (status != MSK_OK) return status;
  msk_convert_options options;
  msk_convert_options_init(&options);
  options.tokenizer_path = path;
  options.transformer_path = other_codes ? beside : o->tokenizer_path;
  options.output_path = o->output_path;
  options.dtype = msk_model_dtype(run->model->file); /* its transformer stays as it is */
  return msk_convert(&options, run->error);
}

static double flop(const training_run *run) { return msk_picture_trainer_flop(run->painter); }

static void close_stage(training_run *run) {
  for (int set = 0; set < 2; set++) msk_pictures_close(run->pictures[set]);
  msk_picture_trainer_destroy(run->painter);
}

const training_stage training_pictures = {.checkpoint = "tokenizer.checkpoint",
                                          .prefix = MSK_MODEL_TOKENIZER,
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
