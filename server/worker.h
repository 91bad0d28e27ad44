/* SPDX-License-Identifier: Apache-2.0
 *
 * worker.h - the threads that make pictures: each has one session, sized for the largest request
 * that it has met. */
#ifndef SERVER_WORKER_H
#define SERVER_WORKER_H

#include "server.h"

typedef struct workers workers;
/* Opens the sessions (so that the first job does not wait for it) and starts the threads. */
workers *workers_start(server *s, msk_error *error);
/* After jobs_stop(): waits for the threads. */
void workers_join(workers *w);
#endif
