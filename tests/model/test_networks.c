/* SPDX-License-Identifier: Apache-2.0
 *
 * test_networks.c - tokenizer and transformer against what the authors' code computed
 * (tests/golden), stage by stage, straight from the checkpoints, on every instruction set that
 * this machine has; and the equivalences: threads, batches, partial passes. */
#include <math.h>

#include "networks.h"

static void for_each_isa(void (*test)(struct rig *rig)) {
  int count = 0;
  for (; msk_isa_name(count) != NULL; count++) {
    struct rig rig;
    rig_open(&rig, msk_isa_name(count), 2);
    test(&rig);
    rig_close(&rig);
  }
  assert_true(count > 0);
}

/* ---- tokenizer ---- */

struct stage_check {
  const char *folder; /* golden folder of the stages */
  int seen;
};

/* Compares where a golden file of that stage exists; the large ones are float16. */
static void check_stage(void *user, const char *name, const float *data, size_t rows,
                        size_t columns, size_t channels) {
  struct stage_check *check = user;
  const char *path = golden_path("%s/%s.npy", check->folder, name);
  FILE *file = fopen(path, "rb");
  if (file == NULL) return;
  fclose(file);
  golden_array golden = golden_load(path);
  const float *expected = golden.data;
  assert_int_equal(golden.elements, rows * columns * channels);
  for (size_t i = 0; i < golden.elements; i++) {
    double tolerance = 2e-4 + 1e-3 * fabs((double)expected[i]);
    if (!(fabs((double)data[i] - (double)expected[i]) <= tolerance))
      fail_msg("%s [%zu]: %g, expected %g", path, i, data[i], expected[i]);
  }
  golden_free(&golden);
  check->seen++;
}

static void check_tokens(const int32_t *codes, const char *path) {
  golden_array golden = golden_load(path);
  assert_int_equal(golden.kind, 'i');
  assert_memory_equal(codes, golden.data, golden.elements * sizeof *codes);
  golden_free(&golden);
}

static void check_floats(const float *values, const char *path, double tolerance) {
  golden_array golden = golden_load(path);
  assert_close(values, (const float *)golden.data, golden.elements, tolerance);
  golden_free(&golden);
}

/* Encodes pixels, checks latents, tokens and (unless NULL) the decoded picture, all below
 * golden/`folder`. Returns the stages seen. */
static int check_tokenizer(struct rig *rig, const msk_vqgan *vqgan, const char *folder,
                           const char *stem, const float *pixels, size_t height, size_t width,
                           bool decoded) {
  size_t rows, columns, dim = msk_vqgan_get_config(vqgan)->dim,
                        patch = msk_vqgan_get_config(vqgan)->patch;
  struct stage_check check = {folder, 0};
  msk_observer observer = {&check, check_stage};
  msk_vqgan_latent_size(vqgan, height, width, &rows, &columns);
  float *latents = malloc(rows * columns * dim * sizeof *latents),
        *picture = malloc(rows * columns * patch * patch * 3 * sizeof *picture);
  int32_t *codes = malloc(rows * columns * sizeof *codes);
  rig_encode(rig, vqgan, pixels, 1, height, width, latents, &observer);
  check_floats(latents, golden_path("%s/%sencoder_out.npy", folder, stem), 2e-4);
  rig_quantise(rig, vqgan, latents, rows * columns, codes);
  if (strcmp(stem, "any_size_") != 0)
    check_tokens(codes, golden_path("%s/%stokens.npy", folder, stem));
  if (decoded) {
    rig_decode(rig, vqgan, codes, 1, rows, columns, picture, &observer);
    check_floats(picture, golden_path("%s/%sdecoded.npy", folder, stem), 2e-4);
  }
  free(latents), free(picture), free(codes);
  return check.seen;
}

static void check_tokenizer_set(struct rig *rig, const char *set, int size, int stages) {
  static const char *const inputs[] = {"sketch0", "sketch1", "photo"};
  msk_vqgan *vqgan =
      vqgan_open(rig, golden_path("%s/tokenizer_imagenet%d_checkpoint", set, size), "", 0);
  for (size_t i = 0; i < 3; i++) {
    size_t height, width;
    float *pixels = load_pixels(golden_path("%s/input/%s.png", set, inputs[i]), &height, &width);
    char folder[64];
    snprintf(folder, sizeof folder, "%s/tokenizer/%s", set, inputs[i]);
    int seen = check_tokenizer(rig, vqgan, folder, "", pixels, height, width, true);
    assert_int_equal(seen, i == 0 ? stages : 0);
    free(pixels);
  }
  golden_array image = golden_load(golden_path("%s/tokenizer/any_size/image.npy", set));
  const size_t *shape = image.shape + image.rank - 3;
  char folder[64];
  snprintf(folder, sizeof folder, "%s/tokenizer/any_size", set);
  check_tokenizer(rig, vqgan, folder, "", image.data, shape[0], shape[1], false);
  golden_free(&image);
  msk_vqgan_destroy(vqgan);
}

