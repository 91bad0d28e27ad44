/* SPDX-License-Identifier: Apache-2.0
 * convert_tensors.c - see convert_tensors.h. */
#include "api/convert_tensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/model.h"
#include "base/int8.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/sha256.h"

/* Where a tensor of the output comes from. */
struct msk_origin {
  const msk_import_tensor *source, *scales; /* scales: of a source in int8, else NULL */
  /* of one that is or becomes int8, or its scales; else 0 */
  size_t columns;
  int network; /* 0: tokenizer, 1: transformer */
};

static msk_status out_of_memory(msk_outputs *o) {
  return msk_fail(o->error, MSK_ERROR_MEMORY, "out of memory for converting to %s",
                  o->options->output_path);
}

/* ---- the list ---- */

static bool ends_with(const char *text, const char *end) {
  size_t a = strlen(text), b = strlen(end);
  return a >= b && strcmp(text + a - b, end) == 0;
}

/* Matrices, kernels and embeddings take the chosen type; biases, norms and the codebook stay
 * float32. */
static msk_dtype stored_dtype(const msk_outputs *o, const char *name) {
  return ends_with(name, ".kernel") || ends_with(name, ".embedding") ? o->options->dtype
                                                                     : MSK_DTYPE_F32;
}

static const struct msk_origin *origin_of(const msk_outputs *o, size_t index) {
  return (const struct msk_origin *)(const void *)o->tensors[index].data;
}

static const msk_import_tensor *find_scales(const msk_import *import, const char *name) {
  char text[MSK_WEIGHT_NAME];
  snprintf(text, sizeof text, "%.*s%s", (int)(sizeof text - sizeof MSK_WEIGHT_SCALES), name,
           MSK_WEIGHT_SCALES);
  for (size_t i = 0; i < import->count; i++) {
    if (strcmp(import->tensors[i].name, text) == 0) return &import->tensors[i];
  }
  return NULL;
}

static void add_tensor(msk_outputs *o, const struct msk_origin *origin, const char *suffix,
                       msk_dtype dtype, size_t elements) {
  msk_tensor *tensor = &o->tensors[o->count];
  char *name = o->names[o->count];
  *tensor = origin->source->tensor;
  strcpy(name, origin->network == 0 ? MSK_MODEL_TOKENIZER : MSK_MODEL_TRANSFORMER);
  /* fits: msk_import_open() saw to it, and names with a suffix are the network's own */
  strcat(name, origin->source->name);
  strcat(name, suffix);
  o->origins[o->count] = *origin;
  tensor->name = name;
  tensor->dtype = dtype;
  tensor->elements = elements;
  tensor->bytes = elements * msk_dtype_bytes(dtype);
  tensor->data = (const uint8_t *)&o->origins[o->count++];
}

/* The scales of int8: the shape's last sides. */
static void add_scales(msk_outputs *o, const struct msk_origin *origin, int outputs) {
  add_tensor(o, origin, MSK_WEIGHT_SCALES, MSK_DTYPE_F32, origin->columns);
  msk_tensor *tensor = &o->tensors[o->count - 1];
  memmove(tensor->shape, tensor->shape + tensor->rank - outputs,
          (size_t)outputs * sizeof *tensor->shape);
  tensor->rank = outputs;
}

static void add_source(msk_outputs *o, int network, const msk_import_tensor *source) {
  struct msk_origin origin = {.source = source, .network = network};
  bool from_int8 = source->tensor.dtype == MSK_DTYPE_I8;
  int outputs = network == 1 ? msk_maskgit_int8_outputs(o->transformer, source->name) : 0;
  if (from_int8) origin.scales = find_scales(&o->imports[network], source->name);
  /* a scale for each output of the matrix, which are its last dimensions */
  if (outputs > 0 && (from_int8 || o->options->int8)) {
    origin.columns = 1;
    for (int i = source->tensor.rank - outputs; i < source->tensor.rank; i++)
      origin.columns *= source->tensor.shape[i];
  }
  if (origin.columns > o->widest) o->widest = origin.columns;
  bool int8 = o->options->int8 && origin.columns > 0;
  add_tensor(o, &origin, "", int8 ? MSK_DTYPE_I8 : stored_dtype(o, source->name),
             source->tensor.elements);
  if (int8) add_scales(o, &origin, outputs);
}

static int compare_outputs(const void *a, const void *b) { return msk_safetensors_compare(a, b); }

/* The output's tensors in file order. Scales that are read come with their tensors. */
msk_status msk_outputs_list(msk_outputs *o) {
  /* each may bring scales */
  size_t total = 2 * (o->imports[0].count + o->imports[1].count), largest = 1;
  o->tensors = msk_allocate(o->options->allocator, total, sizeof *o->tensors);
  o->origins = msk_allocate(o->options->allocator, total, sizeof *o->origins);
  o->names = msk_allocate(o->options->allocator, total, sizeof *o->names);
  if (o->tensors == NULL || o->origins == NULL || o->names == NULL) return out_of_memory(o);
  o->widest = 1;
  for (int n = 0; n < 2; n++) {
    for (size_t i = 0; i < o->imports[n].count; i++) {
      const msk_import_tensor *source = &o->imports[n].tensors[i];
      if (!msk_weight_is_scales(source->name)) add_source(o, n, source);
      if (source->tensor.elements > largest) largest = source->tensor.elements;
    }
  }
  qsort(o->tensors, o->count, sizeof *o->tensors, compare_outputs);
  o->values = msk_allocate(o->options->allocator, largest, sizeof *o->values);
  o->scratch = msk_allocate(o->options->allocator, largest, sizeof *o->scratch);
  o->scales = msk_allocate(o->options->allocator, o->widest, sizeof *o->scales);
  o->inverses = msk_allocate(o->options->allocator, o->widest, sizeof *o->inverses);
  bool complete =
      o->values != NULL && o->scratch != NULL && o->scales != NULL && o->inverses != NULL;
  return complete ? MSK_OK : out_of_memory(o);
}

