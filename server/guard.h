/* SPDX-License-Identifier: Apache-2.0
 *
 * guard.h - who may ask: the Host header (against DNS rebinding), the Origin header (against
 * other sites' pages), and the key; and how. */
#ifndef SERVER_GUARD_H
#define SERVER_GUARD_H

#include "exchange.h"

/* Headers by which two readers could disagree where the request ends, or to whom it goes: a proxy
 * in front would pass another request than it saw. False with the problem 400. */
bool guard_framing(exchange *e);
/* False with the exchange's problem set (403, 401). Fills in e->origin where a foreign origin is
 * allowed. `version`: of HTTP, as the request says it. */
bool guard_check(exchange *e, const char *version, bool needs_key);
/* The headers that the page of an allowed origin wants to send: they guard nothing, its origin
 * does. */
const char *guard_wanted_headers(exchange *e);
#endif
