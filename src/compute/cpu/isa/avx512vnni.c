/* SPDX-License-Identifier: Apache-2.0
 *
 * avx512vnni.c - AVX-512's set with the 8-bit products of AVX-512 VNNI (Cascade Lake, Zen 4 and
 * later), which multiply 8 by 8 bits exactly. */
#include "compute/cpu/isa/simd_avx512.h"

#include "compute/cpu/isa/vector_math.inc"

#include "compute/cpu/isa/vector_int8.inc"

#include "compute/cpu/isa/vector_int16.inc"

void msk_kernels_avx512vnni(msk_kernels *kernels) {
  msk_kernels_avx512(kernels);
  fill_int8(kernels);
  fill_int16(kernels);
}
