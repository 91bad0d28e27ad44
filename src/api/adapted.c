/* SPDX-License-Identifier: Apache-2.0
 * adapted.c - see adapted.h. */
#include "api/adapted.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/model.h"
#include "base/error.h"
#include "base/json_tree.h"
#include "base/memory.h"

#define WORDS MSK_MODEL_TRANSFORMER "Embed_0.word_embeddings.embedding"
#define WORD_BIASES MSK_MODEL_TRANSFORMER "MlmLayer_0.mlm_bias.bias"

/* The tensors of the file to be. */
struct making {
  msk_adapted *adapted;
  const msk_adapter_choice *choices;
  bool measuring;
  const char *class_name; /* the one that is new, where the tensors are replaced; else NULL */
  msk_error *error;
  msk_tensor *tensors;
  size_t count;
  msk_arena arena; /* of the changed data */
  float *scratch;
  size_t scratch_floats;
};

static msk_status out_of_memory(const struct making *m) {
  return msk_fail(m->error, MSK_ERROR_MEMORY, "not enough memory for the adapters of %s",
                  msk_weight_file_path(m->adapted->base));
}

/* ---- adapters ---- */

static msk_status check_choices(const msk_adapter_choice *choices, int count, msk_error *error) {
  if (count < 0 || count > MSK_MAX_ADAPTERS || (count > 0 && choices == NULL))
    return msk_refuse(error, "adapters", "%d adapters, expected 0 to %d", count, MSK_MAX_ADAPTERS);
  for (int i = 0; i < count; i++) {
    if (choices[i].path == NULL || !(fabs(choices[i].weight) <= MSK_MAX_ADAPTER_WEIGHT))
      return msk_refuse(error, "adapters", "adapter %.300s has the weight %g, expected %d to %d",
                        choices[i].path == NULL ? "" : choices[i].path, choices[i].weight,
                        -MSK_MAX_ADAPTER_WEIGHT, MSK_MAX_ADAPTER_WEIGHT);
  }
  return MSK_OK;
}

static int new_classes(const struct making *m) {
  return m->class_name != NULL ? 1 : m->adapted->count;
}

static msk_status open_adapter(msk_adapted *adapted, const char *path,
                               const msk_maskgit_config *config, msk_error *error) {
  msk_adapter *adapter = &adapted->adapters[adapted->count];
  const char *hash = msk_weight_file_metadata(adapted->base, "tensors_sha256"),
             *name = msk_weight_file_metadata(adapted->base, "name");
  msk_status status = msk_adapter_open(adapter, path, config, adapted->allocator, error);
  if (status != MSK_OK) return status;
  adapted->count++;
  if (hash != NULL && strcmp(hash, adapter->model_hash) == 0) return MSK_OK;
  return msk_fail(
      error, MSK_ERROR_FILE,
      "%s is of the model %.60s (hash %.12s), but this is %.60s (hash %.12s): an adapter "
      "fits no other model",
      path, adapter->model_name, adapter->model_hash, name == NULL ? "?" : name,
      hash == NULL ? "?" : hash);
}

/* ---- data ---- */

static float *take(struct making *m, size_t floats) {
  return msk_arena_take(&m->arena, floats, sizeof(float));
}

static void set_data(msk_tensor *tensor, const float *values) {
  tensor->dtype = MSK_DTYPE_F32;
  tensor->bytes = tensor->elements * sizeof(float);
  tensor->data = (const uint8_t *)values;
}

static bool is_adapted(const msk_adapted *adapted, const char *name) {
  for (int i = 0; i < adapted->count; i++) {
    if (msk_adapter_has(&adapted->adapters[i], name)) return true;
  }
  return false;
}

static msk_tensor *find_tensor(struct making *m, const char *name) {
  char full[2 * MSK_WEIGHT_NAME];
  size_t i = 0;
  snprintf(full, sizeof full, "%s%s", MSK_MODEL_TRANSFORMER, name);
  /* it is there: the configuration was read from the same file, every tensor looked at */
  while (strcmp(m->tensors[i].name, full) != 0) i++;
  return &m->tensors[i];
}

