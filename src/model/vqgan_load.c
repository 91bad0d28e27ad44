/* SPDX-License-Identifier: Apache-2.0
 *
 * vqgan_load.c - a tokenizer's sizes as its tensors say them, and loading (vqgan.h). */
#include <stdio.h>

#include "base/error.h"
#include "model/vqgan_parts.h"

#define GROUP_NORM_EPSILON 1e-6f
enum { DEFAULT_GROUPS = 32, MAX_STEM = 8 };

/* ---- the configuration, from the tensors ---- */

static msk_weight_loader make_loader(const msk_weight_file *file, const char *prefix,
                                     msk_error *error) {
  return (msk_weight_loader){.file = file,
                             .prefix = prefix,
                             .hint = "is this a tokenizer, and the one for this picture size?",
                             .error = error};
}

static msk_status fail_odd(const msk_weight_loader *loader, const msk_tensor *tensor,
                           const char *expected) {
  char shape[MSK_WEIGHT_NAME];
  msk_shape_text(shape, sizeof shape, tensor->rank, tensor->shape);
  return msk_fail(loader->error, MSK_ERROR_FILE, "%s: tensor %s has shape %s, expected %s: %s",
                  msk_weight_file_path(loader->file), tensor->name, shape, expected, loader->hint);
}

static msk_status fail_missing(const msk_weight_loader *loader, const char *name, size_t number,
                               const char *rest) {
  char text[MSK_WEIGHT_NAME];
  snprintf(text, sizeof text, "%s%s%zu%s", loader->prefix, name, number, rest);
  return msk_weight_fail_missing(loader, text);
}

static msk_status detect_stem(const msk_weight_loader *loader, msk_vqgan_config *config) {
  const msk_tensor *first;
  msk_status status = msk_weight_need(loader, "encoder.Conv_0.kernel", -1, "", 4, &first);
  if (status != MSK_OK) return status;
  for (config->stem = 1; config->stem <= MAX_STEM; config->stem++) {
    if (first->shape[2] == 3 * config->stem * config->stem) break;
  }
  if (config->stem > MAX_STEM)
    return fail_odd(loader, first, "3 r r input channels (r x r pixels of a picture, r 1 to 8)");
  config->filters = first->shape[3];
  return MSK_OK;
}

/* Levels, from the decoder's convolutions: one before, one after each level but the last, one at
 * the end, which gives the picture's channels. */
static msk_status detect_levels(const msk_weight_loader *loader, msk_vqgan_config *config) {
  const msk_tensor *last, *second;
  size_t convs =
      msk_weight_count(loader, "decoder.Conv_", ".kernel", ".bias", MSK_VQGAN_MAX_LEVELS + 2);
  if (convs == 0) return fail_missing(loader, "decoder.Conv_", 0, ".kernel");
  msk_status status = msk_weight_need(loader, "decoder.Conv_", (int)convs - 1, ".kernel", 4, &last);
  if (status != MSK_OK) return status;
  if (convs < 2 || last->shape[3] != 3 * config->stem * config->stem) {
    return convs <= MSK_VQGAN_MAX_LEVELS
               ? fail_missing(loader, "decoder.Conv_", convs, ".kernel")
               : fail_odd(loader, last, "the picture's channels, as encoder.Conv_0 takes them in");
  }
  config->levels = convs - 1;
  if (config->levels > MSK_VQGAN_MAX_LEVELS)
    return fail_odd(loader, last, "at most 8 levels of resolution");
  status = msk_weight_need(loader, "encoder.Conv_1.kernel", -1, "", 4, &second);
  if (status != MSK_OK) return status;
  /* the authors' code halves by a 4 x 4 convolution or by a mean: this tensor alone tells which */
  config->strided = config->levels > 1 && second->shape[0] == 4;
  return MSK_OK;
}

/* Of a half. */
static msk_status count_blocks(const msk_weight_loader *loader, const char *half, size_t levels,
                               size_t *blocks) {
  size_t limit = (MSK_VQGAN_MAX_LEVELS + 1) * MSK_VQGAN_MAX_BLOCKS, parts = levels + 1;
  char prefix[32];
  snprintf(prefix, sizeof prefix, "%s.ResBlock_", half);
  size_t count = msk_weight_count(loader, prefix, ".Conv_0.kernel", ".GroupNorm_1.scale", limit);
  /* each level and the middle have the same number of blocks */
  if (count % parts != 0 || count == 0)
    return fail_missing(loader, prefix, count, ".Conv_0.kernel");
  *blocks = count / parts;
  if (*blocks <= MSK_VQGAN_MAX_BLOCKS) return MSK_OK;
  return msk_fail(loader->error, MSK_ERROR_FILE,
                  "%s: the %s has %zu residual blocks a level, expected at most %d",
                  msk_weight_file_path(loader->file), half, *blocks, MSK_VQGAN_MAX_BLOCKS);
}

