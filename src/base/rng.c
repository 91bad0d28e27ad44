/* SPDX-License-Identifier: Apache-2.0
 *
 * rng.c - see rng.h. Threefry-2x32 with 20 rounds (Salmon et al., "Parallel random numbers: as
 * easy as 1, 2, 3", 2011) under the conventions of jax.random. Owns no state.
 *
 * Original layout: `total` counters 0..total-1 are cut into halves (an odd total is padded with
 * one 0) and counter i of the first half is hashed together with counter i of the second; the
 * two output words go back to the two places. Partitionable layout: element i is the exclusive
 * or of the two words of hash(high word of i, low word of i). */
#include "base/rng.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

typedef struct pair {
  uint32_t a, b;
} pair;

static inline uint32_t rotate_left(uint32_t word, int bits) {
  return word << bits | word >> (32 - bits);
}

#define MIX(bits) (x.a += x.b, x.b = rotate_left(x.b, bits), x.b ^= x.a)

static inline pair threefry(msk_key key, uint32_t a, uint32_t b) {
  const uint32_t k0 = key.word[0], k1 = key.word[1], k2 = k0 ^ k1 ^ 0x1BD11BDAu;
  pair x = {a + k0, b + k1};
  MIX(13), MIX(15), MIX(26), MIX(6);
  x.a += k1, x.b += k2 + 1;
  MIX(17), MIX(29), MIX(16), MIX(24);
  x.a += k2, x.b += k0 + 2;
  MIX(13), MIX(15), MIX(26), MIX(6);
  x.a += k0, x.b += k1 + 3;
  MIX(17), MIX(29), MIX(16), MIX(24);
  x.a += k1, x.b += k2 + 4;
  MIX(13), MIX(15), MIX(26), MIX(6);
  x.a += k2, x.b += k0 + 5;
  return x;
}

msk_key msk_rng_key(uint64_t seed) { return (msk_key){{(uint32_t)(seed >> 32), (uint32_t)seed}}; }

msk_key msk_rng_fold_in(msk_key key, uint32_t data) {
  pair x = threefry(key, 0, data);
  return (msk_key){{x.a, x.b}};
}

static void original_bits(msk_key key, size_t total, size_t first, size_t count, uint32_t *bits) {
  const size_t half = total / 2 + total % 2, end = first + count;
  size_t middle = end < half ? end : half;
  if (first > half) middle = first;
  for (size_t i = first; i < middle; i++)
    bits[i - first] = threefry(key, (uint32_t)i, (uint32_t)(i + half)).a;
  /* the padding of an odd total is counter 0, not `total` */
  if (total % 2 == 1 && first < half && middle == half)
    bits[half - 1 - first] = threefry(key, (uint32_t)(half - 1), 0).a;
  for (size_t i = middle; i < end; i++)
    bits[i - first] = threefry(key, (uint32_t)(i - half), (uint32_t)i).b;
}

static void partitionable_bits(msk_key key, size_t first, size_t count, uint32_t *bits) {
  for (size_t i = 0; i < count; i++) {
    uint64_t index = (uint64_t)first + i;
    pair x = threefry(key, (uint32_t)(index >> 32), (uint32_t)index);
    bits[i] = x.a ^ x.b;
  }
}

void msk_rng_bits(msk_rng_layout layout, msk_key key, size_t total, size_t first, size_t count,
                  uint32_t *bits) {
  if (layout == MSK_RNG_PARTITIONABLE) {
    partitionable_bits(key, first, count, bits);
  } else {
    original_bits(key, total, first, count, bits);
  }
}

void msk_rng_split(msk_rng_layout layout, msk_key key, size_t count, msk_key *keys) {
  for (size_t i = 0; i < count; i++) {
    if (layout == MSK_RNG_PARTITIONABLE) {
      pair x = threefry(key, (uint32_t)((uint64_t)i >> 32), (uint32_t)i);
      keys[i] = (msk_key){{x.a, x.b}};
    } else {
      original_bits(key, 2 * count, 2 * i, 2, keys[i].word);
    }
  }
}

#define BLOCK ((size_t)256) /* elements drawn at a time, on the stack */

/* [0, 1): the upper 23 bits become the fraction of a number in [1, 2) */
static inline float unit_float(uint32_t bits) {
  uint32_t word = bits >> 9 | 0x3F800000u;
  float value;
  memcpy(&value, &word, sizeof value);
  return value - 1.0f;
}

void msk_rng_uniform(msk_rng_layout layout, msk_key key, size_t total, size_t first, size_t count,
                     float minimum, float maximum, float *values) {
  uint32_t bits[BLOCK];
  for (size_t done = 0; done < count; done += BLOCK) {
    size_t block = count - done < BLOCK ? count - done : BLOCK;
    msk_rng_bits(layout, key, total, first + done, block, bits);
    for (size_t i = 0; i < block; i++)
      values[done + i] = fmaxf(minimum, fmaf(unit_float(bits[i]), maximum - minimum, minimum));
  }
}

