/* SPDX-License-Identifier: Apache-2.0
 *
 * export.c - msk_export_flax(): a model file as the authors' checkpoints, by the machinery of
 * msk_convert(). */
#include <jansson.h>
#include <string.h>

#include "api/convert_tensors.h"
#include "api/model.h"
#include "base/error.h"
#include "base/json_tree.h"
#include "base/memory.h"
#include "masksketch_tools.h"

typedef struct export {
  const char *model;
  const msk_allocator *allocator;
  msk_error *error;
  msk_import imports[2]; /* tokenizer, transformer */
  msk_maskgit_config transformer;
  msk_convert_options options;
  msk_outputs outputs;
}
export;

/* The tensors of one network under their own names, and where they stand among all. */
typedef struct network {
  msk_outputs *outputs;
  msk_tensor *tensors;
  size_t *places, count;
} network;

static msk_status out_of_memory(const export *e) {
  return msk_fail(e->error, MSK_ERROR_MEMORY, "out of memory for %s", e->model);
}

static msk_status open_networks(export *e) {
  msk_weight_file *view = NULL;
  msk_status status = MSK_OK;
  for (int n = 0; n < 2 && status == MSK_OK; n++)
    status = msk_import_open(&e->imports[n], e->model, (msk_import_kind)n, e->allocator, e->error);
  if (status == MSK_OK) status = msk_import_view(&view, &e->imports[1], e->allocator, e->error);
  if (status == MSK_OK) status = msk_maskgit_read_config(&e->transformer, view, "", e->error);
  msk_weight_file_close(view);
  return status;
}

static msk_status fill(void *user, size_t index, void *out, msk_error *error) {
  const network *n = user;
  return msk_outputs_fill(n->outputs, n->places[index], out, error);
}

static msk_status write_network(export *e, const char *prefix, const char *path) {
  const size_t total = e->outputs.count, length = strlen(prefix);
  network n = {.outputs = &e->outputs,
               .tensors = msk_allocate(e->allocator, total, sizeof *n.tensors),
               .places = msk_allocate(e->allocator, total, sizeof *n.places)};
  msk_status status = n.tensors != NULL && n.places != NULL ? MSK_OK : out_of_memory(e);
  for (size_t i = 0; i < total && status == MSK_OK; i++) {
    if (strncmp(e->outputs.tensors[i].name, prefix, length) != 0) continue;
    n.tensors[n.count] = e->outputs.tensors[i];
    n.tensors[n.count].name += length;
    n.places[n.count++] = i;
  }
  if (status == MSK_OK)
    status = msk_flax_write(path, n.tensors, n.count, fill, &n, e->allocator, e->error);
  msk_free(e->allocator, n.tensors);
  msk_free(e->allocator, n.places);
  return status;
}

/* A name a line, as msk_convert() reads them. */
static msk_status write_classes(const export *e, const char *path) {
  const char *kept = msk_weight_file_metadata(e->imports[1].file, "classes");
  json_t *names = NULL;
  if (kept == NULL)
    return msk_fail(e->error, MSK_ERROR_FILE, "%s has no class names: it is no model file",
                    e->model);
  msk_status status = msk_json_load(&names, e->model, kept, strlen(kept), MSK_JSON_MANY, e->error);
  if (status != MSK_OK) return status;
  char *lines = msk_allocate(e->allocator, strlen(kept) + json_array_size(names) + 1, 1);
  if (lines == NULL) status = out_of_memory(e);
  size_t used = 0;
  for (size_t i = 0; i < json_array_size(names) && status == MSK_OK; i++) {
    /* never longer than its JSON */
    const char *name = json_string_value(json_array_get(names, i));
    if (name == NULL || strpbrk(name, "\r\n") != NULL) {
      status =
          msk_fail(e->error, MSK_ERROR_FILE, "%s: class %zu has no name of one line", e->model, i);
      break;
    }
    const size_t length = strlen(name);
    memcpy(lines + used, name, length);
    lines[used + length] = '\n';
    used += length + 1;
  }
  if (status == MSK_OK) status = msk_file_write(path, lines, used, e->error);
  msk_free(e->allocator, lines);
  json_decref(names);
  return status;
}

static msk_status write_defaults(const export *e, const char *path) {
  const char *kept = msk_weight_file_metadata(e->imports[1].file, "defaults");
  return kept == NULL ? MSK_OK : msk_file_write(path, kept, strlen(kept), e->error);
}

msk_status msk_export_flax(const char *model_path, const char *tokenizer_path,
                           const char *transformer_path, const char *classes_path,
                           const char *defaults_path, const msk_allocator *allocator,
                           msk_error *error) {
  char hash[65];
  export e = {.model = model_path, .allocator = allocator, .error = error};
  if (model_path == NULL || tokenizer_path == NULL || transformer_path == NULL ||
      classes_path == NULL || defaults_path == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "an export needs a model and four paths");
  msk_convert_options_init(&e.options);
  e.options.allocator = allocator;
  e.options.output_path = tokenizer_path; /* for messages */
  msk_status status = open_networks(&e);
  e.outputs = (msk_outputs){
      .imports = e.imports, .transformer = &e.transformer, .options = &e.options, .error = error};
  if (status == MSK_OK) status = msk_outputs_list(&e.outputs);
  /* what is not finite is refused before anything is written */
  if (status == MSK_OK) status = msk_outputs_hash(&e.outputs, hash);
  if (status == MSK_OK) status = write_classes(&e, classes_path);
  if (status == MSK_OK) status = write_defaults(&e, defaults_path);
  if (status == MSK_OK) status = write_network(&e, MSK_MODEL_TOKENIZER, tokenizer_path);
  if (status == MSK_OK) status = write_network(&e, MSK_MODEL_TRANSFORMER, transformer_path);
  for (int n = 0; n < 2; n++) msk_import_close(&e.imports[n], allocator);
  msk_outputs_free(&e.outputs);
  return status;
}
