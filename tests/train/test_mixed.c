/* SPDX-License-Identifier: Apache-2.0
 *
 * test_mixed.c - a network whose products are of bf16 numbers beside the same in float32: loss and
 * gradients, on every instruction set. */
#include <math.h>

#include "../compute/naive.h"

#include "train/network.h"

#define BF16_UNIT (1.0 / 512) /* unit roundoff: eight bits, to the nearest */

/* ---- a network ---- */

enum { CODES = 30, POSITIONS = 17, BATCH = 5, LAYERS = 3 };
static const msk_maskgit_config config = {.layers = LAYERS,
                                          .hidden = 36,
                                          .heads = 3,
                                          .intermediate = 70,
                                          .positions = POSITIONS,
                                          .vocabulary = 40};

/* The gradients of a batch; returns its loss. */
static double take_gradients(const msk_device *device, const msk_params *params, float *block,
                             float *gradients) {
  int32_t shown[BATCH * POSITIONS], target[BATCH * POSITIONS];
  bool mask[BATCH * POSITIONS];
  uint64_t seed = 11;
  msk_network *network;
  for (size_t i = 0; i < BATCH * POSITIONS; i++) {
    target[i] = (int32_t)(test_random(&seed) % CODES);
    mask[i] = i % POSITIONS > 0 && test_random(&seed) % 2 == 0;
    shown[i] = mask[i] ? MSK_MASK_TOKEN : target[i];
  }
  mask[1] = true;
  const msk_masked_batch batch = {.batch = BATCH, .shown = shown, .target = target, .mask = mask};
  assert_int_equal(msk_network_create(&network, params, device, NULL, CODES, BATCH, NULL), MSK_OK);
  msk_network_set(network, block);
  double loss = msk_network_masked(network, &batch, gradients).plain;
  msk_network_destroy(network);
  return loss;
}

/* Norms of layers keep the size of what flows, so that every product on the way adds its share and
 * no more: a parameter's gradient comes from six forward in each layer (q k v, logits, values, out,
 * up, down), as many backward, and twice two of the head; each rounds two factors. */
static void test_network(const msk_device *device) {
  msk_params *params;
  msk_device *plain = device_new(msk_device_isa(device));
  uint64_t seed = 3;
  assert_int_equal(msk_params_create(&params, &config, NULL, NULL), MSK_OK);
  float *block = calloc(params->floats, sizeof *block),
        *exact = calloc(params->floats, sizeof *exact),
        *found = calloc(params->floats, sizeof *found);
  for (size_t i = 0; i < params->floats; i++) block[i] = test_uniform(&seed, -0.3f, 0.3f);
  for (size_t i = 0; i < params->count; i++) {
    const msk_param *param = &params->list[i];
    bool scale = strstr(param->tensor.name, ".scale") != NULL;
    for (size_t j = 0; scale && j < param->tensor.elements; j++) block[param->offset + j] += 1;
  }
  double products = 2 * (6 * LAYERS + 2), allowed = products * 2 * BF16_UNIT;
  double loss = take_gradients(plain, params, block, exact);
  check_value(take_gradients(device, params, block, found), loss, allowed * loss, "loss", 0);
  for (size_t i = 0; i < params->count; i++) {
    const msk_param *param = &params->list[i];
    double size = 0, error = 0;
    for (size_t j = 0; j < param->tensor.elements; j++) {
      double value = exact[param->offset + j], other = found[param->offset + j];
      size += value * value, error += (value - other) * (value - other);
    }
    if (strstr(param->tensor.name, ".key.bias") != NULL) continue; /* it has none */
    if (!(sqrt(error) <= allowed * sqrt(size) && error > 0))
      fail_msg("%s: off by %g of %g, allowed %g", param->tensor.name, sqrt(error), sqrt(size),
               allowed * sqrt(size));
  }
  free(block), free(exact), free(found);
  msk_params_destroy(params);
  msk_device_destroy(plain);
}

/* ---- all of it on every set ---- */

static void every_network(void **state) { (void)state, for_each_isa_in_bf16(test_network); }

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_network)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
