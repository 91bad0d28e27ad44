/* SPDX-License-Identifier: Apache-2.0
 * low_rank.c - see low_rank.h. */
#include "train/low_rank.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "train/random.h"

enum { LOW_RANK_STREAM = 31 };

static size_t round_up(size_t count) { return (count + 15) / 16 * 16; }

static void sides(const msk_low_rank *low, msk_low_kind kind, size_t *in, size_t *out) {
  const msk_maskgit_config *config = &low->params->config;
  *in = kind == MSK_LOW_DOWN ? config->intermediate : config->hidden;
  *out = kind == MSK_LOW_UP ? config->intermediate : config->hidden;
}

msk_low_rank msk_low_rank_make(const msk_params *params, size_t rank, size_t first_layer,
                               size_t class_row) {
  msk_low_rank low = {
      .params = params, .rank = rank, .first_layer = first_layer, .class_row = class_row};
  for (int kind = 0; kind < MSK_LOW_KINDS; kind++) {
    size_t in, out;
    sides(&low, (msk_low_kind)kind, &in, &out);
    low.layer_floats += round_up(in * rank) + round_up(rank * out);
  }
  low.floats =
      round_up(params->config.hidden) + (params->config.layers - first_layer) * low.layer_floats;
  return low;
}

bool msk_low_rank_has(const msk_low_rank *low, size_t layer) { return layer >= low->first_layer; }

msk_low_pair msk_low_rank_pair(const msk_low_rank *low, size_t layer, msk_low_kind kind) {
  size_t at = round_up(low->params->config.hidden) + (layer - low->first_layer) * low->layer_floats;
  msk_low_pair pair = {0};
  for (int k = 0; k <= (int)kind; k++) {
    sides(low, (msk_low_kind)k, &pair.in, &pair.out);
    pair.a = at;
    pair.b = pair.a + round_up(pair.in * low->rank);
    at = pair.b + round_up(low->rank * pair.out);
  }
  return pair;
}

void msk_low_rank_name(size_t layer, msk_low_kind kind, char name[MSK_WEIGHT_NAME]) {
  static const char *const names[MSK_LOW_KINDS] = {
      "Attention_0.self_attention.query.kernel", "Attention_0.self_attention.key.kernel",
      "Attention_0.self_attention.value.kernel", "Attention_0.self_attention.out.kernel",
      "Mlp_0.intermediate_output.kernel",        "Mlp_0.layer_output.kernel"};
  snprintf(name, MSK_WEIGHT_NAME, "TransformerLayer_%zu.%s", layer, names[kind]);
}

/* Uniform, of the variance that keeps x a at the size of x. */
static void start_pair(const msk_low_pair *pair, size_t rank, msk_random *random, float *block) {
  double reach = sqrt(3.0 / (double)pair->in);
  for (size_t i = 0; i < pair->in * rank; i++)
    block[pair->a + i] = (float)(reach * (2 * msk_random_unit(random) - 1));
}

void msk_low_rank_start(const msk_low_rank *low, const float *class_row, uint64_t seed,
                        float *block) {
  msk_random random = msk_random_stream(seed, LOW_RANK_STREAM, 0);
  memset(block, 0, low->floats * sizeof *block);
  memcpy(block, class_row, low->params->config.hidden * sizeof *block);
  for (size_t layer = low->first_layer; layer < low->params->config.layers; layer++) {
    for (int kind = 0; kind < MSK_LOW_KINDS; kind++) {
      msk_low_pair pair = msk_low_rank_pair(low, layer, (msk_low_kind)kind);
      start_pair(&pair, low->rank, &random, block);
    }
  }
}
