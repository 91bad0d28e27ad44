/* SPDX-License-Identifier: Apache-2.0
 *
 * test_amx.c - how AMX's products use their tiles, on emulated ones: released when a product
 * ends, on every worker, and configured no oftener than shapes change; and on which machines the
 * set counts. What it computes: test_kernels, test_int8, test_conv_int8, which have it among
 * their sets. */
#include "emulated.h"
#include "naive.h"

#include "compute/cpu/features.h"

/* ---- tiles ---- */

/* Slices of one panel, as a product adds them up; returns how often tiles were configured. */
static long configurations_of(const msk_kernels *k, size_t rows, size_t depth, int calls) {
  enum { WIDTH = 32 };
  size_t b_bytes = depth * WIDTH, c_bytes = rows * WIDTH * sizeof(int32_t);
  uint8_t *a = paged_new(rows * depth);
  int8_t *b = paged_new(b_bytes);
  int32_t *c = paged_new(c_bytes), *once = paged_new(c_bytes);
  uint64_t seed = rows + depth;
  for (size_t i = 0; i < rows * depth; i++) a[i] = (uint8_t)(test_random(&seed) >> 56);
  for (size_t i = 0; i < b_bytes; i++) b[i] = (int8_t)(test_random(&seed) >> 56);
  msk_kernels reference;
  msk_kernels_ref(&reference);
  reference.int8_panel(rows, WIDTH, depth, a, depth, b, once, WIDTH, false, b);
  long before = emulated_configurations_made();
  for (int i = 0; i < calls; i++)
    k->int8_panel(rows, WIDTH, depth, a, depth, b, c, WIDTH, i > 0, b);
  assert_int_equal(emulated_threads_in_use(), 1);
  k->end_products();
  assert_int_equal(emulated_threads_in_use(), 0);
  k->end_products(); /* nothing is left to give back */
  assert_int_equal(emulated_threads_in_use(), 0);
  for (size_t i = 0; i < rows * WIDTH; i++) assert_int_equal(c[i], calls * once[i]);
  paged_free(a, rows * depth), paged_free(b, b_bytes), paged_free(c, c_bytes),
      paged_free(once, c_bytes);
  return emulated_configurations_made() - before;
}

static void test_configurations(void **state) {
  (void)state;
  msk_device *device = tested_device(EMULATED_AMX, MSK_PRECISION_INT8);
  const msk_kernels *k = &device->kernels;
  assert_int_equal(configurations_of(k, 64, 128, 10), 1);
  assert_int_equal(configurations_of(k, 20, 128, 10), 1);
  assert_int_equal(configurations_of(k, 65, 128, 10), 11); /* the last rows have another shape */
  assert_int_equal(configurations_of(k, 64, 20, 10), 1);
  assert_int_equal(configurations_of(k, 64, 84, 10), 20); /* so has the end of the depth */
  msk_device_destroy(device);
}

/* Layers and convolutions by several workers leave no thread with tiles. */
static void test_released(void **state) {
  (void)state;
  enum { ROWS = 100, IN = 70, OUT = 300, SIDE = 20, CHANNELS = 32 };
  msk_device *device = tested_device(EMULATED_AMX, MSK_PRECISION_INT8);
  float *x = random_new(ROWS * IN + SIDE * SIDE * CHANNELS, 1, 1), *y = guarded_new(ROWS * OUT),
        *weight = random_new(IN * OUT, 2, 1);
  msk_linear *linear;
  msk_conv *conv;
  const msk_linear_part part = {.weight = weight, .out = OUT};
  assert_int_equal(msk_linear_create(&linear, device, MSK_PRECISION_INT8, IN, &part, 1, NULL, NULL),
                   MSK_OK);
  assert_int_equal(msk_conv_create_int8(&conv, device, weight, MSK_DTYPE_F32, NULL, 1, CHANNELS,
                                        CHANNELS, NULL, NULL),
                   MSK_OK);
  for (int threads = 1; threads <= 4; threads++) {
    long before = emulated_configurations_made();
    run_operation(device, threads, do_linear,
                  &(linear_args){.linear = linear, .x = x, .y = y, .rows = ROWS});
    assert_true(emulated_configurations_made() > before);
    assert_int_equal(emulated_threads_in_use(), 0);
    before = emulated_configurations_made();
    run_operation(device, threads, do_conv,
                  &(conv_args){.conv = conv,
                               .x = x,
                               .y = y,
                               .batch = 1,
                               .height = SIDE,
                               .width = SIDE,
                               .upsample = 1});
    assert_true(emulated_configurations_made() > before);
    assert_int_equal(emulated_threads_in_use(), 0);
  }
  msk_linear_destroy(linear);
  msk_conv_destroy(conv);
  guarded_free(x), guarded_free(y), guarded_free(weight);
  msk_device_destroy(device);
}

static void test_selfcheck(void **state) {
  (void)state;
  msk_device *device = tested_device(EMULATED_AMX, MSK_PRECISION_INT8);
  const char *wrong = "?";
  assert_int_equal(msk_selfcheck(device, &wrong, NULL), MSK_OK);
  assert_null(wrong);
  msk_device_destroy(device);
}

/* ---- which machines ---- */

#if defined(__x86_64__)

/* A machine's answers: leaves 1, 7.0, 7.1 and 0x1d.1, XCR0, and the system's leave. */
static struct {
  msk_cpuid one, seven, seven_one, palette;
  uint64_t saved;
  bool granted;
  int requests, bit;
} fake;

