/* SPDX-License-Identifier: Apache-2.0
 * api.c - see api.h. */
#include "api.h"

#include "masksketch_tools.h"

void api_ok(msk_status status, const msk_error *error) {
  if (status != MSK_OK) fail_msg("%s: %s", msk_status_name(status), error->message);
}

static int size_of_set(const char *set) { return strcmp(set, "tiny") == 0 ? 128 : 80; }

const char *api_convert(const char *folder, const char *set, const char *defaults_json) {
  static char paths[2][600];
  char defaults[600], tokenizer[200], transformer[200], *path = paths[strcmp(set, "odd") == 0];
  msk_error error = {0};
  if (set == NULL) abort();
  snprintf(path, sizeof paths[0], "%s/%s.safetensors", folder, set);
  snprintf(defaults, sizeof defaults, "%s/%s-defaults.json", folder, set);
  snprintf(tokenizer, sizeof tokenizer, "tests/golden/%s/tokenizer_imagenet%d_checkpoint", set,
           size_of_set(set));
  snprintf(transformer, sizeof transformer, "tests/golden/%s/maskgit_imagenet%d_checkpoint", set,
           size_of_set(set));
  msk_convert_options options;
  msk_convert_options_init(&options);
  options.tokenizer_path = tokenizer;
  options.transformer_path = transformer;
  options.output_path = path;
  if (defaults_json != NULL) {
    api_ok(msk_file_write(defaults, defaults_json, strlen(defaults_json), &error), &error);
    options.defaults_path = defaults;
  }
  api_ok(msk_convert(&options, &error), &error);
  return path;
}

const char *api_device;

msk_model *api_open(const char *path, const char *isa, const msk_allocator *allocator) {
  msk_model *model = NULL;
  msk_error error = {0};
  msk_model_options options;
  msk_model_options_init(&options);
  options.isa = isa;
  options.device = api_device;
  options.threads = 1;
  options.allocator = allocator;
  api_ok(msk_model_open(&model, path, &options, &error), &error);
  return model;
}

msk_session *api_session(const msk_model *model, const msk_request *request, int threads) {
  msk_session *session = NULL;
  msk_error error = {0};
  msk_session_options options;
  msk_session_options_init(&options);
  options.threads = threads;
  api_ok(msk_session_open(&session, model, request, &options, &error), &error);
  return session;
}

msk_image api_load(const char *path) {
  msk_image image;
  msk_error error = {0};
  api_ok(msk_image_load(&image, path, MSK_ALPHA_DROP, NULL, &error), &error);
  return image;
}

int api_set_up(msk_model **model, msk_image *sketch, const char *defaults_json,
               const msk_allocator *allocator) {
  const int failed = set_up_folder(NULL);
  *model = api_open(api_convert(test_folder, "tiny", defaults_json), NULL, allocator);
  *sketch = api_load(golden_path("tiny/input/sketch0.png"));
  return failed;
}

int api_tear_down(msk_model *model, msk_image *sketch) {
  msk_image_free(sketch);
  msk_model_close(model);
  return tear_down_folder(NULL);
}

json_t *api_cases(const char *set) {
  json_error_t problem;
  json_t *cases = json_load_file(golden_path("%s/decode/cases.json", set), 0, &problem);
  assert_non_null(cases);
  return cases;
}

static void set_field(msk_request *request, const json_t *golden_case, const char *from,
                      const char *key) {
  const json_t *value = json_object_get(golden_case, from);
  char text[64];
  msk_error error = {0};
  if (value == NULL) return;
  if (json_is_string(value)) {
    snprintf(text, sizeof text, "%s", json_string_value(value));
  } else if (json_is_integer(value)) {
    snprintf(text, sizeof text, "%d", (int)json_integer_value(value));
  } else {
    snprintf(text, sizeof text, "%.17g", json_real_value(value));
  }
  api_ok(msk_recipe_set(&request->recipe, request->job, key, text, &error), &error);
}

