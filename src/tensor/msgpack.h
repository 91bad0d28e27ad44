/* SPDX-License-Identifier: Apache-2.0
 *
 * msgpack.h - one msgpack value at a time over foreign bytes
 * (https://github.com/msgpack/msgpack/blob/master/spec.md). Owns nothing. Every claimed length
 * and count is held against the bytes that are left: a string, binary or extension lies inside,
 * an array of n has n bytes to come at least, a map 2n; so no caller can be made to count to
 * 2^32 on a short file. */
#ifndef MSK_TENSOR_MSGPACK_H
#define MSK_TENSOR_MSGPACK_H

#include "base/bytes.h"

typedef enum msk_msgpack_kind {
  MSK_MSGPACK_NIL,
  MSK_MSGPACK_BOOL,
  MSK_MSGPACK_UNSIGNED,
  MSK_MSGPACK_NEGATIVE,
  MSK_MSGPACK_FLOAT,
  MSK_MSGPACK_STRING,
  MSK_MSGPACK_BINARY,
  MSK_MSGPACK_ARRAY,
  MSK_MSGPACK_MAP,
  MSK_MSGPACK_EXTENSION
} msk_msgpack_kind;

typedef struct msk_msgpack {
  msk_msgpack_kind kind;
  /* unsigned value, truth value, or count of an array's items or a map's pairs */
  uint64_t number;
  int extension;        /* type of an extension */
  const uint8_t *bytes; /* string, binary, extension */
  size_t length;
} msk_msgpack;

/* The next value; of an array or map only its head. False: truncated or malformed. */
bool msk_msgpack_next(msk_reader *reader, msk_msgpack *value);
/* Passes over one whole value, however deep, without recursion. */
bool msk_msgpack_skip(msk_reader *reader);
#endif
