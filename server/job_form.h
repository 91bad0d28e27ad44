/* SPDX-License-Identifier: Apache-2.0
 *
 * job_form.h - from the fields of a request to an order in a job that can be submitted: what
 * cli/picture_options.c is for the command line. All that can be wrong is found here, so that an
 * accepted job does not fail for it. */
#ifndef SERVER_JOB_FORM_H
#define SERVER_JOB_FORM_H

#include "form.h"
#include "jobs.h"

/* A job with one reference, or NULL with the form's problem set. */
job *job_from_form(form *f, msk_job kind);
/* How the order's picture is prepared: fit, invert and photo_of_paper of the form. */
bool job_preparation(form *f, msk_prepare_options *preparation, const order *o);
/* What OpenAI's routes know: class, seed and so on they decide themselves. */
typedef struct job_wishes {
  int class_id, count;
  uint64_t seed;
  bool previews;     /* at every step */
  bool whole_tokens; /* a token with any part of the mask in it is repainted as a whole */
} job_wishes;
/* A job of the default recipe. `photo` (the sketch when drawing) and `mask` (edit), or NULL. */
job *job_plain(server *s, msk_job kind, const job_wishes *wishes, msk_image *photo, msk_image *mask,
               problem *p);
#endif
