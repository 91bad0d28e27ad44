/* SPDX-License-Identifier: Apache-2.0
 *
 * grid.c - the grid of pictures that a SPEC spans; see spec.h for the order of its points. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/spec.h"

/* ---- axes ---- */

static msk_status no_memory(msk_error *error) {
  return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the grid of pictures");
}

static bool read_number(const char *text, double *number) {
  char *end = NULL;
  if (strspn(text, "0123456789+-.eE") != strlen(text)) return false;
  *number = strtod(text, &end);
  return end != text && *end == 0 && isfinite(*number);
}

/* The values as numbers, if all of them are. */
static msk_status find_numbers(eval_axis *axis, msk_error *error) {
  double number;
  for (int i = 0; i < axis->count; i++) {
    if (!read_number(axis->values[i], &number)) return MSK_OK;
  }
  axis->numbers = calloc((size_t)axis->count, sizeof *axis->numbers);
  if (axis->numbers == NULL) return no_memory(error);
  for (int i = 0; i < axis->count; i++) read_number(axis->values[i], &axis->numbers[i]);
  return MSK_OK;
}

static eval_axis *new_axis(eval_grid *grid, const char *name, int count, int stride) {
  eval_axis *axis = &grid->axes[grid->axis_count++];
  *axis = (eval_axis){.name = name,
                      .count = count,
                      .stride = stride,
                      .values = calloc((size_t)count, sizeof *axis->values)};
  return axis->values != NULL ? axis : NULL;
}

static msk_status add_list(eval_grid *grid, const char *name, const json_t *list, int stride,
                           bool setting, msk_error *error) {
  eval_axis *axis = new_axis(grid, name, (int)json_array_size(list), stride);
  if (axis == NULL) return no_memory(error);
  axis->setting = setting;
  for (int i = 0; i < axis->count; i++) axis->values[i] = eval_spec_text(list, (size_t)i);
  return find_numbers(axis, error);
}

/* A sketch's value on an axis, so that equal ones find each other by sorting. */
typedef struct named {
  const char *value;
  int sketch;
} named;

static int by_value(const void *a, const void *b) {
  const named *x = a, *y = b;
  const int order = strcmp(x->value, y->value);
  return order != 0 ? order : x->sketch - y->sketch;
}

/* Numbers the values in the order in which they come first; of_sketch holds meanwhile the first
 * sketch that has the same. */
static void number_values(eval_axis *axis, named *all, int count) {
  qsort(all, (size_t)count, sizeof *all, by_value);
  for (int i = 0, first = 0; i < count; i++) {
    if (strcmp(all[i].value, all[first].value) != 0) first = i;
    axis->of_sketch[all[i].sketch] = all[first].sketch;
    axis->values[all[i].sketch] = all[i].value;
  }
  axis->count = 0;
  for (int i = 0; i < count; i++) {
    const int first = axis->of_sketch[i];
    if (first == i) axis->values[axis->count] = axis->values[i];
    axis->of_sketch[i] = first == i ? axis->count++ : axis->of_sketch[first];
  }
}

/* An axis over a field of the sketches; those that lack it are told apart by their names
 * (subject), or have none (level). */
static msk_status add_field(eval_grid *grid, const char *name, const char *field,
                            const char *instead, msk_error *error) {
  eval_axis *axis = new_axis(grid, name, grid->sketches, 0);
  named *all = calloc((size_t)grid->sketches, sizeof *all);
  if (axis == NULL || all == NULL ||
      (axis->of_sketch = calloc((size_t)grid->sketches, sizeof *axis->of_sketch)) == NULL) {
    free(all);
    return no_memory(error);
  }
  for (int i = 0; i < grid->sketches; i++) {
    const char *value = eval_spec_sketch(grid->spec, (size_t)i, field);
    if (value == NULL && instead != NULL) value = eval_spec_sketch(grid->spec, (size_t)i, instead);
    if (value == NULL) value = "none";
    all[i] = (named){value, i};
  }
  number_values(axis, all, grid->sketches);
  free(all);
  return find_numbers(axis, error);
}

static msk_status add_seeds(eval_grid *grid, msk_error *error) {
  grid->seed_names = json_array();
  for (int i = 0; i < grid->seeds; i++) {
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)eval_grid_seed(grid, i));
    if (json_array_append_new(grid->seed_names, json_string(text)) != 0) return no_memory(error);
  }
  return add_list(grid, "seed", grid->seed_names, 1, false, error);
}

