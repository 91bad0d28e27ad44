/* SPDX-License-Identifier: Apache-2.0
 *
 * test_loading.c - sizes are read from the tensors, and a tensor that is missing, misshapen, not
 * finite or out of place is named. And a tokenizer with a pixel-shuffle stem against a plain
 * float64 forward written here. */
#include <math.h>

#include "networks.h"

static const msk_vqgan_config small_tokenizer = {.stem = 2,
                                                 .filters = 8,
                                                 .levels = 3,
                                                 .channels = {8, 16, 12},
                                                 .blocks = 1,
                                                 .decoder_blocks = 1,
                                                 .groups = 4,
                                                 .codes = 11,
                                                 .dim = 5,
                                                 .patch = 8};
static const msk_vqgan_config small_strided = {.stem = 1,
                                               .filters = 8,
                                               .levels = 2,
                                               .channels = {8, 8},
                                               .blocks = 2,
                                               .decoder_blocks = 1,
                                               .groups = 2,
                                               .codes = 3,
                                               .dim = 4,
                                               .strided = true,
                                               .patch = 2};
static const msk_maskgit_config small_transformer = {
    .layers = 2, .hidden = 24, .heads = 3, .intermediate = 40, .positions = 5, .vocabulary = 20};

static msk_status each_vqgan(const void *config, msk_weight_visit *visit, void *user) {
  return msk_vqgan_each_tensor(config, visit, user);
}
static msk_status each_maskgit(const void *config, msk_weight_visit *visit, void *user) {
  return msk_maskgit_each_tensor(config, visit, user);
}

static const char *network_path(const char *name) {
  static char path[600];
  snprintf(path, sizeof path, "%s/%s", test_folder, name);
  return path;
}

/* ---- configurations ---- */

static void test_sizes_are_read(void **state) {
  (void)state;
  const msk_vqgan_config *tokenizers[] = {&small_tokenizer, &small_strided};
  msk_error error = {0};
  msk_weight_file *file;
  for (int i = 0; i < 2; i++) {
    msk_vqgan_config found = {0};
    write_random_network(network_path("t"), "some.prefix.", each_vqgan, tokenizers[i], 1);
    assert_int_equal(msk_weight_file_open(&file, network_path("t"), NULL, &error), MSK_OK);
    if (msk_vqgan_read_config(&found, file, "some.prefix.", tokenizers[i]->groups, &error) !=
        MSK_OK)
      fail_msg("%s", error.message);
    assert_memory_equal(&found, tokenizers[i], sizeof found);
    assert_int_equal(msk_vqgan_read_config(&found, file, "some.prefix.", 5, &error),
                     MSK_ERROR_FILE);
    assert_non_null(strstr(error.message, "groups"));
    assert_int_equal(msk_vqgan_read_config(&found, file, "", 4, &error), MSK_ERROR_FILE);
    msk_weight_file_close(file);
  }
  msk_maskgit_config found = {0};
  write_random_network(network_path("m"), "", each_maskgit, &small_transformer, 1);
  assert_int_equal(msk_weight_file_open(&file, network_path("m"), NULL, &error), MSK_OK);
  assert_int_equal(msk_maskgit_read_config(&found, file, "", &error), MSK_OK);
  assert_memory_equal(&found, &small_transformer, sizeof found);
  msk_weight_file_close(file);
}

/* The official transformer, counted by hand from the published layout. */
static msk_status add_elements(void *user, const msk_tensor *tensor) {
  *(size_t *)user += tensor->elements;
  return MSK_OK;
}

static void test_official_sizes(void **state) {
  (void)state;
  const msk_maskgit_config official = {.layers = 24,
                                       .hidden = 768,
                                       .heads = 16,
                                       .intermediate = 3072,
                                       .positions = 257,
                                       .vocabulary = 2025};
  size_t count = 0, layer = 4 * (768 * 768 + 768) + 2 * 768 * 3072 + 3072 + 768 + 4 * 768;
  assert_int_equal(msk_maskgit_each_tensor(&official, add_elements, &count), MSK_OK);
  assert_int_equal(count, 24 * layer + (2025 + 257 + 2) * 768 + 768 * 768 + 3 * 768 + 2025);
}

