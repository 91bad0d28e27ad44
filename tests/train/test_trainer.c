/* SPDX-License-Identifier: Apache-2.0
 *
 * test_trainer.c - training as a whole on a small network with made-up tokens: optimisers against
 * PyTorch's numbers, the same bytes for any number of threads and after a stop, checkpoints and
 * tokens that are damaged or of something else. */
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <unistd.h>

#include "compute/backward.h"
#include "small_plans.h"
#include "support.h"
#include "train/start.h"
#include "train/trainer.h"

/* ---- a small run ---- */

enum { SIDE = 4, CELLS = SIDE * SIDE, CODES = 24, OBJECTS = 3, HANDS = 2, RECORDS = 40, DIM = 6 };

static const msk_train_plan small_plan = SMALL_TRANSFORMER(6, 3);

static msk_tokens_shape small_shape(void) {
  return (msk_tokens_shape){.cells = CELLS,
                            .hands = HANDS,
                            .codes = CODES,
                            .labels = OBJECTS,
                            .all_hands = 5,
                            .records = RECORDS,
                            .fingerprint = "a"};
}

/* Each class has a pattern of its own, so that there is something to be learned. */
static void append_record(msk_tokens *tokens, uint64_t *seed) {
  size_t index = msk_tokens_count(tokens);
  uint16_t photo[CELLS], drawn[HANDS * CELLS];
  uint8_t hand[HANDS] = {(uint8_t)(index % 5), (uint8_t)((index + 2) % 5)},
          described[CELLS * MSK_TOKEN_QUARTERS * MSK_TOKEN_VIEWS];
  int label = (int)(index / 2 % OBJECTS);
  for (size_t i = 0; i < CELLS; i++) {
    photo[i] = (uint16_t)((i * 5 + (size_t)label * 7 + test_random(seed) % 2) % CODES);
    drawn[i] = drawn[CELLS + i] = (uint16_t)((photo[i] + 3) % CODES);
  }
  for (size_t i = 0; i < sizeof described; i++) described[i] = (uint8_t)(test_random(seed) % 256);
  const msk_token_record record = {label, hand, photo, drawn, described};
  assert_int_equal(msk_tokens_append(tokens, &record, NULL), MSK_OK);
}

static msk_tokens *small_tokens(const char *folder) {
  char path[4096];
  msk_tokens *tokens = NULL;
  msk_tokens_shape shape = small_shape();
  uint64_t seed = 1;
  snprintf(path, sizeof path, "%s/tokens", folder);
  assert_int_equal(msk_tokens_open(&tokens, path, &shape, NULL), MSK_OK);
  while (msk_tokens_count(tokens) < RECORDS) append_record(tokens, &seed);
  return tokens;
}

struct run {
  msk_device *device;
  msk_pool *pool;
  msk_trainer *trainer;
};

static struct run start_run_in(msk_train_precision precision, const msk_train_plan *plan,
                               int threads, const char *isa) {
  struct run run = {0};
  float codebook[CODES * DIM];
  uint64_t seed = 9;
  for (size_t i = 0; i < CODES * DIM; i++) codebook[i] = test_uniform(&seed, -1, 1);
  assert_int_equal(msk_device_create(&run.device, isa, MSK_PRECISION_FP32, NULL, NULL), MSK_OK);
  if (precision == MSK_TRAIN_BF16) msk_device_use_bf16(run.device);
  assert_int_equal(msk_pool_create(&run.pool, threads, NULL, NULL), MSK_OK);
  assert_int_equal(msk_trainer_create(&run.trainer, plan, run.device, run.pool, NULL), MSK_OK);
  msk_course *c = &run.trainer->course;
  assert_int_equal(msk_params_start(c->params, codebook, CODES, DIM, 4, c->block, NULL), MSK_OK);
  msk_course_begin(c);
  return run;
}

static struct run start_run(const msk_train_plan *plan, int threads, const char *isa) {
  return start_run_in(MSK_TRAIN_FP32, plan, threads, isa);
}

static void end_run(struct run *run) {
  msk_trainer_destroy(run->trainer);
  msk_pool_destroy(run->pool);
  msk_device_destroy(run->device);
}