static void set_structure_layers(msk_request *request, const char *set) {
  json_t *config = json_load_file(golden_path("%s/config.json", set), 0, NULL),
         *layers = json_object_get(config, "structure_layers");
  char text[256] = "";
  msk_error error = {0};
  for (size_t i = 0; i < json_array_size(layers); i++) {
    snprintf(text + strlen(text), sizeof text - strlen(text), "%s%d", i == 0 ? "" : ",",
             (int)json_integer_value(json_array_get(layers, i)));
  }
  api_ok(msk_recipe_set(&request->recipe, request->job, "layers", text, &error), &error);
  json_decref(config);
}

void api_case_request(msk_request *request, const msk_model *model, const char *set,
                      const json_t *golden_case, msk_image *picture) {
  static const char *const keys[][2] = {{"steps", "steps"},
                                        {"guidance", "guidance"},
                                        {"schedule", "schedule"},
                                        {"lambda_structure", "lambda_structure"},
                                        {"min_mask_rate", "min_mask_rate"},
                                        {"max_mask_rate", "max_mask_rate"},
                                        {"temperature_structure", "temperature_structure"},
                                        {"temperature_confidence", "temperature_confidence"},
                                        {"temperature", "choice_temperature"},
                                        {"start_iter", "start_step"}};
  const char *kind = json_string_value(json_object_get(golden_case, "kind"));
  msk_job job = strcmp(kind, "masksketch") == 0 ? MSK_JOB_DRAW
                : strcmp(kind, "edit") == 0     ? MSK_JOB_EDIT
                                                : MSK_JOB_GENERATE;
  msk_error error = {0};
  api_ok(msk_request_init(request, model, job, "official", &error), &error);
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
    set_field(request, golden_case, keys[i][0], keys[i][1]);
  request->class_id = (int)json_integer_value(json_object_get(golden_case, "label"));
  request->seed = (uint64_t)json_integer_value(json_object_get(golden_case, "seed"));
  request->count = (int)json_integer_value(json_object_get(golden_case, "batch"));
  *picture = (msk_image){0};
  if (job == MSK_JOB_GENERATE) return;
  const char *file =
      json_string_value(json_object_get(golden_case, job == MSK_JOB_DRAW ? "sketch" : "image_in"));
  *picture = api_load(golden_path("%s/%s", set, file));
  request->picture = picture;
  if (job == MSK_JOB_DRAW) {
    set_structure_layers(request, set);
  } else {
    msk_box *box = &request->edit_box;
    const char *text = json_string_value(json_object_get(golden_case, "box_top_left_height_width"));
    assert_int_equal(sscanf(text, "%d_%d_%d_%d", &box->top, &box->left, &box->height, &box->width),
                     4);
  }
}

void api_small_draw(msk_request *request, const msk_model *model, const msk_image *sketch,
                    int steps, int count) {
  msk_error error = {0};
  api_ok(msk_request_init(request, model, MSK_JOB_DRAW, "balanced", &error), &error);
  request->recipe.steps = steps;
  request->recipe.tail = 2;
  request->picture = sketch;
  request->class_id = 3;
  request->seed = 11;
  request->count = count;
}

static void digest_bytes(uint64_t *digest, const void *data, size_t bytes) {
  const uint8_t *byte = data;
  for (size_t i = 0; data != NULL && i < bytes; i++) *digest = (*digest ^ byte[i]) * 0x100000001B3u;
}

uint64_t api_digest(const msk_model *model, const msk_result *result) {
  uint64_t digest = 0xCBF29CE484222325u;
  msk_model_info info;
  msk_model_get_info(model, &info);
  size_t count = (size_t)result->count,
         sequence = (size_t)result->tokens_per_item * sizeof(int32_t),
         side = (size_t)info.image_size;
  digest_bytes(&digest, result->tokens, count * sequence);
  digest_bytes(&digest, result->step_tokens, (size_t)result->step_count * count * sequence);
  digest_bytes(&digest, result->pixels, count * side * side * 3 * sizeof(float));
  digest_bytes(&digest, result->structure, count * sizeof(float));
  return digest;
}
