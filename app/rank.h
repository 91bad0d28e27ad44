/* SPDX-License-Identifier: Apache-2.0
 *
 * rank.h - candidates: several are drawn together, and the best of those that are finished are
 * wanted. A candidate's terms are its structure score and, where a CLIP is at hand, its likeness
 * to the class as a text and to the sketch; the score is their weighted sum, each as its
 * distance from the candidates' mean in standard deviations (docs/selection.md). */
#ifndef APP_RANK_H
#define APP_RANK_H

#include "app/likeness.h"
#include "app/order.h"

typedef struct contender {
  int place; /* among the results */
  int item, steps;
  double guidance;
  bool with_clip;
  double structure, confidence, text, sketch, score;
} contender;

typedef struct rank_wishes {
  clip_likeness *clip; /* NULL: by structure alone */
  const char *text;    /* what CLIP is asked for, as likeness_class_text() takes it */
  double structure_weight, text_weight, sketch_weight;
} rank_wishes;

/* The finished candidates of a result, best first; *ranked is malloc'ed, result->count of them. */
msk_status rank_candidates(contender **ranked, const order *o, const rank_wishes *wishes,
                           const msk_result *result, msk_error *error);
#endif
