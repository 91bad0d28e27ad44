/* SPDX-License-Identifier: Apache-2.0
 *
 * clip_calls.c - the CLIP functions of the public header: a folder's four files, and embeddings
 * of one text or picture at a time, so that working memory does not grow with their number. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/threads.h"
#include "masksketch_tools.h"
#include "model/clip.h"
#include "model/clip_bpe.h"
#include "model/clip_picture.h"

enum { MAX_CONFIG_BYTES = 64 * 1024, MAX_WORDS_BYTES = 32 * 1024 * 1024, MAX_PATH_BYTES = 4096 };

struct msk_clip {
  const msk_allocator *allocator;
  msk_clip_config config;
  msk_device *device;
  msk_pool *pool;
  msk_clip_towers *towers;
  msk_clip_bpe *bpe;
};

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

static msk_status read_weights(msk_clip *clip, const char *folder, const msk_clip_options *options,
                               msk_error *error) {
  char path[MAX_PATH_BYTES];
  msk_weight_file *file = NULL;
  int threads = options->threads == 0 ? msk_default_threads() : options->threads;
  msk_status status = path_in(path, folder, "model.safetensors", error);
  if (status == MSK_OK) status = msk_weight_file_open(&file, path, clip->allocator, error);
  if (status == MSK_OK)
    status =
        msk_device_create(&clip->device, options->isa, MSK_PRECISION_FP32, clip->allocator, error);
  if (status == MSK_OK && threads > 1)
    status = msk_pool_create(&clip->pool, threads, clip->allocator, error);
  if (status == MSK_OK)
    status =
        msk_clip_towers_load(&clip->towers, clip->device, file, &clip->config, clip->pool, error);
  msk_weight_file_close(file);
  return status;
}

msk_status msk_clip_open(msk_clip **clip, const char *folder, const msk_clip_options *options,
                         msk_error *error) {
  msk_clip_options chosen;
  msk_clip_options_init(&chosen);
  if (clip == NULL || folder == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "no place for a CLIP or no folder given to msk_clip_open");
  if (options != NULL && options->size != sizeof *options) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "CLIP options of %zu bytes, expected %zu: call msk_clip_options_init() first",
                    options->size, sizeof *options);
  }
  if (options != NULL) chosen = *options;
  msk_status status = msk_threads_check(chosen.threads, error);
  if (status != MSK_OK) return status;
  msk_clip *made = msk_allocate_zeroed(chosen.allocator, 1, sizeof *made);
  if (made == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "not enough memory for CLIP");
  made->allocator = chosen.allocator;
  status = read_config(made, folder, error);
  if (status == MSK_OK) status = read_words(made, folder, error);
  if (status == MSK_OK) status = read_weights(made, folder, &chosen, error);
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
  msk_pool_destroy(clip->pool);
  msk_device_destroy(clip->device);
  msk_free(allocator, clip);
}

void msk_clip_get_info(const msk_clip *clip, msk_clip_info *info) {
  *info = (msk_clip_info){.image_size = (int)clip->config.image_size,
                          .patch_size = (int)clip->config.patch,
                          .dimensions = (int)clip->config.projection,
                          .text_tokens = (int)clip->config.positions,
                          .vocabulary = (int)clip->config.vocabulary,
                          .logit_scale = expf(msk_clip_towers_logit_scale(clip->towers)),
                          .isa = msk_device_isa(clip->device)};
}

/* ---- embeddings ---- */

/* One tower's pass: pixels, or ids. */
struct pass {
  const float *pixels;
  const int32_t *ids;
  size_t tokens;
  float *vector;
};

static void run_pass(const msk_clip *clip, msk_stream *stream, msk_arena *arena,
                     const struct pass *pass) {
  if (pass->ids != NULL) {
    msk_clip_embed_ids(clip->towers, stream, arena, pass->ids, 1, pass->tokens, pass->vector, NULL);
  } else {
    msk_clip_embed_pixels(clip->towers, stream, arena, pass->pixels, 1, pass->vector, NULL);
  }
}

static void normalise(float *vector, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += (double)vector[i] * (double)vector[i];
  double length = sqrt(sum);
  for (size_t i = 0; length > 0 && i < count; i++) vector[i] = (float)((double)vector[i] / length);
}

/* Runs the pass twice, measuring and for real; the vector is brought to length 1. */
static msk_status embed(const msk_clip *clip, const struct pass *pass, msk_error *error) {
  msk_stream stream = {.device = clip->device, .pool = clip->pool, .measuring = true};
  msk_arena arena = {0};
  size_t bytes;
  run_pass(clip, &stream, &arena, pass);
  size_t scratch = (stream.scratch_bytes + MSK_ALIGNMENT - 1) & ~(MSK_ALIGNMENT - 1);
  char *memory = arena.overflow || !msk_add(scratch, arena.peak, &bytes)
                     ? NULL
                     : msk_allocate(clip->allocator, bytes, 1);
  if (memory == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "not enough memory for CLIP's pass");
  stream.measuring = false;
  stream.scratch = memory;
  arena = (msk_arena){.base = memory + scratch, .capacity = bytes - scratch};
  run_pass(clip, &stream, &arena, pass);
  msk_free(clip->allocator, memory);
  normalise(pass->vector, clip->config.projection);
  return MSK_OK;
}

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
    struct pass pass = {
        .ids = ids, .tokens = tokens, .vector = embeddings + (size_t)i * clip->config.projection};
    if (status == MSK_OK) status = embed(clip, &pass, error);
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
    struct pass pass = {.pixels = pixels,
                        .vector = embeddings + (size_t)i * clip->config.projection};
    status = embed(clip, &pass, error);
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
