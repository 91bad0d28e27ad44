/* SPDX-License-Identifier: Apache-2.0
 * run.c - see run.h. */
#include "app/run.h"

#include <stdlib.h>
#include <string.h>

#include "app/report.h"

msk_request run_request(const order *o, int begun) {
  msk_request request = order_request(o);
  if (order_runs_together(o)) return request;
  if (o->counts_seeds) {
    request.seed += (uint64_t)begun;
  } else {
    request.first_item += begun;
  }
  request.count = 1;
  return request;
}

/* ---- beginning and ending ---- */

static void forget(order_run *r) {
  msk_image_free(&r->picture.image);
  free(r->ranked);
  r->ranked = NULL;
  r->begun = r->ready = r->taken = r->given = 0;
}

static msk_status need_session(order_run *r, const msk_request *request, msk_error *error) {
  int fits = 0;
  msk_session_options options;
  msk_session_options_init(&options);
  options.threads = r->threads;
  if (r->session != NULL && r->model == r->order->model) {
    msk_status status = msk_session_fits(&fits, r->session, request, error);
    if (status != MSK_OK || fits) return status;
  }
  msk_session_close(r->session);
  r->session = NULL;
  r->model = r->order->model;
  return msk_session_open(&r->session, r->model, request, &options, error);
}

msk_status run_start(order_run *r, order *o, const rank_wishes *wishes, msk_error *error) {
  forget(r);
  r->order = o;
  r->wishes = wishes;
  const msk_request first = run_request(o, 0);
  return need_session(r, &first, error);
}

void run_end(order_run *r) {
  forget(r);
  msk_session_close(r->session);
  r->session = NULL;
}

/* ---- pictures ---- */

/* The sketch is encoded once, whatever the number of pictures; its tokens are also what the PNG
 * keeps. */
static msk_status keep_tokens(order *o, const msk_result *result, msk_error *error) {
  if (o->request.job != MSK_JOB_DRAW || o->sketch_tokens != NULL) return MSK_OK;
  const size_t bytes = (size_t)(o->info.tokens - 1) * sizeof *o->sketch_tokens;
  o->sketch_tokens = malloc(bytes);
  if (o->sketch_tokens == NULL)
    return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the sketch's tokens");
  memcpy(o->sketch_tokens, result->picture_tokens, bytes);
  return MSK_OK;
}

static msk_status rank(order_run *r, msk_error *error) {
  static const rank_wishes by_structure = {.structure_weight = 1};
  free(r->ranked);
  r->ranked = NULL;
  if (r->result.candidates == NULL) return MSK_OK;
  return rank_candidates(&r->ranked, r->order, r->wishes == NULL ? &by_structure : r->wishes,
                         &r->result, error);
}

static msk_status run_items(order_run *r, msk_error *error) {
  order *o = r->order;
  const msk_request request = run_request(o, r->begun);
  if (r->cancelled != NULL && r->cancelled(request.callbacks.user))
    return app_fail(error, MSK_ERROR_CANCELLED, "cancelled");
  msk_status status = msk_run(r->session, &request, &r->result, error);
  if (status == MSK_OK) status = keep_tokens(o, &r->result, error);
  if (status == MSK_OK) status = rank(r, error);
  if (status != MSK_OK) return status;
  r->begun += request.count;
  r->taken = 0;
  r->ready = o->kept >= 0 ? 1 : r->result.count;
  return MSK_OK;
}

bool run_is_due(const order_run *r) {
  return r->taken == r->ready && r->begun < r->order->request.count;
}

/* What the result says of its picture at one place. */
static order_picture describe(const order_run *r, int place) {
  const msk_result *result = &r->result;
  const size_t side = (size_t)r->order->info.image_size, n = (size_t)result->tokens_per_item;
  const msk_request request = run_request(r->order, r->begun - result->count);
  return (order_picture){
      .seed = request.seed,
      .item = request.first_item + place,
      .guidance = r->order->request.recipe.guidance,
      .result = result,
      .place = place,
      .first = r->taken == 0,
      .last = r->taken + 1 == r->ready,
      .pixels = result->pixels + (size_t)place * side * side * 3,
      .structure = result->structure == NULL ? NULL : result->structure + place,
      .tokens = result->tokens + (size_t)place * n,
  };
}

static order_picture describe_chosen(const order_run *r) {
  const contender *chosen = &r->ranked[r->taken];
  order_picture picture = describe(r, chosen->place);
  picture.item = chosen->item;
  picture.guidance = chosen->guidance;
  picture.chosen = chosen;
  return picture;
}

/* Of a batch that was drawn again for one of its items, that one. */
static int kept_or(const order *o, int place) { return o->kept >= 0 ? o->kept : place; }

msk_status run_next(order_run *r, const order_picture **picture, msk_error *error) {
  order_picture *p = &r->picture;
  msk_status status = run_is_due(r) ? run_items(r, error) : MSK_OK;
  msk_image_free(&p->image);
  if (status != MSK_OK) return status;
  *picture = NULL;
  if (r->taken == r->ready) return MSK_OK;
  *p = r->ranked != NULL ? describe_chosen(r) : describe(r, kept_or(r->order, r->taken));
  p->number = r->given++;
  r->taken++;
  /* made when it is taken: one picture is in memory as such, however many are ready */
  status = msk_image_from_float(&p->image, p->pixels, r->order->info.image_size,
                                r->order->info.image_size, NULL, error);
  if (status == MSK_OK) *picture = p;
  return status;
}
