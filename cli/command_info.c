/* SPDX-License-Identifier: Apache-2.0
 *
 * command_info.c - info: what is in a model, a checkpoint or a picture. The kind is told by the
 * file's first bytes, not by its name. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "app/input.h"
#include "app/json.h"
#include "app/metadata.h"
#include "commands.h"
#include "masksketch_tools.h"

typedef struct info_options {
  bool tensors, memory, json;
} info_options;

enum { KEY_WIDTH = 16, REQUEST_KEY_WIDTH = 29 };

static void print_pair(int width, const char *key, const char *value) {
  printf("%-*s ", width, key);
  app_print_safe(stdout, value == NULL ? "" : value);
  putchar('\n');
}

/* ---- Pictures ---- */

static void print_member(const char *prefix, const char *key, json_t *value) {
  char name[128];
  snprintf(name, sizeof name, "%s%s", prefix, key);
  if (json_is_object(value)) {
    if (*prefix != 0) return; /* what masksketch writes is not nested deeper */
    snprintf(name, sizeof name, "%.100s.", key);
    for (void *at = json_object_iter(value); at != NULL; at = json_object_iter_next(value, at)) {
      print_member(name, json_object_iter_key(at), json_object_iter_value(at));
    }
  } else if (json_is_string(value) && json_string_length(value) <= 200) {
    print_pair(REQUEST_KEY_WIDTH, name, json_string_value(value));
  } else if (json_is_string(value)) {
    printf("%-*s %zu bytes of base64\n", REQUEST_KEY_WIDTH, name, json_string_length(value));
  } else if (*prefix == 0 && strcmp(key, "item") == 0 && json_is_integer(value)) {
    printf("%-*s %lld (picture %lld of its seed)\n", REQUEST_KEY_WIDTH, key,
           (long long)json_integer_value(value), (long long)json_integer_value(value) + 1);
  } else if (json_is_array(value) && json_array_size(value) > 8) {
    printf("%-*s %zu numbers\n", REQUEST_KEY_WIDTH, name, json_array_size(value));
  } else {
    char text[1000];
    json_show(value, text, sizeof text);
    print_pair(REQUEST_KEY_WIDTH, name, text);
  }
}

static msk_status info_picture(const info_options *options, const char *path, const void *bytes,
                               size_t byte_count, msk_error *error) {
  msk_image image = {0};
  char *text = NULL;
  msk_error none;
  const char *idle = options->tensors ? "tensors" : "memory";
  if (options->tensors || options->memory)
    return app_fail(error, MSK_ERROR_ARGUMENT, "--%s has no effect on a picture (%s): leave it out",
                    idle, path);
  msk_status status =
      msk_image_decode(&image, bytes, byte_count, MSK_ALPHA_WHITE, path, NULL, error);
  if (status != MSK_OK) return status;
  if (image.warning != NULL) app_warn(image.warning);
  /* a picture without a text is still a picture */
  json_t *request = NULL;
  status = msk_png_text(bytes, byte_count, "masksketch", &text, NULL, &none);
  if (status == MSK_OK && text != NULL)
    status = msk_json_load(&request, path, text, strlen(text), MSK_JSON_FEW, &none);
  msk_free(NULL, text);
  if (status == MSK_ERROR_MEMORY) {
    msk_image_free(&image);
    return app_fail(error, status, "%s", none.message);
  }
  if (options->json) {
    status = json_print(
        json_pack("{s:o, s:s, s:i, s:i, s:o?}", "file", json_text(path), "kind", "picture", "width",
                  image.width, "height", image.height, "request", request),
        error);
  } else {
    print_pair(REQUEST_KEY_WIDTH, "picture", path);
    printf("%-*s %d x %d\n", REQUEST_KEY_WIDTH, "pixels", image.width, image.height);
    if (request == NULL)
      printf("%-*s not known: no text by masksketch\n", REQUEST_KEY_WIDTH, "request");
    for (void *at = json_object_iter(request); at != NULL;
         at = json_object_iter_next(request, at)) {
      print_member("", json_object_iter_key(at), json_object_iter_value(at));
    }
    json_decref(request);
    status = app_flush_stdout(error);
  }
  msk_image_free(&image);
  return status;
}

/* ---- Memory ---- */