float msk_xla_log(float x) {
  if (!(x >= 0)) return NAN;
  if (x == 0) return -INFINITY;
  if (x > FLT_MAX) return INFINITY;
  if (x < FLT_MIN) x = FLT_MIN;
  uint32_t word;
  memcpy(&word, &x, sizeof word);
  float exponent = (float)((int)(word >> 23) - 126);
  word = (word & 0x007FFFFFu) | 0x3F000000u; /* the fraction in [1/2, 1) */
  float m;
  memcpy(&m, &word, sizeof m);
  if (m < 0.707106781186547524f) {
    exponent -= 1;
    m = (m - 1.0f) + m;
  } else {
    m -= 1.0f;
  }
  /* Cephes' logf in the evaluation order of Eigen and XLA, every multiply-add fused */
  const float square = m * m, cube = square * m;
  float high = fmaf(fmaf(7.0376836292e-2f, m, -1.1514610310e-1f), m, 1.1676998740e-1f);
  float middle = fmaf(fmaf(-1.2420140846e-1f, m, 1.4249322787e-1f), m, -1.6668057665e-1f);
  float low = fmaf(fmaf(2.0000714765e-1f, m, -2.4999993993e-1f), m, 3.3333331174e-1f);
  float polynomial =
      fmaf(fmaf(fmaf(high, cube, middle), cube, low), cube, -2.12194440e-4f * exponent);
  return fmaf(0.693359375f, exponent, fmaf(-0.5f, square, m) + polynomial);
}

static inline float gumbel_of_bits(uint32_t bits) {
  float uniform = fmaxf(FLT_MIN, unit_float(bits) + FLT_MIN);
  return -msk_xla_log(-msk_xla_log(uniform));
}

void msk_rng_gumbel(msk_rng_layout layout, msk_key key, size_t total, size_t first, size_t count,
                    float *values) {
  uint32_t bits[BLOCK];
  for (size_t done = 0; done < count; done += BLOCK) {
    size_t block = count - done < BLOCK ? count - done : BLOCK;
    msk_rng_bits(layout, key, total, first + done, block, bits);
    for (size_t i = 0; i < block; i++) values[done + i] = gumbel_of_bits(bits[i]);
  }
}

void msk_rng_randint(msk_rng_layout layout, msk_key key, size_t total, size_t first, size_t count,
                     int32_t minimum, int32_t maximum, int32_t *values) {
  msk_key keys[2];
  msk_rng_split(layout, key, 2, keys);
  const uint32_t span = maximum > minimum ? (uint32_t)maximum - (uint32_t)minimum : 1;
  /* 2^32 modulo span, in uint32 as JAX does it: the square wraps */
  uint32_t multiplier = 65536u % span;
  multiplier = multiplier * multiplier % span;
  uint32_t high[BLOCK], low[BLOCK];
  for (size_t done = 0; done < count; done += BLOCK) {
    size_t block = count - done < BLOCK ? count - done : BLOCK;
    msk_rng_bits(layout, keys[0], total, first + done, block, high);
    msk_rng_bits(layout, keys[1], total, first + done, block, low);
    for (size_t i = 0; i < block; i++) {
      uint32_t offset = (high[i] % span * multiplier + low[i] % span) % span;
      values[done + i] = (int32_t)((uint32_t)minimum + offset);
    }
  }
}

/* ---- categorical ---- argmax(logits + Gumbel) needs the two logarithms only where they can
 * win: Gumbel noise grows with its 23 random bits, so the upper bits bound it. */

#define BUCKET_BITS 7
#define BUCKETS (1 << BUCKET_BITS)

static void fill_bounds(float *bounds) {
  for (int b = 0; b < BUCKETS; b++) {
    /* the largest number of the bucket, by the C library's logarithm: within 1e-6 of XLA's */
    float largest = unit_float((uint32_t)(b + 1) * (UINT32_C(1) << (32 - BUCKET_BITS)) - 1);
    bounds[b] = -logf(-logf(largest)) + 1e-3f;
  }
}

/* The winner so far of one row. */
typedef struct winner {
  float value;
  size_t index;
  bool settled;
} winner;

static void contend(winner *best, const float *logits, const uint32_t *bits, const float *bounds,
                    size_t first, size_t count) {
  for (size_t j = 0; j < count; j++) {
    if (logits[j] + bounds[bits[j] >> (32 - BUCKET_BITS)] <= best->value) continue;
    float value = gumbel_of_bits(bits[j]) + logits[j];
    if (!(value <= best->value)) *best = (winner){value, first + j, isnan(value)};
    if (best->settled) return; /* the first NaN wins */
  }
}

void msk_rng_categorical(msk_rng_layout layout, msk_key key, size_t total_rows, size_t first_row,
                         size_t rows, size_t columns, const float *logits, int32_t *indices) {
  float bounds[BUCKETS];
  uint32_t bits[BLOCK];
  fill_bounds(bounds);
  for (size_t row = 0; row < rows; row++) {
    winner best = {-INFINITY, 0, false};
    for (size_t done = 0; done < columns && !best.settled; done += BLOCK) {
      size_t block = columns - done < BLOCK ? columns - done : BLOCK;
      msk_rng_bits(layout, key, total_rows * columns, (first_row + row) * columns + done, block,
                   bits);
      contend(&best, logits + row * columns + done, bits, bounds, done, block);
    }
    indices[row] = (int32_t)best.index;
  }
}
