/* SPDX-License-Identifier: Apache-2.0
 * meter.c - see meter.h. */
#include "compute/meter.h"

#include <stdio.h>

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

static const char *name_of_numbers(const msk_conv_head *conv) {
  if (conv->int8) return ", int8";
  return conv->int16 ? ", int16" : "";
}

void msk_meter_conv(const msk_stream *stream, const msk_conv_head *conv, bool normalised,
                    msk_map y) {
  if (!msk_meter_listens(stream)) return;
  char name[64];
  double products = (double)(conv->kernel * conv->kernel * conv->in) * (double)conv->out;
  snprintf(name, sizeof name, "%sconv %zux%zu %zu->%zu, %zux%zu%s", normalised ? "norm, " : "",
           conv->kernel, conv->kernel, conv->in, conv->out, y.height, y.width,
           name_of_numbers(conv));
  msk_meter_note(stream, name, 2.0 * (double)(y.batch * y.height * y.width) * products);
}

const char *msk_meter_attention(const msk_read_out *reads) {
  if (reads->maps != NULL) return "attention, maps kept";
  return reads->score != NULL ? "attention, scored" : "attention";
}
