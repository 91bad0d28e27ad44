/* SPDX-License-Identifier: Apache-2.0
 *
 * clip.c - see clip.h: the towers run. Reference: tests/golden/clip/MANIFEST.md. What is easy to
 * get wrong, and matters: layer norms stand before attention and MLP, the vision tower has one
 * more before its layers, only the text attends causally, projections have no bias. */
#include "model/clip.h"

#include <math.h>
#include <stdio.h>

#include "model/clip_parts.h"

float msk_clip_towers_logit_scale(const msk_clip_towers *towers) { return towers->logit_scale; }

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
      start_walk(&towers->vision, stream, arena, batch, msk_clip_vision_tokens(config), observer);
  msk_rows patches =
      msk_take_rows(arena, batch * (msk_clip_vision_tokens(config) - 1), 3 * patch * patch);
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
  msk_op_embed(stream, ids, NULL, msk_rows_at(towers->words, config->vocabulary, d),
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
