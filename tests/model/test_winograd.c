/* SPDX-License-Identifier: Apache-2.0
 *
 * test_winograd.c - whole pictures decoded with Winograd's convolutions against the same network
 * with direct ones, on every kernel set that has both: no channel of any pixel differs by more
 * than 1/255 after rounding to 8 bits. The direct network is made by taking Winograd's kernels
 * away through the device's internal hook. */
#include <math.h>

#include "compute/cpu/cpu.h"
#include "networks.h"

enum { SIDE = 12, PIXELS = 3 * 16 * SIDE * 16 * SIDE };

static void without_winograd(void *user, msk_kernels *kernels) {
  (void)user;
  kernels->winograd_input = NULL;
  kernels->winograd_output = NULL;
}

/* Decodes the same random codes; *count floats at `pixels`. */
static void decode(const char *isa, const msk_device_hook *hook, float *pixels, size_t *count) {
  struct rig rig;
  msk_error error = {0};
  int32_t codes[SIDE * SIDE];
  uint64_t seed = 5;
  rig_open(&rig, isa, 1);
  msk_device_destroy(rig.device);
  if (msk_device_create_with(&rig.device, isa, MSK_PRECISION_FP32, NULL, hook, &error) != MSK_OK)
    fail_msg("%s", error.message);
  rig.stream.device = rig.device;
  msk_vqgan *vqgan = vqgan_open(&rig, golden_path("tiny/tokenizer_imagenet128_checkpoint"), "", 0);
  const msk_vqgan_config *config = msk_vqgan_get_config(vqgan);
  for (size_t i = 0; i < SIDE * SIDE; i++) codes[i] = (int32_t)(test_random(&seed) % config->codes);
  *count = 3 * SIDE * SIDE * config->patch * config->patch;
  assert_true(*count <= PIXELS);
  rig_decode(&rig, vqgan, codes, 1, SIDE, SIDE, pixels, NULL);
  msk_vqgan_destroy(vqgan);
  rig_close(&rig);
}

static int rounded(float pixel) { return (int)lrintf(255 * fminf(fmaxf(pixel, 0), 1)); }

static void test_pictures(void **state) {
  (void)state;
  float *fast = malloc(PIXELS * sizeof *fast), *direct = malloc(PIXELS * sizeof *direct);
  int compared = 0;
  for (int set = 1; msk_isa_name(set) != NULL; set++) {
    size_t count, direct_count, different = 0;
    double error = 0, size = 0;
    decode(msk_isa_name(set), NULL, fast, &count);
    decode(msk_isa_name(set), &(msk_device_hook){without_winograd, NULL}, direct, &direct_count);
    assert_int_equal(count, direct_count);
    for (size_t i = 0; i < count; i++) {
      assert_in_range(rounded(fast[i]) - rounded(direct[i]) + 1, 0, 2);
      different += fast[i] != direct[i];
      error += pow((double)fast[i] - direct[i], 2);
      size += pow(direct[i], 2);
    }
    print_message("%s: relative difference of the pictures %.2g\n", msk_isa_name(set),
                  sqrt(error / size));
    assert_true(different > count / 2); /* two algorithms, not one twice */
    compared++;
  }
  if (compared == 0) skip();
  free(fast), free(direct);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_pictures)};
  return cmocka_run_group_tests_name("winograd pictures", tests, NULL, NULL);
}
