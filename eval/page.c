/* SPDX-License-Identifier: Apache-2.0
 *
 * page.c - report.html: plots, contact sheets and the table of settings. The page forbids itself
 * every request (its content security policy allows inline styles and data alone). Which plots
 * and sheets it has is said by the SPEC, else suggested by the grid. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/base64.h"
#include "app/cancel.h"
#include "app/input.h"
#include "app/json.h"
#include "eval/eval.h"
#include "eval/markup.h"

enum {
  MAX_VIEWS = 64,
  MAX_PLOT_POINTS = 2000,
  MAX_TILES = 4000,
  MAX_TILES_IN_CELL = 4,
  MAX_SHEET_DRAWINGS = 500,
  MAX_TABLE_ROWS = 400,
  JPEG_QUALITY = 85
};

/* ---- what the SPEC asks for ---- */

typedef struct plot_view {
  const char *title;     /* NULL: made of the names */
  const eval_axis *axis; /* a point for each of its values */
  int x;                 /* measure on the x axis, or -1: the axis itself */
  int y;                 /* measure */
  const eval_axis *by;   /* a series for each of its values, or NULL */
} plot_view;

typedef struct sheet_view {
  const char *title;                      /* NULL: made of the names */
  const eval_axis *rows, *columns, *each; /* each: a sheet for each of its values, or NULL */
} sheet_view;

typedef struct page_views {
  plot_view plots[MAX_VIEWS];
  sheet_view sheets[MAX_VIEWS];
  int plot_count, sheet_count;
} page_views;

static const char *field(const json_t *view, const char *key) {
  return json_string_value(json_object_get(view, key));
}

/* Neither axis nor measure: the nearest of what would be valid is named. */
static msk_status unknown_name(const eval_grid *grid, bool measures, bool axes, const char *what,
                               const char *name, msk_error *error) {
  const char *names[MAX_AXES + MEASURE_COUNT + 1];
  int count = 0;
  for (int i = 0; measures && i < MEASURE_COUNT; i++) names[count++] = eval_measures[i].name;
  for (int i = 0; axes && i < grid->axis_count; i++) names[count++] = grid->axes[i].name;
  names[count] = NULL;
  return app_fail(error, MSK_ERROR_FILE, "the SPEC's %s names \"%.60s\", %s; the nearest is \"%s\"",
                  what, name,
                  measures ? "which is not measured" : "by which its pictures do not differ",
                  eval_nearest(names, name));
}

/* *axis is NULL where the name is missing. */
static msk_status find_axis(const eval_axis **axis, const eval_grid *grid, const char *what,
                            const char *name, msk_error *error) {
  *axis = name == NULL ? NULL : eval_grid_axis(grid, name);
  if (name == NULL || *axis != NULL) return MSK_OK;
  return unknown_name(grid, false, true, what, name, error);
}

static msk_status check_size(const plot_view *out, msk_error *error) {
  long points = (long)out->axis->count * (out->by == NULL ? 1 : out->by->count);
  if (points <= MAX_PLOT_POINTS) return MSK_OK;
  return app_fail(
      error, MSK_ERROR_FILE,
      "a plot over \"%s\" would have %ld points, expected at most %d: choose another \"by\"",
      out->axis->name, points, MAX_PLOT_POINTS);
}

static msk_status read_plot(plot_view *out, const eval_grid *grid, const json_t *view,
                            msk_error *error) {
  const char *x = field(view, "x"), *y = field(view, "y"), *along = field(view, "along");
  *out = (plot_view){.title = field(view, "title"),
                     .axis = eval_grid_axis(grid, x),
                     .x = -1,
                     .y = eval_measure_find(y)};
  if (out->y < 0) return unknown_name(grid, true, false, "plots", y, error);
  msk_status status = find_axis(&out->by, grid, "plots", field(view, "by"), error);
  if (status != MSK_OK) return status;
  if (out->axis != NULL && along != NULL)
    return app_fail(error, MSK_ERROR_FILE,
                    "the SPEC's plot of \"%s\" over \"%s\" takes no \"along\": leave it out", y, x);
  if (out->axis != NULL) return check_size(out, error);
  out->x = eval_measure_find(x);
  if (out->x < 0) return unknown_name(grid, true, true, "plots", x, error);
  if (along == NULL)
    return app_fail(error, MSK_ERROR_FILE,
                    "the SPEC's plot of \"%s\" over \"%s\" needs \"along\", as in \"along\": "
                    "\"lambda_structure\"",
                    y, x);
  status = find_axis(&out->axis, grid, "plots", along, error);
  return status == MSK_OK ? check_size(out, error) : status;
}

