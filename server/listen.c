/* SPDX-License-Identifier: Apache-2.0
 * listen.c - see listen.h. */
#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/report.h"

enum { HANDED_OVER = 3, BACKLOG = 128 };

typedef union address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
  struct sockaddr_storage room;
} address;

static bool parse(address *a, const char *text) {
  memset(a, 0, sizeof *a);
  if (strcmp(text, "localhost") == 0) text = "127.0.0.1";
  if (inet_pton(AF_INET, text, &a->v4.sin_addr) == 1) {
    a->any.sa_family = AF_INET;
    return true;
  }
  if (inet_pton(AF_INET6, text, &a->v6.sin6_addr) != 1) return false;
  a->any.sa_family = AF_INET6;
  return true;
}

static bool is_loopback(const address *a) {
  if (a->any.sa_family == AF_INET) return ntohl(a->v4.sin_addr.s_addr) >> 24 == 127;
  if (a->any.sa_family == AF_INET6) return IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
  return a->any.sa_family == AF_UNIX;
}

/* Address and port that the socket has in fact. */
static msk_status describe(listener *l, msk_error *error) {
  address a;
  socklen_t length = sizeof a;
  char text[INET6_ADDRSTRLEN] = "";
  memset(&a, 0, sizeof a);
  if (getsockname(l->socket, &a.any, &length) != 0)
    return app_fail(error, MSK_ERROR_ARGUMENT, "the socket that was handed over is none: %s",
                    strerror(errno));
  l->loopback = is_loopback(&a);
  if (a.any.sa_family == AF_INET) {
    snprintf(l->url, sizeof l->url, "http://%s:%d/",
             inet_ntop(AF_INET, &a.v4.sin_addr, text, sizeof text), ntohs(a.v4.sin_port));
  } else if (a.any.sa_family == AF_INET6) {
    snprintf(l->url, sizeof l->url, "http://[%s]:%d/",
             inet_ntop(AF_INET6, &a.v6.sin6_addr, text, sizeof text), ntohs(a.v6.sin6_port));
  } else {
    snprintf(l->url, sizeof l->url, "a local socket");
  }
  return MSK_OK;
}

/* LISTEN_PID and LISTEN_FDS say that descriptor 3 is a listening socket of ours. */
static bool handed_over(void) {
  const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
  bool ours = pid != NULL && count != NULL && strtol(pid, NULL, 10) == (long)getpid() &&
              strtol(count, NULL, 10) >= 1;
  unsetenv("LISTEN_PID");
  unsetenv("LISTEN_FDS");
  unsetenv("LISTEN_FDNAMES");
  return ours;
}

static int try_port(address *a, int port) {
  int made = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
  if (made < 0) return -1;
  /* a port whose last connections have not quite faded can be taken at once */
  setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  socklen_t length = sizeof a->v4;
  if (a->any.sa_family == AF_INET) {
    a->v4.sin_port = htons((uint16_t)port);
  } else {
    a->v6.sin6_port = htons((uint16_t)port);
    length = sizeof a->v6;
  }
  if (bind(made, &a->any, length) == 0 && listen(made, BACKLOG) == 0) return made;
  int reason = errno;
  close(made);
  errno = reason;
  return -1;
}

msk_status listen_open(listener *l, const char *where, int port, msk_error *error) {
  address a;
  *l = (listener){.socket = -1};
  if (handed_over()) {
    l->socket = HANDED_OVER;
    l->handed_over = true;
    fcntl(HANDED_OVER, F_SETFD, FD_CLOEXEC);
    return describe(l, error);
  }
  if (!parse(&a, where))
    return app_fail(
        error, MSK_ERROR_ARGUMENT,
        "--listen was given %.80s, expected a numeric address, as in 127.0.0.1, 0.0.0.0 or ::1",
        where);
  int first = port > 0 ? port : LISTEN_FIRST_PORT, last = port > 0 ? port : LISTEN_LAST_PORT;
  for (int p = first; p <= last && l->socket < 0; p++) {
    l->socket = try_port(&a, p);
    /* only a port that is taken is a reason to try the next */
    if (l->socket < 0 && errno != EADDRINUSE) break;
  }
  if (l->socket >= 0) return describe(l, error);
  return app_fail(error, MSK_ERROR_OUTPUT, "cannot listen on %s port %d%s: %s", where, first,
                  first == last ? "" : " and those after it", strerror(errno));
}
