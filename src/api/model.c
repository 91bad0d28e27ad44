/* SPDX-License-Identifier: Apache-2.0
 *
 * model.c - the model functions of the public header. A file is judged in this order: its kind,
 * every tensor's name, type and shape, whether the networks belong together, the metadata; memory
 * for weights is taken last. */
#include "api/choose_device.h"
#include "api/spare.h"

#include <jansson.h>
#include <string.h>

#include "base/error.h"
#include "base/json_tree.h"
#include "base/pool.h"
#include "base/threads.h"
#include "masksketch_tools.h"

enum { MAX_SIDE = 1024 };

/* ---- options ---- */

void msk_model_options_init(msk_model_options *options) {
  *options = (msk_model_options){.size = sizeof *options, .precision = MSK_PRECISION_OF_FILE};
}

/* *chosen: the options given, or the defaults; checked. */
static msk_status choose_options(msk_model_options *chosen, const msk_model_options *options,
                                 msk_error *error) {
  msk_model_options_init(chosen);
  if (options != NULL && options->size != sizeof *options) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "model options of %zu bytes, expected %zu: call msk_model_options_init() first",
                    options->size, sizeof *options);
  }
  if (options != NULL) *chosen = *options;
  msk_status status = msk_threads_check(chosen->threads, error);
  if (status != MSK_OK) return status;
  if (chosen->precision != MSK_PRECISION_OF_FILE &&
      msk_precision_name((int)chosen->precision) == NULL)
    return msk_refuse(error, "precision", "precision %d, expected one of msk_precision",
                      (int)chosen->precision);
  if (msk_precision_name((int)chosen->decode_precision) == NULL)
    return msk_refuse(error, "decode_precision",
                      "decode_precision %d, expected MSK_PRECISION_FP32 or MSK_PRECISION_INT8",
                      (int)chosen->decode_precision);
  return MSK_OK;
}

/* ---- what a file says ---- */

msk_dtype msk_model_dtype(const msk_weight_file *file) {
  const msk_tensor *tensor = msk_weight_file_find(
      file, MSK_MODEL_TRANSFORMER "TransformerLayer_0.Mlp_0.layer_output.kernel");
  return tensor == NULL || tensor->dtype == MSK_DTYPE_I8 ? MSK_DTYPE_F32 : tensor->dtype;
}

msk_status msk_networks_match(const msk_vqgan_config *tokenizer,
                              const msk_maskgit_config *transformer, const char *path,
                              size_t *class_count, size_t *latent_size, msk_error *error) {
  if (transformer->vocabulary < tokenizer->codes + 2) {
    return msk_fail(error, MSK_ERROR_FILE,
                    "%s: tensor Embed_0.word_embeddings.embedding has %zu rows, expected codes + "
                    "classes + 1 with the %zu codes of the tokenizer's quantizer.codebook: the two "
                    "do not belong together",
                    path, transformer->vocabulary, tokenizer->codes);
  }
  size_t side = 1;
  while (side < MAX_SIDE && side * side + 1 < transformer->positions) side++;
  if (side * side + 1 != transformer->positions) {
    return msk_fail(error, MSK_ERROR_FILE,
                    "%s: tensor Embed_0.position_embeddings.embedding has %zu rows, expected a "
                    "square and 1: is this a MaskGIT transformer?",
                    path, transformer->positions);
  }
  *class_count = transformer->vocabulary - tokenizer->codes - 1;
  *latent_size = side;
  return MSK_OK;
}

