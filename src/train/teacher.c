/* SPDX-License-Identifier: Apache-2.0
 * teacher.c - see teacher.h. */
#include "train/teacher.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "train/optimiser.h"

#define BETA_2 0.99f
#define LARGEST_NORM 1.0
#define WARM_SHARE 0.05 /* of the steps: the rate rises; over the last half it falls to nothing */

enum { TEACH_STREAM = 41, PART_BYTES = 512 << 20 };

/* ---- creation ---- */

/* What the forward pass keeps of a sequence is what memory goes to. */
size_t msk_teacher_part(const msk_maskgit_config *config, size_t batch) {
  size_t row = 8 * config->hidden + config->intermediate,
         bytes = row * config->layers * config->positions * sizeof(float),
         part = PART_BYTES / bytes;
  if (part > batch) part = batch;
  /* Parts of one size: every part's mean counts the same. */
  while (part > 1 && batch % part != 0) part--;
  return part < 1 ? 1 : part;
}

size_t msk_teacher_bytes(const msk_teach_plan *plan, const msk_device *device, msk_pool *pool) {
  msk_params *params = NULL;
  if (msk_params_create(&params, &plan->config, NULL, NULL) != MSK_OK) return 0;
  msk_low_rank low = {0};
  if (!plan->full)
    low = msk_low_rank_make(params, plan->rank, plan->first_layer, (size_t)plan->class_token);
  size_t part = msk_teacher_part(&plan->config, plan->batch),
         network =
             msk_network_bytes(params, plan->full ? NULL : &low, device, pool, plan->codes, part),
         beside = plan->full ? 3 * params->floats : 4 * low.floats;
  if (network > 0) network += (params->floats + beside) * sizeof(float);
  msk_params_destroy(params);
  return network;
}

static void *take(const msk_teacher *teacher, size_t count, size_t bytes) {
  return msk_allocate_zeroed(teacher->params->allocator, count, bytes);
}

static msk_status no_memory(msk_error *error) {
  return msk_fail(error, MSK_ERROR_MEMORY, "no memory for teaching a class");
}

msk_status msk_teacher_create(msk_teacher **teacher, const msk_teach_plan *plan, msk_error *error) {
  msk_teacher *made = msk_allocate_zeroed(NULL, 1, sizeof *made);
  if (made == NULL) return no_memory(error);
  made->plan = *plan;
  msk_status status = msk_params_create(&made->params, &plan->config, NULL, error);
  if (status == MSK_OK) {
    if (!plan->full)
      made->low =
          msk_low_rank_make(made->params, plan->rank, plan->first_layer, (size_t)plan->class_token);
    made->floats = plan->full ? made->params->floats : made->low.floats;
    made->block = take(made, made->params->floats, sizeof(float));
    if (made->block == NULL) status = no_memory(error);
  }
  if (status != MSK_OK) {
    msk_teacher_destroy(made);
    return status;
  }
  *teacher = made;
  return MSK_OK;
}

static msk_status take_arrays(msk_teacher *teacher, msk_error *error) {
  size_t places = teacher->plan.batch * teacher->plan.config.positions;
  teacher->trained =
      teacher->plan.full ? teacher->block : take(teacher, teacher->floats, sizeof(float));
  teacher->gradients = take(teacher, teacher->floats, sizeof(float));
  teacher->first = take(teacher, teacher->floats, sizeof(float));
  teacher->second = take(teacher, teacher->floats, sizeof(float));
  teacher->shown = take(teacher, places, sizeof(int32_t));
  teacher->target = take(teacher, places, sizeof(int32_t));
  teacher->mask = take(teacher, places, sizeof(bool));
  return teacher->trained == NULL || teacher->gradients == NULL || teacher->first == NULL ||
                 teacher->second == NULL || teacher->shown == NULL || teacher->target == NULL ||
                 teacher->mask == NULL
             ? no_memory(error)
             : MSK_OK;
}

void msk_teacher_destroy(msk_teacher *teacher) {
  if (teacher == NULL) return;
  void *const parts[] = {teacher->block, teacher->gradients, teacher->first, teacher->second,
                         teacher->shown, teacher->target,    teacher->mask};
  if (!teacher->plan.full) msk_free(NULL, teacher->trained);
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) msk_free(NULL, parts[i]);
  msk_network_destroy(teacher->network);
  msk_params_destroy(teacher->params);
  msk_free(NULL, teacher);
}

/* The class's row begins as the mean of others. */
static void start_trained(msk_teacher *teacher, size_t from, size_t to) {
  msk_outer_params outer = msk_params_outer(teacher->params, teacher->block);
  size_t d = teacher->plan.config.hidden;
  float *row = outer.words + (size_t)teacher->plan.class_token * d;
  memset(row, 0, d * sizeof *row);
  for (size_t r = from; r < to; r++) {
    for (size_t i = 0; i < d; i++) row[i] += outer.words[r * d + i] / (float)(to - from);
  }
  if (!teacher->plan.full)
    msk_low_rank_start(&teacher->low, row, teacher->plan.seed, teacher->trained);
}

