/* SPDX-License-Identifier: Apache-2.0
 *
 * test_schedule.c - mask schedules against their closed forms, the official counts at places
 * where rounding decides, and the choice of the lowest. */
#include "support.h"

#include <math.h>
#include <stdbool.h>

#include "sampling/halton.h"
#include "sampling/remask.h"
#include "sampling/schedule.h"

static double closed_form(msk_schedule schedule, double power, double r, int unknown) {
  switch (schedule) {
    case MSK_SCHEDULE_UNIFORM: return 1 - r;
    case MSK_SCHEDULE_COSINE: return cos(acos(-1.0) * r / 2);
    case MSK_SCHEDULE_POW: return 1 - exp(power * log(r));
    case MSK_SCHEDULE_LOG: return -log(r) / log(unknown);
    case MSK_SCHEDULE_EXP: return 1 - exp(-log(unknown) * (1 - r));
  }
  return NAN;
}

static void test_guidance(void **state) {
  (void)state;
  const double pi = acos(-1.0);
  for (int i = 1; i <= 40; i++) {
    const double p = i / 40.0;
    assert_true(msk_schedule_guidance(MSK_GUIDANCE_CONSTANT, p) == 1);
    assert_true(msk_schedule_guidance(MSK_GUIDANCE_LINEAR, p) == p);
    assert_true(fabs(msk_schedule_guidance(MSK_GUIDANCE_POWER_COSINE, p) -
                     pow(sin(pi * p * p / 2), 2)) < 1e-12);
    assert_true(msk_schedule_guidance(MSK_GUIDANCE_LATE, p) == (i > 20));
  }
  for (int schedule = MSK_GUIDANCE_CONSTANT; schedule <= MSK_GUIDANCE_LATE; schedule++)
    assert_true(msk_schedule_guidance((msk_guidance_schedule)schedule, 1) == 1);
}

/* A permutation whose beginnings cover the square evenly. */
static void test_halton(void **state) {
  (void)state;
  static const int sides[] = {1, 2, 3, 7, 16, 32};
  static int32_t rank[32 * 32], position[32 * 32];
  for (size_t s = 0; s < sizeof sides / sizeof *sides; s++) {
    const int side = sides[s], count = side * side;
    msk_order_halton(rank, side);
    for (int i = 0; i < count; i++) position[i] = -1;
    for (int i = 0; i < count; i++) {
      assert_in_range(rank[i], 0, count - 1);
      assert_int_equal(position[rank[i]], -1);
      position[rank[i]] = i;
    }
    int quarter[4] = {0};
    for (int n = 1; side >= 16 && n <= count; n++) {
      const int at = position[n - 1];
      quarter[2 * (at / side >= side / 2) + (at % side >= side / 2)]++;
      for (int q = 0; q < 4; q++) assert_true(fabs(quarter[q] - n / 4.0) <= 6);
    }
  }
  msk_order_halton(rank, 16);
  assert_int_equal(rank[8 * 16 + 5], 0);  /* (1/2, 1/3) of 16, rounded down */
  assert_int_equal(rank[4 * 16 + 10], 1); /* (1/4, 2/3) */
  assert_int_equal(rank[12 * 16 + 1], 2); /* (3/4, 1/9) */
  assert_int_equal(msk_order_side(256), 16);
  assert_int_equal(msk_order_side(1), 1);
  assert_int_equal(msk_order_side(48), 0);
}

static void test_closed_forms(void **state) {
  (void)state;
  for (int schedule = MSK_SCHEDULE_UNIFORM; schedule <= MSK_SCHEDULE_EXP; schedule++) {
    for (int unknown = 2; unknown <= 1024; unknown *= 2) {
      for (int done = 1; done <= 37; done++) {
        double r = done / 37.0,
               wanted = fmin(fmax(closed_form((msk_schedule)schedule, 2.5, r, unknown), 0), 1);
        double rate = msk_schedule_rate((msk_schedule)schedule, 2.5, r, unknown);
        assert_true(fabs(rate - wanted) < 1e-12);
        float official = msk_schedule_rate_official((msk_schedule)schedule, 2.5, done, 37, unknown);
        assert_true(fabs((double)official - fmax(wanted, 1e-6)) < 1e-6);
        assert_true(official >= 1e-6f && official <= 1.0f);
      }
      assert_true(msk_schedule_rate((msk_schedule)schedule, 2.5, 1, unknown) == 0);
    }
  }
}

/* More done, fewer masked. */
static void test_falling(void **state) {
  (void)state;
  for (int schedule = MSK_SCHEDULE_UNIFORM; schedule <= MSK_SCHEDULE_EXP; schedule++) {
    for (int done = 1; done < 200; done++) {
      assert_true(msk_schedule_rate((msk_schedule)schedule, 0.7, done / 200.0, 256) >=
                  msk_schedule_rate((msk_schedule)schedule, 0.7, (done + 1) / 200.0, 256));
    }
  }
}

static void test_single_token(void **state) {
  (void)state;
  for (int schedule = MSK_SCHEDULE_UNIFORM; schedule <= MSK_SCHEDULE_EXP; schedule++) {
    double rate = msk_schedule_rate((msk_schedule)schedule, 2, 0.5, 1);
    assert_true(rate >= 0 && rate <= 1);
  }
}

/* cos(pi/3) in float32 is below one half, so half of the tokens is never reached there (the
 * golden edit case, 12 steps from 60 tokens, needs it). */
