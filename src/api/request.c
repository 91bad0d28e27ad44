/* SPDX-License-Identifier: Apache-2.0
 * request.c - defaults and checks of requests. Wrong values are refused, never adjusted. */
#include "api/request.h"

#include <stdint.h>

#include "base/error.h"

msk_status msk_recipe_find(msk_recipe *recipe, const msk_model *model, msk_job job,
                           const char *name, msk_error *error) {
  const msk_model_defaults *defaults = model == NULL ? NULL : &model->defaults.recipe;
  int layers = model == NULL ? 0 : (int)msk_maskgit_get_config(model->transformer)->layers;
  return msk_recipe_from_defaults(recipe, defaults, layers, job, name, error);
}

msk_status msk_request_init(msk_request *request, const msk_model *model, msk_job job,
                            const char *recipe_name, msk_error *error) {
  msk_request made = {.size = sizeof made, .job = job, .count = 1, .drop_from = 0.75};
  if (request == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "no request given to msk_request_init");
  msk_status status = msk_recipe_find(&made.recipe, model, job,
                                      recipe_name == NULL ? "balanced" : recipe_name, error);
  if (status == MSK_OK) *request = made;
  return status;
}

static msk_status check_square(const msk_image *picture, const msk_model *model, const char *what,
                               msk_error *error) {
  if (picture->pixels != NULL && picture->width == model->image_size &&
      picture->height == model->image_size)
    return MSK_OK;
  return msk_fail(
      error, MSK_ERROR_ARGUMENT,
      "the %s has %d x %d pixels, expected %d x %d: bring it to size with msk_image_prepare()",
      what, picture->width, picture->height, model->image_size, model->image_size);
}

static msk_status check_any_size(const msk_image *picture, const char *what, msk_error *error) {
  if (picture->pixels != NULL && picture->width >= 1 && picture->height >= 1 &&
      (size_t)picture->width * (size_t)picture->height <= MSK_MAX_PIXELS) {
    return MSK_OK;
  }
  return msk_fail(error, MSK_ERROR_ARGUMENT,
                  "the %s has %d x %d pixels, expected at least one and at most %zu", what,
                  picture->width, picture->height, MSK_MAX_PIXELS);
}

static msk_status check_picture(const msk_request *request, const msk_model *model,
                                msk_error *error) {
  bool wanted = request->job != MSK_JOB_GENERATE, edit = request->job == MSK_JOB_EDIT;
  int given = (request->picture != NULL) + (request->picture_tokens != NULL);
  if (!wanted && given > 0)
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "a picture was given, but generate takes none: use draw or edit");
  if (wanted && given != 1) {
    return msk_fail(error, MSK_ERROR_ARGUMENT, "%s, expected a picture or its tokens",
                    given == 0 ? "no picture" : "both a picture and tokens");
  }
  if (request->picture != NULL)
    return check_square(request->picture, model, edit ? "photo" : "sketch", error);
  for (int i = 0; wanted && i < model->positions - 1; i++) {
    if (request->picture_tokens[i] >= 0 && request->picture_tokens[i] < model->codes) continue;
    return msk_fail(error, MSK_ERROR_ARGUMENT, "token %d of the picture is %d, expected 0 to %d", i,
                    (int)request->picture_tokens[i], model->codes - 1);
  }
  return MSK_OK;
}

static msk_status check_box(const msk_box *box, const msk_model *model, msk_error *error) {
  int side = model->image_size;
  if (box->top >= 0 && box->left >= 0 && box->height >= 1 && box->width >= 1 && box->top < side &&
      box->left < side && box->height <= side - box->top && box->width <= side - box->left) {
    return MSK_OK;
  }
  return msk_fail(error, MSK_ERROR_ARGUMENT,
                  "the box to repaint is top %d, left %d, height %d, width %d, expected one inside "
                  "%d x %d pixels",
                  box->top, box->left, box->height, box->width, side, side);
}

static msk_status check_maps(const msk_request *request, const msk_model *model, msk_error *error) {
  const msk_box *box = &request->edit_box;
  bool boxed = box->top != 0 || box->left != 0 || box->height != 0 || box->width != 0;
  if (request->job != MSK_JOB_EDIT && (boxed || request->edit_mask != NULL)) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "a box or mask to repaint was given, but only edit takes one");
  }
  if (request->job != MSK_JOB_DRAW && request->lambda_map != NULL) {
    return msk_fail(error, MSK_ERROR_ARGUMENT, "a lambda map was given, but only draw takes one");
  }
  if (request->lambda_map != NULL) {
    if (request->recipe.official)
      return msk_fail(error, MSK_ERROR_ARGUMENT,
                      "a lambda map was given, but the recipe official has none");
    return check_any_size(request->lambda_map, "lambda map", error);
  }
  if (request->job != MSK_JOB_EDIT) return MSK_OK;
  if (request->edit_mask != NULL && boxed)
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "both a box and a mask to repaint, expected one of them");
  return request->edit_mask != NULL ? check_any_size(request->edit_mask, "mask", error)
                                    : check_box(box, model, error);
}

