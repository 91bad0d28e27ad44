/* SPDX-License-Identifier: Apache-2.0
 * metadata.c - see metadata.h. */
#include "app/metadata.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/base64.h"
#include "app/input.h"
#include "app/json.h"
#include "masksketch_tools.h"

enum { MAX_VALUE_BYTES = 1024 };

/* ---- Writing ---- */

/* A key whose value would be refused has no effect in the job. */
json_t *metadata_settings(const msk_recipe *recipe, msk_job job) {
  json_t *object = json_object();
  for (int i = 0; msk_recipe_key(i, job, NULL) != NULL; i++) {
    const char *key = msk_recipe_key(i, job, NULL);
    char value[MAX_VALUE_BYTES];
    msk_recipe copy = *recipe;
    msk_error ignored;
    if (msk_recipe_get(recipe, key, value, sizeof value, &ignored) == MSK_OK &&
        msk_recipe_set(&copy, job, key, value, &ignored) == MSK_OK)
      json_object_set_new(object, key, json_string(value));
  }
  return object;
}

void metadata_add_adapters(json_t *object, const msk_model *model) {
  json_t *list = json_array();
  msk_adapter_info info;
  for (int i = 0; msk_model_adapter(model, i, &info); i++)
    json_array_append_new(list, json_pack("{s:s, s:s, s:f}", "file", info.file, "hash", info.hash,
                                          "weight", info.weight));
  if (json_array_size(list) > 0) json_object_set(object, "adapters", list);
  json_decref(list);
}

msk_status metadata_write(char **text, const order *o, const order_picture *p, msk_error *error) {
  msk_request request = order_request(o);
  request.seed = p->seed;
  request.recipe.guidance = p->guidance;
  request.guidance_count = request.finish = 0;
  return msk_request_text(text, &request, o->model, p->item, o->fit, NULL, error);
}

/* ---- Reading ---- */

msk_status metadata_load(char **text, const char *path, msk_error *error) {
  void *bytes = NULL;
  size_t byte_count = 0;
  char *found = NULL;
  msk_status status = input_read(path, MSK_MAX_FILE_BYTES, &bytes, &byte_count, error);
  if (status != MSK_OK) return status;
  if (byte_count < 8 || memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) != 0) {
    status = app_fail(
        error, MSK_ERROR_FILE,
        "%s is no PNG, expected one that masksketch wrote: only these say how they were made",
        path);
  } else {
    status = msk_png_text(bytes, byte_count, "masksketch", &found, NULL, error);
  }
  msk_free(NULL, bytes);
  if (status != MSK_OK) return status;
  if (found == NULL) {
    return app_fail(error, MSK_ERROR_FILE,
                    "%s does not say how it was made, expected a PNG that masksketch wrote without "
                    "--no-metadata",
                    path);
  }
  *text = found;
  return MSK_OK;
}

/* *root is NULL where the text is none of ours; only refused memory is an error. */
static msk_status parse(json_t **root, const char *text, msk_error *error) {
  msk_error found;
  *root = NULL;
  msk_status status = msk_json_load(root, "text", text, strlen(text), MSK_JSON_FEW, &found);
  return status == MSK_ERROR_MEMORY ? app_fail(error, status, "%s", found.message) : MSK_OK;
}

static const char *known_isa(const char *wanted) {
  for (int i = 0; wanted != NULL && msk_isa_name(i) != NULL; i++) {
    if (strcmp(msk_isa_name(i), wanted) == 0) return msk_isa_name(i);
  }
  return NULL;
}

static int precision_of(const json_t *root, const char *key) {
  const char *found = json_string_value(json_object_get(root, key));
  bool int8 = found != NULL && strcmp(found, msk_precision_name(MSK_PRECISION_INT8)) == 0;
  return int8 ? MSK_PRECISION_INT8 : MSK_PRECISION_FP32;
}

/* FOLDER FILE, if that is there; `length` of the folder, with its slash. */
static bool is_beside(char path[MAX_PATH_BYTES], const char *folder, size_t length,
                      const char *file) {
  int bytes = snprintf(path, MAX_PATH_BYTES, "%.*s%s", (int)length, folder, file);
  return bytes < MAX_PATH_BYTES && access(path, R_OK) == 0;
}

