/* SPDX-License-Identifier: Apache-2.0
 *
 * test_rng.c - jax.random bit for bit: every vector of tests/golden/rng in both layouts, Gumbel
 * noise to the last bit; slices, wide keys, and the pruned categorical against the plain one. */
#include "support.h"

#include <jansson.h>
#include <math.h>

#include "base/rng.h"

#define SEED_OF(entry) msk_rng_key((uint64_t)json_integer_value(json_object_get((entry), "seed")))

typedef struct vector {
  json_t *entry;
  msk_rng_layout layout;
  golden_array golden;
} vector;

static double number(const vector *v, const char *name) {
  return json_number_value(json_object_get(v->entry, name));
}

static void check_words(const vector *v, const uint32_t *words) {
  assert_memory_equal(words, v->golden.data, v->golden.elements * 4);
}

static void check_keys(const vector *v, const char *function) {
  msk_key keys[8];
  json_t *list = json_object_get(v->entry, strcmp(function, "PRNGKey") == 0 ? "seeds" : "data");
  size_t count = v->golden.shape[0], index;
  json_t *item;
  assert_true(count <= 8);
  if (strcmp(function, "split") == 0) {
    msk_rng_split(v->layout, SEED_OF(v->entry), count, keys);
  } else {
    json_array_foreach(list, index, item) {
      uint64_t value = (uint64_t)json_integer_value(item);
      keys[index] = strcmp(function, "PRNGKey") == 0
                        ? msk_rng_key(value)
                        : msk_rng_fold_in(SEED_OF(v->entry), (uint32_t)value);
    }
  }
  check_words(v, (const uint32_t *)keys);
}

static void check_categorical(const vector *v) {
  golden_array logits =
      golden_load(golden_path("rng/%s", json_string_value(json_object_get(v->entry, "logits"))));
  size_t rows = v->golden.elements, columns = logits.elements / rows;
  int32_t *indices = malloc(rows * sizeof *indices);
  msk_rng_categorical(v->layout, SEED_OF(v->entry), rows, 0, rows, columns, logits.data, indices);
  assert_memory_equal(indices, v->golden.data, rows * 4);
  free(indices);
  golden_free(&logits);
}

static void check_array(const vector *v, const char *function) {
  size_t n = v->golden.elements;
  msk_key key = SEED_OF(v->entry);
  uint32_t *words = malloc(n * 4);
  if (strcmp(function, "bits") == 0) {
    msk_rng_bits(v->layout, key, n, 0, n, words);
  } else if (strcmp(function, "uniform") == 0) {
    msk_rng_uniform(v->layout, key, n, 0, n, (float)number(v, "minval"), (float)number(v, "maxval"),
                    (float *)(void *)words);
  } else if (strcmp(function, "gumbel") == 0) {
    msk_rng_gumbel(v->layout, key, n, 0, n, (float *)(void *)words);
  } else if (strcmp(function, "randint") == 0) {
    msk_rng_randint(v->layout, key, n, 0, n, (int32_t)number(v, "minval"),
                    (int32_t)number(v, "maxval"), (int32_t *)(void *)words);
  } else {
    fail_msg("index.json asks for %s", function);
  }
  check_words(v, words);
  free(words);
}

static void test_golden_vectors(void **state) {
  (void)state;
  json_t *index = json_load_file(golden_path("rng/index.json"), 0, NULL), *entry;
  size_t position, seen = 0;
  assert_true(json_is_array(index));
  json_array_foreach(index, position, entry) {
    const char *file = json_string_value(json_object_get(entry, "file")),
               *function = json_string_value(json_object_get(entry, "function"));
    vector v = {entry,
                strncmp(file, "partitionable/", 14) == 0 ? MSK_RNG_PARTITIONABLE : MSK_RNG_ORIGINAL,
                golden_load(golden_path("rng/%s", file))};
    if (strcmp(function, "PRNGKey") == 0 || strcmp(function, "split") == 0 ||
        strcmp(function, "fold_in") == 0) {
      check_keys(&v, function);
    } else if (strcmp(function, "categorical") == 0) {
      check_categorical(&v);
    } else {
      check_array(&v, function);
    }
    golden_free(&v.golden);
    seen++;
  }
  assert_int_equal(seen, 146);
  json_decref(index);
}

static void test_wide_seed(void **state) {
  (void)state;
  msk_key key = msk_rng_key(UINT64_C(0x123456789ABCDEF0));
  assert_int_equal(key.word[0], 0x12345678);
  assert_int_equal(key.word[1], 0x9ABCDEF0u);
}

