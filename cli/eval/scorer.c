/* SPDX-License-Identifier: Apache-2.0
 * scorer.c - see scorer.h. */
#include "eval/scorer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/shape.h"

static msk_status no_memory(msk_error *error) {
  return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the scores");
}

/* The SPEC's text with the class for every {class}; the first of a class's synonyms. */
static bool fill_text(char *out, size_t size, const char *text, const char *name) {
  static const char mark[] = "{class}";
  size_t used = 0, name_length = strcspn(name, ",");
  while (*text != 0) {
    bool at_mark = strncmp(text, mark, strlen(mark)) == 0;
    size_t length = at_mark ? name_length : 1;
    if (used + length >= size) return false;
    memcpy(out + used, at_mark ? name : text, length);
    used += length;
    text += at_mark ? strlen(mark) : 1;
  }
  out[used] = 0;
  return true;
}

static msk_status embed_sketch(eval_scorer *scorer, int sketch, bool quiet, msk_error *error) {
  char text[4 * MAX_SPEC_TEXT];
  const char *texts[] = {text};
  const eval_spec *spec = scorer->sketches->spec;
  size_t at = (size_t)sketch * (size_t)scorer->eyes->clip_info.dimensions;
  int tokens = 0;
  if (!fill_text(text, sizeof text, spec->text, scorer->class_names[sketch]))
    return app_fail(error, MSK_ERROR_FILE,
                    "the SPEC's \"text\" has too many classes in it, expected one {class}");
  msk_status status =
      msk_clip_embed_texts(scorer->eyes->clip, texts, 1, scorer->texts + at, &tokens, error);
  if (status == MSK_OK && tokens > scorer->eyes->clip_info.text_tokens && !quiet) {
    fprintf(stderr,
            "masksketch: the text takes %d tokens, of which CLIP reads %d: its end was cut off\n",
            tokens, scorer->eyes->clip_info.text_tokens);
  }
  if (status != MSK_OK) return status;
  return msk_clip_embed_images(scorer->eyes->clip, &scorer->sketches->views[sketch], 1,
                               scorer->drawings + at, error);
}

msk_status eval_scorer_open(eval_scorer *scorer, eval_eyes *eyes, const eval_sketches *sketches,
                            const char *const *class_names, bool quiet, msk_error *error) {
  *scorer = (eval_scorer){.eyes = eyes, .sketches = sketches, .class_names = class_names};
  if (eyes->judge != NULL) {
    size_t side = (size_t)eyes->judge_info.image_size;
    scorer->classes = calloc((size_t)eyes->judge_info.class_count, sizeof(float));
    scorer->inside = calloc(side * side, sizeof(float));
    if (scorer->classes == NULL || scorer->inside == NULL) return no_memory(error);
  }
  for (int kind = 0; kind < FEATURE_KINDS; kind++) {
    if (!eval_eyes_have(eyes, kind)) continue;
    scorer->features[kind] = calloc((size_t)eval_eyes_dimensions(eyes, kind), sizeof(float));
    if (scorer->features[kind] == NULL) return no_memory(error);
  }
  if (eyes->clip == NULL) return MSK_OK;
  scorer->texts =
      calloc((size_t)sketches->count, (size_t)eyes->clip_info.dimensions * sizeof(float));
  scorer->drawings =
      calloc((size_t)sketches->count, (size_t)eyes->clip_info.dimensions * sizeof(float));
  if (scorer->texts == NULL || scorer->drawings == NULL) return no_memory(error);
  msk_status status = MSK_OK;
  for (int i = 0; i < sketches->count && status == MSK_OK; i++)
    status = embed_sketch(scorer, i, quiet, error);
  return status;
}

void eval_scorer_close(eval_scorer *scorer) {
  free(scorer->texts);
  free(scorer->drawings);
  free(scorer->classes);
  free(scorer->inside);
  for (int kind = 0; kind < FEATURE_KINDS; kind++) free(scorer->features[kind]);
  *scorer = (eval_scorer){0};
}

/* ---- the judge ---- */

/* The judge's class of that name (the first synonym counts), or -1. */
static int find_class(const eval_scorer *scorer, const char *class_name) {
  size_t length = strcspn(class_name, ",");
  for (int i = 0; i < scorer->eyes->judge_info.class_count; i++) {
    const char *known = msk_judge_class_name(scorer->eyes->judge, i);
    if (strlen(known) == length && strncmp(known, class_name, length) == 0) return i;
  }
  return -1;
}

/* IoU with its own drawing, and how much more that is than the mean with the other drawings of
 * the class. */
static void hold_against_shapes(const eval_scorer *scorer, int sketch,
                                double measures[MEASURES_OF_PICTURES]) {
  const eval_sketches *sketches = scorer->sketches;
  double own = 0, others = 0;
  int other_count = 0, side = scorer->eyes->judge_info.image_size;
  for (int i = 0; i < sketches->count; i++) {
    if (strcmp(scorer->class_names[i], scorer->class_names[sketch]) != 0) continue;
    double overlap = shape_overlap(sketches->shapes[i], VIEW_SIDE, VIEW_SIDE, scorer->inside, side);
    if (i == sketch) {
      own = overlap;
    } else {
      others += overlap;
      other_count++;
    }
  }
  measures[MEASURE_JUDGE_IOU] = own;
  measures[MEASURE_JUDGE_SPECIFICITY] = other_count > 0 ? own - others / other_count : NAN;
}

static msk_status ask_judge(eval_scorer *scorer, const msk_image *image, int sketch,
                            double measures[MEASURES_OF_PICTURES], msk_error *error) {
  msk_status status = msk_judge_look(scorer->eyes->judge, image, 1, scorer->classes, scorer->inside,
                                     scorer->features[FEATURES_JUDGE], error);
  if (status != MSK_OK) return status;
  int wanted = find_class(scorer, scorer->class_names[sketch]), best = 0;
  for (int i = 1; i < scorer->eyes->judge_info.class_count; i++)
    best = scorer->classes[i] > scorer->classes[best] ? i : best;
  measures[MEASURE_JUDGE_CLASS] = wanted < 0 ? NAN : (double)scorer->classes[wanted];
  measures[MEASURE_JUDGE_CORRECT] = wanted < 0 ? NAN : best == wanted;
  hold_against_shapes(scorer, sketch, measures);
  return MSK_OK;
}

msk_status eval_scorer_look(eval_scorer *scorer, const msk_image *image, int sketch,
                            double measures[MEASURES_OF_PICTURES], msk_error *error) {
  for (int i = MEASURE_CLIP_TEXT; i <= MEASURE_JUDGE_SPECIFICITY; i++) measures[i] = NAN;
  if (scorer->eyes->judge != NULL) {
    msk_status status = ask_judge(scorer, image, sketch, measures, error);
    if (status != MSK_OK) return status;
  }
  if (scorer->eyes->clip == NULL) return MSK_OK;
  float *vector = scorer->features[FEATURES_CLIP];
  int dimensions = scorer->eyes->clip_info.dimensions;
  msk_status status = msk_clip_embed_images(scorer->eyes->clip, image, 1, vector, error);
  if (status != MSK_OK) return status;
  size_t at = (size_t)sketch * (size_t)dimensions;
  measures[MEASURE_CLIP_TEXT] = msk_clip_cosine(vector, scorer->texts + at, dimensions);
  measures[MEASURE_CLIP_SKETCH] = msk_clip_cosine(vector, scorer->drawings + at, dimensions);
  return MSK_OK;
}