msk_status msk_teacher_start(msk_teacher *teacher, const msk_device *device, msk_pool *pool,
                             size_t from, size_t to, msk_error *error) {
  const msk_teach_plan *plan = &teacher->plan;
  teacher->part = msk_teacher_part(&plan->config, plan->batch);
  msk_status status = plan->full ? msk_network_create(&teacher->network, teacher->params, device,
                                                      pool, plan->codes, teacher->part, error)
                                 : msk_network_create_low(&teacher->network, &teacher->low, device,
                                                          pool, plan->codes, teacher->part, error);
  if (status == MSK_OK) status = take_arrays(teacher, error);
  if (status == MSK_OK) start_trained(teacher, from, to);
  return status;
}

/* ---- a batch ---- */

static bool chance(msk_random *random, double share) { return msk_random_unit(random) < share; }

/* MaskGIT's cosine: the share of masked places is cos(pi u / 2), one at least. Where there is a
 * drawing, its tokens stand in masked places of a share of the sequences. */
static void fill_sequence(const msk_teach_plan *plan, const msk_lesson *lesson, msk_random *random,
                          int32_t *shown, int32_t *target, bool *mask) {
  size_t cells = plan->config.positions - 1, sure = msk_random_below(random, cells);
  double rate = cos(msk_random_unit(random) * M_PI / 2);
  bool nameless = chance(random, plan->null_share) && plan->null_token >= 0,
       hinted = chance(random, plan->hint_share) && lesson->drawn != NULL;
  shown[0] = target[0] = nameless ? plan->null_token : lesson->label;
  mask[0] = false;
  for (size_t i = 0; i < cells; i++) {
    int32_t hidden = hinted ? lesson->drawn[i] : MSK_MASK_TOKEN;
    mask[1 + i] = chance(random, rate) || i == sure;
    target[1 + i] = lesson->photo[i];
    shown[1 + i] = mask[1 + i] ? hidden : lesson->photo[i];
  }
}

double msk_teacher_loss(msk_teacher *teacher, const msk_lesson *lessons, size_t lesson_count,
                        const msk_lesson *replayed, size_t replayed_count) {
  const msk_teach_plan *plan = &teacher->plan;
  msk_random random = msk_random_stream(plan->seed, TEACH_STREAM, (uint64_t)teacher->step);
  size_t n = plan->config.positions;
  double loss = 0;
  memset(teacher->gradients, 0, teacher->floats * sizeof(float));
  if (plan->full) {
    msk_network_set(teacher->network, teacher->block);
  } else {
    msk_network_set_low(teacher->network, teacher->block, teacher->trained);
  }
  for (size_t i = 0; i < plan->batch; i++) {
    bool again = chance(&random, plan->replay_share) && replayed_count > 0;
    const msk_lesson *lesson = again ? &replayed[msk_random_below(&random, replayed_count)]
                                     : &lessons[msk_random_below(&random, lesson_count)];
    fill_sequence(plan, lesson, &random, teacher->shown + i * n, teacher->target + i * n,
                  teacher->mask + i * n);
  }
  for (size_t i = 0; i < plan->batch; i += teacher->part) {
    msk_masked_batch part = {.batch = teacher->part,
                             .shown = teacher->shown + i * n,
                             .target = teacher->target + i * n,
                             .mask = teacher->mask + i * n};
    loss += msk_network_masked(teacher->network, &part, teacher->gradients).plain;
  }
  return loss / (double)(plan->batch / teacher->part);
}

/* ---- a step ---- */

static double rate_of(const msk_teacher *teacher) {
  double done = (double)teacher->step, all = (double)teacher->plan.steps;
  return teacher->plan.rate * fmin(1, fmin((done + 1) / (WARM_SHARE * all), 2 * (1 - done / all)));
}

void msk_teacher_update(msk_teacher *teacher) {
  size_t floats = teacher->floats;
  double parts = (double)(teacher->plan.batch / teacher->part), sum = 0;
  for (size_t i = 0; i < floats; i++) sum += (double)teacher->gradients[i] * teacher->gradients[i];
  double factor = fmin(1.0, LARGEST_NORM / (sqrt(sum) / parts + 1e-6)) / parts;
  msk_adam adam = {.rate = (float)rate_of(teacher), .beta_2 = BETA_2, .step = ++teacher->step};
  msk_adam_update(&adam, floats, teacher->gradients, (float)factor, teacher->first, teacher->second,
                  teacher->trained);
}
