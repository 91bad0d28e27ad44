/* SPDX-License-Identifier: Apache-2.0
 *
 * neondot.c - Advanced SIMD's set with the 8-bit products of its dot product extension (Armv8.2:
 * Cortex-A75, Neoverse N1, Apple M1 and later). */
#include "compute/cpu/isa/simd_neon.h"

#include "compute/cpu/isa/vector_math.inc"

#include "compute/cpu/isa/vector_int8.inc"

void msk_kernels_neondot(msk_kernels *kernels) {
  msk_kernels_neon(kernels);
  fill_int8(kernels);
}
