/* SPDX-License-Identifier: Apache-2.0
 *
 * exchange.h - an exchange is one request and its answer: what the routes see of HTTP.
 * exchange.c owns the headers of every answer; http.c brings exchanges to their routes. */
#ifndef SERVER_EXCHANGE_H
#define SERVER_EXCHANGE_H

#include <jansson.h>
#include <microhttpd.h>

#include "connections.h"
#include "jobs.h"
#include "problem.h"
#include "server.h"

enum { EXCHANGE_HEADERS = 6, HEADER_BYTES = 1024 };

typedef enum body_kind { BODY_NONE, BODY_JSON, BODY_MULTIPART, BODY_PNG } body_kind;

typedef struct exchange_header {
  const char *name;
  char value[HEADER_BYTES];
} exchange_header;

typedef struct exchange {
  server *server;
  struct MHD_Connection *connection;
  connection *record; /* of the connection */
  const struct route *route;
  char authority[256];        /* of an address with a host */
  const char *host;           /* as the address or the header says it; NULL: neither does */
  const char *url;            /* the address without scheme and host, one slash in front */
  char id[JOB_ID_DIGITS + 1]; /* of the job in the address */
  int index;                  /* of the picture in the address */
  unsigned char *body;
  size_t body_count, body_capacity, dropped;
  body_kind body_kind;
  double complete;           /* when all of the request was there */
  bool half_closed;          /* the client sends no more, and waits */
  bool last;                 /* of its connection */
  problem problem;           /* the first thing that is wrong */
  char origin[HEADER_BYTES]; /* allowed foreign origin, or empty */
  exchange_header headers[EXCHANGE_HEADERS];
  int header_count;
} exchange;

typedef enum MHD_Result route_handler(exchange *e);

enum { METHOD_GET = 1, METHOD_POST = 2, METHOD_DELETE = 4 };
enum { TAKES_JSON = 1, TAKES_MULTIPART = 2, TAKES_PNG = 4, MAY_BE_EMPTY = 8 };

/* Whose words an answer is in, errors too. */
typedef enum api_shape {
  SHAPE_OWN,
  SHAPE_OPENAI,
  SHAPE_A1111 /* AUTOMATIC1111's: there with --a1111 only */
} api_shape;

/* `pattern`: {id} stands for a job's id, {n} for a picture's number, {file} for a last name. */
typedef struct route {
  int method;
  const char *pattern;
  route_handler *handler;
  int takes; /* bodies */
  api_shape shape;
  const char *fixed; /* the answer that route_fixed gives, in JSON */
} route;
extern const route routes[]; /* routes.c */
extern const int route_count;

/* ---- Answers ---- */

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
/* The route's; by the address where none was found. */
api_shape exchange_shape(const exchange *e);
const char *exchange_query(const exchange *e, const char *name);
/* True once the other side has closed. A client that closes its half as soon as it has asked
 * still listens. */
bool exchange_left(exchange *e);
/* The body is not needed any more. */
void exchange_drop_body(exchange *e);
/* Is the client still sending? Waits a moment for it. */
bool exchange_sends(const exchange *e);
#endif
