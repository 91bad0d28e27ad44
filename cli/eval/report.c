/* SPDX-License-Identifier: Apache-2.0
 *
 * report.c - see report.h. The page forbids itself every request (its content security policy
 * allows inline styles and data alone). */
#include "eval/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/contact.h"
#include "eval/plot.h"
#include "eval/text.h"
#include "eval/views.h"

enum { MAX_TABLE_ROWS = 400 };

msk_status eval_report_check(const eval_grid *grid, msk_error *error) {
  eval_views views;
  return eval_views_read(&views, grid, error);
}

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

/* ---- beginning and end ---- */

static void write_beginning(eval_text *html, const eval_table *table) {
  const evaluation *e = table->e;
  eval_text_raw(html, head, sizeof head - 1);
  eval_text_add(html, "<title>");
  eval_text_html(html, e->spec.title);
  eval_text_add(html, "</title>\n</head>\n<body>\n<h1>");
  eval_text_html(html, e->spec.title);
  eval_text_add(
      html,
      "</h1>\n<p>%d pictures: %d settings, %d drawings, %d seeds. Made by masksketch %s with ",
      e->grid.points, e->grid.settings, e->grid.sketches, e->grid.seeds, msk_version());
  for (size_t i = 0; i < json_array_size(e->models); i++) {
    const json_t *model = json_array_get(e->models, i);
    const char *name = json_string_value(json_object_get(model, "name")),
               *hash = json_string_value(json_object_get(model, "hash"));
    eval_text_add(html, "%s", i > 0 ? ", " : "");
    eval_text_html(html, name == NULL ? "a model" : name);
    eval_text_add(html, " (%.12s, %s)", hash == NULL ? "" : hash,
                  json_string_value(json_object_get(model, "isa")));
  }
  eval_text_add(html, ".</p>\n");
  if (e->eyes.judge == NULL)
    eval_text_add(
        html, "<p class=\"small\">No judge was at hand: class and shape were not measured.</p>\n");
  if (e->eyes.clip == NULL)
    eval_text_add(html,
                  "<p class=\"small\">No CLIP was at hand: its cosines were not measured.</p>\n");
  if (e->spec.reference == NULL) return;
  eval_text_add(html, "<p class=\"small\">Distances are to the %d pictures of ",
                table->reference.count);
  eval_text_html(html, e->spec.reference);
  eval_text_add(
      html,
      ". A Frechet distance depends on how many pictures a set has: compare equal numbers.</p>\n");
}

static void write_end(eval_text *html, const eval_table *table) {
  char *spec = json_dumps(table->e->spec.root, JSON_INDENT(1));
  eval_text_add(html, "<h2>SPEC</h2>\n<pre>");
  if (spec != NULL) eval_text_html(html, spec);
  eval_text_add(html, "</pre>\n</body>\n</html>\n");
  free(spec);
}

/* ---- plots ---- */

/* Points of the grid with value `a` of an axis, and `b` of another unless that is NULL. */
static int select_points(int *points, const eval_grid *grid, const eval_axis *first, int a,
                         const eval_axis *second, int b) {
  int count = 0;
  for (int point = 0; point < grid->points; point++) {
    if (eval_grid_value(grid, first, point) != a) continue;
    if (second == NULL || eval_grid_value(grid, second, point) == b) points[count++] = point;
  }
  return count;
}

static msk_status fill_series(plot_series *series, const eval_table *table,
                              const eval_plot_view *view, int by, int *points, msk_error *error) {
  const eval_grid *grid = &table->e->grid;
  for (int k = 0; k < view->axis->count; k++) {
    plot_point *p = &series->points[k];
    eval_value x = {NAN, NAN, 0}, y;
    int count = select_points(points, grid, view->axis, k, view->by, by);
    msk_status status = eval_table_value(&y, table, view->y, points, count, error);
    if (status == MSK_OK && view->x >= 0)
      status = eval_table_value(&x, table, view->x, points, count, error);
    if (status != MSK_OK) return status;
    *p = (plot_point){.x = x.mean, .x_error = x.error, .y = y.mean, .y_error = y.error};
    if (view->x >= 0) {
      p->label = view->axis->values[k];
    } else {
      p->x = view->axis->numbers != NULL ? view->axis->numbers[k] : k;
      p->x_error = NAN;
    }
    series->count++;
  }
  return MSK_OK;
}

