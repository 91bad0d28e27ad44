/* SPDX-License-Identifier: Apache-2.0
 *
 * weight_file.c - see weight_file.h and weight_store.h: telling the kind of a file, the two runs
 * of its reader, look-up by name. */
#include "tensor/weight_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "tensor/weight_store.h"

/* ---- Opening ---- */

static int compare_names(const void *a, const void *b) {
  return strcmp(((const msk_tensor *)a)->name, ((const msk_tensor *)b)->name);
}

static int compare_keys(const void *a, const void *b) {
  return strcmp(((const msk_metadata_entry *)a)->key, ((const msk_metadata_entry *)b)->key);
}

/* Memory for what was measured, if it is in proportion to the file; from then on the store
 * places. */
static msk_status reserve(msk_store *store, size_t byte_count) {
  msk_weight_file *file = store->file;
  size_t tensor_bytes, metadata_bytes, table,
      limit =
          byte_count > SIZE_MAX - MSK_STORE_ALLOWANCE ? SIZE_MAX : byte_count + MSK_STORE_ALLOWANCE;
  const msk_store_counts *room = &store->used;
  bool sane = msk_multiply(room->tensors, sizeof *file->tensors, &tensor_bytes) &&
              msk_multiply(room->metadata, sizeof *file->metadata, &metadata_bytes) &&
              msk_add(tensor_bytes, metadata_bytes, &table) && msk_add(table, room->text, &table) &&
              msk_add(table, room->joined, &table) && table <= limit;
  if (!sane)
    return msk_fail(store->error, MSK_ERROR_FILE,
                    "%s lists %zu tensors in %zu bytes: no weight file looks like that",
                    store->path, room->tensors, byte_count);
  /* one more than needed: an allocator may answer NULL for nothing */
  file->tensors = msk_allocate(file->allocator, room->tensors + 1, sizeof *file->tensors);
  file->metadata = msk_allocate(file->allocator, room->metadata + 1, sizeof *file->metadata);
  file->text = msk_allocate(file->allocator, room->text + 1, 1);
  file->joined = msk_allocate(file->allocator, room->joined + 1, 1);
  if (file->tensors == NULL || file->metadata == NULL || file->text == NULL ||
      file->joined == NULL) {
    return msk_fail(store->error, MSK_ERROR_MEMORY, "out of memory for the tensor table of %s",
                    store->path);
  }
  store->room = store->used;
  store->used = (msk_store_counts){0};
  store->placing = true;
  return MSK_OK;
}

static bool same_counts(const msk_store_counts *a, const msk_store_counts *b) {
  return a->tensors == b->tensors && a->metadata == b->metadata && a->text == b->text &&
         a->joined == b->joined;
}

static msk_status sort_and_check(msk_store *store) {
  msk_weight_file *file = store->file;
  /* the file is mapped, and whoever may write to it can do so between measuring and placing */
  if (store->changed || !same_counts(&store->used, &store->room))
    return msk_fail(store->error, MSK_ERROR_FILE,
                    "%s was changed while it was being read, expected a file that stays as it is",
                    store->path);
  file->count = store->used.tensors;
  file->metadata_count = store->used.metadata;
  msk_sort(file->tensors, file->count, sizeof *file->tensors, compare_names);
  msk_sort(file->metadata, file->metadata_count, sizeof *file->metadata, compare_keys);
  for (size_t i = 1; i < file->count; i++) {
    if (strcmp(file->tensors[i - 1].name, file->tensors[i].name) == 0) {
      return msk_fail(store->error, MSK_ERROR_FILE, "%s is damaged: it holds tensor %s twice",
                      store->path, file->tensors[i].name);
    }
  }
  for (size_t i = 1; i < file->metadata_count; i++) {
    if (strcmp(file->metadata[i - 1].key, file->metadata[i].key) == 0) {
      return msk_fail(store->error, MSK_ERROR_FILE,
                      "%s is damaged: it holds the metadata key %s twice", store->path,
                      file->metadata[i].key);
    }
  }
  return MSK_OK;
}

