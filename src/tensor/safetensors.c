/* SPDX-License-Identifier: Apache-2.0
 *
 * safetensors.c - the reader. A file is: header length (8 bytes, little-endian), a JSON header,
 * tensor data. The header's JSON has one fixed form, {"NAME": {"dtype": "F32", "shape": [..],
 * "data_offsets": [begin, end]}, "__metadata__": {"KEY": "VALUE"}}, so it is read by a parser of
 * just that form, every unknown thing refused. Rules:
 * https://huggingface.co/docs/safetensors; readers that left one out were exploited (shape
 * product wrapping to 0, offsets never compared with the file's size). */
#include <string.h>

#include "base/error.h"
#include "base/json_reader.h"
#include "base/memory.h"
#include "tensor/weight_store.h"

#define LARGEST_HEADER ((uint64_t)100 * 1000 * 1000)

enum { SHOWN = 160 }; /* bytes of a foreign name that messages show */

typedef struct header_parser {
  msk_store *store;
  msk_reader reader;
  const uint8_t *data;
  size_t data_bytes;
  msk_span name; /* tensor at hand, for messages */
} header_parser;

static msk_status damaged(header_parser *p, const char *what) {
  if (p->name.bytes == NULL)
    return msk_fail(p->store->error, MSK_ERROR_FILE, "%s is damaged: %s", p->store->path, what);
  int shown = p->name.length < SHOWN ? (int)p->name.length : SHOWN;
  return msk_fail(p->store->error, MSK_ERROR_FILE, "%s is damaged: tensor %.*s %s", p->store->path,
                  shown, (const char *)p->name.bytes, what);
}

/* Stores a checked string. NULL when measuring, and when there is no room. */
static const char *store_string(header_parser *p, msk_span inside) {
  char *text = msk_store_text(p->store, inside.length + 1);
  if (text != NULL) text[msk_span_text(inside, text)] = 0;
  return text;
}

/* [n, n, ...] of at most `limit` numbers. */
static bool take_numbers(header_parser *p, size_t *numbers, int limit, int *count) {
  *count = 0;
  if (!msk_json_take(&p->reader, '[')) return false;
  if (msk_json_take(&p->reader, ']')) return true;
  do {
    if (*count == limit || !msk_json_take_number(&p->reader, &numbers[*count])) return false;
    (*count)++;
  } while (msk_json_take(&p->reader, ','));
  return msk_json_take(&p->reader, ']');
}

/* ---- The header ---- */

static bool find_dtype(msk_span name, msk_dtype *dtype) {
  for (int d = MSK_DTYPE_F32; d <= MSK_DTYPE_F64; d++) {
    if (msk_span_is(name, msk_dtype_name(d))) {
      *dtype = (msk_dtype)d;
      return true;
    }
  }
  return false;
}

typedef struct tensor_entry {
  msk_tensor tensor;
  size_t offsets[2];
  bool has_dtype, has_shape, has_offsets;
} tensor_entry;

static msk_status parse_field(header_parser *p, tensor_entry *entry) {
  msk_span key, text;
  int count;
  if (!msk_json_take_string(&p->reader, &key) || !msk_json_take(&p->reader, ':'))
    return damaged(p, "is described by broken JSON");
  /* a repeated key is refused: readers differ on which of the two counts */
  if (msk_span_is(key, "dtype") && !entry->has_dtype) {
    entry->has_dtype = true;
    if (!msk_json_take_string(&p->reader, &text))
      return damaged(p, "has a dtype that is no string");
    return find_dtype(text, &entry->tensor.dtype)
               ? MSK_OK
               : damaged(p,
                         "has an unknown dtype, expected F64, F32, F16, BF16, I64, I32, I8, U32, "
                         "U8 or BOOL");
  }
  if (msk_span_is(key, "shape") && !entry->has_shape) {
    entry->has_shape = true;
    if (!take_numbers(p, entry->tensor.shape, MSK_MAX_RANK, &count))
      return damaged(p, "has a shape that is no list of at most 8 whole numbers");
    entry->tensor.rank = count;
    return MSK_OK;
  }
  if (msk_span_is(key, "data_offsets") && !entry->has_offsets) {
    entry->has_offsets = true;
    if (!take_numbers(p, entry->offsets, 2, &count) || count != 2)
      return damaged(p, "has data_offsets that are no two whole numbers");
    return MSK_OK;
  }
  return damaged(p, "has an unknown or repeated key");
}

