/* SPDX-License-Identifier: Apache-2.0
 *
 * test_clip_towers.c - CLIP's preprocessing and towers against torch's values
 * (tests/golden/clip), stage by stage, on every instruction set. */
#include <math.h>

#include "clip_files.h"
#include "model/clip.h"
#include "model/clip_picture.h"
#include "networks.h"

enum { SIDE = 64, DIMENSIONS = 32, IMAGES = 6, PROMPTS = 10 };

static int setup(void **state) {
  int failed = set_up_folder(state);
  clip_write(test_folder, "config.json");
  return failed;
}

static const char *const images[] = {
    "pp0_gradient_256x256", "pp1_shapes_300x200", "pp2_noise_57x91", "pp3_oddcrop_105x100",
    "pp4_same_64x64",       "pp5_small_40x30",    "pp6_tall_100x500"};

static msk_image load_image(size_t index) {
  msk_error error = {0};
  msk_image image;
  if (msk_image_load(&image, golden_path("clip/preprocess/%s.png", images[index]), MSK_ALPHA_DROP,
                     NULL, &error) != MSK_OK)
    fail_msg("%s", error.message);
  return image;
}

/* ---- preprocessing ---- */

static void check_cut(size_t index, size_t n) {
  msk_error error = {0};
  msk_image image = load_image(index);
  uint8_t *bytes = malloc(n * n * 3);
  if (msk_clip_cut(bytes, &image, n, NULL, &error) != MSK_OK) fail_msg("%s", error.message);
  golden_array golden = golden_load(golden_path("clip/preprocess/%s_%zu_u8.npy", images[index], n));
  assert_int_equal(golden.elements, n * n * 3);
  if (memcmp(bytes, golden.data, n * n * 3) != 0) fail_msg("%s at %zu differs", images[index], n);
  golden_free(&golden);
  if (n == SIDE) {
    float *pixels = malloc(n * n * 3 * sizeof *pixels),
          *planes = malloc(n * n * 3 * sizeof *planes);
    msk_clip_normalise(pixels, bytes, n * n);
    for (size_t i = 0; i < n * n * 3; i++) planes[i % 3 * n * n + i / 3] = pixels[i];
    golden = golden_load(golden_path("clip/preprocess/%s_%zu.npy", images[index], n));
    assert_close(planes, (const float *)golden.data, n * n * 3, 1e-6);
    golden_free(&golden);
    free(pixels), free(planes);
  }
  free(bytes);
  msk_image_free(&image);
}

static void test_preprocessing(void **state) {
  (void)state;
  for (size_t i = 0; i < 7; i++) check_cut(i, SIDE);
  check_cut(1, 224);
  msk_error error = {0};
  msk_image line;
  uint8_t bytes[SIDE * SIDE * 3];
  assert_int_equal(msk_image_create(&line, 1, 100000, NULL, &error), MSK_OK);
  assert_int_equal(msk_clip_cut(bytes, &line, SIDE, NULL, &error), MSK_ERROR_ARGUMENT);
  assert_non_null(strstr(error.message, "too long"));
  msk_image_free(&line);
}

/* ---- towers ---- */

static msk_clip_towers *towers_open(const struct rig *rig, const char *config_name) {
  msk_error error = {0};
  msk_clip_config config;
  msk_weight_file *file;
  msk_clip_towers *towers = NULL;
  msk_clip_file json = file_load(golden_path("clip/model/%s", config_name));
  if (msk_clip_config_parse(&config, json.bytes, json.byte_count, "config", &error) != MSK_OK)
    fail_msg("%s", error.message);
  if (msk_weight_file_open(&file, clip_path(test_folder, "model.safetensors"), NULL, &error) !=
      MSK_OK)
    fail_msg("%s", error.message);
  if (msk_clip_towers_load(&towers, rig->device, file, &config, rig->pool, &error) != MSK_OK)
    fail_msg("%s", error.message);
  msk_weight_file_close(file);
  free((void *)(uintptr_t)json.bytes);
  return towers;
}