/* ---- damaged networks ---- */

enum damage { REMOVE, WIDEN, NOT_FINITE, ADD, RETYPE, DAMAGES };

struct damaged {
  const msk_weight_file *file;
  size_t victim, count;
  enum damage damage;
  msk_tensor tensors[512];
};

static msk_status fill_damaged(void *user, size_t index, void *out, msk_error *error) {
  struct damaged *damaged = user;
  const msk_tensor *tensor = &damaged->tensors[index];
  (void)error;
  memset(out, 0, tensor->bytes);
  const msk_tensor *original = msk_weight_file_find(damaged->file, tensor->name);
  if (tensor->dtype == MSK_DTYPE_F32 && original != NULL && original->bytes == tensor->bytes)
    msk_tensor_to_f32(original, 0, tensor->elements, out);
  bool victim = strcmp(tensor->name, msk_weight_file_at(damaged->file, damaged->victim)->name) == 0;
  if (damaged->damage == NOT_FINITE && victim) {
    static const float odd[] = {NAN, INFINITY, -INFINITY};
    ((float *)out)[tensor->elements / 2] = odd[damaged->victim % 3];
  }
  return MSK_OK;
}

static void write_damaged(struct damaged *damaged, const char *path) {
  msk_error error = {0};
  damaged->count = 0;
  for (size_t i = 0; i < msk_weight_file_count(damaged->file); i++) {
    msk_tensor tensor = *msk_weight_file_at(damaged->file, i);
    if (i == damaged->victim && damaged->damage == REMOVE) continue;
    if (i == damaged->victim && damaged->damage == WIDEN) {
      tensor.elements =
          tensor.elements / tensor.shape[tensor.rank - 1] * (tensor.shape[tensor.rank - 1] + 1);
      tensor.shape[tensor.rank - 1]++;
    }
    if (i == damaged->victim && damaged->damage == RETYPE) tensor.dtype = MSK_DTYPE_I32;
    tensor.bytes = tensor.elements * msk_dtype_bytes(tensor.dtype);
    damaged->tensors[damaged->count++] = tensor;
  }
  if (damaged->damage == ADD) {
    damaged->tensors[damaged->count++] = (msk_tensor){
        .name = "encoder.Stranger_7.kernel", .rank = 1, .shape = {1}, .elements = 1, .bytes = 4};
  }
  if (msk_safetensors_write(path, damaged->tensors, damaged->count, NULL, 0, fill_damaged, damaged,
                            NULL, &error) != MSK_OK) {
    fail_msg("%s", error.message);
  }
}

/* Every tensor in every way. The damaged tensor is named, or, where its shape is what other
 * sizes are read from, one that contradicts it.
 */
static void check_damages(const char *source, bool tokenizer, size_t groups) {
  msk_error error = {0};
  struct damaged *damaged = calloc(1, sizeof *damaged);
  msk_weight_file *file, *changed;
  struct rig rig;
  size_t named = 0, tried = 0;
  char path[600];
  snprintf(path, sizeof path, "%s/damaged", test_folder);
  rig_open(&rig, "ref", 1);
  assert_int_equal(msk_weight_file_open(&file, source, NULL, &error), MSK_OK);
  damaged->file = file;
  for (damaged->victim = 0; damaged->victim < msk_weight_file_count(file); damaged->victim++) {
    for (damaged->damage = REMOVE; damaged->damage < DAMAGES; damaged->damage++) {
      if (damaged->damage == ADD && damaged->victim > 0) continue;
      write_damaged(damaged, path);
      msk_vqgan *vqgan = NULL;
      msk_maskgit *maskgit = NULL;
      assert_int_equal(msk_weight_file_open(&changed, path, NULL, &error), MSK_OK);
      msk_status status = tokenizer
                              ? msk_vqgan_load(&vqgan, rig.device, changed, "", groups,
                                               MSK_PRECISION_FP32, NULL, &error)
                              : msk_maskgit_load(&maskgit, rig.device, changed, "", NULL, &error);
      const char *name =
          damaged->damage == ADD ? "Stranger_7" : msk_weight_file_at(file, damaged->victim)->name;
      if (status != MSK_ERROR_FILE) fail_msg("%s, damage %d: accepted", name, (int)damaged->damage);
      assert_null(vqgan);
      assert_null(maskgit);
      assert_non_null(strstr(error.message, "tensor "));
      bool names = strstr(error.message, name) != NULL;
      if (!names && damaged->damage != WIDEN)
        fail_msg("%s, damage %d: %s", name, (int)damaged->damage, error.message);
      named += names;
      tried++;
      msk_weight_file_close(changed);
    }
  }
  assert_true(named * 10 > tried * 9);
  msk_weight_file_close(file);
  rig_close(&rig);
  free(damaged);
}

