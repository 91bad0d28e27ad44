/* SPDX-License-Identifier: Apache-2.0
 *
 * stream.c - see stream.h. Source: HTML Living Standard, server-sent events. The connection's
 * own thread waits here for the job to change. */
#include "stream.h"

#include <stdlib.h>
#include <string.h>

#include "app/json.h"

enum { COMMENT_SECONDS = 10, WAIT_MS = 500 };

typedef struct stream {
  server *server;
  exchange *exchange;
  job *job;
  job_told told;
  unsigned version;
  double last; /* when something was sent */
  char *text;  /* of the event that is being sent */
  size_t count, sent;
} stream;

static bool set_text(stream *s, const char *event, json_t *data) {
  char *line = json_dump(data, JSON_COMPACT);
  json_decref(data);
  if (line == NULL) return false;
  size_t bytes = strlen(line) + strlen(event) + 32;
  s->text = malloc(bytes);
  if (s->text != NULL)
    s->count = (size_t)snprintf(s->text, bytes, "event: %s\ndata: %s\n\n", event, line);
  free(line);
  s->sent = 0;
  return s->text != NULL;
}

/* Waits for something to tell. 1: there is text; 0: the job is over and told; -1: the reader
 * left, or memory was refused. */
static int next_text(stream *s) {
  for (;;) {
    const char *event = NULL;
    json_t *data = jobs_next_event(s->server->jobs, s->job, &s->told, &event);
    if (data != NULL) return set_text(s, event, data) ? 1 : -1;
    if (s->told.over) return 0;
    if (server_clock() - s->last > COMMENT_SECONDS) {
      s->text = strdup(": waiting\n\n");
      s->count = s->text == NULL ? 0 : strlen(s->text);
      s->sent = 0;
      return s->text == NULL ? -1 : 1;
    }
    if (exchange_left(s->exchange)) return -1;
    s->version = jobs_wait(s->server->jobs, s->job, s->version, WAIT_MS);
  }
}

static ssize_t read_stream(void *user, uint64_t position, char *buffer, size_t room) {
  stream *s = user;
  (void)position;
  if (s->text == NULL) {
    int found = next_text(s);
    if (found <= 0)
      return found == 0 ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
  }
  size_t left = s->count - s->sent, piece = left < room ? left : room;
  memcpy(buffer, s->text + s->sent, piece);
  s->sent += piece;
  s->last = server_clock();
  if (s->sent == s->count) {
    free(s->text);
    s->text = NULL;
  }
  return (ssize_t)piece;
}

static void end_stream(void *user) {
  stream *s = user;
  jobs_release(s->server->jobs, s->job);
  free(s->text);
  free(s);
}

enum MHD_Result stream_job(exchange *e, job *j) {
  stream *s = calloc(1, sizeof *s);
  if (s == NULL) {
    jobs_release(e->server->jobs, j);
    problem_set(&e->problem, 503, NULL, "out of memory for the stream");
    return answer_problem(e);
  }
  *s = (stream){.server = e->server, .exchange = e, .job = j, .version = 0, .last = server_clock()};
  answer_header(e, "X-Accel-Buffering", "no"); /* nginx passes each event on at once */
  return answer_stream(e, "text/event-stream", read_stream, s, end_stream);
}
