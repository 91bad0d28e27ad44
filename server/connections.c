/* SPDX-License-Identifier: Apache-2.0
 * connections.c - see connections.h. */
#include "connections.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "app/progress.h"
#include "server.h"

enum {
  LEAVING = 512,          /* what is cut takes a moment to go */
  OTHER_DESCRIPTORS = 32, /* listener, pipes, gallery, files being read */
  FEWEST = 4,
  ADDRESS_BYTES = 8
};

struct connection {
  connections *owner;
  int socket;
  unsigned char address[ADDRESS_BYTES];
  phase phase;
  double since;
  bool cut;
  struct connection *next, *previous;
};

struct connections {
  metrics *metrics;
  int limit, address_limit, room, request_seconds;
  pthread_mutex_t lock;
  connection *first;
};

/* ---- The table ---- */

/* Without a descriptor left, accept() fails at once and is tried again at once: a core burns.
 * So there are never more connections, those that leave included, than descriptors. */
static void fit(connections *all, int wanted) {
  struct rlimit allowed = {0, 0};
  rlim_t all_wanted = (rlim_t)wanted + LEAVING + OTHER_DESCRIPTORS;
  getrlimit(RLIMIT_NOFILE, &allowed);
  if (allowed.rlim_cur < all_wanted) {
    struct rlimit more = {all_wanted < allowed.rlim_max ? all_wanted : allowed.rlim_max,
                          allowed.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &more) == 0) allowed = more;
  }
  if (allowed.rlim_cur > all_wanted) allowed.rlim_cur = all_wanted;
  all->room = (int)allowed.rlim_cur - OTHER_DESCRIPTORS;
  if (all->room < FEWEST) all->room = FEWEST;
  all->limit = wanted <= all->room / 2 ? wanted : all->room / 2;
}

connections *connections_create(metrics *m, int limit, int request_seconds) {
  connections *all = calloc(1, sizeof *all);
  if (all == NULL || pthread_mutex_init(&all->lock, NULL) != 0) {
    free(all);
    return NULL;
  }
  all->metrics = m;
  fit(all, limit);
  all->address_limit = all->limit - all->limit / 8; /* the last eighth is for the others */
  all->request_seconds = request_seconds;
  return all;
}

void connections_destroy(connections *all) {
  if (all == NULL) return;
  pthread_mutex_destroy(&all->lock);
  free(all);
}

int connections_limit(const connections *all) { return all->limit; }
unsigned connections_room(const connections *all) { return (unsigned)all->room; }

/* ---- Coming and going ---- */

/* Who has a network of IPv6 has all its addresses: the first half counts. A socket of IPv6 shows
 * addresses of IPv4 in the last four bytes, and all begin alike. */
static void read_address(unsigned char *out, const struct sockaddr *address) {
  memset(out, 0, ADDRESS_BYTES);
  if (address == NULL) return;
  if (address->sa_family == AF_INET)
    memcpy(out, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
  if (address->sa_family != AF_INET6) return;
  const struct in6_addr *wide = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(wide)) {
    memcpy(out, wide->s6_addr + 12, 4);
  } else {
    memcpy(out, wide->s6_addr, ADDRESS_BYTES);
  }
}

static void cut(connection *c) {
  c->cut = true;
  shutdown(c->socket, SHUT_RDWR);
  atomic_fetch_add(&c->owner->metrics->connections_cut, 1);
}

/* The newcomer is counted in; where that makes too many, the oldest idle one goes: the newcomer
 * itself where all others are at work. */
static void keep_bounds(connections *all, const connection *newcomer) {
  int count = 0, same = 0;
  connection *oldest = NULL, *oldest_same = NULL;
  for (connection *c = all->first; c != NULL; c = c->next) {
    if (c->cut) continue;
    bool alike = memcmp(c->address, newcomer->address, ADDRESS_BYTES) == 0;
    count++;
    same += alike;
    if (c->phase != PHASE_IDLE) continue;
    if (oldest == NULL || c->since < oldest->since) oldest = c;
    if (alike && (oldest_same == NULL || c->since < oldest_same->since)) oldest_same = c;
  }
  if (same > all->address_limit) {
    cut(oldest_same);
  } else if (count > all->limit) {
    cut(oldest);
  }
}

static connection *welcome(connections *all, struct MHD_Connection *c) {
  const union MHD_ConnectionInfo *socket =
                                     MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD),
                                 *address =
                                     MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  connection *record = socket == NULL ? NULL : calloc(1, sizeof *record);
  if (record == NULL) return NULL;
  *record =
      (connection){.owner = all, .socket = (int)socket->connect_fd, .since = progress_clock()};
  read_address(record->address, address == NULL ? NULL : address->client_addr);
  pthread_mutex_lock(&all->lock);
  record->next = all->first;
  if (all->first != NULL) all->first->previous = record;
  all->first = record;
  keep_bounds(all, record);
  pthread_mutex_unlock(&all->lock);
  return record;
}

static void part(connection *record) {
  connections *all = record->owner;
  pthread_mutex_lock(&all->lock);
  if (record->previous == NULL) {
    all->first = record->next;
  } else {
    record->previous->next = record->next;
  }
  if (record->next != NULL) record->next->previous = record->previous;
  pthread_mutex_unlock(&all->lock);
  free(record);
}

void connections_notify(void *user, struct MHD_Connection *c, void **context,
                        enum MHD_ConnectionNotificationCode code) {
  connections *all = user;
  if (code == MHD_CONNECTION_NOTIFY_STARTED) {
    atomic_fetch_add(&all->metrics->connections, 1);
    atomic_fetch_add(&all->metrics->connections_opened, 1);
    *context = welcome(all, c);
    return;
  }
  atomic_fetch_add(&all->metrics->connections, -1);
  if (*context != NULL) part(*context);
  *context = NULL;
}

connection *connections_find(struct MHD_Connection *c) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return info == NULL ? NULL : info->socket_context;
}

/* ---- What they do ---- */

void connections_phase(connection *record, phase p) {
  if (record == NULL) return;
  pthread_mutex_lock(&record->owner->lock);
  record->phase = p;
  record->since = progress_clock();
  pthread_mutex_unlock(&record->owner->lock);
}

void connections_tick(connections *all) {
  double now = progress_clock();
  pthread_mutex_lock(&all->lock);
  for (connection *c = all->first; c != NULL; c = c->next) {
    bool moving = c->phase == PHASE_ARRIVING || c->phase == PHASE_LEAVING;
    double allowed = moving ? all->request_seconds : CONNECTION_IDLE_SECONDS;
    if (!c->cut && (moving || c->phase == PHASE_IDLE) && now - c->since > allowed) cut(c);
  }
  pthread_mutex_unlock(&all->lock);
}

bool connections_busy(connections *all, double patience) {
  bool busy = false;
  double now = progress_clock();
  pthread_mutex_lock(&all->lock);
  for (const connection *c = all->first; c != NULL; c = c->next)
    busy = busy || (!c->cut && c->phase != PHASE_IDLE &&
                    (c->phase != PHASE_ARRIVING || now - c->since < patience));
  pthread_mutex_unlock(&all->lock);
  return busy;
}
