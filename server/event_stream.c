/* SPDX-License-Identifier: Apache-2.0
 *
 * event_stream.c - see event_stream.h. Source: HTML Living Standard, server-sent events. The
 * connection's own thread waits here for the job to change. */
#include "event_stream.h"

#include <stdlib.h>
#include <string.h>

#include "app/json.h"
#include "app/progress.h"

enum { COMMENT_SECONDS = 10, WAIT_MS = 500 };

typedef struct stream {
  server *server;
  exchange *exchange;
  job *job;
  stream_teller *tell;
  stream_end *end;
  void *user;
  job_told told;
  unsigned version;
  double last; /* when something was sent */
  char *text;  /* of the event that is being sent */
  size_t count, sent;
} stream;

char *stream_text(const char *event, json_t *data) {
  char *line = json_dump(data, JSON_COMPACT), *text = NULL;
  json_decref(data);
  if (line == NULL) return NULL;
  size_t bytes = strlen(line) + strlen(event) + 32;
  text = malloc(bytes);
  if (text != NULL) snprintf(text, bytes, "event: %s\ndata: %s\n\n", event, line);
  free(line);
  return text;
}

static char *tell_plainly(void *user, const job *j, const char *event, json_t *data) {
  (void)user, (void)j;
  return stream_text(event, data);
}

/* Takes over the text; 1 if it is there to be sent, 0 if it is empty, -1 if it is NULL. */
static int set_text(stream *s, char *text) {
  if (text == NULL) return -1;
  s->count = strlen(text);
  s->sent = 0;
  if (s->count > 0) {
    s->text = text;
    return 1;
  }
  free(text);
  return 0;
}

/* Waits for something to tell. 1: there is text; 0: the job is over and told; -1: the reader
 * left, or memory was refused. */
static int next_text(stream *s) {
  for (;;) {
    const char *event = NULL;
    json_t *data = jobs_next_event(s->server->jobs, s->job, &s->told, &event);
    if (data != NULL) {
      int found = set_text(s, s->tell(s->user, s->job, event, data));
      if (found != 0) return found;
      continue;
    }
    if (s->told.over) return 0;
    if (progress_clock() - s->last > COMMENT_SECONDS) return set_text(s, strdup(": waiting\n\n"));
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
  s->last = progress_clock(); /* after so long a silence a comment keeps the connection alive */
  if (s->sent == s->count) {
    free(s->text);
    s->text = NULL;
  }
  return (ssize_t)piece;
}

static void end_stream(void *user) {
  stream *s = user;
  if (s->end != NULL) s->end(s->user, s->job);
  jobs_release(s->server->jobs, s->job);
  free(s->text);
  free(s);
}

enum MHD_Result stream_told(exchange *e, job *j, stream_teller *tell, stream_end *end, void *user) {
  stream *s = calloc(1, sizeof *s);
  if (s == NULL || (end != NULL && user == NULL)) {
    if (user != NULL) end(user, j);
    if (user == NULL) jobs_cancel(e->server->jobs, j, REASON_ASKED);
    free(s);
    jobs_release(e->server->jobs, j);
    problem_set(&e->problem, 503, NULL, "out of memory for the stream");
    return answer_problem(e);
  }
  *s = (stream){.server = e->server,
                .exchange = e,
                .job = j,
                .tell = tell,
                .end = end,
                .user = user,
                .last = progress_clock()};
  answer_header(e, "X-Accel-Buffering", "no"); /* nginx passes each event on at once */
  return answer_stream(e, "text/event-stream", read_stream, s, end_stream);
}

enum MHD_Result stream_job(exchange *e, job *j) {
  return stream_told(e, j, tell_plainly, NULL, NULL);
}
