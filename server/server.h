/* SPDX-License-Identifier: Apache-2.0
 *
 * server.h - what the parts of `masksketch serve` share. One process: libmicrohttpd with a
 * thread a connection (http.c), a table of jobs (jobs.c), worker threads with one session each
 * (worker.c). docs/http.md is the interface.
 *
 *     main thread    signals, the clock's tick: watchdog of connections, expiry of jobs
 *     connection     parses, checks and submits; waits for events; never computes
 *     worker         the pictures, previews, and errands (attention, tokens -> picture) between
 *                    two steps
 *
 * Locks: jobs->lock guards every job's state; connections->lock the list of connections;
 * large_requests lets one of these be read at a time, small_pictures one small picture be
 * decoded, which bounds their memory. But for small_pictures under large_requests none is held
 * while another is taken, and none while computing. */
#ifndef SERVER_H
#define SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "masksketch.h"
#include "metrics.h"
#include "serve.h"

enum {
  SERVER_MAX_COUNT = 16,    /* pictures a job */
  SERVER_MAX_STEPS = 1000,  /* steps a picture */
  SERVER_MAX_JOBS = 2000,   /* in the table, finished ones included */
  SERVER_MAX_LIVE = 32,     /* live jobs waiting */
  SERVER_MAX_ERRANDS = 32,  /* errands waiting */
  SERVER_PREVIEW_MS = 150,  /* between two previews, if not asked otherwise */
  SERVER_OPENAI_COUNT = 10, /* as theirs */
  SERVER_MAX_DEVICES = 8,
  /* bodies of so many times the limit may be on their way at once */
  SERVER_BODY_FACTOR = 6,
  SERVER_PICTURE_PIXELS = 1 << 24 /* largest picture in a request */
};
/* finished jobs hold so much at most; a picture's session has so much at most */
static const size_t SERVER_KEEP_BYTES = (size_t)256 << 20;
static const size_t SERVER_SESSION_BYTES = (size_t)2 << 30;

typedef struct server {
  server_config config;
  size_t body_bytes; /* a request's size at most */
  /* on each device that jobs may ask for (served_models.h); the first is `model`, and serves all
   * that is not asked of a device */
  msk_model *models[SERVER_MAX_DEVICES];
  int model_count;
  const msk_model *model;
  msk_model_info info;
  struct jobs *jobs;
  struct workers *workers;
  struct scorer *scorer; /* NULL: no CLIP */
  struct assets *assets;
  metrics metrics;
  pthread_mutex_t small_pictures, large_requests; /* pictures.h */
  double start_time;                              /* seconds since 1970 */
  atomic_bool stopping, draining;
} server;

#endif
