/* SPDX-License-Identifier: Apache-2.0
 *
 * request.c - defaults and checks of requests: the one place that judges them, for the command
 * line, HTTP and every other face (msk_error.field says what to translate). What runs a request
 * relies on it. Wrong values are refused, never adjusted. */
#include "api/model.h"

#include <stdint.h>

#include "base/error.h"
#include "sampling/sampler.h"

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

/* ---- pictures ---- */

static msk_status check_square(const msk_image *picture, const msk_model *model, const char *what,
                               msk_error *error) {
  if (picture->pixels != NULL && picture->width == model->image_size &&
      picture->height == model->image_size)
    return MSK_OK;
  return msk_refuse(
      error, "picture",
      "the %s has %d x %d pixels, expected %d x %d: bring it to size with msk_image_prepare()",
      what, picture->width, picture->height, model->image_size, model->image_size);
}

static msk_status check_any_size(const msk_image *picture, const char *field, const char *what,
                                 msk_error *error) {
  if (picture->pixels != NULL && picture->width >= 1 && picture->height >= 1 &&
      (size_t)picture->width * (size_t)picture->height <= MSK_MAX_PIXELS)
    return MSK_OK;
  return msk_refuse(error, field,
                    "the %s has %d x %d pixels, expected at least one and at most %zu", what,
                    picture->width, picture->height, MSK_MAX_PIXELS);
}

static msk_status check_tokens(const int32_t *tokens, const msk_model *model, msk_error *error) {
  for (int i = 0; i < model->positions - 1; i++) {
    if (tokens[i] >= 0 && tokens[i] < model->codes) continue;
    return msk_refuse(error, "picture_tokens", "token %d of the picture is %d, expected 0 to %d", i,
                      (int)tokens[i], model->codes - 1);
  }
  return MSK_OK;
}

static msk_status check_picture(const msk_request *request, const msk_model *model,
                                msk_error *error) {
  const bool wanted = request->job != MSK_JOB_GENERATE;
  const int given = (request->picture != NULL) + (request->picture_tokens != NULL);
  /* refused, not ignored: it would have no effect, and whoever gave it meant something */
  if (!wanted && given > 0)
    return msk_refuse(error, "picture",
                      "a picture was given, but generate takes none: use draw or edit");
  if (wanted && given != 1)
    return msk_refuse(error, "picture", "%s, expected a picture or its tokens",
                      given == 0 ? "no picture" : "both a picture and tokens");
  if (request->picture_tokens != NULL) return check_tokens(request->picture_tokens, model, error);
  if (!wanted) return MSK_OK;
  const char *what = request->job == MSK_JOB_EDIT ? "photo" : "sketch";
  return check_square(request->picture, model, what, error);
}

static msk_status check_lambda_map(const msk_request *request, msk_error *error) {
  if (request->lambda_map == NULL) return MSK_OK;
  if (request->job != MSK_JOB_DRAW)
    return msk_refuse(error, "lambda_map", "a lambda map was given, but only draw takes one");
  if (request->recipe.official)
    return msk_refuse(error, "lambda_map",
                      "a lambda map was given, but the recipe official has none");
  return check_any_size(request->lambda_map, "lambda_map", "lambda map", error);
}

static msk_status check_box(const msk_box *box, const msk_model *model, msk_error *error) {
  const int side = model->image_size;
  if (box->top >= 0 && box->left >= 0 && box->height >= 1 && box->width >= 1 && box->top < side &&
      box->left < side && box->height <= side - box->top && box->width <= side - box->left)
    return MSK_OK;
  return msk_refuse(error, "edit_box",
                    "the box to repaint is top %d, left %d, height %d, width %d, expected one "
                    "inside %d x %d pixels",
                    box->top, box->left, box->height, box->width, side, side);
}

/* That a mask marks any token at all is seen when it is brought to the grid (run.c). */
static msk_status check_area(const msk_request *request, const msk_model *model, msk_error *error) {
  const msk_box *box = &request->edit_box;
  const bool boxed = box->top != 0 || box->left != 0 || box->height != 0 || box->width != 0;
  const char *given = request->edit_mask != NULL ? "edit_mask" : "edit_box";
  if (request->job != MSK_JOB_EDIT) {
    if (!boxed && request->edit_mask == NULL) return MSK_OK;
    return msk_refuse(error, given, "a box or mask to repaint was given, but only edit takes one");
  }
  if (request->edit_mask == NULL) return check_box(box, model, error);
  if (boxed)
    return msk_refuse(error, given, "both a box and a mask to repaint, expected one of them");
  return check_any_size(request->edit_mask, given, "mask", error);
}

/* ---- numbers ---- */

/* Under the authors' code a batch is one draw from one JAX key. */
static msk_status check_official(const msk_request *request, msk_error *error) {
  if (!request->recipe.official) return MSK_OK;
  if (request->first_item != 0)
    return msk_refuse(error, "first_item",
                      "first item %d, expected 0: under the recipe official a batch is drawn whole",
                      request->first_item);
  if (request->seed > UINT32_MAX)
    return msk_refuse(error, "seed", "seed %llu, expected 0 to %lu under the recipe official",
                      (unsigned long long)request->seed, (unsigned long)UINT32_MAX);
  return MSK_OK;
}

static msk_status check_counts(const msk_request *request, msk_error *error) {
  if (request->count < 1 || request->count > MSK_MAX_COUNT)
    return msk_refuse(error, "count", "count %d, expected 1 to %d", request->count, MSK_MAX_COUNT);
  /* items are numbered by int */
  if (request->first_item < 0 || request->first_item > INT32_MAX - request->count)
    return msk_refuse(error, "first_item", "first item %d, expected 0 to %d", request->first_item,
                      INT32_MAX - request->count);
  if (request->preview_every < 0)
    return msk_refuse(error, "preview_every", "preview every %d steps, expected 0 or more",
                      request->preview_every);
  if (msk_rng_layout_name((int)request->rng_layout) == NULL)
    return msk_refuse(error, "rng_layout",
                      "rng layout %d, expected MSK_RNG_ORIGINAL or MSK_RNG_PARTITIONABLE",
                      (int)request->rng_layout);
  return check_official(request, error);
}

