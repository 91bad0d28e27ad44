/* SPDX-License-Identifier: Apache-2.0
 *
 * vqgan_stages.c - the stages that a tokenizer's configuration unfolds into, and their tensors
 * (vqgan_parts.h). Names are those of the authors' vqgan_tokenizer.py. */
#include <stdio.h>

#include "model/vqgan_parts.h"

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
    /* both are options of the authors' code */
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
  add_blocks(plan, true, config->decoder_blocks, &block, &channels, channels);
  for (size_t i = config->levels; i-- > 0;) {
    add_blocks(plan, true, config->decoder_blocks, &block, &channels, config->channels[i]);
    /* int8 begins behind the coarsest level: see is_int8() */
    if (i + 1 == config->levels) plan->small_end = plan->count;
    if (i == 0) break;
    add_conv(plan, true, conv++, true, 3, channels, channels);
    plan->stages[plan->count - 1].upsample = 2;
  }
  add_stage(plan,
            (struct stage){.kind = STAGE_NORM, .decoder = true, .in = channels, .out = channels});
  add_conv(plan, true, conv, true, 3, channels, 3 * config->stem * config->stem);
}

void msk_vqgan_make_plan(struct plan *plan, const msk_vqgan_config *config) {
  plan->count = 0;
  plan_encoder(plan, config);
  plan->encoder_end = plan->count;
  add_stage(plan, (struct stage){.kind = STAGE_CODEBOOK, .in = config->codes, .out = config->dim});
  plan_decoder(plan, config);
}

/* ---- the tensors ---- */

enum { IN, OUT, KERNEL, THREE, ONE };

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
    {"GroupNorm_0.scale", MSK_WEIGHT_KEPT, 1, {OUT}, FIELD(norm[0].gamma)},
    {"GroupNorm_0.bias", MSK_WEIGHT_KEPT, 1, {OUT}, FIELD(norm[0].beta)},
};
static const msk_weight_row block_rows[] = {
    {"GroupNorm_0.scale", MSK_WEIGHT_KEPT, 1, {IN}, FIELD(norm[0].gamma)},
    {"GroupNorm_0.bias", MSK_WEIGHT_KEPT, 1, {IN}, FIELD(norm[0].beta)},
    {"Conv_0.kernel", MSK_WEIGHT_STORED, 4, {THREE, THREE, IN, OUT}, FIELD(kernel[0])},
    {"GroupNorm_1.scale", MSK_WEIGHT_KEPT, 1, {OUT}, FIELD(norm[1].gamma)},
    {"GroupNorm_1.bias", MSK_WEIGHT_KEPT, 1, {OUT}, FIELD(norm[1].beta)},
    {"Conv_1.kernel", MSK_WEIGHT_STORED, 4, {THREE, THREE, OUT, OUT}, FIELD(kernel[1])},
    {"Conv_2.kernel", MSK_WEIGHT_STORED, 4, {ONE, ONE, OUT, OUT}, FIELD(kernel[2])},
};

bool msk_vqgan_groups(const void *user, size_t index, msk_weight_group *group) {
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
      /* the seventh is the shortcut's convolution, which only a change of channels needs */
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
  msk_vqgan_make_plan(&plan, config);
  return msk_weights_each(msk_vqgan_groups, &plan, visit, user);
}
