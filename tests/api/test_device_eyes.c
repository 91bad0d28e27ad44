/* SPDX-License-Identifier: Apache-2.0
 *
 * test_device_eyes.c - CLIP and the judge on a device of OpenCL: golden figures of other programs,
 * the same bytes each time, the memory that was planned; and a device that fails, where the CPU goes
 * on with what it would have found by itself, or says what failed. Skipped where there is no
 * OpenCL. */
#include "api/eyes.h"
#include "clip_files.h"
#include "compute/opencl/gpu.h"
#include "opencl_faults.h"
#include "tensor/weight_file.h"

enum { DIMENSIONS = 32, SIDE = 32, CLASSES = 3, FEATURES = 24, SKIPPED = 77 };

/* ---- the networks ---- */

/* The golden one, or that of the CLIP that comes along. */
static const char *clip_folder;

static msk_clip *open_clip(const char *device) {
  msk_clip *clip = NULL;
  msk_error error;
  msk_clip_options options;
  msk_clip_options_init(&options);
  options.device = device;
  options.threads = 1;
  if (msk_clip_open(&clip, clip_folder, &options, &error) != MSK_OK) fail_msg("%s", error.message);
  return clip;
}

static msk_judge *open_judge(const char *device) {
  msk_judge *judge = NULL;
  msk_error error;
  msk_judge_options options;
  msk_judge_options_init(&options);
  options.device = device;
  options.threads = 1;
  if (msk_judge_open(&judge, golden_path("judge/judge.safetensors"), &options, &error) != MSK_OK)
    fail_msg("%s", error.message);
  return judge;
}

static int set_up(void **state) {
  const int failed = set_up_folder(state);
  clip_write(test_folder, "config.json");
  clip_folder = test_folder;
  return failed;
}

/* ---- what they find ---- */

/* A text of CLIP's and a picture, or all that the judge says of a picture. */
typedef struct findings {
  float text[DIMENSIONS], picture[DIMENSIONS];
  float classes[CLASSES], silhouette[SIDE * SIDE], whole, features[FEATURES];
} findings;

static msk_status ask_clip(msk_clip *clip, findings *found, msk_error *error) {
  const char *text = "a photo of a songbird";
  msk_image image = {0};
  msk_status status = msk_image_load(
      &image, golden_path("clip/preprocess/pp0_gradient_256x256.png"), MSK_ALPHA_DROP, NULL, error);
  if (status == MSK_OK) status = msk_clip_embed_texts(clip, &text, 1, found->text, NULL, error);
  if (status == MSK_OK) status = msk_clip_embed_images(clip, &image, 1, found->picture, error);
  msk_image_free(&image);
  return status;
}

static msk_status ask_judge(msk_judge *judge, findings *found, msk_error *error) {
  golden_array array = golden_load(golden_path("judge/odd_picture.npy"));
  const msk_image image = {
      .width = (int)array.shape[1], .height = (int)array.shape[0], .pixels = (uint8_t *)array.data};
  msk_status status = msk_judge_look(judge, &image, 1, found->classes, found->silhouette,
                                     &found->whole, found->features, error);
  golden_free(&array);
  return status;
}

static void check(const float *values, const char *path, size_t count, double tolerance) {
  golden_array golden = golden_load(path);
  assert_true(golden.elements >= count);
  assert_close(values, (const float *)golden.data, count, tolerance);
  golden_free(&golden);
}

/* The CPU's own bounds: torch's embeddings, which round otherwise, within 2e-5; the judge's float64
 * within what twelve convolutions of numbers below 4 are off by, each 1.3e-6 of them at most. */
static void test_figures(void **state) {
  static const double judged = 12 * 1.3e-6 * 4;
  findings found[2] = {0};
  msk_clip_info clip_info;
  msk_judge_info judge_info;
  (void)state;
  for (int i = 0; i < 2; i++) {
    msk_clip *clip = open_clip("1");
    msk_judge *judge = open_judge("1");
    msk_clip_get_info(clip, &clip_info);
    msk_judge_get_info(judge, &judge_info);
    assert_string_equal(clip_info.device, msk_device_name(clip->runner.gpu));
    assert_string_equal(judge_info.device, clip_info.device);
    assert_null(clip->file);
    assert_null(judge->file);
    assert_int_equal(ask_clip(clip, &found[i], NULL), MSK_OK);
    assert_int_equal(ask_judge(judge, &found[i], NULL), MSK_OK);
    assert_null(msk_clip_warning(clip));
    assert_null(msk_judge_warning(judge));
    msk_clip_close(clip);
    msk_judge_close(judge);
  }
  assert_memory_equal(&found[0], &found[1], sizeof *found);
  /* the first rows */
  check(found->text, golden_path("clip/embeddings/text_embeds.npy"), DIMENSIONS, 2e-5);
  check(found->picture, golden_path("clip/embeddings/image_embeds.npy"), DIMENSIONS, 2e-5);
  check(found->classes, golden_path("judge/odd_classes.npy"), CLASSES, judged);
  check(found->silhouette, golden_path("judge/odd_silhouette.npy"), SIDE * SIDE, judged);
  check(&found->whole, golden_path("judge/odd_whole.npy"), 1, judged);
  check(found->features, golden_path("judge/odd_features.npy"), FEATURES, judged);
}

