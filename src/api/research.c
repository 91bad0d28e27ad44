/* SPDX-License-Identifier: Apache-2.0
 *
 * research.c - the parts for research: tokens, pictures, attention and logits one by one. Sizes
 * are the caller's, so working memory is taken for the call and given back; the session lends
 * its threads. A running request is not disturbed. */
#include <string.h>

#include "api/session.h"
#include "base/error.h"
#include "masksketch_tools.h"

/* One call: the networks' pass is run twice, measuring and for real. */
struct part {
  const msk_model *model;
  msk_stream stream;
  msk_arena arena;
  /* tokenize, detokenize */
  const float *pixels;
  size_t height, width, rows, columns;
  int32_t *codes;
  /* attention, logits */
  msk_maskgit_pass pass;
  float *output; /* what the pass gives, `count` floats */
  size_t count;
  msk_status status; /* of bringing them */
  msk_error *error;
};

typedef void run_part(struct part *part);

static msk_status fail_memory(size_t bytes, msk_error *error) {
  return msk_fail(error, MSK_ERROR_MEMORY, "%.1f MB were asked for, more than there is",
                  (double)bytes / 1e6);
}

/* The second run, over memory that the first has measured, scratch first. */
static msk_status run_over(struct part *part, run_part *pass, char *memory, size_t scratch,
                           size_t bytes) {
  part->stream.measuring = false;
  part->stream.scratch = memory;
  part->arena = (msk_arena){.base = memory + scratch, .capacity = bytes - scratch};
  pass(part);
  return part->status;
}

/* On the device, in its memory. */
static msk_status run_on(const msk_session *session, const msk_device *device, struct part *part,
                         run_part *pass, msk_error *error) {
  const msk_allocator *allocator = session->model->allocator;
  size_t bytes;
  part->model = session->model;
  part->error = error;
  part->stream = (msk_stream){.device = device, .pool = session->pool, .measuring = true};
  part->arena = (msk_arena){0};
  pass(part);
  size_t scratch = (part->stream.scratch_bytes + MSK_ALIGNMENT - 1) & ~(MSK_ALIGNMENT - 1);
  if (part->arena.overflow || !msk_add(scratch, part->arena.peak, &bytes))
    return fail_memory(SIZE_MAX, error);
  if (msk_device_is_apart(device)) {
    msk_status status = msk_workspace_create(&part->stream.workspace, device, bytes, error);
    if (status == MSK_OK)
      status = run_over(part, pass, msk_workspace_base(part->stream.workspace), scratch, bytes);
    msk_workspace_destroy(part->stream.workspace, device);
    return status;
  }
  char *memory = msk_allocate(allocator, bytes, 1);
  if (memory == NULL) return fail_memory(bytes, error);
  msk_status status = run_over(part, pass, memory, scratch, bytes);
  msk_free(allocator, memory);
  return status;
}

/* Where the model's networks are, or on the CPU where a GPU fails that may. */
static msk_status run(const msk_session *session, struct part *part, run_part *pass,
                      msk_error *error) {
  const msk_model *model = session->model;
  msk_status status = run_on(session, msk_model_device(model), part, pass, error);
  if (status != MSK_ERROR_DEVICE) return status;
  status = msk_spare_take_over(model, status, session->pool, error);
  return status == MSK_OK ? run_on(session, model->device, part, pass, error) : status;
}

/* Where what goes to part->output is computed. */
static float *take_output(struct part *part) {
  return msk_device_is_apart(part->stream.device)
             ? msk_arena_take(&part->arena, part->count, sizeof(float))
             : part->output;
}

static void bring_output(struct part *part, const float *at) {
  part->status = part->stream.measuring
                     ? MSK_OK
                     : msk_stream_read(&part->stream, at, part->count, part->output, part->error);
}

static const msk_vqgan *tokenizer_of(const struct part *part) {
  return msk_model_tokenizer(part->model, part->stream.device);
}

/* The picture is brought where the network is. */
static void encode_part(struct part *part) {
  const float *pixels = part->pixels;
  if (msk_device_is_apart(part->stream.device)) {
    float *there = msk_arena_take(&part->arena, part->height * part->width * 3, sizeof *there);
    msk_stream_write(&part->stream, pixels, part->height * part->width * 3, there);
    pixels = there;
  }
  float *latents = take_output(part);
  msk_vqgan_encode(tokenizer_of(part), &part->stream, &part->arena, pixels, 1, part->height,
                   part->width, latents, NULL);
  msk_vqgan_quantise(tokenizer_of(part), &part->stream, latents, part->rows * part->columns,
                     part->codes);
  bring_output(part, latents);
}

