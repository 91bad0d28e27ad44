/* SPDX-License-Identifier: Apache-2.0
 *
 * scorer.h - what pictures are measured by: the table of measures, the two networks that look at
 * pictures (CLIP: against text and drawing; the judge: class, drawn shape), and the features of
 * theirs by which sets of pictures are compared. The structure score comes from the run itself. */
#ifndef EVAL_SCORER_H
#define EVAL_SCORER_H

#include "app/model_path.h"
#include "eval/sketches.h"
#include "masksketch_tools.h"

/* ---- measures: one that is not known (no judge at hand, a class that it does not know) is NaN  */

enum {
  MEASURE_STRUCTURE, /* of a picture, kept in its record */
  MEASURE_CLIP_TEXT,
  MEASURE_CLIP_SKETCH,
  MEASURE_JUDGE_CLASS,
  MEASURE_JUDGE_CORRECT,
  MEASURE_JUDGE_IOU,
  MEASURE_JUDGE_SPECIFICITY,
  MEASURE_JUDGE_WHOLE,
  MEASURE_SECONDS,
  MEASURES_OF_PICTURES, /* of a set of pictures, against the reference */
  MEASURE_FRECHET_JUDGE = MEASURES_OF_PICTURES,
  MEASURE_KERNEL_JUDGE,
  MEASURE_FRECHET_CLIP,
  MEASURE_KERNEL_CLIP,
  MEASURE_COUNT
};

typedef struct eval_measure {
  const char *name, *label; /* as in a SPEC and the CSV; as in the report */
  int better;               /* 1: more is better, -1: less is better */
} eval_measure;

extern const eval_measure eval_measures[MEASURE_COUNT];
/* Index of a measure, or -1. */
int eval_measure_find(const char *name);

/* ---- the networks ---- */

enum { FEATURES_JUDGE, FEATURES_CLIP, FEATURE_KINDS, MAX_FEATURE_BYTES = 1 << 30 };

/* NULL: not at hand. Each belongs to one thread. */
typedef struct eval_eyes {
  msk_judge *judge;
  msk_clip *clip;
  msk_judge_info judge_info;
  msk_clip_info clip_info;
  char judge_path[MAX_PATH_BYTES], clip_path[MAX_PATH_BYTES]; /* file, folder */
  const char *judge_told, *clip_told;                         /* warnings that were told last */
} eval_eyes;

/* One of them: its file or folder (NULL: what comes with the program), and whether it must be
 * there, may be there or not, or is not opened. */
typedef enum eval_wish { EYE_UNWANTED, EYE_MAYBE, EYE_WANTED } eval_wish;
typedef struct eval_eye {
  const char *path;
  eval_wish wish;
} eval_eye;
/* `how`: kernel set, threads, device. */
msk_status eval_eyes_open(eval_eyes *eyes, eval_eye judge, eval_eye clip, const model_choice *how,
                          msk_error *error);
void eval_eyes_close(eval_eyes *eyes);
const char *eval_features_name(int kind); /* "judge", "clip" */
/* How many features a picture has; 0 where the network is not at hand. */
int eval_eyes_dimensions(const eval_eyes *eyes, int kind);

/* Features of every picture (PNG, JPEG, WebP) directly in a folder, in the order of their names. */
typedef struct eval_folder {
  float *values[FEATURE_KINDS]; /* NULL: of a network that is not at hand */
  int count;
} eval_folder;
/* Whether a path names features themselves: an array of NumPy's, a row a picture. */
bool eval_is_array(const char *path);
/* Reads one (f4 or f8, 2..1000000 x 1..2048) as the features of one kind. *dimensions: numbers of a
 * row. */
msk_status eval_folder_read(eval_folder *folder, int kind, int *dimensions, const char *path,
                            msk_error *error);
msk_status eval_folder_look(eval_folder *folder, eval_eyes *eyes, const char *path, bool quiet,
                            msk_error *error);
void eval_folder_free(eval_folder *folder);

/* ---- one picture ---- */

/* A picture's drawing is held against this many others of its class at most, those that come next
 * in the SPEC, so that time does not grow with their number. */
enum { MAX_OTHER_SHAPES = 16 };

/* What is shown: `of_sketch` gives each sketch's class, `names` what the model calls that. */
typedef struct eval_classes {
  const int *of_sketch;
  const char *const *names;
  int count;
} eval_classes;

typedef struct eval_scorer {
  eval_eyes *eyes;
  eval_sketches *sketches;
  eval_classes classes; /* the caller's */
  bool quiet;
  int *next;                      /* of each sketch, the next of its class; the last's, the first */
  float *texts;                   /* CLIP, a class each; NULL without CLIP */
  bool *read;                     /* which of them are there */
  float *drawings;                /* CLIP, KEPT_SKETCHES of them */
  int drawn[KEPT_SKETCHES];       /* which sketch's they are; -1: none */
  float *likely, *inside;         /* judge: classes and shape of the picture looked at */
  float *features[FEATURE_KINDS]; /* of the picture looked at */
} eval_scorer;

msk_status eval_scorer_open(eval_scorer *scorer, eval_eyes *eyes, eval_sketches *sketches,
                            eval_classes classes, bool quiet, msk_error *error);
void eval_scorer_close(eval_scorer *scorer);
/* Fills in the measures of CLIP and judge (NaN where unknown), and scorer->features. */
msk_status eval_scorer_look(eval_scorer *scorer, const msk_image *image, int sketch,
                            double measures[MEASURES_OF_PICTURES], msk_error *error);
#endif