static msk_status check_kind(const msk_weight_file *file, msk_error *error) {
  const char *path = msk_weight_file_path(file), *format = msk_weight_file_metadata(file, "format");
  if (strcmp(msk_weight_file_kind(file), "safetensors") != 0) {
    return msk_fail(
        error, MSK_ERROR_FILE,
        "%s: this is a %s checkpoint, expected a model file: make one with `masksketch convert`",
        path, msk_weight_file_kind(file));
  }
  bool int8 = format != NULL && strcmp(format, MSK_MODEL_FORMAT_INT8) == 0;
  if (format == NULL || (!int8 && strcmp(format, MSK_MODEL_FORMAT) != 0)) {
    return msk_fail(error, MSK_ERROR_FILE,
                    "%s: its metadata say format \"%.40s\", expected \"%s\" or \"%s\": make a "
                    "model file with `masksketch convert`",
                    path, format == NULL ? "" : format, MSK_MODEL_FORMAT, MSK_MODEL_FORMAT_INT8);
  }
  for (size_t i = 0; i < msk_weight_file_count(file); i++) {
    const char *name = msk_weight_file_at(file, i)->name;
    if (!int8 && msk_weight_file_at(file, i)->dtype == MSK_DTYPE_I8) {
      return msk_fail(
          error, MSK_ERROR_FILE,
          "%s: tensor %s has type I8, which a file of format \"%s\" cannot have: expected \"%s\"",
          path, name, MSK_MODEL_FORMAT, MSK_MODEL_FORMAT_INT8);
    }
    if (strncmp(name, MSK_MODEL_TOKENIZER, strlen(MSK_MODEL_TOKENIZER)) == 0) continue;
    if (strncmp(name, MSK_MODEL_TRANSFORMER, strlen(MSK_MODEL_TRANSFORMER)) == 0) continue;
    return msk_fail(error, MSK_ERROR_FILE, "%s: tensor %s belongs to no part of a model file", path,
                    name);
  }
  return MSK_OK;
}

static msk_status copy_names(msk_model *model, const json_t *names, msk_error *error) {
  size_t bytes = 0, count = (size_t)model->class_count;
  for (size_t i = 0; i < count; i++) {
    const char *name = json_string_value(json_array_get(names, i));
    if (name == NULL || name[0] == 0 || strlen(name) > MSK_MAX_CLASS_NAME) {
      return msk_fail(error, MSK_ERROR_FILE,
                      "%s: the name of class %zu is no text of 1 to %d bytes",
                      msk_weight_file_path(model->file), i, MSK_MAX_CLASS_NAME);
    }
    bytes += strlen(name) + 1;
  }
  model->class_text = msk_allocate(model->allocator, bytes, 1);
  model->class_names = msk_allocate(model->allocator, count, sizeof *model->class_names);
  if (model->class_text == NULL || model->class_names == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "not enough memory for the class names");
  char *end = model->class_text;
  for (size_t i = 0; i < count; i++) {
    model->class_names[i] = strcpy(end, json_string_value(json_array_get(names, i)));
    end += strlen(end) + 1;
  }
  return MSK_OK;
}

static msk_status read_names(msk_model *model, msk_error *error) {
  const char *path = msk_weight_file_path(model->file),
             *text = msk_weight_file_metadata(model->file, "classes");
  char what[600];
  json_t *names = NULL;
  if (text == NULL)
    return msk_fail(error, MSK_ERROR_FILE, "%s: the metadata entry \"classes\" is missing", path);
  snprintf(what, sizeof what, "%s: the list of class names", path);
  msk_status status = msk_json_load(&names, what, text, strlen(text),
                                    (size_t)model->class_count + MSK_JSON_FEW, error);
  if (status == MSK_OK && json_array_size(names) != (size_t)model->class_count) {
    status = msk_fail(error, MSK_ERROR_FILE,
                      "%s: %zu class names, expected %d (vocabulary %zu - %d codes - 1): do "
                      "transformer and tokenizer belong together?",
                      path, json_array_size(names), model->class_count,
                      (size_t)model->class_count + (size_t)model->codes + 1, model->codes);
  }
  if (status == MSK_OK) status = copy_names(model, names, error);
  json_decref(names);
  return status;
}

