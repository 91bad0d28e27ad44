/* SPDX-License-Identifier: Apache-2.0
 * trainer.c - see trainer.h. */
#include "train/trainer.h"

#include <math.h>
#include <string.h>

#include "base/error.h"

#define DECAY 0.03f /* of embeddings */
#define BETA_2 0.96f

enum { MASKED_STREAM = 11, PAIR_STREAM, HELD_OUT_STREAM };

/* ---- creation ---- */

static msk_status take_arrays(msk_trainer *trainer, size_t most, msk_error *error) {
  size_t values = most * (trainer->plan.rules.cells + 1);
  trainer->shown = msk_allocate_zeroed(NULL, values, sizeof(int32_t));
  trainer->target = msk_allocate_zeroed(NULL, values, sizeof(int32_t));
  trainer->mask = msk_allocate_zeroed(NULL, values, sizeof(bool));
  trainer->verdict = msk_allocate_zeroed(NULL, values, 1);
  trainer->distances = msk_allocate_zeroed(NULL, values, sizeof(float));
  trainer->weights = msk_allocate_zeroed(NULL, values, sizeof(float));
  if (trainer->shown == NULL || trainer->target == NULL || trainer->mask == NULL ||
      trainer->verdict == NULL || trainer->distances == NULL || trainer->weights == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory for a batch");
  return MSK_OK;
}

static void name_numbers(msk_trainer *trainer) {
  msk_course *course = &trainer->course;
  course->numbers[course->numbers_count++] = (msk_course_numbers){"pair", trainer->pair, 6};
  course->counts[course->counts_count++] = (msk_state_count){"pair_step", &trainer->pair_step};
}

/* Of the pairs of a step. */
static size_t share_of_pairs(const msk_train_plan *plan) {
  return plan->pairs / msk_ranks_count(plan->pace.ranks);
}

/* That go through the network at once. */
static size_t most_sequences(const msk_train_plan *plan) {
  size_t batch = msk_pace_share(&plan->pace), pairs = share_of_pairs(plan);
  return batch > 2 * pairs ? batch : 2 * pairs;
}

size_t msk_trainer_bytes(const msk_train_plan *plan, const msk_device *device, msk_pool *pool) {
  msk_params *params = NULL;
  if (msk_params_create(&params, &plan->config, NULL, NULL) != MSK_OK) return 0;
  size_t network =
      msk_network_bytes(params, NULL, device, pool, plan->rules.codes, most_sequences(plan));
  if (network > 0) network += msk_course_bytes(&plan->pace, params, device, pool);
  msk_params_destroy(params);
  return network;
}

static msk_status create_parts(msk_trainer *trainer, const msk_device *device, msk_pool *pool,
                               msk_error *error) {
  const msk_train_plan *plan = &trainer->plan;
  size_t most = most_sequences(plan);
  msk_params *params = NULL;
  msk_status status = msk_params_create(&params, &plan->config, NULL, error);
  if (status == MSK_OK)
    status = msk_course_open(&trainer->course, &plan->pace, params, device, pool, error);
  if (status == MSK_OK)
    status =
        msk_network_create(&trainer->network, params, device, pool, plan->rules.codes, most, error);
  /* Lots are drawn for the whole batch, so that they do not depend on the number of ranks. */
  if (status == MSK_OK)
    status = take_arrays(trainer, most * msk_ranks_count(plan->pace.ranks), error);
  name_numbers(trainer);
  return status;
}

msk_status msk_trainer_create(msk_trainer **trainer, const msk_train_plan *plan,
                              const msk_device *device, msk_pool *pool, msk_error *error) {
  msk_trainer *made = msk_allocate_zeroed(NULL, 1, sizeof *made);
  if (made == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory for training");
  made->plan = *plan;
  made->batch = msk_pace_share(&plan->pace);
  made->pairs = share_of_pairs(plan);
  made->pair[1] = 1;
  msk_status status = create_parts(made, device, pool, error);
  if (status != MSK_OK) {
    msk_trainer_destroy(made);
    return status;
  }
  *trainer = made;
  return MSK_OK;
}

void msk_trainer_destroy(msk_trainer *trainer) {
  if (trainer == NULL) return;
  void *const parts[] = {trainer->shown,   trainer->target,    trainer->mask,
                         trainer->verdict, trainer->distances, trainer->weights};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) msk_free(NULL, parts[i]);
  msk_network_destroy(trainer->network);
  msk_course_close(&trainer->course);
  msk_free(NULL, trainer);
}

/* ---- the pair loss ---- */

/* log(1 + e^z) */
static double softplus(double z) { return fmax(z, 0) + log1p(exp(-fabs(z))); }

/* Class-balanced binary cross-entropy of z = offset - e^scale * distance, which is to be positive
 * where a token is right: this rank's part of the sum. Fills the weights of the distances (the
 * class position's is 0) and the slopes by scale and offset. */
static double judge_pairs(msk_trainer *trainer, double slopes[2]) {
  const msk_train_plan *plan = &trainer->plan;
  size_t cells = plan->rules.cells, n = cells + 1;
  const int8_t *verdict = trainer->verdict + msk_rank_of(plan->pace.ranks) * trainer->pairs * cells;
  double scale = exp((double)trainer->pair[0]), counts[2] = {1, 1}, sums[2] = {0};
  /* Counted first, and from 1: a batch can have none of a kind, and either kind weighs half. */
  for (size_t i = 0; i < plan->pairs * cells; i++) {
    if (trainer->verdict[i] != MSK_VERDICT_UNKNOWN) counts[trainer->verdict[i]]++;
  }
  slopes[0] = slopes[1] = 0;
  memset(trainer->weights, 0, trainer->pairs * n * sizeof(float));
  for (size_t i = 0; i < trainer->pairs * cells; i++) {
    if (verdict[i] == MSK_VERDICT_UNKNOWN) continue;
    size_t at = i / cells * n + 1 + i % cells, wrong = verdict[i] == MSK_VERDICT_WRONG;
    double sign = wrong ? 1 : -1, z = (double)trainer->pair[1] - scale * trainer->distances[at];
    double slope = 0.5 * plan->pair_weight * sign / (1 + exp(-sign * z)) / counts[wrong];
    sums[wrong] += softplus(sign * z);
    slopes[0] -= slope * scale * trainer->distances[at];
    slopes[1] += slope;
    trainer->weights[at] = (float)(-slope * scale);
  }
  return 0.5 * (sums[0] / counts[0] + sums[1] / counts[1]);
}

/* Of the sequences in trainer->shown, this rank's share moved to the front. */
static msk_pair_batch pair_batch(const msk_trainer *trainer) {
  return (msk_pair_batch){.pairs = trainer->pairs,
                          .tokens = trainer->shown,
                          .layers = trainer->plan.layers,
                          .layer_count = trainer->plan.layer_count,
                          .distance = MSK_DISTANCE_SYMMETRIC_KL};
}

/* Of the drawings, and of the mixtures that follow all of them. */
static void take_pairs(msk_trainer *trainer) {
  const msk_train_plan *plan = &trainer->plan;
  size_t values = trainer->pairs * (plan->rules.cells + 1),
         first = msk_rank_of(plan->pace.ranks) * values,
         all = plan->pairs * (plan->rules.cells + 1);
  memmove(trainer->shown, trainer->shown + first, values * sizeof *trainer->shown);
  memmove(trainer->shown + values, trainer->shown + all + first, values * sizeof *trainer->shown);
}

/* This rank's part of the loss and of its slopes. */
static double pair_step(msk_trainer *trainer, const msk_tokens *tokens, size_t usable,
                        double slopes[2]) {
  const msk_train_plan *plan = &trainer->plan;
  msk_random random =
      msk_random_stream(plan->pace.seed, PAIR_STREAM, (uint64_t)trainer->course.step);
  msk_batch_pairs(&plan->rules, tokens, usable, &random, plan->pairs, trainer->shown,
                  trainer->verdict);
  take_pairs(trainer);
  msk_pair_batch batch = pair_batch(trainer);
  msk_network_distances(trainer->network, &batch, trainer->distances);
  double loss = judge_pairs(trainer, slopes);
  msk_network_distances_backward(trainer->network, &batch, trainer->weights,
                                 trainer->course.gradients);
  return loss;
}

/* ---- a step ---- */

static void update(msk_trainer *trainer, msk_step_losses *losses, const double slopes[2]) {
  const msk_train_plan *plan = &trainer->plan;
  msk_course *course = &trainer->course;
  double share = msk_course_rate(course);
  msk_rates rates = {.adam = (float)(plan->adam_rate * share),
                     .muon = (float)(plan->muon_rate * share),
                     .average = msk_course_average(course),
                     .decay = DECAY,
                     .beta_2 = BETA_2,
                     .step = course->step + 1};
  losses->norm = msk_optimiser_step(course->optimiser, &rates, course->gradients, course->block);
  if (!isnan(losses->pair)) {
    /* Adam's correction for its young moments counts their own updates, fewer than the steps. */
    msk_adam adam = {.rate = rates.adam, .beta_2 = BETA_2, .step = ++trainer->pair_step};
    const float gradient[] = {(float)slopes[0], (float)slopes[1]};
    msk_adam_update(&adam, 2, gradient, 1, trainer->pair + 2, trainer->pair + 4, trainer->pair);
  }
  course->step++;
}

/* This rank's part of the loss: its sequences' share of the sum, over all masked places. */
static double masked_step(msk_trainer *trainer, const msk_tokens *tokens, size_t usable) {
  const msk_train_plan *plan = &trainer->plan;
  size_t n = plan->rules.cells + 1, first = msk_rank_of(plan->pace.ranks) * trainer->batch * n,
         masked = 0;
  msk_random random =
      msk_random_stream(plan->pace.seed, MASKED_STREAM, (uint64_t)trainer->course.step);
  msk_batch_masked(&plan->rules, tokens, usable, &random, plan->pace.batch, trainer->shown,
                   trainer->target, trainer->mask);
  for (size_t i = 0; i < plan->pace.batch * n; i++) masked += trainer->mask[i];
  msk_masked_batch batch = {.batch = trainer->batch,
                            .shown = trainer->shown + first,
                            .target = trainer->target + first,
                            .mask = trainer->mask + first,
                            .all_masked = masked};
  return msk_network_masked(trainer->network, &batch, trainer->course.gradients).plain;
}

msk_step_losses msk_trainer_step(msk_trainer *trainer, const msk_tokens *tokens) {
  const msk_train_plan *plan = &trainer->plan;
  msk_course *course = &trainer->course;
  /* An object has two records. Not all that are there: or a run could not be repeated. */
  size_t usable = 2 * msk_course_needs(course);
  double sums[4] = {0}; /* both losses, and the pair loss's slopes */
  bool with_pairs = plan->pair_every > 0 && (size_t)course->step % plan->pair_every == 0;
  memset(course->gradients, 0, course->params->floats * sizeof(float));
  msk_network_set(trainer->network, course->block);
  sums[0] = masked_step(trainer, tokens, usable);
  if (with_pairs) sums[1] = pair_step(trainer, tokens, usable, sums + 2);
  msk_course_add_gradients(course);
  msk_ranks_add_few(plan->pace.ranks, sums, 4);
  msk_step_losses losses = {.masked = sums[0], .pair = with_pairs ? sums[1] : NAN};
  update(trainer, &losses, sums + 2);
  return losses;
}

/* ---- what is held out ---- */

static double held_out_loss(msk_trainer *trainer, const msk_tokens *tokens, double hint_share) {
  enum { BATCHES = 4 };
  const msk_train_plan *plan = &trainer->plan;
  msk_batch_rules rules = plan->rules;
  rules.null_share = rules.style_share = 0;
  rules.hint_share = hint_share;
  double sum = 0;
  if (hint_share > 0 && rules.hands == 0) return NAN;
  /* The same lots in every run, whatever its seed: figures of two runs can be compared. */
  for (uint64_t i = 0; i < BATCHES; i++) {
    msk_random random = msk_random_stream(7, HELD_OUT_STREAM, i);
    msk_batch_masked(&rules, tokens, msk_tokens_count(tokens), &random, trainer->batch,
                     trainer->shown, trainer->target, trainer->mask);
    msk_masked_batch batch = {.batch = trainer->batch,
                              .shown = trainer->shown,
                              .target = trainer->target,
                              .mask = trainer->mask};
    sum += msk_network_masked(trainer->network, &batch, NULL).plain;
  }
  return sum / BATCHES;
}

/* Share of the (right, wrong) pairs of tokens of which the wrong one is farther; NaN where there
 * are too few of either. */
static double auc_of(const float *distances, const int8_t *verdict, size_t cells) {
  enum { FEW = 4 };
  size_t right = 0, wrong = 0;
  double won = 0;
  for (size_t i = 0; i < cells; i++) {
    right += verdict[i] == MSK_VERDICT_RIGHT;
    wrong += verdict[i] == MSK_VERDICT_WRONG;
    for (size_t j = 0; verdict[i] == MSK_VERDICT_RIGHT && j < cells; j++) {
      if (verdict[j] != MSK_VERDICT_WRONG) continue;
      won += distances[j] > distances[i];
      won += 0.5 * (distances[j] == distances[i]);
    }
  }
  return right > FEW && wrong > FEW ? won / ((double)right * (double)wrong) : NAN;
}

static double held_out_auc(msk_trainer *trainer, const msk_tokens *tokens) {
  enum { BATCHES = 4 };
  const msk_train_plan *plan = &trainer->plan;
  size_t cells = plan->rules.cells;
  double sum = 0, count = 0;
  if (plan->layer_count == 0 || plan->rules.hands == 0) return NAN;
  for (uint64_t i = 0; i < BATCHES; i++) {
    msk_random random = msk_random_stream(8, HELD_OUT_STREAM, i);
    msk_batch_pairs(&plan->rules, tokens, msk_tokens_count(tokens), &random, trainer->pairs,
                    trainer->shown, trainer->verdict);
    msk_pair_batch batch = pair_batch(trainer);
    msk_network_distances(trainer->network, &batch, trainer->distances);
    for (size_t k = 0; k < trainer->pairs; k++) {
      double auc =
          auc_of(trainer->distances + k * (cells + 1) + 1, trainer->verdict + k * cells, cells);
      /* Too few right or wrong tokens say nothing; a 0.5 in their place would say "not at all". */
      if (!isnan(auc)) sum += auc, count++;
    }
  }
  return count > 0 ? sum / count : NAN;
}

msk_held_out msk_trainer_evaluate(msk_trainer *trainer, const msk_tokens *tokens) {
  msk_network_set(trainer->network, trainer->course.optimiser->average);
  return (msk_held_out){.masked = held_out_loss(trainer, tokens, 0),
                        .hinted = held_out_loss(trainer, tokens, 1),
                        .auc = held_out_auc(trainer, tokens)};
}

double msk_trainer_flop(const msk_trainer *trainer) {
  const msk_train_plan *plan = &trainer->plan;
  const msk_maskgit_config *c = &plan->config;
  double d = (double)c->hidden, n = (double)c->positions, rows = (double)trainer->batch * n,
         layers = (double)c->layers, inner = (double)c->intermediate;
  double masked = 2 / M_PI; /* the mean of MaskGIT's cosine */
  double attention = 4 * rows * n * d, projections = 8 * rows * d * d, mlp = 4 * rows * d * inner,
         head = 2 * masked * rows * d * (d + (double)plan->rules.codes);
  /* Behind the last layer's attention only the masked rows go on. */
  double whole = layers * (attention + projections + mlp) - (1 - masked) * (mlp + projections / 4);
  double flop = 3 * (whole + head); /* backward takes twice what forward does */
  /* Whole layers before the last that is read; its own queries and keys are not counted. */
  if (plan->pair_every > 0 && plan->layer_count > 0) {
    double depth = (double)plan->layers[plan->layer_count - 1],
           pair_rows = 2 * (double)trainer->pairs * n, share = pair_rows / rows;
    flop += 3 * share * depth * (attention + projections + mlp) / (double)plan->pair_every;
  }
  /* A round of Newton and Schulz is m = x x', m m, and a product of m's size with x: five rounds
   * for q, k, v, out and for the two matrices of the MLP. */
  double muon = layers * (4 * 6 * d * d * d + 2 * (4 * d * d * inner + 2 * d * d * d));
  return flop + 5 * muon;
}
