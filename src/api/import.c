/* SPDX-License-Identifier: Apache-2.0
 *
 * import.c - see import.h. open-muse (muse/modeling_maskgit_vqgan.py, also TiTok's copy) numbers
 * blocks by level and keeps PyTorch's layouts:
 *   encoder.down.{level}.block.{j}, encoder.mid.{i}    -> encoder.ResBlock_n in order of use
 *   decoder.mid.{i}, decoder.up.{level}.block.{j}      -> decoder.ResBlock_n in order of use:
 *   the highest level runs first
 *   decoder.up.{level}.upsample_conv                   -> decoder.Conv_n likewise
 *   norm1 conv1 norm2 conv2 nin_shortcut               -> GroupNorm_0 Conv_0 GroupNorm_1 Conv_1
 *   Conv_2
 * Convolutions are out x in x height x width there; codebooks and vectors need no change. */
#include "api/import.h"

#include <stdio.h>
#include <string.h>

#include "api/model.h"
#include "base/error.h"
#include "base/memory.h"

enum { MOST_NUMBER = 999 };

static bool starts_with(const char *text, const char *start) {
  return strncmp(text, start, strlen(start)) == 0;
}

/* ---- open-muse names ---- */

/* Moves past `word` if the text begins with it. */
static bool take_word(const char **text, const char *word) {
  if (!starts_with(*text, word)) return false;
  *text += strlen(word);
  return true;
}

/* A number without leading zeros. */
static bool take_number(const char **text, size_t *number) {
  size_t digits = 0;
  *number = 0;
  bool zero = **text == '0';
  for (; **text >= '0' && **text <= '9'; (*text)++, digits++) {
    *number = *number * 10 + (size_t)(**text - '0');
    if (*number > MOST_NUMBER) return false;
  }
  return digits == 1 || (digits > 1 && !zero);
}

typedef struct muse_sizes {
  size_t levels, blocks;
} muse_sizes;

/* "{level}.block.{j}." behind "down." or "up.". */
static bool take_block(const char **text, size_t *level, size_t *block) {
  return take_number(text, level) && take_word(text, ".block.") && take_number(text, block) &&
         take_word(text, ".");
}

static muse_sizes measure_muse(const msk_weight_file *file) {
  muse_sizes sizes = {0, 0};
  for (size_t i = 0; i < msk_weight_file_count(file); i++) {
    const char *at = msk_weight_file_at(file, i)->name;
    size_t level, block;
    if (!take_word(&at, "encoder.down.") || !take_block(&at, &level, &block)) continue;
    if (level + 1 > sizes.levels) sizes.levels = level + 1;
    if (block + 1 > sizes.blocks) sizes.blocks = block + 1;
  }
  return sizes;
}

/* Module of a residual block, "conv1.weight" -> "Conv_0.kernel". */
static const char *block_module(const char *rest) {
  static const char *const names[][2] = {
      {"norm1.weight", "GroupNorm_0.scale"},   {"norm1.bias", "GroupNorm_0.bias"},
      {"norm2.weight", "GroupNorm_1.scale"},   {"norm2.bias", "GroupNorm_1.bias"},
      {"conv1.weight", "Conv_0.kernel"},       {"conv2.weight", "Conv_1.kernel"},
      {"nin_shortcut.weight", "Conv_2.kernel"}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (strcmp(rest, names[i][0]) == 0) return names[i][1];
  }
  return NULL;
}

static const char *conv_field(const char *rest) {
  if (strcmp(rest, ".weight") == 0) return "kernel";
  return strcmp(rest, ".bias") == 0 ? "bias" : NULL;
}

