/* SPDX-License-Identifier: Apache-2.0
 *
 * order.h - from the fields of a request to a job that can be submitted: the server's
 * counterpart of cli/draw.c. All that can be wrong is found here, so that an accepted job does
 * not fail for it. */
#ifndef SERVER_ORDER_H
#define SERVER_ORDER_H

#include "form.h"
#include "jobs.h"

/* A job with one reference, or NULL with the form's problem set. */
job *order_from_form(form *f, msk_job kind);
/* What OpenAI's routes know: class, seed and so on are set by them before order_finish(). */
typedef struct order_wishes {
  int class_id, count;
  uint64_t seed;
  bool previews;     /* at every step */
  bool whole_tokens; /* a token with any part of the mask in it is repainted as a whole */
} order_wishes;
/* A job of the default recipe. `photo` (the sketch when drawing) and `mask` (edit), or NULL. */
job *order_plain(server *s, msk_job kind, const order_wishes *wishes, msk_image *photo,
                 msk_image *mask, problem *p);
/* Every recipe key that acts, as text. */
json_t *order_settings(const msk_recipe *recipe, msk_job kind);
#endif