static void test_damaged_networks(void **state) {
  (void)state;
  write_random_network(network_path("t"), "", each_vqgan, &small_tokenizer, 3);
  check_damages(network_path("t"), true, 4);
  write_random_network(network_path("s"), "", each_vqgan, &small_strided, 3);
  check_damages(network_path("s"), true, 2);
  write_random_network(network_path("m"), "", each_maskgit, &small_transformer, 3);
  check_damages(network_path("m"), false, 0);
}

/* ---- the stem, against a plain float64 forward ---- */

struct map {
  size_t height, width, channels;
  double *at;
};

static struct map map_new(size_t height, size_t width, size_t channels) {
  struct map map = {height, width, channels, calloc(height * width * channels, sizeof(double))};
  assert_non_null(map.at);
  return map;
}

static double *weights(const msk_weight_file *file, const char *half, const char *name,
                       const char *rest) {
  char text[200];
  snprintf(text, sizeof text, "%s.%s%s", half, name, rest);
  const msk_tensor *tensor = msk_weight_file_find(file, text);
  if (tensor == NULL) return NULL;
  float *values = malloc(tensor->bytes);
  double *wide = malloc(tensor->elements * sizeof *wide);
  msk_tensor_to_f32(tensor, 0, tensor->elements, values);
  for (size_t i = 0; i < tensor->elements; i++) wide[i] = (double)values[i];
  free(values);
  return wide;
}

static struct map naive_conv(const msk_weight_file *file, const char *half, const char *name,
                             struct map x, size_t kernel, size_t out, bool free_x) {
  double *weight = weights(file, half, name, ".kernel"), *bias = weights(file, half, name, ".bias");
  struct map y = map_new(x.height, x.width, out);
  long reach = (long)kernel / 2;
  for (size_t i = 0; i < x.height * x.width * out; i++) {
    long row = (long)(i / out / x.width), column = (long)(i / out % x.width);
    double sum = bias == NULL ? 0 : bias[i % out];
    for (long dy = 0; dy < (long)kernel; dy++) {
      for (long dx = 0; dx < (long)kernel; dx++) {
        long r = row + dy - reach, c = column + dx - reach;
        if (r < 0 || c < 0 || r >= (long)x.height || c >= (long)x.width) continue;
        for (size_t k = 0; k < x.channels; k++) {
          sum += x.at[((size_t)r * x.width + (size_t)c) * x.channels + k] *
                 weight[(((size_t)dy * kernel + (size_t)dx) * x.channels + k) * out + i % out];
        }
      }
    }
    y.at[i] = sum;
  }
  free(weight), free(bias);
  if (free_x) free(x.at);
  return y;
}

