/* SPDX-License-Identifier: Apache-2.0
 *
 * measure.h - what a picture, or a set of pictures, is measured by: one table of names, words
 * for people, and directions. A value that is not known (no judge at hand, a class that it does
 * not know) is NaN. */
#ifndef CLI_EVAL_MEASURE_H
#define CLI_EVAL_MEASURE_H

enum {
  MEASURE_STRUCTURE, /* of a picture, kept in its record */
  MEASURE_CLIP_TEXT,
  MEASURE_CLIP_SKETCH,
  MEASURE_JUDGE_CLASS,
  MEASURE_JUDGE_CORRECT,
  MEASURE_JUDGE_IOU,
  MEASURE_JUDGE_SPECIFICITY,
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
#endif
