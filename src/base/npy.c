/* SPDX-License-Identifier: Apache-2.0
 *
 * npy.c - NumPy's .npy: a magic number, a version, a Python dictionary as text, then the data.
 * Version 1.0 is written; 1.0 and 2.0 are read (they differ in the width of the header's
 * length). Every size is checked before memory is taken; the data must fill the file exactly. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "masksketch_tools.h"

static const char magic[] = "\x93NUMPY";
enum { MAGIC_BYTES = 6, LONGEST_HEADER = 1 << 16 };

static const struct npy_type {
  char descr[4];
  msk_dtype dtype;
  size_t bytes;
  bool readable;
} types[] = {
    {"<f4", MSK_DTYPE_F32, 4, true},  {"<f8", MSK_DTYPE_F64, 8, true},
    {"<i4", MSK_DTYPE_I32, 4, true},  {"<i8", MSK_DTYPE_I64, 8, true},
    {"<u4", MSK_DTYPE_U32, 4, true},  {"|u1", MSK_DTYPE_U8, 1, true},
    {"|b1", MSK_DTYPE_BOOL, 1, true}, {"|i1", MSK_DTYPE_I8, 1, false},
    {"<f2", MSK_DTYPE_F16, 2, false},
};

/* Elements of a shape; false when the product or its bytes overflow. */
static bool shape_bytes(const size_t *shape, int rank, size_t element_bytes, size_t *bytes) {
  size_t total = element_bytes;
  bool empty = false;
  for (int d = 0; d < rank; d++) {
    if (shape[d] == 0)
      empty = true;
    else if (!msk_multiply(total, shape[d], &total))
      return false;
  }
  *bytes = empty ? 0 : total;
  return true;
}

static msk_status describe(const msk_array *array, const struct npy_type **type, size_t *data_bytes,
                           msk_error *error) {
  *type = NULL;
  for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
    if (types[t].dtype == array->dtype) *type = &types[t];
  }
  if (*type == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "arrays of this type cannot be written as .npy");
  if (array->rank < 0 || array->rank > MSK_MAX_RANK ||
      !shape_bytes(array->shape, array->rank, (*type)->bytes, data_bytes))
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "an array of rank %d cannot be written as .npy: rank or size is out of range",
                    array->rank);
  return MSK_OK;
}

/* Fills a header of at least `least` bytes, a multiple of 64; returns how many it has. Eight sides
 * of twenty digits fit. */
static size_t put_header(uint8_t header[MSK_NPY_HEADER], size_t least, const msk_array *array,
                         const char *descr) {
  char text[MSK_NPY_HEADER];
  size_t used = (size_t)snprintf(text, sizeof text,
                                 "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
  for (int d = 0; d < array->rank; d++)
    used += (size_t)snprintf(text + used, sizeof text - used, "%s%zu", d > 0 ? ", " : "",
                             array->shape[d]);
  used += (size_t)snprintf(text + used, sizeof text - used, "%s), }", array->rank == 1 ? "," : "");
  size_t bytes = (MAGIC_BYTES + 4 + used + 1 + 63) / 64 * 64;
  bytes = bytes < least ? least : bytes;
  size_t length = bytes - MAGIC_BYTES - 4;
  memset(header, ' ', bytes);
  memcpy(header, magic, MAGIC_BYTES);
  memcpy(header + MAGIC_BYTES, (uint8_t[]){1, 0, (uint8_t)(length & 255), (uint8_t)(length >> 8)},
         4);
  memcpy(header + MAGIC_BYTES + 4, text, used);
  header[bytes - 1] = '\n';
  return bytes;
}

msk_status msk_npy_header(uint8_t header[MSK_NPY_HEADER], size_t *data_bytes,
                          const msk_array *array, msk_error *error) {
  const struct npy_type *type;
  msk_status status = describe(array, &type, data_bytes, error);
  if (status == MSK_OK) put_header(header, MSK_NPY_HEADER, array, type->descr);
  return status;
}

msk_status msk_npy_encode(const msk_array *array, void **bytes, size_t *byte_count,
                          const msk_allocator *allocator, msk_error *error) {
  const struct npy_type *type;
  uint8_t header[MSK_NPY_HEADER];
  size_t data_bytes, total;
  msk_status status = describe(array, &type, &data_bytes, error);
  if (status != MSK_OK) return status;
  size_t start = put_header(header, 0, array, type->descr);
  uint8_t *out = msk_add(start, data_bytes, &total) ? msk_allocate(allocator, total, 1) : NULL;
  if (out == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "out of memory for a .npy of %zu bytes", data_bytes);
  memcpy(out, header, start);
  if (data_bytes > 0) memcpy(out + start, array->data, data_bytes);
  *bytes = out;
  *byte_count = total;
  return MSK_OK;
}

/* ---- Reading: a parser of the one dictionary that NumPy writes, keys in any order ---- */

typedef struct npy_header {
  const struct npy_type *type;
  int rank;
  size_t shape[MSK_MAX_RANK];
  bool seen_descr, seen_order, seen_shape, fortran;
  const char *complaint;
} npy_header;

static void skip_space(msk_reader *r) {
  while (r->left > 0 && (*r->at == ' ' || *r->at == '\n' || *r->at == '\t')) r->at++, r->left--;
}

static bool take(msk_reader *r, const char *word) {
  skip_space(r);
  size_t length = strlen(word);
  if (r->left < length || memcmp(r->at, word, length) != 0) return false;
  r->at += length;
  r->left -= length;
  return true;
}

static bool parse_quoted(msk_reader *r, char *text, size_t text_bytes) {
  skip_space(r);
  if (r->left == 0 || (*r->at != '\'' && *r->at != '"')) return false;
  uint8_t quote = *r->at;
  r->at++, r->left--;
  size_t used = 0;
  /* a backslash escapes nothing: no key and no type of the format holds a quote */
  while (r->left > 0 && *r->at != quote) {
    if (used + 1 >= text_bytes) return false;
    text[used++] = (char)*r->at;
    r->at++, r->left--;
  }
  if (r->left == 0) return false;
  r->at++, r->left--;
  text[used] = 0;
  return true;
}

static bool parse_number(msk_reader *r, size_t *number) {
  skip_space(r);
  size_t value = 0, digits = 0;
  while (r->left > 0 && *r->at >= '0' && *r->at <= '9') {
    if (!msk_multiply(value, 10, &value) || !msk_add(value, (size_t)(*r->at - '0'), &value))
      return false;
    r->at++, r->left--, digits++;
  }
  *number = value;
  return digits > 0;
}

static bool parse_shape(msk_reader *r, npy_header *header) {
  if (!take(r, "(")) return false;
  while (!take(r, ")")) {
    if (header->rank == MSK_MAX_RANK) {
      header->complaint = "more than 8 dimensions";
      return false;
    }
    if (!parse_number(r, &header->shape[header->rank])) return false;
    header->rank++;
    /* "(3)" is a number in Python, "(3,)" a shape */
    if (!take(r, ",")) return take(r, ")") && header->rank > 1;
  }
  return true;
}

static bool parse_descr(msk_reader *r, npy_header *header) {
  char descr[16];
  if (!parse_quoted(r, descr, sizeof descr)) return false;
  for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
    if (types[t].readable && strcmp(descr, types[t].descr) == 0) header->type = &types[t];
  }
  if (header->type == NULL)
    header->complaint = "a type other than f4, f8, i4, i8, u1, u4, b1 (little-endian)";
  return header->type != NULL;
}

