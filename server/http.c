/* SPDX-License-Identifier: Apache-2.0
 *
 * http.c - see http.h. libmicrohttpd bounds the number of connections and each one's idle time;
 * what drips byte by byte is caught here: a record for each connection tells since when it does
 * what, and http_tick() shuts the socket of those that take too long. */
#include "http.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/report.h"
#include "guard.h"

enum { CONNECTION_STACK = 1 << 20, HEADER_MEMORY = 32 << 10, IDLE_SECONDS = 30 };

typedef enum phase {
  PHASE_IDLE,
  PHASE_ARRIVING,
  PHASE_WORKING,
  PHASE_LEAVING,
  PHASE_STREAMING
} phase;

typedef struct connection {
  http *owner;
  int socket;
  phase phase;
  double since;
  bool cut;
  struct connection *next, *previous;
} connection;

struct http {
  server *server;
  struct MHD_Daemon *daemon;
  pthread_mutex_t lock;
  connection *first;
};

/* ---- Connections ---- */

static void set_phase(exchange *e, phase p) {
  if (e->record == NULL) return;
  pthread_mutex_lock(&e->record->owner->lock);
  e->record->phase = p;
  e->record->since = server_clock();
  pthread_mutex_unlock(&e->record->owner->lock);
}

static void on_connection(void *user, struct MHD_Connection *c, void **context,
                          enum MHD_ConnectionNotificationCode code) {
  http *h = user;
  metrics *m = &h->server->metrics;
  if (code == MHD_CONNECTION_NOTIFY_STARTED) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    connection *record = info == NULL ? NULL : calloc(1, sizeof *record);
    *context = record;
    atomic_fetch_add(&m->connections, 1);
    atomic_fetch_add(&m->connections_opened, 1);
    if (record == NULL) return;
    *record = (connection){.owner = h, .socket = (int)info->connect_fd, .since = server_clock()};
    pthread_mutex_lock(&h->lock);
    record->next = h->first;
    if (h->first != NULL) h->first->previous = record;
    h->first = record;
    pthread_mutex_unlock(&h->lock);
    return;
  }
  connection *record = *context;
  atomic_fetch_add(&m->connections, -1);
  *context = NULL;
  if (record == NULL) return;
  pthread_mutex_lock(&h->lock);
  if (record->previous == NULL) {
    h->first = record->next;
  } else {
    record->previous->next = record->next;
  }
  if (record->next != NULL) record->next->previous = record->previous;
  pthread_mutex_unlock(&h->lock);
  free(record);
}

void http_tick(http *h) {
  double now = server_clock();
  int limit = h->server->config.request_seconds;
  pthread_mutex_lock(&h->lock);
  for (connection *c = h->first; c != NULL; c = c->next) {
    double allowed = c->phase == PHASE_IDLE ? limit + IDLE_SECONDS
                     : c->phase == PHASE_ARRIVING || c->phase == PHASE_LEAVING ? limit
                                                                               : 1e18;
    if (c->cut || now - c->since <= allowed) continue;
    c->cut = true;
    shutdown(c->socket, SHUT_RDWR);
    atomic_fetch_add(&h->server->metrics.connections_cut, 1);
  }
  pthread_mutex_unlock(&h->lock);
}

