/* SPDX-License-Identifier: Apache-2.0
 * networks.c - see networks.h. */
#include "networks.h"

#include <math.h>

void bench_open(struct bench *bench, const char *isa, int threads) {
  msk_error error = {0};
  *bench = (struct bench){0};
  if (msk_device_create(&bench->device, isa, MSK_PRECISION_FP32, NULL, &error) != MSK_OK)
    fail_msg("%s", error.message);
  if (threads > 1) assert_int_equal(msk_pool_create(&bench->pool, threads, NULL, &error), MSK_OK);
  bench->stream = (msk_stream){.device = bench->device, .pool = bench->pool};
}

static void drop_memory(struct bench *bench) {
  free(bench->stream.scratch);
  free(bench->arena.base);
  bench->stream.scratch = NULL;
  bench->stream.scratch_bytes = 0;
  bench->arena = (msk_arena){0};
}

void bench_close(struct bench *bench) {
  drop_memory(bench);
  if (bench->pool != NULL) msk_pool_destroy(bench->pool);
  msk_device_destroy(bench->device);
}

static void start_measuring(struct bench *bench) {
  drop_memory(bench);
  bench->stream.measuring = true;
}

static void *aligned_block(size_t bytes) {
  void *memory = aligned_alloc(64, (bytes + 64) / 64 * 64);
  assert_non_null(memory);
  memset(memory, 0xFF, bytes); /* NaN: what is not written shows */
  return memory;
}

static void start_placing(struct bench *bench) {
  bench->stream.measuring = false;
  bench->stream.scratch = aligned_block(bench->stream.scratch_bytes);
  bench->arena =
      (msk_arena){.base = aligned_block(bench->arena.peak), .capacity = bench->arena.peak};
}

msk_vqgan *vqgan_open(const struct bench *bench, const char *path, const char *prefix,
                      size_t groups) {
  msk_error error = {0};
  msk_weight_file *file;
  msk_vqgan *vqgan = NULL;
  if (msk_weight_file_open(&file, path, NULL, &error) != MSK_OK) fail_msg("%s", error.message);
  if (msk_vqgan_load(&vqgan, bench->device, file, prefix, groups, bench->decoding, bench->pool,
                     &error) != MSK_OK)
    fail_msg("%s", error.message);
  msk_weight_file_close(file);
  return vqgan;
}

msk_maskgit *maskgit_open(const struct bench *bench, const char *path, const char *prefix) {
  msk_error error = {0};
  msk_weight_file *file;
  msk_maskgit *maskgit = NULL;
  if (msk_weight_file_open(&file, path, NULL, &error) != MSK_OK) fail_msg("%s", error.message);
  if (msk_maskgit_load(&maskgit, bench->device, file, prefix, bench->pool, &error) != MSK_OK)
    fail_msg("%s", error.message);
  msk_weight_file_close(file);
  return maskgit;
}

void bench_encode(struct bench *bench, const msk_vqgan *vqgan, const float *pixels, size_t batch,
                  size_t height, size_t width, float *latents, const msk_observer *observer) {
  start_measuring(bench);
  msk_vqgan_encode(vqgan, &bench->stream, &bench->arena, pixels, batch, height, width, latents,
                   observer);
  start_placing(bench);
  msk_vqgan_encode(vqgan, &bench->stream, &bench->arena, pixels, batch, height, width, latents,
                   observer);
  assert_false(bench->arena.overflow);
  assert_int_equal(bench->arena.used, 0);
}

void bench_quantise(struct bench *bench, const msk_vqgan *vqgan, const float *latents, size_t rows,
                    int32_t *codes) {
  start_measuring(bench);
  msk_vqgan_quantise(vqgan, &bench->stream, latents, rows, codes);
  start_placing(bench);
  msk_vqgan_quantise(vqgan, &bench->stream, latents, rows, codes);
}

