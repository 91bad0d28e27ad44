/* SPDX-License-Identifier: Apache-2.0
 *
 * maskgit_load.c - the transformer's tensors, its sizes as they say them, and loading (maskgit.h).
 * Names are the authors' (maskgit_transformer.py). */
#include <stdio.h>

#include "base/error.h"
#include "model/maskgit_parts.h"

enum { MAX_LAYERS = 256 };
#define LAYER_NORM_EPSILON 1e-12f

/* ---- the tensors ---- */

enum { HIDDEN, HEADS, HEAD_DIM, INTERMEDIATE, VOCABULARY, POSITIONS };

/* Where a group's tensors go; matrices lie in the file or in scratch until they are packed. */
typedef struct fields {
  msk_weight_stored query, key, value, out, up, down, dense;
  float *query_bias, *key_bias, *value_bias, *out_bias, *up_bias, *down_bias, *dense_bias;
  float *words, *positions, *columns_bias;
  msk_norm norm, output_norm; /* the first, and a layer's second */
} fields;
#define FIELD(member) offsetof(fields, member)
#define ATTENTION "Attention_0.self_attention."

static const msk_weight_row embed_rows[] = {
    {"word_embeddings.embedding", MSK_WEIGHT_KEPT, 2, {VOCABULARY, HIDDEN}, FIELD(words)},
    {"position_embeddings.embedding", MSK_WEIGHT_KEPT, 2, {POSITIONS, HIDDEN}, FIELD(positions)},
    {"embeddings_ln.scale", MSK_WEIGHT_KEPT, 1, {HIDDEN}, FIELD(norm.gamma)},
    {"embeddings_ln.bias", MSK_WEIGHT_KEPT, 1, {HIDDEN}, FIELD(norm.beta)},
};
static const msk_weight_row layer_rows[] = {
    {ATTENTION "query.kernel", MSK_WEIGHT_INT8_2, 3, {HIDDEN, HEADS, HEAD_DIM}, FIELD(query)},
    {ATTENTION "query.bias", MSK_WEIGHT_SCRATCH, 2, {HEADS, HEAD_DIM}, FIELD(query_bias)},
    {ATTENTION "key.kernel", MSK_WEIGHT_INT8_2, 3, {HIDDEN, HEADS, HEAD_DIM}, FIELD(key)},
    {ATTENTION "key.bias", MSK_WEIGHT_SCRATCH, 2, {HEADS, HEAD_DIM}, FIELD(key_bias)},
    {ATTENTION "value.kernel", MSK_WEIGHT_INT8_2, 3, {HIDDEN, HEADS, HEAD_DIM}, FIELD(value)},
    {ATTENTION "value.bias", MSK_WEIGHT_SCRATCH, 2, {HEADS, HEAD_DIM}, FIELD(value_bias)},
    {ATTENTION "out.kernel", MSK_WEIGHT_INT8_1, 3, {HEADS, HEAD_DIM, HIDDEN}, FIELD(out)},
    {ATTENTION "out.bias", MSK_WEIGHT_SCRATCH, 1, {HIDDEN}, FIELD(out_bias)},
    {"Attention_0.attention_output_ln.scale", MSK_WEIGHT_KEPT, 1, {HIDDEN}, FIELD(norm.gamma)},
    {"Attention_0.attention_output_ln.bias", MSK_WEIGHT_KEPT, 1, {HIDDEN}, FIELD(norm.beta)},
    {"Mlp_0.intermediate_output.kernel", MSK_WEIGHT_INT8_1, 2, {HIDDEN, INTERMEDIATE}, FIELD(up)},
    {"Mlp_0.intermediate_output.bias", MSK_WEIGHT_SCRATCH, 1, {INTERMEDIATE}, FIELD(up_bias)},
    {"Mlp_0.layer_output.kernel", MSK_WEIGHT_INT8_1, 2, {INTERMEDIATE, HIDDEN}, FIELD(down)},
    {"Mlp_0.layer_output.bias", MSK_WEIGHT_SCRATCH, 1, {HIDDEN}, FIELD(down_bias)},
    {"Mlp_0.layer_output_ln.scale", MSK_WEIGHT_KEPT, 1, {HIDDEN}, FIELD(output_norm.gamma)},
    {"Mlp_0.layer_output_ln.bias", MSK_WEIGHT_KEPT, 1, {HIDDEN}, FIELD(output_norm.beta)},
};
static const msk_weight_row head_rows[] = {
    {"mlm_dense.kernel", MSK_WEIGHT_STORED, 2, {HIDDEN, HIDDEN}, FIELD(dense)},
    {"mlm_dense.bias", MSK_WEIGHT_SCRATCH, 1, {HIDDEN}, FIELD(dense_bias)},
    {"mlm_ln.scale", MSK_WEIGHT_KEPT, 1, {HIDDEN}, FIELD(norm.gamma)},
    {"mlm_ln.bias", MSK_WEIGHT_KEPT, 1, {HIDDEN}, FIELD(norm.beta)},
    {"mlm_bias.bias", MSK_WEIGHT_SCRATCH, 1, {VOCABULARY}, FIELD(columns_bias)},
};

