/* SPDX-License-Identifier: Apache-2.0
 *
 * clip_calls.c - the CLIP functions of the public header: a folder's four files, and embeddings
 * of one text or picture at a time, so that working memory does not grow with their number. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/eyes.h"
#include "base/error.h"
#include "base/threads.h"
#include "model/clip_picture.h"

enum { MAX_CONFIG_BYTES = 64 * 1024, MAX_WORDS_BYTES = 32 * 1024 * 1024, MAX_PATH_BYTES = 4096 };

void msk_clip_options_init(msk_clip_options *options) {
  *options = (msk_clip_options){.size = sizeof *options};
}

/* ---- opening ---- */

static msk_status path_in(char path[MAX_PATH_BYTES], const char *folder, const char *name,
                          msk_error *error) {
  int length = snprintf(path, MAX_PATH_BYTES, "%s/%s", folder, name);
  return length < MAX_PATH_BYTES ? MSK_OK
                                 : msk_fail(error, MSK_ERROR_ARGUMENT,
                                            "the folder's name is too long: %.80s...", folder);
}

static msk_status read_file(msk_clip_file *file, char path[MAX_PATH_BYTES], const char *folder,
                            const char *name, size_t limit, const msk_allocator *allocator,
                            msk_error *error) {
  void *bytes = NULL;
  msk_status status = path_in(path, folder, name, error);
  if (status == MSK_OK)
    status = msk_file_read(path, limit, &bytes, &file->byte_count, allocator, error);
  if (status != MSK_OK) return status;
  file->bytes = bytes;
  file->path = path;
  return MSK_OK;
}

static void free_file(const msk_clip_file *file, const msk_allocator *allocator) {
  msk_free(allocator, (void *)(uintptr_t)file->bytes);
}

static msk_status read_config(msk_clip *clip, const char *folder, msk_error *error) {
  char path[MAX_PATH_BYTES];
  msk_clip_file file = {0};
  msk_status status =
      read_file(&file, path, folder, "config.json", MAX_CONFIG_BYTES, clip->allocator, error);
  if (status == MSK_OK)
    status = msk_clip_config_parse(&clip->config, file.bytes, file.byte_count, path, error);
  free_file(&file, clip->allocator);
  return status;
}

static msk_status read_words(msk_clip *clip, const char *folder, msk_error *error) {
  char vocab_path[MAX_PATH_BYTES], merges_path[MAX_PATH_BYTES];
  msk_clip_file vocab = {0}, merges = {0};
  msk_status status =
      read_file(&vocab, vocab_path, folder, "vocab.json", MAX_WORDS_BYTES, clip->allocator, error);
  if (status == MSK_OK)
    status = read_file(&merges, merges_path, folder, "merges.txt", MAX_WORDS_BYTES, clip->allocator,
                       error);
  if (status == MSK_OK)
    status = msk_clip_bpe_create(&clip->bpe, &vocab, &merges, clip->config.vocabulary,
                                 clip->allocator, error);
  int32_t end = clip->config.end_token;
  /* 2: see msk_clip_config; it says nothing about the vocabulary */
  if (status == MSK_OK && end != 2 && end != msk_clip_bpe_end_token(clip->bpe)) {
    status = msk_fail(
        error, MSK_ERROR_FILE,
        "%s: <|endoftext|> is %d, but config.json says %d: do the two files belong together?",
        vocab_path, (int)msk_clip_bpe_end_token(clip->bpe), (int)end);
  }
  free_file(&vocab, clip->allocator);
  free_file(&merges, clip->allocator);
  return status;
}

static msk_status load_towers(void *owner, const msk_device *device, msk_pool *pool,
                              msk_error *error) {
  msk_clip *clip = owner;
  msk_clip_towers *towers = NULL;
  msk_status status = msk_clip_towers_load(&towers, device, clip->file, &clip->config, pool, error);
  if (status != MSK_OK) return status;
  msk_clip_towers_destroy(clip->towers);
  clip->towers = towers;
  return MSK_OK;
}

/* tally: as in msk_runner_open(). */
static msk_status read_weights(msk_clip *clip, const char *folder, const msk_clip_options *options,
                               msk_tally *tally, msk_error *error) {
  char path[MAX_PATH_BYTES];
  const msk_clip_config *config = &clip->config;
  const msk_device_wish wish = {options->device, options->device_cache, options->isa,
                                options->threads, options->allocator};
  /* of a picture, up in the MLP */
  const msk_product_size size = {msk_clip_vision_tokens(config), config->vision.hidden,
                                 config->vision.intermediate};
  msk_status status = path_in(path, folder, "model.safetensors", error);
  if (status == MSK_OK) status = msk_weight_file_open(&clip->file, path, clip->allocator, error);
  if (status == MSK_OK)
    status = msk_runner_open(&clip->runner, &wish, &size, tally, "CLIP", load_towers, clip, error);
  if (status != MSK_OK || msk_runner_may_load(&clip->runner)) return status;
  msk_weight_file_close(clip->file);
  clip->file = NULL;
  return MSK_OK;
}

