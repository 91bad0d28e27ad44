/* SPDX-License-Identifier: Apache-2.0
 *
 * test_ranks.c - training by several ranks, which are threads here and talk through memory: sums in
 * the order of the ranks; the losses of one process that has the whole batch, to rounding, in each
 * stage; the same bytes on all ranks. What MPI does, ./run test-cluster looks at. */
#include <math.h>
#include <pthread.h>
#include <stdbool.h>

#include "small_plans.h"
#include "support.h"
#include "train/picture_trainer.h"
#include "train/start.h"
#include "train/trainer.h"

enum { MOST = 4, STEPS = 6 };

/* In threads that are not cmocka's, a failure ends the program. */
static void need(bool good, const char *what) {
  if (good) return;
  fprintf(stderr, "a rank failed: %s\n", what);
  abort();
}

/* ---- ranks that are threads ---- */

struct team {
  int count;
  pthread_barrier_t barrier;
  const char *mine[MOST];
};

struct member {
  struct team *team;
  int rank;
  msk_train_ranks ranks;
  void (*work)(struct member *member);
  bool decoder;
  double losses[STEPS][3]; /* of each step: both losses, the norm */
  float *block;            /* as it is at the end */
  size_t floats;
};

static void gather(void *user, const void *mine, size_t bytes, void *all) {
  const struct member *m = user;
  m->team->mine[m->rank] = mine;
  pthread_barrier_wait(&m->team->barrier);
  for (int r = 0; r < m->team->count; r++)
    memcpy((char *)all + (size_t)r * bytes, m->team->mine[r], bytes);
  pthread_barrier_wait(&m->team->barrier);
}

static void exchange(void *user, const void *mine, size_t bytes, void *all) {
  const struct member *m = user;
  m->team->mine[m->rank] = mine;
  pthread_barrier_wait(&m->team->barrier);
  for (int r = 0; r < m->team->count; r++)
    memcpy((char *)all + (size_t)r * bytes, m->team->mine[r] + (size_t)m->rank * bytes, bytes);
  pthread_barrier_wait(&m->team->barrier);
}

static void share(void *user, void *bytes, size_t count) {
  const struct member *m = user;
  m->team->mine[m->rank] = bytes;
  pthread_barrier_wait(&m->team->barrier);
  if (m->rank > 0) memcpy(bytes, m->team->mine[0], count);
  pthread_barrier_wait(&m->team->barrier);
}

static void *run_member(void *user) {
  struct member *member = user;
  member->work(member);
  return NULL;
}

/* One member works alone, without ranks. */
static void run_team(struct member members[MOST], int count, void (*work)(struct member *),
                     bool decoder) {
  struct team team = {.count = count};
  pthread_t threads[MOST];
  assert_int_equal(pthread_barrier_init(&team.barrier, NULL, (unsigned)count), 0);
  for (int r = 0; r < count; r++) {
    members[r] = (struct member){.team = &team, .rank = r, .work = work, .decoder = decoder};
    members[r].ranks = (msk_train_ranks){r, count, &members[r], gather, exchange, share};
    assert_int_equal(pthread_create(&threads[r], NULL, run_member, &members[r]), 0);
  }
  for (int r = 0; r < count; r++) pthread_join(threads[r], NULL);
  pthread_barrier_destroy(&team.barrier);
}

static const msk_train_ranks *ranks_of(const struct member *m) {
  return m->team->count > 1 ? &m->ranks : NULL;
}

static void keep_block(struct member *m, const msk_course *course) {
  m->floats = course->params->floats;
  m->block = malloc(m->floats * sizeof *m->block);
  need(m->block != NULL, "memory");
  memcpy(m->block, course->block, m->floats * sizeof *m->block);
}

/* ---- sums ---- */

/* More than one piece of every rank, and a rest that does not divide. */
enum { VALUES = 4 * (1 << 15) + 1003 };

static float value_of(int rank, size_t i) {
  return (float)sin((double)i * 1.7 + rank) * (float)(1 << (7 * rank));
}

static void add_values(struct member *m) {
  float *room = malloc(msk_ranks_room(&m->ranks) * sizeof *room);
  double few[3] = {1e16, m->rank, 0.25};
  m->floats = VALUES;
  m->block = malloc(VALUES * sizeof *m->block);
  need(room != NULL && m->block != NULL, "memory");
  for (size_t i = 0; i < VALUES; i++) m->block[i] = value_of(m->rank, i);
  msk_ranks_add(&m->ranks, m->block, VALUES, room);
  msk_ranks_add_few(&m->ranks, few, 3);
  memcpy(m->losses[0], few, sizeof few);
  m->losses[1][0] = msk_ranks_any(&m->ranks, m->rank == 1);
  m->losses[1][1] = msk_ranks_any(&m->ranks, false);
  free(room);
}