static msk_status read_views(page_views *views, const eval_grid *grid, msk_error *error) {
  const eval_spec *spec = grid->spec;
  msk_status status = MSK_OK;
  *views = (page_views){0};
  for (size_t i = 0; i < json_array_size(spec->plots) && status == MSK_OK; i++)
    status =
        read_plot(&views->plots[views->plot_count++], grid, json_array_get(spec->plots, i), error);
  for (size_t i = 0; i < json_array_size(spec->sheets) && status == MSK_OK; i++) {
    const json_t *view = json_array_get(spec->sheets, i);
    sheet_view *sheet = &views->sheets[views->sheet_count++];
    *sheet = (sheet_view){.title = field(view, "title")};
    status = find_axis(&sheet->rows, grid, "sheets", field(view, "rows"), error);
    if (status == MSK_OK)
      status = find_axis(&sheet->columns, grid, "sheets", field(view, "columns"), error);
    if (status == MSK_OK)
      status = find_axis(&sheet->each, grid, "sheets", field(view, "each"), error);
  }
  return status;
}

msk_status eval_check_views(const eval_grid *grid, msk_error *error) {
  page_views views;
  return read_views(&views, grid, error);
}

/* ---- what suggests itself ---- */

static void suggest_plot(page_views *views, const eval_axis *axis, int x, int y,
                         const eval_axis *by) {
  long points = (long)axis->count * (by == NULL ? 1 : by->count);
  if (views->plot_count < MAX_VIEWS && points <= MAX_PLOT_POINTS)
    views->plots[views->plot_count++] = (plot_view){.axis = axis, .x = x, .y = y, .by = by};
}

/* What a person would vary first: settings, then the sketches' levels. */
static int varied_axes(const eval_axis *varied[MAX_AXES], const eval_grid *grid) {
  int count = 0;
  for (int i = 0; i < grid->axis_count; i++) {
    if (grid->axes[i].setting && grid->axes[i].count > 1) varied[count++] = &grid->axes[i];
  }
  const eval_axis *level = eval_grid_axis(grid, "level");
  if (level != NULL && level->count > 1) varied[count++] = level;
  return count;
}

static void suggest_plots(page_views *views, const evaluation *e, const eval_axis *const *varied,
                          int count) {
  static const int faithful[] = {MEASURE_JUDGE_IOU, MEASURE_STRUCTURE},
                   real[] = {MEASURE_JUDGE_CLASS,  MEASURE_FRECHET_JUDGE, MEASURE_KERNEL_JUDGE,
                             MEASURE_FRECHET_CLIP, MEASURE_KERNEL_CLIP,   MEASURE_CLIP_TEXT};
  const eval_axis *lambda = eval_grid_axis(&e->grid, "lambda_structure");
  for (size_t i = 0;
       lambda != NULL && lambda->count > 1 && i < sizeof faithful / sizeof faithful[0]; i++) {
    for (size_t k = 0; k < sizeof real / sizeof real[0]; k++) {
      const eval_axis *by = count == 2 ? varied[varied[0] == lambda] : NULL;
      if (e->known[faithful[i]] && e->known[real[k]])
        suggest_plot(views, lambda, faithful[i], real[k], by);
    }
  }
  for (int i = 0; i < count; i++) {
    const eval_axis *by = count == 2 ? varied[1 - i] : NULL;
    for (int k = 0; k < MEASURE_COUNT; k++) {
      bool tells = k != MEASURE_SECONDS || strcmp(varied[i]->name, "steps") == 0;
      if (e->known[k] && tells) suggest_plot(views, varied[i], -1, k, by);
    }
  }
}

static void suggest_views(page_views *views, const evaluation *e) {
  const eval_grid *grid = &e->grid;
  const eval_axis *varied[MAX_AXES];
  int count = varied_axes(varied, grid);
  if (grid->spec->plots == NULL) suggest_plots(views, e, varied, count);
  if (grid->spec->sheets != NULL) return;
  const eval_axis *columns = count > 0 ? varied[0] : eval_grid_axis(grid, "seed");
  const eval_axis *rows =
      eval_grid_axis(grid, strcmp(columns->name, "level") == 0 ? "subject" : "sketch");
  views->sheets[views->sheet_count++] =
      (sheet_view){.rows = rows, .columns = columns, .each = count > 1 ? varied[1] : NULL};
}

