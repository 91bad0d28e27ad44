/* SPDX-License-Identifier: Apache-2.0
 *
 * maskgit.c - see maskgit.h. Reference: the authors' maskgit_transformer.py (a BERT without
 * segments). What is easy to get wrong, and matters: layer norms stand after the residual sums,
 * their epsilon is 1e-12, GELU is its tanh form, the mask id -1 is the vocabulary's last row,
 * and the head multiplies by the word embedding itself. */
#include "model/maskgit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "compute/meter.h"

enum { MAX_LAYERS = 256 };
#define LAYER_NORM_EPSILON 1e-12f

struct norm {
  float *scale, *bias;
};

struct layer {
  msk_linear *qkv, *out, *up, *down;
  struct norm attention_norm, output_norm;
};

struct msk_maskgit {
  msk_maskgit_config config;
  const msk_device *device;
  float *kept; /* norms, embeddings */
  float *words, *positions;
  struct norm embedding_norm, head_norm;
  struct layer *layers;
  msk_linear *dense, *head;
};

/* ---- the tensors ---- */

enum { HIDDEN, HEADS, HEAD_DIM, INTERMEDIATE, VOCABULARY, POSITIONS };

/* One table's fields as they come from the file; matrices live in the loader's scratch until
 * they are packed. */
typedef struct embed_fields {
  float *words, *positions, *scale, *bias;
} embed_fields;
typedef struct layer_fields {
  msk_weight_stored query, key, value, out, up, down;
  float *query_bias, *key_bias, *value_bias, *out_bias, *up_bias, *down_bias;
  float *attention_scale, *attention_bias, *output_scale, *output_bias;
} layer_fields;
typedef struct head_fields {
  msk_weight_stored dense;
  float *dense_bias, *scale, *bias, *columns_bias;
} head_fields;

static const msk_weight_row embed_rows[] = {
    {"word_embeddings.embedding",
     MSK_WEIGHT_KEPT,
     2,
     {VOCABULARY, HIDDEN},
     offsetof(embed_fields, words)},
    {"position_embeddings.embedding",
     MSK_WEIGHT_KEPT,
     2,
     {POSITIONS, HIDDEN},
     offsetof(embed_fields, positions)},
    {"embeddings_ln.scale", MSK_WEIGHT_KEPT, 1, {HIDDEN}, offsetof(embed_fields, scale)},
    {"embeddings_ln.bias", MSK_WEIGHT_KEPT, 1, {HIDDEN}, offsetof(embed_fields, bias)},
};
static const msk_weight_row layer_rows[] = {
    {"Attention_0.self_attention.query.kernel",
     MSK_WEIGHT_CODED_2,
     3,
     {HIDDEN, HEADS, HEAD_DIM},
     offsetof(layer_fields, query)},
    {"Attention_0.self_attention.query.bias",
     MSK_WEIGHT_SCRATCH,
     2,
     {HEADS, HEAD_DIM},
     offsetof(layer_fields, query_bias)},
    {"Attention_0.self_attention.key.kernel",
     MSK_WEIGHT_CODED_2,
     3,
     {HIDDEN, HEADS, HEAD_DIM},
     offsetof(layer_fields, key)},
    {"Attention_0.self_attention.key.bias",
     MSK_WEIGHT_SCRATCH,
     2,
     {HEADS, HEAD_DIM},
     offsetof(layer_fields, key_bias)},
    {"Attention_0.self_attention.value.kernel",
     MSK_WEIGHT_CODED_2,
     3,
     {HIDDEN, HEADS, HEAD_DIM},
     offsetof(layer_fields, value)},
    {"Attention_0.self_attention.value.bias",
     MSK_WEIGHT_SCRATCH,
     2,
     {HEADS, HEAD_DIM},
     offsetof(layer_fields, value_bias)},
    {"Attention_0.self_attention.out.kernel",
     MSK_WEIGHT_CODED_1,
     3,
     {HEADS, HEAD_DIM, HIDDEN},
     offsetof(layer_fields, out)},
    {"Attention_0.self_attention.out.bias",
     MSK_WEIGHT_SCRATCH,
     1,
     {HIDDEN},
     offsetof(layer_fields, out_bias)},
    {"Attention_0.attention_output_ln.scale",
     MSK_WEIGHT_KEPT,
     1,
     {HIDDEN},
     offsetof(layer_fields, attention_scale)},
    {"Attention_0.attention_output_ln.bias",
     MSK_WEIGHT_KEPT,
     1,
     {HIDDEN},
     offsetof(layer_fields, attention_bias)},
    {"Mlp_0.intermediate_output.kernel",
     MSK_WEIGHT_CODED_1,
     2,
     {HIDDEN, INTERMEDIATE},
     offsetof(layer_fields, up)},
    {"Mlp_0.intermediate_output.bias",
     MSK_WEIGHT_SCRATCH,
     1,
     {INTERMEDIATE},
     offsetof(layer_fields, up_bias)},
    {"Mlp_0.layer_output.kernel",
     MSK_WEIGHT_CODED_1,
     2,
     {INTERMEDIATE, HIDDEN},
     offsetof(layer_fields, down)},
    {"Mlp_0.layer_output.bias", MSK_WEIGHT_SCRATCH, 1, {HIDDEN}, offsetof(layer_fields, down_bias)},
    {"Mlp_0.layer_output_ln.scale",
     MSK_WEIGHT_KEPT,
     1,
     {HIDDEN},
     offsetof(layer_fields, output_scale)},
    {"Mlp_0.layer_output_ln.bias",
     MSK_WEIGHT_KEPT,
     1,
     {HIDDEN},
     offsetof(layer_fields, output_bias)},
};
static const msk_weight_row head_rows[] = {
    {"mlm_dense.kernel", MSK_WEIGHT_STORED, 2, {HIDDEN, HIDDEN}, offsetof(head_fields, dense)},
    {"mlm_dense.bias", MSK_WEIGHT_SCRATCH, 1, {HIDDEN}, offsetof(head_fields, dense_bias)},
    {"mlm_ln.scale", MSK_WEIGHT_KEPT, 1, {HIDDEN}, offsetof(head_fields, scale)},
    {"mlm_ln.bias", MSK_WEIGHT_KEPT, 1, {HIDDEN}, offsetof(head_fields, bias)},
    {"mlm_bias.bias", MSK_WEIGHT_SCRATCH, 1, {VOCABULARY}, offsetof(head_fields, columns_bias)},
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
    group->rows = embed_rows, group->row_count = sizeof embed_rows / sizeof *embed_rows;
  } else if (index <= config->layers) {
    snprintf(group->prefix, sizeof group->prefix, "TransformerLayer_%zu.", index - 1);
    group->rows = layer_rows, group->row_count = sizeof layer_rows / sizeof *layer_rows;
  } else {
    snprintf(group->prefix, sizeof group->prefix, "MlmLayer_0.");
    group->rows = head_rows, group->row_count = sizeof head_rows / sizeof *head_rows;
  }
  return true;
}

