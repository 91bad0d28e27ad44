/* SPDX-License-Identifier: Apache-2.0
 *
 * multipart.h - the parts of a body of multipart/form-data (RFC 7578, RFC 2046), in place. */
#ifndef SERVER_MULTIPART_H
#define SERVER_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

enum { MULTIPART_BOUNDARY_BYTES = 80, MULTIPART_NAME_BYTES = 64 };

typedef struct multipart {
  char delimiter[MULTIPART_BOUNDARY_BYTES + 8]; /* CR LF, two dashes, the boundary */
  size_t delimiter_length;
  char *at, *end; /* behind the last delimiter; of the body */
} multipart;

typedef struct multipart_part {
  char name[MULTIPART_NAME_BYTES]; /* empty: it has none, or one too long */
  char *bytes;                     /* terminated */
  size_t count;
  bool encoded; /* with a transfer encoding, which is not read */
} multipart_part;

/* `type`: the Content-Type header with its boundary. False if there is none, or if the body does
 * not begin with it. The body is changed: parts are terminated in it. */
bool multipart_open(multipart *m, const char *type, char *body, size_t count);
/* 1: the next part; 0: there is no more; -1: it is broken, or ends too early. */
int multipart_next(multipart *m, multipart_part *part);
#endif