static void assert_same_state(const msk_trainer *one, const msk_trainer *other) {
  const msk_course *a = &one->course, *b = &other->course;
  size_t bytes = a->params->floats * sizeof(float);
  assert_memory_equal(a->block, b->block, bytes);
  assert_memory_equal(a->optimiser->average, b->optimiser->average, bytes);
  assert_memory_equal(a->optimiser->first, b->optimiser->first, bytes);
  assert_memory_equal(a->optimiser->second, b->optimiser->second, bytes);
  assert_memory_equal(one->pair, other->pair, sizeof one->pair);
  assert_int_equal(a->step, b->step);
  assert_int_equal(one->pair_step, other->pair_step);
}

/* ---- tests ---- */

/* Losses at the end. */
static msk_held_out learn(msk_train_precision precision) {
  char *folder = test_make_folder();
  msk_tokens *tokens = small_tokens(folder);
  struct run run = start_run_in(precision, &small_plan, 2, NULL);
  msk_held_out before = msk_trainer_evaluate(run.trainer, tokens);
  double pairs[2] = {0};
  while (!msk_course_is_done(&run.trainer->course)) {
    msk_step_losses losses = msk_trainer_step(run.trainer, tokens);
    assert_true(isfinite(losses.masked) && losses.norm > 0);
    assert_true(isnan(losses.pair) == ((run.trainer->course.step - 1) % 3 != 0));
    if (!isnan(losses.pair)) pairs[run.trainer->course.step > 50] += losses.pair;
  }
  msk_held_out after = msk_trainer_evaluate(run.trainer, tokens);
  /* of two tokens at each place of a known class nothing tells which: log 2 */
  assert_true(after.hinted < 1.0 && after.masked < before.masked - 1);
  /* what is right and wrong is made up at random here */
  assert_true(before.auc > 0.3 && before.auc < 0.7 && after.auc > 0.3 && after.auc <= 1);
  assert_true(run.trainer->pair[0] != 0 && run.trainer->pair[1] != 1);
  assert_int_equal(run.trainer->pair_step, 134);
  end_run(&run);
  msk_tokens_close(tokens);
  test_remove_folder(folder);
  return after;
}

/* In bf16 as in fp32: it comes as near to what can be known. */
static void test_it_learns(void **state) {
  (void)state;
  msk_held_out fp32 = learn(MSK_TRAIN_FP32), bf16 = learn(MSK_TRAIN_BF16);
  assert_true(fp32.masked != bf16.masked);
  assert_true(fabs(fp32.masked - bf16.masked) < 0.05 && fabs(fp32.hinted - bf16.hinted) < 0.05);
}

static void test_threads(void **state) {
  static const int threads[] = {2, 3, 8};
  char *folder = test_make_folder();
  msk_tokens *tokens = small_tokens(folder);
  (void)state;
  for (int i = 0; msk_isa_name(i / 2) != NULL; i++) {
    msk_train_precision precision = i % 2 == 0 ? MSK_TRAIN_FP32 : MSK_TRAIN_BF16;
    struct run one = start_run_in(precision, &small_plan, 1, msk_isa_name(i / 2));
    for (int step = 0; step < 4; step++) msk_trainer_step(one.trainer, tokens);
    for (size_t j = 0; j < 3; j++) {
      struct run more = start_run_in(precision, &small_plan, threads[j], msk_isa_name(i / 2));
      for (int step = 0; step < 4; step++) msk_trainer_step(more.trainer, tokens);
      assert_same_state(one.trainer, more.trainer);
      end_run(&more);
    }
    end_run(&one);
  }
  msk_tokens_close(tokens);
  test_remove_folder(folder);
}

static void resume(msk_train_precision precision) {
  char *folder = test_make_folder(), path[4096];
  msk_tokens *tokens = small_tokens(folder);
  struct run whole = start_run_in(precision, &small_plan, 2, NULL),
             first = start_run_in(precision, &small_plan, 2, NULL),
             second = start_run_in(precision, &small_plan, 1, NULL);
  msk_train_precision found = MSK_TRAIN_AUTO;
  snprintf(path, sizeof path, "%s/checkpoint", folder);
  for (int step = 0; step < 9; step++) {
    msk_trainer_step(whole.trainer, tokens);
    if (step < 5) msk_trainer_step(first.trainer, tokens);
    /* looking at what is held out leaves no trace */
    if (step == 3) msk_trainer_evaluate(first.trainer, tokens);
  }
  assert_int_equal(msk_course_save(&first.trainer->course, path, NULL), MSK_OK);
  assert_int_equal(msk_course_precision(path, &found, NULL), MSK_OK);
  assert_int_equal(found, precision);
  msk_trainer_step(first.trainer, tokens); /* lost, as what is done between a save and a kill */
  assert_int_equal(msk_course_load(&second.trainer->course, path, NULL), MSK_OK);
  for (int step = 5; step < 9; step++) msk_trainer_step(second.trainer, tokens);
  assert_same_state(whole.trainer, second.trainer);
  end_run(&whole), end_run(&first), end_run(&second);
  msk_tokens_close(tokens);
  test_remove_folder(folder);
}

