/* SPDX-License-Identifier: Apache-2.0
 * params.c - see params.h. */
#include "train/params.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

enum { ALIGNED_FLOATS = 16 };

/* ---- the layout ---- */

struct creation {
  msk_params *params;
  /* rule and sides, for `of` */
  msk_param (*judge)(const struct creation *creation, const msk_tensor *tensor);
  const void *of;
};

static msk_status count_tensor(void *user, const msk_tensor *tensor) {
  (void)tensor;
  ++*(size_t *)user;
  return MSK_OK;
}

static msk_status add_tensor(void *user, const msk_tensor *tensor) {
  const struct creation *creation = user;
  msk_params *params = creation->params;
  msk_param *param = &params->list[params->count];
  *param = creation->judge(creation, tensor);
  param->tensor = *tensor;
  param->tensor.name = msk_duplicate_string(params->allocator, tensor->name);
  if (param->tensor.name == NULL) return MSK_ERROR_MEMORY;
  param->offset = params->floats;
  params->count++;
  params->floats += (tensor->elements + ALIGNED_FLOATS - 1) / ALIGNED_FLOATS * ALIGNED_FLOATS;
  return MSK_OK;
}

typedef msk_status each_tensor(const void *config, msk_weight_visit *visit, void *user);

static msk_status create(msk_params **params, msk_params begin, each_tensor *each,
                         const void *config, struct creation creation, msk_error *error) {
  size_t count = 0;
  msk_status status = each(config, count_tensor, &count);
  msk_params *made = msk_allocate_zeroed(begin.allocator, 1, sizeof *made);
  if (status == MSK_OK && made != NULL) {
    *made = begin;
    made->list = msk_allocate_zeroed(begin.allocator, count, sizeof *made->list);
  }
  creation.params = made;
  status =
      made == NULL || made->list == NULL ? MSK_ERROR_MEMORY : each(config, add_tensor, &creation);
  if (status != MSK_OK) {
    msk_params_destroy(made);
    return msk_fail(error, status, "no memory for the list of parameters");
  }
  *params = made;
  return MSK_OK;
}

/* ---- which tensor is whose ---- */

static bool ends_with(const char *text, const char *end) {
  size_t length = strlen(text), tail = strlen(end);
  return length >= tail && strcmp(text + length - tail, end) == 0;
}

static msk_param judge_transformer(const struct creation *creation, const msk_tensor *tensor) {
  const msk_maskgit_config *config = &creation->params->config;
  bool widens = ends_with(tensor->name, "intermediate_output.kernel");
  msk_param param = {.rule = MSK_RULE_ADAM, .out = widens ? config->intermediate : config->hidden};
  param.in = tensor->elements / param.out;
  if (ends_with(tensor->name, ".kernel")) param.rule = MSK_RULE_MUON;
  if (ends_with(tensor->name, ".embedding")) param.rule = MSK_RULE_ADAM_DECAY;
  return param;
}

struct tokenizer {
  const msk_vqgan_config *config;
  bool decoder_alone, muon;
};

/* Between two layers of many channels: neither pixels nor codes at an end. */
static bool is_inner(const msk_vqgan_config *config, const msk_tensor *tensor) {
  size_t pixels = 3 * config->stem * config->stem, in = tensor->shape[2], out = tensor->shape[3];
  return in != pixels && out != pixels && in != config->dim && out != config->dim;
}

static msk_param judge_tokenizer(const struct creation *creation, const msk_tensor *tensor) {
  const struct tokenizer *tokenizer = creation->of;
  bool fixed = strncmp(tensor->name, "quantizer.", 10) == 0 ||
               (tokenizer->decoder_alone && strncmp(tensor->name, "decoder.", 8) != 0);
  msk_param param = {.rule = fixed ? MSK_RULE_FIXED : MSK_RULE_ADAM_DECAY};
  if (fixed || !tokenizer->muon || tensor->rank != 4 || !is_inner(tokenizer->config, tensor))
    return param;
  param.rule = MSK_RULE_MUON;
  param.out = tensor->shape[3];
  param.in = tensor->elements / param.out;
  return param;
}

static msk_status each_of_transformer(const void *config, msk_weight_visit *visit, void *user) {
  return msk_maskgit_each_tensor(config, visit, user);
}