static msk_cpuid fake_cpuid(uint32_t leaf, uint32_t subleaf) {
  if (leaf == 1) return fake.one;
  if (leaf == 7) return subleaf == 0 ? fake.seven : fake.seven_one;
  if (leaf == 0x1d && subleaf == 1) return fake.palette;
  return (msk_cpuid){0};
}

static uint64_t fake_saved(void) {
  assert_true(fake.one.c >> 27 & 1); /* without OSXSAVE, xgetbv is no instruction */
  return fake.saved;
}

static bool fake_request(int bit) {
  fake.requests++;
  fake.bit = bit;
  return fake.granted;
}

static const msk_machine fake_machine = {fake_cpuid, fake_saved, fake_request};

/* What a Sapphire Rapids says under Linux. */
static void fake_all(void) {
  fake.one = (msk_cpuid){.c = 1u << 12 | 1u << 27 | 1u << 28 | 1u << 29};
  fake.seven = (msk_cpuid){.b = 1u << 5 | 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31,
                           .c = 1u << 11,
                           .d = 1u << 24 | 1u << 25};
  fake.seven_one = (msk_cpuid){.a = 1u << 4 | 1u << 5};
  fake.palette = (msk_cpuid){.a = 1024 << 16 | 8192, .b = 8 << 16 | 64, .c = 16};
  fake.saved = 0x602e7;
  fake.granted = true;
  fake.requests = 0;
}

static msk_feature *const features[] = {msk_has_avx2,       msk_has_avxvnni,    msk_has_avx512,
                                        msk_has_avx512vnni, msk_has_avx512bf16, msk_has_amx};
enum { FEATURES = sizeof features / sizeof *features };

enum { AVX2 = 1, AVXVNNI = 2, AVX512 = 4, AVX512VNNI = 8, AVX512BF16 = 16, AMX = 32, ALL = 63 };

/* Each set in turn: those of `expected`, a bit each. */
static void check_features(unsigned expected) {
  for (size_t i = 0; i < FEATURES; i++)
    assert_int_equal(features[i](&fake_machine), expected >> i & 1);
}

/* Without the bit of `where`, only the sets `left` remain; the system is asked for tiles only
 * where nothing else is missing. */
static void without(uint32_t *where, int bit, unsigned left) {
  *where &= ~(UINT32_C(1) << bit);
  check_features(left);
  assert_int_equal(fake.requests, left >= AMX);
  fake_all();
}

static void test_processors(void **state) {
  (void)state;
  fake_all();
  check_features(ALL);
  assert_int_equal(fake.requests, 1);
  assert_int_equal(fake.bit, 18);
  fake_all();
  static const int base[] = {12, 27, 28, 29}, wide[] = {16, 17, 30, 31}, tiles[] = {24, 25};
  for (size_t i = 0; i < 4; i++) without(&fake.one.c, base[i], 0);
  for (size_t i = 0; i < 4; i++) without(&fake.seven.b, wide[i], AVX2 | AVXVNNI);
  for (size_t i = 0; i < 2; i++) without(&fake.seven.d, tiles[i], ALL & ~AMX);
  without(&fake.seven.b, 5, 0);
  without(&fake.seven_one.a, 4, ALL & ~AVXVNNI);
  without(&fake.seven_one.a, 5, ALL & ~(AVX512BF16 | AMX));
  without(&fake.seven.c, 11, AVX2 | AVXVNNI | AVX512);
}

static void test_systems(void **state) {
  (void)state;
  static const struct {
    uint64_t saved;
    unsigned left;
  } systems[] = {{0x202e7, ALL & ~AMX},     {0x402e7, ALL & ~AMX}, {0x2e7, ALL & ~AMX},
                 {0x60007, AVX2 | AVXVNNI}, {0x600e3, 0},          {0, 0}};
  for (size_t i = 0; i < sizeof systems / sizeof *systems; i++) {
    fake_all();
    fake.saved = systems[i].saved;
    check_features(systems[i].left);
    assert_int_equal(fake.requests, 0);
  }
  fake_all();
  fake.granted = false;
  check_features(ALL & ~AMX);
  assert_int_equal(fake.requests, 1);
}

/* Tiles that are smaller, or fewer, than the kernels'. */
static void test_palettes(void **state) {
  (void)state;
  static const msk_cpuid palettes[] = {
      {0}, {.b = 7 << 16 | 64, .c = 16}, {.b = 8 << 16 | 32, .c = 16}, {.b = 8 << 16 | 64, .c = 8}};
  for (size_t i = 0; i < 4; i++) {
    fake_all();
    fake.palette = palettes[i];
    check_features(ALL & ~AMX);
    assert_int_equal(fake.requests, 0);
  }
}

/* The real one answers without harm, and always the same. */
static void test_this_machine(void **state) {
  (void)state;
  for (size_t i = 0; i < FEATURES; i++)
    assert_int_equal(features[i](&msk_this_machine), features[i](&msk_this_machine));
  assert_true(!msk_has_amx(&msk_this_machine) || msk_has_avx512bf16(&msk_this_machine));
  assert_int_equal(msk_has_avx2(&msk_this_machine), __builtin_cpu_supports("avx2") != 0);
}
#endif

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_configurations),
    cmocka_unit_test(test_released),
    cmocka_unit_test(test_selfcheck),
#if defined(__x86_64__)
    cmocka_unit_test(test_processors),
    cmocka_unit_test(test_systems),
    cmocka_unit_test(test_palettes),
    cmocka_unit_test(test_this_machine),
#endif
  };
  return cmocka_run_group_tests_name("compute amx", tests, NULL, NULL);
}
