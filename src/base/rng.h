/* SPDX-License-Identifier: Apache-2.0
 *
 * rng.h - jax.random in C, bit for bit (threefry-2x32): keys, split, fold_in, random bits,
 * uniform, Gumbel, randint, categorical, in both bit layouts (jax_threefry_partitionable off =
 * ORIGINAL, on = PARTITIONABLE). Golden vectors: tests/golden/rng. Everything is a pure function
 * of key, layout and position; `total` is the number of elements of the whole array that JAX
 * would make, which the original layout needs (it pairs the halves), so that a slice [first,
 * first + count) can be drawn on its own. */
#ifndef MSK_BASE_RNG_H
#define MSK_BASE_RNG_H

#include "masksketch.h"

typedef struct msk_key {
  uint32_t word[2];
} msk_key;

msk_key msk_rng_key(uint64_t seed);
void msk_rng_split(msk_rng_layout layout, msk_key key, size_t count, msk_key *keys);
msk_key msk_rng_fold_in(msk_key key, uint32_t data);
void msk_rng_bits(msk_rng_layout layout, msk_key key, size_t total, size_t first, size_t count,
                  uint32_t *bits);
/* float32 in [minimum, maximum) */
void msk_rng_uniform(msk_rng_layout layout, msk_key key, size_t total, size_t first, size_t count,
                     float minimum, float maximum, float *values);
void msk_rng_gumbel(msk_rng_layout layout, msk_key key, size_t total, size_t first, size_t count,
                    float *values);
/* int32 in [minimum, maximum), as jax.random.randint */
void msk_rng_randint(msk_rng_layout layout, msk_key key, size_t total, size_t first, size_t count,
                     int32_t minimum, int32_t maximum, int32_t *values);
/* Natural logarithm with the rounding of XLA's CPU back end (a polynomial with fused
 * multiply-adds, within 2 ulp): jax.random's Gumbel noise and the authors' scores depend on its
 * last bit. Subnormals count as the smallest normal number; 0 -> -inf, negative -> NaN. */
float msk_xla_log(float x);
/* rows x columns logits -> rows indices: argmax(logits + Gumbel), first on a tie. Row
 * `first_row` of `total_rows`. A row with NaN logits gives the first of them, as in JAX. */
void msk_rng_categorical(msk_rng_layout layout, msk_key key, size_t total_rows, size_t first_row,
                         size_t rows, size_t columns, const float *logits, int32_t *indices);
#endif
