/* SPDX-License-Identifier: Apache-2.0
 * multipart.c - see multipart.h. */
#include "multipart.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- Headers ---- */

/* The value of a parameter behind a header's `;`, without its quotes; false if it is missing or
 * too long. Its name may be in any case. */
static bool parameter(const char *header, const char *end, const char *name, char *out,
                      size_t bytes) {
  size_t length = strlen(name), used = 0;
  const char *at = memchr(header, ';', (size_t)(end - header));
  while (at != NULL && at < end) {
    at++;
    while (at < end && (*at == ' ' || *at == '\t')) at++;
    bool found =
        (size_t)(end - at) > length && strncasecmp(at, name, length) == 0 && at[length] == '=';
    bool quoted = false;
    if (found) at += length + 1;
    for (; at < end && (quoted || *at != ';'); at++) {
      if (*at == '"') {
        quoted = !quoted;
        continue;
      }
      if (quoted && *at == '\\' && at + 1 < end) at++;
      if (!found || (!quoted && (*at == ' ' || *at == '\t'))) continue;
      if (used + 1 >= bytes) return false;
      out[used++] = *at;
    }
    out[used] = 0;
    if (found) return used > 0;
  }
  return false;
}

static bool starts_with(const char *line, const char *end, const char *word) {
  size_t length = strlen(word);
  return (size_t)(end - line) >= length && strncasecmp(line, word, length) == 0;
}

static void read_header(multipart_part *part, const char *line, const char *end) {
  static const char coding[] = "Content-Transfer-Encoding:";
  if (starts_with(line, end, "Content-Disposition:") &&
      !parameter(line, end, "name", part->name, sizeof part->name))
    part->name[0] = 0;
  if (!starts_with(line, end, coding)) return;
  const char *value = line + sizeof coding - 1;
  while (value < end && *value == ' ') value++;
  part->encoded = !starts_with(value, end, "binary") && !starts_with(value, end, "8bit") &&
                  !starts_with(value, end, "7bit");
}

/* ---- Parts ---- */

static char *find(char *from, const char *end, const char *what, size_t length) {
  return from == end ? NULL : memmem(from, (size_t)(end - from), what, length);
}

bool multipart_open(multipart *m, const char *type, char *body, size_t count) {
  char boundary[MULTIPART_BOUNDARY_BYTES];
  *m = (multipart){.at = body, .end = body + count};
  if (!parameter(type, type + strlen(type), "boundary", boundary, sizeof boundary)) return false;
  m->delimiter_length = (size_t)snprintf(m->delimiter, sizeof m->delimiter, "\r\n--%s", boundary);
  size_t first = m->delimiter_length - 2; /* the first one may have no line before it */
  if (count >= first && memcmp(body, m->delimiter + 2, first) == 0) {
    m->at = body + first;
    return true;
  }
  char *found = find(body, m->end, m->delimiter, m->delimiter_length);
  if (found != NULL) m->at = found + m->delimiter_length;
  return found != NULL;
}

int multipart_next(multipart *m, multipart_part *part) {
  *part = (multipart_part){.count = 0};
  if (m->end - m->at >= 2 && memcmp(m->at, "--", 2) == 0) return 0;
  while (m->at < m->end && (*m->at == ' ' || *m->at == '\t')) m->at++;
  if (m->end - m->at < 2 || memcmp(m->at, "\r\n", 2) != 0) return -1;
  char *line = m->at + 2, *next;
  while ((next = find(line, m->end, "\r\n", 2)) != line) {
    if (next == NULL) return -1;
    read_header(part, line, next);
    line = next + 2;
  }
  part->bytes = line + 2;
  /* the line's end before the delimiter may be the one of the empty line */
  char *close = find(line, m->end, m->delimiter, m->delimiter_length);
  if (close == NULL) return -1;
  m->at = close + m->delimiter_length;
  if (close < part->bytes) part->bytes = close;
  part->count = (size_t)(close - part->bytes);
  *close = 0;
  return 1;
}
