/* SPDX-License-Identifier: Apache-2.0
 *
 * order.h - one order of pictures, whichever face it comes from: the command line, HTTP, an
 * evaluation, the text of a PNG (metadata.h). It holds what is asked, and owns the pictures that
 * it is drawn from; run.h makes it. */
#ifndef APP_ORDER_H
#define APP_ORDER_H

#include <stdbool.h>

#include "masksketch.h"

enum {
  MAX_COUNT = 1000, /* pictures of an order */
  MAX_WARNINGS = 4
};

typedef struct order {
  const msk_model *model; /* not owned */
  msk_model_info info;
  /* first_item and count of the whole order. Its pointers are not set: order_request() does */
  msk_request request;
  msk_image picture;          /* prepared sketch or photo; empty where there are tokens instead */
  msk_image mask, lambda_map; /* empty: none */
  msk_fit fit;                /* of the picture */
  /* what is odd about its pictures, for whoever asks; NULL behind the last */
  const char *warnings[MAX_WARNINGS + 1];
  int32_t *sketch_tokens;            /* draw: tokens - 1 of them, malloc'ed; NULL until known */
  double scales[MSK_MAX_CANDIDATES]; /* request.guidance_count of them: candidates */
  int keep;                          /* candidates: how many of them are wanted */
  int kept;                          /* replay of a batch: the one item wanted; else -1 */
  /* its pictures are the first items of seed, seed + 1, ..., not the items of one seed; for orders
   * whose pictures are made one by one */
  bool counts_seeds;
} order;

/* An empty order: the defaults of a recipe (NULL: balanced) for a job. model NULL: to judge
 * settings before a model is opened. This is the one place that finds the recipe of an order. */
msk_status order_begin(order *o, const msk_model *model, msk_job job, const char *recipe,
                       msk_error *error);
void order_free(order *o);

/* How its picture is read and brought to the model's square, if nobody says otherwise. */
msk_alpha order_alpha(const order *o);
msk_prepare_options order_preparation(const order *o);
/* Adds to the warnings what is not among them yet; NULL, or one too many, adds nothing. */
void order_warn(order *o, const char *warning);
/* Also judges a sketch, and takes over the source's warning. */
msk_status order_set_picture(order *o, const msk_image *source,
                             const msk_prepare_options *preparation, msk_error *error);

/* Steps that a recipe takes at most, its tail and those that revise included. */
int recipe_steps(const msk_recipe *recipe);
/* The whole order as the library takes it; valid as long as the order stays where it is. */
msk_request order_request(const order *o);
/* Whether its items run together: as the batch of the authors' code, or as candidates. */
bool order_runs_together(const order *o);
/* How many pictures it asks for. */
int order_pictures(const order *o);
/* The name under which every face takes what msk_error.field names; NULL: each has its own, or
 * none. The command line writes it with - for _. */
const char *order_member(const char *field);
#endif