void bench_decode(struct bench *bench, const msk_vqgan *vqgan, const int32_t *codes, size_t batch,
                  size_t rows, size_t columns, float *pixels, const msk_observer *observer) {
  start_measuring(bench);
  msk_vqgan_decode(vqgan, &bench->stream, &bench->arena, codes, batch, rows, columns, pixels,
                   observer);
  start_placing(bench);
  msk_vqgan_decode(vqgan, &bench->stream, &bench->arena, codes, batch, rows, columns, pixels,
                   observer);
  assert_false(bench->arena.overflow);
  assert_int_equal(bench->arena.used, 0);
}

void bench_forward(struct bench *bench, const msk_maskgit *maskgit, const msk_maskgit_pass *pass) {
  start_measuring(bench);
  msk_maskgit_forward(maskgit, &bench->stream, &bench->arena, pass);
  start_placing(bench);
  msk_maskgit_forward(maskgit, &bench->stream, &bench->arena, pass);
  assert_false(bench->arena.overflow);
  assert_int_equal(bench->arena.used, 0);
}

float *load_pixels(const char *path, size_t *height, size_t *width) {
  msk_error error = {0};
  msk_image image;
  if (msk_image_load(&image, path, MSK_ALPHA_DROP, NULL, &error) != MSK_OK)
    fail_msg("%s", error.message);
  size_t count = (size_t)image.width * (size_t)image.height * 3;
  float *pixels = malloc(count * sizeof *pixels);
  for (size_t i = 0; i < count; i++) pixels[i] = (float)image.pixels[i] / 255.0f;
  *height = (size_t)image.height;
  *width = (size_t)image.width;
  msk_image_free(&image);
  return pixels;
}

/* ---- random networks ---- */

enum { MAX_TENSORS = 1024 };

struct random_network {
  const char *prefix;
  uint64_t seed;
  size_t count;
  msk_tensor tensors[MAX_TENSORS];
};

static msk_status collect_tensor(void *user, const msk_tensor *tensor) {
  struct random_network *network = user;
  assert_true(network->count < MAX_TENSORS);
  char *name = malloc(strlen(network->prefix) + strlen(tensor->name) + 1);
  strcat(strcpy(name, network->prefix), tensor->name);
  network->tensors[network->count] = *tensor;
  network->tensors[network->count++].name = name;
  return MSK_OK;
}

static bool ends_with(const char *text, const char *end) {
  size_t length = strlen(text);
  return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

static msk_status fill_random(void *user, size_t index, void *out, msk_error *error) {
  struct random_network *network = user;
  const msk_tensor *tensor = &network->tensors[index];
  (void)error;
  uint64_t state = network->seed * 1000 + index;
  double fan_in = 1;
  for (int i = 0; i + 1 < tensor->rank; i++) fan_in *= (double)tensor->shape[i];
  float centre = ends_with(tensor->name, "scale") ? 1.0f : 0.0f, spread = 0.2f;
  if (ends_with(tensor->name, "kernel")) spread = (float)sqrt(3.0 / fan_in);
  if (ends_with(tensor->name, "embedding") || ends_with(tensor->name, "codebook")) spread = 1.0f;
  float *values = out;
  for (size_t i = 0; i < tensor->elements; i++)
    values[i] = centre + test_uniform(&state, -spread, spread);
  return MSK_OK;
}

void write_random_network(const char *path, const char *prefix, each_tensor *each,
                          const void *config, uint64_t seed) {
  struct random_network *network = calloc(1, sizeof *network);
  msk_error error = {0};
  network->prefix = prefix;
  network->seed = seed;
  assert_int_equal(each(config, collect_tensor, network), MSK_OK);
  if (msk_safetensors_write(path, network->tensors, network->count, NULL, 0, fill_random, network,
                            NULL, &error) != MSK_OK) {
    fail_msg("%s", error.message);
  }
  for (size_t i = 0; i < network->count; i++) free((char *)(uintptr_t)network->tensors[i].name);
  free(network);
}
