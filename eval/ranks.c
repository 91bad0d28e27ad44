/* SPDX-License-Identifier: Apache-2.0
 * ranks.c - see ranks.h. A rank asks with a message of one number and is answered with one. Waits
 * sleep between looks: MPI's own would keep a processor busy that pictures need. */
#include "eval/ranks.h"

#include <mpi.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "app/report.h"

enum { ASKS, LEAVES }; /* what a rank tells rank 0 */

struct ranks {
  int rank, count;
  bool opened;
  /* rank 0's */
  pthread_t clerk;
  pthread_mutex_t lock; /* of what is handed out */
  ranks_find *find;
  void *user;
  int last; /* handed out; -1: nothing yet */
  bool empty;
};

/* ---- messages ---- */

static void send_number(int number, int to) {
  MPI_Send(&number, 1, MPI_INT, to, 0, MPI_COMM_WORLD);
}

/* Waits for a number; *from is MPI_ANY_SOURCE or a rank, and tells who sent it. */
static int receive_number(int *from) {
  const struct timespec pause = {0, 2000000};
  int number = 0, there = 0;
  MPI_Status status;
  while (MPI_Iprobe(*from, 0, MPI_COMM_WORLD, &there, &status) == MPI_SUCCESS && !there)
    nanosleep(&pause, NULL);
  *from = status.MPI_SOURCE;
  MPI_Recv(&number, 1, MPI_INT, *from, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  return number;
}

/* ---- rank 0 ---- */

static int take_next(ranks *r) {
  pthread_mutex_lock(&r->lock);
  if (!r->empty) r->last = r->find(r->user, r->last);
  r->empty = r->last < 0;
  const int item = r->last;
  pthread_mutex_unlock(&r->lock);
  return item;
}

/* Answers the others until all have left. */
static void *answer(void *user) {
  ranks *r = user;
  for (int left = 1; left < r->count;) {
    int from = MPI_ANY_SOURCE;
    if (receive_number(&from) == LEAVES) {
      left++;
    } else {
      send_number(take_next(r), from);
    }
  }
  return NULL;
}

/* ---- for the evaluation ---- */

msk_status ranks_join(ranks **out, msk_error *error) {
  int level = 0;
  *out = NULL;
  /* what mpirun and srun --mpi=pmix tell their processes; MPI_Init would be a second's wait for
   * whoever was started alone */
  if (getenv("PMIX_RANK") == NULL) return MSK_OK;
  ranks *r = calloc(1, sizeof *r);
  if (r == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the ranks");
  MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &level);
  MPI_Comm_rank(MPI_COMM_WORLD, &r->rank);
  MPI_Comm_size(MPI_COMM_WORLD, &r->count);
  if (r->count == 1) { /* or the others are of another MPI: variables tell */
    MPI_Finalize();
    free(r);
    return MSK_OK;
  }
  *out = r;
  if (r->count <= MAX_SHARDS && level >= MPI_THREAD_SERIALIZED) return MSK_OK;
  return app_fail(error, MSK_ERROR_ARGUMENT,
                  "MPI has %d ranks and support of threads %d, expected at most %d and at least %d",
                  r->count, level, MAX_SHARDS, MPI_THREAD_SERIALIZED);
}

shard ranks_share(const ranks *r) { return (shard){r->rank + 1, r->count}; }

msk_status ranks_open(ranks *r, ranks_find *find, void *user, msk_error *error) {
  r->opened = true;
  if (r->rank != 0) return MSK_OK;
  r->find = find;
  r->user = user;
  r->last = -1;
  pthread_mutex_init(&r->lock, NULL);
  if (pthread_create(&r->clerk, NULL, answer, r) != 0)
    return app_fail(error, MSK_ERROR_MEMORY, "cannot start the thread that hands out the work");
  return MSK_OK;
}

int ranks_next(ranks *r) {
  int first = 0;
  if (r->rank == 0) return take_next(r);
  send_number(ASKS, 0);
  return receive_number(&first);
}

void ranks_leave(ranks *r) {
  int first = 0;
  if (!r->opened) {
    MPI_Barrier(MPI_COMM_WORLD);
  } else if (r->rank == 0) {
    pthread_join(r->clerk, NULL);
    pthread_mutex_destroy(&r->lock);
    for (int other = 1; other < r->count; other++) send_number(LEAVES, other);
  } else {
    send_number(LEAVES, 0);
    receive_number(&first);
  }
  MPI_Finalize();
  free(r);
}

void ranks_end_all(int code) { MPI_Abort(MPI_COMM_WORLD, code); }