/* Texts name adapters without folders: whoever passes a picture on says nothing of his. */
msk_status metadata_find_adapters(adapter_list *list, adapter_texts *texts, const char *text,
                                  const char *picture, msk_error *error) {
  json_t *root;
  msk_status status = parse(&root, text, error);
  const json_t *adapters = json_object_get(root, "adapters");
  const char *slash = strrchr(picture, '/');
  size_t length = slash == NULL ? 0 : (size_t)(slash - picture) + 1;
  list->count = 0;
  for (size_t i = 0; i < json_array_size(adapters) && i < MSK_MAX_ADAPTERS; i++) {
    const json_t *item = json_array_get(adapters, i);
    const char *file = json_string_value(json_object_get(item, "file"));
    char path[MAX_PATH_BYTES];
    if (file == NULL || strchr(file, '/') != NULL) break; /* metadata_read() complains */
    if (!is_beside(path, picture, length, file) && !is_beside(path, "", 0, file)) {
      status = app_fail(error, MSK_ERROR_FILE,
                        "%s was made with the adapter %.100s, which is neither beside it nor in "
                        "the working directory: name it with --adapter FILE:%g",
                        picture, file, json_number_value(json_object_get(item, "weight")));
      break;
    }
    snprintf(texts->at[i], sizeof texts->at[i], "%s:%.17g", path,
             json_number_value(json_object_get(item, "weight")));
    list->at[list->count++] = texts->at[i];
  }
  json_decref(root);
  return status;
}

msk_status metadata_choose(model_choice *choice, const char *text, msk_error *error) {
  json_t *root;
  msk_status status = parse(&root, text, error);
  if (status != MSK_OK) return status;
  if (choice->isa == NULL) choice->isa = known_isa(json_string_value(json_object_get(root, "isa")));
  if (choice->precision < 0) choice->precision = precision_of(root, "precision");
  if (choice->decode_precision < 0)
    choice->decode_precision = precision_of(root, "decode_precision");
  json_decref(root);
  return MSK_OK;
}

msk_status metadata_compare(const msk_model *model, const char *text, msk_error *error) {
  msk_model_info info;
  json_t *root;
  msk_status status = parse(&root, text, error);
  const char *isa = json_string_value(json_object_get(root, "isa")),
             *device = json_string_value(json_object_get(root, "device"));
  msk_model_get_info(model, &info);
  if (device == NULL) device = "cpu";
  /* sums of another order differ in the last bit, which a near tie between two tokens can show */
  if (isa != NULL && strcmp(isa, info.isa) != 0) {
    char line[200];
    snprintf(line, sizeof line,
             "the picture was made by the kernels %.40s, this machine runs %s: pixels may differ, "
             "in rare cases whole tokens",
             isa, info.isa);
    app_warn(line);
  }
  if (root != NULL && strcmp(device, info.device) != 0) {
    char line[400];
    snprintf(line, sizeof line,
             "the picture was made on the device %.120s, this one is %.120s: pixels may differ, in "
             "rare cases whole tokens",
             device, info.device);
    app_warn(line);
  }
  json_decref(root);
  return status;
}

/* A reader of one text: the first thing that is wrong is kept. */
typedef struct reader {
  const json_t *root;
  const char *path;
  const msk_allocator *allocator;
  msk_error *error;
  msk_status status;
} reader;

static void wrong(reader *r, const char *key, const char *expected) {
  if (r->status != MSK_OK) return;
  r->status = app_fail(r->error, MSK_ERROR_FILE,
                       "the text of %s is damaged: its %s is missing or wrong, expected %s",
                       r->path, key, expected);
}

static int read_int(reader *r, const json_t *object, const char *key, int minimum, int maximum) {
  const json_t *value = json_object_get(object, key);
  json_int_t number = json_integer_value(value);
  if (!json_is_integer(value) || number < minimum || number > maximum) {
    char expected[64];
    snprintf(expected, sizeof expected, "a whole number from %d to %d", minimum, maximum);
    wrong(r, key, expected);
    return minimum;
  }
  return (int)number;
}

/* The value of an enumeration, whose names `name_of` tells. */
static int read_word(reader *r, const char *key, const char *(*name_of)(int)) {
  const char *value = json_string_value(json_object_get(r->root, key));
  for (int i = 0; value != NULL && name_of(i) != NULL; i++) {
    if (strcmp(value, name_of(i)) == 0) return i;
  }
  wrong(r, key, name_of(0));
  return 0;
}