static void tokenizer_on(struct rig *rig) {
  check_tokenizer_set(rig, "tiny", 128, 14);
  check_tokenizer_set(rig, "odd", 80, 13);
}
static void test_tokenizer(void **state) {
  (void)state;
  for_each_isa(tokenizer_on);
}

static void strided_on(struct rig *rig) {
  msk_vqgan *vqgan = vqgan_open(rig, golden_path("strided/tokenizer_imagenet48_checkpoint"), "", 0);
  assert_true(msk_vqgan_get_config(vqgan)->strided);
  static const char *const names[] = {"", "any_size_"};
  for (size_t i = 0; i < 2; i++) {
    golden_array image = golden_load(golden_path("strided/%simage.npy", names[i]));
    const size_t *shape = image.shape + image.rank - 3;
    check_tokenizer(rig, vqgan, "strided", names[i], image.data, shape[0], shape[1], i == 0);
    golden_free(&image);
  }
  msk_vqgan_destroy(vqgan);
}
static void test_strided(void **state) {
  (void)state;
  for_each_isa(strided_on);
}

/* ---- transformer ---- */

static void check_layer(void *user, const char *name, const float *data, size_t rows,
                        size_t columns, size_t channels) {
  struct stage_check *check = user;
  golden_array golden = golden_load(golden_path("%s/%s.npy", check->folder, name));
  assert_int_equal(golden.elements, rows * columns * channels);
  assert_close(data, (const float *)golden.data, golden.elements, 5e-5);
  golden_free(&golden);
  check->seen++;
}

struct set {
  const char *name;
  int size, layers[3], layer_count;
};
static const struct set sets[] = {{"tiny", 128, {0, 2, 3}, 3}, {"odd", 80, {1, 4}, 2}};

static void check_pass(struct rig *rig, const msk_maskgit *maskgit, const struct set *set,
                       const char *kind) {
  const msk_maskgit_config *config = msk_maskgit_get_config(maskgit);
  size_t n = config->positions, maps = (size_t)set->layer_count * config->heads * n * n;
  char folder[64];
  snprintf(folder, sizeof folder, "%s/transformer/%s", set->name, kind);
  struct stage_check check = {folder, 0};
  msk_observer observer = {&check, check_layer};
  golden_array tokens = golden_load(golden_path("%s/transformer/%s/tokens.npy", set->name, kind));
  float *logits = malloc(n * config->vocabulary * sizeof *logits),
        *attention = malloc(maps * sizeof *attention);
  float *cut = malloc(n * 10 * sizeof *cut), *alone = malloc(maps * sizeof *alone);
  rig_forward(rig, maskgit,
              &(msk_maskgit_pass){.tokens = tokens.data,
                                  .batch = 1,
                                  .logits = logits,
                                  .layers = set->layers,
                                  .layer_count = (size_t)set->layer_count,
                                  .maps = attention,
                                  .observer = &observer});
  assert_int_equal(check.seen, 1 + 2 * (int)config->layers);
  check_floats(logits, golden_path("%s/transformer/%s/logits.npy", set->name, kind), 5e-5);
  check_floats(attention, golden_path("%s/transformer/%s/attention.npy", set->name, kind), 1e-6);
  /* A pass for the first columns, or for attention alone (which stops early), gives the same
   * numbers. */
  rig_forward(rig, maskgit,
              &(msk_maskgit_pass){.tokens = tokens.data, .batch = 1, .logits = cut, .columns = 10});
  for (size_t i = 0; i < n; i++)
    assert_memory_equal(cut + i * 10, logits + i * config->vocabulary, 10 * sizeof *cut);
  rig_forward(rig, maskgit,
              &(msk_maskgit_pass){.tokens = tokens.data,
                                  .batch = 1,
                                  .layers = set->layers,
                                  .layer_count = (size_t)set->layer_count,
                                  .maps = alone});
  assert_memory_equal(alone, attention, maps * sizeof *alone);
  golden_free(&tokens);
  free(logits), free(attention), free(cut), free(alone);
}

