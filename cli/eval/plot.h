/* SPDX-License-Identifier: Apache-2.0
 *
 * plot.h - one diagram as SVG: series of points joined by lines, with error bars, over numbers
 * or over names. */
#ifndef CLI_EVAL_PLOT_H
#define CLI_EVAL_PLOT_H

#include "eval/text.h"

typedef struct plot_point {
  double x, y, x_error, y_error; /* errors: half length of the bar, NaN for none */
  const char *label;             /* written beside the point, or NULL */
} plot_point;

typedef struct plot_series {
  const char *name; /* NULL: no legend */
  plot_point *points;
  int count;
} plot_series;

typedef struct plot {
  const char *title, *x_label, *y_label;
  const char *const *names; /* what stands at x = 0, 1, ...; NULL: x are numbers */
  int name_count;
  plot_series *series;
  int series_count;
} plot;

/* Appends <svg>...</svg>; points that are not finite are left out. All texts may be foreign. */
void plot_draw(eval_text *text, const plot *p);
#endif