static uint64_t read_seed(reader *r) {
  const char *value = json_string_value(json_object_get(r->root, "seed"));
  size_t length = value == NULL ? 0 : strlen(value);
  char *end = NULL;
  if (length == 0 || length > 20 || strspn(value, "0123456789") != length) {
    wrong(r, "seed", "a whole number as text");
    return 0;
  }
  return strtoull(value, &end, 10);
}

static void read_recipe(reader *r, msk_recipe *recipe, msk_job job) {
  const json_t *object = json_object_get(r->root, "recipe");
  /* pictures that do not say these are older than they are */
  recipe->refresh = 1, recipe->anchor_steps = 0, recipe->revise_steps = 0;
  recipe->token_noise = MSK_TOKEN_NOISE_INDEPENDENT;
  for (int i = 0; r->status == MSK_OK && msk_recipe_key(i, job, NULL) != NULL; i++) {
    const char *key = msk_recipe_key(i, job, NULL),
               *value = json_string_value(json_object_get(object, key));
    msk_error reason = {0};
    if (value != NULL && msk_recipe_set(recipe, job, key, value, &reason) != MSK_OK)
      wrong(r, key, reason.message);
  }
}

static void read_tokens(reader *r, order *o) {
  const json_t *array = json_object_get(r->root, "sketch_tokens");
  size_t count = (size_t)(o->info.tokens - 1);
  if (json_array_size(array) != count) {
    wrong(r, "sketch_tokens", "one number for each token of the model");
    return;
  }
  o->sketch_tokens = malloc(count * sizeof *o->sketch_tokens);
  for (size_t i = 0; o->sketch_tokens != NULL && i < count; i++) {
    const json_t *value = json_array_get(array, i);
    json_int_t token = json_integer_value(value);
    /* anybody can write a PNG: a token is an index into the codebook */
    if (!json_is_integer(value) || token < 0 || token >= o->info.codebook_size) {
      wrong(r, "sketch_tokens", "numbers within the codebook");
      return;
    }
    o->sketch_tokens[i] = (int32_t)token;
  }
  if (o->sketch_tokens == NULL && r->status == MSK_OK)
    r->status = app_fail(r->error, MSK_ERROR_MEMORY, "out of memory for the sketch's tokens");
}

/* A square of this side, or (where it is no photo) anything that is not larger. The image stays
 * empty where there is none. */
static void read_image(reader *r, const char *key, int side, bool exact, msk_image *image) {
  const char *text = json_string_value(json_object_get(r->root, key));
  size_t byte_count = 0;
  if (r->status != MSK_OK || text == NULL) return;
  void *bytes = base64_decode(text, &byte_count);
  if (bytes == NULL) {
    wrong(r, key, "a picture in base64");
    return;
  }
  r->status =
      msk_image_decode(image, bytes, byte_count, MSK_ALPHA_WHITE, key, r->allocator, r->error);
  free(bytes);
  if (r->status == MSK_OK && (exact ? image->width != side || image->height != side
                                    : image->width > side || image->height > side))
    wrong(r, key,
          exact ? "a picture of the model's size" : "a picture of at most the model's size");
}

static void read_sources(reader *r, order *o) {
  msk_request *request = &o->request;
  if (json_is_true(json_object_get(r->root, "incomplete")))
    wrong(r, "photo", "one of less than a megabyte: it was left out when the PNG was written");
  if (request->job == MSK_JOB_DRAW) {
    read_tokens(r, o);
    read_image(r, "lambda_map", o->info.image_size, false, &o->lambda_map);
  } else if (request->job == MSK_JOB_EDIT) {
    const json_t *box = json_object_get(r->root, "box");
    int *fields[] = {&request->edit_box.top, &request->edit_box.left, &request->edit_box.height,
                     &request->edit_box.width};
    read_image(r, "photo", o->info.image_size, true, &o->picture);
    read_image(r, "mask", o->info.image_size, false, &o->mask);
    if (o->picture.pixels == NULL) wrong(r, "photo", "the photo in base64");
    if (o->mask.pixels == NULL && json_array_size(box) != 4) wrong(r, "box", "four numbers");
    for (size_t i = 0; i < json_array_size(box) && i < 4; i++)
      *fields[i] = (int)json_integer_value(json_array_get(box, i));
  }
}