static msk_status read_metadata(msk_model *model, size_t layers, size_t patch, msk_error *error) {
  const char *path = msk_weight_file_path(model->file);
  msk_status status = read_names(model, error);
  if (status == MSK_OK)
    status = msk_taught_classes(model->file, (size_t)model->class_count, &model->taught, error);
  if (status == MSK_OK) {
    status = msk_defaults_parse(&model->defaults, msk_weight_file_metadata(model->file, "defaults"),
                                (size_t)model->class_count, layers, path, model->allocator, error);
  }
  if (status != MSK_OK) return status;
  model->image_size = model->latent_size * (int)patch;
  if (model->defaults.image_size != 0 && model->defaults.image_size != (size_t)model->image_size) {
    return msk_fail(error, MSK_ERROR_FILE,
                    "%s: the defaults say %zu pixels a side, the networks make %d", path,
                    model->defaults.image_size, model->image_size);
  }
  const char *name = msk_weight_file_metadata(model->file, "name"),
             *hash = msk_weight_file_metadata(model->file, "tensors_sha256");
  model->name = name == NULL ? "" : name;
  model->hash = hash == NULL ? "" : hash;
  return MSK_OK;
}

/* Everything that can be said without packing: sizes, names, defaults. */
static msk_status describe(msk_model *model, msk_error *error) {
  msk_vqgan_config tokenizer;
  msk_maskgit_config transformer;
  size_t class_count = 0, latent_size = 0;
  msk_status status = check_kind(model->file, error);
  if (status == MSK_OK) /* the groups are not known yet */
    status = msk_vqgan_read_config(&tokenizer, model->file, MSK_MODEL_TOKENIZER, 1, error);
  if (status == MSK_OK)
    status = msk_maskgit_read_config(&transformer, model->file, MSK_MODEL_TRANSFORMER, error);
  if (status == MSK_OK) {
    status = msk_networks_match(&tokenizer, &transformer, msk_weight_file_path(model->file),
                                &class_count, &latent_size, error);
  }
  if (status != MSK_OK) return status;
  model->class_count = (int)class_count;
  model->latent_size = (int)latent_size;
  model->codes = (int)tokenizer.codes;
  model->positions = (int)transformer.positions;
  for (size_t i = 0; i < msk_weight_file_count(model->file); i++) {
    const msk_tensor *tensor = msk_weight_file_at(model->file, i);
    if (!msk_weight_is_scales(tensor->name)) model->parameters += tensor->elements;
  }
  return read_metadata(model, transformer.layers, tokenizer.patch, error);
}

/* 8 bits for a file whose matrices are, unless the caller says otherwise. */
static msk_precision choose_precision(const msk_weight_file *file,
                                      const msk_model_options *options) {
  if (options->precision != MSK_PRECISION_OF_FILE) return options->precision;
  if (msk_device_is_auto(options->device))
    return MSK_PRECISION_FP32; /* of a GPU that was found to be faster in it */
  for (size_t i = 0; i < msk_weight_file_count(file); i++) {
    if (msk_weight_file_at(file, i)->dtype == MSK_DTYPE_I8) return MSK_PRECISION_INT8;
  }
  return MSK_PRECISION_FP32;
}

/* *gpu: as the options' device says; after this they say "cpu" where it is NULL. */
static msk_status choose_gpu(msk_device **gpu, msk_model_options *options,
                             const msk_adapted *adapted, char line[600], msk_error *error) {
  const msk_device_wish wish = {options->device, options->device_cache, options->isa,
                                options->threads, options->allocator};
  msk_maskgit_config config;
  msk_status status = msk_maskgit_read_config(&config, adapted->file, MSK_MODEL_TRANSFORMER, error);
  if (status != MSK_OK) return status;
  /* rows of a guided pass through the first layer behind attention */
  const msk_product_size size = {2 * config.positions, config.hidden, config.intermediate};
  /* int8: the GPU would have to be faster than the CPU's, and what is compared is float32 */
  if (!msk_device_is_auto(options->device) || options->precision != MSK_PRECISION_INT8)
    status =
        msk_choose_device(gpu, &wish, choose_precision(adapted->base, options), &size, line, error);
  if (*gpu == NULL) options->device = "cpu";
  return status;
}

