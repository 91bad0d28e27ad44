/* SPDX-License-Identifier: Apache-2.0
 *
 * stream.c - what operations ask of the stream that they run on: its workers, and scratch
 * memory, or while measuring how much they would need. */
#include "compute/stream.h"

#include <assert.h>

size_t msk_stream_workers(const msk_stream *stream) {
  if (stream->pool != NULL) return (size_t)msk_pool_threads(stream->pool);
  return stream->threads > 0 ? (size_t)stream->threads : 1;
}

char *msk_stream_scratch(const msk_stream *stream) {
  return stream->measuring ? MSK_NOWHERE : stream->scratch;
}

bool msk_stream_measure(msk_stream *stream, size_t bytes) {
  if (stream->measuring) {
    if (bytes > stream->scratch_bytes) stream->scratch_bytes = bytes;
    return true;
  }
  assert(bytes <= stream->scratch_bytes);
  return false;
}