static struct map naive_norm(const msk_weight_file *file, const char *half, const char *name,
                             struct map x, size_t groups) {
  double *scale = weights(file, half, name, ".scale"), *bias = weights(file, half, name, ".bias");
  struct map y = map_new(x.height, x.width, x.channels);
  size_t pixels = x.height * x.width, wide = x.channels / groups;
  for (size_t g = 0; g < groups; g++) {
    double mean = 0, variance = 0, count = (double)(pixels * wide);
    for (size_t p = 0; p < pixels * wide; p++)
      mean += x.at[p / wide * x.channels + g * wide + p % wide] / count;
    for (size_t p = 0; p < pixels * wide; p++)
      variance += pow(x.at[p / wide * x.channels + g * wide + p % wide] - mean, 2) / count;
    for (size_t p = 0; p < pixels * wide; p++) {
      size_t i = p / wide * x.channels + g * wide + p % wide, c = i % x.channels;
      double value = (x.at[i] - mean) / sqrt(variance + 1e-6) * scale[c] + bias[c];
      y.at[i] = value / (1 + exp(-value));
    }
  }
  free(scale), free(bias);
  return y;
}

static struct map naive_block(const msk_weight_file *file, const char *half, int number,
                              struct map x, size_t groups, size_t out) {
  char norm0[64], norm1[64], conv[3][64];
  snprintf(norm0, sizeof norm0, "ResBlock_%d.GroupNorm_0", number);
  snprintf(norm1, sizeof norm1, "ResBlock_%d.GroupNorm_1", number);
  for (int i = 0; i < 3; i++) snprintf(conv[i], sizeof conv[i], "ResBlock_%d.Conv_%d", number, i);
  struct map h = naive_conv(file, half, conv[0], naive_norm(file, half, norm0, x, groups), 3, out,
                            true),
             n = naive_norm(file, half, norm1, h, groups);
  struct map y = naive_conv(file, half, conv[1], n, 3, out, true);
  struct map shortcut = x.channels == out ? x : naive_conv(file, half, conv[2], y, 1, out, false);
  for (size_t i = 0; i < y.height * y.width * out; i++) y.at[i] += shortcut.at[i];
  if (x.channels != out) free(shortcut.at);
  free(h.at), free(x.at);
  return y;
}

static struct map naive_pool(struct map x) {
  struct map y = map_new((x.height + 1) / 2, (x.width + 1) / 2, x.channels);
  for (size_t i = 0; i < y.height * y.width * y.channels; i++) {
    size_t row = i / y.channels / y.width * 2, column = i / y.channels % y.width * 2,
           c = i % y.channels;
    double sum = 0, cells = 0;
    for (size_t r = row; r < row + 2 && r < x.height; r++) {
      for (size_t q = column; q < column + 2 && q < x.width; q++, cells++)
        sum += x.at[(r * x.width + q) * x.channels + c];
    }
    y.at[i] = sum / cells;
  }
  free(x.at);
  return y;
}

static struct map naive_upsample(struct map x) {
  struct map y = map_new(x.height * 2, x.width * 2, x.channels);
  for (size_t i = 0; i < y.height * y.width * y.channels; i++) {
    size_t row = i / y.channels / y.width / 2, column = i / y.channels % y.width / 2;
    y.at[i] = x.at[(row * x.width + column) * x.channels + i % y.channels];
  }
  free(x.at);
  return y;
}

static void compare(const float *found, struct map expected, const char *what) {
  for (size_t i = 0; i < expected.height * expected.width * expected.channels; i++) {
    if (!(fabs((double)found[i] - expected.at[i]) <= 2e-5 * (1 + fabs(expected.at[i])))) {
      fail_msg("%s [%zu]: %g, expected %g", what, i, (double)found[i], expected.at[i]);
    }
  }
  free(expected.at);
}

/* small_tokenizer on a picture of 12 x 20 pixels: 6 x 10 after the stem, then 3 x 5, then 2 x 3
 * (cut cells in both directions). */