/* Target: the full sequence; sample: the masked one. */
static void check_score(struct rig *rig, const msk_maskgit *maskgit, const struct set *set) {
  const msk_maskgit_config *config = msk_maskgit_get_config(maskgit);
  size_t n = config->positions, count = (size_t)set->layer_count,
         maps = count * config->heads * n * n;
  golden_array full = golden_load(golden_path("%s/transformer/full/tokens.npy", set->name));
  golden_array masked = golden_load(golden_path("%s/transformer/masked/tokens.npy", set->name));
  float *target = malloc(maps * sizeof *target), *log_target = malloc(maps * sizeof *log_target);
  float *score = malloc(n * sizeof *score), *layers = malloc(count * n * sizeof *layers);
  rig_forward(rig, maskgit,
              &(msk_maskgit_pass){.tokens = full.data,
                                  .batch = 1,
                                  .layers = set->layers,
                                  .layer_count = count,
                                  .maps = target,
                                  .log_maps = log_target});
  rig_forward(rig, maskgit,
              &(msk_maskgit_pass){.tokens = masked.data,
                                  .batch = 1,
                                  .layers = set->layers,
                                  .layer_count = count,
                                  .target = target,
                                  .log_target = log_target,
                                  .score = score,
                                  .score_layers = layers});
  check_floats(score, golden_path("%s/transformer/structure_score.npy", set->name), 2e-5);
  check_floats(layers, golden_path("%s/transformer/structure_score_layers.npy", set->name), 2e-5);
  golden_free(&full), golden_free(&masked);
  free(target), free(log_target), free(score), free(layers);
}

static void transformer_on(struct rig *rig) {
  for (size_t i = 0; i < 2; i++) {
    msk_maskgit *maskgit = maskgit_open(
        rig, golden_path("%s/maskgit_imagenet%d_checkpoint", sets[i].name, sets[i].size), "");
    check_pass(rig, maskgit, &sets[i], "full");
    check_pass(rig, maskgit, &sets[i], "masked");
    check_score(rig, maskgit, &sets[i]);
    msk_maskgit_destroy(maskgit);
  }
}
static void test_transformer(void **state) {
  (void)state;
  for_each_isa(transformer_on);
}

/* ---- equivalences ---- */

/* Three sequences and three pictures at once, on 1 to 4 threads: always the bytes of one alone
 * on one thread. */
