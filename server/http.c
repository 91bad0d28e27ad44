/* SPDX-License-Identifier: Apache-2.0
 * http.c - see http.h. */
#include "http.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app/progress.h"
#include "app/report.h"
#include "form.h"
#include "guard.h"

enum {
  CONNECTION_STACK = 1 << 20,
  HEADER_MEMORY = 64 << 10,
  LARGE_BODY_NICE = 10,
  SMALL_BODIES = 16 * FORM_LARGE,
  PATIENCE_SECONDS = 2 /* with requests on their way, when the server stops */
};

struct http {
  server *server;
  connections *connections;
  struct MHD_Daemon *daemon;
};

void http_tick(http *h) { connections_tick(h->connections); }
int http_connections(const http *h) { return connections_limit(h->connections); }

/* ---- The address ---- */

/* "http://HOST/PATH" as proxies write it, or "/PATH"; several slashes in front, as a base
 * address with a slash at its end makes them, are one. */
static void set_address(exchange *e, const char *url) {
  bool absolute = strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
  e->host = MHD_lookup_connection_value(e->connection, MHD_HEADER_KIND, "Host");
  if (absolute) {
    const char *host = strstr(url, "://") + 3;
    size_t length = strcspn(host, "/");
    snprintf(e->authority, sizeof e->authority, "%.*s", (int)length, host);
    e->host = e->authority;
    url = host[length] == 0 ? "/" : host + length;
  }
  while (url[0] == '/' && url[1] == '/') url++;
  e->url = url;
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
  if (strcmp(word, "POST") == 0) return METHOD_POST;
  return strcmp(word, "DELETE") == 0 ? METHOD_DELETE : 0;
}

enum { ALLOW_BYTES = 40 };

static void list_methods(int methods, char list[ALLOW_BYTES]) {
  static const struct {
    int method;
    const char *words;
  } all[] = {{METHOD_GET, "GET, HEAD"}, {METHOD_POST, "POST"}, {METHOD_DELETE, "DELETE"}};
  int used = 0;
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
    if ((methods & all[i].method) == 0) continue;
    used += snprintf(list + used, (size_t)(ALLOW_BYTES - used), "%s%s", used > 0 ? ", " : "",
                     all[i].words);
  }
}

