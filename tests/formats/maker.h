/* SPDX-License-Identifier: Apache-2.0
 *
 * maker.h - weight files made byte by byte, sound and hostile ones, by code that shares nothing
 * with the library; and an allocator that knows its peak. Test code only. */
#ifndef MSK_TEST_MAKER_H
#define MSK_TEST_MAKER_H

#include <stdbool.h>

#include "support.h"

typedef struct maker {
  uint8_t *bytes;
  size_t used, room;
} maker;
void make_bytes(maker *m, const void *bytes, size_t count);
void make_free(maker *m);

/* msgpack */
void make_big(maker *m, uint64_t value, int width);
void make_map(maker *m, size_t pairs);
void make_tuple(maker *m, size_t items);
void make_string(maker *m, const char *text);
void make_number(maker *m, uint64_t value);
void make_binary(maker *m, const void *bytes, size_t count);
/* Extension of a type around a payload. */
void make_extension(maker *m, int type, const maker *payload);
/* An array as Flax writes it: extension 1 around [shape, dtype, bytes]. */
void make_array(maker *m, int type, const char *dtype, int rank, const uint64_t *shape,
                const void *data, size_t data_bytes);
void make_floats(maker *m, size_t count, const float *values); /* rank 1, float32 */

/* safetensors: the header text, then data_bytes counting bytes. */
void make_safetensors(maker *m, const char *header, size_t data_bytes);

typedef struct peak_allocator {
  msk_allocator allocator;
  size_t live, peak;
  long blocks;
} peak_allocator;
void peak_allocator_init(peak_allocator *peak);
#endif
