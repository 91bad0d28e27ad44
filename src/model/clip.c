/* SPDX-License-Identifier: Apache-2.0
 *
 * clip.c - see clip.h. Reference: tests/golden/clip/MANIFEST.md. What is easy to get wrong, and
 * matters: layer norms stand before attention and MLP, the vision tower has one more before its
 * layers, only the text attends causally, projections have no bias. */
#include "model/clip.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

struct norm {
  float *scale, *bias;
};

struct layer {
  msk_linear *qkv, *out, *up, *down;
  struct norm attention_norm, mlp_norm;
};

/* One tower: what both have. */
struct tower {
  const msk_clip_tower *config;
  const char *name; /* of its stages */
  float *positions;
  struct layer *layers;
  struct norm last_norm; /* of the one row that is kept */
  msk_linear *projection;
  bool causal;
};

struct msk_clip_towers {
  msk_clip_config config;
  const msk_device *device;
  float *kept; /* norms, embeddings */
  float *words, *class_embedding, logit_scale;
  struct norm first_norm; /* vision */
  msk_linear *patches;
  struct tower text, vision;
};

/* ---- the tensors ---- */

enum { HIDDEN, INTERMEDIATE, PROJECTION, POSITIONS, VOCABULARY, CHANNELS, PATCH, OTHER };

typedef struct text_fields {
  float *words, *positions, *scale, *bias;
} text_fields;
typedef struct vision_fields {
  float *class_embedding, *patches, *positions, *first_scale, *first_bias, *last_scale, *last_bias;
} vision_fields;
typedef struct top_fields {
  float *logit_scale, *text, *vision;
} top_fields;
typedef struct layer_fields {
  float *query, *query_bias, *key, *key_bias, *value, *value_bias, *out, *out_bias, *up, *up_bias,
      *down, *down_bias;
  float *attention_scale, *attention_bias, *mlp_scale, *mlp_bias;
} layer_fields;

