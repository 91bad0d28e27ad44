/* SPDX-License-Identifier: Apache-2.0
 *
 * safetensors.c - the reader. A file is: header length (8 bytes, little-endian), a JSON header,
 * tensor data. The header's JSON has one fixed form, {"NAME": {"dtype": "F32", "shape": [..],
 * "data_offsets": [begin, end]}, "__metadata__": {"KEY": "VALUE"}}, so it is read by a parser of
 * just that form: no recursion, no tree in memory (a general JSON tree takes a hundred bytes for
 * each "{}" of a hostile file), every unknown thing refused. Rules:
 * https://huggingface.co/docs/safetensors; readers that left one out were exploited (shape
 * product wrapping to 0, offsets never compared with the file's size). */
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "tensor/weight_store.h"

#define LARGEST_HEADER ((uint64_t)100 * 1000 * 1000)

enum { SHOWN = 160 }; /* bytes of a foreign name that messages show */

typedef struct span {
  const uint8_t *bytes;
  size_t length;
} span;

typedef struct header_parser {
  msk_store *store;
  msk_reader reader;
  const uint8_t *data;
  size_t data_bytes;
  span name; /* tensor at hand, for messages */
} header_parser;

static msk_status damaged(header_parser *p, const char *what) {
  if (p->name.bytes == NULL)
    return msk_fail(p->store->error, MSK_ERROR_FILE, "%s is damaged: %s", p->store->path, what);
  int shown = p->name.length < SHOWN ? (int)p->name.length : SHOWN;
  return msk_fail(p->store->error, MSK_ERROR_FILE, "%s is damaged: tensor %.*s %s", p->store->path,
                  shown, (const char *)p->name.bytes, what);
}

/* ---- The few pieces of JSON ---- */