/* Group 0 is the embedding, 1..layers the layers, layers + 1 the head. */
static bool maskgit_groups(const void *user, size_t index, msk_weight_group *group) {
  const msk_maskgit_config *config = user;
  if (index > config->layers + 1) return false;
  *group =
      (msk_weight_group){.sizes = {config->hidden, config->heads, config->hidden / config->heads,
                                   config->intermediate, config->vocabulary, config->positions}};
  if (index == 0) {
    snprintf(group->prefix, sizeof group->prefix, "Embed_0.");
    MSK_WEIGHT_ROWS(group, embed_rows);
  } else if (index <= config->layers) {
    snprintf(group->prefix, sizeof group->prefix, "TransformerLayer_%zu.", index - 1);
    MSK_WEIGHT_ROWS(group, layer_rows);
  } else {
    snprintf(group->prefix, sizeof group->prefix, "MlmLayer_0.");
    MSK_WEIGHT_ROWS(group, head_rows);
  }
  return true;
}

msk_status msk_maskgit_each_tensor(const msk_maskgit_config *config, msk_weight_visit *visit,
                                   void *user) {
  return msk_weights_each(maskgit_groups, config, visit, user);
}

int msk_maskgit_int8_outputs(const msk_maskgit_config *config, const char *name) {
  return msk_weights_outputs(maskgit_groups, config, name);
}

/* ---- the configuration ---- */

static msk_weight_loader make_loader(const msk_weight_file *file, const char *prefix,
                                     msk_error *error) {
  return (msk_weight_loader){
      .file = file, .prefix = prefix, .hint = "is this a MaskGIT transformer?", .error = error};
}

static msk_status detect_config(const msk_weight_loader *loader, msk_maskgit_config *config) {
  const msk_tensor *words, *positions, *query, *up;
  msk_status status =
      msk_weight_need(loader, "Embed_0.word_embeddings.embedding", -1, "", 2, &words);
  if (status == MSK_OK)
    status =
        msk_weight_need(loader, "Embed_0.position_embeddings.embedding", -1, "", 2, &positions);
  if (status == MSK_OK)
    status = msk_weight_need(loader, "TransformerLayer_", 0,
                             ".Attention_0.self_attention.query.kernel", 3, &query);
  if (status == MSK_OK)
    status = msk_weight_need(loader, "TransformerLayer_", 0, ".Mlp_0.intermediate_output.kernel", 2,
                             &up);
  if (status != MSK_OK) return status;
  *config =
      (msk_maskgit_config){.layers = msk_weight_count(loader, "TransformerLayer_",
                                                      ".Attention_0.self_attention.query.kernel",
                                                      ".Mlp_0.layer_output_ln.scale", MAX_LAYERS),
                           .hidden = words->shape[1],
                           .heads = query->shape[1],
                           .intermediate = up->shape[1],
                           .positions = positions->shape[0],
                           .vocabulary = words->shape[0]};
  /* heads and their width stand in one tensor; the hidden size is known from another */
  if (query->shape[1] * query->shape[2] != words->shape[1]) {
    return msk_fail(loader->error, MSK_ERROR_FILE,
                    "%s: tensor %s has %zu heads of %zu, expected them to make the hidden size %zu",
                    msk_weight_file_path(loader->file), query->name, query->shape[1],
                    query->shape[2], words->shape[1]);
  }
  return MSK_OK;
}

