/* SPDX-License-Identifier: Apache-2.0
 *
 * stream.h - what operations on every kind of device ask of the stream that they run on, and the
 * sizes that they reckon with. */
#ifndef MSK_COMPUTE_STREAM_H
#define MSK_COMPUTE_STREAM_H

#include "compute/backend.h"

static inline size_t msk_smaller(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t msk_ceiling(size_t a, size_t b) { return (a + b - 1) / b; }
static inline size_t msk_round_up(size_t a, size_t b) { return msk_ceiling(a, b) * b; }

/* Bytes of `floats` floats, in whole cache lines. */
static inline size_t msk_scratch_floats(size_t floats) {
  return msk_round_up(floats * sizeof(float), MSK_ALIGNMENT);
}
/* The number of workers whose scratch has to be laid out. */
size_t msk_stream_workers(const msk_stream *stream);
/* Where an operation may lay its scratch memory out; while measuring, an address at which nothing
 * lies. */
char *msk_stream_scratch(const msk_stream *stream);
/* While measuring: notes `bytes` and answers true: the operation returns. Running: checks that
 * they are there. */
bool msk_stream_measure(msk_stream *stream, size_t bytes);

#endif
