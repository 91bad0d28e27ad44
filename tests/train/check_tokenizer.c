/* SPDX-License-Identifier: Apache-2.0
 *
 * check_tokenizer.c - the tokenizer's half of check_gradients: the authors' VQVAE losses, of the
 * picture, of the quantiser, and both.
 *
 * The entropy term divides distances by a temperature of 0.01, so a difference of e in a latent
 * moves a logit by 200 e |c - c'|, and only rows between two codes have a slope at all. Latents of
 * one network by two float32 programs differ by some LATENT_ERROR of the largest (ours, by kernel
 * set, 2.5e-6 to 9.6e-6 from float64's). Gradients through that term are known no better than they
 * change when latents move by so much: that is measured for each tensor, and allowed besides. With
 * latents from float64, the recorded ones of the tiny network are 1.9e-3 off. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check_gradients.h"
#include "train/picture_loss.h"
#include "train/quantiser.h"

#define LATENT_ERROR 4e-6

static const msk_picture_weights authors_picture = {.absolute = 1, .square = 2};
static const msk_quantiser_weights authors_quantiser = {
    .commitment = 0.25f, .codebook = 1, .entropy = 0.1f, .temperature = 0.01f};

struct tokenizer {
  const char *folder; /* gradients/tokenizer */
  const json_t *losses;
  msk_pool *pool;
  msk_params *params;
  msk_autoencoder *net;
  msk_picture_shape shape;
  msk_codebook_shape codebook;
  size_t rows;
  float *block, *gradients, *nudged, *quantised, *slope, *entropy_slope, *latents, *dpictures,
      *room;
  int32_t *codes;
  double *doubles;
  msk_array pictures;
};

static double recorded(const struct tokenizer *t, const char *name) {
  char key[64];
  snprintf(key, sizeof key, "tokenizer.%s", name);
  return json_number_value(json_object_get(t->losses, key));
}

static void judge_loss(const struct tokenizer *t, const char *loss, const char *name,
                       double value) {
  judge(loss, name, fabs(value - recorded(t, name)) / fabs(value), LOSS_TOLERANCE);
}

/* Latents moved up or down by what float32 leaves open. */
static void nudge(const struct tokenizer *t, const float *z) {
  size_t count = t->rows * t->codebook.dim;
  float largest = 0;
  uint64_t state = 1;
  for (size_t i = 0; i < count; i++) largest = fmaxf(largest, fabsf(z[i]));
  for (size_t i = 0; i < count; i++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    t->latents[i] = z[i] + (state >> 63 ? 1.0f : -1.0f) * (float)LATENT_ERROR * largest;
  }
}

/* t->nudged: t->gradients, and what the quantiser's change by when latents are nudged. t->slope:
 * the decoder's share of the latents' slope. */
static void measure_nudged(struct tokenizer *t, const float *z, const float *codebook) {
  size_t count = t->rows * t->codebook.dim;
  memset(t->nudged, 0, t->params->floats * sizeof(float));
  memcpy(t->entropy_slope, t->slope, count * sizeof(float));
  nudge(t, z);
  msk_quantiser_loss(t->pool, &authors_quantiser, t->codebook, codebook, t->rows, t->latents,
                     t->codes, t->doubles, t->entropy_slope,
                     msk_params_find(t->params, t->nudged, "quantizer.codebook"));
  msk_autoencoder_encode_backward(t->net, t->entropy_slope, t->nudged);
  for (size_t i = 0; i < t->params->count; i++) { /* the decoder's are not through the quantiser */
    const msk_param *param = &t->params->list[i];
    if (strncmp(param->tensor.name, "decoder.", 8) == 0)
      memcpy(t->nudged + param->offset, t->gradients + param->offset,
             param->tensor.elements * sizeof(float));
  }
}

