/* SPDX-License-Identifier: Apache-2.0
 * scorer.c - see scorer.h. */
#include "eval/scorer.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/cancel.h"
#include "app/input.h"
#include "app/likeness.h"
#include "app/progress.h"
#include "eval/picture_names.h"

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
    [MEASURE_JUDGE_WHOLE] = {"judge_whole", "judge: how whole the object is", 1},
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
  if (eye.wish == EYE_UNWANTED) return MSK_OK;
  msk_status status = model_path_find_judge(eyes->judge_path, eye.path, error);
  if (status != MSK_OK) return eye.wish == EYE_MAYBE ? MSK_OK : status;
  status = model_path_open_judge(&eyes->judge, eyes->judge_path, how, error);
  if (status == MSK_OK) msk_judge_get_info(eyes->judge, &eyes->judge_info);
  return status;
}

static msk_status open_clip(eval_eyes *eyes, eval_eye eye, const model_choice *how,
                            msk_error *error) {
  if (eye.wish == EYE_UNWANTED) return MSK_OK;
  msk_status status = model_path_find_clip(eyes->clip_path, eye.path, error);
  if (status != MSK_OK) return eye.wish == EYE_MAYBE ? MSK_OK : status;
  status = model_path_open_clip(&eyes->clip, eyes->clip_path, how, NULL, error);
  if (status == MSK_OK) msk_clip_get_info(eyes->clip, &eyes->clip_info);
  return status;
}

/* What there is to say of where they compute, at opening and after each use. */
static void tell_warnings(eval_eyes *eyes) {
  if (eyes->judge != NULL) app_warn_once(&eyes->judge_told, msk_judge_warning(eyes->judge));
  if (eyes->clip != NULL) app_warn_once(&eyes->clip_told, msk_clip_warning(eyes->clip));
}

