/* SPDX-License-Identifier: Apache-2.0
 *
 * autoencoder.c - the forward halves: memory, packed weights, and the passes, which read like
 * model/vqgan.c but keep what the backward half (autoencoder_backward.c) needs. Maps are laid out
 * anew for each pass, in the order in which they are made, so that crops and whole pictures share
 * memory. */
#include "train/autoencoder.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "train/autoencoder_parts.h"

/* ---- where weights lie ---- */

static size_t find_place(const msk_params *params, const char *prefix, const char *name) {
  char whole[2 * MSK_WEIGHT_NAME];
  snprintf(whole, sizeof whole, "%s%s", prefix, name);
  for (size_t i = 0; i < params->count; i++) {
    if (strcmp(params->list[i].tensor.name, whole) == 0) return params->list[i].offset;
  }
  return NO_PLACE;
}

static struct folded find_conv(const msk_params *params, const char *prefix, const char *name,
                               msk_filters filters) {
  char kernel[64], bias[64];
  snprintf(kernel, sizeof kernel, "%skernel", name);
  snprintf(bias, sizeof bias, "%sbias", name);
  struct folded conv = {.filters = filters,
                        .weight = find_place(params, prefix, kernel),
                        .bias = find_place(params, prefix, bias)};
  if (conv.weight == NO_PLACE) conv.filters.kernel = 0;
  return conv;
}

static void bind_stage(const msk_params *params, const struct stage *stage, const char *prefix,
                       struct layer *layer) {
  const msk_filters own = {stage->kernel, stage->stride, stage->upsample, stage->in, stage->out};
  if (stage->kind == STAGE_CONV) layer->conv[0] = find_conv(params, prefix, "", own);
  if (stage->kind == STAGE_BLOCK) {
    layer->conv[0] =
        find_conv(params, prefix, "Conv_0.", (msk_filters){3, 1, 1, stage->in, stage->out});
    layer->conv[1] =
        find_conv(params, prefix, "Conv_1.", (msk_filters){3, 1, 1, stage->out, stage->out});
    layer->conv[2] =
        find_conv(params, prefix, "Conv_2.", (msk_filters){1, 1, 1, stage->out, stage->out});
  }
  for (size_t i = 0; i < 2; i++) {
    char scale[32], shift[32];
    snprintf(scale, sizeof scale, "GroupNorm_%zu.scale", i);
    snprintf(shift, sizeof shift, "GroupNorm_%zu.bias", i);
    layer->gamma[i] = find_place(params, prefix, scale);
    layer->beta[i] = find_place(params, prefix, shift);
  }
}

static void bind_all(msk_autoencoder *net) {
  for (size_t i = 0; i < net->plan.count; i++) {
    msk_weight_group group = {0};
    msk_vqgan_groups(&net->plan, i, &group);
    bind_stage(net->params, &net->plan.stages[i], group.prefix, &net->layers[i]);
  }
}

/* ---- memory ---- */

static float *take_map(msk_arena *arena, msk_map map) {
  return msk_arena_take(arena, map.batch * map.height * map.width * map.channels, sizeof(float));
}

static void take_panels(const msk_autoencoder *net, msk_arena *arena, struct folded *conv) {
  if (!has_conv(conv)) return;
  const msk_device *device = net->stream.device;
  conv->forward =
      msk_arena_take(arena, msk_filters_floats(device, &conv->filters, false), sizeof(float));
  conv->backward =
      msk_arena_take(arena, msk_filters_floats(device, &conv->filters, true), sizeof(float));
}

static msk_map take_output(msk_arena *arena, const struct folded *conv, msk_map x) {
  msk_map y = folded_output(conv, x, NULL);
  y.at = take_map(arena, y);
  return y;
}

static void note_slope(msk_autoencoder *net, msk_map map) {
  size_t floats = map.batch * map.height * map.width * map.channels;
  if (floats > net->slope_floats) net->slope_floats = floats;
}

