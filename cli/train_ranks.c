/* SPDX-License-Identifier: Apache-2.0
 * train_ranks.c - see train_ranks.h. A call of MPI that fails ends all ranks, as MPI has it by
 * itself. Waits sleep between looks, the longer the longer they last: rank 0 may be rendering or
 * writing for minutes, and MPI's own waits keep a processor busy. */
#include "train_ranks.h"

#include <mpi.h>
#include <time.h>

enum { LOOKS_AT_ONCE = 1000, SHORTEST = 20000, LONGEST = 2000000 }; /* nanoseconds */

static void wait_for(MPI_Request *request) {
  long pause = SHORTEST;
  int done = 0;
  for (int look = 0; MPI_Test(request, &done, MPI_STATUS_IGNORE) == MPI_SUCCESS && !done; look++) {
    if (look < LOOKS_AT_ONCE) continue;
    nanosleep(&(struct timespec){.tv_nsec = pause}, NULL);
    if (pause < LONGEST) pause += pause / 8;
  }
}

static void gather(void *user, const void *mine, size_t bytes, void *all) {
  MPI_Request request;
  (void)user;
  MPI_Iallgather(mine, (int)bytes, MPI_BYTE, all, (int)bytes, MPI_BYTE, MPI_COMM_WORLD, &request);
  wait_for(&request);
}

static void exchange(void *user, const void *mine, size_t bytes, void *all) {
  MPI_Request request;
  (void)user;
  MPI_Ialltoall(mine, (int)bytes, MPI_BYTE, all, (int)bytes, MPI_BYTE, MPI_COMM_WORLD, &request);
  wait_for(&request);
}

static void share_bytes(void *user, void *bytes, size_t count) {
  MPI_Request request;
  (void)user;
  MPI_Ibcast(bytes, (int)count, MPI_BYTE, 0, MPI_COMM_WORLD, &request);
  wait_for(&request);
}

msk_train_ranks train_ranks_of(const ranks *r) {
  shard share = ranks_share(r);
  return (msk_train_ranks){.rank = share.number - 1,
                           .count = share.count,
                           .gather = gather,
                           .exchange = exchange,
                           .share = share_bytes};
}
