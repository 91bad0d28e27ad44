/* SPDX-License-Identifier: Apache-2.0
 *
 * pool.c - see pool.h. One word, `state`, decides everything about a job: its number, whether it
 * is closed, and how many workers are inside. A worker enters a job by compare-and-swap of that
 * word and reads the job's fields only while it is inside; the caller closes the job when no
 * index is left and waits until nobody is inside. A worker that wakes late therefore finds the
 * job closed and never touches the next one's fields, and the caller never waits for a worker
 * that did not come. */
#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/memory.h"

/* state: job number in the high half, then a bit "closed", then the number of workers inside. */
#define CLOSED ((uint64_t)1 << 31)
#define INSIDE_MASK (CLOSED - 1)
#define JOB_STEP ((uint64_t)1 << 32)

enum { SPINS = 2000 };

/* The worker and its part of the job's indices, [next, end): each takes its own first, then what
 * others have left. */
typedef struct worker {
  _Alignas(64) _Atomic size_t next;
  size_t end;
  msk_pool *pool;
  pthread_t thread;
  int number;
} worker;

struct msk_pool {
  const msk_allocator *allocator;
  int threads, started; /* workers 1..started run; worker 0 is the caller */
  worker *workers;      /* `threads`, the caller's among them */
  pthread_mutex_t mutex;
  pthread_cond_t wake, left;
  _Alignas(64) _Atomic uint64_t state;
  _Atomic int sleepers; /* workers that wait on `wake` or are about to */
  _Atomic bool caller_waits;
  _Atomic bool stop;
  msk_task *task; /* the job; written only while it is closed and nobody is inside */
  void *user;
};

static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

static void take_indices(msk_pool *pool, int number) {
  for (int i = 0; i < pool->threads; i++) {
    worker *owner = &pool->workers[(number + i) % pool->threads];
    size_t end = owner->end;
    while (atomic_load_explicit(&owner->next, memory_order_relaxed) < end) {
      size_t index = atomic_fetch_add_explicit(&owner->next, 1, memory_order_relaxed);
      if (index < end) pool->task(pool->user, index, number);
    }
  }
}

/* Worker w's part is the w-th of equal runs, so that where one job's index k reads what
 * another's index k wrote, it mostly lies in the reader's own cache. */
static void share_out(msk_pool *pool, size_t count) {
  size_t threads = (size_t)pool->threads, each = count / threads, more = count % threads, first = 0;
  for (size_t w = 0; w < threads; w++) {
    atomic_store_explicit(&pool->workers[w].next, first, memory_order_relaxed);
    first += each + (w < more ? 1 : 0);
    pool->workers[w].end = first;
  }
}

/* True when a job that is not `last` is open; *state is then what was seen. */
static bool job_open(msk_pool *pool, uint64_t last, uint64_t *state) {
  *state = atomic_load(&pool->state);
  return (*state / JOB_STEP) != last && (*state & CLOSED) == 0;
}

/* Waits for a job that was not seen before; false when the pool stops. */
static bool wait_for_job(msk_pool *pool, uint64_t last, uint64_t *state) {
  for (int spin = 0; spin < SPINS; spin++) {
    if (job_open(pool, last, state)) return true;
    if (atomic_load_explicit(&pool->stop, memory_order_acquire)) return false;
    relax();
  }
  pthread_mutex_lock(&pool->mutex);
  /* before looking again: the caller publishes the job, then looks here */
  atomic_fetch_add(&pool->sleepers, 1);
  while (!job_open(pool, last, state) && !atomic_load(&pool->stop))
    pthread_cond_wait(&pool->wake, &pool->mutex);
  atomic_fetch_sub(&pool->sleepers, 1);
  pthread_mutex_unlock(&pool->mutex);
  return !atomic_load(&pool->stop);
}

static void leave_job(msk_pool *pool) {
  uint64_t after = atomic_fetch_sub(&pool->state, 1) - 1;
  if ((after & CLOSED) == 0 || (after & INSIDE_MASK) != 0 || !atomic_load(&pool->caller_waits))
    return;
  pthread_mutex_lock(&pool->mutex);
  pthread_cond_signal(&pool->left);
  pthread_mutex_unlock(&pool->mutex);
}

