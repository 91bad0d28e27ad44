/* SPDX-License-Identifier: Apache-2.0
 * adapters.c - see adapters.h. */
#include "adapters.h"

#include <math.h>

#include "api/model.h"
#include "model/adapter.h"

enum { MOST = 512, NAME = MSK_WEIGHT_NAME + 8 };

struct writing {
  msk_tensor tensors[MOST];
  char names[MOST][NAME];
  size_t count, rank;
  float spread;
  adapter_flaw flaw;
  uint64_t seed;
};

static void add(struct writing *w, const char *name, size_t rows, size_t columns) {
  msk_tensor *tensor = &w->tensors[w->count];
  snprintf(w->names[w->count], NAME, "%s", name);
  *tensor = (msk_tensor){.name = w->names[w->count++],
                         .dtype = MSK_DTYPE_F32,
                         .rank = columns == 0 ? 1 : 2,
                         .shape = {rows, columns},
                         .elements = rows * (columns == 0 ? 1 : columns)};
  tensor->bytes = tensor->elements * sizeof(float);
}

static msk_status add_pair(void *user, const msk_adapted_matrix *matrix) {
  struct writing *w = user;
  char name[NAME];
  size_t pairs = w->count / 2, rank = w->rank;
  if (w->flaw == ADAPTER_RAGGED && pairs == 2) rank++;
  snprintf(name, sizeof name, "%s.a", matrix->name);
  add(w, name, matrix->in - (w->flaw == ADAPTER_NARROW && pairs == 1), rank);
  snprintf(name, sizeof name, "%s.b", matrix->name);
  if (w->flaw != ADAPTER_LONELY || pairs != 3) add(w, name, rank, matrix->out);
  return MSK_OK;
}

static msk_status fill(void *user, size_t index, void *out, msk_error *error) {
  struct writing *w = user;
  float *values = out;
  (void)error;
  for (size_t i = 0; i < w->tensors[index].elements; i++)
    values[i] = test_uniform(&w->seed, -w->spread, w->spread);
  if (w->flaw == ADAPTER_INFINITE && index == 4) values[0] = INFINITY;
  return MSK_OK;
}

void adapter_write(const char *path, const char *model_path, const char *class_name, size_t rank,
                   float spread, adapter_flaw flaw) {
  struct writing *w = calloc(1, sizeof *w);
  msk_weight_file *file = NULL;
  msk_maskgit_config config;
  msk_error error = {0};
  assert_non_null(w);
  *w = (struct writing){.rank = rank, .spread = spread, .flaw = flaw, .seed = 5};
  api_ok(msk_weight_file_open(&file, model_path, NULL, &error), &error);
  api_ok(msk_maskgit_read_config(&config, file, MSK_MODEL_TRANSFORMER, &error), &error);
  if (flaw != ADAPTER_WITHOUT_CLASS) add(w, MSK_ADAPTER_CLASS, config.hidden, 0);
  api_ok(msk_adapter_each_matrix(&config, add_pair, w), &error);
  if (flaw == ADAPTER_STRANGE) add(w, "TransformerLayer_99.Mlp_0.layer_output.kernel.a", 4, rank);
  const char *hash = msk_weight_file_metadata(file, "tensors_sha256");
  const msk_metadata_entry metadata[] = {
      {"format", MSK_ADAPTER_FORMAT},
      {"model_sha256", flaw == ADAPTER_OF_ANOTHER
                           ? "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
                           : hash},
      {"class", flaw == ADAPTER_NAMELESS ? "" : class_name}};
  api_ok(msk_safetensors_write(path, w->tensors, w->count, metadata, 3, fill, w, NULL, &error),
         &error);
  msk_weight_file_close(file);
  free(w);
}
