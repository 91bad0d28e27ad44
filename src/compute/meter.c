/* SPDX-License-Identifier: Apache-2.0
 * meter.c - see meter.h. */
#include "compute/meter.h"

#include "base/clock.h"

void msk_meter_begin(const msk_stream *stream, const char *pass) {
  if (!msk_meter_listens(stream)) return;
  stream->meter->pass = pass;
  stream->meter->since = msk_clock();
}

void msk_meter_note(const msk_stream *stream, const char *name, double flop) {
  if (!msk_meter_listens(stream)) return;
  msk_meter *meter = stream->meter;
  double time = msk_clock();
  meter->note(meter->user, meter->pass, name, time - meter->since, flop);
  meter->since = msk_clock(); /* the listener's own time is nobody's */
}

const char *msk_meter_attention(const msk_read_out *reads) {
  if (reads->maps != NULL) return "attention, maps kept";
  return reads->score != NULL ? "attention, scored" : "attention";
}