/* ---- memory ---- */

/* Both networks are loaded on a device that measures: what is kept after it and at most meanwhile
 * is what loading them takes. */
static msk_status measure(msk_memory_plan *plan, msk_device *device, msk_device *gpu,
                          const msk_weight_file *file, const msk_model_options *options,
                          msk_error *error) {
  msk_tally tally = {0};
  msk_vqgan *tokenizer = NULL;
  msk_maskgit *transformer = NULL;
  msk_device_measure(device, &tally);
  if (gpu != NULL) msk_device_measure(gpu, &tally);
  /* the number of groups has no effect on memory */
  const msk_device *own = gpu == NULL ? device : gpu;
  msk_status status = msk_vqgan_load(&tokenizer, own, file, MSK_MODEL_TOKENIZER, 1,
                                     options->decode_precision, NULL, error);
  if (status == MSK_OK)
    status = msk_maskgit_load(&transformer, own, file, MSK_MODEL_TRANSFORMER, NULL, error);
  if (status == MSK_OK)
    *plan = (msk_memory_plan){
        .weights = tally.held, .loading = tally.most - tally.held, .device_weights = tally.apart};
  msk_vqgan_destroy(tokenizer);
  msk_maskgit_destroy(transformer);
  return status;
}

msk_status msk_model_plan(msk_memory_plan *plan, const char *path, const msk_model_options *options,
                          msk_error *error) {
  msk_model_options chosen;
  msk_adapted adapted = {0};
  msk_device *device = NULL, *gpu = NULL;
  char line[600];
  if (plan == NULL || path == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "no plan or no path given to msk_model_plan");
  msk_status status = choose_options(&chosen, options, error);
  if (status == MSK_OK)
    status = msk_adapted_open(&adapted, path, chosen.adapters, chosen.adapter_count, true,
                              chosen.allocator, error);
  if (status == MSK_OK) status = check_kind(adapted.file, error);
  if (status == MSK_OK) status = choose_gpu(&gpu, &chosen, &adapted, line, error);
  if (status == MSK_OK)
    status = msk_device_create(&device, chosen.isa, choose_precision(adapted.base, &chosen),
                               chosen.allocator, error);
  if (status == MSK_OK) status = measure(plan, device, gpu, adapted.file, &chosen, error);
  if (status == MSK_OK) plan->loading += adapted.floats * sizeof(float);
  msk_device_destroy(gpu);
  msk_device_destroy(device);
  msk_adapted_close(&adapted);
  return status;
}

/* ---- opening and closing ---- */

static msk_status pack(msk_model *model, msk_model_options *options, msk_error *error) {
  const bool may_fall = msk_device_is_auto(options->device);
  msk_pool *pool = NULL;
  int threads = options->threads == 0 ? msk_default_threads() : options->threads;
  msk_status status = choose_gpu(&model->gpu, options, &model->adapted, model->device_line, error);
  if (status == MSK_OK)
    status =
        msk_device_create(&model->device, options->isa,
                          choose_precision(model->adapted.base, options), model->allocator, error);
  if (status == MSK_OK && model->gpu != NULL)
    status = msk_spare_create(&model->spare, may_fall, options->decode_precision, model->allocator,
                              error);
  if (status == MSK_OK && threads > 1)
    status = msk_pool_create(&pool, threads, model->allocator, error);
  const msk_device *own = model->gpu == NULL ? model->device : model->gpu;
  if (status == MSK_OK)
    status = msk_vqgan_load(&model->tokenizer, own, model->file, MSK_MODEL_TOKENIZER,
                            model->defaults.groups, options->decode_precision, pool, error);
  if (status == MSK_OK)
    status =
        msk_maskgit_load(&model->transformer, own, model->file, MSK_MODEL_TRANSFORMER, pool, error);
  msk_pool_destroy(pool);
  /* back to the system at once: nothing else will need as much again, but a CPU that takes over */
  if (model->gpu == NULL || !may_fall) msk_adapted_forget(&model->adapted);
  msk_memory_trim(model->allocator);
  return status;
}

