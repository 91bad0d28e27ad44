/* SPDX-License-Identifier: Apache-2.0
 * guess.c - see guess.h. */
#include "app/guess.h"

#include <math.h>
#include <stdlib.h>

#include "app/cancel.h"
#include "app/json.h"
#include "app/report.h"

#define GUESS_TEXT "a sketch of a {class}"

static msk_status embed_name(class_guesser *g, const msk_model *model, int index,
                             msk_error *error) {
  char text[MAX_TEXT_BYTES + 1];
  const char *name = msk_model_class_name(model, g->ids[index]);
  float *embedding = g->texts + (size_t)index * (size_t)g->clip->info.dimensions;
  if (cancel_requested()) return app_fail(error, MSK_ERROR_CANCELLED, "cancelled");
  msk_status status = likeness_class_text(text, GUESS_TEXT, name, error);
  return status == MSK_OK ? likeness_embed_text(g->clip, text, embedding, NULL, error) : status;
}

msk_status guesser_open(class_guesser *g, clip_likeness *clip, const msk_model *model,
                        msk_error *error) {
  *g = (class_guesser){.clip = clip, .count = msk_model_class_search(model, NULL, NULL, 0)};
  if (g->count < 1)
    return app_fail(error, MSK_ERROR_ARGUMENT, "the model names no classes to guess from");
  const size_t count = (size_t)g->count;
  g->ids = calloc(count, sizeof *g->ids);
  g->texts = calloc(count * (size_t)clip->info.dimensions, sizeof *g->texts);
  if (g->ids == NULL || g->texts == NULL)
    return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the names of %d classes", g->count);
  msk_model_class_search(model, NULL, g->ids, g->count);
  msk_status status = MSK_OK;
  for (int i = 0; status == MSK_OK && i < g->count; i++) status = embed_name(g, model, i, error);
  return status;
}

void guesser_close(class_guesser *g) {
  free(g->ids);
  free(g->texts);
  *g = (class_guesser){.clip = NULL};
}

static int compare_guesses(const void *left, const void *right) {
  const guess *a = left, *b = right;
  if (a->score != b->score) return a->score > b->score ? -1 : 1;
  return a->class_id - b->class_id;
}

/* The softmax of the sorted scores, at the scale of CLIP's own loss. */
static void divide(const class_guesser *g, guess *guesses) {
  double sum = 0;
  for (int i = 0; i < g->count; i++) {
    const double behind = guesses[i].score - guesses[0].score;
    guesses[i].share = exp((double)g->clip->info.logit_scale * behind);
    sum += guesses[i].share;
  }
  for (int i = 0; i < g->count; i++) guesses[i].share /= sum;
}

msk_status guesser_look(const class_guesser *g, const msk_image *drawing, guess *guesses,
                        msk_error *error) {
  const int dimensions = g->clip->info.dimensions;
  msk_status status = likeness_embed(g->clip, drawing, error);
  if (status != MSK_OK) return status;
  for (int i = 0; i < g->count; i++) {
    const float *text = g->texts + (size_t)i * (size_t)dimensions;
    guesses[i] = (guess){g->ids[i], msk_clip_cosine(g->clip->picture, text, dimensions), 0};
  }
  qsort(guesses, (size_t)g->count, sizeof *guesses, compare_guesses);
  divide(g, guesses);
  return MSK_OK;
}

json_t *guesses_list(const class_guesser *g, const msk_model *model, const guess *guesses) {
  json_t *list = json_array();
  for (int i = 0; i < g->count; i++) {
    const char *name = msk_model_class_name(model, guesses[i].class_id);
    json_array_append_new(
        list, json_pack("{s:i, s:o, s:f, s:f}", "id", guesses[i].class_id, "name", json_text(name),
                        "score", guesses[i].score, "share", guesses[i].share));
  }
  return list;
}
