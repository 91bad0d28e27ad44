/* SPDX-License-Identifier: Apache-2.0
 *
 * avxvnni.c - AVX2's set with the 8-bit products of AVX-VNNI (Alder Lake, Zen 5 and later),
 * which multiply 8 by 8 bits exactly. */
#include "compute/cpu/isa/simd_avx2.h"

#include "compute/cpu/isa/vector_math.inc"

#include "compute/cpu/isa/vector_int8.inc"

#include "compute/cpu/isa/vector_int16.inc"

void msk_kernels_avxvnni(msk_kernels *kernels) {
  msk_kernels_avx2(kernels);
  fill_int8(kernels);
  fill_int16(kernels);
}