static void measure_and_place(struct rig *rig, int run, void **scratch, void **base) {
  if (run == 0) {
    rig->stream.measuring = true;
    rig->stream.scratch_bytes = 0;
    rig->arena = (msk_arena){0};
    return;
  }
  *scratch = aligned_alloc(64, rig->stream.scratch_bytes / 64 * 64 + 64);
  *base = aligned_alloc(64, rig->arena.peak + 64);
  memset(*base, 0xFF, rig->arena.peak); /* NaN: what is not written shows */
  rig->stream.measuring = false;
  rig->stream.scratch = *scratch;
  rig->arena = (msk_arena){.base = *base, .capacity = rig->arena.peak};
}

static void embed(struct rig *rig, const msk_clip_towers *towers, const float *pixels,
                  const int32_t *ids, size_t batch, size_t tokens, float *vectors,
                  const msk_observer *observer) {
  void *scratch = NULL, *base = NULL;
  for (int run = 0; run < 2; run++) {
    measure_and_place(rig, run, &scratch, &base);
    if (pixels != NULL) {
      msk_clip_embed_pixels(towers, &rig->stream, &rig->arena, pixels, batch, vectors, observer);
    } else {
      msk_clip_embed_ids(towers, &rig->stream, &rig->arena, ids, batch, tokens, vectors, observer);
    }
  }
  assert_false(rig->arena.overflow);
  assert_int_equal(rig->arena.used, 0);
  free(scratch), free(base);
  rig->stream.scratch = NULL;
  rig->arena = (msk_arena){0};
}

static void check_stage(void *user, const char *name, const float *data, size_t rows,
                        size_t columns, size_t channels) {
  static const char *const files[][2] = {{"vision/patches", "vision_0_patch_conv"},
                                         {"vision/embeddings", "vision_1_embeddings"},
                                         {"vision/pre_layrnorm", "vision_2_pre_layrnorm"},
                                         {"vision/layer0", "vision_3_layer0"},
                                         {"vision/layer1", "vision_4_layer1"},
                                         {"vision/pooled", "vision_5_pooled"},
                                         {"text/embeddings", "text_1_embeddings"},
                                         {"text/layer0", "text_2_layer0"},
                                         {"text/layer1", "text_3_layer1"},
                                         {"text/pooled", "text_5_pooled"}};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    if (strcmp(files[i][0], name) != 0) continue;
    golden_array golden = golden_load(golden_path("clip/stages/%s.npy", files[i][1]));
    size_t count = rows * columns * channels;
    assert_true(count <= golden.elements); /* of a text the rows up to its end */
    assert_close(data, (const float *)golden.data, count, 1e-4);
    golden_free(&golden);
    ++*(int *)user;
    return;
  }
  fail_msg("unknown stage %s", name);
}

static void check_vectors(const float *vectors, const char *name, size_t count) {
  golden_array golden = golden_load(golden_path("clip/%s.npy", name));
  assert_int_equal(golden.elements, count);
  assert_close(vectors, (const float *)golden.data, count, 1e-4);
  golden_free(&golden);
}

static void load_inputs(float *pixels) {
  for (size_t i = 0; i < IMAGES; i++) {
    uint8_t bytes[SIDE * SIDE * 3];
    msk_image image = load_image(i);
    assert_int_equal(msk_clip_cut(bytes, &image, SIDE, NULL, NULL), MSK_OK);
    msk_clip_normalise(pixels + i * SIDE * SIDE * 3, bytes, SIDE * SIDE);
    msk_image_free(&image);
  }
}

