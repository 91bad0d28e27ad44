/* SPDX-License-Identifier: Apache-2.0
 *
 * test_teach.c - teaching a class on a small network: gradients of what is added against central
 * differences, the network as it was where nothing is added yet, the same bytes for any number of
 * threads and in parts, a loss that falls; and msk_teach() on a golden model, to an adapter that
 * the model opens with. */
#include <math.h>
#include <unistd.h>

#include "masksketch_tools.h"
#include "support.h"
#include "train/teacher.h"

enum { CELLS = 9, CODES = 20, CLASSES = 3, LESSONS = 6 };

static const msk_teach_plan small_plan = {.config = {.layers = 3,
                                                     .hidden = 24,
                                                     .heads = 3,
                                                     .intermediate = 40,
                                                     .positions = CELLS + 1,
                                                     .vocabulary = CODES + CLASSES + 2},
                                          .codes = CODES,
                                          .rank = 3,
                                          .first_layer = 1,
                                          .batch = 5,
                                          .steps = 60,
                                          .rate = 1e-2,
                                          .seed = 4,
                                          .class_token = CODES + CLASSES,
                                          .null_token = CODES + 2,
                                          .replay_share = 0.3,
                                          .null_share = 0.1,
                                          .hint_share = 0.5};

struct rig {
  msk_device *device;
  msk_pool *pool;
  msk_teacher *teacher;
  int32_t tokens[2 * LESSONS][CELLS];
  msk_lesson lessons[LESSONS];
};

static struct rig *start(const msk_teach_plan *plan, int threads) {
  struct rig *rig = calloc(1, sizeof *rig);
  uint64_t seed = 3;
  assert_non_null(rig);
  assert_int_equal(msk_device_create(&rig->device, NULL, MSK_PRECISION_FP32, NULL, NULL), MSK_OK);
  assert_int_equal(msk_pool_create(&rig->pool, threads, NULL, NULL), MSK_OK);
  assert_int_equal(msk_teacher_create(&rig->teacher, plan, NULL), MSK_OK);
  for (size_t p = 0; p < rig->teacher->params->count; p++) {
    const msk_param *param = &rig->teacher->params->list[p];
    float middle = strstr(param->tensor.name, ".scale") != NULL ? 1 : 0;
    for (size_t i = 0; i < param->tensor.elements; i++)
      rig->teacher->block[param->offset + i] = middle + test_uniform(&seed, -0.3f, 0.3f);
  }
  assert_int_equal(
      msk_teacher_start(rig->teacher, rig->device, rig->pool, CODES, CODES + CLASSES, NULL),
      MSK_OK);
  for (size_t i = 0; i < LESSONS; i++) {
    for (size_t c = 0; c < CELLS; c++) {
      rig->tokens[i][c] = (int32_t)((c * 3 + test_random(&seed) % 2) % CODES);
      rig->tokens[LESSONS + i][c] = (rig->tokens[i][c] + 5) % CODES;
    }
    bool old = i + 2 >= LESSONS;
    rig->lessons[i] = (msk_lesson){old ? CODES + 1 : small_plan.class_token, rig->tokens[i],
                                   i % 2 == 0 ? rig->tokens[LESSONS + i] : NULL};
  }
  return rig;
}

static double loss_of(struct rig *rig) {
  return msk_teacher_loss(rig->teacher, rig->lessons, LESSONS - 2, rig->lessons + LESSONS - 2, 2);
}

static void end(struct rig *rig) {
  msk_teacher_destroy(rig->teacher);
  msk_pool_destroy(rig->pool);
  msk_device_destroy(rig->device);
  free(rig);
}

/* b at zero would hide a's gradient. */
static void fill_added(struct rig *rig) {
  uint64_t seed = 8;
  for (size_t i = 0; i < rig->teacher->low.floats; i++)
    rig->teacher->trained[i] += test_uniform(&seed, -0.1f, 0.1f);
}

/* The loss is in float: its differences are good to about 1e-7 / step. */
static void test_gradients(void **state) {
  const float step = 4e-3f;
  struct rig *rig = start(&small_plan, 1);
  msk_teacher *teacher = rig->teacher;
  size_t floats = teacher->low.floats, looked = 0;
  float *gradients = malloc(floats * sizeof *gradients);
  (void)state;
  fill_added(rig);
  loss_of(rig);
  memcpy(gradients, teacher->gradients, floats * sizeof *gradients);
  for (size_t i = 0; i < floats; i += 1 + i % 13) {
    float kept = teacher->trained[i];
    teacher->trained[i] = kept + step;
    double above = loss_of(rig);
    teacher->trained[i] = kept - step;
    double below = loss_of(rig);
    teacher->trained[i] = kept;
    double slope = (above - below) / (2 * (double)step);
    if (fabs(slope - (double)gradients[i]) > 3e-4 + 0.02 * fabs(slope))
      fail_msg("number %zu: %g, by differences %g", i, (double)gradients[i], slope);
    looked += fabs(slope) > 1e-3;
  }
  assert_true(looked > 100);
  free(gradients);
  end(rig);
}

