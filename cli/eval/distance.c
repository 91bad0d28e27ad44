/* SPDX-License-Identifier: Apache-2.0
 *
 * distance.c - distance: how far apart two folders of pictures are, by the judge's features or
 * CLIP's embeddings. */
#include <jansson.h>

#include "app/json.h"
#include "eval/features.h"

static msk_status measure(const eval_folder *a, const eval_folder *b, int kind,
                          const eval_eyes *eyes, double distances[2], msk_error *error) {
  int dimensions = eval_eyes_dimensions(eyes, kind);
  const msk_features first = {a->values[kind], a->count, dimensions},
                     second = {b->values[kind], b->count, dimensions};
  msk_status status = msk_features_frechet(&first, &second, &distances[0], NULL, error);
  return status == MSK_OK ? msk_features_kernel(&first, &second, &distances[1], error) : status;
}

static msk_status print(const cli_options *options, const eval_folder *a, const eval_folder *b,
                        int kind, const eval_eyes *eyes, const double distances[2],
                        msk_error *error) {
  const char *name = eval_features_name(kind);
  int dimensions = eval_eyes_dimensions(eyes, kind);
  if (options->json) {
    return json_print(
        json_pack("{s:o, s:o, s:s, s:i, s:[i,i], s:f, s:f}", "a", json_text(options->inputs[0]),
                  "b", json_text(options->inputs[1]), "features", name, "dimensions", dimensions,
                  "pictures", a->count, b->count, "frechet", distances[0], "kernel", distances[1]),
        error);
  }
  printf("features: %s, %d numbers a picture; pictures: %d and %d\n", name, dimensions, a->count,
         b->count);
  printf("frechet distance  %.6g\nkernel distance   %.6g\n", distances[0], distances[1]);
  return app_flush_stdout(error);
}

msk_status action_distance(const cli_options *options, msk_error *error) {
  int kind = options->features == FEATURES_CLIP ? FEATURES_CLIP : FEATURES_JUDGE;
  bool kinds[FEATURE_KINDS] = {kind == FEATURES_JUDGE, kind == FEATURES_CLIP};
  eval_eyes eyes = {0};
  eval_folder a = {0}, b = {0};
  double distances[2];
  if ((options->judge != NULL && kind != FEATURES_JUDGE) ||
      (options->clip != NULL && kind != FEATURES_CLIP)) {
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--%s has no effect with --features %s: leave one of them out",
                    kind == FEATURES_CLIP ? "judge" : "clip", eval_features_name(kind));
  }
  msk_status status =
      eval_eyes_open(&eyes, options, kinds[FEATURES_JUDGE] ? EYE_WANTED : EYE_UNWANTED,
                     kinds[FEATURES_CLIP] ? EYE_WANTED : EYE_UNWANTED, error);
  if (status == MSK_OK)
    status = eval_folder_look(&a, &eyes, kinds, options->inputs[0], options->quiet != 0, error);
  if (status == MSK_OK)
    status = eval_folder_look(&b, &eyes, kinds, options->inputs[1], options->quiet != 0, error);
  if (status == MSK_OK) status = measure(&a, &b, kind, &eyes, distances, error);
  if (status == MSK_OK) status = print(options, &a, &b, kind, &eyes, distances, error);
  eval_folder_free(&a);
  eval_folder_free(&b);
  eval_eyes_close(&eyes);
  return status;
}
