/* SPDX-License-Identifier: Apache-2.0
 *
 * markup.c - see markup.h. Coordinates are written with one decimal, so that the same data give
 * the same bytes everywhere. */
#include "eval/markup.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- growing texts ---- */

static bool make_room(eval_text *text, size_t count) {
  /* failed once, failed for good: whoever builds a text looks at its end */
  if (text->failed || count > MAX_BUILT_BYTES - text->used) {
    text->failed = true;
    return false;
  }
  if (text->used + count + 1 <= text->capacity) return true;
  size_t larger = text->capacity == 0 ? 1 << 14 : text->capacity;
  while (larger < text->used + count + 1) larger *= 2;
  char *bytes = realloc(text->bytes, larger);
  if (bytes == NULL) {
    text->failed = true;
    return false;
  }
  text->bytes = bytes;
  text->capacity = larger;
  return true;
}

void eval_text_raw(eval_text *text, const char *bytes, size_t count) {
  if (!make_room(text, count)) return;
  memcpy(text->bytes + text->used, bytes, count);
  text->used += count;
  text->bytes[text->used] = 0;
}

void eval_text_add(eval_text *text, const char *format, ...) {
  char buffer[2048];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(buffer, sizeof buffer, format, arguments);
  va_end(arguments);
  if (length < 0 || length >= (int)sizeof buffer) {
    text->failed = true;
  } else {
    eval_text_raw(text, buffer, (size_t)length);
  }
}

static void add_html(eval_text *text, const char *foreign) {
  for (const char *c = foreign; *c != 0; c++) {
    switch (*c) {
      case '&': eval_text_raw(text, "&amp;", 5); break;
      case '<': eval_text_raw(text, "&lt;", 4); break;
      case '>': eval_text_raw(text, "&gt;", 4); break;
      case '"': eval_text_raw(text, "&quot;", 6); break;
      case '\'': eval_text_raw(text, "&#39;", 5); break;
      default: eval_text_raw(text, c, 1);
    }
  }
}

void eval_text_quote(eval_text *text, const char *before, const char *foreign, const char *after) {
  eval_text_raw(text, before, strlen(before));
  add_html(text, foreign);
  eval_text_raw(text, after, strlen(after));
}

void eval_text_csv(eval_text *text, const char *foreign) {
  if (strpbrk(foreign, ",\"\r\n") == NULL) {
    eval_text_raw(text, foreign, strlen(foreign));
    return;
  }
  eval_text_raw(text, "\"", 1);
  for (const char *c = foreign; *c != 0; c++)
    eval_text_raw(text, *c == '"' ? "\"\"" : c, *c == '"' ? 2 : 1);
  eval_text_raw(text, "\"", 1);
}

/* ---- diagrams ---- */

enum {
  WIDTH = 520,
  HEIGHT = 340,
  LEFT = 64,
  RIGHT = 16,
  LEGEND = 84,
  TOP = 34,
  BOTTOM = 48,
  MAX_TICKS = 6,
  LEGEND_LINE = 15,
  MAX_LEGEND = 17
};

static const char *const colours[] = {"#1b6ca8", "#d1495b", "#2e8b57", "#8e5ea2",
                                      "#c77f1a", "#3aa6a6", "#7a6a5a", "#444444"};
enum { COLOURS = sizeof colours / sizeof colours[0] };

/* Where the frame ends: names of series stand to the right of it. */
static int right_edge(const plot *p) {
  return WIDTH - RIGHT - (p->series_count > 0 && p->series[0].name != NULL ? LEGEND : 0);
}

/* ---- scales ---- */

typedef struct scale {
  double low, high, step; /* step between ticks */
  double start, length;   /* pixels */
} scale;

/* The nearest of 1, 2, 5 times a power of ten that gives at most MAX_TICKS steps. */
static double nice_step(double span) {
  double power = pow(10, floor(log10(span / MAX_TICKS)));
  static const double factors[] = {1, 2, 5, 10};
  for (size_t i = 0; i < 4; i++) {
    if (span / (power * factors[i]) <= MAX_TICKS) return power * factors[i];
  }
  return power * 10;
}

