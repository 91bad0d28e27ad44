/* SPDX-License-Identifier: Apache-2.0
 * meter.c - see meter.h. */
#include "compute/meter.h"

#include <time.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

void msk_meter_begin(const msk_stream *stream, const char *pass) {
  if (!msk_meter_listens(stream)) return;
  stream->meter->pass = pass;
  stream->meter->since = now();
}

void msk_meter_note(const msk_stream *stream, const char *name, double flop) {
  if (!msk_meter_listens(stream)) return;
  msk_meter *meter = stream->meter;
  double time = now();
  meter->note(meter->user, meter->pass, name, time - meter->since, flop);
  meter->since = now(); /* the listener's own time is nobody's */
}
