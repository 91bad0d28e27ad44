/* SPDX-License-Identifier: Apache-2.0
 *
 * vqgan.c - see vqgan.h. Reference: the authors' vqgan_tokenizer.py. A tokenizer is a list of
 * stages (convolution, residual block, pooling, normalisation) that the configuration unfolds
 * into; the same list drives the tensors' names and shapes, the loading and the one forward
 * pass. What is easy to get wrong, and matters: where a block changes the number of channels,
 * its 1x1 shortcut is applied to the branch's output and the block's input is dropped (this is
 * how the published weights were trained); pooling at an odd border averages the cells that
 * exist. */
#include "model/vqgan.h"

#include <stdio.h>

#include "base/error.h"

#define GROUP_NORM_EPSILON 1e-6f
enum { DEFAULT_GROUPS = 32, MAX_STEM = 8 };
/* Both halves: first and last convolution, levels of blocks with a change of resolution, blocks
 * in the middle, normalisation; and the codebook. */
enum {
  MAX_STAGES =
      2 * ((MSK_VQGAN_MAX_LEVELS + 1) * MSK_VQGAN_MAX_BLOCKS + MSK_VQGAN_MAX_LEVELS + 3) + 1
};

enum stage_kind { STAGE_CODEBOOK, STAGE_CONV, STAGE_BLOCK, STAGE_POOL, STAGE_NORM };

struct stage {
  enum stage_kind kind;
  bool decoder, bias;
  size_t number; /* n of Conv_n or ResBlock_n */
  size_t in, out, kernel, stride, upsample;
};

/* Stages 0 .. encoder_end-1 are the encoder, the next is the codebook, the rest the decoder. */
struct plan {
  /* small_end: behind the decoder's stages of the codes' resolution */
  size_t count, encoder_end, small_end;
  struct stage stages[MAX_STAGES];
};

struct packed_stage {
  msk_conv *conv[3]; /* of a block: first, second, shortcut */
  msk_norm norm[2];
};

struct msk_vqgan {
  msk_vqgan_config config;
  const msk_device *device;
  msk_precision decoding;
  float *kept;
  msk_codebook *codebook;
  struct plan plan;
  struct packed_stage packed[MAX_STAGES];
};

/* ---- the stages of a configuration ---- */

static struct stage *add_stage(struct plan *plan, struct stage stage) {
  plan->stages[plan->count] = stage;
  return &plan->stages[plan->count++];
}

static void add_blocks(struct plan *plan, bool decoder, size_t count, size_t *number,
                       size_t *channels, size_t out) {
  for (size_t i = 0; i < count; i++) {
    add_stage(plan, (struct stage){.kind = STAGE_BLOCK,
                                   .decoder = decoder,
                                   .number = (*number)++,
                                   .in = *channels,
                                   .out = out});
    *channels = out;
  }
}

static void add_conv(struct plan *plan, bool decoder, size_t number, bool bias, size_t kernel,
                     size_t in, size_t out) {
  add_stage(plan, (struct stage){.kind = STAGE_CONV,
                                 .decoder = decoder,
                                 .bias = bias,
                                 .number = number,
                                 .in = in,
                                 .out = out,
                                 .kernel = kernel,
                                 .stride = 1,
                                 .upsample = 1});
}

static void plan_encoder(struct plan *plan, const msk_vqgan_config *config) {
  size_t block = 0, conv = 0, channels = config->filters;
  add_conv(plan, false, conv++, false, 3, 3 * config->stem * config->stem, channels);
  for (size_t i = 0; i < config->levels; i++) {
    add_blocks(plan, false, config->blocks, &block, &channels, config->channels[i]);
    if (i + 1 == config->levels) break;
    if (config->strided) {
      add_conv(plan, false, conv++, true, 4, channels, channels);
      plan->stages[plan->count - 1].stride = 2;
    } else {
      add_stage(plan, (struct stage){.kind = STAGE_POOL, .in = channels, .out = channels});
    }
  }
  add_blocks(plan, false, config->blocks, &block, &channels, channels);
  add_stage(plan, (struct stage){.kind = STAGE_NORM, .in = channels, .out = channels});
  add_conv(plan, false, conv, true, 1, channels, config->dim);
}