static const msk_weight_row text_rows[] = {
    {"embeddings.token_embedding.weight",
     MSK_WEIGHT_KEPT,
     2,
     {VOCABULARY, HIDDEN},
     offsetof(text_fields, words)},
    {"embeddings.position_embedding.weight",
     MSK_WEIGHT_KEPT,
     2,
     {POSITIONS, HIDDEN},
     offsetof(text_fields, positions)},
    {"final_layer_norm.weight", MSK_WEIGHT_KEPT, 1, {HIDDEN}, offsetof(text_fields, scale)},
    {"final_layer_norm.bias", MSK_WEIGHT_KEPT, 1, {HIDDEN}, offsetof(text_fields, bias)},
};
static const msk_weight_row vision_rows[] = {
    {"embeddings.class_embedding",
     MSK_WEIGHT_KEPT,
     1,
     {HIDDEN},
     offsetof(vision_fields, class_embedding)},
    {"embeddings.patch_embedding.weight",
     MSK_WEIGHT_SCRATCH,
     4,
     {HIDDEN, CHANNELS, PATCH, PATCH},
     offsetof(vision_fields, patches)},
    {"embeddings.position_embedding.weight",
     MSK_WEIGHT_KEPT,
     2,
     {POSITIONS, HIDDEN},
     offsetof(vision_fields, positions)},
    {"pre_layrnorm.weight", MSK_WEIGHT_KEPT, 1, {HIDDEN}, offsetof(vision_fields, first_scale)},
    {"pre_layrnorm.bias", MSK_WEIGHT_KEPT, 1, {HIDDEN}, offsetof(vision_fields, first_bias)},
    {"post_layernorm.weight", MSK_WEIGHT_KEPT, 1, {HIDDEN}, offsetof(vision_fields, last_scale)},
    {"post_layernorm.bias", MSK_WEIGHT_KEPT, 1, {HIDDEN}, offsetof(vision_fields, last_bias)},
};
static const msk_weight_row top_rows[] = {
    {"logit_scale", MSK_WEIGHT_SCRATCH, 0, {0}, offsetof(top_fields, logit_scale)},
    {"text_projection.weight",
     MSK_WEIGHT_SCRATCH,
     2,
     {PROJECTION, HIDDEN},
     offsetof(top_fields, text)},
    {"visual_projection.weight",
     MSK_WEIGHT_SCRATCH,
     2,
     {PROJECTION, OTHER},
     offsetof(top_fields, vision)},
};
static const msk_weight_row layer_rows[] = {
    {"self_attn.q_proj.weight",
     MSK_WEIGHT_SCRATCH,
     2,
     {HIDDEN, HIDDEN},
     offsetof(layer_fields, query)},
    {"self_attn.q_proj.bias", MSK_WEIGHT_SCRATCH, 1, {HIDDEN}, offsetof(layer_fields, query_bias)},
    {"self_attn.k_proj.weight",
     MSK_WEIGHT_SCRATCH,
     2,
     {HIDDEN, HIDDEN},
     offsetof(layer_fields, key)},
    {"self_attn.k_proj.bias", MSK_WEIGHT_SCRATCH, 1, {HIDDEN}, offsetof(layer_fields, key_bias)},
    {"self_attn.v_proj.weight",
     MSK_WEIGHT_SCRATCH,
     2,
     {HIDDEN, HIDDEN},
     offsetof(layer_fields, value)},
    {"self_attn.v_proj.bias", MSK_WEIGHT_SCRATCH, 1, {HIDDEN}, offsetof(layer_fields, value_bias)},
    {"self_attn.out_proj.weight",
     MSK_WEIGHT_SCRATCH,
     2,
     {HIDDEN, HIDDEN},
     offsetof(layer_fields, out)},
    {"self_attn.out_proj.bias", MSK_WEIGHT_SCRATCH, 1, {HIDDEN}, offsetof(layer_fields, out_bias)},
    {"mlp.fc1.weight", MSK_WEIGHT_SCRATCH, 2, {INTERMEDIATE, HIDDEN}, offsetof(layer_fields, up)},
    {"mlp.fc1.bias", MSK_WEIGHT_SCRATCH, 1, {INTERMEDIATE}, offsetof(layer_fields, up_bias)},
    {"mlp.fc2.weight", MSK_WEIGHT_SCRATCH, 2, {HIDDEN, INTERMEDIATE}, offsetof(layer_fields, down)},
    {"mlp.fc2.bias", MSK_WEIGHT_SCRATCH, 1, {HIDDEN}, offsetof(layer_fields, down_bias)},
    {"layer_norm1.weight", MSK_WEIGHT_KEPT, 1, {HIDDEN}, offsetof(layer_fields, attention_scale)},
    {"layer_norm1.bias", MSK_WEIGHT_KEPT, 1, {HIDDEN}, offsetof(layer_fields, attention_bias)},
    {"layer_norm2.weight", MSK_WEIGHT_KEPT, 1, {HIDDEN}, offsetof(layer_fields, mlp_scale)},
    {"layer_norm2.bias", MSK_WEIGHT_KEPT, 1, {HIDDEN}, offsetof(layer_fields, mlp_bias)},
};

static size_t vision_tokens(const msk_clip_config *config) {
  size_t side = config->image_size / config->patch;
  return 1 + side * side;
}

/* Groups: text without layers, vision without layers, what both share, then the layers of text
 * and of vision. */
enum { TEXT_GROUP, VISION_GROUP, TOP_GROUP, FIRST_LAYER_GROUP };
#define ROWS(group, table) \
  (group)->rows = (table), (group)->row_count = sizeof(table) / sizeof *(table)

static bool clip_groups(const void *user, size_t index, msk_weight_group *group) {
  const msk_clip_config *config = user;
  size_t layer = index - FIRST_LAYER_GROUP;
  bool vision =
      index == VISION_GROUP || (index >= FIRST_LAYER_GROUP && layer >= config->text.layers);
  const msk_clip_tower *tower = vision ? &config->vision : &config->text;
  if (index >= FIRST_LAYER_GROUP + config->text.layers + config->vision.layers) return false;
  *group =
      (msk_weight_group){.sizes = {tower->hidden, tower->intermediate, config->projection,
                                   vision ? vision_tokens(config) : config->positions,
                                   config->vocabulary, 3, config->patch, config->vision.hidden}};
  if (index == TEXT_GROUP) {
    snprintf(group->prefix, sizeof group->prefix, "text_model.");
    ROWS(group, text_rows);
  } else if (index == VISION_GROUP) {
    snprintf(group->prefix, sizeof group->prefix, "vision_model.");
    ROWS(group, vision_rows);
  } else if (index == TOP_GROUP) {
    ROWS(group, top_rows);
  } else {
    snprintf(group->prefix, sizeof group->prefix,
             vision ? "vision_model.encoder.layers.%zu." : "text_model.encoder.layers.%zu.",
             vision ? layer - config->text.layers : layer);
    ROWS(group, layer_rows);
  }
  return true;
}

