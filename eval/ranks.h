/* SPDX-License-Identifier: Apache-2.0
 *
 * ranks.h - the processes of one mpirun, in a build with MPI. Of an evaluation each takes the next
 * picture when it has finished one, so that a slow machine takes fewer and all end together. Rank 0
 * hands out, from a thread beside its own pictures. A rank that fails ends them all; what each has
 * recorded stays. Without MPI, mpirun is a way to start shards (app/shard.h). */
#ifndef EVAL_RANKS_H
#define EVAL_RANKS_H

#include <stddef.h>

#include "app/shard.h"

/* What can be made: the next item after one, or -1. Called in rank 0, by one thread at a time. */
typedef int ranks_find(void *user, int after);
typedef struct ranks ranks;

#if MASKSKETCH_MPI
/* Joins the others; *out is NULL where this process was started alone. */
msk_status ranks_join(ranks **out, msk_error *error);
/* The rank and how many there are, counted as shards are. */
shard ranks_share(const ranks *r);
/* Begins to hand out, in rank 0; elsewhere nothing happens. */
msk_status ranks_open(ranks *r, ranks_find *find, void *user, msk_error *error);
/* The next item for this rank, or -1. */
int ranks_next(ranks *r);
/* Waits until every rank has come here, and frees; everything recorded is on the disk then. */
void ranks_leave(ranks *r);
/* Ends all ranks with an exit code; does not return. */
void ranks_end_all(int code);
#else
static inline msk_status ranks_join(ranks **out, msk_error *error) {
  (void)error;
  *out = NULL; /* what follows is for the compiler: nobody has ranks to call it with */
  return MSK_OK;
}
static inline shard ranks_share(const ranks *r) {
  (void)r;
  return (shard){1, 1};
}
static inline msk_status ranks_open(ranks *r, ranks_find *find, void *user, msk_error *error) {
  (void)r, (void)find, (void)user, (void)error;
  return MSK_OK;
}
static inline int ranks_next(ranks *r) {
  (void)r;
  return -1;
}
static inline void ranks_leave(ranks *r) { (void)r; }
static inline void ranks_end_all(int code) { (void)code; }
#endif
#endif
