/* SPDX-License-Identifier: Apache-2.0
 * weight_store.c - see weight_store.h: what the readers put into an opened file. */
#include "tensor/weight_store.h"

#include "base/memory.h"

/* True when there is room to write `amount` more, which then counts as used. */
static bool take(msk_store *store, size_t *used, size_t room, size_t amount) {
  if (store->placing && amount > room - *used) {
    store->changed = true;
    return false;
  }
  *used += amount;
  return store->placing;
}

char *msk_store_text(msk_store *store, size_t bytes) {
  size_t at = store->used.text;
  return take(store, &store->used.text, store->room.text, bytes) ? store->file->text + at : NULL;
}

uint8_t *msk_store_joined(msk_store *store, size_t bytes) {
  size_t at = store->used.joined;
  return take(store, &store->used.joined, store->room.joined, bytes) ? store->file->joined + at
                                                                     : NULL;
}

void msk_store_tensor(msk_store *store, const msk_tensor *tensor) {
  size_t index = store->used.tensors;
  if (store->placing && tensor->name == NULL) return;
  if (take(store, &store->used.tensors, store->room.tensors, 1))
    store->file->tensors[index] = *tensor;
}

void msk_store_metadata(msk_store *store, const char *key, const char *value) {
  size_t index = store->used.metadata;
  if (store->placing && (key == NULL || value == NULL)) return;
  if (take(store, &store->used.metadata, store->room.metadata, 1))
    store->file->metadata[index] = (msk_metadata_entry){key, value};
}

bool msk_shape_size(int rank, const size_t *shape, msk_dtype dtype, size_t *elements,
                    size_t *bytes) {
  size_t product = 1, total;
  bool empty = false;
  for (int d = 0; d < rank; d++) {
    if (shape[d] == 0) {
      empty = true;
    } else if (!msk_multiply(product, shape[d], &product)) {
      return false;
    }
  }
  if (!msk_multiply(product, msk_dtype_bytes(dtype), &total)) return false;
  *elements = empty ? 0 : product;
  *bytes = empty ? 0 : total;
  return true;
}

static void swap_items(uint8_t *a, uint8_t *b, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) {
    uint8_t kept = a[i];
    a[i] = b[i];
    b[i] = kept;
  }
}

static void sift_down(uint8_t *items, size_t root, size_t count, size_t bytes,
                      int (*compare)(const void *, const void *)) {
  for (;;) {
    size_t child = 2 * root + 1;
    if (child >= count) return;
    if (child + 1 < count && compare(items + child * bytes, items + (child + 1) * bytes) < 0)
      child++;
    if (compare(items + root * bytes, items + child * bytes) >= 0) return;
    swap_items(items + root * bytes, items + child * bytes, bytes);
    root = child;
  }
}

void msk_sort(void *items, size_t count, size_t item_bytes,
              int (*compare)(const void *, const void *)) {
  for (size_t root = count / 2; root-- > 0;) sift_down(items, root, count, item_bytes, compare);
  for (size_t end = count; end-- > 1;) {
    swap_items(items, (uint8_t *)items + end * item_bytes, item_bytes);
    sift_down(items, 0, end, item_bytes, compare);
  }
}