/* encoder.* and decoder.*: `rest` behind "encoder." or "decoder.". */
static bool translate_half(const char *half, const char *rest, muse_sizes sizes,
                           char name[MSK_WEIGHT_NAME]) {
  bool encoder = strcmp(half, "encoder") == 0;
  size_t conv = 0, level = 0, block = 0;
  const char *at = rest, *field = NULL;
  if (take_word(&at, "norm_out")) {
    field = conv_field(at);
    if (field == NULL) return false;
    snprintf(name, MSK_WEIGHT_NAME, "%s.GroupNorm_0.%s", half,
             strcmp(field, "kernel") == 0 ? "scale" : "bias");
    return true;
  }
  if (take_word(&at, "conv_in")) {
    field = conv_field(at);
  } else if (take_word(&at, "conv_out")) {
    conv = encoder ? 1 : sizes.levels;
    field = conv_field(at);
  } else if (!encoder && take_word(&at, "up.") && take_number(&at, &level) &&
             level < sizes.levels && take_word(&at, ".upsample_conv")) {
    conv = sizes.levels - level;
    field = conv_field(at);
  }
  if (field != NULL) {
    snprintf(name, MSK_WEIGHT_NAME, "%s.Conv_%zu.%s", half, conv, field);
    return true;
  }
  at = rest;
  size_t number;
  if (take_word(&at, "mid.")) {
    if (!take_number(&at, &block) || !take_word(&at, ".") || block >= sizes.blocks) return false;
    number = encoder ? sizes.levels * sizes.blocks + block : block;
  } else {
    if (!take_word(&at, encoder ? "down." : "up.") || !take_block(&at, &level, &block) ||
        level >= sizes.levels || block >= sizes.blocks)
      return false;
    number = encoder ? level * sizes.blocks + block
                     : sizes.blocks + (sizes.levels - 1 - level) * sizes.blocks + block;
  }
  const char *module = block_module(at);
  if (module != NULL) snprintf(name, MSK_WEIGHT_NAME, "%s.ResBlock_%zu.%s", half, number, module);
  return module != NULL;
}

static bool translate_muse(const char *muse, muse_sizes sizes, char name[MSK_WEIGHT_NAME]) {
  if (strcmp(muse, "quantize.embedding.weight") == 0) {
    strcpy(name, "quantizer.codebook");
    return true;
  }
  if (starts_with(muse, "encoder."))
    return translate_half("encoder", muse + strlen("encoder."), sizes, name);
  if (starts_with(muse, "decoder."))
    return translate_half("decoder", muse + strlen("decoder."), sizes, name);
  return false;
}

/* ---- Whole files ---- */

static bool is_tokenizer(const msk_weight_file *file, const char *prefix) {
  char name[MSK_WEIGHT_NAME];
  snprintf(name, sizeof name, "%squantizer.codebook", prefix);
  return msk_weight_file_find(file, name) != NULL;
}

static bool is_transformer(const msk_weight_file *file, const char *prefix) {
  char name[MSK_WEIGHT_NAME];
  snprintf(name, sizeof name, "%sEmbed_0.word_embeddings.embedding", prefix);
  return msk_weight_file_find(file, name) != NULL;
}

static bool is_muse(const msk_weight_file *file) {
  return msk_weight_file_find(file, "quantize.embedding.weight") != NULL ||
         msk_weight_file_find(file, "encoder.conv_in.weight") != NULL;
}

/* A file that plainly holds the other network alone. */
static msk_status check_kind(const msk_weight_file *file, msk_import_kind kind, msk_error *error) {
  bool tokenizer =
      is_tokenizer(file, "") || is_tokenizer(file, MSK_MODEL_TOKENIZER) || is_muse(file);
  bool transformer = is_transformer(file, "") || is_transformer(file, MSK_MODEL_TRANSFORMER);
  const char *path = msk_weight_file_path(file);
  if (kind == MSK_IMPORT_TOKENIZER && transformer && !tokenizer) {
    return msk_fail(error, MSK_ERROR_FILE,
                    "%s is a transformer (it holds tensor Embed_0.word_embeddings.embedding), "
                    "expected a tokenizer: were the two exchanged?",
                    path);
  }
  if (kind == MSK_IMPORT_TRANSFORMER && tokenizer && !transformer) {
    return msk_fail(error, MSK_ERROR_FILE,
                    "%s is a tokenizer (it holds the codebook), expected a transformer: were the "
                    "two exchanged?",
                    path);
  }
  if (msk_weight_file_count(file) == 0)
    return msk_fail(error, MSK_ERROR_FILE, "%s holds no tensors", path);
  return MSK_OK;
}

/* out x in x height x width -> height x width x in x out */
static void permute_shape(msk_import_tensor *made) {
  const msk_tensor source = made->tensor;
  made->permuted = true;
  made->tensor.shape[0] = source.shape[2];
  made->tensor.shape[1] = source.shape[3];
  made->tensor.shape[2] = source.shape[1];
  made->tensor.shape[3] = source.shape[0];
}

