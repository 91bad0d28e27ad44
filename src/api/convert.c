/* SPDX-License-Identifier: Apache-2.0
 *
 * convert.c - msk_convert(): checkpoints -> one run-time file (docs/formats.md). Everything is
 * checked before the first byte is written: the networks' tensors against the same tables that
 * load them, that the two belong together, class names and defaults against their sizes, every
 * weight for being finite. The data is then made twice, tensor by tensor: once for its hash,
 * which stands in the header, and once for the file. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/model.h"
#include "api/class_list.h"
#include "api/convert_tensors.h"
#include "base/error.h"
#include "base/json_tree.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "masksketch_tools.h"

enum { LARGEST_DEFAULTS = 64 << 10, MAX_METADATA = 8 };

typedef struct conversion {
  const msk_convert_options *options;
  const msk_allocator *allocator;
  msk_error *error;
  msk_import imports[2]; /* tokenizer, transformer */
  msk_adapted adapted;   /* the transformer's file, where there are adapters */
  const char *taught;    /* how it was, into the provenance; NULL: it was not */
  msk_vqgan_config tokenizer;
  msk_maskgit_config transformer;
  size_t class_count, latent_size;
  char *defaults; /* JSON text, or NULL */
  char *classes;  /* JSON text */
  char provenance[8192], name[256], licence[256], hash[65];
  msk_outputs outputs;
} conversion;

static msk_status out_of_memory(conversion *c) {
  return msk_fail(c->error, MSK_ERROR_MEMORY, "out of memory for converting to %s",
                  c->options->output_path);
}

void msk_convert_options_init(msk_convert_options *options) {
  *options = (msk_convert_options){.size = sizeof *options, .dtype = MSK_DTYPE_F32};
}

static msk_status check_options(const msk_convert_options *options, msk_error *error) {
  if (options == NULL || options->size != sizeof *options) {
    return msk_fail(
        error, MSK_ERROR_ARGUMENT,
        "convert options of an unknown size: set them up with msk_convert_options_init()");
  }
  if (options->tokenizer_path == NULL || options->transformer_path == NULL ||
      options->output_path == NULL) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "converting needs a tokenizer, a transformer and an output path");
  }
  if (options->dtype != MSK_DTYPE_F32 && options->dtype != MSK_DTYPE_F16 &&
      options->dtype != MSK_DTYPE_BF16) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "weights cannot be stored as %s, expected F32, F16 or BF16",
                    msk_dtype_name((int)options->dtype));
  }
  if (options->int8 != 0 && options->int8 != 1) {
    return msk_fail(error, MSK_ERROR_ARGUMENT, "int8 is %d, expected 0 or 1", options->int8);
  }
  return MSK_OK;
}

/* ---- Defaults ---- */

/* The defaults' text: of the given file, else of a source that is a run-time file itself, else
 * none. */
static msk_status load_defaults(conversion *c) {
  const char *path = c->options->defaults_path,
             *kept = msk_weight_file_metadata(c->imports[1].file, "defaults");
  if (path != NULL) {
    void *text;
    size_t length;
    msk_status status =
        msk_file_read(path, LARGEST_DEFAULTS, &text, &length, c->allocator, c->error);
    if (status != MSK_OK) return status;
    c->defaults = text;
    /* it becomes a text of the file's metadata, which would end there */
    if (memchr(text, 0, length) != NULL)
      return msk_fail(c->error, MSK_ERROR_FILE, "%s holds a NUL byte, expected JSON", path);
  } else if (kept != NULL) {
    if (strlen(kept) > LARGEST_DEFAULTS)
      return msk_fail(c->error, MSK_ERROR_FILE, "%s: its defaults are longer than 64 KiB",
                      c->options->transformer_path);
    c->defaults = msk_duplicate_string(c->allocator, kept);
    if (c->defaults == NULL) return out_of_memory(c);
  }
  return MSK_OK;
}

static const char *defaults_path(const conversion *c) {
  return c->options->defaults_path != NULL ? c->options->defaults_path
                                           : c->options->transformer_path;
}

static void copy_text(char *to, size_t bytes, const char *from) {
  snprintf(to, bytes, "%s", from == NULL ? "" : from);
}

