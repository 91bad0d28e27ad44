/* SPDX-License-Identifier: Apache-2.0
 *
 * clip_config.c - config.json of a CLIP (clip.h). Hugging Face's files leave out what equals the
 * defaults; unknown keys are theirs and are passed over. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/json_tree.h"
#include "model/clip.h"

enum { MAX_JSON = 64 * 1024, MAX_LAYERS = 256, MAX_SIZE = 65536, MAX_VOCABULARY = 1 << 20 };

struct parse {
  const char *path;
  msk_error *error;
};

static msk_status fail_key(const struct parse *parse, const char *part, const char *key,
                           const char *expected) {
  return msk_fail(parse->error, MSK_ERROR_FILE, "%s: %s%s is wrong, expected %s", parse->path, part,
                  key, expected);
}

/* A whole number of 1..limit; untouched where the key is missing. */
static msk_status take_size(const struct parse *parse, const json_t *object, const char *part,
                            const char *key, size_t limit, size_t *size) {
  const json_t *value = json_object_get(object, key);
  if (value == NULL) return MSK_OK;
  if (!json_is_integer(value) || json_integer_value(value) < 1 ||
      json_integer_value(value) > (json_int_t)limit) {
    return fail_key(parse, part, key, "a whole number within reason");
  }
  *size = (size_t)json_integer_value(value);
  return MSK_OK;
}

static msk_status take_activation(const struct parse *parse, const json_t *object, const char *part,
                                  msk_clip_tower *tower) {
  const json_t *value = json_object_get(object, "hidden_act");
  const char *name = json_string_value(value);
  if (value == NULL) return MSK_OK;
  if (name != NULL && strcmp(name, "quick_gelu") == 0) {
    tower->activation = MSK_ACT_QUICK_GELU;
  } else if (name != NULL && strcmp(name, "gelu") == 0) {
    tower->activation = MSK_ACT_GELU_ERF;
  } else {
    return fail_key(parse, part, "hidden_act", "quick_gelu or gelu");
  }
  return MSK_OK;
}

static msk_status take_tower(const struct parse *parse, const json_t *object, const char *part,
                             msk_clip_tower *tower) {
  const struct {
    const char *key;
    size_t limit, *size;
  } sizes[] = {{"num_hidden_layers", MAX_LAYERS, &tower->layers},
               {"hidden_size", MAX_SIZE, &tower->hidden},
               {"num_attention_heads", MAX_SIZE, &tower->heads},
               {"intermediate_size", MAX_SIZE, &tower->intermediate}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    msk_status status = take_size(parse, object, part, sizes[i].key, sizes[i].limit, sizes[i].size);
    if (status != MSK_OK) return status;
  }
  if (tower->hidden % tower->heads != 0)
    return fail_key(parse, part, "num_attention_heads", "a divisor of hidden_size");
  const json_t *epsilon = json_object_get(object, "layer_norm_eps");
  /* older files leave it out and mean the default of Transformers */
  if (epsilon != NULL) {
    double value = json_number_value(epsilon);
    if (!(value > 0 && value < 1))
      return fail_key(parse, part, "layer_norm_eps", "a number between 0 and 1");
    tower->epsilon = (float)value;
  }
  return take_activation(parse, object, part, tower);
}

static msk_status take_end_token(const struct parse *parse, const json_t *object,
                                 msk_clip_config *config) {
  const json_t *value = json_object_get(object, "eos_token_id");
  if (value == NULL || json_is_null(value)) return MSK_OK;
  if (!json_is_integer(value) || json_integer_value(value) < 0 ||
      json_integer_value(value) >= (json_int_t)config->vocabulary) {
    return fail_key(parse, "text_config.", "eos_token_id", "a token of the vocabulary");
  }
  config->end_token = (int32_t)json_integer_value(value);
  return MSK_OK;
}

static msk_status take_all(const struct parse *parse, const json_t *root, msk_clip_config *config) {
  const json_t *text = json_object_get(root, "text_config"),
               *vision = json_object_get(root, "vision_config");
  size_t channels = 3;
  if (!json_is_object(root) || (text == NULL && vision == NULL)) {
    return msk_fail(parse->error, MSK_ERROR_FILE,
                    "%s: holds neither text_config nor vision_config: is this CLIP's config.json?",
                    parse->path);
  }
  if ((text != NULL && !json_is_object(text)) || (vision != NULL && !json_is_object(vision))) {
    return fail_key(parse, "",
                    text != NULL && !json_is_object(text) ? "text_config" : "vision_config",
                    "an object");
  }
  msk_status status = take_tower(parse, text, "text_config.", &config->text);
  if (status == MSK_OK) status = take_tower(parse, vision, "vision_config.", &config->vision);
  if (status == MSK_OK)
    status =
        take_size(parse, text, "text_config.", "max_position_embeddings", 4096, &config->positions);
  if (status == MSK_OK)
    status =
        take_size(parse, text, "text_config.", "vocab_size", MAX_VOCABULARY, &config->vocabulary);
  if (status == MSK_OK)
    status = take_size(parse, vision, "vision_config.", "image_size", 4096, &config->image_size);
  if (status == MSK_OK)
    status = take_size(parse, vision, "vision_config.", "patch_size", 4096, &config->patch);
  if (status == MSK_OK)
    status = take_size(parse, vision, "vision_config.", "num_channels", 3, &channels);
  if (status == MSK_OK)
    status = take_size(parse, root, "", "projection_dim", MAX_SIZE, &config->projection);
  if (status == MSK_OK) status = take_end_token(parse, text, config);
  /* the patches are cut for RGB; another count would read past them */
  if (status == MSK_OK && channels != 3)
    return fail_key(parse, "vision_config.", "num_channels", "3");
  if (status == MSK_OK && config->image_size % config->patch != 0)
    return fail_key(parse, "vision_config.", "patch_size", "a divisor of image_size");
  if (status == MSK_OK && config->positions < 2)
    return fail_key(parse, "text_config.", "max_position_embeddings", "2 or more");
  return status;
}

msk_status msk_clip_config_parse(msk_clip_config *config, const void *bytes, size_t byte_count,
                                 const char *path, msk_error *error) {
  msk_clip_config made = {.text = {12, 512, 8, 2048, MSK_ACT_QUICK_GELU, 1e-5f},
                          .vision = {12, 768, 12, 3072, MSK_ACT_QUICK_GELU, 1e-5f},
                          .positions = 77,
                          .vocabulary = 49408,
                          .image_size = 224,
                          .patch = 32,
                          .projection = 512,
                          .end_token = 2};
  struct parse parse = {path, error};
  if (byte_count > MAX_JSON)
    return msk_fail(error, MSK_ERROR_FILE, "%s: %zu bytes, expected at most %d", path, byte_count,
                    MAX_JSON);
  json_t *root = NULL;
  msk_status status = msk_json_load(&root, path, bytes, byte_count, MSK_JSON_FEW, error);
  if (status == MSK_OK) status = take_all(&parse, root, &made);
  json_decref(root);
  if (status == MSK_OK) *config = made;
  return status;
}
