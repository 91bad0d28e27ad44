/* SPDX-License-Identifier: Apache-2.0
 *
 * neon.c - the kernels of vector.inc and vector_int8.inc for Advanced SIMD, which every 64-bit
 * Arm processor has. */
#include "compute/cpu/isa/simd_neon.h"

#include "compute/cpu/isa/vector_math.inc"

#include "compute/cpu/isa/vector_int8.inc"

#include "compute/cpu/isa/vector_int16.inc"

#include "compute/cpu/isa/vector_pairs.inc"

#include "compute/cpu/isa/vector.inc"

void msk_kernels_neon(msk_kernels *kernels) { fill_kernels(kernels, "neon"); }
