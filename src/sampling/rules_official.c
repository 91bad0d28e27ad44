/* SPDX-License-Identifier: Apache-2.0
 *
 * rules_official.c - the authors' decoding to the token, its defects included (docs/exactness.md
 * lists them by letter). Facts are from google-research/masksketch:
 * sketch_conditional_inference.py, parallel_decode_with_structure_similarity.py,
 * parallel_decode.py.
 *
 * Keys of draw: PRNGKey(seed) gives the two unconditional classes, and is split only afterwards
 * (quirk e) into the loop's key and the mask's; the mask's is split again. Each step: loop,
 * sample = split(loop); the sample key also makes both mask noises. MaskGIT: a choice key is
 * split off too. */
#include <math.h>

#include "sampling/decode_state.h"
#include "sampling/schedule.h"

/* key, other = split(key) */
static msk_key split_off(msk_decode *decode, msk_key *key) {
  msk_key keys[2];
  msk_rng_split(decode->spec.layout, *key, 2, keys);
  *key = keys[0];
  return keys[1];
}

/* ceil(rate * tokens) random tokens of each row are hidden; the whole batch is one array of
 * uniform scores. */
static void hide_tokens(msk_decode *decode, msk_key mask_key) {
  const msk_decode_spec *spec = &decode->spec;
  const size_t image = (size_t)spec->tokens - 1;
  const msk_key key = split_off(decode, &mask_key);
  const float count = fminf(fmaxf(ceilf((float)((double)image * spec->recipe.max_mask_rate)), 0.0f),
                            (float)(image - 1));
  for (size_t b = 0; b < (size_t)spec->batch; b++) {
    int32_t *tokens = decode->current + b * (image + 1) + 1;
    msk_rng_uniform(spec->layout, key, (size_t)spec->batch * image, b * image, image, 0.0f, 1.0f,
                    decode->noise);
    msk_mask_below_cut(decode->confidence_mask, decode->noise, NULL, 0.0f, count, image,
                       decode->candidates);
    for (size_t i = 0; i < image; i++) {
      if (decode->confidence_mask[i]) tokens[i] = MSK_MASK_TOKEN;
    }
  }
}

static void begin(msk_decode *decode) {
  const msk_decode_spec *spec = &decode->spec;
  decode->key = msk_rng_key(spec->seed);
  for (int b = 0; b < spec->batch; b++) decode->unconditional[b] = -1;
  if (spec->job != MSK_JOB_DRAW) return;
  /* Two rows whatever the batch: rows 2 and up keep their own class and so get no guidance
   * (quirk a). The class may be the target's (quirk b). */
  msk_rng_randint(spec->layout, decode->key, 2, 0, 2, spec->codes, spec->codes + spec->class_count,
                  decode->pair);
  for (int b = 0; b < spec->batch && b < 2; b++) decode->unconditional[b] = decode->pair[b];
  hide_tokens(decode, split_off(decode, &decode->key));
}

static void prepare(msk_decode *decode) {
  decode->sample_key = split_off(decode, &decode->key);
  if (msk_decode_sketching(decode)) {
    if (decode->step == 0)
      msk_decode_trace(decode, "unconditional_class_tokens", MSK_DTYPE_I32, decode->pair, 2, 2, 1,
                       0);
    msk_decode_trace(decode, "sample_key", MSK_DTYPE_U32, decode->sample_key.word, 1, 2, 0, 0);
  } else {
    decode->choice_key = split_off(decode, &decode->key);
    msk_decode_trace(decode, "choice_key", MSK_DTYPE_U32, decode->choice_key.word, 1, 2, 0, 0);
  }
}

static void sample(msk_decode *decode) {
  const msk_decode_spec *spec = &decode->spec;
  const size_t items = (size_t)spec->batch * (size_t)spec->tokens, codes = (size_t)spec->codes;
  for (size_t i = 0; i < items; i++) {
    decode->completed[i] = decode->current[i];
    if (decode->current[i] != MSK_MASK_TOKEN) continue;
    msk_rng_categorical(spec->layout, decode->sample_key, items, i, 1, codes,
                        decode->logits + i * codes, &decode->completed[i]);
  }
}

