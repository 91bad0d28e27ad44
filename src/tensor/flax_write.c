/* SPDX-License-Identifier: Apache-2.0
 *
 * flax_write.c - msk_flax_write(): tensors as flax.serialization writes a tree of float32 arrays:
 * maps of msgpack by the parts of their names, and extension 1 for an array, whose payload is the
 * msgpack of shape, type and bytes. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "tensor/weight_store.h"

enum { ARRAY_EXTENSION = 1, LARGEST_HEAD = 6, LARGEST_ARRAY_HEAD = 64 };
_Static_assert(2 + 8 + 5 * MSK_MAX_RANK + 5 <= LARGEST_ARRAY_HEAD && MSK_MAX_RANK < 16,
               "two arrays' heads, the type, the sides, and the head of the bytes");

typedef struct flax_writer {
  msk_file_writer file;
  const msk_tensor *tensors, **order; /* order: by name */
  msk_tensor_fill *fill;
  void *user;
  uint8_t *room; /* for the bytes of one tensor */
  msk_error *error;
} flax_writer;

/* ---- heads ---- */

/* A value's mark and its count, in the fewest bytes: marks[0] is that of one byte. 0 for marks[0]:
 * there is none of one byte (maps and arrays). Returns the bytes written. */
static size_t put_count(uint8_t *out, const uint8_t marks[3], uint64_t count) {
  const int wide = count > UINT16_MAX ? 2 : count > UINT8_MAX || marks[0] == 0;
  const int bytes = 1 << wide;
  out[0] = marks[wide];
  for (int i = 0; i < bytes; i++) out[1 + i] = (uint8_t)(count >> 8 * (bytes - 1 - i));
  return 1 + (size_t)bytes;
}

static size_t put_short(uint8_t *out, uint8_t mark, uint64_t limit, const uint8_t marks[3],
                        uint64_t count) {
  if (count >= limit) return put_count(out, marks, count);
  out[0] = (uint8_t)(mark | count);
  return 1;
}

static size_t put_map(uint8_t *out, uint64_t count) {
  return put_short(out, 0x80, 16, (const uint8_t[]){0, 0xDE, 0xDF}, count);
}
static size_t put_array(uint8_t *out, uint64_t count) {
  return put_short(out, 0x90, 16, (const uint8_t[]){0, 0xDC, 0xDD}, count);
}
static size_t put_text(uint8_t *out, uint64_t length) {
  return put_short(out, 0xA0, 32, (const uint8_t[]){0xD9, 0xDA, 0xDB}, length);
}
static size_t put_number(uint8_t *out, uint64_t number) {
  return put_short(out, 0x00, 128, (const uint8_t[]){0xCC, 0xCD, 0xCE}, number);
}
static size_t put_binary(uint8_t *out, uint64_t length) {
  return put_count(out, (const uint8_t[]){0xC4, 0xC5, 0xC6}, length);
}
static size_t put_extension(uint8_t *out, uint64_t length) {
  size_t used = put_count(out, (const uint8_t[]){0xC7, 0xC8, 0xC9}, length);
  out[used++] = ARRAY_EXTENSION;
  return used;
}

/* ---- values ---- */

static msk_status write_bytes(flax_writer *w, const void *bytes, size_t count) {
  return msk_file_writer_write(&w->file, bytes, count, w->error);
}

static msk_status write_text(flax_writer *w, const char *text, size_t length) {
  uint8_t head[LARGEST_HEAD];
  msk_status status = write_bytes(w, head, put_text(head, length));
  return status == MSK_OK ? write_bytes(w, text, length) : status;
}

static msk_status write_array(flax_writer *w, const msk_tensor *tensor) {
  static const char type[] = "float32";
  uint8_t outer[LARGEST_HEAD], inner[LARGEST_ARRAY_HEAD];
  size_t used = put_array(inner, 3);
  used += put_array(inner + used, (uint64_t)tensor->rank);
  for (int i = 0; i < tensor->rank; i++) used += put_number(inner + used, tensor->shape[i]);
  used += put_text(inner + used, sizeof type - 1);
  memcpy(inner + used, type, sizeof type - 1);
  used += sizeof type - 1;
  used += put_binary(inner + used, tensor->bytes);
  msk_status status = write_bytes(w, outer, put_extension(outer, used + tensor->bytes));
  if (status == MSK_OK) status = write_bytes(w, inner, used);
  if (status == MSK_OK) status = w->fill(w->user, (size_t)(tensor - w->tensors), w->room, w->error);
  return status == MSK_OK ? write_bytes(w, w->room, tensor->bytes) : status;
}

