/* SPDX-License-Identifier: Apache-2.0
 * rank.c - see rank.h. */
#include "app/rank.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>

#include "app/report.h"

static msk_status look(contender *c, clip_likeness *clip, const msk_result *result, int side,
                       msk_error *error) {
  msk_image image = {0};
  const size_t floats = (size_t)side * (size_t)side * 3;
  msk_status status = msk_image_from_float(&image, result->pixels + (size_t)c->place * floats, side,
                                           side, NULL, error);
  if (status == MSK_OK) status = likeness_look(clip, &image, &c->text, &c->sketch, error);
  c->with_clip = status == MSK_OK;
  msk_image_free(&image);
  return status;
}

static msk_status ask_clip(contender *rows, const order *o, const rank_wishes *wishes,
                           const msk_result *result, msk_error *error) {
  char text[MAX_TEXT_BYTES + 1];
  const char *name = msk_model_class_name(o->model, o->request.class_id);
  msk_status status = likeness_class_text(text, wishes->text, name, error);
  if (status == MSK_OK) status = likeness_set_text(wishes->clip, text, NULL, error);
  if (status == MSK_OK) status = likeness_set_sketch(wishes->clip, &o->picture, error);
  for (int i = 0; i < result->count && status == MSK_OK; i++)
    status = look(&rows[i], wishes->clip, result, o->info.image_size, error);
  return status;
}

static double term_of(const contender *row, size_t offset) {
  return *(const double *)(const void *)((const char *)row + offset);
}

/* Adds weight * (term - mean) / deviation to every score; a term that is the same for all adds
 * nothing. */
static void add_term(contender *rows, int count, size_t offset, double weight) {
  double sum = 0, squares = 0;
  for (int i = 0; i < count; i++) sum += term_of(&rows[i], offset);
  const double mean = sum / count;
  for (int i = 0; i < count; i++)
    squares += (term_of(&rows[i], offset) - mean) * (term_of(&rows[i], offset) - mean);
  const double deviation = sqrt(squares / count);
  for (int i = 0; i < count && deviation > 1e-9 * fabs(mean); i++)
    rows[i].score += weight * (term_of(&rows[i], offset) - mean) / deviation;
}

static int compare_scores(const void *left, const void *right) {
  const contender *a = left, *b = right;
  if (a->score != b->score) return a->score > b->score ? -1 : 1;
  return a->place - b->place;
}

static void list_finished(contender *rows, const msk_result *result) {
  for (int i = 0; i < result->candidate_count; i++) {
    const msk_candidate_info *info = &result->candidates[i];
    if (info->result < 0) continue; /* dropped */
    rows[info->result] = (contender){.place = info->result,
                                     .item = info->item,
                                     .steps = info->steps,
                                     .guidance = info->guidance,
                                     .structure = (double)result->structure[info->result],
                                     .confidence = (double)info->confidence};
  }
}

msk_status rank_candidates(contender **ranked, const order *o, const rank_wishes *wishes,
                           const msk_result *result, msk_error *error) {
  const int count = result->count;
  contender *rows = calloc((size_t)count, sizeof *rows);
  if (rows == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the candidates");
  list_finished(rows, result);
  msk_status status = wishes->clip == NULL ? MSK_OK : ask_clip(rows, o, wishes, result, error);
  if (status != MSK_OK) {
    free(rows);
    return status;
  }
  add_term(rows, count, offsetof(contender, structure), wishes->structure_weight);
  /* each term as deviations from its mean, so that weights compare like with like */
  if (wishes->clip != NULL) {
    add_term(rows, count, offsetof(contender, text), wishes->text_weight);
    add_term(rows, count, offsetof(contender, sketch), wishes->sketch_weight);
  }
  qsort(rows, (size_t)count, sizeof *rows, compare_scores);
  *ranked = rows;
  return MSK_OK;
}