typedef struct memory {
  msk_memory_plan plans[2][2]; /* [precision][decode precision]: fp32, int8 */
  size_t draw, generate;       /* of a session */
} memory;

static msk_status session_bytes(size_t *bytes, const msk_model *model, msk_job job,
                                const msk_image *picture, msk_error *error) {
  msk_request request;
  msk_status status = msk_request_init(&request, model, job, NULL, error);
  if (job == MSK_JOB_DRAW) request.picture = picture;
  return status == MSK_OK ? msk_session_bytes(bytes, model, &request, NULL, error) : status;
}

static msk_status measure_memory(memory *m, const char *path, const msk_model *model,
                                 const msk_model_info *sizes, msk_error *error) {
  msk_model_options options;
  msk_image picture = {0};
  msk_model_options_init(&options);
  msk_status status = msk_image_create(&picture, sizes->image_size, sizes->image_size, NULL, error);
  for (int i = 0; i < 4 && status == MSK_OK; i++) {
    options.precision = (msk_precision)(i / 2);
    options.decode_precision = (msk_precision)(i % 2);
    status = msk_model_plan(&m->plans[i / 2][i % 2], path, &options, error);
  }
  if (status == MSK_OK) status = session_bytes(&m->draw, model, MSK_JOB_DRAW, &picture, error);
  if (status == MSK_OK) status = session_bytes(&m->generate, model, MSK_JOB_GENERATE, NULL, error);
  msk_image_free(&picture);
  return status;
}

static json_t *memory_object(const memory *m) {
  json_t *object = json_object();
  for (int p = 0; p < 2; p++) {
    const msk_memory_plan *plain = &m->plans[p][0], *decoding = &m->plans[p][1];
    json_object_set_new(
        object, msk_precision_name(p),
        json_pack("{s:I, s:I, s:{s:I, s:I}}", "weights", (json_int_t)plain->weights, "loading",
                  (json_int_t)plain->loading, "decode_int8", "weights",
                  (json_int_t)decoding->weights, "loading", (json_int_t)decoding->loading));
  }
  json_object_set_new(
      object, "session",
      json_pack("{s:I, s:I}", "draw", (json_int_t)m->draw, "generate", (json_int_t)m->generate));
  return object;
}

static void print_memory(const memory *m) {
  for (int p = 0; p < 2; p++) {
    const msk_memory_plan *plain = &m->plans[p][0], *decoding = &m->plans[p][1];
    printf(
        "%-16s %s: %.1f MB for the weights, and %.1f MB more while they are loaded; decoding in "
        "int8: %.1f and %.1f MB\n",
        "memory", msk_precision_name(p), 1e-6 * (double)plain->weights,
        1e-6 * (double)plain->loading, 1e-6 * (double)decoding->weights,
        1e-6 * (double)decoding->loading);
  }
  printf("%-16s to work in: %.1f MB to draw, %.1f MB to generate\n", "memory",
         1e-6 * (double)m->draw, 1e-6 * (double)m->generate);
}

/* ---- Weights ---- */

typedef struct summary {
  size_t tensors, elements, bytes;
  size_t types[16]; /* tensors of each msk_dtype */
} summary;

static summary summarise(const msk_weight_listing *listing) {
  summary s = {.tensors = (size_t)msk_weights_count(listing)};
  for (int i = 0; i < msk_weights_count(listing); i++) {
    msk_tensor_info info;
    size_t elements = 1;
    msk_weights_get(listing, i, &info);
    for (int axis = 0; axis < info.rank; axis++) elements *= info.shape[axis];
    s.elements += elements;
    s.bytes += info.bytes;
    if ((unsigned)info.dtype < 16) s.types[info.dtype]++;
  }
  return s;
}

static json_t *tensors_array(const msk_weight_listing *listing) {
  json_t *array = json_array();
  for (int i = 0; i < msk_weights_count(listing); i++) {
    msk_tensor_info info;
    msk_weights_get(listing, i, &info);
    json_t *shape = json_array();
    for (int axis = 0; axis < info.rank; axis++)
      json_array_append_new(shape, json_integer((json_int_t)info.shape[axis]));
    json_array_append_new(array, json_pack("{s:o, s:s, s:o, s:I}", "name", json_text(info.name),
                                           "dtype", msk_dtype_name((int)info.dtype), "shape", shape,
                                           "bytes", (json_int_t)info.bytes));
  }
  return array;
}

