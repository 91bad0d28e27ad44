/* SPDX-License-Identifier: Apache-2.0
 *
 * table.c - the finished pictures as figures: means of any set of them, with standard errors,
 * distances to the reference, and the two CSV files. Times stay out of these: an evaluation that
 * was killed and went on ends with the same bytes as one that was not. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/cancel.h"
#include "eval/eval.h"
#include "eval/markup.h"
#include "masksketch_tools.h"

/* ---- values ---- */

static int kind_of(int measure) {
  return measure == MEASURE_FRECHET_JUDGE || measure == MEASURE_KERNEL_JUDGE ? FEATURES_JUDGE
                                                                             : FEATURES_CLIP;
}

msk_status evaluation_reckon(evaluation *e, msk_error *error) {
  for (int point = 0; point < e->grid.points; point++) {
    const eval_record *record = &e->results.records[point];
    for (int i = 0; i < MEASURES_OF_PICTURES; i++)
      e->known[i] = e->known[i] || (record->done && isfinite(record->measures[i]));
  }
  if (e->spec.reference == NULL) return MSK_OK;
  char path[MAX_PATH_BYTES];
  msk_status status = eval_spec_path(path, &e->spec, e->spec.reference, error);
  if (status == MSK_OK)
    status = eval_folder_look(&e->reference, &e->eyes, path, e->order->quiet, error);
  for (int i = MEASURES_OF_PICTURES; i < MEASURE_COUNT; i++)
    e->known[i] = e->reference.values[kind_of(i)] != NULL;
  return status;
}

static void mean_of(eval_value *value, const evaluation *e, int measure, const int *points,
                    int count) {
  double sum = 0, squares = 0;
  int known = 0;
  for (int i = 0; i < count; i++) {
    double x = e->results.records[points[i]].measures[measure];
    if (!isfinite(x)) continue;
    sum += x;
    known++;
  }
  if (known == 0) return;
  value->mean = sum / known;
  for (int i = 0; i < count; i++) {
    double apart = e->results.records[points[i]].measures[measure] - value->mean;
    if (isfinite(apart)) squares += apart * apart;
  }
  if (known > 1) value->error = sqrt(squares / (known - 1) / known);
}

/* Of the pictures' features to the reference's. */
static msk_status distance_of(eval_value *value, const evaluation *e, int measure,
                              const int *points, int count, msk_error *error) {
  int kind = kind_of(measure), dimensions = eval_eyes_dimensions(&e->eyes, kind);
  if (count < 2) return MSK_OK;
  if (cancel_requested())
    return app_fail(error, MSK_ERROR_CANCELLED, "cancelled; all pictures are finished and kept");
  size_t bytes = (size_t)count * (size_t)dimensions * sizeof(float);
  float *values = bytes > MAX_FEATURE_BYTES ? NULL : malloc(bytes);
  if (values == NULL)
    return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the features of %d pictures",
                    count);
  msk_status status = MSK_OK;
  for (int i = 0; i < count && status == MSK_OK; i++)
    status = eval_results_features(&e->results, kind, points[i],
                                   values + (size_t)i * (size_t)dimensions, error);
  msk_features ours = {values, count, dimensions},
               theirs = {e->reference.values[kind], e->reference.count, dimensions};
  bool frechet = measure == MEASURE_FRECHET_JUDGE || measure == MEASURE_FRECHET_CLIP;
  if (status == MSK_OK)
    status = frechet ? msk_features_frechet(&ours, &theirs, &value->mean, NULL, error)
                     : msk_features_kernel(&ours, &theirs, &value->mean, error);
  free(values);
  return status;
}

msk_status evaluation_value(eval_value *value, const evaluation *e, int measure, const int *points,
                            int count, msk_error *error) {
  *value = (eval_value){.mean = NAN, .error = NAN};
  if (measure >= MEASURES_OF_PICTURES) return distance_of(value, e, measure, points, count, error);
  mean_of(value, e, measure, points, count);
  return MSK_OK;
}

/* ---- CSV ---- */