msk_status msk_maskgit_each_tensor(const msk_maskgit_config *config, msk_weight_visit *visit,
                                   void *user) {
  return msk_weights_each(maskgit_groups, config, visit, user);
}

static msk_weight_loader make_loader(const msk_weight_file *file, const char *prefix,
                                     const msk_allocator *allocator, msk_error *error) {
  return (msk_weight_loader){.file = file,
                             .prefix = prefix,
                             .hint = "is this a MaskGIT transformer?",
                             .allocator = allocator,
                             .error = error};
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
  if (query->shape[1] * query->shape[2] != words->shape[1]) {
    return msk_fail(loader->error, MSK_ERROR_FILE,
                    "%s: tensor %s has %zu heads of %zu, expected them to make the hidden size %zu",
                    msk_weight_file_path(loader->file), query->name, query->shape[1],
                    query->shape[2], words->shape[1]);
  }
  return MSK_OK;
}

static msk_status read_config(const msk_weight_loader *loader, msk_maskgit_config *config) {
  msk_maskgit_config found;
  msk_status status = detect_config(loader, &found);
  if (status == MSK_OK) status = msk_weights_check(loader, maskgit_groups, &found);
  if (status == MSK_OK) *config = found;
  return status;
}

msk_status msk_maskgit_read_config(msk_maskgit_config *config, const msk_weight_file *file,
                                   const char *prefix, msk_error *error) {
  msk_weight_loader loader = make_loader(file, prefix, NULL, error);
  return read_config(&loader, config);
}

/* ---- loading ---- */

struct packer {
  msk_maskgit *maskgit;
  msk_weight_loader *loader;
  msk_pool *pool;
};

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
  return msk_linear_create(linear, packer->maskgit->device, precision, in, &part, 1, packer->pool,
                           packer->loader->error);
}

