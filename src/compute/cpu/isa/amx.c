/* SPDX-License-Identifier: Apache-2.0
 *
 * amx.c - AVX-512 BF16's set with the 8-bit products of AMX's tile registers (Sapphire Rapids and
 * later), which make eight times as many at a time. */
#include "compute/cpu/isa/tiles_amx.h"

#include "compute/cpu/isa/tiles.inc"

void msk_kernels_amx(msk_kernels *kernels) {
  msk_kernels_avx512bf16(kernels);
  kernels->int8_rate = 32;
  kernels->int8_panel = int8_panel;
  kernels->end_products = end_products;
}