static void test_sums(void **state) {
  (void)state;
  for (int count = 2; count <= MOST; count++) {
    struct member members[MOST];
    run_team(members, count, add_values, false);
    for (int r = 0; r < count; r++) {
      for (size_t i = 0; i < VALUES; i++) {
        float sum = value_of(0, i);
        for (int other = 1; other < count; other++) sum += value_of(other, i);
        assert_true(members[r].block[i] == sum);
      }
      assert_true(members[r].losses[0][0] == count * 1e16);
      assert_true(members[r].losses[0][1] == count * (count - 1) / 2);
      assert_true(members[r].losses[1][0] == 1 && members[r].losses[1][1] == 0);
    }
    for (int r = 0; r < count; r++) free(members[r].block);
  }
}

/* ---- the transformer ---- */

enum { CELLS = 16, CODES = 24, OBJECTS = 3, HANDS = 2, RECORDS = 40, DIM = 6 };

/* A batch of all ranks. */
static const msk_train_plan transformer_plan = SMALL_TRANSFORMER(12, 2);

static void append_tokens(msk_tokens *tokens, uint64_t *seed) {
  size_t index = msk_tokens_count(tokens);
  uint16_t photo[CELLS], drawn[HANDS * CELLS];
  uint8_t hand[HANDS] = {(uint8_t)(index % 5), MSK_NO_HAND},
          described[CELLS * MSK_TOKEN_QUARTERS * MSK_TOKEN_VIEWS];
  for (size_t i = 0; i < CELLS; i++) {
    photo[i] = (uint16_t)(test_random(seed) % CODES);
    drawn[i] = drawn[CELLS + i] = (uint16_t)(test_random(seed) % CODES);
  }
  for (size_t i = 0; i < sizeof described; i++) described[i] = (uint8_t)(test_random(seed) % 256);
  const msk_token_record record = {(int)(index / 2 % OBJECTS), hand, photo, drawn, described};
  need(msk_tokens_append(tokens, &record, NULL) == MSK_OK, "a record");
}

/* Rank 0 alone makes them, and begins the weights. */
static void train_transformer(struct member *m) {
  msk_train_plan plan = transformer_plan;
  const msk_tokens_shape shape = {.cells = CELLS,
                                  .hands = HANDS,
                                  .codes = CODES,
                                  .labels = OBJECTS,
                                  .all_hands = 5,
                                  .records = RECORDS};
  msk_device *device = NULL;
  msk_trainer *trainer = NULL;
  msk_tokens *tokens = NULL;
  float codebook[CODES * DIM];
  uint64_t seed = 9;
  plan.pace.ranks = ranks_of(m);
  need(msk_device_create(&device, NULL, MSK_PRECISION_FP32, NULL, NULL) == MSK_OK &&
           msk_trainer_create(&trainer, &plan, device, NULL, NULL) == MSK_OK &&
           msk_tokens_open(&tokens, NULL, &shape, NULL) == MSK_OK,
       "the trainer");
  msk_course *course = &trainer->course;
  for (size_t i = 0; i < CODES * DIM; i++) codebook[i] = test_uniform(&seed, -1, 1);
  while (m->rank == 0 && msk_tokens_count(tokens) < RECORDS) append_tokens(tokens, &seed);
  if (m->rank == 0) {
    need(msk_params_start(course->params, codebook, CODES, DIM, 4, course->block, NULL) == MSK_OK,
         "first weights");
    msk_course_begin(course);
  }
  need(msk_course_share(course, NULL) == MSK_OK, "sharing");
  for (size_t s = 0; s < STEPS; s++) {
    msk_tokens_share(tokens, plan.pace.ranks, 2 * msk_course_needs(course));
    msk_step_losses losses = msk_trainer_step(trainer, tokens);
    m->losses[s][0] = losses.masked;
    m->losses[s][1] = isnan(losses.pair) ? 0 : losses.pair;
    m->losses[s][2] = losses.norm;
  }
  keep_block(m, course);
  msk_tokens_close(tokens);
  msk_trainer_destroy(trainer);
  msk_device_destroy(device);
}

/* ---- the tokenizer and its decoder ---- */

enum { SIDE = 32, PICTURES = 8, DRAWINGS = 2, PICTURE_CELLS = 16, PICTURE_CODES = 24 };

/* Codes begin in the third step, whole pictures in the fourth. */
static const msk_picture_plan picture_plan = SMALL_TOKENIZER(DIM, PICTURES, 4, 1e-3, 0.03, 0.05);