msk_status msk_clip_each_tensor(const msk_clip_config *config, msk_weight_visit *visit,
                                void *user) {
  return msk_weights_each(clip_groups, config, visit, user);
}

/* ---- loading ---- */

struct packer {
  msk_clip_towers *towers;
  msk_weight_loader *loader;
  msk_pool *pool;
};

static msk_status load_group(const struct packer *packer, size_t index, void *fields) {
  msk_weight_group group;
  clip_groups(&packer->towers->config, index, &group);
  return msk_weights_load(packer->loader, &group, fields);
}

/* Every matrix is stored out x in. */
static msk_status pack_linear(const struct packer *packer, msk_linear **linear, size_t in,
                              size_t out, const float *weight, const float *bias) {
  msk_linear_part part = {.weight = weight, .bias = bias, .out = out, .transposed = true};
  return msk_linear_create(linear, packer->towers->device, MSK_PRECISION_FP32, in, &part, 1,
                           packer->pool, packer->loader->error);
}

static msk_status load_text(const struct packer *packer) {
  text_fields fields;
  msk_status status = load_group(packer, TEXT_GROUP, &fields);
  if (status != MSK_OK) return status;
  packer->towers->words = fields.words;
  packer->towers->text.positions = fields.positions;
  packer->towers->text.last_norm = (struct norm){fields.scale, fields.bias};
  return MSK_OK;
}

/* The convolution over patches is a matrix over a patch's pixels; its columns move from channel,
 * y, x to y, x, channel (space-to-depth). */
static msk_status pack_patches(const struct packer *packer, const float *weight) {
  const msk_clip_config *config = &packer->towers->config;
  size_t area = config->patch * config->patch, out = config->vision.hidden;
  float *moved = msk_allocate(packer->loader->allocator, out * area, 3 * sizeof *moved);
  if (moved == NULL)
    return msk_fail(packer->loader->error, MSK_ERROR_MEMORY,
                    "not enough memory for CLIP's patches");
  for (size_t o = 0; o < out; o++) {
    for (size_t i = 0; i < area; i++) {
      for (size_t c = 0; c < 3; c++) moved[(o * area + i) * 3 + c] = weight[(o * 3 + c) * area + i];
    }
  }
  msk_status status = pack_linear(packer, &packer->towers->patches, 3 * area, out, moved, NULL);
  msk_free(packer->loader->allocator, moved);
  return status;
}

static msk_status load_vision(const struct packer *packer) {
  vision_fields fields;
  msk_clip_towers *towers = packer->towers;
  msk_status status = load_group(packer, VISION_GROUP, &fields);
  if (status != MSK_OK) return status;
  towers->class_embedding = fields.class_embedding;
  towers->vision.positions = fields.positions;
  towers->first_norm = (struct norm){fields.first_scale, fields.first_bias};
  towers->vision.last_norm = (struct norm){fields.last_scale, fields.last_bias};
  return pack_patches(packer, fields.patches);
}

static msk_status load_top(const struct packer *packer) {
  top_fields fields;
  msk_clip_towers *towers = packer->towers;
  const msk_clip_config *config = &towers->config;
  msk_status status = load_group(packer, TOP_GROUP, &fields);
  if (status != MSK_OK) return status;
  towers->logit_scale = *fields.logit_scale;
  status = pack_linear(packer, &towers->text.projection, config->text.hidden, config->projection,
                       fields.text, NULL);
  if (status == MSK_OK)
    status = pack_linear(packer, &towers->vision.projection, config->vision.hidden,
                         config->projection, fields.vision, NULL);
  return status;
}

