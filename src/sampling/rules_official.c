/* SPDX-License-Identifier: Apache-2.0
 *
 * rules_official.c - the authors' sampling to the token, its defects included (docs/exactness.md
 * lists them by letter). Facts are from google-research/masksketch:
 * sketch_conditional_inference.py, parallel_decode_with_structure_similarity.py,
 * parallel_decode.py.
 *
 * Keys of draw: PRNGKey(seed) gives the two unconditional classes, and is split only afterwards
 * (quirk e) into the loop's key and the mask's; the mask's is split again. Each step: loop,
 * sample = split(loop); the sample key also makes both mask noises. MaskGIT: a choice key is
 * split off too. */
#include <math.h>

#include "sampling/sampler_state.h"
#include "sampling/schedule.h"

/* key, other = split(key) */
static msk_key split_off(msk_sampler *sampler, msk_key *key) {
  msk_key keys[2];
  msk_rng_split(sampler->spec.layout, *key, 2, keys);
  *key = keys[0];
  return keys[1];
}

/* ceil(rate * tokens) random tokens of each row are hidden; the whole batch is one array of
 * uniform scores. */
static void hide_tokens(msk_sampler *sampler, msk_key mask_key) {
  const msk_sampler_spec *spec = &sampler->spec;
  const size_t image = sampler->tokens - 1;
  const msk_key key = split_off(sampler, &mask_key);
  /* A float32, as all of the authors' counts are (quirk i); one token stays visible. */
  const float count = fminf(fmaxf(ceilf((float)((double)image * spec->recipe.max_mask_rate)), 0.0f),
                            (float)(image - 1));
  for (size_t b = 0; b < sampler->batch; b++) {
    int32_t *tokens = sampler->current + b * (image + 1) + 1;
    msk_rng_uniform(spec->layout, key, sampler->batch * image, b * image, image, 0.0f, 1.0f,
                    sampler->noise);
    msk_mask_below_cut(sampler->confidence_mask, sampler->noise, NULL, 0.0f, count, image,
                       sampler->candidates);
    for (size_t i = 0; i < image; i++) {
      if (sampler->confidence_mask[i]) tokens[i] = MSK_MASK_TOKEN;
    }
  }
}

static void begin(msk_sampler *sampler) {
  const msk_sampler_spec *spec = &sampler->spec;
  sampler->key = msk_rng_key(spec->seed);
  for (size_t b = 0; b < sampler->batch; b++) sampler->unconditional[b] = -1;
  if (spec->job != MSK_JOB_DRAW) return;
  /* Two rows whatever the batch: rows 2 and up keep their own class and so get no guidance
   * (quirk a). The class may be the target's (quirk b). */
  msk_rng_randint(spec->layout, sampler->key, 2, 0, 2, spec->codes, spec->codes + spec->class_count,
                  sampler->pair);
  for (size_t b = 0; b < sampler->batch && b < 2; b++) sampler->unconditional[b] = sampler->pair[b];
  hide_tokens(sampler, split_off(sampler, &sampler->key));
}

static void prepare(msk_sampler *sampler) {
  sampler->sample_key = split_off(sampler, &sampler->key);
  if (msk_sampler_sketching(sampler)) {
    if (sampler->step == 0)
      msk_sampler_trace(sampler, "unconditional_class_tokens", MSK_DTYPE_I32, sampler->pair, 2, 2,
                        1, 0);
    msk_sampler_trace(sampler, "sample_key", MSK_DTYPE_U32, sampler->sample_key.word, 1, 2, 0, 0);
  } else {
    sampler->choice_key = split_off(sampler, &sampler->key);
    msk_sampler_trace(sampler, "choice_key", MSK_DTYPE_U32, sampler->choice_key.word, 1, 2, 0, 0);
  }
}

static void sample(msk_sampler *sampler) {
  const size_t items = sampler->batch * sampler->tokens, codes = sampler->codes;
  for (size_t i = 0; i < items; i++) {
    sampler->completed[i] = sampler->current[i];
    if (sampler->current[i] != MSK_MASK_TOKEN) continue;
    msk_rng_categorical(sampler->spec.layout, sampler->sample_key, items, i, 1, codes,
                        sampler->logits + i * codes, &sampler->completed[i]);
  }
}