/* ---- the page's beginning and end ---- */

/* A page in the making. */
typedef struct page {
  evaluation *e;
  eval_text html;
  page_views views;
  int *points;      /* scratch: some of the grid's */
  int tiles, cells; /* of contact sheets, so far */
} page;

static const char head[] =
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
    "'unsafe-inline'; img-src data:\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n<style>\n"
    "body{font:15px/1.5 system-ui,sans-serif;color:#222;background:#fff;margin:2rem "
    "auto;max-width:72rem;padding:0 1rem}\n"
    "h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}p.small,td,th,figcaption{font-size:"
    "13px}\n"
    ".plots{display:flex;flex-wrap:wrap;gap:1rem}.plots svg{width:34rem;max-width:100%;border:1px "
    "solid #ddd}\n"
    "svg text{font:11px system-ui,sans-serif;fill:#333;stroke:none}svg "
    ".title{font-size:13px;font-weight:600}\n"
    "svg .grid{stroke:#e8e8e8}svg .axis{stroke:#777;fill:none}\n"
    ".wide{overflow-x:auto}table{border-collapse:collapse}th{text-align:left;font-weight:600}\n"
    ".figures td,.figures th{border-bottom:1px solid #ddd;padding:.15rem "
    ".6rem;white-space:nowrap}.figures td{text-align:right}\n"
    ".sheet td,.sheet th{padding:3px;vertical-align:top}.sheet "
    "img{display:inline-block;margin:1px}\n"
    "pre{background:#f6f6f6;padding:.7rem;overflow-x:auto;font-size:12px}\n</style>\n";

static void add_note(page *p, const char *note) {
  eval_text_add(&p->html, "<p class=\"small\">%s</p>\n", note);
}

static void write_beginning(page *p) {
  const evaluation *e = p->e;
  eval_text_raw(&p->html, head, sizeof head - 1);
  eval_text_quote(&p->html, "<title>", e->spec.title, "</title>\n</head>\n<body>\n<h1>");
  eval_text_quote(&p->html, "", e->spec.title, "</h1>\n<p>");
  eval_text_add(&p->html,
                "%d pictures: %d settings, %d drawings, %d seeds. Made by masksketch %s with ",
                e->grid.points, e->grid.settings, e->grid.sketches, e->grid.seeds, msk_version());
  for (size_t i = 0; i < json_array_size(e->models); i++) {
    const json_t *model = json_array_get(e->models, i);
    const char *name = field(model, "name"), *hash = field(model, "hash");
    eval_text_quote(&p->html, i > 0 ? ", " : "", name == NULL ? "a model" : name, "");
    eval_text_add(&p->html, " (%.12s, %s)", hash == NULL ? "" : hash, field(model, "isa"));
  }
  eval_text_add(&p->html, ".</p>\n");
  if (e->eyes.judge == NULL)
    add_note(p, "No judge was at hand: class and shape were not measured.");
  if (e->eyes.clip == NULL) add_note(p, "No CLIP was at hand: its cosines were not measured.");
  if (e->spec.reference == NULL) return;
  eval_text_add(&p->html, "<p class=\"small\">Distances are to the %d pictures of ",
                e->reference.count);
  eval_text_quote(&p->html, "", e->spec.reference,
                  ". A Frechet distance depends on how many pictures a set has: compare equal "
                  "numbers.</p>\n");
}

static void write_end(page *p) {
  char *spec = json_dump(p->e->spec.root, JSON_INDENT(1));
  eval_text_quote(&p->html, "<h2>SPEC</h2>\n<pre>", spec == NULL ? "" : spec,
                  "</pre>\n</body>\n</html>\n");
  free(spec);
}

/* ---- plots ---- */

/* Fills in the points with value `a` of the plot's axis and, where it has several lines, value
 * `b` of theirs. */