static void test_threads_and_batches(void **state) {
  (void)state;
  enum { BATCH = 3, N = 101, HEIGHT = 23, WIDTH = 17 };
  int32_t tokens[BATCH * N];
  static float pixels[BATCH * HEIGHT * WIDTH * 3], one[BATCH][N * 96], many[BATCH * N * 96],
      maps_one[BATCH][3 * N * N], maps_many[BATCH * 3 * N * N];
  static float latents_one[BATCH][3 * 3 * 24], latents_many[BATCH * 3 * 3 * 24],
      score_one[BATCH][N], score_many[BATCH * N];
  static float picture_one[BATCH][24 * 24 * 3], picture_many[BATCH * 24 * 24 * 3],
      target[3 * N * N], log_target[3 * N * N];
  int32_t codes[BATCH * 9];
  uint64_t random = 5;
  for (size_t i = 0; i < BATCH * N; i++)
    tokens[i] =
        test_random(&random) % 3 == 0 ? MSK_MASK_TOKEN : (int32_t)(test_random(&random) % 96);
  for (size_t i = 0; i < sizeof pixels / sizeof *pixels; i++)
    pixels[i] = test_uniform(&random, 0, 1);
  for (size_t i = 0; i < BATCH * 9; i++) codes[i] = (int32_t)(test_random(&random) % 96);
  const int layer = 4;
  for (int threads = 1; threads <= 4; threads++) {
    struct rig rig;
    rig_open(&rig, NULL, threads);
    msk_vqgan *vqgan = vqgan_open(&rig, golden_path("odd/tokenizer_imagenet80_checkpoint"), "", 0);
    msk_maskgit *maskgit = maskgit_open(&rig, golden_path("odd/maskgit_imagenet80_checkpoint"), "");
    for (size_t b = 0; threads == 1 && b < BATCH; b++) {
      if (b == 0) {
        rig_forward(&rig, maskgit,
                    &(msk_maskgit_pass){.tokens = tokens + N,
                                        .batch = 1,
                                        .layers = &layer,
                                        .layer_count = 1,
                                        .maps = target,
                                        .log_maps = log_target});
      }
      rig_forward(&rig, maskgit,
                  &(msk_maskgit_pass){.tokens = tokens + b * N,
                                      .batch = 1,
                                      .logits = one[b],
                                      .columns = 96,
                                      .layers = &layer,
                                      .layer_count = 1,
                                      .maps = maps_one[b],
                                      .target = target,
                                      .log_target = log_target,
                                      .score = score_one[b]});
      rig_encode(&rig, vqgan, pixels + b * HEIGHT * WIDTH * 3, 1, HEIGHT, WIDTH, latents_one[b],
                 NULL);
      rig_decode(&rig, vqgan, codes + b * 9, 1, 3, 3, picture_one[b], NULL);
    }
    rig_forward(&rig, maskgit,
                &(msk_maskgit_pass){.tokens = tokens,
                                    .batch = BATCH,
                                    .logits = many,
                                    .columns = 96,
                                    .layers = &layer,
                                    .layer_count = 1,
                                    .maps = maps_many,
                                    .target = target,
                                    .log_target = log_target,
                                    .score = score_many});
    rig_encode(&rig, vqgan, pixels, BATCH, HEIGHT, WIDTH, latents_many, NULL);
    rig_decode(&rig, vqgan, codes, BATCH, 3, 3, picture_many, NULL);
    assert_memory_equal(many, one, sizeof one);
    assert_memory_equal(maps_many, maps_one, sizeof maps_one);
    assert_memory_equal(score_many, score_one, sizeof score_one);
    assert_memory_equal(latents_many, latents_one, sizeof latents_one);
    assert_memory_equal(picture_many, picture_one, sizeof picture_one);
    msk_vqgan_destroy(vqgan);
    msk_maskgit_destroy(maskgit);
    rig_close(&rig);
  }
}

/* ---- passes over rows ---- */

enum { ROWS_N = 101, ROWS_BATCH = 3, ROWS_COLUMNS = 96 };

/* Sequences of a network of their own, a target, and what passes over rows leave and give. */
struct rows_trial {
  struct rig *rig;
  msk_maskgit *maskgit;
  const int *layers;
  size_t layer_count;
  float *target, *log_target, *caches;
  float logits[ROWS_BATCH * ROWS_N * ROWS_COLUMNS], score[ROWS_BATCH * ROWS_N];
  float light_logits[ROWS_BATCH * ROWS_N * ROWS_COLUMNS], light_score[ROWS_BATCH * ROWS_N];
};

static void rows_forward(struct rows_trial *t, const int32_t *tokens,
                         const msk_maskgit_part *parts) {
  rig_forward(t->rig, t->maskgit,
              &(msk_maskgit_pass){.tokens = tokens,
                                  .batch = ROWS_BATCH,
                                  .parts = parts,
                                  .logits = parts != NULL ? t->light_logits : t->logits,
                                  .columns = ROWS_COLUMNS,
                                  .layers = t->layers,
                                  .layer_count = t->layer_count,
                                  .target = t->target,
                                  .log_target = t->log_target,
                                  .score = parts != NULL ? t->light_score : t->score});
}

/* The flagged rows through the network; how many they are. */
static size_t light_forward(struct rows_trial *t, const int32_t *tokens, const uint8_t *flags,
                            bool cached) {
  const msk_maskgit_config *config = msk_maskgit_get_config(t->maskgit);
  const size_t cache = config->layers * ROWS_N * 2 * config->hidden;
  int32_t shown[ROWS_BATCH * ROWS_N], places[ROWS_BATCH * ROWS_N];
  msk_maskgit_part parts[ROWS_BATCH];
  size_t count = 0;
  for (size_t b = 0; b < ROWS_BATCH; b++) {
    parts[b] = (msk_maskgit_part){places + count, 0, cached ? t->caches + b * cache : NULL};
    for (int i = 0; i < ROWS_N; i++) {
      if (!flags[b * ROWS_N + i]) continue;
      shown[count] = tokens[b * ROWS_N + i], places[count++] = i;
      parts[b].count++;
    }
  }
  rows_forward(t, shown, parts);
  return count;
}

