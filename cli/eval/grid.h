/* SPDX-License-Identifier: Apache-2.0
 *
 * grid.h - every picture of a SPEC has a number, its point: seeds turn fastest, then sketches,
 * the recipe's keys (the last one first), recipes, models. What pictures may be told apart by is
 * an axis: all of these, and class, subject and level of the sketches. */
#ifndef CLI_EVAL_GRID_H
#define CLI_EVAL_GRID_H

#include "eval/spec.h"

enum { MAX_AXES = MAX_SPEC_KEYS + 7 };

typedef struct eval_axis {
  const char *name;
  const char **values; /* what each value is called */
  double *numbers;     /* the same as numbers, where all are; else NULL */
  int count, stride;   /* value of a point: point / stride % count */
  bool setting;        /* one of model, recipe and keys */
  int *of_sketch;      /* or, if not NULL, of_sketch[the point's sketch] */
} eval_axis;

typedef struct eval_grid {
  const eval_spec *spec;
  eval_axis axes[MAX_AXES];
  int axis_count;
  /* pictures in all; combinations of model, recipe and keys */
  int points, settings;
  int models, recipes, sketches, seeds, keys; /* how many of each */
  char **seed_names;
} eval_grid;

/* Counts before memory is taken: more than MAX_SPEC_PICTURES points are refused. The SPEC must
 * outlive the grid. */
msk_status eval_grid_create(eval_grid *grid, const eval_spec *spec, msk_error *error);
void eval_grid_free(eval_grid *grid);

/* The axis of that name, or NULL. `eval_grid_names` fills in all names, ended by NULL. */
const eval_axis *eval_grid_axis(const eval_grid *grid, const char *name);
void eval_grid_names(const eval_grid *grid, const char *names[MAX_AXES + 1]);
/* Which value of the axis a point has. */
int eval_grid_value(const eval_grid *grid, const eval_axis *axis, int point);
static inline int eval_grid_sketch(const eval_grid *grid, int point) {
  return point / grid->seeds % grid->sketches;
}
static inline int eval_grid_setting(const eval_grid *grid, int point) {
  return point / (grid->seeds * grid->sketches);
}
uint64_t eval_grid_seed(const eval_grid *grid, int point);
/* The recipe of a setting; `model` as in eval_spec_recipe(). */
msk_status eval_grid_recipe(msk_recipe *recipe, const eval_grid *grid, const msk_model *model,
                            int setting, msk_error *error);
#endif
