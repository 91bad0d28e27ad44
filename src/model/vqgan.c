/* SPDX-License-Identifier: Apache-2.0
 *
 * vqgan.c - see vqgan.h: the tokenizer runs. Reference: the authors' vqgan_tokenizer.py. What is
 * easy to get wrong, and matters: where a block changes the number of channels, its 1x1 shortcut
 * is applied to the branch's output and the block's input is dropped (this is how the published
 * weights were trained); pooling at an odd border averages the cells that exist. */
#include "model/vqgan.h"

#include <stdio.h>

#include "model/vqgan_parts.h"

const msk_vqgan_config *msk_vqgan_get_config(const msk_vqgan *vqgan) { return &vqgan->config; }

msk_precision msk_vqgan_decode_precision(const msk_vqgan *vqgan) {
  for (size_t i = vqgan->plan.encoder_end; i < vqgan->plan.count; i++) {
    for (size_t k = 0; k < 3; k++) {
      const msk_conv *conv = vqgan->packed[i].conv[k];
      if (conv != NULL && msk_conv_precision(conv) == MSK_PRECISION_INT8) return MSK_PRECISION_INT8;
    }
  }
  return MSK_PRECISION_FP32;
}

/* ---- maps on their way ---- */

/* A feature map on its way: it lies in one of three buffers, the others are free. Each holds the
 * largest map of the pass. */
struct walk {
  const msk_vqgan *vqgan;
  msk_stream *stream;
  const msk_observer *observer;
  msk_map now;
  float *spare[2];
};

static void next_size(const struct stage *stage, size_t *height, size_t *width) {
  if (stage->kind == STAGE_POOL || (stage->kind == STAGE_CONV && stage->stride == 2)) {
    *height = (*height + 1) / 2, *width = (*width + 1) / 2;
  } else if (stage->kind == STAGE_CONV) {
    *height *= stage->upsample, *width *= stage->upsample;
  }
}

/* Floats of the largest map that the stages first .. end-1 put out for one picture. */
static size_t largest_map(const msk_vqgan *vqgan, size_t first, size_t end, size_t height,
                          size_t width) {
  size_t largest = height * width * vqgan->plan.stages[first].in;
  for (size_t i = first; i < end; i++) {
    const struct stage *stage = &vqgan->plan.stages[i];
    next_size(stage, &height, &width);
    size_t wide = stage->kind == STAGE_BLOCK && stage->in > stage->out ? stage->in : stage->out;
    if (height * width * wide > largest) largest = height * width * wide;
  }
  return largest;
}

/* batch maps of height x width before stage `first`, whose place is not filled yet. */
static struct walk start_walk(const msk_vqgan *vqgan, msk_stream *stream, msk_arena *arena,
                              size_t first, size_t end, size_t batch, size_t height, size_t width,
                              const msk_observer *observer) {
  size_t floats = batch * largest_map(vqgan, first, end, height, width);
  float *now = msk_arena_take(arena, floats, sizeof(float)),
        *first_spare = msk_arena_take(arena, floats, sizeof(float)),
        *second_spare = msk_arena_take(arena, floats, sizeof(float));
  return (struct walk){.vqgan = vqgan,
                       .stream = stream,
                       .observer = observer,
                       .now = msk_map_at(now, batch, height, width, vqgan->plan.stages[first].in),
                       .spare = {first_spare, second_spare}};
}

static void observe(const struct walk *w, const struct stage *stage) {
  if (w->observer == NULL || w->stream->measuring ||
      (stage->kind != STAGE_CONV && stage->kind != STAGE_BLOCK))
    return;
  char name[64];
  snprintf(name, sizeof name, "%s/%s_%zu", stage->decoder ? "decoder" : "encoder",
           stage->kind == STAGE_CONV ? "Conv" : "ResBlock", stage->number);
  w->observer->observe(w->observer->user, name, w->now.at, w->now.height, w->now.width,
                       w->now.channels);
}

/* Norm, swish and convolution `which` of a block; the normalised map goes to `between`, unless it
 * is made on the way. Returns the map at y. */
static msk_map run_half(const struct walk *w, const struct packed_stage *packed, size_t which,
                        msk_map x, float *between, msk_map residual, float *y) {
  const msk_conv *conv = packed->conv[which];
  const msk_norm *norm = &packed->norm[which];
  const msk_map out = msk_conv_output(conv, x, 1, y);
  if (msk_conv_takes_norm(conv)) {
    msk_op_conv(w->stream, conv, x, 1, norm, residual, out);
  } else {
    const msk_map normal = msk_map_at(between, x.batch, x.height, x.width, x.channels);
    msk_op_group_norm(w->stream, x, norm, true, normal);
    msk_op_conv(w->stream, conv, normal, 1, NULL, residual, out);
  }
  return out;
}