/* What must be known of the defaults before the networks are: the number of groups, the name,
 * the licence. The rest is checked once the classes and layers are known. */
static msk_status peek_defaults(conversion *c, size_t *groups) {
  *groups = 0;
  copy_text(c->licence, sizeof c->licence, msk_weight_file_metadata(c->imports[1].file, "licence"));
  if (c->defaults == NULL) return MSK_OK;
  json_t *object = NULL;
  msk_status status = msk_json_load(&object, defaults_path(c), c->defaults, strlen(c->defaults),
                                    MSK_JSON_FEW, c->error);
  if (status != MSK_OK) return status;
  const json_t *number = json_object_get(object, "groups");
  if (json_is_integer(number) && json_integer_value(number) > 0)
    *groups = (size_t)json_integer_value(number);
  copy_text(c->name, sizeof c->name, json_string_value(json_object_get(object, "name")));
  const char *licence = json_string_value(json_object_get(object, "licence"));
  if (licence != NULL) copy_text(c->licence, sizeof c->licence, licence);
  json_decref(object);
  return MSK_OK;
}

/* Every recipe of every job takes the defaults' values: a bad one must not come to light when
 * somebody draws. */
static msk_status check_recipes(conversion *c, const msk_model_defaults *defaults) {
  static const msk_job jobs[] = {MSK_JOB_DRAW, MSK_JOB_GENERATE, MSK_JOB_EDIT};
  for (int i = 0; msk_recipe_name(i) != NULL; i++) {
    for (size_t j = 0; j < sizeof jobs / sizeof *jobs; j++) {
      msk_recipe recipe;
      msk_error reason = {.code = MSK_OK};
      if (msk_recipe_from_defaults(&recipe, defaults, (int)c->transformer.layers, jobs[j],
                                   msk_recipe_name(i), &reason) != MSK_OK) {
        return msk_fail(c->error, MSK_ERROR_FILE, "%s: %.400s", defaults_path(c), reason.message);
      }
    }
  }
  return MSK_OK;
}

static msk_status check_defaults(conversion *c) {
  msk_file_defaults parsed;
  const size_t image_size = c->latent_size * c->tokenizer.patch;
  msk_status status =
      msk_defaults_parse(&parsed, c->defaults, c->class_count, c->transformer.layers,
                         defaults_path(c), c->allocator, c->error);
  if (status != MSK_OK) return status;
  if (parsed.image_size != 0 && parsed.image_size != image_size) {
    status =
        msk_fail(c->error, MSK_ERROR_FILE,
                 "%s: image_size is %zu, but these networks make pictures of %zu pixels a side",
                 defaults_path(c), parsed.image_size, image_size);
  }
  /* here, where it can be mended, rather than in each job of whoever opens the model */
  if (status == MSK_OK) status = check_recipes(c, &parsed.recipe);
  msk_defaults_free(&parsed, c->allocator);
  return status;
}

/* ---- The networks ---- */

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash == NULL ? path : slash + 1;
}

/* The N of "imagenetN" in a file's name, as the official checkpoints have it; 0: none. */
static long named_size(const char *path) {
  const char *found = strstr(base_name(path), "imagenet");
  return found == NULL ? 0 : strtol(found + strlen("imagenet"), NULL, 10);
}

/* Tokenizer and transformer of one model: what their tensors can tell, and what their names do.
 * The 256- and 512-pixel tokenizers differ in nothing but their weights, so an exchange of those
 * would otherwise go unnoticed. */
static msk_status check_match(conversion *c) {
  const char *path = c->options->transformer_path;
  msk_status status = msk_networks_match(&c->tokenizer, &c->transformer, path, &c->class_count,
                                         &c->latent_size, c->error);
  long tokenizer_size = named_size(c->options->tokenizer_path), transformer_size = named_size(path);
  if (status == MSK_OK && tokenizer_size > 0 && transformer_size > 0 &&
      tokenizer_size != transformer_size) {
    return msk_fail(c->error, MSK_ERROR_FILE,
                    "%s is by its name for %ld pixels, %s for %ld (tensor "
                    "Embed_0.position_embeddings.embedding makes %zu x %zu tokens): "
                    "the two do not belong together",
                    base_name(c->options->tokenizer_path), tokenizer_size, base_name(path),
                    transformer_size, c->latent_size, c->latent_size);
  }
  return status;
}

