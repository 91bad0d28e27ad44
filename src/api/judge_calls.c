/* SPDX-License-Identifier: Apache-2.0
 *
 * judge_calls.c - the judge's functions of the public header: its file, and one picture at a
 * time, in memory taken once when it is opened. */
#include "model/judge.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/threads.h"
#include "image/filters.h"
#include "masksketch_tools.h"

#define JUDGE_FORMAT "masksketch judge 2" /* value of the metadata key "format" */

struct msk_judge {
  const msk_allocator *allocator;
  msk_device *device;
  msk_pool *pool;
  msk_judge_network *network;
  char *class_text; /* one block that holds the class names */
  const char **class_names;
  float *pixels, *logits, *silhouette, *damage, *features; /* one picture */
  size_t scratch_bytes, arena_bytes;
  void *scratch, *arena;
};

void msk_judge_options_init(msk_judge_options *options) {
  *options = (msk_judge_options){.size = sizeof *options};
}

/* ---- opening ---- */

/* The metadata entry "classes": names with commas between them, as many as the network has. */
static msk_status read_names(msk_judge *judge, const msk_weight_file *file, msk_error *error) {
  const char *text = msk_weight_file_metadata(file, "classes"), *path = msk_weight_file_path(file);
  size_t expected = msk_judge_network_config(judge->network)->classes, count = 1;
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

static void run(const msk_judge *judge, msk_stream *stream, msk_arena *arena) {
  msk_judge_network_run(judge->network, stream, arena, judge->pixels, judge->logits,
                        judge->silhouette, judge->damage, judge->features);
}

/* What a pass reads and writes, and its working memory, measured by running it without
 * computing. */
static msk_status take_memory(msk_judge *judge, msk_error *error) {
  const msk_judge_config *config = msk_judge_network_config(judge->network);
  const msk_allocator *allocator = judge->allocator;
  size_t area = config->size * config->size, features = config->channels[config->levels - 1],
         cells = area / (MSK_JUDGE_CELL * MSK_JUDGE_CELL);
  msk_stream stream = {.device = judge->device, .pool = judge->pool, .measuring = true};
  msk_arena arena = {0};
  judge->pixels = msk_allocate(allocator, area * 3, sizeof(float));
  judge->logits = msk_allocate(allocator, config->classes, sizeof(float));
  judge->silhouette = msk_allocate(allocator, area, sizeof(float));
  judge->damage = msk_allocate(allocator, cells, sizeof(float));
  judge->features = msk_allocate(allocator, features, sizeof(float));
  bool complete = judge->pixels != NULL && judge->logits != NULL && judge->silhouette != NULL &&
                  judge->damage != NULL && judge->features != NULL;
  if (complete) {
    run(judge, &stream, &arena);
    judge->scratch_bytes = stream.scratch_bytes;
    judge->arena_bytes = arena.peak;
    judge->scratch = msk_allocate(allocator, judge->scratch_bytes, 1);
    judge->arena = arena.overflow ? NULL : msk_allocate(allocator, judge->arena_bytes, 1);
  }
  return complete && judge->scratch != NULL && judge->arena != NULL
             ? MSK_OK
             : msk_fail(error, MSK_ERROR_MEMORY, "not enough memory for the judge");
}

static msk_status open_file(msk_judge *judge, const char *path, const msk_judge_options *options,
                            msk_error *error) {
  msk_weight_file *file = NULL;
  int threads = options->threads == 0 ? msk_default_threads() : options->threads;
  msk_status status = msk_weight_file_open(&file, path, judge->allocator, error);
  if (status != MSK_OK) return status;
  const char *format = msk_weight_file_metadata(file, "format");
  if (format == NULL || strcmp(format, JUDGE_FORMAT) != 0) {
    status =
        msk_fail(error, MSK_ERROR_FILE,
                 "%s: its metadata say format \"%.40s\", expected \"%s\": is this a judge of this "
                 "version?",
                 path, format == NULL ? "" : format, JUDGE_FORMAT);
  }
  if (status == MSK_OK)
    status = msk_device_create(&judge->device, options->isa, MSK_PRECISION_FP32, judge->allocator,
                               error);
  if (status == MSK_OK && threads > 1)
    status = msk_pool_create(&judge->pool, threads, judge->allocator, error);
  if (status == MSK_OK)
    status = msk_judge_network_load(&judge->network, judge->device, file, judge->pool, error);
  if (status == MSK_OK) status = read_names(judge, file, error);
  if (status == MSK_OK) status = take_memory(judge, error);
  msk_weight_file_close(file);
  return status;
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
  void *const blocks[] = {judge->class_text, judge->class_names, judge->pixels,
                          judge->logits,     judge->silhouette,  judge->damage,
                          judge->features,   judge->scratch,     judge->arena};
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) msk_free(allocator, blocks[i]);
  msk_judge_network_destroy(judge->network);
  msk_pool_destroy(judge->pool);
  msk_device_destroy(judge->device);
  msk_free(allocator, judge);
}

void msk_judge_get_info(const msk_judge *judge, msk_judge_info *info) {
  const msk_judge_config *config = msk_judge_network_config(judge->network);
  *info = (msk_judge_info){.image_size = (int)config->size,
                           .class_count = (int)config->classes,
                           .feature_count = (int)config->channels[config->levels - 1],
                           .isa = msk_device_isa(judge->device)};
}

const char *msk_judge_class_name(const msk_judge *judge, int class_id) {
  bool known =
      class_id >= 0 && (size_t)class_id < msk_judge_network_config(judge->network)->classes;
  return known ? judge->class_names[class_id] : NULL;
}

/* ---- looking ---- */

static msk_status place_pixels(const msk_judge *judge, const msk_image *image, msk_error *error) {
  size_t size = msk_judge_network_config(judge->network)->size;
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
  size_t size = msk_judge_network_config(judge->network)->size, side = size / MSK_JUDGE_CELL;
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
  const msk_judge_config *config = msk_judge_network_config(judge->network);
  size_t area = config->size * config->size, feature_count = config->channels[config->levels - 1];
  for (size_t k = 0; k < (size_t)count; k++) {
    bool there = images[k].pixels != NULL && images[k].width > 0 && images[k].height > 0;
    msk_status status = there ? place_pixels(judge, &images[k], error)
                              : msk_fail(error, MSK_ERROR_ARGUMENT, "picture %zu is empty", k);
    if (status != MSK_OK) return status;
    msk_stream stream = {.device = judge->device,
                         .pool = judge->pool,
                         .scratch_bytes = judge->scratch_bytes,
                         .scratch = judge->scratch};
    msk_arena arena = {.base = judge->arena, .capacity = judge->arena_bytes};
    run(judge, &stream, &arena);
    if (classes != NULL) softmax(judge->logits, config->classes, classes + k * config->classes);
    for (size_t i = 0; silhouettes != NULL && i < area; i++) {
      silhouettes[k * area + i] = (float)probability(judge->silhouette[i]);
    }
    if (wholes != NULL) wholes[k] = whole(judge);
    if (features != NULL)
      memcpy(features + k * feature_count, judge->features, feature_count * sizeof(float));
  }
  return MSK_OK;
}
