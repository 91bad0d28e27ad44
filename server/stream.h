/* SPDX-License-Identifier: Apache-2.0
 *
 * stream.h - a job's events as text/event-stream. The stream tells the state that it has not
 * told yet, so a slow reader costs no memory. */
#ifndef SERVER_STREAM_H
#define SERVER_STREAM_H

#include "exchange.h"

/* Takes over the reference to the job. */
enum MHD_Result stream_job(exchange *e, job *j);
#endif