static bool map_marker(uint8_t byte) {
  return (byte & 0xF0) == 0x80 || byte == 0xDE || byte == 0xDF;
}

/* The reader for these bytes, or NULL and *complaint. */
static msk_store_reader *choose_reader(const uint8_t *bytes, size_t byte_count, const char **kind,
                                       const char **complaint) {
  static const struct {
    const char *start;
    size_t length;
    const char *complaint;
  } others[] = {{"PK\x03\x04", 4,
                 "a zip archive (a PyTorch file?): those run code when opened and are never read"},
                {"\x80\x02", 2, "a Python pickle: those run code when opened and are never read"},
                {"\x80\x03", 2, "a Python pickle: those run code when opened and are never read"},
                {"\x80\x04", 2, "a Python pickle: those run code when opened and are never read"},
                {"\x80\x05", 2, "a Python pickle: those run code when opened and are never read"},
                {"<", 1, "a web page: did the download go wrong?"},
                {"\x89PNG", 4, "a picture"},
                {"version https://git-lfs", 23, "a Git LFS pointer: fetch the file itself"}};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    if (byte_count >= others[i].length && memcmp(bytes, others[i].start, others[i].length) == 0 &&
        !(byte_count > 8 && bytes[8] == '{')) {
      *complaint = others[i].complaint;
      return NULL;
    }
  }
  bool brace = byte_count > 8 && bytes[8] == '{', map = byte_count > 0 && map_marker(bytes[0]);
  if (brace && !(map && msk_little_u64(bytes) > byte_count)) {
    *kind = "safetensors";
    return msk_safetensors_read;
  }
  *kind = "flax";
  *complaint = byte_count == 0 ? "empty" : "neither safetensors nor a Flax checkpoint";
  return map ? msk_flax_read : NULL;
}

static msk_status read_bytes(msk_weight_file *file, const uint8_t *bytes, size_t byte_count,
                             msk_error *error) {
  const char *complaint = NULL;
  msk_store_reader *reader = choose_reader(bytes, byte_count, &file->kind, &complaint);
  if (reader == NULL)
    return msk_fail(error, MSK_ERROR_FILE, "%s is no weight file but %s", file->path, complaint);
  msk_store store = {.file = file, .path = file->path, .error = error};
  msk_status status = reader(&store, bytes, byte_count);
  if (status == MSK_OK) status = reserve(&store, byte_count);
  if (status == MSK_OK) status = reader(&store, bytes, byte_count);
  return status == MSK_OK ? sort_and_check(&store) : status;
}

static msk_status create(msk_weight_file **file, const char *path, const msk_allocator *allocator,
                         msk_error *error) {
  *file = msk_allocate_zeroed(allocator, 1, sizeof **file);
  char *copy = *file == NULL ? NULL : msk_duplicate_string(allocator, path);
  if (copy == NULL) {
    msk_free(allocator, *file);
    return msk_fail(error, MSK_ERROR_MEMORY, "out of memory for opening %s", path);
  }
  (*file)->allocator = allocator;
  (*file)->path = copy;
  return MSK_OK;
}

/* The file that was read, or, where that failed, nothing. */
static msk_status hand_out(msk_weight_file **out, msk_weight_file *file, msk_status status) {
  if (status == MSK_OK) {
    *out = file;
  } else {
    msk_weight_file_close(file);
  }
  return status;
}

msk_status msk_weight_file_parse(msk_weight_file **out, const uint8_t *bytes, size_t byte_count,
                                 const char *name, const msk_allocator *allocator,
                                 msk_error *error) {
  msk_weight_file *file = NULL;
  msk_status status = create(&file, name, allocator, error);
  if (status != MSK_OK) return status;
  return hand_out(out, file, read_bytes(file, bytes, byte_count, error));
}

