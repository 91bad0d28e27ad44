/* SPDX-License-Identifier: Apache-2.0
 *
 * markup.h - what reports are written with: a text that grows, foreign words made harmless for
 * HTML, SVG and CSV, and a diagram. */
#ifndef EVAL_MARKUP_H
#define EVAL_MARKUP_H

#include <stdbool.h>
#include <stddef.h>

/* What cannot be added because memory is refused, or because the text would pass MAX_BUILT_BYTES,
 * is left out, and `failed` tells: asked for once, at the end. */
enum { MAX_BUILT_BYTES = 1 << 30 };

typedef struct eval_text {
  char *bytes; /* terminated; NULL while empty; free() */
  size_t used, capacity;
  bool failed;
} eval_text;

void eval_text_add(eval_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void eval_text_raw(eval_text *text, const char *bytes, size_t count);
/* For HTML and SVG: & < > " ' of `foreign` become references. */
void eval_text_quote(eval_text *text, const char *before, const char *foreign, const char *after);
/* A field of a CSV (RFC 4180). */
void eval_text_csv(eval_text *text, const char *foreign);

/* One diagram: series of points joined by lines, with error bars, over numbers or names. */
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