static msk_status load_embedding(const struct packer *packer) {
  msk_weight_group group;
  embed_fields fields;
  maskgit_groups(&packer->maskgit->config, 0, &group);
  msk_status status = msk_weights_load(packer->loader, &group, &fields);
  if (status != MSK_OK) return status;
  packer->maskgit->words = fields.words;
  packer->maskgit->positions = fields.positions;
  packer->maskgit->embedding_norm = (struct norm){fields.scale, fields.bias};
  return MSK_OK;
}

static msk_status load_layer(const struct packer *packer, size_t index) {
  const msk_maskgit_config *config = &packer->maskgit->config;
  struct layer *layer = &packer->maskgit->layers[index];
  msk_weight_group group;
  layer_fields fields;
  maskgit_groups(config, index + 1, &group);
  msk_status status = msk_weights_load(packer->loader, &group, &fields);
  if (status != MSK_OK) return status;
  layer->attention_norm = (struct norm){fields.attention_scale, fields.attention_bias};
  layer->output_norm = (struct norm){fields.output_scale, fields.output_bias};
  /* q, k, v side by side: one product, and the first two thirds of its columns where only q and
   * k are wanted. */
  const msk_linear_part parts[] = {make_part(&fields.query, fields.query_bias, config->hidden),
                                   make_part(&fields.key, fields.key_bias, config->hidden),
                                   make_part(&fields.value, fields.value_bias, config->hidden)};
  size_t hidden = config->hidden, wide = config->intermediate;
  msk_precision precision = msk_device_precision(packer->maskgit->device);
  status = msk_linear_create(&layer->qkv, packer->maskgit->device, precision, hidden, parts, 3,
                             packer->pool, packer->loader->error);
  if (status == MSK_OK)
    status =
        pack_linear(packer, &layer->out, precision, hidden, hidden, &fields.out, fields.out_bias);
  if (status == MSK_OK)
    status = pack_linear(packer, &layer->up, precision, hidden, wide, &fields.up, fields.up_bias);
  if (status == MSK_OK)
    status =
        pack_linear(packer, &layer->down, precision, wide, hidden, &fields.down, fields.down_bias);
  msk_weights_done(packer->loader, &group);
  return status;
}

/* In float32 whatever the precision: under one percent of the work, and the logits are what is
 * sampled from. */
static msk_status load_head(const struct packer *packer) {
  msk_maskgit *maskgit = packer->maskgit;
  const msk_maskgit_config *config = &maskgit->config;
  msk_weight_group group;
  head_fields fields;
  maskgit_groups(config, config->layers + 1, &group);
  msk_status status = msk_weights_load(packer->loader, &group, &fields);
  if (status != MSK_OK) return status;
  maskgit->head_norm = (struct norm){fields.scale, fields.bias};
  status = pack_linear(packer, &maskgit->dense, MSK_PRECISION_FP32, config->hidden, config->hidden,
                       &fields.dense, fields.dense_bias);
  msk_weights_done(packer->loader, &group);
  if (status != MSK_OK) return status;
  const msk_linear_part part = {.weight = maskgit->words,
                                .bias = fields.columns_bias,
                                .out = config->vocabulary,
                                .transposed = true};
  return msk_linear_create(&maskgit->head, maskgit->device, MSK_PRECISION_FP32, config->hidden,
                           &part, 1, packer->pool, packer->loader->error);
}

static msk_status load_all(const struct packer *packer) {
  msk_status status = load_embedding(packer);
  for (size_t i = 0; status == MSK_OK && i < packer->maskgit->config.layers; i++)
    status = load_layer(packer, i);
  return status == MSK_OK ? load_head(packer) : status;
}

msk_status msk_maskgit_load(msk_maskgit **maskgit, const msk_device *device,
                            const msk_weight_file *file, const char *prefix, msk_pool *pool,
                            msk_error *error) {
  const msk_allocator *allocator = msk_device_allocator(device);
  msk_weight_loader loader = make_loader(file, prefix, allocator, error);
  loader.pool = pool;
  loader.codes = msk_device_takes_codes(device);
  msk_maskgit_config config;
  msk_status status = read_config(&loader, &config);
  if (status != MSK_OK) return status;
  msk_maskgit *made = msk_allocate_zeroed(allocator, 1, sizeof *made);
  if (made == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "not enough memory for the transformer");
  made->config = config;
  made->device = device;
  made->layers = msk_allocate_zeroed(allocator, config.layers, sizeof *made->layers);
  status = made->layers == NULL
               ? msk_fail(error, MSK_ERROR_MEMORY, "not enough memory for the transformer")
               : msk_weights_reserve(&loader, maskgit_groups, &config);
  made->kept = loader.kept;
  if (status == MSK_OK) status = load_all(&(struct packer){made, &loader, pool});
  msk_free(allocator, loader.scratch);
  if (status == MSK_OK) {
    *maskgit = made;
  } else {
    msk_maskgit_destroy(made);
  }
  return status;
}