static msk_status parse_tensor(header_parser *p) {
  tensor_entry entry = {.has_dtype = false};
  msk_tensor *tensor = &entry.tensor;
  if (!msk_json_take(&p->reader, '{'))
    return damaged(p, "is described by something that is no JSON object");
  do {
    msk_status status = parse_field(p, &entry);
    if (status != MSK_OK) return status;
  } while (msk_json_take(&p->reader, ','));
  if (!msk_json_take(&p->reader, '}')) return damaged(p, "is described by broken JSON");
  if (!entry.has_dtype || !entry.has_shape || !entry.has_offsets)
    return damaged(p, "lacks its dtype, shape or data_offsets");
  if (entry.offsets[0] > entry.offsets[1] || entry.offsets[1] > p->data_bytes)
    return damaged(p, "lies outside the file");
  if (!msk_shape_size(tensor->rank, tensor->shape, tensor->dtype, &tensor->elements,
                      &tensor->bytes) ||
      tensor->bytes != entry.offsets[1] - entry.offsets[0]) {
    return damaged(p, "has a shape that does not agree with its number of bytes");
  }
  tensor->data = p->data + entry.offsets[0];
  tensor->name = store_string(p, p->name);
  msk_store_tensor(p->store, tensor);
  return MSK_OK;
}

static msk_status parse_metadata(header_parser *p) {
  msk_span key, value;
  if (!msk_json_take(&p->reader, '{')) return damaged(p, "its __metadata__ is no JSON object");
  if (msk_json_take(&p->reader, '}')) return MSK_OK;
  do {
    if (!msk_json_take_string(&p->reader, &key) || !msk_json_take(&p->reader, ':') ||
        !msk_json_take_string(&p->reader, &value))
      return damaged(p, "its __metadata__ is no list of strings with string keys");
    const char *stored_key = store_string(p, key), *stored_value = store_string(p, value);
    msk_store_metadata(p->store, stored_key, stored_value);
  } while (msk_json_take(&p->reader, ','));
  return msk_json_take(&p->reader, '}') ? MSK_OK : damaged(p, "its __metadata__ is broken JSON");
}

static msk_status parse_header(header_parser *p) {
  bool metadata_seen = false;
  if (!msk_json_take(&p->reader, '{')) return damaged(p, "its header is no JSON object");
  if (!msk_json_take(&p->reader, '}')) {
    do {
      msk_span name;
      /* messages name a tensor only while one is at hand; metadata are none */
      p->name.bytes = NULL;
      if (!msk_json_take_string(&p->reader, &name) || !msk_json_take(&p->reader, ':'))
        return damaged(p, "its header is broken JSON");
      bool metadata = msk_span_is(name, "__metadata__");
      if (metadata && metadata_seen) return damaged(p, "its header holds __metadata__ twice");
      if (metadata) metadata_seen = true;
      if (!metadata) p->name = name;
      msk_status status = metadata ? parse_metadata(p) : parse_tensor(p);
      if (status != MSK_OK) return status;
    } while (msk_json_take(&p->reader, ','));
    p->name.bytes = NULL;
    if (!msk_json_take(&p->reader, '}')) return damaged(p, "its header is broken JSON");
  }
  msk_json_skip_space(&p->reader);
  return p->reader.left == 0 ? MSK_OK : damaged(p, "something follows the JSON of its header");
}

static int compare_ranges(const void *left, const void *right) {
  const msk_tensor *a = left, *b = right;
  if (a->data != b->data) return a->data < b->data ? -1 : 1;
  return a->bytes < b->bytes ? -1 : a->bytes > b->bytes;
}

/* Sorted ranges leave no hole and no overlap, and the last ends where the file ends. */
static msk_status check_ranges(header_parser *p) {
  msk_weight_file *file = p->store->file;
  size_t count = p->store->used.tensors, end = 0;
  msk_sort(file->tensors, count, sizeof *file->tensors, compare_ranges);
  for (size_t i = 0; i < count; i++) {
    const msk_tensor *tensor = &file->tensors[i];
    size_t begin = (size_t)(tensor->data - p->data);
    p->name = (msk_span){(const uint8_t *)tensor->name, strlen(tensor->name)};
    /* no byte is two tensors' or none's: a file that hides a second one in its holes is refused */
    if (begin < end) return damaged(p, "overlaps another tensor");
    if (begin > end) return damaged(p, "leaves a hole before it");
    end = begin + tensor->bytes;
  }
  p->name.bytes = NULL;
  return end == p->data_bytes ? MSK_OK
                              : damaged(p, "the last tensor does not end where the file ends");
}

msk_status msk_safetensors_read(msk_store *store, const uint8_t *bytes, size_t byte_count) {
  header_parser p = {.store = store};
  uint64_t length = byte_count < 8 ? 0 : msk_little_u64(bytes);
  if (byte_count < 8 || length > LARGEST_HEADER || length > byte_count - 8) {
    return damaged(&p, "its header ends past the end of the file (was the download cut off?)");
  }
  p.reader = (msk_reader){bytes + 8, (size_t)length};
  p.data = bytes + 8 + length;
  p.data_bytes = byte_count - 8 - (size_t)length;
  if (!store->placing && !msk_utf8_valid(bytes + 8, (size_t)length))
    return damaged(&p, "its header is no valid UTF-8");
  msk_status status = parse_header(&p);
  return status == MSK_OK && store->placing ? check_ranges(&p) : status;
}