static void test_unknown(void **state) {
  msk_clip *clip = NULL;
  msk_judge *judge = NULL;
  msk_error error;
  msk_clip_options clip_options;
  msk_judge_options judge_options;
  (void)state;
  msk_clip_options_init(&clip_options);
  msk_judge_options_init(&judge_options);
  clip_options.device = judge_options.device = "no such device";
  assert_int_equal(msk_clip_open(&clip, test_folder, &clip_options, &error), MSK_ERROR_DEVICE);
  assert_int_equal(
      msk_judge_open(&judge, golden_path("judge/judge.safetensors"), &judge_options, &error),
      MSK_ERROR_DEVICE);
  assert_null(clip);
  assert_null(judge);
}

/* ---- failures ---- */

/* CLIP, or else the judge, on a device whose calls are counted. */
typedef struct eye {
  msk_clip *clip;
  msk_judge *judge;
  msk_runner *runner;
} eye;

static eye open_eye(bool clip, const char *device) {
  eye e = {0};
  if (clip) {
    e.clip = open_clip(device);
    e.runner = &e.clip->runner;
  } else {
    e.judge = open_judge(device);
    e.runner = &e.judge->runner;
  }
  return e;
}

static void close_eye(eye *e) {
  msk_clip_close(e->clip);
  msk_judge_close(e->judge);
}

static msk_status ask(const eye *e, findings *found, msk_error *error) {
  return e->clip != NULL ? ask_clip(e->clip, found, error) : ask_judge(e->judge, found, error);
}

static const char *warning_of(const eye *e) {
  return e->clip != NULL ? msk_clip_warning(e->clip) : msk_judge_warning(e->judge);
}

/* As it is where "auto" has found the device to be the faster: the file stays open. */
static void keep_file(eye *e) {
  msk_weight_file **file = e->clip != NULL ? &e->clip->file : &e->judge->file;
  const char *path = e->clip != NULL ? clip_path(clip_folder, "model.safetensors")
                                     : golden_path("judge/judge.safetensors");
  assert_int_equal(msk_weight_file_open(file, path, NULL, NULL), MSK_OK);
}

/* As if it had just been opened. */
static void find_again(const eye *e, bool may_fall) {
  msk_runner *runner = e->runner;
  runner->may_fall = may_fall;
  runner->line[0] = 0;
  msk_workspace_destroy(runner->workspace, runner->gpu);
  msk_free(NULL, runner->memory);
  runner->workspace = NULL;
  runner->memory = NULL;
  runner->bytes = 0;
  if (runner->place == runner->gpu) return;
  assert_int_equal(runner->load(runner->owner, runner->gpu, NULL, NULL), MSK_OK);
  runner->place = runner->gpu;
}

/* Asks an eye that is on its device, where the at-th call fails; and once more. */
static msk_status ask_failing(const eye *e, bool may_fall, long at, const findings *cpu,
                              const findings *there) {
  findings found = {0}, again = {0};
  msk_error error;
  find_again(e, may_fall);
  faults_calls = 0;
  faults_at = at;
  msk_status status = ask(e, &found, &error);
  faults_at = 0;
  const bool fallen = e->runner->place == e->runner->cpu;
  assert_true(fallen ? may_fall && strstr(warning_of(e), "the CPU goes on") != NULL
                     : warning_of(e) == NULL);
  if (status == MSK_OK) {
    /* of CLIP's two passes the first may have been the device's still */
    if (memcmp(found.text, there->text, sizeof found.text) == 0)
      memcpy(found.text, fallen ? cpu->text : there->text, sizeof found.text);
    assert_memory_equal(&found, fallen ? cpu : there, sizeof found);
  } else {
    assert_false(may_fall);
    assert_int_equal(status, MSK_ERROR_DEVICE);
    assert_non_null(strstr(error.message, "failed in"));
  }
  /* a device that is there again is used again; the CPU stays */
  assert_int_equal(ask(e, &again, &error), MSK_OK);
  assert_memory_equal(&again, fallen ? cpu : there, sizeof again);
  return status;
}