static void skip_space(msk_reader *r) {
  while (r->left > 0 && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
    r->at++, r->left--;
}

static bool take(header_parser *p, char expected) {
  msk_reader *r = &p->reader;
  skip_space(r);
  if (r->left == 0 || *r->at != (uint8_t)expected) return false;
  r->at++, r->left--;
  return true;
}

static bool hex_value(const uint8_t *digits, uint32_t *value) {
  *value = 0;
  for (int i = 0; i < 4; i++) {
    uint8_t c = digits[i];
    uint32_t digit = c >= '0' && c <= '9'   ? c - (uint32_t)'0'
                     : c >= 'a' && c <= 'f' ? c - 'a' + 10u
                     : c >= 'A' && c <= 'F' ? c - 'A' + 10u
                                            : 16u;
    if (digit == 16) return false;
    *value = *value << 4 | digit;
  }
  return true;
}

/* A \uXXXX at r (behind the "u"), or a surrogate pair of two. NUL is refused: names are C
 * strings. */
static bool take_unicode(msk_reader *r, uint32_t *point) {
  uint32_t low;
  if (r->left < 4 || !hex_value(r->at, point)) return false;
  r->at += 4, r->left -= 4;
  if (*point >= 0xDC00 && *point <= 0xDFFF) return false;
  if (*point < 0xD800 || *point > 0xDBFF) return *point != 0;
  if (r->left < 6 || r->at[0] != '\\' || r->at[1] != 'u' || !hex_value(r->at + 2, &low) ||
      low < 0xDC00 || low > 0xDFFF)
    return false;
  r->at += 6, r->left -= 6;
  *point = 0x10000 + ((*point - 0xD800) << 10) + (low - 0xDC00);
  return true;
}

static size_t put_utf8(uint32_t point, char *out) {
  if (point < 0x80) return out[0] = (char)point, 1;
  if (point < 0x800)
    return out[0] = (char)(0xC0 | point >> 6), out[1] = (char)(0x80 | (point & 63)), 2;
  if (point < 0x10000) {
    return out[0] = (char)(0xE0 | point >> 12), out[1] = (char)(0x80 | (point >> 6 & 63)),
           out[2] = (char)(0x80 | (point & 63)), 3;
  }
  out[0] = (char)(0xF0 | point >> 18), out[1] = (char)(0x80 | (point >> 12 & 63));
  return out[2] = (char)(0x80 | (point >> 6 & 63)), out[3] = (char)(0x80 | (point & 63)), 4;
}

/* One character or escape of a string's inside, as UTF-8 in `out` (4 bytes). */
static bool take_character(msk_reader *r, char *out, size_t *length) {
  static const char escapes[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
  uint8_t c = *r->at;
  r->at++, r->left--;
  *length = 1;
  out[0] = (char)c;
  if (c < 0x20) return false;
  if (c != '\\') return true;
  if (r->left == 0) return false;
  uint8_t escape = *r->at;
  r->at++, r->left--;
  const char *found = escape == 0 ? NULL : strchr(escapes, escape);
  if (found != NULL) {
    out[0] = meanings[found - escapes];
    return true;
  }
  uint32_t point;
  if (escape != 'u' || !take_unicode(r, &point)) return false;
  *length = put_utf8(point, out);
  return true;
}

/* A string: the span between its quotes, escapes checked but still in it. */
static bool take_string(header_parser *p, span *inside) {
  if (!take(p, '"')) return false;
  msk_reader *r = &p->reader;
  inside->bytes = r->at;
  while (r->left > 0 && *r->at != '"') {
    char character[4];
    size_t length;
    if (!take_character(r, character, &length)) return false;
  }
  if (r->left == 0) return false;
  inside->length = (size_t)(r->at - inside->bytes);
  r->at++, r->left--;
  return true;
}

/* Stores a checked string; its text is never longer than the span. NULL when measuring, and when
 * there is no room. */
static const char *store_string(header_parser *p, span inside) {
  char *room = msk_store_text(p->store, inside.length + 1), *to = room;
  if (room == NULL) return NULL;
  msk_reader r = {inside.bytes, inside.length};
  while (r.left > 0) {
    char character[4];
    size_t length;
    if (!take_character(&r, character, &length)) break;
    memcpy(to, character, length);
    to += length;
  }
  *to = 0;
  return room;
}

/* A whole number as JSON has it: digits, no leading zero. */
static bool take_number(header_parser *p, size_t *number) {
  msk_reader *r = &p->reader;
  skip_space(r);
  size_t value = 0, digits = 0;
  bool zero = r->left > 0 && *r->at == '0';
  while (r->left > 0 && *r->at >= '0' && *r->at <= '9') {
    if (!msk_multiply(value, 10, &value) || !msk_add(value, (size_t)(*r->at - '0'), &value))
      return false;
    r->at++, r->left--, digits++;
  }
  *number = value;
  return digits == 1 || (digits > 1 && !zero);
}

/* [n, n, ...] of at most `limit` numbers. */
static bool take_numbers(header_parser *p, size_t *numbers, int limit, int *count) {
  *count = 0;
  if (!take(p, '[')) return false;
  if (take(p, ']')) return true;
  do {
    if (*count == limit || !take_number(p, &numbers[*count])) return false;
    (*count)++;
  } while (take(p, ','));
  return take(p, ']');
}

static bool span_is(span s, const char *text) {
  return s.length == strlen(text) && memcmp(s.bytes, text, s.length) == 0;
}

/* ---- The header ---- */

static bool find_dtype(span name, msk_dtype *dtype) {
  for (int d = MSK_DTYPE_F32; d <= MSK_DTYPE_F64; d++) {
    if (span_is(name, msk_dtype_name((msk_dtype)d))) {
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
  span key, text;
  int count;
  if (!take_string(p, &key) || !take(p, ':')) return damaged(p, "is described by broken JSON");
  if (span_is(key, "dtype") && !entry->has_dtype) {
    entry->has_dtype = true;
    if (!take_string(p, &text)) return damaged(p, "has a dtype that is no string");
    return find_dtype(text, &entry->tensor.dtype)
               ? MSK_OK
               : damaged(p,
                         "has an unknown dtype, expected F64, F32, F16, BF16, I64, I32, I8, U32, "
                         "U8 or BOOL");
  }
  if (span_is(key, "shape") && !entry->has_shape) {
    entry->has_shape = true;
    if (!take_numbers(p, entry->tensor.shape, MSK_MAX_RANK, &count))
      return damaged(p, "has a shape that is no list of at most 8 whole numbers");
    entry->tensor.rank = count;
    return MSK_OK;
  }
  if (span_is(key, "data_offsets") && !entry->has_offsets) {
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
  if (!take(p, '{')) return damaged(p, "is described by something that is no JSON object");
  do {
    msk_status status = parse_field(p, &entry);
    if (status != MSK_OK) return status;
  } while (take(p, ','));
  if (!take(p, '}')) return damaged(p, "is described by broken JSON");
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
  span key, value;
  if (!take(p, '{')) return damaged(p, "its __metadata__ is no JSON object");
  if (take(p, '}')) return MSK_OK;
  do {
    if (!take_string(p, &key) || !take(p, ':') || !take_string(p, &value))
      return damaged(p, "its __metadata__ is no list of strings with string keys");
    const char *stored_key = store_string(p, key), *stored_value = store_string(p, value);
    msk_store_metadata(p->store, stored_key, stored_value);
  } while (take(p, ','));
  return take(p, '}') ? MSK_OK : damaged(p, "its __metadata__ is broken JSON");
}

static msk_status parse_header(header_parser *p) {
  bool metadata_seen = false;
  if (!take(p, '{')) return damaged(p, "its header is no JSON object");
  if (!take(p, '}')) {
    do {
      span name;
      p->name.bytes = NULL;
      if (!take_string(p, &name) || !take(p, ':')) return damaged(p, "its header is broken JSON");
      bool metadata = span_is(name, "__metadata__");
      if (metadata && metadata_seen) return damaged(p, "its header holds __metadata__ twice");
      if (metadata) metadata_seen = true;
      if (!metadata) p->name = name;
      msk_status status = metadata ? parse_metadata(p) : parse_tensor(p);
      if (status != MSK_OK) return status;
    } while (take(p, ','));
    p->name.bytes = NULL;
    if (!take(p, '}')) return damaged(p, "its header is broken JSON");
  }
  skip_space(&p->reader);
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
    p->name = (span){(const uint8_t *)tensor->name, strlen(tensor->name)};
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
