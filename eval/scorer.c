/* SPDX-License-Identifier: Apache-2.0
 * scorer.c - see scorer.h. */
#include "eval/scorer.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/cancel.h"
#include "app/input.h"
#include "app/likeness.h"
#include "app/progress.h"

/* ---- measures ---- */

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

/* ---- the networks ---- */

static msk_status open_judge(eval_eyes *eyes, eval_eye eye, const model_choice *how,
                             msk_error *error) {
  msk_judge_options judge_options;
  if (eye.wish == EYE_UNWANTED) return MSK_OK;
  msk_status status = model_path_find_judge(eyes->judge_path, eye.path, error);
  if (status != MSK_OK) return eye.wish == EYE_MAYBE ? MSK_OK : status;
  msk_judge_options_init(&judge_options);
  judge_options.isa = how->isa;
  if (how->threads > 0) judge_options.threads = how->threads;
  status = msk_judge_open(&eyes->judge, eyes->judge_path, &judge_options, error);
  if (status == MSK_OK) msk_judge_get_info(eyes->judge, &eyes->judge_info);
  return status;
}

static msk_status open_clip(eval_eyes *eyes, eval_eye eye, const model_choice *how,
                            msk_error *error) {
  msk_clip_options clip_options;
  if (eye.wish == EYE_UNWANTED) return MSK_OK;
  msk_status status = model_path_find_clip(eyes->clip_path, eye.path, error);
  if (status != MSK_OK) return eye.wish == EYE_MAYBE ? MSK_OK : status;
  msk_clip_options_init(&clip_options);
  clip_options.isa = how->isa;
  if (how->threads > 0) clip_options.threads = how->threads;
  status = msk_clip_open(&eyes->clip, eyes->clip_path, &clip_options, error);
  if (status == MSK_OK) msk_clip_get_info(eyes->clip, &eyes->clip_info);
  return status;
}

msk_status eval_eyes_open(eval_eyes *eyes, eval_eye judge, eval_eye clip, const model_choice *how,
                          msk_error *error) {
  *eyes = (eval_eyes){0};
  msk_status status = open_judge(eyes, judge, how, error);
  return status == MSK_OK ? open_clip(eyes, clip, how, error) : status;
}

void eval_eyes_close(eval_eyes *eyes) {
  msk_judge_close(eyes->judge);
  msk_clip_close(eyes->clip);
  *eyes = (eval_eyes){0};
}

const char *eval_features_name(int kind) { return kind == FEATURES_JUDGE ? "judge" : "clip"; }

int eval_eyes_dimensions(const eval_eyes *eyes, int kind) {
  return kind == FEATURES_JUDGE ? eyes->judge_info.feature_count : eyes->clip_info.dimensions;
}

/* ---- a folder ---- */

enum { MAX_FOLDER_PICTURES = 100000 };

static int is_picture(const struct dirent *entry) {
  return entry->d_name[0] != '.' && msk_format_of_path(entry->d_name) != MSK_FORMAT_AUTO;
}

/* By bytes, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

static msk_status check_count(int count, const char *path, msk_error *error) {
  if (count < 0)
    return app_fail(error, MSK_ERROR_FILE, "cannot read the folder %s: %s", path, strerror(errno));
  if (count < 2)
    return app_fail(error, MSK_ERROR_FILE,
                    "%s holds %d pictures (.png, .jpg, .webp), expected at least 2: a distance "
                    "needs their spread",
                    path, count);
  if (count > MAX_FOLDER_PICTURES)
    return app_fail(error, MSK_ERROR_FILE,
                    "%s holds more than the %d pictures that are taken from a folder", path,
                    MAX_FOLDER_PICTURES);
  return MSK_OK;
}

static msk_status take_memory(eval_folder *folder, const eval_eyes *eyes, msk_error *error) {
  for (int kind = 0; kind < FEATURE_KINDS; kind++) {
    size_t bytes = (size_t)folder->count * (size_t)eval_eyes_dimensions(eyes, kind) * sizeof(float);
    if (bytes == 0) continue;
    if (bytes > MAX_FEATURE_BYTES)
      return app_fail(
          error, MSK_ERROR_FILE,
          "the features of %d pictures take %zu bytes, expected at most %d: compare fewer pictures",
          folder->count, bytes, MAX_FEATURE_BYTES);
    folder->values[kind] = malloc(bytes);
    if (folder->values[kind] == NULL)
      return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the features of %d pictures",
                      folder->count);
  }
  return MSK_OK;
}

/* The place of picture `index`, or NULL. */
static float *features_of(const eval_folder *folder, const eval_eyes *eyes, int kind, int index) {
  if (folder->values[kind] == NULL) return NULL;
  return folder->values[kind] + (size_t)index * (size_t)eval_eyes_dimensions(eyes, kind);
}