/* The sizes, and every tensor bound. */
static msk_status read_config(msk_weight_loader *loader, msk_maskgit_config *config) {
  msk_maskgit_config found;
  msk_status status = detect_config(loader, &found);
  if (status == MSK_OK) status = msk_weights_bind(loader, maskgit_groups, &found);
  if (status == MSK_OK) *config = found;
  return status;
}

msk_status msk_maskgit_read_config(msk_maskgit_config *config, const msk_weight_file *file,
                                   const char *prefix, msk_error *error) {
  msk_weight_loader loader = make_loader(file, prefix, error);
  msk_status status = read_config(&loader, config);
  msk_weights_end(&loader);
  return status;
}

/* ---- loading ---- */

struct packer {
  msk_maskgit *maskgit;
  msk_weight_loader *loader;
};

static msk_norm make_norm(msk_norm norm) {
  norm.epsilon = LAYER_NORM_EPSILON;
  return norm;
}

static msk_linear_part make_part(const msk_weight_stored *weight, const float *bias, size_t out) {
  return (msk_linear_part){.weight = weight->at,
                           .bias = bias,
                           .out = out,
                           .dtype = weight->dtype,
                           .scales = weight->scales};
}

static msk_status pack_linear(const struct packer *packer, msk_linear **linear,
                              msk_precision precision, size_t in, size_t out,
                              const msk_weight_stored *weight, const float *bias) {
  msk_linear_part part = make_part(weight, bias, out);
  return msk_linear_create(linear, packer->maskgit->device, precision, in, &part, 1,
                           packer->loader->pool, packer->loader->error);
}

static msk_status load_embedding(const struct packer *packer) {
  msk_maskgit *maskgit = packer->maskgit;
  const msk_maskgit_config *config = &maskgit->config;
  fields f = {0};
  msk_status status = msk_weights_next(packer->loader, &f);
  if (status != MSK_OK) return status;
  maskgit->words = msk_rows_at(f.words, config->vocabulary, config->hidden);
  maskgit->positions = msk_rows_at(f.positions, config->positions, config->hidden);
  maskgit->embedding_norm = make_norm(f.norm);
  return MSK_OK;
}

static msk_status load_layer(const struct packer *packer, struct layer *layer) {
  const msk_device *device = packer->maskgit->device;
  const msk_precision precision = msk_device_precision(device);
  size_t d = packer->maskgit->config.hidden, wide = packer->maskgit->config.intermediate;
  fields f = {0};
  msk_status status = msk_weights_next(packer->loader, &f);
  if (status != MSK_OK) return status;
  layer->attention_norm = make_norm(f.norm);
  layer->output_norm = make_norm(f.output_norm);
  /* q, k, v side by side: one product, and the first two thirds of its columns where only q and
   * k are wanted. */
  const msk_linear_part parts[] = {make_part(&f.query, f.query_bias, d),
                                   make_part(&f.key, f.key_bias, d),
                                   make_part(&f.value, f.value_bias, d)};
  status = msk_linear_create(&layer->qkv, device, precision, d, parts, 3, packer->loader->pool,
                             packer->loader->error);
  if (status == MSK_OK)
    status = pack_linear(packer, &layer->out, precision, d, d, &f.out, f.out_bias);
  if (status == MSK_OK)
    status = pack_linear(packer, &layer->up, precision, d, wide, &f.up, f.up_bias);
  if (status == MSK_OK)
    status = pack_linear(packer, &layer->down, precision, wide, d, &f.down, f.down_bias);
  return status;
}

/* In float32 whatever the precision: under one percent of the work, and the logits are what is
 * sampled from. */
