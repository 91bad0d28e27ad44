/* SPDX-License-Identifier: Apache-2.0
 *
 * spec.h - the SPEC of an evaluation (docs/eval.md), and the grid of pictures that it spans.
 *
 * A SPEC is JSON from anybody. It is checked key by key against one table and brought to one
 * form, in which every list is a list and every setting a text: two SPECs that mean the same
 * pictures have the same form, and a results folder is held against it.
 *
 * Every picture has a number, its point: seeds turn fastest, then sketches, the recipe's keys
 * (the last one first), recipes, models. What pictures may be told apart by is an axis: all of
 * these, and class, subject and level of the sketches. */
#ifndef EVAL_SPEC_H
#define EVAL_SPEC_H

#include <jansson.h>

#include "app/output.h"
#include "eval/sketch_list.h"

enum {
  MAX_SPEC_BYTES = 1 << 20,
  MAX_SPEC_KEYS = 16,      /* of a recipe */
  MAX_SPEC_VALUES = 256,   /* of one of them */
  MAX_SPEC_SKETCHES = 500, /* in the SPEC itself; beside it, MAX_LISTED_SKETCHES */
  MAX_SPEC_CLASSES = 2000,
  MAX_SPEC_VIEWS = 32, /* plots, and sheets */
  MAX_SPEC_TEXT = 400,
  MAX_SPEC_PICTURES = 1000000,
  MAX_AXES = MAX_SPEC_KEYS + 7
};

/* ---- the table of keys ---- */

typedef enum spec_kind {
  SPEC_TEXT,     /* most: bytes; a default is not part of the form */
  SPEC_WORD,     /* one of `words` */
  SPEC_NUMBER,   /* least..most; not part of the form */
  SPEC_WHEN,     /* as SPEC_WORD, true and false being yes and no */
  SPEC_VALUE,    /* a number, text or list of whole numbers, as text */
  SPEC_VALUES,   /* 1..most of these */
  SPEC_SEEDS,    /* 1..most whole numbers */
  SPEC_SETTINGS, /* an object of SPEC_VALUES */
  SPEC_OBJECTS,  /* least..most objects with the keys of the group of the same name */
  SPEC_DRAWINGS  /* as SPEC_OBJECTS, or a text: where they are listed */
} spec_kind;

typedef struct spec_key {
  const char *group, *name; /* group: "" for the SPEC itself, else "sketches", "plots", ... */
  spec_kind kind;
  int least, most;
  bool needed;
  const char *words;      /* the valid ones, parted by spaces; NULL: any */
  const char *value;      /* what a missing one stands for, or NULL: */
  const char *if_missing; /* then this happens */
  const char *help;
} spec_key;

/* In the order of the form; ended by a name that is NULL. docs/eval.md has the same rows. */
extern const spec_key spec_keys[];
/* What a key takes, in words: "a whole number from 32 to 512". */
void spec_key_takes(char *text, size_t size, const spec_key *key);

/* ---- a SPEC ---- */

typedef struct eval_spec {
  json_t *root;                /* the one form; owns everything below */
  msk_job job;                 /* draw, or generate: then a "sketch" is a class alone */
  char folder[MAX_PATH_BYTES]; /* of the SPEC, with its slash: where relative paths begin; or "" */
  char drawings[MAX_PATH_BYTES]; /* the same for its drawings */
  const char *title, *text;      /* text: what CLIP holds pictures against, with {class} in it */
  const char *reference;         /* folder of pictures for the distances, or NULL */
  int tile;                      /* pixels a side of a picture in the report */
  json_t *models, *recipes;      /* texts; models may be NULL */
  json_t *settings;              /* key -> texts */
  sketch_list sketches;          /* subject, level and mask may be missing; all but class and name
                                * of a class alone */
  json_t *seeds;                 /* integers */
  json_t *scores;                /* texts: structure, judge, clip; or NULL: what is at hand */
  json_t *plots, *sheets;        /* objects of texts, or NULL: chosen by the program */
} eval_spec;

/* Reads and checks a SPEC; nothing that it names is opened yet. MSK_ERROR_FILE with what is wrong
 * and what is valid. eval_spec_free() it in any case. */
msk_status eval_spec_load(eval_spec *spec, const char *path, msk_error *error);
void eval_spec_free(eval_spec *spec);

/* Text `index` of a list of texts; field of sketch `index`, NULL where it is missing. */
const char *eval_spec_text(const json_t *list, size_t index);
const char *eval_spec_sketch(const eval_spec *spec, size_t index, const char *field);
/* Which of its key's words a field of a sketch is, from 0. */
int eval_spec_word(const eval_spec *spec, size_t index, const char *field);
/* A path of the SPEC as the program opens it: relative ones begin at the SPEC's folder. */
msk_status eval_spec_path(char path[MAX_PATH_BYTES], const eval_spec *spec, const char *given,
                          msk_error *error);
/* The file that a sketch's field "file" or "mask" names. */
msk_status eval_spec_drawing(char path[MAX_PATH_BYTES], const eval_spec *spec, size_t index,
                             const char *field, msk_error *error);
/* The nearest of `names` (ended by NULL) to a word. */
const char *eval_nearest(const char *const *names, const char *word);

/* ---- its grid ---- */

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
  int models, recipes, sketches, seeds; /* how many of each */
  json_t *seed_names;
} eval_grid;

/* Counts before memory is taken: more than MAX_SPEC_PICTURES points are refused. The SPEC must
 * outlive the grid. */
msk_status eval_grid_create(eval_grid *grid, const eval_spec *spec, msk_error *error);
void eval_grid_free(eval_grid *grid);

/* The axis of that name, or NULL. */
const eval_axis *eval_grid_axis(const eval_grid *grid, const char *name);
/* Which value of the axis a point has. */
int eval_grid_value(const eval_grid *grid, const eval_axis *axis, int point);
static inline int eval_grid_sketch(const eval_grid *grid, int point) {
  return point / grid->seeds % grid->sketches;
}
static inline int eval_grid_setting(const eval_grid *grid, int point) {
  return point / (grid->seeds * grid->sketches);
}
uint64_t eval_grid_seed(const eval_grid *grid, int point);
/* The recipe of a setting, as a request wants it. `model` NULL: the settings alone are checked. */
msk_status eval_grid_recipe(msk_recipe *recipe, const eval_grid *grid, const msk_model *model,
                            int setting, msk_error *error);
#endif