static void append_picture(msk_pictures *pictures, uint64_t *seed) {
  uint8_t photo[SIDE * SIDE * 3], drawings[DRAWINGS * SIDE * SIDE];
  uint16_t codes[2 * PICTURE_CELLS];
  size_t left = test_random(seed) % (SIDE / 2), shade = test_random(seed) % 200;
  for (size_t i = 0; i < SIDE * SIDE; i++) {
    bool inside = i % SIDE >= left && i % SIDE < left + 12;
    memset(photo + 3 * i, inside ? (int)shade : 230, 3);
    drawings[i] = drawings[SIDE * SIDE + i] = inside ? 30 : 255;
  }
  for (size_t i = 0; i < 2 * PICTURE_CELLS; i++)
    codes[i] = (uint16_t)(test_random(seed) % PICTURE_CODES);
  const msk_picture_record record = {photo, drawings, codes};
  need(msk_pictures_append(pictures, &record, NULL) == MSK_OK, "a record");
}

static void start_codebook(const msk_course *course) {
  float *codebook = msk_params_find(course->params, course->block, "quantizer.codebook");
  uint64_t seed = 7;
  for (size_t i = 0; i < PICTURE_CODES * DIM; i++) codebook[i] = test_uniform(&seed, -1, 1);
}

static void train_pictures(struct member *m) {
  msk_picture_plan plan = picture_plan;
  const msk_pictures_shape shape = {.side = SIDE,
                                    .drawings = m->decoder ? 0 : DRAWINGS,
                                    .cells = m->decoder ? PICTURE_CELLS : 0,
                                    .codes = PICTURE_CODES,
                                    .records = PICTURES};
  msk_device *device = NULL;
  msk_picture_trainer *trainer = NULL;
  msk_pictures *pictures = NULL;
  uint64_t seed = 3;
  plan.pace.ranks = ranks_of(m);
  plan.decoder_alone = m->decoder;
  need(msk_device_create(&device, NULL, MSK_PRECISION_FP32, NULL, NULL) == MSK_OK &&
           msk_picture_trainer_create(&trainer, &plan, device, NULL, NULL) == MSK_OK &&
           msk_pictures_open(&pictures, NULL, &shape, NULL) == MSK_OK,
       "the trainer");
  msk_course *course = &trainer->course;
  while (m->rank == 0 && msk_pictures_count(pictures) < PICTURES) append_picture(pictures, &seed);
  if (m->rank == 0) {
    msk_picture_trainer_start(trainer);
    if (m->decoder) start_codebook(course);
    msk_course_begin(course);
  }
  need(msk_course_share(course, NULL) == MSK_OK, "sharing");
  for (size_t s = 0; s < STEPS; s++) {
    msk_picture_step step;
    msk_pictures_share(pictures, plan.pace.ranks, msk_course_needs(course));
    need(msk_picture_trainer_step(trainer, pictures, &step, NULL) == MSK_OK, "a step");
    m->losses[s][0] = step.loss, m->losses[s][1] = step.commitment, m->losses[s][2] = step.norm;
  }
  keep_block(m, course);
  msk_pictures_close(pictures);
  msk_picture_trainer_destroy(trainer);
  msk_device_destroy(device);
}

/* ---- the same as one process ---- */

/* Relative tolerances of losses, where roundings grow from step to step, and of the gradient's
 * norm: that of pictures jumps where the sign of a difference of theirs flips (|d| in the loss),
 * which the losses behind it hardly see. */
static void check_stage(void (*work)(struct member *), bool decoder, double of_losses,
                        double of_norms) {
  struct member alone[MOST], members[MOST];
  run_team(alone, 1, work, decoder);
  for (int count = 2; count <= MOST; count += 2) {
    run_team(members, count, work, decoder);
    for (int r = 0; r < count; r++) {
      assert_memory_equal(members[r].block, members[0].block,
                          members[r].floats * sizeof *members[r].block);
      for (size_t i = 0; i < STEPS * 3; i++) {
        double here = members[r].losses[i / 3][i % 3], there = alone[0].losses[i / 3][i % 3],
               tolerance = i % 3 == 2 ? of_norms : of_losses;
        if (!(fabs(here - there) <= tolerance * fabs(there)))
          fail_msg("%d ranks, step %zu, number %zu: %.9g, alone %.9g", count, i / 3, i % 3, here,
                   there);
      }
    }
    for (int r = 0; r < count; r++) free(members[r].block);
  }
  free(alone[0].block);
}

static void test_transformer(void **state) {
  (void)state;
  check_stage(train_transformer, false, 1e-5, 1e-5);
}

static void test_tokenizer(void **state) {
  (void)state;
  check_stage(train_pictures, false, 1e-5, 1e-3);
}

static void test_decoder(void **state) {
  (void)state;
  check_stage(train_pictures, true, 1e-5, 1e-3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sums), cmocka_unit_test(test_transformer),
      cmocka_unit_test(test_tokenizer), cmocka_unit_test(test_decoder)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
