/* SPDX-License-Identifier: Apache-2.0
 *
 * await.h - for interfaces whose answer is the pictures themselves: their connection waits for the
 * job. */
#ifndef SERVER_AWAIT_H
#define SERVER_AWAIT_H

#include "exchange.h"
#include "jobs.h"

/* Waits for the end of a submitted job; when the client leaves, the job is cancelled. False, with
 * the exchange's problem, where it was not done. */
bool await_job(exchange *e, job *j);
#endif
