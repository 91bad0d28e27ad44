/* SPDX-License-Identifier: Apache-2.0
 *
 * select.h - which of several candidates for one picture are worth finishing: successive halving
 * (Jamieson and Talwalkar 2016, arXiv 1502.07943) with the same number of item-steps in every
 * stage. Pure functions. */
#ifndef MSK_SAMPLING_SELECT_H
#define MSK_SAMPLING_SELECT_H

#include <stdint.h>

/* How a candidate stands: higher is better. */
typedef struct msk_standing {
  float structure;  /* mean structure score over the image's tokens */
  float confidence; /* mean probability of its tokens */
} msk_standing;

/* How many of `candidates` are still drawn after `taken` of `steps` steps, if `finish` of them
 * are to be finished. All of them until the share `from` of the steps is taken; then the first
 * half goes, and the stages that follow have the same candidates x steps each. */
int msk_select_alive(int candidates, int finish, double from, int taken, int steps);

/* Writes the places of the `keep` best, ascending, to kept. The rank is structure and
 * `confidence_weight` times confidence, each as distance from the mean in standard deviations;
 * equals stay in their order. values: room for count. */
void msk_select_best(const msk_standing *standings, int count, double confidence_weight, int keep,
                     double *values, int *kept);

#endif
