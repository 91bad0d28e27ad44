/* SPDX-License-Identifier: Apache-2.0
 *
 * spec_check.h - how a SPEC's values are taken: each function checks one kind of value and names
 * it in its refusal. */
#ifndef CLI_EVAL_SPEC_CHECK_H
#define CLI_EVAL_SPEC_CHECK_H

#include <jansson.h>
#include <stdbool.h>

#include "app/report.h"

/* What refusals begin with: the SPEC's name. */
typedef struct spec_checker {
  const char *path;
  msk_error *error;
} spec_checker;

/* "PATH: ..." as MSK_ERROR_FILE. */
msk_status spec_refuse(const spec_checker *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Every key of `object` is one of `keys` (ended by NULL); else the nearest is named. `where` is
 * "" or like "sketches[2]." */
msk_status spec_check_keys(const spec_checker *check, const json_t *object, const char *where,
                           const char *const *keys);
/* The nearest of `keys` (ended by NULL) to a word. */
const char *spec_nearest(const char *const *keys, const char *word);
/* A text of 1..MAX_SPEC_TEXT bytes without control characters; missing is fine where `needed` is
 * false. Added to `out` under `key`. */
msk_status spec_take_text(const spec_checker *check, json_t *out, const json_t *in,
                          const char *where, const char *key, bool needed);
/* As above, one of `words` (ended by NULL), the first of which stands for a missing one. */
msk_status spec_take_word(const spec_checker *check, json_t *out, const json_t *in,
                          const char *where, const char *key, const char *const *words);
/* A setting's value (number, text, true, false, or a list of whole numbers) as the text that a
 * recipe takes: a new reference in *text. */
msk_status spec_value_text(const spec_checker *check, json_t **text, const json_t *value,
                           const char *where);
/* The list of 1..limit values under `key`, each by spec_value_text(); one value alone is a list
 * of one. No value twice. */
msk_status spec_take_values(const spec_checker *check, json_t *out, const json_t *in,
                            const char *where, const char *key, size_t limit);
#endif
