/* SPDX-License-Identifier: Apache-2.0
 *
 * http.h - the HTTP server: the daemon (libmicrohttpd, a thread a connection), the guards that
 * stand before every route, the body's collection within its bounds, the way to the route. */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include "exchange.h"

typedef struct http http;
/* Takes over the listening socket. */
http *http_start(server *s, int listener, msk_error *error);
/* Closes connections that are too slow; to be called about once a second. */
void http_tick(http *h);
/* how many connections there may be at once */
int http_connections(const http *h);
/* No new connections; waits until the answers under way have left, at most `seconds`; then ends. */
void http_stop(http *h, double seconds);
#endif
