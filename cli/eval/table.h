/* SPDX-License-Identifier: Apache-2.0
 *
 * table.h - the finished pictures as figures: means of any set of them, with standard errors,
 * and the two CSV files. */
#ifndef CLI_EVAL_TABLE_H
#define CLI_EVAL_TABLE_H

#include "eval/run.h"

typedef struct eval_table {
  evaluation *e;
  bool known[MEASURE_COUNT]; /* some picture has it, or a reference is there */
  eval_folder reference;
} eval_table;

/* Mean of a measure over pictures. `error`: its standard error, NaN for fewer than two, and for
 * distances. */
typedef struct eval_value {
  double mean, error;
  int count; /* pictures that have it */
} eval_value;

/* Looks at the pictures of the SPEC's reference, where there is one. */
msk_status eval_table_create(eval_table *table, evaluation *e, msk_error *error);
void eval_table_free(eval_table *table);
msk_status eval_table_value(eval_value *value, const eval_table *table, int measure,
                            const int *points, int count, msk_error *error);
/* results.csv: a line a picture; summary.csv: a line a setting. */
msk_status eval_table_write(const eval_table *table, msk_error *error);
#endif