static void test_resume(void **state) {
  (void)state;
  resume(MSK_TRAIN_FP32);
  resume(MSK_TRAIN_BF16);
}

/* What a checkpoint says, older ones nothing; and what is none. */
static void test_precision_of_a_checkpoint(void **state) {
  char *folder = test_make_folder(), path[4096];
  struct run run = start_run_in(MSK_TRAIN_BF16, &small_plan, 1, NULL);
  msk_train_precision found = MSK_TRAIN_AUTO;
  msk_error error;
  size_t bytes;
  (void)state;
  snprintf(path, sizeof path, "%s/checkpoint", folder);
  assert_int_equal(msk_course_save(&run.trainer->course, path, NULL), MSK_OK);
  uint8_t *file = test_read_file(path, &bytes), *text = NULL;
  for (size_t i = 0; text == NULL; i++)
    if (memcmp(file + i, "\"precision\"", 11) == 0) text = file + i;
  uint8_t *value = text + 11;
  while (*value != 'b') value++;
  memcpy(value, "bf17", 4);
  assert_int_equal(msk_file_write(path, file, bytes, NULL), MSK_OK);
  assert_int_equal(msk_course_precision(path, &found, &error), MSK_ERROR_FILE);
  assert_non_null(strstr(error.message, "trained in bf17, expected fp32 or bf16"));
  text[1] = 'P'; /* a key that nobody knows */
  assert_int_equal(msk_file_write(path, file, bytes, NULL), MSK_OK);
  assert_int_equal(msk_course_precision(path, &found, NULL), MSK_OK);
  assert_int_equal(found, MSK_TRAIN_FP32);
  assert_int_equal(msk_course_precision("models/default.safetensors", &found, NULL), MSK_OK);
  assert_int_equal(found, MSK_TRAIN_AUTO);
  free(file);
  end_run(&run);
  test_remove_folder(folder);
}

static void test_bad_checkpoints(void **state) {
  char *folder = test_make_folder(), path[4096];
  msk_error error;
  msk_train_plan other = small_plan;
  size_t bytes;
  (void)state;
  other.config.intermediate = 48;
  struct run run = start_run(&small_plan, 1, NULL), wide = start_run(&other, 1, NULL);
  snprintf(path, sizeof path, "%s/checkpoint", folder);
  assert_int_equal(msk_course_save(&run.trainer->course, path, NULL), MSK_OK);
  assert_int_equal(msk_course_load(&wide.trainer->course, path, &error), MSK_ERROR_FILE);
  assert_non_null(strstr(error.message, "other sizes"));
  uint8_t *file = test_read_file(path, &bytes);
  file[bytes - 100] ^= 1;
  assert_int_equal(msk_file_write(path, file, bytes, NULL), MSK_OK);
  assert_int_equal(msk_course_load(&run.trainer->course, path, &error), MSK_ERROR_FILE);
  assert_non_null(strstr(error.message, "SHA-256"));
  free(file);
  assert_int_equal(msk_course_write_average(&run.trainer->course, path, NULL, 0, NULL), MSK_OK);
  assert_int_equal(msk_course_load(&run.trainer->course, path, &error), MSK_ERROR_FILE);
  assert_non_null(strstr(error.message, "training checkpoint"));
  end_run(&run), end_run(&wide);
  test_remove_folder(folder);
}