static msk_status change_matrix(void *user, const msk_adapted_matrix *matrix) {
  struct making *m = user;
  msk_adapted *adapted = m->adapted;
  /* what no adapter changes stays in the file's own pages */
  if (!is_adapted(adapted, matrix->name)) return MSK_OK;
  msk_tensor *tensor = find_tensor(m, matrix->name);
  float *values = take(m, tensor->elements);
  msk_status status = MSK_OK;
  if (m->arena.base != NULL) {
    status = msk_weight_values(adapted->base, tensor, values, m->error);
    for (int k = 0; k < adapted->count; k++)
      msk_adapter_add(&adapted->adapters[k], matrix, (float)m->choices[k].weight, m->scratch,
                      values);
  }
  set_data(tensor, values);
  return status;
}

/* Rows for the classes, before the last: of their adapters, or zeros, for nobody asks for the
 * logits of a class. */
static void insert_rows(struct making *m, const char *name, bool with_classes) {
  msk_adapted *adapted = m->adapted;
  size_t i = 0, added = (size_t)adapted->count;
  while (strcmp(m->tensors[i].name, name) != 0) i++;
  msk_tensor *tensor = &m->tensors[i];
  size_t rows = tensor->shape[0], columns = tensor->elements / rows, before = (rows - 1) * columns;
  float *values = take(m, (rows + added) * columns);
  /* On the second call: the first only measures. The last row is the mask's, and stays the last. */
  if (m->arena.base != NULL) {
    msk_tensor_to_f32(tensor, 0, before, values);
    memset(values + before, 0, added * columns * sizeof *values);
    for (size_t k = 0; with_classes && k < added; k++)
      msk_adapter_class_row(&adapted->adapters[k], values + before + k * columns);
    msk_tensor_to_f32(tensor, before, columns, values + before + added * columns);
  }
  tensor->shape[0] += added;
  tensor->elements = (rows + added) * columns;
  set_data(tensor, values);
}

/* The base's tensors, but for the scales of what will be float32. */
static void list_tensors(struct making *m) {
  const msk_weight_file *base = m->adapted->base;
  size_t prefix = strlen(MSK_MODEL_TRANSFORMER);
  m->count = 0;
  for (size_t i = 0; i < msk_weight_file_count(base); i++) {
    const msk_tensor *tensor = msk_weight_file_at(base, i);
    char name[2 * MSK_WEIGHT_NAME];
    size_t length = strlen(tensor->name) - strlen(MSK_WEIGHT_SCALES);
    snprintf(name, sizeof name, "%.*s", (int)length, tensor->name);
    bool changed = m->class_name != NULL || is_adapted(m->adapted, name + prefix);
    if (msk_weight_is_scales(tensor->name) && changed) continue;
    m->tensors[m->count++] = *tensor;
  }
}

static msk_status measure_scratch(void *user, const msk_adapted_matrix *matrix) {
  struct making *m = user;
  size_t most = 0;
  for (int i = 0; i < m->adapted->count; i++) {
    size_t floats = msk_adapter_scratch(&m->adapted->adapters[i], matrix);
    if (floats > most) most = floats;
  }
  if (most > m->scratch_floats) m->scratch_floats = most;
  return MSK_OK;
}

static msk_status change(struct making *m, const msk_maskgit_config *config) {
  m->arena.used = 0;
  list_tensors(m);
  insert_rows(m, WORDS, true);
  insert_rows(m, WORD_BIASES, false);
  return msk_adapter_each_matrix(config, change_matrix, m);
}

