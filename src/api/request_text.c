/* SPDX-License-Identifier: Apache-2.0
 *
 * request_text.c - what a PNG says of how it was made: the one writer of that text, for the
 * command line, HTTP and every other face. docs/commands.md lists its fields; app/metadata.c reads
 * it back. PNGs keep their bytes, so fields keep their order, and a new one stands where it is
 * used alone. */
#include <jansson.h>
#include <string.h>

#include "api/model.h"
#include "base/error.h"
#include "base/json_tree.h"
#include "base/memory.h"
#include "masksketch_tools.h"

enum { MAX_VALUE_BYTES = 1024, MAX_TEXT_BYTES = (1 << 20) - 1 };

/* The object in the making; refused memory is noted and told once, at the end. */
typedef struct writer {
  json_t *object;
  const msk_request *request;
  const msk_model *model;
  bool lost;
} writer;

static void put(writer *w, json_t *object, const char *key, json_t *value) {
  if (json_object_set_new(object, key, value) != 0) w->lost = true;
}

static void append(writer *w, json_t *array, json_t *value) {
  if (json_array_append_new(array, value) != 0) w->lost = true;
}

/* A key whose value would be refused has no effect in the job. */
static json_t *recipe_object(writer *w) {
  const msk_recipe *recipe = &w->request->recipe;
  const msk_job job = w->request->job;
  json_t *object = json_pack("{s:s}", "name", recipe->name);
  for (int i = 0; msk_recipe_key(i, job, NULL) != NULL; i++) {
    const char *key = msk_recipe_key(i, job, NULL);
    char value[MAX_VALUE_BYTES];
    msk_recipe copy = *recipe;
    msk_error ignored;
    if (msk_recipe_get(recipe, key, value, sizeof value, &ignored) == MSK_OK &&
        msk_recipe_set(&copy, job, key, value, &ignored) == MSK_OK)
      put(w, object, key, json_string(value));
  }
  return object;
}

static void add_adapters(writer *w) {
  msk_adapter_info info;
  if (!msk_model_adapter(w->model, 0, &info)) return;
  json_t *list = json_array();
  for (int i = 0; msk_model_adapter(w->model, i, &info); i++)
    append(
        w, list,
        json_pack("{s:s, s:s, s:f}", "file", info.file, "hash", info.hash, "weight", info.weight));
  put(w, w->object, "adapters", list);
}

/* ---- pictures inside the text ---- */

static char *to_base64(const uint8_t *in, size_t count) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  char *text = msk_allocate(NULL, (count + 2) / 3 + 1, 4), *out = text;
  for (size_t i = 0; text != NULL && i < count; i += 3) {
    const size_t left = count - i;
    const uint32_t group = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
                           (left > 2 ? in[i + 2] : 0);
    for (int k = 0; k < 4; k++)
      *out++ = (size_t)k > left ? '=' : digits[group >> (18 - 6 * k) & 63];
  }
  if (text != NULL) *out = 0;
  return text;
}

/* As WebP without loss, which is smaller than PNG: base64 makes it a third larger again. */
static msk_status add_image(writer *w, const char *key, const msk_image *image, msk_error *error) {
  void *bytes = NULL;
  size_t byte_count = 0;
  if (image == NULL) return MSK_OK;
  msk_status status =
      msk_image_encode(image, MSK_FORMAT_WEBP, 0, NULL, 0, &bytes, &byte_count, NULL, error);
  if (status != MSK_OK) return status;
  char *text = to_base64(bytes, byte_count);
  put(w, w->object, key, text == NULL ? NULL : json_string(text));
  msk_free(NULL, text);
  msk_free(NULL, bytes);
  return MSK_OK;
}

/* What was drawn from: tokens of the sketch, or photo and area. */
static msk_status add_sources(writer *w, msk_fit fit, msk_error *error) {
  const msk_request *request = w->request;
  if (request->job == MSK_JOB_DRAW && request->picture_tokens != NULL) {
    json_t *tokens = json_array();
    for (int i = 0; i < w->model->positions - 1; i++)
      append(w, tokens, json_integer(request->picture_tokens[i]));
    put(w, w->object, "sketch_tokens", tokens);
  }
  if (fit == MSK_FIT_INK) put(w, w->object, "fit", json_string(msk_fit_name(fit)));
  msk_status status = add_image(w, "lambda_map", request->lambda_map, error);
  if (status != MSK_OK || request->job != MSK_JOB_EDIT) return status;
  const msk_box *box = &request->edit_box;
  if (request->edit_mask == NULL)
    put(w, w->object, "box",
        json_pack("[i, i, i, i]", box->top, box->left, box->height, box->width));
  status = add_image(w, "mask", request->edit_mask, error);
  return status == MSK_OK ? add_image(w, "photo", request->picture, error) : status;
}

/* ---- the text ---- */

static void begin(writer *w, int item) {
  const msk_request *request = w->request;
  char seed[24];
  msk_model_info info;
  msk_model_get_info(w->model, &info);
  snprintf(seed, sizeof seed, "%llu", (unsigned long long)request->seed);
  w->object = json_pack(
      "{s:s, s:s, s:s, s:{s:s?, s:s?}, s:{s:i, s:s?}, s:s, s:i, s:i, s:s, s:s?, s:s, s:s, s:o}",
      "program", "masksketch", "version", msk_version(), "job", msk_job_name((int)request->job),
      "model", "name", info.name, "hash", info.hash, "class", "id", request->class_id, "name",
      msk_model_class_name(w->model, request->class_id), "seed", seed, "item", item, "batch",
      request->recipe.official ? request->count : 1, "rng",
      msk_rng_layout_name((int)request->rng_layout), "isa", info.isa, "precision",
      msk_precision_name((int)info.precision), "decode_precision",
      msk_precision_name((int)info.decode_precision), "recipe", recipe_object(w));
  /* what the CPU makes says nothing of it, as it always has */
  if (strcmp(info.device, "cpu") != 0) put(w, w->object, "device", json_string(info.device));
  add_adapters(w);
}

/* A text that could not be read back is of use without its pictures. */
static char *dump(writer *w, const msk_allocator *allocator) {
  char *text = w->lost ? NULL : msk_json_text(w->object, JSON_COMPACT, allocator);
  if (text == NULL || strlen(text) <= MAX_TEXT_BYTES) return text;
  msk_free(allocator, text);
  json_object_del(w->object, "photo");
  json_object_del(w->object, "lambda_map");
  json_object_del(w->object, "mask");
  put(w, w->object, "incomplete", json_true());
  return w->lost ? NULL : msk_json_text(w->object, JSON_COMPACT, allocator);
}

msk_status msk_request_text(char **text, const msk_request *request, const msk_model *model,
                            int item, msk_fit fit, const msk_allocator *allocator,
                            msk_error *error) {
  writer w = {.request = request, .model = model};
  msk_status status = msk_request_check(request, model, error);
  if (status != MSK_OK) return status;
  begin(&w, item);
  status = add_sources(&w, fit, error);
  char *dumped = status == MSK_OK ? dump(&w, allocator) : NULL;
  json_decref(w.object);
  if (status != MSK_OK) return status;
  if (dumped == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "out of memory for the PNG's text");
  *text = dumped;
  return MSK_OK;
}
