/* SPDX-License-Identifier: Apache-2.0
 *
 * connections.h - a record for each connection: whose it is, and since when it does what. They
 * are bounded, all together and for each address; when there are too many the oldest idle one
 * goes, so that a newcomer with something to say gets in. Those that take too long are cut by
 * the tick: libmicrohttpd sees silence, but not what drips byte by byte. */
#ifndef SERVER_CONNECTIONS_H
#define SERVER_CONNECTIONS_H

#include <microhttpd.h>
#include <stdbool.h>

#include "metrics.h"

enum { CONNECTION_IDLE_SECONDS = 30 };

typedef enum phase {
  PHASE_IDLE, /* nothing has been asked yet, or nothing new */
  PHASE_ARRIVING,
  PHASE_WORKING,
  PHASE_LEAVING,
  PHASE_STREAMING
} phase;

typedef struct connection connection;
typedef struct connections connections;

/* At most `limit`, fewer where the process may not have so many descriptors. NULL without
 * memory. */
connections *connections_create(metrics *m, int limit, int request_seconds);
void connections_destroy(connections *all);
/* how many there may be */
int connections_limit(const connections *all);
/* What the library under it must allow: those that have been cut count until they have gone. */
unsigned connections_room(const connections *all);
/* MHD_NotifyConnectionCallback; `user` is the connections. */
void connections_notify(void *user, struct MHD_Connection *c, void **context,
                        enum MHD_ConnectionNotificationCode code);
/* The record of a connection, or NULL. */
connection *connections_find(struct MHD_Connection *c);
void connections_phase(connection *record, phase p);
/* Cuts those that are too slow; to be called about once a second. */
void connections_tick(connections *all);
/* Is anything asked or answered? Requests that have not arrived after `patience` seconds no
 * longer count. */
bool connections_busy(connections *all, double patience);
#endif
