/* SPDX-License-Identifier: Apache-2.0
 * msgpack.c - see msgpack.h. */
#include "tensor/msgpack.h"

static bool payload(msk_reader *r, msk_msgpack *v, msk_msgpack_kind kind, uint64_t length) {
  v->kind = kind;
  if (length > r->left) return false;
  v->length = (size_t)length;
  return msk_read_span(r, v->length, &v->bytes);
}

static bool counted(msk_reader *r, msk_msgpack *v, msk_msgpack_kind kind, uint64_t count) {
  v->kind = kind;
  v->number = count;
  return count <= r->left / (kind == MSK_MSGPACK_MAP ? 2 : 1);
}

static bool extension(msk_reader *r, msk_msgpack *v, uint64_t length) {
  const uint8_t *type;
  if (!msk_read_span(r, 1, &type)) return false;
  v->extension = *type < 128 ? *type : *type - 256;
  return payload(r, v, MSK_MSGPACK_EXTENSION, length);
}

/* The values whose first byte is 0xC0 .. 0xDF. */
static bool marked(msk_reader *r, msk_msgpack *v, uint8_t mark) {
  uint64_t n = 0;
  switch (mark) {
    case 0xC0: v->kind = MSK_MSGPACK_NIL; return true;
    case 0xC2:
    case 0xC3:
      v->kind = MSK_MSGPACK_BOOL;
      v->number = mark & 1;
      return true;
    case 0xC4:
    case 0xC5:
    case 0xC6:
      return msk_read_big(r, (size_t)1 << (mark - 0xC4), &n) &&
             payload(r, v, MSK_MSGPACK_BINARY, n);
    case 0xC7:
    case 0xC8:
    case 0xC9: return msk_read_big(r, (size_t)1 << (mark - 0xC7), &n) && extension(r, v, n);
    case 0xCA: v->kind = MSK_MSGPACK_FLOAT; return msk_read_big(r, 4, &n);
    case 0xCB: v->kind = MSK_MSGPACK_FLOAT; return msk_read_big(r, 8, &n);
    case 0xCC:
    case 0xCD:
    case 0xCE:
    case 0xCF:
      v->kind = MSK_MSGPACK_UNSIGNED;
      return msk_read_big(r, (size_t)1 << (mark - 0xCC), &v->number);
    case 0xD0:
    case 0xD1:
    case 0xD2:
    case 0xD3: {
      size_t width = (size_t)1 << (mark - 0xD0);
      if (!msk_read_big(r, width, &v->number)) return false;
      v->kind = v->number >> (8 * width - 1) ? MSK_MSGPACK_NEGATIVE : MSK_MSGPACK_UNSIGNED;
      return true;
    }
    case 0xD4:
    case 0xD5:
    case 0xD6:
    case 0xD7:
    case 0xD8: return extension(r, v, (uint64_t)1 << (mark - 0xD4));
    case 0xD9:
    case 0xDA:
    case 0xDB:
      return msk_read_big(r, (size_t)1 << (mark - 0xD9), &n) &&
             payload(r, v, MSK_MSGPACK_STRING, n);
    case 0xDC:
    case 0xDD:
      return msk_read_big(r, (size_t)2 << (mark - 0xDC), &n) && counted(r, v, MSK_MSGPACK_ARRAY, n);
    case 0xDE:
    case 0xDF:
      return msk_read_big(r, (size_t)2 << (mark - 0xDE), &n) && counted(r, v, MSK_MSGPACK_MAP, n);
    default: return false; /* 0xC1 is never used */
  }
}

bool msk_msgpack_next(msk_reader *r, msk_msgpack *v) {
  const uint8_t *first;
  *v = (msk_msgpack){.kind = MSK_MSGPACK_NIL};
  if (!msk_read_span(r, 1, &first)) return false;
  uint8_t mark = *first;
  if (mark < 0x80) return v->kind = MSK_MSGPACK_UNSIGNED, v->number = mark, true;
  if (mark < 0x90) return counted(r, v, MSK_MSGPACK_MAP, mark & 15);
  if (mark < 0xA0) return counted(r, v, MSK_MSGPACK_ARRAY, mark & 15);
  if (mark < 0xC0) return payload(r, v, MSK_MSGPACK_STRING, mark & 31);
  if (mark >= 0xE0) return v->kind = MSK_MSGPACK_NEGATIVE, true;
  return marked(r, v, mark);
}

bool msk_msgpack_skip(msk_reader *r) {
  /* values to come; each has a byte at least, so more than are left means truncated */
  uint64_t pending = 1;
  while (pending > 0) {
    msk_msgpack value;
    if (pending > r->left || !msk_msgpack_next(r, &value)) return false;
    pending--;
    if (value.kind == MSK_MSGPACK_ARRAY) pending += value.number;
    if (value.kind == MSK_MSGPACK_MAP) pending += 2 * value.number;
  }
  return true;
}
