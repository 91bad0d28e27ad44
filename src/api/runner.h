/* SPDX-License-Identifier: Apache-2.0
 *
 * runner.h - runs a network that stands by itself (CLIP, the judge), one pass at a time: on the
 * CPU or on a GPU; and where the device "auto" was asked for, on the CPU once the GPU has failed,
 * from the very pass that failed. It has devices and working memory, its owner the network, for
 * which it asks when it is opened and when the CPU takes over. Belongs to one thread. */
#ifndef MSK_API_RUNNER_H
#define MSK_API_RUNNER_H

#include "api/choose_device.h"

/* Loads the owner's network on the device, in place of the one that it may have. */
typedef msk_status msk_runner_load(void *owner, const msk_device *device, msk_pool *pool,
                                   msk_error *error);

typedef struct msk_runner {
  msk_runner_load *load;
  void *owner;
  const char *name; /* the network's, for people */
  const msk_allocator *allocator;
  msk_device *cpu, *gpu;   /* gpu: or NULL */
  const msk_device *place; /* the one that the network is on */
  msk_pool *pool;          /* NULL: the caller's thread alone, or nothing is run */
  int threads;
  bool may_fall;
  char line[600]; /* why the CPU is in the GPU's place; else empty */
  /* of the largest pass until now */
  char *memory;
  msk_workspace *workspace; /* where the place has memory of its own */
  size_t bytes;
} msk_runner;

/* A pass from floats to floats; both lie on this side, and run() is told where the network finds
 * and leaves them. */
typedef struct msk_runner_pass {
  void (*run)(const void *user, msk_stream *stream, msk_arena *arena, const float *from, float *to);
  const void *user;
  const float *from;
  size_t from_count;
  float *to;
  size_t to_count;
} msk_runner_pass;

/* size: of one of the network's products (choose_device.h). tally: nothing is loaded, but counted;
 * else NULL. msk_runner_close() it in any case. */
msk_status msk_runner_open(msk_runner *runner, const msk_device_wish *wish,
                           const msk_product_size *size, msk_tally *tally, const char *name,
                           msk_runner_load *load, void *owner, msk_error *error);
/* Whether the network may have to be loaded once more: its file stays open as long. */
static inline bool msk_runner_may_load(const msk_runner *runner) {
  return runner->may_fall && runner->place != runner->cpu;
}
/* After the owner's network has gone; one that was never opened is zeroed. */
void msk_runner_close(msk_runner *runner);
/* Bytes that a pass takes, where the network is. */
msk_status msk_runner_measure(const msk_runner *runner, const msk_runner_pass *pass, size_t *bytes,
                              msk_error *error);
msk_status msk_runner_run(msk_runner *runner, const msk_runner_pass *pass, msk_error *error);
/* What should be told of where it computes; NULL: nothing. */
const char *msk_runner_warning(const msk_runner *runner);

#endif
