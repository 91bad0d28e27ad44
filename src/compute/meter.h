/* SPDX-License-Identifier: Apache-2.0
 *
 * meter.h - who listens to what a network does, and how long it takes. A forward function notes
 * each operation after it has run; the time since the note before is that operation's. Without a
 * listener a note costs one comparison. Belongs to one thread, as its stream does. */
#ifndef MSK_COMPUTE_METER_H
#define MSK_COMPUTE_METER_H

#include "compute/operations.h"

struct msk_meter {
  void *user;
  /* flop: multiplications and additions of the plain algorithm (a convolution counts as direct,
   * whatever computes it); 0 where bytes count */
  void (*note)(void *user, const char *pass, const char *name, double seconds, double flop);
  const char *pass;
  double since;
};

/* A pass begins: what follows is noted under this name. */
void msk_meter_begin(const msk_stream *stream, const char *pass);
/* The operation since the last note has ended. */
void msk_meter_note(const msk_stream *stream, const char *name, double flop);
/* A convolution that gave y; normalised: with the norm before it. */
void msk_meter_conv(const msk_stream *stream, const msk_conv_head *conv, bool normalised,
                    msk_map y);
/* What attention is noted as by every kind of device: its name, and the work of Q K' for every pair
 * of tokens, and of P V where there are values. */
const char *msk_meter_attention(const msk_read_out *reads);
static inline double msk_attention_flop(msk_rows q, size_t tokens, msk_rows out) {
  return (out.at != NULL ? 4.0 : 2.0) * (double)q.rows * (double)tokens * (double)q.columns;
}
/* True if names are worth making. */
static inline bool msk_meter_listens(const msk_stream *stream) {
  return stream->meter != NULL && !stream->measuring;
}

#endif
