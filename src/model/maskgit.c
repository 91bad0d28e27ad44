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

enum { MAX_LAYERS = 256 };
#define LAYER_NORM_EPSILON 1e-12f

struct layer {
  msk_linear *qkv, *out, *up, *down;
  msk_norm attention_norm, output_norm;
};

struct msk_maskgit {
  msk_maskgit_config config;
  const msk_device *device;
  float *kept; /* norms, embeddings */
  float *words, *positions;
  msk_norm embedding_norm, head_norm;
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

static msk_norm make_norm(const float *scale, const float *bias) {
  return (msk_norm){.gamma = scale, .beta = bias, .epsilon = LAYER_NORM_EPSILON};
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
  packer->maskgit->embedding_norm = make_norm(fields.scale, fields.bias);
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
  layer->attention_norm = make_norm(fields.attention_scale, fields.attention_bias);
  layer->output_norm = make_norm(fields.output_scale, fields.output_bias);
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
  maskgit->head_norm = make_norm(fields.scale, fields.bias);
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

/* The hidden layer's rows are a cache line longer than they need: at 3072 floats they would all
 * fall on the same sets of the nearest cache. */
enum { HIDDEN_PAD = 16 };

/* One pass's way through the network. B sequences of N tokens, D numbers each; the MLP's I and
 * the attention's 3 D + D lie in the same place: neither outlives the other. */
struct walk {
  const msk_maskgit *maskgit;
  msk_stream *stream;
  const msk_maskgit_pass *pass;
  msk_attention_shape shape;
  msk_rows x;      /* [B N, D] */
  msk_rows qkv;    /* [B N, 3 D]: queries, keys and values side by side */
  msk_rows mixed;  /* [B N, D]: values, weighed */
  msk_rows hidden; /* [B N, I] */
  float *score;    /* [B, H, N] */
};

static struct walk start_walk(const msk_maskgit *maskgit, msk_stream *stream, msk_arena *arena,
                              const msk_maskgit_pass *pass) {
  size_t rows = pass->batch * maskgit->config.positions, d = maskgit->config.hidden,
         stride = maskgit->config.intermediate + HIDDEN_PAD;
  msk_rows x = msk_take_rows(arena, rows, d),
           work = msk_take_rows(arena, rows, stride > 4 * d ? stride : 4 * d);
  return (struct walk){.maskgit = maskgit,
                       .stream = stream,
                       .pass = pass,
                       .shape = {.batch = pass->batch,
                                 .heads = maskgit->config.heads,
                                 .scale = 1.0f / sqrtf((float)(d / maskgit->config.heads))},
                       .x = x,
                       .qkv = msk_rows_at(work.at, rows, 3 * d),
                       .mixed = msk_rows_at(work.at + rows * 3 * d, rows, d),
                       .hidden = {work.at, rows, maskgit->config.intermediate, stride},
                       .score = msk_arena_take(arena, rows * maskgit->config.heads, sizeof(float))};
}

/* Layer `index`, or the embedding where it is -1. */
static void observe(const struct walk *w, long index, const char *suffix) {
  const msk_observer *observer = w->pass->observer;
  if (observer == NULL || w->stream->measuring) return;
  char name[64] = "embedding";
  if (index >= 0) snprintf(name, sizeof name, "layer%ld%s", index, suffix);
  observer->observe(observer->user, name, w->x.at, w->pass->batch, w->maskgit->config.positions,
                    w->x.columns);
}

/* What is read out of the slot-th of the layers that are; slot -1: nothing. */
static msk_read_out read_out(const struct walk *w, long slot) {
  const msk_maskgit_pass *pass = w->pass;
  size_t n = w->maskgit->config.positions, each = w->shape.heads * n * n;
  msk_read_out reads = {.distance = pass->distance};
  if (slot < 0) return reads;
  size_t first = (size_t)slot * each;
  if (pass->maps != NULL) reads.maps = pass->maps + first * pass->batch;
  if (pass->log_maps != NULL) reads.log_maps = pass->log_maps + first * pass->batch;
  if (pass->score != NULL || pass->score_layers != NULL) {
    reads.target = pass->target + first;
    reads.log_target = pass->log_target + first;
    reads.score = w->score;
  }
  return reads;
}

/* Queries, keys and values of x, and what attention makes of them. slot: as in read_out().
 * keys_only: neither values nor output, this is the last thing that is needed. */
static void attend(const struct walk *w, const struct layer *layer, long slot, bool keys_only) {
  const msk_maskgit_pass *pass = w->pass;
  msk_stream *s = w->stream;
  size_t d = w->x.columns, n = w->maskgit->config.positions, heads = w->shape.heads;
  msk_rows qkv = keys_only ? msk_rows_at(w->qkv.at, w->qkv.rows, 2 * d) : w->qkv,
           q = msk_rows_columns(qkv, 0, d), k = msk_rows_columns(qkv, d, d),
           v = keys_only ? MSK_NO_ROWS : msk_rows_columns(qkv, 2 * d, d),
           mixed = keys_only ? MSK_NO_ROWS : w->mixed;
  const msk_read_out reads = read_out(w, slot);
  msk_op_linear(s, keys_only ? "q k" : "q k v", layer->qkv, w->x, MSK_ACT_NONE, MSK_NO_ROWS, qkv);
  msk_op_attention(s, &w->shape, q, k, v, &reads, mixed);
  if (reads.score == NULL) return;
  if (pass->score != NULL)
    msk_op_head_sum(s, w->score, heads, 1.0f / (float)(heads * pass->layer_count), slot > 0,
                    msk_rows_at(pass->score, pass->batch, n));
  if (pass->score_layers != NULL)
    msk_op_head_sum(s, w->score, heads, 1.0f / (float)heads, false,
                    msk_rows_at(pass->score_layers + (size_t)slot * w->x.rows, pass->batch, n));
}

static void run_layer(const struct walk *w, size_t index, long slot) {
  const struct layer *layer = &w->maskgit->layers[index];
  const msk_rows x = w->x, mixed = w->mixed, hidden = w->hidden, none = MSK_NO_ROWS;
  msk_stream *s = w->stream;
  attend(w, layer, slot, false);
  msk_op_linear(s, "attention output", layer->out, mixed, MSK_ACT_NONE, x, x);
  msk_op_layer_norm(s, x, &layer->attention_norm, x);
  observe(w, (long)index, "_attention_ln");
  msk_op_linear(s, "mlp up, gelu", layer->up, x, MSK_ACT_GELU_TANH, none, hidden);
  msk_op_linear(s, "mlp down", layer->down, hidden, MSK_ACT_NONE, x, x);
  msk_op_layer_norm(s, x, &layer->output_norm, x);
  observe(w, (long)index, "");
}

static void run_head(const struct walk *w) {
  const msk_maskgit *maskgit = w->maskgit;
  const msk_rows x = w->x, y = w->mixed, none = MSK_NO_ROWS;
  size_t columns = w->pass->columns == 0 ? maskgit->config.vocabulary : w->pass->columns;
  const msk_rows logits = msk_rows_at(w->pass->logits, x.rows, columns);
  msk_op_linear(w->stream, "head dense, gelu", maskgit->dense, x, MSK_ACT_GELU_TANH, none, y);
  msk_op_layer_norm(w->stream, y, &maskgit->head_norm, y);
  msk_op_linear(w->stream, "head", maskgit->head, y, MSK_ACT_NONE, none, logits);
}

void msk_maskgit_forward(const msk_maskgit *maskgit, msk_stream *stream, msk_arena *arena,
                         const msk_maskgit_pass *pass) {
  const msk_maskgit_config *config = &maskgit->config;
  size_t mark = msk_arena_mark(arena);
  const struct walk walk = start_walk(maskgit, stream, arena, pass);
  msk_op_embed(stream, pass->tokens,
               msk_rows_at(maskgit->words, config->vocabulary, config->hidden),
               msk_rows_at(maskgit->positions, config->positions, config->hidden), walk.x);
  msk_op_layer_norm(stream, walk.x, &maskgit->embedding_norm, walk.x);
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
