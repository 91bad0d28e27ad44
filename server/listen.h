/* SPDX-License-Identifier: Apache-2.0
 *
 * listen.h - the socket: handed over by systemd (the protocol of sd_listen_fds(3)), or bound to
 * an address and the first free port. */
#ifndef SERVER_LISTEN_H
#define SERVER_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

#include "masksketch.h"

enum { LISTEN_FIRST_PORT = 8188, LISTEN_LAST_PORT = 8199, LISTEN_URL_BYTES = 128 };

typedef struct listener {
  int socket;
  bool handed_over, loopback;
  char url[LISTEN_URL_BYTES]; /* http://127.0.0.1:8188/ */
} listener;

/* `address`: a numeric IPv4 or IPv6 address or localhost. port 0: the first free one of
 * LISTEN_FIRST_PORT .. LISTEN_LAST_PORT. */
msk_status listen_open(listener *l, const char *address, int port, msk_error *error);
#endif