/* Measuring, then placing. */
static msk_status make_tensors(struct making *m, const msk_maskgit_config *config) {
  msk_adapted *adapted = m->adapted;
  const msk_allocator *allocator = adapted->allocator;
  m->tensors = msk_allocate(allocator, msk_weight_file_count(adapted->base), sizeof *m->tensors);
  if (m->tensors == NULL) return out_of_memory(m);
  msk_adapter_each_matrix(config, measure_scratch, m);
  msk_status status = change(m, config);
  adapted->floats = m->arena.peak / sizeof(float);
  if (m->measuring || status != MSK_OK) return status;
  m->scratch = msk_allocate(allocator, m->scratch_floats, sizeof *m->scratch);
  adapted->values = msk_allocate(allocator, m->arena.peak, 1);
  if (m->scratch == NULL || adapted->values == NULL) return out_of_memory(m);
  m->arena.capacity = m->arena.peak;
  m->arena.base = (char *)adapted->values;
  return change(m, config);
}

/* Shapes too: the words and their biases have a row more. */
static void replace(struct making *m, const msk_params *params, float *block) {
  list_tensors(m);
  for (size_t i = 0; i < params->count; i++) {
    const msk_param *param = &params->list[i];
    msk_tensor *tensor = find_tensor(m, param->tensor.name);
    memcpy(tensor->shape, param->tensor.shape, sizeof tensor->shape);
    tensor->elements = param->tensor.elements;
    set_data(tensor, block + param->offset);
  }
}

/* ---- metadata ---- */

msk_status msk_taught_classes(const msk_weight_file *file, size_t classes, int *taught,
                              msk_error *error) {
  const char *text = msk_weight_file_metadata(file, MSK_TAUGHT_CLASSES);
  size_t length = text == NULL ? 0 : strlen(text);
  unsigned long count = text == NULL ? 0 : strtoul(text, NULL, 10);
  if (text != NULL &&
      (length == 0 || length > 9 || strspn(text, "0123456789") != length || count >= classes))
    return msk_fail(error, MSK_ERROR_FILE,
                    "%s: the metadata entry \"%s\" is \"%.40s\", expected a number below %zu",
                    msk_weight_file_path(file), MSK_TAUGHT_CLASSES, text, classes);
  *taught = (int)count;
  return MSK_OK;
}

/* The base's list of classes, and those of the adapters. */
static msk_status list_classes(const struct making *m, char **text) {
  const msk_adapted *adapted = m->adapted;
  const char *path = msk_weight_file_path(adapted->base),
             *old = msk_weight_file_metadata(adapted->base, "classes");
  json_t *names = NULL;
  if (old == NULL)
    return msk_fail(m->error, MSK_ERROR_FILE, "%s: the metadata entry \"classes\" is missing",
                    path);
  msk_status status = msk_json_load(&names, path, old, strlen(old), MSK_JSON_MANY, m->error);
  if (status != MSK_OK) return status;
  int failed = 0;
  for (int i = 0; i < new_classes(m); i++) {
    const char *name = m->class_name != NULL ? m->class_name : adapted->adapters[i].class_name;
    failed |= json_array_append_new(names, json_string(name));
  }
  *text = failed != 0 ? NULL : msk_json_text(names, JSON_COMPACT, adapted->allocator);
  json_decref(names);
  return *text == NULL ? out_of_memory(m) : MSK_OK;
}

/* The base's entries, but for those two. */
static size_t list_entries(const msk_weight_file *base, const char *classes, const char *taught,
                           msk_metadata_entry *entries) {
  size_t count = 0;
  const char *key, *value;
  for (size_t i = 0; (key = msk_weight_file_metadata_at(base, i, &value)) != NULL; i++) {
    msk_metadata_entry *entry = &entries[count];
    *entry = (msk_metadata_entry){key, value};
    if (strcmp(entry->key, "classes") == 0) entry->value = classes;
    if (strcmp(entry->key, MSK_TAUGHT_CLASSES) != 0) count++;
  }
  entries[count++] = (msk_metadata_entry){MSK_TAUGHT_CLASSES, taught};
  return count;
}

