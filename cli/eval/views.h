/* SPDX-License-Identifier: Apache-2.0
 *
 * views.h - which plots and contact sheets a report has: those of the SPEC, else what the grid
 * suggests. */
#ifndef CLI_EVAL_VIEWS_H
#define CLI_EVAL_VIEWS_H

#include "eval/table.h"

enum { MAX_VIEWS = 64, MAX_PLOT_POINTS = 2000 };

typedef struct eval_plot_view {
  const char *title;     /* NULL: made of the names */
  const eval_axis *axis; /* a point for each of its values */
  int x;                 /* measure on the x axis, or -1: the axis itself */
  int y;                 /* measure */
  const eval_axis *by;   /* a series for each of its values, or NULL */
} eval_plot_view;

typedef struct eval_sheet_view {
  const char *title;                      /* NULL: made of the names */
  const eval_axis *rows, *columns, *each; /* each: a sheet for each of its values, or NULL */
} eval_sheet_view;

typedef struct eval_views {
  eval_plot_view plots[MAX_VIEWS];
  eval_sheet_view sheets[MAX_VIEWS];
  int plot_count, sheet_count;
} eval_views;

/* The SPEC's own views; a name that is neither axis nor measure is refused, and the nearest
 * named. */
msk_status eval_views_read(eval_views *views, const eval_grid *grid, msk_error *error);
/* Views for what the SPEC leaves open. */
void eval_views_suggest(eval_views *views, const eval_table *table);
#endif