static msk_status load_layer(const struct packer *packer, struct tower *tower, size_t index,
                             size_t group) {
  size_t hidden = tower->config->hidden, intermediate = tower->config->intermediate;
  struct layer *layer = &tower->layers[index];
  layer_fields fields;
  msk_status status = load_group(packer, group, &fields);
  if (status != MSK_OK) return status;
  layer->attention_norm = (struct norm){fields.attention_scale, fields.attention_bias};
  layer->mlp_norm = (struct norm){fields.mlp_scale, fields.mlp_bias};
  const msk_linear_part parts[] = {
      {.weight = fields.query, .bias = fields.query_bias, .out = hidden, .transposed = true},
      {.weight = fields.key, .bias = fields.key_bias, .out = hidden, .transposed = true},
      {.weight = fields.value, .bias = fields.value_bias, .out = hidden, .transposed = true}};
  status = msk_linear_create(&layer->qkv, packer->towers->device, MSK_PRECISION_FP32, hidden, parts,
                             3, packer->pool, packer->loader->error);
  if (status == MSK_OK)
    status = pack_linear(packer, &layer->out, hidden, hidden, fields.out, fields.out_bias);
  if (status == MSK_OK)
    status = pack_linear(packer, &layer->up, hidden, intermediate, fields.up, fields.up_bias);
  if (status == MSK_OK)
    status = pack_linear(packer, &layer->down, intermediate, hidden, fields.down, fields.down_bias);
  return status;
}

static msk_status load_tower(const struct packer *packer, struct tower *tower, size_t first_group) {
  tower->layers =
      msk_allocate_zeroed(packer->loader->allocator, tower->config->layers, sizeof *tower->layers);
  if (tower->layers == NULL)
    return msk_fail(packer->loader->error, MSK_ERROR_MEMORY, "not enough memory for CLIP");
  msk_status status = MSK_OK;
  for (size_t i = 0; status == MSK_OK && i < tower->config->layers; i++)
    status = load_layer(packer, tower, i, first_group + i);
  return status;
}

static msk_status load_all(const struct packer *packer) {
  msk_clip_towers *towers = packer->towers;
  msk_status status = load_text(packer);
  if (status == MSK_OK) status = load_vision(packer);
  if (status == MSK_OK) status = load_top(packer);
  if (status == MSK_OK) status = load_tower(packer, &towers->text, FIRST_LAYER_GROUP);
  return status == MSK_OK
             ? load_tower(packer, &towers->vision, FIRST_LAYER_GROUP + towers->config.text.layers)
             : status;
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
    bool ids =
        length >= sizeof suffix && strcmp(tensor->name + length + 1 - sizeof suffix, suffix) == 0;
    if (!ids) tensors[used++] = *tensor;
  }
  msk_status status =
      msk_weight_file_view(view, msk_weight_file_path(file), msk_weight_file_kind(file), tensors,
                           used, allocator, error);
  msk_free(allocator, tensors);
  return status;
}

static msk_status load_checked(msk_clip_towers **towers, const msk_device *device,
                               msk_weight_loader *loader, const msk_clip_config *config,
                               msk_pool *pool) {
  const msk_allocator *allocator = loader->allocator;
  msk_status status = msk_weights_check(loader, clip_groups, config);
  if (status != MSK_OK) return status;
  msk_clip_towers *made = msk_allocate_zeroed(allocator, 1, sizeof *made);
  if (made == NULL) return msk_fail(loader->error, MSK_ERROR_MEMORY, "not enough memory for CLIP");
  made->config = *config;
  made->device = device;
  made->text = (struct tower){.config = &made->config.text, .name = "text", .causal = true};
  made->vision = (struct tower){.config = &made->config.vision, .name = "vision"};
  status = msk_weights_reserve(loader, clip_groups, config);
  made->kept = loader->kept;
  if (status == MSK_OK) status = load_all(&(struct packer){made, loader, pool});
  msk_free(allocator, loader->scratch);
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
  const msk_allocator *allocator = msk_device_allocator(device);
  msk_weight_file *view = NULL;
  msk_status status = without_position_ids(&view, file, allocator, error);
  if (status != MSK_OK) return status;
  msk_weight_loader loader = {.file = view,
                              .prefix = "",
                              .hint = "do model.safetensors and config.json belong together?",
                              .allocator = allocator,
                              .error = error};
  status = load_checked(towers, device, &loader, config, pool);
  msk_weight_file_close(view);
  return status;
}

