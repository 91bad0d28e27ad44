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

static const char *extensions; /* that a device says it has */

static int32_t say_extensions(msk_cl_device device, uint32_t what, size_t room, void *value,
                              size_t *told) {
  if (what != MSK_CL_DEVICE_EXTENSIONS) return cl.GetDeviceInfo(device, what, room, value, told);
  assert_true(strlen(extensions) < room);
  strcpy(value, extensions);
  *told = strlen(extensions) + 1;
  return MSK_CL_SUCCESS;
}

/* Products of 8 bits are found among what the device lists; where its compiler has none they are
 * done without. */
static void test_dot_products(void **state) {
  static const struct {
    const char *list;
    bool has;
  } cases[] = {{"", false},
               {"cl_khr_integer_dot_product", true},
               {"cl_khr_fp64 cl_khr_integer_dot_product cl_khr_3d", true},
               {"cl_khr_integer_dot_product_2 a_cl_khr_integer_dot_product", false}};
  msk_cl saying = cl;
  msk_gpu_facts found[MSK_MAX_GPUS];
  size_t count = 0;
  (void)state;
  saying.GetDeviceInfo = say_extensions;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    extensions = cases[i].list;
    assert_int_equal(msk_gpu_list(&saying, found, &count, NULL), MSK_OK);
    assert_int_equal(found[0].dot, cases[i].has);
  }
  msk_gpu_facts pretended = facts;
  pretended.dot = true;
  msk_device *device = opencl_device(&cl, &pretended);
  const msk_gpu_shape *shape;
  const char *wrong = "not asked";
  for (size_t i = 0; (shape = msk_gpu_shape_at(i)) != NULL && !shape->tiled; i++) continue;
  assert_int_equal(msk_gpu_take_shape(msk_gpu_of(device), shape, NULL, NULL), MSK_OK);
  assert_true(facts.dot || !msk_gpu_of(device)->facts.dot);
  assert_int_equal(msk_gpu_selfcheck(device, &wrong, NULL), MSK_OK);
  if (wrong != NULL) fail_msg("%s", wrong);
  msk_device_destroy(device);
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

static bool shorten_files;
static int damaged_files;

static int damage_file(const char *path, const struct stat *status, int kind, struct FTW *walk) {
  (void)status, (void)walk;
  if (kind != FTW_F) return 0;
  FILE *file = fopen(path, "r+b");
  assert_non_null(file);
  assert_int_equal(fseek(file, 0, SEEK_END), 0);
  long size = ftell(file);
  assert_int_equal(fseek(file, size / 2, SEEK_SET), 0);
  int byte = fgetc(file);
  assert_int_equal(fseek(file, size / 2, SEEK_SET), 0);
  fputc(byte ^ 1, file);
  assert_int_equal(fclose(file), 0);
  if (shorten_files) assert_int_equal(truncate(path, 10), 0);
  damaged_files++;
  return 0;
}

/* Every file of the folder: there are `count`. */
static void damage(const char *cache, bool shorten, int count) {
  shorten_files = shorten;
  damaged_files = 0;
  assert_int_equal(nftw(cache, damage_file, 8, FTW_PHYS), 0);
  assert_int_equal(damaged_files, count);
}