/* ---- the grid ---- */

/* *product *= factor, while it stays within what one evaluation may have. */
static bool grow(int *product, size_t factor) {
  if (factor > (size_t)(MAX_SPEC_PICTURES / *product)) return false;
  *product *= (int)factor;
  return true;
}

static msk_status count_points(eval_grid *grid, msk_error *error) {
  const eval_spec *spec = grid->spec;
  grid->models = spec->models == NULL ? 1 : (int)json_array_size(spec->models);
  grid->recipes = (int)json_array_size(spec->recipes);
  grid->sketches = spec->sketches.count;
  grid->seeds = (int)json_array_size(spec->seeds);
  grid->settings = grid->models * grid->recipes;
  const char *key;
  json_t *list;
  bool fits = true;
  /* a product of a few lists is soon larger than an int */
  json_object_foreach(spec->settings, key, list) {
    fits = fits && grow(&grid->settings, json_array_size(list));
  }
  grid->points = grid->settings;
  fits = fits && grow(&grid->points, (size_t)grid->sketches) &&
         grow(&grid->points, (size_t)grid->seeds);
  if (fits) return MSK_OK;
  return app_fail(error, MSK_ERROR_FILE,
                  "the SPEC asks for more than %d pictures, which is what one evaluation may have: "
                  "name fewer values, sketches or seeds",
                  MAX_SPEC_PICTURES);
}

msk_status eval_grid_create(eval_grid *grid, const eval_spec *spec, msk_error *error) {
  *grid = (eval_grid){.spec = spec};
  msk_status status = count_points(grid, error);
  if (status != MSK_OK) return status;
  /* models change least often: opening one costs most */
  int stride = grid->points / grid->models;
  if (spec->models != NULL) status = add_list(grid, "model", spec->models, stride, true, error);
  stride /= grid->recipes;
  if (status == MSK_OK) status = add_list(grid, "recipe", spec->recipes, stride, true, error);
  const char *key;
  json_t *list;
  json_object_foreach(spec->settings, key, list) {
    stride /= (int)json_array_size(list);
    if (status == MSK_OK) status = add_list(grid, key, list, stride, true, error);
  }
  if (status == MSK_OK) status = add_field(grid, "sketch", "name", NULL, error);
  if (status == MSK_OK) status = add_field(grid, "class", "class", NULL, error);
  if (status == MSK_OK) status = add_field(grid, "subject", "subject", "name", error);
  if (status == MSK_OK) status = add_field(grid, "level", "level", NULL, error);
  return status == MSK_OK ? add_seeds(grid, error) : status;
}

void eval_grid_free(eval_grid *grid) {
  for (int i = 0; i < grid->axis_count; i++) {
    free(grid->axes[i].values);
    free(grid->axes[i].numbers);
    free(grid->axes[i].of_sketch);
  }
  json_decref(grid->seed_names);
  *grid = (eval_grid){0};
}

const eval_axis *eval_grid_axis(const eval_grid *grid, const char *name) {
  for (int i = 0; i < grid->axis_count; i++) {
    if (strcmp(grid->axes[i].name, name) == 0) return &grid->axes[i];
  }
  return NULL;
}

int eval_grid_value(const eval_grid *grid, const eval_axis *axis, int point) {
  return axis->of_sketch != NULL ? axis->of_sketch[eval_grid_sketch(grid, point)]
                                 : point / axis->stride % axis->count;
}

uint64_t eval_grid_seed(const eval_grid *grid, int point) {
  return (uint64_t)json_integer_value(
      json_array_get(grid->spec->seeds, (size_t)(point % grid->seeds)));
}

msk_status eval_grid_recipe(msk_recipe *recipe, const eval_grid *grid, const msk_model *model,
                            int setting, msk_error *error) {
  int point = setting * grid->seeds * grid->sketches;
  const eval_axis *axis = eval_grid_axis(grid, "recipe");
  const char *value = axis->values[eval_grid_value(grid, axis, point)];
  const msk_job job = grid->spec->job;
  msk_status status = msk_recipe_find(recipe, model, job, value, error);
  /* the recipe's keys follow it */
  while ((++axis)->setting && status == MSK_OK) {
    value = axis->values[eval_grid_value(grid, axis, point)];
    status = msk_recipe_set(recipe, job, axis->name, value, error);
  }
  return status;
}