msk_status msk_weight_file_open(msk_weight_file **out, const char *path,
                                const msk_allocator *allocator, msk_error *error) {
  msk_weight_file *file = NULL;
  msk_status status = create(&file, path, allocator, error);
  if (status != MSK_OK) return status;
  status = msk_map_file(&file->mapping, path, error);
  if (status == MSK_OK)
    status = read_bytes(file, file->mapping.bytes, file->mapping.byte_count, error);
  return hand_out(out, file, status);
}

static const char *place_text(msk_store *store, const char *text) {
  size_t bytes = strlen(text) + 1;
  char *placed = msk_store_text(store, bytes);
  return placed == NULL ? NULL : memcpy(placed, text, bytes);
}

msk_status msk_weight_file_view(msk_weight_file **out, const char *path, const char *kind,
                                const msk_tensor *tensors, size_t count,
                                const msk_metadata_entry *metadata, size_t metadata_count,
                                const msk_allocator *allocator, msk_error *error) {
  msk_weight_file *view = NULL;
  msk_status status = create(&view, path, allocator, error);
  if (status != MSK_OK) return status;
  msk_store store = {.file = view, .path = view->path, .error = error};
  view->kind = kind;
  for (int pass = 0; pass < 2 && status == MSK_OK; pass++) { /* measuring, placing */
    for (size_t i = 0; i < count; i++) {
      msk_tensor tensor = tensors[i];
      tensor.name = place_text(&store, tensors[i].name);
      msk_store_tensor(&store, &tensor);
    }
    for (size_t i = 0; i < metadata_count; i++) {
      const char *key = place_text(&store, metadata[i].key);
      msk_store_metadata(&store, key, place_text(&store, metadata[i].value));
    }
    if (pass == 0) status = reserve(&store, SIZE_MAX);
  }
  if (status == MSK_OK) status = sort_and_check(&store);
  if (status == MSK_OK) {
    *out = view;
  } else {
    msk_weight_file_close(view);
  }
  return status;
}

void msk_weight_file_close(msk_weight_file *file) {
  if (file == NULL) return;
  msk_unmap_file(&file->mapping);
  msk_free(file->allocator, file->tensors);
  msk_free(file->allocator, file->metadata);
  msk_free(file->allocator, file->text);
  msk_free(file->allocator, file->joined);
  msk_free(file->allocator, file->path);
  msk_free(file->allocator, file);
}

/* ---- Looking up ---- */

const char *msk_weight_file_kind(const msk_weight_file *file) { return file->kind; }
const char *msk_weight_file_path(const msk_weight_file *file) { return file->path; }

const uint8_t *msk_weight_file_bytes(const msk_weight_file *file, size_t *byte_count) {
  *byte_count = file->mapping.byte_count;
  return file->mapping.bytes;
}

void msk_weight_file_forget(const msk_weight_file *file, const msk_tensor *tensor) {
  msk_mapping_forget(&file->mapping, tensor->data, tensor->bytes);
}

size_t msk_weight_file_count(const msk_weight_file *file) { return file->count; }
const msk_tensor *msk_weight_file_at(const msk_weight_file *file, size_t index) {
  return index < file->count ? &file->tensors[index] : NULL;
}

const msk_tensor *msk_weight_file_find(const msk_weight_file *file, const char *name) {
  const msk_tensor wanted = {.name = name};
  return bsearch(&wanted, file->tensors, file->count, sizeof *file->tensors, compare_names);
}

const char *msk_weight_file_metadata_at(const msk_weight_file *file, size_t index,
                                        const char **value) {
  if (index >= file->metadata_count) return NULL;
  if (value != NULL) *value = file->metadata[index].value;
  return file->metadata[index].key;
}

const char *msk_weight_file_metadata(const msk_weight_file *file, const char *key) {
  for (size_t i = 0; i < file->metadata_count; i++) {
    if (strcmp(file->metadata[i].key, key) == 0) return file->metadata[i].value;
  }
  return NULL;
}
