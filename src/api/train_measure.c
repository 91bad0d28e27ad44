/* SPDX-License-Identifier: Apache-2.0
 *
 * train_measure.c - msk_train_measure(): steps of training on tokens drawn at random, for the
 * clock. What such a step computes does not depend on what the tokens say. */
#include <string.h>

#include "api/model.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "compute/backward.h"
#include "compute/meter.h"
#include "masksketch_tools.h"
#include "train/network.h"
#include "train/optimiser.h"
#include "train/random.h"

/* Masked places of a batch: the mean of the cosine schedule, 2 / pi. */
#define MASKED_SHARE 0.63662

struct measure {
  const msk_train_measure_options *options;
  msk_maskgit_config config; /* of the model, whose sizes are taken */
  size_t codes;
  msk_device *device;
  msk_pool *pool;
  msk_params *params;
  msk_network *network;
  msk_optimiser *optimiser;
  float *block, *gradients;
  int32_t *shown, *target;
  bool *mask;
  msk_meter meter;
  double flop; /* noted in the step that runs */
  bool counts; /* the step that runs */
};

static void note(void *user, const char *pass, const char *name, double seconds, double flop) {
  struct measure *m = user;
  m->flop += flop;
  if (m->counts && m->options->on_operation != NULL)
    m->options->on_operation(m->options->user, pass, name, seconds, flop);
}

static void fill(struct measure *m) {
  msk_random random = msk_random_stream(1, 1, 1);
  const size_t positions = m->config.positions, count = (size_t)m->options->batch * positions;
  for (size_t i = 0; i < m->params->floats; i++)
    m->block[i] = (float)(0.04 * (msk_random_unit(&random) - 0.5));
  for (size_t i = 0; i < count; i++) {
    m->target[i] = (int32_t)msk_random_below(&random, m->codes);
    m->mask[i] = i % positions > 0 && msk_random_unit(&random) < MASKED_SHARE;
    m->shown[i] = m->mask[i] ? MSK_MASK_TOKEN : m->target[i];
  }
  m->mask[1] = true; /* one at least */
}

/* Sizes alone: the model's weights are not what is trained here. */
static msk_status read_sizes(struct measure *m, msk_error *error) {
  msk_weight_file *file = NULL;
  msk_vqgan_config tokenizer;
  msk_status status = msk_weight_file_open(&file, m->options->model_path, NULL, error);
  if (status == MSK_OK)
    status = msk_vqgan_read_config(&tokenizer, file, MSK_MODEL_TOKENIZER, 1, error);
  if (status == MSK_OK)
    status = msk_maskgit_read_config(&m->config, file, MSK_MODEL_TRANSFORMER, error);
  if (status == MSK_OK)
    status = msk_networks_match(&tokenizer, &m->config, m->options->model_path, &(size_t){0},
                                &(size_t){0}, error);
  msk_weight_file_close(file);
  if (status == MSK_OK) m->codes = tokenizer.codes;
  return status;
}

static msk_status create(struct measure *m, msk_error *error) {
  size_t count = (size_t)m->options->batch * m->config.positions;
  msk_status status = msk_params_create(&m->params, &m->config, NULL, error);
  if (status == MSK_OK)
    status = msk_network_create(&m->network, m->params, m->device, m->pool, m->codes,
                                (size_t)m->options->batch, error);
  if (status == MSK_OK)
    status = msk_optimiser_create(&m->optimiser, m->params, m->device, m->pool, error);
  if (status != MSK_OK) return status;
  m->block = msk_allocate_zeroed(NULL, m->params->floats, sizeof(float));
  m->gradients = msk_allocate_zeroed(NULL, m->params->floats, sizeof(float));
  m->shown = msk_allocate_zeroed(NULL, count, sizeof *m->shown);
  m->target = msk_allocate_zeroed(NULL, count, sizeof *m->target);
  m->mask = msk_allocate_zeroed(NULL, count, sizeof *m->mask);
  if (m->block == NULL || m->gradients == NULL || m->shown == NULL || m->target == NULL ||
      m->mask == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory for a step of training");
  fill(m);
  m->meter = (msk_meter){.user = m, .note = note};
  msk_network_listen(m->network, &m->meter);
  m->optimiser->stream.meter = &m->meter;
  return MSK_OK;
}

static void step(struct measure *m, long number) {
  const msk_rates rates = {.adam = 1e-3f, .muon = 1e-3f, .average = 2e-3f, .step = number};
  msk_masked_batch batch = {
      .batch = (size_t)m->options->batch, .shown = m->shown, .target = m->target, .mask = m->mask};
  m->flop = 0;
  memset(m->gradients, 0, m->params->floats * sizeof(float));
  msk_meter_begin(&m->optimiser->stream, "train");
  msk_network_set(m->network, m->block);
  msk_network_masked(m->network, &batch, m->gradients);
  msk_optimiser_step(m->optimiser, &rates, m->gradients, m->block);
}

/* The first step touches all memory for the first time: it does not count. */
static void run(struct measure *m) {
  step(m, 1);
  m->counts = true;
  for (int i = 0; i < m->options->steps; i++) {
    double started = msk_clock();
    step(m, i + 2);
    if (m->options->on_step(m->options->user, msk_clock() - started, m->flop) != 0) return;
  }
}

static bool measures_bf16(const struct measure *m) {
  msk_train_precision precision = m->options->precision;
  return precision == MSK_TRAIN_AUTO ? msk_device_bf16_pays(m->device)
                                     : precision == MSK_TRAIN_BF16;
}

static void destroy(struct measure *m) {
  msk_free(NULL, m->mask);
  msk_free(NULL, m->target);
  msk_free(NULL, m->shown);
  msk_free(NULL, m->gradients);
  msk_free(NULL, m->block);
  msk_optimiser_destroy(m->optimiser);
  msk_network_destroy(m->network);
  msk_params_destroy(m->params);
  msk_pool_destroy(m->pool);
  msk_device_destroy(m->device);
}

void msk_train_measure_options_init(msk_train_measure_options *options) {
  *options = (msk_train_measure_options){.size = sizeof *options, .batch = 32, .steps = 3};
}

msk_status msk_train_measure(const msk_train_measure_options *options, msk_error *error) {
  struct measure m = {.options = options};
  if (options == NULL || options->size != sizeof *options || options->model_path == NULL ||
      options->on_step == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "measuring training needs a model and on_step, and options set up with "
                    "msk_train_measure_options_init()");
  if (options->batch < 1 || options->batch > MSK_MAX_TRAIN_BATCH)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "batch is %d, expected 1 to %d", options->batch,
                    MSK_MAX_TRAIN_BATCH);
  if (msk_train_precision_name((int)options->precision) == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "there is no precision %d of training",
                    (int)options->precision);
  int threads = options->threads > 0 ? options->threads : msk_default_threads();
  msk_status status = read_sizes(&m, error);
  if (status == MSK_OK)
    status = msk_device_create(&m.device, options->isa, MSK_PRECISION_FP32, NULL, error);
  if (status == MSK_OK && measures_bf16(&m)) msk_device_use_bf16(m.device);
  if (status == MSK_OK) status = msk_pool_create(&m.pool, threads, NULL, error);
  if (status == MSK_OK) status = create(&m, error);
  if (status == MSK_OK) run(&m);
  destroy(&m);
  return status;
}