/* The noise of one row; NULL where the temperature is 0 (0 times a finite number adds nothing). */
static const float *row_noise(msk_decode *decode, msk_key key, float temperature, size_t item) {
  const size_t tokens = (size_t)decode->spec.tokens;
  if (temperature == 0) return NULL;
  msk_rng_gumbel(decode->spec.layout, key, (size_t)decode->spec.batch * tokens, item * tokens,
                 tokens, decode->noise);
  return decode->noise;
}

static void remask_sketch(msk_decode *decode) {
  const msk_recipe *recipe = &decode->spec.recipe;
  const size_t tokens = (size_t)decode->spec.tokens;
  const float structure_noise = (float)recipe->temperature_structure,
              confidence_noise = (float)recipe->temperature_confidence;
  for (size_t b = 0; b < (size_t)decode->spec.batch; b++) {
    float *structure = decode->structure + b * tokens,
          *confidence = decode->confidence + b * tokens;
    msk_rescale_official(structure, tokens);          /* the class position included (quirk d) */
    msk_rescale_official(confidence + 1, tokens - 1); /* the class position stays NaN (quirk h) */
    float rate = msk_schedule_rate_official(recipe->schedule, recipe->schedule_power,
                                            decode->step + 1, recipe->steps, decode->unknown[b]);
    rate = fmaf(rate, (float)(recipe->max_mask_rate - recipe->min_mask_rate),
                (float)recipe->min_mask_rate);
    /* counts are float32 (quirk i) */
    const float length = floorf((float)decode->unknown[b] * rate);
    decode->structure_k[b] = length * (float)recipe->lambda_structure;
    decode->confidence_k[b] = length * (float)(1.0 - recipe->lambda_structure);
    msk_mask_below_cut(decode->confidence_mask + b * tokens, confidence,
                       row_noise(decode, decode->sample_key, confidence_noise, b), confidence_noise,
                       decode->confidence_k[b], tokens, decode->candidates);
    msk_mask_below_cut(decode->structure_mask + b * tokens, structure,
                       row_noise(decode, decode->sample_key, structure_noise, b), structure_noise,
                       decode->structure_k[b], tokens, decode->candidates);
    msk_decode_apply_mask(decode, (int)b, decode->structure_mask + b * tokens,
                          decode->confidence_mask + b * tokens);
  }
}

static void remask_maskgit(msk_decode *decode) {
  const msk_recipe *recipe = &decode->spec.recipe;
  const size_t tokens = (size_t)decode->spec.tokens;
  const float temperature = (float)recipe->choice_temperature *
                            msk_schedule_remaining_official(decode->step + 1, recipe->steps);
  for (size_t b = 0; b < (size_t)decode->spec.batch; b++) {
    float *confidence = decode->confidence + b * tokens;
    const float *noise = row_noise(decode, decode->choice_key, temperature, b);
    for (size_t i = 0; i < tokens; i++) {
      float logarithm = msk_xla_log(confidence[i]);
      confidence[i] = noise == NULL ? logarithm : fmaf(temperature, noise[i], logarithm);
    }
    float rate = msk_schedule_rate_official(recipe->schedule, recipe->schedule_power,
                                            decode->step + 1, recipe->steps, decode->unknown[b]);
    float length = floorf((float)decode->unknown[b] * rate),
          most = (float)(msk_decode_count_masked(decode, (int)b) - 1);
    decode->confidence_k[b] = fmaxf(1.0f, fminf(most, length));
    msk_mask_below_cut(decode->confidence_mask + b * tokens, confidence, NULL, 0.0f,
                       decode->confidence_k[b], tokens, decode->candidates);
    msk_decode_apply_mask(decode, (int)b, decode->confidence_mask + b * tokens, NULL);
  }
  msk_decode_trace(decode, "temperature", MSK_DTYPE_F32, &temperature, 0, 0, 0, 0);
}

const msk_decode_rules msk_rules_official = {begin, prepare, sample, remask_sketch, remask_maskgit};
