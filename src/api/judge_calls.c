/* SPDX-License-Identifier: Apache-2.0
 *
 * judge_calls.c - the judge's functions of the public header: its file, and one picture at a
 * time, in memory taken once when it is opened. */
#include <math.h>
#include <string.h>

#include "api/eyes.h"
#include "base/error.h"
#include "base/threads.h"
#include "image/filters.h"

#define JUDGE_FORMAT "masksketch judge 2" /* value of the metadata key "format" */

void msk_judge_options_init(msk_judge_options *options) {
  *options = (msk_judge_options){.size = sizeof *options};
}

/* ---- opening ---- */

/* The metadata entry "classes": names with commas between them, as many as the network has. */
static msk_status read_names(msk_judge *judge, msk_error *error) {
  const char *text = msk_weight_file_metadata(judge->file, "classes"),
             *path = msk_weight_file_path(judge->file);
  size_t expected = judge->config.classes, count = 1;
  for (const char *c = text; c != NULL && *c != 0; c++) count += *c == ',';
  if (text == NULL || count != expected) {
    return msk_fail(
        error, MSK_ERROR_FILE,
        "%s: the metadata entry \"classes\" has %zu names, expected %zu with commas between them",
        path, text == NULL ? 0 : count, expected);
  }
  judge->class_text = msk_allocate(judge->allocator, strlen(text) + 1, 1);
  judge->class_names = msk_allocate(judge->allocator, count, sizeof *judge->class_names);
  if (judge->class_text == NULL || judge->class_names == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "not enough memory for the class names");
  char *at = strcpy(judge->class_text, text);
  for (size_t i = 0; i < count; i++) {
    size_t length = strcspn(at, ",");
    if (length == 0)
      return msk_fail(error, MSK_ERROR_FILE, "%s: the name of class %zu is empty", path, i);
    judge->class_names[i] = at;
    at[length] = 0;
    at += length + 1;
  }
  return MSK_OK;
}

static size_t feature_count(const msk_judge *judge) {
  return judge->config.channels[judge->config.levels - 1];
}

/* What a pass reads and writes: the pixels, and behind them what is found out about them. */
static msk_status take_memory(msk_judge *judge, msk_error *error) {
  size_t area = judge->config.size * judge->config.size,
         cells = area / (MSK_JUDGE_CELL * MSK_JUDGE_CELL),
         found = judge->config.classes + area + cells + feature_count(judge);
  judge->pixels = msk_allocate(judge->allocator, 3 * area + found, sizeof(float));
  if (judge->pixels == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "not enough memory for the judge");
  judge->logits = judge->pixels + 3 * area;
  judge->silhouette = judge->logits + judge->config.classes;
  judge->damage = judge->silhouette + area;
  judge->features = judge->damage + cells;
  return MSK_OK;
}

static void run_pass(const void *user, msk_stream *stream, msk_arena *arena, const float *pixels,
                     float *found) {
  const msk_judge *judge = user;
  msk_judge_network_run(
      judge->network, stream, arena, pixels, found, found + (judge->silhouette - judge->logits),
      found + (judge->damage - judge->logits), found + (judge->features - judge->logits));
}

static msk_status load_network(void *owner, const msk_device *device, msk_pool *pool,
                               msk_error *error) {
  msk_judge *judge = owner;
  msk_judge_network *network = NULL;
  msk_status status = msk_judge_network_load(&network, device, judge->file, pool, error);
  if (status != MSK_OK) return status;
  msk_judge_network_destroy(judge->network);
  judge->network = network;
  return MSK_OK;
}

static msk_status read_head(msk_judge *judge, const char *path, msk_error *error) {
  msk_status status = msk_weight_file_open(&judge->file, path, judge->allocator, error);
  if (status != MSK_OK) return status;
  const char *format = msk_weight_file_metadata(judge->file, "format");
  if (format == NULL || strcmp(format, JUDGE_FORMAT) != 0) {
    return msk_fail(error, MSK_ERROR_FILE,
                    "%s: its metadata say format \"%.40s\", expected \"%s\": is this a judge of "
                    "this version?",
                    path, format == NULL ? "" : format, JUDGE_FORMAT);
  }
  status = msk_judge_read_config(&judge->config, judge->file, error);
  return status == MSK_OK ? read_names(judge, error) : status;
}

static msk_status open_file(msk_judge *judge, const char *path, const msk_judge_options *options,
                            msk_error *error) {
  msk_status status = read_head(judge, path, error);
  if (status == MSK_OK) status = take_memory(judge, error);
  if (status != MSK_OK) return status;
  const msk_device_wish wish = {options->device, options->device_cache, options->isa,
                                options->threads, options->allocator};
  /* the convolution of the largest maps */
  const size_t half = judge->config.size / 2, channels = judge->config.channels[0];
  const msk_product_size size = {half * half, 9 * channels, channels};
  status =
      msk_runner_open(&judge->runner, &wish, &size, NULL, "the judge", load_network, judge, error);
  if (status != MSK_OK || msk_runner_may_load(&judge->runner)) return status;
  msk_weight_file_close(judge->file);
  judge->file = NULL;
  return MSK_OK;
}

