/* SPDX-License-Identifier: Apache-2.0
 * measure.c - see measure.h. */
#include "eval/measure.h"

#include <string.h>

const eval_measure eval_measures[MEASURE_COUNT] = {
    [MEASURE_STRUCTURE] = {"structure", "structure score", 1},
    [MEASURE_CLIP_TEXT] = {"clip_text", "CLIP: fits the text", 1},
    [MEASURE_CLIP_SKETCH] = {"clip_sketch", "CLIP: like the drawing", 1},
    [MEASURE_JUDGE_CLASS] = {"judge_class", "judge: probability of the class", 1},
    [MEASURE_JUDGE_CORRECT] = {"judge_correct", "judge: share of the right class", 1},
    [MEASURE_JUDGE_IOU] = {"judge_iou", "judge: IoU with the drawn shape", 1},
    [MEASURE_JUDGE_SPECIFICITY] = {"judge_specificity",
                                   "judge: IoU beyond that with other drawings", 1},
    [MEASURE_SECONDS] = {"seconds", "seconds a picture", -1},
    [MEASURE_FRECHET_JUDGE] = {"frechet_judge", "Frechet distance, judge's features", -1},
    [MEASURE_KERNEL_JUDGE] = {"kernel_judge", "kernel distance, judge's features", -1},
    [MEASURE_FRECHET_CLIP] = {"frechet_clip", "Frechet distance, CLIP embeddings", -1},
    [MEASURE_KERNEL_CLIP] = {"kernel_clip", "kernel distance, CLIP embeddings", -1},
};

int eval_measure_find(const char *name) {
  for (int i = 0; i < MEASURE_COUNT; i++) {
    if (strcmp(eval_measures[i].name, name) == 0) return i;
  }
  return -1;
}
