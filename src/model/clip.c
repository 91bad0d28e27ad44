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

struct layer {
  msk_linear *qkv, *out, *up, *down;
  msk_norm attention_norm, mlp_norm;
};

/* One tower: what both have. */
struct tower {
  const msk_clip_tower *config;
  const char *name; /* of its stages */
  float *positions;
  struct layer *layers;
  msk_norm last_norm; /* of the one row that is kept */
  msk_linear *projection;
  bool causal;
};

struct msk_clip_towers {
  msk_clip_config config;
  const msk_device *device;
  float *kept; /* norms, embeddings */
  float *words, *class_embedding, logit_scale;
  msk_norm first_norm; /* vision */
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

static msk_norm make_norm(const struct tower *tower, const float *scale, const float *bias) {
  return (msk_norm){.gamma = scale, .beta = bias, .epsilon = tower->config->epsilon};
}

static msk_status load_text(const struct packer *packer) {
  text_fields fields;
  msk_status status = load_group(packer, TEXT_GROUP, &fields);
  if (status != MSK_OK) return status;
  packer->towers->words = fields.words;
  packer->towers->text.positions = fields.positions;
  packer->towers->text.last_norm = make_norm(&packer->towers->text, fields.scale, fields.bias);
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
  towers->first_norm = make_norm(&towers->vision, fields.first_scale, fields.first_bias);
  towers->vision.last_norm = make_norm(&towers->vision, fields.last_scale, fields.last_bias);
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
  layer->attention_norm = make_norm(tower, fields.attention_scale, fields.attention_bias);
  layer->mlp_norm = make_norm(tower, fields.mlp_scale, fields.mlp_bias);
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

/* One pass's way through a tower. B items of N tokens, D numbers each. */
struct walk {
  const struct tower *tower;
  msk_stream *stream;
  const msk_observer *observer;
  msk_attention_shape shape;
  size_t tokens;
  msk_rows x;      /* [B N, D] */
  msk_rows side;   /* [B N, D]: what a norm or the attention gives */
  msk_rows qkv;    /* [B N, 3 D]: queries, keys and values side by side */
  msk_rows hidden; /* [B N, I]: the MLP's, where qkv was */
};

static struct walk start_walk(const struct tower *tower, msk_stream *stream, msk_arena *arena,
                              size_t batch, size_t tokens, const msk_observer *observer) {
  size_t d = tower->config->hidden, wide = tower->config->intermediate, rows = batch * tokens;
  msk_rows x = msk_take_rows(arena, rows, d), side = msk_take_rows(arena, rows, d),
           work = msk_take_rows(arena, rows, 3 * d > wide ? 3 * d : wide);
  return (struct walk){.tower = tower,
                       .stream = stream,
                       .observer = observer,
                       .shape = {.batch = batch,
                                 .heads = tower->config->heads,
                                 .scale = 1.0f / sqrtf((float)(d / tower->config->heads)),
                                 .causal = tower->causal},
                       .tokens = tokens,
                       .x = x,
                       .side = side,
                       .qkv = msk_rows_at(work.at, rows, 3 * d),
                       .hidden = msk_rows_at(work.at, rows, wide)};
}

/* What `layer` (-1: none) of the tower put out. */
static void observe(const struct walk *w, const char *stage, long layer, const float *data,
                    size_t tokens) {
  char name[64], number[24] = "";
  if (w->observer == NULL || w->stream->measuring) return;
  if (layer >= 0) snprintf(number, sizeof number, "%ld", layer);
  snprintf(name, sizeof name, "%s/%s%s", w->tower->name, stage, number);
  w->observer->observe(w->observer->user, name, data, w->shape.batch, tokens, w->x.columns);
}

static void run_layer(const struct walk *w, const struct layer *layer) {
  const msk_rows x = w->x, side = w->side, qkv = w->qkv, hidden = w->hidden, none = MSK_NO_ROWS;
  size_t d = x.columns;
  const msk_rows q = msk_rows_columns(qkv, 0, d), k = msk_rows_columns(qkv, d, d),
                 v = msk_rows_columns(qkv, 2 * d, d);
  msk_stream *s = w->stream;
  msk_op_layer_norm(s, x, &layer->attention_norm, side);
  msk_op_linear(s, "q k v", layer->qkv, side, MSK_ACT_NONE, none, qkv);
  msk_op_attention(s, &w->shape, q, k, v, NULL, side);
  msk_op_linear(s, "attention output", layer->out, side, MSK_ACT_NONE, x, x);
  msk_op_layer_norm(s, x, &layer->mlp_norm, side);
  msk_op_linear(s, "mlp up", layer->up, side, w->tower->config->activation, none, hidden);
  msk_op_linear(s, "mlp down", layer->down, hidden, MSK_ACT_NONE, x, x);
}

static void run_layers(const struct walk *w) {
  for (size_t i = 0; i < w->tower->config->layers; i++) {
    run_layer(w, &w->tower->layers[i]);
    observe(w, "layer", (long)i, w->x.at, w->tokens);
  }
}

/* Row `token` of item `item`. */
static msk_rows row_of(const struct walk *w, size_t item, size_t token) {
  return msk_rows_part(w->x, item * w->tokens + token, 1);
}

/* One row of each item, which lie in w->side by now, to vectors. */
static void project(const struct walk *w, float *vectors, size_t dimensions) {
  size_t batch = w->shape.batch;
  const msk_rows rows = msk_rows_part(w->side, 0, batch);
  msk_op_layer_norm(w->stream, rows, &w->tower->last_norm, rows);
  observe(w, "pooled", -1, rows.at, 1);
  msk_op_linear(w->stream, "projection", w->tower->projection, rows, MSK_ACT_NONE, MSK_NO_ROWS,
                msk_rows_at(vectors, batch, dimensions));
}

/* Patches, the class token before them, and positions. */
static void embed_patches(const struct walk *w, const msk_clip_towers *towers, msk_rows patches) {
  size_t tokens = w->tokens, count = tokens - 1, d = w->x.columns;
  msk_stream *s = w->stream;
  for (size_t b = 0; b < w->shape.batch; b++) {
    const msk_rows item = msk_rows_part(w->x, b * tokens, tokens),
                   behind = msk_rows_part(item, 1, count);
    msk_op_linear(s, "patches", towers->patches, msk_rows_part(patches, b * count, count),
                  MSK_ACT_NONE, MSK_NO_ROWS, behind);
    if (b == 0) observe(w, "patches", -1, behind.at, count);
    msk_op_copy(s, msk_rows_at(towers->class_embedding, 1, d), row_of(w, b, 0));
    msk_op_add(s, msk_rows_at(towers->vision.positions, tokens, d), item);
  }
}

void msk_clip_embed_pixels(const msk_clip_towers *towers, msk_stream *stream, msk_arena *arena,
                           const float *pixels, size_t batch, float *vectors,
                           const msk_observer *observer) {
  const msk_clip_config *config = &towers->config;
  size_t size = config->image_size, patch = config->patch, mark = msk_arena_mark(arena);
  const struct walk walk =
      start_walk(&towers->vision, stream, arena, batch, vision_tokens(config), observer);
  msk_rows patches = msk_take_rows(arena, batch * (vision_tokens(config) - 1), 3 * patch * patch);
  msk_op_space_to_depth(stream, msk_map_at(pixels, batch, size, size, 3),
                        msk_map_at(patches.at, batch, size / patch, size / patch, patches.columns));
  embed_patches(&walk, towers, patches);
  observe(&walk, "embeddings", -1, walk.x.at, walk.tokens);
  msk_op_layer_norm(stream, walk.x, &towers->first_norm, walk.x);
  observe(&walk, "pre_layrnorm", -1, walk.x.at, walk.tokens);
  run_layers(&walk);
  for (size_t b = 0; b < batch; b++)
    msk_op_copy(stream, row_of(&walk, b, 0), msk_rows_part(walk.side, b, 1));
  project(&walk, vectors, config->projection);
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
  size_t d = config->text.hidden, mark = msk_arena_mark(arena);
  const struct walk walk = start_walk(&towers->text, stream, arena, batch, tokens, observer);
  msk_op_embed(stream, ids, msk_rows_at(towers->words, config->vocabulary, d),
               msk_rows_at(towers->text.positions, tokens, d), walk.x);
  observe(&walk, "embeddings", -1, walk.x.at, tokens);
  run_layers(&walk);
  for (size_t b = 0; b < batch; b++) {
    size_t end = end_position(config, ids + b * tokens, tokens);
    msk_op_copy(stream, row_of(&walk, b, end), msk_rows_part(walk.side, b, 1));
  }
  project(&walk, vectors, config->projection);
  msk_arena_release(arena, mark);
}
