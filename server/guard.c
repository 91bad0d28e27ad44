/* SPDX-License-Identifier: Apache-2.0
 *
 * guard.c - see guard.h. A page of another site reaches a server on this machine in two ways: by
 * asking it straight (then the browser sends Origin), or by a name of its own that it lets point
 * here (DNS rebinding; then Host is that name). Numeric addresses cannot be rebound. */
#include "guard.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

bool guard_host_name(const char *header, char *name, size_t bytes) {
  const char *begin = header, *end;
  if (*header == '[') {
    begin++;
    end = strchr(begin, ']');
    if (end == NULL || (end[1] != 0 && end[1] != ':')) return false;
  } else {
    end = begin + strcspn(begin, ":");
  }
  size_t length = (size_t)(end - begin);
  const char *port = *header == '[' ? end + 1 : end;
  if (*port == ':' && strspn(port + 1, "0123456789") != strlen(port + 1)) return false;
  if (length == 0 || length >= bytes) return false;
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)begin[i];
    if (!(isalnum(c) || c == '.' || c == '-' || c == ':' || c == '_')) return false;
    name[i] = (char)tolower(c);
  }
  name[length] = 0;
  return true;
}

static bool is_numeric(const char *name) {
  unsigned char address[16];
  return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

/* True if the comma-separated list has the word. */
static bool listed(const char *list, const char *word) {
  size_t length = strlen(word);
  for (const char *at = list; at != NULL && *at != 0;) {
    size_t item = strcspn(at, ",");
    if (item == length && strncasecmp(at, word, length) == 0) return true;
    at += item + (at[item] == ',');
  }
  return false;
}

bool guard_same_bytes(const char *given, const char *expected) {
  size_t given_length = strlen(given), length = strlen(expected);
  unsigned char difference = given_length != length;
  for (size_t i = 0; i < given_length; i++)
    difference |= (unsigned char)(given[i] ^ expected[length == 0 ? 0 : i % length]);
  return difference == 0;
}

static bool check_host(exchange *e, const char *host) {
  char name[HEADER_BYTES];
  if (host != NULL && guard_host_name(host, name, sizeof name) &&
      (strcmp(name, "localhost") == 0 || is_numeric(name) ||
       listed(e->server->config.allow_host, name)))
    return true;
  return problem_set(&e->problem, 403, NULL,
                     "the Host header says %.80s, expected localhost, a numeric address or a name "
                     "from --allow-host",
                     host == NULL ? "nothing" : host);
}

static bool check_origin(exchange *e, const char *host, const char *origin) {
  if (origin == NULL) return true;
  const char *rest = strncmp(origin, "http://", 7) == 0    ? origin + 7
                     : strncmp(origin, "https://", 8) == 0 ? origin + 8
                                                           : NULL;
  if (rest != NULL && strcasecmp(rest, host) == 0) return true;
  if (strlen(origin) < sizeof e->origin && listed(e->server->config.allow_origin, origin)) {
    strcpy(e->origin, origin);
    return true;
  }
  return problem_set(&e->problem, 403, NULL,
                     "the Origin header says %.80s, expected this server's own page or an origin "
                     "from --allow-origin",
                     origin);
}

bool guard_check(exchange *e, bool needs_key) {
  const char *host = MHD_lookup_connection_value(e->connection, MHD_HEADER_KIND, "Host");
  const char *origin = MHD_lookup_connection_value(e->connection, MHD_HEADER_KIND, "Origin");
  const char *key = e->server->config.api_key;
  if (!check_host(e, host) || !check_origin(e, host, origin)) return false;
  if (!needs_key || key == NULL) return true;
  const char *given = MHD_lookup_connection_value(e->connection, MHD_HEADER_KIND, "Authorization");
  if (given != NULL && strncasecmp(given, "Bearer ", 7) == 0 && guard_same_bytes(given + 7, key))
    return true;
  answer_header(e, "WWW-Authenticate", "Bearer realm=\"masksketch\"");
  return problem_set(&e->problem, 401, NULL, "%s, expected the header Authorization: Bearer KEY",
                     given == NULL ? "no key was given" : "this is not the key");
}