msk_status eval_eyes_open(eval_eyes *eyes, eval_eye judge, eval_eye clip, const model_choice *how,
                          msk_error *error) {
  *eyes = (eval_eyes){0};
  msk_status status = open_judge(eyes, judge, how, error);
  if (status == MSK_OK) status = open_clip(eyes, clip, how, error);
  tell_warnings(eyes);
  return status;
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

enum { MAX_FOLDER_PICTURES = 1000000 };
static const size_t MAX_ARRAY_BYTES = (size_t)4 << 30;

static msk_status check_count(int count, const char *path, msk_error *error) {
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
    status = msk_judge_look(eyes->judge, &image, 1, NULL, NULL, NULL, judge, error);
  if (status == MSK_OK && clip != NULL)
    status = msk_clip_embed_images(eyes->clip, &image, 1, clip, error);
  tell_warnings(eyes);
  msk_image_free(&image);
  return status;
}

msk_status eval_folder_look(eval_folder *folder, eval_eyes *eyes, const char *path, bool quiet,
                            msk_error *error) {
  picture_names names;
  bool shown = !quiet && progress_is_terminal();
  *folder = (eval_folder){0};
  msk_status status = picture_names_read(&names, path, true, error);
  if (status == MSK_OK) status = check_count(names.count, path, error);
  folder->count = names.count;
  if (status == MSK_OK) status = take_memory(folder, eyes, error);
  for (int i = 0; i < names.count && status == MSK_OK; i++) {
    if (shown)
      fprintf(stderr, "\r\x1b[Klooking at picture %d of %d in the folder", i + 1, names.count);
    status = look_at(folder, eyes, path, names.entries[i]->d_name, i, error);
  }
  if (shown) fputs("\r\x1b[K", stderr);
  picture_names_free(&names);
  if (status != MSK_OK) eval_folder_free(folder);
  return status;
}

bool eval_is_array(const char *path) {
  const size_t length = strlen(path);
  return length > 4 && strcmp(path + length - 4, ".npy") == 0;
}

/* Numbers as floats, which is what networks give. */
static msk_status take_array(eval_folder *folder, int kind, int *dimensions, msk_array *array,
                             const char *path, msk_error *error) {
  if (array->rank != 2 || (array->dtype != MSK_DTYPE_F32 && array->dtype != MSK_DTYPE_F64) ||
      array->shape[0] > MAX_FOLDER_PICTURES || array->shape[1] > INT_MAX)
    return app_fail(error, MSK_ERROR_FILE,
                    "%s holds no features, expected float32 or float64 of pictures x numbers, at "
                    "most %d pictures",
                    path, MAX_FOLDER_PICTURES);
  const size_t count = array->shape[0] * array->shape[1];
  float *values = malloc((count + 1) * sizeof *values);
  if (values == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for %s", path);
  if (array->dtype == MSK_DTYPE_F32) {
    memcpy(values, array->data, count * sizeof *values);
  } else {
    for (size_t i = 0; i < count; i++) values[i] = (float)((const double *)array->data)[i];
  }
  folder->values[kind] = values;
  folder->count = (int)array->shape[0];
  *dimensions = (int)array->shape[1];
  return MSK_OK;
}

msk_status eval_folder_read(eval_folder *folder, int kind, int *dimensions, const char *path,
                            msk_error *error) {
  void *bytes = NULL;
  size_t byte_count = 0;
  msk_array array = {0};
  *folder = (eval_folder){0};
  msk_status status = input_read(path, MAX_ARRAY_BYTES, &bytes, &byte_count, error);
  if (status == MSK_OK) status = msk_npy_decode(&array, bytes, byte_count, path, NULL, error);
  msk_free(NULL, bytes);
  if (status == MSK_OK) status = take_array(folder, kind, dimensions, &array, path, error);
  msk_free(NULL, array.data);
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

/* Which sketch of the same class comes next. Two of the SPEC's words for one class have one
 * name. */
static msk_status link_sketches(eval_scorer *scorer, msk_error *error) {
  const eval_classes *classes = &scorer->classes;
  const int count = scorer->sketches->count;
  int *same = malloc((size_t)classes->count * sizeof *same),
      *later = malloc((size_t)classes->count * sizeof *later);
  scorer->next = malloc((size_t)count * sizeof *scorer->next);
  msk_status status =
      same == NULL || later == NULL || scorer->next == NULL ? no_memory(error) : MSK_OK;
  for (int i = 0; i < classes->count && status == MSK_OK; i++) {
    same[i] = 0;
    while (strcmp(classes->names[same[i]], classes->names[i]) != 0) same[i]++;
    later[i] = -1;
  }
  /* from the end, twice: the second time the last ones find the first */
  for (int i = 2 * count - 1; i >= 0 && status == MSK_OK; i--) {
    int *after = &later[same[classes->of_sketch[i % count]]];
    scorer->next[i % count] = *after < 0 ? i % count : *after;
    *after = i % count;
  }
  free(same);
  free(later);
  return status;
}

static msk_status open_clip_parts(eval_scorer *scorer, msk_error *error) {
  const size_t bytes = (size_t)scorer->eyes->clip_info.dimensions * sizeof(float);
  const size_t classes = (size_t)scorer->classes.count;
  scorer->texts = calloc(classes, bytes);
  scorer->read = calloc(classes, sizeof *scorer->read);
  scorer->drawings = calloc(KEPT_SKETCHES, bytes);
  for (int i = 0; i < KEPT_SKETCHES; i++) scorer->drawn[i] = -1;
  return scorer->texts == NULL || scorer->read == NULL || scorer->drawings == NULL
             ? no_memory(error)
             : MSK_OK;
}

static msk_status open_judge_parts(eval_scorer *scorer, msk_error *error) {
  size_t side = (size_t)scorer->eyes->judge_info.image_size;
  scorer->likely = calloc((size_t)scorer->eyes->judge_info.class_count, sizeof(float));
  scorer->inside = calloc(side * side, sizeof(float));
  if (scorer->likely == NULL || scorer->inside == NULL) return no_memory(error);
  return link_sketches(scorer, error);
}

msk_status eval_scorer_open(eval_scorer *scorer, eval_eyes *eyes, eval_sketches *sketches,
                            eval_classes classes, bool quiet, msk_error *error) {
  *scorer = (eval_scorer){.eyes = eyes, .sketches = sketches, .classes = classes, .quiet = quiet};
  for (int kind = 0; kind < FEATURE_KINDS; kind++) {
    if (eval_eyes_dimensions(eyes, kind) == 0) continue;
    scorer->features[kind] = calloc((size_t)eval_eyes_dimensions(eyes, kind), sizeof(float));
    if (scorer->features[kind] == NULL) return no_memory(error);
  }
  msk_status status = eyes->judge != NULL ? open_judge_parts(scorer, error) : MSK_OK;
  if (status == MSK_OK && eyes->clip != NULL) status = open_clip_parts(scorer, error);
  return status;
}

void eval_scorer_close(eval_scorer *scorer) {
  free(scorer->next);
  free(scorer->texts);
  free(scorer->read);
  free(scorer->drawings);
  free(scorer->likely);
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

static msk_status overlap_with(double *overlap, eval_scorer *scorer, int sketch, msk_error *error) {
  const eval_sketch *drawing;
  msk_status status = eval_sketches_look(&drawing, scorer->sketches, sketch, error);
  if (status == MSK_OK)
    *overlap = shape_overlap(drawing->shape, VIEW_SIDE, VIEW_SIDE, scorer->inside,
                             scorer->eyes->judge_info.image_size);
  return status;
}

/* IoU with its own drawing, and how much more that is than the mean with other drawings of the
 * class. */
static msk_status hold_against_shapes(eval_scorer *scorer, int sketch,
                                      double measures[MEASURES_OF_PICTURES], msk_error *error) {
  double own = 0, others = 0, overlap = 0;
  int count = 0;
  msk_status status = overlap_with(&own, scorer, sketch, error);
  for (int i = scorer->next[sketch]; i != sketch && count < MAX_OTHER_SHAPES && status == MSK_OK;
       i = scorer->next[i], count++) {
    status = overlap_with(&overlap, scorer, i, error);
    others += overlap;
  }
  measures[MEASURE_JUDGE_IOU] = own;
  measures[MEASURE_JUDGE_SPECIFICITY] = count > 0 ? own - others / count : NAN;
  return status;
}

static const char *class_name(const eval_scorer *scorer, int sketch) {
  return scorer->classes.names[scorer->classes.of_sketch[sketch]];
}

static msk_status ask_judge(eval_scorer *scorer, const msk_image *image, int sketch,
                            double measures[MEASURES_OF_PICTURES], msk_error *error) {
  float whole;
  msk_status status = msk_judge_look(scorer->eyes->judge, image, 1, scorer->likely, scorer->inside,
                                     &whole, scorer->features[FEATURES_JUDGE], error);
  if (status != MSK_OK) return status;
  measures[MEASURE_JUDGE_WHOLE] = (double)whole;
  int wanted = find_class(scorer, class_name(scorer, sketch)), best = 0;
  for (int i = 1; i < scorer->eyes->judge_info.class_count; i++)
    best = scorer->likely[i] > scorer->likely[best] ? i : best;
  measures[MEASURE_JUDGE_CLASS] = wanted < 0 ? NAN : (double)scorer->likely[wanted];
  measures[MEASURE_JUDGE_CORRECT] = wanted < 0 ? NAN : best == wanted;
  /* pictures of a class alone follow no shape */
  return scorer->sketches->spec->job == MSK_JOB_DRAW
             ? hold_against_shapes(scorer, sketch, measures, error)
             : MSK_OK;
}

/* CLIP's embedding of the text of a sketch's class, made when it is first asked for. */
static msk_status read_text(const float **embedding, eval_scorer *scorer, int sketch,
                            msk_error *error) {
  char text[MAX_TEXT_BYTES + 1];
  const char *texts[] = {text};
  const msk_clip_info *info = &scorer->eyes->clip_info;
  const int class_index = scorer->classes.of_sketch[sketch];
  float *place = scorer->texts + (size_t)class_index * (size_t)info->dimensions;
  int tokens = 0;
  *embedding = place;
  if (scorer->read[class_index]) return MSK_OK;
  msk_status status =
      likeness_class_text(text, scorer->sketches->spec->text, class_name(scorer, sketch), error);
  if (status == MSK_OK)
    status = msk_clip_embed_texts(scorer->eyes->clip, texts, 1, place, &tokens, error);
  if (status == MSK_OK && tokens > info->text_tokens && !scorer->quiet) {
    fprintf(stderr,
            "masksketch: the text takes %d tokens, of which CLIP reads %d: its end was cut off\n",
            tokens, info->text_tokens);
  }
  scorer->read[class_index] = status == MSK_OK;
  return status;
}

/* The same of a drawing. */
static msk_status read_drawing(const float **embedding, eval_scorer *scorer, int sketch,
                               msk_error *error) {
  const int place = sketch % KEPT_SKETCHES;
  float *values = scorer->drawings + (size_t)place * (size_t)scorer->eyes->clip_info.dimensions;
  const eval_sketch *drawing;
  *embedding = values;
  if (scorer->drawn[place] == sketch) return MSK_OK;
  scorer->drawn[place] = -1;
  msk_status status = eval_sketches_look(&drawing, scorer->sketches, sketch, error);
  if (status == MSK_OK)
    status = msk_clip_embed_images(scorer->eyes->clip, &drawing->view, 1, values, error);
  if (status == MSK_OK) scorer->drawn[place] = sketch;
  return status;
}

static msk_status ask_clip(eval_scorer *scorer, const msk_image *image, int sketch,
                           double measures[MEASURES_OF_PICTURES], msk_error *error) {
  float *picture = scorer->features[FEATURES_CLIP];
  const int dimensions = scorer->eyes->clip_info.dimensions;
  const float *text, *drawing;
  msk_status status = msk_clip_embed_images(scorer->eyes->clip, image, 1, picture, error);
  if (status == MSK_OK) status = read_text(&text, scorer, sketch, error);
  if (status != MSK_OK) return status;
  measures[MEASURE_CLIP_TEXT] = msk_clip_cosine(picture, text, dimensions);
  if (scorer->sketches->spec->job != MSK_JOB_DRAW) return MSK_OK;
  status = read_drawing(&drawing, scorer, sketch, error);
  if (status == MSK_OK)
    measures[MEASURE_CLIP_SKETCH] = msk_clip_cosine(picture, drawing, dimensions);
  return status;
}

msk_status eval_scorer_look(eval_scorer *scorer, const msk_image *image, int sketch,
                            double measures[MEASURES_OF_PICTURES], msk_error *error) {
  msk_status status = MSK_OK;
  for (int i = MEASURE_CLIP_TEXT; i < MEASURE_SECONDS; i++) measures[i] = NAN;
  if (scorer->eyes->judge != NULL) status = ask_judge(scorer, image, sketch, measures, error);
  if (status == MSK_OK && scorer->eyes->clip != NULL)
    status = ask_clip(scorer, image, sketch, measures, error);
  tell_warnings(scorer->eyes);
  return status;
}
