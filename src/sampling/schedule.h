/* SPDX-License-Identifier: Apache-2.0
 *
 * schedule.h - mask rate as a function of progress (MaskGIT, section 3.3): uniform 1 - r; cosine
 * cos(pi r / 2); pow 1 - r^X; log -log2(r) / log2(U); exp 1 - 2^(-log2(U) (1 - r)); r in (0, 1]
 * is the share of steps done, U the number of tokens masked at the start.
 */
#ifndef MSK_SAMPLING_SCHEDULE_H
#define MSK_SAMPLING_SCHEDULE_H

#include "masksketch.h"

/* In [0, 1], in double precision; 0 at r = 1 for every schedule. */
double msk_schedule_rate(msk_schedule schedule, double power, double ratio, int unknown);

/* How much of the guidance acts at progress p in (0, 1]: in [0, 1], 1 at p = 1. */
double msk_schedule_guidance(msk_guidance_schedule schedule, double progress);

/* 1 - r and the rate at r = done / steps in the authors' arithmetic as XLA's CPU back end
 * compiles it: float32, the division by a constant a product with its reciprocal, products and
 * sums fused; clamped into [1e-6, 1]. Counts made from it agree to the last token. */
float msk_schedule_remaining_official(int done, int steps);
float msk_schedule_rate_official(msk_schedule schedule, double power, int done, int steps,
                                 int unknown);

#endif