static void test_official_rounding(void **state) {
  (void)state;
  assert_true(floorf(60.0f * msk_schedule_rate_official(MSK_SCHEDULE_COSINE, 0, 8, 12, 60)) ==
              29.0f);
  assert_true(floorf(64.0f * msk_schedule_rate_official(MSK_SCHEDULE_EXP, 0, 4, 8, 64)) == 56.0f);
  assert_true(msk_schedule_remaining_official(8, 16) == 0.5f);
  float rate = fmaf(msk_schedule_rate_official(MSK_SCHEDULE_UNIFORM, 0, 375, 500, 244),
                    (float)(0.95 - 0.35), 0.35f);
  /* exactly it would be 122: docs/exactness.md, Arithmetic */
  assert_true(floorf(244.0f * rate) == 121.0f);
  /* 1 - 9 * (1/12 in float32), rounded once */
  assert_true(msk_schedule_remaining_official(9, 12) < 0.25f);
}

static void test_sort(void **state) {
  (void)state;
  enum { COUNT = 300 };
  uint64_t random = 9;
  for (size_t count = 0; count <= COUNT; count += count < 10 ? 1 : 29) {
    msk_candidate c[COUNT];
    for (size_t i = 0; i < count; i++) {
      int kind = (int)(test_random(&random) % 12);
      float key = kind == 0   ? NAN
                  : kind == 1 ? INFINITY
                  : kind == 2 ? -INFINITY
                  : kind == 3 ? -0.0f
                  : kind == 4 ? 0.0f
                              : test_uniform(&random, -1, 1);
      c[i] = (msk_candidate){key, (uint32_t)(test_random(&random) % 3), (int32_t)i};
    }
    msk_candidates_sort(c, count);
    bool seen[COUNT] = {false};
    for (size_t i = 0; i < count; i++) {
      assert_false(seen[c[i].index]);
      seen[c[i].index] = true;
      if (i == 0) continue;
      const msk_candidate *a = &c[i - 1], *b = &c[i];
      bool equal = a->key == b->key || (isnan(a->key) && isnan(b->key));
      assert_true(a->key < b->key || (isnan(b->key) && !isnan(a->key)) ||
                  (equal && (a->lot < b->lot || (a->lot == b->lot && a->index < b->index))));
    }
  }
}

static int count_mask(const uint8_t *mask, size_t count) {
  int masked = 0;
  for (size_t i = 0; i < count; i++) masked += mask[i];
  return masked;
}

static void test_cut(void **state) {
  (void)state;
  enum { COUNT = 9 };
  const float scores[COUNT] = {5, 1, 3, NAN, 2, 2, 9, 0, 4};
  uint8_t mask[COUNT];
  msk_candidate scratch[COUNT];
  /* the tie of 2 is masked together, the NaN cut-off masks nothing */
  static const int masked[] = {0, 1, 2, 2, 4, 5, 6, 7, 0, 0, 0};
  for (int k = 0; k <= 10; k++) {
    msk_mask_below_cut(mask, scores, NULL, 0, (float)k + 0.9f, COUNT, scratch);
    assert_int_equal(count_mask(mask, COUNT), masked[k]);
    assert_int_equal(mask[3], 0);
  }
  /* the noised 5 is the cut-off, the plain 5 is compared with it */
  const float noise[COUNT] = {-100, 0, 0, 0, 0, 0, 0, 0, 0};
  msk_mask_below_cut(mask, scores, noise, 1, 0, COUNT, scratch);
  assert_int_equal(count_mask(mask, COUNT), 0);
  msk_mask_below_cut(mask, scores, noise, 1, 3, COUNT, scratch);
  assert_int_equal(mask[0], 0);
  assert_int_equal(count_mask(mask, COUNT), 2);
}

static void test_rescale(void **state) {
  (void)state;
  float values[4] = {2, 4, 3, 2}, constant[3] = {7, 7, 7}, wild[4] = {NAN, -INFINITY, 1, 3};
  float wanted[4] = {0, 1, 0.5f, 0};
  float official[4];
  memcpy(official, values, sizeof values);
  msk_rescale(values, 4);
  msk_rescale_official(official, 4);
  assert_memory_equal(values, wanted, sizeof wanted);
  assert_memory_equal(official, wanted, sizeof wanted);
  float copy[3] = {7, 7, 7};
  msk_rescale(constant, 3);
  msk_rescale_official(copy, 3);
  for (int i = 0; i < 3; i++) assert_true(constant[i] == 1 && isnan(copy[i]));
  float poisoned[4];
  memcpy(poisoned, wild, sizeof wild);
  msk_rescale_official(poisoned, 4);
  for (int i = 0; i < 4; i++) assert_true(isnan(poisoned[i]));
  msk_rescale(wild, 4);
  assert_true(wild[0] == 0 && wild[1] == 0 && wild[2] == 0 && wild[3] == 1);
}

static void test_probability(void **state) {
  (void)state;
  float logits[5] = {1, 2, -3, 0.5f, 100};
  double sum = 0;
  for (int i = 0; i < 5; i++) sum += exp((double)logits[i] - 100);
  for (int i = 0; i < 5; i++)
    assert_true(fabs((double)msk_token_probability(logits, 5, i) -
                     exp((double)logits[i] - 100) / sum) < 1e-7);
  assert_true(isnan(msk_token_probability(logits, 5, 5)) &&
              isnan(msk_token_probability(logits, 5, -1)));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_guidance),     cmocka_unit_test(test_halton),
      cmocka_unit_test(test_closed_forms), cmocka_unit_test(test_falling),
      cmocka_unit_test(test_single_token), cmocka_unit_test(test_official_rounding),
      cmocka_unit_test(test_sort),         cmocka_unit_test(test_cut),
      cmocka_unit_test(test_rescale),      cmocka_unit_test(test_probability),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