static msk_status look_at(eval_folder *folder, eval_eyes *eyes, const char *path, const char *name,
                          int index, msk_error *error) {
  char file[MAX_PATH_BYTES];
  msk_image image = {0};
  float *judge = features_of(folder, eyes, FEATURES_JUDGE, index),
        *clip = features_of(folder, eyes, FEATURES_CLIP, index);
  if (cancel_requested()) return app_fail(error, MSK_ERROR_CANCELLED, "cancelled");
  if (snprintf(file, sizeof file, "%s/%s", path, name) >= (int)sizeof file)
    return app_fail(error, MSK_ERROR_FILE, "the name of a picture in %.80s... is too long", path);
  msk_status status = input_picture(&image, file, MSK_ALPHA_WHITE, error);
  if (status == MSK_OK && judge != NULL)
    status = msk_judge_look(eyes->judge, &image, 1, NULL, NULL, judge, error);
  if (status == MSK_OK && clip != NULL)
    status = msk_clip_embed_images(eyes->clip, &image, 1, clip, error);
  msk_image_free(&image);
  return status;
}

msk_status eval_folder_look(eval_folder *folder, eval_eyes *eyes, const char *path, bool quiet,
                            msk_error *error) {
  struct dirent **entries = NULL;
  bool shown = !quiet && progress_is_terminal();
  int count = scandir(path, &entries, is_picture, by_name);
  *folder = (eval_folder){.count = count};
  msk_status status = check_count(count, path, error);
  if (status == MSK_OK) status = take_memory(folder, eyes, error);
  for (int i = 0; i < count; i++) {
    if (status == MSK_OK && shown)
      fprintf(stderr, "\r\x1b[Klooking at picture %d of %d in the folder", i + 1, count);
    if (status == MSK_OK) status = look_at(folder, eyes, path, entries[i]->d_name, i, error);
    free(entries[i]);
  }
  if (shown) fputs("\r\x1b[K", stderr);
  free(entries);
  if (status != MSK_OK) eval_folder_free(folder);
  return status;
}

void eval_folder_free(eval_folder *folder) {
  for (int kind = 0; kind < FEATURE_KINDS; kind++) free(folder->values[kind]);
  *folder = (eval_folder){0};
}

/* ---- opening a scorer ---- */

static msk_status no_memory(msk_error *error) {
  return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the scores");
}

static msk_status embed_sketch(eval_scorer *scorer, int sketch, bool quiet, msk_error *error) {
  char text[MAX_TEXT_BYTES + 1];
  const char *texts[] = {text};
  const eval_spec *spec = scorer->sketches->spec;
  size_t at = (size_t)sketch * (size_t)scorer->eyes->clip_info.dimensions;
  int tokens = 0;
  msk_status status = likeness_class_text(text, spec->text, scorer->class_names[sketch], error);
  if (status == MSK_OK)
    status = msk_clip_embed_texts(scorer->eyes->clip, texts, 1, scorer->texts + at, &tokens, error);
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
    if (eval_eyes_dimensions(eyes, kind) == 0) continue;
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

/* ---- looking at a picture ---- */

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