static void destroy_tower(struct tower *tower, const msk_allocator *allocator) {
  for (size_t i = 0; tower->layers != NULL && i < tower->config->layers; i++) {
    msk_linear_destroy(tower->layers[i].qkv);
    msk_linear_destroy(tower->layers[i].out);
    msk_linear_destroy(tower->layers[i].up);
    msk_linear_destroy(tower->layers[i].down);
  }
  msk_linear_destroy(tower->projection);
  msk_free(allocator, tower->layers);
}

void msk_clip_towers_destroy(msk_clip_towers *towers) {
  if (towers == NULL) return;
  const msk_allocator *allocator = msk_device_allocator(towers->device);
  destroy_tower(&towers->text, allocator);
  destroy_tower(&towers->vision, allocator);
  msk_linear_destroy(towers->patches);
  msk_free(allocator, towers->kept);
  msk_free(allocator, towers);
}

float msk_clip_towers_logit_scale(const msk_clip_towers *towers) { return towers->logit_scale; }

/* ---- the forward pass ---- */

/* Buffers: x [rows, D]; side [rows, D] what a norm or the attention gives; work [rows, 3D] q|k|v
 * or [rows, I] the MLP's hidden layer. */
struct walk {
  const struct tower *tower;
  msk_stream *stream;
  const msk_observer *observer;
  size_t batch, tokens, rows;
  float *x, *side, *work;
};

/* NULL while measuring */
static float *at(float *base, size_t offset) { return base == NULL ? NULL : base + offset; }

static void observe(const struct walk *walk, const char *stage, long layer, const float *data,
                    size_t tokens) {
  char name[64];
  if (walk->observer == NULL || walk->stream->measuring) return;
  if (layer < 0) {
    snprintf(name, sizeof name, "%s/%s", walk->tower->name, stage);
  } else {
    snprintf(name, sizeof name, "%s/%s%ld", walk->tower->name, stage, layer);
  }
  walk->observer->observe(walk->observer->user, name, data, walk->batch, tokens,
                          walk->tower->config->hidden);
}

static void take_buffers(struct walk *walk, msk_arena *arena) {
  size_t hidden = walk->tower->config->hidden, intermediate = walk->tower->config->intermediate;
  walk->rows = walk->batch * walk->tokens;
  walk->x = msk_arena_take(arena, walk->rows * hidden, sizeof(float));
  walk->side = msk_arena_take(arena, walk->rows * hidden, sizeof(float));
  walk->work = msk_arena_take(
      arena, walk->rows * (3 * hidden > intermediate ? 3 * hidden : intermediate), sizeof(float));
}

static void apply_norm(const struct walk *walk, const struct norm *norm, const float *x,
                       size_t rows, float *y) {
  msk_op_layer_norm(walk->stream, x, norm->scale, norm->bias, walk->tower->config->epsilon, rows,
                    walk->tower->config->hidden, y);
}

static void apply_linear(const struct walk *walk, const msk_linear *linear, const float *x,
                         size_t rows, float *y, const float *residual, msk_activation activation) {
  msk_op_linear(walk->stream, &(msk_linear_args){.linear = linear,
                                                 .x = x,
                                                 .y = y,
                                                 .residual = residual,
                                                 .rows = rows,
                                                 .activation = activation});
}

static void run_layer(const struct walk *walk, const struct layer *layer) {
  const msk_clip_tower *config = walk->tower->config;
  size_t hidden = config->hidden, head_dim = hidden / config->heads;
  apply_norm(walk, &layer->attention_norm, walk->x, walk->rows, walk->side);
  apply_linear(walk, layer->qkv, walk->side, walk->rows, walk->work, NULL, MSK_ACT_NONE);
  msk_op_attention(walk->stream, &(msk_attention_args){.q = walk->work,
                                                       .k = at(walk->work, hidden),
                                                       .v = at(walk->work, 2 * hidden),
                                                       .stride = 3 * hidden,
                                                       .out = walk->side,
                                                       .out_stride = hidden,
                                                       .batch = walk->batch,
                                                       .tokens = walk->tokens,
                                                       .heads = config->heads,
                                                       .head_dim = head_dim,
                                                       .scale = 1.0f / sqrtf((float)head_dim),
                                                       .causal = walk->tower->causal});
  apply_linear(walk, layer->out, walk->side, walk->rows, walk->x, walk->x, MSK_ACT_NONE);
  apply_norm(walk, &layer->mlp_norm, walk->x, walk->rows, walk->side);
  apply_linear(walk, layer->up, walk->side, walk->rows, walk->work, NULL, config->activation);
  apply_linear(walk, layer->down, walk->work, walk->rows, walk->x, walk->x, MSK_ACT_NONE);
}

