/* SPDX-License-Identifier: Apache-2.0
 *
 * report.h - report.html: plots, contact sheets and the table of settings in one file that asks
 * for nothing else. */
#ifndef CLI_EVAL_REPORT_H
#define CLI_EVAL_REPORT_H

#include "eval/table.h"

/* The SPEC's plots and sheets must name what there is: looked at before any picture is made. */
msk_status eval_report_check(const eval_grid *grid, msk_error *error);
msk_status eval_report_write(const eval_table *table, msk_error *error);
#endif
