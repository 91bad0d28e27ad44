/* SPDX-License-Identifier: Apache-2.0
 * adapter.c - see adapter.h. */
#include "model/adapter.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/sha256.h"

/* ---- the matrices ---- */

struct listing {
  const msk_maskgit_config *config;
  msk_adapted_visit *visit;
  void *user;
};

/* What may be stored in 8 bits is what may be adapted: the matrices of the layers. */
static msk_status list_matrix(void *user, const msk_tensor *tensor) {
  const struct listing *listing = user;
  int outputs = msk_maskgit_int8_outputs(listing->config, tensor->name);
  msk_adapted_matrix matrix = {.name = tensor->name, .out = 1};
  if (outputs == 0) return MSK_OK;
  for (int i = tensor->rank - outputs; i < tensor->rank; i++) matrix.out *= tensor->shape[i];
  matrix.in = tensor->elements / matrix.out;
  return listing->visit(listing->user, &matrix);
}

msk_status msk_adapter_each_matrix(const msk_maskgit_config *config, msk_adapted_visit *visit,
                                   void *user) {
  struct listing listing = {config, visit, user};
  return msk_maskgit_each_tensor(config, list_matrix, &listing);
}

static const msk_tensor *find_half(const msk_adapter *adapter, const char *name, char half) {
  char text[MSK_WEIGHT_NAME + 2];
  snprintf(text, sizeof text, "%s.%c", name, half);
  return msk_weight_file_find(adapter->file, text);
}

/* ---- checking ---- */

struct checking {
  msk_adapter *adapter;
  size_t known; /* tensors that have a place */
  msk_error *error;
};

static msk_status check_half(struct checking *c, const char *name, char half, size_t rows,
                             size_t columns, const msk_tensor **found) {
  const msk_tensor *tensor = find_half(c->adapter, name, half);
  const char *path = msk_weight_file_path(c->adapter->file);
  char shape[64];
  *found = tensor;
  if (tensor == NULL) return MSK_OK;
  c->known++;
  if (tensor->rank == 2 && tensor->shape[0] == rows && tensor->shape[1] == columns)
    return msk_tensor_check_finite(tensor, path, c->error);
  msk_shape_text(shape, sizeof shape, tensor->rank, tensor->shape);
  return msk_fail(c->error, MSK_ERROR_FILE,
                  "%s: tensor %s has shape %s, expected %zux%zu: is the adapter of another model?",
                  path, tensor->name, shape, rows, columns);
}

/* The rank of the first pair is that of all. */
static msk_status check_matrix(void *user, const msk_adapted_matrix *matrix) {
  struct checking *c = user;
  msk_adapter *adapter = c->adapter;
  const msk_tensor *a = find_half(adapter, matrix->name, 'a'), *b;
  if (adapter->rank == 0 && a != NULL && a->rank == 2) adapter->rank = a->shape[1];
  msk_status status = check_half(c, matrix->name, 'a', matrix->in, adapter->rank, &a);
  if (status == MSK_OK) status = check_half(c, matrix->name, 'b', adapter->rank, matrix->out, &b);
  if (status == MSK_OK && (a == NULL) != (b == NULL))
    return msk_fail(c->error, MSK_ERROR_FILE, "%s: tensor %s.%c is missing",
                    msk_weight_file_path(adapter->file), matrix->name, a == NULL ? 'a' : 'b');
  return status;
}

static msk_status check_tensors(msk_adapter *adapter, const msk_maskgit_config *config,
                                msk_error *error) {
  const char *path = msk_weight_file_path(adapter->file);
  const msk_tensor *row = msk_weight_file_find(adapter->file, MSK_ADAPTER_CLASS);
  struct checking c = {.adapter = adapter, .known = 1, .error = error};
  if (row == NULL || row->rank != 1 || row->shape[0] != config->hidden)
    return msk_fail(error, MSK_ERROR_FILE,
                    "%s: tensor %s is missing or has not the %zu numbers of the model's hidden "
                    "size: is the adapter of another model?",
                    path, MSK_ADAPTER_CLASS, config->hidden);
  msk_status status = msk_tensor_check_finite(row, path, error);
  if (status == MSK_OK) status = msk_adapter_each_matrix(config, check_matrix, &c);
  if (status != MSK_OK) return status;
  if (adapter->rank > MSK_ADAPTER_MAX_RANK)
    return msk_fail(error, MSK_ERROR_FILE, "%s: its rank is %zu, expected at most %d", path,
                    adapter->rank, MSK_ADAPTER_MAX_RANK);
  if (c.known != msk_weight_file_count(adapter->file))
    return msk_fail(error, MSK_ERROR_FILE,
                    "%s has %zu tensors that have no place in this model: is the adapter of "
                    "another one?",
                    path, msk_weight_file_count(adapter->file) - c.known);
  return MSK_OK;
}