static bool find_route(exchange *e, const char *method) {
  int found = 0, wanted = method_of(method);
  for (int i = 0; i < route_count; i++) {
    const bool there = routes[i].shape != SHAPE_A1111 || e->server->config.a1111;
    if (!there || !matches(e, routes[i].pattern, e->url)) continue;
    /* for 405, which has to name all methods of the path */
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
  char allowed[ALLOW_BYTES] = "";
  list_methods(found, allowed);
  answer_header(e, "Allow", "%s", allowed);
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
  /* what is announced is refused before a byte is read; what comes in chunks, by reserve() */
  if (length != NULL && (strlen(length) > 18 || strtoull(length, NULL, 10) > e->server->body_bytes))
    return problem_set(&e->problem, 413, NULL, "the body has %.20s bytes, expected at most %zu",
                       length, e->server->body_bytes);
  if (empty && (takes & MAY_BE_EMPTY)) return true;
  const char *coding =
      MHD_lookup_connection_value(e->connection, MHD_HEADER_KIND, "Content-Encoding");
  if (coding != NULL && strcasecmp(coding, "identity") != 0)
    return problem_set(&e->problem, 415, NULL,
                       "the Content-Encoding is %.40s, expected none: send the body uncompressed",
                       coding);
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

/* A finished picture's address has 128 random bits in it, which only who has the key is told:
 * OpenAI's clients fetch it without. */
static bool wants_key(const exchange *e, const char *method) {
  const char *url = e->url;
  bool fetches = method_of(method) == METHOD_GET && strncmp(url, "/v1/jobs/", 9) == 0 &&
                 strstr(url, "/images/") != NULL;
  return (strncmp(url, "/v1/", 4) == 0 && !fetches) || strcmp(url, "/metrics") == 0 ||
         exchange_shape(e) == SHAPE_A1111;
}

/* Everything that can be judged by the headers. */
static void begin(exchange *e, const char *method, const char *version) {
  bool needs_key = wants_key(e, method);
  if (!guard_framing(e)) {
    e->last = true; /* where the next request begins is anybody's guess */
  } else if (atomic_load(&e->server->stopping)) {
    problem_set(&e->problem, 503, NULL, "the server is stopping");
  } else if (guard_check(e, version, needs_key && strcmp(method, "OPTIONS") != 0) &&
             find_route(e, method)) {
    check_body(e);
  }
}

/* A browser asks before it sends what another origin's page wants. */
static bool is_preflight(const exchange *e, const char *method) {
  return strcmp(method, "OPTIONS") == 0 && e->origin[0] != 0;
}

static enum MHD_Result answer_preflight(exchange *e) {
  answer_header(e, "Access-Control-Allow-Methods", "GET, POST, DELETE");
  answer_header(e, "Access-Control-Allow-Headers", "%s", guard_wanted_headers(e));
  answer_header(e, "Access-Control-Max-Age", "600");
  return answer_static(e, 204, NULL, "", 0);
}

/* ---- The body ---- */

/* Large bodies are taken and read in what the workers leave of the processors: two dozen senders
 * beside two workers made a picture come three times as late. Not at the lowest priority: a long
 * queue of pictures would keep a photo waiting until its sender is cut off. On Linux a thread has
 * a priority of its own; for the connection's last bytes it stays as it is. */
static void yield_to_workers(void) {
#ifdef __linux__
  static _Thread_local bool yields;
  if (yields) return;
  yields = true;
  setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + LARGE_BODY_NICE);
#endif
}

/* Bytes of all bodies together stay below SERVER_BODY_FACTOR times the limit of one; a little more
 * is for small ones alone, which large ones would else shut out. */
static bool reserve(exchange *e, size_t more) {
  server *s = e->server;
  size_t needed = e->body_count + more;
  if (needed > s->body_bytes)
    return problem_set(&e->problem, 413, NULL,
                       "the body has more than %zu bytes, expected at most that many",
                       s->body_bytes);
  if (needed <= e->body_capacity) return true;
  size_t wanted = e->body_capacity == 0 ? 16384 : 2 * e->body_capacity;
  if (wanted < needed) wanted = needed;
  if (wanted > s->body_bytes) wanted = s->body_bytes;
  if (wanted > FORM_LARGE) yield_to_workers();
  long grown = (long)(wanted - e->body_capacity),
       allowed = (long)(s->body_bytes * SERVER_BODY_FACTOR);
  if (wanted <= FORM_LARGE) allowed += SMALL_BODIES;
  if (atomic_fetch_add(&s->metrics.body_bytes, grown) + grown > allowed) {
    atomic_fetch_add(&s->metrics.body_bytes, -grown);
    e->problem.retry_after = 1;
    return problem_set(&e->problem, 429, NULL,
                       "too many bytes of requests are on their way: try again later");
  }
  unsigned char *larger = realloc(e->body, wanted);
  if (larger == NULL) {
    atomic_fetch_add(&s->metrics.body_bytes, -grown);
    return problem_set(&e->problem, 503, NULL, "out of memory for the request's body");
  }
  e->body = larger;
  e->body_capacity = wanted;
  return true;
}

/* What comes after something was found wrong is read and dropped, so that the answer finds a
 * sender who listens; false where it does not end. */
static bool take_body(exchange *e, const char *data, size_t size) {
  if (e->problem.status != 0 || e->body_kind == BODY_NONE || !reserve(e, size)) {
    if (e->body != NULL) exchange_drop_body(e);
    e->dropped += size;
    return e->dropped <= e->server->body_bytes * SERVER_BODY_FACTOR;
  }
  memcpy(e->body + e->body_count, data, size);
  e->body_count += size;
  return true;
}

/* A client that waits to be told to go on is told at once, and so is one that has announced too
 * much and does not send it. */
static bool answer_at_once(const exchange *e) {
  if (e->problem.status == 0) return false;
  return e->last || (e->problem.status == 413 && !exchange_sends(e)) ||
         MHD_lookup_connection_value(e->connection, MHD_HEADER_KIND, "Expect") != NULL;
}

static exchange *open_exchange(http *h, struct MHD_Connection *c) {
  exchange *e = calloc(1, sizeof *e);
  if (e == NULL) return NULL;
  e->server = h->server;
  e->connection = c;
  e->record = connections_find(c);
  return e;
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **context) {
  exchange *e = *context;
  if (e == NULL) {
    e = open_exchange(user, c);
    if (e == NULL) return MHD_NO;
    *context = e;
    connections_phase(e->record, PHASE_ARRIVING);
    set_address(e, url);
    begin(e, method, version);
    return answer_at_once(e) ? answer_problem(e) : MHD_YES;
  }
  set_address(e, url);
  if (*size > 0) {
    bool taken = take_body(e, data, *size);
    *size = 0;
    return taken ? MHD_YES : MHD_NO;
  }
  connections_phase(e->record, PHASE_WORKING);
  e->complete = progress_clock();
  if (is_preflight(e, method) && e->problem.status == 405) return answer_preflight(e);
  enum MHD_Result result = e->problem.status != 0 ? answer_problem(e) : e->route->handler(e);
  exchange_drop_body(e);
  return result;
}

static void on_completed(void *user, struct MHD_Connection *c, void **context,
                         enum MHD_RequestTerminationCode code) {
  exchange *e = *context;
  (void)user, (void)c, (void)code;
  if (e == NULL) return;
  *context = NULL;
  exchange_drop_body(e);
  connections_phase(e->record, PHASE_IDLE);
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

static struct MHD_Daemon *start_daemon(http *h, int listener) {
  return MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
                              MHD_USE_POLL | MHD_USE_ITC | MHD_USE_ERROR_LOG,
                          0, NULL, NULL, on_request, h, MHD_OPTION_EXTERNAL_LOGGER, no_log, NULL,
                          MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_CONNECTION_LIMIT,
                          connections_room(h->connections), MHD_OPTION_CONNECTION_TIMEOUT,
                          (unsigned)CONNECTION_IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                          (size_t)HEADER_MEMORY, MHD_OPTION_THREAD_STACK_SIZE,
                          (size_t)CONNECTION_STACK, MHD_OPTION_NOTIFY_CONNECTION,
                          connections_notify, h->connections, MHD_OPTION_NOTIFY_COMPLETED,
                          on_completed, h, MHD_OPTION_STRICT_FOR_CLIENT, 1,
                          MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_END);
}

http *http_start(server *s, int listener, msk_error *error) {
  http *h = calloc(1, sizeof *h);
  connections *all =
      connections_create(&s->metrics, s->config.connections, s->config.request_seconds);
  if (h != NULL && all != NULL) {
    *h = (http){.server = s, .connections = all};
    h->daemon = start_daemon(h, listener);
    if (h->daemon != NULL) return h;
    app_fail(error, MSK_ERROR_OUTPUT, "the HTTP server cannot start: %s", strerror(errno));
  } else {
    app_fail(error, MSK_ERROR_MEMORY, "out of memory for the server");
  }
  connections_destroy(all);
  free(h);
  return NULL;
}

void http_stop(http *h, double seconds) {
  double until = progress_clock() + seconds;
  int listener = (int)MHD_quiesce_daemon(h->daemon);
  while (connections_busy(h->connections, PATIENCE_SECONDS) && progress_clock() < until)
    usleep(10000);
  MHD_stop_daemon(h->daemon);
  if (listener >= 0) close(listener);
  connections_destroy(h->connections);
  free(h);
}
