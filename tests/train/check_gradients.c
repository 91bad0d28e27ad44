/* SPDX-License-Identifier: Apache-2.0
 *
 * check_gradients FOLDER [ISA] - losses and gradients of the networks in FOLDER (their Flax
 * checkpoints, config.json, gradients/ as the golden data's manifest describes them) against those
 * recorded there. Prints for each loss the worst error of each tensor, relative to the tensor's
 * largest gradient; exits 0 if all are within tolerance, 1 if not. */
#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check_gradients.h"
#include "train/network.h"

int failures, checked;

void stop(const char *what) {
  fprintf(stderr, "check_gradients: %s\n", what);
  exit(1);
}

const char *path_of(const char *folder, const char *name) {
  static char paths[4][1024];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

/* The file in the folder whose name begins so. */
const char *find_file(const char *folder, const char *start) {
  DIR *directory = opendir(folder);
  static char name[256];
  name[0] = 0;
  for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
    if (strncmp(entry->d_name, start, strlen(start)) == 0)
      snprintf(name, sizeof name, "%s", entry->d_name);
  }
  if (directory != NULL) closedir(directory);
  if (name[0] == 0) stop("the folder has no checkpoint");
  return path_of(folder, name);
}

msk_array read_array(const char *path) {
  void *bytes = NULL;
  size_t count = 0;
  msk_array array = {0};
  msk_error error;
  if (msk_file_read(path, 1 << 24, &bytes, &count, NULL, &error) != MSK_OK ||
      msk_npy_decode(&array, bytes, count, "array", NULL, &error) != MSK_OK)
    stop(error.message);
  msk_free(NULL, bytes);
  return array;
}

msk_weight_file *open_weights(const char *path) {
  msk_weight_file *file = NULL;
  msk_error error;
  if (msk_weight_file_open(&file, path, NULL, &error) != MSK_OK) stop(error.message);
  return file;
}

void judge(const char *loss, const char *what, double error, double allowed) {
  bool good = error <= allowed;
  printf("%-16s %-72s %.2e%s\n", loss, what, error, good ? "" : "  WRONG");
  failures += !good;
}

/* The keys' bias has no gradient, since softmax does not see what is added to all logits of a row;
 * what the recorded one has are rounding errors. They are measured by the queries' bias. */
static double size_of(const msk_params *params, size_t index, const float *gradients,
                      double largest) {
  const msk_param *param = &params->list[index];
  if (strstr(param->tensor.name, ".key.bias") == NULL) return largest;
  for (size_t i = 0; i < params->count; i++) {
    const msk_param *other = &params->list[i];
    size_t start = (size_t)(strstr(param->tensor.name, ".key.bias") - param->tensor.name);
    if (strncmp(other->tensor.name, param->tensor.name, start) != 0 ||
        strcmp(other->tensor.name + start, ".query.bias") != 0)
      continue;
    for (size_t j = 0; j < other->tensor.elements; j++)
      largest = fmax(largest, fabs((double)gradients[other->offset + j]));
  }
  return largest;
}

void compare_gradients(const char *loss, const msk_params *params, const float *gradients,
                       const float *nudged, const msk_weight_file *expected) {
  for (size_t i = 0; i < params->count; i++) {
    const msk_param *param = &params->list[i];
    const msk_tensor *tensor = msk_weight_file_find(expected, param->tensor.name);
    if (tensor == NULL || tensor->elements != param->tensor.elements) stop(param->tensor.name);
    float *values = malloc(tensor->elements * sizeof *values);
    msk_tensor_to_f32(tensor, 0, tensor->elements, values);
    double largest = 0, worst = 0, unknown = 0;
    for (size_t j = 0; j < tensor->elements; j++) {
      size_t at = param->offset + j;
      if (nudged != NULL) unknown = fmax(unknown, fabs((double)nudged[at] - (double)gradients[at]));
      double difference = fabs((double)values[j] - (double)gradients[param->offset + j]);
      largest = fmax(largest, fabs((double)values[j]));
      worst = difference >= worst || isnan(difference) ? difference : worst;
    }
    free(values);
    if (worst <= LEAST) worst = 0; /* where there is nothing, nothing is relative */
    largest = size_of(params, i, gradients, largest);
    judge(loss, param->tensor.name, worst == 0 ? 0 : worst / largest,
          TOLERANCE + (unknown == 0 ? 0 : unknown / largest));
  }
}

struct check {
  const char *folder; /* gradients/transformer */
  json_t *losses;
  msk_params *params;
  msk_network *network;
  float *block, *gradients;
};

static double expected_loss(const struct check *check, const char *name) {
  char key[64];
  snprintf(key, sizeof key, "transformer.%s", name);
  return json_number_value(json_object_get(check->losses, key));
}

static void finish(const struct check *check, const char *name, double loss, double scale) {
  char file[128];
  judge(name, "loss", fabs(loss - expected_loss(check, name)) / scale, LOSS_TOLERANCE);
  snprintf(file, sizeof file, "%s_gradient", name);
  msk_weight_file *expected = open_weights(path_of(check->folder, file));
  compare_gradients(name, check->params, check->gradients, NULL, expected);
  msk_weight_file_close(expected);
}

/* A folder may hold the gradients of some losses only. */
static bool is_recorded(const struct check *check, const char *name) {
  char file[128];
  snprintf(file, sizeof file, "%s_gradient", name);
  bool there = access(path_of(check->folder, file), R_OK) == 0;
  if (!there) printf("%-16s skipped: not recorded\n", name);
  checked += there;
  return there;
}

