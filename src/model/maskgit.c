/* SPDX-License-Identifier: Apache-2.0
 *
 * maskgit.c - see maskgit.h. Reference: the authors' maskgit_transformer.py (a BERT without
 * segments). What is easy to get wrong, and matters: layer norms stand after the residual sums,
 * their epsilon is 1e-12, GELU is its tanh form, the mask id -1 is the vocabulary's last row,
 * and the head multiplies by the word embedding itself. */
#include "model/maskgit.h"

#include <math.h>
#include <stdio.h>

#include "model/maskgit_parts.h"

const msk_maskgit_config *msk_maskgit_get_config(const msk_maskgit *maskgit) {
  return &maskgit->config;
}

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
  msk_rows x;      /* [B N, D]; of a pass over rows, [rows, D], and so on */
  msk_rows qkv;    /* [B N, 3 D]: queries, keys and values side by side */
  msk_rows mixed;  /* [B N, D]: values, weighed */
  msk_rows hidden; /* [B N, I] */
  float *score;    /* [B, H, N] */
};

size_t msk_maskgit_pass_rows(const msk_maskgit *maskgit, const msk_maskgit_pass *pass) {
  size_t rows = 0;
  if (pass->parts == NULL) return pass->batch * maskgit->config.positions;
  for (size_t b = 0; b < pass->batch; b++) rows += pass->parts[b].count;
  return rows;
}

static struct walk start_walk(const msk_maskgit *maskgit, msk_stream *stream, msk_arena *arena,
                              const msk_maskgit_pass *pass) {
  size_t rows = msk_maskgit_pass_rows(maskgit, pass), d = maskgit->config.hidden,
         stride = maskgit->config.intermediate + HIDDEN_PAD;
  msk_rows x = msk_take_rows(arena, rows, d),
           work = msk_take_rows(arena, rows, stride > 4 * d ? stride : 4 * d);
  return (struct walk){.maskgit = maskgit,
                       .stream = stream,
                       .pass = pass,
                       .shape = {.batch = pass->batch,
                                 .heads = maskgit->config.heads,
                                 .scale = 1.0f / sqrtf((float)(d / maskgit->config.heads)),
                                 .precision = msk_device_precision(stream->device)},
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
  /* rows are compared while they lie in the cache, so that maps need not be written at all */
  if (pass->score != NULL || pass->score_layers != NULL) {
    reads.target = pass->target + first;
    reads.log_target = pass->log_target + first;
    reads.score = w->score;
  }
  return reads;
}

/* The mean over all layers read, added up as they come: slot 0 begins it. Of the rows from `first`
 * on, in `sequences` sequences of n. */
static void add_scores(const struct walk *w, long slot, size_t first, size_t sequences, size_t n) {
  const msk_maskgit_pass *pass = w->pass;
  size_t heads = w->shape.heads;
  if (pass->score != NULL)
    msk_op_head_sum(w->stream, w->score, heads, 1.0f / (float)(heads * pass->layer_count), slot > 0,
                    msk_rows_at(pass->score + first, sequences, n));
  if (pass->score_layers != NULL)
    msk_op_head_sum(w->stream, w->score, heads, 1.0f / (float)heads, false,
                    msk_rows_at(pass->score_layers + (size_t)slot * w->x.rows, sequences, n));
}

/* What attention makes of queries, keys and values side by side, in a pass over all rows. */
static void mix(const struct walk *w, long slot, msk_rows qkv, msk_rows mixed) {
  const size_t d = w->x.columns;
  const msk_read_out reads = read_out(w, slot);
  msk_op_attention(w->stream, &w->shape, msk_rows_columns(qkv, 0, d), msk_rows_columns(qkv, d, d),
                   mixed.at == NULL ? MSK_NO_ROWS : msk_rows_columns(qkv, 2 * d, d), &reads, mixed);
  if (reads.score != NULL) add_scores(w, slot, 0, w->pass->batch, w->maskgit->config.positions);
}

/* The same for the part whose rows begin at `first`, by way of its cache. */
static void mix_part(const struct walk *w, size_t index, long slot, const msk_maskgit_part *part,
                     size_t first, msk_rows qkv, msk_rows mixed) {
  const size_t d = w->x.columns, n = w->maskgit->config.positions;
  const msk_rows own = msk_rows_part(qkv, first, part->count);
  msk_rows all = msk_rows_columns(own, d, qkv.columns - d);
  msk_attention_shape shape = w->shape;
  msk_read_out reads = read_out(w, slot);
  shape.batch = 1;
  reads.places = part->places;
  if (part->cache != NULL) {
    const msk_rows kept = msk_rows_columns(msk_rows_at(part->cache + index * n * 2 * d, n, 2 * d),
                                           0, qkv.columns - d);
    msk_op_scatter(w->stream, part->places, all, kept);
    all = kept;
  }
  msk_op_attention(w->stream, &shape, msk_rows_columns(own, 0, d), msk_rows_columns(all, 0, d),
                   mixed.at == NULL ? MSK_NO_ROWS : msk_rows_columns(all, d, d), &reads,
                   mixed.at == NULL ? MSK_NO_ROWS : msk_rows_part(mixed, first, part->count));
  if (reads.score != NULL) add_scores(w, slot, first, 1, part->count);
}

/* Queries, keys and values of x, and what attention makes of them. slot: as in read_out().
 * keys_only: neither values nor output, this is the last thing that is needed. */
static void attend(const struct walk *w, size_t index, long slot, bool keys_only) {
  const msk_maskgit_pass *pass = w->pass;
  const size_t d = w->x.columns;
  const msk_rows qkv = keys_only ? msk_rows_at(w->qkv.at, w->qkv.rows, 2 * d) : w->qkv,
                 mixed = keys_only ? MSK_NO_ROWS : w->mixed;
  msk_op_linear(w->stream, keys_only ? "q k" : "q k v", w->maskgit->layers[index].qkv, w->x,
                MSK_ACT_NONE, MSK_NO_ROWS, qkv);
  if (pass->parts == NULL) mix(w, slot, qkv, mixed);
  for (size_t b = 0, first = 0; pass->parts != NULL && b < pass->batch; b++) {
    mix_part(w, index, slot, &pass->parts[b], first, qkv, mixed);
    first += pass->parts[b].count;
  }
}

static void run_layer(const struct walk *w, size_t index, long slot) {
  const struct layer *layer = &w->maskgit->layers[index];
  const msk_rows x = w->x, mixed = w->mixed, hidden = w->hidden, none = MSK_NO_ROWS;
  msk_stream *s = w->stream;
  attend(w, index, slot, false);
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
  msk_op_embed(stream, pass->tokens, pass->parts == NULL ? NULL : pass->parts[0].places,
               maskgit->words, maskgit->positions, walk.x);
  msk_op_layer_norm(stream, walk.x, &maskgit->embedding_norm, walk.x);
  observe(&walk, -1, "");
  /* Without logits (and without an observer, who wants every layer) the pass ends at the keys of
   * the last layer that is read out. */
  bool whole = pass->logits != NULL || pass->observer != NULL;
  size_t next = 0;
  for (size_t i = 0; i < config->layers && (whole || next < pass->layer_count); i++) {
    long slot = next < pass->layer_count && (size_t)pass->layers[next] == i ? (long)next++ : -1;
    if (slot >= 0 && !whole && next == pass->layer_count) {
      attend(&walk, i, slot, true);
    } else {
      run_layer(&walk, i, slot);
    }
  }
  if (pass->logits != NULL) run_head(&walk);
  msk_arena_release(arena, mark);
}