/* What a stage keeps, and its output's map. */
static msk_map lay_stage(msk_autoencoder *net, size_t index, msk_map x, msk_arena *arena) {
  struct layer *layer = &net->layers[index];
  msk_map y = x;
  layer->x = x;
  switch (net->plan.stages[index].kind) {
    case STAGE_CONV:
      y = take_output(arena, &layer->conv[0], x);
      /* its slope by the upsampled x is larger than what it reads */
      note_slope(net, msk_map_at(NULL, x.batch, x.height * layer->conv[0].filters.upsample,
                                 x.width * layer->conv[0].filters.upsample, x.channels));
      break;
    case STAGE_BLOCK:
      layer->normal[0] = map_like(x, take_map(arena, x));
      layer->middle = take_output(arena, &layer->conv[0], x);
      layer->normal[1] = map_like(layer->middle, take_map(arena, layer->middle));
      layer->branch = take_output(arena, &layer->conv[1], layer->normal[1]);
      y = has_conv(&layer->conv[2]) ? take_output(arena, &layer->conv[2], layer->branch)
                                    : layer->branch;
      break;
    case STAGE_POOL:
      y.height = (y.height + 1) / 2, y.width = (y.width + 1) / 2;
      y.at = take_map(arena, y);
      break;
    case STAGE_NORM: y.at = take_map(arena, y); break;
    case STAGE_CODEBOOK: break;
  }
  note_slope(net, x);
  note_slope(net, y);
  return y;
}

/* A half's maps behind what is there; x: its input. Returns its output's. */
static msk_map lay_half(msk_autoencoder *net, const struct half *half, msk_map x,
                        msk_arena *arena) {
  for (size_t i = half->first; i < half->end; i++) x = lay_stage(net, i, x, arena);
  return x;
}

static msk_map pixels_map(const msk_autoencoder *net, msk_picture_shape shape, const float *at) {
  size_t stem = net->config.stem;
  return msk_map_at(at, shape.batch, shape.height / stem, shape.width / stem, 3 * stem * stem);
}

static msk_map latents_map(const msk_autoencoder *net, msk_picture_shape shape, const float *at) {
  size_t patch = net->config.patch;
  return msk_map_at(at, shape.batch, shape.height / patch, shape.width / patch, net->config.dim);
}

/* The maps of one pass of both halves. */
static void lay_maps(msk_autoencoder *net, msk_picture_shape shape, msk_arena *arena) {
  float *latents = take_map(arena, latents_map(net, shape, NULL));
  if (net->encoder.end > 0) {
    net->encoder.output =
        lay_half(net, &net->encoder, pixels_map(net, shape, net->pixels[0]), arena);
  }
  net->decoder.output = lay_half(net, &net->decoder, latents_map(net, shape, latents), arena);
}

/* What all shapes share. */
static void lay_shared(msk_autoencoder *net, size_t pixels, msk_arena *arena) {
  for (size_t i = 0; i < net->plan.count; i++) {
    bool used = i < net->encoder.end || i >= net->decoder.first;
    for (size_t k = 0; used && k < 3; k++) take_panels(net, arena, &net->layers[i].conv[k]);
  }
  for (size_t i = 0; i < 2; i++) net->pixels[i] = msk_arena_take(arena, pixels, sizeof(float));
  for (size_t i = 0; i < 3; i++)
    net->slopes[i] = msk_arena_take(arena, net->slope_floats, sizeof(float));
}

static void measure_passes(msk_autoencoder *net, msk_picture_shape shape);

/* What all shapes share, then maps that each lays out for itself: the size is in net->bytes. */
static bool measure(msk_autoencoder *net, const msk_picture_shape *shapes, size_t count) {
  msk_arena arena = {0};
  for (size_t i = 0; i < count; i++) {
    lay_maps(net, shapes[i], &arena);
    arena.used = 0; /* one pass at a time: their maps share the room of the largest */
    size_t here = shapes[i].batch * shapes[i].height * shapes[i].width * 3;
    if (here > net->pixel_floats) net->pixel_floats = here;
  }
  size_t maps = arena.peak;
  /* Behind the maps, for laying those out has found the largest, of which a slope has the size. */
  lay_shared(net, net->pixel_floats, &arena);
  net->stream.measuring = true;
  for (size_t i = 0; i < count; i++) measure_passes(net, shapes[i]);
  net->stream.measuring = false;
  return !arena.overflow && msk_add(arena.used, maps, &net->bytes) &&
         msk_add(net->bytes, net->stream.scratch_bytes, &net->bytes);
}

static bool take_memory(msk_autoencoder *net) {
  size_t scratch = net->stream.scratch_bytes, bytes = net->bytes - scratch;
  net->memory = msk_allocate_zeroed(net->params->allocator, bytes, 1);
  net->stream.scratch = msk_allocate(net->params->allocator, scratch, 1);
  net->arena = (msk_arena){.base = net->memory, .capacity = bytes};
  if (net->memory != NULL) lay_shared(net, net->pixel_floats, &net->arena);
  net->mark = msk_arena_mark(&net->arena);
  return net->memory != NULL && net->stream.scratch != NULL;
}

