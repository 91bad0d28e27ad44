/* SPDX-License-Identifier: Apache-2.0
 *
 * http.h - HTTP for the routes: an exchange is one request and its answer. http.c owns the
 * daemon (libmicrohttpd, a thread a connection), the guards that stand before every route, the
 * body's collection within its bounds, and the headers of every answer. */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include <jansson.h>
#include <microhttpd.h>

#include "jobs.h"
#include "problem.h"
#include "server.h"

enum { EXCHANGE_HEADERS = 6, HEADER_BYTES = 256 };

typedef enum body_kind { BODY_NONE, BODY_JSON, BODY_MULTIPART, BODY_PNG } body_kind;

typedef struct exchange_header {
  const char *name;
  char value[HEADER_BYTES];
} exchange_header;

typedef struct exchange {
  server *server;
  struct MHD_Connection *connection;
  struct connection *record; /* of the connection */
  const struct route *route;
  const char *url;
  char id[JOB_ID_DIGITS + 1]; /* of the job in the address */
  int index;                  /* of the picture in the address */
  unsigned char *body;
  size_t body_count, body_capacity;
  body_kind body_kind;
  problem problem;           /* the first thing that is wrong */
  char origin[HEADER_BYTES]; /* allowed foreign origin, or empty */
  exchange_header headers[EXCHANGE_HEADERS];
  int header_count;
} exchange;

typedef enum MHD_Result route_handler(exchange *e);

enum { METHOD_GET = 1, METHOD_POST = 2, METHOD_DELETE = 4 };
enum { TAKES_JSON = 1, TAKES_MULTIPART = 2, TAKES_PNG = 4, MAY_BE_EMPTY = 8 };

/* `pattern`: {id} stands for a job's id, {n} for a picture's number. */
typedef struct route {
  int method;
  const char *pattern;
  route_handler *handler;
  int takes;   /* bodies */
  bool openai; /* errors carry OpenAI's member too */
} route;
extern const route routes[]; /* routes.c */
extern const int route_count;

/* ---- answers ---- */

void answer_header(exchange *e, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Takes over `body`, which comes from malloc(). */
enum MHD_Result answer_bytes(exchange *e, int status, const char *type, void *body, size_t bytes);
/* `body` lives as long as the server. */
enum MHD_Result answer_static(exchange *e, int status, const char *type, const void *body,
                              size_t bytes);
/* Takes over the object; NULL means that memory was refused. */
enum MHD_Result answer_json(exchange *e, int status, json_t *object);
/* The exchange's problem. */
enum MHD_Result answer_problem(exchange *e);
/* A body that comes piece by piece. */
enum MHD_Result answer_stream(exchange *e, const char *type, MHD_ContentReaderCallback read,
                              void *user, MHD_ContentReaderFreeCallback done);
const char *exchange_query(const exchange *e, const char *name);
/* True once the other side has closed, or the server stops and nobody needs to wait on. */
bool exchange_left(const exchange *e);

/* ---- the daemon ---- */

typedef struct http http;
/* Takes over the listening socket. */
http *http_start(server *s, int listener, msk_error *error);
/* Closes connections that are too slow; to be called about once a second. */
void http_tick(http *h);
/* No new connections; waits until the answers under way have left, at most `seconds`; then ends. */
void http_stop(http *h, double seconds);
#endif
