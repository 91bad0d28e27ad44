/* SPDX-License-Identifier: Apache-2.0
 *
 * threads.h - how many processors this process may use. msk_default_threads() of the public
 * header is implemented here. */
#ifndef MSK_BASE_THREADS_H
#define MSK_BASE_THREADS_H

#include "masksketch.h"

/* Whether options may ask for so many: 0 (all processors) to MSK_MAX_THREADS. */
msk_status msk_threads_check(int threads, msk_error *error);

/* Processors that the CPU quota of this process's control group allows (rounded up, the tightest
 * of the group and its parents), version 1 or 2; 0: no limit. `membership` is /proc/self/cgroup,
 * `root` /sys/fs/cgroup; parameters for tests. */
int msk_quota_threads(const char *membership, const char *root);
#endif
