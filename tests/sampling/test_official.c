/* SPDX-License-Identifier: Apache-2.0
 *
 * test_official.c - every case of tests/golden/{tiny,odd}/decode with the networks in the loop:
 * the recipe `official` returns the authors' tokens. Passes are made singly, conditional and
 * unconditional apart; the session's way of batching them is tested in tests/api. */
#include "support.h"

#include <jansson.h>

#include "model/maskgit.h"
#include "sampling/sampler.h"
#include "sampling/recipe.h"

typedef struct network {
  const char *name;
  json_t *config;
  msk_device *device;
  msk_maskgit *maskgit;
  msk_stream stream;
  void *memory;
  size_t memory_bytes;
  size_t tokens, codes, heads, layer_count;
  int layers[8];
  float *target, *log_target, *other; /* structure targets; unconditional logits */
  int32_t *unconditional;
  size_t batch;
} network;

static void forward(network *n, const msk_maskgit_pass *pass) {
  msk_arena arena = {0};
  n->stream.measuring = true;
  n->stream.scratch_bytes = 0;
  n->stream.scratch = NULL;
  msk_maskgit_forward(n->maskgit, &n->stream, &arena, pass);
  n->stream.measuring = false;
  char *memory = aligned_alloc(64, (arena.peak + n->stream.scratch_bytes + 191) / 64 * 64);
  assert_non_null(memory);
  n->stream.scratch = memory + (arena.peak + 63) / 64 * 64;
  msk_arena placed = {.base = memory, .capacity = arena.peak};
  msk_maskgit_forward(n->maskgit, &n->stream, &placed, pass);
  assert_false(placed.overflow);
  free(memory);
}

static msk_status network_logits(void *user, const int32_t *tokens, const int32_t *behind,
                                 const int32_t *unconditional, const float *guidance, uint8_t *rows,
                                 float *logits, float *difference, msk_error *error) {
  network *n = user;
  (void)rows, (void)difference, (void)error;
  size_t row = n->tokens * n->codes;
  forward(n, &(msk_maskgit_pass){
                 .tokens = tokens, .batch = n->batch, .logits = logits, .columns = n->codes});
  for (size_t b = 0; unconditional != NULL && b < n->batch; b++) {
    if (unconditional[b] < 0) continue;
    memcpy(n->unconditional, behind + b * n->tokens, n->tokens * sizeof *tokens);
    n->unconditional[0] = unconditional[b];
    forward(n,
            &(msk_maskgit_pass){
                .tokens = n->unconditional, .batch = 1, .logits = n->other, .columns = n->codes});
    for (size_t i = 0; i < row; i++)
      logits[b * row + i] += guidance[b] * (logits[b * row + i] - n->other[i]);
  }
  return MSK_OK;
}

static msk_status network_score(void *user, const int32_t *tokens, uint8_t *rows, float *score,
                                msk_error *error) {
  network *n = user;
  (void)rows, (void)error;
  forward(n, &(msk_maskgit_pass){.tokens = tokens,
                                 .batch = n->batch,
                                 .layers = n->layers,
                                 .layer_count = n->layer_count,
                                 .target = n->target,
                                 .log_target = n->log_target,
                                 .distance = MSK_DISTANCE_CROSS_ENTROPY,
                                 .score = score});
  return MSK_OK;
}

static void open_network(network *n, const char *name, const char *checkpoint) {
  *n = (network){.name = name,
                 .config = json_load_file(golden_path("%s/config.json", name), 0, NULL)};
  msk_weight_file *file;
  msk_error error;
  if (msk_device_create(&n->device, NULL, MSK_PRECISION_FP32, NULL, &error) != MSK_OK)
    fail_msg("%s", error.message);
  if (msk_weight_file_open(&file, golden_path("%s/%s", name, checkpoint), NULL, &error) != MSK_OK)
    fail_msg("%s", error.message);
  if (msk_maskgit_load(&n->maskgit, n->device, file, "", NULL, &error) != MSK_OK)
    fail_msg("%s", error.message);
  msk_weight_file_close(file);
  n->stream.device = n->device;
  const msk_maskgit_config *config = msk_maskgit_get_config(n->maskgit);
  json_t *layers = json_object_get(n->config, "structure_layers");
  n->tokens = config->positions;
  n->heads = config->heads;
  n->codes = (size_t)json_integer_value(json_object_get(n->config, "codebook_size"));
  n->layer_count = json_array_size(layers);
  for (size_t i = 0; i < n->layer_count; i++)
    n->layers[i] = (int)json_integer_value(json_array_get(layers, i));
  size_t maps = n->layer_count * n->heads * n->tokens * n->tokens;
  n->target = malloc(maps * sizeof(float));
  n->log_target = malloc(maps * sizeof(float));
  n->other = malloc(n->tokens * n->codes * sizeof(float));
  n->unconditional = malloc(n->tokens * sizeof(int32_t));
}

static void close_network(network *n) {
  msk_maskgit_destroy(n->maskgit);
  msk_device_destroy(n->device);
  free(n->target), free(n->log_target), free(n->other), free(n->unconditional);
  json_decref(n->config);
}

static int whole(const json_t *entry, const char *name) {
  return (int)json_number_value(json_object_get(entry, name));
}