static void plan_decoder(struct plan *plan, const msk_vqgan_config *config) {
  size_t block = 0, conv = 0, channels = config->channels[config->levels - 1];
  add_conv(plan, true, conv++, true, 3, config->dim, channels);
  add_blocks(plan, true, config->blocks, &block, &channels, channels);
  for (size_t i = config->levels; i-- > 0;) {
    add_blocks(plan, true, config->blocks, &block, &channels, config->channels[i]);
    if (i + 1 == config->levels) plan->small_end = plan->count;
    if (i == 0) break;
    add_conv(plan, true, conv++, true, 3, channels, channels);
    plan->stages[plan->count - 1].upsample = 2;
  }
  add_stage(plan,
            (struct stage){.kind = STAGE_NORM, .decoder = true, .in = channels, .out = channels});
  add_conv(plan, true, conv, true, 3, channels, 3 * config->stem * config->stem);
}

static void make_plan(struct plan *plan, const msk_vqgan_config *config) {
  plan->count = 0;
  plan_encoder(plan, config);
  plan->encoder_end = plan->count;
  add_stage(plan, (struct stage){.kind = STAGE_CODEBOOK, .in = config->codes, .out = config->dim});
  plan_decoder(plan, config);
}

/* ---- the tensors ---- */

enum { IN, OUT, KERNEL, THREE, ONE };

struct stage_fields {
  msk_weight_stored kernel[3];
  float *codebook, *conv_bias, *scale[2], *bias[2];
};
#define FIELD(member) offsetof(struct stage_fields, member)

static const msk_weight_row codebook_rows[] = {
    {"codebook", MSK_WEIGHT_SCRATCH, 2, {IN, OUT}, FIELD(codebook)}};
/* The bias comes last, so that a convolution without one is the same table cut short; a block
 * without a shortcut likewise. */
static const msk_weight_row conv_rows[] = {
    {"kernel", MSK_WEIGHT_STORED, 4, {KERNEL, KERNEL, IN, OUT}, FIELD(kernel[0])},
    {"bias", MSK_WEIGHT_SCRATCH, 1, {OUT}, FIELD(conv_bias)},
};
static const msk_weight_row norm_rows[] = {
    {"GroupNorm_0.scale", MSK_WEIGHT_KEPT, 1, {OUT}, FIELD(scale[0])},
    {"GroupNorm_0.bias", MSK_WEIGHT_KEPT, 1, {OUT}, FIELD(bias[0])},
};
static const msk_weight_row block_rows[] = {
    {"GroupNorm_0.scale", MSK_WEIGHT_KEPT, 1, {IN}, FIELD(scale[0])},
    {"GroupNorm_0.bias", MSK_WEIGHT_KEPT, 1, {IN}, FIELD(bias[0])},
    {"Conv_0.kernel", MSK_WEIGHT_STORED, 4, {THREE, THREE, IN, OUT}, FIELD(kernel[0])},
    {"GroupNorm_1.scale", MSK_WEIGHT_KEPT, 1, {OUT}, FIELD(scale[1])},
    {"GroupNorm_1.bias", MSK_WEIGHT_KEPT, 1, {OUT}, FIELD(bias[1])},
    {"Conv_1.kernel", MSK_WEIGHT_STORED, 4, {THREE, THREE, OUT, OUT}, FIELD(kernel[1])},
    {"Conv_2.kernel", MSK_WEIGHT_STORED, 4, {ONE, ONE, OUT, OUT}, FIELD(kernel[2])},
};