static int compare_places(const void *a, const void *b) {
  double x = ((const plot_point *)a)->x, y = ((const plot_point *)b)->x;
  return x < y ? -1 : x > y;
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

static msk_status write_plot(eval_text *html, const eval_table *table, const eval_plot_view *view,
                             int *points, msk_error *error) {
  int series_count = view->by == NULL ? 1 : view->by->count;
  char title[2 * MAX_SPEC_TEXT];
  const char *x_label = view->x >= 0 ? eval_measures[view->x].label : view->axis->name;
  plot_series *series = make_series(series_count, view->axis->count);
  if (series == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for a plot");
  msk_status status = MSK_OK;
  for (int i = 0; i < series_count && status == MSK_OK; i++) {
    if (view->by != NULL) series[i].name = view->by->values[i];
    status = fill_series(&series[i], table, view, i, points, error);
    if (view->x < 0 && view->axis->numbers != NULL)
      qsort(series[i].points, (size_t)series[i].count, sizeof *series[i].points, compare_places);
  }
  if (view->x >= 0) {
    snprintf(title, sizeof title, "%s against %s, along %s", eval_measures[view->y].name,
             eval_measures[view->x].name, view->axis->name);
  } else {
    snprintf(title, sizeof title, "%s over %s", eval_measures[view->y].name, view->axis->name);
  }
  if (view->by != NULL) {
    size_t used = strlen(title);
    snprintf(title + used, sizeof title - used, ", by %s", view->by->name);
  }
  plot p = {.title = view->title != NULL ? view->title : title,
            .x_label = x_label,
            .y_label = eval_measures[view->y].label,
            .series = series,
            .series_count = series_count};
  if (view->x < 0 && view->axis->numbers == NULL) {
    p.names = view->axis->values;
    p.name_count = view->axis->count;
  }
  if (status == MSK_OK) plot_draw(html, &p);
  free(series);
  return status;
}

static msk_status write_plots(eval_text *html, const eval_table *table, const eval_views *views,
                              int *points, msk_error *error) {
  msk_status status = MSK_OK;
  if (views->plot_count == 0) return MSK_OK;
  eval_text_add(html,
                "<h2>Plots</h2>\n<p class=\"small\">Means; bars are one standard error over the "
                "pictures.</p>\n<div class=\"plots\">\n");
  for (int i = 0; i < views->plot_count && status == MSK_OK; i++) {
    const eval_plot_view *view = &views->plots[i];
    int missing = !table->known[view->y]                   ? view->y
                  : view->x >= 0 && !table->known[view->x] ? view->x
                                                           : -1;
    if (missing >= 0) {
      eval_text_add(html, "<p class=\"small\">No plot of %s: it was not measured.</p>\n",
                    eval_measures[missing].name);
    } else {
      status = write_plot(html, table, view, points, error);
    }
  }
  eval_text_add(html, "</div>\n");
  return status;
}

/* ---- the table ---- */

static void write_value(eval_text *html, const eval_value *value) {
  if (!isfinite(value->mean)) {
    eval_text_add(html, "<td>-</td>");
  } else if (isfinite(value->error)) {
    eval_text_add(html, "<td>%.4g &#177; %.2g</td>", value->mean, value->error);
  } else {
    eval_text_add(html, "<td>%.4g</td>", value->mean);
  }
}

static msk_status write_row(eval_text *html, const eval_table *table, int setting, int *points,
                            msk_error *error) {
  const eval_grid *grid = &table->e->grid;
  int each = grid->points / grid->settings;
  for (int i = 0; i < each; i++) points[i] = setting * each + i;
  eval_text_add(html, "<tr>");
  for (int i = 0; i < grid->axis_count; i++) {
    if (!grid->axes[i].setting) continue;
    eval_text_add(html, "<th>");
    eval_text_html(html, grid->axes[i].values[eval_grid_value(grid, &grid->axes[i], points[0])]);
    eval_text_add(html, "</th>");
  }
  for (int i = 0; i < MEASURE_COUNT; i++) {
    eval_value value;
    if (!table->known[i]) continue;
    msk_status status = eval_table_value(&value, table, i, points, each, error);
    if (status != MSK_OK) return status;
    write_value(html, &value);
  }
  eval_text_add(html, "</tr>\n");
  return MSK_OK;
}

static msk_status write_table(eval_text *html, const eval_table *table, int *points,
                              msk_error *error) {
  const eval_grid *grid = &table->e->grid;
  int rows = grid->settings < MAX_TABLE_ROWS ? grid->settings : MAX_TABLE_ROWS;
  eval_text_add(html, "<h2>Settings</h2>\n<div class=\"wide\"><table class=\"figures\">\n<tr>");
  for (int i = 0; i < grid->axis_count; i++) {
    if (grid->axes[i].setting) eval_text_add(html, "<th>%s</th>", grid->axes[i].name);
  }
  for (int i = 0; i < MEASURE_COUNT; i++) {
    if (table->known[i])
      eval_text_add(html, "<th title=\"%s\">%s %s</th>", eval_measures[i].label,
                    eval_measures[i].name, eval_measures[i].better > 0 ? "&#8593;" : "&#8595;");
  }
  eval_text_add(html, "</tr>\n");
  msk_status status = MSK_OK;
  for (int i = 0; i < rows && status == MSK_OK; i++)
    status = write_row(html, table, i, points, error);
  eval_text_add(html, "</table></div>\n");
  if (rows < grid->settings)
    eval_text_add(html,
                  "<p class=\"small\">The first %d of %d settings; summary.csv has them all.</p>\n",
                  rows, grid->settings);
  return status;
}

/* ---- the page ---- */

static msk_status write_page(eval_text *html, const eval_table *table, const eval_views *views,
                             int *points, msk_error *error) {
  write_beginning(html, table);
  msk_status status = write_plots(html, table, views, points, error);
  if (status == MSK_OK) status = contact_write(html, table, views, error);
  if (status == MSK_OK) status = write_table(html, table, points, error);
  if (status == MSK_OK) write_end(html, table);
  if (status == MSK_OK && html->failed)
    status = app_fail(error, MSK_ERROR_MEMORY, "out of memory for the report");
  return status;
}

msk_status eval_report_write(const eval_table *table, msk_error *error) {
  eval_views views;
  eval_text html = {0};
  char path[MAX_PATH_BYTES];
  msk_status status = eval_views_read(&views, &table->e->grid, error);
  if (status != MSK_OK) return status;
  eval_views_suggest(&views, table);
  int *points = malloc((size_t)table->e->grid.points * sizeof *points);
  if (points == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the report");
  status = write_page(&html, table, &views, points, error);
  if (status == MSK_OK) status = eval_results_path(path, &table->e->results, "report.html", error);
  if (status == MSK_OK) status = msk_file_write(path, html.bytes, html.used, error);
  free(points);
  free(html.bytes);
  return status;
}