static void check_masked(const struct check *check, const char *name, float smoothing) {
  if (!is_recorded(check, name)) return;
  msk_array target = read_array(path_of(check->folder, "true.npy")),
            shown = read_array(path_of(check->folder, "shown.npy")),
            mask = read_array(path_of(check->folder, "mask.npy"));
  memset(check->gradients, 0, check->params->floats * sizeof(float));
  msk_masked_batch batch = {.batch = target.shape[0],
                            .shown = shown.data,
                            .target = target.data,
                            .mask = mask.data,
                            .smoothing = smoothing};
  msk_masked_loss loss = msk_network_masked(check->network, &batch, check->gradients);
  finish(check, name, loss.smoothed, fabs(loss.smoothed));
  if (smoothing > 0)
    judge(name, "plain loss beside it",
          fabs(loss.plain - expected_loss(check, "masked_plain")) / fabs(loss.plain),
          LOSS_TOLERANCE);
  msk_free(NULL, target.data), msk_free(NULL, shown.data), msk_free(NULL, mask.data);
}

static void check_distance(const struct check *check, const char *name, msk_distance distance,
                           const int *layers, size_t layer_count) {
  if (!is_recorded(check, name)) return;
  char file[64];
  snprintf(file, sizeof file, "%s.npy", name);
  msk_array first = read_array(path_of(check->folder, "first.npy")),
            second = read_array(path_of(check->folder, "second.npy")),
            weights = read_array(path_of(check->folder, "weights.npy"));
  msk_array expected = read_array(path_of(check->folder, file));
  size_t pairs = first.shape[0], count = pairs * first.shape[1];
  int32_t *tokens = malloc(2 * count * sizeof *tokens);
  float *values = malloc(count * sizeof *values);
  memcpy(tokens, first.data, count * sizeof *tokens);
  memcpy(tokens + count, second.data, count * sizeof *tokens);
  memset(check->gradients, 0, check->params->floats * sizeof(float));
  msk_pair_batch batch = {.pairs = pairs,
                          .tokens = tokens,
                          .layers = layers,
                          .layer_count = layer_count,
                          .distance = distance};
  msk_network_distances(check->network, &batch, values);
  msk_network_distances_backward(check->network, &batch, weights.data, check->gradients);
  double loss = 0, size = 0, worst = 0, largest = 0;
  for (size_t i = 0; i < count; i++) {
    double value = ((float *)expected.data)[i], weight = ((float *)weights.data)[i];
    worst = fmax(worst, fabs(value - (double)values[i]));
    largest = fmax(largest, fabs(value));
    loss += weight * (double)values[i];
    size += fabs(weight * (double)values[i]);
  }
  judge(name, "values", worst / largest, TOLERANCE);
  finish(check, name, loss, size);
  free(tokens), free(values);
  msk_free(NULL, first.data), msk_free(NULL, second.data), msk_free(NULL, weights.data);
  msk_free(NULL, expected.data);
}

static void run_all(const struct check *check, const json_t *layers) {
  int list[64];
  size_t count = json_array_size(layers);
  if (count > 64) stop("too many structure layers");
  for (size_t i = 0; i < count; i++) list[i] = (int)json_integer_value(json_array_get(layers, i));
  check_masked(check, "masked_plain", 0);
  check_masked(check, "masked_smoothed", 0.1f);
  check_distance(check, "symmetric_kl", MSK_DISTANCE_SYMMETRIC_KL, list, count);
  check_distance(check, "cross_entropy", MSK_DISTANCE_CROSS_ENTROPY, list, count);
}

int main(int argc, char **argv) {
  if (argc < 2) stop("usage: check_gradients FOLDER [ISA]");
  char folder[1024];
  snprintf(folder, sizeof folder, "%s", path_of(argv[1], "gradients/transformer"));
  json_t *config = json_load_file(path_of(argv[1], "config.json"), 0, NULL);
  struct check check = {.folder = folder};
  check.losses = json_load_file(path_of(argv[1], "gradients/losses.json"), 0, NULL);
  if (config == NULL || check.losses == NULL) stop("config.json or losses.json cannot be read");
  msk_weight_file *file = open_weights(find_file(argv[1], "maskgit"));
  msk_device *device = NULL;
  msk_pool *pool = NULL;
  msk_error error;
  msk_maskgit_config sizes;
  size_t codes = (size_t)json_integer_value(json_object_get(config, "codebook_size"));
  if (msk_device_create(&device, argc > 2 ? argv[2] : NULL, MSK_PRECISION_FP32, NULL, &error) !=
          MSK_OK ||
      msk_pool_create(&pool, 2, NULL, &error) != MSK_OK ||
      msk_maskgit_read_config(&sizes, file, "", &error) != MSK_OK ||
      msk_params_create(&check.params, &sizes, NULL, &error) != MSK_OK ||
      msk_network_create(&check.network, check.params, device, pool, codes, 16, &error) != MSK_OK)
    stop(error.message);
  check.block = msk_allocate_zeroed(NULL, check.params->floats, sizeof(float));
  check.gradients = msk_allocate_zeroed(NULL, check.params->floats, sizeof(float));
  if (check.block == NULL || check.gradients == NULL ||
      msk_params_read(check.params, file, "", check.block, &error) != MSK_OK)
    stop(error.message);
  msk_network_set(check.network, check.block);
  run_all(&check, json_object_get(config, "structure_layers"));
  check_tokenizer(argv[1], check.losses, device, pool);
  bool good = failures == 0 && checked > 0;
  printf("%s\n", good ? "all within tolerance" : "WRONG");
  msk_free(NULL, check.block), msk_free(NULL, check.gradients);
  msk_network_destroy(check.network);
  msk_params_destroy(check.params);
  msk_pool_destroy(pool);
  msk_device_destroy(device);
  msk_weight_file_close(file);
  json_decref(config), json_decref(check.losses);
  return good ? 0 : 1;
}