static void fit(scale *s, double low, double high) {
  if (!(low <= high)) {
    low = 0;
    high = 1;
  }
  double span = high - low, least = 1e-9 * fmax(fabs(low), fabs(high));
  if (span <= least) span = fmax(fabs(high), 1e-3) * 0.2;
  low = (low + high - span) / 2 - 0.05 * span;
  high = low + 1.1 * span;
  s->low = low;
  s->high = high;
  s->step = nice_step(high - low);
}

static double place(const scale *s, double value) {
  return s->start + (value - s->low) / (s->high - s->low) * s->length;
}

static double reach(double error) { return isfinite(error) ? error : 0; }

static void find_scales(scale *x, scale *y, const plot *p) {
  double x_low = INFINITY, x_high = -INFINITY, y_low = INFINITY, y_high = -INFINITY;
  for (int k = 0; k < p->series_count; k++) {
    for (int i = 0; i < p->series[k].count; i++) {
      const plot_point *point = &p->series[k].points[i];
      if (!isfinite(point->x) || !isfinite(point->y)) continue;
      x_low = fmin(x_low, point->x - reach(point->x_error));
      x_high = fmax(x_high, point->x + reach(point->x_error));
      y_low = fmin(y_low, point->y - reach(point->y_error));
      y_high = fmax(y_high, point->y + reach(point->y_error));
    }
  }
  *x = (scale){.start = LEFT, .length = right_edge(p) - LEFT};
  *y = (scale){.start = HEIGHT - BOTTOM, .length = -(HEIGHT - TOP - BOTTOM)};
  /* names stand at 0, 1, ..., half a step away from the edges */
  if (p->names != NULL) {
    x->low = -0.5;
    x->high = p->name_count - 0.5;
    x->step = 1;
  } else {
    fit(x, x_low, x_high);
  }
  fit(y, y_low, y_high);
}

/* ---- drawing ---- */

/* At most `most` bytes of a text, whole characters. */
static void cut(char *out, size_t most, const char *text) {
  size_t length = strlen(text);
  if (length > most) {
    length = most;
    while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80) length--;
  }
  memcpy(out, text, length);
  out[length] = 0;
}

static void write_text(eval_text *text, double x, double y, const char *anchor,
                       const char *attributes, const char *foreign) {
  eval_text_add(text, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"%s", x, y, anchor, attributes);
  eval_text_quote(text, ">", foreign, "</text>\n");
}

static void number_text(char out[32], double value, double step) {
  if (fabs(value) < step * 1e-6) value = 0;
  int decimals = step >= 1 ? 0 : (int)ceil(-log10(step) - 1e-9);
  if (fabs(value) >= 1e7 || decimals > 7) {
    snprintf(out, 32, "%.2g", value);
  } else {
    snprintf(out, 32, "%.*f", decimals, value);
  }
}

static void draw_y_axis(eval_text *text, const scale *y, int right) {
  for (double tick = ceil(y->low / y->step) * y->step; tick <= y->high; tick += y->step) {
    char number[32];
    double at = place(y, tick);
    number_text(number, tick, y->step);
    eval_text_add(text, "<path class=\"grid\" d=\"M%d %.1fH%d\"/>\n", LEFT, at, right);
    write_text(text, LEFT - 6, at + 4, "end", "", number);
  }
}

/* Bytes of a name that fit between two ticks. */
static size_t name_room(int count) {
  if (count <= 4) return 18;
  return count <= 7 ? 12 : 8;
}

static void draw_x_axis(eval_text *text, const scale *x, const plot *p) {
  /* names that would overlap are left out */
  int every = p->names == NULL ? 1 : (p->name_count + 9) / 10;
  double tick = p->names != NULL ? 0 : ceil(x->low / x->step) * x->step;
  for (; tick <= x->high && (p->names == NULL || tick < p->name_count); tick += x->step * every) {
    char label[32];
    if (p->names != NULL) {
      cut(label, name_room(p->name_count), p->names[(int)(tick + 0.5)]);
    } else {
      number_text(label, tick, x->step);
    }
    eval_text_add(text, "<path class=\"grid\" d=\"M%.1f %dV%d\"/>\n", place(x, tick), TOP,
                  HEIGHT - BOTTOM);
    write_text(text, place(x, tick), HEIGHT - BOTTOM + 16, "middle", "", label);
  }
}

