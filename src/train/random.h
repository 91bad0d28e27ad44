/* SPDX-License-Identifier: Apache-2.0
 *
 * random.h - the random numbers of training: a stream for each (seed, purpose, step), so that a
 * run that goes on from a checkpoint needs no more of its past than the step's number.
 * Splitmix64 (Steele, Lea and Flood, 2014). */
#ifndef MSK_TRAIN_RANDOM_H
#define MSK_TRAIN_RANDOM_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

typedef struct msk_random {
  uint64_t state;
} msk_random;

static inline uint64_t msk_random_next(msk_random *random) {
  uint64_t z = random->state += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

static inline msk_random msk_random_stream(uint64_t seed, uint64_t purpose, uint64_t step) {
  msk_random random = {seed};
  random.state = msk_random_next(&random) ^ purpose;
  random.state = msk_random_next(&random) ^ step;
  random.state = msk_random_next(&random);
  return random;
}

/* In [0, 1). */
static inline double msk_random_unit(msk_random *random) {
  return (double)(msk_random_next(random) >> 11) * 0x1p-53;
}

/* In 0 .. below - 1; below is far from 2^32, so that the bias is nothing. */
static inline size_t msk_random_below(msk_random *random, size_t below) {
  return (size_t)((msk_random_next(random) >> 32) * (uint64_t)below >> 32);
}

/* One normal number; Box and Muller's. */
static inline double msk_random_normal(msk_random *random) {
  double radius = sqrt(-2 * log(1 - msk_random_unit(random)));
  return radius * cos(2 * M_PI * msk_random_unit(random));
}

#endif
