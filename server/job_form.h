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

/* ---- For other people's interfaces, whose requests name and count things in their own way ---- */

/* The class that the field `prompt` names. */
bool job_prompt(form *f, int *class_id);
/* Below 2^53, which JSON keeps. */
bool job_random_seed(uint64_t *seed, problem *p);

typedef struct job_wishes {
  const char *recipe; /* NULL: the default */
  int class_id, count;
  int steps;              /* 0: the recipe's */
  double lambda;          /* draw; negative: the recipe's */
  uint64_t seed;          /* of the first picture */
  bool counts_seeds;      /* as order.h has it */
  double preview_seconds; /* as jobs.h has it */
  bool whole_tokens;      /* a token with any part of the mask in it is repainted as a whole */
} job_wishes;
/* `photo` (the sketch when drawing) and `mask` (edit), or NULL. */
job *job_plain(server *s, msk_job kind, const job_wishes *wishes, msk_image *photo, msk_image *mask,
               problem *p);
#endif