static void *worker_main(void *argument) {
  worker *self = argument;
  msk_pool *pool = self->pool;
  uint64_t last = 0, state;
  while (wait_for_job(pool, last, &state)) {
    /* another came in, or it was closed */
    if (!atomic_compare_exchange_strong(&pool->state, &state, state + 1)) continue;
    last = state / JOB_STEP;
    take_indices(pool, self->number);
    leave_job(pool);
  }
  return NULL;
}

static bool nobody_inside(msk_pool *pool) { return (atomic_load(&pool->state) & INSIDE_MASK) == 0; }

static void wait_until_left(msk_pool *pool) {
  for (int spin = 0; spin < SPINS; spin++) {
    if (nobody_inside(pool)) return;
    relax();
  }
  pthread_mutex_lock(&pool->mutex);
  atomic_store(&pool->caller_waits, true);
  while (!nobody_inside(pool)) pthread_cond_wait(&pool->left, &pool->mutex);
  atomic_store(&pool->caller_waits, false);
  pthread_mutex_unlock(&pool->mutex);
}

void msk_pool_run(msk_pool *pool, size_t count, msk_task *task, void *user) {
  if (pool == NULL || pool->threads == 1 || count < 2) {
    for (size_t index = 0; index < count; index++) task(user, index, 0);
    return;
  }
  pool->task = task;
  pool->user = user;
  share_out(pool, count);
  uint64_t job = (atomic_load(&pool->state) / JOB_STEP + 1) & UINT32_MAX;
  /* last: who sees the job's number sees its task and shares */
  atomic_store(&pool->state, job * JOB_STEP);
  /* after the job is out: a worker counts itself a sleeper first and then looks for a job again */
  if (atomic_load(&pool->sleepers) > 0) {
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
  }
  take_indices(pool, 0);
  /* who wakes only now stays out: the next job may write task and shares anew */
  atomic_fetch_or(&pool->state, CLOSED);
  wait_until_left(pool);
}

int msk_pool_threads(const msk_pool *pool) { return pool == NULL ? 1 : pool->threads; }

/* Signals stay with the program's own threads. */
static bool start_workers(msk_pool *pool) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  while (pool->started < pool->threads - 1) {
    worker *w = &pool->workers[pool->started + 1];
    w->pool = pool;
    w->number = pool->started + 1;
    if (pthread_create(&w->thread, NULL, worker_main, w) != 0) break;
    pool->started++;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return pool->started == pool->threads - 1;
}

msk_status msk_pool_create(msk_pool **out, int threads, const msk_allocator *allocator,
                           msk_error *error) {
  if (threads < 1 || threads > MSK_MAX_THREADS) {
    return msk_fail(error, MSK_ERROR_ARGUMENT, "thread count %d is out of range, expected 1 to %d",
                    threads, MSK_MAX_THREADS);
  }
  msk_pool *pool = msk_allocate_zeroed(allocator, 1, sizeof *pool);
  if (pool == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "out of memory for the thread pool");
  pool->allocator = allocator;
  pool->threads = threads;
  pool->workers = msk_allocate_zeroed(allocator, (size_t)threads, sizeof *pool->workers);
  if (pool->workers == NULL) {
    msk_free(allocator, pool);
    return msk_fail(error, MSK_ERROR_MEMORY, "out of memory for the thread pool");
  }
  atomic_init(&pool->state, CLOSED);
  pthread_mutex_init(&pool->mutex, NULL);
  pthread_cond_init(&pool->wake, NULL);
  pthread_cond_init(&pool->left, NULL);
  if (!start_workers(pool)) {
    msk_pool_destroy(pool);
    return msk_fail(error, MSK_ERROR_MEMORY, "the system refused to start %d threads: try fewer",
                    threads);
  }
  *out = pool;
  return MSK_OK;
}

void msk_pool_destroy(msk_pool *pool) {
  if (pool == NULL) return;
  pthread_mutex_lock(&pool->mutex);
  atomic_store(&pool->stop, true);
  pthread_cond_broadcast(&pool->wake);
  pthread_mutex_unlock(&pool->mutex);
  for (int i = 0; i < pool->started; i++) pthread_join(pool->workers[i + 1].thread, NULL);
  pthread_cond_destroy(&pool->left);
  pthread_cond_destroy(&pool->wake);
  pthread_mutex_destroy(&pool->mutex);
  msk_free(pool->allocator, pool->workers);
  msk_free(pool->allocator, pool);
}
