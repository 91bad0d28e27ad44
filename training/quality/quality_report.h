/* SPDX-License-Identifier: Apache-2.0
 * quality_report.h - the table (Markdown) and contact sheets of rows. */
#ifndef MSK_QUALITY_QUALITY_REPORT_H
#define MSK_QUALITY_QUALITY_REPORT_H

#include <stdio.h>

#include "rows.h"

void report_head(FILE *out, const char *title);
void report_row(FILE *out, const struct row *row, const struct figures *figures);
/* A line behind a table: what the judge took for what; nothing where it took all for what they
 * are. */
void report_mistakes(FILE *out, const struct figures *figures);

/* Tiles of 128 pixels, `columns` cells wide; a cell is an item's sketch and then its picture in
 * each of the rows (all of one list). At most `cells` items, spread evenly. Written as JPEG. */
msk_status report_sheet(const char *path, const struct row *const *rows, int row_count,
                        const char *folder, int cells, int columns, msk_error *error);
/* A line for each row, whatever its list: `columns` pairs of sketch and picture. */
msk_status report_lines(const char *path, const struct row *const *rows, int row_count,
                        const char *folder, int columns, msk_error *error);
#endif
