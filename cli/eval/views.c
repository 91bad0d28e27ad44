/* SPDX-License-Identifier: Apache-2.0
 * views.c - see views.h. */
#include "eval/views.h"

#include <string.h>

#include "eval/spec_check.h"

/* ---- the SPEC's ---- */

static const char *field(const json_t *view, const char *key) {
  return json_string_value(json_object_get(view, key));
}

/* "axis" NULL where the name is missing. */
static msk_status find_axis(const eval_axis **axis, const eval_grid *grid, const char *what,
                            const char *name, msk_error *error) {
  const char *names[MAX_AXES + 1];
  *axis = NULL;
  if (name == NULL) return MSK_OK;
  *axis = eval_grid_axis(grid, name);
  if (*axis != NULL) return MSK_OK;
  eval_grid_names(grid, names);
  return app_fail(
      error, MSK_ERROR_FILE,
      "the SPEC's %s names \"%.60s\", by which its pictures do not differ; the nearest is \"%s\"",
      what, name, spec_nearest(names, name));
}

static msk_status unknown_name(const eval_grid *grid, const char *what, const char *name, bool axes,
                               msk_error *error) {
  const char *names[MAX_AXES + MEASURE_COUNT + 1];
  int count = 0;
  for (int i = 0; i < MEASURE_COUNT; i++) names[count++] = eval_measures[i].name;
  for (int i = 0; axes && i < grid->axis_count; i++) names[count++] = grid->axes[i].name;
  names[count] = NULL;
  return app_fail(error, MSK_ERROR_FILE,
                  "the SPEC's %s names \"%.60s\", which is not measured; the nearest is \"%s\"",
                  what, name, spec_nearest(names, name));
}

static msk_status check_size(const eval_plot_view *plot, msk_error *error) {
  long points = (long)plot->axis->count * (plot->by == NULL ? 1 : plot->by->count);
  if (points <= MAX_PLOT_POINTS) return MSK_OK;
  return app_fail(
      error, MSK_ERROR_FILE,
      "a plot over \"%s\" would have %ld points, expected at most %d: choose another \"by\"",
      plot->axis->name, points, MAX_PLOT_POINTS);
}

static msk_status read_plot(eval_plot_view *plot, const eval_grid *grid, const json_t *view,
                            msk_error *error) {
  const char *x = field(view, "x"), *y = field(view, "y"), *along = field(view, "along");
  *plot = (eval_plot_view){.title = field(view, "title"),
                           .axis = eval_grid_axis(grid, x),
                           .x = -1,
                           .y = eval_measure_find(y)};
  if (plot->y < 0) return unknown_name(grid, "plots", y, false, error);
  msk_status status = find_axis(&plot->by, grid, "plots", field(view, "by"), error);
  if (status != MSK_OK) return status;
  if (plot->axis != NULL && along != NULL)
    return app_fail(error, MSK_ERROR_FILE,
                    "the SPEC's plot of \"%s\" over \"%s\" takes no \"along\": leave it out", y, x);
  if (plot->axis != NULL) return check_size(plot, error);
  plot->x = eval_measure_find(x);
  if (plot->x < 0) return unknown_name(grid, "plots", x, true, error);
  if (along == NULL)
    return app_fail(error, MSK_ERROR_FILE,
                    "the SPEC's plot of \"%s\" over \"%s\" needs \"along\", as in \"along\": "
                    "\"lambda_structure\"",
                    y, x);
  status = find_axis(&plot->axis, grid, "plots", along, error);
  return status == MSK_OK ? check_size(plot, error) : status;
}

msk_status eval_views_read(eval_views *views, const eval_grid *grid, msk_error *error) {
  const eval_spec *spec = grid->spec;
  msk_status status = MSK_OK;
  *views = (eval_views){0};
  for (size_t i = 0; i < json_array_size(spec->plots) && status == MSK_OK; i++)
    status =
        read_plot(&views->plots[views->plot_count++], grid, json_array_get(spec->plots, i), error);
  for (size_t i = 0; i < json_array_size(spec->sheets) && status == MSK_OK; i++) {
    const json_t *view = json_array_get(spec->sheets, i);
    eval_sheet_view *sheet = &views->sheets[views->sheet_count++];
    *sheet = (eval_sheet_view){.title = field(view, "title")};
    status = find_axis(&sheet->rows, grid, "sheets", field(view, "rows"), error);
    if (status == MSK_OK)
      status = find_axis(&sheet->columns, grid, "sheets", field(view, "columns"), error);
    if (status == MSK_OK)
      status = find_axis(&sheet->each, grid, "sheets", field(view, "each"), error);
  }
  return status;
}

/* ---- suggestions ---- */

static void suggest_plot(eval_views *views, const eval_axis *axis, int x, int y,
                         const eval_axis *by) {
  long points = (long)axis->count * (by == NULL ? 1 : by->count);
  if (views->plot_count < MAX_VIEWS && points <= MAX_PLOT_POINTS)
    views->plots[views->plot_count++] = (eval_plot_view){.axis = axis, .x = x, .y = y, .by = by};
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

static void suggest_plots(eval_views *views, const eval_table *table,
                          const eval_axis *const *varied, int count) {
  static const int faithful[] = {MEASURE_JUDGE_IOU, MEASURE_STRUCTURE},
                   real[] = {MEASURE_JUDGE_CLASS,  MEASURE_FRECHET_JUDGE, MEASURE_KERNEL_JUDGE,
                             MEASURE_FRECHET_CLIP, MEASURE_KERNEL_CLIP,   MEASURE_CLIP_TEXT};
  const eval_axis *lambda = eval_grid_axis(&table->e->grid, "lambda_structure");
  for (size_t i = 0;
       lambda != NULL && lambda->count > 1 && i < sizeof faithful / sizeof faithful[0]; i++) {
    for (size_t k = 0; k < sizeof real / sizeof real[0]; k++) {
      const eval_axis *by = count == 2 ? varied[varied[0] == lambda] : NULL;
      if (table->known[faithful[i]] && table->known[real[k]])
        suggest_plot(views, lambda, faithful[i], real[k], by);
    }
  }
  for (int i = 0; i < count; i++) {
    const eval_axis *by = count == 2 ? varied[1 - i] : NULL;
    for (int k = 0; k < MEASURE_COUNT; k++) {
      bool tells = k != MEASURE_SECONDS || strcmp(varied[i]->name, "steps") == 0;
      if (table->known[k] && tells) suggest_plot(views, varied[i], -1, k, by);
    }
  }
}

void eval_views_suggest(eval_views *views, const eval_table *table) {
  const eval_grid *grid = &table->e->grid;
  const eval_axis *varied[MAX_AXES];
  int count = varied_axes(varied, grid);
  if (grid->spec->plots == NULL) suggest_plots(views, table, varied, count);
  if (grid->spec->sheets != NULL) return;
  const eval_axis *columns = count > 0 ? varied[0] : eval_grid_axis(grid, "seed");
  const eval_axis *rows =
      eval_grid_axis(grid, strcmp(columns->name, "level") == 0 ? "subject" : "sketch");
  views->sheets[views->sheet_count++] =
      (eval_sheet_view){.rows = rows, .columns = columns, .each = count > 1 ? varied[1] : NULL};
}
