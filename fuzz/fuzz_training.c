/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_training.c - libFuzzer: what a run of training reads. The first byte says what the others
 * are: the SPEC of a run, a file of tokens, the contents of its records (whose checksums are
 * right), or changes to a checkpoint, three bytes each: place and value. */
#include "api/training_run.h"
#include "cli/train_spec.h"
#include "fuzz.h"

enum { SIDE = 4, CELLS = SIDE * SIDE, CODES = 24, LABELS = 3, HANDS = 2, ALL_HANDS = 5, BATCH = 3 };
enum { VOCABULARY = CODES + LABELS + 1 + ALL_HANDS + 1, RECORDS = 8 };

static void read_stage(train_spec *spec, int index) {
  const msk_train_options *o = &spec->options;
  msk_error error;
  if (train_spec_stage(spec, index, &error) != MSK_OK ||
      training_check_options(o, &error) != MSK_OK)
    return;
  const double examples = 2.0 * (double)o->objects + (double)o->sequences * o->batch;
  if (!(examples < (double)(SIZE_MAX / 4)) || o->structure_layer_count > MSK_MAX_LAYERS) abort();
}

/* Folders are made in one of ours alone, and none is read. */
static void read_spec(const uint8_t *bytes, size_t count) {
  static char folder[4096];
  static train_spec spec;
  char path[64];
  msk_error error;
  int file = fuzz_file(path, bytes, count);
  if (folder[0] == 0) {
    fuzz_template(folder, "");
    if (mkdtemp(folder) == NULL) abort();
  }
  if (train_spec_open(&spec, path, false, &error) == MSK_OK) {
    json_object_set_new(spec.object, "work", json_string(folder));
    json_object_del(spec.object, "photos");
    for (int i = 0; i < spec.stage_count; i++) read_stage(&spec, i);
  }
  train_spec_close(&spec);
  close(file);
}

/* ---- tokens ---- */

static const msk_batch_rules rules = {.codes = CODES,
                                      .objects = LABELS,
                                      .cells = CELLS,
                                      .hands = HANDS,
                                      .null_share = 0.2,
                                      .style_share = 0.3,
                                      .hint_share = 0.5,
                                      .wrong_share = 0.5};

static msk_tokens *open_tokens(const char *path) {
  const msk_tokens_shape shape = {.cells = CELLS,
                                  .hands = HANDS,
                                  .codes = CODES,
                                  .labels = LABELS,
                                  .all_hands = ALL_HANDS,
                                  .records = RECORDS,
                                  .fingerprint = "fuzz"};
  msk_tokens *tokens = NULL;
  return msk_tokens_open(&tokens, path, &shape, NULL) == MSK_OK ? tokens : NULL;
}

static void check_tokens(const int32_t *tokens, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (tokens[i] != MSK_MASK_TOKEN && (tokens[i] < 0 || tokens[i] >= VOCABULARY)) abort();
  }
}

/* Batches of what was taken hold nothing that the network has no row for. */
static void draw_batches(const char *path) {
  enum { N = CELLS + 1 };
  int32_t shown[2 * BATCH * N], target[BATCH * N];
  bool mask[BATCH * N];
  int8_t verdict[BATCH * CELLS];
  msk_tokens *tokens = open_tokens(path);
  size_t usable = tokens == NULL ? 0 : msk_tokens_count(tokens);
  msk_random random = msk_random_stream(1, 2, 3);
  if (usable > 0) {
    msk_batch_masked(&rules, tokens, usable, &random, BATCH, shown, target, mask);
    check_tokens(shown, BATCH * N);
    check_tokens(target, BATCH * N);
    msk_batch_pairs(&rules, tokens, usable, &random, BATCH, shown, verdict);
    check_tokens(shown, 2 * BATCH * N);
  }
  msk_tokens_close(tokens);
}

static void read_tokens(const uint8_t *bytes, size_t count) {
  char path[64];
  int file = fuzz_file(path, bytes, count);
  draw_batches(path);
  close(file);
}