/* With nothing added the network is the plain one. */
static void test_it_begins_with_the_model(void **state) {
  struct rig *rig = start(&small_plan, 1);
  msk_teacher *teacher = rig->teacher;
  msk_network *plain = NULL;
  (void)state;
  double loss = loss_of(rig);
  assert_int_equal(msk_network_create(&plain, teacher->params, rig->device, rig->pool, CODES,
                                      small_plan.batch + 1, NULL),
                   MSK_OK);
  msk_network_set(plain, teacher->block);
  const msk_masked_batch batch = {.batch = small_plan.batch,
                                  .shown = teacher->shown,
                                  .target = teacher->target,
                                  .mask = teacher->mask};
  assert_true(msk_network_masked(plain, &batch, NULL).plain == loss);
  msk_network_destroy(plain);
  end(rig);
}

static void check_learning(const msk_teach_plan *plan) {
  struct rig *rigs[] = {start(plan, 1), start(plan, 3)};
  double first = loss_of(rigs[0]), last = 0;
  for (long s = 0; s < small_plan.steps; s++) {
    for (size_t r = 0; r < 2; r++) {
      double loss = loss_of(rigs[r]);
      if (s + 10 >= small_plan.steps && r == 0) last += loss / 10;
      msk_teacher_update(rigs[r]->teacher);
    }
  }
  assert_memory_equal(rigs[0]->teacher->trained, rigs[1]->teacher->trained,
                      rigs[0]->teacher->floats * sizeof(float));
  assert_true(last < first - 1);
  for (size_t r = 0; r < 2; r++) end(rigs[r]);
}

static void test_threads_and_learning(void **state) {
  (void)state;
  check_learning(&small_plan);
}

static void test_learning_with_all_weights(void **state) {
  msk_teach_plan plan = small_plan;
  (void)state;
  plan.full = true;
  check_learning(&plan);
}

/* Every number of every tensor, but for the words that no sequence has and the columns that are no
 * codes. */
static void test_all_weights_are_trained(void **state) {
  msk_teach_plan plan = small_plan;
  (void)state;
  plan.full = true;
  struct rig *rig = start(&plan, 1);
  msk_teacher *teacher = rig->teacher;
  float *before = malloc(teacher->floats * sizeof *before);
  assert_non_null(before);
  memcpy(before, teacher->block, teacher->floats * sizeof *before);
  for (size_t s = 0; s < 8; s++) {
    loss_of(rig);
    msk_teacher_update(teacher);
  }
  for (size_t p = 0; p < teacher->params->count; p++) {
    const msk_param *param = &teacher->params->list[p];
    size_t same = 0, few = 0;
    if (strstr(param->tensor.name, "word_embeddings") != NULL) few = 2 * plan.config.hidden;
    /* softmax does not see what is added to all keys alike */
    if (strstr(param->tensor.name, "key.bias") != NULL) few = param->tensor.elements;
    if (strstr(param->tensor.name, "mlm_bias") != NULL) few = plan.config.vocabulary - CODES;
    for (size_t i = 0; i < param->tensor.elements; i++)
      same += before[param->offset + i] == teacher->block[param->offset + i];
    if (same > few) fail_msg("%zu numbers of %s are as they were", same, param->tensor.name);
  }
  free(before);
  end(rig);
}

static void test_parts(void **state) {
  msk_maskgit_config official = {24, 768, 16, 3072, 257, 2026};
  (void)state;
  assert_int_equal(msk_teacher_part(&official, 16), 2);
  assert_int_equal(msk_teacher_part(&small_plan.config, 16), 16);
}

/* ---- memory ---- */

struct tally {
  size_t bytes;
};

static void *count_bytes(void *user, size_t bytes) {
  struct tally *tally = user;
  tally->bytes += bytes;
  return aligned_alloc(64, (bytes + 63) / 64 * 64);
}

static void release(void *user, void *memory) {
  (void)user;
  free(memory);
}

