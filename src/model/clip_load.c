/* SPDX-License-Identifier: Apache-2.0
 *
 * clip_load.c - the tensors of CLIP's towers, under Hugging Face's names, and loading (clip.h). */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "model/clip_parts.h"
#include "model/weights.h"

/* ---- the tensors ---- */

enum { HIDDEN, INTERMEDIATE, PROJECTION, POSITIONS, VOCABULARY, CHANNELS, PATCH, OTHER };

/* Where a group's tensors go. */
typedef struct fields {
  float *words, *positions, *class_embedding, *patches;
  float *logit_scale, *text, *vision;
  float *query, *key, *value, *out, *up, *down;
  float *query_bias, *key_bias, *value_bias, *out_bias, *up_bias, *down_bias;
  msk_norm norm, last_norm; /* the first, and the last of a layer or a tower */
} fields;
#define FIELD(member) offsetof(fields, member)

static const msk_weight_row text_rows[] = {
    {"embeddings.token_embedding.weight", MSK_WEIGHT_KEPT, 2, {VOCABULARY, HIDDEN}, FIELD(words)},
    {"embeddings.position_embedding.weight",
     MSK_WEIGHT_KEPT,
     2,
     {POSITIONS, HIDDEN},
     FIELD(positions)},
    {"final_layer_norm.weight", MSK_WEIGHT_KEPT, 1, {HIDDEN}, FIELD(last_norm.gamma)},
    {"final_layer_norm.bias", MSK_WEIGHT_KEPT, 1, {HIDDEN}, FIELD(last_norm.beta)},
};
static const msk_weight_row vision_rows[] = {
    {"embeddings.class_embedding", MSK_WEIGHT_KEPT, 1, {HIDDEN}, FIELD(class_embedding)},
    {"embeddings.patch_embedding.weight",
     MSK_WEIGHT_SCRATCH,
     4,
     {HIDDEN, CHANNELS, PATCH, PATCH},
     FIELD(patches)},
    {"embeddings.position_embedding.weight",
     MSK_WEIGHT_KEPT,
     2,
     {POSITIONS, HIDDEN},
     FIELD(positions)},
    {"pre_layrnorm.weight", MSK_WEIGHT_KEPT, 1, {HIDDEN}, FIELD(norm.gamma)},
    {"pre_layrnorm.bias", MSK_WEIGHT_KEPT, 1, {HIDDEN}, FIELD(norm.beta)},
    {"post_layernorm.weight", MSK_WEIGHT_KEPT, 1, {HIDDEN}, FIELD(last_norm.gamma)},
    {"post_layernorm.bias", MSK_WEIGHT_KEPT, 1, {HIDDEN}, FIELD(last_norm.beta)},
};
static const msk_weight_row top_rows[] = {
    {"logit_scale", MSK_WEIGHT_SCRATCH, 0, {0}, FIELD(logit_scale)},
    {"text_projection.weight", MSK_WEIGHT_SCRATCH, 2, {PROJECTION, HIDDEN}, FIELD(text)},
    {"visual_projection.weight", MSK_WEIGHT_SCRATCH, 2, {PROJECTION, OTHER}, FIELD(vision)},
};
static const msk_weight_row layer_rows[] = {
    {"self_attn.q_proj.weight", MSK_WEIGHT_SCRATCH, 2, {HIDDEN, HIDDEN}, FIELD(query)},
    {"self_attn.q_proj.bias", MSK_WEIGHT_SCRATCH, 1, {HIDDEN}, FIELD(query_bias)},
    {"self_attn.k_proj.weight", MSK_WEIGHT_SCRATCH, 2, {HIDDEN, HIDDEN}, FIELD(key)},
    {"self_attn.k_proj.bias", MSK_WEIGHT_SCRATCH, 1, {HIDDEN}, FIELD(key_bias)},
    {"self_attn.v_proj.weight", MSK_WEIGHT_SCRATCH, 2, {HIDDEN, HIDDEN}, FIELD(value)},
    {"self_attn.v_proj.bias", MSK_WEIGHT_SCRATCH, 1, {HIDDEN}, FIELD(value_bias)},
    {"self_attn.out_proj.weight", MSK_WEIGHT_SCRATCH, 2, {HIDDEN, HIDDEN}, FIELD(out)},
    {"self_attn.out_proj.bias", MSK_WEIGHT_SCRATCH, 1, {HIDDEN}, FIELD(out_bias)},
    {"mlp.fc1.weight", MSK_WEIGHT_SCRATCH, 2, {INTERMEDIATE, HIDDEN}, FIELD(up)},
    {"mlp.fc1.bias", MSK_WEIGHT_SCRATCH, 1, {INTERMEDIATE}, FIELD(up_bias)},
    {"mlp.fc2.weight", MSK_WEIGHT_SCRATCH, 2, {HIDDEN, INTERMEDIATE}, FIELD(down)},
    {"mlp.fc2.bias", MSK_WEIGHT_SCRATCH, 1, {HIDDEN}, FIELD(down_bias)},
    {"layer_norm1.weight", MSK_WEIGHT_KEPT, 1, {HIDDEN}, FIELD(norm.gamma)},
    {"layer_norm1.bias", MSK_WEIGHT_KEPT, 1, {HIDDEN}, FIELD(norm.beta)},
    {"layer_norm2.weight", MSK_WEIGHT_KEPT, 1, {HIDDEN}, FIELD(last_norm.gamma)},
    {"layer_norm2.bias", MSK_WEIGHT_KEPT, 1, {HIDDEN}, FIELD(last_norm.beta)},
};

