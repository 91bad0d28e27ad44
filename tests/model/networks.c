/* SPDX-License-Identifier: Apache-2.0
 * networks.c - see networks.h. */
#include "networks.h"

#include <math.h>

void rig_open(struct rig *rig, const char *isa, int threads) {
  rig_open_in(rig, isa, threads, MSK_PRECISION_FP32);
}

void rig_open_in(struct rig *rig, const char *isa, int threads, msk_precision precision) {
  msk_error error = {0};
  *rig = (struct rig){0};
  if (msk_device_create(&rig->device, isa, precision, NULL, &error) != MSK_OK)
    fail_msg("%s", error.message);
  if (threads > 1) assert_int_equal(msk_pool_create(&rig->pool, threads, NULL, &error), MSK_OK);
  rig->stream = (msk_stream){.device = rig->device, .pool = rig->pool};
}

static void drop_memory(struct rig *rig) {
  free(rig->stream.scratch);
  free(rig->arena.base);
  rig->stream.scratch = NULL;
  rig->stream.scratch_bytes = 0;
  rig->arena = (msk_arena){0};
}

void rig_close(struct rig *rig) {
  drop_memory(rig);
  msk_pool_destroy(rig->pool);
  msk_device_destroy(rig->device);
}

static void start_measuring(struct rig *rig) {
  drop_memory(rig);
  rig->stream.measuring = true;
}

static void *aligned_block(size_t bytes) {
  void *memory = aligned_alloc(64, (bytes + 64) / 64 * 64);
  assert_non_null(memory);
  memset(memory, 0xFF, bytes); /* NaN: what is not written shows */
  return memory;
}

static void start_placing(struct rig *rig) {
  rig->stream.measuring = false;
  rig->stream.scratch = aligned_block(rig->stream.scratch_bytes);
  rig->arena = (msk_arena){.base = aligned_block(rig->arena.peak), .capacity = rig->arena.peak};
}

msk_vqgan *vqgan_open(const struct rig *rig, const char *path, const char *prefix, size_t groups) {
  msk_error error = {0};
  msk_weight_file *file;
  msk_vqgan *vqgan = NULL;
  if (msk_weight_file_open(&file, path, NULL, &error) != MSK_OK) fail_msg("%s", error.message);
  if (msk_vqgan_load(&vqgan, rig->device, file, prefix, groups, rig->decoding, rig->pool, &error) !=
      MSK_OK)
    fail_msg("%s", error.message);
  msk_weight_file_close(file);
  return vqgan;
}

msk_maskgit *maskgit_open(const struct rig *rig, const char *path, const char *prefix) {
  msk_error error = {0};
  msk_weight_file *file;
  msk_maskgit *maskgit = NULL;
  if (msk_weight_file_open(&file, path, NULL, &error) != MSK_OK) fail_msg("%s", error.message);
  if (msk_maskgit_load(&maskgit, rig->device, file, prefix, rig->pool, &error) != MSK_OK)
    fail_msg("%s", error.message);
  msk_weight_file_close(file);
  return maskgit;
}

void rig_encode(struct rig *rig, const msk_vqgan *vqgan, const float *pixels, size_t batch,
                size_t height, size_t width, float *latents, const msk_observer *observer) {
  start_measuring(rig);
  msk_vqgan_encode(vqgan, &rig->stream, &rig->arena, pixels, batch, height, width, latents,
                   observer);
  start_placing(rig);
  msk_vqgan_encode(vqgan, &rig->stream, &rig->arena, pixels, batch, height, width, latents,
                   observer);
  assert_false(rig->arena.overflow);
  assert_int_equal(rig->arena.used, 0);
}

void rig_quantise(struct rig *rig, const msk_vqgan *vqgan, const float *latents, size_t rows,
                  int32_t *codes) {
  start_measuring(rig);
  msk_vqgan_quantise(vqgan, &rig->stream, latents, rows, codes);
  start_placing(rig);
  msk_vqgan_quantise(vqgan, &rig->stream, latents, rows, codes);
}

void rig_decode(struct rig *rig, const msk_vqgan *vqgan, const int32_t *codes, size_t batch,
                size_t rows, size_t columns, float *pixels, const msk_observer *observer) {
  start_measuring(rig);
  msk_vqgan_decode(vqgan, &rig->stream, &rig->arena, codes, batch, rows, columns, pixels, observer);
  start_placing(rig);
  msk_vqgan_decode(vqgan, &rig->stream, &rig->arena, codes, batch, rows, columns, pixels, observer);
  assert_false(rig->arena.overflow);
  assert_int_equal(rig->arena.used, 0);
}

void rig_forward(struct rig *rig, const msk_maskgit *maskgit, const msk_maskgit_pass *pass) {
  start_measuring(rig);
  msk_maskgit_forward(maskgit, &rig->stream, &rig->arena, pass);
  start_placing(rig);
  msk_maskgit_forward(maskgit, &rig->stream, &rig->arena, pass);
  assert_false(rig->arena.overflow);
  assert_int_equal(rig->arena.used, 0);
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
