/* SPDX-License-Identifier: Apache-2.0
 *
 * avx512.c - the kernels of vector.inc and vector_int8.inc for AVX-512 F, DQ, BW, VL (Skylake
 * server, Zen 4 and later). The only files compiled with its flags: nothing here may be called,
 * and nothing inline may leak from here, before device.c has looked at the processor. */
#include "compute/cpu/isa/simd_avx512.h"

#include "compute/cpu/isa/vector_math.inc"

#include "compute/cpu/isa/vector_int8.inc"

#include "compute/cpu/isa/vector_int16.inc"

#include "compute/cpu/isa/vector_pairs.inc"

#include "compute/cpu/isa/vector.inc"

void msk_kernels_avx512(msk_kernels *kernels) { fill_kernels(kernels, "avx512"); }