static bool vqgan_groups(const void *user, size_t index, msk_weight_group *group) {
  const struct plan *plan = user;
  if (index >= plan->count) return false;
  const struct stage *stage = &plan->stages[index];
  const char *half = stage->decoder ? "decoder" : "encoder";
  *group = (msk_weight_group){.sizes = {stage->in, stage->out, stage->kernel, 3, 1}};
  switch (stage->kind) {
    case STAGE_CODEBOOK:
      snprintf(group->prefix, sizeof group->prefix, "quantizer.");
      group->rows = codebook_rows, group->row_count = 1;
      break;
    case STAGE_CONV:
      snprintf(group->prefix, sizeof group->prefix, "%s.Conv_%zu.", half, stage->number);
      group->rows = conv_rows, group->row_count = stage->bias ? 2 : 1;
      break;
    case STAGE_BLOCK:
      snprintf(group->prefix, sizeof group->prefix, "%s.ResBlock_%zu.", half, stage->number);
      group->rows = block_rows, group->row_count = stage->in != stage->out ? 7 : 6;
      break;
    case STAGE_NORM:
      snprintf(group->prefix, sizeof group->prefix, "%s.", half);
      group->rows = norm_rows, group->row_count = 2;
      break;
    case STAGE_POOL: break;
  }
  return true;
}

msk_status msk_vqgan_each_tensor(const msk_vqgan_config *config, msk_weight_visit *visit,
                                 void *user) {
  struct plan plan;
  make_plan(&plan, config);
  return msk_weights_each(vqgan_groups, &plan, visit, user);
}

/* ---- the configuration, from the tensors ---- */