static msk_status load_head(const struct packer *packer) {
  msk_maskgit *maskgit = packer->maskgit;
  msk_weight_loader *loader = packer->loader;
  size_t d = maskgit->config.hidden;
  fields f = {0};
  msk_status status = msk_weights_next(loader, &f);
  if (status != MSK_OK) return status;
  maskgit->head_norm = make_norm(f.norm);
  status = pack_linear(packer, &maskgit->dense, MSK_PRECISION_FP32, d, d, &f.dense, f.dense_bias);
  if (status != MSK_OK) return status;
  const msk_tensor *words = msk_weight_find(loader, "Embed_0.word_embeddings.embedding", -1, "");
  /* tied weights: the head is the embedding turned round, packed once more */
  const msk_linear_part part = {.weight = maskgit->words.at,
                                .bias = f.columns_bias,
                                .out = maskgit->config.vocabulary,
                                .transposed = true,
                                .narrow = words->dtype == MSK_DTYPE_F16};
  return msk_linear_create(&maskgit->head, maskgit->device, MSK_PRECISION_FP32, d, &part, 1,
                           loader->pool, loader->error);
}

static msk_status load_all(const struct packer *packer) {
  msk_status status = load_embedding(packer);
  for (size_t i = 0; status == MSK_OK && i < packer->maskgit->config.layers; i++)
    status = load_layer(packer, &packer->maskgit->layers[i]);
  return status == MSK_OK ? load_head(packer) : status;
}

/* Of a checked file. */
static msk_status load_bound(msk_maskgit **maskgit, msk_weight_loader *loader,
                             const msk_maskgit_config *config) {
  const msk_device *device = loader->device;
  msk_maskgit *made = msk_device_make(device, 1, sizeof *made);
  if (made == NULL)
    return msk_fail(loader->error, MSK_ERROR_MEMORY, "not enough memory for the transformer");
  made->config = *config;
  made->device = device;
  made->layers = msk_device_make(device, config->layers, sizeof *made->layers);
  msk_status status = made->layers == NULL ? msk_fail(loader->error, MSK_ERROR_MEMORY,
                                                      "not enough memory for the transformer")
                                           : load_all(&(struct packer){made, loader});
  made->kept = loader->kept;
  made->kept_floats = loader->kept_floats;
  if (status == MSK_OK)
    status = msk_device_place(device, made->kept, made->kept_floats, loader->error);
  if (status == MSK_OK) {
    *maskgit = made;
  } else {
    msk_maskgit_destroy(made);
  }
  return status;
}

msk_status msk_maskgit_load(msk_maskgit **maskgit, const msk_device *device,
                            const msk_weight_file *file, const char *prefix, msk_pool *pool,
                            msk_error *error) {
  msk_weight_loader loader = make_loader(file, prefix, error);
  msk_maskgit_config config;
  loader.device = device;
  loader.pool = pool;
  loader.int8 = msk_device_takes_int8(device);
  msk_status status = read_config(&loader, &config);
  if (status == MSK_OK) status = load_bound(maskgit, &loader, &config);
  msk_weights_end(&loader);
  return status;
}

void msk_maskgit_destroy(msk_maskgit *maskgit) {
  if (maskgit == NULL) return;
  const msk_device *device = maskgit->device;
  for (size_t i = 0; maskgit->layers != NULL && i < maskgit->config.layers; i++) {
    msk_linear_destroy(maskgit->layers[i].qkv);
    msk_linear_destroy(maskgit->layers[i].out);
    msk_linear_destroy(maskgit->layers[i].up);
    msk_linear_destroy(maskgit->layers[i].down);
  }
  msk_linear_destroy(maskgit->dense);
  msk_linear_destroy(maskgit->head);
  msk_device_unmake(device, maskgit->layers, maskgit->config.layers, sizeof *maskgit->layers);
  msk_device_displace(device, maskgit->kept, maskgit->kept_floats);
  msk_device_give(device, maskgit->kept, maskgit->kept_floats, sizeof *maskgit->kept);
  msk_device_unmake(device, maskgit, 1, sizeof *maskgit);
}