static int select_points(page *p, const plot_view *view, int a, int b) {
  const eval_grid *grid = &p->e->grid;
  int count = 0;
  for (int point = 0; point < grid->points; point++) {
    if (eval_grid_value(grid, view->axis, point) != a) continue;
    if (view->by == NULL || eval_grid_value(grid, view->by, point) == b) p->points[count++] = point;
  }
  return count;
}

static msk_status fill_point(plot_point *out, page *p, const plot_view *view, int index, int by,
                             msk_error *error) {
  const eval_axis *axis = view->axis;
  eval_value x = {axis->numbers != NULL ? axis->numbers[index] : index, NAN}, y;
  int count = select_points(p, view, index, by);
  msk_status status = evaluation_value(&y, p->e, view->y, p->points, count, error);
  if (status == MSK_OK && view->x >= 0)
    status = evaluation_value(&x, p->e, view->x, p->points, count, error);
  if (status != MSK_OK) return status;
  *out = (plot_point){.x = x.mean, .x_error = x.error, .y = y.mean, .y_error = y.error};
  if (view->x >= 0) out->label = axis->values[index];
  return MSK_OK;
}

static int compare_places(const void *a, const void *b) {
  double x = ((const plot_point *)a)->x, y = ((const plot_point *)b)->x;
  return x < y ? -1 : x > y;
}

static msk_status fill_series(plot_series *series, page *p, const plot_view *view, int by,
                              msk_error *error) {
  msk_status status = MSK_OK;
  if (view->by != NULL) series->name = view->by->values[by];
  for (; series->count < view->axis->count && status == MSK_OK; series->count++)
    status = fill_point(&series->points[series->count], p, view, series->count, by, error);
  /* a SPEC may list numbers in any order; a line goes from left to right */
  if (status == MSK_OK && view->x < 0 && view->axis->numbers != NULL)
    qsort(series->points, (size_t)series->count, sizeof *series->points, compare_places);
  return status;
}

/* Space for all series of a plot in one block, cut up. */
static plot_series *make_series(int series_count, int points_each) {
  plot_series *series =
      calloc((size_t)series_count, sizeof *series + (size_t)points_each * sizeof(plot_point));
  if (series == NULL) return NULL;
  plot_point *points = (plot_point *)(void *)(series + series_count);
  for (int i = 0; i < series_count; i++)
    series[i].points = points + (size_t)i * (size_t)points_each;
  return series;
}

/* "judge_iou over lambda_structure, by layers" */
static void make_title(char *title, size_t size, const plot_view *view) {
  const char *y = eval_measures[view->y].name, *axis = view->axis->name,
             *comma = view->by == NULL ? "" : ", by ", *by = view->by == NULL ? "" : view->by->name;
  if (view->x < 0) {
    snprintf(title, size, "%s over %s%s%s", y, axis, comma, by);
  } else {
    snprintf(title, size, "%s against %s, along %s%s%s", y, eval_measures[view->x].name, axis,
             comma, by);
  }
}

