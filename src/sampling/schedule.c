/* SPDX-License-Identifier: Apache-2.0
 *
 * schedule.c - see schedule.h. The official form follows the operations of the authors'
 * mask_schedule.py as XLA lowers them: log2 is a quotient of natural logarithms, exp2 an
 * exponential of a product. */
#include "sampling/schedule.h"

#include <math.h>

#include "base/rng.h"

#define HALF_PI 1.57079632679489661923
#define LN_2 0.693147180559945309417f

double msk_schedule_rate(msk_schedule schedule, double power, double ratio, int unknown) {
  if (ratio >= 1) return 0;
  /* of a single token nothing is left to schedule */
  const double bits = log2(unknown < 2 ? 2 : unknown);
  double rate = 0;
  switch (schedule) {
    case MSK_SCHEDULE_UNIFORM: rate = 1 - ratio; break;
    case MSK_SCHEDULE_COSINE: rate = cos(HALF_PI * ratio); break;
    case MSK_SCHEDULE_POW: rate = 1 - pow(ratio, power); break;
    case MSK_SCHEDULE_LOG: rate = -log2(ratio) / bits; break;
    case MSK_SCHEDULE_EXP: rate = 1 - exp2(-bits * (1 - ratio)); break;
  }
  return fmin(fmax(rate, 0), 1);
}

double msk_schedule_guidance(msk_guidance_schedule schedule, double progress) {
  switch (schedule) {
    case MSK_GUIDANCE_CONSTANT: break;
    case MSK_GUIDANCE_LINEAR: return progress;
    case MSK_GUIDANCE_POWER_COSINE:
      return progress >= 1 ? 1 : 0.5 * (1 - cos(2 * HALF_PI * progress * progress));
    case MSK_GUIDANCE_LATE: return progress > 0.5 ? 1 : 0;
  }
  return 1;
}

static float log2_of(float x) { return msk_xla_log(x) * (1.0f / LN_2); }

float msk_schedule_remaining_official(int done, int steps) {
  return fmaf(-(float)done, 1.0f / (float)steps, 1.0f);
}

float msk_schedule_rate_official(msk_schedule schedule, double power, int done, int steps,
                                 int unknown) {
  const float ratio = (float)done * (1.0f / (float)steps),
              remaining = msk_schedule_remaining_official(done, steps);
  float rate = 0;
  switch (schedule) {
    case MSK_SCHEDULE_UNIFORM: rate = remaining; break;
    case MSK_SCHEDULE_COSINE: rate = cosf((float)HALF_PI * ratio); break;
    case MSK_SCHEDULE_POW: rate = 1.0f - powf(ratio, (float)power); break;
    case MSK_SCHEDULE_LOG: rate = -log2_of(ratio) / log2_of((float)unknown); break;
    case MSK_SCHEDULE_EXP: rate = 1.0f - expf(-log2_of((float)unknown) * remaining * LN_2); break;
  }
  /* 0 / 0 of the logarithmic schedule with one token: JAX's clip keeps it */
  if (isnan(rate)) return rate;
  return fminf(fmaxf(rate, 1e-6f), 1.0f);
}