static bool parse_entry(msk_reader *r, npy_header *header) {
  char key[20];
  if (!parse_quoted(r, key, sizeof key) || !take(r, ":")) return false;
  bool *seen = NULL;
  if (strcmp(key, "descr") == 0) seen = &header->seen_descr;
  if (strcmp(key, "shape") == 0) seen = &header->seen_shape;
  if (strcmp(key, "fortran_order") == 0) seen = &header->seen_order;
  if (seen == NULL || *seen) return false;
  *seen = true;
  if (seen == &header->seen_descr) return parse_descr(r, header);
  if (seen == &header->seen_shape) return parse_shape(r, header);
  header->fortran = take(r, "True");
  return header->fortran || take(r, "False");
}

static bool parse_header(msk_reader *r, npy_header *header) {
  if (!take(r, "{")) return false;
  while (!take(r, "}")) {
    if (!parse_entry(r, header)) return false;
    if (!take(r, ",")) {
      if (!take(r, "}")) return false;
      break;
    }
  }
  skip_space(r);
  return r->left == 0 && header->seen_descr && header->seen_order && header->seen_shape;
}

msk_status msk_npy_decode(msk_array *array, const void *bytes, size_t byte_count, const char *name,
                          const msk_allocator *allocator, msk_error *error) {
  msk_reader reader = {bytes, byte_count};
  const uint8_t *start, *text;
  uint64_t length;
  if (!msk_read_span(&reader, MAGIC_BYTES + 2, &start) || memcmp(start, magic, MAGIC_BYTES) != 0) {
    return msk_fail(error, MSK_ERROR_FILE, "%s is no .npy file", name);
  }
  if (start[MAGIC_BYTES] < 1 || start[MAGIC_BYTES] > 2 || start[MAGIC_BYTES + 1] != 0) {
    return msk_fail(error, MSK_ERROR_FILE, "%s is .npy version %d.%d, expected 1.0 or 2.0", name,
                    start[MAGIC_BYTES], start[MAGIC_BYTES + 1]);
  }
  if (!msk_read_little(&reader, start[MAGIC_BYTES] == 1 ? 2 : 4, &length) ||
      length > LONGEST_HEADER || !msk_read_span(&reader, (size_t)length, &text)) {
    return msk_fail(error, MSK_ERROR_FILE,
                    "%s is damaged: its .npy header ends past the end of the file", name);
  }
  npy_header header = {.complaint = "a header that NumPy does not write"};
  msk_reader header_reader = {text, (size_t)length};
  if (!parse_header(&header_reader, &header))
    return msk_fail(error, MSK_ERROR_FILE, "%s: this .npy has %s", name, header.complaint);
  if (header.fortran && header.rank > 1)
    return msk_fail(error, MSK_ERROR_FILE, "%s: this .npy is in Fortran order, expected C order",
                    name);
  size_t data_bytes;
  if (!shape_bytes(header.shape, header.rank, header.type->bytes, &data_bytes) ||
      data_bytes != reader.left) {
    return msk_fail(error, MSK_ERROR_FILE,
                    "%s is damaged: its shape does not agree with the %zu bytes of data", name,
                    reader.left);
  }
  for (size_t i = 0; header.type->dtype == MSK_DTYPE_BOOL && i < data_bytes; i++) {
    if (reader.at[i] > 1)
      return msk_fail(error, MSK_ERROR_FILE, "%s is damaged: a truth value is %d", name,
                      reader.at[i]);
  }
  void *data = msk_allocate(allocator, data_bytes == 0 ? 1 : data_bytes, 1);
  if (data == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "out of memory for the %zu bytes of %s", data_bytes,
                    name);
  if (data_bytes > 0) memcpy(data, reader.at, data_bytes);
  *array = (msk_array){.dtype = header.type->dtype, .rank = header.rank, .data = data};
  memcpy(array->shape, header.shape, sizeof array->shape);
  return MSK_OK;
}