static msk_status each_of_tokenizer(const void *config, msk_weight_visit *visit, void *user) {
  return msk_vqgan_each_tensor(config, visit, user);
}

msk_status msk_params_create(msk_params **params, const msk_maskgit_config *config,
                             const msk_allocator *allocator, msk_error *error) {
  const msk_params begin = {.config = *config, .allocator = allocator};
  return create(params, begin, each_of_transformer, config,
                (struct creation){.judge = judge_transformer}, error);
}

msk_status msk_params_create_tokenizer(msk_params **params, const msk_vqgan_config *config,
                                       bool decoder_alone, bool muon,
                                       const msk_allocator *allocator, msk_error *error) {
  const msk_params begin = {.allocator = allocator};
  const struct tokenizer tokenizer = {config, decoder_alone, muon};
  return create(params, begin, each_of_tokenizer, config,
                (struct creation){.judge = judge_tokenizer, .of = &tokenizer}, error);
}

void msk_params_destroy(msk_params *params) {
  if (params == NULL) return;
  for (size_t i = 0; i < params->count; i++)
    msk_free(params->allocator, (char *)(uintptr_t)params->list[i].tensor.name);
  msk_free(params->allocator, params->list);
  msk_free(params->allocator, params);
}

msk_status msk_param_read(const msk_param *param, const msk_weight_file *file, const char *name,
                          float *block, msk_error *error) {
  const msk_tensor *tensor = msk_weight_file_find(file, name);
  const char *path = msk_weight_file_path(file);
  if (tensor == NULL)
    return msk_fail(error, MSK_ERROR_FILE, "%s: tensor %s is missing", path, name);
  if (tensor->elements != param->tensor.elements)
    return msk_fail(error, MSK_ERROR_FILE, "%s: tensor %s has %zu elements, expected %zu", path,
                    name, tensor->elements, param->tensor.elements);
  return msk_weight_values(file, tensor, block + param->offset, error);
}

msk_status msk_params_read(const msk_params *params, const msk_weight_file *file,
                           const char *prefix, float *block, msk_error *error) {
  for (size_t i = 0; i < params->count; i++) {
    const msk_param *param = &params->list[i];
    char name[2 * MSK_WEIGHT_NAME];
    snprintf(name, sizeof name, "%s%s", prefix, param->tensor.name);
    msk_status status = msk_param_read(param, file, name, block, error);
    if (status != MSK_OK) return status;
  }
  return MSK_OK;
}

/* ---- where tensors lie ---- */

float *msk_params_find(const msk_params *params, float *block, const char *name) {
  size_t i = 0;
  while (i < params->count && strcmp(params->list[i].tensor.name, name) != 0) i++;
  return i < params->count ? block + params->list[i].offset : NULL;
}

/* Both structures have their members in the order of the weight table, whose names stand there
 * alone: the embedding, the layers, the head. */
enum {
  LAYER_TENSORS = sizeof(msk_layer_params) / sizeof(float *),
  HEAD_TENSORS = (sizeof(msk_outer_params) - offsetof(msk_outer_params, dense)) / sizeof(float *),
  EMBEDDING_TENSORS = offsetof(msk_outer_params, dense) / sizeof(float *)
};

static void bind(const msk_params *params, float *block, size_t first, size_t count,
                 float **fields) {
  for (size_t i = 0; i < count; i++) fields[i] = block + params->list[first + i].offset;
}

msk_layer_params msk_params_layer(const msk_params *params, float *block, size_t layer) {
  msk_layer_params fields;
  bind(params, block, EMBEDDING_TENSORS + layer * LAYER_TENSORS, LAYER_TENSORS, (float **)&fields);
  return fields;
}

msk_outer_params msk_params_outer(const msk_params *params, float *block) {
  msk_outer_params fields;
  assert(params->count == EMBEDDING_TENSORS + params->config.layers * LAYER_TENSORS + HEAD_TENSORS);
  bind(params, block, 0, EMBEDDING_TENSORS, (float **)&fields);
  bind(params, block, params->count - HEAD_TENSORS, HEAD_TENSORS,
       (float **)&fields + EMBEDDING_TENSORS);
  return fields;
}
