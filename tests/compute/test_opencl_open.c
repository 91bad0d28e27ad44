/* SPDX-License-Identifier: Apache-2.0
 *
 * test_opencl_open.c - finding devices of OpenCL, their compiled kernels on disk, each call to the
 * driver failing in turn, and two workspaces at once. Skipped where there is no OpenCL. */
#include <ctype.h>
#include <ftw.h>
#include <pthread.h>
#include <sys/stat.h>

#include "opencl_faults.h"
#include "opencl_support.h"

static msk_cl cl;
static msk_gpu_facts facts;

/* ---- finding ---- */

static void test_list(void **state) {
  msk_gpu_facts found[MSK_MAX_GPUS];
  size_t count = 0;
  (void)state;
  assert_int_equal(msk_gpu_list(&cl, found, &count, NULL), MSK_OK);
  assert_true(count > 0);
  for (size_t i = 0; i < count; i++) {
    assert_true(found[i].name[0] != 0 && found[i].platform[0] != 0 && found[i].driver[0] != 0);
    assert_true(found[i].memory >= found[i].largest_buffer && found[i].largest_buffer > 0);
    assert_true(found[i].units > 0 && found[i].largest_group > 0);
    if (i > 0) assert_true(found[i - 1].gpu || !found[i].gpu);
  }
}

static void test_find(void **state) {
  msk_gpu_facts found;
  msk_error error;
  char upper[sizeof facts.name];
  (void)state;
  assert_int_equal(msk_gpu_find(&cl, "1", &found, &error), MSK_OK);
  assert_true(found.id == facts.id);
  for (size_t i = 0; i < sizeof upper; i++) upper[i] = (char)toupper((unsigned char)facts.name[i]);
  assert_int_equal(msk_gpu_find(&cl, upper, &found, &error), MSK_OK);
  assert_true(found.id == facts.id);
  assert_int_equal(msk_gpu_find(&cl, "no such make", &found, &error), MSK_ERROR_DEVICE);
  assert_non_null(strstr(error.message, facts.name));
  assert_int_equal(msk_gpu_find(&cl, "99", &found, &error), MSK_ERROR_DEVICE);
  msk_status first_gpu = msk_gpu_find(&cl, "gpu", &found, &error);
  assert_int_equal(first_gpu, facts.gpu ? MSK_OK : MSK_ERROR_DEVICE);
}

static int32_t no_platform(uint32_t room, msk_cl_platform *platforms, uint32_t *count) {
  (void)room, (void)platforms, (void)count;
  return MSK_CL_PLATFORM_NOT_FOUND_KHR;
}

static int32_t broken_platforms(uint32_t room, msk_cl_platform *platforms, uint32_t *count) {
  (void)room, (void)platforms, (void)count;
  return MSK_CL_OUT_OF_RESOURCES;
}

/* A loader without drivers has no devices, which is no error; one that fails is one. */
static void test_no_driver(void **state) {
  msk_cl other = cl;
  msk_gpu_facts found[MSK_MAX_GPUS];
  msk_error error;
  size_t count = 7;
  (void)state;
  other.GetPlatformIDs = no_platform;
  assert_int_equal(msk_gpu_list(&other, found, &count, &error), MSK_OK);
  assert_int_equal(count, 0);
  assert_int_equal(msk_gpu_find(&other, "gpu", found, &error), MSK_ERROR_DEVICE);
  other.GetPlatformIDs = broken_platforms;
  assert_int_equal(msk_gpu_list(&other, found, &count, &error), MSK_ERROR_DEVICE);
}

/* ---- the folder of compiled kernels ---- */

/* Opens the device with this folder; whether its kernels were there. */
static bool opened_from(const char *cache) {
  msk_gpu *gpu;
  msk_error error;
  if (msk_gpu_open(&gpu, &cl, &facts, cache, NULL, &error) != MSK_OK) fail_msg("%s", error.message);
  bool kept = gpu->from_cache;
  msk_gpu_close(gpu);
  return kept;
}

static char found_file[256];
static int note_file(const char *path, const struct stat *status, int kind, struct FTW *walk) {
  (void)status, (void)walk;
  if (kind == FTW_F) snprintf(found_file, sizeof found_file, "%s", path);
  return 0;
}

