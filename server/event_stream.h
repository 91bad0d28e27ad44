/* SPDX-License-Identifier: Apache-2.0
 *
 * event_stream.h - a job's events as text/event-stream. The stream tells the state that it has not
 * told yet, so a slow reader costs no memory. */
#ifndef SERVER_EVENT_STREAM_H
#define SERVER_EVENT_STREAM_H

#include "exchange.h"

/* Takes over the reference to the job. */
enum MHD_Result stream_job(exchange *e, job *j);

/* In other words: the text of an event, to free(), empty where there is nothing to tell, NULL
 * without memory; `data` is taken over. */
typedef char *stream_teller(void *user, const job *j, const char *event, json_t *data);
/* When the stream has ended, while the job is still there. */
typedef void stream_end(void *user, job *j);
/* Takes over the reference to the job, and `user`, which is NULL where there was no memory. */
enum MHD_Result stream_told(exchange *e, job *j, stream_teller *tell, stream_end *end, void *user);
/* One event; `data` is taken over. NULL where anything of it was lost. */
char *stream_text(const char *event, json_t *data);
#endif
