/* SPDX-License-Identifier: Apache-2.0
 *
 * guard.h - who may ask: the Host header (against DNS rebinding), the Origin header (against
 * other sites' pages), and the key. */
#ifndef SERVER_GUARD_H
#define SERVER_GUARD_H

#include "http.h"

/* False with the exchange's problem set (403, 401). Fills in e->origin where a foreign origin is
 * allowed. */
bool guard_check(exchange *e, bool needs_key);
/* Host[:port] without its port, lower case, brackets off; false if it is none. Public for the
 * tests. */
bool guard_host_name(const char *header, char *name, size_t bytes);
/* in a time that tells nothing of where they differ */
bool guard_same_bytes(const char *given, const char *expected);
#endif