static void print_tensors(const msk_weight_listing *listing) {
  for (int i = 0; i < msk_weights_count(listing); i++) {
    msk_tensor_info info;
    msk_weights_get(listing, i, &info);
    app_print_safe(stdout, info.name);
    printf("  %s ", msk_dtype_name((int)info.dtype));
    for (int axis = 0; axis < info.rank; axis++)
      printf("%s%zu", axis == 0 ? "" : "x", info.shape[axis]);
    putchar('\n');
  }
}

/* Long metadata (class names, say) would drown the rest. */
static void print_metadata(const msk_weight_listing *listing) {
  const char *value = NULL;
  for (int i = 0; msk_weights_metadata(listing, i, &value) != NULL; i++) {
    const char *key = msk_weights_metadata(listing, i, &value);
    if (strcmp(key, "classes") != 0) print_pair(KEY_WIDTH, key, value);
  }
}

static json_t *metadata_object(const msk_weight_listing *listing) {
  json_t *object = json_object();
  const char *value = NULL;
  for (int i = 0; msk_weights_metadata(listing, i, &value) != NULL; i++) {
    const char *key = msk_weights_metadata(listing, i, &value);
    json_object_set_new(object, key, json_text(value));
  }
  return object;
}

static bool is_model(const msk_weight_listing *listing) {
  const char *value = NULL;
  for (int i = 0; msk_weights_metadata(listing, i, &value) != NULL; i++) {
    const char *key = msk_weights_metadata(listing, i, &value);
    if (strcmp(key, "format") == 0 && strncmp(value, "masksketch", 10) == 0) return true;
  }
  return false;
}

static json_t *sizes_object(const msk_model_info *m) {
  return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i}",
                   "image_size", m->image_size, "latent_size", m->latent_size, "tokens", m->tokens,
                   "codebook_size", m->codebook_size, "codebook_dim", m->codebook_dim, "classes",
                   m->class_count, "null_class", m->null_class, "layers", m->layers, "hidden",
                   m->hidden, "heads", m->heads, "intermediate", m->intermediate, "filters",
                   m->filters, "stem", m->stem);
}

static void print_sizes(const msk_model_info *m) {
  printf("%-16s %d x %d pixels\n", "picture", m->image_size, m->image_size);
  printf("%-16s %d x %d, codebook of %d codes with %d dimensions\n", "tokens", m->latent_size,
         m->latent_size, m->codebook_size, m->codebook_dim);
  printf("%-16s %d filters, stem %d\n", "tokenizer", m->filters, m->stem);
  if (m->precision == MSK_PRECISION_INT8)
    printf(
        "%-16s int8, as its layers are stored; --precision fp32 uses what their codes stand for\n",
        "precision");
  printf("%-16s %d layers of %d, %d heads, intermediate %d\n", "transformer", m->layers, m->hidden,
         m->heads, m->intermediate);
  if (m->null_class >= 0) {
    printf("%-16s %d, with the null class %d\n", "classes", m->class_count, m->null_class);
  } else {
    printf("%-16s %d\n", "classes", m->class_count);
  }
}

