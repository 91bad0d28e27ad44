/* SPDX-License-Identifier: Apache-2.0
 * exchange.c - see exchange.h. */
#include "exchange.h"

#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "app/json.h"
#include "app/progress.h"

enum { HALF_CLOSE_SECONDS = 1, SENDING_MS = 200 };

/* ---- The other side ---- */

static short poll_socket(const exchange *e, short events, int milliseconds) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(e->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  struct pollfd waiting = {info == NULL ? -1 : (int)info->connect_fd, events, 0};
  return poll(&waiting, 1, milliseconds) == 1 ? waiting.revents : 0;
}

bool exchange_left(exchange *e) {
  short seen = poll_socket(e, POLLRDHUP, 0);
  if ((seen & POLLRDHUP) != 0 && progress_clock() - e->complete < HALF_CLOSE_SECONDS)
    e->half_closed = true;
  return (seen & (POLLHUP | POLLERR)) != 0 || ((seen & POLLRDHUP) != 0 && !e->half_closed);
}

bool exchange_sends(const exchange *e) { return poll_socket(e, POLLIN, SENDING_MS) == POLLIN; }

void exchange_drop_body(exchange *e) {
  atomic_fetch_add(&e->server->metrics.body_bytes, -(long)e->body_capacity);
  free(e->body);
  e->body = NULL;
  e->body_count = e->body_capacity = 0;
}

/* ---- Answers ---- */

void answer_header(exchange *e, const char *name, const char *format, ...) {
  if (e->header_count == EXCHANGE_HEADERS) return;
  exchange_header *header = &e->headers[e->header_count++];
  header->name = name;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(header->value, sizeof header->value, format, arguments);
  va_end(arguments);
}

static void add_headers(const exchange *e, struct MHD_Response *response, const char *type) {
  static const char *const always[][2] = {
      {"X-Content-Type-Options", "nosniff"},
      {"Referrer-Policy", "no-referrer"},
      {"Cross-Origin-Opener-Policy", "same-origin"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
      {"X-Frame-Options", "DENY"},
      {"Permissions-Policy", "camera=(), microphone=(), geolocation=()"},
      {"Content-Security-Policy",
       "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
       "connect-src 'self'; manifest-src 'self'; "
       "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
  };
  bool cached = false;
  for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
    MHD_add_response_header(response, always[i][0], always[i][1]);
  if (type != NULL) MHD_add_response_header(response, "Content-Type", type);
  for (int i = 0; i < e->header_count; i++) {
    MHD_add_response_header(response, e->headers[i].name, e->headers[i].value);
    cached = cached || strcmp(e->headers[i].name, "Cache-Control") == 0;
  }
  /* answers are the client's own, and jobs change: nobody keeps them unless the answer allows it */
  if (!cached) MHD_add_response_header(response, "Cache-Control", "no-store");
  if (e->origin[0] != 0) {
    MHD_add_response_header(response, "Access-Control-Allow-Origin", e->origin);
    MHD_add_response_header(response, "Access-Control-Expose-Headers", "Location, Retry-After");
    MHD_add_response_header(response, "Vary", "Origin");
  }
  if (e->last || atomic_load(&e->server->stopping))
    MHD_add_response_header(response, "Connection", "close");
}

static enum MHD_Result send_response(exchange *e, int status, const char *type,
                                     struct MHD_Response *response, phase next) {
  if (response == NULL) return MHD_NO;
  add_headers(e, response, type);
  connections_phase(e->record, next);
  atomic_fetch_add(&e->server->metrics.answers[status / 100], 1);
  enum MHD_Result queued = MHD_queue_response(e->connection, (unsigned)status, response);
  MHD_destroy_response(response);
  return queued;
}

enum MHD_Result answer_bytes(exchange *e, int status, const char *type, void *body, size_t bytes) {
  struct MHD_Response *response =
      MHD_create_response_from_buffer(bytes, body, MHD_RESPMEM_MUST_FREE);
  if (response == NULL) free(body);
  return send_response(e, status, type, response, PHASE_LEAVING);
}

enum MHD_Result answer_static(exchange *e, int status, const char *type, const void *body,
                              size_t bytes) {
  struct MHD_Response *response =
      MHD_create_response_from_buffer(bytes, (void *)(uintptr_t)body, MHD_RESPMEM_PERSISTENT);
  return send_response(e, status, type, response, PHASE_LEAVING);
}

static enum MHD_Result answer_object(exchange *e, int status, const char *type, json_t *object) {
  char *text = object == NULL ? NULL : json_dump(object, JSON_COMPACT);
  json_decref(object);
  if (text != NULL) return answer_bytes(e, status, type, text, strlen(text));
  static const char bare[] =
      "{\"type\":\"about:blank\",\"title\":\"Service "
      "Unavailable\",\"status\":503,\"detail\":\"out of memory\"}";
  return answer_static(e, 503, "application/problem+json", bare, sizeof bare - 1);
}

enum MHD_Result answer_json(exchange *e, int status, json_t *object) {
  return answer_object(e, status, "application/json", object);
}

api_shape exchange_shape(const exchange *e) {
  static const char interface[] = "/sdapi/", units[] = "/controlnet/";
  if (e->route != NULL) return e->route->shape;
  const bool theirs = strncmp(e->url, interface, sizeof interface - 1) == 0 ||
                      strncmp(e->url, units, sizeof units - 1) == 0;
  return theirs && e->server->config.a1111 ? SHAPE_A1111 : SHAPE_OWN;
}

static void add_openai_error(const problem *p, json_t *object) {
  json_object_set_new(
      object, "error",
      json_pack("{s:O, s:s, s:s?, s:n}", "message", json_object_get(object, "detail"), "type",
                p->status < 500 ? "invalid_request_error" : "server_error", "param",
                p->field[0] != 0 ? p->field : NULL, "code"));
}

/* As FastAPI tells of fields, and AUTOMATIC1111 of the rest. */
static json_t *a1111_error(const problem *p) {
  if (p->status == 422 && p->field[0] != 0)
    return json_pack("{s:[{s:s, s:[s, o], s:o}]}", "detail", "type", "value_error", "loc", "body",
                     json_text(p->field), "msg", json_text(p->detail));
  return json_pack("{s:s, s:o, s:s, s:s}", "error", "HTTPException", "detail", json_text(p->detail),
                   "body", "", "errors", "");
}

enum MHD_Result answer_problem(exchange *e) {
  const problem *p = &e->problem;
  const api_shape shape = exchange_shape(e);
  if (p->retry_after > 0) answer_header(e, "Retry-After", "%d", p->retry_after);
  if (shape == SHAPE_A1111) return answer_json(e, p->status, a1111_error(p));
  json_t *object = problem_object(p);
  if (object != NULL && shape == SHAPE_OPENAI) add_openai_error(p, object);
  return answer_object(e, p->status, "application/problem+json", object);
}

enum MHD_Result answer_stream(exchange *e, const char *type, MHD_ContentReaderCallback read,
                              void *user, MHD_ContentReaderFreeCallback done) {
  struct MHD_Response *response =
      MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 32 << 10, read, user, done);
  if (response == NULL) done(user);
  return send_response(e, 200, type, response, PHASE_STREAMING);
}

const char *exchange_query(const exchange *e, const char *name) {
  return MHD_lookup_connection_value(e->connection, MHD_GET_ARGUMENT_KIND, name);
}
