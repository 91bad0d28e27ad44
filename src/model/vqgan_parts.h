/* SPDX-License-Identifier: Apache-2.0
 *
 * vqgan_parts.h - the inside of a msk_vqgan. A tokenizer is a list of stages (convolution,
 * residual block, pooling, normalisation) that the configuration unfolds into (vqgan_stages.c);
 * the same list drives the tensors' names and shapes, the loading (vqgan_load.c) and the one
 * forward pass (vqgan.c). */
#ifndef MSK_MODEL_VQGAN_PARTS_H
#define MSK_MODEL_VQGAN_PARTS_H

#include "model/vqgan.h"

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
  float *kept; /* of norms */
  size_t kept_floats;
  msk_codebook *codebook;
  struct plan plan;
  struct packed_stage packed[MAX_STAGES];
};

void msk_vqgan_make_plan(struct plan *plan, const msk_vqgan_config *config);

/* Where the tensors of a stage go. */
struct stage_fields {
  msk_weight_stored kernel[3];
  float *codebook, *conv_bias;
  msk_norm norm[2];
};
/* The weight table; its configuration is a plan. A stage is a group. */
msk_weight_groups msk_vqgan_groups;

#endif
