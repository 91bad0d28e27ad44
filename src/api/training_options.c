/* SPDX-License-Identifier: Apache-2.0
 *
 * training_options.c - what msk_train() can be asked, by stage: defaults and limits. */
#include "api/training_run.h"

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
                                 .photo_share = 0.65,
                                 .autoencoder_share = 0.12,
                                 .crops_share = 0.3,
                                 .log_seconds = 300,
                                 .save_seconds = 120};
}

void msk_train_options_set_stage(msk_train_options *options, msk_train_stage stage) {
  options->stage = stage;
  if (stage == MSK_TRAIN_TRANSFORMER) return;
  options->batch = 2;
  options->sequences = stage == MSK_TRAIN_DECODER ? 40000 : 60000;
  options->warmup_sequences = 200;
  options->decay_sequences = options->sequences / 2;
  options->objects = 2400;
  options->held_out_objects = 24;
  options->adam_rate = stage == MSK_TRAIN_DECODER ? 5e-4 : 4e-4;
  options->muon_rate = 6e-4;
}

/* Beyond these, products of a run's sizes would not fit their types. */
#define MOST_EXAMPLES MSK_STATE_MOST_STEPS
enum { MOST_LAYERS = 256, MOST_WIDTH = 1 << 16 };

static msk_status check_numbers(const msk_train_options *o, msk_error *error) {
  const struct {
    const char *name;
    double value, least, most;
  } rows[] = {{"classes", o->source.classes, 1, MSK_TOKEN_MOST_LABELS},
              {"hands", o->source.hands, 0, MSK_FEED_MAX_HANDS},
              {"layers", o->layers, 1, MOST_LAYERS},
              {"width", o->width, 8, MOST_WIDTH},
              {"codes", o->codes, 0, MSK_TOKEN_MOST_CODES},
              {"intermediate", o->intermediate, 0, 4 * MOST_WIDTH},
              {"decoder_blocks", o->decoder_blocks, 0, MSK_VQGAN_MAX_BLOCKS},
              {"heads", o->heads, 1, MOST_WIDTH},
              {"batch", o->batch, 1, MSK_MAX_TRAIN_BATCH},
              {"ranks", o->ranks == NULL ? 2 : o->ranks->count, 2, MSK_MAX_TRAIN_RANKS},
              {"pair_batch", o->pair_batch, 1, MSK_MAX_TRAIN_BATCH},
              {"pair_every", o->pair_every, 0, 1 << 30},
              {"hands_each", o->hands_each, o->source.hands > 0, MSK_FEED_MAX_HANDS},
              {"structure_layer_count", o->structure_layer_count, 0, MSK_MAX_LAYERS},
              {"sequences", (double)o->sequences, 1, MOST_EXAMPLES},
              {"warmup_sequences", (double)o->warmup_sequences, 1, MOST_EXAMPLES},
              {"decay_sequences", (double)o->decay_sequences, 1, MOST_EXAMPLES},
              {"objects", (double)o->objects, 1, MOST_EXAMPLES},
              {"held_out_objects", (double)o->held_out_objects, 1, MOST_EXAMPLES},
              {"first_objects", (double)o->first_objects, 1, MOST_EXAMPLES},
              {"sequences_per_object", o->sequences_per_object, 1e-6, MOST_EXAMPLES},
              {"muon_rate", o->muon_rate, 0, 10},
              {"adam_rate", o->adam_rate, 0, 10},
              {"pair_weight", o->pair_weight, 0, 1e6},
              {"log_seconds", o->log_seconds, 0, 1e9},
              {"save_seconds", o->save_seconds, 0, 1e9},
              {"null_share", o->null_share, 0, 1},
              {"style_share", o->style_share, 0, 1},
              {"hint_share", o->hint_share, 0, 1},
              {"wrong_share", o->wrong_share, 0, 1},
              {"photo_share", o->photo_share, 0, 1},
              {"autoencoder_share", o->autoencoder_share, 0, 1},
              {"crops_share", o->crops_share, 0, 1}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    /* Not "below or above", which a NaN is neither of. */
    if (!(rows[i].value >= rows[i].least && rows[i].value <= rows[i].most))
      return msk_fail(error, MSK_ERROR_ARGUMENT, "%s is %.12g, expected %g to %g", rows[i].name,
                      rows[i].value, rows[i].least, rows[i].most);
  }
  return MSK_OK;
}

/* What wants drawings, where there are none. */
static msk_status check_drawings(const msk_train_options *o, msk_error *error) {
  const struct {
    const char *name;
    double value;
  } rows[] = {{"pair_every", o->pair_every},
              {"style_share", o->style_share},
              {"hint_share", o->hint_share}};
  for (size_t i = 0; o->source.hands == 0 && i < sizeof rows / sizeof *rows; i++) {
    if (rows[i].value != 0)
      return msk_fail(error, MSK_ERROR_ARGUMENT,
                      "%s is %g, expected 0: there are no drawings beside the photos", rows[i].name,
                      rows[i].value);
  }
  return MSK_OK;
}

msk_status training_check_options(const msk_train_options *o, msk_error *error) {
  if (o == NULL || o->size != sizeof *o)
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "train options of an unknown size: set them up with msk_train_options_init()");
  if (o->tokenizer_path == NULL || o->work_path == NULL || o->output_path == NULL ||
      o->source.render == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "training needs a tokenizer's model, a work folder, an output and a source");
  if (o->stage < MSK_TRAIN_TRANSFORMER || o->stage > MSK_TRAIN_DECODER)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "there is no stage %d of training", (int)o->stage);
  if (msk_train_precision_name((int)o->precision) == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "there is no precision %d of training",
                    (int)o->precision);
  if (o->precision == MSK_TRAIN_BF16 && o->stage != MSK_TRAIN_TRANSFORMER)
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "precision is bf16, but convolutions are trained in fp32 alone");
  if (o->codes != 0 && o->stage != MSK_TRAIN_TOKENIZER)
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "codes is %d, but none are made where no tokenizer is trained", o->codes);
  if (o->decoder_blocks != 0 && o->stage == MSK_TRAIN_TRANSFORMER)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "decoder_blocks is %d, but a transformer is trained",
                    o->decoder_blocks);
  msk_status status = check_numbers(o, error);
  if (status == MSK_OK) status = check_drawings(o, error);
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