/* Whether the flagged rows are the bytes that a pass over all has there. */
static bool rows_are_alike(const struct rows_trial *t, const uint8_t *flags, bool logits) {
  bool alike = true;
  for (size_t at = 0, from = 0; at < ROWS_BATCH * ROWS_N; at++) {
    if (!flags[at]) continue;
    const size_t bytes = ROWS_COLUMNS * sizeof(float);
    alike = alike && memcmp(t->light_score + from, t->score + at, sizeof(float)) == 0 &&
            (!logits || memcmp(t->light_logits + from * ROWS_COLUMNS, t->logits + at * ROWS_COLUMNS,
                               bytes) == 0);
    from++;
  }
  return alike;
}

/* All rows give the bytes of a pass without a cache, and so does any row as long as no token has
 * changed. Where some have: keys and values of the first layer depend on a row's own token alone,
 * so its scores are right where the changed rows are computed, and what lies behind is not (or the
 * cache would not be used); and when all rows have been computed anew, nothing is left of
 * before. */
static void rows_on(struct rig *rig) {
  static const int layers[] = {0, 3};
  static struct rows_trial t;
  static int32_t before[ROWS_BATCH * ROWS_N], after[ROWS_BATCH * ROWS_N];
  uint8_t all[ROWS_BATCH * ROWS_N], some[ROWS_BATCH * ROWS_N], changed[ROWS_BATCH * ROWS_N];
  uint64_t random = 9;
  t.rig = rig;
  t.maskgit = maskgit_open(rig, golden_path("odd/maskgit_imagenet80_checkpoint"), "");
  t.layers = layers, t.layer_count = 2;
  const msk_maskgit_config *config = msk_maskgit_get_config(t.maskgit);
  const size_t maps = 2 * config->heads * ROWS_N * ROWS_N,
               cache = config->layers * ROWS_N * 2 * config->hidden;
  assert_int_equal(config->positions, ROWS_N);
  t.target = malloc(maps * sizeof(float)), t.log_target = malloc(maps * sizeof(float));
  t.caches = malloc(ROWS_BATCH * cache * sizeof(float));
  memset(t.caches, 0xFF, ROWS_BATCH * cache * sizeof(float)); /* NaN: to be read nowhere */
  for (int i = 0; i < ROWS_BATCH * ROWS_N; i++) {
    const bool masked = test_random(&random) % 3 == 0;
    before[i] = masked ? MSK_MASK_TOKEN : (int32_t)(test_random(&random) % ROWS_COLUMNS);
    /* of the second sequence a row, of the third none */
    some[i] = i < ROWS_N ? i % 3 == 1 : i == ROWS_N + 44;
    changed[i] = i < 2 * ROWS_N ? test_random(&random) % 5 == 0 : i == 2 * ROWS_N;
    after[i] = changed[i] ? (before[i] + 7) % ROWS_COLUMNS : before[i];
  }
  memset(all, 1, sizeof all);
  rig_forward(rig, t.maskgit,
              &(msk_maskgit_pass){.tokens = after + ROWS_N,
                                  .batch = 1,
                                  .layers = layers,
                                  .layer_count = 2,
                                  .maps = t.target,
                                  .log_maps = t.log_target});
  rows_forward(&t, before, NULL);
  light_forward(&t, before, all, false);
  assert_true(rows_are_alike(&t, all, true));
  light_forward(&t, before, all, true);
  assert_true(rows_are_alike(&t, all, true));
  assert_int_equal(light_forward(&t, before, some, true), 35);
  assert_true(rows_are_alike(&t, some, true));
  t.layer_count = 1;
  rows_forward(&t, after, NULL);
  light_forward(&t, after, changed, true);
  assert_true(rows_are_alike(&t, changed, false));
  assert_false(rows_are_alike(&t, changed, true));
  t.layer_count = 2;
  rows_forward(&t, after, NULL);
  light_forward(&t, after, all, true);
  light_forward(&t, after, some, true);
  assert_true(rows_are_alike(&t, some, true));
  msk_maskgit_destroy(t.maskgit);
  free(t.target), free(t.log_target), free(t.caches);
}
static void test_rows(void **state) {
  (void)state;
  for_each_isa(rows_on);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_tokenizer), cmocka_unit_test(test_strided),
      cmocka_unit_test(test_transformer), cmocka_unit_test(test_threads_and_batches),
      cmocka_unit_test(test_rows)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