static msk_status check_counts(const msk_request *request, msk_error *error) {
  if (request->count < 1 || request->count > MSK_MAX_COUNT) {
    return msk_fail(error, MSK_ERROR_ARGUMENT, "count %d, expected 1 to %d", request->count,
                    MSK_MAX_COUNT);
  }
  if (request->first_item < 0 || request->first_item > INT32_MAX - request->count) {
    return msk_fail(error, MSK_ERROR_ARGUMENT, "first item %d, expected 0 to %d",
                    request->first_item, INT32_MAX - request->count);
  }
  if (request->recipe.official && request->first_item != 0) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "first item %d, expected 0: under the recipe official a batch is drawn whole",
                    request->first_item);
  }
  if (request->recipe.official && request->seed > UINT32_MAX) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "seed %llu, expected 0 to 4294967295 under the recipe official",
                    (unsigned long long)request->seed);
  }
  if (request->preview_every < 0)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "preview every %d steps, expected 0 or more",
                    request->preview_every);
  if (request->rng_layout != MSK_RNG_ORIGINAL && request->rng_layout != MSK_RNG_PARTITIONABLE) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "rng layout %d, expected MSK_RNG_ORIGINAL or MSK_RNG_PARTITIONABLE",
                    (int)request->rng_layout);
  }
  return MSK_OK;
}

static msk_status check_candidates(const msk_request *request, const msk_model *model,
                                   msk_error *error) {
  if (request->guidance_count == 0 && request->finish == 0) return MSK_OK;
  if (request->job != MSK_JOB_DRAW || request->recipe.official)
    return msk_fail(
        error, MSK_ERROR_ARGUMENT,
        "candidates were asked for, but only draw under a recipe other than official has them");
  if (request->guidance_count < 0 || request->guidance_count > MSK_MAX_CANDIDATES ||
      (request->guidance_count > 0 && request->guidance_scales == NULL))
    return msk_fail(error, MSK_ERROR_ARGUMENT, "%d guidance scales, expected a list of at most %d",
                    request->guidance_count, MSK_MAX_CANDIDATES);
  const int scales = request->guidance_count > 0 ? request->guidance_count : 1;
  if (request->count > MSK_MAX_CANDIDATES / scales)
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "%d items with %d guidance scales, expected at most %d candidates",
                    request->count, scales, MSK_MAX_CANDIDATES);
  if (request->finish < 0 || request->finish > request->count * scales)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "%d candidates to finish, expected 0 (all) to %d",
                    request->finish, request->count * scales);
  if (!(request->confidence_weight >= 0 && request->confidence_weight <= 100))
    return msk_fail(error, MSK_ERROR_ARGUMENT, "a confidence weight of %g, expected 0 to 100",
                    request->confidence_weight);
  if (!(request->drop_from >= 0 && request->drop_from <= 1))
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "candidates are dropped from share %g of the steps on, expected 0 to 1",
                    request->drop_from);
  for (int i = 0; i < request->guidance_count; i++) {
    const double scale = request->guidance_scales[i];
    if (!(scale >= 0 && scale <= 100))
      return msk_fail(error, MSK_ERROR_ARGUMENT, "a guidance scale is %g, expected 0 to 100",
                      scale);
    if (scale > 0 && request->recipe.unconditional == MSK_UNCONDITIONAL_NULL &&
        model->defaults.recipe.null_class < 0)
      return msk_fail(error, MSK_ERROR_ARGUMENT,
                      "guidance away from the null class, but this model was trained without one: "
                      "set unconditional=random");
  }
  return MSK_OK;
}

msk_status msk_request_check(const msk_request *request, const msk_model *model, msk_error *error) {
  if (request == NULL || model == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "no request or no model given");
  if (request->size != sizeof *request) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "a request of %zu bytes, expected %zu: call msk_request_init() first",
                    request->size, sizeof *request);
  }
  if (request->job != MSK_JOB_DRAW && request->job != MSK_JOB_GENERATE &&
      request->job != MSK_JOB_EDIT) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "job %d, expected MSK_JOB_DRAW, MSK_JOB_GENERATE or MSK_JOB_EDIT",
                    (int)request->job);
  }
  int layers = (int)msk_maskgit_get_config(model->transformer)->layers;
  msk_status status = msk_recipe_check(&request->recipe, request->job, layers, error);
  if (status != MSK_OK) return status;
  if (request->job == MSK_JOB_DRAW && request->recipe.layer_count < 1) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "no structure layers, expected at least one of 0 to %d", layers - 1);
  }
  if (request->recipe.guidance > 0 && request->recipe.unconditional == MSK_UNCONDITIONAL_NULL &&
      model->defaults.recipe.null_class < 0) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "guidance away from the null class, but this model was trained without one: "
                    "set unconditional=random");
  }
  if (request->class_id < 0 || request->class_id >= model->class_count) {
    return msk_fail(error, MSK_ERROR_ARGUMENT, "class %d, expected 0 to %d", request->class_id,
                    model->class_count - 1);
  }
  status = check_counts(request, error);
  if (status == MSK_OK) status = check_candidates(request, model, error);
  if (status == MSK_OK) status = check_picture(request, model, error);
  return status == MSK_OK ? check_maps(request, model, error) : status;
}