/* Damages the only file of the folder. */
static void damage(const char *cache, bool shorten) {
  found_file[0] = 0;
  assert_int_equal(nftw(cache, note_file, 8, FTW_PHYS), 0);
  assert_true(found_file[0] != 0);
  FILE *file = fopen(found_file, "r+b");
  assert_non_null(file);
  assert_int_equal(fseek(file, 0, SEEK_END), 0);
  long size = ftell(file);
  assert_int_equal(fseek(file, size / 2, SEEK_SET), 0);
  int byte = fgetc(file);
  assert_int_equal(fseek(file, size / 2, SEEK_SET), 0);
  fputc(byte ^ 1, file);
  assert_int_equal(fclose(file), 0);
  if (shorten) assert_int_equal(truncate(found_file, 10), 0);
}

static void test_kernel_folder(void **state) {
  char below[96], file[96];
  (void)state;
  snprintf(below, sizeof below, "%s/a/b", test_folder);
  assert_false(opened_from(NULL));
  assert_false(opened_from(below));
  assert_true(opened_from(below));
  for (int shorten = 0; shorten < 2; shorten++) { /* what is damaged is made anew */
    damage(below, shorten);
    assert_false(opened_from(below));
    assert_true(opened_from(below));
  }
  /* a driver of another version has kernels of its own */
  facts.driver[0] ^= 1;
  assert_false(opened_from(below));
  facts.driver[0] ^= 1;
  assert_true(opened_from(below));
  /* a folder that cannot be is none */
  snprintf(file, sizeof file, "%s/file", test_folder);
  assert_int_equal(fclose(fopen(file, "w")), 0);
  snprintf(below, sizeof below, "%s/file/folder", test_folder);
  assert_false(opened_from(below));
  assert_false(opened_from(below));
}

/* ---- calls that fail ---- */

/* Everything that is done with a device, from finding it to results that are right. */
static msk_status use_device(const char *cache, msk_error *error) {
  msk_gpu_facts found;
  msk_gpu *gpu = NULL;
  msk_device *device = NULL;
  const char *wrong = NULL;
  msk_status status = msk_gpu_find(&faults_cl, "1", &found, error);
  if (status == MSK_OK) status = msk_gpu_open(&gpu, &faults_cl, &found, cache, NULL, error);
  if (status == MSK_OK) status = msk_gpu_device_create(&device, gpu, NULL, error);
  if (status == MSK_OK) status = msk_gpu_selfcheck(device, &wrong, error);
  /* a call that failed may cost time, and never a number */
  assert_null(wrong);
  msk_device_destroy(device);
  return status;
}

static void test_failures(void **state) {
  char cache[96];
  msk_error error;
  long failed = 0, harmless = 0;
  (void)state;
  snprintf(cache, sizeof cache, "%s/faults", test_folder);
  assert_false(opened_from(cache));
  for (faults_at = 1;; faults_at++) {
    faults_calls = faults_living = 0;
    error.message[0] = 0;
    msk_status status = use_device(cache, &error);
    assert_int_equal(faults_living, 0);
    if (faults_calls < faults_at) break;
    if (status == MSK_OK) {
      harmless++;
      continue;
    }
    failed++;
    assert_true(status == MSK_ERROR_DEVICE);
    assert_true(strlen(error.message) > 20 && strchr(error.message, '\n') == NULL);
  }
  printf("calls that failed: %ld, of which %ld cost nothing\n", failed + harmless, harmless);
  assert_true(failed > 100);
  faults_at = 0;
}

/* ---- two at once ---- */

static void *check_device(void *user) {
  msk_device *const *device = user;
  const char *wrong = "";
  /* each has workspaces of its own; what they place is apart too */
  msk_status status = msk_gpu_selfcheck(*device, &wrong, NULL);
  return status == MSK_OK && wrong == NULL ? user : NULL;
}

static void test_two_devices(void **state) {
  msk_device *devices[2] = {opencl_device(&cl, &facts), opencl_device(&cl, &facts)};
  pthread_t threads[2];
  void *right;
  (void)state;
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < 2; i++)
      assert_int_equal(pthread_create(&threads[i], NULL, check_device, &devices[i]), 0);
    for (int i = 0; i < 2; i++) {
      assert_int_equal(pthread_join(threads[i], &right), 0);
      assert_non_null(right);
    }
  }
  for (int i = 0; i < 2; i++) msk_device_destroy(devices[i]);
}

int main(void) {
  opencl_first(&cl, &facts);
  faults_real = cl;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_list),
      cmocka_unit_test(test_find),
      cmocka_unit_test(test_no_driver),
      cmocka_unit_test_setup_teardown(test_kernel_folder, set_up_folder, tear_down_folder),
      cmocka_unit_test_setup_teardown(test_failures, set_up_folder, tear_down_folder),
      cmocka_unit_test(test_two_devices)};
  return cmocka_run_group_tests_name("devices of OpenCL", tests, NULL, NULL);
}