/* The same weights, by their hash. */
static void check_model(reader *r, const msk_model *ours) {
  msk_model_info info;
  msk_model_get_info(ours, &info);
  const json_t *model = json_object_get(r->root, "model");
  const char *hash = json_string_value(json_object_get(model, "hash")),
             *name = json_string_value(json_object_get(model, "name"));
  if (hash == NULL) {
    wrong(r, "model", "name and hash of the model");
  } else if (r->status == MSK_OK && (info.hash == NULL || strcmp(hash, info.hash) != 0)) {
    r->status = app_fail(r->error, MSK_ERROR_FILE,
                         "%s was made with the model %.60s (hash %.12s), but this is %.60s (hash "
                         "%.12s): open the one that it names",
                         r->path, name == NULL ? "?" : name, hash,
                         info.name == NULL ? "?" : info.name, info.hash == NULL ? "?" : info.hash);
    r->error->field = "model";
  }
}

/* The same adapters, by their hashes, and weights. */
static void check_adapters(reader *r, const msk_model *ours) {
  const json_t *list = json_object_get(r->root, "adapters");
  size_t count = json_array_size(list);
  msk_adapter_info info;
  for (size_t i = 0; r->status == MSK_OK && i < count; i++) {
    const json_t *item = json_array_get(list, i);
    const char *hash = json_string_value(json_object_get(item, "hash")),
               *file = json_string_value(json_object_get(item, "file"));
    double weight = json_number_value(json_object_get(item, "weight"));
    if (hash == NULL || file == NULL) {
      wrong(r, "adapters", "file, hash and weight of each");
    } else if (!msk_model_adapter(ours, (int)i, &info) || strcmp(info.hash, hash) != 0 ||
               info.weight != weight) {
      r->status = app_fail(r->error, MSK_ERROR_FILE,
                           "%s was made with the adapter %.100s (hash %.12s, weight %g), which is "
                           "not what this model was opened with: name it with --adapter",
                           r->path, file, hash, weight);
    }
  }
  if (r->status == MSK_OK && msk_model_adapter(ours, (int)count, &info))
    r->status = app_fail(r->error, MSK_ERROR_FILE,
                         "%s was made with %zu adapters, but %.100s is in use: leave it out",
                         r->path, count, info.file);
}

static void read_request(reader *r, order *o, const msk_model *model) {
  const char *recipe =
      json_string_value(json_object_get(json_object_get(r->root, "recipe"), "name"));
  msk_job job = (msk_job)read_word(r, "job", msk_job_name);
  if (recipe == NULL) wrong(r, "recipe", "its name and fields");
  check_model(r, model);
  check_adapters(r, model);
  if (r->status != MSK_OK) return;
  if (order_begin(o, model, job, recipe, r->error) != MSK_OK) {
    wrong(r, "recipe", "one that this version has");
    return;
  }
  read_recipe(r, &o->request.recipe, job);
  o->request.class_id =
      read_int(r, json_object_get(r->root, "class"), "id", 0, o->info.class_count - 1);
  o->request.seed = read_seed(r);
  o->request.rng_layout = (msk_rng_layout)read_word(r, "rng", msk_rng_layout_name);
  int batch = read_int(r, r->root, "batch", 1, MAX_COUNT);
  /* an item of the authors' batch depends on all of it: the batch is drawn, and the one kept */
  bool official = o->request.recipe.official;
  int item = read_int(r, r->root, "item", 0, official ? batch - 1 : 1 << 30);
  o->request.count = official ? batch : 1;
  o->request.first_item = official ? 0 : item;
  o->kept = official ? item : 0;
  read_sources(r, o);
}

msk_status metadata_read(order *o, const msk_model *model, const char *text, const char *path,
                         const msk_allocator *allocator, msk_error *error) {
  json_t *root;
  msk_status status = parse(&root, text, error);
  reader r = {root, path, allocator, error, status};
  const char *program = json_string_value(json_object_get(root, "program"));
  *o = (order){.kept = -1};
  if (program == NULL || strcmp(program, "masksketch") != 0)
    wrong(&r, "beginning", "a JSON object by masksketch");
  if (r.status == MSK_OK) read_request(&r, o, model);
  json_decref(root);
  return r.status;
}
