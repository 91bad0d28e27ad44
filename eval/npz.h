/* SPDX-License-Identifier: Apache-2.0
 *
 * npz.h - pictures as the .npz that published evaluators read (the guided-diffusion suite's, "ADM"
 * for short): one array arr_0 of uint8, pictures x height x width x 3. A zip with one stored
 * member, with the 64-bit fields where it has 4 GiB or more (APPNOTE.TXT 6.3). Pictures go through
 * one by one. */
#ifndef EVAL_NPZ_H
#define EVAL_NPZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "masksketch.h"

typedef struct npz_order {
  const char *folder, *output;
  int size; /* pixels a side, for which the centre is cut out; 0: as they are, all alike */
  bool quiet;
} npz_order;
/* Writes all pictures of a folder, in the order of their names. */
msk_status npz_write(const npz_order *order, msk_error *error);

/* ---- its pieces ---- */

/* What stands before and behind the member's bytes. */
typedef struct npz_frame {
  uint8_t head[64], tail[192];
  size_t head_bytes, tail_bytes; /* head_bytes depends on member_bytes alone */
} npz_frame;
void npz_frame_make(npz_frame *frame, uint64_t member_bytes, uint32_t crc);
/* CRC-32 as zip has it; begins with 0. */
uint32_t npz_crc(uint32_t crc, const void *bytes, size_t count);
#endif
