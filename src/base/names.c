/* SPDX-License-Identifier: Apache-2.0
 *
 * names.c - what the values of the public header's enumerations are called wherever people and
 * files see them: flags, JSON, metadata, messages. One table each, in the order of the values. */
#include "base/names.h"

#include <stddef.h>

#include "masksketch_tools.h"

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))
/* A value that is added has a name, or this does not compile. */
#define NAMES_ALL(table, last) \
  _Static_assert(sizeof(table) / sizeof *(table) == (last) + 1, #last " is not the last name")

static const char *name_of(const char *const *names, int count, int value) {
  return value >= 0 && value < count ? names[value] : NULL;
}

static const char *const statuses[] = {"ok",     "argument",  "file",       "output",
                                       "memory", "cancelled", "unsupported"};
NAMES_ALL(statuses, MSK_ERROR_UNSUPPORTED);
const char *msk_status_name(int status) { return name_of(statuses, COUNT(statuses), status); }

static const char *const fits[] = {"stretch", "pad", "crop", "ink"};
NAMES_ALL(fits, MSK_FIT_INK);
const char *msk_fit_name(int fit) { return name_of(fits, COUNT(fits), fit); }

static const char *const inverts[] = {"auto", "yes", "no"};
NAMES_ALL(inverts, MSK_INVERT_NO);
const char *msk_invert_name(int invert) { return name_of(inverts, COUNT(inverts), invert); }
const char *msk_photo_name(int photo) { return name_of(inverts, COUNT(inverts), photo); }
NAMES_ALL(inverts, MSK_PHOTO_NO);

static const char *const sketch_kinds[] = {"drawing", "empty", "dark", "photo", "writing"};
NAMES_ALL(sketch_kinds, MSK_SKETCH_WRITING);
const char *msk_sketch_kind_name(int kind) {
  return name_of(sketch_kinds, COUNT(sketch_kinds), kind);
}

/* OF_FILE is a question, no arithmetic. */
static const char *const precisions[] = {"fp32", "int8"};
NAMES_ALL(precisions, MSK_PRECISION_INT8);
const char *msk_precision_name(int precision) {
  return name_of(precisions, COUNT(precisions), precision);
}

static const char *const train_precisions[] = {"auto", "fp32", "bf16"};
NAMES_ALL(train_precisions, MSK_TRAIN_BF16);
const char *msk_train_precision_name(int precision) {
  return name_of(train_precisions, COUNT(train_precisions), precision);
}

static const char *const jobs[] = {"draw", "generate", "edit"};
NAMES_ALL(jobs, MSK_JOB_EDIT);
const char *msk_job_name(int job) { return name_of(jobs, COUNT(jobs), job); }

static const char *const schedules[] = {"uniform", "cosine", "pow", "log", "exp"};
NAMES_ALL(schedules, MSK_SCHEDULE_EXP);
const char *msk_schedule_name(int schedule) {
  return name_of(schedules, COUNT(schedules), schedule);
}

static const char *const placeholders[] = {"mask", "sketch"};
NAMES_ALL(placeholders, MSK_PLACEHOLDER_SKETCH);
const char *msk_placeholder_name(int placeholder) {
  return name_of(placeholders, COUNT(placeholders), placeholder);
}

static const char *const distances[] = {"cross-entropy", "symmetric-kl", "jensen-shannon"};
NAMES_ALL(distances, MSK_DISTANCE_JENSEN_SHANNON);
const char *msk_distance_name(int distance) {
  return name_of(distances, COUNT(distances), distance);
}

static const char *const unconditionals[] = {"random", "null", "nothing"};
NAMES_ALL(unconditionals, MSK_UNCONDITIONAL_NOTHING);
const char *msk_unconditional_name(int unconditional) {
  return name_of(unconditionals, COUNT(unconditionals), unconditional);
}

static const char *const guidance_schedules[] = {"constant", "linear", "power-cosine", "late"};
NAMES_ALL(guidance_schedules, MSK_GUIDANCE_LATE);
const char *msk_guidance_schedule_name(int schedule) {
  return name_of(guidance_schedules, COUNT(guidance_schedules), schedule);
}

static const char *const orders[] = {"confidence", "halton", "random"};
NAMES_ALL(orders, MSK_ORDER_RANDOM);
const char *msk_order_name(int order) { return name_of(orders, COUNT(orders), order); }

static const char *const remasks[] = {"any", "drawn", "recorded"};
NAMES_ALL(remasks, MSK_REMASK_RECORDED);
const char *msk_remask_name(int remask) { return name_of(remasks, COUNT(remasks), remask); }

static const char *const token_noises[] = {"independent", "common"};
NAMES_ALL(token_noises, MSK_TOKEN_NOISE_COMMON);
const char *msk_token_noise_name(int noise) {
  return name_of(token_noises, COUNT(token_noises), noise);
}

static const char *const rng_layouts[] = {"original", "partitionable"};
NAMES_ALL(rng_layouts, MSK_RNG_PARTITIONABLE);
const char *msk_rng_layout_name(int layout) {
  return name_of(rng_layouts, COUNT(rng_layouts), layout);
}