/* What is told beforehand is what is taken, but for the structures themselves. */
static void test_bytes(void **state) {
  struct tally tally = {0};
  const msk_allocator counting = {count_bytes, release, &tally};
  struct rig *rig = start(&small_plan, 2);
  msk_params *params = NULL;
  (void)state;
  assert_int_equal(msk_params_create(&params, &small_plan.config, &counting, NULL), MSK_OK);
  msk_low_rank layout = msk_low_rank_make(params, 3, 1, CODES + CLASSES);
  const msk_low_rank *const kinds[] = {NULL, &layout};
  for (size_t i = 0; i < 2; i++) {
    msk_network *network = NULL;
    size_t told = msk_network_bytes(params, kinds[i], rig->device, rig->pool, CODES, 6);
    tally.bytes = 0;
    msk_status status =
        i == 0 ? msk_network_create(&network, params, rig->device, rig->pool, CODES, 6, NULL)
               : msk_network_create_low(&network, kinds[i], rig->device, rig->pool, CODES, 6, NULL);
    assert_int_equal(status, MSK_OK);
    assert_in_range(tally.bytes, told, told + 4096);
    msk_network_destroy(network);
  }
  size_t whole = msk_teacher_bytes(&small_plan, rig->device, rig->pool);
  assert_true(whole > params->floats * sizeof(float));
  msk_teach_plan plan = small_plan;
  plan.full = true;
  assert_true(msk_teacher_bytes(&plan, rig->device, rig->pool) >
              whole + 2 * params->floats * sizeof(float));
  msk_params_destroy(params);
  end(rig);
}

/* ---- the whole of it ---- */

static char *folder;

static const char *inside(const char *name) {
  static char paths[4][700];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%.300s", folder, name);
  return path;
}

static const char *make_model(const char *name, int int8) {
  const char *path = inside(name);
  msk_convert_options options;
  msk_convert_options_init(&options);
  options.tokenizer_path = "tests/golden/tiny/tokenizer_imagenet128_checkpoint";
  options.transformer_path = "tests/golden/tiny/maskgit_imagenet128_checkpoint";
  options.output_path = path;
  options.int8 = int8;
  assert_int_equal(msk_convert(&options, NULL), MSK_OK);
  return path;
}

struct seen {
  size_t bytes;
  double first, last;
  long stop_at;
};

static int note(void *user, const msk_teach_progress *p) {
  struct seen *seen = user;
  if (p->phase != MSK_TEACH_TRAINING) return 0;
  if (p->done == 0) seen->first = p->loss;
  seen->last = p->loss;
  assert_true(p->seconds_left >= 0);
  return seen->stop_at > 0 && p->done >= seen->stop_at;
}

static void check_opens(const char *path, const char *adapter) {
  const msk_adapter_choice choice = {adapter, 1};
  msk_model *model = NULL;
  msk_model_options opening;
  msk_error error = {0};
  int class_id;
  msk_model_options_init(&opening);
  opening.adapters = &choice;
  opening.adapter_count = 1;
  if (msk_model_open(&model, path, &opening, &error) != MSK_OK) fail_msg("%s", error.message);
  assert_int_equal(msk_model_class_find(model, "umbrella", &class_id, &error), MSK_OK);
  msk_model_close(model);
}

static int refuse_memory(void *user, size_t bytes) {
  ((struct seen *)user)->bytes = bytes;
  return 1;
}

static const char *const photos[] = {
    "tests/golden/tiny/input/photo.png", "tests/golden/tiny/input/photo.png",
    "tests/golden/tiny/input/photo.png", "tests/golden/tiny/input/photo.png",
    "tests/golden/tiny/input/photo.png"};
static const char *const drawings[] = {"tests/golden/tiny/input/sketch0.png", NULL, NULL, NULL,
                                       NULL};

static msk_teach_options whole_options(struct seen *seen) {
  msk_teach_options options;
  msk_teach_options_init(&options);
  options.class_name = "umbrella";
  options.photos = photos;
  options.drawings = drawings;
  options.photo_count = 5;
  options.crops = 2, options.replay = 3, options.steps = 60, options.batch = 4;
  options.rate = 1e-2;
  options.threads = 1;
  options.user = seen;
  options.on_progress = note;
  return options;
}

