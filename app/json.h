/* SPDX-License-Identifier: Apache-2.0
 *
 * json.h - JSON made and read by the program. Reading is bounded (msk_json_load). Making is
 * checked as a whole: each value that memory was refused for is noted for its thread, and what
 * lacks something is never dumped; so nobody needs to look at each of a hundred small calls. */
#ifndef APP_JSON_H
#define APP_JSON_H

#include <jansson.h>

#include "src/base/json_tree.h"

/* Has jansson tell of refused memory. Once, before the first value is made. */
void json_watch(void);
/* Notes that something else was lost on the way into the value that is being made. */
void json_lose(void);
/* As json_dumps(), but NULL where anything was lost since the thread's last call. */
char *json_dump(const json_t *value, size_t flags);
/* A value's beginning, for messages: at most bytes - 1 of its text, however large it is. */
void json_show(const json_t *value, char *text, size_t bytes);

/* A seed as a number where every JSON reader keeps it exactly (below 2^53), else as text. */
json_t *json_seed(uint64_t seed);
/* A text of any origin: bytes that are no UTF-8 become '?'. */
json_t *json_text(const char *text);
/* Sets a member to a number that is finite; JSON has no other, so what is not is left out. */
void json_set_finite(json_t *object, const char *key, double value);
/* Prints the object on a line of its own, and releases it. NULL: memory was refused while it was
 * built. */
msk_status json_print(json_t *object, msk_error *error);
#endif