void msk_maskgit_destroy(msk_maskgit *maskgit) {
  if (maskgit == NULL) return;
  const msk_allocator *allocator = msk_device_allocator(maskgit->device);
  for (size_t i = 0; maskgit->layers != NULL && i < maskgit->config.layers; i++) {
    msk_linear_destroy(maskgit->layers[i].qkv);
    msk_linear_destroy(maskgit->layers[i].out);
    msk_linear_destroy(maskgit->layers[i].up);
    msk_linear_destroy(maskgit->layers[i].down);
  }
  msk_linear_destroy(maskgit->dense);
  msk_linear_destroy(maskgit->head);
  msk_free(allocator, maskgit->layers);
  msk_free(allocator, maskgit->kept);
  msk_free(allocator, maskgit);
}

const msk_maskgit_config *msk_maskgit_get_config(const msk_maskgit *maskgit) {
  return &maskgit->config;
}

size_t msk_maskgit_bytes(const msk_maskgit *maskgit) {
  size_t bytes = msk_linear_bytes(maskgit->dense) + msk_linear_bytes(maskgit->head);
  for (size_t i = 0; i < maskgit->config.layers; i++) {
    const struct layer *layer = &maskgit->layers[i];
    bytes += msk_linear_bytes(layer->qkv) + msk_linear_bytes(layer->out) +
             msk_linear_bytes(layer->up) + msk_linear_bytes(layer->down);
  }
  return bytes + (maskgit->config.vocabulary + maskgit->config.positions) * maskgit->config.hidden *
                     sizeof(float);
}

msk_status msk_maskgit_plan(const msk_device *device, const msk_weight_file *file,
                            const char *prefix, size_t *kept, size_t *meanwhile, msk_error *error) {
  msk_weight_loader loader = make_loader(file, prefix, NULL, error);
  msk_maskgit_config config;
  loader.codes = msk_device_takes_codes(device);
  msk_status status = read_config(&loader, &config);
  if (status != MSK_OK) return status;
  msk_precision precision = msk_device_precision(device);
  size_t d = config.hidden, wide = config.intermediate;
  msk_weights_sizes sizes = msk_weights_measure(&loader, maskgit_groups, &config);
  bool words_halved =
      msk_weight_find(&loader, "Embed_0.word_embeddings.embedding", -1, "")->dtype == MSK_DTYPE_F16;
  msk_weight_group group;
  *kept =
      sizes.kept + msk_linear_plan(device, MSK_PRECISION_FP32, d, config.vocabulary, words_halved);
  *meanwhile = sizes.scratch + sizes.mapped;
  for (size_t i = 1; maskgit_groups(&config, i, &group); i++) {
    bool halves = msk_weights_halved(&loader, &group), head = i == config.layers + 1;
    *kept += head ? msk_linear_plan(device, MSK_PRECISION_FP32, d, d, halves)
                  : msk_linear_plan(device, precision, d, 3 * d, halves) +
                        msk_linear_plan(device, precision, d, d, halves) +
                        msk_linear_plan(device, precision, d, wide, halves) +
                        msk_linear_plan(device, precision, wide, d, halves);
  }
  return MSK_OK;
}

int msk_maskgit_code_outputs(const msk_maskgit_config *config, const char *name) {
  return msk_weights_outputs(maskgit_groups, config, name);
}

/* ---- the forward pass ---- */

/* One pass's way through the network. Buffers: x [rows, D]; work holds [rows, 3D] q|k|v and
 * behind it [rows, D] the attention's output, or [rows, I] the MLP's hidden layer; score [batch,
 * heads, N]. */
struct walk {
  const msk_maskgit *maskgit;
  msk_stream *stream;
  const msk_maskgit_pass *pass;
  size_t rows, hidden, tokens, heads;
  float *x, *work, *score;
};

/* Layer `index`, or the embedding where it is -1. */
static void observe(const struct walk *walk, long index, const char *suffix) {
  const msk_observer *observer = walk->pass->observer;
  if (observer == NULL || walk->stream->measuring) return;
  char name[64] = "embedding";
  if (index >= 0) snprintf(name, sizeof name, "layer%ld%s", index, suffix);
  observer->observe(observer->user, name, walk->x, walk->pass->batch, walk->tokens, walk->hidden);
}