/* A slice of an array equals the same place of the whole, wherever it begins and ends. */
static void test_slices(void **state) {
  (void)state;
  enum { TOTAL_MAX = 1031 };
  static const size_t totals[] = {1, 2, 3, 7, 256, 257, 600, TOTAL_MAX};
  msk_key key = msk_rng_key(7);
  uint64_t random = 1;
  uint32_t whole[TOTAL_MAX], part[TOTAL_MAX];
  float noise[TOTAL_MAX], slice[TOTAL_MAX];
  for (int layout = 0; layout < 2; layout++) {
    for (size_t t = 0; t < sizeof totals / sizeof *totals; t++) {
      size_t total = totals[t];
      msk_rng_bits((msk_rng_layout)layout, key, total, 0, total, whole);
      msk_rng_gumbel((msk_rng_layout)layout, key, total, 0, total, noise);
      for (int trial = 0; trial < 50; trial++) {
        size_t first = (size_t)(test_random(&random) % total),
               count = (size_t)(test_random(&random) % (total - first + 1));
        msk_rng_bits((msk_rng_layout)layout, key, total, first, count, part);
        msk_rng_gumbel((msk_rng_layout)layout, key, total, first, count, slice);
        assert_memory_equal(part, whole + first, count * 4);
        assert_memory_equal(slice, noise + first, count * 4);
      }
    }
  }
}

static int32_t plain_categorical(const float *logits, const float *noise, size_t columns) {
  size_t best = 0;
  for (size_t j = 1; j < columns; j++) {
    if (noise[j] + logits[j] > noise[best] + logits[best]) best = j;
  }
  return (int32_t)best;
}

static void test_categorical_is_argmax(void **state) {
  (void)state;
  enum { ROWS = 200, COLUMNS = 1000 };
  static float logits[ROWS * COLUMNS], noise[ROWS * COLUMNS];
  static int32_t indices[ROWS];
  uint64_t random = 3;
  for (int scale = 0; scale < 4; scale++) {
    float spread = (float[]){0.0f, 0.5f, 6.0f, 200.0f}[scale];
    for (size_t i = 0; i < ROWS * COLUMNS; i++) logits[i] = test_uniform(&random, -spread, spread);
    msk_key key = msk_rng_key((uint64_t)scale);
    msk_rng_gumbel(MSK_RNG_ORIGINAL, key, ROWS * COLUMNS, 0, ROWS * COLUMNS, noise);
    msk_rng_categorical(MSK_RNG_ORIGINAL, key, ROWS, 0, ROWS, COLUMNS, logits, indices);
    for (size_t row = 0; row < ROWS; row++) {
      assert_int_equal(indices[row],
                       plain_categorical(logits + row * COLUMNS, noise + row * COLUMNS, COLUMNS));
    }
  }
}

static void test_categorical_special(void **state) {
  (void)state;
  float logits[4] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY};
  int32_t index = -1;
  msk_rng_categorical(MSK_RNG_ORIGINAL, msk_rng_key(0), 1, 0, 1, 4, logits, &index);
  assert_int_equal(index, 0);
  logits[2] = -1000;
  msk_rng_categorical(MSK_RNG_ORIGINAL, msk_rng_key(0), 1, 0, 1, 4, logits, &index);
  assert_int_equal(index, 2);
  logits[1] = INFINITY;
  msk_rng_categorical(MSK_RNG_ORIGINAL, msk_rng_key(0), 1, 0, 1, 4, logits, &index);
  assert_int_equal(index, 1);
  logits[3] = NAN;
  msk_rng_categorical(MSK_RNG_ORIGINAL, msk_rng_key(0), 1, 0, 1, 4, logits, &index);
  assert_int_equal(index, 3);
}

static void test_log(void **state) {
  (void)state;
  assert_true(isnan(msk_xla_log(-1)) && isnan(msk_xla_log(NAN)));
  assert_true(isinf(msk_xla_log(0)) && msk_xla_log(0) < 0 && isinf(msk_xla_log(INFINITY)));
  assert_true(msk_xla_log(1) == 0);
  uint64_t random = 5;
  for (int i = 0; i < 100000; i++) {
    float x = expf(test_uniform(&random, -87, 88));
    double truth = log((double)x);
    assert_true(fabs((double)msk_xla_log(x) - truth) <= 2.5e-7 * fabs(truth) + 1e-8);
  }
}

/* 100,000 draws of 1..span: each value as often as chance allows (5 standard deviations). */
static void test_randint_is_even(void **state) {
  (void)state;
  enum { DRAWS = 100000, SPAN = 9 };
  static int32_t values[DRAWS];
  int seen[SPAN] = {0};
  msk_rng_randint(MSK_RNG_PARTITIONABLE, msk_rng_key(11), DRAWS, 0, DRAWS, 1, 1 + SPAN, values);
  for (int i = 0; i < DRAWS; i++) {
    assert_in_range(values[i], 1, SPAN);
    seen[values[i] - 1]++;
  }
  double mean = (double)DRAWS / SPAN;
  for (int i = 0; i < SPAN; i++) assert_true(fabs(seen[i] - mean) < 5 * sqrt(mean));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_golden_vectors),
      cmocka_unit_test(test_wide_seed),
      cmocka_unit_test(test_slices),
      cmocka_unit_test(test_categorical_is_argmax),
      cmocka_unit_test(test_categorical_special),
      cmocka_unit_test(test_log),
      cmocka_unit_test(test_randint_is_even),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