/* The noise of one row; NULL where the temperature is 0 (0 times a finite number adds nothing). */
static const float *row_noise(msk_sampler *sampler, msk_key key, float temperature, size_t item) {
  const size_t tokens = sampler->tokens;
  if (temperature == 0) return NULL;
  msk_rng_gumbel(sampler->spec.layout, key, sampler->batch * tokens, item * tokens, tokens,
                 sampler->noise);
  return sampler->noise;
}

static void remask_sketch(msk_sampler *sampler) {
  const msk_recipe *recipe = &sampler->spec.recipe;
  const size_t tokens = sampler->tokens;
  const float structure_noise = (float)recipe->temperature_structure,
              confidence_noise = (float)recipe->temperature_confidence;
  for (size_t b = 0; b < sampler->batch; b++) {
    float *structure = sampler->structure + b * tokens,
          *confidence = sampler->confidence + b * tokens;
    msk_rescale_official(structure, tokens);          /* the class position included (quirk d) */
    msk_rescale_official(confidence + 1, tokens - 1); /* the class position stays NaN (quirk h) */
    float rate = msk_schedule_rate_official(recipe->schedule, recipe->schedule_power,
                                            sampler->step + 1, recipe->steps, sampler->unknown[b]);
    rate = fmaf(rate, (float)(recipe->max_mask_rate - recipe->min_mask_rate),
                (float)recipe->min_mask_rate);
    /* counts are float32 (quirk i) */
    const float length = floorf((float)sampler->unknown[b] * rate);
    sampler->structure_k[b] = length * (float)recipe->lambda_structure;
    sampler->confidence_k[b] = length * (float)(1.0 - recipe->lambda_structure);
    msk_mask_below_cut(sampler->confidence_mask + b * tokens, confidence,
                       row_noise(sampler, sampler->sample_key, confidence_noise, b),
                       confidence_noise, sampler->confidence_k[b], tokens, sampler->candidates);
    msk_mask_below_cut(sampler->structure_mask + b * tokens, structure,
                       row_noise(sampler, sampler->sample_key, structure_noise, b), structure_noise,
                       sampler->structure_k[b], tokens, sampler->candidates);
    msk_sampler_apply_mask(sampler, b, sampler->structure_mask + b * tokens,
                           sampler->confidence_mask + b * tokens);
  }
}

static void remask_maskgit(msk_sampler *sampler) {
  const msk_recipe *recipe = &sampler->spec.recipe;
  const size_t tokens = sampler->tokens;
  const float temperature = (float)recipe->choice_temperature *
                            msk_schedule_remaining_official(sampler->step + 1, recipe->steps);
  for (size_t b = 0; b < sampler->batch; b++) {
    float *confidence = sampler->confidence + b * tokens;
    const float *noise = row_noise(sampler, sampler->choice_key, temperature, b);
    for (size_t i = 0; i < tokens; i++) {
      float logarithm = msk_xla_log(confidence[i]);
      confidence[i] = noise == NULL ? logarithm : fmaf(temperature, noise[i], logarithm);
    }
    float rate = msk_schedule_rate_official(recipe->schedule, recipe->schedule_power,
                                            sampler->step + 1, recipe->steps, sampler->unknown[b]);
    float length = floorf((float)sampler->unknown[b] * rate),
          most = (float)(msk_sampler_masked(sampler, b) - 1);
    /* at least one stays masked and at least one is kept, whatever the schedule says */
    sampler->confidence_k[b] = fmaxf(1.0f, fminf(most, length));
    msk_mask_below_cut(sampler->confidence_mask + b * tokens, confidence, NULL, 0.0f,
                       sampler->confidence_k[b], tokens, sampler->candidates);
    msk_sampler_apply_mask(sampler, b, sampler->confidence_mask + b * tokens, NULL);
  }
  msk_sampler_trace(sampler, "temperature", MSK_DTYPE_F32, &temperature, 0, 0, 0, 0);
}

const msk_sampler_rules msk_rules_official = {begin,         prepare,        sample,
                                              remask_sketch, remask_maskgit, NULL};