/* Some of the calls of a use fail in turn, besides all of the first, which take memory. */
static void check_failures(bool clip) {
  enum { FIRST = 30, PLACES = 40 };
  findings cpu = {0}, there = {0};
  int fallen = 0, refused = 0;
  eye on_cpu = open_eye(clip, NULL), e = open_eye(clip, "1");
  msk_gpu *gpu = msk_gpu_of(e.runner->gpu);
  assert_int_equal(ask(&on_cpu, &cpu, NULL), MSK_OK);
  keep_file(&e);
  faults_real = gpu->cl;
  gpu->cl = faults_cl;
  faults_calls = faults_at = 0;
  assert_int_equal(ask(&e, &there, NULL), MSK_OK);
  const long calls = faults_calls, stride = calls / PLACES + 1;
  for (long at = 1; at <= calls; at += at < FIRST ? 1 : stride) {
    assert_int_equal(ask_failing(&e, true, at, &cpu, &there), MSK_OK);
    fallen += e.runner->place == e.runner->cpu;
    refused += ask_failing(&e, false, at, &cpu, &there) != MSK_OK;
  }
  print_message("%ld calls; %d uses finished by the CPU, %d refused\n", calls, fallen, refused);
  assert_true(fallen > PLACES / 2 && fallen == refused);
  close_eye(&e);
  close_eye(&on_cpu);
}

static void test_clip_falls(void **state) {
  (void)state;
  check_failures(true);
}

static void test_judge_falls(void **state) {
  (void)state;
  check_failures(false);
}

/* ---- memory ---- */

static size_t taken_bytes;
static msk_cl_memory create_counted(msk_cl_context context, uint64_t flags, size_t bytes,
                                    void *host, int32_t *code) {
  taken_bytes += bytes;
  return faults_real.CreateBuffer(context, flags, bytes, host, code);
}

/* What is planned for the CLIP that comes along and its passes is what is taken to load it and for the larger of its
 * passes: that of a picture, or of the longest text. */
static void test_plan(void **state) {
  char text[4 * CONTEXT] = "";
  const char *texts = text;
  uint8_t pixels[3] = {0};
  const msk_image image = {.width = 1, .height = 1, .pixels = pixels};
  float vector[1024];
  msk_memory_plan plan;
  msk_clip_options options;
  (void)state;
  clip_folder = "models/clip";
  for (int i = 0; i < CONTEXT; i++) strcat(text, "a ");
  msk_clip_options_init(&options);
  options.threads = 1;
  assert_int_equal(msk_clip_plan(&plan, clip_folder, &options, NULL), MSK_OK);
  assert_int_equal(plan.device_weights, 0);
  options.device = "1";
  assert_int_equal(msk_clip_plan(&plan, clip_folder, &options, NULL), MSK_OK);
  eye e = open_eye(true, "1");
  keep_file(&e);
  faults_real = msk_gpu_of(e.runner->gpu)->cl;
  msk_gpu_of(e.runner->gpu)->cl.CreateBuffer = create_counted;
  assert_int_equal(e.runner->load(e.runner->owner, e.runner->gpu, NULL, NULL), MSK_OK);
  const size_t weights = taken_bytes;
  assert_int_equal(msk_clip_embed_texts(e.clip, &texts, 1, vector, NULL, NULL), MSK_OK);
  const size_t for_text = taken_bytes - weights;
  assert_int_equal(msk_clip_embed_images(e.clip, &image, 1, vector, NULL), MSK_OK);
  const size_t for_picture = taken_bytes - weights - for_text;
  assert_true(weights > 0 && for_text > 0);
  assert_int_equal(weights + (for_text > for_picture ? for_text : for_picture),
                   plan.device_weights);
  close_eye(&e);
}

int main(void) {
  msk_device_info *devices = NULL;
  int count = 0;
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_figures), cmocka_unit_test(test_unknown),
                                     cmocka_unit_test(test_clip_falls),
                                     cmocka_unit_test(test_judge_falls),
                                     cmocka_unit_test(test_plan)};
  const bool none = msk_device_list(&devices, &count, NULL, NULL) != MSK_OK || count == 0;
  msk_free(NULL, devices);
  if (none) {
    printf("skipped: no device of OpenCL here\n");
    return SKIPPED;
  }
  return cmocka_run_group_tests_name("eyes on a device", tests, set_up, tear_down_folder);
}
