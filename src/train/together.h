/* SPDX-License-Identifier: Apache-2.0
 *
 * together.h - ranks that train together (msk_train_ranks): who one is, and sums over all in the
 * order of their numbers, so that every rank has the same bytes. NULL is a process alone, for which
 * all of this does nothing. */
#ifndef MSK_TRAIN_TOGETHER_H
#define MSK_TRAIN_TOGETHER_H

#include <stdbool.h>

#include "masksketch_tools.h"

static inline size_t msk_ranks_count(const msk_train_ranks *ranks) {
  return ranks == NULL ? 1 : (size_t)ranks->count;
}
static inline size_t msk_rank_of(const msk_train_ranks *ranks) {
  return ranks == NULL ? 0 : (size_t)ranks->rank;
}

/* Whether any rank says so. */
bool msk_ranks_any(const msk_train_ranks *ranks, bool mine);
/* Every rank's rows of floats, in the order of the ranks, at `all`; alone, a copy. */
void msk_ranks_gather(const msk_train_ranks *ranks, const void *mine, size_t bytes, void *all);
/* Rank 0's to all. */
void msk_ranks_share(const msk_train_ranks *ranks, void *values, size_t bytes);

/* Sums, to all; of at most MSK_RANKS_FEW numbers. */
enum { MSK_RANKS_FEW = 8 };
void msk_ranks_add_few(const msk_train_ranks *ranks, double *values, size_t count);
/* Floats of room for the sums of blocks; 0 alone. */
size_t msk_ranks_room(const msk_train_ranks *ranks);
void msk_ranks_add(const msk_train_ranks *ranks, float *values, size_t count, float *room);

#endif
