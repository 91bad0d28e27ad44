/* SPDX-License-Identifier: Apache-2.0
 *
 * scorer.h - measures of one picture: by CLIP (against text and drawing) and by the judge
 * (class, drawn shape). The structure score comes from the run itself. */
#ifndef CLI_EVAL_SCORER_H
#define CLI_EVAL_SCORER_H

#include "eval/features.h"
#include "eval/measure.h"
#include "eval/sketches.h"

typedef struct eval_scorer {
  eval_eyes *eyes;
  const eval_sketches *sketches;
  const char *const *class_names; /* of each sketch, as the model calls it; the caller's */
  float *texts, *drawings;        /* CLIP: sketches x dimensions each; NULL without CLIP */
  float *classes, *inside;        /* judge: of the picture looked at */
  float *features[FEATURE_KINDS]; /* of the picture looked at */
} eval_scorer;

msk_status eval_scorer_open(eval_scorer *scorer, eval_eyes *eyes, const eval_sketches *sketches,
                            const char *const *class_names, bool quiet, msk_error *error);
void eval_scorer_close(eval_scorer *scorer);
/* Fills in the measures of CLIP and judge (NaN where unknown), and scorer->features. */
msk_status eval_scorer_look(eval_scorer *scorer, const msk_image *image, int sketch,
                            double measures[MEASURES_OF_PICTURES], msk_error *error);
#endif