static msk_weight_loader make_loader(const msk_weight_file *file, const char *prefix,
                                     const msk_allocator *allocator, msk_error *error) {
  return (msk_weight_loader){.file = file,
                             .prefix = prefix,
                             .hint = "is this a tokenizer, and the one for this picture size?",
                             .allocator = allocator,
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
  config->strided = config->levels > 1 && second->shape[0] == 4;
  return MSK_OK;
}

static msk_status detect_blocks(const msk_weight_loader *loader, msk_vqgan_config *config) {
  size_t limit = (MSK_VQGAN_MAX_LEVELS + 1) * MSK_VQGAN_MAX_BLOCKS, parts = config->levels + 1;
  size_t count =
      msk_weight_count(loader, "encoder.ResBlock_", ".Conv_0.kernel", ".GroupNorm_1.scale", limit);
  if (count % parts != 0 || count == 0)
    return fail_missing(loader, "encoder.ResBlock_", count, ".Conv_0.kernel");
  config->blocks = count / parts;
  if (config->blocks > MSK_VQGAN_MAX_BLOCKS) {
    return msk_fail(loader->error, MSK_ERROR_FILE,
                    "%s: the encoder has %zu residual blocks a level, expected at most %d",
                    msk_weight_file_path(loader->file), config->blocks, MSK_VQGAN_MAX_BLOCKS);
  }
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

static msk_status read_config(const msk_weight_loader *loader, size_t groups,
                              msk_vqgan_config *config, struct plan *plan) {
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
  found.patch = found.stem << (found.levels - 1);
  make_plan(plan, &found);
  status = msk_weights_check(loader, vqgan_groups, plan);
  if (status == MSK_OK) status = check_groups(loader, &found);
  if (status == MSK_OK) *config = found;
  return status;
}

msk_status msk_vqgan_read_config(msk_vqgan_config *config, const msk_weight_file *file,
                                 const char *prefix, size_t groups, msk_error *error) {
  struct plan plan;
  msk_weight_loader loader = make_loader(file, prefix, NULL, error);
  return read_config(&loader, groups, config, &plan);
}

/* ---- loading ---- */

/* A convolution of a stage, from `in` channels. */
struct conv_shape {
  size_t kernel, stride, upsample, in, out;
  bool int8;
};

/* In 8 bits: 3 x 3 in the decoder, where that is faster than float32; but neither at the codes'
 * resolution, whose errors all that follows would spread, nor in the last, which makes the
 * pixels. */
static struct conv_shape shape_of(const struct plan *plan, size_t index, msk_precision decoding,
                                  const msk_device *device, size_t in) {
  const struct stage *stage = &plan->stages[index];
  struct conv_shape shape = {.kernel = 3, .stride = 1, .upsample = 1, .in = in, .out = stage->out};
  if (stage->kind == STAGE_CONV)
    shape.kernel = stage->kernel, shape.stride = stage->stride, shape.upsample = stage->upsample;
  shape.int8 =
      decoding == MSK_PRECISION_INT8 && index >= plan->small_end && index + 1 < plan->count &&
      msk_conv_int8_pays(device, shape.kernel, shape.stride, shape.upsample, in, shape.out);
  return shape;
}

static msk_status create_conv(const msk_vqgan *vqgan, size_t index, msk_conv **conv,
                              const msk_weight_stored *kernel, const float *bias, size_t in,
                              msk_pool *pool, msk_error *error) {
  struct conv_shape s = shape_of(&vqgan->plan, index, vqgan->decoding, vqgan->device, in);
  const msk_device *device = vqgan->device;
  if (s.int8)
    return msk_conv_create_int8(conv, device, kernel->at, kernel->dtype, bias, s.upsample, s.in,
                                s.out, pool, error);
  return msk_conv_create(conv, device, kernel->at, kernel->dtype, bias, s.kernel, s.stride, s.in,
                         s.out, pool, error);
}

static msk_status pack_stage(msk_vqgan *vqgan, size_t index, const struct stage_fields *fields,
                             msk_pool *pool, msk_error *error) {
  const struct stage *stage = &vqgan->plan.stages[index];
  struct packed_stage *packed = &vqgan->packed[index];
  const msk_device *device = vqgan->device;
  for (size_t i = 0; i < 2; i++) {
    packed->norm[i] =
        (msk_norm){fields->scale[i], fields->bias[i], GROUP_NORM_EPSILON, vqgan->config.groups};
  }
  if (stage->kind == STAGE_CODEBOOK)
    return msk_codebook_create(&vqgan->codebook, device, fields->codebook, stage->in, stage->out,
                               error);
  if (stage->kind == STAGE_CONV) {
    return create_conv(vqgan, index, &packed->conv[0], &fields->kernel[0],
                       stage->bias ? fields->conv_bias : NULL, stage->in, pool, error);
  }
  if (stage->kind != STAGE_BLOCK) return MSK_OK;
  msk_status status =
      create_conv(vqgan, index, &packed->conv[0], &fields->kernel[0], NULL, stage->in, pool, error);
  if (status == MSK_OK)
    status = create_conv(vqgan, index, &packed->conv[1], &fields->kernel[1], NULL, stage->out, pool,
                         error);
  if (status == MSK_OK && stage->in != stage->out) {
    const msk_weight_stored *shortcut = &fields->kernel[2];
    status = msk_conv_create(&packed->conv[2], device, shortcut->at, shortcut->dtype, NULL, 1, 1,
                             stage->out, stage->out, pool, error);
  }
  return status;
}

static msk_status load_stages(msk_vqgan *vqgan, msk_weight_loader *loader, msk_pool *pool) {
  msk_weight_group group;
  for (size_t i = 0; vqgan_groups(&vqgan->plan, i, &group); i++) {
    struct stage_fields fields = {0};
    msk_status status = msk_weights_load(loader, &group, &fields);
    if (status == MSK_OK) status = pack_stage(vqgan, i, &fields, pool, loader->error);
    msk_weights_done(loader, &group);
    if (status != MSK_OK) return status;
  }
  return MSK_OK;
}

msk_status msk_vqgan_load(msk_vqgan **vqgan, const msk_device *device, const msk_weight_file *file,
                          const char *prefix, size_t groups, msk_precision decoding, msk_pool *pool,
                          msk_error *error) {
  const msk_allocator *allocator = msk_device_allocator(device);
  msk_weight_loader loader = make_loader(file, prefix, allocator, error);
  loader.pool = pool;
  msk_vqgan *made = msk_allocate_zeroed(allocator, 1, sizeof *made);
  if (made == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "not enough memory for the tokenizer");
  made->device = device;
  made->decoding = decoding;
  msk_status status = read_config(&loader, groups, &made->config, &made->plan);
  if (status == MSK_OK) status = msk_weights_reserve(&loader, vqgan_groups, &made->plan);
  made->kept = loader.kept;
  if (status == MSK_OK) status = load_stages(made, &loader, pool);
  msk_free(allocator, loader.scratch);
  if (status == MSK_OK) {
    *vqgan = made;
  } else {
    msk_vqgan_destroy(made);
  }
  return status;
}

void msk_vqgan_destroy(msk_vqgan *vqgan) {
  if (vqgan == NULL) return;
  const msk_allocator *allocator = msk_device_allocator(vqgan->device);
  for (size_t i = 0; i < MAX_STAGES; i++) {
    for (size_t k = 0; k < 3; k++) msk_conv_destroy(vqgan->packed[i].conv[k]);
  }
  msk_codebook_destroy(vqgan->codebook);
  msk_free(allocator, vqgan->kept);
  msk_free(allocator, vqgan);
}

msk_precision msk_vqgan_decode_precision(const msk_vqgan *vqgan) {
  for (size_t i = 0; i < vqgan->plan.count; i++) {
    for (size_t k = 0; k < 3; k++) {
      const msk_conv *conv = vqgan->packed[i].conv[k];
      if (conv != NULL && msk_conv_precision(conv) == MSK_PRECISION_INT8) return MSK_PRECISION_INT8;
    }
  }
  return MSK_PRECISION_FP32;
}

const msk_vqgan_config *msk_vqgan_get_config(const msk_vqgan *vqgan) { return &vqgan->config; }

size_t msk_vqgan_bytes(const msk_vqgan *vqgan) {
  size_t bytes = sizeof *vqgan + vqgan->config.codes * vqgan->config.dim * sizeof(float);
  for (size_t i = 0; i < vqgan->plan.count; i++) {
    for (size_t k = 0; k < 3; k++)
      bytes += vqgan->packed[i].conv[k] == NULL ? 0 : msk_conv_bytes(vqgan->packed[i].conv[k]);
  }
  return bytes;
}

/* Bytes kept; *meanwhile grows to what creation takes beside them. */
static size_t plan_conv(const struct plan *plan, size_t index, msk_precision decoding,
                        const msk_device *device, size_t in, bool halves, size_t *meanwhile) {
  struct conv_shape s = shape_of(plan, index, decoding, device, in);
  size_t now = 0, bytes = s.int8 ? msk_conv_int8_plan(device, s.upsample, in, s.out, &now)
                                 : msk_conv_plan(device, s.kernel, s.stride, in, s.out, halves);
  if (now > *meanwhile) *meanwhile = now;
  return bytes;
}

static size_t plan_stage(const struct plan *plan, size_t index, msk_precision decoding,
                         const msk_device *device, bool halves, size_t *meanwhile) {
  const struct stage *stage = &plan->stages[index];
  size_t bytes = 0;
  if (stage->kind == STAGE_CODEBOOK) {
    bytes = stage->in * stage->out * sizeof(float) +
            msk_linear_plan(device, MSK_PRECISION_FP32, stage->out, stage->in, halves);
  } else if (stage->kind == STAGE_CONV) {
    bytes = plan_conv(plan, index, decoding, device, stage->in, halves, meanwhile);
  } else if (stage->kind == STAGE_BLOCK) {
    bytes = plan_conv(plan, index, decoding, device, stage->in, halves, meanwhile) +
            plan_conv(plan, index, decoding, device, stage->out, halves, meanwhile);
    if (stage->in != stage->out)
      bytes += msk_conv_plan(device, 1, 1, stage->out, stage->out, halves);
  }
  return bytes;
}

msk_status msk_vqgan_plan(const msk_device *device, const msk_weight_file *file, const char *prefix,
                          msk_precision decoding, size_t *kept, size_t *meanwhile,
                          msk_error *error) {
  msk_weight_loader loader = make_loader(file, prefix, NULL, error);
  msk_vqgan_config config;
  struct plan plan;
  msk_status status = read_config(&loader, 1, &config, &plan); /* the groups do not matter here */
  if (status != MSK_OK) return status;
  msk_weights_sizes sizes = msk_weights_measure(&loader, vqgan_groups, &plan);
  msk_weight_group group;
  size_t creation = 0;
  *kept = sizes.kept + sizeof(msk_vqgan);
  for (size_t i = 0; vqgan_groups(&plan, i, &group); i++) {
    *kept += plan_stage(&plan, i, decoding, device, msk_weights_halved(&loader, &group), &creation);
  }
  *meanwhile = sizes.scratch + sizes.mapped + creation;
  return MSK_OK;
}

/* ---- the forward pass ---- */

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
  if (msk_conv_precision(conv) == MSK_PRECISION_INT8) {
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