static void check_stem(const struct rig *opened, const char *path) {
  enum { HEIGHT = 12, WIDTH = 20, ROWS = 2, COLUMNS = 3 };
  struct rig rig = *opened;
  msk_error error = {0};
  msk_weight_file *file;
  const msk_vqgan_config *config = &small_tokenizer;
  float pixels[HEIGHT * WIDTH * 3], latents[ROWS * COLUMNS * 5],
      picture[ROWS * 8 * COLUMNS * 8 * 3];
  uint64_t random = 9;
  size_t rows, columns;
  assert_int_equal(msk_weight_file_open(&file, path, NULL, &error), MSK_OK);
  msk_vqgan *vqgan = vqgan_open(&rig, path, "", 4);
  struct map x = map_new(HEIGHT / 2, WIDTH / 2, 12);
  for (size_t i = 0; i < HEIGHT * WIDTH * 3; i++) {
    pixels[i] = test_uniform(&random, 0, 1);
    size_t y = i / 3 / WIDTH, column = i / 3 % WIDTH; /* channel (dy * 2 + dx) * 3 + colour */
    x.at[(y / 2 * x.width + column / 2) * 12 + (y % 2 * 2 + column % 2) * 3 + i % 3] =
        (double)pixels[i];
  }
  x = naive_conv(file, "encoder", "Conv_0", x, 3, 8, true);
  x = naive_block(file, "encoder", 0, x, 4, 8);
  x = naive_block(file, "encoder", 1, naive_pool(x), 4, 16);
  x = naive_block(file, "encoder", 2, naive_pool(x), 4, 12);
  x = naive_block(file, "encoder", 3, x, 4, 12);
  struct map normed = naive_norm(file, "encoder", "GroupNorm_0", x, 4);
  free(x.at);
  msk_vqgan_latent_size(vqgan, HEIGHT, WIDTH, &rows, &columns);
  assert_int_equal(rows, ROWS);
  assert_int_equal(columns, COLUMNS);
  rig_encode(&rig, vqgan, pixels, 1, HEIGHT, WIDTH, latents, NULL);
  compare(latents, naive_conv(file, "encoder", "Conv_1", normed, 1, 5, true), "encoder");

  const int32_t codes[ROWS * COLUMNS] = {0, 10, 3, 3, 7, 1};
  double *codebook = weights(file, "quantizer", "codebook", "");
  x = map_new(ROWS, COLUMNS, 5);
  for (size_t i = 0; i < ROWS * COLUMNS * 5; i++)
    x.at[i] = codebook[(size_t)codes[i / 5] * 5 + i % 5];
  free(codebook);
  x = naive_conv(file, "decoder", "Conv_0", x, 3, 12, true);
  x = naive_block(file, "decoder", 0, x, 4, 12);
  x = naive_block(file, "decoder", 1, x, 4, 12);
  x = naive_conv(file, "decoder", "Conv_1", naive_upsample(x), 3, 12, true);
  x = naive_block(file, "decoder", 2, x, 4, 16);
  x = naive_conv(file, "decoder", "Conv_2", naive_upsample(x), 3, 16, true);
  x = naive_block(file, "decoder", 3, x, 4, config->channels[0]);
  normed = naive_norm(file, "decoder", "GroupNorm_0", x, 4);
  free(x.at);
  x = naive_conv(file, "decoder", "Conv_3", normed, 3, 12, true);
  struct map expected = map_new(ROWS * 8, COLUMNS * 8, 3);
  for (size_t i = 0; i < expected.height * expected.width * 3; i++) {
    size_t y = i / 3 / expected.width, column = i / 3 % expected.width;
    expected.at[i] =
        x.at[(y / 2 * x.width + column / 2) * 12 + (y % 2 * 2 + column % 2) * 3 + i % 3];
  }
  free(x.at);
  rig_decode(&rig, vqgan, codes, 1, ROWS, COLUMNS, picture, NULL);
  compare(picture, expected, "decoder");
  msk_vqgan_destroy(vqgan);
  msk_weight_file_close(file);
  rig_close(&rig);
}

static void test_stem(void **state) {
  (void)state;
  write_random_network(network_path("stem"), "", each_vqgan, &small_tokenizer, 17);
  for (int i = 0; msk_isa_name(i) != NULL; i++) {
    struct rig rig;
    rig_open(&rig, msk_isa_name(i), 2);
    check_stem(&rig, network_path("stem"));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sizes_are_read), cmocka_unit_test(test_official_sizes),
      cmocka_unit_test(test_damaged_networks), cmocka_unit_test(test_stem)};
  return cmocka_run_group_tests(tests, set_up_folder, tear_down_folder);
}