static msk_status print_weights(const info_options *options, const char *path,
                                const msk_weight_listing *listing, const msk_model_info *sizes,
                                const memory *m, msk_error *error) {
  const char *kind = sizes != NULL ? "model" : "checkpoint";
  summary s = summarise(listing);
  if (sizes != NULL) s.elements = sizes->parameters; /* scales of codes are none */
  if (options->json) {
    json_t *object = json_pack("{s:o, s:s, s:s, s:I, s:I, s:I, s:o}", "file", json_text(path),
                               "kind", kind, "format", msk_weights_kind(listing), "tensors",
                               (json_int_t)s.tensors, "parameters", (json_int_t)s.elements, "bytes",
                               (json_int_t)s.bytes, "metadata", metadata_object(listing));
    if (sizes != NULL) json_object_set_new(object, "sizes", sizes_object(sizes));
    if (sizes != NULL)
      json_object_set_new(object, "precision",
                          json_string(msk_precision_name((int)sizes->precision)));
    if (sizes != NULL) json_object_set_new(object, "name", json_string(sizes->name));
    if (sizes != NULL) json_object_set_new(object, "hash", json_string(sizes->hash));
    if (m != NULL) json_object_set_new(object, "memory", memory_object(m));
    if (options->tensors) json_object_set_new(object, "tensor_list", tensors_array(listing));
    return json_print(object, error);
  }
  print_pair(KEY_WIDTH, kind, path);
  if (sizes != NULL) print_sizes(sizes);
  printf("%-16s %s, %zu tensors, %zu parameters, %zu bytes (", "weights", msk_weights_kind(listing),
         s.tensors, s.elements, s.bytes);
  bool first = true;
  for (int type = 0; type < 16; type++) {
    if (s.types[type] == 0) continue;
    printf("%s%zu %s", first ? "" : ", ", s.types[type], msk_dtype_name(type));
    first = false;
  }
  printf(")\n");
  print_metadata(listing);
  if (m != NULL) print_memory(m);
  if (options->tensors) print_tensors(listing);
  return app_flush_stdout(error);
}

static msk_status info_weights(const info_options *options, const char *path, msk_error *error) {
  msk_weight_listing *listing = NULL;
  msk_model *model = NULL;
  msk_model_info sizes;
  memory m;
  msk_status status = msk_weights_open(&listing, path, NULL, error);
  if (status != MSK_OK) return status;
  /* a checkpoint holds one network: its tensors can be listed, but it is opened by nobody */
  bool complete = is_model(listing);
  if (complete) {
    msk_model_options model_options;
    msk_model_options_init(&model_options);
    status = msk_model_open(&model, path, &model_options, error);
    if (status == MSK_OK) msk_model_get_info(model, &sizes);
    if (status == MSK_OK && options->memory)
      status = measure_memory(&m, path, model, &sizes, error);
  } else if (options->memory) {
    status = app_fail(
        error, MSK_ERROR_ARGUMENT,
        "--memory has no effect on a checkpoint, expected a model made by masksketch convert");
  }
  if (status == MSK_OK) {
    status = print_weights(options, path, listing, complete ? &sizes : NULL,
                           complete && options->memory ? &m : NULL, error);
  }
  msk_model_close(model);
  msk_weights_close(listing);
  return status;
}

static bool is_picture(const unsigned char *start, size_t bytes) {
  return (bytes >= 8 && memcmp(start, "\x89PNG\r\n\x1a\n", 8) == 0) ||
         (bytes >= 3 && memcmp(start, "\xff\xd8\xff", 3) == 0) ||
         (bytes >= 12 && memcmp(start, "RIFF", 4) == 0 && memcmp(start + 8, "WEBP", 4) == 0);
}

static msk_status action(const cli_line *line, msk_error *error) {
  const char *path = line->inputs[0];
  void *bytes = NULL;
  size_t byte_count = 0;
  unsigned char start[12];
  const bool is_stream = input_is_stream(path);
  msk_status status = MSK_OK;
  /* A model can be larger than what is read of a picture: its first bytes tell it. */
  FILE *file = is_stream ? NULL : fopen(path, "rb");
  if (file == NULL && !is_stream)
    return app_fail(error, MSK_ERROR_FILE,
                    "cannot open %s: %s; expected a model, a checkpoint or a picture", path,
                    strerror(errno));
  const size_t got = is_stream ? 0 : fread(start, 1, sizeof start, file);
  if (file != NULL) fclose(file);
  if (!is_stream && !is_picture(start, got)) return info_weights(line->options, path, error);
  status = input_read(path, MSK_MAX_FILE_BYTES, &bytes, &byte_count, error);
  if (status == MSK_OK) status = info_picture(line->options, path, bytes, byte_count, error);
  msk_free(NULL, bytes);
  return status;
}

static const cli_option rows[] = {
    {"memory", .help = "tell how much memory weights and work will take",
     CLI_A_FLAG(info_options, memory)},
    {"tensors", .help = "list every tensor", CLI_A_FLAG(info_options, tensors)},
    CLI_JSON(info_options, "one JSON object"),
    {.type = CLI_END},
};

const cli_usage info_usage = {
    "MODEL|CHECKPOINT|PICTURE", 1, 1, rows, sizeof(info_options), .action = action};