static void test_kernel_folder(void **state) {
  char below[96], file[96];
  (void)state;
  snprintf(below, sizeof below, "%s/a/b", test_folder);
  assert_false(opened_from(NULL));
  assert_false(opened_from(below));
  assert_true(opened_from(below));
  for (int shorten = 0; shorten < 2; shorten++) { /* what is damaged is made anew */
    damage(below, shorten, 2);
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

/* ---- the fastest shape ---- */

/* Opens a device as the program does; whether its shape was known, and which it is. */
static bool open_tuned(const char *cache, const char **name) {
  msk_device *device = NULL;
  msk_gpu *gpu = NULL;
  msk_error error;
  if (msk_gpu_open(&gpu, &cl, &facts, cache, NULL, &error) != MSK_OK) fail_msg("%s", error.message);
  assert_int_equal(msk_gpu_device_create(&device, gpu, MSK_PRECISION_FP32, NULL, &error), MSK_OK);
  const bool known = gpu->tuned;
  if (msk_gpu_tune(device, cache, &error) != MSK_OK) fail_msg("%s", error.message);
  *name = gpu->shape->name;
  const char *wrong = "";
  assert_int_equal(msk_gpu_selfcheck(device, &wrong, &error), MSK_OK);
  assert_null(wrong);
  msk_device_destroy(device);
  return known;
}

/* Timed once, and kept with the kernels; what is damaged, or cannot be, is found out anew. */
static void test_tuning(void **state) {
  char cache[96];
  const char *name, *again;
  msk_gpu *gpu;
  msk_error error;
  (void)state;
  snprintf(cache, sizeof cache, "%s/tuned", test_folder);
  assert_false(open_tuned(NULL, &name)); /* without a folder nothing is timed */
  assert_string_equal(name, facts.gpu ? "tiled 64" : "wide 6");
  assert_false(open_tuned(cache, &name));
  assert_true(open_tuned(cache, &again));
  assert_string_equal(name, again);
  /* kernels without a shape, the fastest shape's too, and the choice */
  damage(cache, true, strcmp(name, facts.gpu ? "tiled 64" : "wide 6") == 0 ? 3 : 4);
  assert_false(open_tuned(cache, &name));
  assert_true(open_tuned(cache, &again));
  /* whole, and nothing that there is; or that this device cannot have */
  for (int i = 0; i < 2; i++) {
    const char *kept = i == 0 ? "wide 7" : "tiled 128";
    const uint64_t memory = facts.local_memory;
    assert_int_equal(msk_gpu_open(&gpu, &cl, &facts, cache, NULL, &error), MSK_OK);
    msk_gpu_keep(gpu, msk_product_text, "shape of products", cache, kept, strlen(kept) + 1);
    msk_gpu_close(gpu);
    facts.local_memory = 1024;
    assert_int_equal(msk_gpu_open(&gpu, &cl, &facts, cache, NULL, &error), MSK_OK);
    facts.local_memory = memory;
    assert_false(gpu->tuned || gpu->shape->tiled);
    msk_gpu_close(gpu);
  }
}

/* A call that fails while shapes are timed leaves one out, or ends with an error; it never has the
 * device compute wrongly, and nothing is left behind. */
static void test_tuning_fails(void **state) {
  char cache[96];
  const char *wrong = NULL;
  long failed = 0, harmless = 0;
  msk_error error;
  (void)state;
  /* how many calls there are depends on how fast the machine is: each shape is timed for a while */
  for (long at = 1;; at *= 4) {
    msk_gpu *gpu = NULL;
    msk_device *device = NULL;
    snprintf(cache, sizeof cache, "%s/tuning%ld", test_folder, at);
    faults_calls = faults_living = 0;
    faults_at = 0;
    assert_int_equal(msk_gpu_open(&gpu, &faults_cl, &facts, cache, NULL, &error), MSK_OK);
    assert_int_equal(msk_gpu_device_create(&device, gpu, MSK_PRECISION_FP32, NULL, &error), MSK_OK);
    faults_calls = 0;
    faults_at = at;
    msk_status status = msk_gpu_tune(device, cache, &error);
    const bool over = faults_calls < at;
    faults_at = 0;
    assert_true(status == MSK_OK || status == MSK_ERROR_DEVICE);
    *(status == MSK_OK ? &harmless : &failed) += 1;
    if (status == MSK_OK) {
      assert_int_equal(msk_gpu_selfcheck(device, &wrong, &error), MSK_OK);
      assert_null(wrong);
    }
    msk_device_destroy(device);
    assert_int_equal(faults_living, 0);
    if (over) break;
  }
  assert_true(failed > 0 && harmless > 0);
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
  if (status == MSK_OK)
    status = msk_gpu_device_create(&device, gpu, MSK_PRECISION_FP32, NULL, error);
  if (status == MSK_OK) status = msk_gpu_selfcheck(device, &wrong, error);
  /* a call that failed may cost time, and never a number */
  assert_null(wrong);
  msk_device_destroy(device);
  return status;
}

#ifdef __SANITIZE_ADDRESS__
enum { FAULT_STRIDE = 5 }; /* each device that is opened takes a second */
#else
enum { FAULT_STRIDE = 1 };
#endif

static void test_failures(void **state) {
  char cache[96];
  msk_error error;
  long failed = 0, harmless = 0;
  (void)state;
  snprintf(cache, sizeof cache, "%s/faults", test_folder);
  assert_false(opened_from(cache));
  for (faults_at = 1;; faults_at += FAULT_STRIDE) {
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
  assert_true(failed * FAULT_STRIDE > 100);
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
      cmocka_unit_test(test_dot_products),
      cmocka_unit_test(test_no_driver),
      cmocka_unit_test_setup_teardown(test_kernel_folder, set_up_folder, tear_down_folder),
      cmocka_unit_test_setup_teardown(test_tuning, set_up_folder, tear_down_folder),
      cmocka_unit_test_setup_teardown(test_tuning_fails, set_up_folder, tear_down_folder),
      cmocka_unit_test_setup_teardown(test_failures, set_up_folder, tear_down_folder),
      cmocka_unit_test(test_two_devices)};
  return cmocka_run_group_tests_name("devices of OpenCL", tests, NULL, NULL);
}