static msk_status read_texts(msk_adapter *adapter, msk_error *error) {
  const msk_weight_file *file = adapter->file;
  const char *path = msk_weight_file_path(file), *format = msk_weight_file_metadata(file, "format"),
             *model_name = msk_weight_file_metadata(file, "model");
  if (strcmp(msk_weight_file_kind(file), "safetensors") != 0 || format == NULL ||
      strcmp(format, MSK_ADAPTER_FORMAT) != 0)
    return msk_fail(error, MSK_ERROR_FILE,
                    "%s: its metadata say format \"%.40s\", expected \"%s\": masksketch teach "
                    "makes adapters",
                    path, format == NULL ? "" : format, MSK_ADAPTER_FORMAT);
  adapter->class_name = msk_weight_file_metadata(file, "class");
  adapter->model_hash = msk_weight_file_metadata(file, "model_sha256");
  adapter->model_name = model_name == NULL ? "" : model_name;
  size_t length = adapter->class_name == NULL ? 0 : strlen(adapter->class_name);
  if (length == 0 || length > MSK_MAX_CLASS_NAME ||
      !msk_utf8_valid((const uint8_t *)adapter->class_name, length))
    return msk_fail(error, MSK_ERROR_FILE, "%s: the name of its class is no text of 1 to %d bytes",
                    path, MSK_MAX_CLASS_NAME);
  if (adapter->model_hash == NULL || strlen(adapter->model_hash) != 64)
    return msk_fail(error, MSK_ERROR_FILE, "%s does not say of which model it is", path);
  return MSK_OK;
}

/* ---- opening ---- */

bool msk_class_name_is_fine(const char *name) {
  size_t length = strlen(name);
  return length > 0 && length <= MSK_MAX_CLASS_NAME && strspn(name, "0123456789") < length &&
         msk_utf8_valid((const uint8_t *)name, length);
}

static void hash_file(msk_adapter *adapter) {
  msk_sha256 hash;
  size_t count;
  const uint8_t *bytes = msk_weight_file_bytes(adapter->file, &count);
  msk_sha256_begin(&hash);
  msk_sha256_add(&hash, bytes, count);
  msk_sha256_end(&hash, adapter->hash);
}

msk_status msk_adapter_open(msk_adapter *adapter, const char *path,
                            const msk_maskgit_config *config, const msk_allocator *allocator,
                            msk_error *error) {
  msk_adapter made = {0};
  msk_status status = msk_weight_file_open(&made.file, path, allocator, error);
  if (status == MSK_OK) status = read_texts(&made, error);
  if (status == MSK_OK) status = check_tensors(&made, config, error);
  if (status != MSK_OK) {
    msk_adapter_close(&made);
    return status;
  }
  hash_file(&made);
  *adapter = made;
  return MSK_OK;
}

void msk_adapter_close(msk_adapter *adapter) {
  msk_weight_file_close(adapter->file);
  *adapter = (msk_adapter){0};
}

/* ---- what it adds ---- */

bool msk_adapter_has(const msk_adapter *adapter, const char *name) {
  return find_half(adapter, name, 'a') != NULL;
}

size_t msk_adapter_scratch(const msk_adapter *adapter, const msk_adapted_matrix *matrix) {
  return (matrix->in + matrix->out) * adapter->rank;
}

void msk_adapter_add(const msk_adapter *adapter, const msk_adapted_matrix *matrix, float weight,
                     float *scratch, float *values) {
  const msk_tensor *a = find_half(adapter, matrix->name, 'a'),
                   *b = find_half(adapter, matrix->name, 'b');
  float *left = scratch, *right = scratch + matrix->in * adapter->rank;
  if (a == NULL) return;
  msk_tensor_to_f32(a, 0, a->elements, left);
  msk_tensor_to_f32(b, 0, b->elements, right);
  for (size_t i = 0; i < matrix->in; i++) {
    for (size_t k = 0; k < adapter->rank; k++) {
      float factor = weight * left[i * adapter->rank + k];
      for (size_t j = 0; j < matrix->out; j++)
        values[i * matrix->out + j] += factor * right[k * matrix->out + j];
    }
  }
}

void msk_adapter_class_row(const msk_adapter *adapter, float *row) {
  const msk_tensor *tensor = msk_weight_file_find(adapter->file, MSK_ADAPTER_CLASS);
  msk_tensor_to_f32(tensor, 0, tensor->elements, row);
}