/* A kill may leave half a record, or one whose end never reached the disk. */
static void test_half_written_tokens(void **state) {
  char *folder = test_make_folder(), path[4096];
  msk_tokens *tokens = small_tokens(folder);
  msk_tokens_shape shape = small_shape();
  msk_error error;
  size_t bytes, again;
  (void)state;
  msk_tokens_close(tokens);
  snprintf(path, sizeof path, "%s/tokens", folder);
  uint8_t *whole = test_read_file(path, &bytes), last[2];
  for (int damage = 0; damage < 2; damage++) {
    if (damage == 0) assert_int_equal(truncate(path, (off_t)bytes - 30), 0);
    if (damage == 1) {
      int file = open(path, O_RDWR);
      last[0] = whole[bytes - 20] ^ 4;
      assert_int_equal(pwrite(file, last, 1, (off_t)bytes - 20), 1);
      close(file);
    }
    assert_int_equal(msk_tokens_open(&tokens, path, &shape, &error), MSK_OK);
    msk_tokens *other = NULL;
    assert_int_equal(msk_tokens_open(&other, path, &shape, &error), MSK_ERROR_FILE);
    assert_non_null(strstr(error.message, "another run"));
    assert_int_equal(msk_tokens_count(tokens), RECORDS - 1);
    uint64_t seed = 77;
    append_record(tokens, &seed);
    msk_tokens_close(tokens);
    uint8_t *now = test_read_file(path, &again);
    assert_int_equal(again, bytes);
    assert_memory_equal(now, whole, bytes / RECORDS * (RECORDS - 2)); /* the others are untouched */
    free(now);
    assert_int_equal(msk_file_write(path, whole, bytes, NULL), MSK_OK);
  }
  /* a damaged one in the middle: it and all behind it are made again */
  size_t record = (bytes - MSK_RECORDS_HEADER) / RECORDS, third = MSK_RECORDS_HEADER + 2 * record;
  whole[third + 5] ^= 1;
  assert_int_equal(msk_file_write(path, whole, bytes, NULL), MSK_OK);
  assert_int_equal(msk_tokens_open(&tokens, path, &shape, &error), MSK_OK);
  assert_int_equal(msk_tokens_count(tokens), 2);
  msk_tokens_close(tokens);
  shape.fingerprint[0] = 'b';
  assert_int_equal(msk_tokens_open(&tokens, path, &shape, &error), MSK_ERROR_FILE);
  assert_non_null(strstr(error.message, "another tokenizer"));
  free(whole);
  test_remove_folder(folder);
}

/* Indices of a file that is whole in itself: one each that there is not. */
static void test_foreign_tokens(void **state) {
  char *folder = test_make_folder(), path[4096];
  msk_tokens_shape shape = small_shape();
  (void)state;
  msk_tokens_close(small_tokens(folder));
  snprintf(path, sizeof path, "%s/tokens", folder);
  for (int kind = 0; kind < 5; kind++) {
    msk_tokens_shape narrow = shape;
    msk_tokens *tokens = NULL;
    msk_error error = {.message = ""};
    if (kind == 1) narrow.codes--;
    if (kind == 2) narrow.labels--;
    if (kind == 3) narrow.all_hands--;
    if (kind == 4) narrow.records = SIZE_MAX / 64;
    msk_status status = msk_tokens_open(&tokens, path, &narrow, &error);
    const char *words[] = {"", "not below", "not below", "not below", "too many"};
    if (strstr(error.message, words[kind]) == NULL) fail_msg("%d: %s", kind, error.message);
    if (kind > 0) assert_true(status == MSK_ERROR_FILE || status == MSK_ERROR_ARGUMENT);
    assert_int_equal(status == MSK_OK, kind == 0);
    if (kind == 0) assert_int_equal(msk_tokens_count(tokens), RECORDS);
    msk_tokens_close(tokens);
  }
  test_remove_folder(folder);
}

/* Steps that, times the batch, would not fit; the metadata's numbers are not hashed. */
static void test_counts_of_a_checkpoint(void **state) {
  char *folder = test_make_folder(), path[4096];
  static const long steps[] = {1000000000000, 1000000000001, LONG_MAX};
  struct run run = start_run(&small_plan, 1, NULL);
  msk_course *course = &run.trainer->course;
  (void)state;
  snprintf(path, sizeof path, "%s/checkpoint", folder);
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    msk_error error = {.message = ""};
    course->step = steps[i];
    assert_int_equal(msk_course_save(course, path, NULL), MSK_OK);
    course->step = 7;
    assert_int_equal(msk_course_load(course, path, &error), i == 0 ? MSK_OK : MSK_ERROR_FILE);
    assert_true(course->step == (i == 0 ? steps[0] : 7));
    if (i > 0) assert_non_null(strstr(error.message, "its step is"));
  }
  end_run(&run);
  test_remove_folder(folder);
}