static void add_number(eval_text *text, double number) {
  eval_text_raw(text, ",", 1);
  if (isfinite(number)) eval_text_add(text, "%.10g", number);
}

static bool in_csv(const evaluation *e, int measure) {
  return e->known[measure] && measure != MEASURE_SECONDS;
}

static void add_axes(eval_text *text, const eval_grid *grid, int point, bool settings_only) {
  for (int i = 0; i < grid->axis_count; i++) {
    const eval_axis *axis = &grid->axes[i];
    if (settings_only && !axis->setting) continue;
    eval_text_raw(text, ",", 1);
    eval_text_csv(text, point < 0 ? axis->name : axis->values[eval_grid_value(grid, axis, point)]);
  }
}

static void write_pictures(eval_text *text, const evaluation *e) {
  eval_text_add(text, "picture");
  add_axes(text, &e->grid, -1, false);
  for (int i = 0; i < MEASURES_OF_PICTURES; i++) {
    if (in_csv(e, i)) eval_text_add(text, ",%s", eval_measures[i].name);
  }
  eval_text_add(text, ",file\n");
  for (int point = 0; point < e->grid.points; point++) {
    eval_text_add(text, "%d", point);
    add_axes(text, &e->grid, point, false);
    for (int i = 0; i < MEASURES_OF_PICTURES; i++) {
      if (in_csv(e, i)) add_number(text, e->results.records[point].measures[i]);
    }
    eval_text_add(text, ",pictures/%06d.png\n", point);
  }
}

static msk_status write_settings(eval_text *text, const evaluation *e, int *points,
                                 msk_error *error) {
  const eval_grid *grid = &e->grid;
  int each = grid->points / grid->settings;
  msk_status status = MSK_OK;
  eval_text_add(text, "setting");
  add_axes(text, grid, -1, true);
  eval_text_add(text, ",pictures");
  for (int i = 0; i < MEASURE_COUNT; i++) {
    if (in_csv(e, i)) eval_text_add(text, ",%s", eval_measures[i].name);
    if (in_csv(e, i) && i < MEASURES_OF_PICTURES)
      eval_text_add(text, ",%s_error", eval_measures[i].name);
  }
  eval_text_add(text, "\n");
  for (int setting = 0; setting < grid->settings && status == MSK_OK; setting++) {
    for (int i = 0; i < each; i++) points[i] = setting * each + i;
    eval_text_add(text, "%d", setting);
    add_axes(text, grid, setting * each, true);
    eval_text_add(text, ",%d", each);
    for (int i = 0; i < MEASURE_COUNT && status == MSK_OK; i++) {
      eval_value value;
      if (!in_csv(e, i)) continue;
      status = evaluation_value(&value, e, i, points, each, error);
      if (status != MSK_OK) break;
      add_number(text, value.mean);
      if (i < MEASURES_OF_PICTURES) add_number(text, value.error);
    }
    eval_text_add(text, "\n");
  }
  return status;
}

static msk_status write_file(const evaluation *e, const eval_text *text, const char *name,
                             msk_error *error) {
  char path[MAX_PATH_BYTES];
  if (text->failed) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for %s", name);
  msk_status status = eval_results_path(path, &e->results, name, error);
  return status == MSK_OK ? msk_file_write(path, text->bytes, text->used, error) : status;
}

msk_status evaluation_write_tables(const evaluation *e, msk_error *error) {
  eval_text pictures = {0}, settings = {0};
  int *points = malloc((size_t)e->grid.points * sizeof *points);
  msk_status status =
      points == NULL ? app_fail(error, MSK_ERROR_MEMORY, "out of memory for the CSV") : MSK_OK;
  if (status == MSK_OK) {
    write_pictures(&pictures, e);
    status = write_settings(&settings, e, points, error);
  }
  if (status == MSK_OK) status = write_file(e, &pictures, "results.csv", error);
  if (status == MSK_OK) status = write_file(e, &settings, "summary.csv", error);
  free(points);
  free(pictures.bytes);
  free(settings.bytes);
  return status;
}