static void decode_part(struct part *part) {
  float *picture = take_output(part);
  msk_vqgan_decode(tokenizer_of(part), &part->stream, &part->arena, part->codes, 1, part->rows,
                   part->columns, picture, NULL);
  bring_output(part, picture);
}

static void forward_part(struct part *part) {
  msk_maskgit_pass pass = part->pass;
  float *at = take_output(part);
  *(pass.layers != NULL ? &pass.maps : &pass.logits) = at;
  msk_maskgit_forward(msk_model_transformer(part->model, part->stream.device), &part->stream,
                      &part->arena, &pass);
  bring_output(part, at);
}

/* ---- tokenizer ---- */

static msk_status check_size(const msk_model *model, int width, int height, msk_error *error) {
  int stem = (int)msk_vqgan_get_config(model->tokenizer)->stem;
  if (width < 1 || height < 1 || (size_t)width * (size_t)height > MSK_MAX_PIXELS) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "a picture of %d x %d pixels, expected at least one and at most %zu", width,
                    height, MSK_MAX_PIXELS);
  }
  if (width % stem == 0 && height % stem == 0) return MSK_OK;
  return msk_fail(error, MSK_ERROR_ARGUMENT,
                  "a picture of %d x %d pixels, expected multiples of %d: this tokenizer takes %d "
                  "x %d pixels at once",
                  width, height, stem, stem, stem);
}

msk_status msk_tokenize_float(msk_session *session, const float *pixels, int width, int height,
                              int32_t **tokens, float **latents, int *rows, int *columns,
                              msk_error *error) {
  if (session == NULL || pixels == NULL || tokens == NULL || rows == NULL || columns == NULL) {
    return msk_fail(
        error, MSK_ERROR_ARGUMENT,
        "msk_tokenize needs a session, a picture, and places for tokens, rows and columns");
  }
  const msk_allocator *allocator = session->model->allocator;
  struct part part = {.pixels = pixels, .height = (size_t)height, .width = (size_t)width};
  msk_status status = check_size(session->model, width, height, error);
  if (status != MSK_OK) return status;
  msk_vqgan_latent_size(session->model->tokenizer, part.height, part.width, &part.rows,
                        &part.columns);
  part.codes = msk_allocate(allocator, part.rows * part.columns, sizeof *part.codes);
  part.count = part.rows * part.columns * msk_vqgan_get_config(session->model->tokenizer)->dim;
  part.output = msk_allocate(allocator, part.count, sizeof *part.output);
  status = part.codes == NULL || part.output == NULL
               ? fail_memory(part.count * sizeof(float), error)
               : run(session, &part, encode_part, error);
  if (status == MSK_OK) {
    *tokens = part.codes;
    *rows = (int)part.rows;
    *columns = (int)part.columns;
    if (latents != NULL) *latents = part.output;
  } else {
    msk_free(allocator, part.codes);
  }
  /* the encoder makes them on its way, wanted or not */
  if (status != MSK_OK || latents == NULL) msk_free(allocator, part.output);
  return status;
}

msk_status msk_tokenize(msk_session *session, const msk_image *image, int32_t **tokens,
                        float **latents, int *rows, int *columns, msk_error *error) {
  if (session == NULL || image == NULL || image->pixels == NULL) {
    return msk_fail(error, MSK_ERROR_ARGUMENT, "msk_tokenize needs a session and a picture");
  }
  msk_status status = check_size(session->model, image->width, image->height, error);
  if (status != MSK_OK) return status;
  const msk_allocator *allocator = session->model->allocator;
  size_t count = (size_t)image->width * (size_t)image->height * 3;
  float *pixels = msk_allocate(allocator, count, sizeof *pixels);
  if (pixels == NULL) return fail_memory(count * sizeof *pixels, error);
  for (size_t i = 0; i < count; i++) pixels[i] = (float)image->pixels[i] / 255.0f;
  status = msk_tokenize_float(session, pixels, image->width, image->height, tokens, latents, rows,
                              columns, error);
  msk_free(allocator, pixels);
  return status;
}