/* The values of a source, narrowed to the type that the file would have them in without
 * int8: so weights are those that opening that file would make. */
static void make_values(msk_outputs *o, const struct msk_origin *origin) {
  const msk_tensor *source = &origin->source->tensor;
  if (origin->scales != NULL) {
    msk_tensor_to_f32(&origin->scales->tensor, 0, origin->columns, o->scales);
    msk_int8_values((const int8_t *)source->data, o->scales, origin->columns, 0, source->elements,
                    o->values);
    return;
  }
  msk_import_values(origin->source, o->values, o->scratch);
  if (!o->options->int8 || origin->columns == 0 || o->options->dtype == MSK_DTYPE_F32) return;
  msk_tensor narrowed = {.dtype = o->options->dtype, .data = (const uint8_t *)o->scratch};
  msk_f32_to_dtype(o->values, source->elements, narrowed.dtype, o->scratch);
  msk_tensor_to_f32(&narrowed, 0, source->elements, o->values);
}

/* The bytes of an output. 8-bit weights are passed on as they were read. */
static void make_bytes(msk_outputs *o, size_t index, void *out) {
  const struct msk_origin *origin = origin_of(o, index);
  const msk_tensor *tensor = &o->tensors[index], *source = &origin->source->tensor;
  bool scales = msk_weight_is_scales(tensor->name);
  if (origin->scales != NULL && (scales || tensor->dtype == MSK_DTYPE_I8)) {
    memcpy(out, scales ? origin->scales->tensor.data : source->data, tensor->bytes);
    return;
  }
  make_values(o, origin);
  if (!scales && tensor->dtype != MSK_DTYPE_I8) {
    msk_f32_to_dtype(o->values, tensor->elements, tensor->dtype, out);
    return;
  }
  /* Once for the scales and again for the numbers: the writer asks for a tensor at a time, and
   * none is kept. */
  msk_int8_scales(o->values, source->elements, origin->columns, o->scales, o->inverses);
  if (scales) {
    memcpy(out, o->scales, tensor->bytes);
  } else {
    msk_int8_make(o->values, tensor->elements, origin->columns, o->inverses, out);
  }
}

msk_status msk_outputs_fill(void *user, size_t index, void *out, msk_error *error) {
  (void)error;
  make_bytes(user, index, out);
  return MSK_OK;
}

static const char *path_of(const msk_outputs *o, const struct msk_origin *origin) {
  return msk_weight_file_path(o->imports[origin->network].file);
}

static msk_status check_source(msk_outputs *o, const struct msk_origin *origin) {
  const msk_tensor *source = &origin->source->tensor;
  if (origin->scales == NULL) return msk_tensor_check_finite(source, path_of(o, origin), o->error);
  msk_tensor_to_f32(&origin->scales->tensor, 0, origin->columns, o->scales);
  if (msk_int8_valid((const int8_t *)source->data, source->elements) &&
      msk_int8_scales_valid(o->scales, origin->columns))
    return MSK_OK;
  return msk_fail(
      o->error, MSK_ERROR_FILE,
      "tensor %s of %s holds 8-bit weights or scales that are out of range: is the file damaged?",
      source->name, path_of(o, origin));
}

/* Refuses what is not finite once it is narrowed: scales of a column that became infinite are so
 * too. */
static msk_status check_narrowed(msk_outputs *o, size_t index) {
  const struct msk_origin *origin = origin_of(o, index);
  msk_tensor narrowed = o->tensors[index];
  narrowed.data = (const uint8_t *)o->scratch;
  if (narrowed.dtype == MSK_DTYPE_I8 ||
      msk_tensor_check_finite(&narrowed, path_of(o, origin), NULL) == MSK_OK)
    return MSK_OK;
  return msk_fail(o->error, MSK_ERROR_FILE,
                  "tensor %s of %s holds numbers too large for %s: choose BF16 or F32",
                  origin->source->tensor.name, path_of(o, origin),
                  msk_dtype_name((int)o->options->dtype));
}

/* Hashes the data in file order, and refuses what is not finite, before or after narrowing. */
msk_status msk_outputs_hash(msk_outputs *o, char text[65]) {
  msk_sha256 hash;
  msk_sha256_begin(&hash);
  for (size_t i = 0; i < o->count; i++) {
    msk_status status = check_source(o, origin_of(o, i));
    if (status != MSK_OK) return status;
    make_bytes(o, i, o->scratch);
    status = check_narrowed(o, i);
    if (status != MSK_OK) return status;
    msk_sha256_add(&hash, o->scratch, o->tensors[i].bytes);
  }
  msk_sha256_end(&hash, text);
  return MSK_OK;
}

void msk_outputs_free(msk_outputs *o) {
  if (o->options == NULL) return;
  const msk_allocator *allocator = o->options->allocator;
  msk_free(allocator, o->tensors);
  msk_free(allocator, o->origins);
  msk_free(allocator, o->names);
  msk_free(allocator, o->values);
  msk_free(allocator, o->scratch);
  msk_free(allocator, o->scales);
  msk_free(allocator, o->inverses);
}