msk_status msk_judge_open(msk_judge **judge, const char *path, const msk_judge_options *options,
                          msk_error *error) {
  msk_judge_options chosen;
  msk_judge_options_init(&chosen);
  if (judge == NULL || path == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "no place for a judge or no file given to msk_judge_open");
  if (options != NULL && options->size != sizeof *options) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "judge options of %zu bytes, expected %zu: call msk_judge_options_init() first",
                    options->size, sizeof *options);
  }
  if (options != NULL) chosen = *options;
  msk_status status = msk_threads_check(chosen.threads, error);
  if (status != MSK_OK) return status;
  msk_judge *made = msk_allocate_zeroed(chosen.allocator, 1, sizeof *made);
  if (made == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "not enough memory for a judge");
  made->allocator = chosen.allocator;
  status = open_file(made, path, &chosen, error);
  if (status == MSK_OK) {
    *judge = made;
  } else {
    msk_judge_close(made);
  }
  return status;
}

void msk_judge_close(msk_judge *judge) {
  if (judge == NULL) return;
  const msk_allocator *allocator = judge->allocator;
  msk_free(allocator, judge->class_text);
  msk_free(allocator, judge->class_names);
  msk_free(allocator, judge->pixels);
  msk_judge_network_destroy(judge->network);
  msk_runner_close(&judge->runner);
  msk_weight_file_close(judge->file);
  msk_free(allocator, judge);
}

void msk_judge_get_info(const msk_judge *judge, msk_judge_info *info) {
  *info = (msk_judge_info){.image_size = (int)judge->config.size,
                           .class_count = (int)judge->config.classes,
                           .feature_count = (int)feature_count(judge),
                           .isa = msk_device_isa(judge->runner.cpu),
                           .device = msk_device_name(judge->runner.place)};
}

const char *msk_judge_warning(const msk_judge *judge) { return msk_runner_warning(&judge->runner); }

const char *msk_judge_class_name(const msk_judge *judge, int class_id) {
  const bool known = class_id >= 0 && (size_t)class_id < judge->config.classes;
  return known ? judge->class_names[class_id] : NULL;
}

/* ---- looking ---- */

static msk_status place_pixels(const msk_judge *judge, const msk_image *image, msk_error *error) {
  size_t size = judge->config.size;
  double *row = msk_allocate(judge->allocator, (size_t)image->width, 3 * sizeof *row);
  if (row == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "not enough memory for a picture");
  msk_area_mean(image->pixels, (size_t)image->width, (size_t)image->height, size, row,
                judge->pixels);
  msk_free(judge->allocator, row);
  for (size_t i = 0; i < size * size * 3; i++) judge->pixels[i] = judge->pixels[i] / 127.5f - 1;
  return MSK_OK;
}

static void softmax(const float *logits, size_t count, float *shares) {
  double most = logits[0], sum = 0;
  for (size_t i = 1; i < count; i++) most = fmax(most, (double)logits[i]);
  for (size_t i = 0; i < count; i++) sum += exp((double)logits[i] - most);
  for (size_t i = 0; i < count; i++) shares[i] = (float)(exp((double)logits[i] - most) / sum);
}

static double probability(float logit) { return 1 / (1 + exp(-(double)logit)); }

/* How much of cell (row, column) is the object's. */
static double cell_share(const float *silhouette, size_t size, size_t row, size_t column) {
  double sum = 0;
  for (size_t y = 0; y < MSK_JUDGE_CELL; y++) {
    const float *line = silhouette + (row * MSK_JUDGE_CELL + y) * size + column * MSK_JUDGE_CELL;
    for (size_t x = 0; x < MSK_JUDGE_CELL; x++) sum += probability(line[x]);
  }
  return sum / (MSK_JUDGE_CELL * MSK_JUDGE_CELL);
}

/* The share of object and damage together that is not damage. */
static float whole(const msk_judge *judge) {
  size_t size = judge->config.size, side = size / MSK_JUDGE_CELL;
  double damaged = 0, all = 0;
  for (size_t i = 0; i < side * side; i++) {
    double broken = probability(judge->damage[i]);
    damaged += broken;
    all += fmax(broken, cell_share(judge->silhouette, size, i / side, i % side));
  }
  return (float)(1 - damaged / all);
}

msk_status msk_judge_look(msk_judge *judge, const msk_image *images, int count, float *classes,
                          float *silhouettes, float *wholes, float *features, msk_error *error) {
  if (judge == NULL || images == NULL || count < 0) {
    return msk_fail(error, MSK_ERROR_ARGUMENT, "msk_judge_look needs a judge and pictures");
  }
  const msk_judge_config *config = &judge->config;
  const size_t area = config->size * config->size, dimensions = feature_count(judge);
  const msk_runner_pass pass = {.run = run_pass,
                                .user = judge,
                                .from = judge->pixels,
                                .from_count = 3 * area,
                                .to = judge->logits,
                                .to_count = (size_t)(judge->features - judge->logits) + dimensions};
  for (size_t k = 0; k < (size_t)count; k++) {
    bool there = images[k].pixels != NULL && images[k].width > 0 && images[k].height > 0;
    msk_status status = there ? place_pixels(judge, &images[k], error)
                              : msk_fail(error, MSK_ERROR_ARGUMENT, "picture %zu is empty", k);
    if (status == MSK_OK) status = msk_runner_run(&judge->runner, &pass, error);
    if (status != MSK_OK) return status;
    if (classes != NULL) softmax(judge->logits, config->classes, classes + k * config->classes);
    for (size_t i = 0; silhouettes != NULL && i < area; i++)
      silhouettes[k * area + i] = (float)probability(judge->silhouette[i]);
    if (wholes != NULL) wholes[k] = whole(judge);
    if (features != NULL)
      memcpy(features + k * dimensions, judge->features, dimensions * sizeof(float));
  }
  return MSK_OK;
}