/* Groups: text without layers, vision without layers, what both share, then the layers of text
 * and of vision. */
enum { TEXT_GROUP, VISION_GROUP, TOP_GROUP, FIRST_LAYER_GROUP };

static bool clip_groups(const void *user, size_t index, msk_weight_group *group) {
  const msk_clip_config *config = user;
  size_t layer = index - FIRST_LAYER_GROUP;
  bool vision =
      index == VISION_GROUP || (index >= FIRST_LAYER_GROUP && layer >= config->text.layers);
  const msk_clip_tower *tower = vision ? &config->vision : &config->text;
  if (index >= FIRST_LAYER_GROUP + config->text.layers + config->vision.layers) return false;
  *group =
      (msk_weight_group){.sizes = {tower->hidden, tower->intermediate, config->projection,
                                   vision ? msk_clip_vision_tokens(config) : config->positions,
                                   config->vocabulary, 3, config->patch, config->vision.hidden}};
  if (index == TEXT_GROUP) {
    snprintf(group->prefix, sizeof group->prefix, "text_model.");
    MSK_WEIGHT_ROWS(group, text_rows);
  } else if (index == VISION_GROUP) {
    snprintf(group->prefix, sizeof group->prefix, "vision_model.");
    MSK_WEIGHT_ROWS(group, vision_rows);
  } else if (index == TOP_GROUP) {
    MSK_WEIGHT_ROWS(group, top_rows);
  } else {
    snprintf(group->prefix, sizeof group->prefix,
             vision ? "vision_model.encoder.layers.%zu." : "text_model.encoder.layers.%zu.",
             vision ? layer - config->text.layers : layer);
    MSK_WEIGHT_ROWS(group, layer_rows);
  }
  return true;
}

/* ---- loading ---- */

struct packer {
  msk_clip_towers *towers;
  msk_weight_loader *loader;
  bool narrow; /* every matrix is stored in F16 */
};

static bool is_narrow(const msk_weight_loader *loader) {
  bool narrow = true;
  for (size_t i = 0; i < loader->count; i++)
    narrow = narrow &&
             (loader->bound[i].row->rank < 2 || loader->bound[i].tensor->dtype == MSK_DTYPE_F16);
  return narrow;
}

/* Every matrix is stored out x in. */
static msk_linear_part make_part(const struct packer *packer, const float *weight,
                                 const float *bias, size_t out) {
  return (msk_linear_part){
      .weight = weight, .bias = bias, .out = out, .transposed = true, .narrow = packer->narrow};
}

static msk_status pack_linear(const struct packer *packer, msk_linear **linear, size_t in,
                              size_t out, const float *weight, const float *bias) {
  msk_linear_part part = make_part(packer, weight, bias, out);
  return msk_linear_create(linear, packer->towers->device, MSK_PRECISION_FP32, in, &part, 1,
                           packer->loader->pool, packer->loader->error);
}

static msk_norm make_norm(const struct tower *tower, msk_norm norm) {
  norm.epsilon = tower->config->epsilon;
  return norm;
}