static void draw_bars(eval_text *text, const scale *x, const scale *y, const plot_point *p) {
  if (reach(p->y_error) > 0)
    eval_text_add(text, "<path d=\"M%.1f %.1fV%.1f\"/>", place(x, p->x),
                  place(y, p->y - p->y_error), place(y, p->y + p->y_error));
  if (reach(p->x_error) > 0)
    eval_text_add(text, "<path d=\"M%.1f %.1fH%.1f\"/>", place(x, p->x - p->x_error),
                  place(y, p->y), place(x, p->x + p->x_error));
}

static void draw_series(eval_text *text, const scale *x, const scale *y, const plot_series *series,
                        const char *colour) {
  bool begun = false;
  eval_text_add(text, "<g stroke=\"%s\" fill=\"none\"><path stroke-width=\"1.6\" d=\"", colour);
  for (int i = 0; i < series->count; i++) {
    const plot_point *p = &series->points[i];
    if (!isfinite(p->x) || !isfinite(p->y)) continue;
    eval_text_add(text, "%c%.1f %.1f", begun ? 'L' : 'M', place(x, p->x), place(y, p->y));
    begun = true;
  }
  eval_text_add(text, begun ? "\"/>\n" : "M0 0\"/>\n");
  for (int i = 0; i < series->count; i++) {
    if (isfinite(series->points[i].x) && isfinite(series->points[i].y))
      draw_bars(text, x, y, &series->points[i]);
  }
  eval_text_add(text, "</g>\n<g fill=\"%s\">\n", colour);
  for (int i = 0; i < series->count; i++) {
    const plot_point *p = &series->points[i];
    if (!isfinite(p->x) || !isfinite(p->y)) continue;
    eval_text_add(text, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.2\"/>\n", place(x, p->x),
                  place(y, p->y));
    if (p->label != NULL)
      write_text(text, place(x, p->x) + 6, place(y, p->y) - 6, "start", "", p->label);
  }
  eval_text_add(text, "</g>\n");
}

static void draw_legend(eval_text *text, const plot *p) {
  for (int k = 0, line = 0; k < p->series_count && line < MAX_LEGEND; k++) {
    if (p->series[k].name == NULL) continue;
    int y = TOP + 6 + LEGEND_LINE * line++;
    char name[16];
    cut(name, 12, p->series[k].name);
    eval_text_add(text, "<circle cx=\"%d\" cy=\"%d\" r=\"4\" fill=\"%s\"/>\n", right_edge(p) + 12,
                  y, colours[k % COLOURS]);
    write_text(text, right_edge(p) + 20, y + 4, "start", "", name);
  }
}

void plot_draw(eval_text *text, const plot *p) {
  scale x, y;
  char turned[80];
  find_scales(&x, &y, p);
  eval_text_add(text,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\">\n",
                WIDTH, HEIGHT);
  eval_text_quote(text, "<title>", p->title, "</title>\n");
  write_text(text, LEFT, 18, "start", " class=\"title\"", p->title);
  draw_y_axis(text, &y, right_edge(p));
  draw_x_axis(text, &x, p);
  eval_text_add(text, "<path class=\"axis\" d=\"M%d %dV%dH%d\"/>\n", LEFT, TOP, HEIGHT - BOTTOM,
                right_edge(p));
  write_text(text, (LEFT + right_edge(p)) / 2.0, HEIGHT - 10, "middle", "", p->x_label);
  snprintf(turned, sizeof turned, " transform=\"rotate(-90 14 %d)\"", (TOP + HEIGHT - BOTTOM) / 2);
  write_text(text, 14, (TOP + HEIGHT - BOTTOM) / 2.0, "middle", turned, p->y_label);
  for (int k = 0; k < p->series_count; k++)
    draw_series(text, &x, &y, &p->series[k], colours[k % COLOURS]);
  draw_legend(text, p);
  eval_text_add(text, "</svg>\n");
}
