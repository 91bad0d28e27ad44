/* SPDX-License-Identifier: Apache-2.0
 *
 * contact.h - the report's contact sheets: tables of small pictures, each a JPEG inside the
 * page. */
#ifndef CLI_EVAL_CONTACT_H
#define CLI_EVAL_CONTACT_H

#include "eval/text.h"
#include "eval/views.h"

enum { MAX_TILES = 4000, MAX_TILES_IN_CELL = 4 };

/* All sheets; what goes beyond MAX_TILES pictures is left out, and the page says so. */
msk_status contact_write(eval_text *html, const eval_table *table, const eval_views *views,
                         msk_error *error);
#endif