static msk_status load_text(const struct packer *packer) {
  msk_clip_towers *towers = packer->towers;
  fields f = {0};
  msk_status status = msk_weights_next(packer->loader, &f);
  if (status != MSK_OK) return status;
  towers->words = f.words;
  towers->text.positions = f.positions;
  towers->text.last_norm = make_norm(&towers->text, f.last_norm);
  return MSK_OK;
}

/* The convolution over patches is a matrix over a patch's pixels; its columns move from channel,
 * y, x to y, x, channel (space-to-depth). */
static void move_channels(const float *weight, size_t out, size_t area, float *moved) {
  for (size_t o = 0; o < out; o++) {
    for (size_t i = 0; i < area; i++) {
      for (size_t c = 0; c < 3; c++) moved[(o * area + i) * 3 + c] = weight[(o * 3 + c) * area + i];
    }
  }
}

static msk_status pack_patches(const struct packer *packer, const float *weight) {
  const msk_clip_config *config = &packer->towers->config;
  const msk_device *device = packer->towers->device;
  size_t area = config->patch * config->patch, out = config->vision.hidden;
  float *moved = msk_device_take(device, out * area, 3 * sizeof *moved);
  if (moved == NULL)
    return msk_fail(packer->loader->error, MSK_ERROR_MEMORY,
                    "not enough memory for CLIP's patches");
  if (!msk_device_measures(device)) move_channels(weight, out, area, moved);
  msk_status status = pack_linear(packer, &packer->towers->patches, 3 * area, out, moved, NULL);
  msk_device_give(device, moved, out * area, 3 * sizeof *moved);
  return status;
}

static msk_status load_vision(const struct packer *packer) {
  msk_clip_towers *towers = packer->towers;
  fields f = {0};
  msk_status status = msk_weights_next(packer->loader, &f);
  if (status != MSK_OK) return status;
  towers->class_embedding = f.class_embedding;
  towers->vision.positions = f.positions;
  towers->first_norm = make_norm(&towers->vision, f.norm);
  towers->vision.last_norm = make_norm(&towers->vision, f.last_norm);
  return pack_patches(packer, f.patches);
}

static msk_status load_top(const struct packer *packer) {
  msk_clip_towers *towers = packer->towers;
  const msk_clip_config *config = &towers->config;
  fields f = {0};
  msk_status status = msk_weights_next(packer->loader, &f);
  if (status != MSK_OK) return status;
  if (!msk_device_measures(towers->device)) towers->logit_scale = *f.logit_scale;
  status = pack_linear(packer, &towers->text.projection, config->text.hidden, config->projection,
                       f.text, NULL);
  if (status == MSK_OK)
    status = pack_linear(packer, &towers->vision.projection, config->vision.hidden,
                         config->projection, f.vision, NULL);
  return status;
}

static msk_status load_layer(const struct packer *packer, const struct tower *tower,
                             struct layer *layer) {
  size_t d = tower->config->hidden, wide = tower->config->intermediate;
  fields f = {0};
  msk_status status = msk_weights_next(packer->loader, &f);
  if (status != MSK_OK) return status;
  layer->attention_norm = make_norm(tower, f.norm);
  layer->mlp_norm = make_norm(tower, f.last_norm);
  const msk_linear_part parts[] = {make_part(packer, f.query, f.query_bias, d),
                                   make_part(packer, f.key, f.key_bias, d),
                                   make_part(packer, f.value, f.value_bias, d)};
  status = msk_linear_create(&layer->qkv, packer->towers->device, MSK_PRECISION_FP32, d, parts, 3,
                             packer->loader->pool, packer->loader->error);
  if (status == MSK_OK) status = pack_linear(packer, &layer->out, d, d, f.out, f.out_bias);
  if (status == MSK_OK) status = pack_linear(packer, &layer->up, d, wide, f.up, f.up_bias);
  if (status == MSK_OK) status = pack_linear(packer, &layer->down, wide, d, f.down, f.down_bias);
  return status;
}

static msk_status load_tower(const struct packer *packer, struct tower *tower) {
  tower->layers =
      msk_device_make(packer->towers->device, tower->config->layers, sizeof *tower->layers);
  if (tower->layers == NULL)
    return msk_fail(packer->loader->error, MSK_ERROR_MEMORY, "not enough memory for CLIP");
  msk_status status = MSK_OK;
  for (size_t i = 0; status == MSK_OK && i < tower->config->layers; i++)
    status = load_layer(packer, tower, &tower->layers[i]);
  return status;
}