/* *made: with its configuration, and nothing else. */
static msk_status begin(msk_clip **made, const char *folder, msk_clip_options *chosen,
                        const msk_clip_options *options, msk_error *error) {
  msk_clip_options_init(chosen);
  if (options != NULL && options->size != sizeof *options) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "CLIP options of %zu bytes, expected %zu: call msk_clip_options_init() first",
                    options->size, sizeof *options);
  }
  if (options != NULL) *chosen = *options;
  msk_status status = msk_threads_check(chosen->threads, error);
  if (status != MSK_OK) return status;
  *made = msk_allocate_zeroed(chosen->allocator, 1, sizeof **made);
  if (*made == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "not enough memory for CLIP");
  (*made)->allocator = chosen->allocator;
  return read_config(*made, folder, error);
}

msk_status msk_clip_open(msk_clip **clip, const char *folder, const msk_clip_options *options,
                         msk_error *error) {
  msk_clip_options chosen;
  msk_clip *made = NULL;
  if (clip == NULL || folder == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "no place for a CLIP or no folder given to msk_clip_open");
  msk_status status = begin(&made, folder, &chosen, options, error);
  if (status == MSK_OK) status = read_words(made, folder, error);
  if (status == MSK_OK) status = read_weights(made, folder, &chosen, NULL, error);
  if (status == MSK_OK) {
    *clip = made;
  } else {
    msk_clip_close(made);
  }
  return status;
}

void msk_clip_close(msk_clip *clip) {
  if (clip == NULL) return;
  const msk_allocator *allocator = clip->allocator;
  msk_clip_bpe_destroy(clip->bpe);
  msk_clip_towers_destroy(clip->towers);
  msk_runner_close(&clip->runner);
  msk_weight_file_close(clip->file);
  msk_free(allocator, clip);
}

void msk_clip_get_info(const msk_clip *clip, msk_clip_info *info) {
  *info = (msk_clip_info){.image_size = (int)clip->config.image_size,
                          .patch_size = (int)clip->config.patch,
                          .dimensions = (int)clip->config.projection,
                          .text_tokens = (int)clip->config.positions,
                          .vocabulary = (int)clip->config.vocabulary,
                          .logit_scale = expf(msk_clip_towers_logit_scale(clip->towers)),
                          .isa = msk_device_isa(clip->runner.cpu),
                          .device = msk_device_name(clip->runner.place)};
}

const char *msk_clip_warning(const msk_clip *clip) { return msk_runner_warning(&clip->runner); }

/* ---- embeddings ---- */

/* One tower's pass: of pixels, or of ids, which stay on this side. */
struct pass {
  const msk_clip *clip;
  const int32_t *ids; /* NULL: pixels */
  size_t tokens;
};

static void run_pass(const void *user, msk_stream *stream, msk_arena *arena, const float *pixels,
                     float *vector) {
  const struct pass *pass = user;
  const msk_clip_towers *towers = pass->clip->towers;
  if (pass->ids != NULL) {
    msk_clip_embed_ids(towers, stream, arena, pass->ids, 1, pass->tokens, vector, NULL);
  } else {
    msk_clip_embed_pixels(towers, stream, arena, pixels, 1, vector, NULL);
  }
}

static msk_runner_pass start_pass(const struct pass *pass, const float *pixels, float *vector) {
  const msk_clip_config *config = &pass->clip->config;
  return (msk_runner_pass){
      .run = run_pass,
      .user = pass,
      .from = pixels,
      .from_count = pass->ids != NULL ? 0 : config->image_size * config->image_size * 3,
      .to = vector,
      .to_count = config->projection};
}

static void normalise(float *vector, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += (double)vector[i] * (double)vector[i];
  double length = sqrt(sum);
  for (size_t i = 0; length > 0 && i < count; i++) vector[i] = (float)((double)vector[i] / length);
}

/* The vector of a text's ids or (NULL) of a picture's pixels, brought to length 1. */
static msk_status embed(msk_clip *clip, const int32_t *ids, size_t tokens, const float *pixels,
                        float *vector, msk_error *error) {
  const struct pass pass = {clip, ids, tokens};
  const msk_runner_pass through = start_pass(&pass, pixels, vector);
  msk_status status = msk_runner_run(&clip->runner, &through, error);
  if (status == MSK_OK) normalise(vector, clip->config.projection);
  return status;
}

/* ---- memory ---- */

