/* SPDX-License-Identifier: Apache-2.0
 *
 * test_memory.c - the plan of a model's memory against what an allocator really gave: for each
 * kernel set and precision, weights stored as F32 and as F16; and that of a CLIP. */
#include <stdatomic.h>

#include "api.h"
#include "masksketch_tools.h"

enum { HEADER = 64 };

/* Bytes that are out, and the most that ever were. */
typedef struct meter {
  msk_allocator allocator;
  _Atomic size_t now, most;
} meter;

static void *meter_allocate(void *user, size_t bytes) {
  meter *m = user;
  char *block = aligned_alloc(HEADER, (bytes + 2 * HEADER - 1) / HEADER * HEADER);
  if (block == NULL) return NULL;
  memcpy(block, &bytes, sizeof bytes);
  size_t now = atomic_fetch_add(&m->now, bytes) + bytes, most = m->most;
  while (now > most && !atomic_compare_exchange_weak(&m->most, &most, now)) continue;
  return block + HEADER;
}

static void meter_release(void *user, void *memory) {
  meter *m = user;
  size_t bytes;
  memcpy(&bytes, (char *)memory - HEADER, sizeof bytes);
  atomic_fetch_sub(&m->now, bytes);
  free((char *)memory - HEADER);
}

/* Tables and names beside the weights: some hundred bytes a tensor. */
enum { TABLES = 150000 };

static void check_plan(const char *path, const char *isa, msk_precision precision,
                       msk_precision decoding, size_t *weights) {
  meter m = {.allocator = {.allocate = meter_allocate, .release = meter_release}};
  msk_model_options options;
  msk_memory_plan plan;
  msk_error error = {0};
  msk_model *model = NULL;
  m.allocator.user = &m;
  msk_model_options_init(&options);
  options.isa = isa;
  options.precision = precision;
  options.decode_precision = decoding;
  options.threads = 2;
  options.allocator = &m.allocator;
  api_ok(msk_model_plan(&plan, path, &options, &error), &error);
  assert_int_equal(m.now, 0);
  size_t device = m.most; /* the kernels' check of themselves, which comes and goes */
  m.most = 0;
  api_ok(msk_model_open(&model, path, &options, &error), &error);
  size_t kept = m.now, most = m.most;
  msk_model_close(model);
  assert_int_equal(m.now, 0);
  if (kept < plan.weights || kept > plan.weights + TABLES) {
    fail_msg("%s %s %d %d: %zu bytes are kept, %zu were planned", path, isa, (int)precision,
             (int)decoding, kept, plan.weights);
  }
  if (most > plan.weights + plan.loading + TABLES + device) {
    fail_msg("%s %s %d %d: %zu bytes at most, %zu + %zu were planned", path, isa, (int)precision,
             (int)decoding, most, plan.weights, plan.loading);
  }
  *weights = plan.weights;
}

/* The same networks, stored in F16; the layers in 8 bits. */
static const char *narrow(const char *path, int int8) {
  static char narrowed_paths[2][4096], *narrowed;
  msk_convert_options options;
  msk_error error = {0};
  narrowed = narrowed_paths[int8];
  snprintf(narrowed, sizeof narrowed_paths[0], "%s.%s", path, int8 ? "int8" : "f16");
  msk_convert_options_init(&options);
  options.tokenizer_path = options.transformer_path = path;
  options.dtype = MSK_DTYPE_F16;
  options.int8 = int8;
  options.output_path = narrowed;
  api_ok(msk_convert(&options, &error), &error);
  return narrowed;
}

static void test_plan(void **state) {
  const char *folder = *state, *sets[] = {"tiny", "odd"};
  for (int s = 0; s < 2; s++) {
    const char *path = api_convert(folder, sets[s], NULL), *small = narrow(path, 0),
               *codes = narrow(path, 1);
    for (int i = 0; msk_isa_name(i) != NULL; i++) {
      size_t whole, half, int8, both, stored, opened;
      check_plan(path, msk_isa_name(i), MSK_PRECISION_FP32, MSK_PRECISION_FP32, &whole);
      check_plan(small, msk_isa_name(i), MSK_PRECISION_FP32, MSK_PRECISION_FP32, &half);
      check_plan(path, msk_isa_name(i), MSK_PRECISION_INT8, MSK_PRECISION_FP32, &int8);
      check_plan(path, msk_isa_name(i), MSK_PRECISION_INT8, MSK_PRECISION_INT8, &both);
      check_plan(codes, msk_isa_name(i), MSK_PRECISION_OF_FILE, MSK_PRECISION_FP32, &stored);
      check_plan(codes, msk_isa_name(i), MSK_PRECISION_FP32, MSK_PRECISION_FP32, &opened);
      assert_true(half < whole && int8 < whole && both <= int8 && stored < half && opened > half);
    }
  }
}

/* The CLIP that comes along, with its passes, whose memory stays. */
static void test_clip_plan(void **state) {
  static const char *const folder = "models/clip", *const text = "a photo of a fish";
  meter m = {.allocator = {.allocate = meter_allocate, .release = meter_release}};
  uint8_t pixels[3] = {0};
  const msk_image image = {.width = 1, .height = 1, .pixels = pixels};
  float vector[1024];
  msk_clip_options options;
  msk_memory_plan plan;
  msk_error error = {0};
  msk_clip *clip = NULL;
  (void)state;
  m.allocator.user = &m;
  msk_clip_options_init(&options);
  options.threads = 2;
  options.allocator = &m.allocator;
  api_ok(msk_clip_plan(&plan, folder, &options, &error), &error);
  assert_int_equal(m.now, 0);
  assert_int_equal(plan.device_weights, 0);
  api_ok(msk_clip_open(&clip, folder, &options, &error), &error);
  const size_t opened = m.now;
  api_ok(msk_clip_embed_texts(clip, &text, 1, vector, NULL, &error), &error);
  api_ok(msk_clip_embed_images(clip, &image, 1, vector, &error), &error);
  if (m.now <= opened || m.now < plan.weights || m.now > plan.weights + TABLES)
    fail_msg("%zu bytes, and %zu with passes; %zu were planned", opened, (size_t)m.now,
             plan.weights);
  msk_clip_close(clip);
  assert_int_equal(m.now, 0);
  assert_int_equal(msk_clip_plan(NULL, folder, &options, &error), MSK_ERROR_ARGUMENT);
  assert_int_equal(msk_clip_plan(&plan, "no such folder", &options, &error), MSK_ERROR_FILE);
}

static void test_mistakes(void **state) {
  msk_memory_plan plan = {.weights = 1, .loading = 2};
  msk_error error = {0};
  char missing[4096];
  snprintf(missing, sizeof missing, "%s/missing", (const char *)*state);
  assert_int_equal(msk_model_plan(NULL, missing, NULL, &error), MSK_ERROR_ARGUMENT);
  assert_int_equal(msk_model_plan(&plan, missing, NULL, &error), MSK_ERROR_FILE);
  assert_int_equal(plan.weights, 1);
}

static int set_up(void **state) {
  *state = test_make_folder();
  return *state == NULL ? -1 : 0;
}

static int tear_down(void **state) {
  test_remove_folder(*state);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_plan), cmocka_unit_test(test_clip_plan),
                                     cmocka_unit_test(test_mistakes)};
  return cmocka_run_group_tests_name("memory", tests, set_up, tear_down);
}