static msk_status load_all(const struct packer *packer) {
  msk_status status = load_text(packer);
  if (status == MSK_OK) status = load_vision(packer);
  if (status == MSK_OK) status = load_top(packer);
  if (status == MSK_OK) status = load_tower(packer, &packer->towers->text);
  return status == MSK_OK ? load_tower(packer, &packer->towers->vision) : status;
}

/* A view of the file without the position_ids that older files carry: they only count 0, 1, 2,
 * ... */
static msk_status without_position_ids(msk_weight_file **view, const msk_weight_file *file,
                                       const msk_allocator *allocator, msk_error *error) {
  static const char suffix[] = ".position_ids";
  size_t count = msk_weight_file_count(file), used = 0;
  msk_tensor *tensors = msk_allocate(allocator, count, sizeof *tensors);
  if (tensors == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "not enough memory for CLIP");
  for (size_t i = 0; i < count; i++) {
    const msk_tensor *tensor = msk_weight_file_at(file, i);
    size_t length = strlen(tensor->name);
    /* missing in newer files, so that they cannot stand in the table */
    bool ids =
        length >= sizeof suffix && strcmp(tensor->name + length + 1 - sizeof suffix, suffix) == 0;
    if (!ids) tensors[used++] = *tensor;
  }
  msk_status status =
      msk_weight_file_view(view, msk_weight_file_path(file), msk_weight_file_kind(file), tensors,
                           used, NULL, 0, allocator, error);
  msk_free(allocator, tensors);
  return status;
}

static msk_status load_bound(msk_clip_towers **towers, msk_weight_loader *loader,
                             const msk_clip_config *config) {
  msk_clip_towers *made = msk_device_make(loader->device, 1, sizeof *made);
  if (made == NULL) return msk_fail(loader->error, MSK_ERROR_MEMORY, "not enough memory for CLIP");
  made->config = *config;
  made->device = loader->device;
  made->text = (struct tower){.config = &made->config.text, .name = "text", .causal = true};
  made->vision = (struct tower){.config = &made->config.vision, .name = "vision"};
  msk_status status = load_all(&(struct packer){made, loader, is_narrow(loader)});
  made->kept = loader->kept;
  made->kept_floats = loader->kept_floats;
  if (status == MSK_OK)
    status = msk_device_place(loader->device, made->kept, made->kept_floats, loader->error);
  if (status == MSK_OK) {
    *towers = made;
  } else {
    msk_clip_towers_destroy(made);
  }
  return status;
}

msk_status msk_clip_towers_load(msk_clip_towers **towers, const msk_device *device,
                                const msk_weight_file *file, const msk_clip_config *config,
                                msk_pool *pool, msk_error *error) {
  msk_weight_file *view = NULL;
  msk_status status = without_position_ids(&view, file, msk_device_allocator(device), error);
  if (status != MSK_OK) return status;
  msk_weight_loader loader = {.file = view,
                              .prefix = "",
                              .hint = "do model.safetensors and config.json belong together?",
                              .device = device,
                              .pool = pool,
                              .error = error};
  status = msk_weights_bind(&loader, clip_groups, config);
  if (status == MSK_OK) status = load_bound(towers, &loader, config);
  msk_weights_end(&loader);
  msk_weight_file_close(view);
  return status;
}

static void destroy_tower(struct tower *tower, const msk_device *device) {
  for (size_t i = 0; tower->layers != NULL && i < tower->config->layers; i++) {
    msk_linear_destroy(tower->layers[i].qkv);
    msk_linear_destroy(tower->layers[i].out);
    msk_linear_destroy(tower->layers[i].up);
    msk_linear_destroy(tower->layers[i].down);
  }
  msk_linear_destroy(tower->projection);
  msk_device_unmake(device, tower->layers, tower->config->layers, sizeof *tower->layers);
}

void msk_clip_towers_destroy(msk_clip_towers *towers) {
  if (towers == NULL) return;
  const msk_device *device = towers->device;
  destroy_tower(&towers->text, device);
  destroy_tower(&towers->vision, device);
  msk_linear_destroy(towers->patches);
  msk_device_displace(device, towers->kept, towers->kept_floats);
  msk_device_give(device, towers->kept, towers->kept_floats, sizeof *towers->kept);
  msk_device_unmake(device, towers, 1, sizeof *towers);
}