static msk_status detect_blocks(const msk_weight_loader *loader, msk_vqgan_config *config) {
  msk_status found = count_blocks(loader, "encoder", config->levels, &config->blocks);
  if (found == MSK_OK)
    found = count_blocks(loader, "decoder", config->levels, &config->decoder_blocks);
  if (found != MSK_OK) return found;
  for (size_t i = 0; i < config->levels; i++) {
    const msk_tensor *kernel;
    msk_status status = msk_weight_need(loader, "encoder.ResBlock_", (int)(i * config->blocks),
                                        ".Conv_0.kernel", 4, &kernel);
    if (status != MSK_OK) return status;
    config->channels[i] = kernel->shape[3];
  }
  return MSK_OK;
}

static msk_status check_groups(const msk_weight_loader *loader, const msk_vqgan_config *config) {
  size_t channels = config->filters;
  for (size_t i = 0; i <= config->levels && channels % config->groups == 0; i++) {
    if (i < config->levels) channels = config->channels[i];
  }
  if (channels % config->groups == 0) return MSK_OK;
  return msk_fail(loader->error, MSK_ERROR_FILE,
                  "%s: %zu channels do not divide into %zu normalisation groups: give the model's "
                  "number of groups",
                  msk_weight_file_path(loader->file), channels, config->groups);
}

/* The sizes, and every tensor bound. */
static msk_status read_config(msk_weight_loader *loader, size_t groups, msk_vqgan_config *config,
                              struct plan *plan) {
  msk_vqgan_config found = {.groups = groups == 0 ? DEFAULT_GROUPS : groups};
  const msk_tensor *codebook;
  msk_status status = detect_stem(loader, &found);
  if (status == MSK_OK) status = detect_levels(loader, &found);
  if (status == MSK_OK) status = detect_blocks(loader, &found);
  if (status == MSK_OK)
    status = msk_weight_need(loader, "quantizer.codebook", -1, "", 2, &codebook);
  if (status != MSK_OK) return status;
  found.codes = codebook->shape[0];
  found.dim = codebook->shape[1];
  /* each level but the last halves, and the stem has folded pixels into channels before */
  found.patch = found.stem << (found.levels - 1);
  msk_vqgan_make_plan(plan, &found);
  status = msk_weights_bind(loader, msk_vqgan_groups, plan);
  if (status == MSK_OK) status = check_groups(loader, &found);
  if (status == MSK_OK) *config = found;
  return status;
}

msk_status msk_vqgan_read_config(msk_vqgan_config *config, const msk_weight_file *file,
                                 const char *prefix, size_t groups, msk_error *error) {
  struct plan plan;
  msk_weight_loader loader = make_loader(file, prefix, error);
  msk_status status = read_config(&loader, groups, config, &plan);
  msk_weights_end(&loader);
  return status;
}

/* ---- loading ---- */

/* In 8 bits: 3 x 3 in the decoder, where that is fastest; but neither at the codes' resolution,
 * whose errors all that follows would spread, nor in the last, which makes the pixels. */
static bool is_int8(const msk_vqgan *vqgan, size_t index, size_t kernel, size_t stride,
                    size_t upsample, size_t in) {
  const struct plan *plan = &vqgan->plan;
  return vqgan->decoding == MSK_PRECISION_INT8 && index >= plan->small_end &&
         index + 1 < plan->count &&
         msk_conv_int8_pays(vqgan->device, kernel, stride, upsample, in, plan->stages[index].out);
}

/* In 16 bits, where that is faster: in the encoder, where 8 bits would change too many tokens, if
 * the transformer's precision is int8; in the decoder in place of 8, where they are slower. */
static bool is_int16(const msk_vqgan *vqgan, size_t index, size_t kernel, size_t stride,
                     size_t in) {
  const struct plan *plan = &vqgan->plan;
  if (!msk_conv_int16_pays(vqgan->device, kernel, stride, in, plan->stages[index].out))
    return false;
  if (index < plan->encoder_end) return msk_device_precision(vqgan->device) == MSK_PRECISION_INT8;
  return vqgan->decoding == MSK_PRECISION_INT8 && index >= plan->small_end;
}