static void note_linear(const struct walk *walk, const char *name, const msk_linear *linear,
                        size_t columns) {
  msk_meter_note(walk->stream, name,
                 2.0 * (double)walk->rows * (double)msk_linear_in(linear) * (double)columns);
}

static void apply_linear(const struct walk *walk, const char *name, const msk_linear *linear,
                         const float *x, float *y, const float *residual,
                         msk_activation activation) {
  msk_op_linear(walk->stream, &(msk_linear_args){.linear = linear,
                                                 .x = x,
                                                 .y = y,
                                                 .residual = residual,
                                                 .rows = walk->rows,
                                                 .activation = activation});
  note_linear(walk, name, linear, msk_linear_out(linear));
}

/* The hidden layer's rows are a cache line longer than they need: at 3072 floats they would all
 * fall on the same sets of the nearest cache. */
enum { HIDDEN_PAD = 16 };

static void apply_mlp(const struct walk *walk, const struct layer *layer) {
  size_t stride = walk->maskgit->config.intermediate + HIDDEN_PAD;
  msk_op_linear(walk->stream, &(msk_linear_args){.linear = layer->up,
                                                 .x = walk->x,
                                                 .y = walk->work,
                                                 .rows = walk->rows,
                                                 .y_stride = stride,
                                                 .activation = MSK_ACT_GELU_TANH});
  note_linear(walk, "mlp up, gelu", layer->up, msk_linear_out(layer->up));
  msk_op_linear(walk->stream, &(msk_linear_args){.linear = layer->down,
                                                 .x = walk->work,
                                                 .y = walk->x,
                                                 .residual = walk->x,
                                                 .rows = walk->rows,
                                                 .x_stride = stride});
  note_linear(walk, "mlp down", layer->down, walk->hidden);
}

static void apply_norm(const struct walk *walk, const struct norm *norm, size_t rows, float *x) {
  msk_op_layer_norm(walk->stream, x, norm->scale, norm->bias, LAYER_NORM_EPSILON, rows,
                    walk->hidden, x);
  msk_meter_note(walk->stream, "layer norm", 0);
}

/* Q K' of every pair of tokens, and P V where there are values. */
static void note_attention(const struct walk *walk, const msk_attention_args *args) {
  double pairs = (double)walk->rows * (double)walk->tokens * (double)walk->hidden;
  const char *name = args->maps != NULL    ? "attention, maps kept"
                     : args->score != NULL ? "attention, scored"
                                           : "attention";
  msk_meter_note(walk->stream, name, (args->v != NULL || args->out != NULL ? 4.0 : 2.0) * pairs);
}

/* NULL stays NULL while measuring, when buffers are not there yet. */
static float *at(float *base, size_t offset) { return base == NULL ? NULL : base + offset; }
static const float *at_const(const float *base, size_t offset) {
  return base == NULL ? NULL : base + offset;
}

/* slot: place among the layers that are read out, or -1. keys_only: neither values nor output,
 * this is the last thing that is needed. */
static void attend(const struct walk *walk, const struct layer *layer, long slot, bool keys_only) {
  const msk_maskgit_pass *pass = walk->pass;
  size_t hidden = walk->hidden, columns = keys_only ? 2 * hidden : 3 * hidden,
         maps = walk->heads * walk->tokens * walk->tokens;
  msk_op_linear(walk->stream, &(msk_linear_args){.linear = layer->qkv,
                                                 .x = walk->x,
                                                 .y = walk->work,
                                                 .rows = walk->rows,
                                                 .y_stride = columns,
                                                 .columns = columns});
  note_linear(walk, keys_only ? "q k" : "q k v", layer->qkv, columns);
  msk_attention_args args = {.q = walk->work,
                             .k = at(walk->work, hidden),
                             .stride = columns,
                             .batch = pass->batch,
                             .tokens = walk->tokens,
                             .heads = walk->heads,
                             .head_dim = hidden / walk->heads,
                             .scale = 1.0f / sqrtf((float)(hidden / walk->heads)),
                             .out_stride = hidden,
                             .distance = pass->distance};
  if (!keys_only) {
    args.v = at(walk->work, 2 * hidden);
    args.out = at(walk->work, 3 * hidden * walk->rows);
  }
  if (slot >= 0) {
    size_t index = (size_t)slot;
    args.maps = at(pass->maps, index * pass->batch * maps);
    args.log_maps = at(pass->log_maps, index * pass->batch * maps);
    if (pass->score != NULL || pass->score_layers != NULL) {
      args.target = at_const(pass->target, index * maps);
      args.log_target = at_const(pass->log_target, index * maps);
      args.score = walk->score;
    }
  }
  msk_op_attention(walk->stream, &args);
  note_attention(walk, &args);
  if (args.target == NULL) return;
  if (pass->score != NULL) {
    msk_op_head_sum(walk->stream, walk->score, pass->batch, walk->heads, walk->tokens,
                    1.0f / (float)(walk->heads * pass->layer_count), slot > 0, pass->score);
  }
  if (pass->score_layers != NULL) {
    msk_op_head_sum(walk->stream, walk->score, pass->batch, walk->heads, walk->tokens,
                    1.0f / (float)walk->heads, false,
                    at(pass->score_layers, (size_t)slot * walk->rows));
  }
}