static msk_status translate(msk_import *import, msk_import_kind kind, msk_error *error) {
  const msk_weight_file *file = import->file;
  const char *prefix = kind == MSK_IMPORT_TOKENIZER ? MSK_MODEL_TOKENIZER : MSK_MODEL_TRANSFORMER,
             *path = msk_weight_file_path(file);
  bool prefixed =
      kind == MSK_IMPORT_TOKENIZER ? is_tokenizer(file, prefix) : is_transformer(file, prefix);
  bool muse = kind == MSK_IMPORT_TOKENIZER && !prefixed && is_muse(file);
  muse_sizes sizes = muse ? measure_muse(file) : (muse_sizes){0, 0};
  for (size_t i = 0; i < msk_weight_file_count(file); i++) {
    const msk_tensor *source = msk_weight_file_at(file, i);
    const char *name = source->name;
    /* a model file holds both networks: the other one's tensors are passed over */
    if (prefixed && !take_word(&name, prefix)) continue;
    msk_import_tensor *made = &import->tensors[import->count++];
    made->tensor = *source;
    made->permuted = false;
    bool known = strlen(name) + strlen(prefix) < MSK_WEIGHT_NAME;
    if (muse) {
      known = translate_muse(name, sizes, made->name);
      if (known && source->rank == 4) permute_shape(made);
    } else if (known) {
      strcpy(made->name, name);
    }
    if (!known)
      return msk_fail(error, MSK_ERROR_FILE, "%s: tensor %s has no place in this network%s", path,
                      name, muse ? " (read as an open-muse tokenizer)" : "");
  }
  return MSK_OK;
}

msk_status msk_import_take(msk_import *out, msk_weight_file *file, msk_import_kind kind,
                           const msk_allocator *allocator, msk_error *error) {
  msk_import import = {file, NULL, 0};
  msk_status status = check_kind(file, kind, error);
  if (status == MSK_OK) {
    import.tensors = msk_allocate(allocator, msk_weight_file_count(file), sizeof *import.tensors);
    status = import.tensors != NULL
                 ? translate(&import, kind, error)
                 : msk_fail(error, MSK_ERROR_MEMORY, "out of memory for importing %s",
                            msk_weight_file_path(file));
  }
  if (status == MSK_OK) {
    *out = import;
  } else {
    msk_import_close(&import, allocator);
  }
  return status;
}

msk_status msk_import_open(msk_import *import, const char *path, msk_import_kind kind,
                           const msk_allocator *allocator, msk_error *error) {
  msk_weight_file *file = NULL;
  msk_status status = msk_weight_file_open(&file, path, allocator, error);
  return status == MSK_OK ? msk_import_take(import, file, kind, allocator, error) : status;
}

void msk_import_close(msk_import *import, const msk_allocator *allocator) {
  msk_free(allocator, import->tensors);
  msk_weight_file_close(import->file);
  *import = (msk_import){NULL, NULL, 0};
}

msk_status msk_import_view(msk_weight_file **view, const msk_import *import,
                           const msk_allocator *allocator, msk_error *error) {
  const char *path = msk_weight_file_path(import->file);
  msk_tensor *tensors = msk_allocate(allocator, import->count, sizeof *tensors);
  if (tensors == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "out of memory for importing %s", path);
  for (size_t i = 0; i < import->count; i++) {
    tensors[i] = import->tensors[i].tensor;
    tensors[i].name = import->tensors[i].name;
  }
  msk_status status = msk_weight_file_view(view, path, msk_weight_file_kind(import->file), tensors,
                                           import->count, NULL, 0, allocator, error);
  msk_free(allocator, tensors);
  return status;
}

void msk_import_values(const msk_import_tensor *from, float *values, float *scratch) {
  const msk_tensor *tensor = &from->tensor;
  msk_tensor_to_f32(tensor, 0, tensor->elements, from->permuted ? scratch : values);
  if (!from->permuted) return;
  size_t height = tensor->shape[0], width = tensor->shape[1], in = tensor->shape[2],
         out = tensor->shape[3];
  for (size_t o = 0; o < out; o++) {
    for (size_t i = 0; i < in; i++) {
      for (size_t yx = 0; yx < height * width; yx++)
        values[(yx * in + i) * out + o] = scratch[(o * in + i) * height * width + yx];
    }
  }
}