static void describe(msk_autoencoder *net, const msk_params *params, const msk_vqgan_config *config,
                     const msk_device *device, msk_pool *pool, bool decoder_alone) {
  net->params = params;
  net->config = *config;
  net->stream = (msk_stream){.device = device, .pool = pool};
  msk_vqgan_make_plan(&net->plan, config);
  net->encoder.end = decoder_alone ? 0 : net->plan.encoder_end;
  net->decoder = (struct half){.first = net->plan.encoder_end + 1, .end = net->plan.count};
  bind_all(net);
}

size_t msk_autoencoder_bytes(const msk_params *params, const msk_vqgan_config *config,
                             const msk_device *device, msk_pool *pool,
                             const msk_picture_shape *shapes, size_t count, bool decoder_alone) {
  msk_autoencoder *net = msk_allocate_zeroed(params->allocator, 1, sizeof *net);
  size_t bytes = 0;
  if (net == NULL) return 0;
  describe(net, params, config, device, pool, decoder_alone);
  if (measure(net, shapes, count)) bytes = net->bytes;
  msk_free(params->allocator, net);
  return bytes;
}

msk_status msk_autoencoder_create(msk_autoencoder **net, const msk_params *params,
                                  const msk_vqgan_config *config, const msk_device *device,
                                  msk_pool *pool, const msk_picture_shape *shapes, size_t count,
                                  bool decoder_alone, msk_error *error) {
  msk_autoencoder *made = msk_allocate_zeroed(params->allocator, 1, sizeof *made);
  if (made == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory for training");
  describe(made, params, config, device, pool, decoder_alone);
  if (!measure(made, shapes, count) || !take_memory(made)) {
    size_t bytes = made->bytes;
    msk_autoencoder_destroy(made);
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory for a training step, which needs %zu MB",
                    bytes >> 20);
  }
  *net = made;
  return MSK_OK;
}

void msk_autoencoder_destroy(msk_autoencoder *net) {
  if (net == NULL) return;
  const msk_allocator *allocator = net->params->allocator;
  msk_free(allocator, net->stream.scratch);
  msk_free(allocator, net->memory);
  msk_free(allocator, net);
}

/* ---- weights ---- */

void msk_autoencoder_set(msk_autoencoder *net, float *block) {
  net->block = block;
  for (size_t i = 0; i < net->plan.count; i++) {
    if (i >= net->encoder.end && i < net->decoder.first) continue;
    for (size_t k = 0; k < 3; k++) {
      const struct folded *conv = &net->layers[i].conv[k];
      if (!has_conv(conv)) continue;
      msk_op_pack_filters(&net->stream, &conv->filters, block + conv->weight, false, conv->forward);
      msk_op_pack_filters(&net->stream, &conv->filters, block + conv->weight, true, conv->backward);
    }
  }
}

/* ---- the forward passes ---- */

static void run_conv(msk_autoencoder *net, const struct folded *conv, msk_map x, msk_map residual,
                     msk_map y) {
  const float *bias = conv->bias == NO_PLACE ? NULL : net->block + conv->bias;
  msk_op_filters(&net->stream, &conv->filters, conv->forward, bias, x, residual, y);
}

static void run_norm(msk_autoencoder *net, const struct layer *layer, size_t which, msk_map x,
                     msk_map y) {
  const msk_norm norm = norm_of(net, layer, which);
  msk_op_group_norm(&net->stream, x, &norm, true, y);
}

static void run_stage(msk_autoencoder *net, size_t index, msk_map y) {
  const struct layer *layer = &net->layers[index];
  switch (net->plan.stages[index].kind) {
    case STAGE_CONV: run_conv(net, &layer->conv[0], layer->x, MSK_NO_MAP, y); break;
    case STAGE_BLOCK:
      run_norm(net, layer, 0, layer->x, layer->normal[0]);
      run_conv(net, &layer->conv[0], layer->normal[0], MSK_NO_MAP, layer->middle);
      run_norm(net, layer, 1, layer->middle, layer->normal[1]);
      if (has_conv(&layer->conv[2])) { /* the block's input is dropped */
        run_conv(net, &layer->conv[1], layer->normal[1], MSK_NO_MAP, layer->branch);
        run_conv(net, &layer->conv[2], layer->branch, layer->branch, y);
      } else {
        run_conv(net, &layer->conv[1], layer->normal[1], layer->x, y);
      }
      break;
    case STAGE_POOL: msk_op_average_pool(&net->stream, layer->x, y); break;
    case STAGE_NORM: run_norm(net, layer, 0, layer->x, y); break;
    case STAGE_CODEBOOK: break;
  }
}