/* ---- guidance and candidates ---- */

/* What guidance moves away from must be there; `field` is where the scale comes from. */
static msk_status check_guidance(const msk_request *request, const msk_model *model, double scale,
                                 const char *field, msk_error *error) {
  const msk_sampler_spec classes = {.class_id = request->class_id,
                                    .class_count = model->class_count - model->taught,
                                    .null_class = model->defaults.recipe.null_class,
                                    .class_hidden = model->defaults.hidden};
  if (!(scale >= 0 && scale <= MSK_MAX_GUIDANCE))
    return msk_refuse(error, field, "a guidance scale is %g, expected 0 to %d", scale,
                      MSK_MAX_GUIDANCE);
  /* without guidance nobody needs what it would move away from */
  if (scale == 0) return MSK_OK;
  if (request->recipe.unconditional != MSK_UNCONDITIONAL_RANDOM && classes.null_class < 0)
    return msk_refuse(error, "unconditional",
                      "guidance away from the null class, but this model was trained without one: "
                      "set unconditional=random");
  if (!request->recipe.official && request->recipe.unconditional == MSK_UNCONDITIONAL_RANDOM &&
      msk_sampler_other_classes(&classes) == 0)
    return msk_refuse(
        error, field,
        "a guidance scale is %g, expected 0: the model has no second class to move away from",
        scale);
  return MSK_OK;
}

static msk_status check_scales(const msk_request *request, const msk_model *model,
                               msk_error *error) {
  const char *field = "guidance_scales";
  if (request->guidance_count < 0 || request->guidance_count > MSK_MAX_CANDIDATES ||
      (request->guidance_count > 0 && request->guidance_scales == NULL))
    return msk_refuse(error, field, "%d guidance scales, expected a list of at most %d",
                      request->guidance_count, MSK_MAX_CANDIDATES);
  msk_status status = MSK_OK;
  for (int i = 0; i < request->guidance_count && status == MSK_OK; i++)
    status = check_guidance(request, model, request->guidance_scales[i], field, error);
  return status;
}

static msk_status check_candidates(const msk_request *request, const msk_model *model,
                                   msk_error *error) {
  if (request->guidance_count == 0 && request->finish == 0) return MSK_OK;
  const char *first = request->guidance_count != 0 ? "guidance_scales" : "finish";
  if (request->job != MSK_JOB_DRAW || request->recipe.official)
    return msk_refuse(
        error, first,
        "candidates were asked for, but only draw under a recipe other than official has them");
  msk_status status = check_scales(request, model, error);
  if (status != MSK_OK) return status;
  const int scales = request->guidance_count > 0 ? request->guidance_count : 1;
  /* divided, since the product could overflow */
  if (request->count > MSK_MAX_CANDIDATES / scales)
    return msk_refuse(
        error, "count", "%d items with %d guidance scales are %lld candidates, expected at most %d",
        request->count, scales, (long long)request->count * scales, MSK_MAX_CANDIDATES);
  if (request->finish < 0 || request->finish > request->count * scales)
    return msk_refuse(error, "finish", "%d candidates to finish, expected 0 (all) to %d",
                      request->finish, request->count * scales);
  if (!(request->confidence_weight >= 0 && request->confidence_weight <= 100))
    return msk_refuse(error, "confidence_weight", "a confidence weight of %g, expected 0 to 100",
                      request->confidence_weight);
  if (!(request->drop_from >= 0 && request->drop_from <= 1))
    return msk_refuse(error, "drop_from",
                      "candidates are dropped from share %g of the steps on, expected 0 to 1",
                      request->drop_from);
  return MSK_OK;
}

/* ---- the whole ---- */

static msk_status check_shape(const msk_request *request, const msk_model *model,
                              msk_error *error) {
  if (request == NULL || model == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "no request or no model given");
  /* before any other member is read: it might not be there */
  if (request->size != sizeof *request)
    return msk_refuse(error, "size",
                      "a request of %zu bytes, expected %zu: call msk_request_init() first",
                      request->size, sizeof *request);
  if (msk_job_name((int)request->job) == NULL)
    return msk_refuse(error, "job",
                      "job %d, expected MSK_JOB_DRAW, MSK_JOB_GENERATE or MSK_JOB_EDIT",
                      (int)request->job);
  if (request->class_id < 0 || request->class_id >= model->class_count)
    return msk_refuse(error, "class_id", "class %d, expected 0 to %d", request->class_id,
                      model->class_count - 1);
  return MSK_OK;
}

msk_status msk_request_check(const msk_request *request, const msk_model *model, msk_error *error) {
  msk_status status = check_shape(request, model, error);
  if (status != MSK_OK) return status;
  const int layers = (int)msk_maskgit_get_config(model->transformer)->layers;
  status = msk_recipe_check(&request->recipe, request->job, layers, error);
  if (status == MSK_OK && request->guidance_count == 0)
    status = check_guidance(request, model, request->recipe.guidance, "guidance", error);
  if (status == MSK_OK) status = check_counts(request, error);
  if (status == MSK_OK) status = check_candidates(request, model, error);
  if (status == MSK_OK) status = check_picture(request, model, error);
  if (status == MSK_OK) status = check_lambda_map(request, error);
  return status == MSK_OK ? check_area(request, model, error) : status;
}