static msk_status read_networks(conversion *c) {
  msk_weight_file *views[2] = {NULL, NULL};
  size_t groups = 0;
  msk_status status = load_defaults(c);
  if (status == MSK_OK) status = peek_defaults(c, &groups);
  for (int n = 0; n < 2 && status == MSK_OK; n++)
    status = msk_import_view(&views[n], &c->imports[n], c->allocator, c->error);
  if (status == MSK_OK)
    status = msk_vqgan_read_config(&c->tokenizer, views[0], "", groups, c->error);
  if (status == MSK_OK) status = msk_maskgit_read_config(&c->transformer, views[1], "", c->error);
  if (status == MSK_OK) status = check_match(c);
  for (int n = 0; n < 2; n++) msk_weight_file_close(views[n]);
  return status;
}

/* ---- Metadata ---- */

static void hash_file(const msk_weight_file *file, char text[65]) {
  msk_sha256 hash;
  size_t count;
  const uint8_t *bytes = msk_weight_file_bytes(file, &count);
  msk_sha256_begin(&hash);
  msk_sha256_add(&hash, bytes, count);
  msk_sha256_end(&hash, text);
}

/* As it lies on disk. */
static const msk_weight_file *source_file(const conversion *c, int network) {
  return network == 1 && c->adapted.base != NULL ? c->adapted.base : c->imports[network].file;
}

static int add_adapters(const conversion *c, json_t *object) {
  json_t *list = json_array();
  int failed = 0;
  for (int i = 0; i < c->adapted.count; i++) {
    const msk_adapter *adapter = &c->adapted.adapters[i];
    failed |= json_array_append_new(
        list, json_pack("{s:s, s:s, s:f}", "file", base_name(msk_weight_file_path(adapter->file)),
                        "sha256", adapter->hash, "weight", c->options->adapters[i].weight));
  }
  if (c->adapted.count > 0) return failed | json_object_set_new(object, "adapters", list);
  json_decref(list);
  return failed;
}

static msk_status make_provenance(conversion *c) {
  static const char *const roles[] = {"tokenizer", "transformer"};
  json_t *object = json_object();
  for (int n = 0; n < 2; n++) {
    char hash[65];
    hash_file(source_file(c, n), hash);
    json_t *source = json_pack("{s:s, s:s}", "file",
                               base_name(msk_weight_file_path(source_file(c, n))), "sha256", hash);
    /* no memory, or a file name that is no UTF-8 */
    if (source == NULL || json_object_set_new(object, roles[n], source) != 0) {
      json_decref(object);
      return msk_fail(c->error, MSK_ERROR_FILE,
                      "%s: the file's name cannot be recorded: is it valid UTF-8?",
                      msk_weight_file_path(c->imports[n].file));
    }
  }
  bool complete = add_adapters(c, object) == 0;
  if (c->taught != NULL)
    complete &= json_object_set_new(object, "taught", json_string(c->taught)) == 0;
  char *text = complete ? msk_json_text(object, JSON_COMPACT | JSON_SORT_KEYS, NULL) : NULL;
  json_decref(object);
  if (text == NULL) return out_of_memory(c);
  copy_text(c->provenance, sizeof c->provenance, text);
  bool fits = strlen(text) < sizeof c->provenance;
  msk_free(NULL, text);
  return fits ? MSK_OK
              : msk_fail(c->error, MSK_ERROR_FILE, "%s: the file's name is too long to be recorded",
                         c->options->tokenizer_path);
}

static void make_name(conversion *c) {
  if (c->options->name != NULL) {
    copy_text(c->name, sizeof c->name, c->options->name);
  } else if (c->name[0] == 0) {
    copy_text(c->name, sizeof c->name, base_name(c->options->output_path));
    char *suffix = strstr(c->name, ".safetensors");
    if (suffix != NULL) *suffix = 0;
  }
}

