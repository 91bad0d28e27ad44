/* SPDX-License-Identifier: Apache-2.0
 *
 * eval.h - the experiments that a face of the program can ask for, and what the files that make
 * them share. An evaluation goes one way: SPEC and grid -> pictures and scores (make.c) ->
 * figures (table.c) -> report (page.c); all that must outlive an interruption is in its folder
 * (results.h). */
#ifndef EVAL_EVAL_H
#define EVAL_EVAL_H

#include "app/model_path.h"
#include "eval/ranks.h"
#include "eval/results.h"

/* ---- for the faces ---- */

/* An evaluation: the file of its SPEC, the folder of its results (NULL: named after the SPEC),
 * its networks (NULL: those that come with the program). */
typedef struct eval_order {
  const char *spec, *folder, *judge, *clip;
  const char *shard; /* "2/7": which share of the pictures (app/shard.h); NULL: what is found */
  model_choice model;
  bool merge; /* makes nothing, and reports what all shards have made */
  bool quiet;
} eval_order;
msk_status eval_run(const eval_order *order, msk_error *error);

/* How far apart two sets are, by one kind of features; printed. Each is a folder of pictures, or an
 * array of features; of two arrays no network is needed. */
typedef struct eval_comparison {
  const char *folders[2], *judge, *clip;
  int kind; /* FEATURES_JUDGE or FEATURES_CLIP */
  model_choice how;
  bool json, quiet;
} eval_comparison;
msk_status eval_compare(const eval_comparison *comparison, msk_error *error);

/* ---- an evaluation at work ---- */

typedef struct evaluation {
  const eval_order *order;
  eval_spec spec;
  eval_grid grid;
  eval_sketches sketches;
  eval_eyes eyes;
  eval_scorer scorer;
  eval_results results;
  shard share;        /* of this process */
  const char *told;   /* what told it; NULL: it is the whole */
  ranks *ranks;       /* of one mpirun, among which the pictures are handed out; or NULL */
  char **class_names; /* of the values of the axis class, as the first model calls them */
  json_t *models;     /* of each model: name, hash, isa, precision */
  /* figures */
  bool known[MEASURE_COUNT]; /* some picture has it, or a reference is there */
  eval_folder reference;
} evaluation;

/* Opens model `index` of the SPEC (or the one that the order names). */
msk_status evaluation_open_model(msk_model **model, const evaluation *e, int index,
                                 msk_error *error);
/* Makes every picture of this process's share that is not there yet. */
msk_status evaluation_make_pictures(evaluation *e, msk_error *error);

/* Mean of a measure over pictures. `error`: its standard error, NaN for fewer than two, and for
 * distances. */
typedef struct eval_value {
  double mean, error;
} eval_value;
/* Looks for what is known, and at the pictures of the SPEC's reference, where there is one. */
msk_status evaluation_reckon(evaluation *e, msk_error *error);
msk_status evaluation_value(eval_value *value, const evaluation *e, int measure, const int *points,
                            int count, msk_error *error);
/* results.csv: a line a picture; summary.csv: a line a setting. */
msk_status evaluation_write_tables(const evaluation *e, msk_error *error);

/* The SPEC's plots and sheets must name what there is: looked at before any picture is made. */
msk_status eval_check_views(const eval_grid *grid, msk_error *error);
/* report.html: plots, contact sheets and the table of settings in one file that asks for nothing
 * else. */
msk_status evaluation_write_page(evaluation *e, msk_error *error);
#endif
