/* SPDX-License-Identifier: Apache-2.0
 * order.c - see order.h. */
#include "app/order.h"
#include "masksketch_tools.h"

#include <stdlib.h>
#include <string.h>

msk_status order_begin(order *o, const msk_model *model, msk_job job, const char *recipe,
                       msk_error *error) {
  order made = {.model = model, .kept = -1};
  msk_status status = msk_request_init(&made.request, model, job, recipe, error);
  if (status != MSK_OK) return status;
  if (model != NULL) msk_model_get_info(model, &made.info);
  *o = made;
  return MSK_OK;
}

void order_free(order *o) {
  msk_image_free(&o->picture);
  msk_image_free(&o->mask);
  msk_image_free(&o->lambda_map);
  free(o->sketch_tokens);
  o->sketch_tokens = NULL;
}

/* The authors drop alpha. */
msk_alpha order_alpha(const order *o) {
  if (o->request.recipe.official) return MSK_ALPHA_DROP;
  return o->request.job == MSK_JOB_DRAW ? MSK_ALPHA_SKETCH : MSK_ALPHA_WHITE;
}

/* The authors stretch, and take a sketch as it is; so is a photo taken. Any other drawing is fitted
 * as suits the model. */
msk_prepare_options order_preparation(const order *o) {
  msk_prepare_options preparation;
  if (o->request.recipe.official || o->request.job == MSK_JOB_EDIT) {
    msk_prepare_plain(&preparation);
  } else {
    msk_prepare_init(&preparation);
    preparation.fit = o->info.fit;
  }
  return preparation;
}

void order_warn(order *o, const char *warning) {
  int count = 0;
  while (o->warnings[count] != NULL) {
    if (warning == NULL || strcmp(o->warnings[count++], warning) == 0) return;
  }
  if (count < MAX_WARNINGS) o->warnings[count] = warning;
}

msk_status order_set_picture(order *o, const msk_image *source,
                             const msk_prepare_options *preparation, msk_error *error) {
  msk_sketch_kind kind;
  msk_status status = msk_image_prepare(&o->picture, source, o->info.image_size, o->info.image_size,
                                        preparation, NULL, error);
  o->fit = preparation->fit;
  order_warn(o, source->warning);
  if (status != MSK_OK || o->request.job != MSK_JOB_DRAW) return status;
  status = msk_sketch_judge(&kind, &o->picture, NULL, error);
  if (status == MSK_OK) order_warn(o, msk_sketch_kind_warning(kind));
  return status;
}

/* A sketch whose tokens are known needs no encoding; a photo is needed whole, to be composited. */
msk_request order_request(const order *o) {
  msk_request request = o->request;
  if (o->sketch_tokens != NULL) {
    request.picture_tokens = o->sketch_tokens;
  } else if (o->picture.pixels != NULL) {
    request.picture = &o->picture;
  }
  if (o->mask.pixels != NULL) request.edit_mask = &o->mask;
  if (o->lambda_map.pixels != NULL) request.lambda_map = &o->lambda_map;
  if (request.guidance_count > 0) request.guidance_scales = o->scales;
  return request;
}

bool order_runs_together(const order *o) {
  return o->request.recipe.official || o->request.guidance_count > 0;
}

int order_pictures(const order *o) {
  if (o->request.guidance_count > 0) return o->keep;
  return o->kept >= 0 ? 1 : o->request.count;
}

int recipe_steps(const msk_recipe *recipe) {
  return recipe->steps + recipe->tail + recipe->revise_steps;
}

const char *order_member(const char *field) {
  static const struct {
    const char *field, *member;
  } names[] = {{"seed", "seed"},
               {"first_item", "first_item"},
               {"lambda_map", "lambda_map"},
               {"edit_box", "box"},
               {"edit_mask", "mask"}};
  for (size_t i = 0; field != NULL && i < sizeof names / sizeof names[0]; i++) {
    if (strcmp(field, names[i].field) == 0) return names[i].member;
  }
  return NULL;
}