static msk_status make_metadata(conversion *c) {
  msk_class_source source = {c->options->classes_path,
                             msk_weight_file_metadata(c->imports[1].file, "classes"),
                             c->options->transformer_path};
  msk_status status = check_defaults(c);
  if (status == MSK_OK)
    status = msk_class_list_json(&c->classes, &source, c->class_count, c->allocator, c->error);
  if (status == MSK_OK)
    status = msk_taught_classes(c->imports[1].file, c->class_count, &(int){0}, c->error);
  if (status == MSK_OK) status = make_provenance(c);
  make_name(c);
  return status;
}

/* ---- The file ---- */

static msk_status write_output(conversion *c) {
  msk_metadata_entry metadata[MAX_METADATA] = {
      {"format", c->options->int8 ? MSK_MODEL_FORMAT_INT8 : MSK_MODEL_FORMAT},
      {"name", c->name},
      {"classes", c->classes},
      {"provenance", c->provenance},
      {"tensors_sha256", c->hash}};
  size_t count = 5;
  if (c->defaults != NULL) metadata[count++] = (msk_metadata_entry){"defaults", c->defaults};
  const char *taught = msk_weight_file_metadata(c->imports[1].file, MSK_TAUGHT_CLASSES);
  if (taught != NULL) metadata[count++] = (msk_metadata_entry){MSK_TAUGHT_CLASSES, taught};
  if (c->licence[0] != 0) metadata[count++] = (msk_metadata_entry){"licence", c->licence};
  return msk_safetensors_write(c->options->output_path, c->outputs.tensors, c->outputs.count,
                               metadata, count, msk_outputs_fill, &c->outputs, c->allocator,
                               c->error);
}

static void free_conversion(conversion *c) {
  for (int n = 0; n < 2; n++) msk_import_close(&c->imports[n], c->allocator);
  msk_adapted_close(&c->adapted);
  msk_free(c->allocator, c->defaults);
  msk_free(c->allocator, c->classes);
  msk_outputs_free(&c->outputs);
}

static msk_status take_adapted(conversion *c) {
  msk_weight_file *file = c->adapted.file;
  c->adapted.file = c->adapted.base; /* the import closes the other one */
  return msk_import_take(&c->imports[1], file, MSK_IMPORT_TRANSFORMER, c->allocator, c->error);
}

/* With its adapters, if it has any: then it has to be a model file. */
static msk_status open_transformer(conversion *c) {
  const msk_convert_options *o = c->options;
  if (o->adapter_count == 0)
    return msk_import_open(&c->imports[1], o->transformer_path, MSK_IMPORT_TRANSFORMER,
                           c->allocator, c->error);
  msk_status status = msk_adapted_open(&c->adapted, o->transformer_path, o->adapters,
                                       o->adapter_count, false, c->allocator, c->error);
  return status == MSK_OK ? take_adapted(c) : status;
}

/* With the transformer's file open. */
static msk_status convert(conversion *c) {
  const msk_convert_options *o = c->options;
  msk_status status = msk_import_open(&c->imports[0], o->tokenizer_path, MSK_IMPORT_TOKENIZER,
                                      c->allocator, c->error);
  if (status == MSK_OK) status = read_networks(c);
  if (status == MSK_OK) status = make_metadata(c);
  c->outputs = (msk_outputs){
      .imports = c->imports, .transformer = &c->transformer, .options = o, .error = c->error};
  if (status == MSK_OK) status = msk_outputs_list(&c->outputs);
  /* a pass of its own: the hash stands in the header, which is written before the data */
  if (status == MSK_OK) status = msk_outputs_hash(&c->outputs, c->hash);
  return status == MSK_OK ? write_output(c) : status;
}

msk_status msk_convert(const msk_convert_options *options, msk_error *error) {
  msk_status status = check_options(options, error);
  if (status != MSK_OK) return status;
  conversion c = {.options = options, .allocator = options->allocator, .error = error};
  status = open_transformer(&c);
  if (status == MSK_OK) status = convert(&c);
  free_conversion(&c);
  return status;
}

msk_status msk_convert_adapted(const msk_convert_options *options, msk_adapted *adapted,
                               const char *done, msk_error *error) {
  conversion c = {.options = options, .error = error, .adapted = *adapted, .taught = done};
  *adapted = (msk_adapted){0};
  msk_status status = take_adapted(&c);
  if (status == MSK_OK) status = convert(&c);
  free_conversion(&c);
  return status;
}