msk_status msk_detokenize(msk_session *session, const int32_t *tokens, int rows, int columns,
                          float **pixels, int *width, int *height, msk_error *error) {
  if (session == NULL || tokens == NULL || pixels == NULL || width == NULL || height == NULL) {
    return msk_fail(
        error, MSK_ERROR_ARGUMENT,
        "msk_detokenize needs a session, tokens, and places for pixels, width and height");
  }
  size_t patch = msk_vqgan_get_config(session->model->tokenizer)->patch;
  if (rows < 1 || columns < 1 ||
      (size_t)rows * (size_t)columns > MSK_MAX_PIXELS / (patch * patch)) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "%d x %d tokens, expected at least one and a picture of at most %zu pixels",
                    rows, columns, MSK_MAX_PIXELS);
  }
  size_t count = (size_t)rows * (size_t)columns;
  /* a token is an index into the codebook: a wrong one would read elsewhere */
  for (size_t i = 0; i < count; i++) {
    if (tokens[i] >= 0 && tokens[i] < session->model->codes) continue;
    return msk_fail(error, MSK_ERROR_ARGUMENT, "token %zu is %d, expected 0 to %d", i,
                    (int)tokens[i], session->model->codes - 1);
  }
  const msk_allocator *allocator = session->model->allocator;
  struct part part = {
      .rows = (size_t)rows, .columns = (size_t)columns, .codes = (int32_t *)(uintptr_t)tokens};
  part.count = count * patch * patch * 3;
  part.output = msk_allocate(allocator, part.count, sizeof *part.output);
  msk_status status = part.output == NULL ? fail_memory(part.count * sizeof(float), error)
                                          : run(session, &part, decode_part, error);
  if (status == MSK_OK) {
    *pixels = part.output;
    *width = columns * (int)patch;
    *height = rows * (int)patch;
  } else {
    msk_free(allocator, part.output);
  }
  return status;
}

/* ---- transformer ---- */

static msk_status check_sequence(const msk_model *model, const int32_t *sequence,
                                 msk_error *error) {
  int limit = model->codes + model->class_count;
  for (int i = 0; i < model->positions; i++) {
    if (sequence[i] >= MSK_MASK_TOKEN && sequence[i] < limit) continue;
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "token %d of the sequence is %d, expected %d (masked) to %d", i,
                    (int)sequence[i], MSK_MASK_TOKEN, limit - 1);
  }
  return MSK_OK;
}

static msk_status check_layers(const msk_model *model, const int *layers, int count,
                               msk_error *error) {
  int depth = (int)msk_maskgit_get_config(model->transformer)->layers;
  if (count < 1 || count > depth)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "%d layers, expected 1 to %d", count, depth);
  for (int i = 0; i < count; i++) {
    if (layers[i] >= 0 && layers[i] < depth && (i == 0 || layers[i] > layers[i - 1])) continue;
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "layer %d, expected layers of 0 to %d in ascending order", layers[i],
                    depth - 1);
  }
  return MSK_OK;
}

/* Runs part->pass, which writes `count` floats to a new array at *result. */
static msk_status run_forward(const msk_session *session, struct part *part, size_t count,
                              float **result, msk_error *error) {
  const msk_model *model = session->model;
  part->count = count;
  part->output = msk_allocate(model->allocator, count, sizeof *part->output);
  msk_status status = part->output == NULL ? fail_memory(count * sizeof(float), error)
                                           : run(session, part, forward_part, error);
  if (status == MSK_OK) {
    *result = part->output;
  } else {
    msk_free(model->allocator, part->output);
  }
  return status;
}

msk_status msk_attention(msk_session *session, const int32_t *sequence, const int *layers,
                         int layer_count, float **maps, msk_error *error) {
  if (session == NULL || sequence == NULL || layers == NULL || maps == NULL) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "msk_attention needs a session, a sequence, layers and a place for the maps");
  }
  msk_status status = check_sequence(session->model, sequence, error);
  if (status == MSK_OK) status = check_layers(session->model, layers, layer_count, error);
  if (status != MSK_OK) return status;
  size_t n = (size_t)session->model->positions,
         heads = msk_maskgit_get_config(session->model->transformer)->heads;
  struct part part = {
      .pass = {
          .tokens = sequence, .batch = 1, .layers = layers, .layer_count = (size_t)layer_count}};
  return run_forward(session, &part, (size_t)layer_count * heads * n * n, maps, error);
}

msk_status msk_logits(msk_session *session, const int32_t *sequence, float **logits,
                      msk_error *error) {
  if (session == NULL || sequence == NULL || logits == NULL) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "msk_logits needs a session, a sequence and a place for the logits");
  }
  msk_status status = check_sequence(session->model, sequence, error);
  if (status != MSK_OK) return status;
  struct part part = {
      .pass = {.tokens = sequence, .batch = 1, .columns = (size_t)session->model->codes}};
  return run_forward(session, &part,
                     (size_t)session->model->positions * (size_t)session->model->codes, logits,
                     error);
}