static void set(msk_recipe *recipe, msk_job job, const char *key, const json_t *value) {
  char text[40];
  msk_error error;
  snprintf(text, sizeof text, "%.17g", json_number_value(value));
  if (msk_recipe_set(recipe, job, key, json_is_string(value) ? json_string_value(value) : text,
                     &error) != MSK_OK)
    fail_msg("%s", error.message);
}

static void set_recipe(msk_recipe *recipe, msk_job job, const json_t *entry) {
  static const struct {
    const char *name, *key;
  } keys[] = {{"steps", "steps"},
              {"schedule", "schedule"},
              {"guidance", "guidance"},
              {"lambda_structure", "lambda_structure"},
              {"min_mask_rate", "min_mask_rate"},
              {"max_mask_rate", "max_mask_rate"},
              {"temperature_structure", "temperature_structure"},
              {"temperature_confidence", "temperature_confidence"},
              {"temperature", "choice_temperature"},
              {"start_iter", "start_step"}};
  assert_int_equal(msk_recipe_from_defaults(recipe, NULL, 4, job, "official", NULL), MSK_OK);
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    const json_t *value = json_object_get(entry, keys[i].name);
    if (value != NULL) set(recipe, job, keys[i].key, value);
  }
}

static void run(network *n, const msk_sampler_spec *spec, const json_t *entry) {
  const char *id = json_string_value(json_object_get(entry, "id"));
  golden_array golden = golden_load(golden_path("%s/decode/%s/tokens.npy", n->name, id));
  msk_arena arena = {0};
  msk_sampler_place(&arena, spec);
  void *memory = aligned_alloc(64, arena.peak);
  msk_arena placed = {.base = memory, .capacity = arena.peak};
  msk_sampler *sampler = msk_sampler_place(&placed, spec);
  msk_denoiser denoiser = {n, network_logits, network_score};
  msk_error error;
  msk_sampler_begin(sampler, spec, &denoiser);
  size_t steps = (size_t)spec->recipe.steps, step = (size_t)spec->recipe.start_step;
  for (bool done = false; !done; step++) {
    assert_int_equal(msk_sampler_step(sampler, &done, &error), MSK_OK);
    if (spec->job == MSK_JOB_DRAW && !done) continue;
    for (size_t b = 0; b < n->batch; b++) {
      const int32_t *wanted =
          (int32_t *)golden.data + (spec->job == MSK_JOB_DRAW ? b : b * steps + step) * n->tokens;
      if (memcmp(msk_sampler_completed(sampler) + b * n->tokens, wanted, n->tokens * 4) != 0)
        fail_msg("%s/%s: row %zu, step %zu differs", n->name, id, b, step);
    }
  }
  free(memory);
  golden_free(&golden);
}

static void run_case(network *n, const json_t *entry) {
  const char *id = json_string_value(json_object_get(entry, "id")),
             *kind = json_string_value(json_object_get(entry, "kind"));
  golden_array input = golden_load(golden_path("%s/decode/%s/input_tokens.npy", n->name, id));
  int32_t *tokens = input.data;
  msk_sampler_spec spec = {.job = strcmp(kind, "masksketch") == 0 ? MSK_JOB_DRAW
                                  : strcmp(kind, "edit") == 0     ? MSK_JOB_EDIT
                                                                  : MSK_JOB_GENERATE,
                           .seed = (uint64_t)whole(entry, "seed"),
                           .batch = whole(entry, "batch"),
                           .tokens = (int)n->tokens,
                           .codes = (int)n->codes,
                           .class_count = whole(n->config, "num_class"),
                           .class_id = whole(entry, "label"),
                           .null_class = -1};
  uint8_t *mask = calloc(n->tokens, 1);
  set_recipe(&spec.recipe, spec.job, entry);
  n->batch = (size_t)spec.batch;
  if (spec.job == MSK_JOB_DRAW) {
    forward(n, &(msk_maskgit_pass){.tokens = tokens,
                                   .batch = 1,
                                   .layers = n->layers,
                                   .layer_count = n->layer_count,
                                   .maps = n->target,
                                   .log_maps = n->log_target});
  }
  for (size_t i = 1; i < n->tokens; i++) {
    mask[i - 1] = tokens[i] < 0;
    if (tokens[i] < 0) tokens[i] = 0;
  }
  if (spec.job != MSK_JOB_GENERATE) spec.input = tokens + 1;
  if (spec.job == MSK_JOB_EDIT) spec.edit_mask = mask;
  run(n, &spec, entry);
  free(mask);
  golden_free(&input);
}

static void run_network(const char *name, const char *checkpoint, size_t expected) {
  network n;
  open_network(&n, name, checkpoint);
  json_t *cases = json_load_file(golden_path("%s/decode/cases.json", name), 0, NULL), *entry;
  size_t index;
  assert_int_equal(json_array_size(cases), expected);
  json_array_foreach(cases, index, entry) run_case(&n, entry);
  json_decref(cases);
  close_network(&n);
}

static void test_tiny(void **state) {
  (void)state, run_network("tiny", "maskgit_imagenet128_checkpoint", 15);
}
static void test_odd(void **state) {
  (void)state, run_network("odd", "maskgit_imagenet80_checkpoint", 14);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_tiny), cmocka_unit_test(test_odd)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