/* The first of order[from .. to) that begins with another part, behind the first `done` bytes. */
static size_t part_end(const flax_writer *w, size_t from, size_t to, size_t done) {
  const char *part = w->order[from]->name + done;
  const size_t length = strcspn(part, ".");
  size_t end = from + 1;
  while (end < to && strncmp(w->order[end]->name + done, part, length) == 0 &&
         strcspn(w->order[end]->name + done, ".") == length)
    end++;
  return end;
}

/* The map of order[from .. to), whose names agree in their first `done` bytes. As deep as a name
 * has dots. */
static msk_status write_map(flax_writer *w, size_t from, size_t to, size_t done) {
  uint8_t head[LARGEST_HEAD];
  uint64_t parts = 0;
  for (size_t i = from; i < to; i = part_end(w, i, to, done)) parts++;
  msk_status status = write_bytes(w, head, put_map(head, parts));
  for (size_t i = from, end; i < to && status == MSK_OK; i = end) {
    const char *part = w->order[i]->name + done;
    const size_t length = strcspn(part, ".");
    end = part_end(w, i, to, done);
    status = write_text(w, part, length);
    if (status != MSK_OK) break;
    status =
        part[length] == 0 ? write_array(w, w->order[i]) : write_map(w, i, end, done + length + 1);
  }
  return status;
}

/* ---- the file ---- */

/* A dot sorts before what else stands in a name, so that the parts of a map follow one another. */
static int compare_names(const void *a, const void *b) {
  return strcmp((*(const msk_tensor *const *)a)->name, (*(const msk_tensor *const *)b)->name);
}

static bool is_below(const char *name, const char *other) {
  const size_t length = strlen(name);
  return strncmp(name, other, length) == 0 && (other[length] == 0 || other[length] == '.');
}

static msk_status check_order(const flax_writer *w, size_t count, size_t *largest) {
  *largest = 1;
  for (size_t i = 0; i < count; i++) {
    const msk_tensor *t = w->order[i];
    /* the length of an extension has 32 bits */
    if (t->dtype != MSK_DTYPE_F32 || t->rank < 0 || t->rank > MSK_MAX_RANK || t->bytes == 0 ||
        t->bytes > UINT32_MAX - LARGEST_ARRAY_HEAD ||
        (i + 1 < count && is_below(t->name, w->order[i + 1]->name)))
      return msk_fail(w->error, MSK_ERROR_ARGUMENT,
                      "tensor %s cannot be written: it is empty, no float32, not below 4 GiB, or "
                      "its name is another's as well",
                      t->name);
    if (t->bytes > *largest) *largest = t->bytes;
  }
  return MSK_OK;
}

static msk_status write_file(flax_writer *w, const char *path, size_t count) {
  uint8_t head[LARGEST_HEAD];
  msk_status status = msk_file_writer_begin(&w->file, path, w->error);
  if (status != MSK_OK) return status;
  status = write_bytes(w, head, put_map(head, 1));
  if (status == MSK_OK) status = write_text(w, "params", strlen("params"));
  if (status == MSK_OK) status = write_map(w, 0, count, 0);
  if (status == MSK_OK) status = msk_file_writer_commit(&w->file, w->error);
  if (status != MSK_OK) msk_file_writer_discard(&w->file);
  return status;
}

msk_status msk_flax_write(const char *path, const msk_tensor *tensors, size_t count,
                          msk_tensor_fill *fill, void *user, const msk_allocator *allocator,
                          msk_error *error) {
  flax_writer w = {.tensors = tensors, .fill = fill, .user = user, .error = error};
  size_t largest = 0;
  w.order = msk_allocate(allocator, count + 1, sizeof *w.order);
  msk_status status = w.order != NULL
                          ? MSK_OK
                          : msk_fail(error, MSK_ERROR_MEMORY, "out of memory for writing %s", path);
  for (size_t i = 0; i < count && status == MSK_OK; i++) w.order[i] = &tensors[i];
  if (status == MSK_OK) msk_sort(w.order, count, sizeof *w.order, compare_names);
  if (status == MSK_OK) status = check_order(&w, count, &largest);
  if (status == MSK_OK) w.room = msk_allocate(allocator, largest, 1);
  if (status == MSK_OK && w.room == NULL)
    status = msk_fail(error, MSK_ERROR_MEMORY, "out of memory for writing %s", path);
  if (status == MSK_OK) status = write_file(&w, path, count);
  msk_free(allocator, w.room);
  msk_free(allocator, w.order);
  return status;
}