msk_status msk_model_open(msk_model **model, const char *path, const msk_model_options *options,
                          msk_error *error) {
  msk_model_options chosen;
  if (model == NULL || path == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "no model or no path given to msk_model_open");
  msk_status status = choose_options(&chosen, options, error);
  if (status != MSK_OK) return status;
  msk_model *made = msk_allocate_zeroed(chosen.allocator, 1, sizeof *made);
  if (made == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "not enough memory for a model");
  made->allocator = chosen.allocator;
  status = msk_adapted_open(&made->adapted, path, chosen.adapters, chosen.adapter_count, false,
                            made->allocator, error);
  made->file = made->adapted.file;
  for (int i = 0; i < made->adapted.count; i++)
    made->adapter_weights[i] = chosen.adapters[i].weight;
  if (status == MSK_OK) status = describe(made, error);
  if (status == MSK_OK) status = pack(made, &chosen, error);
  if (status == MSK_OK) {
    *model = made;
  } else {
    msk_model_close(made);
  }
  return status;
}

void msk_model_close(msk_model *model) {
  if (model == NULL) return;
  const msk_allocator *allocator = model->allocator;
  msk_vqgan_destroy(model->tokenizer);
  msk_maskgit_destroy(model->transformer);
  msk_spare_destroy(model->spare, allocator);
  msk_device_destroy(model->gpu);
  msk_device_destroy(model->device);
  msk_adapted_close(&model->adapted);
  msk_free(allocator, model->class_names);
  msk_free(allocator, model->class_text);
  msk_defaults_free(&model->defaults, allocator);
  msk_free(allocator, model);
}

/* ---- what an opened one says ---- */

void msk_model_get_info(const msk_model *model, msk_model_info *info) {
  const msk_vqgan_config *tokenizer = msk_vqgan_get_config(model->tokenizer);
  const msk_maskgit_config *transformer = msk_maskgit_get_config(model->transformer);
  *info = (msk_model_info){
      .image_size = model->image_size,
      .latent_size = model->latent_size,
      .tokens = model->positions,
      .codebook_size = model->codes,
      .class_count = model->class_count,
      .null_class = model->defaults.recipe.null_class,
      .layers = (int)transformer->layers,
      .hidden = (int)transformer->hidden,
      .heads = (int)transformer->heads,
      .intermediate = (int)transformer->intermediate,
      .codebook_dim = (int)tokenizer->dim,
      .filters = (int)tokenizer->filters,
      .stem = (int)tokenizer->stem,
      .parameters = model->parameters,
      .isa = msk_device_isa(model->device),
      .device = msk_device_name(msk_model_device(model)),
      .precision = msk_device_precision(model->device),
      .decode_precision = msk_vqgan_decode_precision(model->tokenizer),
      .name = model->name,
      .hash = model->hash,
      .fit = model->defaults.fit,
  };
}

const char *msk_model_warning(const msk_model *model) {
  const char *warning = msk_device_warning(model->device);
  return warning == NULL && model->device_line[0] != 0 ? model->device_line : warning;
}

const char *msk_model_metadata(const msk_model *model, const char *key) {
  return msk_weight_file_metadata(model->file, key);
}

int msk_model_adapter(const msk_model *model, int index, msk_adapter_info *info) {
  if (index < 0 || index >= model->adapted.count) return 0;
  const msk_adapter *adapter = &model->adapted.adapters[index];
  const char *path = msk_weight_file_path(adapter->file), *slash = strrchr(path, '/');
  *info = (msk_adapter_info){.file = slash == NULL ? path : slash + 1,
                             .hash = adapter->hash,
                             .class_id = model->class_count - model->adapted.count + index,
                             .weight = model->adapter_weights[index]};
  return 1;
}