static void read_records(const uint8_t *bytes, size_t count) {
  enum { CODE_BYTES = 2 * CELLS * (1 + HANDS), CONTENTS = 1 + HANDS + CODE_BYTES };
  static const uint8_t described[CELLS * MSK_TOKEN_QUARTERS * MSK_TOKEN_VIEWS];
  char path[64];
  int file = fuzz_file(path, "", 0);
  msk_tokens *tokens = open_tokens(path);
  if (tokens == NULL) abort();
  for (; count >= CONTENTS && msk_tokens_count(tokens) < RECORDS; count -= CONTENTS) {
    uint16_t codes[CELLS * (1 + HANDS)];
    memcpy(codes, bytes + 1 + HANDS, sizeof codes);
    const msk_token_record record = {bytes[0], bytes + 1, codes, codes + CELLS, described};
    if (msk_tokens_append(tokens, &record, NULL) != MSK_OK) abort();
    bytes += CONTENTS;
  }
  msk_tokens_close(tokens);
  draw_batches(path);
  close(file);
}

/* ---- checkpoints ---- */

static msk_trainer *make_trainer(void) {
  const msk_train_plan plan = {.config = {.layers = 1,
                                          .hidden = 8,
                                          .heads = 1,
                                          .intermediate = 8,
                                          .positions = CELLS + 1,
                                          .vocabulary = VOCABULARY},
                               .rules = rules,
                               .pace = {.batch = MSK_MAX_TRAIN_BATCH,
                                        .examples = 100,
                                        .warmup = 1,
                                        .decay = 1,
                                        .objects = 1,
                                        .first_objects = 1,
                                        .examples_per_object = 1e-6}};
  msk_trainer *trainer = NULL;
  msk_device *device = NULL;
  msk_pool *pool = NULL;
  if (msk_device_create(&device, NULL, MSK_PRECISION_FP32, NULL, NULL) != MSK_OK ||
      msk_pool_create(&pool, 1, NULL, NULL) != MSK_OK ||
      msk_trainer_create(&trainer, &plan, device, pool, NULL) != MSK_OK)
    abort();
  return trainer;
}

static void read_checkpoint(const uint8_t *changes, size_t count) {
  static msk_trainer *trainer;
  static void *whole;
  static size_t size;
  char path[64];
  if (trainer == NULL) {
    char saved[4096];
    fuzz_template(saved, "");
    int made = mkstemp(saved);
    trainer = make_trainer();
    if (made < 0 || msk_course_save(&trainer->course, saved, NULL) != MSK_OK ||
        msk_file_read(saved, 1 << 24, &whole, &size, NULL, NULL) != MSK_OK)
      abort();
    close(made);
    unlink(saved);
  }
  uint8_t *bytes = malloc(size);
  memcpy(bytes, whole, size);
  for (; count >= 3; count -= 3, changes += 3)
    bytes[(changes[0] | (size_t)changes[1] << 8) % size] = changes[2];
  int file = fuzz_file(path, bytes, size);
  if (msk_course_load(&trainer->course, path, NULL) == MSK_OK) {
    double examples = (double)trainer->course.step * MSK_MAX_TRAIN_BATCH,
           rate = msk_course_rate(&trainer->course);
    if ((double)msk_course_examples(&trainer->course) != examples || !(rate >= 0 && rate <= 1) ||
        msk_course_needs(&trainer->course) != 1)
      abort();
  }
  free(bytes);
  close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
  if (count < 1) return 0;
  if (bytes[0] % 4 == 0) read_spec(bytes + 1, count - 1);
  if (bytes[0] % 4 == 1) read_tokens(bytes + 1, count - 1);
  if (bytes[0] % 4 == 2) read_records(bytes + 1, count - 1);
  if (bytes[0] % 4 == 3) read_checkpoint(bytes + 1, count - 1);
  return 0;
}