/* One loss of the two, or their sum, and all its gradients. */
static void check_loss(struct tokenizer *t, const char *name, bool picture, bool quantiser) {
  char file[64];
  size_t dim = t->codebook.dim;
  snprintf(file, sizeof file, "%s_gradient", name);
  if (access(path_of(t->folder, file), R_OK) != 0) {
    printf("%-16s skipped: not recorded\n", name);
    return;
  }
  checked++;
  float *codebook = msk_params_find(t->params, t->block, "quantizer.codebook"),
        *dcodebook = msk_params_find(t->params, t->gradients, "quantizer.codebook");
  double loss = 0;
  memset(t->gradients, 0, t->params->floats * sizeof(float));
  const float *z = msk_autoencoder_encode(t->net, t->shape, t->pictures.data);
  msk_quantise(t->pool, t->codebook, codebook, t->rows, z, t->codes);
  for (size_t i = 0; i < t->rows * dim; i++)
    t->quantised[i] = codebook[(size_t)t->codes[i / dim] * dim + i % dim];
  memset(t->slope, 0, t->rows * dim * sizeof(float));
  if (picture) {
    const float *y = msk_autoencoder_decode(t->net, t->shape, t->quantised);
    loss = msk_picture_loss(t->pool, &authors_picture, t->shape, t->pictures.data, y, t->dpictures,
                            t->room);
    judge_loss(t, name, "picture", loss);
    memcpy(t->slope, msk_autoencoder_decode_backward(t->net, t->dpictures, true, t->gradients),
           t->rows * dim * sizeof(float));
  }
  if (quantiser) {
    measure_nudged(t, z, codebook);
    msk_quantiser_losses losses =
        msk_quantiser_loss(t->pool, &authors_quantiser, t->codebook, codebook, t->rows, z, t->codes,
                           t->doubles, t->slope, dcodebook);
    judge_loss(t, name, "e_latent_loss", losses.commitment);
    judge_loss(t, name, "q_latent_loss", losses.codebook);
    judge_loss(t, name, "entropy_loss", losses.entropy);
    loss += losses.commitment + losses.codebook + losses.entropy;
  }
  msk_autoencoder_encode_backward(t->net, t->slope, t->gradients);
  judge_loss(t, name, name, loss);
  msk_weight_file *expected = open_weights(path_of(t->folder, file));
  compare_gradients(name, t->params, t->gradients, quantiser ? t->nudged : NULL, expected);
  msk_weight_file_close(expected);
}

static void check_tokens(const struct tokenizer *t) {
  msk_array tokens = read_array(path_of(t->folder, "tokens.npy"));
  size_t wrong = 0;
  for (size_t i = 0; i < t->rows; i++) wrong += t->codes[i] != ((int32_t *)tokens.data)[i];
  judge("tokens", "places that differ", (double)wrong, 0);
  msk_free(NULL, tokens.data);
}

static void *take(size_t count, size_t bytes) {
  void *memory = msk_allocate_zeroed(NULL, count, bytes);
  if (memory == NULL) stop("no memory");
  return memory;
}

static void take_arrays(struct tokenizer *t) {
  size_t values = t->shape.batch * t->shape.height * t->shape.width * 3;
  t->block = take(t->params->floats, sizeof(float));
  t->gradients = take(t->params->floats, sizeof(float));
  t->nudged = take(t->params->floats, sizeof(float));
  t->entropy_slope = take(t->rows * t->codebook.dim, sizeof(float));
  t->latents = take(t->rows * t->codebook.dim, sizeof(float));
  t->quantised = take(t->rows * t->codebook.dim, sizeof(float));
  t->slope = take(t->rows * t->codebook.dim, sizeof(float));
  t->dpictures = take(values, sizeof(float));
  t->room = take(msk_picture_loss_floats(t->shape), sizeof(float));
  t->codes = take(t->rows, sizeof(int32_t));
  t->doubles = take(msk_quantiser_room(t->codebook, t->rows), sizeof(double));
}

static void close_tokenizer(struct tokenizer *t) {
  void *all[] = {t->block,   t->gradients, t->nudged, t->quantised, t->slope,   t->entropy_slope,
                 t->latents, t->dpictures, t->room,   t->codes,     t->doubles, t->pictures.data};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) msk_free(NULL, all[i]);
  msk_autoencoder_destroy(t->net);
  msk_params_destroy(t->params);
}

void check_tokenizer(const char *folder, const json_t *losses, const msk_device *device,
                     msk_pool *pool) {
  char own[1024];
  msk_error error;
  msk_vqgan_config config;
  snprintf(own, sizeof own, "%s", path_of(folder, "gradients/tokenizer"));
  struct tokenizer t = {.folder = own, .losses = losses, .pool = pool};
  if (access(own, R_OK) != 0) {
    printf("tokenizer        skipped: not recorded\n");
    return;
  }
  t.pictures = read_array(path_of(own, "pictures.npy"));
  t.shape = (msk_picture_shape){t.pictures.shape[0], t.pictures.shape[1], t.pictures.shape[2]};
  msk_weight_file *file = open_weights(find_file(folder, "tokenizer_"));
  if (msk_vqgan_read_config(&config, file, "", 0, &error) != MSK_OK ||
      msk_params_create_tokenizer(&t.params, &config, false, false, NULL, &error) != MSK_OK ||
      msk_autoencoder_create(&t.net, t.params, &config, device, pool, &t.shape, 1, false, &error) !=
          MSK_OK)
    stop(error.message);
  t.codebook = (msk_codebook_shape){config.codes, config.dim};
  t.rows = t.shape.batch * (t.shape.height / config.patch) * (t.shape.width / config.patch);
  take_arrays(&t);
  if (msk_params_read(t.params, file, "", t.block, &error) != MSK_OK) stop(error.message);
  msk_autoencoder_set(t.net, t.block);
  check_loss(&t, "picture", true, false);
  check_loss(&t, "quantizer", false, true);
  check_loss(&t, "whole", true, true);
  check_tokens(&t);
  close_tokenizer(&t);
  msk_weight_file_close(file);
}