static msk_status make_file(struct making *m) {
  msk_adapted *adapted = m->adapted;
  const msk_weight_file *base = adapted->base;
  size_t most = 1; /* the number of taught classes may be new */
  while (msk_weight_file_metadata_at(base, most - 1, NULL) != NULL) most++;
  int before = 0;
  char *classes = NULL, taught[16];
  msk_metadata_entry *entries = msk_allocate(adapted->allocator, most, sizeof *entries);
  msk_status status = entries == NULL ? out_of_memory(m) : list_classes(m, &classes);
  if (status == MSK_OK) status = msk_taught_classes(base, MSK_WEIGHT_MAX_SIDE, &before, m->error);
  if (status == MSK_OK) {
    snprintf(taught, sizeof taught, "%d", before + new_classes(m));
    size_t count = list_entries(base, classes, taught, entries);
    status =
        msk_weight_file_view(&adapted->file, msk_weight_file_path(base), msk_weight_file_kind(base),
                             m->tensors, m->count, entries, count, adapted->allocator, m->error);
  }
  msk_free(adapted->allocator, entries);
  msk_free(adapted->allocator, classes);
  return status;
}

/* ---- opening ---- */

static msk_status put_on(struct making *m, int count) {
  msk_adapted *adapted = m->adapted;
  msk_maskgit_config config;
  msk_status status =
      msk_maskgit_read_config(&config, adapted->base, MSK_MODEL_TRANSFORMER, m->error);
  for (int i = 0; i < count && status == MSK_OK; i++)
    status = open_adapter(adapted, m->choices[i].path, &config, m->error);
  if (status == MSK_OK) status = make_tensors(m, &config);
  if (status == MSK_OK) status = make_file(m);
  msk_free(adapted->allocator, m->tensors);
  msk_free(adapted->allocator, m->scratch);
  return status;
}

msk_status msk_adapted_open(msk_adapted *adapted, const char *path,
                            const msk_adapter_choice *choices, int count, bool measuring,
                            const msk_allocator *allocator, msk_error *error) {
  msk_adapted made = {.allocator = allocator};
  struct making m = {.adapted = &made, .choices = choices, .measuring = measuring, .error = error};
  msk_status status = check_choices(choices, count, error);
  if (status == MSK_OK) status = msk_weight_file_open(&made.base, path, allocator, error);
  made.file = made.base;
  if (status == MSK_OK && count > 0) status = put_on(&m, count);
  if (status == MSK_OK) {
    *adapted = made;
  } else {
    msk_adapted_close(&made);
  }
  return status;
}

msk_status msk_adapted_replace(msk_adapted *adapted, const char *path, const msk_params *params,
                               float *block, const char *class_name, msk_error *error) {
  msk_adapted made = {0};
  struct making m = {.adapted = &made, .class_name = class_name, .error = error};
  msk_status status = msk_weight_file_open(&made.base, path, NULL, error);
  made.file = made.base;
  if (status == MSK_OK) {
    m.tensors = msk_allocate(NULL, msk_weight_file_count(made.base), sizeof *m.tensors);
    status = m.tensors == NULL ? out_of_memory(&m) : MSK_OK;
  }
  if (status == MSK_OK) {
    replace(&m, params, block);
    status = make_file(&m);
  }
  msk_free(NULL, m.tensors);
  if (status == MSK_OK) {
    *adapted = made;
  } else {
    msk_adapted_close(&made);
  }
  return status;
}

void msk_adapted_forget(msk_adapted *adapted) {
  msk_free(adapted->allocator, adapted->values);
  adapted->values = NULL;
}

void msk_adapted_close(msk_adapted *adapted) {
  if (adapted->file != adapted->base) msk_weight_file_close(adapted->file);
  msk_weight_file_close(adapted->base);
  msk_adapted_forget(adapted);
  for (int i = 0; i < adapted->count; i++) msk_adapter_close(&adapted->adapters[i]);
  *adapted = (msk_adapted){0};
}