static void run_layers(const struct walk *walk) {
  for (size_t i = 0; i < walk->tower->config->layers; i++) {
    run_layer(walk, &walk->tower->layers[i]);
    observe(walk, "layer", (long)i, walk->x, walk->tokens);
  }
}

/* One row of each item, which lie in walk->side by now, to vectors. */
static void project(const struct walk *walk, float *vectors) {
  apply_norm(walk, &walk->tower->last_norm, walk->side, walk->batch, walk->side);
  observe(walk, "pooled", -1, walk->side, 1);
  apply_linear(walk, walk->tower->projection, walk->side, walk->batch, vectors, NULL, MSK_ACT_NONE);
}

void msk_clip_embed_pixels(const msk_clip_towers *towers, msk_stream *stream, msk_arena *arena,
                           const float *pixels, size_t batch, float *vectors,
                           const msk_observer *observer) {
  const msk_clip_config *config = &towers->config;
  size_t size = config->image_size, hidden = config->vision.hidden, tokens = vision_tokens(config),
         patches = tokens - 1;
  size_t columns = 3 * config->patch * config->patch, mark = msk_arena_mark(arena);
  struct walk walk = {.tower = &towers->vision,
                      .stream = stream,
                      .observer = observer,
                      .batch = batch,
                      .tokens = tokens};
  take_buffers(&walk, arena);
  float *deep = msk_arena_take(arena, batch * patches * columns, sizeof(float));
  msk_op_space_to_depth(stream, pixels, batch, size, size, 3, config->patch, deep);
  for (size_t b = 0; b < batch; b++) {
    float *x = at(walk.x, b * tokens * hidden);
    apply_linear(&walk, towers->patches, at(deep, b * patches * columns), patches, at(x, hidden),
                 NULL, MSK_ACT_NONE);
    if (b == 0) observe(&walk, "patches", -1, at(x, hidden), patches);
    msk_op_copy(stream, towers->class_embedding, hidden, x);
    msk_op_add(stream, towers->vision.positions, tokens * hidden, x);
  }
  observe(&walk, "embeddings", -1, walk.x, tokens);
  apply_norm(&walk, &towers->first_norm, walk.x, walk.rows, walk.x);
  observe(&walk, "pre_layrnorm", -1, walk.x, tokens);
  run_layers(&walk);
  for (size_t b = 0; b < batch; b++)
    msk_op_copy(stream, at(walk.x, b * tokens * hidden), hidden, at(walk.side, b * hidden));
  project(&walk, vectors);
  msk_arena_release(arena, mark);
}

/* Where a text ends: at the first end token, or, in OpenAI's files, which name a wrong one, at
 * the first largest id. */
static size_t end_position(const msk_clip_config *config, const int32_t *ids, size_t tokens) {
  size_t best = 0;
  for (size_t i = 0; i < tokens; i++) {
    if (config->end_token != 2 && ids[i] == config->end_token) return i;
    if (ids[i] > ids[best]) best = i;
  }
  return best;
}

void msk_clip_embed_ids(const msk_clip_towers *towers, msk_stream *stream, msk_arena *arena,
                        const int32_t *ids, size_t batch, size_t tokens, float *vectors,
                        const msk_observer *observer) {
  const msk_clip_config *config = &towers->config;
  size_t hidden = config->text.hidden, mark = msk_arena_mark(arena);
  struct walk walk = {.tower = &towers->text,
                      .stream = stream,
                      .observer = observer,
                      .batch = batch,
                      .tokens = tokens};
  take_buffers(&walk, arena);
  msk_op_embed(stream, ids, towers->words, towers->text.positions, config->vocabulary, batch,
               tokens, hidden, walk.x);
  observe(&walk, "embeddings", -1, walk.x, tokens);
  run_layers(&walk);
  for (size_t b = 0; b < batch; b++) {
    size_t end = stream->measuring ? 0 : end_position(config, ids + b * tokens, tokens);
    msk_op_copy(stream, at(walk.x, (b * tokens + end) * hidden), hidden, at(walk.side, b * hidden));
  }
  project(&walk, vectors);
  msk_arena_release(arena, mark);
}
