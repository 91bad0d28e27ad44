/* SPDX-License-Identifier: Apache-2.0
 *
 * avx512bf16.c - AVX-512 VNNI's set with the products of bf16 of AVX-512 BF16 (Cooper Lake, Zen 4,
 * Sapphire Rapids and later), twice as many at a time as of floats. */
#include "compute/cpu/isa/simd_avx512.h"

#include "compute/cpu/isa/vector_math.inc"

#include "compute/cpu/isa/vector_pairs.inc"

void msk_kernels_avx512bf16(msk_kernels *kernels) {
  msk_kernels_avx512vnni(kernels);
  fill_pairs(kernels);
}
