/* SPDX-License-Identifier: Apache-2.0
 *
 * pool.h - the thread pool: a fixed team that runs `task(user, index, worker)` for index
 * 0..count-1. Work is handed out in whole indices; what an index computes must not depend on
 * which worker runs it, so results are the same for any number of threads. Workers spin briefly,
 * then sleep. One pool a session; a pool is used by one caller at a time; tasks must not nest. */
#ifndef MSK_BASE_POOL_H
#define MSK_BASE_POOL_H

#include "masksketch.h"

typedef struct msk_pool msk_pool;
typedef void msk_task(void *user, size_t index, int worker);

/* threads >= 1, the caller's thread included. */
msk_status msk_pool_create(msk_pool **pool, int threads, const msk_allocator *allocator,
                           msk_error *error);
void msk_pool_destroy(msk_pool *pool);
int msk_pool_threads(const msk_pool *pool);
/* Returns when all indices are done. pool NULL: runs them in the caller's thread as worker 0. */
void msk_pool_run(msk_pool *pool, size_t count, msk_task *task, void *user);
#endif