/* ---- optimisers ---- */

static void from_flat(const msk_params *params, const float *flat, float *block) {
  for (size_t i = 0; i < params->count; i++) {
    const msk_param *param = &params->list[i];
    memcpy(block + param->offset, flat, param->tensor.elements * sizeof *flat);
    flat += param->tensor.elements;
  }
}

static void assert_block_close(const msk_params *params, const float *block, const float *flat) {
  for (size_t i = 0; i < params->count; i++) {
    const msk_param *param = &params->list[i];
    assert_close(block + param->offset, flat, param->tensor.elements, 2e-6);
    flat += param->tensor.elements;
  }
}

static void test_optimisers(void **state) {
  static const float shares[] = {0.25f, 1.0f, 0.6f};
  const msk_maskgit_config config = {
      .layers = 1, .hidden = 16, .heads = 2, .intermediate = 24, .positions = 5, .vocabulary = 11};
  golden_array initial = golden_load(golden_path("train/initial.npy")),
               gradients = golden_load(golden_path("train/gradients.npy")),
               result = golden_load(golden_path("train/result.npy")),
               average = golden_load(golden_path("train/average.npy"));
  msk_device *device = NULL;
  msk_params *params = NULL;
  msk_optimiser *optimiser = NULL;
  (void)state;
  assert_int_equal(msk_device_create(&device, NULL, MSK_PRECISION_FP32, NULL, NULL), MSK_OK);
  assert_int_equal(msk_params_create(&params, &config, NULL, NULL), MSK_OK);
  assert_int_equal(msk_optimiser_create(&optimiser, params, device, NULL, NULL), MSK_OK);
  float *block = calloc(params->floats, sizeof *block),
        *slope = calloc(params->floats, sizeof *slope);
  from_flat(params, initial.data, block);
  from_flat(params, initial.data, optimiser->average);
  for (int step = 0; step < 3; step++) {
    from_flat(params, (float *)gradients.data + (size_t)step * initial.elements, slope);
    msk_rates rates = {.adam = 3e-3f * shares[step],
                       .muon = 8e-3f * shares[step],
                       .average = 1.0f / (float)(step + 1),
                       .decay = 0.03f,
                       .beta_2 = 0.96f,
                       .step = step + 1};
    double norm = msk_optimiser_step(optimiser, &rates, slope, block);
    assert_true(step == 1 ? norm < 1 : norm > 1);
  }
  assert_block_close(params, block, result.data);
  assert_block_close(params, optimiser->average, average.data);
  free(block), free(slope);
  golden_free(&initial), golden_free(&gradients), golden_free(&result), golden_free(&average);
  msk_optimiser_destroy(optimiser);
  msk_params_destroy(params);
  msk_device_destroy(device);
}

/* Words for other codes: means of the file's, by how often each stands where a code does; biases
 * besides with the share that the code has of each; a code that never did keeps what it had. */
