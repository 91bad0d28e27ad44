/* SPDX-License-Identifier: Apache-2.0
 * job.c - see job.h. */
#include "job.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "app/json.h"
#include "masksketch_tools.h"

bool job_condition_init(pthread_cond_t *condition) {
  pthread_condattr_t attributes;
  if (pthread_condattr_init(&attributes) != 0) return false;
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  int failed = pthread_cond_init(condition, &attributes);
  pthread_condattr_destroy(&attributes);
  return failed == 0;
}

job *job_create(void) {
  unsigned char random[JOB_ID_DIGITS / 2];
  job *j = calloc(1, sizeof *j);
  if (j == NULL) return NULL;
  if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random ||
      !job_condition_init(&j->changed)) {
    free(j);
    return NULL;
  }
  for (int i = 0; i < JOB_ID_DIGITS / 2; i++) snprintf(j->id + 2 * i, 3, "%02x", random[i]);
  j->references = 1;
  j->index = j->item = j->step = -1;
  return j;
}

static void job_free(job *j) {
  order_free(&j->order);
  json_decref(j->settings);
  for (int i = 0; i < j->image_count; i++) {
    msk_free(NULL, j->images[i].bytes);
    free(j->images[i].tokens);
  }
  free(j->preview);
  pthread_cond_destroy(&j->changed);
  free(j);
}

void job_drop(job *j) {
  if (--j->references == 0) job_free(j);
}

void job_changed(job *j) {
  j->version++;
  pthread_cond_broadcast(&j->changed);
}

bool job_has_ended(const job *j) { return j->state >= JOB_DONE; }

static size_t pixels_of(const msk_image *image) {
  return (size_t)image->width * (size_t)image->height * 3;
}

size_t job_bytes(const job *j) {
  size_t sum = sizeof *j + pixels_of(&j->order.picture) + pixels_of(&j->order.mask) +
               pixels_of(&j->order.lambda_map);
  for (int i = 0; i < j->image_count; i++) sum += j->images[i].byte_count;
  return sum;
}
