/* SPDX-License-Identifier: Apache-2.0
 * course.c - see course.h. */
#include "train/course.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "compute/backward.h"

/* The moving average's window is an eighth of the run so far, so that a short run does not drag
 * its first steps along (a power average: Karras et al. 2023), and 500 steps at most. */
#define AVERAGE_PART 8.0f
#define SLOWEST_AVERAGE 0.002f

msk_status msk_course_open(msk_course *course, const msk_pace *pace, msk_params *params,
                           const msk_device *device, msk_pool *pool, msk_error *error) {
  *course = (msk_course){.pace = *pace, .params = params, .bf16 = msk_device_uses_bf16(device)};
  course->block = msk_allocate_zeroed(NULL, params->floats, sizeof(float));
  course->gradients = msk_allocate_zeroed(NULL, params->floats, sizeof(float));
  course->room = msk_allocate(NULL, msk_ranks_room(pace->ranks) + 1, sizeof(float));
  if (course->block == NULL || course->gradients == NULL || course->room == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory for the parameters");
  return msk_optimiser_create(&course->optimiser, params, device, pool, error);
}

size_t msk_course_bytes(const msk_pace *pace, const msk_params *params, const msk_device *device,
                        msk_pool *pool) {
  size_t floats = 2 * params->floats + msk_ranks_room(pace->ranks);
  return floats * sizeof(float) + msk_optimiser_bytes(params, device, pool);
}

size_t msk_pace_share(const msk_pace *pace) { return pace->batch / msk_ranks_count(pace->ranks); }

void msk_course_add_gradients(msk_course *course) {
  msk_ranks_add(course->pace.ranks, course->gradients, course->params->floats, course->room);
}

void msk_course_close(msk_course *course) {
  msk_free(NULL, course->block);
  msk_free(NULL, course->gradients);
  msk_free(NULL, course->room);
  msk_optimiser_destroy(course->optimiser);
  msk_params_destroy(course->params);
}

size_t msk_course_examples(const msk_course *course) {
  return (size_t)course->step * course->pace.batch;
}

bool msk_course_is_done(const msk_course *course) {
  return msk_course_examples(course) >= course->pace.examples;
}

size_t msk_course_needs(const msk_course *course) {
  const msk_pace *s = &course->pace;
  double more = (double)msk_course_examples(course) / s->examples_per_object;
  size_t objects = s->first_objects + (size_t)more;
  return objects < s->objects ? objects : s->objects;
}

double msk_course_rate(const msk_course *course) {
  const msk_pace *s = &course->pace;
  double done = (double)msk_course_examples(course);
  double warm = (done + (double)s->batch) / (double)s->warmup,
         left = ((double)s->examples - done) / (double)s->decay;
  return fmax(0, fmin(1, fmin(warm, left)));
}

float msk_course_average(const msk_course *course) {
  float share = AVERAGE_PART / (float)(course->step + 1);
  return fminf(1.0f, fmaxf(share, SLOWEST_AVERAGE));
}

void msk_course_begin(msk_course *course) {
  memcpy(course->optimiser->average, course->block, course->params->floats * sizeof(float));
}