static void test_mixed_words(void **state) {
  enum { FILE_CODES = 3, NEW_CODES = 4, LABELS = 2, HIDDEN = 16 };
  static const float together[NEW_CODES * FILE_CODES] = {4, 0, 0, 0, 0, 0, 1, 3, 0, 0, 1, 5};
  msk_maskgit_config config = {.layers = 1,
                               .hidden = HIDDEN,
                               .heads = 2,
                               .intermediate = 24,
                               .positions = 5,
                               .vocabulary = FILE_CODES + LABELS + 1};
  char *folder = test_make_folder(), path[4096];
  msk_params *old = NULL, *new = NULL;
  msk_weight_file *file = NULL;
  uint64_t seed = 3;
  (void)state;
  snprintf(path, sizeof path, "%s/old.safetensors", folder);
  assert_int_equal(msk_params_create(&old, &config, NULL, NULL), MSK_OK);
  config.vocabulary = NEW_CODES + LABELS + 1;
  assert_int_equal(msk_params_create(&new, &config, NULL, NULL), MSK_OK);
  float *from = calloc(old->floats, sizeof *from), *to = calloc(new->floats, sizeof *to);
  for (size_t i = 0; i < old->floats; i++) from[i] = test_uniform(&seed, -1, 1);
  for (size_t i = 0; i < new->floats; i++) to[i] = 7;
  assert_int_equal(msk_params_write(old, from, path, NULL, 0, NULL), MSK_OK);
  assert_int_equal(msk_weight_file_open(&file, path, NULL, NULL), MSK_OK);
  const msk_start_vocabulary vocabulary = {.codes = NEW_CODES,
                                           .file_codes = FILE_CODES,
                                           .together = together,
                                           .labels = LABELS,
                                           .file_labels = LABELS};
  assert_int_equal(msk_params_start_from(new, file, "", &vocabulary, 1, to, NULL), MSK_OK);
  msk_outer_params is = msk_params_outer(new, to), was = msk_params_outer(old, from);
  for (size_t c = 0; c < NEW_CODES; c++) {
    double bias = c == 1 ? 7 : 0, row = 0;
    for (size_t k = 0; k < FILE_CODES; k++) row += (double)together[c * FILE_CODES + k];
    for (size_t k = 0; k < FILE_CODES; k++) {
      double here = (double)together[c * FILE_CODES + k], column = 0;
      for (size_t o = 0; o < NEW_CODES; o++) column += (double)together[o * FILE_CODES + k];
      if (here > 0) bias += here / row * ((double)was.columns_bias[k] + log(here / column));
    }
    assert_true(fabs((double)is.columns_bias[c] - bias) < 1e-6);
    for (size_t d = 0; d < HIDDEN; d++) {
      double word = c == 1 ? 7 : 0;
      for (size_t k = 0; c != 1 && k < FILE_CODES; k++)
        word += (double)together[c * FILE_CODES + k] / row * (double)was.words[k * HIDDEN + d];
      assert_true(fabs((double)is.words[c * HIDDEN + d] - word) < 1e-6);
    }
  }
  assert_memory_equal(is.words + NEW_CODES * HIDDEN, was.words + FILE_CODES * HIDDEN,
                      (LABELS + 1) * HIDDEN * sizeof(float));
  free(from), free(to);
  msk_weight_file_close(file);
  msk_params_destroy(old), msk_params_destroy(new);
  test_remove_folder(folder);
}

/* What Newton-Schulz makes has singular values near 1: 0.7 to 1.2 with these coefficients. */
static void test_orthogonal(void **state) {
  enum { ROWS = 20, COLUMNS = 33 };
  msk_device *device = NULL;
  (void)state;
  assert_int_equal(msk_device_create(&device, NULL, MSK_PRECISION_FP32, NULL, NULL), MSK_OK);
  msk_stream stream = {.device = device, .measuring = true};
  msk_orthogonal room = {.rows = ROWS, .columns = COLUMNS};
  msk_orthogonalise(&stream, &room);
  stream.measuring = false;
  stream.scratch = aligned_alloc(64, stream.scratch_bytes + 64);
  float *memory = aligned_alloc(64, 1 << 16);
  room.x = memory, room.next = memory + 1024;
  room.square = memory + 2048, room.fourth = memory + 3072, room.panels = memory + 4096;
  uint64_t seed = 1;
  for (size_t i = 0; i < ROWS * COLUMNS; i++) room.x[i] = test_uniform(&seed, -1, 1);
  msk_orthogonalise(&stream, &room);
  for (size_t i = 0; i < ROWS; i++) {
    for (size_t j = 0; j < ROWS; j++) {
      double product = 0;
      for (size_t k = 0; k < COLUMNS; k++)
        product += (double)room.x[i * COLUMNS + k] * (double)room.x[j * COLUMNS + k];
      assert_true(i == j ? product > 0.45 && product < 1.45 : fabs(product) < 0.5);
    }
  }
  free(memory), free(stream.scratch);
  msk_device_destroy(device);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_optimisers),
      cmocka_unit_test(test_orthogonal),
      cmocka_unit_test(test_mixed_words),
      cmocka_unit_test(test_it_learns),
      cmocka_unit_test(test_threads),
      cmocka_unit_test(test_resume),
      cmocka_unit_test(test_precision_of_a_checkpoint),
      cmocka_unit_test(test_bad_checkpoints),
      cmocka_unit_test(test_half_written_tokens),
      cmocka_unit_test(test_foreign_tokens),
      cmocka_unit_test(test_counts_of_a_checkpoint),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