/* Stopped twice, in other numbers of threads: the same bytes as in one go. */
static void check_going_on(msk_teach_options options, struct seen *seen) {
  char checkpoint[800];
  msk_error error = {0};
  size_t bytes[2];
  uint8_t *once = test_read_file(options.output_path, &bytes[0]);
  snprintf(checkpoint, sizeof checkpoint, "%s.checkpoint", options.output_path);
  options.checkpoint_path = checkpoint;
  remove(options.output_path);
  for (int stop = 0; stop < 2; stop++) {
    seen->stop_at = 20 * (stop + 1);
    options.threads = 1 + stop;
    assert_int_equal(msk_teach(&options, &error), MSK_ERROR_CANCELLED);
    assert_non_null(strstr(error.message, stop == 0 ? "step 20" : "step 40"));
    assert_int_equal(access(options.output_path, F_OK), -1);
  }
  seen->stop_at = 0;
  options.rate *= 2;
  assert_int_equal(msk_teach(&options, &error), MSK_ERROR_ARGUMENT);
  assert_non_null(strstr(error.message, "other pictures or options"));
  options.rate /= 2;
  options.precision =
      MSK_TRAIN_FP32; /* also where it would be that by itself: it is not what was said */
  assert_int_equal(msk_teach(&options, &error), MSK_ERROR_ARGUMENT);
  options.precision = (msk_train_precision)3;
  assert_int_equal(msk_teach(&options, &error), MSK_ERROR_ARGUMENT);
  assert_string_equal(error.field, "precision");
  options.precision = MSK_TRAIN_AUTO;
  if (msk_teach(&options, &error) != MSK_OK) fail_msg("%s", error.message);
  assert_int_equal(access(checkpoint, F_OK), -1);
  uint8_t *again = test_read_file(options.output_path, &bytes[1]);
  assert_int_equal(bytes[0], bytes[1]);
  assert_memory_equal(once, again, bytes[0]);
  free(once);
  free(again);
}

/* All weights: a model with one class more, which draws what it was taught. */
static void check_full(const char *model, struct seen *seen) {
  msk_teach_options options = whole_options(seen);
  msk_model *opened = NULL;
  msk_model_info info;
  msk_error error = {0};
  int class_id = 0;
  options.model_path = model;
  options.output_path = inside("whole.safetensors");
  options.full = 1;
  options.layers = 1;
  assert_int_equal(msk_teach(&options, &error), MSK_ERROR_ARGUMENT);
  assert_string_equal(error.field, "layers");
  options.layers = 0;
  if (msk_teach(&options, &error) != MSK_OK) fail_msg("%s", error.message);
  assert_true(seen->last < seen->first - 0.1);
  check_going_on(options, seen);
  if (msk_model_open(&opened, options.output_path, NULL, &error) != MSK_OK)
    fail_msg("%s", error.message);
  msk_model_get_info(opened, &info);
  assert_int_equal(msk_model_class_find(opened, "umbrella", &class_id, &error), MSK_OK);
  assert_int_equal(class_id, info.class_count - 1);
  msk_model_close(opened);
}

static void test_teach(void **state) {
  struct seen seen = {0};
  msk_error error = {0};
  (void)state;
  folder = test_make_folder();
  msk_teach_options options = whole_options(&seen);
  options.model_path = make_model("tiny.safetensors", 0);
  options.output_path = inside("taught.safetensors");
  options.on_memory = refuse_memory;
  assert_int_equal(msk_teach(&options, &error), MSK_ERROR_CANCELLED);
  assert_non_null(strstr(error.message, "before memory was taken"));
  assert_true(seen.bytes > 100000);
  options.on_memory = NULL;
  seen.stop_at = 2;
  assert_int_equal(msk_teach(&options, &error), MSK_ERROR_CANCELLED);
  assert_int_equal(access(options.output_path, F_OK), -1);
  seen.stop_at = 0;
  if (msk_teach(&options, &error) != MSK_OK) fail_msg("%s", error.message);
  assert_true(seen.last < seen.first - 0.1);
  size_t bytes[2];
  uint8_t *once = test_read_file(options.output_path, &bytes[0]);
  options.threads = 2;
  if (msk_teach(&options, &error) != MSK_OK) fail_msg("%s", error.message);
  uint8_t *again = test_read_file(options.output_path, &bytes[1]);
  assert_int_equal(bytes[0], bytes[1]);
  assert_memory_equal(once, again, bytes[0]);
  free(once);
  free(again);
  check_opens(options.model_path, options.output_path);
  check_going_on(options, &seen);
  check_full(options.model_path, &seen);
  options.model_path = make_model("small.safetensors", 1);
  check_full(options.model_path, &seen);
  if (msk_teach(&options, &error) != MSK_OK) fail_msg("%s", error.message);
  assert_true(seen.last < seen.first - 0.1);
  check_opens(options.model_path, options.output_path);
  options.photo_count = 2;
  assert_int_equal(msk_teach(&options, &error), MSK_ERROR_ARGUMENT);
  assert_string_equal(error.field, "photo_count");
  test_remove_folder(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_gradients),
                                     cmocka_unit_test(test_it_begins_with_the_model),
                                     cmocka_unit_test(test_threads_and_learning),
                                     cmocka_unit_test(test_learning_with_all_weights),
                                     cmocka_unit_test(test_all_weights_are_trained),
                                     cmocka_unit_test(test_parts),
                                     cmocka_unit_test(test_bytes),
                                     cmocka_unit_test(test_teach)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
