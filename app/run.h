/* SPDX-License-Identifier: Apache-2.0
 *
 * run.h - makes the pictures of an order: the one place that encodes, runs and finishes. One
 * session goes from order to order, and another takes its place where an order needs a larger one
 * or has another model.
 *
 *     order_run r = {.threads = 4, .cancelled = asked_to_stop};
 *     const order_picture *p;
 *     status = run_start(&r, &order, NULL, &error);
 *     while (status == MSK_OK && (status = run_next(&r, &p, &error)) == MSK_OK && p != NULL)
 *       ... p->image, p->item, p->result ...;
 *     run_end(&r);
 *
 * A recipe that mends the authors' code draws each item from a stream of its own, so items run
 * one by one: each picture is there as soon as it is finished, and a stop keeps it. The authors'
 * own batch has to run together, and so do candidates, of which the best come first. Steps are
 * told to order->request.callbacks, whose `user` is handed to `cancelled` too. */
#ifndef APP_RUN_H
#define APP_RUN_H

#include "app/rank.h"

/* A finished picture; valid until the next call. */
typedef struct order_picture {
  msk_image image;
  uint64_t seed;
  int item;                        /* of the seed */
  int number;                      /* pictures of the order that came before it */
  double guidance;                 /* its scale */
  const msk_result *result;        /* the run that it comes from */
  int place;                       /* in the result's arrays */
  bool first, last;                /* of that run */
  const float *pixels, *structure; /* its own; structure NULL: has none */
  const int32_t *tokens;
  const contender *chosen; /* its scores, if it was one of several candidates; else NULL */
} order_picture;

typedef struct order_run {
  int threads;                   /* of the session; 0: all */
  bool (*cancelled)(void *user); /* asked before each item; NULL: never */
  /* the rest is run.c's; read-only outside */
  msk_session *session;
  const msk_model *model; /* the session's */
  order *order;
  const rank_wishes *wishes;
  int begun; /* items that have been run */
  int ready; /* pictures that the last run made */
  int taken; /* of them handed over */
  int given; /* pictures handed over in all */
  msk_result result;
  contender *ranked;
  order_picture picture;
} order_run;

/* The request of the next run of the model: the whole order, or its next item. */
msk_request run_request(const order *o, int begun);
/* Begins an order; takes memory for it where the session has too little. `wishes`: how
 * candidates are ranked; NULL: by structure. Both must outlive the run. */
msk_status run_start(order_run *r, order *o, const rank_wishes *wishes, msk_error *error);
/* Whether the next picture has to be drawn, or is there already. */
bool run_is_due(const order_run *r);
/* The next picture, NULL when all have been handed over. Candidates that were finished but are
 * not wanted come last (number >= order_pictures()). The first run tells the sketch's tokens:
 * order->sketch_tokens is set. */
msk_status run_next(order_run *r, const order_picture **picture, msk_error *error);
/* Frees everything, the session too; `r` can be started again. */
void run_end(order_run *r);
#endif