/* Of the larger of the two passes: a picture's, or that of the longest text. */
static msk_status measure_passes(const msk_clip *clip, size_t *bytes, msk_error *error) {
  size_t tokens = clip->config.positions, other = 0;
  int32_t *ids = msk_allocate_zeroed(clip->allocator, tokens, sizeof *ids);
  if (ids == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "not enough memory for a text");
  const struct pass text = {clip, ids, tokens}, picture = {clip, NULL, 0};
  const msk_runner_pass passes[] = {start_pass(&text, NULL, NULL),
                                    start_pass(&picture, NULL, NULL)};
  msk_status status = msk_runner_measure(&clip->runner, &passes[0], bytes, error);
  if (status == MSK_OK) status = msk_runner_measure(&clip->runner, &passes[1], &other, error);
  if (other > *bytes) *bytes = other;
  msk_free(clip->allocator, ids);
  return status;
}

msk_status msk_clip_plan(msk_memory_plan *plan, const char *folder, const msk_clip_options *options,
                         msk_error *error) {
  msk_clip_options chosen;
  msk_clip *made = NULL;
  msk_tally tally = {0};
  size_t bytes = 0;
  if (plan == NULL || folder == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "no plan or no folder given to msk_clip_plan");
  msk_status status = begin(&made, folder, &chosen, options, error);
  if (status == MSK_OK) status = read_weights(made, folder, &chosen, &tally, error);
  if (status == MSK_OK) status = measure_passes(made, &bytes, error);
  if (status == MSK_OK) {
    const bool apart = made->runner.place != made->runner.cpu;
    *plan = (msk_memory_plan){.weights = tally.held + (apart ? 0 : bytes),
                              .loading = tally.most - tally.held,
                              .device_weights = tally.apart + (apart ? bytes : 0)};
  }
  msk_clip_close(made);
  return status;
}

/* ---- what is asked ---- */

msk_status msk_clip_embed_texts(msk_clip *clip, const char *const *texts, int count,
                                float *embeddings, int *token_counts, msk_error *error) {
  if (clip == NULL || texts == NULL || embeddings == NULL || count < 0) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "msk_clip_embed_texts needs a CLIP, texts and a place for the embeddings");
  }
  int32_t *ids = msk_allocate(clip->allocator, clip->config.positions, sizeof *ids);
  if (ids == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "not enough memory for a text");
  msk_status status = MSK_OK;
  for (int i = 0; status == MSK_OK && i < count; i++) {
    size_t tokens = 0, whole = 0;
    status = texts[i] == NULL ? msk_fail(error, MSK_ERROR_ARGUMENT, "text %d is missing", i)
                              : msk_clip_bpe_encode(clip->bpe, texts[i], clip->config.positions,
                                                    ids, &tokens, &whole, error);
    if (status == MSK_OK && token_counts != NULL) token_counts[i] = (int)whole;
    if (status == MSK_OK)
      status =
          embed(clip, ids, tokens, NULL, embeddings + (size_t)i * clip->config.projection, error);
  }
  msk_free(clip->allocator, ids);
  return status;
}

msk_status msk_clip_embed_images(msk_clip *clip, const msk_image *images, int count,
                                 float *embeddings, msk_error *error) {
  if (clip == NULL || images == NULL || embeddings == NULL || count < 0) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "msk_clip_embed_images needs a CLIP, pictures and a place for the embeddings");
  }
  size_t n = clip->config.image_size;
  uint8_t *bytes = msk_allocate(clip->allocator, n * n, 3);
  float *pixels = msk_allocate(clip->allocator, n * n, 3 * sizeof *pixels);
  msk_status status = bytes == NULL || pixels == NULL
                          ? msk_fail(error, MSK_ERROR_MEMORY, "not enough memory for a picture")
                          : MSK_OK;
  for (int i = 0; status == MSK_OK && i < count; i++) {
    bool there = images[i].pixels != NULL && images[i].width > 0 && images[i].height > 0;
    status = there ? msk_clip_cut(bytes, &images[i], n, clip->allocator, error)
                   : msk_fail(error, MSK_ERROR_ARGUMENT, "picture %d is empty", i);
    if (status != MSK_OK) break;
    msk_clip_normalise(pixels, bytes, n * n);
    status = embed(clip, NULL, 0, pixels, embeddings + (size_t)i * clip->config.projection, error);
  }
  msk_free(clip->allocator, bytes);
  msk_free(clip->allocator, pixels);
  return status;
}

double msk_clip_cosine(const float *a, const float *b, int dimensions) {
  double sum = 0;
  for (int i = 0; i < dimensions; i++) sum += (double)a[i] * (double)b[i];
  if (sum > 1) return 1;
  return sum < -1 ? -1 : sum;
}
