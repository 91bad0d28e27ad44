/* SPDX-License-Identifier: Apache-2.0
 * sketches.c - see sketches.h. */
#include "eval/sketches.h"

#include <stdlib.h>
#include <string.h>

#include "app/cancel.h"
#include "app/input.h"
#include "eval/shape.h"

/* As `draw` would prepare it with the same words. */
static msk_prepare_options choose_preparation(const eval_spec *spec, int index, bool official) {
  msk_prepare_options options;
  const char *fit = eval_spec_sketch(spec, (size_t)index, "fit"),
             *invert = eval_spec_sketch(spec, (size_t)index, "invert");
  msk_prepare_init(&options);
  options.fit = strcmp(fit, "pad") == 0    ? MSK_FIT_PAD
                : strcmp(fit, "crop") == 0 ? MSK_FIT_CROP
                                           : MSK_FIT_STRETCH;
  options.invert = strcmp(invert, "yes") == 0              ? MSK_INVERT_YES
                   : strcmp(invert, "no") == 0 || official ? MSK_INVERT_NO
                                                           : MSK_INVERT_AUTO;
  options.photo_of_paper = json_is_true(
      json_object_get(json_array_get(spec->sketches, (size_t)index), "photo_of_paper"));
  return options;
}

static msk_status prepare_file(msk_image *out, const eval_spec *spec, const char *file, int side,
                               msk_alpha alpha, const msk_prepare_options *options,
                               msk_error *error) {
  char path[MAX_PATH_BYTES];
  msk_image source = {0};
  msk_status status = eval_spec_path(path, spec, file, error);
  if (status == MSK_OK) status = input_picture(&source, path, alpha, error);
  if (status == MSK_OK) status = msk_image_prepare(out, &source, side, side, options, NULL, error);
  msk_image_free(&source);
  return status;
}

msk_status eval_sketches_prepare(msk_image *out, const eval_spec *spec, int index, int side,
                                 bool official, msk_error *error) {
  msk_prepare_options options = choose_preparation(spec, index, official);
  const char *file = eval_spec_sketch(spec, (size_t)index, "file");
  return prepare_file(out, spec, file, side, official ? MSK_ALPHA_DROP : MSK_ALPHA_WHITE, &options,
                      error);
}

/* From the mask, where the SPEC names one, else from the lines. */
static msk_status find_shape(eval_sketches *sketches, int index, msk_error *error) {
  const char *file = eval_spec_sketch(sketches->spec, (size_t)index, "mask");
  if (file == NULL)
    return shape_of_drawing(&sketches->shapes[index], &sketches->views[index], error);
  msk_image mask = {0};
  msk_prepare_options options = choose_preparation(sketches->spec, index, false);
  options.invert = MSK_INVERT_NO;
  options.photo_of_paper = 0;
  msk_status status =
      prepare_file(&mask, sketches->spec, file, VIEW_SIDE, MSK_ALPHA_WHITE, &options, error);
  if (status == MSK_OK) status = shape_of_mask(&sketches->shapes[index], &mask, error);
  msk_image_free(&mask);
  return status;
}

msk_status eval_sketches_open(eval_sketches *sketches, const eval_spec *spec, msk_error *error) {
  size_t count = json_array_size(spec->sketches);
  *sketches = (eval_sketches){.spec = spec, .count = (int)count};
  sketches->views = calloc(count, sizeof *sketches->views);
  sketches->shapes = calloc(count, sizeof *sketches->shapes);
  if (sketches->views == NULL || sketches->shapes == NULL)
    return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the drawings");
  msk_status status = MSK_OK;
  for (int i = 0; i < sketches->count && status == MSK_OK; i++) {
    if (cancel_requested()) return app_fail(error, MSK_ERROR_CANCELLED, "cancelled");
    status = eval_sketches_prepare(&sketches->views[i], spec, i, VIEW_SIDE, false, error);
    if (status == MSK_OK) status = find_shape(sketches, i, error);
  }
  return status;
}

void eval_sketches_free(eval_sketches *sketches) {
  for (int i = 0; i < sketches->count; i++) {
    if (sketches->views != NULL) msk_image_free(&sketches->views[i]);
    if (sketches->shapes != NULL) free(sketches->shapes[i]);
  }
  free(sketches->views);
  free(sketches->shapes);
  *sketches = (eval_sketches){0};
}
