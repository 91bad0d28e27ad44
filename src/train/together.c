/* SPDX-License-Identifier: Apache-2.0
 *
 * together.c - see together.h. A block is summed piece by piece: each rank gets all ranks' numbers
 * of its piece, adds them in the ranks' order, and gives the sum to all. So each number crosses the
 * network about twice, whatever the number of ranks, and no order is left to others. */
#include "train/together.h"

#include <string.h>

enum { PIECE = 1 << 15, MOST_BYTES = 64 << 20 };

bool msk_ranks_any(const msk_train_ranks *ranks, bool mine) {
  unsigned char own = mine, all[MSK_MAX_TRAIN_RANKS] = {mine};
  if (ranks != NULL) ranks->gather(ranks->user, &own, 1, all);
  return memchr(all, 1, msk_ranks_count(ranks)) != NULL;
}

void msk_ranks_gather(const msk_train_ranks *ranks, const void *mine, size_t bytes, void *all) {
  if (ranks != NULL) {
    ranks->gather(ranks->user, mine, bytes, all);
  } else {
    memcpy(all, mine, bytes);
  }
}

void msk_ranks_share(const msk_train_ranks *ranks, void *values, size_t bytes) {
  for (size_t at = 0; ranks != NULL && at < bytes; at += MOST_BYTES)
    ranks->share(ranks->user, (char *)values + at,
                 bytes - at < MOST_BYTES ? bytes - at : MOST_BYTES);
}

void msk_ranks_add_few(const msk_train_ranks *ranks, double *values, size_t count) {
  double all[MSK_MAX_TRAIN_RANKS * MSK_RANKS_FEW];
  if (ranks == NULL) return;
  ranks->gather(ranks->user, values, count * sizeof *values, all);
  memset(values, 0, count * sizeof *values);
  for (size_t r = 0; r < msk_ranks_count(ranks); r++) {
    for (size_t i = 0; i < count; i++) values[i] += all[r * count + i];
  }
}

size_t msk_ranks_room(const msk_train_ranks *ranks) {
  return ranks == NULL ? 0 : (2 * msk_ranks_count(ranks) + 1) * PIECE;
}

void msk_ranks_add(const msk_train_ranks *ranks, float *values, size_t count, float *room) {
  size_t ranks_count = msk_ranks_count(ranks);
  float *mine = room, *theirs = mine + ranks_count * PIECE, *sum = theirs + ranks_count * PIECE;
  for (size_t at = 0; ranks != NULL && at < count; at += ranks_count * PIECE) {
    size_t here = count - at < ranks_count * PIECE ? count - at : ranks_count * PIECE,
           piece = (here + ranks_count - 1) / ranks_count;
    memcpy(mine, values + at, here * sizeof *mine);
    memset(mine + here, 0, (ranks_count * piece - here) * sizeof *mine);
    ranks->exchange(ranks->user, mine, piece * sizeof *mine, theirs);
    /* by the ranks' numbers, whoever adds: all of them have the same bytes */
    memcpy(sum, theirs, piece * sizeof *sum);
    for (size_t r = 1; r < ranks_count; r++) {
      for (size_t i = 0; i < piece; i++) sum[i] += theirs[r * piece + i];
    }
    ranks->gather(ranks->user, sum, piece * sizeof *sum, mine);
    memcpy(values + at, mine, here * sizeof *mine);
  }
}
