/* SPDX-License-Identifier: Apache-2.0
 *
 * json.h - what `--json` prints: one object a line on standard output. */
#ifndef APP_JSON_H
#define APP_JSON_H

#include <jansson.h>

#include "masksketch.h"

/* A seed as a number where every JSON reader keeps it exactly (below 2^53), else as text. */
json_t *json_seed(uint64_t seed);
/* A text of any origin: bytes that are no UTF-8 become '?'. */
json_t *json_text(const char *text);
/* Prints the object on a line of its own, and releases it. NULL: memory was refused while it was
 * built. */
msk_status json_print(json_t *object, msk_error *error);
#endif
