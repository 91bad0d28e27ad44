/* SPDX-License-Identifier: Apache-2.0
 *
 * guard.c - see guard.h. A page of another site reaches a server on this machine in two ways: by
 * asking it straight (then the browser sends Origin), or by a name of its own that it lets point
 * here (DNS rebinding; then Host is that name). Numeric addresses cannot be rebound. */
#include "guard.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "app/base64.h"

/* Host[:port] without its port, lower case, brackets off; false if it is none. */
static bool host_name(const char *header, char *name, size_t bytes) {
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

/* in a time that tells nothing of where they differ */
static bool same_bytes(const char *given, const char *expected) {
  size_t given_length = strlen(given), length = strlen(expected);
  unsigned char difference = given_length != length;
  for (size_t i = 0; i < given_length; i++)
    difference |= (unsigned char)(given[i] ^ expected[length == 0 ? 0 : i % length]);
  return difference == 0;
}

/* ---- How ---- */

typedef struct framing {
  int hosts, lengths, codings;
  bool odd; /* a length that is no number, or a coding other than chunked */
} framing;

static enum MHD_Result count_header(void *user, enum MHD_ValueKind kind, const char *name,
                                    const char *value) {
  framing *f = user;
  (void)kind;
  if (value == NULL) value = "";
  if (strcasecmp(name, "Host") == 0) f->hosts++;
  if (strcasecmp(name, "Content-Length") == 0) {
    f->lengths++;
    f->odd = f->odd || *value == 0 || value[strspn(value, "0123456789")] != 0;
  }
  if (strcasecmp(name, "Transfer-Encoding") == 0) {
    f->codings++;
    f->odd = f->odd || strcasecmp(value, "chunked") != 0;
  }
  return MHD_YES;
}

bool guard_framing(exchange *e) {
  framing f = {0};
  MHD_get_connection_values(e->connection, MHD_HEADER_KIND, count_header, &f);
  if (f.hosts > 1)
    return problem_set(&e->problem, 400, NULL, "%d Host headers were sent, expected one", f.hosts);
  if (f.lengths + f.codings > 1 || f.odd)
    return problem_set(&e->problem, 400, NULL,
                       "the body's length is told %s, expected one Content-Length, or "
                       "Transfer-Encoding: chunked",
                       f.odd ? "by something else" : "more than once");
  return true;
}

/* ---- Who ---- */

/* Browsers always name a host, so what names none is none: an old client, or a health check. */
static bool check_host(exchange *e, const char *version) {
  char name[HEADER_BYTES];
  if (strcmp(e->url, "/healthz") == 0 || (e->host == NULL && strcmp(version, "HTTP/1.0") == 0))
    return true;
  if (e->host != NULL && host_name(e->host, name, sizeof name) &&
      (strcmp(name, "localhost") == 0 || is_numeric(name) ||
       listed(e->server->config.allow_host, name)))
    return true;
  return problem_set(&e->problem, 403, NULL,
                     "the Host header says %.80s, expected localhost, a numeric address or a name "
                     "from --allow-host",
                     e->host == NULL ? "nothing" : e->host);
}

static bool check_origin(exchange *e, const char *origin) {
  /* programs that are no browser send none */
  if (origin == NULL) return true;
  const char *rest = NULL;
  if (strncmp(origin, "http://", 7) == 0) rest = origin + 7;
  if (strncmp(origin, "https://", 8) == 0) rest = origin + 8;
  if (rest != NULL && e->host != NULL && strcasecmp(rest, e->host) == 0) return true;
  if (strlen(origin) < sizeof e->origin && listed(e->server->config.allow_origin, origin)) {
    strcpy(e->origin, origin);
    return true;
  }
  return problem_set(&e->problem, 403, NULL,
                     "the Origin header says %.80s, expected this server's own page or an origin "
                     "from --allow-origin",
                     origin);
}

/* Bearer KEY; for AUTOMATIC1111's clients also Basic, with any name and the key as password. */
static bool has_key(const exchange *e, const char *given) {
  const char *key = e->server->config.api_key;
  size_t count = 0;
  if (strncasecmp(given, "Bearer ", 7) == 0) return same_bytes(given + 7, key);
  if (strncasecmp(given, "Basic ", 6) != 0 || exchange_shape(e) != SHAPE_A1111) return false;
  char *pair = base64_decode(given + 6, &count);
  char text[HEADER_BYTES] = "";
  if (pair != NULL && count < sizeof text) memcpy(text, pair, count);
  free(pair);
  const char *password = strchr(text, ':');
  return password != NULL && same_bytes(password + 1, key);
}

bool guard_check(exchange *e, const char *version, bool needs_key) {
  const char *origin = MHD_lookup_connection_value(e->connection, MHD_HEADER_KIND, "Origin");
  if (!check_host(e, version) || !check_origin(e, origin)) return false;
  if (!needs_key || e->server->config.api_key == NULL) return true;
  const char *given = MHD_lookup_connection_value(e->connection, MHD_HEADER_KIND, "Authorization");
  if (given != NULL && has_key(e, given)) return true;
  answer_header(e, "WWW-Authenticate", "Bearer realm=\"masksketch\"");
  return problem_set(&e->problem, 401, NULL, "%s, expected the header Authorization: Bearer KEY",
                     given == NULL ? "no key was given" : "this is not the key");
}

const char *guard_wanted_headers(exchange *e) {
  static const char usual[] = "Authorization, Content-Type";
  const char *wanted =
      MHD_lookup_connection_value(e->connection, MHD_HEADER_KIND, "Access-Control-Request-Headers");
  if (wanted == NULL || strlen(wanted) >= HEADER_BYTES) return usual;
  for (const char *c = wanted; *c != 0; c++) {
    if (!isalnum((unsigned char)*c) && strchr("-_, ", *c) == NULL) return usual;
  }
  return *wanted == 0 ? usual : wanted;
}