static void run_layer(const struct walk *walk, size_t index, long slot) {
  const struct layer *layer = &walk->maskgit->layers[index];
  attend(walk, layer, slot, false);
  apply_linear(walk, "attention output", layer->out, at(walk->work, 3 * walk->hidden * walk->rows),
               walk->x, walk->x, MSK_ACT_NONE);
  apply_norm(walk, &layer->attention_norm, walk->rows, walk->x);
  observe(walk, (long)index, "_attention_ln");
  apply_mlp(walk, layer);
  apply_norm(walk, &layer->output_norm, walk->rows, walk->x);
  observe(walk, (long)index, "");
}

static void run_head(const struct walk *walk) {
  const msk_maskgit *maskgit = walk->maskgit;
  const msk_maskgit_pass *pass = walk->pass;
  apply_linear(walk, "head dense, gelu", maskgit->dense, walk->x, walk->work, NULL,
               MSK_ACT_GELU_TANH);
  apply_norm(walk, &maskgit->head_norm, walk->rows, walk->work);
  size_t columns = pass->columns == 0 ? maskgit->config.vocabulary : pass->columns;
  msk_op_linear(walk->stream, &(msk_linear_args){.linear = maskgit->head,
                                                 .x = walk->work,
                                                 .y = pass->logits,
                                                 .rows = walk->rows,
                                                 .y_stride = columns,
                                                 .columns = columns});
  note_linear(walk, "head", maskgit->head, columns);
}

void msk_maskgit_forward(const msk_maskgit *maskgit, msk_stream *stream, msk_arena *arena,
                         const msk_maskgit_pass *pass) {
  const msk_maskgit_config *config = &maskgit->config;
  size_t rows = pass->batch * config->positions, mark = msk_arena_mark(arena);
  size_t wide = config->intermediate + HIDDEN_PAD > 4 * config->hidden
                    ? config->intermediate + HIDDEN_PAD
                    : 4 * config->hidden;
  struct walk walk = {.maskgit = maskgit,
                      .stream = stream,
                      .pass = pass,
                      .rows = rows,
                      .hidden = config->hidden,
                      .tokens = config->positions,
                      .heads = config->heads};
  walk.x = msk_arena_take(arena, rows * config->hidden, sizeof(float));
  walk.work = msk_arena_take(arena, rows * wide, sizeof(float));
  walk.score = msk_arena_take(arena, rows * config->heads, sizeof(float));

  msk_op_embed(stream, pass->tokens, maskgit->words, maskgit->positions, config->vocabulary,
               pass->batch, config->positions, config->hidden, walk.x);
  msk_meter_note(stream, "embedding", 0);
  apply_norm(&walk, &maskgit->embedding_norm, rows, walk.x);
  observe(&walk, -1, "");
  /* Without logits (and without an observer, who wants every layer) the pass ends at the keys of
   * the last layer that is read out. */
  bool whole = pass->logits != NULL || pass->observer != NULL;
  size_t next = 0;
  for (size_t i = 0; i < config->layers && (whole || next < pass->layer_count); i++) {
    long slot = next < pass->layer_count && (size_t)pass->layers[next] == i ? (long)next++ : -1;
    if (slot >= 0 && !whole && next == pass->layer_count) {
      attend(&walk, &maskgit->layers[i], slot, true);
    } else {
      run_layer(&walk, i, slot);
    }
  }
  if (pass->logits != NULL) run_head(&walk);
  msk_arena_release(arena, mark);
}
