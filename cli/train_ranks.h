/* SPDX-License-Identifier: Apache-2.0
 *
 * train_ranks.h - the processes of one mpirun as msk_train() wants them, in a build with MPI. */
#ifndef CLI_TRAIN_RANKS_H
#define CLI_TRAIN_RANKS_H

#include "eval/ranks.h"
#include "masksketch_tools.h"

/* Of ranks that have joined. */
#if MASKSKETCH_MPI
msk_train_ranks train_ranks_of(const ranks *r);
#else
static inline msk_train_ranks train_ranks_of(const ranks *r) {
  (void)r; /* nobody has any */
  return (msk_train_ranks){.count = 1};
}
#endif
#endif
