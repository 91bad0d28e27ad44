/* SPDX-License-Identifier: Apache-2.0
 *
 * random_model.c - msk_model_make_random(): the official networks' sizes (docs/model.md) with
 * random weights. Kernels are uniform with variance 1 / fan-in and norms keep their scale of 1,
 * so that values stay of the size that trained networks have. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/model.h"
#include "api/class_list.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "masksketch_tools.h"

enum { MAX_TENSORS = 1024, CLASSES = 1000, CHUNK = 4096 };

static const msk_vqgan_config official_tokenizer = {.stem = 1,
                                                    .filters = 128,
                                                    .levels = 5,
                                                    .channels = {128, 128, 256, 256, 512},
                                                    .blocks = 2,
                                                    .decoder_blocks = 2,
                                                    .groups = 32,
                                                    .codes = 1024,
                                                    .dim = 256,
                                                    .patch = 16};
static const msk_maskgit_config official_transformer = {.layers = 24,
                                                        .hidden = 768,
                                                        .heads = 16,
                                                        .intermediate = 3072,
                                                        .positions = 257,
                                                        .vocabulary = 1024 + CLASSES + 1};

struct random_model {
  const msk_random_options *options;
  const char *prefix; /* of the network that is being listed */
  size_t count;
  msk_tensor tensors[MAX_TENSORS];
  char names[MAX_TENSORS][MSK_WEIGHT_NAME];
};

static bool ends_with(const char *text, const char *end) {
  size_t a = strlen(text), b = strlen(end);
  return a >= b && strcmp(text + a - b, end) == 0;
}

static msk_status add_tensor(void *user, const msk_tensor *tensor) {
  struct random_model *model = user;
  msk_tensor *added = &model->tensors[model->count];
  char *name = model->names[model->count++]; /* the official networks have some 500 tensors */
  strcat(strcpy(name, model->prefix), tensor->name);
  *added = *tensor;
  added->name = name;
  if (ends_with(name, ".kernel") || ends_with(name, ".embedding"))
    added->dtype = model->options->dtype;
  added->bytes = added->elements * msk_dtype_bytes(added->dtype);
  return MSK_OK;
}

/* splitmix64 (Steele, Lea and Flood, 2014): the k-th number of a stream without those before it. */
static uint64_t random_bits(uint64_t stream, uint64_t k) {
  uint64_t z = stream + (k + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

static void fill_chunk(uint64_t stream, size_t first, size_t count, float centre, float spread,
                       float *values) {
  for (size_t i = 0; i < count; i++) {
    /* 24: as many as a float has */
    uint32_t bits = (uint32_t)(random_bits(stream, first + i) >> 40);
    values[i] = centre + spread * ((float)bits * 0x1p-23f - 1.0f);
  }
}

static msk_status fill_tensor(void *user, size_t index, void *out, msk_error *error) {
  const struct random_model *model = user;
  const msk_tensor *tensor = &model->tensors[index];
  float values[CHUNK], centre = ends_with(tensor->name, ".scale") ? 1.0f : 0.0f, spread = 0.05f;
  uint64_t stream = random_bits(model->options->seed, index);
  double fan_in = 1;
  (void)error;
  for (int i = 0; i + 1 < tensor->rank; i++) fan_in *= (double)tensor->shape[i];
  if (strstr(tensor->name, ".query.") != NULL || strstr(tensor->name, ".key.") != NULL ||
      strstr(tensor->name, ".value.") != NULL)
    fan_in = (double)tensor->shape[0]; /* hidden x heads x head size */
  if (ends_with(tensor->name, ".kernel")) spread = (float)sqrt(3.0 / fan_in);
  if (ends_with(tensor->name, ".embedding") || ends_with(tensor->name, ".codebook")) spread = 0.1f;
  for (size_t first = 0; first < tensor->elements; first += CHUNK) {
    size_t count = tensor->elements - first < CHUNK ? tensor->elements - first : CHUNK;
    fill_chunk(stream, first, count, centre, spread, values);
    msk_f32_to_dtype(values, count, tensor->dtype,
                     (char *)out + first * msk_dtype_bytes(tensor->dtype));
  }
  return MSK_OK;
}

/* The hash that adapters know a model by: of the data in file order, as convert writes it. */
static msk_status hash_tensors(struct random_model *model, char text[65], msk_error *error) {
  size_t most = 0;
  for (size_t i = 0; i < model->count; i++)
    most = model->tensors[i].bytes > most ? model->tensors[i].bytes : most;
  void *scratch = msk_allocate(model->options->allocator, 1, most);
  if (scratch == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "out of memory for a random model");
  msk_sha256 hash;
  msk_sha256_begin(&hash);
  for (size_t i = 0; i < model->count; i++) {
    fill_tensor(model, i, scratch, NULL);
    msk_sha256_add(&hash, scratch, model->tensors[i].bytes);
  }
  msk_sha256_end(&hash, text);
  msk_free(model->options->allocator, scratch);
  return MSK_OK;
}

static int compare_tensors(const void *a, const void *b) { return msk_safetensors_compare(a, b); }

static msk_status list_networks(struct random_model *model) {
  model->prefix = MSK_MODEL_TOKENIZER;
  msk_status status = msk_vqgan_each_tensor(&official_tokenizer, add_tensor, model);
  model->prefix = MSK_MODEL_TRANSFORMER;
  if (status == MSK_OK) status = msk_maskgit_each_tensor(&official_transformer, add_tensor, model);
  /* File order, so that the stream of a tensor hangs on its name and not on how the networks
   * list theirs. */
  qsort(model->tensors, model->count, sizeof *model->tensors, compare_tensors);
  return status;
}

void msk_random_options_init(msk_random_options *options) {
  *options = (msk_random_options){.size = sizeof *options, .dtype = MSK_DTYPE_F16};
}

msk_status msk_model_make_random(const msk_random_options *options, msk_error *error) {
  if (options == NULL || options->size != sizeof *options || options->output_path == NULL) {
    return msk_fail(
        error, MSK_ERROR_ARGUMENT,
        "a random model needs options, set up with msk_random_options_init(), and an output path");
  }
  if (options->dtype != MSK_DTYPE_F32 && options->dtype != MSK_DTYPE_F16 &&
      options->dtype != MSK_DTYPE_BF16) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "weights cannot be stored as %s, expected F32, F16 or BF16",
                    msk_dtype_name((int)options->dtype));
  }
  const msk_allocator *allocator = options->allocator;
  struct random_model *model = msk_allocate_zeroed(allocator, 1, sizeof *model);
  if (model == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "out of memory for a random model");
  model->options = options;
  char *classes = NULL, hash[65];
  msk_class_source source = {.kept_path = options->output_path};
  msk_status status = list_networks(model);
  if (status == MSK_OK) status = msk_class_list_json(&classes, &source, CLASSES, allocator, error);
  if (status == MSK_OK) status = hash_tensors(model, hash, error);
  if (status == MSK_OK) {
    const msk_metadata_entry metadata[] = {{"format", MSK_MODEL_FORMAT},
                                           {"name", "official size, random"},
                                           {"classes", classes},
                                           {"tensors_sha256", hash}};
    status = msk_safetensors_write(options->output_path, model->tensors, model->count, metadata,
                                   sizeof metadata / sizeof *metadata, fill_tensor, model,
                                   allocator, error);
  }
  msk_free(allocator, classes);
  msk_free(allocator, model);
  return status;
}
