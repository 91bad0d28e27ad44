/* SPDX-License-Identifier: Apache-2.0
 *
 * problem.h - what went wrong with a request: a status of HTTP, what was found and expected, and
 * which field. Becomes a problem document (RFC 9457). */
#ifndef SERVER_PROBLEM_H
#define SERVER_PROBLEM_H

#include <jansson.h>
#include <stdbool.h>

#include "masksketch.h"

typedef struct problem {
  int status;      /* of HTTP; 0: none */
  int retry_after; /* seconds, 0: not said */
  char field[64];
  char detail[600];
} problem;

/* Fills it in and returns false, so that `return problem_set(...)` ends a check. `field` may be
 * NULL. */
bool problem_set(problem *p, int status, const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* A failure of the library while a request is checked (422 where the request is to blame) or a
 * job runs. */
bool problem_from_error(problem *p, const char *field, const msk_error *error);
/* The document; NULL without memory. */
json_t *problem_object(const problem *p);
#endif
