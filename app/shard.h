/* SPDX-License-Identifier: Apache-2.0
 *
 * shard.h - which share of a work belongs to this process, where several do it side by side: shard
 * I of N has every N-th item, so that neighbours, which take alike, are spread. People and files
 * count shards from 1, as Jest, Playwright, cargo-nextest and split do; the ranks of Slurm and
 * Open MPI count from 0. */
#ifndef APP_SHARD_H
#define APP_SHARD_H

#include <stdbool.h>

#include "masksketch.h"

enum { MAX_SHARDS = 10000 };

typedef struct shard {
  int number, count; /* 1..count; count 1: the whole */
} shard;

/* What --shard was given: "2/7". NULL: what the variables of Slurm and Open MPI say, of a process
 * that these started as one of several; else the whole. *from is the name of the variable that
 * tells, "--shard", or NULL for the whole. */
msk_status shard_find(shard *out, const char **from, const char *given, msk_error *error);

static inline bool shard_has(const shard *s, int item) { return item % s->count == s->number - 1; }
#endif
