/* SPDX-License-Identifier: Apache-2.0
 *
 * safetensors_write.c - the writer. Tensors stand in the file by descending element size, then
 * by name, so that every element is aligned to its own size although the format allows no gaps;
 * the header is padded with spaces so that the data begins at a multiple of 64. Metadata keys
 * are sorted. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "tensor/weight_store.h"

/* Text that grows: measuring while `text` is NULL, then written into room of the measured size. */
typedef struct header_text {
  char *text;
  size_t used;
} header_text;

static void put(header_text *h, const char *text, size_t length) {
  if (h->text != NULL) memcpy(h->text + h->used, text, length);
  h->used += length;
}

static void put_text(header_text *h, const char *text) { put(h, text, strlen(text)); }

static void put_number(header_text *h, size_t number) {
  char digits[24];
  put(h, digits, (size_t)snprintf(digits, sizeof digits, "%zu", number));
}

static void put_string(header_text *h, const char *text) {
  put(h, "\"", 1);
  for (; *text != 0; text++) {
    unsigned char c = (unsigned char)*text;
    char escape[8];
    /* What JSON demands; all else is UTF-8 and stands for itself. */
    if (c == '"' || c == '\\') {
      put(h, (char[]){'\\', (char)c}, 2);
    } else if (c < 0x20) {
      put(h, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", c));
    } else {
      put(h, text, 1);
    }
  }
  put(h, "\"", 1);
}

typedef struct placed {
  const msk_tensor *tensor;
  size_t index;
} placed;

int msk_safetensors_compare(const msk_tensor *a, const msk_tensor *b) {
  size_t wide_a = msk_dtype_bytes(a->dtype), wide_b = msk_dtype_bytes(b->dtype);
  if (wide_a != wide_b) return wide_a > wide_b ? -1 : 1;
  return strcmp(a->name, b->name);
}

static int compare_placed(const void *a, const void *b) {
  return msk_safetensors_compare(((const placed *)a)->tensor, ((const placed *)b)->tensor);
}

static int compare_keys(const void *a, const void *b) {
  return strcmp(((const msk_metadata_entry *)a)->key, ((const msk_metadata_entry *)b)->key);
}

static void put_header(header_text *h, const placed *order, size_t count,
                       const msk_metadata_entry *metadata, size_t metadata_count) {
  size_t offset = 0;
  put_text(h, "{\"__metadata__\":{");
  for (size_t i = 0; i < metadata_count; i++) {
    if (i > 0) put_text(h, ",");
    put_string(h, metadata[i].key);
    put_text(h, ":");
    put_string(h, metadata[i].value);
  }
  put_text(h, "}");
  for (size_t i = 0; i < count; i++) {
    const msk_tensor *tensor = order[i].tensor;
    put_text(h, ",");
    put_string(h, tensor->name);
    put_text(h, ":{\"dtype\":\"");
    put_text(h, msk_dtype_name((int)tensor->dtype));
    put_text(h, "\",\"shape\":[");
    for (int d = 0; d < tensor->rank; d++) {
      if (d > 0) put_text(h, ",");
      put_number(h, tensor->shape[d]);
    }
    put_text(h, "],\"data_offsets\":[");
    put_number(h, offset);
    offset += tensor->bytes;
    put_text(h, ",");
    put_number(h, offset);
    put_text(h, "]}");
  }
  put_text(h, "}");
}

static bool utf8(const char *text) { return msk_utf8_valid((const uint8_t *)text, strlen(text)); }

/* What the reader would refuse is not written. *largest: the room that the data of one tensor
 * needs. */
static msk_status check_input(const placed *order, size_t count, const msk_metadata_entry *metadata,
                              size_t metadata_count, size_t *largest, msk_error *error) {
  size_t total = 0;
  *largest = 1;
  for (size_t i = 0; i < count; i++) {
    const msk_tensor *t = order[i].tensor;
    size_t elements, bytes;
    if (t->rank < 0 || t->rank > MSK_MAX_RANK ||
        !msk_shape_size(t->rank, t->shape, t->dtype, &elements, &bytes) || bytes != t->bytes ||
        !msk_add(total, bytes, &total) || !utf8(t->name) || strcmp(t->name, "__metadata__") == 0) {
      return msk_fail(error, MSK_ERROR_ARGUMENT,
                      "tensor %s cannot be written: name, shape and bytes do not agree", t->name);
    }
    if (bytes > *largest) *largest = bytes;
    if (i > 0 && strcmp(order[i - 1].tensor->name, t->name) == 0)
      return msk_fail(error, MSK_ERROR_ARGUMENT, "tensor %s is there twice", t->name);
  }
  for (size_t i = 0; i < metadata_count; i++) {
    bool twice = i > 0 && strcmp(metadata[i - 1].key, metadata[i].key) == 0;
    if (twice || !utf8(metadata[i].key) || !utf8(metadata[i].value)) {
      return msk_fail(error, MSK_ERROR_ARGUMENT,
                      "metadata key %s cannot be written: it is there twice, or no valid UTF-8",
                      metadata[i].key);
    }
  }
  return MSK_OK;
}

static msk_status write_body(msk_file_writer *writer, const placed *order, size_t count,
                             msk_tensor_fill *fill, void *user, void *room, msk_error *error) {
  for (size_t i = 0; i < count; i++) {
    msk_status status = fill(user, order[i].index, room, error);
    if (status == MSK_OK)
      status = msk_file_writer_write(writer, room, order[i].tensor->bytes, error);
    if (status != MSK_OK) return status;
  }
  return MSK_OK;
}

static msk_status write_file(const char *path, const header_text *header, const placed *order,
                             size_t count, msk_tensor_fill *fill, void *user, void *room,
                             msk_error *error) {
  uint8_t length[8];
  for (int i = 0; i < 8; i++) length[i] = (uint8_t)((uint64_t)header->used >> 8 * i);
  msk_file_writer writer;
  msk_status status = msk_file_writer_begin(&writer, path, error);
  if (status != MSK_OK) return status;
  status = msk_file_writer_write(&writer, length, sizeof length, error);
  if (status == MSK_OK) status = msk_file_writer_write(&writer, header->text, header->used, error);
  if (status == MSK_OK) status = write_body(&writer, order, count, fill, user, room, error);
  if (status == MSK_OK) status = msk_file_writer_commit(&writer, error);
  if (status != MSK_OK) msk_file_writer_discard(&writer);
  return status;
}

msk_status msk_safetensors_write(const char *path, const msk_tensor *tensors, size_t count,
                                 const msk_metadata_entry *metadata, size_t metadata_count,
                                 msk_tensor_fill *fill, void *user, const msk_allocator *allocator,
                                 msk_error *error) {
  header_text header = {NULL, 0};
  void *room = NULL;
  placed *order = msk_allocate(allocator, count + 1, sizeof *order);
  msk_metadata_entry *sorted = msk_allocate(allocator, metadata_count + 1, sizeof *sorted);
  msk_status status = MSK_OK;
  if (order == NULL || sorted == NULL) {
    status = msk_fail(error, MSK_ERROR_MEMORY, "out of memory for writing %s", path);
    goto out;
  }
  for (size_t i = 0; i < count; i++) order[i] = (placed){&tensors[i], i};
  if (metadata_count > 0) memcpy(sorted, metadata, metadata_count * sizeof *sorted);
  msk_sort(order, count, sizeof *order, compare_placed);
  msk_sort(sorted, metadata_count, sizeof *sorted, compare_keys);
  size_t largest;
  status = check_input(order, count, sorted, metadata_count, &largest, error);
  if (status != MSK_OK) goto out;
  put_header(&header, order, count, sorted, metadata_count);
  size_t padded = (8 + header.used + 63) / 64 * 64 - 8;
  header.text = msk_allocate(allocator, padded, 1);
  room = msk_allocate(allocator, largest, 1);
  if (header.text == NULL || room == NULL) {
    status = msk_fail(error, MSK_ERROR_MEMORY, "out of memory for writing %s", path);
    goto out;
  }
  memset(header.text, ' ', padded);
  header.used = 0;
  put_header(&header, order, count, sorted, metadata_count);
  header.used = padded;
  status = write_file(path, &header, order, count, fill, user, room, error);
out:
  msk_free(allocator, room);
  msk_free(allocator, header.text);
  msk_free(allocator, sorted);
  msk_free(allocator, order);
  return status;
}