static void run_half(msk_autoencoder *net, const struct half *half) {
  for (size_t i = half->first; i < half->end; i++)
    run_stage(net, i, i + 1 < half->end ? net->layers[i + 1].x : half->output);
}

static void begin_pass(msk_autoencoder *net, struct half *half, msk_picture_shape shape) {
  if (!net->stream.measuring) {
    msk_arena_release(&net->arena, net->mark);
    lay_maps(net, shape, &net->arena);
    assert(!net->arena.overflow);
  }
  half->shape = shape;
}

static msk_map pictures_map(msk_picture_shape shape, const float *at) {
  return msk_map_at(at, shape.batch, shape.height, shape.width, 3);
}

const float *msk_autoencoder_encode(msk_autoencoder *net, msk_picture_shape shape,
                                    const float *pictures) {
  begin_pass(net, &net->encoder, shape);
  msk_op_space_to_depth(&net->stream, pictures_map(shape, pictures), net->layers[0].x);
  run_half(net, &net->encoder);
  return net->encoder.output.at;
}

const float *msk_autoencoder_decode(msk_autoencoder *net, msk_picture_shape shape,
                                    const float *latents) {
  begin_pass(net, &net->decoder, shape);
  msk_rows to = msk_map_rows(net->layers[net->decoder.first].x);
  msk_op_copy(&net->stream, msk_rows_at(latents, to.rows, to.columns), to);
  run_half(net, &net->decoder);
  msk_op_depth_to_space(&net->stream, net->decoder.output, pictures_map(shape, net->pixels[1]));
  return net->pixels[1];
}

/* ---- and back ---- */

const float *msk_autoencoder_decode_backward(msk_autoencoder *net, const float *dpictures,
                                             bool further, float *gradients) {
  msk_map slope = map_like(net->decoder.output, net->slopes[0]);
  msk_op_space_to_depth(&net->stream, pictures_map(net->decoder.shape, dpictures), slope);
  return backward_half(net, &net->decoder, slope, further, gradients).at;
}

void msk_autoencoder_encode_backward(msk_autoencoder *net, const float *dlatents,
                                     float *gradients) {
  msk_map slope = map_like(net->encoder.output, net->slopes[0]);
  /* what the decoder's pass returned may lie in that place */
  if (dlatents != slope.at) {
    msk_rows to = msk_map_rows(slope);
    msk_op_copy(&net->stream, msk_rows_at(dlatents, to.rows, to.columns), to);
  }
  backward_half(net, &net->encoder, slope, false, gradients);
}

static void measure_passes(msk_autoencoder *net, msk_picture_shape shape) {
  msk_arena arena = {0};
  lay_maps(net, shape, &arena);
  net->block = (float *)(void *)MSK_NOWHERE;
  if (net->encoder.end > 0) {
    msk_autoencoder_encode(net, shape, net->pixels[0]);
    msk_autoencoder_encode_backward(net, net->slopes[1], net->block);
  }
  msk_autoencoder_decode(net, shape, net->slopes[0]);
  msk_autoencoder_decode_backward(net, net->pixels[1], true, net->block);
}

double msk_autoencoder_flop(const msk_autoencoder *net, msk_picture_shape shape, bool decoder) {
  const struct half *half = decoder ? &net->decoder : &net->encoder;
  msk_map x = decoder ? latents_map(net, shape, NULL) : pixels_map(net, shape, NULL);
  double sum = 0;
  for (size_t i = half->first; i < half->end; i++) {
    const struct layer *layer = &net->layers[i];
    /* Convolutions are nearly all of the work; a pool counts by what it leaves them to do. */
    if (net->plan.stages[i].kind == STAGE_POOL)
      x.height = (x.height + 1) / 2, x.width = (x.width + 1) / 2;
    for (size_t k = 0; k < 3; k++) {
      const msk_filters *f = &layer->conv[k].filters;
      if (!has_conv(&layer->conv[k])) continue;
      x = folded_output(&layer->conv[k], x, NULL);
      sum += 2.0 * (double)(x.batch * x.height * x.width) *
             (double)(f->kernel * f->kernel * f->in * f->out);
    }
  }
  return sum;
}