static msk_map run_block(const struct walk *w, const struct packed_stage *packed) {
  const msk_map x = w->now, none = MSK_NO_MAP;
  float *a = w->spare[0], *b = w->spare[1];
  msk_map y = run_half(w, packed, 0, x, a, none, b);
  if (packed->conv[2] == NULL) return run_half(w, packed, 1, y, b, x, x.at);
  /* the shortcut comes from the branch; the block's input is dropped */
  const msk_map branch = run_half(w, packed, 1, y, b, none, a);
  y = msk_conv_output(packed->conv[2], branch, 1, x.at);
  msk_op_conv(w->stream, packed->conv[2], branch, 1, NULL, branch, y);
  return y;
}

/* x: what the stage reads; `output`: where its map shall lie, or NULL: in one of the buffers. */
static void run_stage(struct walk *w, size_t index, msk_map x, float *output) {
  const struct stage *stage = &w->vqgan->plan.stages[index];
  const struct packed_stage *packed = &w->vqgan->packed[index];
  msk_map y = x;
  if (stage->kind == STAGE_BLOCK) {
    y = run_block(w, packed);
  } else if (stage->kind == STAGE_NORM) {
    msk_op_group_norm(w->stream, x, &packed->norm[0], true, y);
  } else {
    /* the map that was read is free once this stage is done: it and the spare one change places */
    y.at = output != NULL ? output : w->spare[0];
    if (output == NULL) w->spare[0] = w->now.at;
    if (stage->kind == STAGE_CONV) {
      y = msk_conv_output(packed->conv[0], x, stage->upsample, y.at);
      msk_op_conv(w->stream, packed->conv[0], x, stage->upsample, NULL, MSK_NO_MAP, y);
    } else {
      next_size(stage, &y.height, &y.width);
      msk_op_average_pool(w->stream, x, y);
    }
  }
  w->now = y;
  observe(w, stage);
}

/* Runs stages first .. end-1 on x; the last, a convolution, writes to `output` if that is not
 * NULL. */
static void run_stages(struct walk *w, size_t first, size_t end, msk_map x, float *output) {
  for (size_t i = first; i < end; i++)
    run_stage(w, i, i == first ? x : w->now, i + 1 == end ? output : NULL);
}

void msk_vqgan_encode(const msk_vqgan *vqgan, msk_stream *stream, msk_arena *arena,
                      const float *pixels, size_t batch, size_t height, size_t width,
                      float *latents, const msk_observer *observer) {
  size_t stem = vqgan->config.stem, mark = msk_arena_mark(arena), end = vqgan->plan.encoder_end;
  msk_map x = msk_map_at(pixels, batch, height, width, 3);
  struct walk walk =
      start_walk(vqgan, stream, arena, 0, end, batch, height / stem, width / stem, observer);
  if (stem > 1) {
    msk_op_space_to_depth(stream, x, walk.now);
    x = walk.now;
  }
  run_stages(&walk, 0, end, x, latents);
  msk_arena_release(arena, mark);
}

void msk_vqgan_latent_size(const msk_vqgan *vqgan, size_t height, size_t width, size_t *rows,
                           size_t *columns) {
  height /= vqgan->config.stem, width /= vqgan->config.stem;
  for (size_t i = 0; i < vqgan->plan.encoder_end; i++)
    next_size(&vqgan->plan.stages[i], &height, &width);
  *rows = height;
  *columns = width;
}

void msk_vqgan_quantise(const msk_vqgan *vqgan, msk_stream *stream, const float *latents,
                        size_t rows, int32_t *codes) {
  msk_op_nearest_code(stream, vqgan->codebook, msk_rows_at(latents, rows, vqgan->config.dim),
                      codes);
}

void msk_vqgan_decode(const msk_vqgan *vqgan, msk_stream *stream, msk_arena *arena,
                      const int32_t *codes, size_t batch, size_t rows, size_t columns,
                      float *pixels, const msk_observer *observer) {
  size_t stem = vqgan->config.stem, patch = vqgan->config.patch, mark = msk_arena_mark(arena),
         first = vqgan->plan.encoder_end + 1, end = vqgan->plan.count;
  struct walk walk = start_walk(vqgan, stream, arena, first, end, batch, rows, columns, observer);
  msk_op_lookup_code(stream, vqgan->codebook, codes, msk_map_rows(walk.now));
  run_stages(&walk, first, end, walk.now, stem == 1 ? pixels : NULL);
  if (stem > 1)
    msk_op_depth_to_space(stream, walk.now,
                          msk_map_at(pixels, batch, rows * patch, columns * patch, 3));
  msk_arena_release(arena, mark);
}