static void towers_on(struct rig *rig) {
  static float pixels[IMAGES * SIDE * SIDE * 3];
  float pictures[IMAGES * DIMENSIONS], texts[PROMPTS * DIMENSIONS], one[DIMENSIONS];
  golden_array ids = golden_load(golden_path("clip/embeddings/prompt_ids.npy"));
  load_inputs(pixels);
  msk_clip_towers *towers = towers_open(rig, "config.json");
  int seen = 0;
  msk_observer observer = {&seen, check_stage};
  embed(rig, towers, pixels + 1 * SIDE * SIDE * 3, NULL, 1, 0, one, &observer);
  check_vectors(one, "stages/vision_6_projected", DIMENSIONS);
  assert_int_equal(seen, 6);
  embed(rig, towers, NULL, ids.data, 1, 8, one, &observer);
  check_vectors(one, "stages/text_6_projected", DIMENSIONS);
  assert_int_equal(seen, 10);
  embed(rig, towers, pixels, NULL, IMAGES, 0, pictures, NULL);
  check_vectors(pictures, "embeddings/image_embeds_raw", IMAGES * DIMENSIONS);
  embed(rig, towers, NULL, ids.data, PROMPTS, CONTEXT, texts, NULL);
  check_vectors(texts, "embeddings/text_embeds_raw", PROMPTS * DIMENSIONS);
  /* One alone, and without what stands behind its end: the same bits. */
  assert_memory_equal(one, texts, sizeof one);
  msk_clip_towers_destroy(towers);
  towers = towers_open(rig, "config_gelu.json");
  embed(rig, towers, pixels, NULL, IMAGES, 0, pictures, NULL);
  check_vectors(pictures, "embeddings/gelu_image_embeds_raw", IMAGES * DIMENSIONS);
  embed(rig, towers, NULL, ids.data, PROMPTS, CONTEXT, texts, NULL);
  check_vectors(texts, "embeddings/gelu_text_embeds_raw", PROMPTS * DIMENSIONS);
  msk_clip_towers_destroy(towers);
  golden_free(&ids);
}

static void test_towers(void **state) {
  (void)state;
  for (int i = 0; msk_isa_name(i) != NULL; i++) {
    struct rig rig;
    rig_open(&rig, msk_isa_name(i), i % 2 + 1);
    towers_on(&rig);
    rig_close(&rig);
  }
}

/* ---- config.json ---- */

static msk_status parse_config(const char *text, msk_clip_config *config, msk_error *error) {
  return msk_clip_config_parse(config, text, strlen(text), "C", error);
}

static void test_config(void **state) {
  (void)state;
  msk_clip_config config;
  msk_error error = {0};
  assert_int_equal(parse_config("{\"text_config\": {}}", &config, &error), MSK_OK);
  assert_int_equal(config.vision.hidden, 768);
  assert_int_equal(config.text.layers, 12);
  assert_int_equal(config.projection, 512);
  static const char *const wrong[][2] = {
      {"", "JSON"},
      {"[]", "neither"},
      {"{}", "neither"},
      {"{\"text_config\": 1}", "text_config"},
      {"{\"text_config\":{},\"text_config\":{}}", "JSON"},
      {"{\"text_config\":{\"hidden_size\":0}}", "hidden_size"},
      {"{\"text_config\":{\"hidden_size\":\"x\"}}", "hidden_size"},
      {"{\"text_config\":{\"hidden_size\":99999999}}", "hidden_size"},
      {"{\"text_config\":{\"num_attention_heads\":7}}", "divisor"},
      {"{\"text_config\":{\"hidden_act\":\"relu\"}}", "quick_gelu or gelu"},
      {"{\"text_config\":{\"layer_norm_eps\":0}}", "layer_norm_eps"},
      {"{\"vision_config\":{\"patch_size\":33}}", "patch_size"},
      {"{\"vision_config\":{\"num_channels\":1}}", "num_channels"},
      {"{\"text_config\":{\"eos_token_id\":49408}}", "eos_token_id"},
      {"{\"text_config\":{\"num_hidden_layers\":1000000}}", "num_hidden_layers"}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    assert_int_equal(parse_config(wrong[i][0], &config, &error), MSK_ERROR_FILE);
    if (strstr(error.message, wrong[i][1]) == NULL) fail_msg("%s: %s", wrong[i][0], error.message);
  }
  static char deep[60001];
  memset(deep, '[', 60000);
  assert_int_equal(parse_config(deep, &config, &error), MSK_ERROR_FILE);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_preprocessing),
                                     cmocka_unit_test(test_towers), cmocka_unit_test(test_config)};
  return cmocka_run_group_tests(tests, setup, tear_down_folder);
}