static msk_status write_plot(page *p, const plot_view *view, msk_error *error) {
  const eval_axis *axis = view->axis;
  char title[2 * MAX_SPEC_TEXT];
  plot drawn = {.title = view->title,
                .x_label = view->x >= 0 ? eval_measures[view->x].label : axis->name,
                .y_label = eval_measures[view->y].label,
                .series_count = view->by == NULL ? 1 : view->by->count};
  drawn.series = make_series(drawn.series_count, axis->count);
  if (drawn.series == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for a plot");
  msk_status status = MSK_OK;
  for (int i = 0; i < drawn.series_count && status == MSK_OK; i++)
    status = fill_series(&drawn.series[i], p, view, i, error);
  if (drawn.title == NULL) {
    make_title(title, sizeof title, view);
    drawn.title = title;
  }
  if (view->x < 0 && axis->numbers == NULL) {
    drawn.names = axis->values;
    drawn.name_count = axis->count;
  }
  if (status == MSK_OK) plot_draw(&p->html, &drawn);
  free(drawn.series);
  return status;
}

static msk_status write_plots(page *p, msk_error *error) {
  msk_status status = MSK_OK;
  if (p->views.plot_count == 0) return MSK_OK;
  eval_text_add(&p->html, "<h2>Plots</h2>\n");
  add_note(p, "Means; bars are one standard error over the pictures.");
  eval_text_add(&p->html, "<div class=\"plots\">\n");
  for (int i = 0; i < p->views.plot_count && status == MSK_OK; i++) {
    const plot_view *view = &p->views.plots[i];
    int missing = view->x >= 0 && !p->e->known[view->x] ? view->x : -1;
    if (!p->e->known[view->y]) missing = view->y;
    if (missing < 0) {
      status = write_plot(p, view, error);
    } else {
      eval_text_add(&p->html, "<p class=\"small\">No plot of %s: it was not measured.</p>\n",
                    eval_measures[missing].name);
    }
  }
  eval_text_add(&p->html, "</div>\n");
  return status;
}

/* ---- contact sheets: tables of small pictures, each a JPEG inside the page ---- */

static msk_status encode_tile(char **base64, const msk_image *image, int side, msk_error *error) {
  msk_prepare_options options;
  msk_image small = {0};
  void *bytes = NULL;
  size_t byte_count = 0;
  msk_prepare_plain(&options);
  msk_status status = msk_image_prepare(&small, image, side, side, &options, NULL, error);
  if (status == MSK_OK)
    status = msk_image_encode(&small, MSK_FORMAT_JPEG, JPEG_QUALITY, NULL, 0, &bytes, &byte_count,
                              NULL, error);
  msk_image_free(&small);
  if (status != MSK_OK) return status;
  *base64 = base64_encode(bytes, byte_count);
  msk_free(NULL, bytes);
  if (*base64 != NULL) return MSK_OK;
  return app_fail(error, MSK_ERROR_MEMORY, "out of memory for a picture of the report");
}

static msk_status add_image(page *p, const msk_image *image, const char *name, msk_error *error) {
  char *base64 = NULL;
  int side = p->e->spec.tile;
  msk_status status = encode_tile(&base64, image, side, error);
  if (status != MSK_OK) return status;
  eval_text_add(&p->html, "<img width=\"%d\" height=\"%d\"", side, side);
  eval_text_quote(&p->html, " alt=\"", name, "\"");
  eval_text_quote(&p->html, " title=\"", name, "\" src=\"data:image/jpeg;base64,");
  eval_text_raw(&p->html, base64, strlen(base64));
  eval_text_add(&p->html, "\">");
  free(base64);
  p->tiles++;
  return MSK_OK;
}

static msk_status add_drawing(page *p, int sketch, msk_error *error) {
  const char *name = eval_spec_sketch(&p->e->spec, (size_t)sketch, "name");
  const eval_sketch *drawing;
  if (p->e->spec.job != MSK_JOB_DRAW) return MSK_OK;
  msk_status status = eval_sketches_look(&drawing, &p->e->sketches, sketch, error);
  return status == MSK_OK ? add_image(p, &drawing->view, name, error) : status;
}

static msk_status add_picture(page *p, int point, msk_error *error) {
  char path[MAX_PATH_BYTES];
  msk_image image = {0};
  if (cancel_requested())
    return app_fail(error, MSK_ERROR_CANCELLED, "cancelled; all pictures are finished and kept");
  msk_status status = eval_results_picture(path, &p->e->results, point, error);
  if (status == MSK_OK) status = input_picture(&image, path, MSK_ALPHA_WHITE, error);
  if (status == MSK_OK)
    status = add_image(p, &image, path + strlen(p->e->results.folder) + 1, error);
  msk_image_free(&image);
  return status;
}

/* What the pictures of a row or of a cell have in common; -1: anything. */
typedef struct selection {
  const sheet_view *view;
  int each, row, column;
} selection;

static bool belongs(const eval_grid *grid, const selection *s, int point) {
  return (s->each < 0 || eval_grid_value(grid, s->view->each, point) == s->each) &&
         (s->row < 0 || eval_grid_value(grid, s->view->rows, point) == s->row) &&
         (s->column < 0 || eval_grid_value(grid, s->view->columns, point) == s->column);
}

/* The next picture of a selection after one, -1 past the last. Of a long list the sheets show the
 * first drawings alone: looking through all for each of a thousand cells would take hours. */
static int next_of(const eval_grid *grid, const selection *s, int point) {
  const int each = grid->points / grid->settings;
  while (++point < grid->points) {
    if (eval_grid_sketch(grid, point) >= MAX_SHEET_DRAWINGS) {
      point = (point / each + 1) * each - 1;
    } else if (belongs(grid, s, point)) {
      return point;
    }
  }
  return -1;
}

/* The one drawing of all pictures in a selection, or -1. */
static int common_sketch(const eval_grid *grid, const selection *s) {
  int sketch = -1;
  for (int point = next_of(grid, s, -1); point >= 0; point = next_of(grid, s, point)) {
    if (sketch >= 0 && eval_grid_sketch(grid, point) != sketch) return -1;
    sketch = eval_grid_sketch(grid, point);
  }
  return sketch;
}

static msk_status write_cell(page *p, const selection *s, bool with_drawing, msk_error *error) {
  const eval_grid *grid = &p->e->grid;
  int shown = 0, sketch = with_drawing ? common_sketch(grid, s) : -1;
  msk_status status = MSK_OK;
  p->cells++;
  eval_text_add(&p->html, "<td>");
  if (sketch >= 0) status = add_drawing(p, sketch, error);
  if (sketch >= 0) eval_text_add(&p->html, "<br>");
  for (int point = next_of(grid, s, -1); point >= 0 && status == MSK_OK;
       point = next_of(grid, s, point)) {
    if (shown == MAX_TILES_IN_CELL || p->tiles >= MAX_TILES) break;
    status = add_picture(p, point, error);
    shown++;
  }
  eval_text_add(&p->html, "</td>");
  return status;
}

/* A row whose pictures come from one drawing begins with it; otherwise each cell shows its own
 * above the picture. */
static msk_status write_row(page *p, const selection *row, msk_error *error) {
  const sheet_view *view = row->view;
  int sketch = common_sketch(&p->e->grid, row);
  msk_status status = MSK_OK;
  eval_text_quote(&p->html, "<tr><th>", view->rows->values[row->row], "</th><td>");
  if (sketch >= 0) status = add_drawing(p, sketch, error);
  eval_text_add(&p->html, "</td>");
  for (int column = 0; column < view->columns->count && status == MSK_OK && p->cells < MAX_TILES;
       column++) {
    selection cell = *row;
    cell.column = column;
    status = write_cell(p, &cell, sketch < 0, error);
  }
  eval_text_add(&p->html, "</tr>\n");
  return status;
}

/* `each`: value of the view's third axis, or -1. */
static msk_status write_sheet(page *p, const sheet_view *view, int each, msk_error *error) {
  if (view->title != NULL) {
    eval_text_quote(&p->html, "<h3>", view->title, "");
  } else {
    eval_text_add(&p->html, "<h3>%s across, %s down", view->columns->name, view->rows->name);
  }
  if (each >= 0) {
    eval_text_add(&p->html, ": %s ", view->each->name);
    eval_text_quote(&p->html, "", view->each->values[each], "");
  }
  eval_text_add(&p->html,
                "</h3>\n<div class=\"wide\"><table class=\"sheet\">\n<tr><th></th><th></th>");
  for (int i = 0; i < view->columns->count; i++)
    eval_text_quote(&p->html, "<th>", view->columns->values[i], "</th>");
  eval_text_add(&p->html, "</tr>\n");
  msk_status status = MSK_OK;
  for (int row = 0; row < view->rows->count && status == MSK_OK; row++) {
    const selection of_row = {view, each, row, -1};
    if (p->tiles >= MAX_TILES || p->cells >= MAX_TILES) break;
    if (next_of(&p->e->grid, &of_row, -1) >= 0) status = write_row(p, &of_row, error);
  }
  eval_text_add(&p->html, "</table></div>\n");
  return status;
}

/* What goes beyond MAX_TILES pictures is left out, and the page says so. */
static msk_status write_sheets(page *p, msk_error *error) {
  msk_status status = MSK_OK;
  if (p->views.sheet_count == 0) return MSK_OK;
  eval_text_add(&p->html,
                "<h2>Pictures</h2>\n<p class=\"small\">At most %d pictures a cell; all of them "
                "stand in the folder pictures.</p>\n",
                MAX_TILES_IN_CELL);
  for (int i = 0; i < p->views.sheet_count; i++) {
    const sheet_view *view = &p->views.sheets[i];
    int sheets = view->each == NULL ? 1 : view->each->count;
    for (int each = 0; each < sheets && status == MSK_OK; each++) {
      if (view->each != NULL && p->tiles >= MAX_TILES) break;
      status = write_sheet(p, view, view->each == NULL ? -1 : each, error);
    }
  }
  if (p->e->grid.sketches > MAX_SHEET_DRAWINGS)
    eval_text_add(&p->html, "<p class=\"small\">Of the first %d drawings.</p>\n",
                  MAX_SHEET_DRAWINGS);
  if (p->tiles >= MAX_TILES || p->cells >= MAX_TILES)
    eval_text_add(&p->html, "<p class=\"small\">The report stops at %d pictures.</p>\n", MAX_TILES);
  return status;
}

/* ---- the table of settings ---- */

static void write_value(eval_text *html, const eval_value *value) {
  if (!isfinite(value->mean)) {
    eval_text_add(html, "<td>-</td>");
  } else if (isfinite(value->error)) {
    eval_text_add(html, "<td>%.4g &#177; %.2g</td>", value->mean, value->error);
  } else {
    eval_text_add(html, "<td>%.4g</td>", value->mean);
  }
}

static msk_status write_setting(page *p, int setting, msk_error *error) {
  const eval_grid *grid = &p->e->grid;
  int each = grid->points / grid->settings;
  /* the axes of settings come first in the grid, so that a setting's pictures are neighbours */
  for (int i = 0; i < each; i++) p->points[i] = setting * each + i;
  eval_text_add(&p->html, "<tr>");
  for (const eval_axis *axis = grid->axes; axis->setting; axis++)
    eval_text_quote(&p->html, "<th>", axis->values[eval_grid_value(grid, axis, p->points[0])],
                    "</th>");
  for (int i = 0; i < MEASURE_COUNT; i++) {
    eval_value value;
    if (!p->e->known[i]) continue;
    msk_status status = evaluation_value(&value, p->e, i, p->points, each, error);
    if (status != MSK_OK) return status;
    write_value(&p->html, &value);
  }
  eval_text_add(&p->html, "</tr>\n");
  return MSK_OK;
}

static msk_status write_table(page *p, msk_error *error) {
  const eval_grid *grid = &p->e->grid;
  int rows = grid->settings < MAX_TABLE_ROWS ? grid->settings : MAX_TABLE_ROWS;
  eval_text_add(&p->html, "<h2>Settings</h2>\n<div class=\"wide\"><table class=\"figures\">\n<tr>");
  for (const eval_axis *axis = grid->axes; axis->setting; axis++)
    eval_text_add(&p->html, "<th>%s</th>", axis->name);
  for (int i = 0; i < MEASURE_COUNT; i++) {
    const eval_measure *measure = &eval_measures[i];
    if (p->e->known[i])
      eval_text_add(&p->html, "<th title=\"%s\">%s %s</th>", measure->label, measure->name,
                    measure->better > 0 ? "&#8593;" : "&#8595;");
  }
  eval_text_add(&p->html, "</tr>\n");
  msk_status status = MSK_OK;
  for (int i = 0; i < rows && status == MSK_OK; i++) status = write_setting(p, i, error);
  eval_text_add(&p->html, "</table></div>\n");
  if (rows < grid->settings)
    eval_text_add(&p->html,
                  "<p class=\"small\">The first %d of %d settings; summary.csv has them all.</p>\n",
                  rows, grid->settings);
  return status;
}

/* ---- the whole page ---- */

static msk_status write_page(page *p, msk_error *error) {
  write_beginning(p);
  msk_status status = write_plots(p, error);
  if (status == MSK_OK) status = write_sheets(p, error);
  if (status == MSK_OK) status = write_table(p, error);
  if (status == MSK_OK) write_end(p);
  if (status == MSK_OK && p->html.failed)
    status = app_fail(error, MSK_ERROR_MEMORY, "out of memory for the report");
  return status;
}

msk_status evaluation_write_page(evaluation *e, msk_error *error) {
  page p = {.e = e};
  char path[MAX_PATH_BYTES];
  msk_status status = read_views(&p.views, &e->grid, error);
  if (status != MSK_OK) return status;
  suggest_views(&p.views, e);
  p.points = malloc((size_t)e->grid.points * sizeof *p.points);
  if (p.points == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the report");
  status = write_page(&p, error);
  if (status == MSK_OK) status = eval_results_path(path, &e->results, "report.html", error);
  if (status == MSK_OK) status = msk_file_write(path, p.html.bytes, p.html.used, error);
  free(p.points);
  free(p.html.bytes);
  return status;
}
