/* SPDX-License-Identifier: Apache-2.0
 *
 * score.h - what `score` shares with candidates: the text that a CLIP is asked about. */
#ifndef CLI_SCORE_H
#define CLI_SCORE_H

#include <stdbool.h>

#include "app/report.h"

enum { MAX_TEXT_BYTES = 8192 };

/* `text` with `name` for every {class}; out has MAX_TEXT_BYTES + 1. */
msk_status score_fill_text(char *out, const char *text, const char *name, msk_error *error);
#endif