/* A convolution of a stage, from `in` channels: the stage's own, or 3 x 3 of a block. */
static msk_status create_conv(const msk_vqgan *vqgan, size_t index, msk_conv **conv,
                              const msk_weight_stored *kernel, const float *bias, size_t in,
                              const msk_weight_loader *loader) {
  const struct stage *stage = &vqgan->plan.stages[index];
  const msk_device *device = vqgan->device;
  bool block = stage->kind == STAGE_BLOCK;
  size_t side = block ? 3 : stage->kernel, stride = block ? 1 : stage->stride,
         upsample = block ? 1 : stage->upsample;
  if (is_int8(vqgan, index, side, stride, upsample, in))
    return msk_conv_create_int8(conv, device, kernel->at, kernel->dtype, bias, upsample, in,
                                stage->out, loader->pool, loader->error);
  if (is_int16(vqgan, index, side, stride, in))
    return msk_conv_create_int16(conv, device, kernel->at, kernel->dtype, bias, in, stage->out,
                                 loader->pool, loader->error);
  return msk_conv_create(conv, device, kernel->at, kernel->dtype, bias, side, stride, in,
                         stage->out, loader->pool, loader->error);
}

static msk_status pack_block(msk_vqgan *vqgan, size_t index, const struct stage_fields *fields,
                             const msk_weight_loader *loader) {
  const struct stage *stage = &vqgan->plan.stages[index];
  msk_conv **conv = vqgan->packed[index].conv;
  const msk_weight_stored *kernel = fields->kernel;
  msk_status status = create_conv(vqgan, index, &conv[0], &kernel[0], NULL, stage->in, loader);
  if (status == MSK_OK)
    status = create_conv(vqgan, index, &conv[1], &kernel[1], NULL, stage->out, loader);
  if (status == MSK_OK && stage->in != stage->out)
    status = msk_conv_create(&conv[2], vqgan->device, kernel[2].at, kernel[2].dtype, NULL, 1, 1,
                             stage->out, stage->out, loader->pool, loader->error);
  return status;
}

static msk_status load_stage(msk_vqgan *vqgan, size_t index, msk_weight_loader *loader) {
  const struct stage *stage = &vqgan->plan.stages[index];
  struct packed_stage *packed = &vqgan->packed[index];
  struct stage_fields fields = {0};
  if (stage->kind == STAGE_POOL) return MSK_OK; /* has no tensors */
  msk_status status = msk_weights_next(loader, &fields);
  if (status != MSK_OK) return status;
  for (size_t i = 0; i < 2; i++) {
    packed->norm[i] = fields.norm[i];
    packed->norm[i].epsilon = GROUP_NORM_EPSILON;
    packed->norm[i].groups = vqgan->config.groups;
  }
  if (stage->kind == STAGE_CODEBOOK)
    return msk_codebook_create(&vqgan->codebook, vqgan->device, fields.codebook, stage->in,
                               stage->out, loader->error);
  if (stage->kind == STAGE_CONV)
    return create_conv(vqgan, index, &packed->conv[0], &fields.kernel[0],
                       stage->bias ? fields.conv_bias : NULL, stage->in, loader);
  return stage->kind == STAGE_BLOCK ? pack_block(vqgan, index, &fields, loader) : MSK_OK;
}

msk_status msk_vqgan_load(msk_vqgan **vqgan, const msk_device *device, const msk_weight_file *file,
                          const char *prefix, size_t groups, msk_precision decoding, msk_pool *pool,
                          msk_error *error) {
  msk_weight_loader loader = make_loader(file, prefix, error);
  msk_vqgan *made = msk_device_make(device, 1, sizeof *made);
  if (made == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "not enough memory for the tokenizer");
  loader.device = device;
  loader.pool = pool;
  made->device = device;
  made->decoding = decoding;
  msk_status status = read_config(&loader, groups, &made->config, &made->plan);
  for (size_t i = 0; status == MSK_OK && i < made->plan.count; i++)
    status = load_stage(made, i, &loader);
  made->kept = loader.kept;
  made->kept_floats = loader.kept_floats;
  if (status == MSK_OK) status = msk_device_place(device, made->kept, made->kept_floats, error);
  msk_weights_end(&loader);
  if (status == MSK_OK) {
    *vqgan = made;
  } else {
    msk_vqgan_destroy(made);
  }
  return status;
}

void msk_vqgan_destroy(msk_vqgan *vqgan) {
  if (vqgan == NULL) return;
  const msk_device *device = vqgan->device;
  for (size_t i = 0; i < MAX_STAGES; i++) {
    for (size_t k = 0; k < 3; k++) msk_conv_destroy(vqgan->packed[i].conv[k]);
  }
  msk_codebook_destroy(vqgan->codebook);
  msk_device_displace(device, vqgan->kept, vqgan->kept_floats);
  msk_device_give(device, vqgan->kept, vqgan->kept_floats, sizeof *vqgan->kept);
  msk_device_unmake(device, vqgan, 1, sizeof *vqgan);
}