bool exchange_left(const exchange *e) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(e->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  struct pollfd waiting = {info == NULL ? -1 : (int)info->connect_fd, POLLRDHUP, 0};
  return poll(&waiting, 1, 0) == 1 && (waiting.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
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
  if (!cached) MHD_add_response_header(response, "Cache-Control", "no-store");
  if (e->origin[0] != 0) {
    MHD_add_response_header(response, "Access-Control-Allow-Origin", e->origin);
    MHD_add_response_header(response, "Access-Control-Expose-Headers", "Location, Retry-After");
    MHD_add_response_header(response, "Vary", "Origin");
  }
  if (atomic_load(&e->server->stopping)) MHD_add_response_header(response, "Connection", "close");
}

static enum MHD_Result send_response(exchange *e, int status, const char *type,
                                     struct MHD_Response *response, phase next) {
  if (response == NULL) return MHD_NO;
  add_headers(e, response, type);
  set_phase(e, next);
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

enum MHD_Result answer_json(exchange *e, int status, json_t *object) {
  char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT);
  json_decref(object);
  if (text != NULL)
    return answer_bytes(e, status, status >= 400 ? "application/problem+json" : "application/json",
                        text, strlen(text));
  static const char bare[] =
      "{\"type\":\"about:blank\",\"title\":\"Internal Server "
      "Error\",\"status\":500,\"detail\":\"out of memory\"}";
  return answer_static(e, 500, "application/problem+json", bare, sizeof bare - 1);
}

enum MHD_Result answer_problem(exchange *e) {
  const problem *p = &e->problem;
  json_t *object = problem_object(p);
  if (object != NULL && e->route != NULL && e->route->openai) {
    json_object_set_new(
        object, "error",
        json_pack("{s:O, s:s, s:s?, s:n}", "message", json_object_get(object, "detail"), "type",
                  p->status < 500 ? "invalid_request_error" : "server_error", "param",
                  p->field[0] != 0 ? p->field : NULL, "code"));
  }
  if (p->retry_after > 0) answer_header(e, "Retry-After", "%d", p->retry_after);
  return answer_json(e, p->status, object);
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

/* ---- Before the body ---- */

/* "{id}" takes a job's id, "{n}" up to four digits, "{file}" a last name. */
static bool matches(exchange *e, const char *pattern, const char *url) {
  while (*pattern != 0) {
    if (strncmp(pattern, "{id}", 4) == 0) {
      size_t length = strspn(url, "0123456789abcdef");
      if (length != JOB_ID_DIGITS) return false;
      memcpy(e->id, url, length);
      url += length;
      pattern += 4;
    } else if (strncmp(pattern, "{n}", 3) == 0) {
      size_t length = strspn(url, "0123456789");
      if (length < 1 || length > 4) return false;
      e->index = atoi(url);
      url += length;
      pattern += 3;
    } else if (strcmp(pattern, "{file}") == 0) {
      return *url != 0 && strchr(url, '/') == NULL;
    } else if (*pattern++ != *url++) {
      return false;
    }
  }
  return *url == 0;
}

static int method_of(const char *word) {
  if (strcmp(word, "GET") == 0 || strcmp(word, "HEAD") == 0) return METHOD_GET;
  return strcmp(word, "POST") == 0 ? METHOD_POST : strcmp(word, "DELETE") == 0 ? METHOD_DELETE : 0;
}

static bool find_route(exchange *e, const char *method) {
  int found = 0, wanted = method_of(method);
  for (int i = 0; i < route_count; i++) {
    if (!matches(e, routes[i].pattern, e->url)) continue;
    found |= routes[i].method;
    if (routes[i].method == wanted) {
      e->route = &routes[i];
      return true;
    }
  }
  if (found == 0)
    return problem_set(&e->problem, 404, NULL,
                       "there is no %.100s here: docs/http.md and /v1/openapi.json list the routes",
                       e->url);
  answer_header(e, "Allow", "%s%s%s", found & METHOD_GET ? "GET, HEAD" : "",
                found & METHOD_POST ? (found & METHOD_GET ? ", POST" : "POST") : "",
                found & METHOD_DELETE ? (found & ~METHOD_DELETE ? ", DELETE" : "DELETE") : "");
  return problem_set(&e->problem, 405, NULL,
                     "the method is %.20s, expected one of those in the Allow header", method);
}

static bool has_type(const char *header, const char *type) {
  size_t length = strlen(type);
  return strncasecmp(header, type, length) == 0 &&
         (header[length] == 0 || header[length] == ';' || header[length] == ' ');
}

/* Type and announced length of the body. */
static bool check_body(exchange *e) {
  const char *type = MHD_lookup_connection_value(e->connection, MHD_HEADER_KIND, "Content-Type");
  const char *length =
      MHD_lookup_connection_value(e->connection, MHD_HEADER_KIND, "Content-Length");
  int takes = e->route->takes;
  if (takes == 0) return true;
  bool empty = length == NULL ? MHD_lookup_connection_value(e->connection, MHD_HEADER_KIND,
                                                            "Transfer-Encoding") == NULL
                              : strcmp(length, "0") == 0;
  if (length != NULL &&
      (strlen(length) > 18 || strtoull(length, NULL, 10) > e->server->config.body_bytes))
    return problem_set(&e->problem, 413, NULL, "the body has %.20s bytes, expected at most %zu",
                       length, e->server->config.body_bytes);
  if (empty && (takes & MAY_BE_EMPTY)) return true;
  if (type != NULL && (takes & TAKES_JSON) && has_type(type, "application/json"))
    e->body_kind = BODY_JSON;
  if (type != NULL && (takes & TAKES_MULTIPART) && has_type(type, "multipart/form-data"))
    e->body_kind = BODY_MULTIPART;
  if (type != NULL && (takes & TAKES_PNG) && has_type(type, "image/png")) e->body_kind = BODY_PNG;
  if (e->body_kind != BODY_NONE) return true;
  return problem_set(&e->problem, 415, NULL, "the Content-Type is %.80s, expected %s%s%s%s",
                     type == NULL ? "missing" : type, takes & TAKES_JSON ? "application/json" : "",
                     (takes & TAKES_JSON) && (takes & TAKES_MULTIPART) ? " or " : "",
                     takes & TAKES_MULTIPART ? "multipart/form-data" : "",
                     takes & TAKES_PNG ? "image/png" : "");
}

/* Everything that can be judged by the headers. */
static void begin(exchange *e, const char *method) {
  bool needs_key = strncmp(e->url, "/v1/", 4) == 0 || strcmp(e->url, "/metrics") == 0;
  if (atomic_load(&e->server->stopping)) {
    problem_set(&e->problem, 503, NULL, "the server is stopping");
  } else if (guard_check(e, needs_key && strcmp(method, "OPTIONS") != 0) && find_route(e, method)) {
    check_body(e);
  }
}

/* A browser asks before it sends what another origin's page wants. */
static bool is_preflight(const exchange *e, const char *method) {
  return strcmp(method, "OPTIONS") == 0 && e->origin[0] != 0;
}

static enum MHD_Result answer_preflight(exchange *e) {
  answer_header(e, "Access-Control-Allow-Methods", "GET, POST, DELETE");
  answer_header(e, "Access-Control-Allow-Headers", "Authorization, Content-Type");
  answer_header(e, "Access-Control-Max-Age", "600");
  return answer_static(e, 204, NULL, "", 0);
}

/* ---- The body ---- */

/* Bytes of all bodies together stay below SERVER_BODY_FACTOR times the limit of one. */
static bool reserve(exchange *e, size_t more) {
  server *s = e->server;
  size_t needed = e->body_count + more;
  if (needed > s->config.body_bytes)
    return problem_set(&e->problem, 413, NULL,
                       "the body has more than %zu bytes, expected at most that many",
                       s->config.body_bytes);
  if (needed <= e->body_capacity) return true;
  size_t wanted = e->body_capacity == 0 ? 16384 : 2 * e->body_capacity;
  if (wanted < needed) wanted = needed;
  if (wanted > s->config.body_bytes) wanted = s->config.body_bytes;
  long grown = (long)(wanted - e->body_capacity);
  if (atomic_fetch_add(&s->metrics.body_bytes, grown) + grown >
      (long)(s->config.body_bytes * SERVER_BODY_FACTOR)) {
    atomic_fetch_add(&s->metrics.body_bytes, -grown);
    e->problem.retry_after = 1;
    return problem_set(&e->problem, 429, NULL,
                       "too many bytes of requests are on their way: try again later");
  }
  unsigned char *larger = realloc(e->body, wanted);
  if (larger == NULL) {
    atomic_fetch_add(&s->metrics.body_bytes, -grown);
    return problem_set(&e->problem, 500, NULL, "out of memory for the request's body");
  }
  e->body = larger;
  e->body_capacity = wanted;
  return true;
}

static void drop_body(exchange *e) {
  atomic_fetch_add(&e->server->metrics.body_bytes, -(long)e->body_capacity);
  free(e->body);
  e->body = NULL;
  e->body_count = e->body_capacity = 0;
}

/* What comes after something was found wrong is read and dropped, so that the answer finds a
 * sender who listens. */
static void take_body(exchange *e, const char *data, size_t size) {
  if (e->problem.status != 0 || e->body_kind == BODY_NONE || !reserve(e, size)) {
    if (e->body != NULL) drop_body(e);
    return;
  }
  memcpy(e->body + e->body_count, data, size);
  e->body_count += size;
}

static bool answer_at_once(const exchange *e) {
  if (e->problem.status == 0) return false;
  return e->problem.status == 413 ||
         MHD_lookup_connection_value(e->connection, MHD_HEADER_KIND, "Expect") != NULL;
}

static exchange *open_exchange(http *h, struct MHD_Connection *c, const char *url) {
  exchange *e = calloc(1, sizeof *e);
  if (e == NULL) return NULL;
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  *e = (exchange){.server = h->server,
                  .connection = c,
                  .url = url,
                  .record = info == NULL ? NULL : info->socket_context};
  return e;
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **context) {
  exchange *e = *context;
  (void)version;
  if (e == NULL) {
    e = open_exchange(user, c, url);
    if (e == NULL) return MHD_NO;
    *context = e;
    set_phase(e, PHASE_ARRIVING);
    begin(e, method);
    return answer_at_once(e) ? answer_problem(e) : MHD_YES;
  }
  e->url = url;
  if (*size > 0) {
    take_body(e, data, *size);
    *size = 0;
    return MHD_YES;
  }
  set_phase(e, PHASE_WORKING);
  if (is_preflight(e, method) && e->problem.status == 405) return answer_preflight(e);
  enum MHD_Result result = e->problem.status != 0 ? answer_problem(e) : e->route->handler(e);
  drop_body(e);
  return result;
}

static void on_completed(void *user, struct MHD_Connection *c, void **context,
                         enum MHD_RequestTerminationCode code) {
  exchange *e = *context;
  (void)user, (void)c, (void)code;
  if (e == NULL) return;
  *context = NULL;
  drop_body(e);
  set_phase(e, PHASE_IDLE);
  free(e);
}

/* ---- The daemon ---- */

/* As MHD does it, but a zero byte stays escaped: it would end the address for us, and not for
 * whoever looks at it on the way. */
static size_t unescape(void *user, struct MHD_Connection *c, char *text) {
  (void)user, (void)c;
  return strstr(text, "%00") != NULL ? strlen(text) : MHD_http_unescape(text);
}

static void no_log(void *user, const char *format, va_list arguments) {
  (void)user, (void)format, (void)arguments;
}

http *http_start(server *s, int listener, msk_error *error) {
  http *h = calloc(1, sizeof *h);
  if (h == NULL || pthread_mutex_init(&h->lock, NULL) != 0) {
    free(h);
    app_fail(error, MSK_ERROR_MEMORY, "out of memory for the server");
    return NULL;
  }
  h->server = s;
  h->daemon = MHD_start_daemon(
      MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC |
          MHD_USE_ERROR_LOG,
      0, NULL, NULL, on_request, h, MHD_OPTION_EXTERNAL_LOGGER, no_log, NULL,
      MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_CONNECTION_LIMIT,
      (unsigned)s->config.connections, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_MEMORY, MHD_OPTION_THREAD_STACK_SIZE,
      (size_t)CONNECTION_STACK, MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
      MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_STRICT_FOR_CLIENT, 1,
      MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_END);
  if (h->daemon != NULL) return h;
  pthread_mutex_destroy(&h->lock);
  free(h);
  app_fail(error, MSK_ERROR_OUTPUT, "the HTTP server cannot start: %s", strerror(errno));
  return NULL;
}

static bool is_busy(http *h) {
  bool busy = false;
  pthread_mutex_lock(&h->lock);
  for (const connection *c = h->first; c != NULL; c = c->next)
    busy = busy || c->phase != PHASE_IDLE;
  pthread_mutex_unlock(&h->lock);
  return busy;
}

void http_stop(http *h, double seconds) {
  double until = server_clock() + seconds;
  int listener = (int)MHD_quiesce_daemon(h->daemon);
  while (is_busy(h) && server_clock() < until) usleep(10000);
  MHD_stop_daemon(h->daemon);
  if (listener >= 0) close(listener);
  pthread_mutex_destroy(&h->lock);
  free(h);
}
